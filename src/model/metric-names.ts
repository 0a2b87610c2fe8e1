/** The metrics of ours whose names are older than the prefix `vpsmon_`. A test compares them with the table of all metrics. */
export const NAMES_WITHOUT_PREFIX: readonly string[] = [
  'alerts_total',
  'container_cpu_percent',
  'container_memory_bytes',
  'lead_count',
  'memory_pressure_score',
  'n8n_workflow_executions',
  'postgres_active_connections',
  'postgres_cache_hit_ratio',
  'postgres_database_size_bytes',
  'redis_connected_clients',
  'redis_memory_bytes',
  'redis_total_keys',
  'swap_in_kbps',
  'swap_out_kbps',
  'swap_total_bytes',
  'swap_used_bytes',
  'waha_session_status',
];

/** Prometheus writes these itself beside what it scrapes. */
const OF_PROMETHEUS = /^(?:__|(?:up|ALERTS|ALERTS_FOR_STATE)$|scrape_)/;

/**
 * Why an SQL metric cannot have this name, as a sentence; undefined where it can. `lead_count` is the one name of ours
 * that comes from SQL.
 */
export function metricNameProblem(name: string): string | undefined {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/.test(name)) {
    return 'A metric name has letters, digits and underscores only, at most 128, and no digit at the start.';
  }
  if (name === 'lead_count') return undefined;
  if (OF_PROMETHEUS.test(name)) return 'This name belongs to Prometheus.';
  if (name.startsWith('vpsmon_')) return "Names that begin with vpsmon_ are vpsmon's own.";
  if (NAMES_WITHOUT_PREFIX.includes(name)) return 'This is the name of one of the metrics of vpsmon.';
  return undefined;
}
