// The monitor's first look at Docker, and the one message about it.
import type { Message } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import { selfContainerId } from '../system/docker/containers.ts';
import type { Clock, Docker, DockerEvent, Files, Log } from '../system/types.ts';
import { countServices, startMessage, startWithoutDocker } from './announce.ts';
import { inspectAll } from './queries.ts';
import { replay } from './event-stream.ts';
import type { Seen } from './persist.ts';
import { newTurn } from './reduce.ts';
import { endUnknown, firstLook, withoutSilenced, type IsSilenced, type OpenTrouble } from './first-look.ts';
import { eventTime, fromInspect, isUp } from './table.ts';
import type { Out, Row, State } from './types.ts';

const AGAIN_MS = 2000;
/** After a reboot Docker starts everything at once, and what is up is looked at when it is up. */
const BACK_WITHIN_MS = 30_000;
const BACK_EVERY_MS = 1000;

export type BeginningDeps = {
  docker: Docker;
  clock: Clock;
  log: Log;
  files: Files;
  state: State;
  /** What messages call this server. */
  server: string;
  signal: AbortSignal;
  /** Of the monitor before. */
  rows: Row[];
  seen: Seen | undefined;
  /** Incidents that are on, as the monitor before left them. */
  openTroubles(): readonly OpenTrouble[];
  isSilenced: IsSilenced;
  /** The server was rebooted in an orderly way since the monitor before: when it came up, epoch ms. */
  bootedAt?: number;
  onMessage(message: Message): void;
  handle(out: Out): void;
  onEvent(event: DockerEvent): void;
  /** The look was taken, or Docker does not answer. */
  isReady(): void;
};

export type Beginning = {
  /** True from the first look on. */
  done(): boolean;
  /** Docker is there. */
  look(): void;
  /** An event before the first look is over is kept, and fed afterwards unless the look has seen it. */
  keep(event: DockerEvent): void;
  /** Docker is not there: the start is told all the same, once. */
  without(why: string): void;
};

export function createBeginning(deps: BeginningDeps): Beginning {
  const { docker, clock, log, state, signal, seen } = deps;
  let done = false;
  let told = false;
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
    const all = firstLook(turn, {
      known,
      rows: deps.rows,
      history: [...history, ...kept],
      first,
      ...(deps.bootedAt === undefined ? {} : { bootedAt: deps.bootedAt }),
    });
    endUnknown(turn, deps.openTroubles());
    const notes = withoutSilenced(turn, all, deps.isSilenced);
    done = true;
    const answers = { rule: 'docker-gone', subject: 'docker', severity: 'critical', verdict: 'ok' } as const;
    turn.out.findings.push({ ...answers, text: 'Docker answers', quiet: told });
    deps.handle(turn.out);
    const at = clock.now();
    const rebooted = deps.bootedAt !== undefined;
    // How long the services were not watched; waiting for them was watching.
    const until = rebooted ? startedAt : at;
    const away = seen ? { away: { ms: Math.max(0, until - seen.at), atMost: !seen.closed } } : {};
    if (!told || notes.length > 0)
      deps.onMessage(
        startMessage({
          at,
          server: deps.server,
          counts: countServices(state),
          notes,
          first,
          late: told,
          rebooted,
          ...away,
        }),
      );
    told = true;
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

  /** Why things happened while nobody watched: Docker keeps its last 256 events. */
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
    if (told || coming || signal.aborted) return;
    told = true;
    deps.onMessage(startWithoutDocker(clock.now(), deps.server, why, deps.bootedAt !== undefined));
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
