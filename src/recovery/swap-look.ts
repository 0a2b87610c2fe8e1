import { memoryNow, shortageOf, shrinkPerMinute, type MemoryNow, type Shortage } from './shortage.ts';
import type { RecoveryDeps, Attempt } from './types.ts';
import { ageMs, KeptMoment } from '../model/action.ts';
import { formatCount, formatDuration } from '../model/text.ts';
import { actionsToUndo } from '../store/actions.ts';
import { forget, recall, remember } from '../store/memory.ts';
import { attempt } from './attempt.ts';
import { startAgainStep } from './containers.ts';

/** Between two looks at the swap-in rate: no blip, and short enough for a machine that hardly answers. */
const FIRST_LOOK_MS = 3000;
const FIRST_LOOKS = 3;
/** Before something is stopped: memory that is fetched back for a moment is no thrashing. */
export const SECOND_LOOK_MS = 10_000;
/** After a stop the others fetch back what they had lost: that may take a minute on a slow disk, and is no reason to stop the next one. */
const STEADY_MS = 10_000;
const STEADY_LOOKS = 5;

export type SwapLook = {
  /** The swap-in rate in KB/s. */
  rate: number;
  /** Of the server's memory. */
  totalBytes: number;
  shortage?: Shortage | undefined;
  /** Bytes a minute, see MemoryNow. */
  shrinksBy: number;
  isCalm: boolean;
};

/** Why something has to be stopped, one sentence; undefined where nothing has. */
export function whyStop(look: SwapLook | undefined): string | undefined {
  return look?.shortage && look.shortage.harmless === undefined ? look.shortage.why : undefined;
}

/** Memory and swap over the given time; undefined where that cannot be read. `again`: it was short a moment ago. */
export async function lookAtSwap(
  deps: RecoveryDeps,
  overMs: number,
  again = false,
): Promise<SwapLook | undefined> {
  await deps.look(['host']);
  await deps.system.clock.sleep(overMs);
  const { readings } = await deps.look(['host', 'pressure']);
  const { host, pressure } = readings;
  if (host.state !== 'ok') return undefined;
  const { memory, swap, swapInKBps } = host.value;
  // Without swap nothing is read back from it: in a guest (LXC) the kernel's counters are those of the whole physical host.
  const rate = swap.totalBytes === 0 ? 0 : swapInKBps;
  if (rate === undefined) return undefined;
  const score = pressure.state === 'ok' ? pressure.value.score : undefined;
  // What this run takes itself is in all that is read since it began.
  const now = memoryNow({ ...host.value, swapInKBps: rate }, score, () => shrinkPerMinute(deps.before()));
  return {
    rate,
    totalBytes: memory.totalBytes,
    shrinksBy: now.shrinksBy ?? 0,
    shortage: shortageOf(now, deps.config.settings, again),
    // What cannot be read is not calm.
    isCalm: pressure.state !== 'failed' && isCalm(now, deps),
  };
}

/** Below every clear level: pressure, swap-in rate, available memory. */
function isCalm({ availableBytes, swapInKBps = 0, score = 0 }: MemoryNow, { config }: RecoveryDeps): boolean {
  const { MEMORY_CLEAR_MB, SWAP_IN_CLEAR_KBPS, MEMORY_PRESSURE_CLEAR } = config.settings;
  return (
    swapInKBps < SWAP_IN_CLEAR_KBPS &&
    availableBytes > MEMORY_CLEAR_MB * 1_048_576 &&
    score < MEMORY_PRESSURE_CLEAR
  );
}

/** The first look. With swap nearly full it is looked at up to three times: available memory goes up and down as the kernel frees in bursts. */
export async function lookFirst(deps: RecoveryDeps): Promise<SwapLook | undefined> {
  let seen = await lookAtSwap(deps, FIRST_LOOK_MS);
  for (let look = 1; look < FIRST_LOOKS && seen?.shortage?.harmless !== undefined; look += 1)
    seen = await lookAtSwap(deps, FIRST_LOOK_MS);
  return seen;
}

/** After a stop: waits until memory is not short any more, at most a minute. */
export async function lookWhenSteady(deps: RecoveryDeps): Promise<SwapLook | undefined> {
  await deps.system.clock.sleep(STEADY_MS);
  let seen: SwapLook | undefined;
  for (let look = 0; look < STEADY_LOOKS; look += 1) {
    seen = await lookAtSwap(deps, SECOND_LOOK_MS);
    if (seen && whyStop(seen) === undefined) return seen;
  }
  return seen;
}

const CALM_KEY = 'recovery-calm-since';

export function forgetCalm(deps: RecoveryDeps): void {
  forget(deps.store.db, CALM_KEY);
}

/** Starts what was stopped when memory has been calm at every look for ten minutes; each look is five minutes after the last. */
export async function startWhenCalm(deps: RecoveryDeps, seen: SwapLook): Promise<Attempt[]> {
  const waiting = actionsToUndo(deps.store.db, 'swap');
  if (waiting.length === 0 || !seen.isCalm) {
    if (!deps.dryRun) forgetCalm(deps);
    return [];
  }
  const calmForMs = calmFor(deps);
  if (calmForMs < deps.config.extra.recovery.calmMinutes * 60_000) return [];
  const why = `memory has been calm for ${formatDuration(calmForMs)}`;
  const attempts: Attempt[] = [];
  // The last one stopped was the smallest: it comes back first, and memory is looked at before each.
  for (const action of waiting.toReversed()) {
    const result = await attempt(
      deps,
      await startAgainStep(deps, action, { why, notYet: () => notCalmAnyMore(deps) }),
    );
    attempts.push(result);
    if (result.done === 'budget' && result.inAll) break;
    if (result.done === 'failed' || result.done === 'worked') {
      const after = await lookAtSwap(deps, FIRST_LOOK_MS);
      if (after?.isCalm) continue;
      forgetCalm(deps);
      break;
    }
  }
  return attempts;
}

/** How long memory has been calm, this look included; on a clock that does not jump, and after a reboot from the beginning. */
function calmFor(deps: RecoveryDeps): number {
  const now = deps.moment();
  const since = recall(deps.store.db, CALM_KEY, KeptMoment);
  if (since?.boot === now.boot) return ageMs(since, now);
  const begins = { startedAt: now.at, boot: now.boot, uptimeMs: now.uptimeMs };
  if (!deps.dryRun) remember(deps.store.db, CALM_KEY, begins, now.at);
  return 0;
}

async function notCalmAnyMore(deps: RecoveryDeps): Promise<string | undefined> {
  const now = await lookAtSwap(deps, FIRST_LOOK_MS);
  if (!now) return 'the swap-in rate cannot be read any more';
  return now.isCalm ? undefined : `memory is not calm any more (swap-in ${formatCount(now.rate)} KB/s)`;
}
