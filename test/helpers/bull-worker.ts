import type { RedisServer } from './redis-server.ts';

const JOB = '4999';

/** As if a worker were at a job of the queue: Bull has the job among the active ones, and the worker holds its lock. */
export async function startWork(redis: RedisServer): Promise<void> {
  await redis.call('LPUSH', 'bull:jobs:active', JOB);
  await redis.call('SET', `bull:jobs:${JOB}:lock`, 'token');
}

/** As if the worker were gone. */
export async function endWork(redis: RedisServer): Promise<void> {
  await redis.call('DEL', 'bull:jobs:active', `bull:jobs:${JOB}:lock`);
}
