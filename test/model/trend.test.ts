import { describe, expect, it } from 'vitest';
import { steadyPerMinute } from '../../src/model/trend.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
/** A value every 5 s for so many minutes up to now; `value` is of the minutes since the first. */
function series(minutes: number, value: (minute: number) => number): { at: number; value: number }[] {
  return Array.from({ length: minutes * 12 + 1 }, (_, i) => ({
    at: NOW - minutes * MINUTE + i * 5000,
    value: value(i / 12),
  }));
}
/** The same disorder every time. */
const wavers = (minute: number, by: number) => by * Math.sin(minute * 71) + by * Math.sin(minute * 13);

describe('a steady change', () => {
  it.each([
    ['a leak', 10, (m: number) => 500 - 12 * m, -12],
    ['growth', 10, (m: number) => 100 + 12 * m, 12],
    ['one that is known for five minutes', 5, (m: number) => 500 - 12 * m, -12],
    [
      'one that took much more until two minutes ago',
      10,
      (m: number) => 900 - 12 * m - 60 * Math.min(m, 7),
      -12,
    ],
    [
      'one with a burst of two minutes on top',
      10,
      (m: number) => 900 - 12 * m - 100 * Math.min(Math.max(0, m - 6), 1.5),
      -12,
    ],
    ['one that gets slower: the slowest minute counts', 10, (m: number) => 1000 / (m + 1), -9.9],
  ])('%s', (_, minutes, value, expected) => {
    expect(steadyPerMinute(series(minutes, value), NOW)).toBeCloseTo(expected, 0);
  });

  it('is seen under what the kernel frees in bursts', () => {
    const found = steadyPerMinute(
      series(10, (m) => 500 - 12 * m + wavers(m, 7)),
      NOW,
    );
    expect(found).toBeLessThan(-6);
    expect(found).toBeGreaterThan(-13);
  });

  it.each([
    ['nothing that happens', () => 500],
    ['a burst of two minutes that is over', (m: number) => 500 - 100 * Math.min(Math.max(0, m - 6), 2)],
    ['a burst of two minutes that is not over', (m: number) => 500 - 100 * Math.max(0, m - 8)],
    ['a step', (m: number) => (m > 8 ? 300 : 500)],
    ['a leak that was stopped a minute ago', (m: number) => (m > 9 ? 900 : 500 - 12 * m)],
    ['a restart, back to what it was', (m: number) => (m < 4 ? 300 : 800 - 80 * (m - 4))],
    ['a sawtooth', (m: number) => 500 - 20 * ((m + 0.9) % 5)],
    ['a cache that comes and goes', (m: number) => 500 + wavers(m, 40)],
  ])('is none: %s', (_, value) => {
    expect(steadyPerMinute(series(10, value), NOW)).toBeCloseTo(0, 5);
  });

  it('is not known where one of the last five minutes is missing', () => {
    const leak = series(10, (m) => 500 - 12 * m);
    const without = (from: number, to: number) =>
      leak.filter(({ at }) => at < NOW - to * MINUTE || at > NOW - from * MINUTE);
    expect(steadyPerMinute([], NOW)).toBeUndefined();
    expect(
      steadyPerMinute(
        series(2, (m) => 500 - 12 * m),
        NOW,
      ),
    ).toBeUndefined();
    expect(steadyPerMinute(without(1, 2), NOW)).toBeUndefined();
    // The clock was set forward by half an hour just now.
    expect(steadyPerMinute(leak, NOW + 30 * MINUTE)).toBeUndefined();
    expect(steadyPerMinute(without(6, 8), NOW)).toBeCloseTo(-12, 0);
  });

  it('leaves out what a clock that was set back left behind', () => {
    const later = series(10, (m) => 100 + m).map(({ at, value }) => ({ at: at + 11 * MINUTE, value }));
    expect(steadyPerMinute([...later, ...series(10, (m) => 500 - 12 * m)], NOW)).toBeCloseTo(-12, 0);
  });
});
