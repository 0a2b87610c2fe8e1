import { ageMs, type Action, type Moment } from '../model/action.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import { keepUndo, recentActions } from '../store/actions.ts';
import type { N8nApi, N8nError } from '../system/apps/n8n.ts';
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

/** A workflow that n8n will not activate is asked for again after 5, 10, 20 ... minutes, at last every 6 hours. */
const AGAIN_MS = 5 * 60_000;
/** The timer's runs are five minutes apart, some seconds more or less. */
const SLACK_MS = 60_000;
const AGAIN_MOST_MS = 6 * 3_600_000;
/** That it still is off is sent once a day. */
const REPORT_AGAIN_MS = 24 * 3_600_000;
/** More lines than this make a message that nobody reads. */
const MOST_LINES = 12;
const DAY_MS = 24 * 3_600_000;

/**
 * A step that activates again what these actions paused, at the version that it had. What somebody else changed meanwhile is left
 * alone and reported. `stillShort`: why it should not be done now after all.
 */
export function returnStep(
  deps: RecoveryDeps,
  api: N8nApi,
  paused: readonly Action[],
  options: { why: string; byHand?: boolean; stillShort?: () => Promise<string | undefined> },
): Step {
  const groups = paused.map((action) => ({ id: action.id, group: action.undo as PausedGroup }));
  forgetAskedTwice(groups.map(({ group }) => group));
  const all = groups.flatMap(({ group }) => group.workflows.filter(isOff));
  const isDue = (workflow: Paused) => options.byHand === true || isDueAgain(workflow, deps.moment());
  const off = all.filter(isDue);
  const lines: string[] = [];
  return {
    rule: 'queue',
    target: 'n8n',
    what: 'activate-workflows',
    words: `bring back ${off.length === 1 ? 'the paused workflow' : `${countOf(off.length)} that were paused`} (${namesOf(off)})`,
    why: options.why,
    undoes: paused.map(({ id }) => id),
    ...(options.byHand ? { byHand: true } : {}),
    ...(off.every(({ waits }) => waits) ? { reportEveryMs: REPORT_AGAIN_MS } : {}),
    async obsolete(): Promise<Obsolete> {
      return all.length === 0 ? { over: 'nothing is paused' } : options.stillShort?.();
    },
    async run() {
      const count = { inARow: 0 };
      for (const { id, group } of groups) {
        const keep = () => keepUndo(deps.store.db, id, group);
        const due = group.workflows.filter((workflow) => isOff(workflow) && isDue(workflow));
        const order = due.toSorted((a, b) => (a.failed ?? 0) - (b.failed ?? 0));
        for (const batch of batchesOf(order)) {
          await bringBatchBack(api, batch, { keep, lines, count, moment: deps.moment });
        }
      }
      const keepAll = () => {
        for (const { id, group } of groups) keepUndo(deps.store.db, id, group);
      };
      lines.push(...(await verifyWebhooks(deps, api, off, keepAll)));
    },
    verify: async () => outcomeOf(all, [...lines, ...timesOf(deps, paused, all)]),
  };
}

/** How long what is back was off, in all where it was off more than once within a day, and whose calls from outside were lost. */
function timesOf(deps: RecoveryDeps, paused: readonly Action[], off: readonly Paused[]): string[] {
  const back = off.filter(({ state }) => state === 'back');
  if (back.length === 0) return [];
  const moment = deps.moment();
  const thisTime = Math.max(...paused.map((action) => ageMs(action, moment)));
  const before = recentActions(deps.store.db, DAY_MS, moment).filter(
    ({ what, id, undoneAt }) =>
      what === 'deactivate-workflows' && undoneAt !== undefined && !paused.some((one) => one.id === id),
  );
  const inAll = before.reduce(
    (sum, { startedAt, undoneAt = 0 }) => sum + Math.max(0, undoneAt - startedAt),
    thisTime,
  );
  const more =
    before.length > 0 ? ` (${formatDuration(inAll)} in all within a day, ${before.length + 1} times)` : '';
  const hooks = back.filter(({ webhooks }) => webhooks);
  return [
    `Off for ${formatDuration(thisTime)}${more}`,
    ...(hooks.length > 0 ? [`What was sent to their webhooks meanwhile is lost: ${namesOf(hooks)}`] : []),
  ];
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

function isDueAgain({ waits }: Paused, now: Moment): boolean {
  if (!waits) return true;
  return ageMs(waits, now) >= Math.min(AGAIN_MOST_MS, AGAIN_MS * 2 ** (waits.tries - 1)) - SLACK_MS;
}

/** Whether anything of this is to be tried now; one that n8n refused waits for a while. */
export function anyDue(paused: readonly Action[], now: Moment): boolean {
  const off = paused.flatMap((action) => (action.undo as PausedGroup).workflows.filter(isOff));
  return off.length === 0 || off.some((workflow) => isDueAgain(workflow, now));
}

/**
 * n8n may call a workflow active whose webhook it has not registered: callers get 404. Off and on once more registers it, as a rule;
 * what is not registered then is reported.
 */
async function verifyWebhooks(
  deps: RecoveryDeps,
  api: N8nApi,
  off: readonly Paused[],
  keep: () => void,
): Promise<string[]> {
  const had = off.filter(({ state, registered = 0 }) => state === 'back' && registered > 0);
  const missing = async (of: readonly Paused[]): Promise<Paused[]> => {
    const now = of.length > 0 ? await deps.registeredWebhooks(of.map(({ id }) => id)) : undefined;
    return now ? of.filter(({ id, registered = 0 }) => (now.get(id) ?? 0) < registered) : [];
  };
  const lines: string[] = [];
  const again = await missing(had);
  for (const workflow of again) {
    const { id, name, activeVersionId } = workflow;
    // Off for a moment: where the second call fails, or this process dies, it is brought back by a later run.
    workflow.state = 'asked';
    keep();
    try {
      await api.deactivate(id).catch(() => undefined);
      if ((await api.activate(id, activeVersionId)).active) workflow.state = 'back';
    } catch (error) {
      lines.push(`${plain(name, 80)}: not yet, ${errorText(error)}`);
    }
    keep();
  }
  const still = await missing(again.filter(({ state }) => state === 'back'));
  return [
    ...lines,
    ...still.map(
      ({ name }) =>
        `${plain(name, 80)}: active again, but n8n has not registered its webhook, which answers 404: switch it off and on in n8n, or restart n8n`,
    ),
  ];
}

/** While n8n is asked the record says so: a run that dies then does not take what it did itself for somebody else's doing. */
async function bringBatchBack(
  api: N8nApi,
  batch: readonly Paused[],
  run: { keep: () => void; lines: string[]; count: { inARow: number }; moment: () => Moment },
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
        if (state === 'paused') {
          const { at, boot, uptimeMs } = run.moment();
          const tries = (workflow.waits?.tries ?? 0) + 1;
          workflow.waits = { why: text ?? '', tries, startedAt: at, boot, uptimeMs };
        } else delete workflow.waits;
        delete workflow.failed;
        run.count.inARow = 0;
        if (text !== undefined) run.lines.push(`${plain(workflow.name, 80)}: ${text}`);
      } catch (error) {
        run.lines.push(`${plain(workflow.name, 80)}: not yet, ${errorText(error)}`);
        workflow.failed = (workflow.failed ?? 0) + 1;
        const { hopeless, forbidden } = error as N8nError;
        // It is not in the way of the others, which the key may bring back.
        if (forbidden) continue;
        run.count.inARow += 1;
        if (hopeless || run.count.inARow >= MOST_FAILURES_IN_A_ROW) throw error;
      }
    }
  } finally {
    for (const [i, workflow] of batch.entries()) if (workflow.state === 'asked') workflow.state = were[i]!;
    run.keep();
  }
}

/** `text` where there is more to report than that it is back. */
async function bringOneBack(
  api: N8nApi,
  paused: Paused,
): Promise<{ state: 'back' | 'left' | 'paused'; text?: string }> {
  const left = (why: string) => ({ state: 'left' as const, text: `left alone, ${why}` });
  const now = await api.get(paused.id);
  if (!now) return left('it was deleted meanwhile');
  if (now.archived) return left('it was archived meanwhile');
  // Asked for and never answered: n8n had not done it. Paused for sure: somebody else has switched it on.
  if (now.active)
    return paused.state === 'asked' ? { state: 'back' } : left('somebody has activated it already');
  // Where n8n keeps published versions, the one that was active is activated, whatever was renamed or saved as a draft since.
  const changed = paused.activeVersionId === undefined && paused.content !== undefined;
  if (changed && !now.contents.includes(paused.content!))
    return {
      state: 'paused',
      text: 'still off, somebody changed it meanwhile: activate it by hand when it is ready',
    };
  let after;
  try {
    after = await api.activate(paused.id, paused.activeVersionId);
  } catch (error) {
    const { refused, hopeless, forbidden } = error as N8nError;
    // A trigger's own service may be away for a moment; or a credential is gone, and a person is needed.
    if (refused && !hopeless && !forbidden)
      return {
        state: 'paused',
        text: `still off, n8n will not activate it (${errorText(error)}); it is tried again later`,
      };
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
    ...(still.length > 0 ? [`${still.length} not yet: a later run tries again`] : []),
  ];
  return { worked: still.length === 0, text: parts.join(', '), details };
}
