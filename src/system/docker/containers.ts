// From Docker's answers to the container table.
import { hostFiles } from '../files.ts';
import { isAboutOne } from './answer.ts';
import type { Docker, DockerError, DockerInspect, DockerListItem, Files } from '../types.ts';
import type { ContainerHealth, ContainerInfo, ContainerState } from '../../model/snapshot.ts';

const STATES: readonly string[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
] satisfies ContainerState[];
/** On every container that a Swarm service runs. */
export const SWARM_SERVICE = 'com.docker.swarm.service.name';
/** Inspects at the same time: enough to be quick, few enough for a busy engine. */
const AT_ONCE = 8;

/** Docker's word for the state; one that is not known (of another engine) counts as created: no alarm, no "running". */
export function toState(status: string): ContainerState {
  return STATES.includes(status) ? (status as ContainerState) : 'created';
}

export function toHealth(status: string | undefined): ContainerHealth {
  return status === 'healthy' || status === 'unhealthy' || status === 'starting' ? status : 'none';
}

/** `restartsLast5Min` is counted by who follows the events; Docker does not know it. */
export function toContainerInfo(
  inspect: DockerInspect,
  extra: { restartsLast5Min: number; self: boolean },
): ContainerInfo {
  const { state, hostConfig } = inspect;
  const current = toState(state.status);
  const running = state.pid > 0;
  return {
    ...identity(inspect),
    state: current,
    health: running ? toHealth(state.health?.status) : 'none',
    restartCount: inspect.restartCount,
    restartsLast5Min: extra.restartsLast5Min,
    restartPolicy: hostConfig.restartPolicy,
    ...(running ? { pid: state.pid } : {}),
    ...(current === 'exited' || current === 'dead' || current === 'restarting'
      ? { exitCode: state.exitCode }
      : {}),
    oomKilled: state.oomKilled,
    ...(inspect.created > 0 ? { createdAt: inspect.created } : {}),
    ...(state.startedAt > 0 ? { startedAt: state.startedAt } : {}),
    ...(state.finishedAt > 0 ? { finishedAt: state.finishedAt } : {}),
    ...limitsOf(hostConfig),
    self: extra.self,
  };
}

/**
 * Docker's `MemorySwap` is memory and swap together: -1 no limit of swap, 0 not said.
 * https://docs.docker.com/engine/containers/resource_constraints/#--memory-swap-details
 */
export function limitsOf({
  memory,
  memorySwap,
}: Pick<DockerInspect['hostConfig'], 'memory' | 'memorySwap'>): Pick<
  ContainerInfo,
  'limitBytes' | 'swapLimitBytes'
> {
  if (memory <= 0) return { limitBytes: null };
  if (memorySwap === 0) return { limitBytes: memory };
  return { limitBytes: memory, swapLimitBytes: memorySwap < 0 ? null : Math.max(0, memorySwap - memory) };
}

function identity(of: { id: string; name: string; image: string; labels: Record<string, string> }) {
  return { id: of.id, name: of.name, ...labelledAs(of.labels), image: of.image };
}

/** The service that a container belongs to. What `docker compose run` starts is a job beside the service, not the service. */
export function labelledAs(labels: Record<string, string>): { service?: string; project?: string } {
  const oneOff = labels['com.docker.compose.oneoff']?.toLowerCase() === 'true';
  const composed = oneOff ? undefined : labels['com.docker.compose.service'];
  const service = labels[SWARM_SERVICE] || composed;
  const project = labels['com.docker.compose.project'];
  return { ...(service ? { service } : {}), ...(project ? { project } : {}) };
}

/** What the list alone shows, for a container whose inspect fails: `Up 6 seconds (unhealthy)`, `Exited (137) 5 seconds ago`. */
export function fromListItem(item: DockerListItem, self: boolean): ContainerInfo {
  const health = /\((healthy|unhealthy|health: starting)\)/.exec(item.status)?.[1];
  const exitCode = /^Exited \((-?\d+)\)/.exec(item.status)?.[1];
  return {
    ...identity(item),
    state: toState(item.state),
    health: toHealth(health === 'health: starting' ? 'starting' : health),
    restartCount: 0,
    restartsLast5Min: 0,
    restartPolicy: 'no',
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
    oomKilled: false,
    limitBytes: null,
    self,
  };
}

/**
 * The whole table: a list, and an inspect of each. Throws where the list cannot be had. A container that goes away in
 * between is left out; one whose inspect fails otherwise has what the list shows.
 */
export async function readContainers(
  docker: Docker,
  signal: AbortSignal,
  files: Files = hostFiles('/'),
): Promise<ContainerInfo[]> {
  const items = await docker.list(signal);
  const ownId = selfContainerId(files);
  const found = Array.from<ContainerInfo | undefined>({ length: items.length });
  let next = 0;
  async function work(): Promise<void> {
    while (next < items.length) {
      const index = next;
      next += 1;
      const item = items[index]!;
      found[index] = await readOne(docker, item, item.id === ownId, signal);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found.filter((info) => info !== undefined);
}

async function readOne(docker: Docker, item: DockerListItem, self: boolean, signal: AbortSignal) {
  try {
    return toContainerInfo(await docker.inspect(item.id, signal), { restartsLast5Min: 0, self });
  } catch (error) {
    if ((error as DockerError).status === 404) return undefined;
    if (!isAboutOne(error)) throw error;
    return fromListItem(item, self);
  }
}

/**
 * The id of the container that this process runs in, undefined outside of one. Docker mounts three files of the container's
 * own folder into every container, whatever the cgroup namespace shows:
 *
 *   …/var/lib/docker/containers/<64 hex>/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw
 */
export function selfContainerId(files: Files): string | undefined {
  const mounts = files.textOr('/proc/self/mountinfo') ?? '';
  const mounted = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) \/etc\//.exec(mounts)?.[1];
  if (mounted !== undefined) return mounted;
  const groups = files.textOr('/proc/self/cgroup') ?? '';
  return /[/-]([0-9a-f]{64})(?:\.scope)?$/m.exec(groups)?.[1];
}
