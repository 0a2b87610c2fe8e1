// A container's life, as a machine without hands: events, lists, answers and time go in; findings and questions come out.
// The state is changed in place, for copying 500 containers for each event would make an event cost what a list costs.
import { takeExitCode } from './deaths.ts';
import { engineDue, allBack, newEngine, streamDown, streamUp } from './docker-gone.ts';
import { tellUnhealthy } from './healthcheck.ts';
import { onEvent } from './on-event.ts';
import { inspected, listed, suspectsDue } from './reconcile.ts';
import { secretsFromEnv } from '../model/env-secrets.ts';
import { masked } from '../model/text.ts';
import { measured } from './successor.ts';
import { tell } from './correlate.ts';
import { applyFixed, current, keyOf } from './table.ts';
import { restartsByPolicy } from './cause.ts';
import type { Evidence, Input, Moment, Out, Row, ServiceRules, State, Story, Turn } from './types.ts';

export function newState(rules: ServiceRules, remembered: Row[] = []): State {
  return {
    rules,
    known: new Map(),
    incomplete: new Set(),
    byKey: new Map(),
    stories: new Map(),
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

/** Takes one input and says what follows from it, and from the time that has passed. */
export function step(state: State, input: Input, now: Moment): Out {
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

/** Log lines and inspect of a container that died or is unhealthy have come. */
function onEvidence(turn: Turn, id: string, evidence: Evidence): void {
  const { state } = turn;
  const known = state.known.get(id);
  if (known && evidence.inspect) applyFixed(turn.state, known, evidence.inspect);
  for (const [key, check] of state.checks) if (check.id === id) tellUnhealthy(turn, key, evidence);
  for (const [key, story] of state.stories)
    if (story.kind === 'crash' && story.death.id === id) onCrashEvidence(turn, key, story, evidence);
}

function onCrashEvidence(
  turn: Turn,
  key: string,
  story: Extract<Story, { kind: 'crash' }>,
  evidence: Evidence,
): void {
  const { state } = turn;
  const { death } = story;
  const known = state.known.get(death.id);
  const secrets = [...state.rules.secrets, ...secretsFromEnv(evidence.inspect?.env)];
  if (evidence.logs) death.logs = evidence.logs.map((line) => masked(line, secrets));
  if (evidence.inspect?.state.error) death.error = masked(evidence.inspect.state.error, secrets);
  if (evidence.inspect) takeExitCode(death, evidence.inspect);
  if (known && story.willRestart === undefined) {
    story.willRestart = restartsByPolicy(known, death.exitCode);
    if (story.willRestart) story.due += 1400; // From the wait for evidence to the wait for the restart.
    death.autoRemove = known.autoRemove;
  }
  if (story.willRestart !== true && story.upAt === undefined && !story.awaitsStop) tell(turn, key);
}

function runDue(turn: Turn): void {
  const { state, now } = turn;
  for (const [key, story] of state.stories)
    if (now.mono >= story.due && !isHeld(state, story)) tell(turn, key);
  for (const [key, check] of state.checks) if (now.mono >= check.due) tellUnhealthy(turn, key, {});
  engineDue(turn);
  suspectsDue(turn);
}

/** While Docker is away nobody can see whether something follows a death. */
function isHeld(state: State, story: Story): boolean {
  if (state.engine.up || story.kind === 'starting') return false;
  return story.kind !== 'crash' || story.willRestart !== false;
}

/** Monotonic time of the next thing that happens without an input. */
export function nextDue(state: State): number {
  let due = Infinity;
  const { engine } = state;
  for (const story of state.stories.values()) if (!isHeld(state, story)) due = Math.min(due, story.due);
  for (const check of state.checks.values()) due = Math.min(due, check.due);
  for (const suspect of state.suspects.values()) due = Math.min(due, suspect.due);
  if (!engine.up && !engine.told) due = Math.min(due, engine.tellAt ?? Infinity);
  return Math.min(due, engine.returning?.due ?? Infinity);
}

/** Waits for Docker's next attempt; why it is down was said. Its row must not wait: in a loop it would wait for ever. */
function isTold(story: Story): boolean {
  return story.kind === 'crash' && story.due === Infinity;
}

/** Whether everything that Docker has sent is told. */
export function isAllTold(state: State): boolean {
  for (const story of state.stories.values()) if (!isTold(story)) return false;
  return state.checks.size === 0;
}

/** Whether something about this service is known and not told yet: then its remembered row stays as it was. */
export function isUntold(state: State, key: string): boolean {
  const story = state.stories.get(key);
  if ((story && !isTold(story)) || state.checks.has(key)) return true;
  return !state.engine.up && state.engine.before.has(key) && !state.engine.told;
}

/** What is remembered of a service; undefined where nothing is left of it. */
export function rowOf(state: State, key: string): Row | undefined {
  const known = current(state, key);
  if (!known) return undefined;
  const { id, name, service, image, state: status, health, startedAt, restartCount, exitCode } = known.info;
  return {
    key: keyOf(known),
    id,
    name,
    ...(service !== undefined ? { service } : {}),
    image,
    state: status,
    health,
    ...(startedAt !== undefined ? { startedAt } : {}),
    restartCount,
    ...(exitCode !== undefined ? { exitCode } : {}),
    restarts: state.tallies.get(key)?.restarts ?? [],
  };
}
