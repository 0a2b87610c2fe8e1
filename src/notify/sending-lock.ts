import { errorText } from '../model/text.ts';
import { takeLock, type Lock } from '../store/lock.ts';

/**
 * Only the process that holds this sends. Held while there is something to send and given back in longer pauses, so that a
 * one-shot command may send when no monitor runs.
 */
export function createSendingLock(deps: {
  stateDir: string;
  /** Whether messages may go out without a lock where none can be made. */
  mayDoWithout(): boolean;
  /** What another process did in the meantime must be read again. */
  onTaken(): void;
  onFailure(what: string): void;
}) {
  let lock: Lock | undefined;
  return {
    hold(): boolean {
      if (lock) return true;
      try {
        const taken = takeLock(deps.stateDir, 'delivery');
        if (!('release' in taken)) return false;
        lock = taken;
      } catch (error) {
        if (!deps.mayDoWithout()) {
          deps.onFailure(`The delivery lock cannot be taken: ${errorText(error)}`);
          return false;
        }
        lock = { holds: () => true, release: () => undefined };
      }
      deps.onTaken();
      return true;
    },
    letGo(): void {
      const held = lock;
      lock = undefined;
      try {
        held?.release();
      } catch {
        // The file is gone, and the lock with it.
      }
    },
  };
}
