/** Every key of vpsmon.yaml: its shape and one sentence. The file is checked against this table, and the docs are made from it. */

export type FieldKind =
  | { type: 'int'; min: number; max: number }
  | { type: 'bool' }
  | { type: 'text' }
  | { type: 'texts' }
  | { type: 'choices'; values: readonly string[] }
  | { type: 'metric-name' }
  | { type: 'query' }
  | { type: 'days' }
  | { type: 'time' };
export type Field = FieldKind & { required?: true; help: string };
export type Shape = Readonly<Record<string, Field>>;

const int = (min: number, max: number) => ({ type: 'int', min, max }) as const;

/** Changes of a service that can be muted. */
const MUTABLE = [
  'started',
  'stopped',
  'restored',
  'restarting',
  'malfunction',
  'unhealthy',
  'redeployed',
] as const;

const SERVICE_SHAPE = {
  name: { type: 'text', required: true, help: 'Name of the container, or of its Compose service.' },
  essential: { type: 'bool', help: 'Whether recovery must never stop it; wins over ESSENTIAL_CONTAINERS.' },
  cooldown_minutes: { ...int(1, 1440), help: 'Its own ALERT_COOLDOWN_MINUTES.' },
  malfunction_restarts: { ...int(1, 1000), help: 'Its own MALFUNCTION_RESTARTS.' },
  mute: { type: 'choices', values: MUTABLE, help: 'Changes that are not notified.' },
  memory_warning_mb: {
    ...int(1, 1_000_000),
    help: 'Anonymous memory in MB that is a warning; without it there is none.',
  },
  memory_critical_mb: { ...int(1, 1_000_000), help: 'Anonymous memory in MB that is critical.' },
} as const satisfies Shape;

const SQL_METRIC_SHAPE = {
  name: { type: 'metric-name', required: true, help: 'Name of the Prometheus metric.' },
  help: { type: 'text', help: 'One sentence about it, for Prometheus.' },
  query: {
    type: 'query',
    required: true,
    help: 'The query; it runs read-only and within 2 s. Its column `value`, or else its last one, is the number, the others become labels.',
  },
  database: { type: 'text', help: 'The database it runs in; without it, POSTGRES_DB.' },
} as const satisfies Shape;

const N8N_SHAPE = {
  low_priority_tag: {
    type: 'text',
    help: 'Workflows with this tag are paused while the queue overflows; default `low-priority`.',
  },
  low_priority_workflows: { type: 'texts', help: 'Names or ids of further workflows that may be paused.' },
  queues: { type: 'texts', help: 'Names of the Bull queues; default `jobs`.' },
  finished_within_hours: {
    ...int(1, 8760),
    help: 'Completed and failed executions are counted over this many hours; default 24.',
  },
} as const satisfies Shape;

const RECOVERY_SHAPE = {
  actions_per_target_per_hour: { ...int(1, 100), help: 'Actions per container or session; default 3.' },
  actions_per_hour: { ...int(1, 1000), help: 'Actions in all; default 10.' },
  restart_idle_waha: {
    type: 'bool',
    help: 'Whether a WhatsApp session that works and sends nothing is restarted; default false, because a quiet session is healthy.',
  },
  waha_idle_minutes: { ...int(5, 10_080), help: 'After how many minutes without sending; default 60.' },
  calm_minutes: {
    ...int(1, 1440),
    help: 'How long memory must be calm before stopped containers come back; default 10.',
  },
} as const satisfies Shape;

const SILENCE_SHAPE = {
  subject: { type: 'text', required: true, help: 'A container, a rule, or `all`.' },
  days: {
    type: 'days',
    help: 'Days on which it begins: `mon` to `sun`, `weekdays`, `weekends` or `daily`; default daily.',
  },
  from: { type: 'time', required: true, help: 'Local time at which it begins, like 02:00.' },
  to: { type: 'time', required: true, help: 'Local time at which it ends; before `from`: on the next day.' },
  reason: { type: 'text', help: 'Why; shown by `vpsmon silence list`.' },
} as const satisfies Shape;

/** The sections of the file, in the order in which they are documented. `settings` holds the keys of monitor.conf. */
export const SECTIONS = {
  settings: { list: false, help: 'Any key of monitor.conf; monitor.conf and the environment win.' },
  services: { list: true, shape: SERVICE_SHAPE, help: 'Containers with settings of their own.' },
  sql_metrics: {
    list: true,
    shape: SQL_METRIC_SHAPE,
    help: 'Numbers from PostgreSQL that are exported and kept.',
  },
  n8n: { list: false, shape: N8N_SHAPE, help: 'What recovery may pause in n8n, and where it looks.' },
  recovery: { list: false, shape: RECOVERY_SHAPE, help: 'How much recovery may do.' },
  silences: { list: true, shape: SILENCE_SHAPE, help: 'Times without messages, every week.' },
} as const;
