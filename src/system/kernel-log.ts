// The kernel's own log, one record a read. A sample:
//
//   3,453,139493029,-;Memory cgroup out of memory: Killed process 3087 (tail) total-vm:11984kB, anon-rss:9856kB, …
//    SUBSYSTEM=…            (further lines of a record begin with a space)
//
// priority and facility, sequence number, microseconds since boot, flags; then the text. Programs may write to it too;
// their records have another facility than the kernel's 0, and are left out: nobody but the kernel reports kills.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { failure } from './http/exchange.ts';
import type { KernelLog, KernelRecord } from './types.ts';

/** Character device 1:11; minor numbers below 256 are the low byte, majors stand above it. */
const KMSG = (1 << 8) | 11;
/** The kernel cuts records at 8 KB. */
const BUFFER = 16 * 1024;
/** More than the largest ring holds; a log that is written to all the time must end a read, too. */
const MAX_READS = 200_000;

/** Opened at the first read. Reads records from the oldest that the kernel still has. */
export function openKernelLog(path = '/dev/kmsg'): KernelLog {
  let file: number | undefined;
  let rest = '';

  function readOnce(buffer: Buffer): Buffer | 'again' | 'end' {
    try {
      const size = readSync(file as number, buffer, 0, buffer.length, null);
      return size === 0 ? 'end' : buffer.subarray(0, size);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'EAGAIN') return 'end';
      // The oldest records were overwritten before they were read; the next read goes on with what is left.
      if (code === 'EPIPE') return 'again';
      throw error;
    }
  }

  return {
    read() {
      file ??= openLog(path);
      const records: KernelRecord[] = [];
      const buffer = Buffer.allocUnsafe(BUFFER);
      for (let reads = 0; reads < MAX_READS; reads += 1) {
        const got = readOnce(buffer);
        if (got === 'end') break;
        if (got === 'again') continue;
        // The device gives one record a read; a recorded file gives pieces.
        const lines = (rest + got.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const record = parseKernelRecord(line);
          if (record) records.push(record);
        }
      }
      return records;
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
      rest = '';
    },
  };
}

/**
 * In a guest /dev/kmsg may be a link to a terminal, which must become neither the log nor the terminal that controls this
 * process. Throws with code ENODEV for another device than the log (1:11).
 */
function openLog(path: string): number {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  const { rdev, mode } = fstatSync(file);
  if ((mode & constants.S_IFMT) === constants.S_IFREG || rdev === KMSG) return file;
  closeSync(file);
  throw failure(`${path} is not the kernel log, but another device`, 'ENODEV');
}

/** One line of /dev/kmsg; undefined for continuations, for what programs wrote, and for anything else. */
export function parseKernelRecord(line: string): KernelRecord | undefined {
  const match = /^(\d+),(\d+),(\d+),[^;]*;(.*)$/.exec(line);
  if (!match) return undefined;
  const facility = Number(match[1]) >> 3;
  if (facility !== 0) return undefined;
  return { seq: Number(match[2]), usec: Number(match[3]), text: unescape(match[4] ?? '') };
}

/** Bytes that cannot be printed come as `\x0a`, the backslash itself as `\x5c`. */
function unescape(text: string): string {
  if (!text.includes('\\x')) return text;
  const bytes: number[] = [];
  for (const part of text.split(/(\\x[0-9a-f]{2})/i)) {
    if (/^\\x[0-9a-f]{2}$/i.test(part)) bytes.push(Number.parseInt(part.slice(2), 16));
    else bytes.push(...Buffer.from(part, 'utf8'));
  }
  return Buffer.from(bytes).toString('utf8');
}
