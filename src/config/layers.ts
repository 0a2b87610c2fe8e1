import { maskSecrets, plain } from '../model/text.ts';
import {
  definitionOf,
  isKey,
  KEY_NAMES,
  type Key,
  type KeyDefinition,
  type Origin,
  type Problem,
} from './schema.ts';
import { KEY_FORMATS } from './key-formats.ts';
import { describeValue, parseValue, wrongText, type Value } from './parse-value.ts';
import { suggest } from './suggest.ts';

/** One KEY=value of any place, before it is understood. */
export type RawSetting = { key: string; text: string; file: string; line?: number };
export type LayerSetting = { value: Value; origin: Origin };
/** The settings of one place: the environment, monitor.conf, or `settings:` of vpsmon.yaml. */
export type Layer = Map<Key, LayerSetting>;

/** Understands the settings of one place; everything wrong becomes a problem. Of two with the same key the last one counts. */
export function readLayer(raws: RawSetting[], from: Origin['from'], problems: Problem[]): Layer {
  const layer: Layer = new Map();
  const lines = new Map<string, number | undefined>();
  for (const raw of raws) {
    const { key, file, line } = raw;
    const at = { file, ...(line === undefined ? {} : { line }) };
    if (!isKey(key)) {
      problems.push({ level: 'warning', ...at, ...unknownKey(key) });
      continue;
    }
    if (lines.has(key)) {
      const before = lines.get(key);
      const where = before === undefined ? 'before' : `in line ${before}`;
      const text = `is set twice; the value here counts, the one ${where} does not`;
      problems.push({ level: 'warning', ...at, key, text });
    }
    lines.set(key, line);
    const parsed = understand(key, raw.text);
    if ('problem' in parsed) problems.push({ level: 'error', ...at, key, text: parsed.problem });
    else layer.set(key, { value: parsed.value, origin: { from, ...at } });
  }
  return layer;
}

/** The value of a key, or the sentence about what is wrong with it. */
export function understand(key: Key, text: string): { value: Value } | { problem: string } {
  const definition = definitionOf(key);
  const format = KEY_FORMATS[key];
  let parsed = parseValue(definition, text);
  if ('value' in parsed && format && typeof parsed.value === 'string' && parsed.value.trim() !== '') {
    parsed = format(parsed.value);
  }
  if ('value' in parsed) return parsed;
  return { problem: wrongText(parsed, describeValue(definition, text)) };
}

function unknownKey(key: string): { key: string; text: string } {
  // A key that is not shaped like one may be the torn half of a secret.
  const shown = /^[A-Za-z_][A-Za-z0-9_.-]{0,39}$/.test(key)
    ? maskSecrets(plain(key, 40))
    : `a key of ${key.length} characters`;
  const meant = settingOfOldName(key.toUpperCase()) ?? suggest(key, KEY_NAMES);
  const text = meant
    ? `is not a setting and is ignored; did you mean ${meant}?`
    : 'is not a setting and is ignored; `vpsmon config show` lists all settings';
  return { key: shown, text };
}

/**
 * The settings among the environment variables. Docker's --env-file hands quotes and trailing comments over as they stand,
 * so they are taken off here. A variable that is set but empty, as Compose makes it of an unset ${VARIABLE}, counts as not
 * set, except HTTP_LISTEN, where empty means off.
 */
export function environmentSettings(env: NodeJS.ProcessEnv): RawSetting[] {
  const raws: RawSetting[] = [];
  for (const key of KEY_NAMES) {
    const original = env[key];
    if (original === undefined) continue;
    const text = unwrap(definitionOf(key), original);
    if (text.trim() === '' && key !== 'HTTP_LISTEN') continue;
    // Docker's links and Kubernetes' services put REDIS_PORT=tcp://10.0.0.1:6379 into the environment by themselves.
    if (key.endsWith('_PORT') && /^(?:tcp|udp):\/\//.test(text)) continue;
    raws.push({ key, text, file: 'environment' });
  }
  return raws;
}

function unwrap(definition: KeyDefinition, original: string): string {
  const text = original.trim();
  const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/s.exec(text);
  if (quoted && !quoted[2]!.includes(quoted[1]!)) return quoted[2]!;
  // In a secret, " #" may be part of the value.
  return definition.type === 'secret' ? text : text.replace(/(?:^|\s+)#.*$/s, '');
}

/** Variables of vpsmon itself that are no settings. */
const OWN_VARIABLES = ['VPSMON_CONFIG', 'VPSMON_STATE_DIR', 'VPSMON_DEBUG'];

/** Mistyped VPSMON_ variables, and settings that somebody put the prefix in front of. Others are left alone. */
export function unknownVariables(env: NodeJS.ProcessEnv): Problem[] {
  const problems: Problem[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('VPSMON_') || OWN_VARIABLES.includes(name)) continue;
    const bare = name.slice('VPSMON_'.length);
    const meant = isKey(bare) ? bare : suggest(name, OWN_VARIABLES);
    if (meant === undefined) continue;
    const key = plain(name, 60);
    problems.push({
      level: 'warning',
      file: 'environment',
      key,
      text: `is not a setting and is ignored; did you mean ${meant}?`,
    });
  }
  return problems;
}

/** Names that scripts of this kind, and the tools around them, use for a setting. They are suggested, not read. */
const OLD_NAMES: Partial<Record<Key, string>> = {
  TELEGRAM_BOT_TOKEN: 'BOT_TOKEN TELEGRAM_TOKEN TG_BOT_TOKEN TG_TOKEN',
  TELEGRAM_CHAT_ID: 'CHAT_ID TG_CHAT_ID TELEGRAM_CHAT TELEGRAM_CHANNEL_ID',
  TELEGRAM_API_ROOT: 'TELEGRAM_API_URL TELEGRAM_API_BASE',
  HEARTBEAT_URL: 'HEALTHCHECK_URL HEALTHCHECKS_URL PING_URL',
  SERVICE_CHECK_INTERVAL: 'CHECK_INTERVAL CHECK_INTERVAL_SEC MONITOR_INTERVAL INTERVAL',
  ALERT_COOLDOWN_MINUTES: 'COOLDOWN_MINUTES ALERT_COOLDOWN',
  ALERT_RATE_LIMIT_SEC: 'RATE_LIMIT RATE_LIMIT_SEC ALERT_RATE_LIMIT',
  REPORT_INTERVAL_HOURS: 'STATUS_REPORT_INTERVAL REPORT_INTERVAL',
  MEMORY_PRESSURE_THRESHOLD: 'PRESSURE_THRESHOLD MEMORY_PRESSURE_CRITICAL',
  MEMORY_WARNING_MB: 'MEMORY_THRESHOLD MEMORY_THRESHOLD_MB',
  SWAP_THRESHOLD_MB: 'SWAP_THRESHOLD SWAP_CRITICAL_MB',
  SWAP_IN_CRITICAL_KBPS: 'SWAP_IN_THRESHOLD SWAP_RATE_THRESHOLD',
  DISK_WARNING_PCT: 'DISK_THRESHOLD DISK_THRESHOLD_PCT DISK_USAGE_THRESHOLD',
  POSTGRES_CACHE_THRESHOLD: 'PG_CACHE_THRESHOLD CACHE_HIT_THRESHOLD',
  N8N_QUEUE_CRITICAL: 'QUEUE_THRESHOLD N8N_QUEUE_THRESHOLD',
  MALFUNCTION_RESTARTS: 'RESTART_THRESHOLD RESTART_COUNT_THRESHOLD',
  ENABLE_AUTO_RECOVERY: 'AUTO_RECOVERY AUTO_RECOVERY_ENABLED',
  ESSENTIAL_CONTAINERS: 'ESSENTIAL_SERVICES',
  MONITORED_SERVICES: 'MONITORED_CONTAINERS SERVICES SERVICES_TO_MONITOR',
  LOG_LEVEL: 'LOGLEVEL',
  HTTP_LISTEN: 'HEALTH_PORT HEALTH_CHECK_PORT HTTP_PORT LISTEN PORT',
  DOCKER_HOST: 'DOCKER_SOCKET DOCKER_SOCK',
  POSTGRES_URL: 'DATABASE_URL POSTGRES_DSN',
  POSTGRES_DB: 'POSTGRES_DATABASE PGDATABASE DB_NAME',
  POSTGRES_PASSWORD: 'POSTGRES_PASS PGPASSWORD DB_PASSWORD',
  POSTGRES_HOST: 'PGHOST DB_HOST',
  POSTGRES_PORT: 'PGPORT DB_PORT',
  POSTGRES_USER: 'PGUSER DB_USER',
  REDIS_PASSWORD: 'REDIS_PASS',
  WAHA_URL: 'WAHA_BASE_URL WAHA_API_URL',
  WAHA_API_KEY: 'WAHA_KEY',
  N8N_URL: 'N8N_BASE_URL N8N_API_URL N8N_HOST',
};

/** By the old name in capitals. */
export function settingOfOldName(name: string): string | undefined {
  return Object.entries(OLD_NAMES).find(([, old]) => old.split(' ').includes(name))?.[0];
}
