import type { Clock } from '../system/types.ts';

/** A pause that a kick ends; one that comes while nobody pauses ends the next pause at once. */
export function createWakeUp(clock: Clock) {
  let kicked = false;
  let wake: (() => void) | undefined;
  return {
    kick(): void {
      kicked = true;
      wake?.();
    },
    /** `idle` has no timer: nothing wakes up for nothing. */
    async pause(length: 'idle' | number): Promise<void> {
      if (!kicked) {
        const woken = new AbortController();
        const over = new Promise<void>((resolve) => {
          wake = () => {
            woken.abort();
            resolve();
          };
        });
        await (length === 'idle' ? over : clock.sleep(length, woken.signal));
        wake = undefined;
      }
      kicked = false;
    },
  };
}
