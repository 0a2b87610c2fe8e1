import type { N8nTarget } from '../model/targets.ts';
import type { N8nFailures, N8nValues } from '../model/snapshot.ts';
import type { Postgres } from '../system/types.ts';

type Database = NonNullable<N8nTarget['database']>;
type Executions = NonNullable<N8nValues['executions']>;

/** Executions that are not finished are among the newest; older ones that wait are found by their index. */
const RECENT = 50_000;
/** The newest ones, of a week at most: enough to judge by, and a few milliseconds. */
const MOST_FINISHED = 5000;
/** Workflows whose failures in a row are reported. */
const MOST_STREAKS = 50;

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

/** Which columns of workflow_entity this n8n has, and `latestEvent` of workflow_statistics; they differ between versions. */
export async function workflowColumns(postgres: Postgres, database: Database): Promise<Set<string>> {
  const rows = await postgres.query(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = $1
      AND (table_name = $2 AND column_name IN ('active', 'activeVersionId', 'isArchived')
        OR table_name = $3 AND column_name = 'latestEvent')`,
    [database.schema, `${database.prefix}workflow_entity`, `${database.prefix}workflow_statistics`],
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

/** Queued for longer than two minutes and less than a day: what is younger may just be on its way into Redis. */
const FOR_LONG = `AND "createdAt" BETWEEN now() - interval '1 day' AND now() - interval '2 minutes'`;

/** Executions that wait to be run, all or those that do so for long: how many, and the three workflows with the most of them. */
export async function readQueued(
  postgres: Postgres,
  database: Database,
  which: 'all' | 'for long',
): Promise<{ total: number; by: NonNullable<N8nValues['queuedBy']> }> {
  const t = table(database, 'execution_entity');
  const rows = await postgres.query(
    `SELECT coalesce(w.name, e."workflowId") AS name, e.n, e.total FROM (
       SELECT "workflowId", count(*) AS n, sum(count(*)) OVER () AS total FROM ${t}
       WHERE id > (SELECT coalesce(max(id), 0) - ${RECENT} FROM ${t})
         AND status = 'new' AND "startedAt" IS NULL AND "deletedAt" IS NULL ${which === 'all' ? '' : FOR_LONG}
       GROUP BY 1 ORDER BY 2 DESC LIMIT 3) e
     LEFT JOIN ${table(database, 'workflow_entity')} w ON w.id = e."workflowId" ORDER BY e.n DESC`,
  );
  return {
    total: Number(rows[0]?.total ?? 0),
    by: rows.map(({ name, n }) => ({ workflow: String(name), count: Number(n) })),
  };
}

/**
 * Failed and finished executions of the last minutes, and each workflow's failures since its last success, however long ago. Where n8n does not keep
 * successes (EXECUTIONS_DATA_SAVE_ON_SUCCESS=none) its statistics show when the last one was; then the share of failures is not known.
 */
export async function readFailures(
  postgres: Postgres,
  database: Database,
  columns: Set<string>,
  windowMin: number,
): Promise<N8nFailures> {
  const lastSuccess = columns.has('latestEvent')
    ? `SELECT "workflowId" AS w, max("latestEvent") AS at FROM ${table(database, 'workflow_statistics')}
       WHERE name IN ('production_success', 'manual_success') GROUP BY 1`
    : 'SELECT NULL::text AS w, NULL::timestamptz AS at WHERE false';
  const rows = await postgres.query(
    `WITH done AS (
       SELECT "workflowId" AS w, status <> 'success' AS bad, "stoppedAt" AS at FROM ${table(database, 'execution_entity')}
       WHERE "stoppedAt" > now() - interval '7 days' AND "deletedAt" IS NULL
         AND status IN ('success', 'error', 'crashed')
       ORDER BY "stoppedAt" DESC LIMIT ${MOST_FINISHED}),
     noted AS (${lastSuccess}),
     good AS (
       SELECT w, max(at) AS at, bool_or(kept) AS kept FROM (
         SELECT w, at, true AS kept FROM done WHERE NOT bad UNION ALL SELECT w, at, false FROM noted) both_of
       GROUP BY w),
     each AS (
       SELECT d.w, count(*) FILTER (WHERE bad) AS ever,
         count(*) FILTER (WHERE d.at > now() - $1::int * interval '1 minute') AS finished,
         count(*) FILTER (WHERE bad AND d.at > now() - $1::int * interval '1 minute') AS failed,
         count(*) FILTER (WHERE bad AND (g.at IS NULL OR d.at > g.at)) AS streak,
         extract(epoch FROM min(d.at) FILTER (WHERE bad AND (g.at IS NULL OR d.at > g.at))) * 1000 AS since,
         bool_or(NOT g.kept AND g.at > now() - $1::int * interval '1 minute') AS unkept
       FROM done d LEFT JOIN good g ON g.w = d.w GROUP BY d.w)
     SELECT coalesce(f.name, e.w) AS name, e.ever, e.streak, e.since, bool_or(e.unkept) OVER () AS unkept,
       sum(e.finished) OVER () AS finished, sum(e.failed) OVER () AS failed
     FROM each e LEFT JOIN ${table(database, 'workflow_entity')} f ON f.id = e.w
     ORDER BY e.streak DESC, e.ever DESC LIMIT ${MOST_STREAKS}`,
    [windowMin],
  );
  return {
    windowMin,
    finished: rows[0]?.unkept === 't' ? 0 : Number(rows[0]?.finished ?? 0),
    failed: Number(rows[0]?.failed ?? 0),
    streaks: rows
      .filter(({ ever }) => Number(ever) > 0)
      .map(({ name, streak, since }) => ({
        workflow: String(name),
        count: Number(streak),
        since: Math.round(Number(since ?? 0)),
      })),
  };
}
