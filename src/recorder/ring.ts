// The last ten minutes in a fixed piece of memory: 128 samples of 180 bytes, 23 KB, however many containers there are. A sample:
//
//   0  at (f64)    8  available, 12 swap used (KiB, u32)    16  swap in, 20 swap out (KB/s, u32)    24  load x 100 (u32)
//   28 memory some, 30 memory full, 32 cpu some, 34 io some (percent x 100, u16)
//   36 twelve containers: name (u16, 1 is the first of the table, 0 none), CPU (percent x 10, u16), held, swap (KiB, u32)
//
// The largest number of a field means that the value is not known.
import type { FlightContainer, FlightSample, Recording } from '../model/recording.ts';
import { plain } from '../model/text.ts';

/** At one sample in five seconds these are a little more than ten minutes. */
export const RING_SAMPLES = 128;
/** Containers in each sample. */
export const RING_CONTAINERS = 12;
const NAME_LENGTH = 80;
const MOST_NAMES = 256;

const HOST_BYTES = 36;
const CONTAINER_BYTES = 12;
const STRIDE = HOST_BYTES + RING_CONTAINERS * CONTAINER_BYTES;
const U16 = 0xffff;
const U32 = 0xffffffff;
const KIB = 1024;

export type About = Omit<Recording, 'samples'>;
export type Ring = {
  add(sample: FlightSample): void;
  /** Samples from `since` to `until` (epoch ms), oldest first. Those of a clock that was ahead are in neither. */
  samples(since: number, until: number): FlightSample[];
  /** Everything, as `decodeRecording` reads it. */
  encode(about: About): Buffer;
};

export function createRing(): Ring {
  const view = new DataView(new ArrayBuffer(STRIDE * RING_SAMPLES));
  const names: (string | undefined)[] = [];
  let next = 0;
  let count = 0;

  /** The offset of the sample that is the `i`th oldest. */
  const offsetOf = (i: number): number => ((next - count + i + RING_SAMPLES) % RING_SAMPLES) * STRIDE;

  function numberOf(name: string): number {
    const known = names.indexOf(name);
    if (known >= 0) return known + 1;
    if (names.length < MOST_NAMES) return names.push(name);
    const free = names.indexOf(undefined);
    let at = free >= 0 ? free : forgetUnused();
    // The newest sample counts most: the oldest ones keep what they have of the host.
    for (let i = 0; at < 0; i += 1) {
      for (let c = 0; c < RING_CONTAINERS; c += 1)
        view.setUint16(offsetOf(i) + HOST_BYTES + c * CONTAINER_BYTES, 0);
      at = forgetUnused();
    }
    names[at] = name;
    return at + 1;
  }

  /** Containers with a new name for each run fill the table: names that no sample has any more are replaced. */
  function forgetUnused(): number {
    const used = new Set<number>();
    for (let i = 0; i < count; i += 1) {
      for (let c = 0; c < RING_CONTAINERS; c += 1)
        used.add(view.getUint16(offsetOf(i) + HOST_BYTES + c * CONTAINER_BYTES));
    }
    for (let i = 0; i < names.length; i += 1) if (!used.has(i + 1)) names[i] = undefined;
    return names.indexOf(undefined);
  }

  return {
    add(sample) {
      const at = next * STRIDE;
      next = (next + 1) % RING_SAMPLES;
      if (count === RING_SAMPLES) view.setUint16(at + HOST_BYTES, 0);
      else count += 1;
      writeSample(view, at, sample, numberOf);
    },
    samples(since, until) {
      const found: FlightSample[] = [];
      for (let i = 0; i < count; i += 1) {
        const at = view.getFloat64(offsetOf(i));
        if (at >= since && at <= until) found.push(readSample(view, offsetOf(i), names));
      }
      return found.toSorted((a, b) => a.at - b.at);
    },
    encode(about) {
      const offsets = Array.from({ length: count }, (_, i) => offsetOf(i));
      const samples = offsets.map((from) => new Uint8Array(view.buffer, from, STRIDE));
      return encode({ ...about, names: names.map((name) => name ?? '') }, samples);
    },
  };
}

function writeSample(
  view: DataView,
  at: number,
  sample: FlightSample,
  numberOf: (name: string) => number,
): void {
  const kib = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / KIB);
  const hundredths = (value: number | undefined) => (value === undefined ? undefined : value * 100);
  const put16 = (offset: number, value: number | undefined) => view.setUint16(at + offset, clamp(value, U16));
  const put32 = (offset: number, value: number | undefined) => view.setUint32(at + offset, clamp(value, U32));
  view.setFloat64(at, sample.at);
  put32(8, kib(sample.availableBytes));
  put32(12, kib(sample.swapUsedBytes));
  put32(16, sample.swapInKBps);
  put32(20, sample.swapOutKBps);
  put32(24, hundredths(sample.load));
  put16(28, hundredths(sample.memorySome));
  put16(30, hundredths(sample.memoryFull));
  put16(32, hundredths(sample.cpuSome));
  put16(34, hundredths(sample.ioSome));
  for (let i = 0; i < RING_CONTAINERS; i += 1) {
    const offset = HOST_BYTES + i * CONTAINER_BYTES;
    const container = sample.containers[i];
    put16(offset, container ? numberOf(plain(container.name, NAME_LENGTH)) : 0);
    put16(offset + 2, container?.cpuPercent === undefined ? undefined : container.cpuPercent * 10);
    put32(offset + 4, kib(container?.heldBytes));
    put32(offset + 8, kib(container?.swapBytes));
  }
}

/** A whole number below `unknown`, which stands for a value that is not known. */
function clamp(value: number | undefined, unknown: number): number {
  if (value === undefined || Number.isNaN(value)) return unknown;
  return Math.min(Math.max(0, Math.round(value)), unknown - 1);
}

function readSample(view: DataView, at: number, names: readonly (string | undefined)[]): FlightSample {
  const sample: FlightSample = { at: view.getFloat64(at), containers: [] };
  const take = (key: Exclude<keyof FlightSample, 'at' | 'containers'>, offset: number, factor: number) => {
    const small = offset >= 28;
    const value = small ? view.getUint16(at + offset) : view.getUint32(at + offset);
    if (value !== (small ? U16 : U32)) sample[key] = value * factor;
  };
  take('availableBytes', 8, KIB);
  take('swapUsedBytes', 12, KIB);
  take('swapInKBps', 16, 1);
  take('swapOutKBps', 20, 1);
  take('load', 24, 0.01);
  take('memorySome', 28, 0.01);
  take('memoryFull', 30, 0.01);
  take('cpuSome', 32, 0.01);
  take('ioSome', 34, 0.01);
  for (let i = 0; i < RING_CONTAINERS; i += 1) {
    const container = readContainer(view, at + HOST_BYTES + i * CONTAINER_BYTES, names);
    if (container) sample.containers.push(container);
  }
  return sample;
}

function readContainer(
  view: DataView,
  at: number,
  names: readonly (string | undefined)[],
): FlightContainer | undefined {
  const name = names[view.getUint16(at) - 1];
  const held = view.getUint32(at + 4);
  if (!name || held === U32) return undefined;
  const [cpu, swap] = [view.getUint16(at + 2), view.getUint32(at + 8)];
  return {
    name,
    heldBytes: held * KIB,
    swapBytes: swap === U32 ? 0 : swap * KIB,
    ...(cpu === U16 ? {} : { cpuPercent: cpu / 10 }),
  };
}

const MAGIC = 'vpsmREC1';
/** Magic, checksum, length of the JSON that follows. */
const HEADER_BYTES = 16;
export const MAX_ENCODED_BYTES = HEADER_BYTES + 2 * MOST_NAMES * 6 * NAME_LENGTH + RING_SAMPLES * STRIDE;

function encode(header: object, samples: readonly Uint8Array[]): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.concat([Buffer.alloc(HEADER_BYTES), json, ...samples]);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32BE(json.length, 12);
  bytes.writeUInt32BE(checksum(bytes.subarray(12)), 8);
  return bytes;
}

/** The inverse of `encode`; undefined for anything else, a file that was cut short or changed included. */
export function decodeRecording(bytes: Uint8Array): Recording | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < HEADER_BYTES || buffer.length > MAX_ENCODED_BYTES) return undefined;
  if (buffer.toString('latin1', 0, 8) !== MAGIC) return undefined;
  if (buffer.readUInt32BE(8) !== checksum(buffer.subarray(12))) return undefined;
  const body = HEADER_BYTES + buffer.readUInt32BE(12);
  const count = (buffer.length - body) / STRIDE;
  if (!Number.isInteger(count) || count < 0 || count > RING_SAMPLES) return undefined;
  const header = headerOf(buffer.toString('utf8', HEADER_BYTES, body));
  if (!header) return undefined;
  const { names, ...about } = header;
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const samples = Array.from({ length: count }, (_, i) => readSample(view, body + i * STRIDE, names));
  return { ...about, samples: samples.filter(({ at }) => Number.isFinite(at)) };
}

function headerOf(text: string): (About & { names: string[] }) | undefined {
  try {
    const { bootId, memoryTotalBytes, swapTotalBytes, names } = JSON.parse(text) as Record<string, unknown>;
    if (typeof memoryTotalBytes !== 'number' || typeof swapTotalBytes !== 'number') return undefined;
    if (typeof bootId !== 'string' || !Array.isArray(names)) return undefined;
    return {
      bootId,
      memoryTotalBytes,
      swapTotalBytes,
      names: names.map((name) => plain(String(name), NAME_LENGTH)),
    };
  } catch {
    return undefined;
  }
}

/** FNV-1a, 32 bits: shows a damaged file, not a forged one. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
