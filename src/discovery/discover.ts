import { discoverFrom } from './from.ts';
import { KINDS, kindByImage } from './kind.ts';
import { see, type DiscoveryDeps, type DockerView } from './look.ts';
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

type Known = { found: Discovered; seen: DockerView; ids: Set<string>; at: number; complete: boolean };
type State = {
  deps: Options;
  known?: Known;
  looking?: Promise<Discovered>;
  /** A target did not answer since the last look. */
  invalid: boolean;
  /** How often something moved, in all and as far as the last look has seen it. */
  moves: number;
  seenMoves: number;
  /** Until a target that does not answer is a reason to look. */
  pause: number;
};

/** Finds databases and applications: settings first, else what Docker runs. Looks when there is a reason to, and caches. */
export function createDiscovery(deps: Options): Discovery {
  const state: State = { deps, invalid: false, moves: 0, seenMoves: 0, pause: 0 };
  return {
    current: (signal) => current(state, signal),
    invalidate() {
      state.invalid = true;
    },
    moved({ id, image }) {
      if (state.known?.ids.has(id) || kindByImage(image)) state.moves += 1;
    },
  };
}

async function current(state: State, signal: AbortSignal): Promise<Discovered> {
  const { known, moves, seenMoves, deps } = state;
  if (known && !isDue(state, known)) return known.found;
  const patience = moves === seenMoves || known?.seen.dockerWhy ? PATIENCE_MS : LOOK_MS;
  const looking = (state.looking ??= look(state).finally(() => delete state.looking));
  if (!known) return looking;
  const stop = new AbortController();
  const late = deps.clock.sleep(patience, AbortSignal.any([signal, stop.signal])).then(() => known.found);
  try {
    return certain(state, await Promise.race([looking, late]));
  } finally {
    stop.abort();
  }
}

function isDue({ deps, invalid, moves, seenMoves, pause }: State, known: Known): boolean {
  if (moves !== seenMoves) return true;
  const age = deps.clock.monotonic() - known.at;
  if (invalid && age >= pause) return true;
  if (known.seen.dockerWhy !== undefined) return age >= AGAIN_WITHOUT_DOCKER_MS;
  if (deps.isFollowed?.() === false && age >= AGAIN_UNFOLLOWED_MS) return true;
  return age >= (known.complete ? AGAIN_MS : AGAIN_WITH_MISSING_MS);
}

async function look(state: State): Promise<Discovered> {
  const { deps, known, pause } = state;
  const signal = AbortSignal.timeout(LOOK_MS);
  let seen = known?.seen;
  let seenUntil: number;
  do {
    // What moved while it was looked at may have been missed.
    seenUntil = state.moves;
    seen = await see(deps, signal, seen);
  } while (state.moves !== seenUntil && !signal.aborted);
  if (seen.dockerWhy === undefined) state.seenMoves = seenUntil;
  const found = discoverFrom(seen, deps.config);
  const same = known !== undefined && JSON.stringify(known.found) === JSON.stringify(found);
  state.pause = state.invalid && same ? Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2)) : 0;
  state.invalid = false;
  state.known = {
    found: same ? known.found : found,
    seen,
    ids: new Set(seen.inspects.map(({ id }) => id)),
    at: deps.clock.monotonic(),
    complete: Object.keys(found.missing).length === 0,
  };
  return state.known.found;
}

/** Where somebody moved, and where to could not be found out, the known addresses may be another one's. */
function certain({ moves, seenMoves, known }: State, found: Discovered): Discovered {
  return moves === seenMoves ? found : withoutContainers(found, known?.seen.dockerWhy ?? 'no answer yet');
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
