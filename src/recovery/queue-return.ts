import type { Action } from '../model/action.ts';
import { errorText, plain } from '../model/text.ts';
import { keepUndo } from '../store/actions.ts';
import type { N8nApi, N8nError } from './n8n-api.ts';
import {
  batchesOf,
  countOf,
  isOff,
  MOST_FAILURES_IN_A_ROW,
  namesOf,
  type Paused,
  type PausedGroup,
} from './queue-pause.ts';
import type { Obsolete, Outcome, RecoveryDeps, Step } from './types.ts';

/** More lines than this make a message that nobody reads. */
const MOST_LINES = 12;

/**
 * A step that activates again what these actions paused, at the version that it had. What somebody else changed meanwhile is left
 * alone and said. `stillShort`: why it should not be done now after all.
 */
export function returnStep(
  deps: RecoveryDeps,
  api: N8nApi,
  paused: readonly Action[],
  options: { why: string; byHand?: boolean; stillShort?: () => Promise<string | undefined> },
): Step {
  const groups = paused.map((action) => ({ id: action.id, group: action.undo as PausedGroup }));
  forgetAskedTwice(groups.map(({ group }) => group));
  const off = groups.flatMap(({ group }) => group.workflows.filter(isOff));
  const lines: string[] = [];
  return {
    rule: 'queue',
    target: 'n8n',
    what: 'activate-workflows',
    words: `bring back ${off.length === 1 ? 'the paused workflow' : `${countOf(off.length)} that were paused`} (${namesOf(off)})`,
    why: options.why,
    undoes: paused.map(({ id }) => id),
    ...(options.byHand ? { byHand: true } : {}),
    async obsolete(): Promise<Obsolete> {
      return off.length === 0 ? { over: 'nothing is paused' } : options.stillShort?.();
    },
    async run() {
      const count = { inARow: 0 };
      for (const { id, group } of groups) {
        const keep = () => keepUndo(deps.store.db, id, group);
        for (const batch of batchesOf(group.workflows.filter(isOff))) {
          await bringBatchBack(api, batch, { keep, lines, count });
        }
      }
    },
    verify: async () => outcomeOf(off, lines),
  };
}

/** Asked for in a run that died, and asked for again by the next one, which knows better. */
function forgetAskedTwice(groups: readonly PausedGroup[]): void {
  const later = new Set<string>();
  for (const { workflows } of groups.toReversed()) {
    for (const workflow of workflows.filter(isOff)) {
      if (later.has(workflow.id)) workflow.state = 'planned';
      later.add(workflow.id);
    }
  }
}

/** While n8n is asked the record says so: a run that dies then does not take what it did itself for somebody else's doing. */
async function bringBatchBack(
  api: N8nApi,
  batch: readonly Paused[],
  run: { keep: () => void; lines: string[]; count: { inARow: number } },
): Promise<void> {
  const were = batch.map(({ state }) => state);
  for (const workflow of batch) workflow.state = 'asked';
  run.keep();
  try {
    for (const [i, workflow] of batch.entries()) {
      workflow.state = were[i]!;
      try {
        const { state, text } = await bringOneBack(api, workflow);
        workflow.state = state;
        run.count.inARow = 0;
        if (text !== undefined) run.lines.push(`${plain(workflow.name, 80)}: ${text}`);
      } catch (error) {
        run.lines.push(`${plain(workflow.name, 80)}: not yet, ${errorText(error)}`);
        run.count.inARow += 1;
        if ((error as N8nError).hopeless || run.count.inARow >= MOST_FAILURES_IN_A_ROW) throw error;
      }
    }
  } finally {
    for (const [i, workflow] of batch.entries()) if (workflow.state === 'asked') workflow.state = were[i]!;
    run.keep();
  }
}

/** `text` where there is more to say than that it is back. */
async function bringOneBack(api: N8nApi, paused: Paused): Promise<{ state: 'back' | 'left'; text?: string }> {
  const left = (why: string) => ({ state: 'left' as const, text: `left alone, ${why}` });
  const now = await api.get(paused.id);
  if (!now) return left('it was deleted meanwhile');
  if (now.archived) return left('it was archived meanwhile');
  // Asked for and never answered: n8n had not done it. Paused for sure: somebody else has switched it on.
  if (now.active)
    return paused.state === 'asked' ? { state: 'back' } : left('somebody has activated it already');
  if (paused.content !== undefined && now.content !== paused.content)
    return left('somebody changed it meanwhile: activate it by hand when it is ready');
  let after;
  try {
    after = await api.activate(paused.id, paused.activeVersionId);
  } catch (error) {
    const { refused, hopeless } = error as N8nError;
    // n8n has a reason (a credential is gone, a webhook path is taken): trying again every five minutes changes nothing.
    if (refused && !hopeless)
      return left(`n8n will not activate it (${errorText(error)}): a person is needed`);
    throw error;
  }
  if (!after.active) throw new Error('n8n said yes, and it is still not active');
  // An n8n that does not know about versions here publishes what is in the editor.
  if (paused.activeVersionId !== undefined && after.activeVersionId !== paused.activeVersionId)
    return { state: 'back', text: 'active again, but not at the version that it had: look at it in n8n' };
  return { state: 'back' };
}

function outcomeOf(off: readonly Paused[], lines: readonly string[]): Outcome {
  const still = off.filter(isOff);
  const back = off.filter(({ state }) => state === 'back').length;
  const left = off.filter(({ state }) => state === 'left').length;
  const hidden = lines.length - MOST_LINES;
  const details = [...lines.slice(0, MOST_LINES), ...(hidden > 0 ? [`and ${hidden} more`] : [])];
  const parts = [
    `${countOf(back)} ${back === 1 ? 'is' : 'are'} active again`,
    ...(left > 0 ? [`${left} left alone`] : []),
    ...(still.length > 0 ? [`${still.length} not yet: the next run tries again`] : []),
  ];
  return { worked: still.length === 0, text: parts.join(', '), details };
}
