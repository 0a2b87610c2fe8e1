import { absent } from '../model/reading.ts';
import type { Collector, CollectorDeps } from './types.ts';

export function createN8n(_deps: CollectorDeps): Collector<'n8n'> {
  return { source: 'n8n', read: async () => absent('not read yet') };
}
