// Containers of a real engine, from their death to the message that Telegram took.
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCuttingProxy } from '../helpers/cutting-proxy.ts';
import { until } from '../helpers/daemon.ts';
import { IMAGE, startEngine, type Engine, type RunOptions } from '../helpers/docker-engine.ts';
import { openWatcherSetup, type WatcherSetup } from '../helpers/watcher-setup.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';
import { openIncidents } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import { openDocker } from '../../src/system/docker/docker.ts';

let engine: Engine;
let telegram: Telegram;
let monitor: WatcherSetup;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine.stop();
});
beforeEach(async () => {
  telegram = await startTelegram();
  monitor = openWatcherSetup(engine.docker, telegram);
});
afterEach(async () => {
  await monitor.remove();
  await telegram.close();
  await engine.clear();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const titles = () => telegram.sent.map((message) => message.plain.split('\n')[0]);
const pidOf = async (id: string) => (await engine.docker.inspect(id)).state.pid;

/** Lets delivery and the machine go on until so many messages were accepted. */
async function said(count: number): Promise<void> {
  await goOnUntil(() => telegram.sent.length >= count);
}

async function goOnUntil(enough: () => boolean): Promise<void> {
  const end = Date.now() + 400_000;
  for (let i = 0; !enough(); i++) {
    if (Date.now() > end)
      throw new Error(`only ${JSON.stringify(titles())}\n${monitor.logged.slice(-20).join('\n')}`);
    // What Docker is being asked comes in real time; what follows from it, in the next turns.
    if (i >= 15 && !monitor.asks()) monitor.skip(1000);
    await sleep(20);
  }
}

/** How many lines a container's log has. */
const logOf = async (id: string) => (await engine.docker.logs(id, 100)).length;

/** A message does not wait for long for the log of a busy engine: what shows it may be done this often. */
const TRIES = 5;

/** Skips, but not over the answer that Docker is about to give. */
async function skip(ms: number, setup = monitor): Promise<void> {
  await until(() => !setup.asks(), 'the answers of Docker');
  setup.skip(ms);
}

/** Enough time for everything that might still be told; then says that there was nothing more. */
async function quiet(): Promise<void> {
  const before = telegram.sent.length;
  await sleep(300);
  for (let i = 0; i < 12; i++) {
    await skip(5000);
    await sleep(60);
  }
  expect(titles().slice(before)).toEqual([]);
}

async function running(options: RunOptions): Promise<string> {
  const before = telegram.sent.length;
  const id = await engine.run(options);
  await said(before + 1);
  telegram.clear();
  return id;
}

describe('one container', () => {
  beforeEach(async () => {
    await monitor.start();
    await said(1);
    expect(titles()).toEqual(['🚀 Service Monitor Started']);
    telegram.clear();
  });

  test('a crash is told with its log lines, and its return with the down time', async () => {
    const id = await running({
      name: 'web',
      command: [
        'sh',
        '-c',
        'for i in 1 2 3 4 5 6; do echo "line <$i> password=geheimnis$i"; done; sleep 3600',
      ],
    });
    for (let i = 1; i <= TRIES; i++) {
      await expect.poll(() => logOf(id)).toBe(6 * i);
      process.kill(await pidOf(id), 'SIGKILL');
      await said(1);
      expect(titles()).toEqual(['🔴 Service Stopped']);
      if (i === TRIES || telegram.sent[0]!.plain.includes('line <')) break;
      await engine.docker.start(id);
      await said(2);
      telegram.clear();
    }
    expect(telegram.sent[0]!.plain).toContain(
      'Cause: killed from outside Docker, exit code 137 (SIGKILL), after running for',
    );
    expect(telegram.sent[0]!.plain).toContain('line <2> password=***\nline <3> password=***');
    expect(telegram.sent[0]!.plain).not.toMatch(/line <1>|geheimnis/);
    await engine.docker.start(id);
    await said(2);
    expect(titles()[1]).toBe('✅ Service Restored');
    await quiet();
  });

  test('exit code, signal and a missing program', async () => {
    await engine.run({ name: 'exit3', command: ['sh', '-c', 'sleep 1; exit 3'] });
    await engine.run({ name: 'segv', command: ['sh', '-c', 'sleep 1; exit 139'] });
    await monitor.saw('die', 'exit3');
    await monitor.saw('die', 'segv');
    const sent = (part: string) => telegram.sent.some(({ plain }) => plain.includes(part));
    await goOnUntil(() => sent('Cause: crashed, exit code 3, after running for '));
    await goOnUntil(() => sent('Cause: crashed, exit code 139 (SIGSEGV)'));
  });

  test('a crash with a restart policy is one message that says why and how long it was away', async () => {
    const command = ['sh', '-c', 'echo hello; sleep 3600'];
    const id = await running({ name: 'web', restartPolicy: 'always', command });
    // After two seconds it would be a stop and a return, and a busy engine may need as long.
    const goOn = monitor.freeze();
    process.kill(await pidOf(id), 'SIGKILL');
    await monitor.saw('start', 'web', 2);
    goOn();
    await said(1);
    expect(titles()).toEqual(['🔄 Service Restarting']);
    expect(telegram.sent[0]!.plain).toMatch(/Restart Count: 1\n/);
    expect(telegram.sent[0]!.plain).toMatch(/Now: 🟢 Running again after [\d.]+ s/);
    await quiet();
  });

  test('out of memory', async () => {
    // Not before it counts as started. The shell outlives what is killed: the engine reads the kernel's counter of a group that is gone with
    // its last process only when it is quick.
    const go = mkdtempSync(join(tmpdir(), 'vpsmon-go-'));
    const id = await running({
      name: 'hungry',
      memory: 8 * 1_048_576,
      binds: [`${go}:/go:ro`],
      command: ['sh', '-c', 'until [ -e /go/on ]; do sleep 0.1; done; tail /dev/zero; sleep 1; exit 137'],
    });
    writeFileSync(join(go, 'on'), '');
    await monitor.saw('oom', 'hungry');
    await monitor.saw('die', 'hungry');
    rmSync(go, { recursive: true });
    await said(1);
    expect(telegram.sent[0]!.plain).toContain('Cause: out of memory: killed by the kernel, exit code 137');
    expect(monitor.ooms.map((event) => event.id)).toContain(id);
    const breaches = monitor.findings.filter(({ verdict }) => verdict === 'breach');
    expect(breaches).toMatchObject([{ rule: 'container-stopped', cause: `oom:${id}` }]);
  });

  test('a restart loop: one message each for its stages', async () => {
    const text = () => telegram.sent.map(({ plain }) => plain).join('\n');
    for (let i = 1; i <= TRIES && !text().includes('boom'); i++) {
      telegram.clear();
      const command = ['sh', '-c', 'echo boom; exit 1'];
      const id = await engine.run({ name: `loop-${i}`, restartPolicy: 'always', command });
      // Docker pauses 0.1, 0.2, 0.4, ... s between its attempts.
      const own = () =>
        telegram.sent.flatMap(({ plain }) =>
          plain.includes(`loop-${i}`)
            ? [`${plain.split('\n')[0]}${/\nNow: 🟢/.test(plain) ? ', up again' : ''}`]
            : [],
        );
      await telegram.waitUntil(() => own().some((title) => title.endsWith('Restart Loop')));
      // Before these, on a slow machine: Started, Restarting (not up after 2 s), Restarting (up again). On one where Docker needs two seconds
      // for an attempt it is a stop and a return, and two of these are not the last.
      const isSlow = monitor.longestDown(`loop-${i}`) > 1900;
      const before = isSlow ? /Started|Restarting|Stopped|Restored/ : /Started|Restarting/;
      const stages = own().filter((title) => !before.test(title));
      expect(stages).toEqual(['⚠️ Service Malfunction Detected', expect.stringMatching(/Restart Loop$/)]);
      if (!isSlow) expect(own()).toEqual([...new Set(own())]);
      await engine.remove(id);
    }
    expect(text()).toContain('boom');
  });

  test('a stop on request, a restart, a deploy, a deploy that fails', async () => {
    const id = await running({ name: 'web' });
    await engine.docker.restart(id, 1);
    await monitor.saw('restart', 'web');
    await said(1);
    expect(titles()[0]).toMatch(/^🔄 web restarted on request, running again after [\d.]+ s$/);
    await engine.remove(id);
    const second = await engine.run({ name: 'web', healthcheck: { test: 'true', intervalMs: 500 } });
    await monitor.saw('health_status: healthy', 'web');
    await said(2);
    expect(titles()[1]).toMatch(/^🚀 web redeployed, healthy in [\d.]+ s$/);
    await engine.remove(second);
    const third = await engine.run({ name: 'web', command: ['sh', '-c', 'echo no config; exit 9'] });
    await monitor.saw('die', 'web', 4);
    await said(3);
    expect(titles()[2]).toBe('🔴 Service Stopped');
    expect(telegram.sent[2]!.plain).toMatch(
      /Cause: crashed, exit code 9, after running for [\d.]+ s, just deployed/,
    );
    await engine.remove(third);
    const fourth = await engine.run({ name: 'web' });
    await said(4);
    expect(titles()[3]).toBe('✅ Service Restored');
    await engine.docker.stop(fourth, 1);
    await monitor.saw('stop', 'web');
    await said(5);
    expect(titles()[4]).toBe('🔴 Service Stopped (on request)');
    await quiet();
  });

  test('renamed while unhealthy, renamed while stopped: one open incident, and Restored under the new name', async () => {
    const id = await running({
      name: 'web',
      healthcheck: { test: 'test ! -e /tmp/sick', intervalMs: 400 },
    });
    await monitor.saw('health_status: healthy', 'web');
    const open = () => {
      const store = openStore(monitor.stateDir, Date.now());
      const names = openIncidents(store.db).map(({ rule, subject }) => `${rule} ${subject}`);
      store.close();
      return names;
    };
    await exec(id, 'touch /tmp/sick');
    await monitor.saw('health_status: unhealthy', 'web');
    await said(1);
    await engine.api('POST', `/containers/${id}/rename?name=shop`);
    await said(2);
    expect(open()).toEqual(['container-unhealthy shop']);
    await exec(id, 'rm /tmp/sick');
    await monitor.saw('health_status: healthy', 'shop');
    await said(3);
    process.kill(await pidOf(id), 'SIGKILL');
    await said(4);
    await engine.api('POST', `/containers/${id}/rename?name=store`);
    await said(5);
    expect(open()).toEqual(['container-stopped store']);
    await engine.docker.start(id);
    await said(6);
    expect(titles()).toEqual([
      '🏥 Service Unhealthy',
      '🔄 web is now called shop',
      '✅ Service Restored',
      '🔴 Service Stopped',
      '🔄 shop is now called store',
      '✅ Service Restored',
    ]);
    expect(telegram.sent[2]!.plain).toContain('Service: shop\n');
    expect(telegram.sent[5]!.plain).toContain('Service: store\n');
    expect(open()).toEqual([]);
    await quiet();
  });

  test('a container that loops is removed, and another one that works takes its name', async () => {
    const id = await engine.run({ name: 'web', restartPolicy: 'always', command: ['sh', '-c', 'exit 1'] });
    await telegram.waitUntil(() => titles().some((title) => title?.includes('Malfunction')));
    await engine.remove(id);
    await monitor.saw('destroy', 'web');
    await engine.run({ name: 'web', restartPolicy: 'always' });
    // What was still to be said about the loop may come in between.
    await goOnUntil(() =>
      titles().some((title) => /^🚀 web redeployed, running again after \d/.test(title!)),
    );
  });

  test('healthcheck, pause, rename, removal', async () => {
    const id = await running({
      name: 'web',
      command: ['sh', '-c', 'echo serving; sleep 3600'],
      healthcheck: { test: '! test -e /tmp/sick || { echo "it is <sick>"; exit 1; }', intervalMs: 400 },
    });
    await expect.poll(() => logOf(id)).toBe(1);
    let texts = '';
    for (let i = 1; i <= TRIES; i++) {
      telegram.clear();
      await monitor.saw('health_status: healthy', 'web', i);
      await exec(id, 'touch /tmp/sick');
      await monitor.saw('health_status: unhealthy', 'web', i);
      await said(1);
      expect(titles()).toEqual(['🏥 Service Unhealthy']);
      texts += telegram.sent[0]!.plain;
      await exec(id, 'rm /tmp/sick');
      await monitor.saw('health_status: healthy', 'web', i + 1);
      await said(2);
      if (texts.includes('serving') && texts.includes('Health check says: it is <sick>')) break;
    }
    expect(texts).toContain('Health check says: it is <sick>');
    expect(texts).toContain('serving');
    expect(telegram.sent[1]!.plain).toContain('Previous Status: 🏥 Unhealthy');
    await engine.api('POST', `/containers/${id}/rename?name=web2`);
    await said(3);
    expect(titles()[2]).toBe('🔄 web is now called web2');
    await engine.api('POST', `/containers/${id}/pause`);
    await monitor.saw('pause', 'web2');
    await said(4);
    expect(titles()[3]).toBe('🔴 Service Stopped (paused on request)');
    await engine.api('POST', `/containers/${id}/unpause`);
    await said(5);
    expect(titles()[4]).toBe('✅ Service Restored');
    await engine.remove(id);
    await monitor.saw('destroy', 'web2');
    await said(6);
    expect(telegram.sent[5]!.plain).toContain('Next: The container was removed');
    await quiet();
  });
});

async function exec(id: string, command: string): Promise<void> {
  const made = (await engine.api('POST', `/containers/${id}/exec`, { Cmd: ['sh', '-c', command] })) as {
    Id: string;
  };
  await engine.api('POST', `/exec/${made.Id}/start`, { Detach: true });
}

test('fifty deaths, one message each; how long it took is printed', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 50; i += 10)
    ids.push(...(await Promise.all(Array.from({ length: 10 }, (_, j) => engine.run({ name: `c${i + j}` })))));
  await monitor.start();
  await said(1);
  telegram.clear();
  const pids = await Promise.all(ids.map(pidOf));
  const took: number[] = [];
  for (const [i, pid] of pids.entries()) {
    // Each one a crash of its own, as far as bursts and Telegram's limits are concerned.
    await sleep(20);
    await skip(20_000);
    await sleep(5);
    const began = performance.now();
    process.kill(pid, 'SIGKILL');
    await telegram.waitFor(i + 1);
    took.push(performance.now() - began);
  }
  const sorted = took.toSorted((a, b) => a - b);
  console.log(
    `death to accepted message: median ${sorted[25]!.toFixed(0)} ms, worst ${sorted[49]!.toFixed(0)} ms`,
  );
  expect(new Set(telegram.sent.map((message) => /Service: (\S+)/.exec(message.plain)?.[1])).size).toBe(50);
});

describe('the engine', () => {
  test('stopped with all containers and started again: one message each time', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `c${i}`);
    await Promise.all(
      names.map((name) => engine.run({ name, restartPolicy: name === 'c7' ? 'no' : 'always' })),
    );
    await monitor.start();
    await said(1);
    telegram.clear();
    await engine.halt();
    await said(1);
    expect(titles()).toEqual(['🔴 Docker Is Gone']);
    expect(telegram.sent[0]!.plain).toContain('c0, c1, c2, c3, c4, c5, c6, c7');
    expect(monitor.watcher.connected()).toBe(false);
    await engine.start();
    await said(2);
    expect(titles()[1]).toBe('✅ Docker Is Back');
    expect(telegram.sent[1]!.plain).toContain('Running again: 7 of 8');
    expect(telegram.sent[1]!.plain).toContain('Did not come back: 1\nc7');
    await quiet();
    expect(monitor.watcher.connected()).toBe(true);
    expect(monitor.watcher.counts()).toMatchObject({ monitored: 8, running: 7, stopped: 1 });
  });

  test('hanging: noticed although its event stream stays open, and when it answers again', async () => {
    await engine.run({ name: 'web' });
    await monitor.start();
    await said(1);
    telegram.clear();
    const { pid } = engine;
    process.kill(pid, 'SIGSTOP');
    try {
      const end = Date.now() + 400_000;
      while (telegram.sent.length === 0 && Date.now() < end) {
        monitor.skipWatcher(5000);
        await sleep(100);
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(titles()).toEqual(['🔴 Docker Is Gone']);
    expect(telegram.sent[0]!.plain).toMatch(/did not answer within 3 s|no answer from Docker/);
    expect(telegram.sent[0]!.plain).toContain('1 service ran when it went');
    await said(2);
    expect(titles()[1]).toBe('✅ Docker Is Back');
    expect(telegram.sent[1]!.plain).toContain('Kept running meanwhile: 1');
    await quiet();
  });

  test('not there when the monitor starts: the start is told, and the containers when it comes', async () => {
    await engine.run({ name: 'web' });
    const broken = await engine.run({ name: 'broken', command: ['sh', '-c', 'exit 3'] });
    await expect.poll(() => pidOf(broken)).toBe(0);
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-late-'));
    const socket = join(folder, 'docker.sock');
    const late = openWatcherSetup(openDocker(`unix://${socket}`), telegram);
    await late.start();
    await telegram.waitFor(1);
    expect(telegram.sent[0]!.plain).toContain(`Docker: no Docker socket at ${socket}`);
    expect(late.watcher.connected()).toBe(false);
    const proxy = await startCuttingProxy(engine.socket, socket);
    await until(async () => {
      if (telegram.sent.length < 2) await skip(5000, late);
      return telegram.sent.length >= 2;
    }, 'the second message');
    expect(titles()[1]).toBe('🚀 Docker Answers: Watching');
    expect(telegram.sent[1]!.plain).toContain('broken is stopped, exit code 3');
    expect(late.watcher.counts()).toMatchObject({ monitored: 2, running: 1 });
    await late.remove();
    await proxy.close();
    rmSync(folder, { recursive: true });
  });

  test('the monitor away: on start it tells what changed and nothing else', async () => {
    const stays = await engine.run({ name: 'stays' });
    const crashes = await engine.run({ name: 'crashes' });
    const stopped = await engine.run({ name: 'stopped' });
    await monitor.start();
    await said(1);
    await monitor.stop();
    expect(titles().at(-1)).toBe('🔴 Service Monitor Stopped');
    telegram.clear();
    process.kill(await pidOf(crashes), 'SIGKILL');
    await engine.docker.stop(stopped, 1);
    await engine.run({ name: 'fresh' });
    await expect.poll(() => pidOf(crashes)).toBe(0);
    await monitor.start();
    await said(1);
    expect(titles()).toEqual(['🚀 Service Monitor Started']);
    const lines = telegram.sent[0]!.plain.split('\n').slice(
      telegram.sent[0]!.plain.split('\n').findIndex((l) => l.startsWith('While')) + 1,
    );
    expect(lines.toSorted()).toEqual(
      [
        '🔴 crashes stopped: killed from outside Docker, exit code 137 (SIGKILL)',
        '🔴 stopped stopped: on request (SIGKILL), exit code 137',
        '🚀 fresh is new and running',
      ].toSorted(),
    );
    await quiet();
    await engine.docker.start(crashes);
    await said(2);
    expect(titles()[1]).toBe('✅ Service Restored');
    expect(await pidOf(stays)).toBeGreaterThan(0);
  });
});

test('the status report comes every REPORT_INTERVAL_HOURS, in its form', async () => {
  await monitor.remove();
  monitor = openWatcherSetup(engine.docker, telegram, { REPORT_INTERVAL_HOURS: 6 });
  const id = await engine.run({ name: 'web' });
  await monitor.start();
  await said(1);
  telegram.clear();
  const services = monitor.watcher.services();
  const report = reportMessage({ kind: 'status-report', at: Date.now(), services }, 'test').html;
  expect(report).toContain(
    `🟢 <b>web</b>\n   Status: Running\n   Health: Unknown\n   Restarts: 0\n   Container: ${id.slice(0, 12)}\n`,
  );
  expect(report).toContain('Summary:\n🟢 Running: 1\n🔴 Stopped: 0\n🟡 Restarting: 0');
});

test('the container table needs no call to Docker, and follows what happens', async () => {
  const id = await engine.run({
    name: 'web',
    image: IMAGE,
    memory: 32 * 1_048_576,
    restartPolicy: 'always',
    labels: { 'com.docker.compose.service': 'api', 'com.docker.compose.project': 'shop' },
  });
  await monitor.start();
  await said(1);
  const find = () => monitor.watcher.containers().find((container) => container.id === id);
  expect(find()).toMatchObject({
    name: 'web',
    service: 'api',
    project: 'shop',
    state: 'running',
    limitBytes: 32 * 1_048_576,
    pid: await pidOf(id),
    restartPolicy: 'always',
    restartsLast5Min: 0,
  });
  process.kill(await pidOf(id), 'SIGKILL');
  await expect.poll(() => find()).toMatchObject({ restartCount: 1, restartsLast5Min: 1, state: 'running' });
  await expect.poll(async () => find()?.pid === (await pidOf(id))).toBe(true);
  await engine.docker.updateMemory(id, 64 * 1_048_576, 64 * 1_048_576);
  await expect.poll(() => find()?.limitBytes).toBe(64 * 1_048_576);
  await engine.remove(id);
  await expect.poll(() => find()).toBe(undefined);
});
