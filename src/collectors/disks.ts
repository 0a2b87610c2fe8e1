import type { Disk } from '../model/snapshot.ts';
import type { Clock, Files } from '../system/types.ts';
import { parseMounts } from './mounts.ts';
import type { Mount } from './mounts.ts';

/** A machine with 500 containers has 2,000 mounts in 1 MB of text; filesystems come and go seldom. A short list (0.4 ms with 20 containers) is read at
 * each check, unless these follow faster than they do by default, and looked through when it is another one. */
const LONG_LIST_EVERY_MS = 300_000;
const SHORT_LIST_EVERY_MS = 20_000;
const SHORT_LIST = 64 * 1024;
/** Filesystems that the kernel makes read-only after an error. */
const KEPT_WRITABLE = /^(ext[234]|xfs|btrfs|jfs|f2fs|reiserfs|vfat|exfat|ntfs3)$/;
/** Two looks at one pool, a moment apart. */
const SAME_SPACE = 0.01;
const STATFS_WITHIN_MS = 1_500;
/** Each question that hangs holds one of the four threads that Node also looks names up with. */
const MAX_HANGING = 2;
const MAX_MOUNTINFO = 16 * 1_048_576;

export type DisksReading = { disks: Disk[]; unreadable: string[] };

/** Space and inodes of every real filesystem. One that does not answer is left out and named, and not asked again meanwhile. */
export function createDisks(files: Files, clock: Clock): () => Promise<DisksReading> {
  const asking = new Set<string>();
  /** Asked, and not answered in time. */
  const hanging = new Set<string>();
  let mounts: Mount[] = [];
  /** The short list that they were found in. */
  let listed = '';
  let listAt = -Infinity;
  /** Flags of the mounts of filesystems that took writes. */
  const writable = new Map<string, true | undefined>();

  /** Where the flags of the mounts are not the host's own, a filesystem that took writes before shows it. */
  function stoppedByKernel(mount: Mount): boolean {
    if (mount.readOnly !== 'person') return mount.readOnly === 'kernel';
    if (!KEPT_WRITABLE.test(mount.fsType) || !writable.has(mount.mount)) return false;
    return writable.get(mount.mount) === mount.mountedRo;
  }

  function list(): void {
    const { text, below } = readMounts(files);
    const isShort = text.length < SHORT_LIST;
    listAt = clock.monotonic() + (isShort ? SHORT_LIST_EVERY_MS : LONG_LIST_EVERY_MS);
    if (text === listed) return;
    listed = isShort ? text : '';
    for (const mount of (mounts = parseMounts(text, below))) {
      if (!mount.readOnly) writable.set(mount.mount, mount.mountedRo);
      else if (stoppedByKernel(mount)) mount.readOnly = 'kernel';
    }
    // What takes no writes by its nature is as full as it was made.
    mounts = mounts.filter(({ readOnly }) => readOnly !== 'person');
  }

  async function ask(mount: Mount): Promise<Answer> {
    const { mount: path } = mount;
    if (asking.has(path) || (mount.remote && hanging.size >= MAX_HANGING)) return 'silent';
    asking.add(path);
    const asked = files.statfs(path).then((answer) => toDisk(mount, answer), classify);
    const answered = asked.finally(() => {
      asking.delete(path);
      hanging.delete(path);
    });
    return within(answered, STATFS_WITHIN_MS, () => hanging.add(path));
  }

  return async () => {
    if (clock.monotonic() >= listAt) list();
    const found = await Promise.all(mounts.map(ask));
    if (found.includes('gone')) listAt = -Infinity;
    return {
      disks: foldPools(found.filter((disk) => typeof disk === 'object')),
      unreadable: mounts.filter((_, index) => found[index] === 'silent').map(({ mount }) => mount),
    };
  };
}

/** gone: unmounted since. hidden: not for this user, as `df` leaves it out too. silent: should answer and does not. */
type Failure = 'gone' | 'hidden' | 'silent';
/** Undefined: it has no space. */
type Answer = Disk | Failure | undefined;

function classify(error: { code?: string }): Failure {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return 'gone';
  return error.code === 'EACCES' || error.code === 'EPERM' ? 'hidden' : 'silent';
}

/** The mounts of the host's first process, whose flags are the host's own; else those of this process. */
function readMounts(files: Files): { text: string; below: string } {
  const host = files.textOr('/proc/1/mountinfo', MAX_MOUNTINFO);
  const text = host ?? files.textOr('/proc/self/mountinfo', MAX_MOUNTINFO) ?? '';
  const below = host === undefined && files.root !== '/' ? files.root.replace(/\/$/, '') : '';
  return { text, below };
}

const TOP_BIT = 2 ** 63;

type Statfs = Awaited<ReturnType<Files['statfs']>>;

/**
 * As `df` shows it: the percentage is of what unprivileged users may have, rounded up. Undefined for what has no space at all.
 * Bytes are unknown for FUSE, and for virtiofs, which is FUSE from another machine: blocks are counted in its fragment size, which older Node does not report.
 */
export function toDisk(mount: Mount, s: Statfs): Disk | undefined {
  if (s.blocks <= 0) return undefined;
  const known = s.fragmentSize ?? (/^fuse|^virtiofs$/.test(mount.fsType) ? undefined : s.blockSize);
  // What says that it has no end has no size either.
  const unit = known !== undefined && s.blocks * known < TOP_BIT ? known : undefined;
  const usedBlocks = Math.max(0, s.blocks - s.free);
  // Less than nothing, where more is used than unprivileged users may, is a number with the top bit in 64 bits.
  const available = s.available >= TOP_BIT ? 0 : Math.max(0, Math.min(s.available, s.blocks));
  const reachable = usedBlocks + available;
  return {
    mount: mount.mount,
    device: mount.device,
    fsType: mount.fsType,
    ...(unit === undefined
      ? {}
      : {
          totalBytes: s.blocks * unit,
          usedBytes: usedBlocks * unit,
          availableBytes: available * unit,
        }),
    usedPercent: percentOf(usedBlocks, reachable),
    inodesTotal: s.inodes,
    // btrfs and others make inodes as they need them and say 0; some FUSE filesystems say that more are free than there are.
    ...(s.inodes > 0 && s.inodesFree <= s.inodes
      ? { inodesUsedPercent: Math.ceil(((s.inodes - s.inodesFree) / s.inodes) * 100) }
      : {}),
    ...(mount.readOnly === 'kernel' ? { stoppedWriting: true as const } : {}),
  };
}

function percentOf(used: number, reachable: number): number {
  return reachable > 0 ? Math.min(100, Math.ceil((used / reachable) * 100)) : 0;
}

/**
 * Filesystems that share their space are one disk. ZFS: the datasets of a pool, each of which knows only what it holds itself and
 * what the pool has left; one with a quota has less left than the others, and stands alone. Shares of one server, and folders
 * that a virtual machine is given of its host: those with the same numbers.
 */
function foldPools(disks: readonly Disk[]): Disk[] {
  const groups: Disk[][] = [];
  for (const disk of disks) {
    const group = groups.find(([first]) => sharesSpace(first!, disk));
    if (group) group.push(disk);
    else groups.push([disk]);
  }
  return groups.map((group) => (group.length === 1 ? group[0]! : fold(group)));
}

function sharesSpace(a: Disk, b: Disk): boolean {
  if (a.fsType !== b.fsType || storeOf(a) === undefined || storeOf(a) !== storeOf(b)) return false;
  const close = (x = 0, y = 0) => Math.abs(x - y) <= SAME_SPACE * Math.max(x, y);
  if (a.fsType === 'zfs') return close(a.availableBytes, b.availableBytes);
  if (a.totalBytes === undefined && a.usedPercent !== b.usedPercent) return false;
  return a.totalBytes === b.totalBytes && a.inodesTotal === b.inodesTotal && close(a.usedBytes, b.usedBytes);
}

/** What several filesystems may be parts of: `tank` of `tank/home`, `nas` of `nas:/export/home`. */
function storeOf({ fsType, device }: Disk): string | undefined {
  if (fsType === 'zfs') return device.split(/[/@]/)[0];
  if (/^(nfs4?|cifs|smb3?|ceph|glusterfs|fuse\.(sshfs|glusterfs|ceph.*))$/.test(fsType))
    return /^(?:\/\/)?(\[.*?\]|[^/:]+)/.exec(device)?.[1];
  return /^(virtiofs|9p)$/.test(fsType) ? fsType : undefined;
}

/** At the shortest path, as the one that people know the disk by. */
function fold(group: readonly Disk[]): Disk {
  const [main] = group.toSorted((a, b) => a.mount.length - b.mount.length || (a.mount < b.mount ? -1 : 1));
  const disk = { ...main! };
  if (disk.fsType !== 'zfs') return disk;
  const used = group.reduce((sum, { usedBytes = 0 }) => sum + usedBytes, 0);
  const available = Math.min(...group.map(({ availableBytes = 0 }) => availableBytes));
  return {
    ...disk,
    device: storeOf(disk)!,
    totalBytes: used + available,
    usedBytes: used,
    usedPercent: percentOf(used, used + available),
  };
}

function within(asked: Promise<Answer>, ms: number, onLate: () => void): Promise<Answer> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      onLate();
      resolve('silent');
    }, ms);
    void asked.then((answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
