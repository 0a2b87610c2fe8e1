import { expect, it, test } from 'vitest';
import type { FlightSample } from '../../src/model/recording.ts';
import {
  createRing,
  decodeRecording,
  MAX_ENCODED_BYTES,
  RING_CONTAINERS,
  RING_SAMPLES,
  type Ring,
} from '../../src/recorder/ring.ts';
import { END, leakingSamples, MB } from './flights.ts';

const ABOUT = { bootId: 'b00t', memoryTotalBytes: 1000 * MB, swapTotalBytes: 1024 * MB };

function filled(samples: readonly FlightSample[]): Ring {
  const ring = createRing();
  for (const sample of samples) ring.add(sample);
  return ring;
}
const all = (ring: Ring) => ring.samples(-Infinity, Infinity);

test('what was put in comes out, to the kilobyte and the tenth of a percent; unknown stays unknown', () => {
  const [sample] = leakingSamples(END, 2);
  const ring = filled([sample!, { at: END, containers: [] }]);
  const [first, second] = all(ring);
  expect(first!.availableBytes).toBe(640 * MB);
  expect(first!.swapInKBps).toBeUndefined();
  expect(first!.load).toBeCloseTo(0.5);
  expect(first!.containers[0]).toEqual({ name: 'scraper', heldBytes: 210 * MB, swapBytes: 0, cpuPercent: 3 });
  expect(first!.containers[1]!.cpuPercent).toBeCloseTo(88.4);
  expect(second).toEqual({ at: END, containers: [] });
});

test('only the newest are kept, and only those of the time asked for', () => {
  const ring = filled(leakingSamples(END, 500));
  expect(all(ring)).toHaveLength(RING_SAMPLES);
  expect(all(ring).at(-1)!.at).toBe(END);
  expect(ring.samples(END - 60_000, END).map(({ at }) => at)[0]).toBe(END - 60_000);
  // A clock that was ahead for a while.
  ring.add({ at: END + 3_600_000, containers: [] });
  expect(ring.samples(END - 60_000, END)).toHaveLength(13);
});

test('where all containers have a new name each time, the newest samples keep theirs', () => {
  const ring = createRing();
  for (let i = 0; i < RING_SAMPLES; i += 1) {
    const named = (n: number) => ({ name: `job-${i}-${n}`, heldBytes: 1024 * (n + 1), swapBytes: 0 });
    ring.add({ at: i, containers: Array.from({ length: RING_CONTAINERS }, (_, n) => named(n)) });
  }
  const samples = ring.samples(0, RING_SAMPLES);
  expect(samples).toHaveLength(RING_SAMPLES);
  for (const { at, containers } of samples.slice(-20))
    expect(containers.map(({ name }) => name)).toEqual(
      Array.from({ length: RING_CONTAINERS }, (_, n) => `job-${at}-${n}`),
    );
});

test('a recording has the same size with 500 containers, and with a new name in every sample', () => {
  const many = (i: number, names: (c: number) => string): FlightSample => ({
    at: END + i * 5000,
    containers: Array.from({ length: 500 }, (_, c) => ({ name: names(c), heldBytes: MB, swapBytes: 0 })),
  });
  const same = filled(Array.from({ length: 300 }, (_, i) => many(i, (c) => `c${c}`)));
  expect(all(same).every(({ containers }) => containers.length === RING_CONTAINERS)).toBe(true);
  const churn = filled(
    Array.from({ length: 300 }, (_, i) => many(i, (c) => `job-${i}-${c}`.padEnd(90, 'x'))),
  );
  const named = all(churn).flatMap(({ containers }) => containers);
  // Where the names do not fit, nothing is told under a wrong one.
  for (const { at, containers } of all(churn)) {
    const run = (at - END) / 5000;
    for (const { name } of containers) expect(name.startsWith(`job-${run}-`)).toBe(true);
  }
  expect(named.length).toBeGreaterThan(100);
  for (const ring of [same, churn]) {
    const bytes = ring.encode(ABOUT);
    expect(bytes.length).toBeLessThan(MAX_ENCODED_BYTES);
    expect(decodeRecording(bytes)?.samples).toEqual(all(ring));
  }
});

test('is written and read again', () => {
  const ring = filled(leakingSamples());
  expect(decodeRecording(ring.encode(ABOUT))).toEqual({ ...ABOUT, samples: all(ring) });
  expect(decodeRecording(createRing().encode(ABOUT))).toEqual({ ...ABOUT, samples: [] });
});

it('is read back only when it is whole: cut short, any byte changed, or something else is nothing', () => {
  const bytes = filled(leakingSamples(END, 10)).encode(ABOUT);
  for (const length of [0, 7, 15, 16, 100, bytes.length - 1]) {
    expect(decodeRecording(bytes.subarray(0, length))).toBeUndefined();
  }
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x40;
    expect(decodeRecording(damaged)).toBeUndefined();
  }
  expect(decodeRecording(Buffer.alloc(MAX_ENCODED_BYTES + 1, bytes))).toBeUndefined();
  expect(decodeRecording(Buffer.from('SQLite format 3\0'.padEnd(4096, 'x')))).toBeUndefined();
});
