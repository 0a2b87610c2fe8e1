// Thrashing, hour by hour: scripted swap-in rates, a scripted engine, a clock that only sleeping moves.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { runRules } from '../../src/recovery/index.ts';
import { swapRule } from '../../src/recovery/swap.ts';
import { actionsToUndo, listActions, recordAction } from '../../src/store/actions.ts';
import { createHistory } from '../../src/store/history/history.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { fakeDocker, type FakeDocker } from '../helpers/fake-docker.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const MINUTE = 60_000;
let dir: string;
let store: Store;
let engine: FakeDocker;
/** KB/s at each look; a function sees what runs. */
let rate: number | (() => number);
let score: number;
/** Nobody waits for memory however much is read back: zram. */
let calmPressure: boolean;
let usedBytes: number;
let sizes: Record<string, number>;
let infos: Record<string, Partial<ContainerInfo>>;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-swap-'));
  store = openStore(dir, 0);
  engine = fakeDocker();
  [rate, score, usedBytes, infos] = [0, 0, 600 * MB, {}];
  calmPressure = false;
  sizes = { postgres: 500, batch: 300, web: 200, small: 50 };
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function monitor(options: Parameters<typeof testDeps>[1] = {}): TestDeps {
  for (const name of Object.keys(sizes)) engine.add(name);
  const deps = testDeps(store, { system: { docker: engine.docker }, ...options });
  deps.look = async () => {
    const containers = [...engine.containers.values()].map(({ id, name, status }) =>
      containerInfo(name, {
        id,
        state: status === 'running' ? 'running' : 'exited',
        memory: { workingSetBytes: sizes[name]! * MB, anonBytes: sizes[name]! * MB },
        ...infos[name],
      }),
    );
    const swapInKBps = typeof rate === 'number' ? rate : rate();
    // Who thrashes waits for memory.
    const waits = calmPressure ? 0 : swapInKBps > 5000 ? 90 : score;
    return snapshotOf(deps.clock.now(), { swapInKBps, score: waits, usedBytes, containers });
  };
  return deps;
}
const running = (name: string) =>
  [...engine.containers.values()].some((c) => c.name === name && c.status === 'running');
async function run(deps: TestDeps) {
  const [result] = await runRules(deps, [swapRule], 'run');
  return result!;
}
/** A run every five minutes, as the timer does. */
async function runs(deps: TestDeps, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    const began = deps.clock.monotonic();
    await run(deps);
    deps.clock.add(5 * MINUTE - (deps.clock.monotonic() - began));
  }
}

/** A server whose swap of 1 GB has 34 MB left; once `batch` is stopped, memory is as before. */
function swapFull(deps: TestDeps, availableMb = 105): TestDeps {
  const { look } = deps;
  deps.look = async (...args) => {
    const snapshot = await look(...args);
    const { host, pressure } = snapshot.readings;
    if (host.state === 'ok' && (running('batch') || availableMb > 130)) {
      host.value.memory.availableBytes = availableMb * MB;
      host.value.swap = { totalBytes: 1024 * MB, usedBytes: 990 * MB, zram: false };
    } else if (pressure.state === 'ok') pressure.value.score = 0;
    return snapshot;
  };
  return deps;
}

/** MB that containers held in each of the minutes before now, as the monitor keeps them. */
function remembered(deps: TestDeps, held: Record<string, (minute: number) => number>, minutes = 10): void {
  const history = createHistory(store.db);
  const now = deps.clock.now();
  for (let minute = 0; minute <= minutes; minute += 1) {
    const at = now - (minutes - minute) * MINUTE;
    const containers = Object.entries(held).map(([name, mb]) =>
      containerInfo(name, { memory: { workingSetBytes: mb(minute) * MB, anonBytes: mb(minute) * MB } }),
    );
    history.add(snapshotOf(at, { containers }));
    if (minute % 30 === 0) history.flush(at, true);
  }
  history.flush(now, true);
}

describe('swapping that does no harm', () => {
  it('H4: stops nothing while nobody waits for memory, however much is read back from swap (zram)', async () => {
    [rate, calmPressure] = [8000, true];
    const deps = monitor();
    expect(await run(deps)).toMatchObject({
      found: expect.stringMatching(/no harm done: memory pressure is 0/),
    });
    expect(engine.calls).toEqual([]);
    expect(deps.said).toEqual([]);
  });

  it('H4: where the kernel does not tell who waits, available memory is the evidence', async () => {
    rate = () => (running('batch') ? 8000 : 0);
    const deps = monitor();
    const look = deps.look;
    let available = 1400 * MB;
    deps.look = async (only) => {
      const snapshot = await look(only);
      snapshot.readings.pressure = { state: 'absent', why: 'switched off' };
      const { host } = snapshot.readings;
      if (host.state === 'ok') host.value.memory.availableBytes = available;
      return snapshot;
    };
    await run(deps);
    expect(engine.calls).toEqual([]);
    available = 30 * MB;
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
  });

  it('H2: stops nothing where there is no swap: the counters are those of another machine', async () => {
    rate = 16_000;
    const deps = monitor();
    score = 90;
    const look = deps.look;
    deps.look = async (only) => {
      const snapshot = await look(only);
      const { host } = snapshot.readings;
      if (host.state === 'ok') host.value.swap.totalBytes = 0;
      return snapshot;
    };
    await run(deps);
    expect(engine.calls).toEqual([]);
  });
});

describe('thrashing', () => {
  it('stops the largest container that is not essential, and nothing more when that helps', async () => {
    rate = () => (running('batch') ? 8123 : 40);
    const deps = monitor();
    expect(await run(deps)).toMatchObject({
      found: 'swap-in 8,123 KB/s, above 5,000',
      attempts: [{ done: 'worked' }],
    });
    expect(engine.calls).toEqual(['stop batch']);
    expect(deps.said).toMatchObject([
      {
        severity: 'warning',
        telegram: true,
        text: 'Done: stop batch, the largest container that is not essential (300 MB)',
        details: [
          'Result: batch is stopped, which frees about 300 MB',
          'Why: the server reads 8,123 KB/s back from swap, more than 5,000',
          'Undo: it is started again when memory has been calm for 10 minutes; `vpsmon recover undo` does so now',
        ],
      },
    ]);
  });

  it('says when it is started again also where that is after a minute', async () => {
    rate = () => (running('batch') ? 8123 : 40);
    const deps = monitor();
    deps.config.extra.recovery.calmMinutes = 1;
    await run(deps);
    expect(deps.said[0]?.details?.[2]).toMatch(
      /^Undo: it is started again when memory has been calm for a minute;/,
    );
  });

  it('stops one, looks again, stops the next; essential ones and itself never, then asks for a person', async () => {
    rate = 20_000;
    sizes['me'] = 900;
    sizes['marked'] = 800;
    sizes['n8n-1'] = 700;
    infos = { me: { self: true }, 'n8n-1': { service: 'n8n' } };
    const deps = monitor();
    deps.config.extra.services = [
      { name: 'marked', essential: true },
      { name: 'web', essential: false },
    ];
    await run(deps);
    expect(engine.calls).toEqual(['stop batch', 'stop web', 'stop small']);
    expect(deps.said.at(-1)).toMatchObject({ severity: 'critical', telegram: true });
    expect(deps.said.at(-1)?.text).toMatch(/there is no container left that may be stopped/);
    await run(deps);
    expect(engine.calls).toHaveLength(3);
    expect(deps.said.filter(({ telegram, severity }) => telegram && severity === 'critical')).toHaveLength(1);
  });

  it('stops none that any entry of vpsmon.yaml calls essential, by its name or its service', async () => {
    rate = () => (running('web') ? 9000 : 0);
    const deps = monitor();
    engine.containers.get('batch'.padEnd(64, '0'))!.aliases = ['batch', 'jobs'];
    deps.config.extra.services = [{ name: 'batch' }, { name: 'jobs', essential: true }];
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
  });

  it('H7: a label of the image neither spares a container nor makes another one pay for it', async () => {
    rate = () => (running('batch') ? 9000 : 0);
    infos = { batch: { service: 'postgres' } };
    await run(monitor());
    expect(engine.calls).toEqual(['stop batch']);
  });

  it('A17: databases and applications known by their image are essential, unless vpsmon.yaml says otherwise', async () => {
    rate = 20_000;
    infos = { batch: { image: 'postgres:16' }, web: { image: 'ghcr.io/valkey-io/valkey:8' } };
    const deps = monitor();
    deps.config.extra.services = [{ name: 'web', essential: false }];
    await run(deps);
    expect(engine.calls).toEqual(['stop web', 'stop small']);
  });

  it('stops none that Docker removes when it stops (--rm): that could not be taken back', async () => {
    rate = () => (running('web') ? 9000 : 0);
    const deps = monitor();
    engine.containers.get('batch'.padEnd(64, '0'))!.autoRemove = true;
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
  });

  it('takes its time after a stop: what the others fetch back is no reason for the next one', async () => {
    let stoppedAt = 0;
    const deps = monitor();
    engine.before = () => void (stoppedAt = deps.clock.monotonic());
    // 40 s of fetching back on a slow disk.
    rate = () => (stoppedAt === 0 || deps.clock.monotonic() - stoppedAt < 40_000 ? 15_000 : 0);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
  });

  it('is no thrashing when it is over at the second look', async () => {
    let looks = 0;
    rate = () => (++looks <= 2 ? 9000 : 100);
    const deps = monitor();
    expect((await run(deps)).attempts).toMatchObject([
      { done: 'obsolete', text: 'swap-in is down to 100 KB/s by itself' },
    ]);
    expect(engine.calls).toEqual([]);
  });

  it('at exactly the limit, or unreadable, stops nothing', async () => {
    const deps = monitor();
    rate = 5000;
    expect((await run(deps)).attempts).toEqual([]);
    const look = deps.look;
    deps.look = async (only) => {
      const snapshot = await look(only);
      return {
        ...snapshot,
        readings: { ...snapshot.readings, host: { state: 'failed', why: 'x', tookMs: 1 } },
      };
    };
    expect((await run(deps)).found).toBe('the swap-in rate cannot be read');
    expect(engine.calls).toEqual([]);
  });

  it('U1: acts where memory and swap are used up, although nothing is read back from swap', async () => {
    [rate, score] = [40, 2];
    infos = { web: { memory: { workingSetBytes: 200 * MB, anonBytes: 190 * MB, swapBytes: 468 * MB } } };
    const deps = monitor();
    const look = deps.look;
    deps.look = async (...args) => {
      const snapshot = await look(...args);
      const { host } = snapshot.readings;
      if (host.state === 'ok' && running('web')) {
        host.value.memory.availableBytes = 38 * MB;
        host.value.swap = { totalBytes: 1024 * MB, usedBytes: 990 * MB, zram: false };
      }
      return snapshot;
    };
    const result = await run(deps);
    expect(result).toMatchObject({
      found: '38 MB of memory and 34 MB of swap are left',
      attempts: [{ done: 'worked' }],
    });
    expect(engine.calls).toEqual(['stop web']);
  });

  it('U1: acts where swap is used up and processes wait for memory, although more than the low limit is available', async () => {
    [rate, score] = [428, 72];
    const deps = swapFull(monitor());
    expect(await run(deps)).toMatchObject({
      found: '105 MB of memory and 34 MB of swap are left, and memory pressure is 72 of 100',
      attempts: [{ done: 'worked' }],
    });
    expect(engine.calls).toEqual(['stop batch']);
    expect(deps.said[0]?.details).toContain(
      'Why: 105 MB of memory and 34 MB of swap are left, and memory pressure is 72 of 100',
    );
  });

  it('a full swap that nobody waits for stops nothing, and keeps nothing stopped', async () => {
    rate = () => (running('batch') ? 9000 : 0);
    const deps = swapFull(monitor(), 500);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
    rate = 0;
    await runs(deps, 3);
    expect(engine.calls).toEqual(['stop batch', 'start batch']);
    expect((await run(deps)).found).toBe(
      '500 MB of memory and 34 MB of swap are left, and no harm done: memory pressure is 0 of 100',
    );
    expect(engine.calls).toHaveLength(2);
  });

  it('U3: the leaking container that was swapped out is the largest, not the busy one', async () => {
    infos = { web: { memory: { workingSetBytes: 200 * MB, anonBytes: 190 * MB, swapBytes: 468 * MB } } };
    rate = () => (running('web') ? 6000 : 40);
    await run(monitor());
    expect(running('web')).toBe(false);
    expect(running('batch')).toBe(true);
  });

  it('U1: stops the one that has grown most, although an innocent one is larger', async () => {
    infos = { web: { memory: { workingSetBytes: 200 * MB, anonBytes: 190 * MB, swapBytes: 50 * MB } } };
    const deps = monitor();
    remembered(deps, { batch: () => 300, web: (minute) => 40 + 20 * minute });
    rate = () => (running('web') ? 6000 : 40);
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
    expect(deps.said[0]?.text).toBe(
      'Done: stop web, the container that has grown most and is not essential (250 MB, 200 MB of it since 09:50)',
    );
  });

  it('U1: never an essential one, however fast it grows: it is named; growth that is next to nothing decides nothing', async () => {
    const deps = monitor();
    remembered(deps, { postgres: (minute) => 100 + 40 * minute, web: (minute) => 190 + minute });
    rate = () => (running('batch') ? 6000 : 40);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
    expect(deps.said[0]?.details?.[1]).toMatch(
      /^Why: the server reads .*; postgres has grown more \(400 MB since 09:50\), and may not be stopped$/,
    );
    rate = 6000;
    await run(deps);
    expect(deps.said.at(-1)?.text).toMatch(
      /no container left that may be stopped; postgres has grown more \(.*\), and may not be stopped\. A person is needed$/,
    );
  });

  it('U1: a leak of a day is known as well as one of minutes; a jump is no growth', async () => {
    const deps = monitor();
    remembered(deps, { batch: (minute) => (minute < 9 ? 100 : 300), web: (minute) => minute / 6 }, 20 * 60);
    rate = () => (running('web') ? 6000 : 40);
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
  });

  it('goes on with the next largest where one cannot be stopped, but not for ever', async () => {
    rate = () => (running('web') ? 9000 : 0);
    const deps = monitor();
    engine.containers.get('batch'.padEnd(64, '0'))!.refuses = 'cannot kill container';
    const result = await run(deps);
    expect(result.attempts).toMatchObject([{ done: 'failed' }, { done: 'worked' }]);
    expect(engine.calls).toEqual(['stop batch', 'stop web']);

    for (const container of engine.containers.values()) {
      container.status = 'running';
      container.refuses = 'no answer within 40 s';
    }
    engine.calls.length = 0;
    await run(deps);
    expect(engine.calls).toHaveLength(2);
  });

  it('U1: waits for the end of one whose memory is in swap: Docker gives up sooner, and calls it stopped', async () => {
    rate = () => (running('batch') ? 9000 : 0);
    const deps = monitor();
    const { inspect } = engine.docker;
    let endsAt = Infinity;
    engine.docker.stop = async () => {
      endsAt = deps.clock.monotonic() + 12_000;
      return true;
    };
    engine.docker.inspect = (id) => {
      if (deps.clock.monotonic() >= endsAt) engine.containers.get('batch'.padEnd(64, '0'))!.status = 'exited';
      return inspect(id);
    };
    expect((await run(deps)).attempts.map(({ done }) => done)).toEqual(['worked']);
    // Of one that counts as failed nobody would know that it waits to be started again.
    expect(listActions(store.db, 0)).toMatchObject([{ state: 'worked', undo: { name: 'batch' } }]);
  });

  describe('a stop that Docker does not do', () => {
    const batch = () => engine.containers.get('batch'.padEnd(64, '0'))!;
    /** How long the first stop, with all that belongs to it, takes until the next one. */
    async function tookMs(deps: TestDeps): Promise<number> {
      const at: number[] = [];
      engine.before = () => void at.push(deps.clock.monotonic());
      await run(deps);
      return at[1]! - at[0]!;
    }

    it.each([
      ['forbidden, by a proxy', 403],
      ['no such container', 404],
      ['in conflict', 409],
    ])('and says so (%s) costs no time, and is written down as one that did nothing', async (why, status) => {
      rate = () => (running('web') ? 9000 : 0);
      const deps = monitor();
      Object.assign(batch(), { refuses: `Docker said ${status}: ${why}`, refusesWith: status });
      // Ten seconds are the look before the next stop.
      expect(await tookMs(deps)).toBeLessThan(12_000);
      expect(engine.calls).toEqual(['stop batch', 'stop web']);
      expect(listActions(store.db, 0).map(({ target, state }) => [target, state])).toEqual([
        ['web', 'worked'],
        ['batch', 'failed'],
      ]);
      expect(actionsToUndo(store.db, 'swap').map(({ target }) => target)).toEqual(['web']);
    });

    it.each([
      ['it has tried, and did not see it end', 500],
      ['a proxy has waited in vain', 408],
      ['no answer within 40 s', undefined],
    ])('as far as it says (%s) may take effect yet: that is waited for', async (why, status) => {
      rate = () => (running('web') ? 9000 : 0);
      const deps = monitor();
      Object.assign(batch(), { refuses: why, ...(status === undefined ? {} : { refusesWith: status }) });
      expect(await tookMs(deps)).toBeGreaterThan(30_000);
      expect(listActions(store.db, 0).at(-1)).toMatchObject({ target: 'batch', state: 'unclear' });
    });
  });

  describe('a container that ends in the moment in which it is stopped', () => {
    const batch = () => engine.containers.get('batch'.padEnd(64, '0'))!;

    it('by itself, or killed by the kernel: nobody stopped it, and recovery does not start it', async () => {
      rate = () => (running('batch') ? 9000 : 0);
      const deps = monitor();
      engine.before = () => void Object.assign(batch(), { status: 'exited', exitCode: 137, oomKilled: true });
      expect((await run(deps)).attempts).toMatchObject([{ done: 'worked' }]);
      expect(deps.said).toMatchObject([
        {
          text: expect.stringMatching(/^Not needed any more: stop batch/),
          details: expect.arrayContaining(['Result: batch had ended by itself before']),
          severity: 'info',
          telegram: false,
        },
      ]);
      delete engine.before;
      await runs(deps, 5);
      await runRules(deps, [swapRule], 'undo');
      expect(engine.calls).toEqual(['stop batch']);
    });

    it('and is removed: it is gone, and there is nothing to undo', async () => {
      rate = () => (running('batch') ? 9000 : 0);
      const deps = monitor();
      engine.docker.stop = async (id) => {
        engine.containers.delete(id);
        throw Object.assign(new Error('Docker said 404: No such container'), { status: 404 });
      };
      await run(deps);
      expect(deps.said).toMatchObject([{ text: expect.stringMatching(/^Not needed any more/) }]);
      expect(actionsToUndo(store.db, 'swap')).toEqual([]);
    });

    it('with Docker itself, which is restarted: it is seen when Docker is back, and started once', async () => {
      rate = () => (running('batch') ? 9000 : 0);
      const deps = monitor();
      const { inspect } = engine.docker;
      let backAt = 0;
      engine.docker.stop = async () => {
        backAt = deps.clock.monotonic() + 8000;
        batch().status = 'exited';
        throw new Error('Docker closed the connection');
      };
      engine.docker.inspect = async (id) => {
        if (deps.clock.monotonic() < backAt) throw new Error('connect ECONNREFUSED');
        return inspect(id);
      };
      expect((await run(deps)).attempts).toMatchObject([{ done: 'worked' }]);
      rate = 0;
      await runs(deps, 5);
      expect(engine.calls).toEqual(['start batch']);
      await runRules(deps, [swapRule], 'undo');
      expect(engine.calls).toEqual(['start batch']);
    });
  });

  it('says that Docker cannot be read, and stops nothing', async () => {
    rate = 9000;
    const deps = monitor();
    const look = deps.look;
    deps.look = async (only) => {
      const snapshot = await look(only);
      const docker = { state: 'failed', why: 'Docker hangs', tookMs: 1 } as const;
      return { ...snapshot, readings: { ...snapshot.readings, docker } };
    };
    await run(deps);
    expect(deps.said.at(-1)?.text).toMatch(/the containers cannot be read: Docker hangs/);
  });

  it('says that there is no Docker where there is none', async () => {
    rate = 9000;
    const deps = monitor();
    const { look } = deps;
    deps.look = async (only) => {
      const snapshot = await look(only);
      const docker = { state: 'absent', why: 'no Docker socket' } as const;
      return { ...snapshot, readings: { ...snapshot.readings, docker } };
    };
    expect((await run(deps)).attempts).toMatchObject([{ done: 'person' }]);
    expect(deps.said.at(-1)?.text).toBe(
      'The server thrashes (swap-in 9,000 KB/s, above 5,000), and there is no Docker here (no Docker socket). A person is needed',
    );
  });

  it('says the same where Docker lists its containers and answers nothing more', async () => {
    rate = 9000;
    const deps = monitor();
    engine.docker.inspect = () => Promise.reject(new Error('no answer within 60 s'));
    expect((await run(deps)).attempts).toMatchObject([{ done: 'person' }]);
    expect(engine.calls).toEqual([]);
    expect(deps.said.at(-1)).toMatchObject({ severity: 'critical', telegram: true });
    expect(deps.said.at(-1)?.text).toMatch(/the containers cannot be read: no answer within 60 s/);
  });

  it('U1: goes on asking a Docker that is silent while the machine thrashes, and acts when it answers', async () => {
    rate = () => (running('batch') ? 9000 : 0);
    const deps = monitor();
    let asked = 0;
    const { inspect } = engine.docker;
    engine.docker.inspect = async (id) => {
      deps.clock.add(MINUTE);
      if (++asked <= 2) throw new Error('no answer within 60 s');
      return inspect(id);
    };
    expect((await run(deps)).attempts.map(({ done }) => done)).toEqual(['person', 'worked']);
    expect(engine.calls).toEqual(['stop batch']);
    expect(deps.said.map(({ text }) => text)).toEqual([
      'The server thrashes (swap-in 9,000 KB/s, above 5,000), and the containers cannot be read: no answer within 60 s. A person is needed; recovery goes on trying for some minutes',
      'Done: stop batch, the largest container that is not essential (300 MB)',
    ]);
  });

  it('U1: gives the stop its own minute where Docker does not answer the look before it', async () => {
    rate = () => (running('batch') ? 9000 : 0);
    const deps = monitor();
    const { inspect } = engine.docker;
    let asked = 0;
    engine.docker.inspect = (id) =>
      ++asked === 2 ? Promise.reject(new Error('no answer within 60 s')) : inspect(id);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
  });

  it('does not ask for ever: a run ends within the time that its unit has', async () => {
    rate = 9000;
    const deps = monitor();
    const from = deps.clock.monotonic();
    engine.docker.inspect = () => {
      deps.clock.add(MINUTE);
      return Promise.reject(new Error('no answer within 60 s'));
    };
    await run(deps);
    expect(deps.clock.monotonic() - from).toBeLessThan(10 * MINUTE);
    expect(deps.said.filter(({ telegram }) => telegram)).toHaveLength(1);
  });

  it('ends when enough was done in all: a person is told once, not about each container', async () => {
    rate = 9000;
    const deps = monitor({ yaml: { actionsPerHour: 1 } });
    await run(deps);
    expect(engine.calls).toEqual(['stop batch']);
    expect(deps.said.slice(1).map(({ text }) => text)).toEqual([
      expect.stringMatching(
        /^Would stop web, .*, but 1 action within an hour is enough .* A person is needed$/,
      ),
    ]);
  });

  it('never stops a container more than three times within an hour: then the next largest', async () => {
    rate = () => (running('batch') || running('web') ? 9000 : 0);
    const deps = monitor();
    for (let i = 0; i < 3; i += 1) {
      rate = () => (running('batch') ? 9000 : 0);
      await run(deps);
      engine.containers.get('batch'.padEnd(64, '0'))!.status = 'running';
    }
    rate = () => (running('web') ? 9000 : 0);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch', 'stop batch', 'stop batch', 'stop web']);
  });
});

describe('memory that is calm again', () => {
  async function thrashed(options: Parameters<typeof monitor>[0] = {}): Promise<TestDeps> {
    rate = () => (running('batch') || running('web') ? 9000 : 0);
    const deps = monitor(options);
    await run(deps);
    expect(engine.calls).toEqual(['stop batch', 'stop web']);
    engine.calls.length = 0;
    rate = 0;
    deps.said.length = 0;
    return deps;
  }

  it('for ten minutes: what was stopped is started, the smallest first', async () => {
    const deps = await thrashed();
    await runs(deps, 2);
    expect(engine.calls).toEqual([]);
    await runs(deps, 1);
    expect(engine.calls).toEqual(['start web', 'start batch']);
    expect(deps.said.map(({ text, telegram }) => [text, telegram])).toEqual([
      ['Done: start web again', true],
      ['Done: start batch again', true],
    ]);
    expect(deps.said[0]?.details?.[1]).toBe('Why: memory has been calm for 10 min');
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
    await runs(deps, 5);
    expect(engine.calls).toHaveLength(2);
  });

  it.each([
    ['the swap-in rate', () => (rate = 500)],
    ['pressure', () => (score = 50)],
    ['available memory', () => (usedBytes = 1900 * MB)],
  ])('but for %s is not calm, and the ten minutes begin again', async (_what, disturb) => {
    const deps = await thrashed();
    await runs(deps, 2);
    disturb();
    await runs(deps, 3);
    expect(engine.calls).toEqual([]);
    [rate, score, usedBytes] = [0, 0, 600 * MB];
    await runs(deps, 2);
    expect(engine.calls).toEqual([]);
    await runs(deps, 1);
    expect(engine.calls).toEqual(['start web', 'start batch']);
  });

  it.each([
    ['forward', 3 * 86_400_000],
    ['back', -3 * 86_400_000],
  ])('a clock that is set %s neither shortens nor lengthens the ten minutes', async (_how, jump) => {
    const deps = await thrashed();
    await runs(deps, 1);
    deps.clock.jump(jump);
    await runs(deps, 1);
    expect(engine.calls).toEqual([]);
    await runs(deps, 1);
    expect(engine.calls).toEqual(['start web', 'start batch']);
  });

  it('begins anew after a reboot', async () => {
    const deps = await thrashed();
    await runs(deps, 2);
    const uptime = deps.clock.monotonic();
    deps.moment = () => ({ at: deps.clock.now(), boot: 'other', uptimeMs: deps.clock.monotonic() - uptime });
    await runs(deps, 2);
    expect(engine.calls).toEqual([]);
    await runs(deps, 1);
    expect(engine.calls).toEqual(['start web', 'start batch']);
  });

  it('ends with the first that makes it thrash again: the others stay', async () => {
    const deps = await thrashed();
    rate = () => (running('web') ? 2000 : 0);
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start web']);
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start web']);
  });

  it('does not start what somebody has started or removed meanwhile', async () => {
    const deps = await thrashed();
    await engine.docker.start('web'.padEnd(64, '0'));
    engine.containers.delete('batch'.padEnd(64, '0'));
    engine.calls.length = 0;
    await runs(deps, 3);
    expect(engine.calls).toEqual([]);
    expect(deps.said.map(({ text }) => text)).toEqual([
      'Left alone: web was started by somebody else',
      'Left alone: batch was removed meanwhile',
    ]);
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
  });

  it('does not start what was deployed anew or is being removed meanwhile', async () => {
    const deps = await thrashed();
    const web = engine.containers.get('web'.padEnd(64, '0'))!;
    engine.containers.delete('batch'.padEnd(64, '0'));
    engine.add('batch', { id: 'f'.repeat(64) });
    web.status = 'removing';
    engine.calls.length = 0;
    await runRules(deps, [swapRule], 'undo');
    expect(deps.said.map(({ text }) => text).toSorted()).toEqual([
      'Left alone: batch was removed meanwhile, and another container has its name now',
      'Left alone: web is being removed',
    ]);
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
    expect(engine.calls).toEqual([]);
  });

  it('does not start what somebody has started and paused meanwhile', async () => {
    const deps = await thrashed();
    for (const name of ['web', 'batch'])
      Object.assign(engine.containers.get(name.padEnd(64, '0'))!, { status: 'paused', startedAt: 99 });
    engine.calls.length = 0;
    await runRules(deps, [swapRule], 'undo');
    expect(deps.said.map(({ text }) => text).toSorted()).toEqual([
      'Left alone: batch was started by somebody else',
      'Left alone: web was started by somebody else',
    ]);
    expect(engine.calls).toEqual([]);
  });

  it('does not start what was renamed to make way for another one of its name', async () => {
    const deps = await thrashed();
    engine.containers.get('web'.padEnd(64, '0'))!.name = 'web-old';
    engine.containers.get('batch'.padEnd(64, '0'))!.name = 'nightly';
    engine.add('web', { id: 'f'.repeat(64) });
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start nightly']);
    expect(deps.said[0]?.text).toBe(
      'Left alone: web-old was called web, and another container has that name now',
    );
  });

  it('is reported under the name it has now, by undo, too', async () => {
    const deps = await thrashed();
    engine.containers.get('batch'.padEnd(64, '0'))!.name = 'nightly';
    engine.containers.get('web'.padEnd(64, '0'))!.name = 'shop';
    engine.containers.get('web'.padEnd(64, '0'))!.status = 'running';
    engine.containers.get('web'.padEnd(64, '0'))!.startedAt = 99;
    await runRules(deps, [swapRule], 'undo');
    expect(deps.said.map(({ target, text }) => [target, text])).toEqual([
      ['nightly', 'Done: start nightly (renamed, it was batch) again'],
      ['shop', 'Left alone: shop (renamed, it was web) was started by somebody else'],
    ]);
    expect(deps.said[0]?.details?.[0]).toMatch(/^Result: nightly \(renamed, it was batch\) runs again/);
    expect(listActions(store.db, 0)[0]).toMatchObject({ what: 'start-container', target: 'nightly' });
  });

  it('calls a stop that the engine never did by its name', async () => {
    const deps = await thrashed();
    // Still the run that was to be stopped: recovery died before the engine was asked.
    engine.containers.get('web'.padEnd(64, '0'))!.status = 'running';
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start batch']);
    expect(deps.said.map(({ text }) => text)).toContain('Left alone: web had not been stopped after all');
  });

  it('does not start what somebody has started and stopped again meanwhile', async () => {
    const deps = await thrashed();
    const web = engine.containers.get('web'.padEnd(64, '0'))!;
    await engine.docker.start(web.id);
    await engine.docker.stop(web.id, 0);
    engine.calls.length = 0;
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start batch']);
    expect(deps.said[0]?.text).toBe('Left alone: web was started and stopped again by somebody else');
  });

  it('starts one that fell down again at once another time: that was nobody else', async () => {
    const deps = await thrashed();
    const { start } = engine.docker;
    engine.docker.start = async (id) => {
      await start(id);
      engine.containers.get(id)!.status = 'exited';
    };
    await runs(deps, 4);
    engine.docker.start = start;
    await runs(deps, 20);
    expect(running('web') && running('batch')).toBe(true);
    expect(deps.said.map(({ text }) => text).join()).not.toMatch(/somebody else/);
  });

  it('is its own doing also where Docker starts one without giving an answer in time', async () => {
    const deps = await thrashed();
    const web = engine.containers.get('web'.padEnd(64, '0'))!;
    const { inspect } = engine.docker;
    let asked = Infinity;
    engine.docker.start = async (id) => {
      if (id !== web.id) return void (engine.containers.get(id)!.status = 'running');
      asked = deps.clock.monotonic();
      throw new Error('no answer within 30 s');
    };
    engine.docker.inspect = async (id) => {
      if (deps.clock.monotonic() - asked > 9000) Object.assign(web, { status: 'running', startedAt: 99 });
      return inspect(id);
    };
    await runs(deps, 5);
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
    const texts = deps.said.map(({ text }) => text);
    expect(texts).toContain('Done: start web again');
    expect(texts.join()).not.toMatch(/somebody else/);
  });

  it('was not started where Docker refuses to, and nothing else is said', async () => {
    const deps = await thrashed();
    for (const container of engine.containers.values())
      Object.assign(container, { refuses: 'port is taken', refusesWith: 500 });
    const began = deps.clock.monotonic();
    await runRules(deps, [swapRule], 'undo');
    expect(deps.clock.monotonic() - began).toBeLessThan(30_000);
    expect(deps.said.map(({ details }) => details?.[0])).toEqual([
      'Result: port is taken; batch is exited now',
      'Result: port is taken; web is exited now',
    ]);
  });

  it('is only spoken about where recovery was switched off meanwhile; undo does it all the same', async () => {
    const deps = await thrashed();
    deps.config.settings.ENABLE_AUTO_RECOVERY = false;
    await runs(deps, 4);
    expect(engine.calls).toEqual([]);
    expect(deps.said[0]?.text).toBe('Would start web again, but ENABLE_AUTO_RECOVERY is false');
    const [result] = await runRules(deps, [swapRule], 'undo');
    expect(result?.found).toBe('2 stopped by recovery; recovery does nothing of the kind again for 1 h');
    expect(engine.calls).toEqual(['start batch', 'start web']);
  });

  it('is not held after an undo that was only tried out', async () => {
    const deps = await thrashed();
    deps.dryRun = true;
    const [result] = await runRules(deps, [swapRule], 'undo');
    expect(result).toMatchObject({ found: '2 stopped by recovery', attempts: [{}, {}] });
    expect(engine.calls).toEqual([]);
  });

  it('undoes one step only where it is named, as the button of an incident does', async () => {
    const deps = await thrashed();
    const [newest] = listActions(store.db, 0).filter(({ what }) => what === 'stop-container');
    const [result] = await runRules(deps, [swapRule], 'undo', new Set([newest!.id]));
    expect(result?.attempts).toHaveLength(1);
    expect(engine.calls).toEqual([`start ${newest!.target}`]);
  });

  it('A1: starts what was stopped also where enough was done in all', async () => {
    const deps = await thrashed({ yaml: { actionsPerHour: 2 } });
    await runs(deps, 4);
    expect(engine.calls).toEqual(['start web', 'start batch']);
  });

  it('A4: what a person has started again by undo is not stopped for an hour', async () => {
    const deps = await thrashed();
    await runRules(deps, [swapRule], 'undo');
    engine.calls.length = 0;
    rate = () => (running('batch') ? 9000 : 0);
    await runs(deps, 10);
    expect(engine.calls).toEqual([]);
    await runs(deps, 4);
    expect(engine.calls).toEqual(['stop batch']);
  });

  it('U1: is refused where what it held before is not there, with what helps; recovery goes on guarding then', async () => {
    const deps = await thrashed();
    const { look } = deps;
    deps.look = async (...args) => {
      const snapshot = await look(...args);
      const { host } = snapshot.readings;
      if (host.state === 'ok') {
        host.value.memory.availableBytes = 200 * MB;
        host.value.swap = { totalBytes: 1024 * MB, usedBytes: 1000 * MB, zram: false };
      }
      return snapshot;
    };
    engine.calls.length = 0;
    const [result] = await runRules(deps, [swapRule], 'undo');
    expect(engine.calls).toEqual([]);
    expect(result?.attempts.map(({ text }) => text)).toContain(
      'batch is not started: it held 300 MB before it grew, and only 200 MB of memory and 24 MB of swap are free. Stop something else first; `docker start batch` starts it all the same',
    );
    expect(result?.found).not.toMatch(/does nothing of the kind/);
    deps.look = look;
    await runRules(deps, [swapRule], 'undo');
    expect(engine.calls).toContain('start batch');
  });

  it('A2: a container that does not start is tried at every run, told once an hour, and not forgotten', async () => {
    const deps = await thrashed();
    for (const name of ['web', 'batch'])
      engine.containers.get(name.padEnd(64, '0'))!.refuses = 'port is taken';
    await runs(deps, 14);
    expect(engine.calls.filter((call) => call === 'start web').length).toBeGreaterThan(3);
    expect(
      deps.said.filter(({ telegram, text }) => telegram && text === 'Failed: start web again').length,
    ).toBeLessThanOrEqual(2);
    for (const container of engine.containers.values()) delete container.refuses;
    await runs(deps, 16);
    expect(running('web') && running('batch')).toBe(true);
  });
});

describe('a dry run', () => {
  it('says what would be stopped, or started, and changes nothing, not even what is remembered', async () => {
    rate = 9000;
    const deps = monitor({ dryRun: true });
    await run(deps);
    expect(deps.said.map(({ text }) => text)).toEqual([
      'Would stop batch, the largest container that is not essential (300 MB) (dry run)',
    ]);
    rate = 0;
    recordAction(store.db, {
      rule: 'swap',
      target: 'web',
      what: 'stop-container',
      why: 'x',
      state: 'worked',
      startedAt: deps.clock.now(),
      undo: { containerId: 'web'.padEnd(64, '0'), name: 'web' },
    });
    engine.containers.get('web'.padEnd(64, '0'))!.status = 'exited';
    const before = store.db.prepare('SELECT key, value FROM memory').all();
    await runs(deps, 4);
    expect(store.db.prepare('SELECT key, value FROM memory').all()).toEqual(before);
    await runRules(deps, [swapRule], 'undo');
    expect(deps.said.at(-1)?.text).toBe('Would start web again (dry run)');
    expect(engine.calls).toEqual([]);
    expect(listActions(store.db, 0)).toHaveLength(1);
  });
});

describe('a run that died', () => {
  const begun = (what: string, undo?: Record<string, unknown>, undoes?: number[]) =>
    recordAction(store.db, {
      rule: 'swap',
      target: 'batch',
      what,
      why: 'it thrashed',
      state: 'running',
      startedAt: 0,
      ...(undo ? { undo } : {}),
      ...(undoes ? { undoes } : {}),
    });
  const undo = { containerId: 'batch'.padEnd(64, '0'), name: 'batch' };

  it('after the stop: it counts as stopped, is told, and started again later', async () => {
    const deps = monitor();
    engine.containers.get(undo.containerId)!.status = 'exited';
    begun('stop-container', undo);
    await runs(deps, 1);
    expect(deps.said).toMatchObject([
      {
        telegram: true,
        text: 'An earlier run was interrupted while it was stopping batch',
        details: ['Result: batch is stopped', 'Why: it thrashed'],
      },
    ]);
    await runs(deps, 2);
    expect(engine.calls).toEqual(['start batch']);
  });

  it('while the engine was still stopping it: it is not forgotten either', async () => {
    const deps = monitor();
    begun('stop-container', undo);
    await runs(deps, 1);
    engine.containers.get(undo.containerId)!.status = 'exited';
    await runs(deps, 2);
    expect(engine.calls).toEqual(['start batch']);
  });

  it('after a start: nothing is started twice', async () => {
    const deps = monitor();
    const stop = begun('stop-container', undo);
    store.db.exec("UPDATE actions SET state = 'worked'");
    begun('start-container', undefined, [stop]);
    await runs(deps, 4);
    expect(engine.calls).toEqual([]);
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
  });
});
