import type * as v from 'valibot';
import type { Db } from './db.ts';
import { dropRow, readJson } from './rows.ts';

export const MEMORY_MIGRATIONS = [
  `CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID`,
] as const;

/**
 * Small things that must outlive the process: last service table, seen OOM kills, validated chat. JSON values. Undefined where there
 * is none of this shape: a row that cannot be read is dropped with a word, and the next `remember` writes a good one.
 */
export function recall<T>(db: Db, key: string, shape: v.GenericSchema<unknown, T>): T | undefined {
  const row = db.prepare('SELECT value FROM memory WHERE key = ?').get(key) as { value: unknown } | undefined;
  if (!row) return undefined;
  const value = readJson(shape, row.value);
  if (value === undefined)
    dropRow(db, `What was remembered as ${key}`, 'DELETE FROM memory WHERE key = ?', key);
  return value;
}

export function remember(db: Db, key: string, value: unknown, now: number): void {
  db.prepare(
    'INSERT INTO memory (key, value, at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at',
  ).run(key, JSON.stringify(value), Math.round(now));
}

/** Epoch ms: when this was last remembered. */
export function rememberedAt(db: Db, key: string): number | undefined {
  const row = db.prepare('SELECT at FROM memory WHERE key = ?').get(key) as { at: unknown } | undefined;
  return typeof row?.at === 'number' ? row.at : undefined;
}

/** A machine that was off for longer than this keeps its old records a day longer. */
const LONGEST_PAUSE_MS = 30 * 86_400_000;

/**
 * Whether the clock may be right, as far as what was written before tells: records are not thrown away as too old because it is ten
 * years ahead for a minute.
 */
export function clockMayBeRight(db: Db, now: number): boolean {
  const { last } = db.prepare('SELECT max(at) AS last FROM memory WHERE at <= ?').get(Math.round(now)) as {
    last: number | null;
  };
  return last === null || now - last < LONGEST_PAUSE_MS;
}

export function forget(db: Db, key: string): void {
  db.prepare('DELETE FROM memory WHERE key = ?').run(key);
}
