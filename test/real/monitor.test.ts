// The monitor as a whole: real processes, a real engine, the strict stand-in for Telegram.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { childFaults, startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { startTcp } from '../helpers/tcp-server.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let engine: Engine;
let telegram: Telegram;
let daemon: Daemon | undefined;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.stop());
afterEach(async () => {
  await daemon?.remove();
  daemon = undefined;
  await telegram?.close();
  await engine.clear();
});

async function startAll(settings: Record<string, string | number> = {}): Promise<Daemon> {
  telegram = await startTelegram();
  daemon = await startDaemon({
    DOCKER_HOST: engine.dockerHost,
    ...telegram.settings,
    ...settings,
  });
  return daemon;
}
const told = (text: string | RegExp) => telegram.sent.filter((message) => message.plain.match(text));

describe('an OOM kill', () => {
  it('is one CRITICAL with container, process and limit, between two checks, and never again', async () => {
    // The next check would come long after the end of the test: only the look at the kernel's counter can notice it.
    await startAll({ SERVICE_CHECK_INTERVAL: 3600 });
    await engine.run({
      name: 'eats-between',
      memory: 16 * 1_048_576,
      command: ['sh', '-c', 'sleep 4; tail /dev/zero'],
    });
    const kills = () => told(/eats-between/).filter((message) => /Out of memory/.test(message.plain));
    const message = await until(() => kills()[0], 'the alert');
    expect(message.plain).toMatch(/CRITICAL/);
    expect(message.plain).toMatch(/tail/);
    expect(message.plain).toMatch(/16 MB/);
    await daemon?.stop();
    await daemon?.start();
    expect(kills()).toHaveLength(1);
  });
});

describe('the steady state', () => {
  it('starts no process, and stops in time', async () => {
    for (let i = 0; i < 5; i += 1) await engine.run({ name: `quiet-${i}`, memory: 32 * 1_048_576 });
    const watching = await startAll();
    await until(async () => (await watching.health()).services_monitored === 5, 'all five');
    const before = childFaults(watching.pid);
    const { checks } = await watching.health();
    await until(async () => (await watching.health()).checks >= checks + 2, 'two more checks');
    expect(childFaults(watching.pid)).toBe(before);
    await until(async () => (await watching.health()).status === 'healthy', 'health');
    await expect
      .poll(async () => (await watching.get('/metrics')).body)
      .toMatch(/container_memory_bytes\{container="quiet-3"\} \d+/);
    await watching.stopInTime();
  });
});

describe('what hangs', () => {
  it('a Docker socket that accepts and never answers delays no check and no stop', async () => {
    const silent = await startTcp();
    try {
      const watching = await startAll({ DOCKER_HOST: `tcp://127.0.0.1:${silent.port}` });
      await until(async () => (await watching.health()).checks >= 3, 'three checks');
      await until(async () => {
        const { status, reasons } = await watching.health();
        return status === 'degraded' && /docker/.test(reasons.join());
      });
      await watching.stopInTime();
    } finally {
      await silent.close();
    }
  });

  it('a Telegram that never answers does not delay the stop, and nothing is lost', async () => {
    telegram = await startTelegram();
    telegram.always('hang');
    daemon = await startDaemon({
      DOCKER_HOST: engine.dockerHost,
      ...telegram.settings,
    });
    await daemon.stopInTime();
    telegram.always(undefined);
    await daemon.start();
    await until(() => told(/start/i).length > 0, 'the message of the first start');
  });
});

describe('one state folder', () => {
  it('belongs to one monitor: the second refuses in a clear sentence', async () => {
    const watching = await startAll();
    const second = await vpsmon(['monitor', '--config', watching.conf, '--state-dir', watching.stateDir]);
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(
      new RegExp(`another monitor \\(process ${watching.pid}\\) uses the state folder`),
    );
    await watching.stop('SIGKILL');
    await watching.start();
  });
});

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}

describe('secrets', () => {
  it('are in no log, no answer and no file but the settings', async () => {
    const password = 'corr3ct-horse-b4ttery';
    const watching = await startAll({
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: 1,
      REDIS_PASSWORD: password,
      WAHA_URL: 'http://127.0.0.1:1',
      WAHA_API_KEY: `${password}-waha`,
    });
    await engine.run({
      name: 'leaky',
      command: ['sh', '-c', `echo login with DB_PASSWORD=${password}-db; sleep 1; exit 7`],
    });
    await until(() => told(/leaky/).length > 0, 'the message');
    await until(async () => (await watching.health()).checks >= 2, 'a second check');
    const token = telegram.token.slice(telegram.token.indexOf(':') + 1);
    const outcomes = await Promise.all([
      vpsmon(['config', 'show', '--config', watching.conf, '--state-dir', watching.stateDir]),
      vpsmon(['monitor', '--once', '--json', '--config', watching.conf, '--state-dir', watching.stateDir]),
      vpsmon(['doctor', '--config', watching.conf, '--state-dir', watching.stateDir]),
    ]);
    const texts: Record<string, string> = {
      log: watching.log(),
      health: (await watching.get('/health')).body,
      metrics: (await watching.get('/metrics')).body,
      commandLine: readFileSync(`/proc/${watching.pid}/cmdline`, 'utf8'),
      messages: telegram.sent.map((message) => message.text).join('\n'),
      ...Object.fromEntries(
        outcomes.flatMap((o, i) => [
          [`out${i}`, o.stdout],
          [`err${i}`, o.stderr],
        ]),
      ),
    };
    for (const name of readdirSync(watching.stateDir)) {
      const path = join(watching.stateDir, name);
      // What it writes beside and renames may be gone by now.
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) texts[name] = textOf(path);
    }
    for (const [where, text] of Object.entries(texts)) {
      expect(text.includes(password), `${where} has a password`).toBe(false);
      expect(text.includes(token), `${where} has the token`).toBe(false);
    }
    expect(texts['messages']).toContain('leaky');
  });
});
