// Follows Docker, feeds the machine, does what it asks, hands out what it says, and remembers it for the next run.
import { setMaxListeners } from 'node:events';
import type { Config } from '../config/schema.ts';
import type { Finding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import type { ServiceStatus } from '../model/service.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { recall, remember } from '../store/memory.ts';
import type { Db } from '../store/open.ts';
import { loadServices, saveServices } from '../store/services.ts';
import { selfContainerId } from '../system/containers.ts';
import type { Clock, Docker, DockerEvent, Files, Log } from '../system/types.ts';
import {
  countServices,
  serviceLines,
  startMessage,
  startWithoutDocker,
  stopMessage,
  type Counts,
} from './announce.ts';
import { createAnswers, inspectAll } from './answers.ts';
import { createMemory, follow, replay } from './follow.ts';
import { flush, isUntold, newState, newTurn, nextDue, rowOf, step } from './machine.ts';
import { serviceRules } from './rules.ts';
import { firstLook } from './start.ts';
import { eventTime, keyOf, restartsWithin } from './table.ts';
import type { Input, Moment, Out, Row } from './types.ts';

const REPLAY_EVERY_MS = 30_000;
/** In replays. */
const LIST_EVERY = 10;
const LIST_AGAIN_MS = 10_000;
/** Lists that fail in a row while the event stream is open: Docker hangs. */
const HANGS_AFTER = 3;
/** The start is told without the containers when Docker does not answer within this. */
const DOCKER_WAIT_MS = 5000;
/** An event may be written a moment after its time stamp. */
const OVERLAP_NANO = 2_000_000_000n;
const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;

export type WatcherDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  config: Config;
  db: Db;
  /** Of the host: the kernel's OOM counter, and whether this process runs in a container. */
  files: Files;
  onFindings(findings: Finding[]): void;
  /** At once, before anything else is done about it. */
  onOom(event: DockerEvent): void;
  /** Messages that are no incident: start, stop and status report. */
  onMessage(message: Message): void;
  /** Renders the periodic status report. */
  renderStatus(services: ServiceStatus[], at: number): string;
  /** Working set of a container at the last check, bytes. */
  memoryOf?(name: string): number | undefined;
};

type Seen = { at: number; nano: string };

export type Watcher = {
  /** Until the signal aborts; then says so and returns. */
  run(signal: AbortSignal): Promise<void>;
  /** The container table, without memory and CPU. Costs no Docker call. */
  containers(): ContainerInfo[];
  /** Whether the table is being kept current. */
  connected(): boolean;
  /** Resolves after the first look at the containers, or when Docker turns out not to answer. */
  ready: Promise<void>;
  statusReport(now: number): Message;
  counts(): Counts;
};

/** Nothing runs before `run`. */
export function createWatcher(deps: WatcherDeps): Watcher {
  const { docker, clock, log, config, db } = deps;
  const rows = loadServices<Row>(db);
  const seen = recall<Seen>(db, 'services-seen');
  const state = newState(serviceRules(config, deps.memoryOf), rows);
  let isReady = (): void => {};
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  const dirty = new Set<string>();
  const isNew = createMemory();
  let loaded = false;
  let loading: DockerEvent[] | undefined;
  let lastNano = seen ? BigInt(seen.nano) : 0n;
  let replayedNano = 0n;
  let startTold = false;
  let failedLists = 0;
  let saving = false;
  let alarm: { due: number; stop: AbortController } | undefined;
  let signal: AbortSignal = AbortSignal.abort();
  let answers: ReturnType<typeof createAnswers> | undefined;

  function moment(): Moment {
    return { wall: clock.now(), mono: clock.monotonic() };
  }

  function give(input: Input): void {
    if (signal.aborted) return;
    handle(step(state, input, moment()));
  }

  function handle(out: Out): void {
    hand(out.findings);
    for (const ask of out.asks) if (loaded || ask.kind !== 'list') answers?.ask(ask);
    for (const key of out.touched) dirty.add(key);
    if (dirty.size > 0) saveSoon();
    setAlarm();
  }

  /** A mistake further on must not end the watching. */
  function hand(findings: Finding[]): void {
    if (findings.length === 0) return;
    try {
      deps.onFindings(findings);
    } catch (error) {
      log.error(`Changes of services could not be handed on: ${errorText(error)}`);
    }
  }

  /** The next moment at which something is due without an input. */
  function setAlarm(): void {
    const due = nextDue(state);
    if (alarm?.due === due) return;
    alarm?.stop.abort();
    alarm = undefined;
    if (due === Infinity || signal.aborted) return;
    const own = { due, stop: new AbortController() };
    alarm = own;
    const wait = Math.max(1, Math.ceil(due - clock.monotonic()));
    void clock.sleep(wait, own.stop.signal).then(() => {
      if (alarm !== own) return;
      alarm = undefined;
      give({ type: 'tick' });
    });
  }

  /** After what was said is on its way: a message must not wait for this. */
  function saveSoon(): void {
    if (saving) return;
    saving = true;
    setImmediate(() => {
      saving = false;
      save();
    });
  }

  /** Rows of services about which something is still to be told stay as they were: the next run would tell it. */
  function save(): void {
    if (!loaded) return;
    const changes = new Map<string, Row | undefined>();
    for (const key of dirty) if (!isUntold(state, key)) changes.set(key, rowOf(state, key));
    for (const key of changes.keys()) dirty.delete(key);
    try {
      saveServices(db, changes);
      rememberSeen();
    } catch (error) {
      for (const key of changes.keys()) dirty.add(key);
      log.debug(`The service table could not be saved: ${errorText(error)}`);
    }
  }

  function rememberSeen(): void {
    const now = clock.now();
    remember(db, 'services-seen', { at: now, nano: String(lastNano) } satisfies Seen, now);
  }

  function onEvent(event: DockerEvent): void {
    if (event.action === 'oom') {
      deps.onOom(event);
      answers?.oomSeen();
    }
    lastNano = event.timeNano;
    const known = state.known.get(event.id);
    if (known) dirty.add(keyOf(known));
    if (loading) loading.push(event);
    else if (loaded) give({ type: 'event', event });
  }

  function onUp(): void {
    log.debug('Docker: following events');
    give({ type: 'stream', up: true });
    if (!loaded) void load();
  }

  function onDown(why: string, refused: boolean): void {
    log.debug(`Docker: ${why}`);
    give({ type: 'stream', up: false, why, refused });
    if (!state.engine.met) tellStartWithout(why);
  }

  function tellStartWithout(why: string): void {
    isReady();
    if (startTold || signal.aborted) return;
    startTold = true;
    deps.onMessage(startWithoutDocker(clock.now(), why));
  }

  /** The first look. What happens meanwhile is kept and fed afterwards, unless the look has seen it. */
  async function load(): Promise<void> {
    if (loading) return;
    loading = [];
    try {
      const history = seen ? await readHistory() : [];
      const askedAt = clock.now();
      const items = await docker.list(signal);
      const inspects = await inspectAll(
        docker,
        items.map((item) => item.id),
        signal,
      );
      const turn = newTurn(state, moment());
      const first = seen === undefined;
      const selfId = selfContainerId(deps.files);
      const notes = firstLook(turn, { inspects, selfId, rows, history: [...history, ...loading], first });
      loaded = true;
      const waiting = loading.filter((event) => eventTime(event) >= askedAt);
      loading = undefined;
      turn.out.findings.push({
        rule: 'docker-gone',
        subject: 'docker',
        severity: 'critical',
        verdict: 'ok',
        text: 'Docker answers',
      });
      handle(turn.out);
      const at = clock.now();
      const awayMs = seen ? Math.max(0, at - seen.at) : undefined;
      const late = startTold;
      startTold = true;
      if (!late || notes.length > 0)
        deps.onMessage(
          startMessage({
            at,
            counts: countServices(state),
            notes,
            first,
            late,
            ...(awayMs !== undefined ? { awayMs } : {}),
          }),
        );
      for (const event of waiting) give({ type: 'event', event });
      isReady();
    } catch (error) {
      loading = undefined;
      if (signal.aborted) return;
      log.warn(`The containers could not be read: ${errorText(error)}`);
      tellStartWithout(errorText(error));
      await clock.sleep(2000, signal);
      if (!signal.aborted && state.engine.up && !loaded) void load();
    }
  }

  /** Why things happened while nobody watched: Docker keeps its last 256 events. */
  async function readHistory(): Promise<DockerEvent[]> {
    const until = BigInt(clock.now()) * 1_000_000n;
    const from = lastNano > 0n ? lastNano + 1n : BigInt(seen?.at ?? 0) * 1_000_000n;
    if (from <= 0n || from >= until) return [];
    return replay(docker, from, until).catch((error: unknown) => {
      log.debug(`Docker's past events could not be read: ${errorText(error)}`);
      return [];
    });
  }

  /** The two nets under the live stream: often the events once more, now and then the whole list. */
  async function lookNowAndThen(): Promise<void> {
    for (let round = 1; !signal.aborted; round += 1) {
      await clock.sleep(failedLists > 0 ? LIST_AGAIN_MS : REPLAY_EVERY_MS, signal);
      if (signal.aborted || !loaded || (!state.engine.up && failedLists === 0)) continue;
      if (failedLists > 0 || round % LIST_EVERY === 0) answers?.ask({ kind: 'list' });
      else await replayNow();
      if (round % LIST_EVERY === 0) save();
    }
  }

  async function replayNow(): Promise<void> {
    const until = BigInt(clock.now()) * 1_000_000n;
    try {
      const events = await replay(docker, replayedNano - OVERLAP_NANO, until);
      replayedNano = until;
      for (const event of events) if (isNew(event)) onEvent(event);
    } catch (error) {
      log.debug(`Docker's past events could not be read: ${errorText(error)}`);
    }
  }

  function onListed(input: Input): void {
    if (input.type === 'listed' && failedLists > 0) {
      if (failedLists >= HANGS_AFTER) give({ type: 'stream', up: true });
      failedLists = 0;
    }
    give(input);
  }

  function onListFailed(error: unknown): void {
    if (!state.engine.up && failedLists === 0) return;
    failedLists += 1;
    log.debug(`Docker: no list of containers: ${errorText(error)}`);
    if (failedLists >= HANGS_AFTER) give({ type: 'stream', up: false, why: errorText(error) });
  }

  async function reportNowAndThen(): Promise<void> {
    const intervalMs = config.settings.REPORT_INTERVAL_HOURS * HOUR_MS;
    if (intervalMs === 0) return;
    let last = recall<number>(db, 'status-report-at') ?? clock.now();
    if (last > clock.now() || clock.now() - last > intervalMs) last = clock.now();
    while (!signal.aborted) {
      await clock.sleep(Math.max(1000, Math.min(last + intervalMs - clock.now(), HOUR_MS)), signal);
      if (signal.aborted || clock.now() < last + intervalMs) continue;
      last = clock.now();
      remember(db, 'status-report-at', last, last);
      deps.onMessage(watcher.statusReport(last));
    }
  }

  const watcher: Watcher = {
    ready,
    async run(until) {
      // A signal of its own: hundreds of calls at the start listen to it.
      const own = new AbortController();
      signal = own.signal;
      setMaxListeners(0, signal);
      if (until.aborted) own.abort();
      else until.addEventListener('abort', () => own.abort(), { once: true });
      answers = createAnswers({
        docker,
        clock,
        files: deps.files,
        signal,
        give: onListed,
        onListFailed,
        replay: replayNow,
      });
      const noAnswer = clock.sleep(DOCKER_WAIT_MS, signal).then(() => {
        if (!loaded) tellStartWithout(state.engine.why || 'no answer yet');
      });
      const since = BigInt(clock.now()) * 1_000_000n;
      replayedNano = since + OVERLAP_NANO;
      const background = [noAnswer, lookNowAndThen(), reportNowAndThen()];
      await Promise.all([
        follow({ docker, clock, signal, since, isNew, onEvent, onUp, onDown }),
        ...background,
      ]);
      isReady();
      const out = flush(state, moment());
      alarm?.stop.abort();
      hand(out.findings);
      for (const key of out.touched) dirty.add(key);
      save();
      deps.onMessage(stopMessage(clock.now(), countServices(state).monitored));
    },
    containers() {
      const now = clock.now();
      return [...state.known.values()].map((known) => ({
        ...known.info,
        restartsLast5Min: restartsWithin(state, keyOf(known), now, FIVE_MINUTES_MS),
      }));
    },
    connected: () => loaded && state.engine.up,
    statusReport: (now) => ({
      at: now,
      severity: 'info',
      kind: 'status-report',
      subject: 'services',
      html: deps.renderStatus(serviceLines(state), now),
    }),
    counts: () => countServices(state),
  };
  return watcher;
}
