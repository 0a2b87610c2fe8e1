import { absent } from '../model/reading.ts';
import type { Collector, CollectorDeps } from './types.ts';

export function createWaha(_deps: CollectorDeps): Collector<'waha'> {
  return { source: 'waha', read: async () => absent('not read yet') };
}
