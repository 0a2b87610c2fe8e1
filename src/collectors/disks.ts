import type { Disk } from '../model/snapshot.ts';
import type { Clock, Files } from '../system/types.ts';
import { parseMounts } from './mounts.ts';
import type { Mount } from './mounts.ts';

/** A machine with 500 containers has 2,000 mounts in 1 MB of text; filesystems come and go seldom. */
const MOUNTS_EVERY_MS = 300_000;
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
  let listedAt: number | undefined;

  async function ask(mount: Mount): Promise<Disk | Failure> {
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
    if (listedAt === undefined || clock.monotonic() - listedAt > MOUNTS_EVERY_MS) {
      mounts = listMounts(files);
      listedAt = clock.monotonic();
    }
    const found = await Promise.all(mounts.map(ask));
    if (found.includes('gone')) listedAt = undefined;
    return {
      disks: found.filter((disk) => typeof disk === 'object' && disk.totalBytes > 0) as Disk[],
      unreadable: mounts.filter((_, index) => found[index] === 'silent').map(({ mount }) => mount),
    };
  };
}

/** gone: unmounted since. hidden: not for this user, as `df` leaves it out too. silent: should answer and does not. */
type Failure = 'gone' | 'hidden' | 'silent';

function classify(error: { code?: string }): Failure {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return 'gone';
  return error.code === 'EACCES' || error.code === 'EPERM' ? 'hidden' : 'silent';
}

/**
 * With the host below a folder: the mounts of its first process, else those that are visible through the folder.
 */
function listMounts(files: Files): Mount[] {
  if (files.root !== '/') {
    const host = textOr(files, '/proc/1/mountinfo');
    if (host !== undefined) return parseMounts(host);
    const own = textOr(files, '/proc/self/mountinfo');
    return own === undefined ? [] : parseMounts(own, files.root.replace(/\/$/, ''));
  }
  return parseMounts(textOr(files, '/proc/self/mountinfo') ?? '');
}

function textOr(files: Files, path: string): string | undefined {
  try {
    return files.text(path, MAX_MOUNTINFO);
  } catch {
    return undefined;
  }
}

type Statfs = Awaited<ReturnType<Files['statfs']>>;

/** As `df` shows it: the percentage is of what unprivileged users may have, rounded up. */
export function toDisk(mount: Mount, s: Statfs): Disk {
  const usedBlocks = Math.max(0, s.blocks - s.free);
  const reachable = usedBlocks + Math.max(0, s.available);
  return {
    mount: mount.mount,
    device: mount.device,
    fsType: mount.fsType,
    totalBytes: s.blocks * s.blockSize,
    usedBytes: usedBlocks * s.blockSize,
    availableBytes: Math.max(0, s.available) * s.blockSize,
    usedPercent: reachable > 0 ? Math.min(100, Math.ceil((usedBlocks / reachable) * 100)) : 0,
    inodesTotal: s.inodes,
    // btrfs and others make inodes as they need them and say 0; some FUSE filesystems say that more are free than there are.
    ...(s.inodes > 0 && s.inodesFree <= s.inodes
      ? { inodesUsedPercent: Math.ceil(((s.inodes - s.inodesFree) / s.inodes) * 100) }
      : {}),
  };
}

function within(asked: Promise<Disk | Failure>, ms: number, onLate: () => void): Promise<Disk | Failure> {
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
