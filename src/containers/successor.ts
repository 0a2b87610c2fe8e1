// After a stop on request a successor of the same name has started: a deploy, or a restart by hand. It is reported once it is clear
// how it turned out. Some deploys start the new container beside the old one: docker-rollout scales a Compose service up and removes
// the first one; Watchtower, to replace itself, takes another name and starts its successor under its own.
import type { Death, FactOf } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import { about, emit } from './facts.ts';
import { isUp, isWatched, keyOf } from './table.ts';
import type { Known, Pending, State, Turn } from './types.ts';

/** What dies within this was not deployed successfully. */
const STEADY_MS = 3000;
/** A healthcheck may take its start period; after this it is reported as it is. */
const HEALTH_WAIT_MS = 120_000;
/** The stats API of older engines takes up to 2 s. */
const MEASURE_WAIT_MS = 2500;

type Watched = Extract<Pending, { kind: 'successor' }>;

export function watchSuccessor(
  turn: Turn,
  known: Known,
  asked: Extract<Pending, { kind: 'asked' }>,
  at: number,
  inPlaceOf?: string,
): void {
  const how = asked.death.id === known.info.id && !asked.deploy ? 'restarted' : 'redeployed';
  known.info.restartCount = 0; // Docker counts from the last start by hand.
  turn.state.pending.set(keyOf(known), {
    kind: 'successor',
    due: turn.now.mono + STEADY_MS,
    how,
    withDocker: asked.death.cause === 'engine',
    id: known.info.id,
    startedAt: at,
    downFrom: asked.downFrom,
    ...defined({ inPlaceOf, memoryBefore: asked.memoryBefore }),
  });
}

/** An inspect or an event has shown the health of a successor. */
export function successorHealth(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const pending = turn.state.pending.get(key);
  if (pending?.kind !== 'successor' || pending.id !== known.info.id || pending.measuring) return;
  if (known.info.health === 'healthy') {
    pending.healthyAt ??= at;
    endWatch(turn, key, pending);
  } else if (known.info.health === 'starting') {
    const longest = HEALTH_WAIT_MS - Math.max(0, turn.now.wall - pending.startedAt);
    pending.due = Math.max(pending.due, turn.now.mono + Math.max(longest, 0));
  }
}

/** Measures its memory first where there is something to compare with, then reports. */
export function endWatch(turn: Turn, key: string, pending: Watched): void {
  if (pending.memoryBefore !== undefined && !pending.measuring) {
    pending.measuring = true;
    pending.due = turn.now.mono + MEASURE_WAIT_MS;
    turn.out.asks.push({ kind: 'measure', id: pending.id });
    return;
  }
  reportSuccessor(turn, key, pending, undefined);
}

export function measured(turn: Turn, id: string, bytes: number | undefined): void {
  for (const [key, pending] of turn.state.pending)
    if (pending.kind === 'successor' && pending.id === id && pending.measuring)
      reportSuccessor(turn, key, pending, bytes);
}

function reportSuccessor(turn: Turn, key: string, pending: Watched, bytes: number | undefined): void {
  const { state } = turn;
  state.pending.delete(key);
  const known = state.known.get(pending.id);
  if (!known) return;
  const outcome = outcomeOf(turn, known, pending);
  const { memoryBefore, inPlaceOf, startedAt: at } = pending;
  const fact = {
    ...about(known.info),
    at,
    outcome,
    ...defined({ inPlaceOf }),
    ...(bytes !== undefined && memoryBefore !== undefined
      ? { memory: { before: memoryBefore, after: bytes } }
      : {}),
  };
  if (pending.how === 'redeployed') emit(turn, key, { kind: 'redeployed', ...fact });
  else emit(turn, key, { kind: 'restarted', ...fact, ...(pending.withDocker ? { withDocker: true } : {}) });
}

function outcomeOf(turn: Turn, { info }: Known, pending: Watched): FactOf<'redeployed'>['outcome'] {
  const { healthyAt, startedAt, inPlaceOf, downFrom } = pending;
  if (healthyAt !== undefined) return { kind: 'healthy', afterMs: healthyAt - startedAt };
  if (info.health === 'starting') return { kind: 'not-healthy-yet', afterMs: turn.now.wall - startedAt };
  if (info.health === 'unhealthy') return { kind: 'unhealthy' };
  if (inPlaceOf !== undefined) return { kind: info.health === 'healthy' ? 'healthy' : 'running' };
  return { kind: 'running', afterMs: startedAt - downFrom };
}

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
