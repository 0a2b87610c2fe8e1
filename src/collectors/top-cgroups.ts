import { findLayout } from '../system/cgroup-layout.ts';
import { parseMemory } from '../system/cgroups.ts';
import type { Clock, Files } from '../system/types.ts';

/** Groups at the top come and go with services of the system, not from one check to the next. */
const LIST_EVERY_MS = 300_000;
/** The kernel adds up all groups below to answer, as long as for 15 containers. */
const READ_EVERY_MS = 55_000;
/** The kernel's own files in a group, which stand beside the groups below it: `memory.stat`, `cgroup.procs`, `tasks`. */
const KERNEL_FILE =
  /^((cgroup|memory|cpu|cpuset|cpuacct|io|irq|misc|pids|rdma|hugetlb|dmem)\.|tasks$|release_agent$|notify_on_release$)/;

/**
 * Memory of the top-level groups (system.slice, user.slice, docker, ...) without file pages that were not used lately,
 * largest first, read once a minute. Empty where no cgroup files are visible.
 */
export function createTopCgroups(files: Files, clock: Clock): () => { name: string; bytes: number }[] {
  let groups: { name: string; usage: string; stat: string; version: 1 | 2 }[] = [];
  let listedAt: number | undefined;
  function list(): void {
    const layout = findLayout(files);
    if (!layout) return;
    const usageFile = layout.version === 2 ? 'memory.current' : 'memory.usage_in_bytes';
    groups = files
      .list(layout.memory)
      .filter((name) => !KERNEL_FILE.test(name))
      .map((name) => ({
        name,
        usage: `${layout.memory}/${name}/${usageFile}`,
        stat: `${layout.memory}/${name}/memory.stat`,
        version: layout.version,
      }))
      .filter(({ usage }) => files.exists(usage));
    listedAt = clock.monotonic();
  }
  function read(): { name: string; bytes: number }[] {
    if (listedAt === undefined || clock.monotonic() - listedAt > LIST_EVERY_MS) list();
    return groups
      .flatMap(({ name, usage, stat, version }) => {
        const memory = parseMemory(files.textOr(usage), files.textOr(stat), version);
        return memory ? [{ name, bytes: Math.max(0, memory.usageBytes - memory.inactiveFileBytes) }] : [];
      })
      .toSorted((a, b) => b.bytes - a.bytes);
  }
  let last: { at: number; read: { name: string; bytes: number }[] } | undefined;
  return () => {
    const now = clock.monotonic();
    if (!last || now - last.at > READ_EVERY_MS) last = { at: now, read: read() };
    return last.read;
  };
}

/** Below this a group is not worth being named. */
const WORTH_NAMING = 10 * 1_048_576;
/** Slices of slices of a user's services. */
const DEEPEST = 6;
const MOST_GROUPS = 500;
const CONTAINER_ID = /[0-9a-f]{64}/;

/**
 * The groups that have none below them, largest first, containers left out: `mysql.service`, not the `system.slice` that it is in. Bytes
 * without file pages that were not used lately, with what is in swap.
 */
export function largestServices(files: Files, count: number): { name: string; bytes: number }[] {
  const layout = findLayout(files);
  if (!layout) return [];
  const { memory: base, version } = layout;
  const usageFile = version === 2 ? 'memory.current' : 'memory.usage_in_bytes';
  const found: { name: string; bytes: number }[] = [];
  let looked = 0;

  function visit(path: string, depth: number): void {
    if (looked >= MOST_GROUPS) return;
    looked += 1;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const bytes = depth === 0 ? Infinity : bytesOf(path);
    // What is in it cannot be larger.
    if (bytes < WORTH_NAMING || CONTAINER_ID.test(name)) return;
    const below = depth < DEEPEST ? childrenOf(path) : [];
    if (below.length === 0 && depth > 0) found.push({ name, bytes });
    for (const child of below) visit(`${path}/${child}`, depth + 1);
  }

  function childrenOf(path: string): string[] {
    try {
      return files
        .list(path)
        .filter((name) => !KERNEL_FILE.test(name) && files.exists(`${path}/${name}/${usageFile}`));
    } catch {
      return []; // It ended meanwhile.
    }
  }

  function bytesOf(path: string): number {
    const memory = parseMemory(
      files.textOr(`${path}/${usageFile}`),
      files.textOr(`${path}/memory.stat`),
      version,
    );
    if (!memory) return 0;
    const swap = version === 2 ? Number(files.textOr(`${path}/memory.swap.current`) ?? 0) : 0;
    return Math.max(0, memory.usageBytes - memory.inactiveFileBytes) + (Number.isFinite(swap) ? swap : 0);
  }

  visit(base, 0);
  return found.toSorted((a, b) => b.bytes - a.bytes).slice(0, count);
}
