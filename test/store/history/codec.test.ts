import { expect, test } from 'vitest';
import {
  finished,
  putBucket,
  putSnapshot,
  readBucket,
  readRaw,
  writer,
  type RawSnapshot,
} from '../../../src/store/history/codec.ts';

function arrayBuffer(buffer: Buffer): ArrayBuffer {
  return new Uint8Array(buffer).buffer;
}

test('every whole number up to 2^51 survives, positive and negative', () => {
  const numbers = [
    0,
    1,
    -1,
    63,
    64,
    -64,
    -65,
    127,
    128,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 40 + 3,
    2 ** 51,
    -(2 ** 51),
  ];
  const snapshots: RawSnapshot[] = [0, -5, 30_000, 2 ** 33].map((offset) => ({
    at: 1_769_846_400_000 + offset,
    values: numbers.map((steps, i) => ({ id: 3 + i * 1000, steps })),
  }));
  const to = writer();
  for (const snapshot of snapshots) putSnapshot(to, 1_769_846_400_000, snapshot);
  const back: RawSnapshot[] = [];
  readRaw(
    arrayBuffer(finished(to)),
    1_769_846_400_000,
    (at) => back.push({ at, values: [] }),
    (id, steps) => back.at(-1)!.values.push({ id, steps }),
  );
  expect(back).toEqual(snapshots);
});

test('a bucket keeps count, average, minimum and maximum', () => {
  const values = [
    { id: 1, count: 30, avg: 5, min: -3, max: 900_000_000 },
    { id: 70_000, count: 1, avg: -7, min: -7, max: -7 },
  ];
  const to = writer();
  putBucket(to, values);
  const back: typeof values = [];
  readBucket(arrayBuffer(finished(to)), (id, count, avg, min, max) =>
    back.push({ id, count, avg, min, max }),
  );
  expect(back).toEqual(values);
});

test('R9: a damaged row says so: no error that stops a check, no endless loop', () => {
  const to = writer();
  putSnapshot(to, 0, { at: 5, values: [{ id: 1, steps: 1_000_000 }] });
  const nothing = () => undefined;
  expect(readRaw(arrayBuffer(finished(to)), 0, nothing, nothing)).toBe(true);
  for (const bad of [
    arrayBuffer(finished(to).subarray(0, 4)),
    arrayBuffer(Buffer.alloc(500, 0xff)),
    'text',
    null,
  ]) {
    expect(readRaw(bad, 0, nothing, nothing)).toBe(false);
    expect(readBucket(bad, nothing)).toBe(false);
  }
});
