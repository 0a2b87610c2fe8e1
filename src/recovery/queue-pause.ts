import { formatCount, formatMany, plain } from '../model/text.ts';
import type { N8nApi, N8nError, Workflow } from '../system/apps/n8n.ts';
import type { Outcome, RecoveryDeps, Step } from './types.ts';

/** So many in a row that n8n fails for: it has other troubles than these workflows. */
export const MOST_FAILURES_IN_A_ROW = 3;

/** One workflow that recovery deactivated or was about to. */
export type Paused = {
  id: string;
  name: string;
  /** The published version to come back to, where n8n knows versions. */
  activeVersionId?: string;
  /**
   * planned: not begun. asked: n8n was asked, and what came of it is not known. paused: it is off. refused: n8n would not.
   * back: it is on again. left: somebody else has seen to it, or has to, or a person said that it is meant to be off.
   */
  state: 'planned' | 'asked' | 'paused' | 'refused' | 'back' | 'left';
  /** What was in it when it was paused: anything else later is somebody's change. */
  content?: string;
  /** Calls from outside start it. */
  webhooks?: boolean;
  /** How many webhooks n8n had registered for it, where that could be seen. */
  registered?: number;
  /** So often in a row n8n failed for it when it should come back: those that it did not fail for go first. */
  failed?: number;
  /** n8n would not have it back, or somebody has changed it: tried again later, after longer and longer. */
  waits?: { why: string; tries: number; startedAt: number; boot: string; uptimeMs: number };
};
export type PausedGroup = { workflows: Paused[] };

/** Off because of recovery, as far as it knows. */
export function isOff({ state }: Paused): boolean {
  return state === 'paused' || state === 'asked';
}

/** `a, b, c and 4 more`. */
export function namesOf(workflows: readonly { name: string }[]): string {
  const names = workflows.slice(0, 8).map((w) => plain(w.name, 60));
  return workflows.length > 8 ? `${names.join(', ')} and ${workflows.length - 8} more` : names.join(', ');
}

export function countOf(n: number): string {
  return formatMany(n, 'workflow');
}

/** A step that deactivates these workflows. `stillLong`: why it is not needed any more. */
export function pauseStep(
  deps: RecoveryDeps,
  api: N8nApi,
  candidates: readonly Workflow[],
  depth: number,
  stillLong: () => Promise<string | undefined>,
): Step {
  const { N8N_QUEUE_CRITICAL, N8N_QUEUE_CLEAR } = deps.config.settings;
  const group: PausedGroup = {
    workflows: candidates.map(({ id, name, activeVersionId, content, webhooks }) => ({
      id,
      name,
      state: 'planned',
      content,
      webhooks,
      ...(activeVersionId === undefined ? {} : { activeVersionId }),
    })),
  };
  return {
    rule: 'queue',
    target: 'n8n',
    what: 'deactivate-workflows',
    words: `pause ${candidates.length} low-priority ${candidates.length === 1 ? 'workflow' : 'workflows'} (${namesOf(group.workflows)})`,
    why: `${formatCount(depth)} jobs wait in the n8n queue, more than ${formatCount(N8N_QUEUE_CRITICAL)}`,
    severity: 'warning',
    undoHint: `they come back by themselves below ${formatCount(N8N_QUEUE_CLEAR)} jobs; \`vpsmon recover undo\` does so now`,
    undo: group,
    obsolete: stillLong,
    async run(keep) {
      const registered = await deps.registeredWebhooks(group.workflows.map(({ id }) => id));
      for (const workflow of registered ? group.workflows : []) {
        workflow.registered = registered?.get(workflow.id) ?? 0;
        if (workflow.registered > 0) workflow.webhooks = true;
      }
      await pauseAll(api, group, () => keep(group));
    },
    verify: async () => outcomeOf(group),
  };
}

async function pauseAll(api: N8nApi, { workflows }: PausedGroup, keep: () => void): Promise<void> {
  let inARow = 0;
  for (const batch of batchesOf(workflows)) {
    for (const workflow of batch) workflow.state = 'asked';
    keep();
    try {
      for (const workflow of batch) {
        try {
          const after = await api.deactivate(workflow.id);
          workflow.state = after.active ? 'refused' : 'paused';
          inARow = 0;
        } catch (error) {
          const { refused, hopeless } = error as N8nError;
          // Without an answer it may be off all the same: it stays `asked`, and is looked at when the others come back.
          if (refused) workflow.state = 'refused';
          inARow += 1;
          if (hopeless || inARow >= MOST_FAILURES_IN_A_ROW) throw error;
        }
      }
    } finally {
      keep();
    }
  }
}

/** What is asked for is written down some at a time: each record is a write that waits for the disk. */
export function batchesOf<T>(items: readonly T[]): T[][] {
  const size = 10;
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}

function outcomeOf({ workflows }: PausedGroup): Outcome {
  const paused = workflows.filter(({ state }) => state === 'paused');
  const others = workflows.filter(({ state }) => state !== 'paused');
  const rest = others.length > 0 ? `; ${countOf(others.length)} could not be (${namesOf(others)})` : '';
  const text = `${countOf(paused.length)} ${paused.length === 1 ? 'is' : 'are'} paused${rest}`;
  // Nothing is known of those that were asked without an answer.
  const unclear = workflows.some(({ state }) => state === 'asked');
  const hooks = paused.filter(({ webhooks }) => webhooks);
  const details = hooks.length > 0 ? [`Webhooks that answer 404 meanwhile: ${namesOf(hooks)}`] : [];
  if (paused.length > 0) return { worked: true, text, details };
  return unclear ? { worked: undefined, text } : { worked: false, text, nothingDone: true };
}

/** What n8n was asked for without an answer may be off or on: it is counted apart. */
function pausedText(off: readonly Paused[]): string {
  const sure = off.filter(({ state }) => state === 'paused');
  const asked = off.filter(({ state }) => state === 'asked');
  const parts = [
    ...(sure.length > 0 ? [`${countOf(sure.length)} had been paused: ${namesOf(sure)}`] : []),
    ...(asked.length > 0 ? [`${countOf(asked.length)} may have been paused: ${namesOf(asked)}`] : []),
  ];
  return parts.join('; ');
}

/** The run died while it paused workflows: what n8n cannot tell about counts as off, so that nothing stays off for ever. */
export function outcomeOfPause(group: PausedGroup | undefined): Outcome {
  const off = (group?.workflows ?? []).filter(isOff);
  if (off.length === 0) return { worked: false, text: 'no workflow had been paused yet' };
  return {
    worked: true,
    text: pausedText(off),
  };
}
