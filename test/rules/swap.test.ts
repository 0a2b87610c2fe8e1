import { describe, expect, test } from 'vitest';
import { hostValues } from '../helpers/snapshots.ts';
import { judgedOne, MB, ok, short } from './judge.ts';

const swap = (mb: number, zram = false) =>
  ok(hostValues({ swap: { totalBytes: 4096 * MB, usedBytes: mb * MB, zram }, cgroups: [] }));
const rate = (swapInKBps: number) => ok(hostValues({ swapInKBps, cgroups: [] }));

describe('swap-used', () => {
  test.each([
    [0, 'ok'],
    [921, 'ok'],
    [922, 'between'],
    [1024, 'between'],
    [1025, 'warning'],
    [2048, 'warning'],
    [2049, 'critical'],
  ])('%d MB: %s', (mb, expected) => {
    expect(short(judgedOne('swap-used', { host: swap(mb) }))).toBe(expected);
  });

  test('says how much there is, and that zram lives in memory', () => {
    const finding = judgedOne('swap-used', { host: swap(1500, true) });
    expect(finding.text).toBe('Swap use is 1.5 GB, above 1 GB');
    expect(finding.details).toEqual(['Swap in all: 4 GB (zram: it is kept, compressed, in memory)']);
  });
});

describe('swap-in', () => {
  test.each([
    [0, 'ok'],
    [499, 'ok'],
    [500, 'between'],
    [1000, 'between'],
    [1001, 'warning'],
    [5000, 'warning'],
    [5001, 'critical'],
  ])('%d KB/s: %s', (kbps, expected) => {
    expect(short(judgedOne('swap-in', { host: rate(kbps) }))).toBe(expected);
  });

  test('must hold 60 s', () => {
    const finding = judgedOne('swap-in', { host: rate(6200) });
    expect(finding).toMatchObject({ holdMs: 60_000, value: 6200, limit: 5000, unit: 'kBps' });
    expect(finding.text).toBe('The server is swapping: 6,200 KB/s are read back from swap, above 5,000 KB/s');
  });

  test('the first reading knows no rate', () => {
    const { swapInKBps: _, ...host } = hostValues();
    expect(judgedOne('swap-in', { host: ok(host) }).verdict).toBe('unknown');
  });
});
