import { ageMs, type Action, KeptMoment, type Moment, type ReportedLine } from '../model/action.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import {
  finishAction,
  keepUndo,
  listActions,
  markUndone,
  recentActions,
  recordAction,
} from '../store/actions.ts';
import { immediately, type Db } from '../store/db.ts';
import type { Attempt, Obsolete, Outcome, RecoveryDeps, Step } from './types.ts';
import { recall, remember } from '../store/memory.ts';

const HOUR_MS = 3_600_000;
/** What would have been done is sent again after this long, not every five minutes. */
const SHADOW_REPEAT_MS = 6 * HOUR_MS;

/**
 * Does one step, the same way for every rule: look again, budget, record, act, verify, report. Without ENABLE_AUTO_RECOVERY, or with
 * --dry-run, everything but the action. Throws only where it cannot be recorded: before the action, and nothing was done; or after it,
 * and the next run finds it as begun.
 */
export async function attempt(deps: RecoveryDeps, step: Step): Promise<Attempt> {
  let stale: Obsolete;
  try {
    stale = await step.obsolete();
  } catch (error) {
    return cannotLook(deps, step, errorText(error));
  }
  if (stale !== undefined) return leaveAlone(deps, step, stale);
  // Giving back is never limited: what was taken away must not stay away because it was taken away often.
  const takesAway = (!step.byHand || step.limited === true) && step.undoes === undefined;
  const held = takesAway && !step.byHand ? heldByUndo(deps, step.rule) : undefined;
  if (held !== undefined) return leaveAlone(deps, step, held);
  const spent = takesAway ? budgetSpent(deps, step.target) : undefined;
  if (spent !== undefined) return outOfBudget(deps, step, spent);
  if (deps.dryRun || (!deps.config.settings.ENABLE_AUTO_RECOVERY && !step.byHand)) return shadow(deps, step);
  return act(deps, step);
}

/** What cannot be looked at is not touched. The next run tries again; a person has to. */
function cannotLook(deps: RecoveryDeps, step: Step, why: string): Attempt {
  const then = step.byHand ? '. Try again when that is mended' : '';
  const text = `${plain(step.target, 60)} could not be looked at: ${why}${then}`;
  const severity = step.byHand ? 'warning' : 'info';
  reportStep(deps, step, { severity, text: `Did not ${step.words}: ${text}`, telegram: false });
  return { done: step.byHand ? 'failed' : 'obsolete', text };
}

function leaveAlone(deps: RecoveryDeps, step: Step, stale: string | { over: string }): Attempt {
  const text = typeof stale === 'string' ? stale : stale.over;
  if (typeof stale !== 'string' && !deps.dryRun) close(deps, step, text);
  // Who asked for it by hand has to know that it is still to be done.
  const open = step.byHand && typeof stale === 'string';
  reportStep(deps, step, {
    severity: open ? 'warning' : 'info',
    text: `Left alone: ${text}`,
    telegram: false,
  });
  return { done: 'obsolete', text };
}

/** A sentence when the budget is spent, and whether that of all targets is. A clock that was set in between does not matter, nor does a run that was killed. */
function budgetSpent(deps: RecoveryDeps, target: string): { text: string; inAll: boolean } | undefined {
  const { actionsPerHour, actionsPerTargetPerHour } = deps.config.extra.recovery;
  const now = deps.moment();
  const recent = recentActions(deps.store.db, HOUR_MS, now).filter(isTakingAway);
  const own = recent.filter((action) => action.target === target);
  const [used, most, on] =
    own.length >= actionsPerTargetPerHour
      ? [own, actionsPerTargetPerHour, ` on ${target}`]
      : [recent, actionsPerHour, ''];
  // A budget of 0 allows nothing, ever.
  if (used.length < most) return undefined;
  const oldest = used[most - 1];
  const next = oldest ? ` (the next one is possible in ${formatDuration(HOUR_MS - ageMs(oldest, now))})` : '';
  const [actions, are] = used.length === 1 ? ['action', 'is'] : ['actions', 'are'];
  const text = `${used.length} ${actions}${on} within an hour ${are} enough${next}`;
  return { text, inAll: used === recent };
}

/**
 * What the budget counts. A try that changed nothing is no action; a restart that did not help is one, for it happened. (What fails
 * although it may have been done is `unclear`, and counts.)
 */
function isTakingAway({ rule, state, undoes }: Action): boolean {
  return undoes === undefined && (state !== 'failed' || rule === 'waha');
}

function outOfBudget(deps: RecoveryDeps, step: Step, spent: { text: string; inAll: boolean }): Attempt {
  reportStep(deps, step, {
    severity: 'critical',
    text: `Would ${step.words}, but ${spent.text}. A person is needed`,
    details: [`Why: ${step.why}`],
    ...(step.logs ? { logs: step.logs } : {}),
    telegram: !deps.dryRun && deps.firstIn(`${step.rule}:${step.target}:budget`, HOUR_MS),
  });
  return { done: 'budget', ...spent };
}

async function act(deps: RecoveryDeps, step: Step): Promise<Attempt> {
  const { db } = deps.store;
  const { at: startedAt, boot, uptimeMs } = deps.moment();
  // Written before it is done: when this process dies in between, the next run finds it, counts it and does not start over.
  const id = recordAction(db, { ...record(step), state: 'running', startedAt, boot, uptimeMs });
  const outcome = await runAndVerify(step, (undo) => keepUndo(db, id, undo));
  // Recorded and reported together or not at all: a process that dies in between would have acted in silence.
  immediately(db, () => {
    const state = stateAfter(outcome);
    finishAction(db, id, { state, result: outcome.text, at: deps.system.clock.now() });
    if (outcome.worked) close(deps, step, outcome.text);
    reportOutcome(deps, step, outcome, state);
  });
  return { done: outcome.worked ? 'worked' : 'failed', id, text: outcome.text };
}

type EndState = 'worked' | 'failed' | 'unclear';

/** What had become so by itself was not done: there is nothing to undo, and it counts for no budget. */
export function stateAfter({ worked, nothingDone }: Outcome): EndState {
  return worked === undefined ? 'unclear' : worked && !nothingDone ? 'worked' : 'failed';
}

function reportOutcome(deps: RecoveryDeps, step: Step, outcome: Outcome, state: EndState): void {
  const { worked, nothingDone } = outcome;
  const needless = worked === true && nothingDone === true;
  const title = needless
    ? 'Not needed any more'
    : { worked: 'Done', failed: 'Failed', unclear: 'Not sure' }[state];
  reportStep(deps, step, {
    severity: needless ? 'info' : worked ? (step.severity ?? 'info') : 'warning',
    text: `${title}: ${step.words}`,
    details: [
      `Result: ${outcome.text}`,
      ...(outcome.details ?? []),
      `Why: ${step.why}`,
      ...(step.undoHint && state !== 'failed' ? [`Undo: ${step.undoHint}`] : []),
    ],
    ...(step.logs ? { logs: step.logs } : {}),
    // What fails every five minutes is sent once an hour.
    telegram:
      !needless &&
      (worked === true ||
        deps.firstIn(`${step.rule}:${step.target}:${step.what}:${state}`, step.reportEveryMs ?? HOUR_MS)),
  });
}

/** An action that threw may have been done, or be done a moment later, all the same: where it has to be undone, that matters. */
async function runAndVerify(step: Step, keep: (undo: Record<string, unknown>) => void): Promise<Outcome> {
  let thrown: string | undefined;
  try {
    await step.run(keep);
  } catch (error) {
    thrown = errorText(error);
  }
  let seen: Outcome;
  try {
    seen = await step.verify(thrown === undefined);
  } catch (error) {
    seen = { worked: undefined, text: `whether it worked cannot be seen: ${errorText(error)}` };
  }
  if (thrown === undefined) return seen;
  if (seen.worked) return { ...seen, text: `${seen.text} (although: ${thrown})` };
  return {
    ...seen,
    worked: step.undo && !seen.nothingDone ? undefined : false,
    text: `${thrown}; ${seen.text}`,
  };
}

function shadow(deps: RecoveryDeps, step: Step): Attempt {
  const text = `Would ${step.words}`;
  reportStep(deps, step, {
    severity: deps.dryRun ? 'info' : 'warning',
    text: deps.dryRun ? `${text} (dry run)` : `${text}, but ENABLE_AUTO_RECOVERY is false`,
    details: [`Why: ${step.why}`],
    ...(step.logs ? { logs: step.logs } : {}),
    telegram: !deps.dryRun && deps.firstIn(`${step.rule}:${step.target}:${step.what}`, SHADOW_REPEAT_MS),
  });
  if (!deps.dryRun) recordShadow(deps, step, text);
  return { done: 'shadow', text };
}

/** Once for as long as it is not sent again. */
function recordShadow(deps: RecoveryDeps, step: Step, text: string): void {
  const { at, boot, uptimeMs } = deps.moment();
  const { db } = deps.store;
  const known = listActions(db, at - SHADOW_REPEAT_MS).some(
    (a) => a.state === 'would-do' && a.target === step.target && a.what === step.what,
  );
  if (known) return;
  const { undo: _undo, undoes: _undoes, ...rest } = record(step);
  const times = { startedAt: at, endedAt: at, boot, uptimeMs };
  recordAction(db, { ...rest, state: 'would-do', result: text, ...times });
}

/** Only a person can help: reported, and sent again after `everyMs` at the earliest. */
export function needPerson(
  deps: RecoveryDeps,
  key: string,
  everyMs: number,
  line: Omit<ReportedLine, 'telegram'>,
): Attempt {
  deps.report({ ...line, telegram: !deps.dryRun && deps.firstIn(key, everyMs) });
  return { done: 'person', text: line.text };
}

function close(deps: RecoveryDeps, step: Step, text: string): void {
  for (const id of step.undoes ?? []) markUndone(deps.store.db, id, text, deps.system.clock.now());
}

function reportStep(deps: RecoveryDeps, step: Step, line: Omit<ReportedLine, 'rule' | 'target'>): void {
  const telegram = line.telegram && step.quiet !== true;
  deps.report({ rule: step.rule, target: step.target, ...line, telegram });
}

function record(step: Step): Omit<Action, 'id' | 'state' | 'startedAt'> {
  const { rule, target, what, why, undo, undoes } = step;
  return { rule, target, what, why, ...(undo ? { undo } : {}), ...(undoes ? { undoes } : {}) };
}

/** A person's undo holds this long: without it the next run, at most five minutes later, would do the same again. */
export const HOLD_MS = 3_600_000;

const keyOf = (rule: Action['rule']) => `recovery-undone:${rule}`;

/** A person has undone what this rule did: it takes nothing away for an hour. */
export function holdAfterUndo(deps: RecoveryDeps, rule: Action['rule']): void {
  const { at, boot, uptimeMs } = deps.moment();
  const since = { startedAt: at, boot, uptimeMs };
  remember(deps.store.db, keyOf(rule), since, at);
}

/** How long this rule may still take nothing away because of a person's undo, in ms; undefined when it may. */
export function heldAfterUndoMs(db: Db, rule: Action['rule'], now: Moment): number | undefined {
  const since = recall(db, keyOf(rule), KeptMoment);
  const leftMs = since ? HOLD_MS - ageMs(since, now) : 0;
  return leftMs > 0 ? leftMs : undefined;
}

/** Why this rule may take nothing away now; undefined when it may. */
function heldByUndo(deps: RecoveryDeps, rule: Action['rule']): string | undefined {
  const leftMs = heldAfterUndoMs(deps.store.db, rule, deps.moment());
  return leftMs === undefined
    ? undefined
    : `a person has undone what this rule did; that holds for another ${formatDuration(leftMs)}`;
}
