import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Db } from './db.ts';

/** `none`: nothing was kept yet. `refused`: it is there and this user may not, or cannot, read it. */
export type Look = { db: Db; close(): void } | { none: string } | { refused: string };

/**
 * Opens the database to look into it: nothing is created, migrated, set aside or written, so that `status` and `doctor` cannot
 * disturb the monitor that works with it.
 */
export function openToLook(stateDir: string): Look {
  const path = join(stateDir, 'vpsmon.db');
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && existsSync(stateDir)) return { none: `${stateDir} holds no history yet` };
    if (code === 'ENOENT') return { none: `${stateDir} does not exist yet` };
    if (code === 'ENOTDIR') return { refused: `${stateDir} is a file, not a folder` };
    return { refused: `${path} may not be read by this user` };
  }
  if (statSync(path).isDirectory()) return { refused: `${path} is a folder` };
  try {
    const db = new Database(path, { timeout: 5000 });
    db.exec('PRAGMA query_only = 1');
    // The first read is where a file that is no database shows itself.
    db.prepare('SELECT count(*) FROM sqlite_master').get();
    return { db, close: () => db.close() };
  } catch (error) {
    return { refused: `${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What `work` finds in the database; `otherwise` where there is none that can be read, or it has no such table yet. */
export function lookOr<T>(stateDir: string, otherwise: T, work: (db: Db) => T): T {
  const look = openToLook(stateDir);
  if (!('db' in look)) return otherwise;
  try {
    return work(look.db);
  } catch {
    return otherwise;
  } finally {
    look.close();
  }
}

/** SQLite's own full check, one line a problem; empty when all is well. */
export function integrityProblems(db: Db): string[] {
  const rows = db.prepare('PRAGMA integrity_check(10)').all() as { integrity_check: string }[];
  return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok');
}
