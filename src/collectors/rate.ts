import type { HostValues } from '../model/snapshot.ts';
import { OWN_CGROUP, type Guest } from '../system/guest.ts';
import { pageSize } from '../system/page-size.ts';
import type { Clock, Files } from '../system/types.ts';
import { parseNumbers } from './proc.ts';

/**
 * Turns counters that only grow into amounts a second, on a clock that never jumps. Undefined at the first reading, when
 * no time has passed, and when the counter went back (another machine was restored under the program).
 */
export function createRate(): (value: number | undefined, monotonicMs: number) => number | undefined {
  let last: { value: number; at: number } | undefined;
  return (value, at) => {
    const before = last;
    last = value === undefined ? undefined : { value, at };
    if (value === undefined || !before || at <= before.at || value < before.value) return undefined;
    return ((value - before.value) * 1000) / (at - before.at);
  };
}

/** From the second reading on: KB a second from swap and to it. */
export function createSwapRates(
  files: Files,
  clock: Clock,
  guest: Guest | undefined,
): () => Pick<HostValues, 'swapInKBps' | 'swapOutKBps'> {
  // A guest's own count is in its cgroup from Linux 6.14 on; that of vmstat is the larger machine's.
  const counters = guest ? `${OWN_CGROUP}/memory.stat` : '/proc/vmstat';
  const kbPerPage = pageSize() / 1024;
  const [swapIn, swapOut] = [createRate(), createRate()];
  return () => {
    const pages = parseNumbers(files.textOr(counters) ?? '', ['pswpin', 'pswpout']);
    const now = clock.monotonic();
    const [inPages, outPages] = [swapIn(pages.pswpin, now), swapOut(pages.pswpout, now)];
    return {
      ...(inPages === undefined ? {} : { swapInKBps: inPages * kbPerPage }),
      ...(outPages === undefined ? {} : { swapOutKBps: outPages * kbPerPage }),
    };
  };
}
