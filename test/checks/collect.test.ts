import { expect, onTestFinished, test, vi } from 'vitest';
import { openCollectors } from '../../src/checks/collect.ts';
import { CHECKS } from '../../src/checks/sources.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import { KEYS } from '../../src/config/schema.ts';
import { SOURCE_IDS, type Source } from '../../src/model/sources.ts';
import { systemClock } from '../../src/system/clock.ts';

const deps = {
  system: { clock: systemClock() },
  config: {
    settings: Object.fromEntries(Object.entries(KEYS).map(([key, { default: value }]) => [key, value])),
  },
  containers: async () => [],
} as unknown as CollectorDeps;

type Read = (signal: AbortSignal, deps: CollectorDeps) => Promise<unknown>;
/** Collectors that do as told; those that are not told anything are absent. */
function open(reads: Partial<Record<Source, Read>>, close: () => Promise<void> | void = () => {}) {
  for (const source of SOURCE_IDS) {
    const spy = vi.spyOn(CHECKS[source], 'collector').mockImplementation(((inner: CollectorDeps) => ({
      source,
      read: (signal: AbortSignal) =>
        reads[source]?.(signal, inner) ?? Promise.resolve({ absent: 'not here' }),
      close,
      onDockerOom: () => {},
    })) as never);
    onTestFinished(() => spy.mockRestore());
  }
  return openCollectors(deps);
}

const never = (): Promise<never> => new Promise(() => {});

test('every source has a reading, whatever the others do', async () => {
  const collectors = open({
    host: async () => ({ cpus: 2 }),
    pressure: async () => Promise.reject(new Error('broken\nat line 2')),
    oom: () => {
      throw new Error('at once');
    },
    docker: never,
    redis: async () => ({ absent: 'no Redis here' }),
  });
  const { readings } = await collectors.collect({ deadlineMs: 100 });
  expect(Object.keys(readings)).toEqual([...SOURCE_IDS]);
  expect(readings).toMatchObject({
    host: { state: 'ok', value: { cpus: 2 } },
    pressure: { state: 'failed', why: 'broken at line 2' },
    oom: { state: 'failed', why: 'at once' },
    docker: { state: 'failed', why: 'no answer within 0.1 s' },
    redis: { state: 'absent', why: 'no Redis here' },
    n8n: { state: 'absent' },
  });
});

test('at the deadline the signal aborts, and a collector that honours it may be read again', async () => {
  let reads = 0;
  const collectors = open({
    waha: (signal) =>
      new Promise((_, reject) => {
        reads += 1;
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  });
  for (const expected of [1, 2]) {
    const { readings } = await collectors.collect({ deadlineMs: 20 });
    expect(readings.waha).toMatchObject({ state: 'failed', why: 'no answer within 0.0 s' });
    expect(reads).toBe(expected);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('one that ignores its signal is not started again until it comes back', async () => {
  let reads = 0;
  let release: (() => void) | undefined;
  const collectors = open({
    postgres: async () => {
      reads += 1;
      if (reads === 1) await new Promise<void>((resolve) => (release = resolve));
      return { version: '15' };
    },
  });
  const waiting = { state: 'failed', why: 'still waiting for the last read' };
  await collectors.collect({ deadlineMs: 20 });
  expect((await collectors.collect({ deadlineMs: 20 })).readings.postgres).toMatchObject(waiting);
  expect((await collectors.collect({ deadlineMs: 20 })).readings.postgres).toMatchObject(waiting);
  expect(reads).toBe(1);
  release?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect((await collectors.collect()).readings.postgres).toMatchObject({ state: 'ok' });
  expect(reads).toBe(2);
});

test('a source that another check is just reading is read again after it, not called failed', async () => {
  let reads = 0;
  const collectors = open({
    oom: async () => {
      reads += 1;
      const kills = reads;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { kills };
    },
  });
  const both = await Promise.all([collectors.collect(), collectors.collect({ only: ['oom'] })]);
  expect(both.map(({ readings }) => readings.oom)).toMatchObject([
    { state: 'ok', value: { kills: 1 } },
    { state: 'ok', value: { kills: 2 } },
  ]);
});

test('with `only`, nothing else is touched', async () => {
  const collectors = open({
    host: async () => Promise.reject(new Error('read although not asked for')),
    oom: async () => ({ kills: [] }),
  });
  const { readings } = await collectors.collect({ only: ['oom'] });
  expect(readings.oom.state).toBe('ok');
  expect(readings.host.state).toBe('absent');
});

test('what looks like a secret is masked in the reason', async () => {
  const collectors = open({
    redis: async () => Promise.reject(new Error('cannot reach redis://user:hunter22@db:6379')),
    sql: async () => ({ absent: 'no use for password=hunter22' }),
  });
  const text = JSON.stringify(await collectors.collect());
  expect(text).not.toContain('hunter22');
  expect(text).toContain('redis://user:***@db:6379');
});

test('the container table is asked for once a check, by however many', async () => {
  let asked = 0;
  const spy = vi.spyOn(deps, 'containers').mockImplementation(async () => {
    asked += 1;
    return [];
  });
  onTestFinished(() => spy.mockRestore());
  const read: Read = async (signal, inner) => ({ table: await inner.containers(signal) });
  const collectors = open({ oom: read, docker: read });
  await collectors.collect();
  expect(asked).toBe(1);
  await collectors.collect();
  expect(asked).toBe(2);
});

test('close closes all of them, although one fails', async () => {
  let closed = 0;
  const collectors = open({}, async () => {
    closed += 1;
    if (closed === 2) throw new Error('no');
  });
  await collectors.close();
  expect(closed).toBe(SOURCE_IDS.length);
});

test('what a read has opened that comes back after the end is closed, too', async () => {
  let comeBack: (() => void) | undefined;
  let connections = 0;
  const read = async () => {
    await new Promise<void>((resolve) => (comeBack = resolve));
    connections += 1;
    return { version: '7' };
  };
  const collectors = open({ redis: read }, () => void (connections = 0));
  await collectors.collect({ deadlineMs: 20 });
  await collectors.close();
  comeBack?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(connections).toBe(0);
});
