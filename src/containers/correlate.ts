// How a story ends when its time has come.
import { ends, endsQuietly, happened } from './findings.ts';
import { tellMissing } from './missing.ts';
import { say } from './emit.ts';
import { evaluateRestarts, tellPaused, tellRestarting, tellStopped } from './restarts.ts';
import { successorOf } from './rollout.ts';
import { beginSettling, endSettling } from './successor.ts';
import { current, isUp, keyOf, serviceKey, tallyOf } from './table.ts';
import { TROUBLES } from './types.ts';
import type { Death, Known, Story, Turn } from './types.ts';
import { bold, notBackText, startedMessage } from './wording.ts';

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

/** Tells a story as it stands now and closes it. `wasUp`: it was up again until it was asked to stop just now. */
export function tell(turn: Turn, key: string, { wasUp = false } = {}): void {
  const story = turn.state.stories.get(key);
  if (!story) return;
  turn.out.touched.add(key);
  if ((story.kind === 'crash' || story.kind === 'asked') && mayHaveMissed(story)) {
    story.checked = true;
    story.due = turn.now.mono + REPLAY_WAIT_MS;
    turn.out.asks.push({ kind: 'replay' });
    const known = current(turn.state, key);
    if (known) turn.out.asks.push({ kind: 'inspect', id: known.info.id, seq: known.seq, confirm: false });
    return;
  }
  if (story.kind === 'settling') {
    endSettling(turn, key, story);
    return;
  }
  turn.state.stories.delete(key);
  if (story.kind === 'crash') tellCrash(turn, key, story, wasUp);
  else if (story.kind === 'asked') tellAsked(turn, key, story);
  else if (story.kind === 'removed') tellRemoved(turn, key, story);
  else {
    const known = turn.state.known.get(story.id);
    if (!known) return;
    if (story.kind === 'renamed') tellRenamed(turn, known, story);
    else if (story.kind === 'paused') tellPaused(turn, known, story.at);
    else tellStarted(turn, key, known, story.startedAt);
  }
}

/** Before it is said that nothing came up again: was its start only lost? */
function mayHaveMissed(story: Extract<Story, { kind: 'crash' | 'asked' }>): boolean {
  if (story.checked) return false;
  return story.kind === 'asked' || (story.willRestart === true && story.upAt === undefined);
}

function tellStarted(turn: Turn, key: string, known: Known, at: number): void {
  const { info } = known;
  const finding = happened('container-started', info, {
    text: `${info.name} started`,
    at,
    html: startedMessage(info, at),
  });
  say(turn, { key, change: 'started', finding, line: bold(info.name), severity: 'info', claim: 'up' });
}

function tellCrash(turn: Turn, key: string, story: Extract<Story, { kind: 'crash' }>, wasUp: boolean): void {
  const { state } = turn;
  const { death, deploy } = story;
  const known = current(state, key);
  const before = tallyOf(state, key).lastDeath;
  tallyOf(state, key).lastDeath = death;
  const policy = story.willRestart === true;
  if (!policy && story.upAt === undefined) {
    tellStopped(turn, death, { next: whatNext(death, known), deploy, gaveUp: gaveUp(death, known) });
    return;
  }
  const up = story.upAt !== undefined && known !== undefined && (wasUp || isUp(known.info.state));
  const standing = story.restarted && policy && known ? evaluateRestarts(turn, known, turn.now.wall) : false;
  if (up) {
    if (!standing) tellRestarting(turn, known, death, { upAt: story.upAt ?? death.at, deploy });
    return;
  }
  if (story.restarted && !standing && known) {
    // It came up and died again; Docker is at it. Only when it then stays down for long it is called stopped.
    tellRestarting(turn, known, death, { upAt: undefined, deploy });
    state.stories.set(key, { ...story, due: turn.now.mono + LOOPING_MS, restarted: false });
    return;
  }
  if (standing || state.standing.get(key)?.loop || state.standing.get(key)?.malfunction) {
    // Docker waits longer and longer between its attempts; the loop is told already.
    state.stories.set(key, { ...story, due: Infinity, restarted: false });
    return;
  }
  if (killedAgain(death, before)) {
    // That it happens is told already, and a server without memory is slow to start it again.
    state.stories.set(key, { ...story, due: turn.now.mono + LOOPING_MS, restarted: false });
    return;
  }
  if (known?.info.state === 'exited' && !known.swarm) {
    // Between two attempts Docker says `restarting`.
    const signalled = known.info.id === death.id && known.kill !== undefined;
    tellStopped(turn, death, {
      next: signalled
        ? 'Docker does not restart it because it was sent a signal through Docker'
        : 'Docker could not start it again, and has given up',
      deploy,
      gaveUp: true,
    });
    return;
  }
  const who = known?.swarm ? 'Swarm' : 'Docker';
  tellStopped(turn, death, { next: `${who} keeps trying to start it`, deploy, policy: true });
}

function killedAgain(death: Death, before: Death | undefined): boolean {
  if (death === before || death.cause !== 'oom' || before?.cause !== 'oom') return false;
  return death.at - before.at < KILLED_AGAIN_MS;
}

const NOT_STARTED = 'A new container was created in its place, but it did not start';

function nextAfterAsked({ cause, error }: Death, known: Known | undefined, replaced: boolean): string {
  if (replaced) return NOT_STARTED;
  if (cause === 'engine' && known) return notBackText(known);
  return error === undefined ? '' : 'It was to be started again, and did not start';
}

function gaveUp(death: Death, known: Known | undefined): boolean {
  return known?.info.restartPolicy === 'on-failure' && death.exitCode !== 0;
}

function whatNext(death: Death, known: Known | undefined): string {
  if (death.autoRemove || !known) return 'The container is removed (--rm)';
  const { restartPolicy, restartCount } = known.info;
  if (gaveUp(death, known))
    return `Docker gave up after ${restartCount === 1 ? '1 restart' : `${restartCount} restarts`}`;
  return `Docker will not restart it (restart policy: ${restartPolicy || 'no'})`;
}

function tellAsked(turn: Turn, key: string, story: Extract<Story, { kind: 'asked' }>): void {
  const { state } = turn;
  const successor = current(state, key);
  if (successor && isUp(successor.info.state)) {
    beginSettling(turn, successor, story, successor.info.startedAt ?? turn.now.wall);
    return;
  }
  const gone = story.removed && !state.byKey.has(key);
  const beside = gone ? successorOf(state, story.death) : undefined;
  if (beside) {
    for (const kind of TROUBLES)
      endsQuietly(turn, key, kind, `${beside.info.name} took its place`, story.death.at);
    beginSettling(turn, beside, story, beside.info.startedAt ?? turn.now.wall, story.death.name);
    return;
  }
  if (gone) for (const kind of TROUBLES) endsQuietly(turn, key, kind, 'removed on request', story.death.at);
  const replaced = successor?.info.state === 'created' && successor.info.id !== story.death.id;
  // An error is that of a start: the last one that worked had cleared it.
  const failed = replaced || story.death.error !== undefined;
  const next = gone ? 'The container was removed' : nextAfterAsked(story.death, successor, replaced);
  tellStopped(turn, story.death, { next, deploy: false, gone, failed });
  if (gone) tellMissing(turn, { quiet: true });
}

/** Not where its successor has its name by now: that is a deploy. */
export function tellRenamed(
  turn: Turn,
  known: Known,
  { oldName, at }: Extract<Story, { kind: 'renamed' }>,
): void {
  const { info } = known;
  if (info.name === oldName || turn.state.byKey.has(serviceKey(oldName))) return;
  const line = `${bold(oldName)} is now called ${bold(info.name)}`;
  const said = { text: `${oldName} is now called ${info.name}`, at, html: `🔄 ${line}` };
  const finding = { ...happened('container-renamed', info, said), was: oldName };
  say(turn, { key: keyOf(known), change: 'renamed', finding, line, severity: 'info' });
}

/** A container with a trouble was removed and nothing of its name came. */
function tellRemoved(turn: Turn, key: string, story: Extract<Story, { kind: 'removed' }>): void {
  const { state } = turn;
  const { at } = story;
  const kinds = TROUBLES.filter((kind) => kind !== 'missing' && state.standing.get(key)?.[kind]);
  for (const [index, kind] of kinds.entries()) {
    if (index > 0 || story.quiet) {
      endsQuietly(turn, key, kind, 'the container was removed', at);
      continue;
    }
    const name = state.standing.get(key)?.[kind]?.finding.subject ?? key;
    const finding = ends(turn, key, kind, {
      text: `${name} was removed`,
      at,
      html: `🔴 ${bold(name)} was removed on request: nothing is left to watch.`,
    });
    if (!finding) continue;
    const gone = { ...finding, end: 'gone' as const };
    say(turn, { key, change: 'removed', finding: gone, line: bold(name), severity: 'info', claim: 'down' });
  }
  tellMissing(turn, { quiet: kinds.length > 0 });
}
