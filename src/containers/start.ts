// The monitor's first look at Docker, and the one report about it.
import type { MonitorReport } from '../model/monitor-report.ts';
import { errorText } from '../model/text.ts';
import { selfContainerId } from '../system/docker/containers.ts';
import { eventTime } from '../system/docker/events.ts';
import type { Clock, Docker, DockerEvent, Files, Log } from '../system/types.ts';
import { inspectAll } from './queries.ts';
import { replay } from './event-stream.ts';
import type { Seen } from './persist.ts';
import { newTurn } from './reduce.ts';
import type { OpenCondition } from '../model/container-fact.ts';
import { firstLook } from './first-look.ts';
import { countServices } from './services.ts';
import { fromInspect, isUp } from './table.ts';
import type { Out, Row, State } from './types.ts';

const AGAIN_MS = 2000;
/** After a reboot Docker starts everything at once, and what is up is looked at when it is up. */
const BACK_WITHIN_MS = 30_000;
const BACK_EVERY_MS = 1000;

export type StartDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  files: Files;
  state: State;
  signal: AbortSignal;
  /** Of the monitor before. */
  rows: Row[];
  seen: Seen | undefined;
  /** The conditions of the open incidents, as the monitor before left them. */
  openConditions(): OpenCondition[];
  /** The server was rebooted in an orderly way since the monitor before: when it came up, epoch ms. */
  bootedAt?: number;
  onReport(report: MonitorReport): void;
  handle(out: Out): void;
  onEvent(event: DockerEvent): void;
  /** The look was taken, or Docker does not answer. */
  isReady(): void;
};

export type Start = {
  /** True from the first look on. */
  done(): boolean;
  /** Docker is there. */
  look(): void;
  /** An event before the first look is over is kept, and fed afterwards unless the look has seen it. */
  keep(event: DockerEvent): void;
  /** Docker is not there: the start is reported all the same, once. */
  without(why: string): void;
};

export function createStart(deps: StartDeps): Start {
  const { docker, clock, log, state, signal, seen } = deps;
  let done = false;
  let reported = false;
  let waiting: DockerEvent[] | undefined;
  /** Docker answers, and its containers are on their way. */
  let coming = false;
  let back = deps.bootedAt === undefined;
  const startedAt = clock.now();

  async function look(): Promise<void> {
    const kept: DockerEvent[] = [];
    waiting = kept;
    if (!back) await allBack();
    const history = await readHistory();
    const askedAt = clock.now();
    const items = await docker.list(signal);
    const ids = items.map((item) => item.id);
    const selfId = selfContainerId(deps.files);
    const known = await inspectAll(docker, ids, signal, (inspect) =>
      fromInspect(inspect, inspect.id === selfId),
    );
    known.sort((a, b) => (a.info.name < b.info.name ? -1 : 1));
    const turn = newTurn(state, { wall: clock.now(), mono: clock.monotonic() });
    const first = seen === undefined;
    const lines = firstLook(turn, {
      known,
      rows: deps.rows,
      history: [...history, ...kept],
      open: deps.openConditions(),
      first,
      ...(deps.bootedAt === undefined ? {} : { bootedAt: deps.bootedAt }),
    });
    done = true;
    const answers = { kind: 'docker-answers', name: 'docker', at: clock.now() } as const;
    turn.out.facts.push(reported ? { ...answers, reported: true } : answers);
    deps.handle(turn.out);
    const at = clock.now();
    const rebooted = deps.bootedAt !== undefined;
    // How long the services were not watched; waiting for them was watching.
    const until = rebooted ? startedAt : at;
    const away = seen ? { away: { ms: Math.max(0, until - seen.at), atMost: !seen.closed } } : {};
    const counts = countServices(state);
    deps.onReport({ kind: 'start', at, counts, lines, first, late: reported, rebooted, ...away });
    reported = true;
    for (const event of kept) if (eventTime(event) >= askedAt) deps.onEvent(event);
    deps.isReady();
  }

  /** Waits until what ran before the reboot runs again, for a limited time. */
  async function allBack(): Promise<void> {
    const before = deps.rows.filter((row) => isUp(row.state)).map((row) => row.id);
    const end = clock.monotonic() + BACK_WITHIN_MS;
    while (!signal.aborted) {
      const items = await docker.list(signal);
      coming = true;
      const up = new Set(items.filter((item) => item.state === 'running').map((item) => item.id));
      if (before.every((id) => up.has(id)) || clock.monotonic() >= end) break;
      await clock.sleep(BACK_EVERY_MS, signal);
    }
    back = true;
    coming = false;
  }

  /** Causes of what changed while nobody watched: Docker keeps its last 256 events. */
  async function readHistory(): Promise<DockerEvent[]> {
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

  function without(why: string): void {
    deps.isReady();
    if (reported || coming || signal.aborted) return;
    reported = true;
    const rebooted = deps.bootedAt !== undefined;
    deps.onReport({ kind: 'start-without-docker', at: clock.now(), why, rebooted });
  }

  async function lookUntilDone(): Promise<void> {
    while (!done && !signal.aborted && state.engine.up) {
      try {
        await look();
      } catch (error) {
        if (signal.aborted) return;
        log.warn(`The containers could not be read: ${errorText(error)}`);
        without(errorText(error));
        await clock.sleep(AGAIN_MS, signal);
      }
    }
  }

  return {
    done: () => done,
    look() {
      if (done || waiting) return;
      waiting = [];
      void lookUntilDone().finally(() => (waiting = undefined));
    },
    keep: (event) => void waiting?.push(event),
    without,
  };
}
