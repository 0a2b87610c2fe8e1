import { formatCount } from './text.ts';

/**
 * All that is known of a rule beside its judgement. The manual's table, the names that `silence` knows, the plurals of the
 * messages, `mute` and the rows of the console are made from this.
 */
export type RuleInfo = {
  /** Behind its name in the manual's table. */
  about?: string;
  /** What opens an incident of each severity, and what ends it, for the manual. */
  warning?: string;
  critical?: string;
  ends: string;
  /** The settings that move its limits, in Markdown. */
  settings?: string;
  /**
   * check: every check sees all its subjects, so one without a finding is gone. between: its findings come one by one, from
   * Docker's events, the kernel's log or a start.
   */
  judged: 'check' | 'between';
  /** What several incidents are called together; `#` stands for how many. */
  many?: string;
  /** The change of a container that opens it, as `mute` in vpsmon.yaml names it. */
  mute?: 'stopped' | 'unhealthy' | 'malfunction';
  /** The row of `monitor --once` that it marks; absent: the row of its subject, or the one about Docker. */
  row?: string;
  /** The rule of recovery that acts on it. */
  recovery?: 'swap' | 'queue' | 'waha';
  /** When it counts as flapping; absent: `FLAPS`. */
  flap?: FlapPolicy;
  /** It ends when it was not seen for so long, ms. */
  quietMs?: number;
  /** What its subject is while it lasts: "down". */
  whileOn?: 'down' | 'unhealthy';
  /** Its events about one container are a series: counted, and sent as one that goes on, and one that is over. */
  series?: true;
  /** It means that a series about the same container goes on, or ended the container. */
  ofSeries?: 'goes-on' | 'ended';
  /** An event that is sent once per cooldown of its container. */
  cooldown?: true;
  /** Its message is worth more than theirs about the same container: their repeats and ends are not sent beside its own. */
  inhibits?: readonly string[];
};

export type FlapPolicy = {
  /** More starts and ends than this within the window of the incidents' policy. */
  changes: number;
  /** It begins to flap with a start, never with an end. */
  atStart?: boolean;
  /** One that stays for so long after all is sent again, ms. */
  staysMs?: number;
};

export const FLAPS: FlapPolicy = { changes: 5 };
/** Two stops within the window: the second message announces that further ones follow only when it stays down. */
const CONTAINER_FLAPS: FlapPolicy = { changes: 2, atStart: true, staysMs: 60_000 };
/** A series of restarts is over when there was none for so long. */
const SERIES_QUIET_MS = 600_000;

export const RULES = {
  'memory-pressure': {
    about: 'score 0-100, held 30 s',
    warning: '60',
    critical: '80',
    ends: 'below 50',
    settings: '`MEMORY_PRESSURE_WARNING`, `_THRESHOLD`, `_CLEAR`, `_HOLD_SEC`',
    judged: 'check',
    row: 'pressure',
    recovery: 'swap',
  },
  'memory-available': {
    warning: 'below 100 MB',
    critical: 'below 50 MB',
    ends: 'above 130 MB',
    settings: '`MEMORY_WARNING_MB`, `MEMORY_CRITICAL_MB`, `MEMORY_CLEAR_MB`',
    judged: 'check',
    row: 'memory',
    recovery: 'swap',
  },
  'swap-used': {
    warning: 'above 1 GB, or half of the swap where that is less',
    critical: 'above 2 GB, or 80 % of the swap',
    ends: '10 % below the warning',
    settings: '`SWAP_WARNING_MB`, `SWAP_THRESHOLD_MB`',
    judged: 'check',
    row: 'swap',
    recovery: 'swap',
  },
  'swap-in': {
    about: 'rate, held 60 s',
    warning: 'above 1,000 KB/s',
    critical: 'above 5,000 KB/s while programs wait for memory',
    ends: 'below 500 KB/s',
    settings: '`SWAP_IN_WARNING_KBPS`, `_CRITICAL_KBPS`, `_CLEAR_KBPS`, `_HOLD_SEC`',
    judged: 'check',
    row: 'swap',
    recovery: 'swap',
  },
  disk: {
    about: 'each mount',
    warning: 'above 80 %',
    critical: 'above 90 %',
    ends: '3 points below the warning',
    settings: '`DISK_WARNING_PCT`, `DISK_CRITICAL_PCT`',
    judged: 'check',
    many: '# disks are nearly full',
  },
  inodes: {
    about: 'each mount',
    warning: 'above 80 %',
    critical: 'above 90 %',
    ends: '3 points below the warning',
    settings: '`DISK_WARNING_PCT`, `DISK_CRITICAL_PCT`',
    judged: 'check',
    many: '# disks have nearly no inodes left',
  },
  'disk-read-only': {
    about: 'each mount',
    critical: 'the kernel stopped all writing to it after an error',
    ends: 'it can be written',
    judged: 'check',
    many: '# disks are read-only after an error',
  },
  'postgres-cache': {
    about: 'hit ratio of the last interval',
    warning: 'below 90 %',
    critical: 'below 80 %',
    ends: '2 points above the warning',
    settings: '`POSTGRES_CACHE_THRESHOLD`, `POSTGRES_CACHE_CRITICAL`',
    judged: 'check',
    row: 'postgres',
  },
  'postgres-connections': {
    about: 'of those that users may have',
    warning: 'above 80 %',
    critical: 'above 95 %',
    ends: '3 points below the warning',
    settings: '`POSTGRES_CONNECTIONS_WARNING_PCT`, `_CRITICAL_PCT`',
    judged: 'check',
    row: 'postgres',
  },
  'oom-kill': {
    critical: 'each one',
    ends: 'happened once',
    judged: 'check',
    many: '# processes were killed for want of memory',
    series: true,
    row: 'OOM kills',
  },
  'container-memory': {
    about: 'anonymous memory and swap',
    warning: 'per service in vpsmon.yaml',
    critical: 'per service',
    ends: '10 % below the warning',
    settings: '`memory_warning_mb`, `memory_critical_mb` in `vpsmon.yaml`',
    judged: 'check',
    many: '# containers use much of their memory',
    row: 'docker',
  },
  'n8n-queue': {
    warning: 'above 500',
    critical: 'above 1,000',
    ends: 'below 400',
    settings: '`N8N_QUEUE_WARNING`, `_CRITICAL`, `_CLEAR`',
    judged: 'check',
    row: 'n8n',
    recovery: 'queue',
  },
  'redis-writes': {
    warning: '90 % of `maxmemory` used, where nothing may be evicted',
    critical: 'it refuses writes: full, or its disk cannot be written',
    ends: 'below 85 %',
    judged: 'check',
    row: 'redis',
  },
  'redis-evictions': {
    about: "of a Redis that holds n8n's queue",
    critical: 'it evicted keys within an hour',
    ends: 'none for an hour',
    judged: 'check',
    row: 'redis',
  },
  'n8n-workers': {
    warning: 'jobs wait and none runs, at 3 checks in a row: no worker, one that hangs, a paused queue',
    critical: 'the oldest waits for 5 min',
    ends: 'jobs are taken',
    judged: 'check',
    row: 'n8n',
  },
  'n8n-lost': {
    warning: "executions are queued in n8n's database, and Redis has no job for them",
    ends: 'they have one, or are a day old',
    judged: 'check',
    row: 'n8n',
  },
  'n8n-failures': {
    warning: 'a workflow failed 5 times in a row; half of the executions of an hour (of ten or more) failed',
    critical: '90 % failed',
    ends: 'a success; fewer',
    settings: '`N8N_FAILURE_STREAK`, `N8N_FAILURE_PCT`',
    judged: 'check',
    many: '# n8n workflows fail',
    row: 'n8n',
  },
  'n8n-key': {
    warning: 'the API key ends within a week',
    ends: 'a new key',
    judged: 'check',
    row: 'n8n',
  },
  'n8n-health': {
    warning: 'not healthy, or no answer, at 3 checks in a row',
    critical: 'for 5 min',
    ends: 'healthy',
    judged: 'check',
    row: 'n8n',
  },
  'waha-session': {
    warning: 'STARTING or FAILED for 5 min; QR code or passkey needed: at once',
    critical: 'not WORKING for 1 h',
    ends: 'WORKING (or STOPPED by hand)',
    settings: '`WAHA_WARNING_MINUTES`, `WAHA_CRITICAL_MINUTES`',
    judged: 'check',
    many: '# WhatsApp sessions do not work',
    row: 'waha',
    recovery: 'waha',
  },
  forecast: {
    about: 'by its growth; [how](forecast.md)',
    warning: 'full within 48 h',
    critical: 'full within 6 h',
    ends: 'it grows no more, or needs more than twice the warning',
    settings: '`FORECAST_WARNING_HOURS`, `FORECAST_CRITICAL_HOURS`',
    judged: 'check',
    many: '# things will run out',
  },
  'left-off': {
    warning: 'recovery switched something off, or changed it, and it is not as it was yet',
    ends: 'it is, or a person accepted it',
    judged: 'check',
    row: 'recovery',
  },
  'source-failed': {
    warning: 'a source could not be read 3 times in a row',
    ends: 'it can be read',
    judged: 'check',
    many: '# sources cannot be read',
  },
  'container-stopped': {
    warning: 'stopped on request, or ended without an error',
    critical: 'crashed or killed',
    ends: 'it runs again',
    settings: '`mute` in `vpsmon.yaml`',
    judged: 'between',
    many: '# containers are stopped',
    whileOn: 'down',
    ofSeries: 'ended',
    flap: CONTAINER_FLAPS,
    mute: 'stopped',
  },
  'container-unhealthy': {
    warning: 'its healthcheck fails',
    ends: 'healthy again',
    settings: '`mute`',
    judged: 'between',
    many: '# containers are unhealthy',
    whileOn: 'unhealthy',
    flap: CONTAINER_FLAPS,
    mute: 'unhealthy',
  },
  'container-malfunction': {
    warning: 'more than 3 restarts, and another one',
    ends: '10 quiet minutes',
    settings: '`MALFUNCTION_RESTARTS`, `mute`',
    judged: 'between',
    many: '# containers restart again and again',
    ofSeries: 'goes-on',
    quietMs: SERIES_QUIET_MS,
    mute: 'malfunction',
  },
  'restart-loop': {
    critical: 'more than 5 restarts in 5 minutes',
    ends: '10 quiet minutes',
    settings: '`RESTART_LOOP_COUNT`, `RESTART_LOOP_MINUTES`, `mute` (malfunction)',
    judged: 'between',
    many: '# containers are in a restart loop',
    ofSeries: 'goes-on',
    quietMs: SERIES_QUIET_MS,
    inhibits: ['container-malfunction'],
    mute: 'malfunction',
  },
  'container-restarting': {
    warning: 'it crashed, and its restart policy brought it back',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
    many: '# containers restart',
    cooldown: true,
  },
  'container-started': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'container-restarted': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute` (restarting)',
    judged: 'between',
  },
  'container-redeployed': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'container-renamed': {
    about: 'only information',
    ends: 'happened once',
    settings: '`mute`',
    judged: 'between',
  },
  'service-missing': {
    warning: 'a name in `MONITORED_SERVICES` has no container',
    ends: 'it has one',
    settings: '`MONITORED_SERVICES`',
    judged: 'between',
    many: '# monitored services are missing',
  },
  'docker-gone': { critical: 'Docker does not answer', ends: 'it answers', judged: 'between' },
  'unclean-reboot': {
    critical: 'the server went down without shutting down',
    ends: 'happened once',
    judged: 'between',
  },
  'watcher-telegram': {
    warning: 'Telegram refuses the messages',
    ends: 'it takes them again',
    judged: 'check',
  },
  'watcher-state': { warning: 'the state folder cannot be written', ends: 'it can again', judged: 'check' },
  'watcher-settings': {
    warning: 'the settings that a reload read have mistakes',
    ends: 'a reload reads good ones',
    judged: 'check',
  },
  'watcher-overrun': {
    warning: 'a check took longer than the time between two',
    ends: 'checks end in time',
    settings: '`SERVICE_CHECK_INTERVAL`',
    judged: 'check',
  },
  'watcher-replaced': {
    warning: 'the monitor crashed or hung, and systemd started it again',
    ends: 'happened once',
    judged: 'between',
  },
} as const satisfies Record<string, RuleInfo>;

export type RuleId = keyof typeof RULES;

const IDS = Object.keys(RULES) as RuleId[];

/** The rule of this name; undefined for one that only an earlier version had, as it may stand in an old database. */
export function ruleInfo(id: string): RuleInfo | undefined {
  return Object.hasOwn(RULES, id) ? RULES[id as RuleId] : undefined;
}

/** Rules of which a check sees every subject, so that a subject without a finding is gone. */
export const JUDGED_BY_CHECK: readonly RuleId[] = IDS.filter((id) => RULES[id].judged === 'check');

/** What several incidents of one rule are called together. */
export function nameOfMany(id: string, count: number): string {
  return (ruleInfo(id)?.many ?? `# incidents of ${id}`).replace('#', formatCount(count));
}
