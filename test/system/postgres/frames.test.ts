import { expect, test } from 'vitest';
import { processorMs } from '../../helpers/cost.ts';
import { createFrames } from '../../../src/system/postgres/frames.ts';

const message = (type: string, body: Buffer | string) => {
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, Buffer.from(body)]);
};

const stream = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('S', 'server_version\u000015.5\u0000'),
  message('E', 'SFATAL\u0000C28P01\u0000Mno\u0000\u0000'),
  message('N', '\u0000'),
  message('D', Buffer.alloc(5000, 7)),
  message('Z', 'I'),
]);

test.each([1, 2, 3, 5, 7, 100, 4999, 100_000])(
  'passes everything on, whole, in pieces of %i bytes',
  (size) => {
    const frames = createFrames();
    const passed: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) passed.push(frames.take(stream.subarray(at, at + size)));
    expect(Buffer.concat(passed).equals(stream)).toBe(true);
  },
);

test('holds a message back until it is complete', () => {
  const frames = createFrames();
  const whole = message('Z', 'I');
  expect(frames.take(whole.subarray(0, 5))).toHaveLength(0);
  expect(frames.take(whole.subarray(5))).toEqual(whole);
});

test.each([
  ['another protocol', Buffer.from('HTTP/1.1 400')],
  ['an unknown letter', message('q', '')],
  ['a length that is none', Buffer.from([0x5a, 0, 0, 0, 3])],
  ['an error without its last byte', message('E', 'SFATAL\u0000')],
  ['an error that ends in a field', message('E', 'SFATAL')],
  ['an empty error', message('E', '')],
])('refuses %s', (_name, bytes) => {
  expect(() => createFrames().take(bytes)).toThrow('PostgreSQL');
});

test('refuses one huge message at its header, and many of them', () => {
  expect(() => createFrames().take(Buffer.from([0x44, 0x7f, 0xff, 0xff, 0xff]))).toThrow('larger than 1 MB');
  const frames = createFrames();
  const row = message('D', Buffer.alloc(900_000));
  for (let n = 0; n < 9; n++) frames.take(row);
  expect(() => frames.take(row)).toThrow('too large (more than 8 MB)');
  frames.startAnswer();
  expect(frames.take(row)).toHaveLength(row.length);
});

test('H9: the end of a long message byte by byte costs no more than that of a short one', () => {
  const cost = (size: number) => {
    const whole = message('D', Buffer.alloc(size));
    return processorMs(() => {
      const frames = createFrames();
      frames.take(whole.subarray(0, size - 2000));
      for (let at = size - 2000; at < whole.length; at += 1) frames.take(whole.subarray(at, at + 1));
    });
  };
  const least = (size: number) => Math.min(...[1, 2, 3].map(() => cost(size)));
  expect(least(900_000) / Math.max(least(9000), 1)).toBeLessThan(20);
});
