import { percentDecoded } from '../model/text.ts';
import { SSL_MODES, type HttpTarget, type PostgresTarget, type RedisTarget } from '../model/targets.ts';
import { defined } from '../model/defined.ts';
import { toPort } from './container.ts';
import { KEYS, type Config, type Key } from '../config/schema.ts';

/** What a person set; undefined for what they left out. Only what is not the default counts as set. */
export type Wanted<T> = Partial<Omit<T, 'how'>> & { how: string };

function origin(config: Config, key: Key): string {
  const { from, file, line } = config.origins[key];
  if (file !== undefined) return `${key} in ${file}${line === undefined ? '' : `:${line}`}`;
  return from === 'environment' ? `${key} in the environment` : key;
}

/**
 * A port that was chosen. monitor.conf.example spells the usual one out: without a host that says nothing, and what Docker
 * shows is better.
 */
function chosenPort(
  config: Config,
  key: 'POSTGRES_PORT' | 'REDIS_PORT',
  host: string | undefined,
): number | undefined {
  const port = config.settings[key];
  const usual = host === undefined && port === KEYS[key].default;
  return config.origins[key].from === 'default' || usual ? undefined : port;
}

/** The text of a setting; undefined where it was left empty. */
function given(config: Config, key: Key): string | undefined {
  return String(config.settings[key]) || undefined;
}

/** POSTGRES_URL, or else the single keys. Without a host the rest replaces what Docker shows. */
export function wantedPostgres(config: Config): Wanted<PostgresTarget> {
  const url = given(config, 'POSTGRES_URL');
  if (url !== undefined) return { ...fromPostgresUrl(url), how: origin(config, 'POSTGRES_URL') };
  const host = given(config, 'POSTGRES_HOST');
  return {
    ...defined({
      host,
      port: chosenPort(config, 'POSTGRES_PORT', host),
      user: given(config, 'POSTGRES_USER'),
      password: given(config, 'POSTGRES_PASSWORD'),
      database: given(config, 'POSTGRES_DB'),
    }),
    how: host === undefined ? '' : origin(config, 'POSTGRES_HOST'),
  };
}

/**
 * postgres://user:password@host:port/database?sslmode=require. A socket folder is the host in the query (`?host=/run/x`)
 * or, encoded, in its place (`postgres://user@%2Frun%2Fx/database`).
 */
export function fromPostgresUrl(text: string): Partial<Omit<PostgresTarget, 'how'>> {
  const url = parse(text);
  if (!url) return {};
  const query = (name: string) => url.searchParams.get(name) ?? undefined;
  const mode = query('sslmode');
  return defined({
    host: query('host') ?? (percentDecoded(url.hostname.replace(/^\[|\]$/g, '')) || 'localhost'),
    port: toPort(query('port') ?? url.port),
    user: query('user') ?? (percentDecoded(url.username) || undefined),
    password: query('password') ?? (percentDecoded(url.password) || undefined),
    database: query('dbname') ?? (percentDecoded(url.pathname.slice(1)) || undefined),
    sslMode: SSL_MODES.find((one) => one === mode),
    sslRootCert: query('sslrootcert'),
  });
}

/** REDIS_URL, or else the single keys. */
export function wantedRedis(config: Config): Wanted<RedisTarget> {
  const url = given(config, 'REDIS_URL');
  if (url !== undefined) return { ...fromRedisUrl(url), how: origin(config, 'REDIS_URL') };
  const host = given(config, 'REDIS_HOST');
  return {
    ...defined({
      host,
      port: chosenPort(config, 'REDIS_PORT', host),
      password: given(config, 'REDIS_PASSWORD'),
    }),
    how: host === undefined ? '' : origin(config, 'REDIS_HOST'),
  };
}

/**
 * rediss://user:password@host:port/db; the form redis://password@host is understood as well. A unix socket, in the forms of
 * redis-cli, redis-py and PHP: `unix:///run/redis.sock?db=2`, `redis+unix://:password@/run/redis.sock`, `redis+socket://...`.
 */
export function fromRedisUrl(text: string): Partial<Omit<RedisTarget, 'how'>> {
  const url = parse(text);
  if (!url) return {};
  const socket = /^(unix|redis\+(unix|socket)):$/.test(url.protocol);
  const query = (name: string) => url.searchParams.get(name) ?? '';
  const [user, password] = [
    percentDecoded(url.username),
    percentDecoded(url.password) || (socket ? query('password') : ''),
  ];
  const db = Number(socket ? query('db') || query('database') : url.pathname.slice(1));
  return defined({
    host:
      (socket ? percentDecoded(url.pathname) : percentDecoded(url.hostname.replace(/^\[|\]$/g, ''))) ||
      'localhost',
    port: toPort(url.port),
    username: password ? user || undefined : undefined,
    password: password || user || undefined,
    db: Number.isInteger(db) && db > 0 ? db : undefined,
    tls: /^(rediss|valkeys):$/.test(url.protocol) ? true : undefined,
  });
}

export function wantedHttp(config: Config, program: 'WAHA' | 'N8N'): Wanted<HttpTarget> {
  const url = given(config, `${program}_URL`);
  return {
    ...defined({ url, apiKey: given(config, `${program}_API_KEY`) }),
    how: url === undefined ? '' : origin(config, `${program}_URL`),
  };
}

/** `postgres://user@/database` has no host, which PostgreSQL allows and URL does not. */
function parse(text: string): URL | undefined {
  const whole = URL.canParse(text) ? text : text.replace('@/', '@localhost/');
  return URL.canParse(whole) ? new URL(whole) : undefined;
}
