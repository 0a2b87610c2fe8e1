import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHistory } from '../../src/store/history.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { snapshotOf } from '../helpers/snapshots.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 31, 8, 0, 0);

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-history-'));
  store = openStore(folder, START);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('what was read comes back', () => {
  test('values of the host and of containers, with their times', () => {
    const history = createHistory(store.db);
    for (let i = 0; i < 4; i++)
      history.add(snapshotOf(START + i * 30_000, { usedBytes: (400 + i) * 1_048_576, score: 1.5 + i }));
    expect(history.flush(START + 3 * 30_000, true)).toBeUndefined();

    expect(history.series('memory.used', START, START + HOUR, 1000).map(({ at, avg }) => [at, avg])).toEqual(
      [0, 1, 2, 3].map((i) => [START + i * 30_000, (400 + i) * 1_048_576]),
    );
    expect(history.stats('pressure.memory', START, START + HOUR)).toMatchObject({
      avg: 3,
      min: 1.5,
      peak: 4.5,
      peakAt: START + 90_000,
      last: 4.5,
      count: 4,
    });
  });
});
