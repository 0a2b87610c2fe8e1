import type { Snapshot } from '../../model/sources.ts';
import { type Db, immediately } from '../db.ts';
import { createHistoryBuffer } from './buffer.ts';
import { growthOf, type Growth } from './growth.ts';
import { prune, rollUp, writeRaw } from './write.ts';
import {
  gapsOf,
  readColumns,
  visitQuarters,
  type Column,
  type Gap,
  type Point,
  type Stats,
} from './query.ts';
import { bucketOf } from './schema.ts';

export { HISTORY_MIGRATIONS } from './schema.ts';
export { increaseOf, pointsOf, statsOf } from './query.ts';
export type { Column, Gap, Growth, Point, Stats };

/** Checks that are kept when they cannot be written (a full disk): half an hour at the usual interval. */
const MAX_BUFFERED = 60;
const FLUSH_MS = 60_000;
/** The longest time between two writes of the whole last check. */
const MAX_LATEST_MS = 10 * 60_000;
const GROWTH_MS = 10 * 60_000;

/**
 * The numbers of all checks: raw for 48 h, then averages, minima and maxima of 15 minutes for 90 days, at most 50 MB. One
 * process writes; any number may read meanwhile. Times are epoch ms, so summer time does not exist here. What is kept of a source, and
 * under which name, stands in its entry (src/model/sources).
 */
export type History = {
  /** Takes a check into the buffer. Cheap; nothing is written. */
  add(snapshot: Snapshot): void;
  /**
   * Writes the buffer, at most once a minute unless `force` (on stop). Throws when it cannot; the buffer is kept then, and
   * the next call tries again.
   */
  flush(now: number, force?: boolean): void;
  /** Several series in one pass, those without a value left out. `since` inclusive, `until` exclusive. */
  columns(wanted: (name: string) => boolean, since: number, until: number): Map<string, Column>;
  /** The quarter hours since `since`, in order of time, one value after the other; the current one is not among them. */
  quarters(
    wanted: (name: string) => boolean,
    since: number,
    visit: (name: string, at: number, min: number, average: number, max: number) => void,
  ): void;
  /** Stretches of at least `minMs` without any check: the host or the monitor was off. */
  gaps(since: number, until: number, minMs?: number): Gap[];
  /** How fast the anonymous memory of each container grows, fastest first; computed at most every 10 minutes. */
  growth(now: number, windowMs: number): Growth[];
  /** The last check as a whole, when it was written within the last `maxAgeMs`. */
  latest(now: number, maxAgeMs: number): Snapshot | undefined;
  /** The oldest check kept. */
  firstAt(): number | undefined;
};

export function createHistory(db: Db): History {
  const buffer = createHistoryBuffer();
  let flushedAt: number | undefined;
  let tidiedIn: number | undefined;
  let last: Snapshot | undefined;
  let latestDue = -Infinity;
  let grown: { at: number; windowMs: number; growth: Growth[] } | undefined;

  function write(now: number, force: boolean): void {
    writeRaw(db, buffer);
    if (last && (force || now >= latestDue || now < latestDue - MAX_LATEST_MS))
      latestDue = now + Math.min(MAX_LATEST_MS, writeLatest(db, last));
    if (tidiedIn === bucketOf(now)) return;
    rollUp(db, now);
    if (prune(db, now)) buffer.forgetIds();
  }

  function flush(now: number, force = false): void {
    if (buffer.checks().length === 0) return;
    // A clock that was set back must not stop the writing.
    const waited = flushedAt === undefined ? Infinity : Math.abs(now - flushedAt);
    if (!force && waited < FLUSH_MS - 5000) return;
    try {
      immediately(db, () => write(now, force));
    } catch (error) {
      // Ids that were given inside the failed transaction do not exist.
      buffer.forgetIds();
      buffer.keepOnly(MAX_BUFFERED);
      throw error;
    }
    flushedAt = now;
    tidiedIn = bucketOf(now);
    buffer.keepOnly(0);
  }

  function growth(now: number, windowMs: number): Growth[] {
    if (!grown || grown.windowMs !== windowMs || Math.abs(now - grown.at) >= GROWTH_MS)
      grown = { at: now, windowMs, growth: growthOf(db, now, windowMs) };
    return grown.growth;
  }

  return {
    add(snapshot) {
      last = snapshot;
      buffer.add(snapshot);
    },
    flush,
    columns: (wanted, since, until) => readColumns(db, wanted, since, until),
    quarters: (wanted, since, visit) => visitQuarters(db, wanted, since, visit),
    gaps: (since, until, minMs = 5 * 60_000) => gapsOf(db, since, until, minMs),
    growth,
    latest: (now, maxAgeMs) => readLatest(db, now, maxAgeMs),
    firstAt: () => firstAt(db),
  };
}

function firstAt(db: Db): number | undefined {
  const row = db
    .prepare(
      'SELECT (SELECT min(first_at) FROM history_coarse) AS coarse, (SELECT min(at) FROM history_raw) AS raw',
    )
    .get() as { coarse: number | null; raw: number | null };
  const known = [row.coarse, row.raw].filter((at) => at !== null);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** 50 containers are 25 KB, once a minute; more containers are written less often, so that the disk has no more to do. */
const MS_PER_BYTE = 60_000 / 25_000;

/** Writes the last check whole. Call inside a transaction. Returns when the next one is due, as a time after this one. */
function writeLatest(db: Db, snapshot: Snapshot): number {
  const data = JSON.stringify(snapshot);
  db.prepare(
    'INSERT INTO history_latest (id, at, data) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at, data = excluded.data',
  ).run(snapshot.at, data);
  return data.length * MS_PER_BYTE;
}

/** The last check that was written, when it is not older than `maxAgeMs` (nor from a clock that was ahead). */
function readLatest(db: Db, now: number, maxAgeMs: number): Snapshot | undefined {
  const row = db.prepare('SELECT at, data FROM history_latest').get() as
    { at: number; data: string } | undefined;
  if (!row || Math.abs(now - row.at) > maxAgeMs) return undefined;
  try {
    return JSON.parse(row.data) as Snapshot;
  } catch {
    return undefined; // As good as none: the caller reads by itself.
  }
}
