import { absent } from '../model/reading.ts';
import type { Collector, CollectorDeps } from './types.ts';

export function createPostgres(_deps: CollectorDeps): Collector<'postgres'> {
  return { source: 'postgres', read: async () => absent('not read yet') };
}
