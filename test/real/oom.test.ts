import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOom } from '../../src/collectors/oom.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { OomKill } from '../../src/model/snapshot.ts';
import { readContainers } from '../../src/system/docker/containers.ts';
import { openSystem } from '../../src/system/system.ts';
import type { DockerEvent, KernelLog } from '../../src/system/types.ts';
import { startEngine } from '../helpers/docker-engine.ts';
import type { Engine } from '../helpers/docker-engine.ts';

const MIB = 1_048_576;
const LIMIT = 16 * MIB;
const signal = new AbortController().signal;
let engine: Engine;
const events: DockerEvent[] = [];
const stop = new AbortController();
beforeAll(async () => {
  engine = await startEngine();
  await new Promise<void>((resolve, reject) => {
    const onEvent = (event: DockerEvent) => void (event.action === 'oom' && events.push(event));
    engine.docker.events({ signal: stop.signal, onOpen: resolve, onEvent }).catch(reject);
  });
});
afterAll(async () => {
  stop.abort();
  await engine?.stop();
});

const DEAF: KernelLog = {
  read() {
    throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
  },
  close() {},
};

/** A collector of its own, as in a process of its own; `memory` is the state folder. */
function open(memory = new Map<string, unknown>(), kernelLog?: KernelLog) {
  const system = openSystem({ dockerHost: engine.dockerHost, hostRoot: '/', logLevel: 'ERROR', secrets: [] });
  const oom = createOom({
    system: { ...system, ...(kernelLog ? { kernelLog } : {}) },
    containers: (within: AbortSignal) => readContainers(system.docker, within),
    recall: (key: string) => structuredClone(memory.get(key)),
    remember: (key: string, value: unknown) => void memory.set(key, structuredClone(value)),
  } as unknown as CollectorDeps);
  return {
    onDockerOom: oom.onDockerOom,
    /** Other containers of this machine may be killed meanwhile: only this one counts. */
    async killsOf(id: string): Promise<OomKill[]> {
      const value = await oom.read(signal);
      if ('absent' in value) throw new Error(value.absent);
      return value.kills.filter(({ containerId }) => containerId === id);
    },
  };
}

/**
 * `tail` keeps the last line, and /dev/zero never ends one. The shell stays: the engine reads the kernel's counter of a group that is gone
 * with its last process only when it is quick.
 */
async function runOutOfMemory(name: string): Promise<string> {
  const id = await engine.run({ name, memory: LIMIT, command: ['sh', '-c', 'tail /dev/zero; sleep 3600'] });
  await expect.poll(() => events.some((event) => event.id === id)).toBe(true);
  return id;
}

test('a container that is killed at its limit: who, where, which limit; once, for every reader', async () => {
  const first = open();
  await first.killsOf('');
  const before = Date.now();
  const id = await runOutOfMemory('eats-memory');
  for (const event of events) first.onDockerOom(event);

  const kills = await first.killsOf(id);
  expect(kills).toHaveLength(1);
  expect(kills[0]).toMatchObject({
    process: 'tail',
    scope: 'container',
    containerName: 'eats-memory',
    limitBytes: LIMIT,
    cgroup: expect.stringContaining(id),
  });
  expect(kills[0]?.pid).toBeGreaterThan(1);
  expect(kills[0]?.rssBytes).toBeGreaterThan(LIMIT / 2);
  expect(kills[0]?.rssBytes).toBeLessThanOrEqual(LIMIT * 1.2);
  expect(kills[0]?.at).toBeGreaterThan(before - 5_000);
  expect(kills[0]?.at).toBeLessThanOrEqual(Date.now() + 1);

  // Again, by another process, and with Docker's word once more.
  const second = open();
  for (const event of events) second.onDockerOom(event);
  expect((await second.killsOf(id)).map((kill) => kill.id)).toEqual([kills[0]?.id]);
  for (const event of events) first.onDockerOom(event);
  expect((await first.killsOf(id)).map((kill) => kill.id)).toEqual([kills[0]?.id]);
});

test('without the kernel log Docker tells of it, and the id stays when the log can be read', async () => {
  const memory = new Map<string, unknown>();
  const deaf = open(memory, DEAF);
  await deaf.killsOf('');
  const id = await runOutOfMemory('eats-unseen');
  for (const event of events) deaf.onDockerOom(event);
  const [kill, ...more] = await deaf.killsOf(id);
  expect(more).toEqual([]);
  expect(kill).toMatchObject({ process: 'unknown', containerName: 'eats-unseen', limitBytes: LIMIT });

  const hearing = open(memory);
  expect(await hearing.killsOf(id)).toMatchObject([{ id: kill?.id, process: 'tail' }]);
});
