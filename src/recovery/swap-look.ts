import type { HostValues, Snapshot } from '../model/snapshot.ts';
import { formatBytes } from '../model/text.ts';
import type { RecoveryDeps } from './types.ts';

/** Between two looks at the swap-in rate: no blip, and short enough for a machine that hardly answers. */
export const FIRST_LOOK_MS = 3000;
/** Before something is stopped: memory that is fetched back for a moment is no thrashing. */
export const SECOND_LOOK_MS = 10_000;
/** On a machine that thrashes, an engine may need half a minute for a list that takes it milliseconds otherwise. */
export const DOCKER_WITHIN_MS = 60_000;
/** After a stop the others fetch back what they had lost: that may take a minute on a slow disk, and is no reason to stop the next one. */
const SETTLE_MS = 10_000;
const SETTLE_LOOKS = 5;

export type SwapLook = { rate: number; snapshot: Snapshot };

/** The swap-in rate in KB/s over the given time; undefined where it cannot be read. */
export async function lookAtSwap(deps: RecoveryDeps, overMs: number): Promise<SwapLook | undefined> {
  await deps.look(['host']);
  await deps.system.clock.sleep(overMs);
  const snapshot = await deps.look(['host', 'pressure']);
  const { host } = snapshot.readings;
  if (host.state !== 'ok') return undefined;
  const rate = swapInOf(host.value);
  return rate === undefined ? undefined : { rate, snapshot };
}

/** Without swap nothing is read back from it: in a guest (LXC) the kernel's counters are those of the whole physical host. */
function swapInOf({ swap, swapInKBps }: HostValues): number | undefined {
  return swap.totalBytes === 0 ? 0 : swapInKBps;
}

/**
 * Why nothing may be stopped: the swap-in rate alone is no harm (zram gives back 8 MB/s without anybody waiting for it). Harm is that
 * processes wait for memory (PSI), or, where the kernel does not tell, that hardly any is available. Undefined: memory is short.
 */
export function whyNoHarm(
  deps: RecoveryDeps,
  { readings: { host, pressure } }: Snapshot,
): string | undefined {
  const { MEMORY_PRESSURE_WARNING, MEMORY_WARNING_MB } = deps.config.settings;
  if (host.state !== 'ok') return 'the available memory cannot be read';
  if (host.value.swap.totalBytes === 0) return 'there is no swap here';
  if (pressure.state === 'ok') {
    const { score } = pressure.value;
    return score < MEMORY_PRESSURE_WARNING ? `memory pressure is ${Math.round(score)} of 100` : undefined;
  }
  const { availableBytes } = host.value.memory;
  return availableBytes > MEMORY_WARNING_MB * 1_048_576
    ? `${formatBytes(availableBytes)} of memory are available`
    : undefined;
}

/** Of swap: less than this is left before the kernel has to kill something. */
const SWAP_LEFT = 0.1;

/**
 * Memory and swap are both used up: a leak that nobody reads back makes no swap-in, and then the kernel kills something. Says how
 * much is left; undefined while there is enough.
 */
export function whatIsLeft(deps: RecoveryDeps, { readings: { host } }: Snapshot): string | undefined {
  if (host.state !== 'ok') return undefined;
  const { memory, swap } = host.value;
  const left = swap.totalBytes - swap.usedBytes;
  if (swap.totalBytes === 0 || left > swap.totalBytes * SWAP_LEFT) return undefined;
  if (memory.availableBytes >= deps.config.settings.MEMORY_CRITICAL_MB * 1_048_576) return undefined;
  return `${formatBytes(memory.availableBytes)} of memory and ${formatBytes(left)} of swap are left`;
}

/** After a stop: waits until the rate is down, at most a minute. */
export async function lookWhenSteady(deps: RecoveryDeps): Promise<SwapLook | undefined> {
  await deps.system.clock.sleep(SETTLE_MS);
  let seen: SwapLook | undefined;
  for (let look = 0; look < SETTLE_LOOKS; look += 1) {
    seen = await lookAtSwap(deps, SECOND_LOOK_MS);
    if (seen && seen.rate <= deps.config.settings.SWAP_IN_CRITICAL_KBPS && !whatIsLeft(deps, seen.snapshot))
      return seen;
  }
  return seen;
}

/** Below every clear level: pressure, swap-in rate, available memory. What cannot be read is not calm. */
export function isCalm(deps: RecoveryDeps, { readings: { host, pressure } }: Snapshot): boolean {
  const s = deps.config.settings;
  if (host.state !== 'ok' || pressure.state === 'failed') return false;
  const { memory } = host.value;
  const swapInKBps = swapInOf(host.value);
  if (swapInKBps === undefined || swapInKBps >= s.SWAP_IN_CLEAR_KBPS) return false;
  if (memory.availableBytes <= s.MEMORY_CLEAR_MB * 1_048_576) return false;
  return pressure.state === 'absent' || pressure.value.score < s.MEMORY_PRESSURE_CLEAR;
}
