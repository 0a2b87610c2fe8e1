// The connection to Docker cut a hundred times while containers change: nothing missed, nothing twice.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCuttingProxy, type CuttingProxy } from '../helpers/cutting-proxy.ts';
import { until } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { openWatcherSetup } from '../helpers/watcher-setup.ts';
import { startTelegram } from '../standins/telegram.js';
import { createDedup, follow, replay } from '../../src/containers/event-stream.ts';
import { systemClock } from '../../src/system/clock.ts';
import { openDocker } from '../../src/system/docker/docker.ts';
import type { DockerEvent } from '../../src/system/types.ts';

let engine: Engine;
let proxy: CuttingProxy;

beforeAll(async () => {
  engine = await startEngine();
  proxy = await startCuttingProxy(engine.socket, join(tmpdir(), `vpsmon-cut-${process.pid}.sock`));
});
afterAll(async () => {
  await proxy.close();
  await engine.stop();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const line = (event: DockerEvent) => `${event.timeNano} ${event.action} ${event.name}`;

/** What is in one of them only. */
function difference(a: string[], b: string[]): string[] {
  return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}

test('100 cuts', async () => {
  const telegram = await startTelegram({ limits: { perSecond: 1000, perMinute: 10_000 } });
  const cut = openDocker(`unix://${proxy.socket}`);
  const monitor = openWatcherSetup(cut, telegram);
  const stop = new AbortController();

  const seen: string[] = [];
  let isUp = false;
  const since = BigInt(Date.now()) * 1_000_000n;
  const followed = follow({
    docker: cut,
    clock: systemClock(),
    signal: stop.signal,
    since,
    isNew: createDedup(),
    onEvent: (event) => seen.push(line(event)),
    onUp: () => (isUp = true),
    onDown: () => (isUp = false),
  });
  await monitor.start();

  const work = new AbortController();
  const cutter = (async () => {
    for (let i = 0; proxy.cuts < 100; i++) {
      await sleep(20 + Math.random() * 120);
      // On a slow machine most would be cut before they are there, and the tries then come so rarely that the engine's log forgets.
      if (isUp || i % 10 === 0) proxy.cut(i % 3 === 0);
    }
    work.abort();
  })();
  // The engine's own log, read from it directly; it keeps its last 256 events, and a fast machine makes more.
  const log = new Set<string>();
  const logged = async () => {
    const kept = await replay(engine.docker, since, BigInt(Date.now()) * 1_000_000n);
    for (const event of kept) log.add(line(event));
    return [...log];
  };
  const deaths: string[] = [];
  let rounds = 0;
  // However slow the engine is, some rounds.
  while (!work.signal.aborted || rounds < 8) {
    rounds += 1;
    const name = `job-${rounds}`;
    const id = await engine.run({ name, command: ['sleep', '600'] });
    const { pid } = (await engine.docker.inspect(id)).state;
    if (rounds % 3 === 0) {
      await engine.docker.restart(id, 1);
      await engine.remove(id);
    } else {
      process.kill(pid, 'SIGKILL');
      deaths.push(name);
    }
    if (rounds % 10 === 0) await logged();
  }
  await cutter;
  await expect.poll(async () => difference(seen, await logged())).toEqual([]);
  expect(new Set(seen).size).toBe(seen.length);

  // Each crash was told once, in a message of its own or in a list.
  const text = () => telegram.sent.map((message) => message.plain).join('\n');
  const tellings = (name: string): number => {
    const alone =
      text().split(`Service: ${name}\nPrevious Status: 🟢 Running\nCurrent Status: 🔴 Stopped`).length - 1;
    return alone + text().split(new RegExp(`^${name}: killed`, 'm')).length - 1;
  };
  const goOn = async (): Promise<void> => {
    await until(() => !monitor.asks(), 'the answers of Docker');
    monitor.skip(1000);
    await sleep(15);
  };
  await until(async () => {
    await goOn();
    return deaths.every((name) => tellings(name) > 0);
  }, 'a message about each crash').catch((error: unknown) => {
    throw new Error(`${String(error)}\n${deaths.filter((name) => tellings(name) === 0)}\n${text()}`);
  });
  for (let i = 0; i < 60; i++) await goOn();
  const told = monitor.findings.filter(
    (finding) => finding.rule === 'container-stopped' && finding.verdict === 'breach',
  );
  expect(told.map((finding) => finding.subject).toSorted()).toEqual(deaths.toSorted());
  for (const name of deaths) expect(tellings(name), `${name}\n${text()}`).toBe(1);
  const real = (await engine.docker.list()).map((item) => `${item.name} ${item.state}`);
  await expect
    .poll(() =>
      monitor.watcher
        .containers()
        .map(({ name, state }) => `${name} ${state}`)
        .toSorted(),
    )
    .toEqual(real.toSorted());

  stop.abort();
  await followed;
  await monitor.remove();
  await telegram.close();
  cut.close();
});
