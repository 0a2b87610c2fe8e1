import { expect, test } from 'vitest';
import { createSql, samplesOf } from '../../src/collectors/sql.ts';
import { collectorDeps, patience } from '../helpers/collector-deps.ts';

const metric = { name: 'm', help: 'h' };

test('the column `value`, or else the last one, is the number; the others are labels', () => {
  expect(samplesOf(metric, [{ value: '3', state: 'new' }])).toEqual([
    { ...metric, labels: { state: 'new' }, value: 3 },
  ]);
  expect(samplesOf(metric, [{ state: 'new', n: '3' }])).toEqual([
    { ...metric, labels: { state: 'new' }, value: 3 },
  ]);
  expect(samplesOf(metric, [{ n: '-1.5e3' }])[0]?.value).toBe(-1500);
  expect(samplesOf(metric, [])).toEqual([]);
});

test('true and false are 1 and 0, NULL says nothing', () => {
  expect(
    samplesOf(metric, [
      { l: 'a', v: 't' },
      { l: 'b', v: 'f' },
      { l: 'c', v: null },
    ]).map((s) => s.value),
  ).toEqual([1, 0]);
});

test('labels become names that Prometheus takes, and values lose what is hostile', () => {
  const row = { 'Büro №1': 'a\u001b[31m\nb', '9lives': null, __name__: 'x', v: '1' };
  expect(samplesOf(metric, [row])[0]?.labels).toEqual({ B_ro__1: 'a b', _9lives: '', name__: 'x' });
});

test.each([
  ['text', [{ v: 'many' }], 'the column v is no number: many'],
  ['nothing', [{ v: '' }], 'is no number'],
  ['infinity', [{ v: 'Infinity' }], 'is no number: Infinity'],
  ['NaN', [{ v: 'NaN' }], 'is no number'],
  ['no column', [{}], 'the query has no columns'],
  [
    'the same labels twice',
    [
      { l: 'a', v: '1' },
      { l: 'a', v: '2' },
    ],
    'two rows have the same labels',
  ],
])('%s is an error', (_name, rows, why) => {
  expect(() => samplesOf(metric, rows)).toThrow(why);
});

test('absent without a PostgreSQL', async () => {
  const collector = createSql(collectorDeps({ missing: { postgres: 'no container runs PostgreSQL' } }));
  expect(await collector.read(patience())).toEqual({ absent: 'no container runs PostgreSQL' });
});
