// Which filesystems there really are. A sample of /proc/<pid>/mountinfo:
//
//   27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
//   42 27 254:0 /data /mnt/data rw,relatime - ext4 /dev/vda1 rw
//
// id, parent, major:minor of the filesystem, its folder that is mounted, where, options of the mount, optional fields until a
// lone dash, then type, device and options of the filesystem. Space, tab, line break and backslash come as \040 and so on.

export type Mount = {
  device: string;
  fsType: string;
  mount: string;
  remote: boolean;
  /**
   * The filesystem itself takes no writes. `person`: as it was mounted. `kernel`: it was mounted for writing, and the kernel
   * stopped that after an error: its options say `ro` while those of the mount say `rw` (a person's `mount -o ro` sets both).
   */
  readOnly?: 'person' | 'kernel';
  /** The oldest mount of the whole takes no writes, whatever the filesystem does: under ProtectSystem=strict all are like that. */
  mountedRo?: true;
};

/** Types with a disk behind them that name it by something else than a path below /dev. */
const NAMED = new Set(['zfs', 'btrfs', 'bcachefs', 'ubifs', 'virtiofs', '9p']);
/**
 * Types that the kernel mounts for writing or refuses: when they take no writes in a mount for writing, there was an error. btrfs is
 * among them at the root only: a seed device takes none by nature (https://btrfs.readthedocs.io/en/latest/Seeding-device.html).
 */
const WRITABLE = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'jfs',
  'f2fs',
  'reiserfs',
  'vfat',
  'exfat',
  'ntfs3',
]);
/** On another machine: a dead one makes every question hang. */
const REMOTE =
  /^(nfs4?|cifs|smb3?|smbfs|ceph|glusterfs|lustre|afs|9p|fuse\.(sshfs|glusterfs|ceph.*|s3fs|rclone))$/;
/** Full by nature, or no disk. */
// autofs: a look at it would mount what is behind it.
const NEVER = new Set([
  'autofs',
  'squashfs',
  'erofs',
  'iso9660',
  'udf',
  'cramfs',
  'romfs',
  'overlay',
  'aufs',
  'tmpfs',
]);
/** Single files that Docker mounts into every container. */
const DOCKER_FILES = new Set(['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']);

type Line = Mount & {
  number: string;
  whole: boolean;
  /** Of all mounts of this filesystem the one whose flags show who made it read-only. */
  judge: { id: number; whole: boolean } & Pick<Mount, 'readOnly' | 'mountedRo'>;
};

/**
 * Real filesystems, each once: bind mounts and further mounts of the same device are folded into the one that shows it
 * whole, at the shortest path. `below`: the host is seen through this folder, and paths are given without it.
 */
export function parseMounts(text: string, below = ''): Mount[] {
  const byPath = new Map<string, Line>();
  for (const raw of text.split('\n')) {
    const line = parseLine(raw);
    if (!line) continue;
    const path = relativeTo(line.mount, below);
    // A later mount at the same place hides the earlier one.
    if (path !== undefined) byPath.set(path, { ...line, mount: path });
  }
  const byDevice = new Map<string, Line>();
  for (const line of byPath.values()) {
    if (!isReal(line)) continue;
    // Subvolumes of one btrfs may have numbers of their own; they are one where the device is the same.
    const key = line.device.startsWith('/') ? line.device : `${line.number} ${line.device}`;
    byDevice.set(key, better(line, byDevice.get(key)));
  }
  return foldNumbers([...byDevice.values()])
    .map(({ number: _number, whole: _whole, judge: _judge, ...mount }) => mount)
    .toSorted((a, b) => (a.mount < b.mount ? -1 : 1));
}

/** One device may be named in two ways: /dev/root and /dev/vda1. */
function foldNumbers(lines: Line[]): Line[] {
  const byNumber = new Map<string, Line>();
  for (const line of lines) {
    byNumber.set(line.number, better(line, byNumber.get(line.number)));
  }
  return [...byNumber.values()];
}

function better(a: Line, b: Line | undefined): Line {
  if (!b) return a;
  const judge = judgeOf(a.judge, b.judge);
  const { readOnly: _readOnly, mountedRo: _mountedRo, ...line } = isBetter(a, b) ? a : b;
  const { readOnly, mountedRo } = judge;
  return { ...line, ...(mountedRo ? { mountedRo } : {}), ...(readOnly ? { readOnly } : {}), judge };
}

/**
 * A person's `mount -o remount,ro` sets the filesystem and the one mount that was named; bind mounts of it stay as they were. So the oldest
 * mount of the whole decides. Where only parts are to be seen, one for writing is enough to know that it was the kernel.
 */
function judgeOf(a: Line['judge'], b: Line['judge']): Line['judge'] {
  if (a.whole !== b.whole) return a.whole ? a : b;
  if (!a.whole) return a.readOnly === 'kernel' ? a : b;
  return a.id < b.id ? a : b;
}

function isBetter(a: Line, b: Line): boolean {
  if (a.whole !== b.whole) return a.whole;
  return a.mount.length < b.mount.length;
}

function parseLine(raw: string): Line | undefined {
  // Machines with many containers have thousands of lines of other types; they are left out before anything is split.
  const dash = raw.indexOf(' - ');
  if (dash === -1) return undefined;
  const [fsType = '', device = '', options = ''] = raw.slice(dash + 3).split(' ', 3);
  const [id, , number = '', root = '', mount = '', own = ''] = raw.slice(0, dash).split(' ', 6);
  if (mount === '') return undefined;
  const whole = unescape(root) === '/';
  const mountedRo = has(own, 'ro');
  const writable = WRITABLE.has(fsType) || (fsType === 'btrfs' && mount === '/');
  const readOnly = whyReadOnly(writable, options, mountedRo);
  const flags = { ...(mountedRo ? { mountedRo } : {}), ...(readOnly ? { readOnly } : {}) };
  return {
    ...flags,
    number,
    judge: { id: Number(id), whole, ...flags },
    whole,
    mount: unescape(mount),
    device: unescape(device),
    fsType,
    remote: REMOTE.test(fsType),
  };
}

function has(options: string, option: string): boolean {
  return options.split(',').includes(option);
}

/** ext4 calls it `emergency_ro` from Linux 6.15 on, and `shutdown` when it was switched off. */
function whyReadOnly(writable: boolean, options: string, mountedRo: boolean): Mount['readOnly'] {
  if (has(options, 'emergency_ro') || has(options, 'shutdown')) return 'kernel';
  if (!has(options, 'ro')) return undefined;
  return writable && !mountedRo ? 'kernel' : 'person';
}

/**
 * A disk is a device, a pool or a share. A folder is none (bindfs, mergerfs and gocryptfs show what is elsewhere already), nor is
 * /dev/fuse, which programs name for what they keep in memory.
 */
function isReal({ fsType, device, mount, remote }: Line): boolean {
  if (NEVER.has(fsType) || DOCKER_FILES.has(mount) || device === '/dev/fuse') return false;
  return device.startsWith('/dev/') || NAMED.has(fsType) || remote;
}

function relativeTo(mount: string, below: string): string | undefined {
  if (below === '') return mount;
  if (mount === below) return '/';
  return mount.startsWith(`${below}/`) ? mount.slice(below.length) : undefined;
}

function unescape(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : text;
}
