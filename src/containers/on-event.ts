// What each Docker event changes: the table at once, and what is pending about the service, which is reported when it is clear what it
// is. The second half is about deaths.
import type { Death } from '../model/container-fact.ts';
import { masked } from '../model/text.ts';
import { toHealth } from '../system/docker/containers.ts';
import { eventTime } from '../system/docker/events.ts';
import type { DockerEvent, DockerInspect } from '../system/types.ts';
import {
  deathByEvent,
  deathOf,
  isStopping,
  mayBeStopped,
  recordSignal,
  restartsByPolicy,
  startedAt,
} from './cause.ts';
import { RESTART_WAIT_MS, SUCCESSOR_WAIT_MS, conclude, left } from './correlate.ts';
import {
  about,
  evaluateRestarts,
  reportOver,
  later,
  pausedFact,
  reportMissing,
  reportNotTried,
  reportRunning,
} from './facts.ts';
import { healthChanged } from './healthcheck.ts';
import { renamed } from './rename.ts';
import { takesAPlaceWithin, watchSuccessor } from './successor.ts';
import {
  conditionOf,
  countRestart,
  drop,
  fromEvent,
  isFolded,
  isUp,
  isWatched,
  keyOf,
  newsOf,
  put,
  secretsWith,
  seriesOf,
  SAME_MS,
} from './table.ts';
import type { Known, State, Turn, PendingOf } from './types.ts';

/** Somebody may send events of containers that never were; of so many at a time it is asked what they are. */
const MOST_INCOMPLETE = 600;
/** Until a container that was started counts as started: of what ends within it only the end is reported. */
const STARTING_MS = 1000;
/** `docker run --rm` is a job more often than a service: one that ends without an error within this time is not reported at all. */
const JOB_STARTING_MS = 10_000;
/** podman sends the event of a health check as it begins; by then most are through. */
const CHECK_MS = 1000;

/** Feeds one event. Events that are not new (an old one, read again) must have been taken out before. */
export function onEvent(turn: Turn, event: DockerEvent): void {
  const known = turn.state.known.get(event.id) ?? adopt(turn, event);
  if (!known) return;
  known.seq += 1;
  const at = eventTime(event);
  const [action = ''] = event.action.split(':', 1);
  // Only what runs is paused: its start was not heard.
  const isPause = action === 'pause' || action === 'unpause';
  if (isPause && !isUp(known.info.state) && at > (known.info.finishedAt ?? 0)) onStart(turn, known, at);
  if (action === 'start') onStart(turn, known, at, event.unseen);
  else if (action === 'die') onDie(turn, known, at, event);
  else if (action === 'kill') onKill(known, at, event);
  else if (action === 'oom') onOom(turn, known, at);
  else if (action === 'stop') onStop(turn, known);
  else if (action === 'destroy') onDestroy(turn, known, at);
  else if (action === 'pause') onPause(turn, known, at);
  else if (action === 'unpause') onUnpause(turn, known, at);
  else if (action === 'rename') renamed(turn, known, event.name, at);
  else if (action === 'update' || action === 'create') ask(turn, known);
  else if (action === 'health_status' && event.podman) lookAtCheck(turn, known);
  else if (action === 'health_status')
    healthChanged(turn, known, toHealth(event.action.slice('health_status:'.length).trim()), at);
}

/** A `kill` event older than the last start belongs to the run before. */
function onKill(known: Known, at: number, event: DockerEvent): void {
  if (at >= (startedAt(known) ?? 0)) recordSignal(known, at, event);
}

function adopt(turn: Turn, event: DockerEvent): Known | undefined {
  // The last event of a container that is gone already is no reason to know it again.
  if (event.action === 'destroy') return undefined;
  // One that is really there is found by the next list.
  if (turn.state.incomplete.size >= MOST_INCOMPLETE) return undefined;
  const known = fromEvent(event);
  put(turn.state, known);
  if (event.action !== 'create' && event.action !== 'start') ask(turn, known);
  return known;
}

export function ask(turn: Turn, known: Known): void {
  turn.out.asks.push({ kind: 'inspect', id: known.info.id, seq: known.seq, confirm: false });
}

/** `unseen`: found by a look, which is certain, whatever time it bears. */
function onStart(turn: Turn, known: Known, at: number, unseen = false): void {
  const { state, now } = turn;
  const { info } = known;
  if (isUp(info.state) && info.startedAt !== undefined) {
    // The inspect that followed an earlier event may have shown this start already.
    if (at - info.startedAt < SAME_MS) return;
    // Its death was lost.
    onDie(turn, known, at, { attributes: { exitCode: '0' }, unseen: true });
  } else if (at < (info.finishedAt ?? 0) && !unseen) {
    lookAgain(turn, known);
    return;
  }
  info.state = 'running';
  info.startedAt = at;
  info.oomKilled = false;
  delete info.exitCode;
  delete known.kill;
  delete known.oomAt;
  delete known.clockSetBy;
  put(state, known);
  ask(turn, known);
  const key = keyOf(known);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  reportMissing(turn, { reported: true });
  const pending = state.pending.get(key);
  if (pending?.kind === 'asked') {
    watchSuccessor(turn, known, pending, at);
    // It has taken the name of the one that was stopped, and was reported as down itself.
    reportOver(turn, key, 'stopped', 'back', at);
    return;
  }
  if (pending?.kind === 'crash') {
    comesBack(turn, known, pending, at);
    return;
  }
  const removed = pending?.kind === 'removed';
  if (pending) state.pending.delete(key);
  const stopped = conditionOf(state, key, 'stopped');
  if (stopped) {
    const byPolicy = stopped.how === 'policy';
    if (byPolicy) {
      countRestart(state, key, at);
      info.restartCount += 1;
    } else if (removed) info.restartCount = 0;
    reportRunning(turn, known, at);
    if (byPolicy) evaluateRestarts(turn, known, now.wall);
    return;
  }
  const alone = known.autoRemove ? JOB_STARTING_MS : STARTING_MS;
  const waitMs = takesAPlaceWithin(turn, known) ?? alone;
  later(turn, known, now.mono + waitMs, { kind: 'started', ...about(info), at, id: info.id });
}

/** Back before its end was reported: then that is one message, once it has stayed up. */
function comesBack(turn: Turn, known: Known, pending: PendingOf<'crash'>, at: number): void {
  const { info } = known;
  countRestart(turn.state, keyOf(known), at);
  if (pending.death.id === info.id && pending.willRestart !== false) info.restartCount += 1;
  pending.upAt = at;
  pending.restarted = true;
  if (pending.willRestart !== true)
    pending.due = Math.max(pending.due, left(turn, RESTART_WAIT_MS, pending.first));
  else pending.due = Math.min(pending.due, left(turn, RESTART_WAIT_MS, at));
}

/** Docker answers an inspect late while it starts a container: that it is a job may be known after its start only. */
export function waitForJob(turn: Turn, known: Known): void {
  const started = newsOf(turn.state, keyOf(known), 'started');
  if (!known.autoRemove || started?.id !== known.info.id) return;
  started.due = Math.max(started.due, left(turn, JOB_STARTING_MS, started.fact.at));
}

function onDestroy(turn: Turn, known: Known, at: number): void {
  const { state } = turn;
  const key = keyOf(known);
  const { id } = known.info;
  const wasCurrent = state.byKey.get(key) === id;
  const folded = !isWatched(state, known) || isFolded(state, key);
  // Its death was not seen. Nothing is removed while it runs without somebody asking for it.
  if (!folded && isUp(known.info.state)) stopsOnRequest(turn, known, deathOf(known, at, -1, 'request'));
  if (!folded) endsTrying(turn, known, at);
  drop(state, id);
  turn.out.touched.add(key);
  if (folded) return;
  const pending = state.pending.get(key);
  if (pending?.kind === 'asked' && pending.death.id === id) pending.removed = true;
  if (pending || !wasCurrent || state.byKey.has(key)) return;
  const matters = state.conditions.has(key) || seriesOf(state, key, turn.now) !== undefined;
  if (!matters && !state.rules.of(known.info).named) return;
  // Removed and perhaps created anew in a moment: then its conditions end with the new one.
  state.pending.set(key, { kind: 'removed', due: left(turn, SUCCESSOR_WAIT_MS, at), at });
}

export function onPause(turn: Turn, known: Known, at: number): void {
  known.info.state = 'paused';
  const key = keyOf(known);
  if (!isWatched(turn.state, known) || turn.state.pending.has(key)) return;
  if (conditionOf(turn.state, key, 'stopped')) return;
  // `docker commit` and backups pause for a moment: that is not worth a message.
  later(
    turn,
    known,
    left(turn, SUCCESSOR_WAIT_MS, at),
    pausedFact(known, at),
    () => known.info.state !== 'paused',
  );
}

function onUnpause(turn: Turn, known: Known, at: number): void {
  known.info.state = 'running';
  known.unpausedAt = turn.now.mono;
  const key = keyOf(known);
  if (!isWatched(turn.state, known)) return;
  if (newsOf(turn.state, key, 'paused')) turn.state.pending.delete(key);
  // Docker lets it run again so that it can hear the signal.
  else if (conditionOf(turn.state, key, 'stopped') && !isStopping(known, at)) reportRunning(turn, known, at);
}

/** A message about a crash waits this long for log lines at the most; the watcher hands them in far earlier. */
const EVIDENCE_MS = 600;
/** Swarm waits 5 s before it starts another one. */
const SWARM_WAIT_MS = 10_000;

/** An event that came late, after what followed it; or the clock was set back. What is, decides. */
function lookAgain(turn: Turn, known: Known): void {
  turn.state.suspects.set(known.info.id, { seq: known.seq, due: turn.now.mono });
}

function lookAtCheck({ state: { suspects }, now }: Turn, { info: { id }, seq }: Known): void {
  const one = suspects.get(id);
  if (!one?.unsure && !one?.checked) suspects.set(id, { seq, due: now.mono + CHECK_MS, checked: true });
}

function onDie(
  turn: Turn,
  known: Known,
  at: number,
  event: Pick<DockerEvent, 'attributes' | 'unseen' | 'podman'>,
): void {
  const { state } = turn;
  const { info } = known;
  const isKnown =
    !isUp(info.state) && Math.abs(at - (info.finishedAt ?? 0)) < SAME_MS && info.state !== 'restarting';
  if ((at < (startedAt(known) ?? 0) && !event.unseen) || isKnown) {
    lookAgain(turn, known);
    return;
  }
  const key = keyOf(known);
  const death = deathByEvent(known, at, event);
  if (info.state === 'paused') death.paused = true;
  const { exitCode } = death;
  const requested = death.cause === 'request';
  const willRestart = requested ? false : restartsByPolicy(known, exitCode);
  info.state = willRestart === true ? 'restarting' : 'exited';
  info.exitCode = exitCode;
  info.finishedAt = at;
  info.oomKilled = death.cause === 'oom';
  info.health = 'none';
  delete info.pid;
  state.checks.delete(key);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  reportOver(turn, key, 'unhealthy', 'died', at);
  endsPause(turn, key, at);
  if (requested) stopsOnRequest(turn, known, death);
  else crashes(turn, known, death, willRestart);
}

/** It is not paused any more, and the end that ends the pause does not count as another time that it went down. */
function endsPause(turn: Turn, key: string, at: number): void {
  if (conditionOf(turn.state, key, 'stopped')?.how === 'paused') reportOver(turn, key, 'stopped', 'died', at);
}

/** What an inspect shows of a death: Docker's error, and the exit code where a label hid it in the event. */
export function completeDeath(state: State, death: Death, inspect: DockerInspect): void {
  const { error, finishedAt, exitCode } = inspect.state;
  if (error) death.error = masked(error, secretsWith(state, inspect));
  if (death.exitCode < 0 && inspect.id === death.id && Math.abs(finishedAt - death.at) < SAME_MS)
    death.exitCode = exitCode;
}

/** Held until it is clear whether a successor follows. */
function stopsOnRequest(turn: Turn, known: Known, death: Death): void {
  const { state } = turn;
  const key = keyOf(known);
  let pending = state.pending.get(key);
  // Another container of the same name has taken over already: the old one may go.
  if (state.byKey.get(key) !== known.info.id && pending?.kind !== 'asked') return;
  if (pending?.kind === 'crash') {
    conclude(turn, key, { wasUp: pending.upAt !== undefined });
    pending = undefined;
  }
  if (conditionOf(turn.state, key, 'stopped')) return;
  const before = pending?.kind === 'asked' || pending?.kind === 'successor' ? pending : undefined;
  const memoryBefore = before?.memoryBefore ?? state.rules.memoryOf?.(known.info.name);
  state.pending.set(key, {
    kind: 'asked',
    due: left(turn, SUCCESSOR_WAIT_MS, death.at),
    death,
    downFrom: before?.downFrom ?? death.at,
    removed: false,
    deploy:
      (before?.kind === 'successor' && before.how === 'redeployed') ||
      (before?.kind === 'asked' && before.deploy),
    ...(memoryBefore !== undefined ? { memoryBefore } : {}),
  });
}

function crashes(turn: Turn, known: Known, death: Death, willRestart: boolean | undefined): void {
  const { state, now } = turn;
  const key = keyOf(known);
  const pending = state.pending.get(key);
  const before = pending?.kind === 'crash' ? pending : undefined;
  if (newsOf(state, key, 'started') && known.autoRemove && death.exitCode === 0) {
    state.pending.delete(key);
    return;
  }
  turn.out.asks.push({
    kind: 'evidence',
    id: death.id,
    killed: death.exitCode === 137 && death.cause === 'crash',
  });
  state.pending.set(key, {
    kind: 'crash',
    due: willRestart ? restartDue(turn, known, before?.due, death.at) : now.mono + EVIDENCE_MS,
    ...(mayBeStopped(known, death.at) ? { awaitsStop: true } : {}),
    death,
    first: before?.first ?? death.at,
    willRestart,
    restarted: before?.restarted === true,
    deploy: before?.deploy === true || (pending?.kind === 'successor' && pending.how === 'redeployed'),
  });
}

/** The 2 s run from the first death of a series, else a container that dies every second would never be reported. */
function restartDue(turn: Turn, { swarm }: Known, before: number | undefined, at: number): number {
  const due = left(turn, swarm ? SWARM_WAIT_MS : RESTART_WAIT_MS, at);
  return before !== undefined && before > turn.now.mono ? Math.min(before, due) : due;
}

function onOom(turn: Turn, known: Known, at: number): void {
  known.oomAt = at;
  const pending = turn.state.pending.get(keyOf(known));
  if (pending?.kind !== 'crash' || pending.death.id !== known.info.id || pending.death.cause !== 'crash')
    return;
  pending.death.cause = 'oom';
  known.info.oomKilled = true;
}

/** Removed while Docker waited for its next attempt to start it: nobody tries any more, and what comes now is a deploy. */
function endsTrying(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const pending = turn.state.pending.get(key);
  if (pending?.kind !== 'crash' || pending.death.id !== known.info.id) return;
  if (pending.willRestart !== true || known.swarm || isUp(known.info.state)) return;
  turn.state.pending.delete(key);
  const { startedAt: _, ...death } = pending.death;
  stopsOnRequest(turn, known, { ...death, at, cause: 'request' });
}

/** `stop` comes after the `die` it caused. Where no kill was seen before it, it still shows that the death was asked for. */
function onStop(turn: Turn, known: Known): void {
  const key = keyOf(known);
  const pending = turn.state.pending.get(key);
  if (!pending) reportNotTried(turn, known);
  if (pending?.kind !== 'crash' || pending.death.id !== known.info.id || pending.upAt !== undefined) return;
  turn.state.pending.delete(key);
  known.info.state = 'exited';
  const signal = known.kill?.signal;
  stopsOnRequest(turn, known, {
    ...pending.death,
    cause: 'request',
    ...(signal === undefined ? {} : { signal }),
  });
}
