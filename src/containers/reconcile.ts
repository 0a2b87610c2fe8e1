// The safety net under the event stream: a full list is compared with the table. Where it does not fit, the event
// may only be late, so the container is looked at again a second later; what is still different then was missed, and is reported
// like the events that are missing.
import { serviceKey } from '../model/service-key.ts';
import type { DockerEvent, DockerInspect, DockerListItem } from '../system/types.ts';
import { toHealth, toState } from '../system/docker/containers.ts';
import { isStopping, startedAt, unstarted } from './cause.ts';
import { lookedAt } from './docker-gone.ts';
import { ask, completeDeath, onEvent, onPause, waitForJob } from './on-event.ts';
import { renamed } from './rename.ts';
import { healthChanged, reportHealthy } from './healthcheck.ts';
import {
  reportMissing,
  reportNotTried,
  reportOver,
  reportPolicy,
  reportRunning,
  reportStopped,
} from './facts.ts';
import { successorHealth } from './successor.ts';
import {
  applyFixed,
  applyState,
  conditionOf,
  current,
  drop,
  forgetGone,
  fromInspect,
  isFolded,
  isUp,
  isWatched,
  keyOf,
  put,
} from './table.ts';
import type { Known, Turn } from './types.ts';

const LATE_MS = 1000;
const GRACE_MS = 10_000;
/** There is a list every five minutes: what ended before the last two is no news. */
const NEWS_MS = 600_000;
/** Most health checks are made more often than this. */
const CHECKED_AGAIN_MS = 120_000;
/** Docker did not answer. */
const ASK_AGAIN_MS = 10_000;

/** A full list. Costs one look per container; only those that do not fit are inspected. */
export function listed(turn: Turn, items: DockerListItem[]): void {
  const { state, now } = turn;
  const there = new Set<string>();
  for (const item of items) {
    there.add(item.id);
    const known = state.known.get(item.id);
    // Docker tells of no health that is as it was before a pause.
    if (known && now.mono - (known.unpausedAt ?? now.mono) >= CHECKED_AGAIN_MS) delete known.unpausedAt;
    if (known?.complete && fits(known, item, now.wall)) {
      // Paused while something else about it was waited for.
      if (known.info.state === 'paused') onPause(turn, known, now.wall);
      // Its start may have failed since: there is no event for that.
      if (known.info.state === 'created') suspect(turn, item.id, known);
      // Its check may have been taken away; podman's list has no health of one that has a check, either.
      const { state: is, health } = known.info;
      if (is === 'running' && health === 'unhealthy' && !HEALTH.test(item.status))
        suspect(turn, item.id, known);
      continue;
    }
    suspect(turn, item.id, known, true);
  }
  for (const [id, known] of state.known) if (!there.has(id)) suspect(turn, id, known, true);
  state.engine.stale = false;
  audit(turn);
  forgetGone(state, now);
}

/** No condition lasts for ever by mistake: `stopped` of what runs, and `unhealthy` of what is healthy, end. */
function audit(turn: Turn): void {
  const { state, now } = turn;
  for (const key of state.conditions.keys()) {
    const known = current(state, key);
    if (!known || state.pending.has(key) || known.info.state !== 'running') continue;
    if (conditionOf(state, key, 'stopped')) reportRunning(turn, known, known.info.startedAt ?? now.wall);
    const sick = conditionOf(state, key, 'unhealthy');
    if (!sick) continue;
    const { health } = known.info;
    if (health === 'healthy') reportHealthy(turn, known, now.wall);
    if (health === 'none') reportOver(turn, key, 'unhealthy', 'unchecked', now.wall);
    // Started anew while nobody watched: nobody knows yet how it is.
    const begun = startedAt(known) ?? 0;
    if (health === 'starting' && begun > sick.since) reportOver(turn, key, 'unhealthy', 'died', begun);
  }
  reportMissing(turn, { reported: true, knownOnly: true });
}

/** Looks again a second later. `unsure`: what the table has of it does not fit. */
function suspect(turn: Turn, id: string, known: Known | undefined, unsure = false): void {
  const { state, now } = turn;
  if (known && isFolded(state, keyOf(known))) return;
  const due = now.mono + LATE_MS;
  state.suspects.set(id, { seq: known?.seq ?? -1, due, ...(unsure ? { unsure } : {}) });
}

/** Looks again at what did not fit; where an event has come meanwhile, a second after that. */
export function suspectsDue(turn: Turn): void {
  const { state, now, out } = turn;
  for (const [id, one] of state.suspects) {
    if (now.mono < one.due) continue;
    const known = state.known.get(id);
    // What did not fit is not believed until the answer is here.
    if (one.unsure) one.due = now.mono + ASK_AGAIN_MS;
    else state.suspects.delete(id);
    if (one.checked && known) ask(turn, known);
    else if ((known?.seq ?? -1) === one.seq)
      out.asks.push({ kind: 'inspect', id, seq: one.seq, confirm: true });
    else suspect(turn, id, known);
  }
}

const HEALTH = /\((?:health: )?(healthy|unhealthy|starting)\)/;

function fits(known: Known, item: DockerListItem, now: number): boolean {
  const { info } = known;
  if (info.name !== item.name || !sameState(info.state, toState(item.state))) return false;
  if (!isUp(info.state)) return true;
  const health = HEALTH.exec(item.status)?.[1];
  if (health !== undefined && toHealth(health) !== info.health) return false;
  const longest = upForAtMost(item.status);
  // Whether Docker counts by the clock as it is now is up to how it was started.
  const started = info.startedAt && Math.max(info.startedAt, startedAt(known) ?? 0);
  return longest === undefined || started === undefined || now - started < longest + GRACE_MS;
}

/** `restarting` is Docker's state between two attempts; the table has it from the death on. */
function sameState(ours: string, theirs: string): boolean {
  return ours === theirs || (ours === 'exited' && theirs === 'dead');
}

const UNIT_MS: Record<string, number> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 31 * 86_400_000,
  year: 366 * 86_400_000,
};

/** "Up 6 seconds", "Up About a minute", "Up 3 hours (healthy)": the longest time in ms that this can mean. */
export function upForAtMost(status: string): number | undefined {
  if (status.startsWith('Up Less than a second')) return 1000;
  const match = /^Up (?:About )?(an?|\d+) (second|minute|hour|day|week|month|year)/.exec(status);
  if (!match) return undefined;
  const count = Number(match[1]);
  return ((Number.isNaN(count) ? 1 : count) + 1) * (UNIT_MS[match[2] ?? ''] ?? 0);
}

/** An answer to an inspect. `seq` is the one of the moment of asking: with another one now, an event has come in between. */
export function inspected(
  turn: Turn,
  id: string,
  inspect: DockerInspect | undefined,
  asked: { seq: number; confirm: boolean },
): void {
  const { state } = turn;
  if (asked.confirm) state.suspects.delete(id);
  if (lookedAt(turn, id, inspect)) return;
  const known = state.known.get(id);
  if (!known) {
    if (inspect && asked.confirm) reportUnseenNew(turn, inspect);
    return;
  }
  if (!inspect) {
    if (isGhost(turn, known)) {
      turn.out.touched.add(keyOf(known));
      drop(state, id);
    } else if (asked.confirm && known.seq === asked.seq)
      onEvent(turn, unseen(known, 'destroy', turn.now.wall));
    return;
  }
  const before = known.complete ? known.info.restartPolicy : undefined;
  applyFixed(turn.state, known, inspect);
  if (before !== undefined && before !== known.info.restartPolicy) reportPolicy(turn, known);
  if (known.shadowed?.includes('name')) renamed(turn, known, inspect.name, turn.now.wall);
  waitForJob(turn, known);
  if (known.seq !== asked.seq) {
    // An event came between question and answer: it is asked again.
    if (asked.confirm) suspect(turn, id, known);
    else ask(turn, known);
    return;
  }
  if (asked.confirm) reportUnseen(turn, known, inspect);
  else refresh(turn, known, inspect);
}

/** Known only from an event that came after its `destroy`: Docker writes `stop` and `destroy` of one with --rm at the same time. */
function isGhost({ state }: Turn, known: Known): boolean {
  return !known.complete && !state.pending.has(keyOf(known));
}

/** After an event: the facts that events do not carry (pid, restart count, health). */
function refresh(turn: Turn, known: Known, inspect: DockerInspect): void {
  const { info } = known;
  const now = toState(inspect.state.status);
  const paused = (state: string): boolean => state === 'paused';
  const hasRun = info.state === 'created' && now !== 'created';
  if (hasRun || isUp(now) !== isUp(info.state) || paused(now) !== paused(info.state)) {
    // Its event is on its way; if it is not, the next list will find it.
    suspect(turn, info.id, known, true);
    return;
  }
  const health = isUp(now) ? toHealth(inspect.state.health?.status) : 'none';
  if (health !== info.health && health !== 'starting') healthChanged(turn, known, health, turn.now.wall);
  applyLooked(turn, known, inspect);
  lookedAtCreated(turn, known);
  completePending(turn, known, inspect);
  put(turn.state, known);
  successorHealth(turn, known, turn.now.wall);
}

/** A health that is not told while it may be stopping is not kept, either: where it goes on, the next look tells it. */
function applyLooked({ now }: Turn, known: Known, inspect: DockerInspect): void {
  const { health } = known.info;
  applyState(known, inspect);
  if (known.info.health === 'unhealthy' && isStopping(known, now.wall)) known.info.health = health;
}

/** A death that is not reported yet. */
function completePending({ state }: Turn, known: Known, inspect: DockerInspect): void {
  const pending = state.pending.get(keyOf(known));
  if (pending?.kind === 'asked' || (pending?.kind === 'crash' && pending.death.id === known.info.id))
    completeDeath(state, pending.death, inspect);
}

function unseen(
  known: Known,
  action: string,
  at: number,
  attributes: Record<string, string> = {},
): DockerEvent {
  return {
    timeNano: BigInt(Math.round(at)) * 1_000_000n,
    action,
    id: known.info.id,
    name: known.info.name,
    attributes,
    unseen: true,
  };
}

/** Feeds the events that were missed, from the difference between the table and what is. */
function reportUnseen(turn: Turn, known: Known, inspect: DockerInspect): void {
  const { info } = known;
  const { state } = inspect;
  if (inspect.name !== info.name) renamed(turn, known, inspect.name, turn.now.wall);
  const up = isUp(toState(state.status));
  // It was started and ended between two looks, and neither was heard of.
  if (info.state === 'created' && !up && state.startedAt > 0 && state.finishedAt > 0)
    onEvent(turn, unseen(known, 'start', state.startedAt));
  const restarted =
    up && isUp(info.state) && info.startedAt !== undefined && state.startedAt - info.startedAt > 1000;
  if (isUp(info.state) && (!up || restarted)) {
    const at = state.finishedAt || turn.now.wall;
    onEvent(turn, unseen(known, 'die', at, { exitCode: String(state.exitCode) }));
  }
  if (up && !isUp(info.state)) onEvent(turn, unseen(known, 'start', state.startedAt || turn.now.wall));
  if (state.status === 'paused' && info.state === 'running')
    onEvent(turn, unseen(known, 'pause', turn.now.wall));
  if (state.status === 'running' && info.state === 'paused')
    onEvent(turn, unseen(known, 'unpause', turn.now.wall));
  const health = up ? toHealth(inspect.state.health?.status) : 'none';
  if (health !== info.health) healthChanged(turn, known, health, turn.now.wall);
  applyLooked(turn, known, inspect);
  completePending(turn, known, inspect);
  givesUp(turn, known);
  put(turn.state, known);
  lookedAtCreated(turn, known);
}

/** Its next attempt is waited for, and Docker makes none: it would be `restarting` until then. */
function givesUp(turn: Turn, known: Known): void {
  const { info, swarm } = known;
  if (info.state !== 'exited') return;
  const pending = turn.state.pending.get(serviceKey(info.name));
  if (pending?.kind === 'crash' && pending.due === Infinity) pending.due = turn.now.mono;
  else if (!pending && !swarm) reportNotTried(turn, known);
}

function reportUnseenNew(turn: Turn, inspect: DockerInspect): void {
  const known = fromInspect(inspect, false);
  put(turn.state, known);
  const { finishedAt = 0 } = known.info;
  if (!isUp(known.info.state) && turn.now.wall - finishedAt > NEWS_MS) {
    lookedAtCreated(turn, known);
    return;
  }
  known.info.state = 'created';
  reportUnseen(turn, known, inspect);
}

// A container that stays as it was created, for its start failed. Docker sends no event about that, so it is looked at again: soon at
// first, for `docker run` starts what it creates at once, then less often, for Compose creates all before it starts the first.

const FIRST_LOOK_MS = 1500;
/** From here on the full list, every five minutes, is often enough. */
const LAST_LOOK_MS = 120_000;

/** After each look at a container: has its start failed, or is it still to be started? */
function lookedAtCreated(turn: Turn, known: Known): void {
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
  if (!conditionOf(state, key, 'stopped') && !state.pending.has(key))
    reportStopped(turn, unstarted(turn, known), { next: { kind: 'not-tried-again' } });
  reportMissing(turn, { reported: true });
}
