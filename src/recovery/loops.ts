import type { Action } from '../model/action.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { formatBytes, formatDuration, formatTime, maskSecrets, plain } from '../model/text.ts';
import { actionsToUndo, listActions, markUndone } from '../store/actions.ts';
import { recall, remember } from '../store/memory.ts';
import type { DockerInspect } from '../system/types.ts';
import { attempt } from './attempt.ts';
import {
  GRACE_SEC,
  inspectOrGone,
  isDown,
  isEssential,
  startAgain,
  type StoppedContainer,
} from './containers.ts';
import { settleStop } from './swap.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** After this many restarts nothing more is tried: the container is stopped, and a person is told. */
const GIVE_UP_AFTER = 10;
/** The pauses between tries grow: 5, 10, 20, 40 minutes. */
const FIRST_PAUSE_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 40 * 60_000;
const LOG_LINES = 8;
const SEEN_KEY = 'recovery-restart-counts';

/**
 * Restart loops: out of memory raises the limit by half where the host has room; anything else is paused, longer each time,
 * and stopped for good after ten restarts, with its last words.
 */
export const loopsRule: RecoveryRule = { id: 'loops', run: runLoops, undo: undoLoops, settle: settleLoops };

type Loop = { container: ContainerInfo; inspect: DockerInspect; recent: number; why: string };

async function runLoops(deps: RecoveryDeps): Promise<RuleResult> {
  const snapshot = await deps.look(['host', 'docker', 'oom']);
  const { docker, host, oom } = snapshot.readings;
  if (docker.state !== 'ok')
    return { rule: 'loops', found: `containers cannot be read: ${docker.why}`, attempts: [] };
  const attempts: Attempt[] = await endPauses(deps);
  const loops = await findLoops(deps, docker.value.containers);
  const kills = oom.state === 'ok' ? oom.value.kills : [];
  for (const loop of loops) {
    const since = deps.system.clock.now() - 10 * 60_000;
    const forMemory =
      loop.inspect.state.oomKilled ||
      (await sawOomEvent(deps, loop.inspect.id)) ||
      kills.some((k) => k.containerId === loop.inspect.id && k.at >= since);
    const available = host.state === 'ok' ? host.value.memory.availableBytes : 0;
    const total = host.state === 'ok' ? host.value.memory.totalBytes : 0;
    const raise = forMemory ? raiseStep(deps, loop, available, total) : undefined;
    if (raise && 'step' in raise) attempts.push(await attempt(deps, raise.step));
    else attempts.push(await stopLoop(deps, loop, raise?.noRoom));
  }
  const names = loops.map((loop) => plain(loop.container.name, 60)).join(', ');
  return {
    rule: 'loops',
    found: loops.length === 0 ? 'no restart loop' : `restart loop: ${names}`,
    attempts,
  };
}

/** More than RESTART_LOOP_COUNT restarts within RESTART_LOOP_MINUTES: as the engine's events say, or the counts since the last run. */
async function findLoops(deps: RecoveryDeps, containers: ContainerInfo[]): Promise<Loop[]> {
  const { RESTART_LOOP_COUNT, RESTART_LOOP_MINUTES } = deps.config.settings;
  const windowMs = RESTART_LOOP_MINUTES * 60_000;
  const now = deps.system.clock.now();
  const seen = recall<Record<string, { count: number; at: number }>>(deps.store.db, SEEN_KEY) ?? {};
  const starts = await startsSince(deps, now - windowMs);
  const loops: Loop[] = [];
  const next: typeof seen = {};
  for (const container of containers) {
    next[container.id] = { count: container.restartCount, at: now };
    const before = seen[container.id];
    // The timer's own period is the window; with a tenth more for its jitter.
    const delta =
      before && now - before.at <= windowMs * 1.1 && now >= before.at
        ? container.restartCount - before.count
        : 0;
    const fresh =
      container.startedAt !== undefined && now - container.startedAt < windowMs
        ? countIfYoung(container, now, windowMs)
        : 0;
    const recent = Math.max(container.restartsLast5Min, starts.get(container.id) ?? 0, delta, fresh);
    if (recent <= RESTART_LOOP_COUNT || isGone(container)) continue;
    const inspect = await inspectOrGone(deps, container.id);
    if (!inspect || isDown(inspect)) continue;
    loops.push({
      container,
      inspect,
      recent,
      why: `${recent} restarts within ${RESTART_LOOP_MINUTES} minutes, last exit code ${inspect.state.exitCode}`,
    });
  }
  if (!deps.dryRun) remember(deps.store.db, SEEN_KEY, next, now);
  return loops;
}

function isGone(container: ContainerInfo): boolean {
  return container.state === 'exited' || container.state === 'dead' || container.state === 'removing';
}

/** A container that was created within the window did all its restarts in it. */
function countIfYoung(container: ContainerInfo, now: number, windowMs: number): number {
  return container.createdAt !== undefined && now - container.createdAt < windowMs
    ? container.restartCount
    : 0;
}

/** Starts by the engine since then, per container; its memory reaches back 256 events, so this may be too few, never too many. */
async function startsSince(deps: RecoveryDeps, since: number): Promise<Map<string, number>> {
  const deaths = new Set<string>();
  const starts = new Map<string, number>();
  const { clock, docker } = deps.system;
  const signal = AbortSignal.timeout(5000);
  try {
    await docker.events({
      since: BigInt(Math.floor(since)) * 1_000_000n,
      until: BigInt(Math.floor(clock.now())) * 1_000_000n,
      signal,
      onEvent(event) {
        if (event.action === 'die') deaths.add(event.id);
        else if (event.action === 'start' && deaths.has(event.id))
          starts.set(event.id, (starts.get(event.id) ?? 0) + 1);
      },
    });
  } catch {
    // Without events the counts since the last run have to do.
  }
  return starts;
}

async function sawOomEvent(deps: RecoveryDeps, id: string): Promise<boolean> {
  const { clock, docker } = deps.system;
  let seen = false;
  try {
    await docker.events({
      since: BigInt(Math.floor(clock.now() - 10 * 60_000)) * 1_000_000n,
      until: BigInt(Math.floor(clock.now())) * 1_000_000n,
      signal: AbortSignal.timeout(5000),
      onEvent(event) {
        if (event.id === id && event.action === 'oom') seen = true;
      },
    });
  } catch {
    return seen;
  }
  return seen;
}

/** The host must keep this much after the raise: a tenth of its memory, at least 128 MB. */
function spare(total: number): number {
  return Math.max(128 * 1_048_576, total / 10);
}

type MemoryLimits = { containerId: string; memory: number; memorySwap: number };

function raiseStep(
  deps: RecoveryDeps,
  loop: Loop,
  available: number,
  total: number,
): { step: Step } | { noRoom: string } {
  const { memory, memorySwap } = loop.inspect.hostConfig;
  const name = loop.container.name;
  if (memory <= 0) return { noRoom: 'it has no limit of its own: the whole server is out of memory' };
  // Whole pages, as the kernel counts.
  const wanted = Math.floor((memory * 1.5) / 4096) * 4096;
  const extra = wanted - memory;
  if (available - extra < spare(total)) {
    return {
      noRoom: `raising its limit of ${formatBytes(memory)} by half needs ${formatBytes(extra)}, and the server has ${formatBytes(available)} available`,
    };
  }
  // Both are always sent: the engine refuses a limit above the stored memory+swap.
  const wantedSwap =
    memorySwap < 0 ? -1 : memorySwap > 0 ? wanted + Math.max(0, memorySwap - memory) : wanted * 2;
  const undo: MemoryLimits = {
    containerId: loop.inspect.id,
    memory,
    memorySwap: memorySwap === 0 ? memory * 2 : memorySwap,
  };
  return {
    step: {
      rule: 'loops',
      target: name,
      what: 'raise-limit',
      words: `raise the memory limit of ${name} from ${formatBytes(memory)} to ${formatBytes(wanted)}`,
      why: `killed for memory: ${loop.why}`,
      undoHint: `\`vpsmon recover undo\` sets it back to ${formatBytes(memory)}; write the new limit into your Compose file, or it is lost with the next deploy`,
      undo: { ...undo },
      async obsolete() {
        const inspect = await inspectOrGone(deps, loop.inspect.id);
        if (!inspect) return `${name} is gone`;
        return inspect.hostConfig.memory === memory
          ? undefined
          : `somebody else set its limit to ${formatBytes(inspect.hostConfig.memory)}`;
      },
      run: () => deps.system.docker.updateMemory(loop.inspect.id, wanted, wantedSwap),
      async verify() {
        const inspect = await inspectOrGone(deps, loop.inspect.id);
        const worked = inspect?.hostConfig.memory === wanted;
        return {
          worked,
          text: worked
            ? `The limit of ${name} is ${formatBytes(wanted)} now`
            : `the limit of ${name} is ${formatBytes(inspect?.hostConfig.memory ?? 0)}`,
        };
      },
    },
  };
}

/** Pauses the loop, or ends it for good after ten restarts. Essential containers are only spoken about. */
async function stopLoop(deps: RecoveryDeps, loop: Loop, noRoom: string | undefined): Promise<Attempt> {
  const { container, inspect } = loop;
  const name = container.name;
  const now = deps.system.clock.now();
  const why = noRoom ? `killed for memory: ${loop.why}; ${noRoom}` : loop.why;
  const words = await lastWords(deps, inspect.id);
  if (isEssential(container, deps.config)) {
    const text = `${name} keeps restarting (${why}). It is essential, so it is not stopped: a person is needed`;
    deps.say({
      severity: 'critical',
      rule: 'loops',
      target: name,
      text,
      details: words,
      telegram: !deps.dryRun && deps.firstIn(`loops:${name}:essential`, 3_600_000),
    });
    return { done: 'obsolete', text };
  }
  const pauses = listActions(deps.store.db, now - 24 * 3_600_000).filter(
    (a) => a.what === 'pause-loop' && a.target === name && a.state !== 'would-do',
  );
  const restarts = inspect.restartCount + pauses.reduce((sum, a) => sum + Number(a.undo?.restarts ?? 0), 0);
  const forGood = restarts >= GIVE_UP_AFTER;
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses.length);
  const undo: StoppedContainer & { restarts: number } = {
    containerId: inspect.id,
    name,
    stoppedAt: now,
    restarts: inspect.restartCount,
    ...(forGood ? { forGood: true } : { notBefore: now + pauseMs }),
  };
  return attempt(deps, {
    rule: 'loops',
    target: name,
    what: forGood ? 'stop-loop' : 'pause-loop',
    words: forGood
      ? `stop ${name}, which restarted ${restarts} times and cannot be helped`
      : `stop ${name} for ${formatDuration(pauseMs)} (try ${pauses.length + 1})`,
    why,
    undoHint: forGood
      ? `mend it, then \`docker start ${name}\` or \`vpsmon recover undo\``
      : `it is started again at ${formatTime(now + pauseMs)}; \`vpsmon recover undo\` does so now`,
    undo: { ...undo },
    details: words,
    async obsolete() {
      const again = await inspectOrGone(deps, inspect.id);
      return !again || isDown(again) ? `${name} does not run any more` : undefined;
    },
    run: () => deps.system.docker.stop(inspect.id, GRACE_SEC),
    async verify() {
      const after = await inspectOrGone(deps, inspect.id);
      const worked = !after || isDown(after);
      return {
        worked,
        text: worked
          ? `${name} is stopped${forGood ? ' and stays so' : ''}`
          : `${name} is still ${after.state.status}`,
      };
    },
  });
}

async function lastWords(deps: RecoveryDeps, id: string): Promise<string[]> {
  try {
    const lines = await deps.system.docker.logs(id, LOG_LINES);
    return lines.length > 0
      ? ['Its last log lines:', ...lines.map((line) => maskSecrets(plain(line, 300)))]
      : ['It logged nothing.'];
  } catch {
    return [];
  }
}

/** Starts what was paused and whose pause is over. */
async function endPauses(deps: RecoveryDeps): Promise<Attempt[]> {
  const now = deps.system.clock.now();
  const attempts: Attempt[] = [];
  for (const action of actionsToUndo(deps.store.db, 'loops')) {
    const undo = action.undo as Partial<StoppedContainer> | undefined;
    if (action.what !== 'pause-loop' || undo?.notBefore === undefined || action.state === 'running') continue;
    // A clock set back must not make the pause longer than it was meant.
    const longest = (undo.stoppedAt ?? 0) + LONGEST_PAUSE_MS;
    if (now < undo.notBefore && undo.notBefore <= longest && now >= (undo.stoppedAt ?? 0)) continue;
    attempts.push(await startAgain(deps, action, 'the pause is over'));
  }
  return attempts;
}

async function undoLoops(deps: RecoveryDeps): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  for (const action of actionsToUndo(deps.store.db, 'loops')) {
    attempts.push(
      action.what === 'raise-limit'
        ? await lowerAgain(deps, action)
        : await startAgain(deps, action, 'asked for by hand'),
    );
  }
  return { rule: 'loops', found: `${attempts.length} changed containers`, attempts };
}

/** Sets the old limit again, but never one that the container is above: on cgroup v2 that would kill it. */
async function lowerAgain(deps: RecoveryDeps, action: Action): Promise<Attempt> {
  const undo = action.undo as MemoryLimits;
  const { db } = deps.store;
  const now = deps.system.clock.now();
  const done = (text: string, result: Attempt): Attempt => {
    if (!deps.dryRun) markUndone(db, action.id, text, now);
    return result;
  };
  const inspect = await inspectOrGone(deps, undo.containerId);
  if (!inspect)
    return done('gone', {
      done: 'obsolete',
      text: `${action.target} was removed or deployed anew meanwhile`,
    });
  const snapshot = await deps.look(['docker']);
  const { docker } = snapshot.readings;
  const used =
    docker.state === 'ok'
      ? docker.value.containers.find((c) => c.id === undo.containerId)?.memory?.workingSetBytes
      : undefined;
  if (inspect.state.status === 'running' && (used === undefined || used > undo.memory * 0.8)) {
    const text = `${action.target} uses ${used === undefined ? 'an unknown amount' : formatBytes(used)}: too close to the old limit of ${formatBytes(undo.memory)} to set it again`;
    deps.say({ severity: 'warning', rule: 'loops', target: action.target, text, telegram: false });
    return { done: 'obsolete', text };
  }
  const text = `the memory limit of ${action.target} is ${formatBytes(undo.memory)} again`;
  if (deps.dryRun) {
    deps.say({
      severity: 'info',
      rule: 'loops',
      target: action.target,
      text: `Would undo: ${text}`,
      telegram: false,
    });
    return { done: 'shadow', text };
  }
  await deps.system.docker.updateMemory(undo.containerId, undo.memory, undo.memorySwap);
  deps.say({
    severity: 'info',
    rule: 'loops',
    target: action.target,
    text: `Undone: ${text}`,
    telegram: true,
  });
  return done(text, { done: 'worked', id: action.id, text });
}

async function settleLoops(
  deps: RecoveryDeps,
  action: Action,
): Promise<{ worked: boolean | undefined; text: string }> {
  if (action.what !== 'raise-limit') return settleStop(deps, action);
  const undo = action.undo as MemoryLimits;
  const inspect = await inspectOrGone(deps, undo.containerId);
  if (!inspect) return { worked: false, text: `the run was interrupted, and ${action.target} is gone` };
  const raised = inspect.hostConfig.memory > undo.memory;
  return {
    worked: raised,
    text: raised
      ? `the run was interrupted; the limit is ${formatBytes(inspect.hostConfig.memory)}`
      : 'the run was interrupted before the limit was raised',
  };
}
