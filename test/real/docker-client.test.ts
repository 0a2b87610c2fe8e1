import { afterAll, beforeAll, expect, test } from 'vitest';
import { MOVED } from '../../src/system/docker/events.ts';
import type { DockerEvent } from '../../src/system/types.ts';
import { startEngine } from '../helpers/docker-engine.ts';
import type { Engine } from '../helpers/docker-engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.stop();
});

test('says which engine it talks to', async () => {
  const version = await engine.docker.version();
  expect(version.version).toMatch(/^\d+\./);
  expect(version.apiVersion).toMatch(/^1\.\d+$/);
  expect((await engine.docker.info()).rootDir).toMatch(/^\/.+\/data$/);
});

test('lists and inspects a container', async () => {
  const id = await engine.run({
    name: 'shop-web-1',
    memory: 32 * 1_048_576,
    env: ['COLOUR=blue'],
    labels: { 'com.docker.compose.service': 'web' },
    restartPolicy: 'on-failure',
    maximumRetryCount: 3,
  });
  const item = (await engine.docker.list()).find((entry) => entry.id === id);
  expect(item).toMatchObject({ name: 'shop-web-1', state: 'running', image: 'vpsmon-test:busybox' });
  const inspect = await engine.docker.inspect('shop-web-1');
  expect(inspect).toMatchObject({
    id,
    name: 'shop-web-1',
    command: ['sleep', '3600'],
    state: { status: 'running', oomKilled: false },
    hostConfig: { memory: 32 * 1_048_576, restartPolicy: 'on-failure', maximumRetryCount: 3 },
  });
  expect(inspect.env).toContain('COLOUR=blue');
  expect(inspect.state.pid).toBeGreaterThan(0);
  expect(Math.abs(Date.now() - inspect.state.startedAt)).toBeLessThan(60_000);
  await engine.remove(id);
});

test.each([false, true])('reads logs, with a terminal: %s', async (tty) => {
  const id = await engine.run({
    tty,
    command: ['sh', '-c', 'for i in 1 2 3 4 5 6 7; do echo line $i; done; sleep 3600'],
  });
  await expect.poll(() => engine.docker.logs(id, 3)).toEqual(['line 5', 'line 6', 'line 7']);
  await engine.remove(id);
});

test('says what Docker said about a container that is not there', async () => {
  await expect(engine.docker.inspect('nobody')).rejects.toMatchObject({
    status: 404,
    message: 'Docker said 404: No such container: nobody',
  });
});

test('changes a memory limit, stops, starts and restarts', async () => {
  const id = await engine.run({ memory: 16 * 1_048_576 });
  await engine.docker.updateMemory(id, 24 * 1_048_576, 24 * 1_048_576);
  expect((await engine.docker.inspect(id)).hostConfig.memory).toBe(24 * 1_048_576);
  expect(await engine.docker.stop(id, 1)).toBe(true);
  // A second stop is no error: 304.
  expect(await engine.docker.stop(id, 1)).toBe(false);
  expect((await engine.docker.inspect(id)).state.status).toBe('exited');
  expect(await engine.docker.stats(id)).toBeUndefined();
  await engine.docker.start(id);
  await engine.docker.restart(id, 1);
  expect((await engine.docker.inspect(id)).state.status).toBe('running');
  expect((await engine.docker.stats(id))?.workingSetBytes).toBeGreaterThan(0);
  await engine.remove(id);
});

test('follows events in order, without those of a healthcheck, and again from a point in time', async () => {
  const stop = new AbortController();
  const all: DockerEvent[] = [];
  const seen: DockerEvent[] = [];
  let opened = false;
  const following = engine.docker.events({
    onOpen: () => (opened = true),
    onEvent(event) {
      all.push(event);
      if (event.action !== MOVED) seen.push(event);
    },
    signal: stop.signal,
  });
  await expect.poll(() => opened).toBe(true);
  const id = await engine.run({ name: 'events', healthcheck: { test: 'exit 1', intervalMs: 200 } });
  await expect.poll(() => seen.map((event) => event.action)).toContain('health_status: unhealthy');
  await engine.kill(id);
  await expect.poll(() => seen.at(-1)?.action).toBe('die');
  stop.abort();
  await following;
  expect(seen.map((event) => event.action)).toEqual([
    'create',
    'start',
    'health_status: unhealthy',
    'kill',
    'die',
  ]);
  expect(all.every((event) => event.id === id)).toBe(true);
  // H5: and of its networks, for its address may be another one's from then on.
  expect(all.map((event) => event.action)).toContain(MOVED);
  expect(seen.at(-1)?.attributes['exitCode']).toBe('137');

  const again: DockerEvent[] = [];
  const start = seen[1]!;
  await engine.docker.events({
    since: start.timeNano,
    until: seen.at(-1)!.timeNano + 1n,
    onEvent: (event) => event.action !== MOVED && again.push(event),
    signal: AbortSignal.timeout(60_000),
  });
  expect(again.map((event) => event.timeNano)).toEqual(seen.slice(1).map((event) => event.timeNano));
  await engine.remove(id);
});

test('an engine that was killed and started again is used again', async () => {
  await engine.docker.list();
  const before = engine.pid;
  await engine.halt('SIGKILL');
  await expect
    .poll(() => engine.docker.list().then(() => 'listed', String))
    .toMatch(/nothing listens at .*s\.sock/);
  await engine.start();
  expect(engine.pid).not.toBe(before);
  expect(Array.isArray(await engine.docker.list())).toBe(true);
});
