import type { Snapshot } from '../../model/sources.ts';
import type { Db } from '../db.ts';

/** 50 containers are 25 KB, once a minute; more containers are written less often, so that the disk has no more to do. */
const MS_PER_BYTE = 60_000 / 25_000;

/** Writes the last check whole. Call inside a transaction. Returns when the next one is due, as a time after this one. */
export function writeLatest(db: Db, snapshot: Snapshot): number {
  const data = JSON.stringify(snapshot);
  db.prepare(
    'INSERT INTO history_latest (id, at, data) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at, data = excluded.data',
  ).run(snapshot.at, data);
  return data.length * MS_PER_BYTE;
}

/** The last check that was written, when it is not older than `maxAgeMs` (nor from a clock that was ahead). */
export function readLatest(db: Db, now: number, maxAgeMs: number): Snapshot | undefined {
  const row = db.prepare('SELECT at, data FROM history_latest').get() as
    { at: number; data: string } | undefined;
  if (!row || Math.abs(now - row.at) > maxAgeMs) return undefined;
  try {
    return JSON.parse(row.data) as Snapshot;
  } catch {
    return undefined; // As good as none: the caller reads by itself.
  }
}
