import { ageMs, heldText, type Action } from '../model/action.ts';
import { errorText, plain } from '../model/text.ts';
import { finishAction, markUndone, pruneActions, unfinishedActions } from '../store/actions.ts';
import { HOLD_MS, holdAfterUndo, stateAfter } from './attempt.ts';
import { outcomeByHand } from './by-hand.ts';
import { reconcileLeftOff } from './left-off.ts';
import { loopsRule } from './loops.ts';
import { queueRule } from './queue.ts';
import { swapRule } from './swap.ts';
import { immediately } from '../store/db.ts';
import type { Outcome, RecoveryDeps, RecoveryRule, RuleResult } from './types.ts';
import { wahaRule } from './waha.ts';

/** What an interrupted run did is looked for this long, with every run. */
const LOOK_AGAIN_MS = 3_600_000;

/** In the order in which they run: first what frees memory, for the others need some to work with. */
export const RECOVERY_RULES: readonly RecoveryRule[] = [swapRule, loopsRule, queueRule, wahaRule];

/** Runs these rules one after the other; one that fails is reported and does not hold the others up. */
export async function runRules(
  deps: RecoveryDeps,
  rules: readonly RecoveryRule[],
  what: 'run' | 'undo',
  /** Undo these actions only. */
  only?: ReadonlySet<number>,
): Promise<RuleResult[]> {
  await finishInterrupted(deps);
  const results: RuleResult[] = [];
  for (const rule of rules) {
    try {
      const result = what === 'undo' ? await rule.undo(deps, only) : await rule.run(deps);
      const held = what === 'undo' && !deps.dryRun && result.attempts.some(({ done }) => done !== 'obsolete');
      if (held) holdAfterUndo(deps, rule.id);
      results.push(
        held ? { ...result, found: `${result.found}; ${heldText(HOLD_MS)}`, heldMs: HOLD_MS } : result,
      );
    } catch (error) {
      const text = `the rule ${rule.id} failed: ${errorText(error)}`;
      deps.report({ severity: 'warning', rule: rule.id, target: 'vpsmon', text, telegram: false });
      results.push({ rule: rule.id, found: text, attempts: [], failed: true });
    }
  }
  await reconcileLeftOff(deps);
  return results;
}

/** What a run before this one had begun when it died: looked at, finished where it must not stay half done, reported; never repeated. */
export async function finishInterrupted(deps: RecoveryDeps): Promise<void> {
  if (deps.dryRun) return;
  const { db } = deps.store;
  const now = () => deps.system.clock.now();
  pruneActions(db, now());
  for (const action of unfinishedActions(db)) {
    const outcomeOf = RECOVERY_RULES.find(({ id }) => id === action.rule)?.outcomeOf ?? outcomeByHand;
    let outcome: Outcome;
    try {
      outcome = await outcomeOf(deps, action);
    } catch (error) {
      const text = `looking at it failed: ${errorText(error)}`;
      if (ageMs(action, deps.moment()) < LOOK_AGAIN_MS) {
        // Docker may not be up again yet: what was left half done must not be given up for that.
        const { rule, target } = action;
        const line = `An earlier run was interrupted while it was ${doing(action)}; ${text}. The next run looks again`;
        deps.report({ severity: 'warning', rule, target, text: line, telegram: false });
        continue;
      }
      outcome = { worked: undefined, text };
    }
    immediately(db, () => {
      const end = { state: stateAfter(outcome), result: `interrupted; ${outcome.text}`, at: now() };
      finishAction(db, action.id, end);
      if (outcome.worked) for (const id of action.undoes ?? []) markUndone(db, id, outcome.text, now());
      deps.report({
        severity: 'warning',
        rule: action.rule,
        target: action.target,
        text: `An earlier run was interrupted while it was ${doing(action)}`,
        details: [`Result: ${outcome.text}`, ...(outcome.details ?? []), `Why: ${action.why}`],
        telegram: true,
      });
    });
  }
}

const DOING: Record<string, string> = {
  'stop-container': 'stopping',
  'pause-loop': 'stopping',
  'stop-loop': 'stopping',
  'start-container': 'starting',
  'raise-limit': 'raising the memory limit of',
  'lower-limit': 'lowering the memory limit of',
  'restart-session': 'restarting the WhatsApp session',
  'restart-container': 'restarting the container',
  'deactivate-workflows': 'pausing workflows of',
  'activate-workflows': 'bringing back workflows of',
};

function doing({ what, target }: Action): string {
  return `${DOING[what] ?? what} ${plain(target, 60)}`;
}
