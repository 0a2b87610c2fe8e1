import { metricsOf, type Metric } from './types.ts';

const postgres = metricsOf('postgres', 'postgres');
const redis = metricsOf('redis', 'redis');
const n8n = metricsOf('n8n', 'n8n');
const waha = metricsOf('waha', 'waha');
const sql = metricsOf('sql', 'leads');

const POSTGRES: readonly Metric[] = [
  postgres(
    'postgres_cache_hit_ratio',
    'PostgreSQL cache hits in percent (0 to 100) since the last check; none after fewer than 1,000 block reads. Read once without a running monitor: since the statistics were reset.',
    (postgres, { daemon }) =>
      postgres.cacheHitPercent ?? (daemon ? undefined : postgres.cacheHitLifetimePercent),
  ),
  postgres(
    'postgres_active_connections',
    'PostgreSQL connections that run a query.',
    ({ connections }) => connections.active,
  ),
  postgres(
    'postgres_database_size_bytes',
    'Size of the PostgreSQL database, in bytes.',
    ({ databaseSizeBytes }) => databaseSizeBytes,
  ),
  postgres(
    'vpsmon_postgres_connections',
    'PostgreSQL connections by state.',
    ({ connections }) => [
      { value: connections.active, labels: { state: 'active' } },
      { value: connections.idle, labels: { state: 'idle' } },
      { value: connections.idleInTransaction, labels: { state: 'idle_in_transaction' } },
      { value: connections.other, labels: { state: 'other' } },
    ],
    ['state'],
  ),
  postgres(
    'vpsmon_postgres_max_connections',
    'Connections that PostgreSQL accepts (max_connections).',
    ({ connections }) => connections.max,
  ),
  postgres(
    'vpsmon_postgres_longest_transaction_seconds',
    'Age of the longest running PostgreSQL transaction, in seconds.',
    ({ longestTransactionSec }) => longestTransactionSec,
  ),
];

const REDIS: readonly Metric[] = [
  redis(
    'redis_memory_bytes',
    'Memory that Redis uses for data, in bytes.',
    ({ usedMemoryBytes }) => usedMemoryBytes,
  ),
  redis('redis_total_keys', 'Keys in all Redis databases.', ({ keys }) => keys),
  redis('redis_connected_clients', 'Clients of Redis.', ({ clients }) => clients),
  redis(
    'vpsmon_redis_memory_limit_bytes',
    'Memory limit of Redis (maxmemory), in bytes; none without a limit.',
    ({ maxMemoryBytes }) => maxMemoryBytes ?? undefined,
  ),
  redis(
    'vpsmon_redis_evicted_keys_total',
    'Keys that Redis dropped for want of memory since it was started.',
    ({ evictedTotal }) => evictedTotal,
  ),
  redis(
    'vpsmon_redis_rejected_connections_total',
    'Connections that Redis rejected since it was started.',
    ({ rejectedTotal }) => rejectedTotal,
  ),
];

const N8N: readonly Metric[] = [
  n8n(
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
  n8n(
    'vpsmon_n8n_queued_executions',
    'n8n executions that have not been started yet.',
    ({ executions }) => executions?.queued,
  ),
  n8n(
    'vpsmon_n8n_canceled_executions',
    'n8n executions of the last hours that were canceled.',
    ({ executions }) => executions?.canceled,
  ),
  n8n(
    'vpsmon_n8n_queue_jobs',
    'Jobs that wait in the queue of n8n; none without queue mode.',
    ({ queueDepth }) => queueDepth,
  ),
  n8n('vpsmon_n8n_workflows', 'Workflows in n8n.', ({ workflows }) =>
    workflows?.more ? undefined : workflows?.total,
  ),
  n8n('vpsmon_n8n_active_workflows', 'Active workflows in n8n.', ({ workflows }) =>
    workflows?.more ? undefined : workflows?.active,
  ),
  n8n('vpsmon_n8n_healthy', '1 while n8n says that it is healthy, else 0.', ({ healthy }) => healthy),
];

const WAHA: readonly Metric[] = [
  waha(
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
  waha(
    'vpsmon_waha_session_up',
    '1 while a WhatsApp session is WORKING, else 0; the status is a label.',
    ({ sessions }) =>
      sessions.map(({ name, status }) => ({
        value: status === 'WORKING',
        labels: { session: name, status },
      })),
    ['session', 'status'],
  ),
  waha(
    'vpsmon_waha_session_status_since_timestamp_seconds',
    'Since when a WhatsApp session has been seen in its status, in seconds since 1970.',
    ({ sessions }) => sessions.map(({ name, since }) => ({ value: since / 1000, labels: { session: name } })),
    ['session'],
  ),
];

const LEADS: readonly Metric[] = [
  sql(
    'lead_count',
    'Number of leads: rows of the tables with "lead" in their name, or what vpsmon.yaml asks for.',
    ({ samples }) =>
      samples.filter(({ name }) => name === 'lead_count').map(({ value, labels }) => ({ value, labels })),
  ),
  sql(
    'vpsmon_sql_metric_up',
    '1 while the query of an SQL metric gives usable numbers, else 0.',
    ({ samples, broken }) => [
      ...broken.map(({ name }) => ({ value: 0, labels: { metric: name } })),
      ...samples.map(({ name }) => ({ value: 1, labels: { metric: name } })),
    ],
    ['metric'],
  ),
];

export const SERVICE_METRICS: readonly Metric[] = [...POSTGRES, ...REDIS, ...N8N, ...WAHA, ...LEADS];
