import { discoverFrom } from './from.ts';
import { KINDS, kindByImage } from './kind.ts';
import { see, type DiscoveryDeps, type Seen } from './look.ts';
import type { Discovered } from '../model/targets.ts';

export type Discovery = {
  /** What is known; looks again when something is missing or was invalidated. Never throws. */
  current(signal: AbortSignal): Promise<Discovered>;
  /** A target did not answer: the next `current` looks again. */
  invalidate(): void;
  /**
   * A container was started, has ended, or has changed networks. Where it is one of ours, or of our kinds, its address may be another one's now, and a
   * password must not be sent there: the next `current` looks again before anybody connects.
   */
  moved(container: { id: string; image: string }): void;
};
export type Options = DiscoveryDeps & {
  /** Whether `moved` is called for everything that happens. Otherwise what is known is believed for half a minute only. */
  isFollowed?: () => boolean;
};

const LOOK_MS = 4000;
/** With something known, a new look is waited for no longer than this: a hanging engine must not hold databases up. */
const PATIENCE_MS = 1000;
const AGAIN_MS = 30 * 60_000;
const AGAIN_WITH_MISSING_MS = 5 * 60_000;
const AGAIN_WITHOUT_DOCKER_MS = 30_000;
const AGAIN_UNFOLLOWED_MS = 25_000;
/** Looks because of targets that do not answer: the first at once, then rarer as long as they find nothing new. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 120_000;

/** Finds databases and applications: settings first, else what Docker runs. Looks when there is a reason to, and caches. */
export function createDiscovery(deps: Options): Discovery {
  const { clock, config } = deps;
  let known: { found: Discovered; seen: Seen; ids: Set<string>; at: number; complete: boolean } | undefined;
  let looking: Promise<Discovered> | undefined;
  let invalid = false;
  /** How often something moved, in all and as far as the last look has seen it. */
  let moves = 0;
  let seenMoves = 0;
  let pause = 0;

  function due(): boolean {
    if (!known || moves !== seenMoves) return true;
    const age = clock.monotonic() - known.at;
    if (invalid && age >= pause) return true;
    if (known.seen.dockerWhy !== undefined) return age >= AGAIN_WITHOUT_DOCKER_MS;
    if (deps.isFollowed?.() === false && age >= AGAIN_UNFOLLOWED_MS) return true;
    return age >= (known.complete ? AGAIN_MS : AGAIN_WITH_MISSING_MS);
  }

  async function look(): Promise<Discovered> {
    const signal = AbortSignal.timeout(LOOK_MS);
    let seen = known?.seen;
    let seenUntil: number;
    do {
      // What moved while it was looked at may have been missed.
      seenUntil = moves;
      seen = await see(deps, signal, seen);
    } while (moves !== seenUntil && !signal.aborted);
    if (seen.dockerWhy === undefined) seenMoves = seenUntil;
    const found = discoverFrom(seen, config);
    const same = known !== undefined && JSON.stringify(known.found) === JSON.stringify(found);
    pause = invalid && same ? Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2)) : 0;
    invalid = false;
    const complete = Object.keys(found.missing).length === 0;
    known = {
      found: known !== undefined && same ? known.found : found,
      seen,
      ids: new Set(seen.inspects.map(({ id }) => id)),
      at: clock.monotonic(),
      complete,
    };
    return known.found;
  }

  /** Somebody moved, and where to could not be found out: the known addresses may be another one's. */
  function certain(found: Discovered): Discovered {
    return moves === seenMoves ? found : withoutContainers(found, known?.seen.dockerWhy ?? 'no answer yet');
  }

  return {
    async current(signal) {
      if (!due() && known) return known.found;
      const patience = moves === seenMoves || known?.seen.dockerWhy ? PATIENCE_MS : LOOK_MS;
      looking ??= look().finally(() => (looking = undefined));
      if (!known) return looking;
      const old = known.found;
      const stop = new AbortController();
      const late = clock.sleep(patience, AbortSignal.any([signal, stop.signal])).then(() => old);
      try {
        return certain(await Promise.race([looking, late]));
      } finally {
        stop.abort();
      }
    },
    invalidate() {
      invalid = true;
    },
    moved({ id, image }) {
      if (known?.ids.has(id) || kindByImage(image)) moves += 1;
    },
  };
}

/** What does not depend on where a container is. */
function withoutContainers(found: Discovered, dockerWhy: string): Discovered {
  const why = `Docker cannot be asked where it is now: ${dockerWhy}`;
  const rest: Discovered = { ...found, missing: { ...found.missing } };
  const { n8n } = found;
  const lost = KINDS.filter((kind) =>
    (kind === 'n8n' ? [n8n, n8n?.database, n8n?.queue] : [found[kind]]).some((at) => at?.container),
  );
  for (const kind of lost) {
    delete rest[kind];
    rest.missing[kind] = why;
  }
  rest.unreadable = [...new Set([...(found.unreadable ?? []), ...lost])];
  return rest;
}
