import type { Clock } from './types.ts';

/** The real time. `monotonic` counts from the start of the process and never jumps. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep,
  };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

export type Alarm = {
  /** Rings at this monotonic time (ms), at once where it is past; in place of what was set before. Infinity: not at all. */
  set(due: number): void;
  stop(): void;
};

/** One alarm that is set again and again. */
export function createAlarm(clock: Pick<Clock, 'monotonic' | 'sleep'>, ring: () => void): Alarm {
  let waiting: { due: number; stop: AbortController } | undefined;

  function stop(): void {
    waiting?.stop.abort();
    waiting = undefined;
  }

  return {
    set(due) {
      if (waiting?.due === due) return;
      stop();
      if (due === Infinity) return;
      const own = { due, stop: new AbortController() };
      waiting = own;
      const wait = Math.max(1, Math.ceil(due - clock.monotonic()));
      void clock.sleep(wait, own.stop.signal).then(() => {
        if (waiting !== own) return;
        waiting = undefined;
        ring();
      });
    },
    stop,
  };
}
