import { isEssential } from '../discovery/essential.ts';
import { ageMs, type Action } from '../model/action.ts';
import { secretsFromEnv } from '../model/secret-patterns.ts';
import { formatDuration, formatTime, maskSecrets, plain } from '../model/text.ts';
import { actionsToUndo, recentActions } from '../store/actions.ts';
import type { DockerInspect } from '../system/types.ts';
import { attempt, needPerson } from './attempt.ts';
import {
  inspectOrGone,
  isDown,
  outcomeOfContainer,
  startAgainStep,
  stopping,
  withoutContainers,
  type StoppedContainer,
} from './containers.ts';
import { findLoops, type Loop } from './loops-find.ts';
import { lowerStep, raiseStep, outcomeOfLimit } from './loops-memory.ts';
import type { Attempt, Outcome, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** After this many restarts nothing more is tried: the container is stopped, and a person is asked for. */
const GIVE_UP_AFTER = 10;
/** The pauses between tries grow: 5, 10, 20, 40 minutes. */
const FIRST_PAUSE_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 40 * 60_000;
const DAY_MS = 24 * 3_600_000;
const LOG_LINES = 8;

/** Every run of all the rules has this one. */
const WITHOUT_DOCKER =
  ', and no container to look after: recovery has the queue of an n8n (N8N_URL) and the sessions of a WAHA (WAHA_URL) only';

/** What undoing a pause needs. Without `pauseMs` the container is stopped for good. */
type Paused = StoppedContainer & { restarts: number; pauseMs?: number };

/**
 * Restart loops: out of memory raises the limit by half where the host has room; anything else is paused, longer each time,
 * and stopped for good after ten restarts, with its last log lines.
 */
export const loopsRule: RecoveryRule = {
  id: 'loops',
  run: runLoops,
  undo: undoLoops,
  outcomeOf: outcomeOfLoops,
};

async function runLoops(deps: RecoveryDeps): Promise<RuleResult> {
  const { docker, host, oom } = (await deps.look(['host', 'docker', 'oom'])).readings;
  if (docker.state !== 'ok') {
    const blind = docker.state === 'failed';
    const what = withoutContainers(docker) + (blind ? '' : WITHOUT_DOCKER);
    return { rule: 'loops', found: what, attempts: [], blind };
  }
  const attempts = await endPauses(deps);
  const loops = await findLoops(deps, docker.value.containers, oom);
  for (const loop of loops) {
    const raise = loop.forMemory
      ? raiseStep(deps, loop, host.state === 'ok' ? host.value : undefined)
      : undefined;
    if (raise && 'step' in raise) attempts.push(await attempt(deps, raise.step));
    else attempts.push(await endLoop(deps, loop, raise?.not));
  }
  const names = loops.map((loop) => plain(loop.container.name, 60)).join(', ');
  const found = loops.length === 0 ? 'no restart loop' : `restart loop: ${names}`;
  return { rule: 'loops', found, attempts };
}

/** Pauses the loop, or stops it for good after ten restarts. Essential containers are only spoken about. */
async function endLoop(deps: RecoveryDeps, loop: Loop, noRaise: string | undefined): Promise<Attempt> {
  const { container, inspect } = loop;
  const why = noRaise ? `killed for memory: ${loop.why}; ${noRaise}` : loop.why;
  const logs = await lastWords(deps, inspect);
  if (isEssential(container, deps.config, inspect)) return reportEssential(deps, loop, why, logs);
  return attempt(deps, stopStep(deps, loop, why, logs));
}

function reportEssential(deps: RecoveryDeps, { container }: Loop, why: string, logs: string[]): Attempt {
  const name = plain(container.name, 60);
  const text = `${name} keeps restarting. It is ${container.self ? 'vpsmon itself' : 'essential'}, so it is not stopped: a person is needed`;
  return needPerson(deps, `loops:${container.name}:essential`, 3_600_000, {
    severity: 'critical',
    rule: 'loops',
    target: container.name,
    text,
    details: [`Why: ${why}`],
    logs,
  });
}

function stopStep(deps: RecoveryDeps, { container, inspect }: Loop, why: string, logs: string[]): Step {
  const name = plain(container.name, 60);
  const now = deps.moment();
  const before = recentActions(deps.store.db, DAY_MS, now).filter(
    (a) => a.what === 'pause-loop' && a.undo?.['containerId'] === inspect.id,
  );
  const restarts =
    inspect.restartCount + before.reduce((sum, a) => sum + Number(a.undo?.['restarts'] ?? 0), 0);
  const forGood = restarts >= GIVE_UP_AFTER;
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** before.length);
  const undo: Paused = {
    containerId: inspect.id,
    name: container.name,
    restarts: inspect.restartCount,
    ...(forGood ? {} : { pauseMs }),
  };
  return {
    rule: 'loops',
    target: container.name,
    what: forGood ? 'stop-loop' : 'pause-loop',
    words: forGood
      ? `stop ${name}, which restarted ${restarts} times and cannot be helped`
      : `stop ${name} for ${formatDuration(pauseMs)} (pause ${before.length + 1})`,
    why,
    undoHint: forGood
      ? `a person is needed: mend it, then \`docker start ${name}\` or \`vpsmon recover undo\``
      : `it is started again after ${formatTime(now.at + pauseMs)}; \`vpsmon recover undo\` does so now`,
    severity: forGood ? 'critical' : 'warning',
    undo: { ...undo },
    logs,
    async obsolete() {
      const again = await inspectOrGone(deps, inspect.id);
      return !again || isDown(again) ? `${name} does not run any more` : undefined;
    },
    ...stopping(deps, undo, forGood ? ' and stays so' : ''),
  };
}

async function lastWords(deps: RecoveryDeps, { id, env }: DockerInspect): Promise<string[]> {
  try {
    const lines = await deps.system.docker.logs(id, LOG_LINES);
    return lines.map((line) => maskSecrets(plain(line, 300), secretsFromEnv(env)));
  } catch {
    return [];
  }
}

/** Starts what was paused and whose pause is over. */
async function endPauses(deps: RecoveryDeps): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (const action of actionsToUndo(deps.store.db, 'loops')) {
    const { pauseMs } = (action.undo ?? {}) as Partial<Paused>;
    if (action.what !== 'pause-loop' || pauseMs === undefined) continue;
    if (ageMs(action, deps.moment()) < pauseMs) continue;
    const why = `the pause of ${formatDuration(pauseMs)} is over`;
    attempts.push(await attempt(deps, await startAgainStep(deps, action, { why })));
  }
  return attempts;
}

/** The newest first: of two raises, the second one is taken back before the first. */
async function undoLoops(deps: RecoveryDeps, only?: ReadonlySet<number>): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  const changed = actionsToUndo(deps.store.db, 'loops', only).toReversed();
  const stillRaised = new Set<unknown>();
  for (const action of changed) {
    if (action.what !== 'raise-limit') {
      const step = await startAgainStep(deps, action, { why: 'asked for by hand', byHand: true });
      attempts.push(await attempt(deps, step));
      continue;
    }
    const id = action.undo?.['containerId'];
    // The first raise can only be seen when the second one is gone: until then its limit looks like somebody else's.
    if (stillRaised.has(id)) continue;
    attempts.push(await attempt(deps, await lowerStep(deps, action)));
    if (actionsToUndo(deps.store.db, 'loops').some((open) => open.id === action.id)) stillRaised.add(id);
  }
  return { rule: 'loops', found: `${changed.length} stopped or changed by recovery`, attempts };
}

async function outcomeOfLoops(deps: RecoveryDeps, action: Action): Promise<Outcome> {
  if (action.what === 'raise-limit' || action.what === 'lower-limit') {
    const raise = actionsToUndo(deps.store.db, 'loops').find(({ id }) => action.undoes?.includes(id));
    return outcomeOfLimit(deps, action, raise);
  }
  return outcomeOfContainer(deps, action);
}
