export const RAW_MS = 48 * 3_600_000;
export const COARSE_MS = 90 * 86_400_000;
/** Width of a coarse bucket. */
export const BUCKET_MS = 15 * 60_000;
/** How exact history_series.last_at is. */
export const SEEN_MS = 86_400_000;

export const HISTORY_MIGRATIONS: readonly string[] = [
  // history_open holds the buckets that have raw rows not yet summed up; it survives a crash in between.
  `CREATE TABLE history_series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, step REAL NOT NULL, last_at INTEGER NOT NULL);
   CREATE TABLE history_raw (at INTEGER PRIMARY KEY, until INTEGER NOT NULL, data BLOB NOT NULL);
   CREATE TABLE history_coarse (at INTEGER PRIMARY KEY, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, data BLOB NOT NULL);
   CREATE TABLE history_open (bucket INTEGER PRIMARY KEY)`,
  // The whole last check: for the report, and for export where the monitor serves no HTTP.
  `CREATE TABLE history_latest (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL, data TEXT NOT NULL)`,
];

/** The bucket that a moment belongs to: its start, epoch ms. */
export function bucketOf(at: number): number {
  return Math.floor(at / BUCKET_MS) * BUCKET_MS;
}
