// A leak against the clock: how much of swap is left when recovery, started by the monitor's samples, has stopped it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecoveryStart } from '../../src/daemon/start-recovery.ts';
import type { Monitor } from '../../src/daemon/types.ts';
import type { FlightSample } from '../../src/model/recording.ts';
import { runRules } from '../../src/recovery/index.ts';
import { swapRule } from '../../src/recovery/swap.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { fakeDocker } from '../helpers/fake-docker.ts';
import { testDeps } from '../helpers/recovery-deps.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const SWAP = 1024;
/** As `docker stop` waits for one that does not end by itself. */
const GRACE_MS = 10_000;
/** Until a run that systemd starts has begun. */
const START_MS = 2000;

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-leak-race-'));
  store = openStore(dir, 0);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

type Seen = { stopped: string[]; swapLeftMb: number };

/**
 * A 1 GiB server at 80 % of its swap. Available memory goes up and down as the kernel frees in bursts, as it was seen on a real one; `wait` is
 * the memory pressure with so many MB of swap left. Returns how it was when the container was stopped, or after an hour.
 */
async function leak(
  mbPerSecond: number,
  availableMb: number,
  wait: (swapLeftMb: number) => number,
): Promise<Seen> {
  const engine = fakeDocker();
  for (const name of ['leaky', 'busy']) engine.add(name);
  const deps = testDeps(store, { system: { docker: engine.docker } });
  const { clock } = deps;
  const begin = clock.monotonic();
  const seconds = () => (clock.monotonic() - begin) / 1000;
  const left = () => Math.max(0, SWAP * 0.2 - mbPerSecond * seconds());
  const available = () => availableMb + 14 * Math.sin(seconds());
  let end: number | undefined;
  engine.before = () => {
    clock.add(GRACE_MS);
    end ??= left();
  };
  deps.look = async () => {
    const leaking = [...engine.containers.values()].some((c) => c.name === 'leaky' && c.status === 'running');
    const containers = [...engine.containers.values()].map(({ id, name, status }) =>
      containerInfo(name, {
        id,
        state: status === 'running' ? 'running' : 'exited',
        memory: {
          workingSetBytes: (name === 'leaky' ? 650 : 60) * MB,
          anonBytes: (name === 'leaky' ? 650 : 60) * MB,
        },
      }),
    );
    const snapshot = snapshotOf(clock.now(), {
      swapInKBps: 200,
      score: leaking ? wait(left()) : 0,
      containers,
    });
    const { host } = snapshot.readings;
    if (host.state === 'ok' && leaking) {
      host.value.memory = { totalBytes: 972 * MB, availableBytes: available() * MB, usedBytes: 900 * MB };
      host.value.swap = { totalBytes: SWAP * MB, usedBytes: (SWAP - left()) * MB, zram: false };
    }
    return snapshot;
  };
  let due = false;
  const look = createRecoveryStart(
    {
      config: deps.config,
      system: { clock, log: { info: () => {}, warn: () => {} } },
      state: { snapshot: await deps.look(['host']) },
    } as unknown as Monitor,
    async () => (due = true),
  );
  while (seconds() < 3600 && engine.calls.length === 0) {
    const sample: FlightSample = {
      at: clock.now(),
      availableBytes: available() * MB,
      swapUsedBytes: (SWAP - left()) * MB,
      swapInKBps: 200,
      memorySome: wait(left()),
      memoryFull: 0,
      containers: [],
    };
    look(sample);
    if (due) {
      due = false;
      clock.add(START_MS);
      await runRules(deps, [swapRule], 'run');
    } else clock.add(5000);
  }
  return { stopped: engine.calls, swapLeftMb: end ?? left() };
}

describe('U1: a leak, and recovery that the monitor starts', () => {
  it.each([2, 1, 0.3])(
    'of %s MB/s is stopped before swap is used up: around the low limit of memory',
    async (rate) => {
      const { stopped, swapLeftMb } = await leak(rate, 50, () => 5);
      expect(stopped).toEqual(['stop leaky']);
      expect(swapLeftMb).toBeGreaterThan(10);
    },
  );

  it.each([2, 1, 0.3])('of %s MB/s, above that limit, as soon as processes wait', async (rate) => {
    const { stopped, swapLeftMb } = await leak(rate, 105, (left) => (left > 90 ? 5 : 25));
    expect(stopped).toEqual(['stop leaky']);
    expect(swapLeftMb).toBeGreaterThan(10);
  });

  it('nothing is stopped within an hour where nobody waits', async () => {
    expect((await leak(2, 105, () => 5)).stopped).toEqual([]);
  });
});
