// Machines that share the kernel of a larger one (LXC, OpenVZ, systemd-nspawn). What such a guest reads in /proc/vmstat,
// /proc/pressure, /dev/kmsg and of ZFS is the larger machine's; its own numbers are at the root of its cgroups. lxcfs lays files of
// its own over meminfo, stat, uptime, swaps and loadavg only (https://github.com/lxc/lxcfs).
import type { Files } from './types.ts';

export type Guest = {
  kind: 'LXC' | 'OpenVZ' | 'systemd-nspawn';
  /** Whether /proc/meminfo is the guest's own. */
  ownMeminfo: boolean;
};

/** Files of the guest's own cgroup. */
export const OWN_CGROUP = '/sys/fs/cgroup';

/**
 * Undefined on a machine with a kernel of its own, and in a Docker container, which is meant to see its host. The signs:
 * `container=` of the first process, what systemd wrote down about it, lxcfs' mounts, and OpenVZ's /proc/vz without /proc/bc.
 */
export function guestOf(files: Files): Guest | undefined {
  // What a machine is does not change, and the list of mounts is long on one with many containers.
  if (!known.has(files)) known.set(files, look(files));
  return known.get(files);
}

const known = new WeakMap<Files, Guest | undefined>();

function look(files: Files): Guest | undefined {
  const mounts = files.textOr('/proc/1/mountinfo') ?? files.textOr('/proc/self/mountinfo') ?? '';
  // Over /proc: a machine that has guests has lxcfs, too, elsewhere.
  const lxcfs = / \/proc\/\S+ .* - fuse\.lxcfs /.test(mounts);
  const guest =
    /(?:^|\0)container=([\w-]+)/.exec(files.textOr('/proc/1/environ') ?? '')?.[1] ??
    files.textOr('/run/systemd/container')?.trim() ??
    '';
  if (guest.startsWith('lxc') || lxcfs) return { kind: 'LXC', ownMeminfo: lxcfs };
  if (guest === 'openvz' || (files.exists('/proc/vz') && !files.exists('/proc/bc')))
    return { kind: 'OpenVZ', ownMeminfo: true };
  if (guest === 'systemd-nspawn') return { kind: 'systemd-nspawn', ownMeminfo: lxcfs };
  return undefined;
}

/** Bytes that the guest's own cgroup allows it; undefined where it has no limit, for which version 1 writes a number next to 2^63. */
export function ownLimit(files: Files): number | undefined {
  const text =
    files.textOr(`${OWN_CGROUP}/memory.max`) ?? files.textOr(`${OWN_CGROUP}/memory/memory.limit_in_bytes`);
  return Number(text ?? Number.NaN) < 2 ** 60 ? Number(text) : undefined;
}

/**
 * Where this machine counts the kills for want of memory, on a line `oom_kill 3`: a guest in its own cgroup, those in the groups
 * below it included. Undefined where a guest's cgroup does not show it.
 */
export function oomKillFile(files: Files): string | undefined {
  if (!guestOf(files)) return '/proc/vmstat';
  return [`${OWN_CGROUP}/memory.events`, `${OWN_CGROUP}/memory/memory.oom_control`].find((file) =>
    files.exists(file),
  );
}

/** Kills so far as the kernel writes the number; undefined before Linux 4.13 or where it cannot be read. */
export function oomKills(files: Files): string | undefined {
  const file = oomKillFile(files);
  return /^oom_kill (\d+)$/m.exec((file && files.textOr(file)) ?? '')?.[1];
}
