import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Db } from './db.ts';
import { identityOf, makePrivate } from './state-folder.ts';

export type Lock = {
  /** False when its file was removed or replaced: another process could take a lock of the same name by now. */
  holds(): boolean;
  release(): void;
};

/**
 * Takes a lock that the kernel gives back when the process dies, however it dies: an open exclusive transaction on a
 * small database of its own (SQLite holds an fcntl lock for it). A pid file alone would survive a SIGKILL.
 * Returns undefined, and who holds it where that is known, when another process has it.
 */
export function takeLock(stateDir: string, name: string): Lock | { heldBy: number | undefined } {
  const path = join(stateDir, `${name}.lock`);
  // For its owner alone: whoever can read the file can lock it, too, and keep the monitor from starting.
  makePrivate(path);
  let db: Db;
  try {
    db = lockFile(path);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'SQLITE_BUSY') return { heldBy: readPid(`${path}.pid`) };
    // No process holds a lock on what is no database.
    if (code !== 'SQLITE_NOTADB') throw error;
    rmSync(path);
    makePrivate(path);
    db = lockFile(path);
  }
  const file = identityOf(path);
  try {
    writeFileSync(`${path}.pid`, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // Only for people to read; the lock itself needs no room on the disk.
  }
  return {
    holds: () => identityOf(path) === file,
    release() {
      try {
        db.exec('ROLLBACK');
      } finally {
        db.close();
      }
    },
  };
}

function lockFile(path: string): Db {
  const db = new Database(path, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Whether somebody holds this lock; nothing is made where nobody has ever taken it. */
export function isHeld(stateDir: string, name: string): boolean {
  if (!existsSync(join(stateDir, `${name}.lock`))) return false;
  const lock = takeLock(stateDir, name);
  if (!('release' in lock)) return true;
  lock.release();
  return false;
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isFinite(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
