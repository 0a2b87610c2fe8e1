// Files in the state folder: each function is what one kind of them needs.
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';

const MAX_BYTES = 5 * 1_048_576;

/**
 * Appends one line to a log that only its owner may read; beyond 5 MB the old one becomes `path.1`. Never throws: says
 * what went wrong, for a full disk must not stop a message from being sent.
 */
export function appendLine(path: string, line: string, maxBytes = MAX_BYTES): string | undefined {
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size !== undefined && size >= maxBytes) renameSync(path, `${path}.1`);
    appendFileSync(path, `${line.replace(/[\r\n]+/g, ' ')}\n`, { mode: 0o600 });
    // The mode above counts only for a new file; one that was made by hand may be open to all.
    if (size === undefined || size >= maxBytes) chmodSync(path, 0o600);
    return undefined;
  } catch (error) {
    return `${path} cannot be written: ${(error as Error).message}`;
  }
}

/** Bytes of a regular file of at most `maxBytes`; throws where it is missing, longer or something else. Never blocks. */
export function readBytes(path: string, maxBytes: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error('is not a regular file');
    if (stat.size > maxBytes) throw new Error(`is larger than ${maxBytes} bytes`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces a file without making the caller wait for the disk: into `<path>.new`, then renamed. Readers see the old or the new one.
 * One at a time for a path. Flushed: after a power cut it is there, whole.
 */
export async function replaceBehind(path: string, content: Buffer, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode, flush: true });
  await rename(temporary, path);
}

/** Renames a damaged file to `<path>.corrupt`, over an older one. The new path; undefined where that cannot be done. */
export function setAside(path: string): string | undefined {
  try {
    renameSync(path, `${path}.corrupt`);
    return `${path}.corrupt`;
  } catch {
    return undefined;
  }
}

/** Text of a small file that is removed with the reading, so that it is reported once. Undefined where there is none. */
export function takeFile(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').slice(0, 4096);
    rmSync(path, { force: true });
    return text;
  } catch {
    return undefined;
  }
}

/** Makes way for a unix socket: one that a process left when it was killed, or any other file of that name. */
export function removeSocketFile(path: string): void {
  rmSync(path, { force: true });
}

/** For its owner alone: connecting takes the right to write. */
export function makeSocketPrivate(path: string): void {
  chmodSync(path, 0o600);
}
