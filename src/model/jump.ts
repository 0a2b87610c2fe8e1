/** Smaller differences between the two clocks are drift. */
export const JUMP_MS = 5000;

/** Watches the wall clock against the one that never goes back. Returns by how much it was set since the last call, else 0. */
export function jumpWatch(clock: { now(): number; monotonic(): number }): () => number {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const next = clock.now() - clock.monotonic();
    const jump = next - offset;
    offset = next;
    return Math.abs(jump) >= JUMP_MS ? jump : 0;
  };
}
