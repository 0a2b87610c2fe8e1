import type { Settings } from '../config/schema.ts';
import { formatBytes, formatCount } from '../model/text.ts';

const MB = 1_048_576;
/** Of swap: with less than this left, the server has minutes before it stands still or the kernel kills something. */
const SWAP_LEFT = 0.1;
/** Of memory: with less available, what waits for memory waits for this server's, not for more than its own limit allows it. */
const LOW_SHARE = 0.1;
/**
 * Of MEMORY_PRESSURE_WARNING, where swap is nearly full and memory low: when the full level is reached the server stands still already, and an
 * engine that has to stop a container does not answer any more.
 */
const EARLY = 1 / 3;

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
};

/** `found`: what is the matter, a few words. `why`: the same as a sentence. `harmless`: why nothing may be stopped for it. */
export type Shortage = { found: string; why: string; harmless?: string };

/**
 * Whether memory is so short that a container has to be stopped. What looks like it (a full swap, much that is read back from swap) is no
 * harm by itself: a full swap may hold what nobody needs, and zram gives back 8 MB/s without anybody waiting for it. Harm is that processes
 * wait for memory (PSI); where the kernel does not tell, that pages go to and fro and hardly any memory is available. Without swap nothing
 * is ever stopped: the kernel kills what does not fit, and in a guest (LXC) its counters are those of the whole physical host.
 * `again`: it was harm a moment ago. The kernel frees in bursts, so available memory and pressure go up and down around a level; it is over
 * only at the next easier one.
 */
export function shortageOf(now: MemoryNow, settings: Settings, again = false): Shortage | undefined {
  if (now.swapTotalBytes === 0) return undefined;
  const seen = [swapUsedUp(now, settings, again), thrashing(now, settings)].filter(
    (one) => one !== undefined,
  );
  return seen.find(({ harmless }) => harmless === undefined) ?? seen[0];
}

function swapUsedUp(now: MemoryNow, settings: Settings, again: boolean): Shortage | undefined {
  const { availableBytes, score } = now;
  const left = now.swapTotalBytes - now.swapUsedBytes;
  if (left > now.swapTotalBytes * SWAP_LEFT) return undefined;
  const found = `${formatBytes(availableBytes)} of memory and ${formatBytes(left)} of swap are left`;
  const leastMb = again ? settings.MEMORY_WARNING_MB : settings.MEMORY_CRITICAL_MB;
  if (availableBytes < leastMb * MB) return { found, why: found };
  const isLow = availableBytes < Math.max(settings.MEMORY_CLEAR_MB * MB, now.totalBytes * LOW_SHARE);
  const ease = again ? 0.5 : 1;
  const moved = (now.swapInKBps ?? 0) + (now.swapOutKBps ?? 0);
  const [harm, evidence] =
    score === undefined
      ? [
          isLow && moved > settings.SWAP_IN_WARNING_KBPS * ease,
          `${formatCount(moved)} KB/s go to and from swap`,
        ]
      : [score >= settings.MEMORY_PRESSURE_WARNING * (isLow ? EARLY : 1) * ease, pressureIs(score)];
  const all = `${found}, and ${evidence}`;
  return harm ? { found: all, why: all } : { found, why: found, harmless: evidence };
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

const pressureIs = (score: number) => `memory pressure is ${Math.round(score)} of 100`;
