import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

export type TextFile = { text: string; /** Permission bits, e.g. 0o600. */ mode: number };

/**
 * Reads a small text file of this machine (configuration, a token) at once. Throws an Error with one plain reason, and the
 * system's `code` where there is one: missing, not readable, a folder, a pipe, longer than `maxBytes`, not text.
 * Never blocks: a named pipe that nobody writes to is refused, not waited for.
 */
export function readTextFile(path: string, maxBytes = 1_048_576): TextFile {
  const fd = open(path);
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new Error('is a folder, not a file');
    // A character device is /dev/null, which people name when they want no file.
    if (!stat.isFile() && !stat.isCharacterDevice()) throw new Error('is not a regular file');
    const bytes = readAtMost(fd, maxBytes + 1);
    if (bytes.length > maxBytes) throw new Error(`is too large: more than ${maxBytes} bytes`);
    return { text: decode(bytes), mode: stat.mode & 0o7777 };
  } finally {
    closeSync(fd);
  }
}

/** Reads what is piped into this process, to its end. Throws an Error with one plain reason, as above. */
export function readPipedText(maxBytes: number): string {
  const bytes = readAtMost(0, maxBytes + 1);
  if (bytes.length > maxBytes) throw new Error(`is too large: more than ${maxBytes} bytes`);
  return decode(bytes);
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw Object.assign(new Error(reason(code)), { code });
  }
}

function reason(code: string | undefined): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'ELOOP') return 'is a link that leads to itself';
  if (code === 'ENAMETOOLONG') return 'has a name that is too long';
  return `cannot be opened (${code ?? 'unknown reason'})`;
}

function readAtMost(fd: number, limit: number): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < limit) {
    const chunk = Buffer.allocUnsafe(Math.min(65_536, limit - length));
    const count = readChunk(fd, chunk);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    length += count;
  }
  return Buffer.concat(chunks);
}

function readChunk(fd: number, chunk: Buffer): number {
  try {
    return readSync(fd, chunk);
  } catch (error) {
    throw new Error(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})`, {
      cause: error,
    });
  }
}

/** What unpacks a compressed file, and how that begins, in hexadecimal: no text does. */
const UNPACKED_BY = {
  gunzip: /^1f8b/,
  unzstd: /^28b52ffd/,
  unxz: /^fd377a585a00/,
  bunzip2: /^425a683\d314159265359/,
  unzip: /^504b0304/,
};

function decode(bytes: Buffer): string {
  const begin = bytes.toString('hex', 0, 10);
  for (const [command, magic] of Object.entries(UNPACKED_BY))
    if (magic.test(begin)) throw new Error(`is compressed: unpack it first, with ${command}`);
  const utf16 = bytes.length >= 2 && (bytes.readUInt16LE(0) === 0xfeff || bytes.readUInt16BE(0) === 0xfeff);
  if (utf16) throw new Error('is UTF-16 text: save it as UTF-8');
  if (bytes.includes(0)) throw new Error('is not a text file: it holds zero bytes');
  const text = bytes.toString('utf8');
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
