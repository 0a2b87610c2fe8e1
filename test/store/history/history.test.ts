import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHistory, increaseOf, statsOf } from '../../../src/store/history/history.ts';
import { seriesRows } from '../../../src/store/history/query.ts';
import { openStore, type Store } from '../../../src/store/open.ts';
import { fullSnapshot } from '../../helpers/full-snapshot.ts';
import { containerInfo, emptySnapshot, snapshotOf } from '../../helpers/snapshots.ts';
import { columnOf, pointsIn, statsIn } from './read.ts';

const MB = 1_048_576;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 31, 8, 0, 0);

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-history-'));
  store = openStore(folder, START);
  // What a pulled plug would leave is not what is tested here.
  store.db.exec('PRAGMA synchronous = OFF');
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Checks from `from` to before `to`, flushed as the monitor does. */
function record(
  history: ReturnType<typeof createHistory>,
  from: number,
  to: number,
  every: number,
  values: (at: number) => Parameters<typeof snapshotOf>[1] = () => ({}),
): void {
  for (let at = from; at < to; at += every) {
    history.add(snapshotOf(at, values(at)));
    history.flush(at);
  }
}

describe('what was read comes back', () => {
  test('values of the host with their times', () => {
    const history = createHistory(store.db);
    record(history, START, START + 2 * MINUTE, 30_000, (at) => ({
      usedBytes: (400 + (at - START) / 30_000) * MB,
      score: 1.5 + (at - START) / 30_000,
    }));
    history.flush(START + 2 * MINUTE, true);

    expect(
      pointsIn(history, 'memory.used', START, START + HOUR, 1000).map(({ at, avg }) => [at, avg]),
    ).toEqual([0, 1, 2, 3].map((i) => [START + i * 30_000, (400 + i) * MB]));
    expect(statsIn(history, 'pressure.memory', START, START + HOUR)).toEqual({
      avg: 3,
      min: 1.5,
      minAt: START,
      peak: 4.5,
      peakAt: START + 90_000,
      first: 1.5,
      last: 4.5,
      lastAt: START + 90_000,
      count: 4,
    });
    expect(history.firstAt()).toBe(START);
  });

  test('containers by name, whatever the name is', () => {
    const history = createHistory(store.db);
    const name = 'shop\'s "n8n"; DROP TABLE history_raw -- \u{1f980}';
    history.add(snapshotOf(START, { containers: [containerInfo(name)] }));
    history.flush(START);
    const names = seriesRows(store.db).map((row) => row.name);
    expect(names.filter((one) => one.startsWith('container.anon:'))).toEqual([`container.anon:${name}`]);
    expect(statsIn(history, `container.anon:${name}`, START, START + 1)?.avg).toBe(100 * MB);
    expect(statsIn(history, `container.memory:${name}`, START, START + 1)?.avg).toBe(120 * MB);
    expect(statsIn(history, `container.cpu:${name}`, START, START + 1)?.avg).toBe(1.5);
  });

  test('databases, applications and SQL metrics', () => {
    const history = createHistory(store.db);
    const ok = { state: 'ok', tookMs: 1 } as const;
    history.add(
      emptySnapshot(START, {
        n8n: {
          ...ok,
          value: {
            executions: { active: 1, waiting: 2, completed: 30, failed: 4, queued: 5, canceled: 6 },
            queueDepth: 7,
            workflows: { total: 12, active: 9 },
          },
        },
        waha: {
          ...ok,
          value: {
            address: 'a',
            sessions: [
              { name: 'default', status: 'WORKING', since: START },
              { name: 'two', status: 'FAILED', since: START },
            ],
          },
        },
        sql: {
          ...ok,
          value: {
            samples: [
              { name: 'lead_count', help: '', labels: { table: 'leads' }, value: 40 },
              { name: 'lead_count', help: '', labels: { table: 'old_leads' }, value: 2 },
            ],
            broken: [],
          },
        },
      }),
    );
    history.flush(START);
    const values = Object.fromEntries(
      [...history.columns(() => true, START, START + 1)].map(([name, { avg }]) => [name, avg[0]]),
    );
    expect(values).toEqual({
      'n8n.active': 1,
      'n8n.waiting': 2,
      'n8n.completed': 30,
      'n8n.failed': 4,
      'n8n.queued': 5,
      'n8n.canceled': 6,
      'n8n.queue': 7,
      'n8n.workflows': 12,
      'n8n.workflows.active': 9,
      'waha.sessions': 2,
      'waha.working': 1,
      'sql:lead_count': 42,
      failed: 0,
      'check.ms': 12,
    });
  });

  test('a source that failed is counted, and its values are missing instead of zero', () => {
    const history = createHistory(store.db);
    history.add(emptySnapshot(START, { postgres: { state: 'failed', why: 'refused', tookMs: 5 } }));
    history.flush(START);
    expect(statsIn(history, 'failed:postgres', START, START + 1)?.count).toBe(1);
    expect(statsIn(history, 'failed', START, START + 1)?.avg).toBe(1);
    expect(statsIn(history, 'postgres.size', START, START + 1)).toBeUndefined();
    expect(statsIn(history, 'memory.used', START, START + 1)).toBeUndefined();
  });
});

describe('writing', () => {
  test('at most once a minute, and at once on stop', () => {
    const history = createHistory(store.db);
    const rows = () => (store.db.prepare('SELECT count(*) AS n FROM history_raw').get() as { n: number }).n;
    const seen: number[] = [];
    for (let i = 0; i < 12; i++) {
      history.add(snapshotOf(START + i * 10_000));
      history.flush(START + i * 10_000);
      seen.push(rows());
    }
    expect(seen).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    history.flush(START + 111_000, true);
    expect(rows()).toBe(3);
    expect(statsIn(history, 'memory.used', START, START + HOUR)?.count).toBe(12);
  });

  test('a full disk loses nothing that came within half an hour', () => {
    const history = createHistory(store.db);
    history.add(snapshotOf(START));
    history.flush(START);
    const { page_count: pages } = store.db.prepare('PRAGMA page_count').get() as { page_count: number };
    store.db.exec(`PRAGMA max_page_count = ${pages}`);
    const containers = Array.from({ length: 300 }, (_, i) => containerInfo(`c${i}`));
    for (let i = 1; i <= 30; i++) {
      history.add(snapshotOf(START + i * 30_000, { containers }));
      expect(() => history.flush(START + i * 30_000, true)).toThrow(/full/);
    }
    store.db.exec('PRAGMA max_page_count = 100000');
    history.flush(START + 31 * 30_000);
    expect(statsIn(history, 'container.anon:c299', START, START + HOUR)?.count).toBe(30);
    expect(statsIn(history, 'memory.used', START, START + HOUR)?.count).toBe(31);
  });

  test('a monitor that was killed continues, and its last quarter hour is summed up all the same', () => {
    record(createHistory(store.db), START, START + 10 * MINUTE, 30_000, () => ({ usedBytes: 400 * MB }));
    store.close();
    store = openStore(folder, START);
    const history = createHistory(store.db);
    record(history, START + 2 * HOUR, START + 2 * HOUR + MINUTE, 30_000, () => ({ usedBytes: 800 * MB }));
    const coarse = store.db.prepare('SELECT at, first_at, last_at FROM history_coarse').all() as object[];
    expect(coarse).toEqual([
      // The last two checks of the killed one were not on disk yet.
      expect.objectContaining({ at: START, first_at: START, last_at: START + 9 * MINUTE }),
    ]);
  });
});

describe('the last check as a whole', () => {
  test('comes back as it was, as long as it is fresh', () => {
    const history = createHistory(store.db);
    expect(history.latest(START, MINUTE)).toBeUndefined();
    const snapshot = fullSnapshot(START);
    history.add(snapshot);
    history.flush(START);
    expect(history.latest(START + MINUTE, 90_000)).toEqual(snapshot);
    expect(history.latest(START + 2 * MINUTE, 90_000)).toBeUndefined();
    expect(history.latest(START - HOUR, 90_000)).toBeUndefined();
  });

  test('of many containers is written less often, and on stop', () => {
    const history = createHistory(store.db);
    const containers = Array.from({ length: 300 }, (_, i) => containerInfo(`c${i}`));
    const latestAt = () => (store.db.prepare('SELECT at FROM history_latest').get() as { at: number }).at;
    record(history, START, START + 4 * MINUTE, MINUTE, () => ({ containers }));
    expect(latestAt()).toBe(START);
    record(history, START + 4 * MINUTE, START + 11 * MINUTE, MINUTE, () => ({ containers }));
    expect(latestAt()).toBeGreaterThan(START + 3 * MINUTE);
    history.add(snapshotOf(START + 11 * MINUTE));
    history.flush(START + 11 * MINUTE, true);
    expect(latestAt()).toBe(START + 11 * MINUTE);
  });
});

describe('the two resolutions', () => {
  test('after 48 hours a quarter of an hour is average, minimum and maximum', () => {
    const history = createHistory(store.db);
    // 600 MB, and in the tenth minute of the first hour a peak of 900 MB.
    const used = (at: number) => (at === START + 10 * MINUTE ? 900 * MB : 600 * MB);
    record(history, START, START + 50 * HOUR, MINUTE, (at) => ({ usedBytes: used(at) }));

    const raw = store.db.prepare('SELECT min(at) AS first FROM history_raw').get() as { first: number };
    expect(raw.first).toBeGreaterThanOrEqual(START + 2 * HOUR - 15 * MINUTE);
    expect(raw.first).toBeLessThanOrEqual(START + 2 * HOUR + 15 * MINUTE);

    const [first] = pointsIn(history, 'memory.used', START, START + 15 * MINUTE, 1);
    expect(first).toEqual({ at: START + 7.5 * MINUTE, avg: 620 * MB, min: 600 * MB, max: 900 * MB });
    expect(statsIn(history, 'memory.used', START, START + 50 * HOUR)).toMatchObject({
      peak: 900 * MB,
      min: 600 * MB,
      first: 620 * MB,
      last: 600 * MB,
    });
    // No check is counted twice where the two meet; the quarter hour in which the raw ones begin may lack.
    const count = statsIn(history, 'memory.used', START, START + 50 * HOUR)!.count;
    expect(count).toBeLessThanOrEqual(50 * 60);
    expect(count).toBeGreaterThan(50 * 60 - 16);
  });

  test('points are equally wide, weighted and never invented', () => {
    const history = createHistory(store.db);
    record(history, START, START + HOUR, MINUTE, (at) => ({ usedBytes: ((at - START) / MINUTE) * MB }));
    history.flush(START + HOUR, true);
    const points = pointsIn(history, 'memory.used', START, START + 2 * HOUR, 4);
    expect(points.map(({ avg, min, max }) => [avg / MB, min / MB, max / MB])).toEqual([
      [14.5, 0, 29],
      [44.5, 30, 59],
    ]);
  });
});

describe('gaps', () => {
  test('are where nothing was read: in the raw part, in the coarse part and at the edges', () => {
    const history = createHistory(store.db);
    record(history, START, START + HOUR, MINUTE);
    record(history, START + 3 * HOUR, START + 60 * HOUR, MINUTE);
    record(history, START + 61 * HOUR, START + 62 * HOUR, MINUTE);
    history.flush(START + 62 * HOUR, true);
    expect(history.gaps(START - HOUR, START + 64 * HOUR)).toEqual([
      { from: START - HOUR, to: START },
      { from: START + HOUR - MINUTE, to: START + 3 * HOUR },
      { from: START + 60 * HOUR - MINUTE, to: START + 61 * HOUR },
      { from: START + 62 * HOUR - MINUTE, to: START + 64 * HOUR },
    ]);
    expect(history.gaps(START, START + HOUR)).toEqual([]);
    expect(history.gaps(START + 90 * 60_000, START + 2 * HOUR)).toEqual([
      { from: START + 90 * MINUTE, to: START + 2 * HOUR },
    ]);
  });
});

describe('a clock that jumps', () => {
  test('back by an hour: nothing is lost, nothing fails', () => {
    const history = createHistory(store.db);
    record(history, START, START + 2 * HOUR, MINUTE, () => ({ usedBytes: 400 * MB }));
    record(history, START + HOUR + 7, START + 2 * HOUR, MINUTE, () => ({ usedBytes: 500 * MB }));
    history.flush(START + 2 * HOUR, true);
    expect(statsIn(history, 'memory.used', START, START + 2 * HOUR)).toMatchObject({
      min: 400 * MB,
      peak: 500 * MB,
      count: 180,
    });
    expect(history.gaps(START, START + 2 * HOUR)).toEqual([]);
  });

  test('to 2038 and back costs hours of the history at most, and what it wrote there goes away', () => {
    const history = createHistory(store.db);
    record(history, START, START + 40 * HOUR, MINUTE);
    const wrong = Date.UTC(2038, 0, 19);
    record(history, wrong, wrong + 20 * MINUTE, MINUTE);
    record(history, START + 40 * HOUR, START + 48 * HOUR, MINUTE);
    history.flush(START + 48 * HOUR, true);
    const left = statsIn(history, 'memory.used', START, START + 48 * HOUR)!.count;
    expect(left).toBeGreaterThan(40 * 60);
    expect(columnOf(history, 'memory.used', 0, Infinity)!.at.at(-1)).toBeLessThan(START + 48 * HOUR);
  });
});

describe('queries', () => {
  test('a counter that begins anew rises from zero', () => {
    const column = {
      at: [1, 2, 3, 4, 5],
      avg: [5, 7, 7, 1, 2],
      min: [5, 7, 7, 1, 2],
      max: [5, 7, 7, 1, 2],
      count: [1, 1, 1, 1, 1],
    };
    expect(increaseOf(column)).toBe(4);
    expect(increaseOf(column, 3)).toBe(2);
    expect(increaseOf(column, 6)).toBeUndefined();
    expect(increaseOf(undefined)).toBeUndefined();
  });

  test('statistics of nothing are nothing', () => {
    expect(statsOf(undefined)).toBeUndefined();
    const history = createHistory(store.db);
    expect(statsIn(history, 'memory.used', START, START + DAY)).toBeUndefined();
    expect(pointsIn(history, 'memory.used', START, START + DAY, 10)).toEqual([]);
    expect(history.firstAt()).toBeUndefined();
    expect(history.growth(START, DAY)).toEqual([]);
    expect(history.gaps(START, START + DAY)).toEqual([{ from: START, to: START + DAY }]);
  });
});

test('R9: series whose name or step cannot be read are left out, and are written again', () => {
  const history = createHistory(store.db);
  record(history, START, START + HOUR, 30_000, () => ({ usedBytes: 400 * MB, score: 2 }));
  history.flush(START + HOUR, true);
  store.db.exec(`UPDATE history_series SET name = x'00ff' WHERE name = 'pressure.memory'`);
  store.db.exec(`UPDATE history_series SET step = 'x' WHERE name = 'memory.used'`);
  const again = createHistory(store.db);
  expect(seriesRows(store.db).map(({ name }) => name)).not.toContain('memory.used');
  expect(() =>
    again.quarters(
      () => true,
      START,
      () => undefined,
    ),
  ).not.toThrow();
  record(again, START + HOUR, START + 2 * HOUR, 30_000, () => ({ usedBytes: 500 * MB, score: 3 }));
  again.flush(START + 2 * HOUR, true);
  expect(statsIn(again, 'memory.used', START + HOUR, START + 2 * HOUR)?.avg).toBe(500 * MB);
  expect(statsIn(again, 'pressure.memory', START + HOUR, START + 2 * HOUR)?.avg).toBe(3);
});
