import { describe, expect, it } from 'vitest';
import { formatValue } from '../../src/model/finding.ts';

const MB = 1_048_576;

describe('formatValue', () => {
  it.each([
    [91.256, 'percent', '91.3 %'],
    [45 * MB, 'bytes', '45 MB'],
    [5200.4, 'kBps', '5,200 KB/s'],
    [90, 'seconds', '1 min 30 s'],
    [83.4, 'score', '83'],
    [1200, 'count', '1,200'],
    [7, undefined, '7'],
  ] as const)('%d %s', (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });
});
