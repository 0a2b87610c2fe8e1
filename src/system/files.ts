import { closeSync, existsSync, openSync, readSync, readdirSync, statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from './http/exchange.ts';
import type { Files } from './types.ts';

const MIB = 1_048_576;
/** Most files of /proc fit into it. Kept, for a new one at every read is garbage that costs more than the reading. */
const shared = Buffer.allocUnsafeSlow(32 * 1024);

/** Read at every check and sample. They stay open: reading one that is open costs a third of opening, reading and closing it. */
const OFTEN = new Set(
  ['meminfo', 'vmstat', 'stat', 'loadavg', 'uptime', 'pressure/memory', 'pressure/cpu', 'pressure/io'].map(
    (name) => `/proc/${name}`,
  ),
);
/** By where they really are; there is one of each, however often the program's settings are read anew. */
const open = new Map<string, number>();
/** statfs(2): PROC_SUPER_MAGIC. What lxcfs or a test lays there may be replaced. */
const PROCFS = 0x9fa0;
/** The kernel fills pages with whole lines: an answer that leaves half of one free is all there is. */
const HALF_PAGE = 2048;

/** Files below `root`: `/` in life, `/host` in a container, a recorded tree in tests. */
export function hostFiles(root: string): Files {
  const at = (path: string): string => (root === '/' ? path : join(root, path));
  function text(path: string, maxBytes = MIB): string {
    const often = OFTEN.has(path) ? openOnce(at(path)) : undefined;
    if (often !== undefined) return readToEnd(often, path, maxBytes, true);
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

/** Undefined where it is not the kernel's own file. */
function openOnce(file: string): number | undefined {
  const known = open.get(file);
  if (known !== undefined || statfsSync(file).type !== PROCFS) return known;
  const fd = openSync(file, 'r');
  open.set(file, fd);
  return fd;
}

/** /proc and /sys have no sizes, so everything is read until nothing comes. */
function readToEnd(file: number, path: string, maxBytes: number, isOpen = false): string {
  let buffer = shared;
  let size = 0;
  for (;;) {
    if (size > maxBytes) throw failure(`${path} is longer than ${maxBytes} bytes`, 'ETOOLONG');
    if (size === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 4);
    const got = readSync(file, buffer, size, buffer.length - size, isOpen ? size : null);
    size += got;
    if (got === 0 || (isOpen && size < HALF_PAGE)) return buffer.toString('utf8', 0, size);
  }
}
