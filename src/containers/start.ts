// The monitor's first look at Docker, and the one report about it.
import { defined } from '../model/defined.ts';
import { errorText } from '../model/text.ts';
import { selfContainerId } from '../system/docker/containers.ts';
import { eventTime } from '../system/docker/events.ts';
import type { DockerEvent } from '../system/types.ts';
import { inspectAll } from './queries.ts';
import { replay } from './event-stream.ts';
import type { LastLook } from './persist.ts';
import { newTurn } from './reduce.ts';
import { firstLook } from './first-look.ts';
import { countServices, fromInspect, isUp } from './table.ts';
import type { Out, SavedService, State, WatcherDeps } from './types.ts';

const AGAIN_MS = 2000;
/** After a reboot Docker starts everything at once, and what is up is looked at when it is up. */
const BACK_WITHIN_MS = 30_000;
const BACK_EVERY_MS = 1000;

type StartDeps = Pick<
  WatcherDeps,
  'docker' | 'clock' | 'log' | 'files' | 'openConditions' | 'bootedAt' | 'onReport'
> & {
  state: State;
  signal: AbortSignal;
  /** Of the monitor before. */
  rows: SavedService[];
  seen: LastLook | undefined;
  handle(out: Out): void;
  onEvent(event: DockerEvent): void;
  /** The look was taken, or Docker does not answer. */
  isReady(): void;
};

export type Start = StartDeps & {
  /** The first look was taken. */
  done: boolean;
  /** The start was reported. */
  reported: boolean;
  /** Events that came while the look was taken: fed afterwards, unless the look has seen them. */
  waiting?: DockerEvent[];
  /** Docker answers, and its containers are on their way. */
  coming: boolean;
  /** What ran before a reboot runs again, or was waited for long enough. */
  back: boolean;
  startedAt: number;
};

export function openStart(deps: StartDeps): Start {
  const startedAt = deps.clock.now();
  return {
    ...deps,
    done: false,
    reported: false,
    coming: false,
    back: deps.bootedAt === undefined,
    startedAt,
  };
}

/** Docker is there: takes the first look, once, and reports the start. */
export function lookFirst(start: Start): void {
  if (start.done || start.waiting) return;
  start.waiting = [];
  void lookUntilDone(start).finally(() => delete start.waiting);
}

/** Docker is not there: the start is reported all the same, once. */
export function startWithout(start: Start, why: string): void {
  start.isReady();
  if (start.reported || start.coming || start.signal.aborted) return;
  start.reported = true;
  const rebooted = start.bootedAt !== undefined;
  start.onReport({ kind: 'start-without-docker', at: start.clock.now(), why, rebooted });
}

async function lookUntilDone(start: Start): Promise<void> {
  const { clock, log, signal, state } = start;
  while (!start.done && !signal.aborted && state.engine.up) {
    try {
      await look(start);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(`The containers could not be read: ${errorText(error)}`);
      startWithout(start, errorText(error));
      await clock.sleep(AGAIN_MS, signal);
    }
  }
}

async function look(start: Start): Promise<void> {
  const { docker, clock, state, signal, seen, bootedAt } = start;
  const kept: DockerEvent[] = [];
  start.waiting = kept;
  if (!start.back) await waitUntilBack(start);
  const history = await readHistory(start);
  const askedAt = clock.now();
  const items = await docker.list(signal);
  const ids = items.map((item) => item.id);
  const selfId = selfContainerId(start.files);
  const known = await inspectAll(docker, ids, signal, (inspect) =>
    fromInspect(inspect, inspect.id === selfId),
  );
  known.sort((a, b) => (a.info.name < b.info.name ? -1 : 1));
  const turn = newTurn(state, { wall: clock.now(), mono: clock.monotonic() });
  const first = seen === undefined;
  const lines = firstLook(turn, {
    known,
    rows: start.rows,
    history: [...history, ...kept],
    open: start.openConditions?.() ?? [],
    first,
    ...defined({ bootedAt }),
  });
  start.done = true;
  const answers = { kind: 'docker-answers', name: 'docker', at: clock.now() } as const;
  turn.out.facts.push(start.reported ? { ...answers, reported: true } : answers);
  start.handle(turn.out);
  const at = clock.now();
  const rebooted = bootedAt !== undefined;
  // How long the services were not watched; waiting for them was watching.
  const until = rebooted ? start.startedAt : at;
  const away = seen ? { away: { ms: Math.max(0, until - seen.at), atMost: !seen.closed } } : {};
  const counts = countServices(state);
  start.onReport({ kind: 'start', at, counts, lines, first, late: start.reported, rebooted, ...away });
  start.reported = true;
  for (const event of kept) if (eventTime(event) >= askedAt) start.onEvent(event);
  start.isReady();
}

/** Waits until what ran before the reboot runs again, for a limited time. */
async function waitUntilBack(start: Start): Promise<void> {
  const { docker, clock, signal } = start;
  const before = start.rows.filter((row) => isUp(row.state)).map((row) => row.id);
  const end = clock.monotonic() + BACK_WITHIN_MS;
  while (!signal.aborted) {
    const items = await docker.list(signal);
    start.coming = true;
    const up = new Set(items.filter((item) => item.state === 'running').map((item) => item.id));
    if (before.every((id) => up.has(id)) || clock.monotonic() >= end) break;
    await clock.sleep(BACK_EVERY_MS, signal);
  }
  start.back = true;
  start.coming = false;
}

/** Causes of what changed while nobody watched: Docker keeps its last 256 events. */
async function readHistory({ docker, clock, log, seen }: Start): Promise<DockerEvent[]> {
  if (!seen) return [];
  const until = BigInt(clock.now()) * 1_000_000n;
  const last = BigInt(seen.nano);
  const from = last > 0n ? last + 1n : BigInt(seen.at) * 1_000_000n;
  if (from >= until) return [];
  return replay(docker, from, until).catch((error: unknown) => {
    log.debug(`Docker's past events could not be read: ${errorText(error)}`);
    return [];
  });
}
