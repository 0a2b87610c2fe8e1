import type { Files } from './types.ts';

/** More processes than this are not looked at: that would take too long. */
const MOST_PROCESSES = 3000;
/** A container's id in the path of a cgroup, whoever manages it. */
const CONTAINER = /[/-][0-9a-f]{64}(?:\.scope)?(?:\/|$)/m;

/**
 * The names of the processes outside of containers that hold most memory (anonymous memory and swap, processes of one name together),
 * largest first. Reads /proc/PID/status and /proc/PID/cgroup; a process that ends meanwhile is left out.
 */
export function largestProcesses(files: Files, count: number): { name: string; bytes: number }[] {
  let ids: string[];
  try {
    ids = files.list('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const held = new Map<string, number>();
  for (const id of ids.slice(0, MOST_PROCESSES)) {
    const status = parseStatus(files.textOr(`/proc/${id}/status`) ?? '');
    if (!status || CONTAINER.test(files.textOr(`/proc/${id}/cgroup`) ?? '')) continue;
    held.set(status.name, (held.get(status.name) ?? 0) + status.bytes);
  }
  return [...held]
    .map(([name, bytes]) => ({ name, bytes }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, count);
}

/**
 * `Name:\tjava`, `RssAnon:\t  812 kB`, `VmSwap:\t  0 kB`. Kernels before 4.5 have no RssAnon: VmRSS then. Undefined for a thread of
 * the kernel, which holds nothing.
 */
export function parseStatus(text: string): { name: string; bytes: number } | undefined {
  const field = (key: string) => new RegExp(`^${key}:\\s+(.+)$`, 'm').exec(text)?.[1];
  const name = field('Name');
  const resident = field('RssAnon') ?? field('VmRSS');
  if (name === undefined || resident === undefined) return undefined;
  const kb = Number.parseInt(resident, 10) + Number.parseInt(field('VmSwap') ?? '0', 10);
  return Number.isFinite(kb) ? { name, bytes: kb * 1024 } : undefined;
}
