import { closeSync, existsSync, openSync, readSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from './http/exchange.ts';
import type { Files } from './types.ts';

const MIB = 1_048_576;
/** Most files of /proc fit into it. Kept, for a new one at every read is garbage that costs more than the reading. */
const shared = Buffer.allocUnsafeSlow(32 * 1024);

/** Files below `root`: `/` in life, `/host` in a container, a recorded tree in tests. */
export function hostFiles(root: string): Files {
  const at = (path: string): string => (root === '/' ? path : join(root, path));
  function text(path: string, maxBytes = MIB): string {
    const file = openSync(at(path), 'r');
    try {
      return readToEnd(file, path, maxBytes);
    } finally {
      closeSync(file);
    }
  }
  return {
    root,
    text,
    textOr(path, maxBytes) {
      try {
        return text(path, maxBytes);
      } catch {
        return undefined;
      }
    },
    list: (dir) => readdirSync(at(dir)),
    exists: (path) => existsSync(at(path)),
    async statfs(path) {
      const s = await statfs(at(path));
      const { frsize } = s as { frsize?: number };
      return {
        blockSize: s.bsize,
        ...(frsize ? { fragmentSize: frsize } : {}),
        blocks: s.blocks,
        free: s.bfree,
        available: s.bavail,
        inodes: s.files,
        inodesFree: s.ffree,
      };
    },
  };
}

/** /proc and /sys have no sizes, so everything is read until nothing comes. */
function readToEnd(file: number, path: string, maxBytes: number): string {
  let buffer = shared;
  let size = 0;
  for (;;) {
    if (size > maxBytes) throw failure(`${path} is longer than ${maxBytes} bytes`, 'ETOOLONG');
    if (size === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 4);
    const got = readSync(file, buffer, size, buffer.length - size, null);
    if (got === 0) return buffer.toString('utf8', 0, size);
    size += got;
  }
}
