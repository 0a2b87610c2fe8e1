// After a stop on request a successor of the same name has started: a deploy, or a restart by hand. One line, once it is
// clear how it turned out.
import { formatDuration, plain, safeHtml } from '../model/text.ts';
import { happened } from './findings.ts';
import { say } from './emit.ts';
import { keyOf } from './table.ts';
import type { Known, Story, Turn } from './types.ts';
import { bold, memoryText } from './wording.ts';

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
  const parts = [
    story.how === 'redeployed'
      ? `redeployed${story.inPlaceOf === undefined ? '' : ` in place of ${plain(story.inPlaceOf, 80)}`}`
      : `restarted ${story.withDocker ? 'with Docker' : 'on request'}`,
    outcome(turn, known, story),
  ];
  if (bytes !== undefined && story.memoryBefore !== undefined)
    parts.push(memoryText(story.memoryBefore, bytes));
  const text = parts.join(', ');
  const symbol = story.how === 'redeployed' ? '🚀' : '🔄';
  const line = `${bold(known.info.name)} ${safeHtml(text, 400)}`;
  const finding = happened(`container-${story.how}`, known.info, {
    text: `${known.info.name} ${text}`,
    at: story.startedAt,
    html: `${symbol} ${line}`,
  });
  say(turn, { key, change: story.how, finding, line, severity: 'info', claim: 'up' });
}

function outcome(turn: Turn, known: Known, story: Settling): string {
  if (story.healthyAt !== undefined) return `healthy in ${formatDuration(story.healthyAt - story.startedAt)}`;
  if (known.info.health === 'starting')
    return `running, but not healthy yet after ${formatDuration(turn.now.wall - story.startedAt)}`;
  if (known.info.health === 'unhealthy') return 'running, but unhealthy';
  if (story.inPlaceOf !== undefined) return known.info.health === 'healthy' ? 'healthy' : 'running';
  return `running again after ${formatDuration(story.startedAt - story.downFrom)}`;
}
