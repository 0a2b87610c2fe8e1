import { absent } from '../model/reading.ts';
import type { Collector, CollectorDeps } from './types.ts';

export function createSql(_deps: CollectorDeps): Collector<'sql'> {
  return { source: 'sql', read: async () => absent('not read yet') };
}
