// Logs of a container without a terminal come in frames: one byte stream (0 stdin, 1 stdout, 2 stderr), three zero bytes,
// the length as 32 bits big-endian, then that many bytes. With a terminal they come as they are.
//
//   01 00 00 00 00 00 00 06  h e l l o \n
import { plain } from '../../model/text.ts';

const HEADER = 8;

function isHeader(data: Buffer, at: number): boolean {
  return data[at]! <= 2 && data[at + 1] === 0 && data[at + 2] === 0 && data[at + 3] === 0;
}

/** Takes the frames apart; returns the bytes as they are where there are no frames. A cut last frame is kept. */
export function unframe(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + HEADER <= data.length) {
    if (!isHeader(data, at)) return at === 0 ? data : Buffer.concat(parts);
    const length = data.readUInt32BE(at + 4);
    parts.push(data.subarray(at + HEADER, at + HEADER + length));
    at += HEADER + length;
  }
  if (at === 0) return data;
  return Buffer.concat(parts);
}

/** The last `lines` lines that are not empty, oldest first, control characters out, each at most 400 characters. */
export function parseLogs(data: Buffer, lines: number): string[] {
  return unframe(data)
    .toString('utf8')
    .split('\n')
    .map((line) => plain(line, 400))
    .filter((line) => line !== '')
    .slice(-lines);
}
