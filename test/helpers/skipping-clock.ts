import type { Clock } from '../../src/system/types.ts';

/** The real clock, whose monotonic time can be moved on: what waits for it is woken when its time has come. */
export type SkippingClock = Clock & {
  skip(ms: number): void;
  /** Stands still until what is returned is called: what others do meanwhile takes no time, however busy the machine is. */
  freeze(): () => void;
};

/** `wall`: whether the time of day skips, too. */
export function skippingClock(wall: boolean): SkippingClock {
  let ahead = 0;
  let frozenAt: number | undefined;
  const sleepers = new Set<() => void>();
  const clock: SkippingClock = {
    now: () => Date.now() + (wall ? ahead : 0),
    monotonic: () => (frozenAt ?? performance.now()) + ahead,
    sleep(ms, signal) {
      const due = clock.monotonic() + ms;
      return new Promise((resolve) => {
        let timer: NodeJS.Timeout | undefined;
        const done = (): void => {
          clearTimeout(timer);
          sleepers.delete(look);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const look = (): void => {
          clearTimeout(timer);
          const left = due - clock.monotonic();
          if (left <= 0) done();
          else timer = setTimeout(look, left);
        };
        signal?.addEventListener('abort', done, { once: true });
        sleepers.add(look);
        if (signal?.aborted) done();
        else look();
      });
    },
    skip(ms) {
      ahead += ms;
      for (const look of sleepers) look();
    },
    freeze() {
      const at = performance.now();
      frozenAt = at;
      return () => {
        ahead -= performance.now() - at;
        frozenAt = undefined;
      };
    },
  };
  return clock;
}
