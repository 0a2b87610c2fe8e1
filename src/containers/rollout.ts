// A deploy that starts the new container beside the old one: docker-rollout scales a Compose service up and removes the first
// one; Watchtower, to replace itself, takes another name and starts its successor under its own.
import { isUp, isWatched, keyOf } from './table.ts';
import type { Death } from '../model/container-fact.ts';
import type { Known, State } from './types.ts';

/** The old one is stopped once the new one is healthy. */
export const ROLLOUT_WAIT_MS = 120_000;
/** One that has run for longer was not started to take somebody's place. */
const RECENT_MS = 600_000;

/** Whether one runs whose place this one, which has just started, may be about to take. */
export function mayTakeAPlace(state: State, next: Known): boolean {
  for (const old of state.known.values()) {
    if (old === next || !isUp(old.info.state)) continue;
    const { service, project } = old.info;
    const one = {
      ...(service ? { service } : {}),
      ...(project ? { project } : {}),
      ...(old.was ? { was: old.was } : {}),
    };
    if (replaces(next, one)) return true;
  }
  return false;
}

/** The one that had started shortly before this one was stopped, and does what it did. */
export function successorOf(state: State, death: Death): Known | undefined {
  let found: Known | undefined;
  for (const known of state.known.values()) {
    const { startedAt = 0, state: now } = known.info;
    if (!isUp(now) || !isWatched(state, known) || known.info.id === death.id || !replaces(known, death))
      continue;
    if (startedAt > death.at || death.at - startedAt > RECENT_MS) continue;
    if (!found || startedAt > (found.info.startedAt ?? 0)) found = known;
  }
  return found;
}

function replaces(next: Known, old: Pick<Death, 'service' | 'project' | 'was'>): boolean {
  if (old.was !== undefined && old.was === keyOf(next)) return true;
  const { service, project } = next.info;
  return service !== undefined && project !== undefined && service === old.service && project === old.project;
}
