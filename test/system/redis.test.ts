import { afterEach, expect, test } from 'vitest';
import { openRedis } from '../../src/system/redis.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTcp } from '../helpers/tcp-server.ts';
import type { TcpServer } from '../helpers/tcp-server.ts';

let server: TcpServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const SECRET = 's3cret-enough';
function open(port: number, change: { host?: string; tls?: boolean; password?: string } = {}) {
  return openRedis({ host: '127.0.0.1', port, password: SECRET, db: 0, tls: false, ...change });
}

test.concurrent.each(['', SECRET])(
  'a server that accepts and never answers is given up in time',
  async (password) => {
    const silent = await startTcp();
    const redis = open(silent.port, { password });
    const start = performance.now();
    const both = await Promise.allSettled([redis.call('PING'), redis.call('INFO')]);
    expect(performance.now() - start).toBeLessThan(4500);
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
])('nonsense is an error and never a crash: %s', async (_name, bytes) => {
  for (const where of ['greeting', 'answer'] as const) {
    const mad = await startTcp({ [where]: bytes });
    const redis = open(mad.port);
    // Answers that nobody asked for may be taken for answers; what counts is that this ends and does not throw aside.
    const result = await redis.call('PING').catch((thrown: unknown) => thrown as Error);
    if (result instanceof Error) {
      expect(result.message).toContain(`127.0.0.1:${mad.port}`);
      expect(result.message).not.toContain(SECRET);
    }
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

test('TLS where nobody speaks it', async () => {
  server = await startTcp({ answer: '-ERR Protocol error\r\n' });
  await expect(open(server.port, { tls: true }).call('PING')).rejects.toThrow(
    `Redis at 127.0.0.1:${server.port}`,
  );
});
