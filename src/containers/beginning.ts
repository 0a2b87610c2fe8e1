// The monitor's first look at Docker, and the one message about it.
import type { Message } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import { selfContainerId } from '../system/containers.ts';
import type { Clock, Docker, DockerEvent, Files, Log } from '../system/types.ts';
import { countServices, startMessage, startWithoutDocker } from './announce.ts';
import { inspectAll } from './answers.ts';
import { replay } from './follow.ts';
import type { Seen } from './keeper.ts';
import { newTurn } from './machine.ts';
import { endUnknown, firstLook, withoutSilenced, type IsSilenced, type OpenTrouble } from './start.ts';
import { eventTime, fromInspect } from './table.ts';
import type { Out, Row, State } from './types.ts';

const AGAIN_MS = 2000;

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

  async function look(): Promise<void> {
    const kept: DockerEvent[] = [];
    waiting = kept;
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
    const all = firstLook(turn, { known, rows: deps.rows, history: [...history, ...kept], first });
    endUnknown(turn, deps.openTroubles());
    const notes = withoutSilenced(turn, all, deps.isSilenced);
    done = true;
    const answers = { rule: 'docker-gone', subject: 'docker', severity: 'critical', verdict: 'ok' } as const;
    turn.out.findings.push({ ...answers, text: 'Docker answers', quiet: told });
    deps.handle(turn.out);
    const at = clock.now();
    const away = seen ? { away: { ms: Math.max(0, at - seen.at), atMost: !seen.closed } } : {};
    if (!told || notes.length > 0)
      deps.onMessage(
        startMessage({
          at,
          server: deps.server,
          counts: countServices(state),
          notes,
          first,
          late: told,
          ...away,
        }),
      );
    told = true;
    for (const event of kept) if (eventTime(event) >= askedAt) deps.onEvent(event);
    deps.isReady();
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
    if (told || signal.aborted) return;
    told = true;
    deps.onMessage(startWithoutDocker(clock.now(), deps.server, why));
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
