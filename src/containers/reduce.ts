// Pure: Docker's events, lists, answers and the time go in; facts about containers, and questions to Docker, come out.
// The state is changed in place, for copying 500 containers for each event would make an event cost what a list costs.
import { completeDeath, onEvent } from './on-event.ts';
import { engineDue, allBack, newEngine, streamDown, streamUp } from './docker-gone.ts';
import { reportUnhealthy } from './healthcheck.ts';
import { inspected, listed, suspectsDue } from './reconcile.ts';
import type { ContainerFact, FactOf } from '../model/container-fact.ts';
import { JUMP_MS } from '../model/jump.ts';
import { masked } from '../model/text.ts';
import { measured } from './successor.ts';
import { conclude } from './correlate.ts';
import { applyFixed, secretsWith, unreadableDriver } from './table.ts';
import { restartsByPolicy } from './cause.ts';
import type {
  Evidence,
  Input,
  Moment,
  Out,
  Pending,
  SavedService,
  ServiceRules,
  State,
  Turn,
} from './types.ts';

export function newState(rules: ServiceRules, remembered: SavedService[] = []): State {
  return {
    rules,
    known: new Map(),
    incomplete: new Set(),
    byKey: new Map(),
    pending: new Map(),
    checks: new Map(),
    conditions: new Map(),
    tallies: new Map(),
    suspects: new Map(),
    engine: newEngine(remembered.length > 0),
  };
}

export function newTurn(state: State, now: Moment): Turn {
  return { state, now, out: { facts: [], asks: [], touched: new Set() } };
}

/** Takes one input; returns what follows from it, and from the time that has passed. */
export function step(state: State, input: Input, now: Moment): Out {
  followClock(state, now);
  const turn = newTurn(state, now);
  if (input.type === 'event') onEvent(turn, input.event);
  else if (input.type === 'listed') listed(turn, input.items);
  else if (input.type === 'inspected') inspected(turn, input.id, input.inspect, input);
  else if (input.type === 'evidence') onEvidence(turn, input.id, input.evidence);
  else if (input.type === 'measured') measured(turn, input.id, input.bytes);
  else if (input.type === 'stream' && input.up) streamUp(turn);
  else if (input.type === 'stream') streamDown(turn, input.why ?? '', input.refused === true);
  // Each costs a look at everything that waits: in a flood of events that is done once for many.
  if (input.type === 'event' && input.more) return turn.out;
  allBack(turn);
  runDue(turn);
  return turn.out;
}

/** Somebody has set the clock: what has been so for ten minutes still has been for ten minutes. */
function followClock(state: State, { wall, mono }: Moment): void {
  const aheadMs = wall - mono;
  const setBy = aheadMs - (state.wallAheadMs ?? aheadMs);
  state.wallAheadMs = aheadMs;
  if (Math.abs(setBy) < JUMP_MS) return;
  for (const conditions of state.conditions.values())
    for (const holding of Object.values(conditions)) holding.since += setBy;
  for (const known of state.known.values()) {
    known.clockSetBy = (known.clockSetBy ?? 0) + setBy;
    // The death that they are the cause of comes by the clock of now.
    if (known.kill) known.kill = { ...known.kill, at: known.kill.at + setBy };
    if (known.oomAt !== undefined) known.oomAt += setBy;
  }
  for (const pending of state.pending.values()) moveTimes(pending, setBy);
  const { engine } = state;
  if (engine.downAt.wall > 0) engine.downAt = { ...engine.downAt, wall: engine.downAt.wall + setBy };
  for (const tally of state.tallies.values()) tally.restarts = tally.restarts.map((at) => at + setBy);
}

const TIMES = ['at', 'downFrom', 'startedAt', 'healthyAt', 'upAt', 'first'] as const;

/** What follows is compared with the times of what is waited for, by the clock of now. */
function moveTimes(pending: Pending, byMs: number): void {
  if (pending.kind === 'news') return;
  const move = (times: Partial<Record<(typeof TIMES)[number], number>>): void => {
    for (const name of TIMES) if (times[name] !== undefined) times[name] += byMs;
  };
  move(pending);
  if ('death' in pending) move(pending.death);
}

/** Log lines and inspect of a container that died or is unhealthy have come. */
function onEvidence(turn: Turn, id: string, evidence: Evidence): void {
  const { state } = turn;
  const known = state.known.get(id);
  if (known && evidence.inspect) applyFixed(turn.state, known, evidence.inspect);
  for (const [key, check] of state.checks) if (check.id === id) reportUnhealthy(turn, key, evidence);
  for (const [key, pending] of state.pending)
    if (pending.kind === 'crash' && pending.death.id === id) onCrashEvidence(turn, key, pending, evidence);
}

function onCrashEvidence(
  turn: Turn,
  key: string,
  pending: Extract<Pending, { kind: 'crash' }>,
  evidence: Evidence,
): void {
  const { state } = turn;
  const { death } = pending;
  const known = state.known.get(death.id);
  const { logs, inspect } = evidence;
  const secrets = secretsWith(state, inspect);
  if (logs) death.logs = logs.map((line) => masked(line, secrets));
  const logDriver = unreadableDriver(inspect);
  if (logDriver !== undefined) death.logDriver = logDriver;
  if (inspect) completeDeath(state, death, inspect);
  if (known && pending.willRestart === undefined) {
    pending.willRestart = restartsByPolicy(known, death.exitCode);
    if (pending.willRestart) pending.due += 1400; // From the wait for evidence to the wait for the restart.
    death.autoRemove = known.autoRemove;
  }
  if (pending.willRestart !== true && pending.upAt === undefined && !pending.awaitsStop) conclude(turn, key);
}

function runDue(turn: Turn): void {
  const { state, now } = turn;
  for (const [key, pending] of state.pending) if (now.mono >= dueOf(state, key, pending)) conclude(turn, key);
  for (const [key, check] of state.checks) if (now.mono >= check.due) reportUnhealthy(turn, key, {});
  engineDue(turn);
  suspectsDue(turn);
}

/** An engine that is just back, or busy, may take this long to say what is. */
const ANSWERS_WITHIN_MS = 10_000;

/**
 * When something that is waited for is to be reported (monotonic). While Docker is away nobody can see whether something follows a death. When it is back,
 * nobody knows what did until the list is compared, and what does not fit is looked at.
 */
function dueOf(state: State, key: string, pending: Pending): number {
  const { engine, suspects } = state;
  if (!engine.up) return pending.kind === 'crash' && pending.willRestart === false ? pending.due : Infinity;
  const id = 'death' in pending ? pending.death.id : state.byKey.get(key);
  const isUnsure = engine.stale || (id !== undefined && suspects.get(id)?.unsure === true);
  const wasHeld = 'checked' in pending && pending.checked;
  return pending.due + (isUnsure && !wasHeld ? ANSWERS_WITHIN_MS : 0);
}

/** Monotonic time at which something is due without an input. */
export function nextDue(state: State): number {
  let due = Infinity;
  const { engine } = state;
  for (const [key, pending] of state.pending) due = Math.min(due, dueOf(state, key, pending));
  for (const check of state.checks.values()) due = Math.min(due, check.due);
  for (const suspect of state.suspects.values()) due = Math.min(due, suspect.due);
  if (!engine.up && !engine.reported) due = Math.min(due, engine.reportAt ?? Infinity);
  return Math.min(due, engine.returning?.due ?? Infinity);
}

/** Events that are worth an alert, even without details. */
const BAD: ReadonlyMap<string, FactOf<'unreadable'>['what']> = new Map([
  ['die', 'died'],
  ['oom', 'died'],
  ['health_status: unhealthy', 'unhealthy'],
]);

/**
 * Facts in place of those that a mistake in this program has cost: neither the alert nor what comes after it may be lost. What was due
 * is given up, for it would fail again with every input; the list that is asked for next brings the table into order.
 */
export function reportUnreadable(state: State, input: Input, now: Moment, why: string): ContainerFact[] {
  const about: [name: string, what: FactOf<'unreadable'>['what']][] = [];
  const bad = input.type === 'event' ? BAD.get(input.event.action) : undefined;
  if (bad && input.type === 'event') about.push([String(input.event.name), bad]);
  for (const [key, pending] of state.pending) {
    if (pending.due > now.mono) continue;
    state.pending.delete(key);
    about.push([key, pending.kind === 'crash' ? 'died' : 'changed']);
  }
  for (const [key, check] of state.checks) {
    if (check.due > now.mono) continue;
    state.checks.delete(key);
    about.push([key, 'unhealthy']);
  }
  return about.map(([name, what]) => ({ kind: 'unreadable', name, at: now.wall, what, why }));
}
