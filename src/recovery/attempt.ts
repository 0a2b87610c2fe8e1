import { errorText } from '../model/text.ts';
import type { Action } from '../model/action.ts';
import { countActions, finishAction, keepUndo, listActions, recordAction } from '../store/actions.ts';
import type { Attempt, RecoveryDeps, Step } from './types.ts';

const HOUR_MS = 3_600_000;
/** What would have been done is said again after this long, not every five minutes. */
const SHADOW_REPEAT_MS = 6 * HOUR_MS;

/**
 * Does one step, the same way for every rule: budget, look again, record, act, verify, say. Without ENABLE_AUTO_RECOVERY, or with
 * --dry-run, everything but the action. Never throws.
 */
export async function attempt(deps: RecoveryDeps, step: Step): Promise<Attempt> {
  const now = deps.system.clock.now();
  const tired = budgetLeft(deps, step.target, now);
  if (tired) {
    sayOnce(
      deps,
      step,
      `Would ${step.words}, but ${tired}. A person is needed`,
      'critical',
      HOUR_MS,
      'budget',
    );
    return { done: 'budget', text: tired };
  }
  let stale: string | undefined;
  try {
    stale = await step.obsolete();
  } catch (error) {
    stale = `it could not be looked at again: ${errorText(error)}`;
  }
  if (stale) {
    deps.say({
      severity: 'info',
      rule: step.rule,
      target: step.target,
      text: `Left alone: ${stale}`,
      telegram: false,
    });
    return { done: 'obsolete', text: stale };
  }
  if (deps.dryRun || !deps.config.settings.ENABLE_AUTO_RECOVERY) return shadow(deps, step, now);
  return act(deps, step);
}

/** A sentence when the budget is spent. The clock may have jumped back: records from the future count, too. */
function budgetLeft(deps: RecoveryDeps, target: string, now: number): string | undefined {
  const { actionsPerHour, actionsPerTargetPerHour } = deps.config.extra.recovery;
  const used = countActions(deps.store.db, now - HOUR_MS, target);
  if (used.target >= actionsPerTargetPerHour)
    return `${used.target} actions on ${target} within an hour are enough`;
  if (used.all >= actionsPerHour) return `${used.all} actions within an hour are enough`;
  return undefined;
}

async function act(deps: RecoveryDeps, step: Step): Promise<Attempt> {
  const { db } = deps.store;
  const { clock } = deps.system;
  // Written before it is done: when this process dies in between, the next run finds it, counts it and does not start over.
  const id = recordAction(db, { ...record(step), state: 'running', startedAt: clock.now() });
  let outcome: { worked: boolean; text: string };
  try {
    await step.run((undo) => keepUndo(db, id, undo));
    outcome = await step.verify();
  } catch (error) {
    outcome = { worked: false, text: errorText(error) };
  }
  finishAction(db, id, {
    state: outcome.worked ? 'worked' : 'failed',
    result: outcome.text,
    at: clock.now(),
  });
  deps.say({
    severity: outcome.worked ? 'info' : 'warning',
    rule: step.rule,
    target: step.target,
    text: `${outcome.worked ? 'Done' : 'Failed'}: ${step.words}. ${outcome.text}`,
    details: [
      `Why: ${step.why}`,
      ...(outcome.worked && step.undoHint ? [`Undo: ${step.undoHint}`] : []),
      ...(step.details ?? []),
    ],
    telegram: true,
  });
  return { done: outcome.worked ? 'worked' : 'failed', id, text: outcome.text };
}

function shadow(deps: RecoveryDeps, step: Step, now: number): Attempt {
  const text = `Would ${step.words}`;
  if (deps.dryRun) {
    deps.say({
      severity: 'info',
      rule: step.rule,
      target: step.target,
      text: `${text} (dry run)`,
      details: [`Why: ${step.why}`],
      telegram: false,
    });
    return { done: 'shadow', text };
  }
  sayOnce(deps, step, `${text}, but ENABLE_AUTO_RECOVERY is false`, 'warning', SHADOW_REPEAT_MS, step.what);
  const known = listActions(deps.store.db, now - SHADOW_REPEAT_MS).some(
    (a) => a.state === 'would-do' && a.target === step.target && a.what === step.what,
  );
  if (!known) {
    const { undo: _unused, ...rest } = record(step);
    recordAction(deps.store.db, { ...rest, state: 'would-do', startedAt: now, endedAt: now, result: text });
  }
  return { done: 'shadow', text };
}

/** To Telegram once in a while, to recovery.log and the terminal every time. */
function sayOnce(
  deps: RecoveryDeps,
  step: Step,
  text: string,
  severity: 'warning' | 'critical',
  everyMs: number,
  what: string,
): void {
  deps.say({
    severity,
    rule: step.rule,
    target: step.target,
    text,
    details: [`Why: ${step.why}`],
    telegram: !deps.dryRun && deps.firstIn(`${step.rule}:${step.target}:${what}`, everyMs),
  });
}

function record(step: Step): Omit<Action, 'id' | 'state' | 'startedAt'> {
  return {
    rule: step.rule,
    target: step.target,
    what: step.what,
    why: step.why,
    ...(step.undo ? { undo: step.undo } : {}),
  };
}
