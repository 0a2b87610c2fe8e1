import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDisks, toDisk } from '../../src/collectors/disks.ts';
import { parseMounts } from '../../src/collectors/mounts.ts';
import { isZram, parseArc, parseMeminfo, parseNumbers, parseStat } from '../../src/collectors/proc.ts';
import { createRate } from '../../src/collectors/rate.ts';
import type { Files } from '../../src/system/types.ts';
import { standingClock } from '../helpers/recorded-host.ts';

describe('rates', () => {
  test('amount a second on a clock that never jumps', () => {
    const rate = createRate();
    expect(rate(100, 1_000)).toBeUndefined();
    expect(rate(160, 31_000)).toBe(2);
    expect(rate(160, 61_000)).toBe(0);
  });
  test('a counter that went back, a missing one and no time passed give nothing, and the next one does', () => {
    const rate = createRate();
    rate(100, 1_000);
    expect(rate(5, 2_000)).toBeUndefined();
    expect(rate(6, 3_000)).toBe(1);
    expect(rate(7, 3_000)).toBeUndefined();
    expect(rate(undefined, 4_000)).toBeUndefined();
    expect(rate(10, 5_000)).toBeUndefined();
    expect(rate(12, 6_000)).toBe(2);
  });
});

describe('parsers', () => {
  test('names are whole words', () => {
    expect(parseNumbers('pswpin_x 1\npswpin 2\nxpswpin 3\n', ['pswpin'])).toEqual({ pswpin: 2 });
  });
  test('meminfo without a total is an error, not a machine without memory', () => {
    expect(() => parseMeminfo('')).toThrow('no MemTotal');
  });
  test('N4: what the ZFS cache gives back is available', () => {
    const arc =
      '13 1 0x01 147 39984 5 9\nname type data\nhits 4 9\nc_min 4 134217728\nc_max 4 9\nsize 4 2469606195\narc_meta_min 4 7\n';
    expect(parseArc(arc)).toBe(2_469_606_195 - 134_217_728);
    expect(parseArc(arc.replace('2469606195', '100'))).toBe(0);
    expect(parseArc('')).toBe(0);
    const text = 'MemTotal: 4000000 kB\nMemFree: 40000 kB\nMemAvailable: 46080 kB\n';
    expect(parseMeminfo(text, parseArc(arc)).memory.availableBytes).toBe(46_080 * 1024 + parseArc(arc));
    expect(parseMeminfo(text, 1e12).memory).toMatchObject({ availableBytes: 4_096_000_000, usedBytes: 0 });
  });
  test('swap is in RAM only where all of it is', () => {
    const head = 'Filename Type Size Used Priority\n';
    expect(isZram(`${head}/dev/zram0 partition 1 0 100\n/dev/zram1 partition 1 0 100\n`)).toBe(true);
    expect(isZram(`${head}/dev/zram0 partition 1 0 100\n/swapfile file 1 0 -2\n`)).toBe(false);
    expect(isZram(head)).toBe(false);
  });
  test('waiting for the disk is not work, stolen time is', () => {
    expect(parseStat('cpu  10 1 4 80 20 1 1 3 9 9\ncpu0 1\nbtime 5\n')).toEqual({
      busy: 20,
      total: 120,
      cpus: 1,
      bootTime: 5,
    });
  });
});

describe('mounts', () => {
  test('below a folder, paths are those of the host', () => {
    const text = [
      '1 0 8:1 / / rw - overlay overlay rw',
      '2 1 8:1 / /host ro master:1 - ext4 /dev/sda1 rw',
      '3 2 8:2 / /host/data rw - xfs /dev/sdb rw',
      '4 1 8:3 / /hostile rw - xfs /dev/sdc rw',
    ].join('\n');
    expect(parseMounts(text, '/host').map(({ mount }) => mount)).toEqual(['/', '/data']);
  });
  test('a bind mount of a folder counts only where the whole is not mounted, and the shortest path wins', () => {
    const text = [
      '1 0 8:1 /a /x rw - ext4 /dev/sda1 rw',
      '2 0 8:1 / /a/longer/path rw - ext4 /dev/sda1 rw',
      '3 0 8:2 /b /b/very/long rw - ext4 /dev/sdb1 rw',
      '4 0 8:2 /b /b rw - ext4 /dev/sdb1 rw',
    ].join('\n');
    expect(parseMounts(text).map(({ mount }) => mount)).toEqual(['/a/longer/path', '/b']);
  });
  test('N8: an automount point is left alone, also one whose map is a file', () => {
    const text = '1 0 0:40 / /net rw - autofs /etc/auto.net rw\n2 0 8:1 / / rw - ext4 /dev/sda1 rw';
    expect(parseMounts(text).map(({ mount }) => mount)).toEqual(['/']);
  });
  test('N8: a folder is no device: bindfs, mergerfs and gocryptfs show what is elsewhere', () => {
    const text = [
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
      '2 1 0:50 / /mirror rw - fuse /srv/data rw,user_id=0',
      '3 1 0:51 / /mirror2 rw - fuse.bindfs /srv/data rw,user_id=0',
      '4 1 0:52 / /pool rw - fuse.mergerfs /mnt/a:/mnt/b rw',
      '5 1 0:53 / /clear rw - fuse.gocryptfs /srv/cipher rw',
      '6 1 0:54 / /etc/pve rw - fuse /dev/fuse rw',
      '7 1 8:17 / /ntfs rw - fuseblk /dev/sdb1 rw',
    ].join('\n');
    expect(parseMounts(text).map(({ mount }) => mount)).toEqual(['/', '/ntfs']);
  });
  test('what is mounted over is not seen', () => {
    const text = '1 0 8:1 / /d rw - ext4 /dev/sda1 rw\n2 1 0:9 / /d rw - tmpfs tmpfs rw';
    expect(parseMounts(text)).toEqual([]);
  });
});

describe('disks', () => {
  const numbers = { blockSize: 4096, blocks: 100, free: 50, available: 45, inodes: 10, inodesFree: 9 };
  const mountinfo = '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 0 0:5 / /nfs rw - nfs4 nas:/x rw\n';

  test('percent as df has it: of what users may have, rounded up', () => {
    const disk = toDisk({ mount: '/', device: 'd', fsType: 'ext4', remote: false }, numbers);
    expect(disk).toMatchObject({ usedPercent: 53, inodesUsedPercent: 10, usedBytes: 50 * 4096 });
  });

  test('N7: FUSE counts in a unit that is not told: bytes unknown, percent right', () => {
    const fuse = { mount: '/s', device: 'me@nas:/s', fsType: 'fuse.sshfs', remote: true };
    const MiB = 1_048_576;
    const odd = toDisk(fuse, { ...numbers, blockSize: MiB });
    expect(odd).toMatchObject({ usedPercent: 53 });
    for (const bytes of ['totalBytes', 'usedBytes', 'availableBytes']) expect(odd).not.toHaveProperty(bytes);
    // virtiofs is FUSE, answered by the host.
    expect(toDisk({ ...fuse, fsType: 'virtiofs' }, { ...numbers, blockSize: MiB })).not.toHaveProperty(
      'totalBytes',
    );
    // Where Node tells the unit, it is taken.
    expect(toDisk(fuse, { ...numbers, blockSize: MiB, fragmentSize: 4096 })?.totalBytes).toBe(409_600);
  });

  const zfs = (dataset: string, mount: string) =>
    `7 1 0:${dataset.length * 20 + mount.length} / ${mount} rw - zfs ${dataset} rw,xattr\n`;
  test('N5: the datasets of a full pool are one disk, one with a quota stands alone', async () => {
    const used: Record<string, number> = { '/tank': 1, '/tank/db': 600, '/srv/www': 299 };
    const { read } = disks(
      async (path) => {
        const free = path === '/quota' ? 10 : 50;
        const blocks = (used[path] ?? 90) + free;
        return { ...numbers, blocks, free, available: free, inodes: 0, inodesFree: 0 };
      },
      zfs('tank', '/tank') +
        zfs('tank/db', '/tank/db') +
        zfs('tank/www', '/srv/www') +
        zfs('tank/q', '/quota') +
        zfs('b/x', '/b'),
    );
    expect(
      (await read()).disks.map(({ mount, device, usedPercent }) => [mount, device, usedPercent]),
    ).toEqual([
      ['/b', 'b/x', 65],
      ['/quota', 'tank/q', 90],
      ['/tank', 'tank', 95],
    ]);
  });

  test('N5: two folders of one server or one host are one disk, two disks of one server are two', async () => {
    const nas = (share: string) => `8 1 0:${60 + share.length} / ${share} rw - nfs4 nas:${share} rw\n`;
    const { read } = disks(
      async (path) => ({ ...numbers, ...(path === '/other' ? { blocks: 200 } : {}) }),
      `${nas('/a')}${nas('/bb')}${nas('/other')}5 1 0:70 / /v1 rw - virtiofs one rw\n6 1 0:71 / /v2 rw - virtiofs two rw\n`,
    );
    expect((await read()).disks.map(({ mount }) => mount)).toEqual(['/a', '/other', '/v1']);
    const { read: more } = disks(
      async (path) => ({ ...numbers, ...(path === '/v2' ? { free: 10, available: 10 } : {}) }),
      [
        '5 1 0:70 / /v1 rw - virtiofs one rw',
        '6 1 0:71 / /v2 rw - virtiofs two rw',
        '7 1 0:72 / /c1 rw - ceph 10.0.0.1:6789,10.0.0.2:6789:/a rw',
        '8 1 0:73 / /c2 rw - ceph 10.0.0.1:6789,10.0.0.2:6789:/b rw',
        '9 1 0:74 / /s1 rw - fuse.sshfs me@nas:/a rw',
        '10 1 0:75 / /s2 rw - fuse.sshfs me@nas:/b rw\n',
      ].join('\n'),
    );
    expect((await more()).disks.map(({ mount }) => mount)).toEqual(['/c1', '/s1', '/v1', '/v2']);
  });

  test('N6: what is read-only by its nature is as full as it was made', async () => {
    const { read } = disks(
      async () => numbers,
      [
        '1 0 8:1 / / ro,relatime - ext4 /dev/sda1 rw',
        '2 1 8:2 / /usr ro,nodev - ext4 /dev/dm-0 ro,seclabel',
        '3 1 7:1 / /snap/x ro - squashfs /dev/loop1 ro',
        '4 1 7:2 / /img rw - erofs /dev/loop2 ro',
        '5 1 11:0 / /cd rw - iso9660 /dev/sr0 ro',
        '6 1 0:55 / /seed rw - btrfs /dev/sdc ro',
      ].join('\n'),
    );
    expect(await read()).toEqual({ disks: [expect.objectContaining({ mount: '/' })], unreadable: [] });
  });

  const rooted = (flags: string, options: string) =>
    `1 0 8:1 / / ${flags},relatime - ext4 /dev/sda1 ${options},discard\n`;
  test.each([
    ['the mount still says rw', rooted('rw', 'rw'), rooted('rw', 'ro'), true],
    ['found like that at the start', rooted('rw', 'ro,errors=remount-ro'), rooted('rw', 'ro'), true],
    ['Linux 6.15', rooted('rw', 'rw'), rooted('rw', 'rw,emergency_ro'), true],
    ['flags hidden by ProtectSystem', rooted('ro', 'rw'), rooted('ro', 'ro'), true],
    ['btrfs', rooted('rw', 'rw').replace('ext4', 'btrfs'), rooted('rw', 'ro').replace('ext4', 'btrfs'), true],
    [
      'shown read-only elsewhere, too',
      rooted('rw', 'rw'),
      `${rooted('rw', 'ro').replace(' / / ', ' / /srv/data ')}${rooted('ro', 'ro').replace(' / / ', ' / /a ')}`,
      true,
    ],
    ['a person remounted it', rooted('rw', 'rw'), rooted('ro', 'ro'), false],
    ['read-only from the start', rooted('ro', 'ro'), rooted('ro', 'ro'), false],
  ])('N12: the kernel stopped writing: %s', async (_name, before, after, stopped) => {
    const { read, reads, mounts, clock } = disks(async () => numbers, before);
    for (let i = 0; i < 10; i += 1) await read();
    expect(reads()).toBe(1);
    mounts.text = after;
    clock.move(60_000);
    const { disks: found } = await read();
    expect(found.some((disk) => disk.stoppedWriting)).toBe(stopped);
    expect(found).toHaveLength(stopped ? 1 : 0);
  });

  const data = (flags: string, bound: string, options: string) =>
    [
      `40 1 8:2 / /data ${flags} - ext4 /dev/sda2 ${options}`,
      `90 1 8:2 /app /srv/app ${bound} - ext4 /dev/sda2 ${options}`,
      `91 1 8:2 / /b ${bound} - ext4 /dev/sda2 ${options}`,
    ].join('\n');
  test.each([
    ['a person remounted what is bound elsewhere', data('rw', 'rw', 'rw'), data('ro', 'rw', 'ro'), 0],
    ['that, found at the start', data('ro', 'rw', 'ro'), data('ro', 'rw', 'ro'), 0],
    [
      'the kernel stopped what is bound read-only elsewhere',
      data('rw', 'ro', 'rw'),
      data('rw', 'ro', 'ro'),
      1,
    ],
    ['that, found at the start', data('rw', 'ro', 'ro'), data('rw', 'ro', 'ro'), 1],
  ])('N6: %s', async (_name, before, after, stopped) => {
    const { read, mounts, clock } = disks(async () => numbers, before);
    await read();
    mounts.text = after;
    clock.move(60_000);
    expect((await read()).disks.filter((disk) => disk.stoppedWriting)).toHaveLength(stopped);
  });

  test('N12: a root of btrfs that takes no writes in a mount for writing is known at the first look', () => {
    const root = (flags: string) => parseMounts(`6 1 0:25 /@ / ${flags} - btrfs /dev/vda2 ro,subvol=/@\n`);
    expect(root('rw,noatime')).toMatchObject([{ readOnly: 'kernel' }]);
    expect(root('ro,noatime')).toMatchObject([{ readOnly: 'person' }]);
  });

  test('N14: more free inodes than there are: unknown', () => {
    const odd = toDisk(
      { mount: '/', device: 'd', fsType: 'fuse.x', remote: false },
      { ...numbers, inodesFree: 11 },
    );
    expect(odd).not.toHaveProperty('inodesUsedPercent');
  });

  test('N14: less than nothing is left: full; a disk without an end: its size is unknown', () => {
    const disk = (more: object) =>
      toDisk({ mount: '/', device: 'd', fsType: 'nfs4', remote: true }, { ...numbers, ...more });
    expect(disk({ available: 2 ** 64 - 4096 })).toMatchObject({ usedPercent: 100, availableBytes: 0 });
    const endless = disk({ blocks: 2 ** 63, free: 2 ** 63, available: 2 ** 63 - 1024 });
    expect(endless).toMatchObject({ usedPercent: 0 });
    expect(endless).not.toHaveProperty('totalBytes');
  });

  function disks(statfs: Files['statfs'], first = mountinfo) {
    const clock = standingClock(0);
    let reads = 0;
    const mounts = { text: first };
    const files = {
      root: '/',
      textOr: () => {
        reads += 1;
        return mounts.text;
      },
      statfs,
    } as unknown as Files;
    return { read: createDisks(files, clock), clock, reads: () => reads, mounts };
  }

  test('a dead server is left out, named, and not asked again until it answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const asked: string[] = [];
    let wake: (() => void) | undefined;
    const { read } = disks(async (path) => {
      asked.push(path);
      if (path === '/nfs') await new Promise<void>((resolve) => (wake = resolve));
      return numbers;
    });
    const reading = read();
    await vi.advanceTimersByTimeAsync(3_000);
    const first = await reading;
    expect(first.disks.map(({ mount }) => mount)).toEqual(['/']);
    expect(first.unreadable).toEqual(['/nfs']);
    await read();
    expect(asked).toEqual(['/', '/nfs', '/']);
    wake?.();
    await new Promise((resolve) => setImmediate(resolve));
    const after = read();
    await new Promise((resolve) => setImmediate(resolve));
    wake?.();
    expect((await after).unreadable).toEqual([]);
  });

  test('what is unmounted is looked for again at once, what is hidden from this user is not missed', async () => {
    const { read, reads } = disks(async (path) => {
      if (path === '/nfs') throw Object.assign(new Error('x'), { code: 'ENOENT' });
      throw Object.assign(new Error('x'), { code: 'EACCES' });
    });
    expect(await read()).toEqual({ disks: [], unreadable: [] });
    await read();
    expect(reads()).toBe(2);
  });

  test('a long list of mounts is read every five minutes only', async () => {
    const { read, reads, clock } = disks(
      async () => numbers,
      mountinfo + '9 9 0:9 / /x rw - tmpfs tmpfs rw\n'.repeat(2_000),
    );
    for (let i = 0; i < 10; i += 1) await read();
    expect(reads()).toBe(1);
    clock.move(300_001);
    await read();
    expect(reads()).toBe(2);
  });
});
