import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file whole or not at all: into a new file in the same folder, onto the disk, then renamed. Readers see the old
 * or the new one. Throws with Node's `code`; leaves nothing behind.
 */
export function writeAtomically(
  path: string,
  content: string | Buffer,
  mode: number,
  owner?: { uid: number; gid: number },
): void {
  // A leading dot: readers of a folder (node_exporter's textfile collector takes *.prom) pass it by.
  const temporary = join(dirname(path), `.${basename(path)}.${unique()}.tmp`);
  const file = openSync(temporary, 'wx', mode);
  try {
    try {
      if (owner) fchownSync(file, owner.uid, owner.gid);
      // Whatever the umask is.
      fchmodSync(file, mode);
      const data = Buffer.from(content);
      for (let at = 0; at < data.length;) at += writeSync(file, data, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Replaces a file that a person keeps, or makes it: a link stays a link to the new text, and its owner stays the owner. */
export function replaceText(path: string, text: string, mode: number): void {
  if (!existsSync(path)) return writeAtomically(path, text, mode);
  const target = realpathSync(path);
  const { uid, gid } = statSync(target);
  try {
    writeAtomically(target, text, mode, process.getuid?.() === 0 ? { uid, gid } : undefined);
  } catch (error) {
    // A file that is mounted by itself (docker run -v FILE:FILE) cannot be renamed over, only written.
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    writeFileSync(target, text, { flush: true });
    chmodSync(target, mode);
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
};

/** What stands against replacing this file, or making it; undefined: nothing. */
export function whyNotReplaceable(path: string): string | undefined {
  const error = tryToWrite(dirname(existsSync(path) ? realpathSync(path) : path));
  return error && (REASONS[error.code ?? ''] ?? error.code ?? '');
}

/** Writes a small file into a folder, and removes it; the error, with Node's `code`, or undefined where that works. */
export function tryToWrite(folder: string): NodeJS.ErrnoException | undefined {
  const probe = join(folder, `.probe-${unique()}`);
  try {
    writeFileSync(probe, 'x'.repeat(4096), { flag: 'wx', mode: 0o600 });
    rmSync(probe);
    return undefined;
  } catch (error) {
    try {
      rmSync(probe, { force: true });
    } catch {
      // It could not be written, so there is nothing to remove.
    }
    return error as NodeJS.ErrnoException;
  }
}

function unique(): string {
  return `${process.pid}-${Math.random().toString(36).slice(2)}`;
}
