// The real monitor as a process, with a Telegram that people write to.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let telegram: Telegram;
let daemon: Daemon;
beforeEach(async () => {
  telegram = await startTelegram({ chats: [{ id: 777, type: 'private', first_name: 'Ada' }] });
  daemon = await startDaemon({
    ...telegram.settings,
    DOCKER_HOST: 'unix:///nonexistent/docker.sock',
    SERVER_NAME: 'shop',
  });
});
afterEach(async () => {
  await daemon.remove();
  await telegram.close();
});
const ADA = { id: 777, type: 'private' as const, first_name: 'Ada' };
const said = (part: string) => telegram.sent.filter((message) => message.plain.includes(part));

describe('the monitor', () => {
  it('answers, draws in a process of its own, leaves the bot to others, reloads and ends at once', async () => {
    telegram.write(ADA, '/status');
    await until(() => said('Last check').length > 0, 'the answer to /status');
    telegram.write(ADA, '/status shop');
    await until(() => said('Last check').length > 1, 'the second answer');

    telegram.write(ADA, '/report');
    await until(() => said('Daily').length > 0 || said('Report').length > 0, 'the report');
    telegram.write(ADA, '/forecast');
    await until(() => said('shop: Forecast').length > 0, 'the forecast');

    telegram.write({ id: 42, type: 'private', first_name: 'New' }, 'hello');
    await until(async () => {
      const chats = await vpsmon([
        'telegram',
        'chats',
        '--config',
        daemon.conf,
        '--state-dir',
        daemon.stateDir,
      ]);
      return chats.stdout.includes('42') && chats.code === 0;
    }, 'the chat that wrote');
    expect(telegram.calls.filter((call) => call.status === 409)).toEqual([]);

    // Killed while the report is made: it comes once, from the process that goes on or from the next monitor.
    const reports = () => said('Daily report').length;
    const before = reports();
    const confirmed = () => telegram.calls.at(-1)?.params.offset;
    const offset = confirmed();
    telegram.write(ADA, '/report');
    await until(() => confirmed() !== offset && telegram.polling(), 'the command to be taken');
    await daemon.stop('SIGKILL');
    await daemon.start();
    await until(() => reports() > before, 'the report');
    telegram.write(ADA, '/forecast');
    await until(() => said('shop: Forecast').length > 1, 'the forecast');
    expect(reports()).toBe(before + 1);

    writeFileSync(daemon.conf, `${readFileSync(daemon.conf, 'utf8')}TELEGRAM_COMMANDS="false"\n`);
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon.log().includes('changed: TELEGRAM_COMMANDS'), 'the reload');
    const polls = () => telegram.calls.filter((call) => call.method === 'getUpdates').length;
    await until(async () => (await daemon.health().catch(() => undefined))?.checks, 'a check');
    const polled = polls();
    telegram.write(ADA, '/help');
    await until(async () => ((await daemon.health().catch(() => undefined))?.checks ?? 0) > 1, 'two checks');
    expect(polls()).toBe(polled);
    await daemon.stopInTime();
    expect(daemon.log()).not.toMatch(/Unexpected|could not be handled/);
  });
});
