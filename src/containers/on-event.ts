// What each Docker event changes: the table at once, and what is pending about the service, which is reported when it is clear what it is.
import { toHealth } from '../system/docker/containers.ts';
import { eventTime } from '../system/docker/events.ts';
import type { DockerEvent } from '../system/types.ts';
import { isStopping } from './cause.ts';
import {
  deathOf,
  endsTrying,
  lookAgain,
  onDie,
  onKill,
  onOom,
  onStop,
  SAME_MS,
  stopsOnRequest,
} from './deaths.ts';
import { healthChanged } from './healthcheck.ts';
import { reportMissing } from './missing.ts';
import { renamed } from './rename.ts';
import { evaluateRestarts, reportRunning } from './restarts.ts';
import { ROLLOUT_WAIT_MS, mayTakeAPlace, watchSuccessor } from './successor.ts';
import { left, RESTART_WAIT_MS, SUCCESSOR_WAIT_MS } from './correlate.ts';
import {
  conditionOf,
  countRestart,
  drop,
  fromEvent,
  isFolded,
  isUp,
  isWatched,
  keyOf,
  put,
  seriesOf,
} from './table.ts';
import type { Known, Turn } from './types.ts';

/** Somebody may send events of containers that never were; of so many at a time it is asked what they are. */
const MOST_INCOMPLETE = 600;
/** Until a container that was started counts as started: of what ends within it only the end is reported. */
const STARTING_MS = 1000;
/** `docker run --rm` is a job more often than a service: one that ends without an error within this time is not reported at all. */
const JOB_STARTING_MS = 10_000;

/** Feeds one event. Events that are not new (an old one, read again) must have been taken out before. */
export function onEvent(turn: Turn, event: DockerEvent): void {
  const known = turn.state.known.get(event.id) ?? adopt(turn, event);
  if (!known) return;
  known.seq += 1;
  const at = eventTime(event);
  const [action = ''] = event.action.split(':', 1);
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
  else if (action === 'health_status')
    healthChanged(turn, known, toHealth(event.action.slice('health_status:'.length).trim()), at);
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
  put(state, known);
  ask(turn, known);
  const key = keyOf(known);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  reportMissing(turn, { reported: true });
  const pending = state.pending.get(key);
  if (pending?.kind === 'asked') {
    watchSuccessor(turn, known, pending, at);
    return;
  }
  if (pending?.kind === 'crash') {
    countRestart(state, key, at);
    if (pending.death.id === info.id && pending.willRestart !== false) info.restartCount += 1;
    pending.upAt = at;
    pending.restarted = true;
    // Back before its end was reported: then that is one message, once it has stayed up.
    if (pending.willRestart !== true)
      pending.due = Math.max(pending.due, left(turn, RESTART_WAIT_MS, pending.first));
    else pending.due = Math.min(pending.due, left(turn, RESTART_WAIT_MS, at));
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
  const waitMs = mayTakeAPlace(state, known) ? ROLLOUT_WAIT_MS : alone;
  state.pending.set(key, { kind: 'starting', due: now.mono + waitMs, id: info.id, startedAt: at });
}

/** Docker answers an inspect late while it starts a container: that it is a job may be known after its start only. */
export function waitForJob(turn: Turn, known: Known): void {
  const pending = turn.state.pending.get(keyOf(known));
  if (!known.autoRemove || pending?.kind !== 'starting' || pending.id !== known.info.id) return;
  pending.due = Math.max(pending.due, left(turn, JOB_STARTING_MS, pending.startedAt));
}

function onDestroy(turn: Turn, known: Known, at: number): void {
  const { state } = turn;
  const key = keyOf(known);
  const { id } = known.info;
  const wasCurrent = state.byKey.get(key) === id;
  const folded = !isWatched(state, known) || isFolded(state, key);
  // Its death was not seen. Nothing is removed while it runs without somebody asking for it.
  if (!folded && isUp(known.info.state)) stopsOnRequest(turn, known, deathOf(known, at, 137, 'request'));
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
  turn.state.pending.set(key, {
    kind: 'paused',
    due: left(turn, SUCCESSOR_WAIT_MS, at),
    id: known.info.id,
    at,
  });
}

function onUnpause(turn: Turn, known: Known, at: number): void {
  known.info.state = 'running';
  const key = keyOf(known);
  if (!isWatched(turn.state, known)) return;
  if (turn.state.pending.get(key)?.kind === 'paused') turn.state.pending.delete(key);
  // Docker lets it run again so that it can hear the signal.
  else if (conditionOf(turn.state, key, 'stopped') && !isStopping(known, at)) reportRunning(turn, known, at);
}
