/** Every key of monitor.conf: its shape, its default and one sentence. The docs and the example are made from this table. */

export type KeyKind =
  | { type: 'text'; default: string }
  | { type: 'secret'; default: string }
  | { type: 'url'; default: string; protocols: string[] }
  | { type: 'int'; default: number; min: number; max: number }
  | { type: 'number'; default: number; min: number; max: number }
  | { type: 'bool'; default: boolean }
  | { type: 'list'; default: string[] }
  | { type: 'choice'; default: string; values: readonly string[] }
  | { type: 'listen'; default: string };

export type KeyDefinition = KeyKind & { help: string };

const text = (d: string) => ({ type: 'text', default: d }) as const;
const secret = { type: 'secret', default: '' } as const;
const url = (protocols: string[], d = '') => ({ type: 'url', default: d, protocols }) as const;
const int = (d: number, min: number, max: number) => ({ type: 'int', default: d, min, max }) as const;
const number = (d: number, min: number, max: number) => ({ type: 'number', default: d, min, max }) as const;
const bool = (d: boolean) => ({ type: 'bool', default: d }) as const;
const list = (d: string[]) => ({ type: 'list', default: d }) as const;
const choice = <const V extends readonly string[]>(values: V, d: V[number]) =>
  ({ type: 'choice', default: d, values }) as const;

const listen = { type: 'listen', default: '127.0.0.1:8080' } as const;

/** The keys, in the groups and the order in which they are documented. */
export const KEY_GROUPS = {
  Telegram: {
    TELEGRAM_BOT_TOKEN: { ...secret, help: 'The token that @BotFather gave you.' },
    TELEGRAM_BOT_TOKEN_FILE: {
      ...text(''),
      help: 'A file that holds the token, instead of TELEGRAM_BOT_TOKEN; systemd credentials work here.',
    },
    TELEGRAM_CHAT_ID: {
      ...text(''),
      help: 'Where messages go: a number (negative for groups), @channel, or NUMBER/TOPIC for a topic of a group; several with commas. `vpsmon telegram chats` lists the ones that wrote to the bot.',
    },
    TELEGRAM_CHAT_CRITICAL: {
      ...text(''),
      help: 'Chats or topics for critical messages, where they are not those of TELEGRAM_CHAT_ID.',
    },
    TELEGRAM_CHAT_WARNING: { ...text(''), help: 'The same for warnings.' },
    TELEGRAM_CHAT_INFO: {
      ...text(''),
      help: 'The same for everything else: deploys, reports, and ends of incidents, which go to the chats of the incident as well.',
    },
    TELEGRAM_STYLE: {
      ...choice(['living', 'separate'], 'living'),
      help: 'One message per incident (living), edited while it lasts, with its end as a reply; or each change as a message of its own (separate).',
    },
    TELEGRAM_COMMANDS: {
      ...bool(true),
      help: 'Read what you write to the bot: commands like /status, and buttons. One program only can read the messages of a bot.',
    },
    TELEGRAM_ACTIONS: {
      ...bool(false),
      help: 'Buttons that stop and restart containers and undo recovery. Without it, Telegram can only read, silence and acknowledge.',
    },
    TELEGRAM_ALLOWED_USERS: {
      ...list([]),
      help: 'Ids of the users whose commands and buttons count; `setup` writes yours. Empty: in a private chat its owner, in groups nobody.',
    },
    TELEGRAM_OTHERS_MAY_READ: {
      ...bool(false),
      help: 'Everybody in the chat may use commands and buttons that only show something.',
    },
    TELEGRAM_API_ROOT: {
      ...url(['http:', 'https:'], 'https://api.telegram.org'),
      help: 'The Bot API server, for a self-hosted one.',
    },
    SERVER_NAME: { ...text(''), help: 'What this server is called in messages; empty: its host name.' },
    HEARTBEAT_URL: {
      ...url(['http:', 'https:']),
      help: 'A URL that is fetched after every good check (healthchecks.io and the like), so that somebody notices when the whole server is gone.',
    },
  },
  Alerts: {
    ALERT_RATE_LIMIT_SEC: {
      ...int(600, 0, 86_400),
      help: 'Seconds between two messages of the same type that repeat what is known.',
    },
    ALERT_COOLDOWN_MINUTES: {
      ...int(5, 1, 1440),
      help: 'Minutes between two messages about the same service that repeat what is known.',
    },
    MEMORY_PRESSURE_THRESHOLD: {
      ...number(80, 1, 100),
      help: 'Memory pressure score (0-100) that is critical when it holds for 30 s.',
    },
    MEMORY_PRESSURE_WARNING: {
      ...number(60, 1, 100),
      help: 'Memory pressure score that is a warning when it holds for 30 s.',
    },
    MEMORY_PRESSURE_CLEAR: {
      ...number(50, 0, 100),
      help: 'Memory pressure score below which the incident ends.',
    },
    MEMORY_PRESSURE_HOLD_SEC: {
      ...int(30, 0, 3600),
      help: 'Seconds that the memory pressure must hold before it is an incident.',
    },
    MEMORY_WARNING_MB: {
      ...int(100, 1, 1_000_000),
      help: 'Available memory below this many MB is a warning.',
    },
    MEMORY_CRITICAL_MB: {
      ...int(50, 1, 1_000_000),
      help: 'Available memory below this many MB is critical.',
    },
    MEMORY_CLEAR_MB: {
      ...int(130, 1, 1_000_000),
      help: 'Available memory above this many MB ends the incident.',
    },
    SWAP_WARNING_MB: { ...int(1024, 1, 10_000_000), help: 'Swap use above this many MB is a warning.' },
    SWAP_THRESHOLD_MB: { ...int(2048, 1, 10_000_000), help: 'Swap use above this many MB is critical.' },
    SWAP_IN_WARNING_KBPS: {
      ...int(1000, 1, 10_000_000),
      help: 'Swap-in rate in KB/s that is a warning when it holds for 60 s.',
    },
    SWAP_IN_CRITICAL_KBPS: {
      ...int(5000, 1, 10_000_000),
      help: 'Swap-in rate in KB/s that is critical when it holds for 60 s; recovery acts above it.',
    },
    SWAP_IN_CLEAR_KBPS: {
      ...int(500, 0, 10_000_000),
      help: 'Swap-in rate in KB/s below which the incident ends.',
    },
    SWAP_IN_HOLD_SEC: {
      ...int(60, 0, 3600),
      help: 'Seconds that the swap-in rate must hold before it is an incident.',
    },
    DISK_WARNING_PCT: { ...number(80, 1, 100), help: 'Disk or inode use in percent that is a warning.' },
    DISK_CRITICAL_PCT: { ...number(90, 1, 100), help: 'Disk or inode use in percent that is critical.' },
    FORECAST_WARNING_HOURS: {
      ...number(48, 1, 168),
      help: 'Something that is full within so many hours, by its growth, is a warning.',
    },
    FORECAST_CRITICAL_HOURS: {
      ...number(6, 0.5, 168),
      help: 'Something that is full within so many hours, by its growth, is critical.',
    },
    POSTGRES_CACHE_THRESHOLD: {
      ...number(90, 0, 100),
      help: 'PostgreSQL cache hit ratio in percent below which it is a warning.',
    },
    POSTGRES_CACHE_CRITICAL: {
      ...number(80, 0, 100),
      help: 'PostgreSQL cache hit ratio in percent below which it is critical.',
    },
    POSTGRES_CONNECTIONS_WARNING_PCT: {
      ...number(80, 1, 100),
      help: 'Connections in percent of max_connections that are a warning.',
    },
    POSTGRES_CONNECTIONS_CRITICAL_PCT: {
      ...number(95, 1, 100),
      help: 'Connections in percent of max_connections that are critical.',
    },
    RESTART_LOOP_COUNT: {
      ...int(5, 1, 1000),
      help: 'More restarts than this within RESTART_LOOP_MINUTES are a restart loop.',
    },
    RESTART_LOOP_MINUTES: { ...int(5, 1, 60), help: 'The minutes in which restarts are counted for a loop.' },
    MALFUNCTION_RESTARTS: {
      ...int(3, 1, 1000),
      help: 'More restarts than this, and rising, are reported as a malfunction.',
    },
    N8N_QUEUE_WARNING: { ...int(500, 1, 10_000_000), help: 'Jobs in the n8n queue that are a warning.' },
    N8N_QUEUE_CRITICAL: {
      ...int(1000, 1, 10_000_000),
      help: 'Jobs in the n8n queue that are critical; recovery acts above it.',
    },
    N8N_QUEUE_CLEAR: {
      ...int(400, 0, 10_000_000),
      help: 'Jobs in the n8n queue below which the incident ends and paused workflows come back.',
    },
    N8N_FAILURE_STREAK: {
      ...int(5, 0, 10_000),
      help: 'Failed executions in a row of one n8n workflow that are a warning; 0: never.',
    },
    N8N_FAILURE_PCT: {
      ...int(50, 0, 100),
      help: 'Percent of the n8n executions of an hour (of ten or more) whose failure is a warning, and critical from 90 on; 0: never.',
    },
    WAHA_WARNING_MINUTES: {
      ...int(5, 1, 1440),
      help: 'Minutes in STARTING or FAILED after which a WhatsApp session is a warning.',
    },
    WAHA_CRITICAL_MINUTES: {
      ...int(60, 1, 10_080),
      help: 'Minutes without WORKING after which a WhatsApp session is critical.',
    },
  },
  Monitor: {
    SERVICE_CHECK_INTERVAL: { ...int(30, 10, 3600), help: 'Seconds between two checks.' },
    REPORT_INTERVAL_HOURS: {
      ...int(6, 0, 168),
      help: 'Hours between two status reports on Telegram; 0 switches them off.',
    },
    MONITORED_SERVICES: {
      ...list([]),
      help: 'Containers or Compose services to watch; empty: every container.',
    },
    IGNORED_SERVICES: {
      ...list([]),
      help: 'Containers or Compose services to say nothing about; `*` stands for anything (`job-*`).',
    },
    HTTP_LISTEN: { ...listen, help: 'Where /health and /metrics are served; empty switches it off.' },
    HTTP_HOSTS: {
      ...list([]),
      help: 'Further host names by which /health and /metrics may be asked, such as the one that a reverse proxy passes on.',
    },
    LOG_LEVEL: {
      ...choice(['DEBUG', 'INFO', 'WARNING', 'ERROR'], 'INFO'),
      help: 'How much is logged: DEBUG, INFO, WARNING or ERROR.',
    },
    DOCKER_HOST: {
      ...text(''),
      help: 'Where the Docker engine listens, unix:// or tcp://; empty: the usual sockets are tried.',
    },
    HOST_ROOT: {
      ...text('/'),
      help: "Where the host's file system is mounted when vpsmon runs in a container (`/host`).",
    },
  },
  Recovery: {
    ENABLE_AUTO_RECOVERY: {
      ...bool(false),
      help: 'Whether recovery acts; without it, it says what it would have done.',
    },
    ESSENTIAL_CONTAINERS: {
      ...list(['postgres', 'redis', 'n8n', 'waha', 'traefik']),
      help: 'Containers that recovery never stops: names, parts of a name, Compose or Swarm services, images. The databases and applications that vpsmon knows are essential without it.',
    },
  },
  Databases: {
    POSTGRES_URL: {
      ...url(['postgres:', 'postgresql:']),
      help: 'A whole PostgreSQL URL; wins over the single POSTGRES_ keys.',
    },
    POSTGRES_HOST: { ...text(''), help: 'PostgreSQL host or socket folder; empty: found through Docker.' },
    POSTGRES_PORT: { ...int(5432, 1, 65_535), help: 'PostgreSQL port.' },
    POSTGRES_USER: { ...text(''), help: 'PostgreSQL user.' },
    POSTGRES_PASSWORD: { ...secret, help: 'PostgreSQL password.' },
    POSTGRES_DB: { ...text(''), help: 'PostgreSQL database.' },
    REDIS_URL: {
      ...url(['redis:', 'rediss:', 'valkey:', 'valkeys:', 'unix:', 'redis+unix:', 'redis+socket:']),
      help: 'A whole Redis URL; wins over the single REDIS_ keys. rediss:// speaks TLS, unix:///run/redis.sock is a socket.',
    },
    REDIS_HOST: { ...text(''), help: 'Redis host or path of its socket; empty: found through Docker.' },
    REDIS_PORT: { ...int(6379, 1, 65_535), help: 'Redis port.' },
    REDIS_PASSWORD: { ...secret, help: 'Redis password.' },
    REDIS_TLS_CA: {
      ...text(''),
      help: 'File with the certificate authority of a Redis that speaks TLS; empty: those of the system.',
    },
  },
  Applications: {
    WAHA_URL: { ...url(['http:', 'https:']), help: 'Address of WAHA; empty: found through Docker.' },
    WAHA_API_KEY: { ...secret, help: 'WAHA API key.' },
    N8N_URL: { ...url(['http:', 'https:']), help: 'Address of n8n; empty: found through Docker.' },
    N8N_API_KEY: { ...secret, help: 'API key of n8n; recovery needs it to pause workflows.' },
  },
} as const satisfies Record<string, Record<string, KeyDefinition>>;

type Group = (typeof KEY_GROUPS)[keyof typeof KEY_GROUPS];
type KeyIn<G> = G extends unknown ? keyof G : never;
export type Key = KeyIn<Group>;
type DefinitionOf<K extends Key> = Extract<Group, Record<K, unknown>>[K];

export const KEYS = Object.assign({}, ...Object.values(KEY_GROUPS)) as { [K in Key]: DefinitionOf<K> };
export const KEY_NAMES = Object.keys(KEYS) as Key[];

export function isKey(name: string): name is Key {
  return Object.hasOwn(KEYS, name);
}

export function definitionOf(key: Key): KeyDefinition {
  return KEYS[key];
}

type ValueOf<D> = D extends { type: 'int' | 'number' }
  ? number
  : D extends { type: 'bool' }
    ? boolean
    : D extends { type: 'list' }
      ? string[]
      : D extends { type: 'choice'; values: readonly (infer V)[] }
        ? V
        : string;
/** The effective flat settings, every key present. */
export type Settings = { [K in Key]: ValueOf<DefinitionOf<K>> };

/** A fresh copy of all defaults. */
export function defaultSettings(): Settings {
  const entries = KEY_NAMES.map((key) => [key, structuredClone(KEYS[key].default)]);
  return Object.fromEntries(entries) as Settings;
}

/** Where an effective value came from, e.g. `environment`, `/etc/vpsmon/monitor.conf:12`, `default`. */
export type Origin = {
  from: 'environment' | 'file' | 'default';
  file?: string;
  line?: number;
  /** A default that gave way to this setting, so that a warning level is not above the critical one. */
  follows?: Key;
};

/** Where a problem with a value is reported. */
export function placeOf({ file, from, line }: Origin): { file: string; line?: number } {
  return { file: file ?? from, ...(line === undefined ? {} : { line }) };
}

/** vpsmon.yaml: what is not flat. Every part is optional in the file; this is the shape after loading. */
export type ServiceSettings = {
  /** Container name or Compose service. */
  name: string;
  essential?: boolean;
  /** Overrides ALERT_COOLDOWN_MINUTES. */
  cooldownMinutes?: number;
  /** Overrides MALFUNCTION_RESTARTS. */
  malfunctionRestarts?: number;
  /** Changes that are not notified: started, stopped, restored, restarting, malfunction, unhealthy, redeployed. */
  mute?: string[];
  /** Warn and alarm on anonymous memory, MB. */
  memoryWarningMb?: number;
  memoryCriticalMb?: number;
};
export type SqlMetric = { name: string; help: string; query: string; database?: string };
export type SilenceWindow = {
  subject: string;
  days: number[];
  /** minutes since midnight, local */ from: number;
  to: number;
  reason: string;
};
export type Extra = {
  services: ServiceSettings[];
  sqlMetrics: SqlMetric[];
  n8n: { tag: string; lowPriorityWorkflows: string[]; queues: string[]; finishedWithinHours: number };
  recovery: {
    actionsPerTargetPerHour: number;
    actionsPerHour: number;
    restartIdleWaha: boolean;
    wahaIdleMinutes: number;
    calmMinutes: number;
  };
  silences: SilenceWindow[];
};

/** A fresh copy of what holds without a vpsmon.yaml. */
export function defaultExtra(): Extra {
  return {
    services: [],
    // The built-in lead_count is the collector's own; one of that name here replaces it.
    sqlMetrics: [],
    n8n: { tag: 'low-priority', lowPriorityWorkflows: [], queues: ['jobs'], finishedWithinHours: 24 },
    recovery: {
      actionsPerTargetPerHour: 3,
      actionsPerHour: 10,
      restartIdleWaha: false,
      wahaIdleMinutes: 60,
      calmMinutes: 10,
    },
    silences: [],
  };
}

export type Problem = { level: 'error' | 'warning'; file: string; line?: number; key?: string; text: string };
export type Config = {
  settings: Settings;
  origins: Record<Key, Origin>;
  extra: Extra;
  /** Files that were read, in order. */
  files: string[];
  /** Warnings only: errors stop the program before a Config exists. */
  warnings: Problem[];
  /** Absolute. */
  stateDir: string;
};

/** Whether a name is what a pattern of a setting means: `*` stands for any text, case does not matter. */
export function matchesPattern(pattern: string, name: string): boolean {
  const [first = '', ...parts] = pattern.trim().toLowerCase().split('*');
  const text = name.toLowerCase();
  const last = parts.pop();
  if (last === undefined) return text === first;
  // Not by an expression: one with many stars takes years for a name that nearly fits.
  let from = first.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return text.startsWith(first) && text.endsWith(last) && text.length >= from + last.length;
}

/** True where one of these patterns, of IGNORED_SERVICES or a silence, names this container. */
export function isIgnored(
  patterns: readonly string[],
  { name, service }: { name: string; service?: string },
): boolean {
  return patterns.some((pattern) =>
    [name, service, nameInStack(name)].some((one) => one !== undefined && matchesPattern(pattern, one)),
  );
}

/** `docker stack deploy` calls the service web of the stack shop `shop_web`, and Swarm its tasks `shop_web.1.` and 25 letters and digits. */
function nameInStack(task: string): string | undefined {
  return /^[^_]{1,64}_(.{1,64})\.(?:\d{1,9}|[a-z0-9]{25})\.[a-z0-9]{25}$/.exec(task)?.[1];
}

/** True where `setting` names this container: its name, its service in Compose, Swarm or a stack, case-insensitively. */
export function namesContainer(
  setting: string,
  container: { name: string; service?: string; alias?: string },
): boolean {
  const wanted = setting.trim().toLowerCase();
  const { name, service, alias } = container;
  return [name, service, alias, nameInStack(name)].some((one) => one?.toLowerCase() === wanted);
}
