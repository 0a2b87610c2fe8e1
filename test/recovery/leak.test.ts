// Memory that runs out, against the clock: the monitor's samples start recovery, and what is left of swap when it has stopped a container counts.
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
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const SWAP = 1024;
/** As `docker stop` waits for one that does not end by itself. */
const GRACE_MS = 10_000;
/** Until a run that systemd starts has begun. */
const START_MS = 2000;
/** The monitor writes its samples down this often, and before it starts recovery. */
const WRITE_MS = 50_000;

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

/** MB, by the seconds since the beginning. */
type Story = {
  available(seconds: number): number;
  swapLeft(seconds: number): number;
  /** What containers hold. */
  held: Record<string, (seconds: number) => number>;
  /** Memory pressure, with so many MB of swap left. */
  pressure?(swapLeft: number): number;
  swapMb?: number;
  /**
   * A run takes so much itself until it ends, and so long to begin (ms); the timer starts one every so many seconds. While it lasts, all else goes
   * on at `stalls` of its speed.
   */
  run?: { takes: number; startMs: number; every: number; stalls?: number };
  /** For so many seconds; an hour. */
  lasts?: number;
};
type Seen = { calls: string[]; swapLeft: number; said: string[]; deps: TestDeps };

/**
 * A 1 GiB server. Stopping a container whose memory grows ends it, and memory is free then. Returns what was stopped, and how much of swap was left
 * then, or at the end.
 */
async function play(story: Story, settings = {}): Promise<Seen> {
  const {
    held,
    swapMb = SWAP,
    pressure = () => 5,
    run = { takes: 0, startMs: START_MS, every: 300 },
  } = story;
  const engine = fakeDocker();
  for (const name of Object.keys(held)) engine.add(name);
  const deps = testDeps(store, { system: { docker: engine.docker }, settings });
  const { clock } = deps;
  const begin = clock.monotonic();
  const passed = () => (clock.monotonic() - begin) / 1000;
  let [runsFrom, lost] = [Number.NaN, 0];
  const stalled = () => (Number.isNaN(runsFrom) ? 0 : (passed() - runsFrom) * (1 - (run.stalls ?? 1)));
  const seconds = () => passed() - lost - stalled();
  let taken = 0;
  const left = () => Math.max(0, story.swapLeft(seconds()) - taken);
  const available = () => story.available(seconds());
  let end: number | undefined;
  engine.before = () => {
    clock.add(GRACE_MS);
    end ??= left();
  };
  const isRunning = (name: string) =>
    [...engine.containers.values()].some((c) => c.name === name && c.status === 'running');
  const goesOn = () => Object.keys(held).every(isRunning);
  const ring: FlightSample[] = [];
  let written: FlightSample[] = [];
  let writtenAt = 0;
  deps.recent = () => written;
  deps.look = async () => {
    const containers = [...engine.containers.values()].map(({ id, name, status }) => {
      const bytes = held[name]!(seconds()) * MB;
      const state = status === 'running' ? 'running' : 'exited';
      return containerInfo(name, { id, state, memory: { workingSetBytes: bytes, anonBytes: bytes } });
    });
    const score = goesOn() ? pressure(left()) : 0;
    const snapshot = snapshotOf(clock.now(), { swapInKBps: 200, score, containers });
    const { host } = snapshot.readings;
    if (host.state !== 'ok') return snapshot;
    host.value.swap = { totalBytes: swapMb * MB, usedBytes: 100 * MB, zram: false };
    if (goesOn()) {
      host.value.memory = { totalBytes: 972 * MB, availableBytes: available() * MB, usedBytes: 900 * MB };
      host.value.swap = { totalBytes: swapMb * MB, usedBytes: (swapMb - left()) * MB, zram: false };
    }
    return snapshot;
  };
  let due = false;
  const look = createRecoveryStart(
    {
      config: deps.config,
      store,
      system: { clock, log: { info: () => {}, warn: () => {} } },
      state: { snapshot: await deps.look(['host']) },
      recorder: { recent: () => ring.slice(-120), flush: async () => void (written = ring.slice(-120)) },
    } as unknown as Monitor,
    async () => {
      due = true;
      return 'started';
    },
  );
  const record = (): FlightSample => {
    const sample: FlightSample = {
      at: clock.now(),
      availableBytes: available() * MB,
      swapUsedBytes: (swapMb - left()) * MB,
      swapInKBps: 200,
      memorySome: pressure(left()),
      memoryFull: 0,
      containers: Object.entries(held).map(([name, mb]) => ({
        name,
        heldBytes: mb(seconds()) * MB,
        swapBytes: 0,
      })),
    };
    ring.push(sample);
    if (clock.monotonic() - writtenAt >= WRITE_MS)
      [written, writtenAt] = [ring.slice(-120), clock.monotonic()];
    return sample;
  };
  let next = 0;
  while (seconds() < (story.lasts ?? 3600) && engine.calls.length === 0) {
    look(record());
    await new Promise((resolve) => setImmediate(resolve));
    // By its timer as well.
    if (due || seconds() >= next) {
      due = false;
      next = seconds() + run.every;
      const before = written;
      deps.before = () => before;
      taken = run.takes;
      runsFrom = passed();
      for (let waited = 0; waited < run.startMs; waited += 5000) {
        clock.add(Math.min(5000, run.startMs - waited));
        record();
      }
      await runRules(deps, [swapRule], 'run');
      taken = 0;
      lost += stalled();
      runsFrom = Number.NaN;
    } else clock.add(5000);
  }
  return { calls: engine.calls, swapLeft: end ?? left(), said: deps.said.map(({ text }) => text), deps };
}

/** For ten minutes before swap is four fifths full, and on. Available memory goes up and down as the kernel frees in bursts. */
function leak(mbPerSecond: number, available: number, changes: Partial<Story> = {}): Story {
  return {
    available: (s) => available + 14 * Math.sin(s),
    swapLeft: (s) => SWAP * 0.2 + mbPerSecond * (600 - s) - 12 * Math.sin(s),
    held: { leaky: (s) => 300 + mbPerSecond * s, busy: () => 700, small: () => 60 },
    ...changes,
  };
}

describe('U1: a leak, and recovery that the monitor starts', () => {
  it.each([2, 1, 0.3, 0.2, 0.1])(
    'of %s MB/s is stopped before swap is used up: around the low limit of memory',
    async (rate) => {
      const { calls, swapLeft } = await play(leak(rate, 50));
      expect(calls).toEqual(['stop leaky']);
      expect(swapLeft).toBeGreaterThan(10);
    },
  );

  it.each([2, 1, 0.3, 0.2])(
    'of %s MB/s is stopped above that limit, too, before anybody waits: it is seen to run out within minutes',
    async (rate) => {
      const { calls, swapLeft, said } = await play(leak(rate, 70, { pressure: () => 0 }));
      expect(calls).toEqual(['stop leaky']);
      expect(swapLeft).toBeGreaterThan(rate * 60);
      expect(said.at(-1)).toMatch(
        /^Done: stop leaky, the container that has grown most and is not essential/,
      );
    },
  );

  it.each([1, 0.3, 0.2])(
    'of %s MB/s is stopped on a slow machine, of which a run that begins takes what the leak takes in minutes',
    async (rate) => {
      // Without its timer: what such runs take lies in the minutes that the monitor looks back to.
      const run = { takes: 60, startMs: 40_000, every: 3600 };
      const { calls, swapLeft } = await play(leak(rate, 70, { pressure: () => 0, run }));
      expect(calls).toEqual(['stop leaky']);
      expect(swapLeft).toBeGreaterThan(20);
    },
  );

  it('as soon as processes wait', async () => {
    const { calls } = await play(leak(0.3, 105, { pressure: (left) => (left > 90 ? 5 : 25) }));
    expect(calls).toEqual(['stop leaky']);
  });

  it('whoever grows now is stopped, and not what has grown more before or is larger', async () => {
    const story = leak(0.3, 70);
    const { calls } = await play({
      ...story,
      held: { ...story.held, grown: (s) => 100 + Math.min(400, s * 2), starts: (s) => (s < 900 ? 0 : 50) },
    });
    expect(calls).toEqual(['stop leaky']);
  });

  it.each([1, 0.3, 0.15])(
    'one that stalls with the whole server while recovery looks, to %s of its speed, is stopped all the same',
    async (stalls) => {
      const run = { takes: 0, startMs: 90_000, every: 3600, stalls };
      const { calls } = await play(leak(1, 70, { run }));
      expect(calls).toEqual(['stop leaky']);
    },
  );

  it('names what it is, how fast it goes and what is left', async () => {
    const { deps } = await play(leak(1, 70));
    expect(deps.said.at(-1)?.details?.find((line) => line.startsWith('Why'))).toMatch(
      /^Why: \d+ MB of memory and \d+ MB of swap are left, and they shrink by \d+ MB a minute$/,
    );
  });
});

describe('nothing is stopped, and an hour goes by', () => {
  const held = { batch: () => 300, web: () => 200 };
  const full: Story = { available: () => 70, swapLeft: () => 30, held };
  it.each<[string, Story]>([
    ['a swap that is nearly full and stays so', full],
    [
      'the same below the low limit of memory, and nobody waits',
      { ...full, available: () => 45, pressure: () => 0 },
    ],
    [
      'the same with memory that wavers',
      { ...full, available: (s) => 70 + 14 * Math.sin(s) + 5 * Math.sin(s / 40) },
    ],
    ['memory that shrinks by 2 MB a minute', { ...full, swapLeft: (s) => 150 - s / 30 }],
    [
      'no swap, and memory that runs out',
      { ...leak(1, 0), swapMb: 0, available: (s) => Math.max(10, 700 - s) },
    ],
    [
      'a burst of two minutes, for which there is just enough',
      {
        ...full,
        swapLeft: (s) => 150 - Math.min(Math.max(0, s - 1200), 120),
        held: { ...held, batch: (s) => 200 + Math.min(Math.max(0, s - 1200), 120) },
      },
    ],
    [
      'one every ten minutes, and it gives everything back',
      {
        ...full,
        swapLeft: (s) => 160 - (s % 600 < 150 ? s % 600 : 0),
        held: { ...held, batch: (s) => 200 + (s % 600 < 150 ? s % 600 : 0) },
      },
    ],
    [
      'a step',
      {
        ...full,
        swapLeft: (s) => (s < 1200 ? 190 : 20),
        held: { ...held, web: (s) => (s < 1200 ? 30 : 200) },
      },
    ],
    [
      'a restart: what it gave back it takes again within five minutes',
      {
        ...full,
        swapLeft: (s) => (s < 1200 || s > 1500 ? 40 : 40 + (1500 - s)),
        held: { ...held, web: (s) => (s < 1200 || s > 1500 ? 350 : 50 + (s - 1200)) },
      },
    ],
    [
      'a container that grows, with plenty left',
      { available: () => 70, swapLeft: (s) => 900 - 0.18 * s, held: { ...held, web: (s) => 200 + 0.18 * s } },
    ],
    [
      'a container that grows fast, and memory is not low',
      { available: (s) => 900 - 0.2 * s, swapLeft: () => 100, held: { ...held, web: (s) => 100 + 0.2 * s } },
    ],
  ])('%s', async (_, story) => {
    const { calls, said } = await play(story);
    expect(said).toEqual([]);
    expect(calls).toEqual([]);
  });

  it.each([
    [
      'an essential container grows',
      { ESSENTIAL_CONTAINERS: ['leaky'] },
      leak(0.3, 70),
      /leaky has grown more .*, and may not be stopped/,
    ],
    [
      'what grows is in no container',
      {},
      leak(0.3, 70, { held: { leaky: () => 300, busy: () => 700 } }),
      /no container that may be stopped grows/,
    ],
  ])('%s: the others would pay for it in vain, and a person is asked', async (_, settings, story, why) => {
    const { calls, said } = await play({ ...story, lasts: 600 + (SWAP * 0.2 - 40) / 0.3 }, settings);
    expect(calls).toEqual([]);
    expect(said.at(-1)).toMatch(
      /^Memory runs out \(\d+ MB of memory and \d+ MB of swap are left, and they shrink by/,
    );
    expect(said.at(-1)).toMatch(why);
    expect(said.at(-1)).toMatch(/A person is needed$/);
  });
});
