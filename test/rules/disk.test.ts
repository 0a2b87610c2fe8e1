import { describe, expect, test } from 'vitest';
import type { Disk } from '../../src/model/snapshot.ts';
import { hostValues } from '../helpers/snapshots.ts';
import { judged, MB, ok, short, titles } from './judge.ts';

function disk(mount: string, usedPercent: number, inodesUsedPercent?: number): Disk {
  const base = hostValues().disks[0]!;
  const { inodesUsedPercent: _, ...rest } = base;
  return { ...rest, mount, usedPercent, ...(inodesUsedPercent === undefined ? {} : { inodesUsedPercent }) };
}
const host = (...disks: Disk[]) => ({ host: ok(hostValues({ disks })) });

describe('disk', () => {
  test.each([
    [76.9, 'ok'],
    [77, 'between'],
    [80, 'between'],
    [80.4, 'warning'],
    [90, 'warning'],
    [91, 'critical'],
  ])('%d %%: %s', (percent, expected) => {
    expect(judged('disk', host(disk('/', percent))).map(short)).toEqual([expected]);
  });

  test('a disk that fills, dances on its limit, and is emptied: three messages', () => {
    const checks = [79, 81, 79, 81, 92, 89, 78, 81, 76].map((percent) => host(disk('/', percent)));
    expect(titles('disk', checks)).toEqual([
      'WARNING: Disk / is 81 % full, above 80 %',
      'CRITICAL (was WARNING): Disk / is 92 % full, above 90 %',
      'Resolved: Disk / is 76 % full',
    ]);
  });

  test('one finding a mount, fine ones too', () => {
    const findings = judged('disk', host(disk('/', 20), disk('/srv', 95)));
    expect(findings.map((finding) => [finding.subject, short(finding)])).toEqual([
      ['/', 'ok'],
      ['/srv', 'critical'],
    ]);
  });

  test('says how full and how much is free, and never "80 % full, above 80 %"', () => {
    const [finding] = judged('disk', host(disk('/', 80.4)));
    expect(finding!.text).toBe('Disk / is 80.4 % full, above 80 %');
    expect(finding!.details).toEqual(['Free: 17.6 GB of 39.1 GB (/dev/vda1, ext4)']);
    expect(finding).toMatchObject({ value: 80.4, limit: 80, unit: 'percent' });
  });

  test('N7: where the unit is not told, how much is free is not known', () => {
    const { totalBytes: _, usedBytes: __, availableBytes: ___, ...fuse } = disk('/s', 95);
    expect(judged('disk', host(fuse))[0]!.details).toEqual([
      'How much is free is not known (/dev/vda1, ext4)',
    ]);
  });

  test('N12: read-only after an error is critical at once, with what to do', () => {
    const [fine, broken] = judged(
      'disk-read-only',
      host(disk('/', 20), { ...disk('/srv', 20), stoppedWriting: true }),
    );
    expect(short(fine!)).toBe('ok');
    expect(short(broken!)).toBe('critical');
    expect(broken!.text).toBe('Disk /srv is read-only: the kernel stopped all writing to it after an error');
    expect(broken!.details?.join()).toContain('What to do: see `dmesg`');
    expect(broken!.holdMs ?? 0).toBe(0);
  });

  test('a mount with hostile bytes in its name is one plain line', () => {
    const [finding] = judged('disk', host(disk('/mnt/\u001b[31mx\ny', 99)));
    expect(finding!.text).toBe('Disk /mnt/x y is 99 % full, above 90 %');
    expect(finding!.subject).toBe('/mnt/\u001b[31mx\ny');
  });
});

describe('inodes', () => {
  test('by the same limits', () => {
    const findings = judged('inodes', host(disk('/', 10, 85), disk('/a', 10, 99), disk('/b', 10, 5)));
    expect(findings.map(short)).toEqual(['warning', 'critical', 'ok']);
    expect(findings[0]!.text).toBe('Disk / has used 85 % of its inodes, above 80 %');
  });

  test('a filesystem without a fixed number of inodes has none to run out of', () => {
    expect(judged('inodes', host(disk('/', 99)))).toEqual([]);
  });
});

test('no disk is read as full because of its size alone', () => {
  expect(judged('disk', host({ ...disk('/', 0), totalBytes: 1 * MB })).map(short)).toEqual(['ok']);
});
