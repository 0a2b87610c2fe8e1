import { expect, test } from 'vitest';
import { parseDuration } from '../../src/model/duration.ts';

test.each([
  ['45s', 45_000],
  ['30m', 1_800_000],
  ['30min', 1_800_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1w', 604_800_000],
  ['1h30m', 5_400_000],
  ['1 h 30 min', 5_400_000],
  [' 2H ', 7_200_000],
  ['1.5h', 5_400_000],
  ['90d', 7_776_000_000],
])('%j is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '',
  '5',
  'h',
  '-1h',
  '0m',
  '1x',
  '1h foo',
  '1e3h',
  '1h1',
  `${'9'.repeat(30)}d`,
  '4000d',
  '1'.repeat(500),
])('%j is none', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
