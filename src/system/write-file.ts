import {
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
  const unique = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const temporary = join(dirname(path), `.${basename(path)}.${unique}.tmp`);
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
  writeAtomically(target, text, mode, process.getuid?.() === 0 ? { uid, gid } : undefined);
}

const REASONS: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
};

/** Tries to make a file beside this one, as replacing it does; what stands against it, undefined: nothing. */
export function whyNotWritable(path: string): string | undefined {
  try {
    const target = existsSync(path) ? realpathSync(path) : path;
    const trial = join(dirname(target), `.${basename(target)}.${process.pid}.trial`);
    closeSync(openSync(trial, 'wx', 0o600));
    rmSync(trial);
    return undefined;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return REASONS[code] ?? code;
  }
}
