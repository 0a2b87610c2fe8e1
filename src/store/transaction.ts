import type { Db } from './db.ts';

/**
 * Runs `work` in an immediate transaction. libsql's own `transaction` answers a full disk with "cannot rollback - no
 * transaction is active", for SQLite has rolled back by then: here the first error is the one that is thrown.
 */
export function immediately<T>(db: Db, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
