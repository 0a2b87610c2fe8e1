import type { Action } from '../model/action.ts';
import { plain } from '../model/text.ts';
import { keepUndo } from '../store/actions.ts';
import type { N8nApi, N8nError } from '../system/apps/n8n.ts';
import { isOff, type Paused, type PausedGroup } from './queue-pause.ts';
import type { RecoveryDeps } from './types.ts';

/** So many are looked at in a run: each is a call. */
const MOST_LOOKS = 50;

/**
 * Compares the records of what is paused with n8n: a workflow that somebody activated, deleted or archived is not off because of
 * recovery any more, one that was renamed has its new name, and one that n8n was asked for without an answer is known
 * to be off or not. Where n8n does not answer, the records stay as they are. Returns what changed, one plain sentence each.
 */
export async function lookAtPaused(
  deps: RecoveryDeps,
  api: N8nApi,
  paused: readonly Action[],
): Promise<string[]> {
  const lines: string[] = [];
  let looks = 0;
  for (const { id, undo } of paused) {
    const group = undo as PausedGroup;
    let changed = false;
    try {
      for (const workflow of group.workflows) {
        if (!isOff(workflow) || looks >= MOST_LOOKS) continue;
        looks += 1;
        const before = JSON.stringify(workflow);
        const line = await lookAtOne(api, workflow).catch((error: N8nError) => {
          if (!error.forbidden) throw error;
          return undefined;
        });
        if (line !== undefined) lines.push(line);
        changed ||= JSON.stringify(workflow) !== before;
      }
    } catch {
      // n8n is away or refuses the key: the next run looks again.
      looks = MOST_LOOKS;
    } finally {
      if (changed && !deps.dryRun) keepUndo(deps.store.db, id, group);
    }
  }
  return lines;
}

async function lookAtOne(api: N8nApi, workflow: Paused): Promise<string | undefined> {
  const now = await api.get(workflow.id);
  const name = plain(workflow.name, 80);
  const left = (why: string) => {
    workflow.state = 'left';
    return `${name}: ${why}`;
  };
  if (!now) return left('it was deleted meanwhile');
  if (now.archived) return left('it was archived meanwhile');
  workflow.name = now.name;
  if (now.active && workflow.state === 'paused') return left('somebody has activated it already');
  if (now.active) workflow.state = 'planned';
  else workflow.state = 'paused';
  return undefined;
}
