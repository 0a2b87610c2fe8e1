import { describe, expect, it } from 'vitest';
import { parseSamples, replay } from '../../src/forecast/replay.ts';
import { random } from '../bench/forecast-first.js';

const START = Date.UTC(2026, 0, 5) / 1000;
const GB = 1024 ** 3;

/** One value a minute. */
function series(hours: number, value: (hour: number) => number): string {
  return Array.from(
    { length: hours * 60 },
    (_, i) => `${START + i * 60},${Math.round(value(i / 60) * GB)}`,
  ).join('\n');
}
const run = (text: string, capacity = 2 * GB) => replay(parseSamples(text, 'x.csv'), capacity);

describe('the forecast', () => {
  it('announces a leak a day before it is full, close to when it is, and hourly from then on', () => {
    const { announcements, forecasts } = run(series(70, (h) => 0.4 + 0.04 * Math.max(0, h - 30)));
    const [first] = announcements;
    const end = (START + 70 * 3600) * 1000;
    expect(first!.at).toBeLessThanOrEqual(end - 24 * 3_600_000);
    expect(Math.abs(first!.fullAt - end)).toBeLessThan(2 * 3_600_000);
    expect(first!.perHour / GB).toBeCloseTo(0.04, 3);
    expect(announcements.map(({ severity }) => severity)).toEqual(['warning', 'critical']);
    // The growth is not over because it became urgent.
    expect(announcements.map(({ endedAt }) => endedAt)).toEqual([undefined, undefined]);
    const distances = forecasts.slice(1).map(({ at }, i) => (at - forecasts[i]!.at) / 3_600_000);
    expect(new Set(distances)).toEqual(new Set([1]));
    expect(forecasts.length).toBeGreaterThan(24);
  });

  it('announces growth that is as old as the record, and goes on while a daily cycle falls', () => {
    const old = run(series(90, (h) => 0.2 + 0.018 * h)).announcements;
    expect(old.map(({ severity }) => severity)).toEqual(['warning']);
    expect(old[0]!.at).toBeLessThan((START + 60 * 3600) * 1000);
    const cyclic = run(
      series(90, (h) => 0.5 + 0.02 * Math.max(0, h - 30) + 0.2 * Math.sin((h * Math.PI) / 12)),
    );
    expect(cyclic.announcements.map(({ endedAt }) => endedAt)).not.toContainEqual(expect.any(Number));
    expect(cyclic.announcements.length).toBeGreaterThan(0);
  });

  it('announces growth in bursts that lasts longer than any window sees', () => {
    // 384 MB in two hours, ten hours of rest, and again: each window sees a step, or growth that slows down.
    const half = (h: number) => Math.floor(h / 12) + Math.min(1, (h % 12) / 2);
    const next = random(7);
    const value = (h: number) => 0.5 + 0.375 * half(Math.max(0, h - 48)) + 0.01 * (next() - 0.5);
    const [first] = run(series(96, value)).announcements;
    expect((START + 96 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(12 * 3_600_000);
  });

  it('announces a leak that becomes faster and faster half a day ahead, though it hardly moves at first', () => {
    const next = random(1);
    const value = (h: number) => 0.8 + 1.2 * (Math.max(0, h - 8) / 42) ** 2 + 0.02 * next();
    const [first] = run(series(50, value)).announcements;
    expect((START + 50 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(12 * 3_600_000);
  });

  it('announces stairs a day ahead of which each is nearly half of what a window sees', () => {
    const next = random(5);
    const stairs = (x: number) => Math.floor(7 * x) / 7 + (0.2 / 7) * x;
    const value = (h: number) => 0.8 + 1.2 * stairs(Math.max(0, (h - 48) / 44)) + 0.01 * next();
    const [first] = run(series(92, value)).announcements;
    expect((START + 92 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(24 * 3_600_000);
  });

  it('announces a leak half a day ahead though nothing was seen for three hours of it', () => {
    const lines = series(34, (h) => 0.5 + (1.5 * Math.max(0, h - 10)) / 24).split('\n');
    const seen = lines.filter((_, minute) => minute < 14 * 60 || minute >= 17 * 60);
    const [first] = run(seen.join('\n')).announcements;
    expect((START + 34 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(12 * 3_600_000);
  });

  it('announces a leak of 17 hours half a day ahead where more than a day was quiet before it', () => {
    const next = random(17);
    const value = (h: number) => 0.6 + (1.4 * Math.max(0, h - 30)) / 17 + 0.005 * next();
    const [first] = run(series(47, value)).announcements;
    expect((START + 47 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(12 * 3_600_000);
  });

  it('announces a leak that collects garbage, from a record of 13 hours on', () => {
    const next = random(26);
    const saw = (h: number) => (0.12 * ((h * 60) % 170)) / 170;
    const value = (h: number) => 0.6 + (1.28 * Math.max(0, h - 2)) / 24 + saw(h) + 0.02 * next();
    const [first] = run(series(26, value)).announcements;
    expect((START + 26 * 3600) * 1000 - first!.at).toBeGreaterThanOrEqual(13 * 3_600_000);
  });

  it('does not announce daily cycles, one step, or growth that slows down', () => {
    expect(run(series(24 * 8, (h) => 1.2 + 0.5 * Math.sin((h * Math.PI) / 12))).announcements).toEqual([]);
    expect(run(series(72, (h) => (h < 30 ? 0.8 : 1.7))).announcements).toEqual([]);
    expect(run(series(72, (h) => 0.4 + 1.2 * (1 - Math.exp(-h / 8)))).announcements).toEqual([]);
  });

  it('knows when a leak on a daily cycle is full, on its way down as well', () => {
    const value = (h: number) => 0.6 + 0.02 * Math.max(0, h - 40) + 0.15 * Math.sin(((h + 3) * Math.PI) / 12);
    const end = 114.5;
    const { forecasts } = run(series(end, value));
    const then = forecasts.findLast(({ at }) => at <= (START + (end - 6) * 3600) * 1000)!;
    expect(Math.abs(then.fullAt / 1000 - START - end * 3600)).toBeLessThan(1.5 * 3600);
  });

  it.each([-20, 0, 40, 60])(
    'knows when a straight leak of 6 hours is full, with a step of %i MB and a few noisy samples at its end',
    (step) => {
      for (const seed of [1, 2, 3, 4, 5, 6]) {
        const next = random(seed);
        const leaked = (h: number) => 48 * Math.max(0, h - 30) + (h >= 36 ? step : 0);
        // Once a minute, and twice an hour since the monitor was started in hour 36; full 30 hours later.
        const hours = Array.from({ length: 36 * 60 + 56 }, (_, i) =>
          i < 36 * 60 ? i / 60 : 36 + (i - 36 * 60) / 2,
        );
        const lines = hours.map(
          (h) => `${START + h * 3600},${(2048 - leaked(66) + leaked(h) + 40 * next() - 20) * 1024 ** 2}`,
        );
        const { announcements } = run(lines.join('\n'));
        const { at, fullAt } = announcements[0]!;
        const end = (START + 66 * 3600) * 1000;
        expect(end - at).toBeGreaterThan(18 * 3_600_000);
        expect(Math.abs(fullAt - end)).toBeLessThan((end - at) / 4);
      }
    },
  );

  const wave = (h: number) => Math.sin((h * Math.PI) / 12);
  const warmUp = (h: number, tau: number) => 1 - Math.exp(-Math.max(0, h) / tau);
  it.each([
    ['the first working day after a weekend', 72, (h: number) => 1.1 + 0.6 * wave(h) * (h < 36 ? 0.3 : 1)],
    ...[0, 4, 8].map((from): [string, number, (h: number) => number] => [
      `a working day after a quiet one, from its hour ${from} on`,
      48,
      (h) => 0.7 + (0.5 - 0.5 * Math.cos(((h + from) * Math.PI) / 12)) * (h + from < 24 ? 0.2 : 1),
    ]),
    ['a warm-up of hours', 72, (h: number) => 0.8 + 1.1 * warmUp(h, 8)],
    ['a warm-up that becomes faster first', 72, (h: number) => 0.35 + 0.8 / (1 + Math.exp((28 - h) / 7))],
    [
      'a warm-up of a service that was started after a quiet day, and takes nearly all',
      72,
      (h: number) => 0.2 + 1.57 * warmUp(h - 21.8, 3.7),
    ],
    ['a warm-up of days', 72, (h: number) => 0.8 + 1.1 * warmUp(h, 20)],
    ['a cache that nearly fills it', 90, (h: number) => 1.1 + 0.8 * warmUp(h - 30, 14)],
    [
      'the first day of a cycle, from its way down on',
      30,
      (h: number) => 1.2 + 0.4 * (wave(h + 12) - 0.1 * wave(2 * h)),
    ],
    [
      'the first day of a cycle that rises straight',
      30,
      (h: number) => 1.2 + 0.4 * (wave(h + 21) - 0.2 * wave(2 * h + 42)),
    ],
    ['a job that collects for seven hours', 48, (h: number) => 1 + 0.035 * Math.min(7, Math.max(0, h - 30))],
  ])('does not announce %s', (_, hours, value) => {
    expect(run(series(hours, value)).announcements).toEqual([]);
  });

  it('ends when the growth is given back, once', () => {
    const { announcements } = run(series(90, (h) => (h > 30 && h < 54 ? 0.4 + 0.04 * (h - 30) : 0.4)));
    expect(announcements).toHaveLength(1);
    const over = (START + 54 * 3600) * 1000;
    expect(announcements[0]!.endedAt! - over).toBeLessThanOrEqual(2 * 3_600_000);
  });

  it('compares growth after a restart with what was reached before it', () => {
    const { announcements } = run(series(144, (h) => 0.9 + 0.0125 * (h % 48)));
    const second = announcements.filter(({ at }) => at > (START + 49 * 3600) * 1000);
    expect(second).toEqual([]);
  });

  it('is not misled by a clock that steps back by years and forth again', () => {
    const lines = series(60, (h) => 0.4 + 0.03 * Math.max(0, h - 30)).split('\n');
    const jumped = lines.map((line, i) =>
      i > 2500 && i < 2700 ? line.replace(/^\d+/, (at) => String(Number(at) - 1e8)) : line,
    );
    const { announcements } = run(jumped.slice(0, 2700).join('\n'));
    expect(announcements).toHaveLength(1);
    expect(announcements[0]!.perHour / GB).toBeCloseTo(0.03, 2);
  });
});

describe('a record', () => {
  it('may have a header, ISO times with and without zone, CRLF and blank lines', () => {
    const text =
      '\uFEFFtimestamp,used_bytes\r\n2026-01-05T00:00:00Z,1\r\n\r\n2026-01-05 01:00,2\n2026-01-05T03:00:00+01:00,3e0\n1767578400.5,4';
    expect([...parseSamples(text, 'x.csv')]).toEqual([
      { at: Date.UTC(2026, 0, 5), value: 1 },
      { at: Date.UTC(2026, 0, 5, 1), value: 2 },
      { at: Date.UTC(2026, 0, 5, 2), value: 3 },
      { at: Date.UTC(2026, 0, 5, 2) + 500, value: 4 },
    ]);
  });

  it.each([
    ['2026-01-05 01:00:00+00'],
    ['2026-01-05T02:30:00+0130'],
    ['2026-01-04 22:00:00.000 -03:00'],
    ['1.7675748e9'],
  ])('may have the time as %s', (time) => {
    const [sample] = parseSamples(`# time,used (bytes)\n${time},1`, 'x.csv');
    expect(sample).toEqual({ at: Date.UTC(2026, 0, 5, 1), value: 1 });
  });

  it('may be quoted, and in no order, newest first, with one time twice; a clock that was set back stays as it is', () => {
    const lines = series(60, (h) => 0.4 + 0.03 * Math.max(0, h - 30)).split('\n');
    const sorted = run(lines.join('\n'));
    expect(sorted.announcements.length).toBeGreaterThan(0);
    const quoted = lines.map((line) => line.replace(/(.*),(.*)/, '"$1", "$2"'));
    expect(run(`"time","Größe"\n${quoted.join('\n')}`)).toEqual(sorted);
    expect(run(lines.toReversed().join('\n'))).toEqual(sorted);
    const shuffled = lines.map((_, i) => lines[(i * 7919) % lines.length]!);
    expect(run(shuffled.join('\n'))).toEqual(sorted);
    const twice = [...lines, lines[100]!];
    expect(run(twice.sort().join('\n')).announcements).toEqual(sorted.announcements);
    const setBack = [
      '1767225600,1',
      '1767225660,2',
      '1767225720,3',
      '1767225780,4',
      ...Array.from({ length: 20 }, (_, i) => `${1_767_222_000 + 60 * i},5`),
    ];
    expect(
      parseSamples(setBack.join('\n'), 'x.csv')
        .slice(3, 5)
        .map(({ value }) => value),
    ).toEqual([4, 5]);
  });

  it('may be of logs that were joined in any order, also where they share a sample', () => {
    const lines = series(60, (h) => 0.4 + 0.03 * Math.max(0, h - 30)).split('\n');
    const sorted = run(lines.join('\n'));
    const days = [lines.slice(0, 1000), lines.slice(1000, 2400), lines.slice(2400)];
    for (const order of [
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      const joined = run(order.flatMap((day) => days[day]!).join('\n'));
      expect(joined).toEqual(sorted);
    }
    const shared = [...lines.slice(2000), ...lines.slice(0, 2001)];
    expect(run(shared.join('\n')).announcements).toEqual(sorted.announcements);
  });

  it('may have a line now and then that comes late', () => {
    const lines = series(60, (h) => 0.4 + 0.03 * Math.max(0, h - 30)).split('\n');
    const place = (i: number) => (i % 30 === 7 ? i + 100 : i);
    const late = lines.map((line, i) => ({ line, at: place(i) })).sort((a, b) => a.at - b.at);
    expect(run(late.map(({ line }) => line).join('\n'))).toEqual(run(lines.join('\n')));
    const swapped = lines.map((_, i) => lines[i % 20 === 7 ? i + 1 : i % 20 === 8 ? i - 1 : i]!);
    expect(run(swapped.join('\n'))).toEqual(run(lines.join('\n')));
  });

  it.each([
    ['1767225600,1\nnow,2', 'x.csv, line 2: has no time in front: "now"'],
    ['1767225600,1\n1767225660,NaN', 'x.csv, line 2: has no used amount: "NaN"'],
    ['1767225600,-1', 'x.csv, line 1: has no used amount: "-1"'],
    ['1767225600', 'x.csv, line 1: has 1 field: "1767225600"'],
    ['1767225600000,1', 'milliseconds'],
    ['2026-02-30T00:00:00Z,1', 'x.csv, line 1: has no time in front: "2026-02-30T00:00:00Z"'],
    ['2026-01-01T25:00Z,1', 'x.csv, line 1: has no time in front'],
    ['a,b\nc,d', 'x.csv, line 2: has no time in front: "c"'],
    [`1767225600,1\n${'9'.repeat(300)}`, 'x.csv, line 2: is longer than 200 characters'],
  ])('%j is refused with file and line', (text, error) => {
    expect(() => [...parseSamples(text, 'x.csv')]).toThrow(error);
  });
});
