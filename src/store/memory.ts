import type { Db } from './db.ts';

export const MEMORY_MIGRATIONS = [
  `CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID`,
] as const;

/** Small things that must outlive the process: last service table, seen OOM kills, validated chat. JSON values. */
export function recall<T>(db: Db, key: string): T | undefined {
  const row = db.prepare('SELECT value FROM memory WHERE key = ?').get(key) as { value: string } | undefined;
  if (!row) return undefined;
  try {
    return JSON.parse(row.value) as T;
  } catch {
    return undefined; // A value that cannot be read is as good as none; the next `remember` mends it.
  }
}

export function remember(db: Db, key: string, value: unknown, now: number): void {
  db.prepare(
    'INSERT INTO memory (key, value, at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at',
  ).run(key, JSON.stringify(value), now);
}

export function forget(db: Db, key: string): void {
  db.prepare('DELETE FROM memory WHERE key = ?').run(key);
}
