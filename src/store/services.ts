import type * as v from 'valibot';
import { remember } from './memory.ts';
import type { Db } from './db.ts';
import { dropped, readJson } from './rows.ts';

export const SERVICE_MIGRATIONS = [
  `CREATE TABLE services (key TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID`,
] as const;

/** The services as they were last told, by name. Rows that are not of this shape are left out. */
export function loadServices<T>(db: Db, shape: v.GenericSchema<unknown, T>): T[] {
  const rows = db.prepare('SELECT key, data FROM services ORDER BY key').all() as {
    key: string;
    data: unknown;
  }[];
  return rows.flatMap(({ key, data }) => {
    const row = readJson(shape, data);
    if (row === undefined) dropped(db, `What was remembered of the service ${key} cannot be read`);
    return row === undefined ? [] : [row];
  });
}

/** Writes what changed and how far Docker was read, in one transaction; `undefined` removes a service. */
export function saveServices(
  db: Db,
  changes: Map<string, unknown>,
  seen: { key: string; value: unknown },
  now: number,
): void {
  const put = db.prepare(
    'INSERT INTO services (key, data) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data',
  );
  const drop = db.prepare('DELETE FROM services WHERE key = ?');
  db.transaction(() => {
    for (const [key, value] of changes) {
      if (value === undefined) drop.run(key);
      else put.run(key, JSON.stringify(value));
    }
    remember(db, seen.key, seen.value, now);
  }).immediate();
}
