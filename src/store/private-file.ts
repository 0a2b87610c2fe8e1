import { chmodSync, closeSync, openSync } from 'node:fs';

/**
 * Makes sure that a database file is there, for its owner alone (0600), before SQLite opens it: what SQLite creates itself
 * is open to all, and so are the files that it puts beside it, which get their mode from this one.
 * A file that exists is never opened here: closing it would give back the locks that this process may hold on it.
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    chmodSync(path, 0o600);
  }
}
