import type { Db } from '../db.ts';
import { COARSE_MS, RAW_MS, SEEN_MS } from './schema.ts';

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
