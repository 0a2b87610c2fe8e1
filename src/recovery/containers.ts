import { namesContainer, type Config } from '../config/schema.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { errorText, formatTime } from '../model/text.ts';
import { finishAction, markUndone, recordAction } from '../store/actions.ts';
import type { Action } from '../model/action.ts';
import type { DockerInspect } from '../system/types.ts';
import type { Attempt, RecoveryDeps } from './types.ts';

/** Seconds that a container gets to end by itself. */
export const GRACE_SEC = 20;

/** Never stopped: named in ESSENTIAL_CONTAINERS, marked in vpsmon.yaml, or the container in which vpsmon runs. */
export function isEssential(
  container: Pick<ContainerInfo, 'name' | 'self'> & { service?: string },
  config: Config,
): boolean {
  if (container.self) return true;
  const own = config.extra.services.find((service) => namesContainer(service.name, container));
  if (own?.essential !== undefined) return own.essential;
  return config.settings.ESSENTIAL_CONTAINERS.some((name) => namesContainer(name, container));
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

export function isDown(inspect: DockerInspect): boolean {
  return (
    inspect.state.status === 'exited' || inspect.state.status === 'created' || inspect.state.status === 'dead'
  );
}

/** What undoing a stop needs. */
export type StoppedContainer = {
  containerId: string;
  name: string;
  stoppedAt: number;
  notBefore?: number;
  forGood?: boolean;
};

/**
 * Starts a container that recovery stopped, unless somebody else has seen to it meanwhile (started or removed it). The record is
 * marked as undone in every case but a failed start.
 */
export async function startAgain(deps: RecoveryDeps, action: Action, why: string): Promise<Attempt> {
  const undo = action.undo as StoppedContainer | undefined;
  const { db } = deps.store;
  const now = deps.system.clock.now();
  if (!undo) return { done: 'obsolete', text: 'nothing to undo' };
  const inspect = await inspectOrGone(deps, undo.containerId);
  if (!inspect || !isDown(inspect)) {
    const text = inspect
      ? `${undo.name} is running again: somebody else started it`
      : `${undo.name} was removed meanwhile`;
    if (!deps.dryRun) markUndone(db, action.id, text, now);
    deps.say({ severity: 'info', rule: action.rule, target: action.target, text, telegram: false });
    return { done: 'obsolete', text };
  }
  if (deps.dryRun) {
    const text = `Would start ${undo.name} again (${why})`;
    deps.say({ severity: 'info', rule: action.rule, target: action.target, text, telegram: false });
    return { done: 'shadow', text };
  }
  const id = recordAction(db, {
    rule: action.rule,
    target: action.target,
    what: 'start-container',
    why,
    state: 'running',
    startedAt: now,
  });
  try {
    await deps.system.docker.start(undo.containerId);
    await deps.system.clock.sleep(2000);
    const after = await inspectOrGone(deps, undo.containerId);
    const running = after?.state.status === 'running';
    const text = running
      ? `${undo.name} runs again; it had been stopped at ${formatTime(undo.stoppedAt)}`
      : `${undo.name} was started and is ${after?.state.status ?? 'gone'} now`;
    tellStart(deps, id, action, running, text, why);
    return running ? { done: 'worked', id, text } : { done: 'failed', id, text };
  } catch (error) {
    const text = `${undo.name} could not be started: ${errorText(error)}`;
    tellStart(deps, id, action, false, text, why);
    return { done: 'failed', id, text };
  }
}

function tellStart(
  deps: RecoveryDeps,
  id: number,
  stopped: Action,
  worked: boolean,
  text: string,
  why: string,
): void {
  const at = deps.system.clock.now();
  finishAction(deps.store.db, id, { state: worked ? 'worked' : 'failed', result: text, at });
  if (worked) markUndone(deps.store.db, stopped.id, text, at);
  deps.say({
    severity: worked ? 'info' : 'warning',
    rule: stopped.rule,
    target: stopped.target,
    text: worked ? `Undone: ${text}` : `Failed: ${text}`,
    details: [`Why: ${why}`],
    telegram: true,
  });
}
