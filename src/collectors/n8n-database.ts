import type { N8nTarget } from '../model/targets.ts';
import type { N8nValues } from '../model/snapshot.ts';
import type { Postgres } from '../system/types.ts';

type Database = NonNullable<N8nTarget['database']>;
type Executions = NonNullable<N8nValues['executions']>;

/** Executions that are not finished are among the newest; older ones that wait are found by their index. */
const RECENT = 50_000;

/** "a""b": safe in SQL whatever is in it. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function table(database: Database, name: string): string {
  return `${identifier(database.schema)}.${identifier(database.prefix + name)}`;
}

/**
 * n8n has no index on the status, so nothing here may scan by it: unfinished ones are looked for by primary key, waiting
 * ones by `waitTill`, finished ones by `stoppedAt`. Deleted ones stay in the table for a while, with `deletedAt`.
 */
export function executionsSql(database: Database): string {
  const t = table(database, 'execution_entity');
  return `WITH newest AS (SELECT coalesce(max(id), 0) - ${RECENT} AS id FROM ${t})
SELECT status, "startedAt" IS NULL AS unstarted, count(*) AS n FROM ${t}
  WHERE id > (SELECT id FROM newest) AND "deletedAt" IS NULL AND status IN ('new', 'running', 'waiting')
  GROUP BY 1, 2
UNION ALL
SELECT status, false, count(*) FROM ${t}
  WHERE id <= (SELECT id FROM newest) AND "waitTill" IS NOT NULL AND "deletedAt" IS NULL AND status = 'waiting'
  GROUP BY 1
UNION ALL
SELECT status, false, count(*) FROM ${t}
  WHERE "stoppedAt" > now() - $1::int * interval '1 minute' AND "deletedAt" IS NULL
    AND status IN ('success', 'error', 'crashed', 'canceled')
  GROUP BY 1`;
}

/** n8n's words in ours: a Wait node is `waiting`, a place in the queue is `new` without a start. */
export function countExecutions(rows: Record<string, unknown>[]): Required<Executions> {
  const counts = { active: 0, waiting: 0, completed: 0, failed: 0, queued: 0, canceled: 0 };
  for (const { status, unstarted, n } of rows) {
    const number = Number(n);
    if (status === 'running') counts.active += number;
    if (status === 'waiting') counts.waiting += number;
    if (status === 'success') counts.completed += number;
    if (status === 'error' || status === 'crashed') counts.failed += number;
    if (status === 'canceled') counts.canceled += number;
    if (status === 'new' && unstarted === 't') counts.queued += number;
  }
  return counts;
}

export async function readExecutions(
  postgres: Postgres,
  database: Database,
  withinHours: number,
): Promise<Executions> {
  return countExecutions(await postgres.query(executionsSql(database), [Math.round(withinHours * 60)]));
}

/** Which columns of workflow_entity this n8n has; they differ between versions. */
export async function workflowColumns(postgres: Postgres, database: Database): Promise<Set<string>> {
  const rows = await postgres.query(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
      AND column_name IN ('active', 'activeVersionId', 'isArchived')`,
    [database.schema, `${database.prefix}workflow_entity`],
  );
  return new Set(rows.map((row) => String(row.column_name)));
}

/** Recent versions publish a version of a workflow (`activeVersionId`); `active` is what older ones have. */
export async function readWorkflows(
  postgres: Postgres,
  database: Database,
  columns: Set<string>,
): Promise<NonNullable<N8nValues['workflows']>> {
  const active = columns.has('activeVersionId') ? '"activeVersionId" IS NOT NULL' : 'active';
  const living = columns.has('isArchived') ? 'WHERE NOT "isArchived"' : '';
  const rows = await postgres.query(
    `SELECT count(*) AS total, count(*) FILTER (WHERE ${active}) AS active
      FROM ${table(database, 'workflow_entity')} ${living}`,
  );
  return { total: Number(rows[0]?.total ?? 0), active: Number(rows[0]?.active ?? 0) };
}
