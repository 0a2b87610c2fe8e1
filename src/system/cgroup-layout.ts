// Where a machine keeps its cgroups, and where in there a container is.
import type { Files } from './types.ts';

/** Folders below the root of the host. `cpu` is the one with cpuacct.usage (v1) or cpu.stat (v2). */
export type CgroupLayout = { version: 1 | 2; memory: string; cpu: string };

const BASE = '/sys/fs/cgroup';

/** Undefined where no cgroup files are visible (in a container without the host's /sys). */
export function findLayout(files: Files): CgroupLayout | undefined {
  if (files.exists(`${BASE}/cgroup.controllers`)) return { version: 2, memory: BASE, cpu: BASE };
  // Both side by side, as systemd's hybrid hierarchy has them; which one accounts for memory is a choice of the kernel command line.
  const unified = `${BASE}/unified`;
  if (/\bmemory\b/.test(files.textOr(`${unified}/cgroup.controllers`) ?? ''))
    return { version: 2, memory: unified, cpu: unified };
  if (!files.exists(`${BASE}/memory/memory.usage_in_bytes`)) return undefined;
  // systemd mounts both controllers together and links the single names.
  const cpu = files.exists(`${BASE}/cpuacct`) ? `${BASE}/cpuacct` : `${BASE}/cpu,cpuacct`;
  return { version: 1, memory: `${BASE}/memory`, cpu };
}

/**
 * /proc/<pid>/cgroup: a line a hierarchy, `id:controllers:path`; v2 is the one with id 0 and no controllers.
 *
 *   4:memory:/docker/3f4e…          v1, cgroupfs driver
 *   0::/system.slice/docker-3f4e….scope      v2, systemd driver
 */
export function parseProcCgroup(text: string): { unified?: string; memory?: string; cpu?: string } {
  const found: { unified?: string; memory?: string; cpu?: string } = {};
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (!match) continue;
    const controllers = match[2]!.split(',');
    const path = match[3]!;
    if (match[1] === '0' && match[2] === '') found.unified = path;
    if (controllers.includes('memory')) found.memory = path;
    if (controllers.includes('cpuacct')) found.cpu = path;
  }
  return found;
}

/**
 * Paths at which a container's cgroup may be, the likeliest first. /proc/<pid>/cgroup knows every driver, parent and
 * rootless engine; it counts only when it names the container, for the pid may be one of another pid namespace.
 */
export function candidatePaths(id: string, ofProcess: string | undefined): string[] {
  const known = [`/system.slice/docker-${id}.scope`, `/docker/${id}`];
  const own = ofProcess === undefined ? undefined : cutAfterId(ofProcess, id);
  return own === undefined ? known : [own, ...known];
}

/** Programs like systemd move themselves into groups below that of the container; seen from a namespace, paths begin with `/..`. */
function cutAfterId(path: string, id: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  const index = parts.findIndex((part) => part.includes(id));
  return index === -1 ? undefined : `/${parts.slice(0, index + 1).join('/')}`;
}
