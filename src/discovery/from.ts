import type { Surroundings } from './address.ts';
import { located, toCandidate } from './container.ts';
import { type Candidate, type Located, KINDS, kindOf } from './kind.ts';
import { wantedHttp, wantedPostgres, wantedRedis } from './explicit.ts';
import type { DockerView } from './look.ts';
import { findN8n, type FoundN8n } from './n8n.ts';
import { findPostgres } from './postgres.ts';
import { findRedis } from './redis.ts';
import { findWaha } from './waha.ts';
import type { Discovered, N8nTarget, RedisTarget } from '../model/targets.ts';
import type { Config } from '../config/schema.ts';

/** From settings and what Docker says to targets, or the reason why there is none. Pure. */
export function discoverFrom(seen: DockerView, config: Config): Discovered {
  const candidates = candidatesOf(seen);
  const around = surroundingsOf(seen);
  const of = (kind: Candidate['kind']) => candidates.filter((candidate) => candidate.kind === kind);
  const wanted = { postgres: wantedPostgres(config), redis: wantedRedis(config) };
  const n8n = findN8n(of('n8n'), wantedHttp(config, 'N8N'), candidates, { ...around, named: wanted });
  const postgres = findPostgres(of('postgres'), wanted.postgres, n8n.usesPostgres, around);
  const redis = findRedis(of('redis'), wanted.redis, n8n.usesRedis, around);
  const waha = findWaha(of('waha'), wantedHttp(config, 'WAHA'), around);

  const result: Discovered = { missing: {} };
  // Why Docker cannot be asked stands in the line about Docker.
  const why = (text: string) =>
    seen.dockerWhy === undefined ? text : text.replace(/^no container runs/, 'Docker cannot be asked for');
  if ('target' in postgres) result.postgres = postgres.target;
  else result.missing.postgres = why(postgres.why);
  if ('target' in redis) result.redis = withAuthority(redis.target, config);
  else result.missing.redis = why(redis.why);
  if ('target' in waha) result.waha = waha.target;
  else result.missing.waha = why(waha.why);
  if (waha.down !== undefined) result.wahaDown = waha.down;
  addN8n(result, n8n, why);
  if (result.n8n?.queue) result.n8n.queue = withAuthority(result.n8n.queue, config);
  const found = { postgres, redis, n8n, waha };
  const unread = KINDS.filter((kind) => {
    const why = result[kind] === undefined && seen.unread?.find((one) => one.kind === kind)?.why;
    if (why) result.missing[kind] = why;
    return Boolean(why);
  });
  const unreadable = KINDS.filter((kind) => 'here' in found[kind] || unread.includes(kind));
  if (unreadable.length > 0) result.unreadable = unreadable;
  return result;
}

function withAuthority<T extends RedisTarget>(target: T, { settings }: Config): T {
  return target.tls && settings.REDIS_TLS_CA !== '' ? { ...target, tlsCa: settings.REDIS_TLS_CA } : target;
}

function addN8n(result: Discovered, n8n: FoundN8n, why: (text: string) => string): void {
  if (n8n.target) result.n8n = withAssumptions(n8n.target, result);
  else result.missing.n8n = why(n8n.why ?? 'no n8n was found');
  if (n8n.databaseWhy !== undefined) result.missing.n8nDatabase = n8n.databaseWhy;
  if (n8n.queueWhy !== undefined) result.missing.n8nQueue = n8n.queueWhy;
}

/** Of an n8n that runs elsewhere nothing is known but its URL: the database and Redis that are watched may be its own. */
function withAssumptions(n8n: N8nTarget, { postgres, redis }: Discovered): N8nTarget {
  if (n8n.container !== undefined) return n8n;
  return {
    ...n8n,
    ...(postgres ? { database: { ...postgres, schema: 'public', prefix: '', assumed: true as const } } : {}),
    ...(redis ? { queue: { ...redis, prefix: 'bull', expected: false } } : {}),
  };
}

function candidatesOf({ list, inspects, selfId }: DockerView): Candidate[] {
  const found = inspects.flatMap((inspect) => {
    if (inspect.id === selfId) return [];
    const item = list.find(({ id }) => id === inspect.id);
    const { kind, byImage, idle } = kindOf(inspect, item) ?? {};
    return kind && byImage !== undefined ? [{ idle, candidate: toCandidate(kind, byImage, inspect) }] : [];
  });
  const served = new Set(found.filter(({ idle }) => !idle).map(({ candidate }) => candidate.kind));
  return found.flatMap(({ idle, candidate }) => (idle && served.has(candidate.kind) ? [] : [candidate]));
}

function surroundingsOf({ list, inspects, selfId, engineHost }: DockerView): Surroundings {
  const running = list.filter(({ state }) => state === 'running');
  const all = running.map((item): Located => {
    const inspect = inspects.find(({ id }) => id === item.id);
    return inspect ? located(inspect) : item;
  });
  const self = all.find(({ id }) => id === selfId);
  return { all, ...(self ? { self } : {}), ...(engineHost === undefined ? {} : { engineHost }) };
}
