import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolders } from './folders.ts';

export type FileInfo = {
  kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits only. */
  mode: number;
  size: number;
  /** Of a link: where it points, as written. */
  target?: string;
};

/**
 * The file system as `install` and `doctor` need it, below a root (`/` in life). Every change is atomic and on the disk
 * when the call returns, so that an interrupted run leaves whole files only.
 */
export type Machine = {
  root: string;
  info(path: string): FileInfo | undefined;
  /** Follows links. */
  exists(path: string): boolean;
  text(path: string): string | undefined;
  /** A file piece by piece, for Node's own has 100 MB; each piece holds until the next is asked for. Undefined where it is not there. */
  chunks(path: string): Iterable<Buffer> | undefined;
  list(path: string): string[];
  write(path: string, content: string | Buffer, mode: number): void;
  /** Copies a file from anywhere (not below the root) to a path below it. */
  copyIn(from: string, path: string, mode: number): void;
  makeFolder(path: string, mode: number): void;
  link(path: string, target: string): void;
  rename(from: string, to: string): void;
  /** Whole trees, too; what is not there is fine. */
  remove(path: string): void;
  /** Only when nothing is in it. */
  removeEmptyFolder(path: string): void;
};

/** What a file is called while it is written; what is left of an interrupted run has this name. */
export const UNFINISHED = '.vpsmon-new';

const CHUNK_BYTES = 1_048_576;

/** `durable`: every change is on the disk when it returns; only tests, which pull no plug, do without. */
export function openMachine(root = '/', durable = true): Machine {
  const at = (path: string) => join(root, path);
  const syncFolderOf = (path: string) => {
    if (durable) syncFolder(dirname(path));
  };
  function write(path: string, content: Iterable<Buffer>, mode: number): void {
    const temporary = `${at(path)}${UNFINISHED}`;
    const fd = openSync(temporary, 'w', mode);
    try {
      for (const bytes of content)
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fchmodSync(fd, mode); // whatever the umask says
      if (durable) fsyncSync(fd);
    } catch (error) {
      closeSync(fd);
      rmSync(temporary, { force: true });
      throw error;
    }
    closeSync(fd);
    renameSync(temporary, at(path));
    syncFolderOf(at(path));
  }
  return {
    root,
    info: (path) => fileInfo(at(path)),
    exists: (path) => existsSync(at(path)),
    text: (path) => unlessMissing(() => readFileSync(at(path), 'utf8')),
    chunks: (path) => unlessMissing(() => chunksOf(openSync(at(path), 'r'))),
    list: (path) => unlessMissing(() => readdirSync(at(path)).toSorted()) ?? [],
    write: (path, content, mode) => write(path, [Buffer.from(content)], mode),
    copyIn: (from, path, mode) => write(path, chunksOf(openSync(from, 'r')), mode),
    makeFolder(path, mode) {
      makeFolders(at(path));
      chmodSync(at(path), mode);
      syncFolderOf(at(path));
    },
    link(path, target) {
      const temporary = `${at(path)}${UNFINISHED}`;
      rmSync(temporary, { force: true });
      symlinkSync(target, temporary);
      renameSync(temporary, at(path));
      syncFolderOf(at(path));
    },
    rename(from, to) {
      renameSync(at(from), at(to));
      syncFolderOf(at(to));
    },
    remove: (path) => rmSync(at(path), { recursive: true, force: true }),
    removeEmptyFolder(path) {
      try {
        rmdirSync(at(path));
      } catch (error) {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? ''))
          throw error;
      }
    },
  };
}

/** Reads an open file to its end and closes it. */
function* chunksOf(fd: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, fstatSync(fd).size || 1));
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      yield buffer.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}

/** Permission bits and owner of what a path leads to in the end. */
export function followedInfo(path: string): { mode: number; uid: number } | undefined {
  return unlessMissing(() => {
    const { mode, uid } = statSync(path);
    return { mode: mode & 0o7777, uid };
  });
}

/** Epoch ms of the last change of a file's content; undefined where it is not there. */
export function modifiedAt(path: string): number | undefined {
  return unlessMissing(() => statSync(path).mtimeMs);
}

/** Writes a small file into the folder and removes it again; what that gave, undefined when it worked. */
export function tryWriting(folder: string): NodeJS.ErrnoException | undefined {
  const path = join(folder, `.doctor${UNFINISHED}`);
  try {
    writeFileSync(path, 'x'.repeat(8192), { mode: 0o600, flush: true });
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  } finally {
    rmSync(path, { force: true });
  }
}

/** The folder of the package that this code runs from: the one above `dist` (or `src`). */
export function packageRoot(from = import.meta.url): string {
  let dir = dirname(fileURLToPath(from));
  while (dir !== dirname(dir)) {
    if (existsSync(join(dir, 'package.json')) && existsSync(join(dir, 'bin/vpsmon.js'))) return dir;
    dir = dirname(dir);
  }
  throw new Error('The folder of vpsmon was not found: package.json and bin/vpsmon.js are missing.');
}

function fileInfo(path: string): FileInfo | undefined {
  const stat = unlessMissing(() => lstatSync(path));
  if (!stat) return undefined;
  const kind = stat.isSymbolicLink()
    ? 'link'
    : stat.isDirectory()
      ? 'folder'
      : stat.isFile()
        ? 'file'
        : 'other';
  return {
    kind,
    mode: stat.mode & 0o7777,
    size: stat.size,
    ...(kind === 'link' ? { target: readlinkSync(path) } : {}),
  };
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** A rename is on the disk when its folder is. */
function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
