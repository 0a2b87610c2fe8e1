import * as v from 'valibot';
import { withoutTarget } from './absent.ts';
import { EpochMs, Finite } from '../model/shapes.ts';
import type { PostgresValues } from '../model/snapshot.ts';
import { holdPostgres, mayHaveMoved } from './connections.ts';
import type { Collector, CollectorDeps } from './types.ts';

/** Fewer block reads than this in an interval say nothing about the cache. */
const MIN_BLOCKS = 1000;
const REMEMBER_EVERY_MS = 300_000;
const REMEMBERED_FOR_MS = 600_000;
const MEMORY_KEY = 'postgres.blocks';

/**
 * Everything in one question. Its own session counts as idle: it is, but for this question. Another user's sessions have
 * no kind, state and times without the role pg_monitor: those that are a user's in a database count as other, and the
 * longest transaction is unknown. https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
 */
const SQL = `SELECT current_setting('server_version') AS version,
  current_setting('max_connections') AS max_connections,
  current_setting('superuser_reserved_connections')::int
    + coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0) AS reserved,
  pg_catalog.pg_database_size(current_database()) AS size,
  extract(epoch FROM pg_catalog.pg_postmaster_start_time()) AS started,
  (SELECT json_agg(json_build_array(datid, extract(epoch FROM stats_reset), blks_hit, blks_read))
    FROM pg_catalog.pg_stat_database) AS blocks,
  (SELECT json_build_array(of, name, used, most) FROM (
     SELECT 'database' AS of, d.datname AS name, s.numbackends AS used, d.datconnlimit AS most
       FROM pg_catalog.pg_database d JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid WHERE d.datconnlimit > 0
     UNION ALL SELECT 'user', r.rolname, count(a.pid), r.rolconnlimit FROM pg_catalog.pg_roles r
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.usesysid = r.oid AND a.datid IS NOT NULL
       WHERE r.rolconnlimit > 0 AND NOT r.rolsuper GROUP BY r.rolname, r.rolconnlimit) AS own
   ORDER BY used::float / most DESC LIMIT 1) AS narrowest,
  sessions.*
FROM (SELECT count(*) AS total,
    count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS active,
    count(*) FILTER (WHERE state = 'idle' OR pid = pg_backend_pid()) AS idle,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS in_transaction,
    count(*) FILTER (WHERE backend_type IS NULL) AS hidden,
    max(extract(epoch FROM clock_timestamp() - xact_start)) FILTER (WHERE pid <> pg_backend_pid()) AS longest
  FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'
    OR (backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL)) AS sessions`;

/**
 * PostgreSQL 9.6 does not say of what kind a session is: those of a user in a database count, but for autovacuum's, and one without a state is
 * hidden.
 */
export const SQL_BEFORE_10 = SQL.replace('backend_type IS NULL) AS hidden', 'state IS NULL) AS hidden')
  .replaceAll('backend_type', 'NULL::text')
  .replace('usesysid IS NOT NULL)', "usesysid IS NOT NULL AND query NOT LIKE 'autovacuum:%')");
/** SQLSTATE of the column that is missing there. */
const NO_SUCH_COLUMN = '42703';

/** Blocks found in the cache and blocks read from disk, by database, since that database's counters were reset. */
const Blocks = v.object({
  server: v.string(),
  databases: v.record(v.string(), v.object({ reset: Finite, hit: Finite, read: Finite })),
});
export type Blocks = v.InferOutput<typeof Blocks>;

/** Cache, connections, size and longest transaction of one PostgreSQL server. One query over one kept connection. */
export function createPostgres(deps: CollectorDeps): Collector<'postgres'> {
  const connection = holdPostgres(deps.system);
  let before: Blocks | undefined;
  let rememberedAt = -Infinity;
  let sql = SQL;

  function remembered(): Blocks | undefined {
    const old = deps.recall(MEMORY_KEY, v.object({ at: EpochMs, blocks: Blocks }));
    return old && Math.abs(deps.system.clock.now() - old.at) < REMEMBERED_FOR_MS ? old.blocks : undefined;
  }

  /** So that a command that looks once has an interval, too. */
  function remember(blocks: Blocks): void {
    const now = deps.system.clock.monotonic();
    if (now - rememberedAt < REMEMBER_EVERY_MS) return;
    rememberedAt = now;
    deps.remember(MEMORY_KEY, { at: deps.system.clock.now(), blocks });
  }

  return {
    source: 'postgres',
    async read(signal) {
      const found = await deps.discovered(signal);
      const { postgres: target } = found;
      if (!target) return withoutTarget(found, 'postgres');
      const postgres = connection.to(target);
      const rows = await postgres.query(sql).catch((error: unknown) => {
        if (mayHaveMoved(error)) deps.rediscover();
        if ((error as { code?: string }).code !== NO_SUCH_COLUMN || sql === SQL_BEFORE_10) throw error;
        sql = SQL_BEFORE_10;
        return postgres.query(sql);
      });
      const row = rows[0];
      if (!row) throw new Error(`PostgreSQL at ${postgres.address} answered nothing`);
      const blocks = parseBlocks(row, postgres.address);
      const percent = hitPercent(before ?? remembered(), blocks);
      const lifetime = hitPercent({ server: blocks.server, databases: {} }, blocks, 1);
      before = blocks;
      remember(blocks);
      return {
        address: postgres.address,
        ...parsePostgres(row),
        ...(percent === undefined ? {} : { cacheHitPercent: percent }),
        ...(lifetime === undefined ? {} : { cacheHitLifetimePercent: lifetime }),
      };
    },
    close: () => connection.release(),
  };
}

type Row = Record<string, unknown>;

export function parsePostgres(row: Row): Omit<PostgresValues, 'address'> {
  const count = (key: string) => number(row[key], key);
  const [total, active, idle, idleInTransaction] = [
    count('total'),
    count('active'),
    count('idle'),
    count('in_transaction'),
  ];
  const narrowest = parseNarrowest(row['narrowest']);
  const other = Math.max(0, total - active - idle - idleInTransaction);
  return {
    version: String(row.version).split(' ')[0] ?? '',
    connections: {
      active,
      idle,
      idleInTransaction,
      other,
      total,
      max: count('max_connections'),
      reserved: count('reserved'),
      ...(narrowest ? { narrowest } : {}),
    },
    databaseSizeBytes: count('size'),
    ...(count('hidden') > 0
      ? {}
      : { longestTransactionSec: row.longest === null ? 0 : Math.max(0, count('longest')) }),
  };
}

const Narrowest = v.tuple([v.picklist(['database', 'user']), v.string(), Finite, Finite]);

/** `["database", "app", 9, 10]`; nothing where nobody has a limit of their own. */
function parseNarrowest(value: unknown): PostgresValues['connections']['narrowest'] {
  if (value === null || value === undefined || value === '') return undefined;
  try {
    const [of, name, used, max] = v.parse(Narrowest, JSON.parse(String(value)));
    return { of, name, used, max };
  } catch {
    throw new Error('PostgreSQL answered no limit of connections');
  }
}

/**
 * Database (an oid, which json_build_array writes as a text), when its counters were reset (seconds since the epoch), blocks from
 * the cache and from the disk.
 */
const BlockList = v.nullable(
  v.array(v.tuple([v.nullable(v.union([v.string(), Finite])), v.nullable(Finite), Finite, Finite])),
);

export function parseBlocks(row: Row, address: string): Blocks {
  const databases: Blocks['databases'] = {};
  let list: v.InferOutput<typeof BlockList>;
  try {
    list = v.parse(BlockList, JSON.parse(String(row.blocks)));
  } catch {
    throw new Error('PostgreSQL answered no list of block counters');
  }
  for (const [id, reset, hit, read] of list ?? []) databases[String(id)] = { reset: reset ?? 0, hit, read };
  return { server: `${address} ${String(row.started)}`, databases };
}

/**
 * Of the blocks asked for since `before`, the share found in the cache, 0-100. A database whose counters were reset in
 * between is left out; a restarted server starts anew.
 */
export function hitPercent(
  before: Blocks | undefined,
  now: Blocks,
  least: number = MIN_BLOCKS,
): number | undefined {
  if (before?.server !== now.server) return undefined;
  let [hit, read] = [0, 0];
  for (const [id, database] of Object.entries(now.databases)) {
    const old = before.databases[id] ?? { reset: database.reset, hit: 0, read: 0 };
    if (old.reset !== database.reset || database.hit < old.hit || database.read < old.read) continue;
    hit += database.hit - old.hit;
    read += database.read - old.read;
  }
  return hit + read < least ? undefined : (100 * hit) / (hit + read);
}

function number(value: unknown, what: string): number {
  const result = value === null || value === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(result)) throw new Error(`PostgreSQL answered no number for ${what}`);
  return result;
}
