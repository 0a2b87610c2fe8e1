import { describe, expect, test } from 'vitest';
import { hostValues } from '../helpers/snapshots.ts';
import { judgedOne, MB, ok, short } from './judge.ts';

const swap = (mb: number, zram = false) =>
  ok(hostValues({ swap: { totalBytes: 4096 * MB, usedBytes: mb * MB, zram }, cgroups: [] }));
const short60 = { totalBytes: 4000 * MB, availableBytes: 60 * MB, usedBytes: 3940 * MB };
const rate = (swapInKBps: number) => ok(hostValues({ swapInKBps, memory: short60, cgroups: [] }));

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

  test.each([
    [511, 'between'],
    [513, 'warning'],
    [819, 'warning'],
    [820, 'critical'],
  ])('U2: with 1 GB of swap, %d MB are %s: half and 80 %% of it count', (mb, expected) => {
    const host = hostValues({
      swap: { totalBytes: 1024 * MB, usedBytes: mb * MB, zram: false },
      cgroups: [],
    });
    expect(short(judgedOne('swap-used', { host: ok(host) }))).toBe(expected);
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

  test('H2: without swap nothing swaps, whatever the kernel of the physical machine counts', () => {
    const swapless = { totalBytes: 0, usedBytes: 0, zram: false };
    const host = hostValues({ swapInKBps: 16_000, swap: swapless, cgroups: [] });
    expect(judgedOne('swap-in', { host: ok(host) }).verdict).toBe('ok');
  });

  test('H4: a zram that is full is a warning at most while nothing waits for memory; a disk is full', () => {
    const line = { avg10: 0, avg60: 0, avg300: 0, totalUs: 0 };
    const calm = ok({ memory: { some: line, full: line }, score: 0 });
    const busy = ok({ memory: { some: line, full: line }, score: 70 });
    expect(judgedOne('swap-used', { host: swap(3900, true), pressure: calm }).severity).toBe('warning');
    expect(judgedOne('swap-used', { host: swap(3900, true), pressure: busy }).severity).toBe('critical');
    expect(judgedOne('swap-used', { host: swap(3900), pressure: calm }).severity).toBe('critical');
  });

  test('H4: a warning at most while nothing waits for memory', () => {
    const pressureOf = (score: number) => {
      const line = { avg10: score, avg60: score, avg300: score, totalUs: 0 };
      return ok({ memory: { some: line, full: line }, score });
    };
    expect(judgedOne('swap-in', { host: rate(8000), pressure: pressureOf(0) }).severity).toBe('warning');
    expect(judgedOne('swap-in', { host: rate(8000), pressure: pressureOf(90) }).severity).toBe('critical');
  });

  test('H4: where the kernel does not tell who waits, available memory is the evidence', () => {
    const pressure = { state: 'absent', why: 'no PSI' } as const;
    const withMemory = (mb: number) => {
      const memory = { totalBytes: 4000 * MB, availableBytes: mb * MB, usedBytes: (4000 - mb) * MB };
      return judgedOne('swap-in', {
        host: ok(hostValues({ swapInKBps: 8000, memory, cgroups: [] })),
        pressure,
      });
    };
    expect(withMemory(2400).severity).toBe('warning');
    expect(withMemory(60).severity).toBe('critical');
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
