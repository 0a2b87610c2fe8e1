import type { Action } from '../model/action.ts';
import type { Snapshot } from '../model/sources.ts';
import { formatTime, plain } from '../model/text.ts';
import { keepUndo } from '../store/actions.ts';
import type { DockerInspect } from '../system/types.ts';
import type { Outcome, RecoveryDeps, Step } from './types.ts';

/** Seconds that a container gets to end by itself. */
export const GRACE_SEC = 20;
/** A container that cannot start, as a rule, is down again by then. */
export const STAYS_UP_MS = 2000;
/** A killed process whose memory is in swap needs a while to end, and Docker gives up waiting for it after 10 s. */
export const ENDS_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 2000;

/** Why there are no containers to work with. On a machine without Docker there is nothing that could not be read. */
export function withoutContainers(docker: Exclude<Snapshot['readings']['docker'], { state: 'ok' }>): string {
  return docker.state === 'absent'
    ? `there is no Docker here (${docker.why})`
    : `the containers cannot be read: ${docker.why}`;
}

/** Undefined when the container is gone; other errors are thrown. */
export async function inspectOrGone(deps: RecoveryDeps, id: string): Promise<DockerInspect | undefined> {
  try {
    return await deps.system.docker.inspect(id);
  } catch (error) {
    if ((error as { status?: number }).status === 404) return undefined;
    throw error;
  }
}

/** A container under the name that it has now, for people look for that; `known`: the one it had when recovery acted. */
function shownName(known: string, inspect: DockerInspect | undefined): string {
  const name = plain(inspect?.name ?? known, 60);
  return inspect && inspect.name !== known ? `${name} (renamed, it was ${plain(known, 60)})` : name;
}

/** The same of the container that an action changed, with its bare name. */
export async function namesNow(
  deps: RecoveryDeps,
  { target, undo }: Action,
): Promise<{ target: string; name: string }> {
  const inspect = await inspectOrGone(deps, String(undo?.['containerId'])).catch(() => undefined);
  return { target: inspect?.name ?? target, name: shownName(target, inspect) };
}

export function isDown({ state }: DockerInspect): boolean {
  return state.status === 'exited' || state.status === 'created' || state.status === 'dead';
}

/**
 * What undoing a stop needs. `startedAt`: when it had been started last; another one then means that somebody started it since. `needsBytes`:
 * the memory that it will take.
 */
export type StoppedContainer = { containerId: string; name: string; startedAt?: number; needsBytes?: number };

/** The doing part of a step that stops a container. */
export function stopping(
  deps: RecoveryDeps,
  undo: StoppedContainer,
  effect: string,
  graceSec = GRACE_SEC,
): Pick<Step, 'run' | 'verify'> {
  const { containerId } = undo;
  const name = plain(undo.name, 60);
  const { docker } = deps.system;
  /** Docker said for sure that it did nothing: there is no effect to wait for. */
  let untouched = false;
  return {
    async run(keep) {
      try {
        untouched = !(await docker.stop(containerId, graceSec));
      } catch (error) {
        untouched = isRefusal(error);
        throw error;
      }
      // Looked at after the stop: one in a loop is started every few seconds.
      const stopped = await inspectOrGone(deps, containerId).catch(() => undefined);
      if (stopped) keep({ ...undo, startedAt: stopped.state.startedAt });
    },
    async verify(): Promise<Outcome> {
      const inspect = await onceSeen(deps, containerId, untouched ? 0 : ENDS_WITHIN_MS, isDown);
      const nothing = untouched ? { nothingDone: true as const } : {};
      if (!inspect) return { worked: true, text: `${name} is gone`, ...nothing };
      if (!isDown(inspect))
        return { worked: false, text: `${name} is still ${inspect.state.status}`, ...nothing };
      const how = untouched ? 'had ended by itself before' : `is stopped${effect}`;
      return { worked: true, text: `${name} ${how}`, ...nothing };
    },
  };
}

/** Docker, or a proxy before it, has answered that it does not do this; a proxy that waited in vain (408) does not know. */
export function isRefusal(error: unknown): boolean {
  const { status = 0 } = error as { status?: number };
  return status >= 400 && status < 500 && status !== 408;
}

/**
 * A container as it is once it is as it should be, or still is not after this time; undefined: it is gone. A Docker that does not answer for
 * some seconds may have been restarted.
 */
export async function onceSeen(
  deps: RecoveryDeps,
  id: string,
  withinMs: number,
  isSo: (inspect: DockerInspect) => boolean,
): Promise<DockerInspect | undefined> {
  const { clock } = deps.system;
  const until = clock.monotonic() + withinMs;
  for (;;) {
    try {
      const inspect = await inspectOrGone(deps, id);
      if (!inspect || isSo(inspect) || clock.monotonic() >= until) return inspect;
    } catch (error) {
      if (clock.monotonic() >= until) throw error;
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
}

/** Why a container that recovery stopped is not stopped by recovery any more; undefined while it is. */
export async function noLongerStopped(
  deps: RecoveryDeps,
  stopped: Action,
): Promise<{ over: string } | undefined> {
  const { containerId, startedAt } = stopped.undo as StoppedContainer;
  const inspect = await inspectOrGone(deps, containerId);
  const name = shownName(stopped.target, inspect);
  if (!inspect) {
    const now = await inspectOrGone(deps, stopped.target);
    const isNew = now?.name === stopped.target;
    return {
      over: `${name} was removed meanwhile${isNew ? ', and another container has its name now' : ''}`,
    };
  }
  if (inspect.state.status === 'removing') return { over: `${name} is being removed` };
  // Recovery died before the engine did it.
  if (!isDown(inspect) && inspect.state.startedAt === startedAt)
    return { over: `${name} had not been stopped after all` };
  if (!isDown(inspect)) return { over: `${name} was started by somebody else` };
  // Renamed to make way: two of the same would be harm.
  const successor = inspect.name === stopped.target ? undefined : await inspectOrGone(deps, stopped.target);
  if (successor?.name === stopped.target)
    return {
      over: `${plain(inspect.name, 60)} was called ${plain(stopped.target, 60)}, and another container has that name now`,
    };
  if (startedAt !== undefined && inspect.state.startedAt !== startedAt)
    return { over: `${name} was started and stopped again by somebody else` };
  return undefined;
}

/**
 * A step that starts a container which recovery stopped, unless somebody else has seen to it meanwhile (started or removed it).
 * `notYet`: why it should not be started now after all.
 */
export async function startAgainStep(
  deps: RecoveryDeps,
  stopped: Action,
  options: { why: string; byHand?: boolean; notYet?: () => Promise<string | undefined> },
): Promise<Step> {
  const { startedAt: _, ...undo } = stopped.undo as StoppedContainer;
  const { containerId } = undo;
  const { db } = deps.store;
  const { target, name } = await namesNow(deps, stopped);
  /** How long it may take until it runs: a Docker that did not answer may be at it still. */
  let withinMs = 0;
  return {
    rule: stopped.rule,
    target,
    what: 'start-container',
    words: `start ${name} again`,
    why: options.why,
    undoes: [stopped.id],
    ...(options.byHand ? { byHand: true } : {}),
    async obsolete() {
      return (await noLongerStopped(deps, stopped)) ?? options.notYet?.();
    },
    async run() {
      // From now on another start may be this one, also for a run that finds this one dead.
      keepUndo(db, stopped.id, undo);
      try {
        await deps.system.docker.start(containerId);
      } catch (error) {
        if ((error as { status?: number }).status === undefined) withinMs = ENDS_WITHIN_MS;
        throw error;
      }
    },
    async verify(ran) {
      if (ran) await deps.system.clock.sleep(STAYS_UP_MS);
      const inspect = await onceSeen(deps, containerId, withinMs, (one) => !isDown(one));
      if (!inspect || isDown(inspect)) {
        if (inspect) keepUndo(db, stopped.id, { ...undo, startedAt: inspect.state.startedAt });
        const how = ran ? 'was started and is' : 'is';
        return { worked: false, text: `${name} ${how} ${inspect?.state.status ?? 'gone'} now` };
      }
      // One that crashes again has been started all the same; its restart policy goes on from here.
      const { status } = inspect.state;
      const how = status === 'running' ? 'runs again' : `was started and is ${status} now`;
      return {
        worked: true,
        text: `${name} ${how}; it had been stopped at ${formatTime(stopped.startedAt)}`,
      };
    },
  };
}

/** A stop or a start was begun and the process died: how does the container stand now? */
export async function outcomeOfContainer(
  deps: RecoveryDeps,
  { what, target, undo }: Pick<Action, 'what' | 'target' | 'undo'>,
): Promise<Outcome> {
  const wanted = what === 'start-container' ? 'started' : 'stopped';
  const { containerId = target } = (undo ?? {}) as Partial<StoppedContainer>;
  const inspect = await inspectOrGone(deps, containerId);
  const name = shownName(target, inspect);
  if (!inspect) return { worked: wanted === 'stopped', text: `${name} is gone` };
  if (isDown(inspect) === (wanted === 'stopped')) return { worked: true, text: `${name} is ${wanted}` };
  // The engine may still be at it, so a stop is not written off: undoing it looks again.
  const worked = wanted === 'stopped' ? undefined : false;
  return { worked, text: `${name} is not ${wanted} yet` };
}
