import { describe, expect, test } from 'vitest';
import { createHistoryBuffer, type HistoryBuffer } from '../../../src/store/history/buffer.ts';
import { containerInfo, snapshotOf } from '../../helpers/snapshots.ts';

const START = Date.UTC(2026, 0, 31, 8, 0, 0);
const memory = { workingSetBytes: 30 * 1_048_576, anonBytes: 20 * 1_048_576 };

function checkOf(at: number, names: readonly string[]) {
  const containers = names.map((name) => ({ ...containerInfo(name), memory, cpuPercent: 1.5 }));
  return snapshotOf(at, { containers });
}
const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
/** The values of a check by the names of their series. */
function valuesOf(buffer: HistoryBuffer, index: number): Record<string, number> {
  const { series, values } = buffer.checks()[index]!;
  return Object.fromEntries([...series].map((number, i) => [buffer.seriesOf(number).name, values[i]!]));
}

describe('checks that wait to be written', () => {
  test('have each value under the name of its series, with the subject behind a colon', () => {
    const buffer = createHistoryBuffer();
    buffer.add(checkOf(START, ['a', 'b:c']));
    expect(valuesOf(buffer, 0)).toMatchObject({
      'container.memory:a': memory.workingSetBytes,
      'container.anon:b:c': memory.anonBytes,
      'container.cpu:a': 1.5,
      'containers.total': 2,
    });
  });

  test('of 500 containers take 20 KB each, however many there are before they can be written', () => {
    const buffer = createHistoryBuffer();
    for (let i = 0; i < 60; i += 1) buffer.add(checkOf(START + i * 30_000, named('c', 500)));
    for (const { series, values } of buffer.checks()) {
      expect(series.length).toBeGreaterThan(1500);
      expect(series.buffer.byteLength + values.buffer.byteLength).toBeLessThan(20_000);
    }
  });

  test('keep their names while other containers come, and lose the oldest check first', () => {
    const buffer = createHistoryBuffer();
    for (let i = 0; i < 50; i += 1) buffer.add(checkOf(START + i, named(`run${i}`, 100)));
    expect(valuesOf(buffer, 0)).toHaveProperty('container.memory:run0-99');
    expect(valuesOf(buffer, 49)).toHaveProperty('container.memory:run49-99');
    buffer.keepOnly(2);
    expect(buffer.checks().map(({ at }) => at)).toEqual([START + 48, START + 49]);
    expect(valuesOf(buffer, 0)).toHaveProperty('container.memory:run48-0');
  });

  test('names that nobody uses any more are forgotten once nothing waits', () => {
    const buffer = createHistoryBuffer();
    for (let i = 0; i < 50; i += 1) {
      buffer.add(checkOf(START + i, named(`run${i}`, 100)));
      buffer.keepOnly(0);
    }
    buffer.add(checkOf(START + 50, ['last']));
    expect(Math.max(...buffer.checks()[0]!.series)).toBeLessThan(2000);
    expect(valuesOf(buffer, 0)).toHaveProperty('container.memory:last');
  });

  test('ids that the database gave are forgotten when it gives them up, names and steps are not', () => {
    const buffer = createHistoryBuffer();
    buffer.add(checkOf(START, ['a']));
    const one = buffer.seriesOf(buffer.checks()[0]!.series[0]!);
    one.id = 7;
    const { name, step } = one;
    buffer.forgetIds();
    expect(one).toEqual({ name, step });
  });
});
