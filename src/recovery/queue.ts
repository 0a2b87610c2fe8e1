import type { Action } from '../model/action.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { errorText, formatCount, plain } from '../model/text.ts';
import { actionsToUndo, finishAction, keepUndo, markUndone, recordAction } from '../store/actions.ts';
import { attempt } from './attempt.ts';
import { createN8nApi, type N8nApi, type Workflow } from './n8n-api.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/**
 * Too many n8n jobs: deactivates the low-priority workflows by n8n's API, and only those; brings back exactly those, at the version
 * they had, when the queue is short again. Never by SQL: n8n would keep firing them.
 */
export const queueRule: RecoveryRule = { id: 'queue', run: runQueue, undo: undoQueue, settle: settleQueue };

/** One workflow that recovery deactivated or was about to. */
type Paused = {
  id: string;
  name: string;
  /** The published version to come back to, where n8n knows versions. */
  activeVersionId?: string;
  /** Set before the call: a crash in between leaves it at `asked`. */
  state: 'planned' | 'asked' | 'paused' | 'failed';
  /** As n8n showed it right after the deactivation: anything else later is somebody's change. */
  after?: { versionId?: string; updatedAt?: string };
};
type Undo = { workflows: Paused[] };

async function runQueue(deps: RecoveryDeps): Promise<RuleResult> {
  const { N8N_QUEUE_CRITICAL, N8N_QUEUE_CLEAR } = deps.config.settings;
  const depth = queueDepth(await deps.look(['n8n']));
  if (typeof depth === 'string') return { rule: 'queue', found: depth, attempts: [] };
  const found = `${formatCount(depth)} jobs in the n8n queue`;
  const waiting = actionsToUndo(deps.store.db, 'queue').filter(
    (action) => action.what === 'deactivate-workflows',
  );
  if (depth < N8N_QUEUE_CLEAR) {
    const attempts: Attempt[] = [];
    for (const action of waiting)
      attempts.push(await bringBack(deps, action, `${found}, below ${formatCount(N8N_QUEUE_CLEAR)}`));
    return { rule: 'queue', found, attempts };
  }
  if (depth <= N8N_QUEUE_CRITICAL) return { rule: 'queue', found, attempts: [] };
  if (waiting.length > 0)
    return { rule: 'queue', found: `${found}; the low-priority workflows are paused already`, attempts: [] };

  const api = await openApi(deps);
  if (typeof api === 'string')
    return { rule: 'queue', found: `${found}, but ${tell(deps, found, api)}`, attempts: [] };
  let candidates: Workflow[];
  try {
    candidates = await lowPriority(deps, api);
  } catch (error) {
    return { rule: 'queue', found: `${found}, but ${tell(deps, found, errorText(error))}`, attempts: [] };
  }
  if (candidates.length === 0) {
    const why = `no active workflow has the tag ${deps.config.extra.n8n.tag}`;
    return { rule: 'queue', found: `${found}, but ${tell(deps, found, why)}`, attempts: [] };
  }
  return { rule: 'queue', found, attempts: [await attempt(deps, pauseStep(deps, api, candidates, depth))] };
}

function queueDepth(snapshot: Snapshot): number | string {
  const { n8n } = snapshot.readings;
  if (n8n.state === 'absent') return `no n8n here: ${n8n.why}`;
  if (n8n.state === 'failed') return `n8n cannot be read: ${n8n.why}`;
  return n8n.value.queueDepth ?? n8n.value.executions?.queued ?? 'n8n does not say how many jobs wait';
}

/** A person has to know, once in a while, that nothing can be done from here. */
function tell(deps: RecoveryDeps, found: string, why: string): string {
  const text = `${found}, and the low-priority workflows cannot be paused: ${why}`;
  deps.say({
    severity: 'warning',
    rule: 'queue',
    target: 'n8n',
    text,
    telegram: !deps.dryRun && deps.firstIn('queue:helpless', 6 * 3_600_000),
  });
  return why;
}

async function openApi(deps: RecoveryDeps): Promise<N8nApi | string> {
  const target = (await deps.discovered()).n8n;
  if (!target?.url) return 'the address of n8n is not known (N8N_URL)';
  if (target.apiKey === '') return 'N8N_API_KEY is not set; make one in n8n under Settings, n8n API';
  return createN8nApi(deps.system.http, target);
}

/** Tagged, or listed by id or name in vpsmon.yaml. */
async function lowPriority(deps: RecoveryDeps, api: N8nApi): Promise<Workflow[]> {
  const { tag, lowPriorityWorkflows } = deps.config.extra.n8n;
  const found = new Map<string, Workflow>();
  if (tag !== '') for (const workflow of await api.listActive(tag)) found.set(workflow.id, workflow);
  if (lowPriorityWorkflows.length > 0) {
    for (const workflow of await api.listActive()) {
      if (lowPriorityWorkflows.includes(workflow.id) || lowPriorityWorkflows.includes(workflow.name))
        found.set(workflow.id, workflow);
    }
  }
  return [...found.values()].filter((workflow) => workflow.active && !workflow.archived);
}

function pauseStep(deps: RecoveryDeps, api: N8nApi, candidates: Workflow[], depth: number): Step {
  const undo: Undo = {
    workflows: candidates.map((w) => ({
      id: w.id,
      name: w.name,
      state: 'planned',
      ...(w.activeVersionId === undefined ? {} : { activeVersionId: w.activeVersionId }),
    })),
  };
  return {
    rule: 'queue',
    target: 'n8n',
    what: 'deactivate-workflows',
    words: `pause ${candidates.length} low-priority workflows (${namesOf(undo.workflows)})`,
    why: `${formatCount(depth)} jobs wait in the n8n queue, more than ${formatCount(deps.config.settings.N8N_QUEUE_CRITICAL)}`,
    undoHint: `they come back by themselves below ${formatCount(deps.config.settings.N8N_QUEUE_CLEAR)} jobs; \`vpsmon recover undo\` does so now. Webhooks of a paused workflow answer 404 meanwhile`,
    undo,
    async obsolete() {
      const again = queueDepth(await deps.look(['n8n']));
      if (typeof again === 'string') return again;
      return again > deps.config.settings.N8N_QUEUE_CRITICAL
        ? undefined
        : `the queue is down to ${formatCount(again)} jobs by itself`;
    },
    async run(recordProgress) {
      for (const workflow of undo.workflows) {
        workflow.state = 'asked';
        recordProgress(undo);
        try {
          const after = await api.deactivate(workflow.id);
          workflow.state = after.active ? 'failed' : 'paused';
          workflow.after = versionOf(after);
        } catch (error) {
          workflow.state = 'failed';
          deps.say({
            severity: 'warning',
            rule: 'queue',
            target: workflow.name,
            text: `${plain(workflow.name, 80)} could not be paused: ${errorText(error)}`,
            telegram: false,
          });
        }
        recordProgress(undo);
      }
    },
    async verify() {
      const paused = undo.workflows.filter((w) => w.state === 'paused');
      const failed = undo.workflows.filter((w) => w.state === 'failed');
      const text = `${paused.length} workflows are paused${failed.length > 0 ? `, ${failed.length} could not be (${namesOf(failed)})` : ''}`;
      return { worked: paused.length > 0, text };
    },
  };
}

function versionOf(workflow: Workflow): { versionId?: string; updatedAt?: string } {
  return {
    ...(workflow.versionId === undefined ? {} : { versionId: workflow.versionId }),
    ...(workflow.updatedAt === undefined ? {} : { updatedAt: workflow.updatedAt }),
  };
}

function namesOf(workflows: { name: string }[]): string {
  const names = workflows.slice(0, 8).map((w) => plain(w.name, 60));
  return workflows.length > 8 ? `${names.join(', ')} and ${workflows.length - 8} more` : names.join(', ');
}

/** Reactivates what this action paused; what somebody else changed meanwhile is left alone and said. */
async function bringBack(deps: RecoveryDeps, action: Action, why: string): Promise<Attempt> {
  const { db } = deps.store;
  const { clock } = deps.system;
  const undo = action.undo as Undo | undefined;
  const mine = (undo?.workflows ?? []).filter((w) => w.state === 'paused' || w.state === 'asked');
  if (!undo || mine.length === 0) {
    if (!deps.dryRun) markUndone(db, action.id, 'nothing had been paused', clock.now());
    return { done: 'obsolete', text: 'nothing had been paused' };
  }
  if (deps.dryRun) {
    const text = `Would bring back ${mine.length} workflows: ${namesOf(mine)}`;
    deps.say({ severity: 'info', rule: 'queue', target: 'n8n', text, telegram: false });
    return { done: 'shadow', text };
  }
  const api = await openApi(deps);
  if (typeof api === 'string') return { done: 'budget', text: tell(deps, why, api) };
  const id = recordAction(db, {
    rule: 'queue',
    target: 'n8n',
    what: 'activate-workflows',
    why,
    state: 'running',
    startedAt: clock.now(),
  });
  const lines: string[] = [];
  let left = 0;
  for (const workflow of mine) {
    const outcome = await bringOneBack(api, workflow);
    lines.push(`${plain(workflow.name, 80)}: ${outcome.text}`);
    if (outcome.settled) workflow.state = 'planned';
    else left += 1;
    keepUndo(db, action.id, undo);
  }
  const text =
    left === 0
      ? `${mine.length} paused workflows have been seen to`
      : `${left} of ${mine.length} workflows could not be brought back; the next run tries again`;
  finishAction(db, id, { state: left === 0 ? 'worked' : 'failed', result: text, at: clock.now() });
  if (left === 0) markUndone(db, action.id, text, clock.now());
  const severity = left === 0 ? 'info' : 'warning';
  const telegram = left === 0 || deps.firstIn('queue:bring-back', 3_600_000);
  deps.say({
    severity,
    rule: 'queue',
    target: 'n8n',
    text: `${left === 0 ? 'Undone' : 'Failed'}: ${text}`,
    details: [`Why: ${why}`, ...lines],
    telegram,
  });
  return left === 0 ? { done: 'worked', id, text } : { done: 'failed', id, text };
}

async function bringOneBack(api: N8nApi, paused: Paused): Promise<{ settled: boolean; text: string }> {
  try {
    const now = await api.get(paused.id);
    if (!now) return { settled: true, text: 'left alone, it was deleted meanwhile' };
    if (now.archived) return { settled: true, text: 'left alone, it was archived meanwhile' };
    if (now.active) return { settled: true, text: 'left alone, it is active already' };
    if (
      paused.after &&
      (now.versionId !== paused.after.versionId || now.updatedAt !== paused.after.updatedAt)
    ) {
      return {
        settled: true,
        text: 'left alone, somebody changed it meanwhile: activate it by hand when it is ready',
      };
    }
    const after = await api.activate(paused.id, paused.activeVersionId);
    if (!after.active) return { settled: false, text: 'n8n said yes, and it is still not active' };
    return {
      settled: true,
      text: paused.activeVersionId === undefined ? 'active again' : 'active again at the version it had',
    };
  } catch (error) {
    return { settled: false, text: errorText(error) };
  }
}

async function undoQueue(deps: RecoveryDeps): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  for (const action of actionsToUndo(deps.store.db, 'queue')) {
    if (action.what === 'deactivate-workflows')
      attempts.push(await bringBack(deps, action, 'asked for by hand'));
  }
  return { rule: 'queue', found: `${attempts.length} groups of paused workflows`, attempts };
}

/** The run died while it paused workflows: what it had asked for counts as paused, so that nothing stays off for ever. */
async function settleQueue(
  _deps: RecoveryDeps,
  action: Action,
): Promise<{ worked: boolean | undefined; text: string }> {
  if (action.what !== 'deactivate-workflows')
    return {
      worked: undefined,
      text: 'the run was interrupted while it brought workflows back; the next run goes on',
    };
  const touched = ((action.undo as Undo | undefined)?.workflows ?? []).filter(
    (w) => w.state === 'paused' || w.state === 'asked',
  );
  return {
    worked: touched.length > 0,
    text: `the run was interrupted; ${touched.length} workflows had been paused: ${namesOf(touched)}`,
  };
}
