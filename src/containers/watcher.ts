// Follows Docker, feeds the reducer, fetches what it asks for, hands on its facts, and keeps the table for the next run.
import { setMaxListeners } from 'node:events';
import type { Claim } from '../model/change.ts';
import type { ContainerFact } from '../model/container-fact.ts';
import type { ServiceCounts, ServiceStatus } from '../model/monitor-report.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { createAlarm, type Alarm } from '../system/clock.ts';
import { MOVED } from '../system/docker/events.ts';
import type { DockerEvent } from '../system/types.ts';
import { asNow } from './as-now.ts';
import { ask as askDocker, newQueries, oomSeen, type Queries } from './queries.ts';
import {
  createDedup,
  answered,
  createEventQueue,
  follow,
  newResync,
  replayNow,
  runResync,
  type EventQueue,
} from './event-stream.ts';
import {
  closePersister,
  newPersister,
  persist,
  persistSoon,
  recallServices,
  type Persister,
  type LastLook,
} from './persist.ts';
import { newState, nextDue, reportUnreadable, step } from './reduce.ts';
import { serviceRules } from './rules.ts';
import { lookFirst, openStart, startWithout, type Start } from './start.ts';
import { claimHolds, countServices, keyOf, restartsWithin, serviceLines } from './table.ts';
import type { Ask, Input, Moment, Out, SavedService, State, WatcherDeps } from './types.ts';

/** The start is reported without the containers when Docker does not answer within this. */
const DOCKER_WAIT_MS = 5000;
const FIVE_MINUTES_MS = 300_000;

export type Watcher = ReturnType<typeof createWatcher>;

/** What a watcher works with, and what it keeps between two events. */
type Watch = {
  deps: WatcherDeps;
  state: State;
  signal: AbortSignal;
  persister: Persister;
  queue: EventQueue;
  alarm: Alarm;
  isNew(event: DockerEvent): boolean;
  isReady(): void;
  /** From `run` on. */
  parts?: { start: Start; queries: Queries };
  /** Why Docker's events cannot be followed, while Docker answers otherwise. */
  eventFailure: string | undefined;
  /** How often the event stream has begun. */
  ups: number;
  /** Time stamp of the last event. */
  lastNano: bigint;
};

/** Nothing runs before `run`. */
export function createWatcher(deps: WatcherDeps) {
  const { clock, log, config, db } = deps;
  const { rows, seen } = recallServices(db, log);
  const state = newState(serviceRules(config, deps.memoryOf), rows);
  let isReady = (): void => {};
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  // A signal of its own: hundreds of calls at the start listen to it.
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const watch: Watch = {
    deps,
    state,
    signal: stop.signal,
    persister: newPersister({ db, clock, log, state, lastNano: () => watch.lastNano }),
    queue: createEventQueue({
      handle: (events) => feed(watch, events),
      isKnown: ({ id }) => state.known.has(id) && !state.incomplete.has(id),
      leftOut() {
        log.warn(
          'Docker sent more events than can be read at once: the containers are looked through instead',
        );
        ask(watch, { kind: 'list' });
      },
    }),
    alarm: createAlarm(clock, () => give(watch, { type: 'tick' })),
    isNew: createDedup(),
    isReady,
    eventFailure: undefined,
    ups: 0,
    lastNano: seen ? BigInt(seen.nano) : 0n,
  };
  return {
    /** Resolves after the first look at the containers, or when Docker turns out not to answer. */
    ready,
    /** Until the signal aborts; then reports the end and returns. */
    async run(until: AbortSignal): Promise<void> {
      if (until.aborted) stop.abort();
      else until.addEventListener('abort', () => stop.abort(), { once: true });
      await run(watch, rows, seen);
      close(watch);
    },
    /** The container table, without memory and CPU; new objects each time. Costs no Docker call. */
    containers(): ContainerInfo[] {
      const now = clock.now();
      return [...state.known.values()].map((known) => {
        const restartsLast5Min = restartsWithin(state, keyOf(known), now, FIVE_MINUTES_MS);
        return { ...known.info, restartsLast5Min };
      });
    },
    /** Whether the table is being kept current. */
    connected: (): boolean => isLoaded(watch) && state.engine.up,
    /** Whether a claim about the container of this name holds; undefined while nobody can see it. */
    claimHolds: (name: string, claim: Claim): boolean | undefined =>
      isLoaded(watch) || claim === 'no-docker' ? claimHolds(state, name, claim) : undefined,
    /** A fact with what it states of the present as it is now. */
    asNow: (fact: ContainerFact): ContainerFact => asNow(state, fact),
    /** Why Docker's events cannot be followed, while Docker answers otherwise; undefined where all is well. */
    eventFailure: (): string | undefined => watch.eventFailure,
    services: (): ServiceStatus[] => serviceLines(state),
    counts: (): ServiceCounts => countServices(state),
  };
}

/** Follows Docker's events, reads them again now and then, and takes the first look at the containers. */
async function run(watch: Watch, rows: SavedService[], seen: LastLook | undefined): Promise<void> {
  const { deps, state, signal } = watch;
  const { docker, clock } = deps;
  const shared = { ...deps, state, signal, give: (input: Input) => give(watch, input) };
  const resync = newResync({
    ...shared,
    isLoaded: () => isLoaded(watch),
    ask: (question) => ask(watch, question),
    save: () => persist(watch.persister),
    onEvent: (event) => watch.isNew(event) && onEvent(watch, event),
  });
  const queries = newQueries({
    ...shared,
    onList: (error) => answered(resync, error),
    replay: () => replayNow(resync),
  });
  const start = openStart({
    ...shared,
    rows,
    seen,
    handle: (out) => handle(watch, out),
    onEvent: (event) => feed(watch, [event]),
    isReady: watch.isReady,
  });
  watch.parts = { start, queries };
  const since = BigInt(clock.now()) * 1_000_000n;
  await Promise.all([
    follow({
      docker,
      clock,
      signal,
      since,
      isNew: watch.isNew,
      onEvent: (event) => onEvent(watch, event),
      onUp: () => onUp(watch),
      onDown: (why, refused, withheld) => onDown(watch, why, refused, withheld),
    }),
    runResync(resync),
    clock.sleep(DOCKER_WAIT_MS, signal).then(() => {
      if (!isLoaded(watch)) startWithout(start, state.engine.why || 'no answer yet');
    }),
  ]);
}

function close({ deps, state, alarm, queue, persister, isReady, parts }: Watch): void {
  isReady();
  alarm.stop();
  queue.stop();
  closePersister(persister, parts?.start.done === true);
  deps.onReport({ kind: 'stop', at: deps.clock.now(), monitored: countServices(state).monitored });
}

/** The first look was taken. */
function isLoaded({ parts }: Watch): boolean {
  return parts?.start.done === true;
}

function ask({ parts }: Watch, question: Ask): void {
  if (parts) askDocker(parts.queries, question);
}

/** Feeds one input to the reducer, and does what follows from it. */
function give(watch: Watch, input: Input): void {
  const { deps, state, signal, alarm } = watch;
  if (signal.aborted) return;
  const now: Moment = { wall: deps.clock.now(), mono: deps.clock.monotonic() };
  try {
    handle(watch, step(state, input, now), input.type === 'event' && input.more === true);
  } catch (error) {
    deps.log.error(`A change of the containers could not be followed: ${errorText(error)}`);
    handOn(watch, reportUnreadable(state, input, now, errorText(error)));
    alarm.set(nextDue(state));
    if (isLoaded(watch)) ask(watch, { kind: 'list' });
  }
}

/** `more`: another input follows at once. */
function handle(watch: Watch, out: Out, more = false): void {
  const { state, signal, alarm, persister } = watch;
  const loaded = isLoaded(watch);
  handOn(watch, out.facts);
  for (const question of out.asks) if (loaded || question.kind !== 'list') ask(watch, question);
  for (const key of out.touched) persister.dirty.add(key);
  if (loaded) persistSoon(persister, out.facts.length > 0);
  if (!more) alarm.set(signal.aborted ? Infinity : nextDue(state));
}

/** A mistake further on must not end the watching. */
function handOn({ deps }: Watch, facts: ContainerFact[]): void {
  if (facts.length === 0) return;
  try {
    deps.onFacts(facts);
  } catch (error) {
    deps.log.error(`Changes of services could not be handed on: ${errorText(error)}`);
  }
}

/** From the live stream and from replays: each event once. */
function onEvent(watch: Watch, event: DockerEvent): void {
  const { deps, queue, parts } = watch;
  if (event.action === 'oom') {
    deps.onOom(event);
    if (parts) oomSeen(parts.queries);
  }
  if (event.action === 'start' || event.action === 'die' || event.action === MOVED) deps.onMoved?.(event);
  if (event.action === MOVED) return;
  if (isLoaded(watch)) queue.add(event);
  else {
    watch.lastNano = event.timeNano;
    // Fed after the first look, unless that has seen it.
    parts?.start.waiting?.push(event);
  }
}

function feed(watch: Watch, events: readonly DockerEvent[]): void {
  for (const [index, event] of events.entries()) {
    watch.lastNano = event.timeNano;
    give(watch, { type: 'event', event, more: index < events.length - 1 });
    const known = watch.state.known.get(event.id);
    if (known) watch.persister.dirty.add(keyOf(known));
  }
}

function onUp(watch: Watch): void {
  watch.deps.log.debug('Docker: following events');
  watch.ups += 1;
  watch.eventFailure = undefined;
  setUp(watch);
}

/** Docker answers again, or at last. */
function setUp(watch: Watch): void {
  give(watch, { type: 'stream', up: true });
  if (watch.parts) lookFirst(watch.parts.start);
}

function onDown(watch: Watch, why: string, refused: boolean, withheld: boolean): void {
  watch.deps.log.debug(`Docker: ${why}`);
  if (withheld) void listInstead(watch, why);
  else setDown(watch, why, refused);
}

/** Where only the events are held back, a list with each attempt to follow them shows what changed. */
async function listInstead(watch: Watch, why: string): Promise<void> {
  const { deps, signal, ups } = watch;
  // A busy engine may take longer for its list than for the next attempt to follow it.
  const isOver = (): boolean => signal.aborted || watch.ups !== ups;
  try {
    const items = await deps.docker.list(signal);
    if (isOver()) return;
    if (watch.eventFailure === undefined) deps.log.warn(`Docker's events cannot be followed: ${why}`);
    watch.eventFailure = why;
    setUp(watch);
    if (isLoaded(watch)) give(watch, { type: 'listed', items });
  } catch {
    if (!isOver()) setDown(watch, why, false);
  }
}

function setDown(watch: Watch, why: string, refused: boolean): void {
  watch.eventFailure = undefined;
  give(watch, { type: 'stream', up: false, why, refused });
  if (!watch.state.engine.met && watch.parts) startWithout(watch.parts.start, why);
}
