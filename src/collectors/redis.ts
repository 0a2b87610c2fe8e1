import { withoutTarget } from './absent.ts';
import type { RedisValues } from '../model/snapshot.ts';
import type { N8nTarget, RedisTarget } from '../model/targets.ts';
import type { Clock, Redis } from '../system/types.ts';
import { holdRedis } from './connections.ts';
import type { Collector, CollectorDeps } from './types.ts';

type Queue = NonNullable<N8nTarget['queue']>;

/**
 * One INFO over one kept connection. What is used of it:
 *   redis_version:7.0.15
 *   connected_clients:3
 *   used_memory:1048576
 *   maxmemory:0
 *   evicted_keys:0
 *   rejected_connections:0
 *   maxmemory_policy:noeviction
 *   errorstat_OOM:count=12
 *   uptime_in_seconds:3600
 *   rdb_last_bgsave_status:ok
 *   aof_last_write_status:ok
 *   role:master
 *   db0:keys=12,expires=3,avg_ttl=0
 */
export function createRedis(deps: CollectorDeps): Collector<'redis'> {
  const connection = holdRedis(deps.system);
  const changes = watchCounters(deps.system.clock);
  let queueAt = '';

  /** Where nothing says that n8n has a queue in it, its keys do; once they were seen, an eviction of them hides nothing. */
  async function holdsQueue(redis: Redis, queue: Queue): Promise<boolean> {
    if (queue.expected || queueAt === redis.address) return true;
    const keys = deps.config.extra.n8n.queues.flatMap((name) =>
      [queue.prefix, `{${queue.prefix}}`].flatMap((prefix) =>
        ['id', 'wait', 'paused', 'delayed'].map((key) => `${prefix}:${name}:${key}`),
      ),
    );
    const found = await Promise.all(keys.map((key) => redis.call('EXISTS', key).catch(() => 0)));
    if (!found.some((count) => Number(count) === 1)) return false;
    queueAt = redis.address;
    return true;
  }

  return {
    async read(signal) {
      const found = await deps.discovered(signal);
      const { redis: target, n8n } = found;
      if (!target) return withoutTarget(found, 'redis');
      const redis = connection.to(target);
      const info = await redis.call('INFO').catch((error: unknown) => {
        deps.rediscover();
        throw error;
      });
      const { errors, uptimeSec, ...values } = parseInfo(String(info));
      const queue = n8n?.queue;
      const isQueue = queue !== undefined && isSame(queue, target) && (await holdsQueue(redis, queue));
      return {
        address: redis.address,
        ...values,
        ...changes(redis.address, { evicted: values.evictedTotal, errors, uptimeSec }),
        ...(isQueue ? { queue: true as const } : {}),
      };
    },
    close: () => connection.release(),
  };
}

/** One server may be reached in two ways: `localhost` with a published port, and its address in a network. */
function isSame(a: RedisTarget, b: RedisTarget): boolean {
  if (a.container !== undefined && a.container === b.container) return true;
  return a.host === b.host && a.port === b.port;
}

const HOUR_MS = 3_600_000;
const EVERY_MS = 60_000;
type Counters = { evicted: number; errors: number | undefined; uptimeSec: number };

/** What its counters rose by: refused writes since the last reading, evictions within an hour. One that was restarted begins anew. */
function watchCounters({ monotonic }: Clock) {
  let address = '';
  let last: Counters | undefined;
  let kept: { at: number; evicted: number }[] = [];
  return (where: string, now: Counters): Pick<RedisValues, 'refusedWrites' | 'evictedLastHour'> => {
    if (where !== address || now.uptimeSec < (last?.uptimeSec ?? 0)) [last, kept] = [undefined, []];
    const at = monotonic();
    // What it evicted since it was started is of the last hour where it is younger.
    const young = now.uptimeSec * 1000 < HOUR_MS;
    if (kept.length === 0 && young) kept.push({ at, evicted: 0 });
    if (kept.length === 0 || at - kept.at(-1)!.at >= EVERY_MS) kept.push({ at, evicted: now.evicted });
    // The last one before the hour is where the hour begins.
    while (kept.length > 1 && at - kept[1]!.at >= HOUR_MS) kept.shift();
    const unknown = last === undefined && !young;
    const refused =
      last?.errors === undefined || now.errors === undefined
        ? undefined
        : Math.max(0, now.errors - last.errors);
    [address, last] = [where, now];
    return {
      ...(refused === undefined ? {} : { refusedWrites: refused }),
      ...(unknown ? {} : { evictedLastHour: Math.max(0, now.evicted - kept[0]!.evicted) }),
    };
  };
}

/** Looks for the few lines that are used: taking all 200 apart is most of the work of a reading. */
export function parseInfo(
  text: string,
): Omit<RedisValues, 'address'> & { errors: number | undefined; uptimeSec: number } {
  const field = (key: string) => new RegExp(`^${key}:([^\\r\\n]*)`, 'm').exec(text)?.[1];
  const number = (key: string, otherwise?: number) => {
    const value = Number(field(key) ?? otherwise ?? Number.NaN);
    if (!Number.isFinite(value)) throw new Error(`Redis said nothing about ${key}`);
    return value;
  };
  const limit = number('maxmemory', 0);
  let keys = 0;
  for (const [, count] of text.matchAll(/^db\d+:keys=(\d+)/gm)) keys += Number(count);
  const policy = field('maxmemory_policy');
  // Counted by Redis from 6.2 on, from the first error on: OOM is memory, MISCONF a disk that cannot be written, READONLY a replica
  // that clients write to, NOREPLICAS too few replicas (min-replicas-to-write).
  const errors = [...text.matchAll(/^errorstat_(?:OOM|MISCONF|READONLY|NOREPLICAS):count=(\d+)/gm)];
  const counts = /^errorstat_|^# Errorstats/m.test(text);
  const unwritable = whyUnwritable(text);
  return {
    ...(unwritable ? { unwritable } : {}),
    ...(field('loading') === '1' ? { loadingPercent: number('loading_loaded_perc', 0) } : {}),
    ...(field('role') === 'slave'
      ? {
          master: {
            address: `${field('master_host')}:${field('master_port')}`,
            // A first copy may take long, and the link counts as down meanwhile.
            up: field('master_link_status') === 'up' || field('master_sync_in_progress') === '1',
          },
        }
      : {}),
    ...(policy === undefined ? {} : { policy: policy.trim() }),
    errors: counts ? errors.reduce((sum, [, count]) => sum + Number(count), 0) : undefined,
    uptimeSec: number('uptime_in_seconds', 0),
    version: field('valkey_version') ?? field('redis_version') ?? '',
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: limit === 0 ? null : limit,
    keys,
    clients: number('connected_clients'),
    evictedTotal: number('evicted_keys', 0),
    rejectedTotal: number('rejected_connections', 0),
  };
}

function whyUnwritable(info: string): RedisValues['unwritable'] {
  if (/^aof_last_write_status:err/m.test(info)) return 'aof';
  if (/^rdb_last_bgsave_status:err/m.test(info)) return 'rdb';
  return /^role:slave/m.test(info) && !/^slave_read_only:0/m.test(info) ? 'replica' : undefined;
}
