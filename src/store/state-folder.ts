import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { errorText } from '../model/text.ts';
import { makeFolders } from '../system/folders.ts';
import { tryToWrite } from '../system/write-file.ts';

/** 0711: node_exporter, another user, must get through to metrics/ by name; it can list and read nothing else. */
export function makeStateFolder(stateDir: string): void {
  makeFolders(stateDir, 0o711);
}

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

/** Names the file that stands at this path at the moment; undefined when there is none. Opens nothing: that could cost a lock. */
export function identityOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
    return stat && `${stat.dev}:${stat.ino}`;
  } catch (error) {
    // A file stands where the folder was.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Makes the folder where it is missing; returns why it cannot be made or written, undefined where all is well. */
export function whyNotUsable(stateDir: string): string | undefined {
  try {
    makeStateFolder(stateDir);
  } catch (error) {
    return `it cannot be made anew: ${plainReason(error)}`;
  }
  const why = whyNotWritable(stateDir);
  return why === undefined ? undefined : `it cannot be written: ${why}`;
}

const PLAIN: Record<string, string> = {
  EROFS: 'its file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENOENT: 'it does not exist',
};

/** The driver says "14"; trying to write a file there says why. Undefined where that works. */
export function whyNotWritable(stateDir: string): string | undefined {
  const error = tryToWrite(stateDir);
  return error && plainReason(error);
}

function plainReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return PLAIN[code] ? `${PLAIN[code]} (${code})` : errorText(error);
}
