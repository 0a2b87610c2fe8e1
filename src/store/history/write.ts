import type { Db } from '../db.ts';
import { finished, putBucket, putSnapshot, readRaw, writer, type CoarseValue } from './codec.ts';
import type { Buffered, HistoryBuffer, Series } from './buffer.ts';
import { BUCKET_MS, SEEN_MS, bucketOf, COARSE_MS, RAW_MS } from './schema.ts';

/** Writes the buffered checks as one row for each bucket they fall into. Call inside a transaction. */
export function writeRaw(db: Db, buffer: HistoryBuffer): void {
  const insert = db.prepare(
    'INSERT INTO history_raw (at, until, data) VALUES (?, ?, ?) ON CONFLICT (at) DO UPDATE SET until = excluded.until, data = excluded.data',
  );
  const open = db.prepare('INSERT OR IGNORE INTO history_open (bucket) VALUES (?)');
  const idOf = seriesIds(db);
  for (const group of byBucket(buffer.checks())) {
    const rowAt = group[0]!.at;
    const to = writer();
    for (const { at, series, values } of group) {
      const stored = Array.from(series, (number, i) => {
        const one = buffer.seriesOf(number);
        return { id: idOf(one, at), steps: wholeSteps(values[i]!, one.step) };
      });
      stored.sort((a, b) => a.id - b.id);
      putSnapshot(to, rowAt, { at, values: stored });
    }
    insert.run(rowAt, Math.max(...group.map(({ at }) => at)), finished(to));
    open.run(bucketOf(rowAt));
  }
}

/** Checks that follow each other in one bucket; a clock that was set back begins a new row. */
function byBucket(buffered: readonly Buffered[]): Buffered[][] {
  const groups: Buffered[][] = [];
  for (const entry of buffered) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    if (last && before && bucketOf(before.at) === bucketOf(entry.at) && entry.at >= before.at)
      last.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

function wholeSteps(value: number, step: number): number {
  return Math.max(-(2 ** 51), Math.min(2 ** 51, Math.round(value / step)));
}

/**
 * Prepared once: a statement is freed when it is collected as garbage, and at the first check of 500 containers those of 1,500 new
 * series held 6 MB, which the C library then kept.
 */
function seriesIds(db: Db): (series: Series, at: number) => number {
  const insert = db.prepare('INSERT OR IGNORE INTO history_series (name, step, last_at) VALUES (?, ?, ?)');
  const select = db.prepare('SELECT id, step FROM history_series WHERE name = ?');
  const repair = db.prepare('UPDATE history_series SET step = ? WHERE id = ?');
  return (series, at) => {
    if (series.id !== undefined) return series.id;
    insert.run(series.name, series.step, at);
    const { id, step } = select.get(series.name) as { id: number; step: number };
    series.id = id;
    // The step is the one that older rows of it were written with; one that is no number was damaged.
    if (Number.isFinite(step)) series.step = step;
    else repair.run(series.step, id);
    return id;
  };
}

/** Sums up every bucket that has new raw rows and is not the current one. Call inside a transaction. */
export function rollUp(db: Db, now: number): void {
  const buckets = db.prepare('SELECT bucket FROM history_open WHERE bucket <> ?').all(bucketOf(now)) as {
    bucket: number;
  }[];
  for (const { bucket } of buckets) {
    rollUpOne(db, bucket);
    db.prepare('DELETE FROM history_open WHERE bucket = ?').run(bucket);
  }
}

function rollUpOne(db: Db, bucket: number): void {
  const rows = db
    .prepare('SELECT at, until, data FROM history_raw WHERE at >= ? AND at < ? ORDER BY at')
    .all(bucket, bucket + BUCKET_MS) as { at: number; until: number; data: ArrayBuffer }[];
  if (rows.length === 0) return;
  const sums = new Map<number, { count: number; sum: number; min: number; max: number }>();
  for (const row of rows) {
    readRaw(
      row.data,
      row.at,
      () => {},
      (id, steps) => {
        const entry = sums.get(id);
        if (!entry) {
          sums.set(id, { count: 1, sum: steps, min: steps, max: steps });
          return;
        }
        entry.count++;
        entry.sum += steps;
        if (steps < entry.min) entry.min = steps;
        if (steps > entry.max) entry.max = steps;
      },
    );
  }
  const values: CoarseValue[] = [...sums]
    .map(([id, { count, sum, min, max }]) => ({ id, count, avg: Math.round(sum / count), min, max }))
    .toSorted((a, b) => a.id - b.id);
  const to = writer();
  putBucket(to, values);
  db.prepare('INSERT OR REPLACE INTO history_coarse (at, first_at, last_at, data) VALUES (?, ?, ?, ?)').run(
    bucket,
    rows[0]!.at,
    Math.max(...rows.map(({ until }) => until)),
    finished(to),
  );
  // Once a day is enough to know which series are long gone.
  db.prepare(
    'UPDATE history_series SET last_at = ? WHERE last_at < ? AND id IN (SELECT value FROM json_each(?))',
  ).run(bucket, bucket - SEEN_MS, JSON.stringify(values.map(({ id }) => id)));
}

/** The history's share of the 50 MB: incidents, outbox and SQLite's own pages need the rest. */
const MAX_BYTES = 48 * 1_048_576;
/**
 * Rows taken at one pruning, which runs once in a bucket of 15 minutes: four times as many as come in. A clock that is
 * wrong by years for an hour thus costs hours of the history, not all of it.
 */
const RAW_ROWS = 120;
const COARSE_ROWS = 4;
/** Rows from further ahead than this were written by a clock that was wrong. */
const AHEAD_MS = 86_400_000;

/** Removes what is too old, what comes from a wrong clock, and what is too much. Returns true when series went, too. */
export function prune(db: Db, now: number, maxBytes = MAX_BYTES): boolean {
  removeOutside(db, 'history_raw', now - RAW_MS, now + AHEAD_MS, RAW_ROWS);
  removeOutside(db, 'history_coarse', now - COARSE_MS, now + AHEAD_MS, COARSE_ROWS);
  // Each round frees about an hour of raw or half a day of coarse rows; 500 containers need a handful in a bucket.
  for (let round = 0; round < 50 && usedBytes(db) > maxBytes; round++) {
    if (!removeOldest(db)) break;
  }
  const gone = db
    .prepare(
      `DELETE FROM history_series WHERE last_at < ifnull((SELECT min(at) FROM history_coarse), 0) - ?
       AND last_at < ifnull((SELECT min(at) FROM history_raw), 0) - ?`,
    )
    .run(SEEN_MS, SEEN_MS);
  return gone.changes > 0;
}

function removeOutside(db: Db, table: string, from: number, to: number, rows: number): void {
  db.prepare(
    `DELETE FROM ${table} WHERE at IN (SELECT at FROM ${table} WHERE at < ? ORDER BY at LIMIT ?)`,
  ).run(from, rows);
  db.prepare(
    `DELETE FROM ${table} WHERE at IN (SELECT at FROM ${table} WHERE at > ? ORDER BY at DESC LIMIT ?)`,
  ).run(to, rows);
}

/** Raw rows go first while they span more than a day, then the oldest coarse ones, then raw ones again. */
function removeOldest(db: Db): boolean {
  const span = db.prepare('SELECT max(at) - min(at) AS ms, count(*) AS n FROM history_raw').get() as {
    ms: number | null;
    n: number;
  };
  const rawFirst = (span.ms ?? 0) > RAW_MS / 2;
  const table = rawFirst || !hasRows(db, 'history_coarse') ? 'history_raw' : 'history_coarse';
  if (table === 'history_raw' && span.n <= 1) return false;
  const done = db
    .prepare(`DELETE FROM ${table} WHERE at IN (SELECT at FROM ${table} ORDER BY at LIMIT 60)`)
    .run();
  return done.changes > 0;
}

function hasRows(db: Db, table: string): boolean {
  return db.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() !== undefined;
}

/** Bytes of pages in use in the whole database: three numbers from its header, no table is read. */
function usedBytes(db: Db): number {
  const number = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() as object)[0] as number;
  return (number('page_count') - number('freelist_count')) * number('page_size');
}
