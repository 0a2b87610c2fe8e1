import type { N8nTarget } from '../model/targets.ts';
import type { Redis } from '../system/types.ts';

type Queue = NonNullable<N8nTarget['queue']>;

/**
 * Jobs that wait in Bull (n8n uses Bull 4, not BullMQ): `bull:jobs:wait` and `:paused` are lists, `:delayed` is a sorted
 * set. `:priority` holds jobs of `wait` once more. A Redis cluster has the prefix in braces. Undefined where n8n does not
 * run in queue mode: then `bull:jobs:id`, the counter of all jobs ever, does not exist.
 */
export async function readQueueDepth(
  redis: Redis,
  queue: Queue,
  names: string[],
): Promise<number | undefined> {
  for (const prefix of queue.prefix.startsWith('{') ? [queue.prefix] : [queue.prefix, `{${queue.prefix}}`]) {
    const depths = await Promise.all(names.map((name) => depthOf(redis, `${prefix}:${name}`)));
    const used = depths.filter((depth) => depth !== undefined);
    if (used.length > 0) return used.reduce((sum, depth) => sum + depth, 0);
  }
  return queue.expected ? 0 : undefined;
}

async function depthOf(redis: Redis, key: string): Promise<number | undefined> {
  const [exists, ...parts] = await Promise.all([
    redis.call('EXISTS', `${key}:id`),
    redis.call('LLEN', `${key}:wait`),
    redis.call('LLEN', `${key}:paused`),
    redis.call('ZCARD', `${key}:delayed`),
  ]);
  const depth = parts.reduce<number>((sum, part) => sum + Number(part), 0);
  return Number(exists) === 0 && depth === 0 ? undefined : depth;
}
