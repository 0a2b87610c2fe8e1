import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file whole or not at all: into a new file in the same folder, onto the disk, then renamed. Readers see the old
 * or the new one. Throws with Node's `code`; leaves nothing behind.
 */
export function writeAtomically(path: string, content: string | Buffer, mode: number): void {
  // A leading dot: readers of a folder (node_exporter's textfile collector takes *.prom) pass it by.
  const unique = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const temporary = join(dirname(path), `.${basename(path)}.${unique}.tmp`);
  const file = openSync(temporary, 'wx', mode);
  try {
    try {
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
