import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDisks, toDisk } from '../../src/collectors/disks.ts';
import { parseMounts } from '../../src/collectors/mounts.ts';
import { isZram, parseMeminfo, parseNumbers, parseStat } from '../../src/collectors/proc.ts';
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

  test('N14: more free inodes than there are: unknown', () => {
    const odd = toDisk(
      { mount: '/', device: 'd', fsType: 'fuse.x', remote: false },
      { ...numbers, inodesFree: 11 },
    );
    expect(odd).not.toHaveProperty('inodesUsedPercent');
  });

  function disks(statfs: Files['statfs']) {
    const clock = standingClock(0);
    let reads = 0;
    const files = {
      root: '/',
      text: () => {
        reads += 1;
        return mountinfo;
      },
      statfs,
    } as unknown as Files;
    return { read: createDisks(files, clock), clock, reads: () => reads };
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

  test('the list of mounts is read every five minutes only', async () => {
    const { read, reads, clock } = disks(async () => numbers);
    for (let i = 0; i < 10; i += 1) await read();
    expect(reads()).toBe(1);
    clock.move(300_001);
    await read();
    expect(reads()).toBe(2);
  });
});
