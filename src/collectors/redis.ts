import { absent } from '../model/reading.ts';
import type { Collector, CollectorDeps } from './types.ts';

export function createRedis(_deps: CollectorDeps): Collector<'redis'> {
  return { source: 'redis', read: async () => absent('not read yet') };
}
