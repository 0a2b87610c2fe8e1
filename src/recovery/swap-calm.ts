import { ageMs, KeptMoment } from '../model/action.ts';
import { formatCount, formatDuration } from '../model/text.ts';
import { actionsToUndo } from '../store/actions.ts';
import { forget, recall, remember } from '../store/memory.ts';
import { attempt } from './attempt.ts';
import { startAgainStep } from './containers.ts';
import { FIRST_LOOK_MS, lookAtSwap, type SwapLook } from './swap-look.ts';
import type { Attempt, RecoveryDeps } from './types.ts';

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
      startAgainStep(deps, action, { why, notYet: () => notCalmAnyMore(deps) }),
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
