import { absent } from '../model/reading.ts';
import type { RedisValues } from '../model/snapshot.ts';
import { holdRedis } from './connections.ts';
import type { Collector, CollectorDeps } from './types.ts';

/**
 * One INFO over one kept connection. What is used of it:
 *   redis_version:7.0.15
 *   connected_clients:3
 *   used_memory:1048576
 *   maxmemory:0
 *   evicted_keys:0
 *   rejected_connections:0
 *   db0:keys=12,expires=3,avg_ttl=0
 */
export function createRedis(deps: CollectorDeps): Collector<'redis'> {
  const connection = holdRedis(deps.system);
  return {
    source: 'redis',
    async read(signal) {
      const { redis: target, missing } = await deps.discovered(signal);
      if (!target) return absent(missing.redis ?? 'no Redis was found');
      const redis = connection.to(target);
      const info = await redis.call('INFO').catch((error: unknown) => {
        deps.rediscover();
        throw error;
      });
      return { address: redis.address, ...parseInfo(String(info)) };
    },
    close: () => connection.release(),
  };
}

/** Looks for the few lines that are used: taking all 200 apart is most of the work of a reading. */
export function parseInfo(text: string): Omit<RedisValues, 'address'> {
  const field = (key: string) => new RegExp(`^${key}:([^\\r\\n]*)`, 'm').exec(text)?.[1];
  const number = (key: string, otherwise?: number) => {
    const value = Number(field(key) ?? otherwise ?? Number.NaN);
    if (!Number.isFinite(value)) throw new Error(`Redis said nothing about ${key}`);
    return value;
  };
  const limit = number('maxmemory', 0);
  let keys = 0;
  for (const [, count] of text.matchAll(/^db\d+:keys=(\d+)/gm)) keys += Number(count);
  return {
    version: field('valkey_version') ?? field('redis_version') ?? '',
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: limit === 0 ? null : limit,
    keys,
    clients: number('connected_clients'),
    evictedTotal: number('evicted_keys', 0),
    rejectedTotal: number('rejected_connections', 0),
  };
}
