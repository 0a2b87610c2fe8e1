// A small world of containers for timelines: each call changes one and feeds the machine the events that Docker would send,
// in Docker's order; what the machine asks is answered at once from the same world. Time moves only when told to.
import { asNow } from '../../src/containers/as-now.ts';
import { rowOf } from '../../src/containers/persist.ts';
import { newState, newTurn, nextDue, step } from '../../src/containers/reduce.ts';
import { serviceRules } from '../../src/containers/rules.ts';
import { firstLook } from '../../src/containers/first-look.ts';
import { claimHolds, fromInspect } from '../../src/containers/table.ts';
import type { Ask, Input, Out, SavedService, State } from '../../src/containers/types.ts';
import type { Extra, Settings } from '../../src/config/schema.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { DockerEvent, DockerInspect, DockerListItem } from '../../src/system/types.ts';
import { configOf } from './config.ts';
import { conditionsOf } from '../../src/incidents/memory.ts';
import { createPipeline } from '../../src/incidents/pipeline.ts';
import { addSilence, endSilence } from '../../src/incidents/silences.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import type { Message } from '../../src/model/message.ts';
import type { StartLine } from '../../src/model/monitor-report.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { startLine } from '../../src/outputs/telegram/monitor.ts';
import { openStore, type Store } from '../../src/store/open.ts';

export const START = Date.UTC(2025, 6, 16, 10, 30, 0);

export type Options = {
  policy?: string;
  maxRetries?: number;
  health?: 'none' | 'starting' | 'healthy' | 'unhealthy';
  service?: string;
  autoRemove?: boolean;
  image?: string;
  logs?: string[];
  env?: string[];
  healthOutput?: string;
  bytes?: number;
  labels?: Record<string, string>;
  stopSignal?: string;
  stopTimeoutMs?: number;
};
type Box = DockerInspect & { logs: string[]; healthOutput: string; checked: boolean; bytes: number };

export type Said = Finding & { saidAt: number };

export type World = ReturnType<typeof createWorld>;

export function createWorld(
  settings: Partial<Settings> = {},
  extra: Partial<Extra> = {},
  options: {
    memoryOf?: (name: string) => number | undefined;
    onMessage?: (message: Message) => void;
    store?: Store;
  } = {},
) {
  let now = START;
  let ids = 0;
  /** By how much somebody has set the clock of the machine. */
  let clockSet = 0;
  const wall = () => now + clockSet;
  const boxes = new Map<string, Box>();
  const byName = (name: string): Box => {
    for (const box of boxes.values()) if (box.name === name) return box;
    throw new Error(`no container ${name}`);
  };
  const has = (name: string): boolean => [...boxes.values()].some((box) => box.name === name);
  const config = configOf(settings, extra);
  const rules = serviceRules(config, options.memoryOf);
  let state: State = newState(rules);
  /** What reached the outbox, each with the time at which it did. */
  const outbox: (Message & { saidAt: number })[] = [];
  const store: Store = options.store ?? openStore('/dev/null/nowhere', START); // In memory.
  let wakeAt = Infinity;
  const openPipeline = () =>
    createPipeline({
      store,
      config,
      clock: { now: wall, monotonic: () => now - START },
      log: { debug() {}, info() {}, warn() {} },
      enqueue(message) {
        options.onMessage?.(message);
        return outbox.push({ ...message, saidAt: now });
      },
      isTrue: ({ subject }, claim) => claimHolds(state, subject, claim),
      asNow: (fact) => asNow(state, fact),
      wakeAt: (mono) => (wakeAt = mono),
      describe: describeFact,
      render: (decision) => renderNotification(decision, 'vps1', wall()),
    });
  let pipeline = openPipeline();
  const findings: Said[] = [];
  const asked: Ask[] = [];
  /** Events that Docker sent while nobody listened. */
  const unheard: DockerEvent[] = [];
  /** Events that the live stream lost; a replay has them. */
  const lost: DockerEvent[] = [];
  /** Every event that Docker ever sent. */
  const log: DockerEvent[] = [];
  let losing = false;
  let listening = true;
  let answering = true;

  const moment = () => ({ wall: wall(), mono: now - START });

  function take(out: Out): void {
    const found = out.facts.flatMap((fact) => findingsOf(fact, describeFact, pipeline.mayName));
    for (const finding of found) findings.push({ ...finding, saidAt: now });
    if (found.length > 0) pipeline.process(found, { judged: [] });
    for (const ask of out.asks) {
      asked.push(ask);
      if (answering) answer(ask);
    }
  }
  function feed(input: Input): void {
    take(step(state, input, moment()));
  }
  function answer(ask: Ask): void {
    if (ask.kind === 'list') {
      feed({ type: 'listed', items: list() });
      return;
    }
    if (ask.kind === 'replay') {
      for (const event of lost.splice(0)) feed({ type: 'event', event });
      return;
    }
    const box = boxes.get(ask.id);
    const inspect = box && structuredClone(box);
    if (ask.kind === 'inspect')
      feed({ type: 'inspected', id: ask.id, inspect, seq: ask.seq, confirm: ask.confirm });
    else if (ask.kind === 'measure')
      feed({ type: 'measured', id: ask.id, ...(box ? { bytes: box.bytes } : {}) });
    else
      feed({
        type: 'evidence',
        id: ask.id,
        evidence: { ...(box ? { logs: box.logs } : {}), ...(inspect ? { inspect } : {}) },
      });
  }
  function list(): DockerListItem[] {
    return [...boxes.values()].map((box) => ({
      id: box.id,
      name: box.name,
      image: box.image,
      labels: box.labels,
      state: box.state.status,
      status: statusOf(box, wall()),
      created: box.created,
      networks: {},
      ports: [],
    }));
  }
  function emit(box: Box, action: string, attributes: Record<string, string> = {}): void {
    const event: DockerEvent = {
      timeNano: BigInt(wall()) * 1_000_000n + BigInt(ids++),
      action,
      id: box.id,
      name: box.name,
      // As Docker does it: labels take the place of what an action says, not of image and name.
      attributes: { ...attributes, ...box.labels, image: box.image, name: box.name },
    };
    log.push(event);
    if (losing) lost.push(event);
    else if (listening) feed({ type: 'event', event });
    else unheard.push(event);
  }

  const world = {
    get now() {
      return now;
    },
    get state() {
      return state;
    },
    boxes,
    findings,
    asked,
    unheard,
    log,
    feed,
    byName,
    /** Without the ones that are recorded only. */
    told: () =>
      findings.filter(
        ({ quiet, verdict }) => quiet !== true && verdict !== 'between' && verdict !== 'unknown',
      ),
    outbox,
    store,
    /** Findings of another source, at this moment. */
    process: (more: Finding[], judged: string[] = []) => void pipeline.process(more, { judged }),
    /** A check as the daemon makes one: it finds what a silence held back, and what is to be repeated. */
    check: () => void pipeline.process([], { judged: [] }),
    silence: (subject: string, ms: number) =>
      void addSilence(store.db, { subject, until: wall() + ms, reason: '' }, wall()),
    unsilence: (subject: string) => void endSilence(store.db, subject),
    /** Another monitor takes over, with what the one before left in the store. */
    reopen: () => void (pipeline = openPipeline()),
    openIncidents: () => pipeline.open(),
    isUnseen: (id: number) => pipeline.isUnseen(id),
    /** The Telegram messages, oldest first. */
    messages: (): string[] => outbox.map(({ html }) => html),
    titles(): string[] {
      return world.messages().map((text) => text.split('\n')[0]!.replace(/<\/?b>/g, ''));
    },
    clear(): void {
      findings.length = 0;
      outbox.length = 0;
      asked.length = 0;
    },
    /** Lets time pass; everything that falls due on the way happens at its time. */
    advance(ms: number): void {
      const end = now + ms;
      for (;;) {
        const due = Math.min(nextDue(state), wakeAt) + START;
        if (due > end) break;
        now = Math.max(now, due);
        if (nextDue(state) + START <= now) feed({ type: 'tick' });
        else pipeline.process([], { judged: [] });
      }
      now = end;
      feed({ type: 'tick' });
    },
    create(name: string, with_: Options = {}): Box {
      const id = (ids++).toString(16).padStart(4, '0').repeat(16);
      const box: Box = {
        id,
        name,
        image: with_.image ?? 'app:1',
        labels: {
          ...(with_.service
            ? { 'com.docker.compose.service': with_.service, 'com.docker.compose.project': 'shop' }
            : {}),
          ...with_.labels,
        },
        ...(with_.stopSignal ? { stopSignal: with_.stopSignal } : {}),
        ...(with_.stopTimeoutMs ? { stopTimeoutMs: with_.stopTimeoutMs } : {}),
        created: wall(),
        env: with_.env ?? [],
        command: [],
        restartCount: 0,
        state: {
          status: 'created',
          pid: 0,
          exitCode: 0,
          oomKilled: false,
          error: '',
          startedAt: 0,
          finishedAt: 0,
        },
        hostConfig: {
          memory: 0,
          memorySwap: 0,
          restartPolicy: with_.policy ?? 'no',
          maximumRetryCount: with_.maxRetries ?? 0,
          networkMode: 'bridge',
          autoRemove: with_.autoRemove ?? false,
        },
        networks: {},
        ports: [],
        logs: with_.logs ?? [],
        healthOutput: with_.healthOutput ?? '',
        checked: with_.health !== undefined && with_.health !== 'none',
        bytes: with_.bytes ?? 0,
      };
      boxes.set(id, box);
      emit(box, 'create');
      return box;
    },
    /** Docker could not start it: it stays as it was created, and no event tells of it. */
    failStart(name: string, error: string, exitCode = 127): void {
      Object.assign(byName(name).state, { error, exitCode });
    },
    start(name: string, by: 'hand' | 'policy' = 'hand'): void {
      const box = byName(name);
      box.state.error = '';
      box.restartCount = by === 'policy' ? box.restartCount + 1 : 0;
      box.state = {
        ...box.state,
        status: 'running',
        pid: 1000 + ids,
        exitCode: 0,
        oomKilled: false,
        startedAt: wall(),
      };
      if (box.checked) box.state.health = { status: 'starting', log: [] };
      emit(box, 'start');
    },
    run(name: string, with_: Options = {}): Box {
      const box = world.create(name, with_);
      world.start(name);
      if (with_.health === 'healthy' || with_.health === 'unhealthy') world.health(name, with_.health);
      return box;
    },
    /** Its main process ends: a crash unless a kill came before. */
    die(name: string, exitCode: number, restarting = false): void {
      const box = byName(name);
      box.state = {
        ...box.state,
        status: restarting ? 'restarting' : 'exited',
        pid: 0,
        exitCode,
        finishedAt: wall(),
      };
      emit(box, 'die', { exitCode: String(exitCode) });
      if (box.hostConfig.autoRemove) world.destroy(name);
    },
    oom(name: string): void {
      byName(name).state.oomKilled = true;
      emit(byName(name), 'oom');
    },
    signal(name: string, signal: number): void {
      emit(byName(name), 'kill', { signal: String(signal) });
    },
    stop(name: string, exitCode = 0): void {
      world.signal(name, 15);
      world.die(name, exitCode);
      if (has(name)) emit(byName(name), 'stop');
    },
    /** docker update --restart */
    update(name: string, policy: string): void {
      byName(name).hostConfig.restartPolicy = policy;
      emit(byName(name), 'update');
    },
    /** An event of its own that changes nothing. */
    said: (name: string, action: string): void => emit(byName(name), action),
    destroy(name: string): void {
      const box = byName(name);
      boxes.delete(box.id);
      emit(box, 'destroy');
    },
    /** docker rm -f */
    remove(name: string): void {
      if (byName(name).state.pid > 0) {
        world.signal(name, 9);
        world.die(name, 137);
      }
      if (has(name)) world.destroy(name);
    },
    restart(name: string): void {
      world.stop(name);
      world.advance(200);
      world.start(name);
      emit(byName(name), 'restart');
    },
    pause(name: string): void {
      byName(name).state.status = 'paused';
      emit(byName(name), 'pause');
    },
    unpause(name: string): void {
      byName(name).state.status = 'running';
      emit(byName(name), 'unpause');
    },
    rename(name: string, to: string): void {
      const box = byName(name);
      box.name = to;
      emit(box, 'rename', { oldName: `/${name}` });
    },
    health(name: string, status: 'healthy' | 'unhealthy' | 'starting'): void {
      const box = byName(name);
      box.checked = true;
      box.state.health = {
        status,
        log: [{ exitCode: status === 'healthy' ? 0 : 1, output: box.healthOutput, end: wall() }],
      };
      emit(box, `health_status: ${status}`);
    },
    /** Events are lost from here on, or heard again. */
    deaf(on: boolean): void {
      listening = !on;
    },
    /** The live stream drops events until it is said otherwise. */
    losing(on: boolean): void {
      losing = on;
    },
    replay(): void {
      for (const event of lost.splice(0)) feed({ type: 'event', event });
    },
    answering(on: boolean): void {
      answering = on;
    },
    list: () => feed({ type: 'listed', items: list() }),
    up: () => feed({ type: 'stream', up: true }),
    down: (why = 'nothing listens at /var/run/docker.sock: the Docker engine is not running') =>
      feed({ type: 'stream', up: false, why, refused: true }),
    /** The first look of a monitor, with what an earlier one remembered. `self`: the container that it runs in. */
    look(
      rows: SavedService[] = [],
      history: DockerEvent[] = [],
      self = '',
    ): (StartLine & { line: string })[] {
      state = newState(rules, rows);
      world.up();
      const turn = newTurn(state, moment());
      const all = firstLook(turn, {
        known: [...boxes.values()].map((box) => fromInspect(structuredClone(box), box.name === self)),
        rows,
        history,
        open: conditionsOf(pipeline.open()),
        first: rows.length === 0,
      });
      const notes = all
        .filter((line) => pipeline.mayReport(line))
        .map((line) => ({ ...line, line: startLine(line) }));
      take(turn.out);
      return notes;
    },
    /** A monitor that has not met Docker yet, with what an earlier one remembered. */
    forget(rows: SavedService[] = []): void {
      state = newState(rules, rows);
    },
    rows(): SavedService[] {
      return [...state.byKey.keys()].flatMap((key) => rowOf(state, key) ?? []);
    },
    flush: () => pipeline.sendWaiting(),
    skip(ms: number): void {
      now += ms;
    },
    /** Somebody sets the clock of the machine. */
    setClock(ms: number): void {
      clockSet += ms;
    },
    wall,
    close: () => store.close(),
  };
  world.up();
  return world;
}

/** A world with one running container, of which nothing is to be told any more. */
export function worldWith(
  name: string,
  with_: Options = {},
  settings: Partial<Settings> = {},
  extra: Partial<Extra> = {},
): World {
  const world = createWorld(settings, extra);
  world.run(name, with_);
  world.advance(60_000);
  world.clear();
  return world;
}

function statusOf(box: Box, now: number): string {
  if (box.state.pid === 0) return `Exited (${box.state.exitCode}) 5 seconds ago`;
  const seconds = Math.floor((now - box.state.startedAt) / 1000);
  const age =
    seconds < 1
      ? 'Less than a second'
      : seconds < 60
        ? `${seconds} seconds`
        : `${Math.floor(seconds / 60)} minutes`;
  const health = box.state.health?.status;
  const suffix = health === undefined ? '' : health === 'starting' ? ' (health: starting)' : ` (${health})`;
  return `Up ${age}${suffix}`;
}

/** Lets time pass with a check every 30 s, as the daemon makes them. */
export function pass(world: World, ms: number): void {
  for (let left = ms; left > 0; left -= 30_000) {
    world.advance(Math.min(left, 30_000));
    world.check();
  }
}

/** Docker is away: nobody hears what happens, and nobody answers. */
export function away(world: World): void {
  world.answering(false);
  world.down();
  world.deaf(true);
}

export function back(world: World): void {
  world.answering(true);
  world.deaf(false);
  world.up();
}

export function whileAway(world: World, ms: number, meanwhile: () => void = () => undefined): void {
  away(world);
  world.advance(ms);
  meanwhile();
  back(world);
}
