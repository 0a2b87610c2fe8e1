// After a stop on request a successor of the same name has started: a deploy, or a restart by hand. It is reported once it is clear
// how it turned out. Some deploys start the new container beside the old one: docker-rollout scales a Compose service up and removes
// the first one; Swarm may start the next task first; Watchtower, to replace itself, takes another name and starts its successor under
// its own. Others stop the old one first, and start one of another name, or rename the old one and start one under its name.
import type { Death, FactOf } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import { about, emit } from './facts.ts';
import { isUp, isWatched, keyOf, newsOf } from './table.ts';
import { serviceKey } from '../model/service-key.ts';
import type { Known, State, Turn, PendingOf } from './types.ts';

/** What dies within this was not deployed successfully. */
const STEADY_MS = 3000;
/** A healthcheck may take its start period; after this it is reported as it is. */
const HEALTH_WAIT_MS = 120_000;
/** The stats API of older engines takes up to 2 s. */
const MEASURE_WAIT_MS = 2500;

type Watched = PendingOf<'successor'>;

export function watchSuccessor(
  turn: Turn,
  known: Known,
  asked: PendingOf<'asked'>,
  at: number,
  inPlaceOf?: string,
): void {
  const how = asked.death.id === known.info.id && !asked.deploy ? 'restarted' : 'redeployed';
  known.info.restartCount = 0; // Docker counts from the last start by hand.
  if (inPlaceOf !== undefined) known.tookPlace = true;
  // How it turned out may be known two minutes from now only.
  emit(turn, keyOf(known), { kind: 'was-down', ...about(known.info), at });
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
  if (inPlaceOf !== undefined && startedAt < downFrom)
    return { kind: info.health === 'healthy' ? 'healthy' : 'running' };
  return { kind: 'running', afterMs: startedAt - downFrom };
}

/** The old one is stopped once the new one is healthy. */
const ROLLOUT_WAIT_MS = 120_000;
/** One that has run for longer was not started to take somebody's place. */
const RECENT_MS = 600_000;

/** How long to wait before one that has just started is reported, ms: it may be about to take the place of another one. */
export function takesAPlaceWithin({ state, now }: Turn, next: Known): number | undefined {
  for (const pending of state.pending.values())
    if (pending.kind === 'asked' && replaces(next, pending.death)) return pending.due - now.mono + 500;
  for (const old of state.known.values())
    if (old !== next && isUp(old.info.state) && replaces(next, { ...old.info, ...defined({ was: old.was }) }))
      return ROLLOUT_WAIT_MS;
  return undefined;
}

/** The one that does what the dead one did: it had started shortly before, or has since and is not reported yet. */
export function successorOf(state: State, death: Death): Known | undefined {
  let found: Known | undefined;
  for (const known of state.known.values()) {
    const { startedAt = 0, state: now, id } = known.info;
    if (!isUp(now) || !isWatched(state, known) || id === death.id || known.tookPlace) continue;
    if (!replaces(known, death) || death.at - startedAt > RECENT_MS) continue;
    if (startedAt > death.at && !newsOf(state, keyOf(known), 'started')) continue;
    if (!found || startedAt > (found.info.startedAt ?? 0)) found = known;
  }
  return found;
}

/** `docker compose up --scale` creates several of a service within this: none of them takes the place of another. */
const CREATED_TOGETHER_MS = 5000;

/** Under the name that the other one has or had (Swarm starts the next task first), or a newer one of the same Compose service. */
function replaces(
  next: Known,
  old: Pick<Death, 'name' | 'service' | 'project' | 'was' | 'createdAt'>,
): boolean {
  const key = keyOf(next);
  if (old.was === key || serviceKey(old.name) === key) return true;
  const { service, project, createdAt } = next.info;
  const isSame =
    service !== undefined && project !== undefined && service === old.service && project === old.project;
  if (!isSame || createdAt === undefined || old.createdAt === undefined) return isSame;
  return createdAt - old.createdAt > CREATED_TOGETHER_MS;
}
