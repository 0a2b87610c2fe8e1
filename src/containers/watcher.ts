// Follows Docker, feeds the reducer, fetches what it asks for, hands on its facts, and keeps the table for the next run.
import { setMaxListeners } from 'node:events';
import type { Config } from '../config/schema.ts';
import type { ContainerFact, OpenCondition } from '../model/container-fact.ts';
import type { MonitorReport, ServiceCounts, ServiceStatus } from '../model/monitor-report.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { createAlarm } from '../system/alarm.ts';
import type { Clock, Docker, DockerEvent, Files, Log } from '../system/types.ts';
import { reportUnreadable } from './fallback.ts';
import { createAnswers } from './queries.ts';
import { createEventQueue } from './event-queue.ts';
import { createDedup, createResync, follow } from './event-stream.ts';
import { createPersister, recallServices } from './persist.ts';
import { newState, nextDue, step } from './reduce.ts';
import { serviceRules } from './rules.ts';
import { countServices, serviceLines } from './services.ts';
import { createStart, type Start } from './start.ts';
import { serviceKey } from '../model/service-key.ts';
import { current, keyOf, restartsWithin } from './table.ts';
import type { Ask, Input, Moment, Out } from './types.ts';

/** The start is reported without the containers when Docker does not answer within this. */
const DOCKER_WAIT_MS = 5000;
const FIVE_MINUTES_MS = 300_000;

export type WatcherDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  config: Config;
  db: Db;
  /** Of the host: the kernel's OOM counter, and whether this process runs in a container. */
  files: Files;
  onFacts(facts: ContainerFact[]): void;
  /** At once, before anything else is done about it. */
  onOom(event: DockerEvent): void;
  /** A container was started or has ended: an address may be another one's now. */
  onMoved?(event: DockerEvent): void;
  /** Start and end of the watching. */
  onReport(report: MonitorReport): void;
  /** The conditions of the open incidents about containers; those that come and go and are fine at the moment are left out. */
  openConditions?(): OpenCondition[];
  /** The server was rebooted in an orderly way since the monitor before: when it came up, epoch ms. */
  bootedAt?: number;
  /** Working set of a container at the last check, bytes. */
  memoryOf?(name: string): number | undefined;
};

export type Watcher = {
  /** Until the signal aborts; then reports the end and returns. */
  run(signal: AbortSignal): Promise<void>;
  /** The container table, without memory and CPU; new objects each time. Costs no Docker call. */
  containers(): ContainerInfo[];
  /** Whether the table is being kept current. */
  connected(): boolean;
  /** The container of this name as the events show it now; undefined where there is none, or nobody can see it. */
  container(name: string): ContainerInfo | undefined;
  /** Why Docker's events cannot be followed, while Docker answers otherwise; undefined where all is well. */
  eventFailure(): string | undefined;
  /** Resolves after the first look at the containers, or when Docker turns out not to answer. */
  ready: Promise<void>;
  services(): ServiceStatus[];
  counts(): ServiceCounts;
};

/** Nothing runs before `run`. */
export function createWatcher(deps: WatcherDeps): Watcher {
  const { docker, clock, log, config, db, files } = deps;
  const { rows, seen } = recallServices(db, log);
  const state = newState(serviceRules(config, deps.memoryOf), rows);
  const persister = createPersister({ db, clock, log, state, lastNano: () => lastNano });
  const isNew = createDedup();
  let eventFailure: string | undefined;
  /** How often the event stream has begun. */
  let ups = 0;
  let lastNano = seen ? BigInt(seen.nano) : 0n;
  let isReady = (): void => {};
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  let start: Start | undefined;
  let ask: (ask: Ask) => void = () => {};
  let oomSeen: () => void = () => {};
  const queue = createEventQueue({
    handle: feed,
    isKnown: ({ id }) => state.known.has(id) && !state.incomplete.has(id),
    leftOut() {
      log.warn('Docker sent more events than can be read at once: the containers are looked through instead');
      ask({ kind: 'list' });
    },
  });
  const alarm = createAlarm(clock, () => give({ type: 'tick' }));
  // A signal of its own: hundreds of calls at the start listen to it.
  const stop = new AbortController();
  const { signal } = stop;
  setMaxListeners(0, signal);

  function moment(): Moment {
    return { wall: clock.now(), mono: clock.monotonic() };
  }

  function isLoaded(): boolean {
    return start?.done() === true;
  }

  function give(input: Input): void {
    if (signal.aborted) return;
    const now = moment();
    try {
      handle(step(state, input, now), input.type === 'event' && input.more === true);
    } catch (error) {
      log.error(`A change of the containers could not be followed: ${errorText(error)}`);
      hand(reportUnreadable(state, input, now, errorText(error)));
      alarm.set(nextDue(state));
      if (isLoaded()) ask({ kind: 'list' });
    }
  }

  /** `more`: another input follows at once. */
  function handle(out: Out, more = false): void {
    hand(out.facts);
    for (const question of out.asks) if (isLoaded() || question.kind !== 'list') ask(question);
    for (const key of out.touched) persister.touch(key);
    if (isLoaded()) persister.soon(out.facts.length > 0);
    if (!more) alarm.set(signal.aborted ? Infinity : nextDue(state));
  }

  /** A mistake further on must not end the watching. */
  function hand(facts: ContainerFact[]): void {
    if (facts.length === 0) return;
    try {
      deps.onFacts(facts);
    } catch (error) {
      log.error(`Changes of services could not be handed on: ${errorText(error)}`);
    }
  }

  /** From the live stream and from replays: each event once. */
  function onEvent(event: DockerEvent): void {
    if (event.action === 'oom') {
      deps.onOom(event);
      oomSeen();
    }
    if (event.action === 'start' || event.action === 'die') deps.onMoved?.(event);
    if (isLoaded()) queue.add(event);
    else {
      lastNano = event.timeNano;
      start?.keep(event);
    }
  }

  function feed(events: readonly DockerEvent[]): void {
    for (const [index, event] of events.entries()) {
      lastNano = event.timeNano;
      give({ type: 'event', event, more: index < events.length - 1 });
      const known = state.known.get(event.id);
      if (known) persister.touch(keyOf(known));
    }
  }

  function onUp(): void {
    log.debug('Docker: following events');
    ups += 1;
    eventFailure = undefined;
    give({ type: 'stream', up: true });
    start?.look();
  }

  function onDown(why: string, refused: boolean, withheld: boolean): void {
    log.debug(`Docker: ${why}`);
    if (withheld) void bridge(why);
    else isDown(why, refused);
  }

  /** Where only the events are held back, a list with each attempt to follow them shows what changed. */
  async function bridge(why: string): Promise<void> {
    const before = ups;
    // A busy engine may take longer for its list than for the next attempt to follow it.
    const isOver = (): boolean => signal.aborted || ups !== before;
    try {
      const items = await docker.list(signal);
      if (isOver()) return;
      if (eventFailure === undefined) log.warn(`Docker's events cannot be followed: ${why}`);
      eventFailure = why;
      give({ type: 'stream', up: true });
      start?.look();
      if (isLoaded()) give({ type: 'listed', items });
    } catch {
      if (!isOver()) isDown(why, false);
    }
  }

  function isDown(why: string, refused: boolean): void {
    eventFailure = undefined;
    give({ type: 'stream', up: false, why, refused });
    if (!state.engine.met) start?.without(why);
  }

  function open(): { run(): Promise<unknown> } {
    const resync = createResync({
      docker,
      clock,
      log,
      state,
      signal,
      give,
      isLoaded,
      ask: (question) => ask(question),
      save: () => persister.now(),
      onEvent: (event) => isNew(event) && onEvent(event),
    });
    const answers = createAnswers({
      docker,
      clock,
      files,
      signal,
      give,
      onList: resync.onList,
      replay: resync.replay,
    });
    ask = answers.ask;
    oomSeen = answers.oomSeen;
    start = createStart({
      docker,
      clock,
      log,
      files,
      state,
      signal,
      rows,
      seen,
      ...(deps.bootedAt === undefined ? {} : { bootedAt: deps.bootedAt }),
      onReport: deps.onReport,
      openConditions: deps.openConditions ?? (() => []),
      handle,
      onEvent: (event) => feed([event]),
      isReady: () => isReady(),
    });
    const since = BigInt(clock.now()) * 1_000_000n;
    return {
      run: () =>
        Promise.all([
          follow({ docker, clock, signal, since, isNew, onEvent, onUp, onDown }),
          resync.run(),
          clock.sleep(DOCKER_WAIT_MS, signal).then(() => {
            if (!isLoaded()) start?.without(state.engine.why || 'no answer yet');
          }),
        ]),
    };
  }

  function close(): void {
    isReady();
    alarm.stop();
    queue.stop();
    persister.close(isLoaded());
    deps.onReport({ kind: 'stop', at: clock.now(), monitored: countServices(state).monitored });
  }

  const watcher: Watcher = {
    ready,
    async run(until) {
      if (until.aborted) stop.abort();
      else until.addEventListener('abort', () => stop.abort(), { once: true });
      await open().run();
      close();
    },
    containers() {
      const now = clock.now();
      const table: ContainerInfo[] = [];
      for (const known of state.known.values()) {
        const restartsLast5Min = restartsWithin(state, keyOf(known), now, FIVE_MINUTES_MS);
        table.push({ ...known.info, restartsLast5Min });
      }
      return table;
    },
    connected: () => isLoaded() && state.engine.up,
    container: (name) => current(state, serviceKey(name))?.info,
    eventFailure: () => eventFailure,
    services: () => serviceLines(state),
    counts: () => countServices(state),
  };
  return watcher;
}
