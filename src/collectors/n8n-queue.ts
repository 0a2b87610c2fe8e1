import type { N8nTarget } from '../model/targets.ts';
import type { N8nQueue } from '../model/snapshot.ts';
import type { Redis } from '../system/types.ts';

type Queue = NonNullable<N8nTarget['queue']>;

/** Of the jobs that workers hold, so many are looked at whether they really do: none of them is none at all. */
const LOOKED_AT = 50;
/** Between two jobs a worker holds none: that none runs counts only where it is seen this often. */
const LOOKS = 3;
const BETWEEN_LOOKS_MS = 150;

/**
 * Jobs in Bull (n8n uses Bull 4, not BullMQ): `bull:jobs:wait` and `:paused` are lists, the oldest job at their end, `:delayed` is a
 * sorted set. `:priority` holds jobs of `wait` once more. A Redis cluster has the prefix in braces. Undefined where n8n does not
 * run in queue mode: then `bull:jobs:id`, the counter of all jobs ever, does not exist.
 */
export async function readQueue(
  redis: Redis,
  queue: Queue,
  names: string[],
  sleep: (ms: number) => Promise<void>,
): Promise<N8nQueue | undefined> {
  for (const prefix of queue.prefix.startsWith('{') ? [queue.prefix] : [queue.prefix, `{${queue.prefix}}`]) {
    const depths = await Promise.all(names.map((name) => depthOf(redis, `${prefix}:${name}`)));
    const used = names.filter((_, i) => depths[i] !== undefined);
    if (used.length === 0) continue;
    const known = depths.filter((depth) => depth !== undefined);
    const depth = known.reduce((sum, { all }) => sum + all, 0);
    const waiting = known.reduce((sum, { waits }) => sum + waits, 0);
    if (waiting === 0) return { depth, waiting };
    const keys = used.map((name) => `${prefix}:${name}`);
    return { depth, waiting, ...(await whoTakesThem(redis, prefix, used, keys, sleep)) };
  }
  return queue.expected ? { depth: 0, waiting: 0 } : undefined;
}

async function depthOf(redis: Redis, key: string): Promise<{ all: number; waits: number } | undefined> {
  const [exists, ...parts] = await Promise.all([
    redis.call('EXISTS', `${key}:id`),
    redis.call('LLEN', `${key}:wait`),
    redis.call('LLEN', `${key}:paused`),
    redis.call('ZCARD', `${key}:delayed`),
  ]);
  const [wait = 0, paused = 0, delayed = 0] = parts.map(Number);
  const all = wait + paused + delayed;
  return Number(exists) === 0 && all === 0 ? undefined : { all, waits: wait + paused };
}

async function whoTakesThem(
  redis: Redis,
  prefix: string,
  names: string[],
  keys: string[],
  sleep: (ms: number) => Promise<void>,
): Promise<Pick<N8nQueue, 'running' | 'workers' | 'paused' | 'oldestAt'>> {
  let running = 0;
  for (let look = 0; look < LOOKS && running === 0; look += 1) {
    if (look > 0) await sleep(BETWEEN_LOOKS_MS);
    running = (await Promise.all(keys.map((key) => runningIn(redis, key)))).reduce((sum, n) => sum + n, 0);
  }
  const [paused, ages] = await Promise.all([
    Promise.all(keys.map((key) => redis.call('EXISTS', `${key}:meta-paused`))),
    Promise.all(keys.map((key) => oldestIn(redis, key))),
  ]);
  const oldest = ages.filter((at) => at !== undefined);
  return {
    running,
    ...(paused.some((one) => Number(one) === 1) ? { paused: true as const } : {}),
    ...(oldest.length > 0 ? { oldestAt: Math.min(...oldest) } : {}),
    // Who works is only asked for where nobody seems to: the answer has a line for each connection.
    ...(running === 0 ? await workersOf(redis, prefix, names) : {}),
  };
}

/** A worker renews the lock of each job that it works at; one that was killed leaves its jobs in the list, without locks. */
async function runningIn(redis: Redis, key: string): Promise<number> {
  const [length, ids] = await Promise.all([
    redis.call('LLEN', `${key}:active`),
    redis.call('LRANGE', `${key}:active`, '0', String(LOOKED_AT - 1)),
  ]);
  const jobs = Array.isArray(ids) ? ids.map(String) : [];
  const locks = await Promise.all(jobs.map((id) => redis.call('EXISTS', `${key}:${id}:lock`)));
  const locked = locks.filter((one) => Number(one) === 1).length;
  return locked === 0 ? 0 : locked + Math.max(0, Number(length) - jobs.length);
}

/** Epoch ms of the job that waits longest, as Bull wrote it down. */
async function oldestIn(redis: Redis, key: string): Promise<number | undefined> {
  for (const list of ['wait', 'paused']) {
    const id = await redis.call('LINDEX', `${key}:${list}`, '-1');
    if (typeof id !== 'string' || id === '') continue;
    const at = Number(await redis.call('HGET', `${key}:${id}`, 'timestamp'));
    if (Number.isFinite(at) && at > 0) return at;
  }
  return undefined;
}

/** Bull's workers name their connections: `name=bull:am9icw==`, the queue's name in base64. Undefined where Redis does not say. */
async function workersOf(redis: Redis, prefix: string, names: string[]): Promise<Pick<N8nQueue, 'workers'>> {
  try {
    const list = String(await redis.call('CLIENT', 'LIST'));
    const wanted = new Set(names.map((name) => `${prefix}:${Buffer.from(name).toString('base64')}`));
    let workers = 0;
    for (const [, name = ''] of list.matchAll(/ name=(\S*)/g)) if (wanted.has(name)) workers += 1;
    return { workers };
  } catch {
    return {}; // Users of Redis may be forbidden to ask; that no job runs is known all the same.
  }
}
