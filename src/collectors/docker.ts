import * as v from 'valibot';
import { absent } from '../model/reading.ts';
import type { Absent } from '../model/reading.ts';
import type { ContainerInfo, DockerValues } from '../model/snapshot.ts';
import { openCgroups } from '../system/cgroups.ts';
import type { Clock, Docker } from '../system/types.ts';
import { withDeadline } from '../system/deadline.ts';
import type { Collector, CollectorDeps } from './types.ts';

/** Asked again this often: to answer, the engine starts three processes. A new engine is noticed before that, by its socket. */
const VERSION_EVERY_MS = 3_600_000;
/** On old engines each question takes a second or two, so they are asked together. */
const STATS_AT_ONCE = 32;
/** Numbers that come later than this are left out, so that the states of the containers are not lost with them. */
const STATS_WITHIN_MS = 3_500;
const VERSION_WITHIN_MS = 1_500;
const SEEN = 'docker-seen';

/** Every container, with memory and CPU from its cgroup files, or from the stats API where those cannot be read. */
export function createDocker(deps: CollectorDeps): Collector<'docker'> {
  const { clock, docker, files } = deps.system;
  const cgroups = openCgroups(files.root);
  const percent = createCpuPercent();
  const version = createVersion(docker, clock);
  let seen = false;

  async function read(signal: AbortSignal): Promise<DockerValues | Absent> {
    let table: ContainerInfo[];
    try {
      table = await deps.containers(signal);
    } catch (error) {
      version.forget();
      seen ||= deps.recall(SEEN, v.boolean()) === true;
      return whyAbsent(error, seen, deps.config.settings.DOCKER_HOST);
    }
    if (!seen) {
      seen = true;
      if (deps.recall(SEEN, v.boolean()) !== true) deps.remember(SEEN, true);
    }
    const ids = new Set<string>();
    for (const { id, pid } of table) if (pid !== undefined) ids.add(id);
    cgroups.keepOnly(ids);
    percent.keepOnly(ids);
    const rest: ContainerInfo[] = [];
    for (const container of table) {
      if (container.pid !== undefined && !fromCgroup(container)) rest.push(container);
    }
    // A container without an answer stays without numbers.
    await askStats(docker, rest, signal, (container, { workingSetBytes, anonBytes, cpuTotalNs }) => {
      container.memory = { workingSetBytes, anonBytes };
      putPercent(container, cpuTotalNs);
    });
    return { ...(await version.get(signal)), containers: table };
  }

  function fromCgroup(container: ContainerInfo): boolean {
    const usage = cgroups.read(container.id, container.pid as number);
    if (!usage) return false;
    const { memory, cpuTotalNs } = usage;
    if (memory) {
      const { usageBytes, inactiveFileBytes, anonBytes, swapBytes } = memory;
      container.memory = { workingSetBytes: workingSet(usageBytes, inactiveFileBytes), anonBytes };
      if (swapBytes !== undefined) container.memory.swapBytes = swapBytes;
    }
    if (cpuTotalNs !== undefined) putPercent(container, cpuTotalNs);
    return true;
  }

  function putPercent(container: ContainerInfo, cpuTotalNs: number): void {
    const value = percent.of(container.id, container.pid ?? 0, clock.monotonic(), cpuTotalNs);
    if (value !== undefined) container.cpuPercent = value;
  }

  return { read, close: () => cgroups.close() };
}

async function askStats(
  docker: Docker,
  containers: readonly ContainerInfo[],
  signal: AbortSignal,
  put: (container: ContainerInfo, stats: NonNullable<Awaited<ReturnType<Docker['stats']>>>) => void,
): Promise<void> {
  if (containers.length === 0) return;
  const waiting = [...containers];
  async function work(within: AbortSignal): Promise<void> {
    for (let next = waiting.shift(); next && !within.aborted; next = waiting.shift()) {
      const stats = await docker.stats(next.id, within).catch(() => undefined);
      // One that comes after the others were handed out changes nothing any more.
      if (stats && !within.aborted) put(next, stats);
    }
  }
  await withDeadline(signal, STATS_WITHIN_MS, (within) =>
    Promise.all(Array.from({ length: STATS_AT_ONCE }, () => work(within))),
  );
}

/** As `docker stats` counts (docker/cli stats_helpers.go): without the file pages that were not used lately. */
export function workingSet(usageBytes: number, inactiveFileBytes: number): number {
  return inactiveFileBytes < usageBytes ? usageBytes - inactiveFileBytes : usageBytes;
}

/** A machine without Docker has no socket, and never had one; an engine that was there once is missed. */
function whyAbsent(error: unknown, seen: boolean, dockerHost: string): Absent {
  const { code, message } = error as Error & { code?: string };
  if (code === 'ENOENT' && !seen && dockerHost === '') return absent(message);
  throw error;
}

/** Percent of one CPU between two readings of the same process of the same container. `at` in ms. */
export function createCpuPercent() {
  const last = new Map<string, { pid: number; at: number; cpuTotalNs: number }>();
  return {
    of(id: string, pid: number, at: number, cpuTotalNs: number): number | undefined {
      const before = last.get(id);
      if (!before) {
        last.set(id, { pid, at, cpuTotalNs });
        return undefined;
      }
      const [ms, ns] = [at - before.at, cpuTotalNs - before.cpuTotalNs];
      const same = before.pid === pid && ms > 0 && ns >= 0;
      before.pid = pid;
      before.at = at;
      before.cpuTotalNs = cpuTotalNs;
      return same ? (ns / (ms * 1_000_000)) * 100 : undefined;
    },
    keepOnly(ids: ReadonlySet<string>): void {
      for (const id of last.keys()) if (!ids.has(id)) last.delete(id);
    },
  };
}

/** The engine's version, asked seldom. An engine that does not say has one that is `unknown`. */
function createVersion(docker: Docker, clock: Clock) {
  let known: { version: string; apiVersion: string; at: number } | undefined;
  return {
    async get(signal: AbortSignal): Promise<{ version: string; apiVersion: string }> {
      if (!known || clock.monotonic() - known.at > VERSION_EVERY_MS) {
        const none = { version: 'unknown', apiVersion: 'unknown' };
        const { version, apiVersion } = await withDeadline(signal, VERSION_WITHIN_MS, (within) =>
          docker.version(within).catch(() => none),
        );
        if (version === 'unknown') return { version, apiVersion };
        known = { version, apiVersion, at: clock.monotonic() };
      }
      return { version: known.version, apiVersion: known.apiVersion };
    },
    forget(): void {
      known = undefined;
    },
  };
}
