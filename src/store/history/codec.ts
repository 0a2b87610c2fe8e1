/**
 * The rows of the history as bytes: whole numbers of LEB128 variable length, signed ones zigzagged, series ids ascending
 * and written as the difference to the one before. 50 containers and the host are about 650 bytes a check.
 */

export type RawValue = { id: number; steps: number };
export type RawSnapshot = { at: number; values: RawValue[] };
/** Of one bucket, in steps. `count` checks had a value. */
export type CoarseValue = { id: number; count: number; avg: number; min: number; max: number };

export type Writer = { bytes: Uint8Array; length: number };

export function writer(): Writer {
  return { bytes: new Uint8Array(1024), length: 0 };
}

function putByte(to: Writer, byte: number): void {
  if (to.length === to.bytes.length) {
    const larger = new Uint8Array(to.bytes.length * 2);
    larger.set(to.bytes);
    to.bytes = larger;
  }
  to.bytes[to.length++] = byte;
}

/** A whole number from 0 to 2^53. Arithmetic instead of shifts: shifts end at 32 bits. */
function putUnsigned(to: Writer, value: number): void {
  let rest = value;
  while (rest >= 128) {
    putByte(to, (rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  putByte(to, rest);
}

function putSigned(to: Writer, value: number): void {
  putUnsigned(to, value < 0 ? -value * 2 - 1 : value * 2);
}

/** One snapshot, appended. `rowAt` is the time of the row; values must be sorted by id. */
export function putSnapshot(to: Writer, rowAt: number, snapshot: RawSnapshot): void {
  putSigned(to, snapshot.at - rowAt);
  putUnsigned(to, snapshot.values.length);
  let before = 0;
  for (const { id, steps } of snapshot.values) {
    putUnsigned(to, id - before);
    putSigned(to, steps);
    before = id;
  }
}

/** One bucket; values must be sorted by id. */
export function putBucket(to: Writer, values: readonly CoarseValue[]): void {
  putUnsigned(to, values.length);
  let before = 0;
  for (const value of values) {
    putUnsigned(to, value.id - before);
    putUnsigned(to, value.count);
    putSigned(to, value.avg);
    putUnsigned(to, value.avg - value.min);
    putUnsigned(to, value.max - value.avg);
    before = value.id;
  }
}

export function finished(from: Writer): Buffer {
  return Buffer.from(from.bytes.buffer, 0, from.length);
}

type Reader = { bytes: Uint8Array; position: number };

function unsigned(from: Reader): number {
  let value = 0;
  let factor = 1;
  for (;;) {
    const byte = from.bytes[from.position++];
    if (byte === undefined) throw new RangeError('A history row ends too early');
    value += (byte & 127) * factor;
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('A history row holds an impossible number');
    if (byte < 128) return value;
    factor *= 128;
  }
}

function signed(from: Reader): number {
  const value = unsigned(from);
  return value % 2 ? -(value + 1) / 2 : value / 2;
}

/** False where it ends too early or is none at all: it was damaged, and what came before that was visited. */
function readable(blob: unknown, read: (from: Reader) => void): boolean {
  if (!(blob instanceof ArrayBuffer)) return false;
  try {
    read({ bytes: new Uint8Array(blob), position: 0 });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * Calls `visit` for every value of a raw row, `start` for every snapshot. libsql hands a blob out as an ArrayBuffer.
 * False where the row is damaged.
 */
export function readRaw(
  blob: unknown,
  rowAt: number,
  start: (at: number) => void,
  visit: (id: number, steps: number) => void,
): boolean {
  return readable(blob, (from) => {
    while (from.position < from.bytes.length) {
      start(rowAt + signed(from));
      let id = 0;
      for (let left = unsigned(from); left > 0; left--) {
        id += unsigned(from);
        visit(id, signed(from));
      }
    }
  });
}

/** Calls `visit` for every value of a coarse row. False where it is damaged. */
export function readBucket(
  blob: unknown,
  visit: (id: number, count: number, avg: number, min: number, max: number) => void,
): boolean {
  return readable(blob, (from) => {
    let id = 0;
    for (let left = unsigned(from); left > 0; left--) {
      id += unsigned(from);
      const count = unsigned(from);
      const avg = signed(from);
      const min = avg - unsigned(from);
      visit(id, count, avg, min, avg + unsigned(from));
    }
  });
}
