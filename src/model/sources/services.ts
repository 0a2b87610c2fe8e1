import { BYTES, COUNT, metric, PERCENT, type Put, source, type SourceRow } from './source.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMany,
  formatUpTo,
  plain,
  workflowsText,
} from '../text.ts';
import type { N8nValues, PostgresValues, RedisValues, SqlValues, WahaValues } from '../snapshot.ts';

/** SQL metrics of one check that are kept; the rest is exported only. */
const MAX_SQL = 50;

/** Databases and applications. */
export const SERVICE_SOURCES = {
  postgres: source<PostgresValues>()({
    name: 'PostgreSQL',
    section: 'postgres',
    rules: {
      'postgres-cache': {
        about: 'hit ratio of the last interval',
        warning: 'below 90 %',
        critical: 'below 80 %',
        ends: '2 points above the warning',
        settings: '`POSTGRES_CACHE_THRESHOLD`, `POSTGRES_CACHE_CRITICAL`',
        row: 'postgres',
      },
      'postgres-connections': {
        about: 'of those that users may have',
        warning: 'above 80 %',
        critical: 'above 95 %',
        ends: '3 points below the warning',
        settings: '`POSTGRES_CONNECTIONS_WARNING_PCT`, `_CRITICAL_PCT`',
        row: 'postgres',
      },
      'postgres-standby': {
        about: 'of a standby',
        warning: 'it receives nothing from its primary, or is 5 min behind it, for 60 s',
        ends: 'it follows, or it is a primary now',
        row: 'postgres',
      },
      'postgres-slot': {
        about: 'WAL that a replication slot keeps from being removed',
        warning: 'above 1 GB; it has lost its WAL',
        critical: 'above 10 GB',
        ends: 'below 0.8 GB, or dropped',
        row: 'postgres',
      },
      'postgres-wraparound': {
        about: 'transactions since the oldest database was frozen; at 2,144 million it takes no writes',
        warning: 'above 1,000 million',
        critical: 'above 1,800 million',
        ends: 'below 900 million',
        row: 'postgres',
      },
    },
    metrics: [
      metric(
        'postgres_cache_hit_ratio',
        'PostgreSQL cache hits in percent (0 to 100) since the last check; none after fewer than 1,000 block reads. Read once without a running monitor: since the statistics were reset.',
        (postgres, once) => postgres.cacheHitPercent ?? (once ? postgres.cacheHitLifetimePercent : undefined),
      ),
      metric(
        'postgres_active_connections',
        'PostgreSQL connections that run a query; none where the user may not see what others do (no pg_monitor).',
        (postgres) => (seesOthers(postgres) ? postgres.connections.active : undefined),
      ),
      metric(
        'postgres_database_size_bytes',
        'Size of the PostgreSQL database, in bytes.',
        ({ databaseSizeBytes }) => databaseSizeBytes,
      ),
      metric(
        'vpsmon_postgres_connections',
        'PostgreSQL connections by state; other: also those whose state the user may not see.',
        (postgres) => {
          const { active, idle, idleInTransaction, other } = postgres.connections;
          return [
            { value: seesOthers(postgres) ? active : undefined, labels: { state: 'active' } },
            { value: idle, labels: { state: 'idle' } },
            {
              value: seesOthers(postgres) ? idleInTransaction : undefined,
              labels: { state: 'idle_in_transaction' },
            },
            { value: other, labels: { state: 'other' } },
          ];
        },
        ['state'],
      ),
      metric(
        'vpsmon_postgres_max_connections',
        'Connections that PostgreSQL accepts (max_connections).',
        ({ connections }) => connections.max,
      ),
      metric(
        'vpsmon_postgres_longest_transaction_seconds',
        'Age of the longest running PostgreSQL transaction, in seconds.',
        ({ longestTransactionSec }) => longestTransactionSec,
      ),
      metric(
        'vpsmon_postgres_standby_receiving',
        '1 while a PostgreSQL standby is connected to its primary, else 0; none of a primary, and where the user may not know (no pg_monitor).',
        ({ standby }) => standby?.receiving,
      ),
      metric(
        'vpsmon_postgres_standby_behind_seconds',
        'Age of the last transaction that a PostgreSQL standby has replayed while more is received, in seconds; else 0; none of a primary.',
        ({ standby }) => standby?.behindSec,
      ),
      metric(
        'vpsmon_postgres_slot_kept_bytes',
        'WAL that the PostgreSQL replication slot with most of it keeps from being removed, in bytes; none without a slot.',
        ({ slot }) => (slot ? [{ value: slot.keptBytes, labels: { slot: slot.name } }] : []),
        ['slot'],
      ),
      metric(
        'vpsmon_postgres_unfrozen_transactions',
        'Transactions since the PostgreSQL database was frozen that was not for longest.',
        ({ oldest }) => oldest?.transactions,
      ),
    ],
    row: { label: 'postgres', show: postgresText },
    history(postgres, put) {
      const { cacheHitPercent, connections, databaseSizeBytes } = postgres;
      put('postgres.cache', PERCENT, cacheHitPercent);
      put('postgres.active', COUNT, seesOthers(postgres) ? connections.active : undefined);
      put('postgres.connections', COUNT, connections.total);
      put('postgres.size', BYTES, databaseSizeBytes);
    },
  }),
  redis: source<RedisValues>()({
    name: 'Redis',
    section: 'redis',
    rules: {
      'redis-writes': {
        warning: '90 % of `maxmemory` used, where nothing may be evicted; for 60 s it has loaded its data',
        critical: "it refuses writes: full, or its disk cannot be written; it loads, and has n8n's queue",
        ends: 'below 85 %',
        row: 'redis',
      },
      'redis-evictions': {
        about: "of a Redis that holds n8n's queue",
        critical: 'it evicted keys within an hour',
        ends: 'none for an hour',
        row: 'redis',
      },
      'redis-replica': {
        about: 'of a replica',
        warning: 'the link to its master is down for 60 s',
        ends: 'it is up, or it is a master now',
        row: 'redis',
      },
    },
    metrics: [
      metric(
        'redis_memory_bytes',
        'Memory that Redis uses for data, in bytes.',
        ({ usedMemoryBytes }) => usedMemoryBytes,
      ),
      metric('redis_total_keys', 'Keys in all Redis databases.', ({ keys }) => keys),
      metric('redis_connected_clients', 'Clients of Redis.', ({ clients }) => clients),
      metric(
        'vpsmon_redis_memory_limit_bytes',
        'Memory limit of Redis (maxmemory), in bytes; none without a limit.',
        ({ maxMemoryBytes }) => maxMemoryBytes ?? undefined,
      ),
      metric(
        'vpsmon_redis_evicted_keys_total',
        'Keys that Redis dropped for want of memory since it was started.',
        ({ evictedTotal }) => evictedTotal,
      ),
      metric(
        'vpsmon_redis_rejected_connections_total',
        'Connections that Redis rejected since it was started.',
        ({ rejectedTotal }) => rejectedTotal,
      ),
      metric(
        'vpsmon_redis_master_link_up',
        '1 while the link of a Redis replica to its master is up, else 0; none of a master.',
        ({ master }) => master?.up,
      ),
    ],
    row: { label: 'redis', show: redisText },
    history({ usedMemoryBytes, keys, clients }, put) {
      put('redis.memory', BYTES, usedMemoryBytes);
      put('redis.keys', COUNT, keys);
      put('redis.clients', COUNT, clients);
    },
  }),
  n8n: source<N8nValues>()({
    name: 'n8n',
    section: 'n8n',
    rules: {
      'n8n-queue': {
        warning: 'above 500',
        critical: 'above 1,000',
        ends: 'below 400',
        settings: '`N8N_QUEUE_WARNING`, `_CRITICAL`, `_CLEAR`',
        row: 'n8n',
        recovery: 'queue',
      },
      'n8n-workers': {
        warning: 'jobs wait and none runs, at 3 checks in a row: no worker, one that hangs, a paused queue',
        critical: 'the oldest waits for 5 min',
        ends: 'jobs are taken',
        row: 'n8n',
      },
      'n8n-lost': {
        warning: "executions are queued in n8n's database, and Redis has no job for them",
        ends: 'they have one, or are a day old',
        row: 'n8n',
      },
      'n8n-failures': {
        warning:
          'a workflow failed 5 times in a row; half of the executions of an hour (of ten or more) failed',
        critical: '90 % failed',
        ends: 'a success; fewer',
        settings: '`N8N_FAILURE_STREAK`, `N8N_FAILURE_PCT`',
        many: '# n8n workflows fail',
        row: 'n8n',
      },
      'n8n-key': {
        warning: 'the API key ends within a week',
        ends: 'a new key',
        row: 'n8n',
      },
      'n8n-health': {
        warning: 'not healthy, or no answer, at 3 checks in a row',
        critical: 'for 5 min',
        ends: 'healthy',
        row: 'n8n',
      },
    },
    metrics: [
      metric(
        'n8n_workflow_executions',
        'n8n executions by status: active and waiting now, completed and failed of the last hours.',
        ({ executions }) =>
          executions
            ? (['active', 'waiting', 'completed', 'failed'] as const).map((status) => ({
                value: executions[status],
                labels: { status },
              }))
            : [],
        ['status'],
      ),
      metric(
        'vpsmon_n8n_queued_executions',
        'n8n executions that have not been started yet.',
        ({ executions }) => executions?.queued,
      ),
      metric(
        'vpsmon_n8n_canceled_executions',
        'n8n executions of the last hours that were canceled.',
        ({ executions }) => executions?.canceled,
      ),
      metric(
        'vpsmon_n8n_queue_jobs',
        'Jobs that wait in the queue of n8n; none without queue mode.',
        ({ queueDepth }) => queueDepth,
      ),
      metric('vpsmon_n8n_workflows', 'Workflows in n8n.', ({ workflows }) =>
        workflows?.more ? undefined : workflows?.total,
      ),
      metric('vpsmon_n8n_active_workflows', 'Active workflows in n8n.', ({ workflows }) =>
        workflows?.more ? undefined : workflows?.active,
      ),
      metric('vpsmon_n8n_healthy', '1 while n8n says that it is healthy, else 0.', ({ healthy }) => healthy),
    ],
    row: { label: 'n8n', show: n8nText },
    history({ executions, queueDepth, workflows }, put) {
      for (const [status, count] of Object.entries(executions ?? {})) put(`n8n.${status}`, COUNT, count);
      put('n8n.queue', COUNT, queueDepth);
      put('n8n.workflows', COUNT, workflows?.total);
      put('n8n.workflows.active', COUNT, workflows?.active);
    },
  }),
  waha: source<WahaValues>()({
    name: 'WAHA',
    section: 'waha',
    rules: {
      'waha-session': {
        warning: 'STARTING or FAILED for 5 min; QR code or passkey needed: at once',
        critical: 'not WORKING for 1 h',
        ends: 'WORKING (or STOPPED by hand)',
        settings: '`WAHA_WARNING_MINUTES`, `WAHA_CRITICAL_MINUTES`',
        many: '# WhatsApp sessions do not work',
        row: 'waha',
        recovery: 'waha',
      },
    },
    metrics: [
      metric(
        'waha_session_status',
        'Number of WhatsApp sessions that are connected (WORKING) and that are not.',
        ({ sessions }) => {
          const connected = sessions.filter(({ status }) => status === 'WORKING').length;
          return [
            { value: connected, labels: { status: 'connected' } },
            { value: sessions.length - connected, labels: { status: 'disconnected' } },
          ];
        },
        ['status'],
      ),
      metric(
        'vpsmon_waha_session_up',
        '1 while a WhatsApp session is WORKING, else 0; the status is a label.',
        ({ sessions }) =>
          sessions.map(({ name, status }) => ({
            value: status === 'WORKING',
            labels: { session: name, status },
          })),
        ['session', 'status'],
      ),
      metric(
        'vpsmon_waha_session_status_since_timestamp_seconds',
        'Since when a WhatsApp session has been seen in its status, in seconds since 1970.',
        ({ sessions }) =>
          sessions.map(({ name, since }) => ({ value: since / 1000, labels: { session: name } })),
        ['session'],
      ),
    ],
    row: { label: 'waha', show: wahaText },
    history({ sessions }, put) {
      put('waha.sessions', COUNT, sessions.length);
      put('waha.working', COUNT, sessions.filter(({ status }) => status === 'WORKING').length);
    },
  }),
  sql: source<SqlValues>()({
    name: 'The SQL metrics',
    section: 'leads',
    rules: {},
    metrics: [
      metric(
        'lead_count',
        'Number of leads: rows of the tables with "lead" in their name, or what vpsmon.yaml asks for.',
        ({ samples }) =>
          samples.filter(({ name }) => name === 'lead_count').map(({ value, labels }) => ({ value, labels })),
      ),
      metric(
        'vpsmon_sql_metric_up',
        '1 while the query of an SQL metric gives usable numbers, else 0.',
        ({ samples, broken }) => [
          ...broken.map(({ name }) => ({ value: 0, labels: { metric: name } })),
          ...samples.map(({ name }) => ({ value: 1, labels: { metric: name } })),
        ],
        ['metric'],
      ),
    ],
    row: { label: 'sql', show: sqlRows, mayBeAbsent: true },
    history: keepSql,
  }),
};

/** What others do is not seen without the role pg_monitor: nothing that is counted of it is a zero. */
function seesOthers({ longestTransactionSec }: PostgresValues): boolean {
  return longestTransactionSec !== undefined;
}

function postgresText(postgres: PostgresValues): string {
  const { cacheHitPercent, connections, databaseSizeBytes, longestTransactionSec = 0 } = postgres;
  const { standby, slot } = postgres;
  const parts = [
    cacheHitPercent === undefined
      ? 'cache hits not judged (few reads)'
      : `cache hits ${cacheHitPercent.toFixed(1)} %`,
    `${connections.total} of ${connections.max} connections${seesOthers(postgres) ? ` (${connections.active} active)` : ''}`,
    formatBytes(databaseSizeBytes),
    longestTransactionSec > 1 && `longest transaction ${formatDuration(longestTransactionSec * 1000)}`,
    standby && `standby${standbyText(standby)}`,
    slot && (slot.lost || slot.keptBytes >= SLOT_SHOWN) && slotText(slot),
  ];
  return parts.filter(Boolean).join(', ');
}

/** A slot that is read keeps less, and is not worth a word. */
const SLOT_SHOWN = 64 * 1024 ** 2;

function standbyText({ receiving, behindSec }: NonNullable<PostgresValues['standby']>): string {
  if (receiving === false) return ' (receives nothing)';
  return behindSec >= 1 ? ` (${formatDuration(behindSec * 1000)} behind)` : '';
}

function slotText({ name, keptBytes, lost }: NonNullable<PostgresValues['slot']>): string {
  const what = lost ? 'has lost its WAL' : `keeps ${formatBytes(keptBytes)} of WAL`;
  return `slot ${plain(name, 60)} ${what}`;
}

function redisText(redis: RedisValues): string {
  const { usedMemoryBytes, maxMemoryBytes, keys, clients, evictedTotal, rejectedTotal } = redis;
  const { loadingPercent, master } = redis;
  const parts = [
    loadingPercent !== undefined && `loads its data (${Math.floor(loadingPercent)} %)`,
    `${formatBytes(usedMemoryBytes)} of ${maxMemoryBytes === null ? 'no limit' : formatBytes(maxMemoryBytes)}`,
    formatMany(keys, 'key'),
    `${clients} ${clients === 1 ? 'client' : 'clients'}`,
    evictedTotal > 0 && `${formatCount(evictedTotal)} evicted`,
    rejectedTotal > 0 && `${formatCount(rejectedTotal)} rejected`,
    master && `replica of ${plain(master.address, 80)}${master.up ? '' : ' (link down)'}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function n8nText({ healthy, executions, countedUpTo, queueDepth, workflows }: N8nValues): string {
  const many = (count: number) => formatUpTo(count, countedUpTo);
  const counts = executions && [
    `${many(executions.active)} active`,
    `${many(executions.waiting)} waiting`,
    executions.queued !== undefined && `${many(executions.queued)} queued`,
    `${many(executions.completed)} completed`,
    `${many(executions.failed)} failed`,
  ];
  const parts = [
    healthy === false && 'not healthy',
    counts && `executions: ${counts.filter(Boolean).join(', ')}`,
    queueDepth !== undefined && `${formatCount(queueDepth)} jobs in the queue`,
    workflows && workflowsText(workflows),
  ];
  return parts.filter(Boolean).join(', ') || 'it answers';
}

function wahaText({ sessions }: WahaValues): string {
  if (sessions.length === 0) return 'no sessions';
  return sessions.map(({ name, status }) => `${plain(name, 40)} ${plain(status, 40)}`).join(', ');
}

/** A query that failed is a reason to look, even where others gave a value. */
function sqlRows({ samples, broken }: SqlValues): SourceRow[] {
  const parts = [
    ...samples.map((sample) => `${sample.name} ${sample.value}`),
    ...broken.map((metric) => `${metric.name}: ${plain(metric.why, 80)}`),
  ];
  return [{ label: 'sql', text: parts.join(', ') || 'no metrics', failed: broken.length > 0 }];
}

/** One series a metric: the sum over its labels. */
function keepSql({ samples }: SqlValues, put: Put): void {
  const sums = new Map<string, number>();
  for (const { name, value } of samples) sums.set(name, (sums.get(name) ?? 0) + value);
  for (const [name, value] of [...sums].slice(0, MAX_SQL)) put('sql', 0.001, value, name);
}
