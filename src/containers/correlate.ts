// What is pending about a container, when it is clear what it is, or its time has come.
import type { Death, Next } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import {
  about,
  emit,
  evaluateRestarts,
  reportGone,
  reportMissing,
  reportRestarting,
  reportStopped,
} from './facts.ts';
import { endWatch, successorOf, watchSuccessor } from './successor.ts';
import { current, isUp, seriesOf, tallyOf } from './table.ts';
import type { Known, Turn, PendingOf } from './types.ts';

/** A crash with a restart policy: up again within this, it is one message. */
export const RESTART_WAIT_MS = 2000;
/** A stop on request: a successor within this is a deploy. */
export const SUCCESSOR_WAIT_MS = 20_000;

const REPLAY_WAIT_MS = 250;
/** Docker's pauses between the first attempts of a series are shorter than this. */
const LOOPING_MS = 30_000;
const KILLED_AGAIN_MS = 600_000;

/** How far back `at` lies: what is read after a reconnect has waited a part of its time already. */
export function left(turn: Turn, windowMs: number, at: number): number {
  const age = Math.min(Math.max(turn.now.wall - at, 0), windowMs);
  return turn.now.mono + Math.max(windowMs - age, 500);
}

/** Reports what is pending as it is now, and closes it. `wasUp`: it was up again until it was asked to stop just now. */
export function conclude(turn: Turn, key: string, { wasUp = false } = {}): void {
  const pending = turn.state.pending.get(key);
  if (!pending) return;
  turn.out.touched.add(key);
  if ((pending.kind === 'crash' || pending.kind === 'asked') && mayHaveMissed(pending)) {
    pending.checked = true;
    pending.due = turn.now.mono + REPLAY_WAIT_MS;
    turn.out.asks.push({ kind: 'replay' });
    const known = current(turn.state, key);
    if (known) turn.out.asks.push({ kind: 'inspect', id: known.info.id, seq: known.seq, confirm: true });
    return;
  }
  if (pending.kind === 'successor') {
    endWatch(turn, key, pending);
    return;
  }
  turn.state.pending.delete(key);
  if (pending.kind === 'crash') concludeCrash(turn, key, pending, wasUp);
  else if (pending.kind === 'asked') concludeStop(turn, key, pending);
  else if (pending.kind === 'removed') concludeRemoval(turn, key, pending);
  else {
    const known = turn.state.known.get(pending.id);
    if (known && !pending.isOld?.(turn.state)) emit(turn, key, { ...pending.fact, ...about(known.info) });
  }
}

/** Before it is reported that nothing came up again: was only its start lost? */
function mayHaveMissed(pending: PendingOf<'crash' | 'asked'>): boolean {
  if (pending.checked) return false;
  return pending.kind === 'asked' || (pending.willRestart === true && pending.upAt === undefined);
}

function concludeCrash(turn: Turn, key: string, pending: PendingOf<'crash'>, wasUp: boolean): void {
  const { state } = turn;
  const { death, deploy } = pending;
  const known = current(state, key);
  const before = tallyOf(state, key).lastDeath;
  tallyOf(state, key).lastDeath = death;
  const policy = pending.willRestart === true;
  if (!policy && pending.upAt === undefined) {
    reportStopped(turn, death, { next: whatNext(death, state.known.get(death.id)), deploy });
    return;
  }
  const up = pending.upAt !== undefined && known !== undefined && (wasUp || isUp(known.info.state));
  const series = pending.restarted && policy && known ? evaluateRestarts(turn, known, turn.now.wall) : false;
  if (up) {
    if (!series) reportRestarting(turn, known, death, { upAt: pending.upAt ?? death.at, deploy });
    return;
  }
  if (known?.info.state === 'exited' && !known.swarm) {
    // Between two attempts Docker's state is `restarting`.
    const signalled = known.info.id === death.id && known.kill !== undefined;
    reportStopped(turn, death, { next: { kind: signalled ? 'signalled' : 'gave-up' }, deploy });
    return;
  }
  if (pending.restarted && !series && known) {
    // It came up and died again; Docker is at it. Only when it then stays down for long it is called stopped.
    reportRestarting(turn, known, death, { upAt: undefined, deploy });
    state.pending.set(key, { ...pending, due: turn.now.mono + LOOPING_MS, restarted: false });
    return;
  }
  if (series || seriesOf(state, key, turn.now)) {
    // Docker waits longer and longer between its attempts; the loop is reported already.
    state.pending.set(key, { ...pending, due: Infinity, restarted: false });
    return;
  }
  if (killedAgain(death, before)) {
    // The kills are reported already, and a server without memory is slow to start it again.
    state.pending.set(key, { ...pending, due: turn.now.mono + LOOPING_MS, restarted: false });
    return;
  }
  const by = known?.swarm ? 'Swarm' : 'Docker';
  reportStopped(turn, death, { next: { kind: 'keeps-trying', by }, deploy });
}

function killedAgain(death: Death, before: Death | undefined): boolean {
  if (death === before || death.cause !== 'oom' || before?.cause !== 'oom') return false;
  return death.at - before.at < KILLED_AGAIN_MS;
}

function nextAfterAsked(
  { cause, error }: Death,
  known: Known | undefined,
  replaced: boolean,
): Next | undefined {
  if (replaced) return { kind: 'successor-not-started' };
  if (cause === 'engine' && known) return { kind: 'not-back', policy: known.info.restartPolicy };
  return error === undefined ? undefined : { kind: 'not-started-again' };
}

function whatNext(death: Death, known: Known | undefined): Next {
  if (death.autoRemove) return { kind: 'removed-itself' };
  if (!known) return { kind: 'removed' };
  const { restartPolicy, restartCount } = known.info;
  if (restartPolicy === 'on-failure' && death.exitCode !== 0)
    return { kind: 'retries-used', restarts: restartCount };
  return { kind: 'no-restart', policy: restartPolicy || 'no' };
}

function concludeStop(turn: Turn, key: string, pending: PendingOf<'asked'>): void {
  const { state } = turn;
  const successor = current(state, key);
  if (successor && isUp(successor.info.state)) {
    const { startedAt = turn.now.wall } = successor.info;
    const ranBefore = successor.info.id !== pending.death.id && startedAt < pending.downFrom;
    watchSuccessor(turn, successor, pending, startedAt, ranBefore ? pending.death.name : undefined);
    return;
  }
  const gone = pending.removed && !state.byKey.has(key);
  const beside = gone ? successorOf(state, pending.death) : undefined;
  if (beside) {
    // Also where it was fine: its incident may still be open, for it flapped.
    if (!reportGone(turn, key, 'replaced', pending.death.at))
      emit(turn, key, { kind: 'gone', ...about(pending.death), at: pending.death.at, because: 'replaced' });
    watchSuccessor(turn, beside, pending, beside.info.startedAt ?? turn.now.wall, pending.death.name);
    return;
  }
  if (gone) reportGone(turn, key, 'removed', pending.death.at);
  const replaced = successor?.info.state === 'created' && successor.info.id !== pending.death.id;
  // An error is that of a start: the last one that worked had cleared it.
  const failed = replaced || pending.death.error !== undefined;
  const next: Next | undefined = gone
    ? { kind: 'removed' }
    : nextAfterAsked(pending.death, successor, replaced);
  reportStopped(turn, pending.death, {
    ...defined({ next }),
    ...(gone ? { gone } : {}),
    ...(failed ? { failed } : {}),
  });
  if (gone) reportMissing(turn, { reported: true });
}

/** A container with a condition was removed and nothing of its name came. */
function concludeRemoval(turn: Turn, key: string, { at, quiet }: PendingOf<'removed'>): void {
  const reported = reportGone(turn, key, quiet ? 'removed' : undefined, at);
  reportMissing(turn, { reported });
}
