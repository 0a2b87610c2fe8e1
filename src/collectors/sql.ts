import type { Discovered, PostgresTarget } from '../model/targets.ts';
import type { SqlMetric } from '../config/schema.ts';
import { absent } from '../model/reading.ts';
import type { SqlSample, SqlValues } from '../model/snapshot.ts';
import { errorText, plain } from '../model/text.ts';
import { holdPostgres, mayHaveMoved, type Hold } from './connections.ts';
import type { Postgres } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';
import { identifier } from './n8n-database.ts';

const STATEMENT_MS = 2000;
/** SQLSTATE of what statement_timeout ends. */
const CANCELED = '57014';
/** A query that took t is asked again after 100 t at the earliest, so that the metrics take 1 % of a CPU at most. */
const REST = 100;
/** What begins later than this after the start of a reading waits for the next one: a source has 5 s. */
const START_WITHIN_MS = 2200;

type Metric = Pick<SqlMetric, 'name' | 'help'> & {
  /** Undefined: not here. */
  target(found: Discovered): PostgresTarget | undefined;
  read(postgres: Postgres): Promise<SqlSample[]>;
};
type Last = { samples: SqlSample[]; why?: string; /** Not before. */ next: number };

/**
 * The metrics of vpsmon.yaml and `lead_count`, each in a READ ONLY transaction of its own. A broken one is named in
 * `broken` and harms nothing.
 */
export function createSql(deps: CollectorDeps): Collector<'sql'> {
  const metrics = metricsOf(deps);
  const holds = new Map<Metric, Hold<PostgresTarget, Postgres>>();
  const last = new Map<Metric, Last>();
  const { monotonic } = deps.system.clock;

  async function run(metric: Metric, target: PostgresTarget): Promise<Last> {
    const hold = holds.get(metric) ?? holdPostgres(deps.system);
    holds.set(metric, hold);
    const start = monotonic();
    try {
      const samples = await metric.read(hold.to(target));
      return { samples, next: monotonic() + (monotonic() - start) * REST };
    } catch (error) {
      if (mayHaveMoved(error)) deps.rediscover();
      const tooLong = (error as { code?: string }).code === CANCELED;
      const rest = tooLong ? (monotonic() - start) * REST : 0;
      return { samples: [], why: errorText(error), next: monotonic() + rest };
    }
  }

  return {
    async read(signal) {
      const found = await deps.discovered(signal);
      const here = metrics.flatMap((metric) => {
        const target = metric.target(found);
        return target ? [{ metric, target }] : [];
      });
      if (here.length === 0) return absent(found.missing.postgres ?? 'no PostgreSQL was found');
      const start = monotonic();
      const result: SqlValues = { samples: [], broken: [] };
      for (const { metric, target } of here) {
        let value = last.get(metric);
        const due = value === undefined || monotonic() >= value.next;
        if (due && !signal.aborted && monotonic() - start < START_WITHIN_MS) {
          value = await run(metric, target);
          last.set(metric, value);
        }
        result.samples.push(...(value?.samples ?? []));
        if (value?.why !== undefined) result.broken.push({ name: metric.name, why: value.why });
      }
      return result;
    },
    async close() {
      await Promise.all([...holds.values()].map((hold) => hold.release()));
    },
  };
}

function metricsOf(deps: CollectorDeps): Metric[] {
  const own = deps.config.extra.sqlMetrics.map((metric): Metric => ({
    ...metric,
    target: ({ postgres }) =>
      postgres && metric.database ? { ...postgres, database: metric.database } : postgres,
    read: async (postgres) => samplesOf(metric, await postgres.readOnly(metric.query, STATEMENT_MS)),
  }));
  if (own.some(({ name }) => name === LEAD_COUNT.name)) return own;
  const leads: Metric = {
    ...LEAD_COUNT,
    target: ({ n8n, postgres }) => n8n?.database ?? postgres,
    read: (postgres) => readLeadCount(postgres, STATEMENT_MS),
  };
  return [leads, ...own];
}

const LEAD_COUNT = {
  name: 'lead_count',
  help: 'Rows in all tables with "lead" in their name.',
};

/** Tables of the users; a partition is counted with the table that it is a part of. */
const TABLES_SQL = `SELECT s.nspname AS schema, t.relname AS name
FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
WHERE t.relname ILIKE '%lead%' AND t.relkind IN ('r', 'p') AND NOT t.relispartition
  AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname NOT LIKE 'pg\\_t%'
ORDER BY 1, 2 LIMIT 200`;

/** The rows of every table with "lead" in its name, counted exactly; nothing where there is no such table. */
async function readLeadCount(postgres: Postgres, timeoutMs: number): Promise<SqlSample[]> {
  const tables = await postgres.query(TABLES_SQL, [], timeoutMs);
  if (tables.length === 0) return [];
  const counts = tables.map(
    ({ schema, name }) => `(SELECT count(*) FROM ${identifier(String(schema))}.${identifier(String(name))})`,
  );
  const rows = await postgres.readOnly(`SELECT ${counts.join(' + ')} AS value`, timeoutMs);
  return [{ ...LEAD_COUNT, labels: {}, value: Number(rows[0]?.value) }];
}

const LABEL_MAX = 200;

/**
 * Rows as samples: the column `value`, or else the last one, is the number; every other column is a label. Rows whose
 * number is NULL say nothing and are left out. Throws where it is no number, or where two rows have the same labels.
 */
export function samplesOf(
  metric: { name: string; help: string },
  rows: Record<string, unknown>[],
): SqlSample[] {
  const seen = new Set<string>();
  return rows.flatMap((row) => {
    const columns = Object.keys(row);
    const column = columns.includes('value') ? 'value' : columns.at(-1);
    if (column === undefined) throw new Error('the query has no columns');
    const text = row[column];
    if (text === null) return [];
    const value = numberOf(text);
    if (value === undefined) {
      throw new Error(`the column ${plain(column, 60)} is no number: ${plain(String(text), 60)}`);
    }
    const labels: Record<string, string> = {};
    for (const name of columns)
      if (name !== column) labels[labelName(name)] = plain(String(row[name] ?? ''), LABEL_MAX);
    const key = JSON.stringify(labels);
    if (seen.has(key)) throw new Error(`two rows have the same labels: ${plain(key, 120)}`);
    seen.add(key);
    return [{ name: metric.name, help: metric.help, labels, value }];
  });
}

/** Numbers as PostgreSQL writes them; true and false are 1 and 0. */
function numberOf(text: unknown): number | undefined {
  if (text === 't') return 1;
  if (text === 'f') return 0;
  const value = typeof text === 'string' && text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Prometheus allows letters, digits and underscores, no digit first, and keeps names with two underscores for itself. */
function labelName(column: string): string {
  const name = column.replace(/[^A-Za-z0-9_]/g, '_').replace(/^_+/, '') || 'column';
  return /^\d/.test(name) ? `_${name}` : name;
}
