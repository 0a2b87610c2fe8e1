import { expect, test } from 'vitest';
import { levelOf, type Limits } from '../../src/rules/level.ts';

const above: Limits = { bad: 'above', warning: 80, critical: 90, clear: 77 };
const below: Limits = { bad: 'below', warning: 100, critical: 50, clear: 130 };

test.each([
  [above, 76.9, 'ok', 80],
  [above, 77, 'between', 80],
  [above, 80, 'between', 80],
  [above, 80.1, 'warning', 80],
  [above, 90, 'warning', 80],
  [above, 90.1, 'critical', 90],
  [below, 130.1, 'ok', 100],
  [below, 130, 'between', 100],
  [below, 100, 'between', 100],
  [below, 99.9, 'warning', 100],
  [below, 50, 'warning', 100],
  [below, 49.9, 'critical', 50],
  [{ ...above, inclusive: true }, 80, 'warning', 80],
  [{ ...above, inclusive: true }, 90, 'critical', 90],
  [{ ...above, inclusive: true }, 79.9, 'between', 80],
] as [Limits, number, string, number][])('%o: %d is %s', (limits, value, expected, limit) => {
  const level = levelOf(value, limits);
  expect(level.verdict === 'breach' ? level.severity : level.verdict).toBe(expected);
  expect(level.limit).toBe(limit);
});

test('only a critical limit: no warning, and it clears from there', () => {
  const only: Limits = { bad: 'above', critical: 200, clear: 180 };
  expect(levelOf(201, only)).toEqual({ verdict: 'breach', severity: 'critical', limit: 200 });
  expect(levelOf(190, only)).toEqual({ verdict: 'between', severity: 'critical', limit: 200 });
  expect(levelOf(179, only)).toEqual({ verdict: 'ok', severity: 'critical', limit: 200 });
});

test('a clear level on the wrong side of the warning is moved 10 % beyond it', () => {
  const raised: Limits = { bad: 'below', warning: 200, critical: 50, clear: 130 };
  expect(levelOf(201, raised).verdict).toBe('between');
  expect(levelOf(219, raised).verdict).toBe('between');
  expect(levelOf(221, raised).verdict).toBe('ok');
  const lowered: Limits = { bad: 'above', warning: 40, critical: 80, clear: 50 };
  expect(levelOf(39, lowered).verdict).toBe('between');
  expect(levelOf(35, lowered).verdict).toBe('ok');
});

test('a value that is no number is not known', () => {
  expect(levelOf(Number.NaN, above).verdict).toBe('unknown');
});
