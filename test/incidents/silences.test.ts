import { describe, expect, test } from 'vitest';
import { silencing, windowAt } from '../../src/incidents/silences.ts';
import { matchesPattern, type SilenceWindow } from '../../src/config/schema.ts';
import { processorMs } from '../helpers/cost.ts';

/** Days of January 2026: the 14th is a Wednesday. */
const at = (day: number, hour: number, minute = 0) => new Date(2026, 0, day, hour, minute).getTime();
const window = (days: number[], from: number, to: number): SilenceWindow => ({
  subject: 'Disk',
  days,
  from: from * 60,
  to: to * 60,
  reason: 'backup',
});
const holds = (w: SilenceWindow, now: number) => windowAt(w, now) !== undefined;

test.each([
  ['web*', 'web-7', true],
  ['WEB*', 'web', true],
  ['job-*-x', 'job-1-x', true],
  ['job-*-x', 'job-x', false],
  ['*', 'anything', true],
  ['a*b*c', 'aXbYc', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['web', 'web-7', false],
  ['w.b', 'web', false],
  ['postgres', `shop_postgres.1.${'x'.repeat(25)}`, true],
])('U16: a silence of %j and a container %j: %j', (pattern, subject, is) => {
  const silence = { subject: pattern.toLowerCase(), since: 0, until: 1, reason: '' };
  expect(silencing({ rule: 'container-stopped', subject }, [silence]) !== undefined).toBe(is);
});

test('a pattern with many wildcards takes no longer', () => {
  let matches = true;
  const ms = processorMs(() => (matches = matchesPattern('*a'.repeat(60) + 'b', 'a'.repeat(128))));
  expect(matches).toBe(false);
  expect(ms).toBeLessThan(2000);
});

describe('windows of vpsmon.yaml', () => {
  test('from inclusive, to exclusive', () => {
    const w = window([], 2, 3);
    expect([at(14, 1, 59), at(14, 2), at(14, 2, 59), at(14, 3)].map((t) => holds(w, t))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('says since when and until when', () => {
    expect(windowAt(window([3], 2, 3), at(14, 2, 30))).toEqual({
      subject: 'disk',
      since: at(14, 2),
      until: at(14, 3),
      reason: 'backup',
    });
  });

  test('over midnight the day on which it began counts', () => {
    const w = window([3], 22, 6);
    expect(holds(w, at(14, 21, 59))).toBe(false);
    expect(holds(w, at(14, 22))).toBe(true);
    expect(holds(w, at(15, 5, 59))).toBe(true);
    expect(holds(w, at(15, 6))).toBe(false);
    // Wednesday early: that window would have begun on Tuesday.
    expect(holds(w, at(14, 3))).toBe(false);
    expect(windowAt(w, at(15, 1))).toMatchObject({ since: at(14, 22), until: at(15, 6) });
  });

  test('other days do not count', () => {
    const w = window([1, 5], 0, 24);
    const days = [12, 13, 14, 15, 16, 17].filter((day) => holds(w, at(day, 12)));
    expect(days).toEqual([12, 16]);
  });

  test('the same time twice is a whole day', () => {
    const w = window([], 6, 6);
    expect([at(14, 5, 59), at(14, 6), at(14, 23)].every((t) => holds(w, t))).toBe(true);
    expect(windowAt(w, at(14, 5))).toMatchObject({ since: at(13, 6), until: at(14, 6) });
  });

  test('a window that ends at midnight', () => {
    const w = window([], 22, 24);
    expect(holds(w, at(14, 23, 59))).toBe(true);
    expect(holds(w, at(15, 0))).toBe(false);
  });
});

describe('what a silence covers', () => {
  const silence = (subject: string) => [{ subject, since: 0, until: 1, reason: '' }];
  const incident = { rule: 'container-stopped', subject: 'Shop-Web-1', alias: 'web' };
  test.each([
    ['shop-web-1', true],
    ['web', true],
    ['container-stopped', true],
    ['all', true],
    ['shop', false],
    ['container', false],
    ['', false],
    ['disk', false],
  ])('%j: %s', (subject, expected) => {
    expect(silencing(incident, silence(subject)) !== undefined).toBe(expected);
  });

  test('without a service there is nothing that an empty name could match', () => {
    expect(silencing({ rule: 'disk', subject: '/' }, silence(''))).toBeUndefined();
  });
});
