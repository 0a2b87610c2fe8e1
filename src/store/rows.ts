import * as v from 'valibot';
import { statement, type Db } from './db.ts';

const listeners = new WeakMap<Db, (what: string) => void>();

/** Whoever opened the database hears of every row that is left out because it cannot be read, in one plain sentence. */
export function reportDropped(db: Db, listener: (what: string) => void): void {
  listeners.set(db, listener);
}

/** Says that a row was left out: it was damaged, or written by something else. That is no reason to stop. */
export function dropped(db: Db, what: string): void {
  listeners.get(db)?.(what);
}

/** The same, with the row deleted: it must not stand before all the others for ever. */
export function dropRow(db: Db, what: string, sql: string, ...key: unknown[]): void {
  dropped(db, `${what} cannot be read and was dropped`);
  try {
    statement(db, sql).run(...key);
  } catch {
    // Opened to look only, or the disk is full: it is left out all the same.
  }
}

/** A row by the names of the program (the column `sent_at` is `sentAt`), without what is NULL; undefined where it is not of this shape. */
export function readRow<T>(shape: v.GenericSchema<unknown, T>, row: unknown): T | undefined {
  const fields = Object.entries(row as object).flatMap(([column, value]) =>
    value === null ? [] : [[column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]],
  );
  const read = v.safeParse(shape, Object.fromEntries(fields));
  return read.success ? read.output : undefined;
}

/** A column of JSON of this shape. */
export function jsonOf<T>(shape: v.GenericSchema<unknown, T>) {
  return v.pipe(v.string(), v.parseJson(), shape);
}

/** SQL for a field of the JSON in the column `data`, by its path; NULL in a damaged row, on which the statement would fail otherwise. */
export function jsonField(path: string): string {
  return `CASE WHEN json_valid(data) THEN json_extract(data, '$.${path}') END`;
}

/** The JSON in a column, where it is of this shape. */
export function readJson<T>(shape: v.GenericSchema<unknown, T>, text: unknown): T | undefined {
  try {
    const read = v.safeParse(shape, JSON.parse(String(text)));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}
