import type { Action } from '../model/action.ts';
import { plain } from '../model/text.ts';
import { attempt } from './attempt.ts';
import {
  ENDS_WITHIN_MS,
  GRACE_SEC,
  inspectOrGone,
  isDown,
  isRefusal,
  onceSeen,
  outcomeOfContainer,
  STAYS_UP_MS,
  stopping,
  withoutContainers,
} from './containers.ts';
import type { DockerInspect } from '../system/types.ts';
import type { Outcome, RecoveryDeps, RuleResult, Step } from './types.ts';

/**
 * Stops or restarts the container of this name because a person asked for it, with recovery's walls: never the one vpsmon runs in, and no
 * more often than the budgets allow. Recorded like every other action; done where ENABLE_AUTO_RECOVERY is false, too.
 */
export async function containerByHand(
  deps: RecoveryDeps,
  what: 'restart' | 'stop',
  name: string,
  reason: string,
): Promise<RuleResult> {
  const no = (found: string): RuleResult => ({ rule: 'hand', found, attempts: [], failed: true });
  if (name === '')
    return no(`nothing was done: the name of a container is needed, like \`${what}-container web\``);
  const { docker } = (await deps.look(['docker'])).readings;
  if (docker.state !== 'ok') return no(`nothing was done: ${withoutContainers(docker)}`);
  const container = docker.value.containers.find((one) => one.name === name);
  if (!container) return no(`nothing was done: there is no container ${plain(name, 60)}`);
  if (container.self) return no(`nothing was done: vpsmon itself runs in ${plain(name, 60)}`);
  const { id } = container;
  const shown = plain(name, 60);
  const step: Step = {
    rule: 'hand',
    target: name,
    what: `${what}-container`,
    words: `${what} ${shown}`,
    why: plain(reason, 200) || 'asked for by hand',
    byHand: true,
    limited: true,
    quiet: true,
    async obsolete() {
      const inspect = await inspectOrGone(deps, id);
      if (!inspect) return `${shown} is gone`;
      return what === 'stop' && isDown(inspect) ? { over: `${shown} is stopped already` } : undefined;
    },
    ...(what === 'stop' ? stopping(deps, { containerId: id, name }, '') : restarting(deps, id, shown)),
  };
  return { rule: 'hand', found: `asked for by hand: ${step.why}`, attempts: [await attempt(deps, step)] };
}

function restarting(deps: RecoveryDeps, id: string, shown: string): Pick<Step, 'run' | 'verify'> {
  const { docker, clock } = deps.system;
  let before: number | undefined;
  /** How long it may take until it runs anew: a Docker that did not answer may be at it still. */
  let withinMs = 0;
  return {
    async run() {
      before = (await inspectOrGone(deps, id).catch(() => undefined))?.state.startedAt;
      try {
        await docker.restart(id, GRACE_SEC);
      } catch (error) {
        if (!isRefusal(error)) withinMs = ENDS_WITHIN_MS;
        throw error;
      }
    },
    async verify(ran) {
      if (ran) await clock.sleep(STAYS_UP_MS);
      const isAnew = ({ state }: DockerInspect) =>
        state.status === 'running' && (ran || (before !== undefined && state.startedAt !== before));
      const inspect = await onceSeen(deps, id, withinMs, isAnew);
      if (!inspect) return { worked: false, text: `${shown} is gone` };
      if (isAnew(inspect)) return { worked: true, text: `${shown} runs again` };
      const { status } = inspect.state;
      const how = status === 'running' ? 'runs, and was not restarted' : `is ${status} now`;
      return { worked: false, text: `${shown} ${how}` };
    },
  };
}

/** A stop or restart by hand was begun and its process died. Whether one that runs was restarted cannot be seen. */
export async function outcomeByHand(deps: RecoveryDeps, { what, target }: Action): Promise<Outcome> {
  if (what === 'stop-container') return outcomeOfContainer(deps, { what, target });
  const inspect = await inspectOrGone(deps, target);
  return { worked: undefined, text: `${plain(target, 60)} is ${inspect?.state.status ?? 'gone'} now` };
}
