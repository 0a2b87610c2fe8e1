import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { makePrivate } from './private-file.ts';

export type Lock = { release(): void };

/**
 * Takes a lock that the kernel gives back when the process dies, however it dies: an open exclusive transaction on a
 * small database of its own (SQLite holds an fcntl lock for it). A pid file alone would survive a SIGKILL.
 * Returns undefined, and who holds it where that is known, when another process has it.
 */
export function takeLock(stateDir: string, name: string): Lock | { heldBy: number | undefined } {
  const path = join(stateDir, `${name}.lock`);
  // For its owner alone: whoever can read the file can lock it, too, and keep the monitor from starting.
  makePrivate(path);
  const db = new Database(path, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
    return { heldBy: readPid(`${path}.pid`) };
  }
  try {
    writeFileSync(`${path}.pid`, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // Only for people to read; the lock itself needs no room on the disk.
  }
  return {
    release() {
      try {
        db.exec('ROLLBACK');
      } finally {
        db.close();
      }
    },
  };
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return Number.isFinite(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
