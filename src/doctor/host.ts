import type { HostValues } from '../model/snapshot.ts';
import { formatBytes } from '../model/text.ts';
import { findLayout } from '../system/cgroup-layout.ts';
import { OWN_CGROUP, guestOf, type Guest } from '../system/guest.ts';
import type { Files } from '../system/types.ts';
import { failed, ok, warning, type Line } from './types.ts';

const OLDEST_NODE: [number, number] = [20, 19];
const GB = 1_073_741_824;

/** `version` as in process.versions.node. */
export function judgeNode(version: string, path: string): Line {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const old = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  if (old)
    return failed(
      'node',
      `Node.js ${version} is older than ${OLDEST_NODE.join('.')}`,
      'install a newer Node.js, then run `vpsmon install` again',
    );
  return ok('node', `Node.js ${version}, ${path}`);
}

type MemoryFacts = Pick<HostValues, 'memory'> & { swap: { totalBytes: number } };

/** Memory and swap of the host as the monitor reads them; undefined where they cannot be read. */
export function judgeMemory(files: Files, found: MemoryFacts | undefined): Line[] {
  if (!found)
    return [
      failed(
        'memory',
        '/proc/meminfo cannot be read',
        'mount the /proc of the host (HOST_ROOT) where vpsmon runs in a container',
      ),
    ];
  const { totalBytes: total, availableBytes: available } = found.memory;
  const lines = [ok('memory', `${formatBytes(total)}, ${formatBytes(available)} available`)];
  const swap = found.swap.totalBytes;
  if (swap > 0) {
    const zram = /^\/dev\/zram/m.test(files.textOr('/proc/swaps') ?? '');
    lines.push(ok('swap', `${formatBytes(swap)}${zram ? ', zram: compressed, in memory' : ''}`));
  } else if (total < 2.5 * GB)
    lines.push(
      warning(
        'swap',
        `no swap on a server of ${formatBytes(total)}: the first leak that fills memory kills a container at once`,
        'fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile, and a line for it in /etc/fstab',
      ),
    );
  else lines.push(ok('swap', 'none'));
  return lines;
}

/** Pressure stall information: what the memory pressure score is made of. */
export function judgePressure(files: Files): Line {
  const name = 'pressure';
  const guest = guestOf(files);
  const file = guest ? `${OWN_CGROUP}/memory.pressure` : '/proc/pressure/memory';
  try {
    if (/^some avg10=/m.test(files.text(file))) return ok(name, guest ? `PSI is on (${file})` : 'PSI is on');
    return warning(
      name,
      `${file} is not as expected`,
      'the memory pressure score is missing; everything else is watched',
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (guest)
      return ok(
        name,
        `not seen in this guest: ${file} is not here, and /proc/pressure is the physical machine's`,
      );
    if (code === 'EACCES' || code === 'EPERM')
      return warning(
        name,
        '/proc/pressure may not be read',
        'run vpsmon as root, or look what mounts /proc with hidepid or a mask',
      );
    return warning(
      name,
      'PSI is switched off, or this kernel was built without it: there is no memory pressure score',
      'add psi=1 to the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot); everything else is watched',
    );
  }
}

/** `error`: what reading it gave, undefined when it could be read. */
export function judgeKernelLog(error: unknown, guest?: Guest): Line {
  const name = 'kernel log';
  if (guest)
    return ok(
      name,
      `not read: in this guest (${guest.kind}) it is the physical machine's; OOM kills are counted without saying who was killed`,
    );
  if (error === undefined) return ok(name, 'can be read: OOM kills are reported with their victim');
  const { code } = error as NodeJS.ErrnoException;
  const lost = 'OOM kills are reported without their victim';
  if (code === 'ENOENT')
    return warning(
      name,
      `/dev/kmsg is not here: ${lost}`,
      'in a container: give it the device (--device /dev/kmsg) and CAP_SYSLOG',
    );
  return warning(
    name,
    `may not be read: ${lost}`,
    'run as root; in a container give it CAP_SYSLOG (kernel.dmesg_restrict is on)',
  );
}

export function judgeCgroups(files: Files): Line {
  const name = 'cgroups';
  if (files.exists('/sys/fs/cgroup/cgroup.controllers')) {
    const controllers = files.textOr('/sys/fs/cgroup/cgroup.controllers') ?? '';
    if (/\bmemory\b/.test(controllers)) return ok(name, 'version 2');
    // As the firmware of a Raspberry Pi boots it. Docker reads the same files, and knows no more.
    if (/\bcgroup_disable=\S*\bmemory\b/.test(files.textOr('/proc/cmdline') ?? ''))
      return warning(
        name,
        'the memory controller is switched off (cgroup_disable=memory): what a container holds cannot be known, limits have no effect',
        'add cgroup_enable=memory to the one line of /boot/firmware/cmdline.txt (Raspberry Pi; elsewhere GRUB_CMDLINE_LINUX), then reboot',
      );
    return warning(
      name,
      'version 2 without the memory controller: memory of containers is asked from Docker, which is slow',
      'add cgroup_enable=memory swapaccount=1 to the kernel command line and reboot',
    );
  }
  if (findLayout(files)?.version === 2) return ok(name, 'versions 1 and 2 side by side, memory in version 2');
  if (files.exists('/sys/fs/cgroup/memory')) {
    // Debian has this accounting switched off for version 1.
    const swaps = /^\/\S/m.test(files.textOr('/proc/swaps') ?? '');
    if (swaps && !files.exists('/sys/fs/cgroup/memory/memory.memsw.usage_in_bytes'))
      return warning(
        name,
        'version 1 without swap accounting: what containers have in swap is not seen, so a leak seems to stop where swapping begins',
        'add swapaccount=1 to the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot)',
      );
    return ok(name, 'version 1');
  }
  return warning(
    name,
    'no cgroup files here: memory of containers is asked from Docker, which is slow',
    'where vpsmon runs in a container: mount /sys/fs/cgroup of the host read-only below HOST_ROOT',
  );
}

export type DiskFacts = {
  path: string;
  freeBytes: number;
  totalBytes: number;
  inodesFree: number;
  inodesTotal: number;
};

/** The disk that holds the state folder: what vpsmon itself needs, whatever the thresholds for alerts say. */
export function judgeDisk({ path, freeBytes, totalBytes, inodesFree, inodesTotal }: DiskFacts): Line {
  const name = 'disk';
  const free = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free`;
  const advice =
    'look what is large: du -xh / | sort -h | tail -30; docker system df; journalctl --disk-usage';
  if (freeBytes < 20 * 1_048_576) return failed(name, `${path} is on a disk that is full (${free})`, advice);
  if (inodesTotal > 0 && inodesFree < 1000)
    return failed(
      name,
      `${path} is on a disk without free inodes: no file can be created`,
      'look for folders with very many files: du -x --inodes / | sort -n | tail -20',
    );
  if (freeBytes < 200 * 1_048_576 || freeBytes < totalBytes * 0.05)
    return warning(name, `${path} is on a disk that is nearly full (${free})`, advice);
  return ok(name, `${free} where ${path} is`);
}
