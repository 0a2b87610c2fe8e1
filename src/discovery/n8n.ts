import { defined } from '../model/defined.ts';
import { plain } from '../model/text.ts';
import { addressOf, meantBy, toUrl, urlOf, type Surroundings } from './address.ts';
import { choose, fromEnv, inFile, isTrue, label, notRunning, oneOf, portFromEnv } from './container.ts';
import type { Candidate } from './kind.ts';
import type { Wanted } from './explicit.ts';
import { postgresLogin, postgresPort, type UsedByN8n } from './postgres.ts';
import { redisPassword, redisPort, type UsedByQueue } from './redis.ts';
import { resolveHost, type Place, type Servers } from './host.ts';
import { sameAs } from './waha.ts';
import { grant, whyWithheld } from './trust.ts';
import type { HttpTarget, N8nTarget, PostgresTarget, RedisTarget } from '../model/targets.ts';

/** Where vpsmon stands, and the addresses that a person set. */
type Around = Surroundings & { named: { postgres: Wanted<PostgresTarget>; redis: Wanted<RedisTarget> } };
type Database = NonNullable<N8nTarget['database']>;
type Queue = NonNullable<N8nTarget['queue']>;

export type FoundN8n = {
  target?: N8nTarget;
  why?: string;
  /** It runs, and cannot be read. */
  here?: true;
  /** Why its database or queue cannot be read although it has one. */
  databaseWhy?: string;
  queueWhy?: string;
  usesPostgres?: UsedByN8n;
  usesRedis?: UsedByQueue;
};

/** Workers and webhook processors are n8n, too, but have neither the editor nor the API. */
function isMain({ inspect }: Candidate): boolean {
  return !inspect.command.some((word) =>
    /^(worker|webhook|execute)$|\bn8n\s+(worker|webhook|execute)\b/.test(word),
  );
}

function n8nPort(container: Candidate): number {
  return portFromEnv(container, 5678, 'N8N_PORT');
}

/** n8n, its database and its queue: what a person set, else the container called `n8n`, or the oldest. */
export function findN8n(
  candidates: Candidate[],
  wanted: Wanted<HttpTarget>,
  databases: Candidate[],
  around: Around,
): FoundN8n {
  const mains = candidates.filter((candidate) => isMain(candidate));
  const running = mains.filter((candidate) => candidate.running);
  const chosen =
    wanted.url === undefined ? choose(running, 'n8n') : sameAs(wanted.url, running, n8nPort, around);
  if (wanted.url === undefined && !chosen) return { why: whyNone(candidates, mains) };
  const parts: Parts = chosen
    ? { ...databaseOf(chosen, databases, around), ...queueOf(chosen, databases, around) }
    : {};
  const { databaseWhy, queueWhy, usesPostgres, usesRedis, ...found } = parts;
  const rest = defined({ databaseWhy, queueWhy, usesPostgres, usesRedis });
  const base = chosen && wanted.url === undefined ? fromContainer(chosen, running, around) : undefined;
  const { secret: apiKey = '', note } =
    base && chosen
      ? grant(wanted.apiKey, chosen, mains, { setting: 'N8N_API_KEY', naming: 'N8N_URL' })
      : { secret: wanted.apiKey, note: '' };
  if (base && 'why' in base) return { why: base.why, here: true, ...rest };
  const set = wanted.url ?? '';
  const named = chosen && set !== '' ? urlOf(set, chosen.at, n8nPort(chosen), around).url : set;
  return {
    target: {
      url: base?.url ?? named,
      apiKey,
      how: `${base?.how ?? wanted.how}${note}`,
      ...(chosen ? { container: chosen.inspect.name } : {}),
      ...defined(found),
    },
    ...rest,
  };
}

function whyNone(candidates: Candidate[], mains: Candidate[]): string {
  const there = mains[0];
  if (there) return notRunning(there);
  return candidates.length > 0
    ? 'only workers of n8n run here: set N8N_URL'
    : 'no container runs n8n, and N8N_URL is not set';
}

function fromContainer(chosen: Candidate, running: Candidate[], around: Around) {
  const address = addressOf(chosen.at, n8nPort(chosen), around);
  if ('why' in address) return address;
  // N8N_PROTOCOL alone says what a proxy in front of it speaks.
  const secure =
    fromEnv(chosen, 'N8N_PROTOCOL') === 'https' &&
    chosen.env.has('N8N_SSL_KEY') &&
    chosen.env.has('N8N_SSL_CERT');
  return {
    url: toUrl(secure ? 'https' : 'http', address),
    how: `container ${label(chosen)}${oneOf(running)}, ${address.via}`,
  };
}

type Parts = Omit<FoundN8n, 'target' | 'why'> & { database?: Database; queue?: Queue };

/** n8n keeps its data in SQLite unless DB_TYPE says otherwise. */
function databaseOf(n8n: Candidate, databases: Candidate[], around: Around): Parts {
  const type = inFile(n8n, 'DB_TYPE');
  if (type !== undefined) return { databaseWhy: fileWhy('what database it has', type, 'N8N_API_KEY') };
  if (fromEnv(n8n, 'DB_TYPE') !== 'postgresdb') return {};
  const unknown = inFile(
    n8n,
    'DB_POSTGRESDB_HOST',
    'DB_POSTGRESDB_PORT',
    'DB_POSTGRESDB_DATABASE',
    'DB_POSTGRESDB_USER',
  );
  if (unknown !== undefined) return { databaseWhy: fileWhy('its database', unknown, 'N8N_API_KEY') };
  const host = fromEnv(n8n, 'DB_POSTGRESDB_HOST') ?? 'localhost';
  const port = portFromEnv(n8n, 5432, 'DB_POSTGRESDB_PORT');
  const servers = serversOf('postgres', databases, around);
  const place = resolveHost(n8n, host, port, servers, around);
  if ('why' in place) return { databaseWhy: `n8n's database: ${place.why}` };
  const user = fromEnv(n8n, 'DB_POSTGRESDB_USER') ?? 'postgres';
  // With its own password n8n is known to get in; what a person set may be a user that sees no table of n8n.
  const own = n8n.env.get('DB_POSTGRESDB_PASSWORD');
  const set = own === undefined ? settingFor(place, around.named.postgres, servers, around) : undefined;
  const server = serverAt(place, servers);
  const password = own ?? set?.password ?? (server && sharedPassword(server, user));
  // A password without a user is that of the user with which the server was started.
  const setUser =
    set?.password === undefined ? undefined : (set.user ?? (server && postgresLogin(server).user));
  if (password === undefined && fromEnv(n8n, 'DB_POSTGRESDB_PASSWORD_FILE') !== undefined) {
    return {
      databaseWhy: `n8n has its database's password in a file (DB_POSTGRESDB_PASSWORD_FILE): set POSTGRES_USER and POSTGRES_PASSWORD, or N8N_API_KEY`,
    };
  }
  const login = { user: setUser ?? user, password: password ?? '' };
  return {
    database: {
      ...shared(n8n, place, databases),
      ...login,
      database: fromEnv(n8n, 'DB_POSTGRESDB_DATABASE') ?? 'n8n',
      ...(isTrue(fromEnv(n8n, 'DB_POSTGRESDB_SSL_ENABLED')) ? { sslMode: 'require' as const } : {}),
      schema: fromEnv(n8n, 'DB_POSTGRESDB_SCHEMA') ?? 'public',
      prefix: fromEnv(n8n, 'DB_TABLE_PREFIX') ?? '',
    },
    usesPostgres: { container: place.container, ...login, byImage: n8n.byImage },
  };
}

/** The servers of a kind, and what a person set for it. */
function serversOf(kind: 'postgres' | 'redis', databases: Candidate[], { named }: Around): Servers {
  const of = databases.filter((one) => one.kind === kind);
  return { of, portOf: kind === 'postgres' ? postgresPort : redisPort, named: named[kind] };
}

function serverAt({ container }: Place, { of }: Servers): Candidate | undefined {
  return of.find(({ inspect }) => inspect.id === container);
}

/** What n8n's database and its queue have in common as targets. */
function shared(n8n: Candidate, { host, port, container }: Place, databases: Candidate[]) {
  const how = `the environment of container ${plain(n8n.inspect.name, 60)}`;
  return { host, port, how, ...(container === undefined ? {} : { container: nameOf(container, databases) }) };
}

/**
 * The user and password with which Redis lets us in: what a person set for this server, what n8n uses, what the server itself was
 * started with. Where n8n has it in a file and nobody says it, there is only a setting that helps.
 */
function queueLogin(
  n8n: Candidate,
  place: Place,
  servers: Servers,
  around: Around,
): { password: string; username?: string } | { why: string } {
  const set = settingFor(place, around.named.redis, servers, around);
  if (set?.password !== undefined) return { password: set.password, ...defined({ username: set.username }) };
  const username = fromEnv(n8n, 'QUEUE_BULL_REDIS_USERNAME');
  const password = fromEnv(n8n, 'QUEUE_BULL_REDIS_PASSWORD');
  if (password !== undefined) return { password, ...defined({ username }) };
  const server = serverAt(place, servers);
  const own = server ? redisPassword(server) : { password: '' };
  if ('password' in own && own.password !== '') return own;
  if (fromEnv(n8n, 'QUEUE_BULL_REDIS_PASSWORD_FILE') !== undefined)
    return {
      why: "n8n has its queue's password in a file (QUEUE_BULL_REDIS_PASSWORD_FILE): set REDIS_PASSWORD",
    };
  return 'why' in own ? own : { password: '', ...defined({ username }) };
}

/** What a person set for a kind of server, where it is meant for this one: it is the one that is named, or the only one of its kind. */
function settingFor<T extends { host: string; port: number }>(
  place: Place,
  wanted: Wanted<T>,
  servers: Servers,
  around: Surroundings,
): Wanted<T> | undefined {
  const { of, portOf } = servers;
  const server = serverAt(place, servers);
  const { host, port } = wanted as { host?: string; port?: number };
  if (host === undefined) return server && whyWithheld(server, of) === undefined ? wanted : undefined;
  if (server === undefined)
    return place.host === host.toLowerCase() || place.host === host ? wanted : undefined;
  const running = of.filter((one) => one.running);
  const meant = meantBy(host, port ?? portOf(server), running, portOf, around);
  return meant?.inspect.id === server.inspect.id ? wanted : undefined;
}

/** The same user in PostgreSQL's own environment. */
function sharedPassword(server: Candidate, user: string): string | undefined {
  if ((fromEnv(server, 'POSTGRES_USER') ?? 'postgres') !== user) return undefined;
  return fromEnv(server, 'POSTGRES_PASSWORD');
}

function queueOf(n8n: Candidate, databases: Candidate[], around: Around): Parts {
  if (fromEnv(n8n, 'EXECUTIONS_MODE') !== 'queue') return {};
  const node = /^([^,:]+|\[[^\]]+\])(?::(\d+))?/.exec(fromEnv(n8n, 'QUEUE_BULL_REDIS_CLUSTER_NODES') ?? '');
  const unknown =
    node === null &&
    inFile(n8n, 'QUEUE_BULL_REDIS_CLUSTER_NODES', 'QUEUE_BULL_REDIS_HOST', 'QUEUE_BULL_REDIS_PORT');
  if (unknown) return { queueWhy: fileWhy('where its queue is', unknown, 'REDIS_HOST and N8N_URL') };
  const host = node?.[1] ?? fromEnv(n8n, 'QUEUE_BULL_REDIS_HOST') ?? 'localhost';
  const port = Number(node?.[2] ?? portFromEnv(n8n, 6379, 'QUEUE_BULL_REDIS_PORT'));
  const servers = serversOf('redis', databases, around);
  const place = resolveHost(n8n, host, port, servers, around);
  if ('why' in place) return { queueWhy: `n8n's queue: ${place.why}` };
  const login = queueLogin(n8n, place, servers, around);
  if ('why' in login) return { queueWhy: login.why };
  const { password, username } = login;
  const db = Number(fromEnv(n8n, 'QUEUE_BULL_REDIS_DB') ?? 0);
  const tls = isTrue(fromEnv(n8n, 'QUEUE_BULL_REDIS_TLS'));
  return {
    queue: {
      ...shared(n8n, place, databases),
      password,
      ...(username === undefined ? {} : { username }),
      db: Number.isInteger(db) && db >= 0 ? db : 0,
      tls,
      ...(tls && place.host !== host ? { tlsName: host } : {}),
      prefix: fromEnv(n8n, 'QUEUE_BULL_PREFIX') ?? 'bull',
      expected: true,
    },
    usesRedis: { container: place.container, password, byImage: n8n.byImage },
  };
}

function fileWhy(what: string, name: string, setting: string): string {
  return `n8n has ${what} in a file (${name}), which nobody outside can read: set ${setting}`;
}

function nameOf(id: string, databases: Candidate[]): string {
  return databases.find(({ inspect }) => inspect.id === id)?.inspect.name ?? id.slice(0, 12);
}
