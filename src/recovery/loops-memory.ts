import type { Action } from '../model/action.ts';
import { totalBytes } from '../model/container-memory.ts';
import type { HostValues } from '../model/snapshot.ts';
import { formatBytes, plain } from '../model/text.ts';
import { recentActions } from '../store/actions.ts';
import { inspectOrGone, namesNow } from './containers.ts';
import type { Loop } from './loops-find.ts';
import type { Obsolete, Outcome, RecoveryDeps, Step } from './types.ts';

const DAY_MS = 24 * 3_600_000;
/** One and a half times one and a half: what still dies of memory then leaks, and more would only take longer. */
const MOST_RAISES = 2;
/** Lowering the limit to just above what is used would kill the container with its next request. */
const LOWER_BELOW = 0.8;

const MOST_TRIES = 5;
const TRY_AGAIN_MS = 300;

/** What undoing a raise needs, in bytes as Docker counts them: memorySwap is both together, -1 unlimited. */
type MemoryLimits = {
  containerId: string;
  memory: number;
  memorySwap: number;
  raisedTo: number;
  /** How often it had restarted when it was raised. */
  restarts: number;
};

/** A step that raises the limit of a container by half, or why that is not possible. */
export function raiseStep(
  deps: RecoveryDeps,
  loop: Loop,
  host: HostValues | undefined,
): { step: Step } | { not: string } {
  const { memory, memorySwap } = loop.inspect.hostConfig;
  const { id } = loop.inspect;
  if (memory <= 0) return { not: 'it has no limit of its own: the whole server was out of memory' };
  const raises = recentActions(deps.store.db, DAY_MS, deps.moment()).filter(
    (a) => a.what === 'raise-limit' && a.undo?.['containerId'] === id && a.state !== 'failed',
  );
  if (raises.length >= MOST_RAISES)
    return { not: `its limit was raised ${raises.length} times, and that did not help` };
  // Whole pages, as the kernel counts.
  const wanted = Math.floor((memory * 1.5) / 4096) * 4096;
  const why = whyNoMemory(loop, memory, wanted, host);
  if (why !== undefined) return { not: why };
  const name = plain(loop.container.name, 60);
  const undo: MemoryLimits = {
    containerId: id,
    memory,
    memorySwap: memorySwap === 0 ? memory * 2 : memorySwap,
    raisedTo: wanted,
    restarts: loop.inspect.restartCount,
  };
  return {
    step: {
      rule: 'loops',
      target: loop.container.name,
      what: 'raise-limit',
      words: `raise the memory limit of ${name} from ${formatBytes(memory)} to ${formatBytes(wanted)}`,
      why: `killed for memory: ${loop.why}`,
      undoHint: `\`vpsmon recover undo\` sets it back to ${formatBytes(memory)}; write the new limit into your Compose file, or it is lost with the next deploy`,
      undo: { ...undo },
      async obsolete() {
        const inspect = await inspectOrGone(deps, id);
        if (!inspect) return `${name} is gone`;
        return inspect.hostConfig.memory === memory
          ? undefined
          : `somebody else set its limit to ${formatBytes(inspect.hostConfig.memory)}`;
      },
      run: () => setLimits(deps, id, wanted, swapFor(memory, memorySwap, wanted), host),
      verify: () => limitIs(deps, id, name, wanted, 'now'),
    },
  };
}

/** The host must keep a tenth of its memory, at least 128 MB, when the container has taken all that it may. */
function whyNoMemory(
  loop: Loop,
  memory: number,
  wanted: number,
  host: HostValues | undefined,
): string | undefined {
  if (!host) return 'how much memory the server has left cannot be read';
  const { availableBytes, totalBytes } = host.memory;
  // A container that is down at this moment holds nothing of what it had.
  const needs = wanted - Math.min(memory, loop.container.memory?.workingSetBytes ?? 0);
  if (availableBytes - needs >= Math.max(128 * 1_048_576, totalBytes / 10)) return undefined;
  return `raising its limit of ${formatBytes(memory)} by half would take up to ${formatBytes(needs)}, and the server has ${formatBytes(availableBytes)} available`;
}

/** As much swap as before. 0: the engine's default, as much swap as memory. */
function swapFor(memory: number, memorySwap: number, wanted: number): number {
  if (memorySwap < 0) return -1;
  return memorySwap === 0 ? wanted * 2 : wanted + Math.max(0, memorySwap - memory);
}

/**
 * Both are always sent: the engine refuses a limit above the stored memory+swap. What dies again and again is often caught between two
 * lives; the engine refuses then (500) what it takes a moment later. On cgroup v1 it never takes -1 with a raise.
 */
async function setLimits(
  deps: RecoveryDeps,
  id: string,
  memory: number,
  memorySwap: number,
  host: HostValues | undefined,
): Promise<void> {
  const { docker, clock } = deps.system;
  for (let tries = 1; ; tries += 1) {
    try {
      return await docker.updateMemory(id, memory, memorySwap);
    } catch (error) {
      if ((error as { status?: number }).status !== 500) throw error;
      if (tries === MOST_TRIES) {
        if (memorySwap !== -1) throw error;
        return docker.updateMemory(id, memory, memory + (host?.swap.totalBytes ?? memory));
      }
    }
    await clock.sleep(TRY_AGAIN_MS);
  }
}

async function limitIs(
  deps: RecoveryDeps,
  id: string,
  name: string,
  wanted: number,
  when: 'now' | 'again',
): Promise<Outcome> {
  const inspect = await inspectOrGone(deps, id);
  if (!inspect) return { worked: false, text: `${name} is gone` };
  const { memory } = inspect.hostConfig;
  return memory === wanted
    ? { worked: true, text: `the limit of ${name} is ${formatBytes(wanted)} ${when}` }
    : { worked: false, text: `the limit of ${name} is ${formatBytes(memory)}` };
}

/** Why a limit that recovery raised is not its doing any more; undefined while it is. */
export async function noLongerRaised(
  deps: RecoveryDeps,
  raised: Action,
): Promise<{ over: string } | undefined> {
  const { containerId, raisedTo } = raised.undo as MemoryLimits;
  const inspect = await inspectOrGone(deps, containerId);
  if (!inspect) return { over: `${plain(raised.target, 60)} was removed or deployed anew meanwhile` };
  return inspect.hostConfig.memory === raisedTo
    ? undefined
    : { over: `somebody else set its limit to ${formatBytes(inspect.hostConfig.memory)}` };
}

/** By hand: sets the old limit again, but never one that the container is close to: on cgroup v2 that would kill it. */
export async function lowerStep(deps: RecoveryDeps, raised: Action): Promise<Step> {
  const { containerId, memory, memorySwap } = raised.undo as MemoryLimits;
  const { target, name } = await namesNow(deps, raised);
  return {
    rule: 'loops',
    target,
    what: 'lower-limit',
    words: `set the memory limit of ${name} back to ${formatBytes(memory)}`,
    why: 'asked for by hand',
    byHand: true,
    undoes: [raised.id],
    async obsolete(): Promise<Obsolete> {
      const over = await noLongerRaised(deps, raised);
      if (over !== undefined) return over;
      const inspect = await inspectOrGone(deps, containerId);
      if (!inspect || inspect.state.pid === 0) return undefined;
      const { docker } = (await deps.look(['docker'])).readings;
      const now =
        docker.state === 'ok' ? docker.value.containers.find((c) => c.id === containerId) : undefined;
      const used = now?.memory && totalBytes(now.memory);
      if (used !== undefined && used <= memory * LOWER_BELOW) return undefined;
      return `${name} uses ${used === undefined ? 'an unknown amount' : formatBytes(used)}: too close to the old limit of ${formatBytes(memory)} to set it again; stop it first`;
    },
    run: () => setLimits(deps, containerId, memory, memorySwap, undefined),
    verify: () => limitIs(deps, containerId, name, memory, 'again'),
  };
}

/** A change of a limit was begun and the process died. */
export async function outcomeOfLimit(
  deps: RecoveryDeps,
  action: Action,
  raise: Action | undefined,
): Promise<Outcome> {
  const limits = (action.undo ?? raise?.undo) as MemoryLimits | undefined;
  const name = plain(action.target, 60);
  if (!limits) return { worked: undefined, text: 'what it did is not known' };
  const wanted = action.undo ? limits.raisedTo : limits.memory;
  return limitIs(deps, limits.containerId, name, wanted, action.undo ? 'now' : 'again');
}
