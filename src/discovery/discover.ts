import { discoverFrom } from './from.ts';
import { see, type DiscoveryDeps, type Seen } from './look.ts';
import type { Discovered } from '../model/targets.ts';

export type Discovery = {
  /** What is known; looks again when something is missing or was invalidated. Never throws. */
  current(signal: AbortSignal): Promise<Discovered>;
  /** A target did not answer: the next `current` looks again. */
  invalidate(): void;
};

const LOOK_MS = 4000;
/** With something known, a new look is waited for no longer than this: a hanging engine must not hold databases up. */
const PATIENCE_MS = 1000;
const AGAIN_MS = 30 * 60_000;
const AGAIN_WITH_MISSING_MS = 5 * 60_000;
const AGAIN_WITHOUT_DOCKER_MS = 30_000;
/** Looks because of targets that do not answer: the first at once, then rarer as long as they find nothing new. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 120_000;

/** Finds databases and applications: settings first, else what Docker runs. Looks when there is a reason to, and caches. */
export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { clock, config } = deps;
  let known: { found: Discovered; seen: Seen; at: number; complete: boolean } | undefined;
  let looking: Promise<Discovered> | undefined;
  let invalid = false;
  let pause = 0;

  function due(): boolean {
    if (!known) return true;
    const age = clock.monotonic() - known.at;
    if (invalid && age >= pause) return true;
    if (known.seen.dockerWhy !== undefined) return age >= AGAIN_WITHOUT_DOCKER_MS;
    return age >= (known.complete ? AGAIN_MS : AGAIN_WITH_MISSING_MS);
  }

  async function look(): Promise<Discovered> {
    const seen = await see(deps, AbortSignal.timeout(LOOK_MS), known?.seen);
    const found = discoverFrom(seen, config);
    const same = known !== undefined && JSON.stringify(known.found) === JSON.stringify(found);
    pause = invalid && same ? Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2)) : 0;
    invalid = false;
    const complete = Object.keys(found.missing).length === 0;
    known = {
      found: known !== undefined && same ? known.found : found,
      seen,
      at: clock.monotonic(),
      complete,
    };
    return known.found;
  }

  return {
    async current(signal) {
      if (!due() && known) return known.found;
      looking ??= look().finally(() => (looking = undefined));
      if (!known) return looking;
      const old = known.found;
      const stop = new AbortController();
      const late = clock.sleep(PATIENCE_MS, AbortSignal.any([signal, stop.signal])).then(() => old);
      try {
        return await Promise.race([looking, late]);
      } finally {
        stop.abort();
      }
    },
    invalidate() {
      invalid = true;
    },
  };
}
