import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

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
