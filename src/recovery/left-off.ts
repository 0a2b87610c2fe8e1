import type { Action } from '../model/action.ts';
import { leftOffBy } from '../model/left-off.ts';
import { formatCount, plain } from '../model/text.ts';
import { allActionsToUndo, keepUndo, markKept, markUndone } from '../store/actions.ts';
import { noLongerStopped } from './containers.ts';
import { noLongerRaised } from './loops-memory.ts';
import { isOff, type PausedGroup } from './queue-pause.ts';
import type { RecoveryDeps, RuleResult } from './types.ts';

/**
 * Compares the records of what recovery stopped or changed in Docker with how it stands: what somebody has started, removed or set
 * meanwhile is not left off any more. (Workflows are looked at by the queue's rule.) Without Docker the records stay.
 */
export async function reconcileLeftOff(deps: RecoveryDeps): Promise<void> {
  if (deps.dryRun) return;
  const raised = new Set<unknown>();
  for (const action of allActionsToUndo(deps.store.db).toReversed()) {
    // What was not seen to work may still be done by the engine; of two raises only the second one can be seen.
    if (action.rule === 'queue' || action.state !== 'worked') continue;
    const id = action.undo?.['containerId'];
    if (action.what === 'raise-limit' && raised.has(id)) continue;
    if (action.what === 'raise-limit') raised.add(id);
    try {
      const over = await (action.what === 'raise-limit'
        ? noLongerRaised(deps, action)
        : noLongerStopped(deps, action));
      if (over === undefined) continue;
      markUndone(deps.store.db, action.id, over.over, deps.system.clock.now());
      const { rule, target } = action;
      deps.report({ severity: 'info', rule, target, text: `Left alone: ${over.over}`, telegram: false });
    } catch {
      // Docker does not answer: the next run looks again.
    }
  }
}

const BY_PERSON = 'a person said that it is meant to stay so';

/** `recover accept [NAME]`: what is left off is meant to be so, all of it or what has this name. It is not brought back any more. */
export function acceptLeftOff(deps: RecoveryDeps, name: string): RuleResult | undefined {
  const wanted = name.trim().toLowerCase();
  const matches = (one: string) => wanted === '' || one.trim().toLowerCase() === wanted;
  const accepted: string[] = [];
  for (const action of allActionsToUndo(deps.store.db)) accepted.push(...acceptAction(deps, action, matches));
  if (accepted.length === 0 && wanted !== '') return undefined;
  const text =
    accepted.length === 0
      ? 'recovery has left nothing stopped or paused'
      : `${formatCount(accepted.length)} ${accepted.length === 1 ? 'stays' : 'stay'} as ${accepted.length === 1 ? 'it is' : 'they are'}: ${accepted.map((one) => plain(one, 60)).join(', ')}`;
  if (accepted.length > 0)
    deps.report({
      severity: 'info',
      rule: 'queue',
      target: 'vpsmon',
      text: `${deps.dryRun ? 'Would leave' : 'Accepted'}: ${text}`,
      telegram: false,
    });
  return { rule: 'queue', found: text, attempts: [] };
}

function acceptAction(deps: RecoveryDeps, action: Action, matches: (name: string) => boolean): string[] {
  const { db } = deps.store;
  const now = deps.system.clock.now();
  if (action.what !== 'deactivate-workflows') {
    if (!matches(action.target)) return [];
    if (!deps.dryRun) markKept(db, action.id, BY_PERSON, now);
    return leftOffBy([action]).map(({ name }) => name);
  }
  const group = action.undo as PausedGroup;
  const those = group.workflows.filter((one) => isOff(one) && (matches(one.name) || matches(one.id)));
  for (const one of those) one.state = 'left';
  if (those.length === 0 || deps.dryRun) return those.map(({ name }) => name);
  keepUndo(db, action.id, group);
  if (!group.workflows.some(isOff)) markKept(db, action.id, BY_PERSON, now);
  return those.map(({ name }) => name);
}
