// How a container dies: what it was, and which pending begins with it.
import type { Cause, Death } from '../model/container-fact.ts';
import type { DockerEvent, DockerInspect } from '../system/types.ts';
import { mayBeStopped, parseSignal, restartsByPolicy, wasOom, wasRequested } from './cause.ts';
import { isOver } from './emit.ts';
import { left, RESTART_WAIT_MS, SUCCESSOR_WAIT_MS, conclude } from './correlate.ts';
import { conditionOf, isFolded, isUp, isWatched, keyOf } from './table.ts';
import type { Known, Turn } from './types.ts';

/** A message about a crash waits this long for log lines at the most; the watcher hands them in far earlier. */
const EVIDENCE_MS = 600;
/** Swarm waits 5 s before it starts another one. */
const SWARM_WAIT_MS = 10_000;
/** The time in an inspect and the time of the event differ by less. */
export const SAME_MS = 2000;

/** One that comes late belongs to the life before. */
export function onKill(known: Known, at: number, event: DockerEvent): void {
  if (at < (known.info.startedAt ?? 0)) return;
  const hidden = known.shadowed?.includes('signal');
  known.kill = hidden ? { at } : { at, signal: parseSignal(event.attributes['signal']) };
}

/** An event that came late, after what followed it; or the clock was set back. What is, decides. */
export function lookAgain(turn: Turn, known: Known): void {
  turn.state.suspects.set(known.info.id, { seq: known.seq, due: turn.now.mono });
}

export function onDie(
  turn: Turn,
  known: Known,
  at: number,
  event: Pick<DockerEvent, 'attributes' | 'unseen'>,
): void {
  const { state } = turn;
  const { info } = known;
  const isKnown =
    !isUp(info.state) && Math.abs(at - (info.finishedAt ?? 0)) < SAME_MS && info.state !== 'restarting';
  if ((at < (info.startedAt ?? 0) && !event.unseen) || isKnown) {
    lookAgain(turn, known);
    return;
  }
  const key = keyOf(known);
  const hidden = known.shadowed?.includes('exitCode') && !event.unseen;
  const exitCode = hidden ? -1 : Number(event.attributes['exitCode'] ?? 0) || 0;
  const requested = wasRequested(known, at, exitCode);
  const unasked = wasOom(known, at) ? 'oom' : event.unseen ? 'unseen' : 'crash';
  const death: Death = {
    ...deathOf(known, at, exitCode, requested ? 'request' : unasked),
    ...(known.kill?.signal !== undefined && requested ? { signal: known.kill.signal } : {}),
    ...(info.state === 'paused' ? { paused: true } : {}),
  };
  const willRestart = requested ? false : restartsByPolicy(known, exitCode);
  info.state = willRestart === true ? 'restarting' : 'exited';
  info.exitCode = exitCode;
  info.finishedAt = at;
  info.oomKilled = death.cause === 'oom';
  info.health = 'none';
  delete info.pid;
  state.checks.delete(key);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  isOver(turn, key, 'unhealthy', 'died', at);
  endsPause(turn, key, at);
  if (requested) stopsOnRequest(turn, known, death);
  else crashes(turn, known, death, willRestart);
}

/** It is not paused any more, and the end that ends the pause does not count as another time that it went down. */
function endsPause(turn: Turn, key: string, at: number): void {
  if (conditionOf(turn.state, key, 'stopped')?.how === 'paused') isOver(turn, key, 'stopped', 'died', at);
}

/** What a label hid in the event. */
export function takeExitCode(death: Death, { id, state }: DockerInspect): void {
  if (death.exitCode < 0 && id === death.id && Math.abs(state.finishedAt - death.at) < SAME_MS)
    death.exitCode = state.exitCode;
}

export function deathOf({ info, autoRemove, was }: Known, at: number, exitCode: number, cause: Cause): Death {
  return {
    id: info.id,
    name: info.name,
    ...(info.service !== undefined ? { service: info.service } : {}),
    ...(info.project !== undefined ? { project: info.project } : {}),
    ...(was !== undefined ? { was } : {}),
    at,
    exitCode,
    cause,
    ...(info.startedAt !== undefined ? { startedAt: info.startedAt } : {}),
    restartCount: info.restartCount,
    autoRemove,
  };
}

/** Held until it is clear whether a successor follows. */
export function stopsOnRequest(turn: Turn, known: Known, death: Death): void {
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
  const jobEnds = pending?.kind === 'starting' && known.autoRemove && death.exitCode === 0;
  if (jobEnds) {
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

export function onOom(turn: Turn, known: Known, at: number): void {
  known.oomAt = at;
  const pending = turn.state.pending.get(keyOf(known));
  if (pending?.kind !== 'crash' || pending.death.id !== known.info.id || pending.death.cause !== 'crash')
    return;
  pending.death.cause = 'oom';
  known.info.oomKilled = true;
}

/** Removed while Docker waited for its next attempt to start it: nobody tries any more, and what comes now is a deploy. */
export function endsTrying(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const pending = turn.state.pending.get(key);
  if (pending?.kind !== 'crash' || pending.death.id !== known.info.id) return;
  if (pending.willRestart !== true || known.swarm || isUp(known.info.state)) return;
  turn.state.pending.delete(key);
  const { startedAt: _, ...death } = pending.death;
  stopsOnRequest(turn, known, { ...death, at, cause: 'request' });
}

/** `stop` comes after the `die` it caused. Where no kill was seen before it, it still shows that the death was asked for. */
export function onStop(turn: Turn, known: Known): void {
  const key = keyOf(known);
  const pending = turn.state.pending.get(key);
  const stopped = conditionOf(turn.state, key, 'stopped');
  // Reported as one that Docker goes on trying to start: now nobody does.
  if (stopped?.how === 'policy' && !pending) delete stopped.how;
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
