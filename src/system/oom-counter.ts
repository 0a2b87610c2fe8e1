// The kernel's count of OOM kills, from /proc/vmstat:
//
//   ...
//   oom_kill 3
//   ...
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { oomKillFile } from './guest.ts';
import type { Files } from './types.ts';

export type OomCounter = {
  /** Kills since boot as the kernel writes the number; undefined before Linux 4.13 or where it cannot be read. */
  read(): string | undefined;
  close(): void;
};

/** Of a guest: `oom_kill 3` in memory.events of its own cgroup. */
const LABEL = Buffer.from('\noom_kill ');
/** 160 lines of at most 40 characters; Linux 6.18 writes 4.6 KB. */
const SIZE = 16_384;

/** Read all the time: the file stays open and the buffer is kept, which halves the cost of a look. */
export function openOomCounter(files: Files): OomCounter {
  let fd: number | undefined;
  const path = oomKillFile(files);
  const buffer = Buffer.allocUnsafeSlow(SIZE);
  return {
    read() {
      try {
        if (path === undefined) return undefined;
        fd ??= openSync(join(files.root, path), 'r');
        const text = buffer.subarray(0, readSync(fd, buffer, 0, SIZE, 0));
        const start = text.indexOf(LABEL);
        if (start < 0) return undefined;
        const from = start + LABEL.length;
        return text.toString('latin1', from, text.indexOf(10, from));
      } catch {
        return undefined;
      }
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
