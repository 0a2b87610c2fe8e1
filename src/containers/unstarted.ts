// A container that stays as it was created, for its start failed. Docker sends no event about that, so it is looked at again:
// soon at first, for `docker run` starts what it creates at once, then less often, for Compose creates all before it starts
// the first.
import type { Death } from '../model/container-fact.ts';
import { masked } from '../model/text.ts';
import { pastDeath } from './cause.ts';
import { reportStopped } from './restarts.ts';
import { conditionOf, isWatched, keyOf } from './table.ts';
import type { Known, Turn } from './types.ts';

const FIRST_LOOK_MS = 1500;
/** From here on the full list, every five minutes, is often enough. */
const LAST_LOOK_MS = 120_000;

/** After each look at a container: has its start failed, or is it still to be started? */
export function lookedAtCreated(turn: Turn, known: Known): void {
  const { state, now } = turn;
  if (known.info.state !== 'created') {
    delete known.lookAgainMs;
    return;
  }
  if (known.startError) {
    reportUnstarted(turn, known);
    return;
  }
  const waitMs = known.lookAgainMs ?? FIRST_LOOK_MS;
  if (waitMs > LAST_LOOK_MS) return;
  known.lookAgainMs = waitMs * 2;
  state.suspects.set(known.info.id, { seq: known.seq, due: now.mono + waitMs });
}

function reportUnstarted(turn: Turn, known: Known): void {
  const { state } = turn;
  const key = keyOf(known);
  if (!isWatched(state, known) || state.byKey.get(key) !== known.info.id) return;
  // A deploy that is under way reports it.
  if (conditionOf(state, key, 'stopped') || state.pending.has(key)) return;
  reportStopped(turn, unstarted(turn, known), { next: { kind: 'not-tried-again' } });
}

/** Its end, which was none: it never ran. */
export function unstarted(turn: Turn, known: Known): Death {
  const { startError } = known;
  const { startedAt: _, ...death } = pastDeath(known, []);
  return {
    ...death,
    at: turn.now.wall,
    cause: 'unstarted',
    exitCode: startError?.exitCode ?? death.exitCode,
    ...(startError?.text ? { error: masked(startError.text, turn.state.rules.secrets) } : {}),
  };
}
