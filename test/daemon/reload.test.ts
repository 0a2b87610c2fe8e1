import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { changesBetween, keptFromEnvironment } from '../../src/daemon/reload.ts';
import { configWith } from '../helpers/command.ts';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startTelegram } from '../standins/telegram.js';

let daemon: Daemon | undefined;
afterEach(async () => {
  await daemon?.remove();
  daemon = undefined;
});

type Listed = { incidents: { id: number; rule: string; state: string }[] };
async function incidents(of: Daemon, conf = of.conf): Promise<Listed['incidents']> {
  const { stdout } = await vpsmon(['incidents', '--json', '--config', conf, '--state-dir', of.stateDir]);
  return (JSON.parse(stdout) as Listed).incidents;
}

describe('SIGHUP', () => {
  it('lets a changed threshold take effect with the next check, in the same process, and keeps what is open', async () => {
    daemon = await startDaemon({
      MEMORY_WARNING_MB: 600_000,
      MEMORY_CLEAR_MB: 700_000,
      DOCKER_HOST: 'unix:///nonexistent.sock',
    });
    const { pid } = daemon;
    await until(() => daemon!.log().includes('Service Monitor Started'), 'the start');
    // With the second check where a busy machine was too late for the first.
    const before = await until(async () => {
      const open = (await incidents(daemon!)).filter((incident) => incident.rule === 'memory-available');
      return open.length > 0 && open;
    }, 'the incident');

    appendFileSync(daemon.conf, 'MEMORY_WARNING_MB=610000\n');
    process.kill(pid, 'SIGHUP');
    await until(() => daemon!.log().includes('Settings read anew; changed: MEMORY_WARNING_MB'));
    await until(
      async () => (await daemon!.health().catch(() => undefined))?.checks ?? 0,
      'a check after the reload',
    );
    expect(daemon.pid).toBe(pid);
    expect(daemon.exitCode()).toBeNull();
    // It neither stopped nor started, as far as anybody is concerned.
    expect(daemon.log().match(/Service Monitor (Started|Stopped)/g)).toEqual(['Service Monitor Started']);
    const kept = (await incidents(daemon)).filter((incident) => incident.rule === 'memory-available');
    expect(kept).toMatchObject(before.map(({ id, state }) => ({ id, state })));

    writeFileSync(daemon.conf, readFileSync(daemon.conf, 'utf8').replaceAll(/^MEMORY_.*\n/gm, ''));
    process.kill(pid, 'SIGHUP');
    await until(
      async () =>
        (await incidents(daemon!)).every(
          ({ rule, state }) => rule !== 'memory-available' || state === 'resolved',
        ),
      'the end of the incident under the new threshold',
    );
    expect(daemon.pid).toBe(pid);
    await daemon.stopInTime();
  });

  it('keeps the settings of before when the file has mistakes, and says which', async () => {
    daemon = await startDaemon({});
    const good = readFileSync(daemon.conf, 'utf8');
    const copy = `${daemon.conf}.good`;
    writeFileSync(copy, good);
    writeFileSync(daemon.conf, 'MEMORY_WARNING_MB=lots\n');
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon!.log().includes('the ones from before stay in force'));
    await until(() => daemon!.log().includes('MEMORY_WARNING_MB'));
    // HTTP_LISTEN is no longer in the file, and yet the old address answers.
    expect((await daemon.health()).checks).toBeGreaterThan(0);
    expect(daemon.exitCode()).toBeNull();
    const told = async () =>
      (await incidents(daemon!, copy))
        .filter(({ rule }) => rule === 'watcher-settings')
        .map(({ state }) => state);
    await until(async () => (await told())[0] === 'open', 'the incident of the settings');

    writeFileSync(daemon.conf, good);
    process.kill(daemon.pid, 'SIGHUP');
    await until(async () => (await told())[0] === 'resolved', 'its end');
  });

  it('takes a chat that refuses out of the settings: the other one was told so, hears the end, and nothing twice', async () => {
    const [gone, stays] = [-1001, -1002];
    const telegram = await startTelegram({
      chats: [
        { id: gone, type: 'supergroup', title: 'Gone', state: 'kicked' },
        { id: stays, type: 'supergroup', title: 'Ops' },
      ],
    });
    try {
      const chats = `TELEGRAM_CHAT_ID="${gone},${stays}"`;
      daemon = await startDaemon({ ...telegram.settings, TELEGRAM_CHAT_ID: `${gone},${stays}` });
      const told = (text: string) => telegram.sent.filter(({ plain }) => plain.includes(text));
      await until(() => told('Telegram refuses messages').length > 0, 'the message of the refusal');
      expect(told('Telegram refuses messages')[0]?.plain).toContain(`(chat ${gone})`);
      expect((await daemon.health()).reasons.join()).toContain(`(chat ${gone})`);

      writeFileSync(
        daemon.conf,
        readFileSync(daemon.conf, 'utf8').replace(chats, `TELEGRAM_CHAT_ID=${stays}`),
      );
      process.kill(daemon.pid, 'SIGHUP');
      await until(() => told('Telegram accepts messages').length > 0, 'its end');
      expect(told('Service Monitor Started')).toHaveLength(1);
      expect(told('Telegram refuses messages')).toHaveLength(1);
      expect((await daemon.health()).alerts_waiting).toBe(0);
    } finally {
      await telegram.close();
    }
  });

  it('says that nothing has changed', async () => {
    daemon = await startDaemon({});
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon!.log().includes('nothing has changed'));
  });
});

describe('a reload', () => {
  it('names what changed, without values', () => {
    const before = configWith({ MEMORY_WARNING_MB: 100, TELEGRAM_BOT_TOKEN: '1:old' });
    const after = configWith({ MEMORY_WARNING_MB: 120, TELEGRAM_BOT_TOKEN: '1:new' });
    expect(changesBetween(before, before)).toEqual([]);
    expect(changesBetween(before, after)).toEqual(['TELEGRAM_BOT_TOKEN', 'MEMORY_WARNING_MB']);
  });

  it('names what only a restart changes', () => {
    const config = configWith({ LOG_LEVEL: 'INFO' });
    config.origins.LOG_LEVEL = { from: 'environment' };
    expect(keptFromEnvironment(config)).toEqual(['LOG_LEVEL']);
  });

  it('is what systemctl reload asks for', () => {
    const unit = readFileSync(new URL('../../systemd/vps-monitor.service', import.meta.url), 'utf8');
    expect(unit).toMatch(/^ExecReload=.*kill -HUP/m);
  });
});
