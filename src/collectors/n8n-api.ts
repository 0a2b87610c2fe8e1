import * as v from 'valibot';
import type { HttpTarget } from '../model/targets.ts';
import type { N8nValues } from '../model/snapshot.ts';
import { askJson } from './http-target.ts';
import type { Program } from './http-target.ts';
import type { CollectorDeps } from './types.ts';

type Executions = NonNullable<N8nValues['executions']>;
type Workflows = NonNullable<N8nValues['workflows']>;
type ApiDeps = Pick<CollectorDeps, 'system' | 'rediscover'>;

/** The numbers come by the page; after this many, the rest is not worth its price. */
const MAX_PAGES = 4;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

const Page = <S extends v.GenericSchema>(item: S) =>
  v.object({ data: v.array(item), nextCursor: v.optional(v.nullable(v.string())) });
const ExecutionPage = Page(
  v.object({ stoppedAt: v.optional(v.nullable(v.string())), finished: v.optional(v.unknown()) }),
);
const WorkflowPage = Page(
  v.object({
    active: v.optional(v.nullable(v.boolean())),
    activeVersionId: v.optional(v.nullable(v.string())),
    isArchived: v.optional(v.nullable(v.boolean())),
  }),
);

export function n8nProgram(target: HttpTarget): Program {
  return { ...target, name: 'n8n', key: 'N8N_API_KEY' };
}

/**
 * What can be had without the database, where n8n keeps it in SQLite. The API leaves queued executions out and knows no
 * `crashed`, which it counts among the errors. `finishedSince` in epoch ms.
 */
export async function readExecutionsByApi(
  deps: ApiDeps,
  target: HttpTarget,
  finishedSince: number,
  signal: AbortSignal,
): Promise<Executions> {
  const count = async (status: string, since?: number) => {
    const items = await pages(deps, target, `/api/v1/executions?status=${status}&limit=250`, ExecutionPage, {
      signal,
      until: (item) => since !== undefined && stoppedBefore(item.stoppedAt, since),
    });
    return since === undefined
      ? items.length
      : items.filter((i) => !stoppedBefore(i.stoppedAt, since)).length;
  };
  const [active, waiting, completed, failed, canceled] = await Promise.all([
    count('running'),
    count('waiting'),
    count('success', finishedSince),
    count('error', finishedSince),
    count('canceled', finishedSince),
  ]);
  return { active, waiting, completed, failed, canceled };
}

export async function readWorkflowsByApi(
  deps: ApiDeps,
  target: HttpTarget,
  signal: AbortSignal,
): Promise<Workflows> {
  // Each item is a whole workflow: small pages keep the peak of memory small.
  const path = '/api/v1/workflows?limit=25&excludePinnedData=true';
  const all = await pages(deps, target, path, WorkflowPage, { signal, maxPages: 40 });
  const living = all.filter((workflow) => workflow.isArchived !== true);
  const active = living.filter(({ active: on, activeVersionId }) =>
    activeVersionId === undefined ? on === true : activeVersionId !== null,
  );
  return { total: living.length, active: active.length };
}

function stoppedBefore(stoppedAt: string | null | undefined, since: number): boolean {
  return stoppedAt !== null && stoppedAt !== undefined && Date.parse(stoppedAt) < since;
}

/** Follows `nextCursor`, newest first, until there is none, or an item says that the rest is too old. */
async function pages<T>(
  deps: ApiDeps,
  target: HttpTarget,
  path: string,
  schema: v.GenericSchema<unknown, { data: T[]; nextCursor?: string | null | undefined }>,
  options: { signal: AbortSignal; until?: (item: T) => boolean; maxPages?: number },
): Promise<T[]> {
  const items: T[] = [];
  let cursor = '';
  for (let page = 0; page < (options.maxPages ?? MAX_PAGES); page++) {
    const { value } = await askJson(deps, n8nProgram(target), `${path}${cursor}`, {
      headers: { 'X-N8N-API-KEY': target.apiKey },
      schema,
      signal: options.signal,
      maxBytes: MAX_PAGE_BYTES,
    });
    items.push(...value.data);
    const last = value.data.at(-1);
    if (!value.nextCursor || last === undefined || options.until?.(last)) break;
    cursor = `&cursor=${encodeURIComponent(value.nextCursor)}`;
  }
  return items;
}
