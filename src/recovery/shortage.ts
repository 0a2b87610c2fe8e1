import type { Settings } from '../config/schema.ts';
import type { FlightSample } from '../model/recording.ts';
import type { HostValues } from '../model/snapshot.ts';
import { formatBytes, formatCount } from '../model/text.ts';
import { steadyPerMinute } from '../model/trend.ts';

const MB = 1_048_576;
/** Of swap: with less than this left, the server has minutes before it stands still or the kernel kills something. */
const SWAP_LEFT = 0.1;
/** The same where memory is seen to run out. Swap use is critical by then, so a person was told. */
const SWAP_LEFT_SHRINKING = 0.2;
/** Of memory: with less available, what waits for memory waits for this server's, not for more than its own limit allows it. */
const LOW_SHARE = 0.1;
/**
 * Of MEMORY_PRESSURE_WARNING, where swap is nearly full and memory low: when the full level is reached the server stands still already, and an
 * engine that has to stop a container does not answer any more.
 */
const EARLY = 1 / 3;
/** Memory pressure below which nobody waits. */
const NOBODY_WAITS = 1;
/** To start recovery, look twice and stop a container takes half a minute, and minutes on a machine that is short of memory already. */
const USED_UP_WITHIN_MINUTES = 5;
/** What the unit of recovery is granted (MemoryMin), at the cost of all others: a run takes what is left by as much. */
const RUN_BYTES = 64 * MB;
/** Of memory, a minute: what shrinks by less does not run out, it wavers. */
const SHRINKS_SHARE = 0.005;

/** Memory at one moment; what cannot be read is absent. */
export type MemoryNow = {
  totalBytes: number;
  availableBytes: number;
  swapTotalBytes: number;
  swapUsedBytes: number;
  swapInKBps?: number | undefined;
  swapOutKBps?: number | undefined;
  /** Memory pressure, 0-100 (PSI). */
  score?: number | undefined;
  /** Bytes by which available memory and free swap together shrink a minute, steadily; negative where they grow. Absent: not known. */
  shrinksBy?: number | undefined;
};

/**
 * `found`: what is the matter, a few words. `why`: the same as a sentence. `harmless`: why nothing may be stopped for it. `growersOnly`: only
 * what grows may be stopped for it.
 */
export type Shortage = { found: string; why: string; harmless?: string; growersOnly?: boolean };

type Host = Pick<MemoryNow, 'swapInKBps' | 'swapOutKBps'> & {
  memory: Pick<HostValues['memory'], 'totalBytes' | 'availableBytes'>;
  swap: Pick<HostValues['swap'], 'totalBytes' | 'usedBytes'>;
};

/** `shrinksBy` is asked for only where swap is short. */
export function memoryNow(
  { memory, swap, swapInKBps, swapOutKBps }: Host,
  score: number | undefined,
  shrinksBy: () => number | undefined,
): MemoryNow {
  const { availableBytes, totalBytes } = memory;
  const now = { totalBytes, availableBytes, swapTotalBytes: swap.totalBytes, swapUsedBytes: swap.usedBytes };
  const rates = { swapInKBps, swapOutKBps, score };
  const isShort = swap.totalBytes - swap.usedBytes <= swap.totalBytes * SWAP_LEFT_SHRINKING * 2;
  return { ...now, ...rates, ...(isShort ? { shrinksBy: shrinksBy() } : {}) };
}

/** See MemoryNow, at the time of the last of these samples of the flight recorder. */
export function shrinkPerMinute(recent: readonly FlightSample[]): number | undefined {
  const points = recent
    .map(({ at, availableBytes = Number.NaN, swapUsedBytes = Number.NaN }) => ({
      at,
      value: availableBytes - swapUsedBytes,
    }))
    .filter(({ value }) => !Number.isNaN(value));
  const change = steadyPerMinute(points, recent.at(-1)?.at ?? 0);
  return change === undefined ? undefined : -change;
}

/** Bytes a minute by which something has to change to count as running out on a machine with so much memory. */
export function leastPerMinute(totalBytes: number): number {
  return totalBytes * SHRINKS_SHARE;
}

/**
 * Whether memory is so short that a container has to be stopped. What looks like it (a full swap, much that is read back from swap) is no
 * harm by itself: a full swap may hold what nobody needs, and zram gives back 8 MB/s without anybody waiting for it. Harm is that processes
 * wait for memory (PSI); where the kernel does not tell, that pages go to and fro and hardly any memory is available; and that memory and
 * swap shrink so fast that they are used up within minutes, for then Docker does not answer any more. Without swap nothing
 * is ever stopped: the kernel kills what does not fit, and in a guest (LXC) its counters are those of the whole physical host.
 * `again`: it was harm a moment ago. The kernel frees in bursts, so available memory and pressure go up and down around a level; it is over
 * only at the next easier one.
 */
export function shortageOf(now: MemoryNow, settings: Settings, again = false): Shortage | undefined {
  if (now.swapTotalBytes === 0) return undefined;
  const seen = [
    swapUsedUp(now, settings, again),
    runningOut(now, settings, again),
    thrashing(now, settings),
  ].filter((one) => one !== undefined);
  return seen.find(({ harmless }) => harmless === undefined) ?? seen[0];
}

function swapUsedUp(now: MemoryNow, settings: Settings, again: boolean): Shortage | undefined {
  const { availableBytes, score, shrinksBy = 0 } = now;
  if (swapLeft(now) > now.swapTotalBytes * SWAP_LEFT) return undefined;
  const found = leftOf(now);
  const leastMb = again ? settings.MEMORY_WARNING_MB : settings.MEMORY_CRITICAL_MB;
  if (availableBytes < leastMb * MB) {
    const shrinks = shrinksBy >= leastPerMinute(now.totalBytes) / 5;
    const harm = shrinks || score === undefined || score >= NOBODY_WAITS;
    return { found, why: found, ...(harm ? {} : { harmless: pressureIs(score) }) };
  }
  const ease = again ? 0.5 : 1;
  const low = isLow(now, settings);
  const moved = (now.swapInKBps ?? 0) + (now.swapOutKBps ?? 0);
  const [harm, evidence] =
    score === undefined
      ? [
          low && moved > settings.SWAP_IN_WARNING_KBPS * ease,
          `${formatCount(moved)} KB/s go to and from swap`,
        ]
      : [score >= settings.MEMORY_PRESSURE_WARNING * (low ? EARLY : 1) * ease, pressureIs(score)];
  const all = `${found}, and ${evidence}`;
  return harm ? { found: all, why: all } : { found, why: found, harmless: evidence };
}

/**
 * What is left is used up within minutes if it goes on as in each of the last ones; but for what a server stands still without, and what a
 * run of recovery takes itself.
 */
function runningOut(now: MemoryNow, settings: Settings, again: boolean): Shortage | undefined {
  const { availableBytes, swapTotalBytes, shrinksBy = 0 } = now;
  if (shrinksBy < leastPerMinute(now.totalBytes)) return undefined;
  const spare = Math.max(0, availableBytes - settings.MEMORY_CRITICAL_MB * MB);
  const left = swapLeft(now) + spare;
  const minutes = Math.max(0, left - RUN_BYTES) / shrinksBy;
  const ease = again ? 2 : 1;
  const isNear =
    swapLeft(now) <= swapTotalBytes * SWAP_LEFT_SHRINKING * ease && (again || isLow(now, settings));
  const found = leftOf(now);
  const rate = `they shrink by ${formatBytes(shrinksBy)} a minute`;
  if (!isNear || minutes > USED_UP_WITHIN_MINUTES * ease)
    return { found, why: found, harmless: `${rate}, and last for ${formatCount(left / shrinksBy)} minutes` };
  const all = `${found}, and ${rate}`;
  return { found: all, why: all, growersOnly: true };
}

function thrashing(now: MemoryNow, settings: Settings): Shortage | undefined {
  const { availableBytes, score, swapInKBps: rate = 0 } = now;
  const limit = settings.SWAP_IN_CRITICAL_KBPS;
  if (rate <= limit) return undefined;
  const [harm, evidence] =
    score === undefined
      ? [
          availableBytes <= settings.MEMORY_WARNING_MB * MB,
          `${formatBytes(availableBytes)} of memory are available`,
        ]
      : [score >= settings.MEMORY_PRESSURE_WARNING, pressureIs(score)];
  return {
    found: `swap-in ${formatCount(rate)} KB/s, above ${formatCount(limit)}`,
    why: `the server reads ${formatCount(rate)} KB/s back from swap, more than ${formatCount(limit)}`,
    ...(harm ? {} : { harmless: evidence }),
  };
}

const swapLeft = (now: MemoryNow) => now.swapTotalBytes - now.swapUsedBytes;
const isLow = (now: MemoryNow, settings: Settings) =>
  now.availableBytes < Math.max(settings.MEMORY_CLEAR_MB * MB, now.totalBytes * LOW_SHARE);
const leftOf = (now: MemoryNow) =>
  `${formatBytes(now.availableBytes)} of memory and ${formatBytes(swapLeft(now))} of swap are left`;
const pressureIs = (score: number) => `memory pressure is ${Math.round(score)} of 100`;
