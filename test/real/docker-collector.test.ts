import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openCollectors } from '../../src/checks/collect.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { ContainerInfo, DockerValues } from '../../src/model/snapshot.ts';
import { hostFiles } from '../../src/system/files.ts';
import { readContainers } from '../../src/system/docker/containers.ts';
import { openSystem } from '../../src/system/system.ts';
import { until } from '../helpers/daemon.ts';
import { startEngine } from '../helpers/docker-engine.ts';
import type { Engine } from '../helpers/docker-engine.ts';

const MIB = 1_048_576;
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine?.stop();
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function open(dockerHost: string, change: (deps: CollectorDeps) => CollectorDeps = (deps) => deps) {
  const system = openSystem({ dockerHost, hostRoot: '/', logLevel: 'ERROR', secrets: [] });
  const deps = change({
    system,
    config: { settings: { DOCKER_HOST: dockerHost }, extra: { sqlMetrics: [] } },
    discovered: async () => ({ missing: {} }),
    rediscover: () => {},
    containers: (signal: AbortSignal) => readContainers(system.docker, signal),
    recall: () => undefined,
    remember: () => {},
  } as unknown as CollectorDeps);
  const collectors = openCollectors(deps);
  closing.push(async () => {
    await collectors.close();
    system.docker.close();
    system.kernelLog.close();
  });
  return collectors;
}

/** Reads again what a busy machine did not finish in time. */
function readDocker(collectors: ReturnType<typeof open>): Promise<DockerValues> {
  return until(async () => {
    const { docker } = (await collectors.collect({ only: ['docker'] })).readings;
    return docker.state === 'ok' ? docker.value : undefined;
  }, 'a reading of Docker');
}

function named(values: DockerValues, name: string): ContainerInfo {
  const found = values.containers.find((container) => container.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
}

/** Fills a shell variable: anonymous memory that stays, as long as the shell does not make way for its last command. */
const HOLD_20_MB = 'x=$(head -c 20000000 /dev/zero | tr "\\0" a); echo held; sleep 3600; echo';

/** Waits until the container has said so `times` times (once a start). */
async function untilHeld(name: string, times: number): Promise<void> {
  const end = Date.now() + 100_000;
  for (;;) {
    const said = (await engine.docker.logs(name, 5)).filter((line) => line === 'held').length;
    if (said >= times) return;
    if (Date.now() > end) throw new Error(`${name} did not fill its memory`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('numbers of containers', () => {
  beforeAll(async () => {
    await engine.run({ name: 'holds', memory: 128 * MIB, command: ['sh', '-c', HOLD_20_MB] });
    await engine.run({ name: 'burns', command: ['sh', '-c', 'while :; do :; done'] });
    await engine.run({
      name: 'caches',
      command: ['sh', '-c', 'dd if=/dev/zero of=/f bs=1M count=40; cat /f >/dev/null; echo held; sleep 3600'],
    });
    await engine.run({ name: 'ended', command: ['sh', '-c', 'exit 7'] });
    for (const name of ['holds', 'caches']) await untilHeld(name, 1);
    await until(async () => (await engine.docker.inspect('ended')).state.status === 'exited', 'its end');
  });
  afterAll(() => engine.clear());

  test('from cgroup files they are what Docker says itself', async () => {
    const collectors = open(engine.dockerHost);
    await readDocker(collectors);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const values = await readDocker(collectors);

    const holds = named(values, 'holds');
    expect(holds).toMatchObject({ state: 'running', limitBytes: 128 * MIB });
    expect(holds.memory?.anonBytes).toBeGreaterThan(19 * MIB);
    expect(holds.memory?.anonBytes).toBeLessThan(80 * MIB);
    const stats = await engine.docker.stats(holds.id);
    const difference = Math.abs((stats?.workingSetBytes ?? 0) - (holds.memory?.workingSetBytes ?? 0));
    expect(difference).toBeLessThan(2 * MIB);

    // 40 MB of file pages are no memory that anybody needs.
    expect(named(values, 'caches').memory?.workingSetBytes).toBeLessThan(45 * MIB);
    expect(named(values, 'caches').memory?.anonBytes).toBeLessThan(8 * MIB);
    const burns = named(values, 'burns').cpuPercent ?? 0;
    // How much of a processor it gets is up to what else the machine does, and so is when exactly the counter is read.
    expect(burns).toBeGreaterThan(0);
    expect(burns).toBeLessThan(1000);
    expect(named(values, 'ended')).toMatchObject({ state: 'exited', exitCode: 7 });
    expect(named(values, 'ended')).not.toHaveProperty('memory');
  });

  test('where no cgroup files are visible, they come from Docker', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vpsmon-blind-'));
    closing.push(() => rmSync(dir, { recursive: true }));
    const blind = open(engine.dockerHost, (deps) => ({
      ...deps,
      system: { ...deps.system, files: hostFiles(dir) },
    }));
    const seeing = open(engine.dockerHost);
    const [a, b] = [named(await readDocker(blind), 'holds'), named(await readDocker(seeing), 'holds')];
    expect(Math.abs((a.memory?.anonBytes ?? 0) - (b.memory?.anonBytes ?? 1e12))).toBeLessThan(2 * MIB);
  });

  test('a container that is started again is followed into its new group', async () => {
    const collectors = open(engine.dockerHost);
    const first = named(await readDocker(collectors), 'holds');
    await engine.docker.restart(first.id, 0);
    await expect.poll(async () => (await engine.docker.logs('holds', 5)).length).toBe(2);
    const second = named(await readDocker(collectors), 'holds');
    expect(second.pid).not.toBe(first.pid);
    expect(second.memory?.anonBytes).toBeGreaterThan(19 * MIB);
    expect(second.cpuPercent).toBeUndefined();
  });

  test('no process is started to find out', async () => {
    const collectors = open(engine.dockerHost);
    await readDocker(collectors);
    const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
    const before = children();
    await until(async () => {
      const { readings } = await collectors.collect({ only: ['host', 'pressure', 'oom', 'docker'] });
      return readings.host.state === 'ok' && readings.docker.state === 'ok';
    }, 'a reading of all');
    expect(children()).toBe(before);
  });
});

test('an engine that goes away is a failure, and its return is noticed', async () => {
  const collectors = open(engine.dockerHost);
  await readDocker(collectors);
  await engine.halt();
  const { readings } = await collectors.collect({ only: ['docker'] });
  expect(readings.docker).toMatchObject({
    state: 'failed',
    why: expect.stringMatching(/no Docker socket|nothing listens/),
  });
  await engine.start();
  expect((await readDocker(collectors)).version).toMatch(/^\d/);
});

test('an engine that hangs costs its deadline and nothing else', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-hang-'));
  const held: Socket[] = [];
  const server = createServer((socket) => held.push(socket));
  await new Promise<void>((resolve) => server.listen(join(dir, 's.sock'), resolve));
  closing.push(() => {
    for (const socket of held) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true });
  });
  const collectors = open(`unix://${dir}/s.sock`);
  for (let i = 0; i < 2; i += 1) {
    // A busy machine may be too late for one of the others; that an engine hangs makes it so every time.
    await until(async () => {
      const { readings } = await collectors.collect({ deadlineMs: 2_500 });
      expect(readings.docker).toMatchObject({ state: 'failed' });
      return readings.host.state === 'ok' && readings.oom.state === 'ok';
    }, 'a reading of everything else');
  }
});
