// Which filesystems there really are. A sample of /proc/<pid>/mountinfo:
//
//   27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
//   42 27 254:0 /data /mnt/data rw,relatime - ext4 /dev/vda1 rw
//
// id, parent, major:minor of the filesystem, its folder that is mounted, where, options, optional fields until a lone
// dash, then type, device and options of the filesystem. Space, tab, line break and backslash come as \040 and so on.

export type Mount = { device: string; fsType: string; mount: string; remote: boolean };

/** Types with a disk behind them that name it by something else than a path. */
const NAMED = new Set(['zfs', 'btrfs', 'bcachefs', 'virtiofs', '9p']);
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

type Line = Mount & { number: string; whole: boolean };

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
    // Subvolumes of one btrfs may have numbers of their own; the device tells that they are one.
    const key = line.device.startsWith('/') ? line.device : `${line.number} ${line.device}`;
    const other = byDevice.get(key);
    if (!other || isBetter(line, other)) byDevice.set(key, line);
  }
  return foldNumbers([...byDevice.values()])
    .map(({ device, fsType, mount, remote }) => ({ device, fsType, mount, remote }))
    .toSorted((a, b) => (a.mount < b.mount ? -1 : 1));
}

/** One device may be named in two ways: /dev/root and /dev/vda1. */
function foldNumbers(lines: Line[]): Line[] {
  const byNumber = new Map<string, Line>();
  for (const line of lines) {
    const other = byNumber.get(line.number);
    if (!other || isBetter(line, other)) byNumber.set(line.number, line);
  }
  return [...byNumber.values()];
}

function isBetter(a: Line, b: Line): boolean {
  if (a.whole !== b.whole) return a.whole;
  return a.mount.length < b.mount.length;
}

function parseLine(raw: string): Line | undefined {
  // Machines with many containers have thousands of lines of other types; they are told apart before anything is split.
  const dash = raw.indexOf(' - ');
  if (dash === -1) return undefined;
  const [fsType = '', device = ''] = raw.slice(dash + 3).split(' ', 2);
  const [, , number = '', root = '', mount = ''] = raw.slice(0, dash).split(' ', 5);
  if (mount === '') return undefined;
  return {
    number,
    whole: unescape(root) === '/',
    mount: unescape(mount),
    device: unescape(device),
    fsType,
    remote: REMOTE.test(fsType),
  };
}

function isReal({ fsType, device, mount, remote }: Line): boolean {
  if (NEVER.has(fsType) || DOCKER_FILES.has(mount)) return false;
  return device.startsWith('/') || NAMED.has(fsType) || remote;
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
