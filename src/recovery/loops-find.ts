import * as v from 'valibot';
import { Finite } from '../model/shapes.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Readings } from '../model/sources.ts';
import type { Action, Moment } from '../model/action.ts';
import { recentActions } from '../store/actions.ts';
import { endedIncidents, openIncidents } from '../store/incidents.ts';
import { recall, remember } from '../store/memory.ts';
import type { DockerInspect } from '../system/types.ts';
import { inspectOrGone, isDown } from './containers.ts';
import type { RecoveryDeps } from './types.ts';

const SEEN_KEY = 'recovery-restart-counts';
/** A kill for memory that is older says nothing about this loop. */
const KILLS_WITHIN_MS = 10 * 60_000;

export type Loop = {
  container: ContainerInfo;
  inspect: DockerInspect;
  /** The kernel killed a process of it for memory within the last minutes. */
  forMemory: boolean;
  why: string;
};
const Seen = v.object({ boot: v.string(), uptimeMs: Finite, counts: v.record(v.string(), Finite) });
type Seen = v.InferOutput<typeof Seen>;

/** Containers with more than RESTART_LOOP_COUNT restarts within RESTART_LOOP_MINUTES that are still at it. */
export async function findLoops(
  deps: RecoveryDeps,
  containers: ContainerInfo[],
  oom: Readings['oom'],
): Promise<Loop[]> {
  const { RESTART_LOOP_COUNT, RESTART_LOOP_MINUTES } = deps.config.settings;
  const windowMs = RESTART_LOOP_MINUTES * 60_000;
  const now = deps.moment();
  const seen = recall(deps.store.db, SEEN_KEY, Seen);
  const events = await readEvents(deps, now, windowMs);
  const killed = new Set([...events.outOfMemory, ...otherwiseKnown(deps, oom, now.at - KILLS_WITHIN_MS)]);
  const raises = recentActions(deps.store.db, windowMs, now).filter(({ what }) => what === 'raise-limit');
  const loops: Loop[] = [];
  for (const container of containers) {
    const counted = [
      container.restartsLast5Min,
      events.restarts.get(container.id) ?? 0,
      sinceLastRun(container, seen, now, windowMs),
      sinceCreated(container, now, windowMs),
    ];
    // A start by hand (or by recovery) begins at 0 again, and so does a raised limit: what was before is dealt with.
    const fresh = container.restartCount - restartsAtRaise(raises, container.id);
    const recent = Math.min(Math.max(...counted), fresh);
    if (recent <= RESTART_LOOP_COUNT) continue;
    const inspect = await inspectOrGone(deps, container.id);
    // Docker lets a label of this name take the place of the exit code in its events.
    if (inspect && Object.hasOwn(inspect.labels, 'exitCode')) events.exits.delete(container.id);
    if (!inspect || isDown(inspect) || inspect.state.status === 'removing') continue;
    loops.push({
      container,
      inspect,
      forMemory: inspect.state.oomKilled || killed.has(container.id),
      why: `${recent} restarts within ${RESTART_LOOP_MINUTES} minutes${lastExit(inspect, events.exits.get(container.id))}`,
    });
  }
  const counts = Object.fromEntries(containers.map(({ id, restartCount }) => [id, restartCount]));
  const seenNow: Seen = { boot: now.boot, uptimeMs: now.uptimeMs, counts };
  if (!deps.dryRun) remember(deps.store.db, SEEN_KEY, seenNow, now.at);
  return loops;
}

/** While a container runs, the engine says 0: only its events know how the run before ended. */
function lastExit({ state }: DockerInspect, exitCode: string | undefined): string {
  const unknown = state.status === 'running' && state.exitCode === 0;
  const code = exitCode ?? (unknown ? undefined : state.exitCode);
  return code === undefined ? '' : `, last exit code ${code}`;
}

/** Restarts since the last run; where that was longer ago than the window, as many as fall into a window on average. */
function sinceLastRun(
  container: ContainerInfo,
  seen: Seen | undefined,
  now: Moment,
  windowMs: number,
): number {
  const before = seen?.counts?.[container.id];
  if (!seen || before === undefined || seen.boot !== now.boot) return 0;
  const tookMs = Math.max(1, now.uptimeMs - seen.uptimeMs);
  return Math.floor((container.restartCount - before) * Math.min(1, windowMs / tookMs));
}

function restartsAtRaise(raises: readonly Action[], id: string): number {
  const last = raises.find(({ undo }) => undo?.['containerId'] === id);
  return Number(last?.undo?.['restarts'] ?? 0);
}

/** A container that was created within the window did all its restarts in it. */
function sinceCreated({ createdAt, restartCount }: ContainerInfo, now: Moment, windowMs: number): number {
  return createdAt !== undefined && now.at >= createdAt && now.at - createdAt < windowMs ? restartCount : 0;
}

/**
 * What the engine's events say. Its memory reaches back 256 events, so these may be too few restarts, never too many: a start
 * counts when it follows a death that nobody asked for (`docker restart` sends a `kill` before it).
 */
async function readEvents(
  deps: RecoveryDeps,
  now: Moment,
  windowMs: number,
): Promise<{ restarts: Map<string, number>; outOfMemory: Set<string>; exits: Map<string, string> }> {
  const nano = (at: number) => BigInt(Math.floor(at)) * 1_000_000n;
  const restarts = new Map<string, number>();
  const outOfMemory = new Set<string>();
  const exits = new Map<string, string>();
  const last = new Map<string, 'killed' | 'died'>();
  try {
    await deps.system.docker.events({
      since: nano(now.at - Math.max(windowMs, KILLS_WITHIN_MS)),
      until: nano(now.at),
      signal: AbortSignal.timeout(5000),
      onEvent({ action, id, timeNano, attributes }) {
        if (action === 'die' && /^\d+$/.test(attributes['exitCode'] ?? ''))
          exits.set(id, attributes['exitCode']!);
        if (action === 'oom') outOfMemory.add(id);
        else if (action === 'kill') last.set(id, 'killed');
        else if (action === 'die' && last.get(id) !== 'killed') last.set(id, 'died');
        else if (action === 'start') {
          if (last.get(id) === 'died' && timeNano >= nano(now.at - windowMs))
            restarts.set(id, (restarts.get(id) ?? 0) + 1);
          last.delete(id);
        }
      },
    });
  } catch {
    // Without events the counts since the last run have to do.
  }
  return { restarts, outOfMemory, exits };
}

/** Containers that were killed for memory as the kernel log says, where it may be read, and as the monitor has seen it. */
function otherwiseKnown(deps: RecoveryDeps, oom: Readings['oom'], since: number): string[] {
  const kills = oom.state === 'ok' ? oom.value.kills.filter(({ at }) => at >= since) : [];
  const { db } = deps.store;
  const open = openIncidents(db).filter(({ lastSeenAt }) => lastSeenAt >= since);
  const incidents = [...open, ...endedIncidents(db, since)].filter(({ rule }) => rule === 'oom-kill');
  return [
    ...kills.map(({ containerId }) => containerId ?? ''),
    ...incidents.map(({ cause }) => cause?.replace(/^oom:/, '') ?? ''),
  ];
}
