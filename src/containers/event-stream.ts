// Docker's event stream, without gaps and without repeats: after each end it is opened again, a little earlier than where it
// ended, and what was seen already is left out. Under it a resync: every half minute Docker's events once more, every five minutes
// the whole list; where neither is answered while the stream is open, Docker hangs.
import { errorText } from '../model/text.ts';
import type { Clock, Docker, DockerError, DockerEvent, Log } from '../system/types.ts';
import type { Ask, Input, State } from './types.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Less than a list waits before it believes what no event has come about. */
const SHORT_LIVED_PAUSE_MS = 500;
/** Events of the same moment are not written in the order of their time stamps. */
const OVERLAP_NANO = 2_000_000_000n;
const REMEMBER_NANO = 120_000_000_000n;
const REPLAY_MS = 3000;
const PRUNE_ABOVE = 512;
const MOST_REMEMBERED = 20_000;
/** A stream that ended earlier than this was not worth starting again at once. */
const STEADY_MS = 5000;

export type Follow = {
  docker: Pick<Docker, 'events'>;
  clock: Clock;
  signal: AbortSignal;
  /** From here on; nanoseconds. */
  since: bigint;
  /** Whether an event has not come before, whichever way. */
  isNew(event: DockerEvent): boolean;
  onEvent(event: DockerEvent): void;
  onUp(): void;
  /**
   * `refused`: nobody listens there, as opposed to silence. `withheld`: the stream never began, while something listens: a
   * socket proxy may hold it back and serve everything else.
   */
  onDown(why: string, refused: boolean, withheld: boolean): void;
};

/** Runs until the signal aborts. Never rejects. */
export async function follow(options: Follow): Promise<void> {
  const { docker, clock, signal } = options;
  let since = options.since;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    let openedAt: number | undefined;
    let why = 'the event stream ended';
    let refused = false;
    let withheld = false;
    try {
      await docker.events({
        since,
        signal,
        onOpen() {
          openedAt = clock.monotonic();
          options.onUp();
        },
        onEvent(event) {
          // The last one that came, not the latest: the clock may have been set back.
          since = backFrom(event.timeNano, options.since);
          if (options.isNew(event)) options.onEvent(event);
        },
      });
    } catch (error) {
      why = errorText(error);
      refused = ['ECONNREFUSED', 'ENOENT'].includes((error as { code?: string }).code ?? '');
      // However it fails: whether something else answers there, the list finds out.
      withheld = openedAt === undefined && !refused;
    }
    if (signal.aborted) return;
    options.onDown(why, refused, withheld);
    const isSteady = openedAt !== undefined && clock.monotonic() - openedAt > STEADY_MS;
    // A proxy that ends each stream after a moment passes every event on: there is no need to wait for long.
    const longest = openedAt === undefined ? LONGEST_PAUSE_MS : SHORT_LIVED_PAUSE_MS;
    pauseMs = isSteady ? FIRST_PAUSE_MS : Math.min(pauseMs, longest);
    await clock.sleep(pauseMs, signal);
    if (!isSteady) pauseMs = Math.min(pauseMs * 2, longest);
  }
}

/** A little earlier than `time`, but not earlier than the start: what was before it is not reported. */
function backFrom(time: bigint, start: bigint): bigint {
  const earlier = time > OVERLAP_NANO ? time - OVERLAP_NANO : 0n;
  return time >= start && earlier < start ? start : earlier;
}

/**
 * Asks for the events of a stretch of time once more: a busy engine drops events from its live streams (it gives each
 * subscriber 100 ms), but not from its own short log. Costs it a look at 256 entries.
 */
export async function replay(
  docker: Pick<Docker, 'events'>,
  since: bigint,
  until: bigint,
): Promise<DockerEvent[]> {
  const events: DockerEvent[] = [];
  const signal = AbortSignal.timeout(REPLAY_MS);
  await docker.events({ since, until, signal, onEvent: (event) => events.push(event) });
  if (signal.aborted) throw new Error(`Docker did not answer within ${REPLAY_MS / 1000} s`);
  return events;
}

/** Recognises an event that came before, among those of the last seconds. */
export function createDedup(): (event: DockerEvent) => boolean {
  const seen = new Map<string, bigint>();
  return (event) => {
    const key = `${event.timeNano} ${event.action} ${event.id.slice(0, 16)}`;
    if (seen.has(key)) return false;
    seen.set(key, event.timeNano);
    if (seen.size > PRUNE_ABOVE) prune(seen, event.timeNano);
    return true;
  };
}

function prune(seen: Map<string, bigint>, latest: bigint): void {
  for (const [key, time] of seen) {
    const age = latest - time;
    if (seen.size <= MOST_REMEMBERED && age < REMEMBER_NANO && age > -REMEMBER_NANO) return;
    seen.delete(key);
  }
}

const REPLAY_EVERY_MS = 30_000;
/** In replays. */
const LIST_EVERY = 10;
const AGAIN_MS = 10_000;
const HANGS_AFTER = 3;

export type ResyncDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  state: State;
  signal: AbortSignal;
  /** Events that have not come before. */
  onEvent(event: DockerEvent): void;
  give(input: Input): void;
  ask(ask: Ask): void;
  isLoaded(): boolean;
  /** After each list. */
  save(): void;
};

/** `start`, `since`: the replays begin there, and the next one does; nanoseconds. `failures`: without an answer, in a row. */
export type Resync = ResyncDeps & { start: bigint; since: bigint; failures: number };

export function newResync(deps: ResyncDeps): Resync {
  // Nothing from before the start: the first look has seen what came of it.
  const start = nano(deps.clock);
  return { ...deps, start, since: start, failures: 0 };
}

/** Until the signal aborts. */
export async function runResync(resync: Resync): Promise<void> {
  const { clock, signal, state } = resync;
  for (let round = 1; !signal.aborted; round += 1) {
    await clock.sleep(resync.failures > 0 ? AGAIN_MS : REPLAY_EVERY_MS, signal);
    if (signal.aborted || !resync.isLoaded() || (!state.engine.up && resync.failures === 0)) continue;
    if (round % LIST_EVERY === 0) {
      resync.ask({ kind: 'list' });
      resync.save();
    } else await replayNow(resync);
  }
}

/** Now, beside the schedule. */
export async function replayNow(resync: Resync): Promise<void> {
  const { docker, clock, start } = resync;
  const until = nano(clock);
  try {
    const events = await replay(docker, resync.since, until);
    resync.since = backFrom(until, start);
    answered(resync);
    for (const event of events) resync.onEvent(event);
  } catch (error) {
    answered(resync, error);
  }
}

/** Docker gave what it was asked for; `error`: it did not. */
export function answered(resync: Resync, error?: unknown): void {
  const { state, signal, log } = resync;
  if (error === undefined) {
    if (resync.failures >= HANGS_AFTER) resync.give({ type: 'stream', up: true });
    resync.failures = 0;
    return;
  }
  // An engine that is gone is noticed by the end of the stream.
  // An engine that hangs gives no answer at all, not even a refusal.
  if ((error as DockerError).status !== undefined) return;
  if (signal.aborted || (!state.engine.up && resync.failures === 0)) return;
  resync.failures += 1;
  log.debug(`Docker does not answer: ${errorText(error)}`);
  if (resync.failures >= HANGS_AFTER) resync.give({ type: 'stream', up: false, why: errorText(error) });
}

function nano(clock: Clock): bigint {
  return BigInt(clock.now()) * 1_000_000n;
}

// In a flood of events (a busy engine, or somebody hostile) they are handled in small portions, so that checks, answers and deliveries
// get their turn as well.

/** So many are handled at once in a turn of the event loop: as a rule that is all there are. */
const AT_ONCE = 50;
/** So many in each further turn. */
const PORTION = 100;
const MOST_WAITING = 5000;

export type EventQueue = ReturnType<typeof createEventQueue>;

export function createEventQueue(deps: {
  handle(events: readonly DockerEvent[]): void;
  isKnown(event: DockerEvent): boolean;
  /** The flood is over, and some events were left out. */
  leftOut(): void;
}) {
  let waiting: DockerEvent[] = [];
  let handled = 0;
  let turn: NodeJS.Immediate | undefined;
  let missed = false;

  function nextTurn(): void {
    turn = undefined;
    handled = 0;
    if (waiting.length === 0) return;
    const portion = waiting.splice(0, PORTION);
    handled = AT_ONCE;
    turn = setImmediate(nextTurn);
    deps.handle(portion);
    if (waiting.length > 0 || !missed) return;
    missed = false;
    deps.leftOut();
  }

  return {
    add(event: DockerEvent): void {
      turn ??= setImmediate(nextTurn);
      if (waiting.length === 0 && handled < AT_ONCE) {
        handled += 1;
        deps.handle([event]);
      } else if (waiting.length < MOST_WAITING || deps.isKnown(event)) waiting.push(event);
      else missed = true;
    },
    /** Nothing of what waits is handled any more. */
    stop(): void {
      clearImmediate(turn);
      waiting = [];
    },
  };
}
