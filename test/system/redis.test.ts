import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { openRedis } from '../../src/system/redis/redis.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTcp } from '../helpers/tcp-server.ts';
import type { TcpServer } from '../helpers/tcp-server.ts';

let server: TcpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const SECRET = 's3cret-enough';
function open(port: number, change: Partial<Parameters<typeof openRedis>[0]> = {}) {
  return openRedis({ host: '127.0.0.1', port, password: SECRET, db: 0, tls: false, ...change });
}

test.concurrent.each(['', SECRET])(
  'a server that accepts and never answers is given up in time',
  async (password) => {
    const silent = await startTcp();
    const redis = open(silent.port, { password });
    const both = await Promise.allSettled([redis.call('PING'), redis.call('INFO')]);
    expect(both.map((one) => String((one as PromiseRejectedResult).reason))).toEqual(
      Array(2).fill(`Error: Redis at 127.0.0.1:${silent.port} did not answer in time`),
    );
    expect(silent.connections()).toBe(1);
    await redis.close();
    await silent.close();
  },
);

test.concurrent.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
  ['SSH', 'SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'],
  ['zeros', Buffer.alloc(4096)],
  ['ones', Buffer.alloc(4096, 0xff)],
  ['an array that lies', '*1000000000\r\n'],
  ['answers to questions that nobody asked', '+OK\r\n+OK\r\n+OK\r\n:1\r\n'],
  ['an empty answer that nobody asked for', '$-1\r\n$-1\r\n$-1\r\n'],
  ['H10: an array of less than nothing', '*-5\r\n$-7\r\n:abc\r\n,x\r\n'],
  ['arrays in arrays', '*1\r\n'.repeat(100_000)],
  ['an array of empty arrays', `*9999\r\n${'*9999\r\n'.repeat(9999)}`],
  ['a line without an end', Buffer.alloc(1_000_000, '+')],
  ['a number that is none', ':abc\r\n'],
  ['a bulk string that is longer than it says', '$2\r\nabcdef\r\n'],
  ['types of RESP3', '%2\r\n+a\r\n:1\r\n|1\r\n+x\r\n+y\r\n>2\r\n+message\r\n+x\r\n'],
  ['PostgreSQL', Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])],
])('nonsense is an error and never a crash: %s', async (_name, bytes) => {
  for (const where of ['greeting', 'answer'] as const) {
    const mad = await startTcp({ [where]: bytes });
    const redis = open(mad.port);
    const result = await redis.call('PING').catch((thrown: unknown) => thrown as Error);
    expect(String(result)).toContain(`Redis at 127.0.0.1:${mad.port}`);
    expect(String(result)).not.toContain(SECRET);
    expect(String(result)).not.toContain('report');
    await redis.close();
    await mad.close();
  }
});

test('nobody listening, and a name that nobody knows', async () => {
  const port = await freePort();
  await expect(open(port).call('PING')).rejects.toThrow(`nothing listens at 127.0.0.1:${port}`);
  await expect(open(port, { host: 'no-such-host.invalid' }).call('PING')).rejects.toThrow(
    'the host name no-such-host.invalid is not known here',
  );
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'it does not speak Redis, but HTTP'],
  ['a full server', '-ERR max number of clients reached\r\n', 'ERR max number of clients reached'],
])('who speaks before it is asked is named: %s', async (_name, greeting, sentence) => {
  server = await startTcp({ greeting });
  await expect(open(server.port, { password: '' }).call('PING')).rejects.toThrow(sentence);
});

test('H9: an answer without an end is given up at its limit', async () => {
  const MB = 1_048_576;
  const log = '+OK\r\n';
  for (const [start, piece] of [
    ['$4000000000\r\n', 'x'.repeat(MB)],
    [`*5000\r\n`, `$${MB}\r\n${'x'.repeat(MB)}\r\n`],
    ['*100000000\r\n', ':1\r\n'.repeat(200_000)],
  ] as const) {
    let sent = 0;
    const flood = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        if (!data.includes('INFO')) return void socket.write(log);
        sent = 0;
        socket.write(start);
        const pour = (): void => {
          while (!socket.destroyed && sent < 300 * MB && socket.write(piece)) sent += piece.length;
          if (sent < 300 * MB) socket.once('drain', pour);
        };
        pour();
      });
    });
    await new Promise<void>((resolve) => flood.listen(0, '127.0.0.1', resolve));
    const { port } = flood.address() as { port: number };
    const redis = open(port);
    // Again where a busy machine reached the deadline of a command before the limit.
    await expect
      .poll(() => redis.call('INFO').catch(String))
      .toContain(`Redis at 127.0.0.1:${port}: the answer is too large (more than`);
    await redis.close();
    // What the kernel and the streams on both sides hold is all that was sent.
    expect(sent).toBeLessThan(100 * MB);
    flood.close();
  }
});

test('N13: TLS to a port that does not speak it says so', async () => {
  const plain = await startTcp({ answer: '-ERR Protocol error\r\n' });
  await expect(open(plain.port, { tls: true }).call('PING')).rejects.toThrow(
    `Redis at 127.0.0.1:${plain.port} does not speak TLS: write redis:// in REDIS_URL`,
  );
  await plain.close();
});
