import { findLayout } from '../system/cgroup-layout.ts';
import { parseMemory } from '../system/cgroups.ts';
import type { Clock, Files } from '../system/types.ts';

/** Groups at the top come and go with services of the system, not from one check to the next. */
const LIST_EVERY_MS = 300_000;
/** The kernel's own files in a group, which stand beside the groups below it: `memory.stat`, `cgroup.procs`, `tasks`. */
const KERNEL_FILE =
  /^((cgroup|memory|cpu|cpuset|cpuacct|io|irq|misc|pids|rdma|hugetlb|dmem)\.|tasks$|release_agent$|notify_on_release$)/;

/**
 * Memory of the top-level groups (system.slice, user.slice, docker, ...) without file pages that were not used lately,
 * largest first. Empty where no cgroup files are visible.
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
  return () => {
    if (listedAt === undefined || clock.monotonic() - listedAt > LIST_EVERY_MS) list();
    return groups
      .flatMap(({ name, usage, stat, version }) => {
        const memory = parseMemory(files.textOr(usage), files.textOr(stat), version);
        return memory ? [{ name, bytes: Math.max(0, memory.usageBytes - memory.inactiveFileBytes) }] : [];
      })
      .toSorted((a, b) => b.bytes - a.bytes);
  };
}
