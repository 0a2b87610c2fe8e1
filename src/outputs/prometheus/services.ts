import type { N8nValues, PostgresValues, RedisValues, WahaValues } from '../../model/snapshot.ts';
import { one, yesNo, type Metric, type MetricSample, type MetricsInput } from './types.ts';

type Values = { postgres: PostgresValues; redis: RedisValues; n8n: N8nValues; waha: WahaValues };

/** A metric of one source, without samples while that source is absent or failed. */
function of<S extends keyof Values>(
  section: S,
  metric: Pick<Metric, 'name' | 'help'> & { labels?: string[]; inherited?: true; type?: Metric['type'] },
  samples: (values: Values[S], input: MetricsInput) => MetricSample[],
): Metric {
  return {
    type: 'gauge',
    labels: [],
    ...metric,
    section,
    samples: (input) => {
      const reading = input.snapshot?.readings[section];
      return reading?.state === 'ok' ? samples(reading.value as Values[S], input) : [];
    },
  };
}

const POSTGRES: readonly Metric[] = [
  of(
    'postgres',
    {
      name: 'postgres_cache_hit_ratio',
      help: 'PostgreSQL cache hits in percent (0 to 100) since the last check; none after fewer than 1,000 block reads. Read once without a running monitor: since the statistics were reset.',
      inherited: true,
    },
    (postgres, { daemon }) =>
      one(postgres.cacheHitPercent ?? (daemon ? undefined : postgres.cacheHitLifetimePercent)),
  ),
  of(
    'postgres',
    {
      name: 'postgres_active_connections',
      help: 'PostgreSQL connections that run a query.',
      inherited: true,
    },
    ({ connections }) => one(connections.active),
  ),
  of(
    'postgres',
    {
      name: 'postgres_database_size_bytes',
      help: 'Size of the PostgreSQL database, in bytes.',
      inherited: true,
    },
    ({ databaseSizeBytes }) => one(databaseSizeBytes),
  ),
  of(
    'postgres',
    {
      name: 'vpsmon_postgres_connections',
      help: 'PostgreSQL connections by state.',
      labels: ['state'],
    },
    ({ connections }) => [
      { value: connections.active, labels: { state: 'active' } },
      { value: connections.idle, labels: { state: 'idle' } },
      { value: connections.idleInTransaction, labels: { state: 'idle_in_transaction' } },
      { value: connections.other, labels: { state: 'other' } },
    ],
  ),
  of(
    'postgres',
    {
      name: 'vpsmon_postgres_max_connections',
      help: 'Connections that PostgreSQL accepts (max_connections).',
    },
    ({ connections }) => one(connections.max),
  ),
  of(
    'postgres',
    {
      name: 'vpsmon_postgres_longest_transaction_seconds',
      help: 'Age of the longest running PostgreSQL transaction, in seconds.',
    },
    ({ longestTransactionSec }) => one(longestTransactionSec),
  ),
];

const REDIS: readonly Metric[] = [
  of(
    'redis',
    { name: 'redis_memory_bytes', help: 'Memory that Redis uses for data, in bytes.', inherited: true },
    ({ usedMemoryBytes }) => one(usedMemoryBytes),
  ),
  of(
    'redis',
    { name: 'redis_total_keys', help: 'Keys in all Redis databases.', inherited: true },
    ({ keys }) => one(keys),
  ),
  of(
    'redis',
    { name: 'redis_connected_clients', help: 'Clients of Redis.', inherited: true },
    ({ clients }) => one(clients),
  ),
  of(
    'redis',
    {
      name: 'vpsmon_redis_memory_limit_bytes',
      help: 'Memory limit of Redis (maxmemory), in bytes; none without a limit.',
    },
    ({ maxMemoryBytes }) => one(maxMemoryBytes ?? undefined),
  ),
  of(
    'redis',
    {
      name: 'vpsmon_redis_evicted_keys_total',
      help: 'Keys that Redis dropped for want of memory since it was started.',
      type: 'counter',
    },
    ({ evictedTotal }) => one(evictedTotal),
  ),
  of(
    'redis',
    {
      name: 'vpsmon_redis_rejected_connections_total',
      help: 'Connections that Redis rejected since it was started.',
      type: 'counter',
    },
    ({ rejectedTotal }) => one(rejectedTotal),
  ),
];

const N8N: readonly Metric[] = [
  of(
    'n8n',
    {
      name: 'n8n_workflow_executions',
      help: 'n8n executions by status: active and waiting now, completed and failed of the last hours.',
      labels: ['status'],
      inherited: true,
    },
    ({ executions }) =>
      executions
        ? (['active', 'waiting', 'completed', 'failed'] as const).map((status) => ({
            value: executions[status],
            labels: { status },
          }))
        : [],
  ),
  of(
    'n8n',
    { name: 'vpsmon_n8n_queued_executions', help: 'n8n executions that have not been started yet.' },
    ({ executions }) => one(executions?.queued),
  ),
  of(
    'n8n',
    { name: 'vpsmon_n8n_canceled_executions', help: 'n8n executions of the last hours that were canceled.' },
    ({ executions }) => one(executions?.canceled),
  ),
  of(
    'n8n',
    { name: 'vpsmon_n8n_queue_jobs', help: 'Jobs that wait in the queue of n8n; none without queue mode.' },
    ({ queueDepth }) => one(queueDepth),
  ),
  of('n8n', { name: 'vpsmon_n8n_workflows', help: 'Workflows in n8n.' }, ({ workflows }) =>
    one(workflows?.total),
  ),
  of('n8n', { name: 'vpsmon_n8n_active_workflows', help: 'Active workflows in n8n.' }, ({ workflows }) =>
    one(workflows?.active),
  ),
  of(
    'n8n',
    { name: 'vpsmon_n8n_healthy', help: '1 while n8n says that it is healthy, else 0.' },
    ({ healthy }) => one(healthy === undefined ? undefined : yesNo(healthy)),
  ),
];

const WAHA: readonly Metric[] = [
  of(
    'waha',
    {
      name: 'waha_session_status',
      help: 'Number of WhatsApp sessions that are connected (WORKING) and that are not.',
      labels: ['status'],
      inherited: true,
    },
    ({ sessions }) => {
      const connected = sessions.filter(({ status }) => status === 'WORKING').length;
      return [
        { value: connected, labels: { status: 'connected' } },
        { value: sessions.length - connected, labels: { status: 'disconnected' } },
      ];
    },
  ),
  of(
    'waha',
    {
      name: 'vpsmon_waha_session_up',
      help: '1 while a WhatsApp session is WORKING, else 0; the status is a label.',
      labels: ['session', 'status'],
    },
    ({ sessions }) =>
      sessions.map(({ name, status }) => ({
        value: yesNo(status === 'WORKING'),
        labels: { session: name, status },
      })),
  ),
  of(
    'waha',
    {
      name: 'vpsmon_waha_session_status_since_timestamp_seconds',
      help: 'Since when a WhatsApp session has been seen in its status, in seconds since 1970.',
      labels: ['session'],
    },
    ({ sessions }) => sessions.map(({ name, since }) => ({ value: since / 1000, labels: { session: name } })),
  ),
];

const LEADS: readonly Metric[] = [
  {
    name: 'lead_count',
    type: 'gauge',
    help: 'Number of leads: rows of the tables with "lead" in their name, or what vpsmon.yaml asks for.',
    labels: [],
    section: 'leads',
    inherited: true,
    samples: ({ snapshot }) => {
      const sql = snapshot?.readings.sql;
      if (sql?.state !== 'ok') return [];
      return sql.value.samples
        .filter(({ name }) => name === 'lead_count')
        .map(({ value, labels }) => ({ value, labels }));
    },
  },
  {
    name: 'vpsmon_sql_metric_up',
    type: 'gauge',
    help: '1 while the query of an SQL metric gives usable numbers, else 0.',
    labels: ['metric'],
    section: 'leads',
    samples: ({ snapshot }) => {
      const sql = snapshot?.readings.sql;
      if (sql?.state !== 'ok') return [];
      const broken = sql.value.broken.map(({ name }) => ({ value: 0, labels: { metric: name } }));
      const working = sql.value.samples.map(({ name }) => ({ value: 1, labels: { metric: name } }));
      return [...broken, ...working];
    },
  },
];

export const SERVICE_METRICS: readonly Metric[] = [...POSTGRES, ...REDIS, ...N8N, ...WAHA, ...LEADS];
