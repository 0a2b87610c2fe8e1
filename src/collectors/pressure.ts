// How much work was stalled for want of memory, CPU or disk. A sample of /proc/pressure/memory:
//
//   some avg10=12.50 avg60=3.10 avg300=0.80 total=123456
//   full avg10=4.00 avg60=1.00 avg300=0.20 total=45678
//
// Percent of the last 10, 60 and 300 s; the total in microseconds. `cpu` has no `full` line before kernel 5.13.
import { absent } from '../model/reading.ts';
import type { Absent } from '../model/reading.ts';
import type { PressureLine, PressureOf, PressureValues } from '../model/snapshot.ts';
import { OWN_CGROUP, guestOf } from '../system/guest.ts';
import type { Guest } from '../system/guest.ts';
import type { Files } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';

const DIR = '/proc/pressure';

/** Where the numbers of this machine are: a guest's in its cgroup, for those of /proc are the larger machine's. */
export function pressureFile(kind: string, guest: Guest | undefined): string {
  return guest ? `${OWN_CGROUP}/${kind}.pressure` : `${DIR}/${kind}`;
}

export function createPressure({ system }: CollectorDeps): Collector<'pressure'> {
  return { read: async () => readPressure(system.files) };
}

function readPressure(files: Files): PressureValues | Absent {
  const guest = guestOf(files);
  const file = pressureFile('memory', guest);
  let text: string;
  try {
    text = files.text(file);
  } catch (error) {
    const { code } = error as { code?: string };
    return (guest ? whyAbsentHere(guest, code) : whyAbsent(files, code)) ?? fail(error);
  }
  const memory = parsePressure(text);
  if (!memory) throw new Error(`${file} is not as expected`);
  const cpu = parsePressure(files.textOr(pressureFile('cpu', guest)) ?? '');
  const io = parsePressure(files.textOr(pressureFile('io', guest)) ?? '');
  return { memory, ...(cpu ? { cpu } : {}), ...(io ? { io } : {}), score: scoreOf(memory) };
}

/** 0-100: max(some, min(100, 2 x full)) over ten seconds, or the minute. Everything stalled counts double, for nothing got done at all. */
export function scoreOf<W extends 'avg10' | 'avg60' = 'avg10'>(
  { some, full }: { some: Record<W, number>; full?: Record<W, number> },
  over = 'avg10' as W,
): number {
  return Math.max(some[over], Math.min(100, 2 * (full?.[over] ?? 0)));
}

const SOME = /^some avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)/m;
const FULL = /^full avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)/m;

/** Undefined where there is no `some` line. */
export function parsePressure(text: string): PressureOf | undefined {
  const some = parseLine(text, SOME);
  const full = parseLine(text, FULL);
  return some && (full ? { some, full } : { some });
}

function parseLine(text: string, line: RegExp): PressureLine | undefined {
  const [avg10, avg60, avg300, totalUs] = (line.exec(text) ?? []).slice(1).map(Number);
  if (avg10 === undefined || avg60 === undefined || avg300 === undefined || totalUs === undefined) {
    return undefined;
  }
  return { avg10, avg60, avg300, totalUs };
}

function whyAbsentHere(guest: Guest, code: string | undefined): Absent | undefined {
  if (code !== 'ENOENT' && code !== 'EOPNOTSUPP') return undefined;
  return absent(
    `this is a guest (${guest.kind}): ${DIR} is the physical machine's, and its own ${OWN_CGROUP}/memory.pressure is not here`,
  );
}

/** ENOENT: not built in, switched off (as some kernels are built), or too old. EOPNOTSUPP: built in and switched off. */
function whyAbsent(files: Files, code: string | undefined): Absent | undefined {
  const release = files.textOr('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(release) ?? []).map(Number);
  const off = /\bpsi=(0|off|n|no|false)\b/.test(files.textOr('/proc/cmdline') ?? '');
  if (code === 'EOPNOTSUPP' || (code === 'ENOENT' && off)) {
    return absent('pressure information is switched off: boot with psi=1 on the kernel command line');
  }
  if (code !== 'ENOENT') return undefined;
  if (release !== '' && (major < 4 || (major === 4 && minor < 20))) {
    return absent(`kernel ${release} has no pressure information (PSI), which came with 4.20`);
  }
  return absent(
    'there is no pressure information (PSI): it may be switched off, then psi=1 on the kernel command line switches it on; or this kernel was built without it, or /proc/pressure is not visible',
  );
}

function fail(error: unknown): never {
  throw error;
}
