// After a stop on request a successor of the same name has started: a deploy, or a restart by hand. One line, once it is
// clear how it turned out.
import type { FactOf } from '../model/container-fact.ts';
import { about, emit } from './emit.ts';
import { keyOf } from './table.ts';
import type { Known, Story, Turn } from './types.ts';

/** What dies within this was not deployed successfully. */
const SETTLE_MS = 3000;
/** A healthcheck may take its start period; then it is said as it is. */
const HEALTH_WAIT_MS = 120_000;
/** The stats API of older engines takes up to 2 s. */
const MEASURE_WAIT_MS = 2500;

type Settling = Extract<Story, { kind: 'settling' }>;

export function beginSettling(
  turn: Turn,
  known: Known,
  asked: Extract<Story, { kind: 'asked' }>,
  at: number,
  inPlaceOf?: string,
): void {
  const how = asked.death.id === known.info.id && !asked.deploy ? 'restarted' : 'redeployed';
  known.info.restartCount = 0; // Docker counts from the last start by hand.
  turn.state.stories.set(keyOf(known), {
    kind: 'settling',
    due: turn.now.mono + SETTLE_MS,
    how,
    withDocker: asked.death.cause === 'engine',
    id: known.info.id,
    startedAt: at,
    downFrom: asked.downFrom,
    ...(inPlaceOf === undefined ? {} : { inPlaceOf }),
    ...(asked.memoryBefore !== undefined ? { memoryBefore: asked.memoryBefore } : {}),
  });
}

/** An inspect or an event has told about the health of a container that is settling. */
export function settlingHealth(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const story = turn.state.stories.get(key);
  if (story?.kind !== 'settling' || story.id !== known.info.id || story.measuring) return;
  if (known.info.health === 'healthy') {
    story.healthyAt ??= at;
    endSettling(turn, key, story);
  } else if (known.info.health === 'starting') {
    const longest = HEALTH_WAIT_MS - Math.max(0, turn.now.wall - story.startedAt);
    story.due = Math.max(story.due, turn.now.mono + Math.max(longest, 0));
  }
}

/** Measures its memory first where there is something to compare with, then tells. */
export function endSettling(turn: Turn, key: string, story: Settling): void {
  if (story.memoryBefore !== undefined && !story.measuring) {
    story.measuring = true;
    story.due = turn.now.mono + MEASURE_WAIT_MS;
    turn.out.asks.push({ kind: 'measure', id: story.id });
    return;
  }
  tellSettled(turn, key, story, undefined);
}

export function measured(turn: Turn, id: string, bytes: number | undefined): void {
  for (const [key, story] of turn.state.stories)
    if (story.kind === 'settling' && story.id === id && story.measuring) tellSettled(turn, key, story, bytes);
}

function tellSettled(turn: Turn, key: string, story: Settling, bytes: number | undefined): void {
  const { state } = turn;
  state.stories.delete(key);
  const known = state.known.get(story.id);
  if (!known) return;
  const outcome = outcomeOf(turn, known, story);
  const { memoryBefore, inPlaceOf, startedAt: at } = story;
  const fact = {
    ...about(known.info),
    at,
    outcome,
    ...(inPlaceOf === undefined ? {} : { inPlaceOf }),
    ...(bytes !== undefined && memoryBefore !== undefined
      ? { memory: { before: memoryBefore, after: bytes } }
      : {}),
  };
  if (story.how === 'redeployed') emit(turn, key, { kind: 'redeployed', ...fact });
  else emit(turn, key, { kind: 'restarted', ...fact, ...(story.withDocker ? { withDocker: true } : {}) });
}

function outcomeOf(turn: Turn, { info }: Known, story: Settling): FactOf<'redeployed'>['outcome'] {
  const { healthyAt, startedAt, inPlaceOf, downFrom } = story;
  if (healthyAt !== undefined) return { kind: 'healthy', afterMs: healthyAt - startedAt };
  if (info.health === 'starting') return { kind: 'not-healthy-yet', afterMs: turn.now.wall - startedAt };
  if (info.health === 'unhealthy') return { kind: 'unhealthy' };
  if (inPlaceOf !== undefined) return { kind: info.health === 'healthy' ? 'healthy' : 'running' };
  return { kind: 'running', afterMs: startedAt - downFrom };
}
