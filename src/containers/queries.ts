// What the machine asks for, fetched from Docker: few calls at a time, each with a deadline, none of them needed.
import { defined } from '../model/defined.ts';
import { oomKills } from '../system/guest.ts';
import type { Clock, Docker, DockerError, DockerInspect, Files } from '../system/types.ts';
import type { Ask, Input } from './types.ts';

/** A message about a crash waits this long for log lines. Docker needs about 10 ms, and more on a server that is busy. */
const EVIDENCE_MS = 350;
/** After a SIGKILL that nobody asked for, while the kernel's counter shows that it did kill something. */
const OOM_EVENT_MS = 200;
const AT_ONCE = 8;

type AskFor<K extends Ask['kind']> = Extract<Ask, { kind: K }>;

export type QueriesDeps = {
  docker: Docker;
  clock: Clock;
  files: Files;
  signal: AbortSignal;
  give(input: Input): void;
  /** Reads again what the live stream may have lost. */
  replay(): Promise<void>;
  /** A full list was had, or could not be had. */
  onList(error?: unknown): void;
};

/** Asks Docker; the answers come through `give`. */
export type Queries = QueriesDeps & {
  inspect(id: string): Promise<DockerInspect | 'gone' | 'failed'>;
  /** The kernel's counter of kills, as far as it is accounted for. */
  kills: ReturnType<typeof oomKills>;
  /** The replay that runs. */
  replaying?: Promise<void> | undefined;
  /** Containers that were asked for and not answered yet. */
  asked: Set<string>;
};

export function newQueries(deps: QueriesDeps): Queries {
  const { docker, signal, files } = deps;
  const inspect = limited(AT_ONCE, (id: string) => inspectOrGone(docker, id, signal));
  return { ...deps, inspect, kills: oomKills(files), asked: new Set() };
}

const ANSWERS: { [K in Ask['kind']]: (queries: Queries, ask: AskFor<K>) => Promise<void> } = {
  evidence: findEvidence,
  inspect: look,
  measure,
  replay: replayOnce,
  list,
};

/** Asks; nothing more once the signal aborted. */
export function ask(queries: Queries, question: Ask): void {
  if (!queries.signal.aborted) void ANSWERS[question.kind](queries, question as never);
}

/** An `oom` event came: what the kernel's counter shows is known. */
export function oomSeen(queries: Queries): void {
  queries.kills = oomKills(queries.files);
}

async function findEvidence(queries: Queries, { id, killed }: AskFor<'evidence'>): Promise<void> {
  const { docker, clock, files, signal, give } = queries;
  const soon = AbortSignal.timeout(EVIDENCE_MS);
  const [logs, inspected] = await Promise.all([
    docker.logs(id, 5, soon).catch(() => undefined),
    docker.inspect(id, soon).catch(() => undefined),
  ]);
  // The `oom` event usually comes before `die`; where it does not, the kernel's counter shows that it is worth waiting.
  if (killed && !inspected?.state.oomKilled) {
    const now = oomKills(files);
    if (now !== queries.kills) await clock.sleep(OOM_EVENT_MS, signal);
    queries.kills = now;
  }
  give({ type: 'evidence', id, evidence: defined({ logs, inspect: inspected }) });
}

async function replayOnce(queries: Queries): Promise<void> {
  return (queries.replaying ??= queries.replay().finally(() => delete queries.replaying));
}

async function look(queries: Queries, ask: AskFor<'inspect'>): Promise<void> {
  const { asked, inspect, give } = queries;
  const { id, seq, confirm } = ask;
  // An answer that is older than the last event is asked for again.
  if (asked.has(id) && !confirm) return;
  asked.add(id);
  // What no event has shown is believed only where Docker's own log has no event of it either: the stream may have been cut.
  if (confirm) await replayOnce(queries);
  const answer = await inspect(id);
  asked.delete(id);
  if (answer !== 'failed')
    give({ type: 'inspected', id, inspect: answer === 'gone' ? undefined : answer, seq, confirm });
}

async function measure({ docker, signal, give }: Queries, { id }: AskFor<'measure'>): Promise<void> {
  const stats = await docker.stats(id, signal).catch(() => undefined);
  give({ type: 'measured', id, ...defined({ bytes: stats?.workingSetBytes }) });
}

async function list({ docker, signal, give, onList }: Queries): Promise<void> {
  try {
    const items = await docker.list(signal);
    onList();
    give({ type: 'listed', items });
  } catch (error) {
    onList(error);
  }
}

/**
 * Inspects everything in the list, a few at a time; what is gone meanwhile, or cannot be read, is left out. `keep` reduces
 * each answer as it comes: 500 whole ones would take 10 MB for good.
 */
export async function inspectAll<T>(
  docker: Docker,
  ids: string[],
  signal: AbortSignal,
  keep: (inspect: DockerInspect) => T,
): Promise<T[]> {
  const kept: T[] = [];
  const inspect = limited(AT_ONCE, async (id: string) => {
    const answer = await inspectOrGone(docker, id, signal);
    if (typeof answer === 'object') kept.push(keep(answer));
  });
  await Promise.all(ids.map(inspect));
  return kept;
}

async function inspectOrGone(
  docker: Docker,
  id: string,
  signal: AbortSignal,
): Promise<DockerInspect | 'gone' | 'failed'> {
  try {
    return await docker.inspect(id, signal);
  } catch (error) {
    return (error as DockerError).status === 404 ? 'gone' : 'failed';
  }
}

/** At most `most` calls at the same time, in the order in which they came. */
function limited<A, R>(most: number, call: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (argument) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await call(argument);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
