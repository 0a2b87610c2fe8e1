import { ageMs, KeptMoment, type Action } from '../model/action.ts';
import { formatDuration } from '../model/text.ts';
import { recall, remember } from '../store/memory.ts';
import type { RecoveryDeps } from './types.ts';

/** A person's undo holds this long: without it the next run, at most five minutes later, would do the same again. */
export const HOLD_MS = 3_600_000;

const keyOf = (rule: Action['rule']) => `recovery-undone:${rule}`;

/** A person has undone what this rule did: it takes nothing away for an hour. */
export function holdAfterUndo(deps: RecoveryDeps, rule: Action['rule']): void {
  const { at, boot, uptimeMs } = deps.moment();
  const since = { startedAt: at, boot, uptimeMs };
  remember(deps.store.db, keyOf(rule), since, at);
}

/** Why this rule may take nothing away now; undefined when it may. */
export function heldByUndo(deps: RecoveryDeps, rule: Action['rule']): string | undefined {
  const since = recall(deps.store.db, keyOf(rule), KeptMoment);
  if (typeof since?.startedAt !== 'number') return undefined;
  const leftMs = HOLD_MS - ageMs(since, deps.moment());
  return leftMs > 0
    ? `a person has undone what this rule did; that holds for another ${formatDuration(leftMs)}`
    : undefined;
}
