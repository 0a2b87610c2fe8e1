import { expect, test } from 'vitest';
import { answerBudget, parseBoundedJson } from '../../src/system/answer.ts';

test('bytes and rows of one answer after the other', () => {
  const budget = answerBudget(2 * 1_048_576, 3);
  budget.bytes(2 * 1_048_576);
  expect(() => budget.bytes(1)).toThrow('the answer is too large (more than 2 MB)');
  budget.restart();
  budget.bytes(1);
  budget.rows(3);
  expect(() => budget.rows(1)).toThrow('the answer is too large (more than 3 rows)');
});

test('JSON of many values or of great depth is refused before it fills memory', () => {
  expect(() => parseBoundedJson(`[${'[],'.repeat(400_000)}1]`)).toThrow('more than 300000 values');
  expect(() => parseBoundedJson('['.repeat(5_000_000))).toThrow('nested too deeply');
  expect(() => parseBoundedJson('<html>')).toThrow('not JSON');
  const text = JSON.stringify({ a: `[[[{,,"${'[,'.repeat(400_000)}\\`, b: [1, { c: 'ü' }] });
  expect(JSON.stringify(parseBoundedJson(Buffer.from(text)))).toBe(text);
});
