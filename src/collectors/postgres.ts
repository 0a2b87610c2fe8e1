import * as v from 'valibot';
import { withoutTarget } from './absent.ts';
import { EpochMs, Finite } from '../model/shapes.ts';
import type { PostgresValues } from '../model/snapshot.ts';
import { holdPostgres, mayHaveMoved } from './connections.ts';
import type { Postgres } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';

/** Fewer block reads than this in an interval say nothing about the cache. */
const MIN_BLOCKS = 1000;
const REMEMBER_EVERY_MS = 300_000;
const REMEMBERED_FOR_MS = 600_000;
const MEMORY_KEY = 'postgres.blocks';

/**
 * What a standby receives and replays, and the replication slot that is worst. Who may not see settings (no pg_monitor) does not know
 * whether there is a primary; `wal_status` is there from PostgreSQL 13 on.
 */
const REPLICATION = `(SELECT json_build_object(
    'standby', CASE WHEN pg_catalog.pg_is_in_recovery() THEN json_build_object(
      'receiving', CASE WHEN (SELECT setting <> '' FROM pg_catalog.pg_settings WHERE name = 'primary_conninfo')
        THEN EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver WHERE pid IS NOT NULL) END,
      'waiting', pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()),
      'behind', extract(epoch FROM clock_timestamp()
        - coalesce(pg_catalog.pg_last_xact_replay_timestamp(), pg_catalog.pg_postmaster_start_time()))) END,
    'slot', (SELECT json_build_object('name', slot_name, 'active', active, 'kept', kept, 'lost', lost) FROM (
      SELECT s.slot_name, s.active, coalesce(row_to_json(s) ->> 'wal_status' = 'lost', false) AS lost,
          coalesce(pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn), 0) AS kept
        FROM pg_catalog.pg_replication_slots s) AS slots ORDER BY lost DESC, kept DESC LIMIT 1)))`;

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
  ${REPLICATION}::text AS replication,
  (SELECT json_build_array(datname, age(datfrozenxid))::text FROM pg_catalog.pg_database
    ORDER BY age(datfrozenxid) DESC LIMIT 1) AS oldest,
  sessions.*
FROM (SELECT count(*) AS total,
    count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS active,
    count(*) FILTER (WHERE state = 'idle' OR pid = pg_backend_pid()) AS idle,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS in_transaction,
    count(*) FILTER (WHERE backend_type IS NULL) AS hidden,
    max(extract(epoch FROM clock_timestamp() - xact_start)) FILTER (WHERE pid <> pg_backend_pid()) AS longest
  FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'
    OR (backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL)) AS sessions`;

const SQL_WITHOUT_REPLICATION = SQL.replace(REPLICATION, 'NULL');
/**
 * PostgreSQL 9.6 does not say of what kind a session is: those of a user in a database count, but for autovacuum's, and one without a state is
 * hidden.
 */
export const SQL_BEFORE_10 = SQL_WITHOUT_REPLICATION.replace(
  'backend_type IS NULL) AS hidden',
  'state IS NULL) AS hidden',
)
  .replaceAll('backend_type', 'NULL::text')
  .replace('usesysid IS NOT NULL)', "usesysid IS NOT NULL AND query NOT LIKE 'autovacuum:%')");
const STATEMENTS = [SQL, SQL_WITHOUT_REPLICATION, SQL_BEFORE_10];
/** SQLSTATE of the column that is missing before PostgreSQL 10. */
const NO_SUCH_COLUMN = '42703';
/** SQLSTATEs of what a server has not (Aurora refuses what is asked about replication), or does not grant: function, table, feature. */
const LACKING = new Set(['42883', '42P01', '0A000', '42501']);

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
  const ask = openStatements(deps);

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
    async read(signal) {
      const found = await deps.discovered(signal);
      const { postgres: target } = found;
      if (!target) return withoutTarget(found, 'postgres');
      const postgres = connection.to(target);
      const rows = await ask(postgres);
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

/** Asks with the first of the statements that the server understands. */
function openStatements(deps: CollectorDeps): (postgres: Postgres) => Promise<Row[]> {
  let statement = 0;
  function nextStatement(code = ''): number | undefined {
    const last = STATEMENTS.length - 1;
    if (statement === last) return undefined;
    if (code === NO_SUCH_COLUMN) return last;
    return LACKING.has(code) ? statement + 1 : undefined;
  }

  return async (postgres) => {
    for (;;) {
      try {
        return await postgres.query(STATEMENTS[statement]!);
      } catch (error) {
        if (mayHaveMoved(error)) deps.rediscover();
        const next = nextStatement((error as { code?: string }).code);
        if (next === undefined) throw error;
        statement = next;
      }
    }
  };
}

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
    ...parseReplication(row['replication']),
    ...parseOldest(row['oldest']),
    ...(count('hidden') > 0
      ? {}
      : { longestTransactionSec: row.longest === null ? 0 : Math.max(0, count('longest')) }),
  };
}

/** The text of a JSON column. `otherwise`: what PostgreSQL is said to have answered where it is not of this shape. */
function parseJson<T extends v.GenericSchema>(shape: T, value: unknown, otherwise: string): v.InferOutput<T> {
  try {
    return v.parse(shape, JSON.parse(String(value)));
  } catch {
    throw new Error(`PostgreSQL answered ${otherwise}`);
  }
}

const Narrowest = v.tuple([v.picklist(['database', 'user']), v.string(), Finite, Finite]);

/** `["database", "app", 9, 10]`; nothing where nobody has a limit of their own. */
function parseNarrowest(value: unknown): PostgresValues['connections']['narrowest'] {
  if (value === null || value === undefined || value === '') return undefined;
  const [of, name, used, max] = parseJson(Narrowest, value, 'no limit of connections');
  return { of, name, used, max };
}

const Oldest = v.tuple([v.string(), Finite]);

/** `["shop", 1048575278]` */
function parseOldest(value: unknown): Pick<PostgresValues, 'oldest'> {
  if (value === null || value === undefined) return {};
  const [database, transactions] = parseJson(Oldest, value, 'no age of its databases');
  return { oldest: { database, transactions } };
}

/** `waiting` is null where nothing was received yet. */
const Replication = v.object({
  standby: v.nullable(
    v.object({ receiving: v.nullable(v.boolean()), waiting: v.nullable(Finite), behind: v.nullable(Finite) }),
  ),
  slot: v.nullable(v.object({ name: v.string(), active: v.boolean(), kept: Finite, lost: v.boolean() })),
});

/** `{"standby":{"receiving":true,"waiting":0,"behind":3.2},"slot":null}`; nothing where the server cannot be asked. */
function parseReplication(value: unknown): Pick<PostgresValues, 'standby' | 'slot'> {
  if (value === null || value === undefined) return {};
  const { standby, slot } = parseJson(Replication, value, 'nothing usable about replication');
  const waitingBytes = Math.max(0, standby?.waiting ?? 0);
  return {
    ...(standby && {
      standby: {
        ...(standby.receiving === null ? {} : { receiving: standby.receiving }),
        waitingBytes,
        behindSec: waitingBytes > 0 ? Math.max(0, standby.behind ?? 0) : 0,
      },
    }),
    ...(slot && {
      slot: { name: slot.name, active: slot.active, keptBytes: Math.max(0, slot.kept), lost: slot.lost },
    }),
  };
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
  const list = parseJson(BlockList, row.blocks, 'no list of block counters');
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
