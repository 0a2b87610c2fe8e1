import type { ContainerInfo } from './snapshot.ts';
import { formatBytes } from './text.ts';

type Memory = NonNullable<ContainerInfo['memory']>;

/** Less in swap than this is not worth a word: every container has a few pages there. */
const SWAP_WORTH_SHOWING = 1_048_576;

/**
 * Bytes that cannot be dropped, in memory or in swap: what rules and growth judge. A leak that is swapped out stops growing in
 * memory alone.
 */
export function heldBytes({ anonBytes, swapBytes = 0 }: Pick<Memory, 'anonBytes' | 'swapBytes'>): number {
  return anonBytes + swapBytes;
}

/** Bytes by which containers are compared: what people read as their memory, and what is in swap. */
export function totalBytes({ workingSetBytes, swapBytes = 0 }: Memory): number {
  return workingSetBytes + swapBytes;
}

/** "479 MB + 468 MB swap" */
export function formatMemory({ workingSetBytes, swapBytes = 0 }: Memory): string {
  const memory = formatBytes(workingSetBytes);
  return swapBytes < SWAP_WORTH_SHOWING ? memory : `${memory} + ${formatBytes(swapBytes)} swap`;
}

/** Those whose memory is known, the one that holds most (swap included) first. */
export function largestFirst<C extends ContainerInfo>(containers: readonly C[]): (C & { memory: Memory })[] {
  return containers
    .filter((c): c is C & { memory: Memory } => c.memory !== undefined)
    .toSorted((a, b) => totalBytes(b.memory) - totalBytes(a.memory));
}
