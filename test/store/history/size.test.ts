import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Snapshot } from '../../../src/model/sources.ts';
import { createHistory } from '../../../src/store/history/history.ts';
import { prune } from '../../../src/store/history/write.ts';
import { seriesRows } from '../../../src/store/history/query.ts';
import { openStore, type Store } from '../../../src/store/open.ts';
import { containerInfo, snapshotOf } from '../../helpers/snapshots.ts';
import { pointsIn, statsIn } from './read.ts';

const MB = 1_048_576;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const END = Date.UTC(2026, 5, 1);

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-history-size-'));
  store = openStore(folder, END);
  store.db.exec('PRAGMA synchronous = OFF');
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

let noise = 1;
const random = () => (noise = (noise * 16_807) % 2_147_483_647) / 2_147_483_647;

/** Checks that differ in every number; making new ones would take longer than keeping them does. */
function checks(containers: number): (at: number) => Snapshot {
  const made = Array.from({ length: 97 }, () => noisyCheck(0, containers));
  let next = 0;
  return (at) => ({ ...made[next++ % made.length]!, at });
}

/** Every number is noise: nothing compresses, no value is short because it does not move. */
function noisyCheck(at: number, containers: number) {
  return snapshotOf(at, {
    usedBytes: Math.round(random() * 2000) * MB,
    swapBytes: Math.round(random() * 2000) * MB,
    score: random() * 100,
    containers: Array.from({ length: containers }, (_, i) => {
      const bytes = Math.round(random() * 1000 * MB);
      return containerInfo(`shop-service-${i}`, {
        memory: { workingSetBytes: bytes, anonBytes: Math.round(bytes * random()) },
        cpuPercent: random() * 200,
      });
    }),
  });
}

test('90 days of 50 noisy containers stay below 50 MB, with 48 hours of raw checks', () => {
  const history = createHistory(store.db);
  const check = checks(50);
  // Two checks in a quarter of an hour are a coarse row as long as thirty are; the raw part is what the monitor writes.
  for (let hour = END - 93 * DAY; hour < END - 50 * HOUR; hour += HOUR) {
    for (let at = hour; at < hour + HOUR; at += 7.5 * MINUTE) history.add(check(at));
    history.flush(hour + HOUR);
  }
  for (let at = END - 50 * HOUR; at < END; at += 30_000) {
    history.add(check(at));
    history.flush(at);
  }
  store.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const size = statSync(join(folder, 'vpsmon.db')).size;
  expect(size).toBeLessThan(50 * MB);
  // It was measured at 21 MB: three times the checks (every 10 s) still fit.
  expect(size).toBeLessThan(25 * MB);

  const count = (sql: string) => (store.db.prepare(sql).get() as { n: number }).n;
  const coarse = count('SELECT count(*) AS n FROM history_coarse');
  expect(coarse).toBeGreaterThan(90 * 96 - 8);
  expect(coarse).toBeLessThan(90 * 96 + 16);
  const raw = count(`SELECT count(*) AS n FROM history_raw WHERE at >= ${END - 48 * HOUR}`);
  expect(raw).toBeGreaterThan(2870);
  expect(statsIn(history, 'container.anon:shop-service-49', END - 48 * HOUR, END)?.count).toBe(48 * 120 - 1);
  expect(END - history.firstAt()!).toBeLessThan(91 * DAY);
  expect(pointsIn(history, 'memory.used', END - 90 * DAY, END, 500)).toHaveLength(500);
});

test('whatever comes in, the limit holds: older rows make room', () => {
  const history = createHistory(store.db);
  const limit = 2 * MB;
  for (let at = END - 30 * HOUR; at < END; at += 2 * MINUTE) {
    history.add(noisyCheck(at, 100));
    history.flush(at);
    if (at % (15 * MINUTE) === 0) prune(store.db, at, limit);
  }
  store.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  expect(statSync(join(folder, 'vpsmon.db')).size).toBeLessThan(limit * 1.1);
  // A day of checks at full resolution is what is given up last.
  expect(statsIn(history, 'memory.used', END - 6 * HOUR, END)?.count).toBeGreaterThan(170);
});

test('series of containers that are long gone go, too', () => {
  const history = createHistory(store.db);
  history.add(snapshotOf(END - 100 * DAY, { containers: [containerInfo('once')] }));
  history.flush(END - 100 * DAY);
  for (let at = END - 3 * DAY; at < END; at += 15 * MINUTE) {
    history.add(snapshotOf(at));
    history.flush(at);
  }
  const names = seriesRows(store.db).map(({ name }) => name);
  expect(names.filter((name) => name.startsWith('container.'))).toEqual([]);
  expect(names).toContain('memory.used');
});

test('another process reads while this one writes', async () => {
  const history = createHistory(store.db);
  history.add(noisyCheck(END, 20));
  history.flush(END);
  const reader = `
    import { createRequire } from 'node:module';
    const Database = createRequire(${JSON.stringify(import.meta.url)})('libsql');
    const db = new Database(${JSON.stringify(join(folder, 'vpsmon.db'))}, { readonly: true, timeout: 5000 });
    let newest = 0, reads = 0;
    // Until the writer has got on by 20 checks under its eyes, however fast the machine is.
    for (; reads < 20 || newest <= ${END + 20 * MINUTE}; reads++) {
      const rows = db.prepare('SELECT at, length(data) AS n FROM history_raw ORDER BY at').all();
      // A fast machine writes more than 48 hours of checks meanwhile: the oldest rows go, and only they.
      const gap = rows.some((row, i) => i > 0 && row.at - rows[i - 1].at !== ${MINUTE});
      if (gap || rows.at(-1).at < newest || rows.some((row) => !(row.n > 100)))
        throw new Error('half a write was read');
      newest = rows.at(-1).at;
    }
    console.log(JSON.stringify({ reads, newest }));`;
  createRequire(import.meta.url).resolve('libsql');
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', reader]);
  const finished = new AbortController();
  void child.finally(() => finished.abort()).catch(() => {});
  for (let at = END + MINUTE; !finished.signal.aborted; at += MINUTE) {
    history.add(noisyCheck(at, 20));
    history.flush(at);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { stdout } = await child;
  const { reads, newest } = JSON.parse(stdout) as { reads: number; newest: number };
  expect(reads).toBeGreaterThanOrEqual(20);
  expect(newest).toBeGreaterThan(END + 20 * MINUTE);
});
