import type { Action } from '../model/action.ts';
import { nobodyWorks } from '../model/snapshot.ts';
import type { Snapshot } from '../model/sources.ts';
import { errorText, formatCount, formatMany, plain } from '../model/text.ts';
import { actionsToUndo, keepUndo } from '../store/actions.ts';
import { attempt, needPerson } from './attempt.ts';
import { createN8nApi, type N8nApi, type Workflow, type N8nError } from '../system/apps/n8n.ts';
import { countOf, isOff, pauseStep, outcomeOfPause, type PausedGroup, type Paused } from './queue-pause.ts';
import { anyDue, returnStep } from './queue-return.ts';
import type { Attempt, Outcome, RecoveryDeps, RecoveryRule, RuleResult } from './types.ts';

/** That nothing can be done from here is sent again after this long. */
const HELPLESS_AGAIN_MS = 6 * 3_600_000;

/**
 * Too many n8n jobs: deactivates the low-priority workflows by n8n's API, and only those; brings back exactly those, at the version
 * they had, when the queue is short again. Never by SQL: n8n would keep firing them.
 */
export const queueRule: RecoveryRule = {
  id: 'queue',
  run: runQueue,
  undo: undoQueue,
  outcomeOf: outcomeOfQueue,
};

async function outcomeOfQueue(deps: RecoveryDeps, action: Action): Promise<Outcome> {
  if (action.what !== 'deactivate-workflows')
    return { worked: undefined, text: 'what is not back yet follows' };
  const group = action.undo as PausedGroup | undefined;
  const api = group ? await openApi(deps) : '';
  // Of what it had asked n8n for, n8n knows what it did.
  if (typeof api !== 'string') await lookAtPaused(deps, api, [action]);
  return outcomeOfPause(group);
}

async function runQueue(deps: RecoveryDeps): Promise<RuleResult> {
  const result = await pauseOrBringBack(deps);
  const paused = actionsToUndo(deps.store.db, 'queue');
  const api = paused.length > 0 ? await openApi(deps) : '';
  if (typeof api !== 'string') reportChanges(deps, await lookAtPaused(deps, api, paused));
  return result;
}

async function pauseOrBringBack(deps: RecoveryDeps): Promise<RuleResult> {
  const { N8N_QUEUE_CRITICAL, N8N_QUEUE_CLEAR } = deps.config.settings;
  const paused = actionsToUndo(deps.store.db, 'queue');
  const all = paused.flatMap((action) => (action.undo as PausedGroup).workflows);
  const known = all.filter(isOff);
  const also = known.length > 0 ? `; ${countOf(known.length)} paused by recovery` : '';
  const seen = await deps.look(['n8n']);
  const depth = queueDepth(seen);
  if (typeof depth === 'string')
    return { rule: 'queue', found: depth + also, attempts: [], blind: isBlind(seen) || known.length > 0 };
  const found = `${formatMany(depth, 'job')} in the n8n queue`;
  const result = (attempts: Attempt[]): RuleResult => ({ rule: 'queue', found: found + also, attempts });
  if (depth < N8N_QUEUE_CLEAR && paused.length > 0 && !anyDue(paused, deps.moment())) return result([]);
  if (depth < N8N_QUEUE_CLEAR && paused.length > 0)
    return result([await bringBack(deps, paused, `${found}, below ${formatCount(N8N_QUEUE_CLEAR)}`)]);
  if (depth <= N8N_QUEUE_CRITICAL) return result([]);
  const idle = noWorker(seen);
  // Pausing workflows would drain nothing, and cost their webhooks. The monitor says what is wrong.
  if (idle !== undefined) return { rule: 'queue', found: `${found}${also}; ${idle}`, attempts: [] };

  // Where recovery has paused workflows already, an n8n that cannot be asked whether there are more is not in the way.
  const cannot = (why: string): RuleResult =>
    known.length === 0
      ? result([reportHelpless(deps, found, why)])
      : {
          rule: 'queue',
          found: `${found}${also} already; whether there are more cannot be seen: ${why}`,
          attempts: [],
        };
  const api = await openApi(deps);
  if (typeof api === 'string') return cannot(api);
  let active: Workflow[];
  try {
    active = await lowPriority(deps, api);
  } catch (error) {
    return cannot(errorText(error));
  }
  // What recovery has paused and is active now was activated by a person: it is not paused again while this lasts.
  const byPerson = all.filter(({ state }) => state === 'paused' || state === 'left');
  const candidates = active.filter(({ id }) => !byPerson.some((workflow) => workflow.id === id));
  if (candidates.length > 0)
    return result([
      await attempt(
        deps,
        pauseStep(deps, api, candidates, depth, () => notLongAnyMore(deps)),
      ),
    ]);
  if (known.length > 0) return result([]);
  return result([reportHelpless(deps, found, `no active workflow has the tag ${deps.config.extra.n8n.tag}`)]);
}

function queueDepth({ readings: { n8n } }: Snapshot): number | string {
  if (n8n.state === 'absent') return `no n8n here: ${n8n.why}`;
  if (n8n.state === 'failed') return `n8n cannot be read: ${n8n.why}`;
  const depth = n8n.value.queueDepth ?? n8n.value.executions?.queued;
  if (depth !== undefined) return depth;
  return ['how many jobs wait in n8n cannot be read', ...(n8n.value.problems ?? [])].join('; ');
}

/** Why pausing workflows is no cure; undefined where jobs are taken. */
function noWorker({ readings: { n8n } }: Snapshot): string | undefined {
  if (n8n.state !== 'ok' || !nobodyWorks(n8n.value.queue)) return undefined;
  return 'no worker takes them: pausing workflows would not help';
}

/** An n8n without queue mode has no queue to read, and nothing is wrong with that. */
function isBlind({ readings: { n8n } }: Snapshot): boolean {
  return n8n.state === 'failed' || (n8n.state === 'ok' && (n8n.value.problems ?? []).length > 0);
}

async function notLongAnyMore(deps: RecoveryDeps): Promise<string | undefined> {
  const seen = await deps.look(['n8n']);
  const depth = queueDepth(seen);
  if (typeof depth === 'string') return depth;
  return depth > deps.config.settings.N8N_QUEUE_CRITICAL
    ? noWorker(seen)
    : `the queue is down to ${formatCount(depth)} jobs by itself`;
}

async function notShortAnyMore(deps: RecoveryDeps): Promise<string | undefined> {
  const depth = queueDepth(await deps.look(['n8n']));
  if (typeof depth === 'string') return depth;
  return depth < deps.config.settings.N8N_QUEUE_CLEAR
    ? undefined
    : `the queue has grown to ${formatCount(depth)} jobs again`;
}

function reportChanges(deps: RecoveryDeps, lines: string[]): void {
  if (lines.length === 0) return;
  const text = `No longer paused by recovery: ${countOf(lines.length)}`;
  deps.report({ severity: 'info', rule: 'queue', target: 'n8n', text, details: lines, telegram: false });
}

/** A person has to know, once in a while, that nothing can be done from here. */
function reportHelpless(deps: RecoveryDeps, found: string, why: string): Attempt {
  const text = `${found}, and the low-priority workflows cannot be paused: ${why}`;
  return needPerson(deps, 'queue:helpless', HELPLESS_AGAIN_MS, {
    severity: 'warning',
    rule: 'queue',
    target: 'n8n',
    text,
  });
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
  const tagged = tag === '' ? [] : await api.listTagged(tag);
  const listed =
    lowPriorityWorkflows.length === 0
      ? []
      : (await api.listActive()).filter(
          ({ id, name }) => lowPriorityWorkflows.includes(id) || lowPriorityWorkflows.includes(name),
        );
  const found = new Map([...tagged, ...listed].map((workflow) => [workflow.id, workflow]));
  return [...found.values()].filter(({ active, archived }) => active && !archived);
}

async function bringBack(
  deps: RecoveryDeps,
  paused: readonly Action[],
  why: string,
  byHand = false,
): Promise<Attempt> {
  const api = await openApi(deps);
  if (typeof api === 'string') {
    const text = `The paused workflows cannot be brought back: ${api}`;
    return needPerson(deps, 'queue:bring-back', HELPLESS_AGAIN_MS, {
      severity: 'warning',
      rule: 'queue',
      target: 'n8n',
      text,
    });
  }
  const stillShort = byHand ? {} : { stillShort: () => notShortAnyMore(deps) };
  return attempt(deps, returnStep(deps, api, paused, { why, byHand, ...stillShort }));
}

async function undoQueue(deps: RecoveryDeps, only?: ReadonlySet<number>): Promise<RuleResult> {
  const paused = actionsToUndo(deps.store.db, 'queue', only);
  const off = paused.flatMap((action) => (action.undo as PausedGroup).workflows.filter(isOff));
  const attempts = paused.length === 0 ? [] : [await bringBack(deps, paused, 'asked for by hand', true)];
  return { rule: 'queue', found: `${countOf(off.length)} paused by recovery`, attempts };
}

/** So many are looked at in a run: each is a call. */
const MOST_LOOKS = 50;

/**
 * Compares the records of what is paused with n8n: a workflow that somebody activated, deleted or archived is not off because of
 * recovery any more, one that was renamed has its new name, and one that n8n was asked for without an answer is known
 * to be off or not. Where n8n does not answer, the records stay as they are. Returns what changed, one plain sentence each.
 */
async function lookAtPaused(deps: RecoveryDeps, api: N8nApi, paused: readonly Action[]): Promise<string[]> {
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
