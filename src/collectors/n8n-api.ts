import * as v from 'valibot';
import type { HttpTarget } from '../model/targets.ts';
import type { N8nFailures, N8nValues } from '../model/snapshot.ts';
import type { HttpAnswer } from '../system/types.ts';
import { addressOf, N8N } from '../system/apps/request.ts';
import { ask, askJson, type Program } from './http-target.ts';
import type { CollectorDeps } from './types.ts';

type Workflows = NonNullable<N8nValues['workflows']>;
type ApiDeps = Pick<CollectorDeps, 'system' | 'rediscover'>;

/** The numbers come by the page; after this many, the rest is not worth its price. */
const MAX_PAGES = 4;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;
/** Workflows whose name is asked for. */
const MOST_NAMES = 5;

const Page = <S extends v.GenericSchema>(item: S) =>
  v.object({ data: v.array(item), nextCursor: v.optional(v.nullable(v.string())) });
const ExecutionPage = Page(
  v.object({
    stoppedAt: v.optional(v.nullable(v.string())),
    finished: v.optional(v.unknown()),
    workflowId: v.optional(v.unknown()),
  }),
);
const WorkflowPage = Page(
  v.object({
    active: v.optional(v.nullable(v.boolean())),
    activeVersionId: v.optional(v.nullable(v.string())),
    isArchived: v.optional(v.nullable(v.boolean())),
  }),
);

export function n8nProgram(target: HttpTarget): Program {
  return { ...target, app: N8N };
}

/**
 * What can be had without the database, where n8n keeps it in SQLite. The API leaves queued executions out and knows no
 * `crashed`, which it counts among the errors. `finishedSince` in epoch ms. Counts stop where the pages do.
 */
export async function readExecutionsByApi(
  deps: ApiDeps,
  target: HttpTarget,
  window: { finishedSince: number; failuresWithinMin: number; now: number },
  signal: AbortSignal,
): Promise<Pick<N8nValues, 'executions' | 'failures' | 'countedUpTo'>> {
  const list = async (status: string, since?: number) => {
    const { items, more } = await pages(
      deps,
      target,
      `/api/v1/executions?status=${status}&limit=250`,
      ExecutionPage,
      { signal, until: (item) => since !== undefined && stoppedBefore(item.stoppedAt, since) },
    );
    const those = since === undefined ? items : items.filter((i) => !stoppedBefore(i.stoppedAt, since));
    return { items: those, more };
  };
  const { finishedSince } = window;
  const [active, waiting, completed, failed, canceled] = await Promise.all([
    list('running'),
    list('waiting'),
    list('success', finishedSince),
    list('error', finishedSince),
    list('canceled', finishedSince),
  ]);
  const all = [active, waiting, completed, failed, canceled];
  // Where the pages ran out, what came before is of one kind only: no share, and no series, can be made of it.
  const from = Math.max(
    0,
    ...[completed, failed].flatMap((list) => (list.more ? [oldestOf(list.items)] : [])),
  );
  const finished = [
    ...completed.items.map((item) => ({ item, failed: false })),
    ...failed.items.map((item) => ({ item, failed: true })),
  ].flatMap(({ item, failed: bad }) => {
    const at = Date.parse(item.stoppedAt ?? '');
    return at >= from ? [{ workflow: String(item.workflowId), failed: bad, at }] : [];
  });
  return {
    executions: {
      active: active.items.length,
      waiting: waiting.items.length,
      completed: completed.items.length,
      failed: failed.items.length,
      canceled: canceled.items.length,
    },
    failures: await withNames(
      deps,
      target,
      failuresOf(
        finished,
        Math.min(window.failuresWithinMin, Math.max(1, Math.ceil((window.now - from) / 60_000))),
        window.now,
      ),
      signal,
    ),
    ...(all.some(({ more }) => more) ? { countedUpTo: MAX_PAGES * 250 } : {}),
  };
}

/** Epoch ms at which the oldest of these stopped. */
function oldestOf(items: readonly { stoppedAt?: string | null | undefined }[]): number {
  const times = items.map(({ stoppedAt }) => Date.parse(stoppedAt ?? '')).filter(Number.isFinite);
  return Math.min(Number.MAX_SAFE_INTEGER, ...times);
}

const Named = v.object({ name: v.string() });

/** The API knows executions by the workflow's number only; names are asked for where a failure is to be named. */
async function withNames(
  deps: ApiDeps,
  target: HttpTarget,
  failures: N8nFailures,
  signal: AbortSignal,
): Promise<N8nFailures> {
  const streaks = await Promise.all(
    failures.streaks.map(async (streak, i) => {
      if (i >= MOST_NAMES || streak.count < 3) return streak;
      const path = `/api/v1/workflows/${encodeURIComponent(streak.workflow)}?excludePinnedData=true`;
      try {
        const { value } = await askJson(deps, n8nProgram(target), path, {
          schema: Named,
          signal,
          maxBytes: MAX_PAGE_BYTES,
        });
        return { ...streak, workflow: value.name };
      } catch {
        return streak; // The number will do.
      }
    }),
  );
  return { ...failures, streaks };
}

/** silent: n8n does not answer, and will not answer the next question either. unclear: it answered something about something else. */
export type KeyState = 'accepted' | 'unclear' | 'silent';

/** Whether n8n accepts the key. Throws where it does not; `refused` where it accepts it for nothing. */
export async function checkKey(deps: ApiDeps, target: HttpTarget, signal: AbortSignal): Promise<KeyState> {
  const path = '/api/v1/workflows?limit=1&excludePinnedData=true';
  let answer: HttpAnswer;
  try {
    answer = await ask(deps, n8nProgram(target), path, {
      signal,
      maxBytes: MAX_PAGE_BYTES,
    });
  } catch {
    return 'silent';
  }
  if (answer.status !== 401 && answer.status !== 403) return answer.status < 300 ? 'accepted' : 'unclear';
  const why = answer.status === 403 ? 'it lacks the scope workflow:list' : 'wrong, revoked or expired';
  throw Object.assign(
    new Error(
      `n8n at ${addressOf(target.url)} refuses the API key (${answer.status}: ${why}); set N8N_API_KEY to one that it accepts`,
    ),
    { refused: answer.status === 401 },
  );
}

/** n8n's keys are JSON web tokens, whose second part says until when they hold (`exp`, seconds). Undefined where it says nothing. */
export function keyExpiry(apiKey: string): number | undefined {
  try {
    const claims = JSON.parse(Buffer.from(apiKey.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown;
    };
    return typeof claims.exp === 'number' && Number.isFinite(claims.exp) ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

export async function readWorkflowsByApi(
  deps: ApiDeps,
  target: HttpTarget,
  signal: AbortSignal,
): Promise<Workflows> {
  // Each item is a whole workflow: small pages keep the peak of memory small.
  const path = '/api/v1/workflows?limit=25&excludePinnedData=true';
  const { items, more } = await pages(deps, target, path, WorkflowPage, { signal, maxPages: 40 });
  const living = items.filter((workflow) => workflow.isArchived !== true);
  const active = living.filter(({ active: on, activeVersionId }) =>
    activeVersionId === undefined ? on === true : activeVersionId !== null,
  );
  return { total: living.length, active: active.length, ...(more ? { more } : {}) };
}

function stoppedBefore(stoppedAt: string | null | undefined, since: number): boolean {
  return stoppedAt !== null && stoppedAt !== undefined && Date.parse(stoppedAt) < since;
}

/** Follows `nextCursor`, newest first, until there is none, or an item says that the rest is too old. `more`: the pages ran out. */
async function pages<T>(
  deps: ApiDeps,
  target: HttpTarget,
  path: string,
  schema: v.GenericSchema<unknown, { data: T[]; nextCursor?: string | null | undefined }>,
  options: { signal: AbortSignal; until?: (item: T) => boolean; maxPages?: number },
): Promise<{ items: T[]; more?: true }> {
  const items: T[] = [];
  let cursor = '';
  for (let page = 0; page < (options.maxPages ?? MAX_PAGES); page++) {
    const { value } = await askJson(deps, n8nProgram(target), `${path}${cursor}`, {
      schema,
      signal: options.signal,
      maxBytes: MAX_PAGE_BYTES,
    });
    items.push(...value.data);
    const last = value.data.at(-1);
    if (!value.nextCursor || last === undefined || options.until?.(last)) return { items };
    cursor = `&cursor=${encodeURIComponent(value.nextCursor)}`;
  }
  return { items, more: true };
}

/** A finished execution. */
type Finished = { workflow: string; failed: boolean; at: number };

/** More workflows than this are not named. */
const MOST_STREAKS = 50;

/**
 * How many of the last minutes failed, and how many in a row of each workflow, since its last success however long ago. Those that have
 * failed and then succeeded have 0 in a row. Pure; order does not matter.
 */
export function failuresOf(finished: readonly Finished[], windowMin: number, now: number): N8nFailures {
  const lastSuccess = new Map<string, number>();
  for (const { workflow, failed, at } of finished)
    if (!failed) lastSuccess.set(workflow, Math.max(at, lastSuccess.get(workflow) ?? 0));
  const streaks = new Map<string, { workflow: string; count: number; since: number }>();
  for (const { workflow, failed, at } of finished) {
    if (!failed) continue;
    const { count, since } = streaks.get(workflow) ?? { count: 0, since: now };
    const over = at <= (lastSuccess.get(workflow) ?? 0);
    streaks.set(workflow, {
      workflow,
      count: over ? count : count + 1,
      since: over ? since : Math.min(since, at),
    });
  }
  const lately = finished.filter(({ at }) => at > now - windowMin * 60_000);
  return {
    windowMin,
    finished: lately.length,
    failed: lately.filter(({ failed }) => failed).length,
    streaks: [...streaks.values()]
      .map((streak) => (streak.count === 0 ? { ...streak, since: 0 } : streak))
      .toSorted((a, b) => b.count - a.count)
      .slice(0, MOST_STREAKS),
  };
}
