// The kernel's count of OOM kills, from /proc/vmstat:
//
//   ...
//   oom_kill 3
//   ...
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

export type OomCounter = {
  /** Kills since boot as the kernel writes the number; undefined before Linux 4.13 or where it cannot be read. */
  read(): string | undefined;
  close(): void;
};

const LABEL = Buffer.from('\noom_kill ');
/** 160 lines of at most 40 characters; Linux 6.18 writes 4.6 KB. */
const SIZE = 16_384;

/** Read all the time: the file stays open and the buffer is kept, which halves the cost of a look. */
export function openOomCounter(root: string): OomCounter {
  let fd: number | undefined;
  const buffer = Buffer.allocUnsafeSlow(SIZE);
  return {
    read() {
      try {
        fd ??= openSync(join(root, '/proc/vmstat'), 'r');
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
