import type { Discovered, PostgresTarget } from '../model/targets.ts';
import type { SqlMetric } from '../config/schema.ts';
import { absent } from '../model/reading.ts';
import type { SqlSample, SqlValues } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { holdPostgres, mayHaveMoved, type Hold } from './connections.ts';
import { LEAD_COUNT, readLeadCount } from './sql-leads.ts';
import { samplesOf } from './sql-samples.ts';
import type { Postgres } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';

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
    source: 'sql',
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
