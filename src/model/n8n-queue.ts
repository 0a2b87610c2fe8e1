import type { N8nQueue } from './snapshot.ts';

/** Jobs wait, and none runs: more or less of them is no question until somebody takes them. */
export function nobodyWorks(queue: N8nQueue | undefined): boolean {
  return queue !== undefined && queue.waiting > 0 && queue.running === 0;
}
