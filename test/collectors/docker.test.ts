import { expect, onTestFinished, test, vi } from 'vitest';
import { createCpuPercent, createDocker, workingSet } from '../../src/collectors/docker.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { hostFiles } from '../../src/system/files.ts';
import type { Docker } from '../../src/system/types.ts';
import { standingClock } from '../helpers/recorded-host.ts';

const signal = new AbortController().signal;

test('the working set is usage without inactive file pages, unless those are more', () => {
  expect(workingSet(100, 30)).toBe(70);
  expect(workingSet(100, 100)).toBe(100);
  expect(workingSet(100, 130)).toBe(100);
});

test('CPU is the time used over the time passed, of one process of the container', () => {
  const percent = createCpuPercent();
  const of = (pid: number, seconds: number, cpuSeconds: number) =>
    percent.of('a', pid, seconds * 1000, cpuSeconds * 1e9);
  expect(of(1, 0, 5)).toBeUndefined();
  expect(of(1, 10, 20)).toBe(150);
  expect(of(1, 10, 21)).toBeUndefined();
  // Started again: another process, and the group's clock began anew.
  expect(of(2, 20, 1)).toBeUndefined();
  expect(of(2, 30, 2)).toBe(10);
  expect(of(2, 40, 1)).toBeUndefined();
  percent.keepOnly(new Set());
  expect(of(2, 50, 2)).toBeUndefined();
});

function container(id: string, pid?: number): ContainerInfo {
  return {
    id,
    name: `name-${id}`,
    image: 'x',
    state: pid === undefined ? 'exited' : 'running',
    health: 'none',
    restartCount: 0,
    restartsLast5Min: 0,
    restartPolicy: 'no',
    ...(pid === undefined ? {} : { pid }),
    oomKilled: false,
    limitBytes: null,
    self: false,
  };
}

/** No cgroup files anywhere, so that everything is asked of Docker. */
function collector(
  table: () => Promise<ContainerInfo[]>,
  docker: Partial<Docker>,
  options: { dockerHost?: string; memory?: Map<string, unknown> } = {},
) {
  const { dockerHost = '', memory = new Map<string, unknown>() } = options;
  const clock = standingClock(0);
  const deps = {
    system: { clock, files: hostFiles('/nonexistent'), docker },
    config: { settings: { DOCKER_HOST: dockerHost } },
    containers: table,
    recall: (key: string) => memory.get(key),
    remember: (key: string, value: unknown) => void memory.set(key, value),
  } as unknown as CollectorDeps;
  return { clock, read: () => createDocker(deps).read(signal), opened: createDocker(deps) };
}

const version = async () => ({ version: '28.0.0', apiVersion: '1.48', minApiVersion: '1.24' });
const stats = { workingSetBytes: 10, anonBytes: 5, cpuTotalNs: 1e9 };

test('a container whose numbers cannot be had keeps its state', async () => {
  const { read } = collector(
    async () => [container('a', 4_000_001), container('b', 4_000_002), container('c')],
    {
      version,
      async stats(id) {
        if (id === 'b') throw new Error('no');
        return stats;
      },
    },
  );
  const value = await read();
  expect(value).toMatchObject({
    version: '28.0.0',
    containers: [{ id: 'a', memory: { workingSetBytes: 10, anonBytes: 5 } }, { id: 'b' }, { id: 'c' }],
  });
  expect(value).not.toHaveProperty('containers.1.memory');
  expect(value).not.toHaveProperty('containers.2.memory');
});

test('stats that hang cost their numbers, not the states, well within the deadline of 5 s', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { read } = collector(async () => [container('a', 4_000_001)], {
    version,
    stats: (_, within) =>
      new Promise((_resolve, reject) => {
        within?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  });
  const reading = read();
  await vi.advanceTimersByTimeAsync(4_500);
  expect(await reading).toMatchObject({ containers: [{ id: 'a', state: 'running' }] });
});

test('forty containers that are asked for at once are no leak of listeners', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on('warning', listen);
  onTestFinished(() => void process.off('warning', listen));
  const table = Array.from({ length: 40 }, (_, i) => container(`c${i}`, 4_000_100 + i));
  let most = 0;
  let now = 0;
  const { read } = collector(async () => table, {
    version,
    async stats(_, within) {
      const stop = (): void => {};
      within?.addEventListener('abort', stop);
      most = Math.max(most, (now += 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      now -= 1;
      within?.removeEventListener('abort', stop);
      return stats;
    },
  });
  await read();
  expect(most).toBeGreaterThan(10);
  expect(warnings).toEqual([]);
});

test('the version is asked once, and again after Docker was away', async () => {
  let asked = 0;
  let away = false;
  const { opened } = collector(async () => (away ? Promise.reject(new Error('gone')) : []), {
    async version() {
      asked += 1;
      return version();
    },
  });
  for (let i = 0; i < 5; i += 1) await opened.read(signal);
  expect(asked).toBe(1);
  away = true;
  await expect(opened.read(signal)).rejects.toThrow('gone');
  away = false;
  await opened.read(signal);
  expect(asked).toBe(2);
});

const noSocket = async () =>
  Promise.reject(Object.assign(new Error('no Docker socket at /x'), { code: 'ENOENT' }));

test('a machine without Docker has none; one that had it, or was told where it is, misses it', async () => {
  expect(await collector(noSocket, { version }).read()).toEqual({ absent: 'no Docker socket at /x' });
  const set = collector(noSocket, { version }, { dockerHost: 'unix:///x' });
  await expect(set.read()).rejects.toThrow('no Docker socket');
  const memory = new Map<string, unknown>();
  await collector(async () => [], { version }, { memory }).read();
  await expect(collector(noSocket, { version }, { memory }).read()).rejects.toThrow('no Docker socket');
});

test('a socket that may not be used is a failure', async () => {
  const denied = async () =>
    Promise.reject(Object.assign(new Error('permission denied'), { code: 'EACCES' }));
  await expect(collector(denied, { version }).read()).rejects.toThrow('permission denied');
});
