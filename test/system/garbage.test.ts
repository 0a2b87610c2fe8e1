// Every client against servers that speak anything but its protocol, over TCP and over a unix socket: each call ends in time
// with a sentence, and nothing is thrown aside (vitest fails on errors that nobody caught).
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ask } from '../../src/collectors/http-target.ts';
import { N8N } from '../../src/system/apps/request.ts';
import { openDocker } from '../../src/system/docker/docker.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { openPostgres } from '../../src/system/postgres/postgres.ts';
import { openRedis } from '../../src/system/redis/redis.ts';
import type { System } from '../../src/system/types.ts';

const closing: (() => void)[] = [];
afterAll(() => closing.splice(0).forEach((close) => close()));

type Place = { port: number; path: string };

/** Pours `bytes` over whoever comes (`greeting`), or over whoever asks (`answer`), then hangs up or stays. */
async function pouring(bytes: Buffer, how: { when: 'greeting' | 'answer'; end: boolean }): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-garbage-'));
  const path = join(folder, 'sock');
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    const pour = (): void => void (how.end ? socket.end(bytes) : socket.write(bytes));
    if (how.when === 'greeting') pour();
    else socket.once('data', pour);
    socket.resume();
  };
  const servers: Server[] = [createServer(serve), createServer(serve)];
  await new Promise<void>((resolve) => servers[0]!.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => servers[1]!.listen(path, resolve));
  closing.push(() => {
    sockets.forEach((socket) => socket.destroy());
    servers.forEach((server) => server.close());
    rmSync(folder, { recursive: true });
  });
  return { port: (servers[0]!.address() as { port: number }).port, path };
}

const deps = { system: { http: httpRequest } as System, rediscover: () => {} };
const CLIENTS: Record<string, (place: Place) => Promise<unknown>> = {
  async redis({ port }) {
    const redis = openRedis({ host: '127.0.0.1', port, password: '', db: 0, tls: false });
    return redis.call('INFO').finally(() => redis.close());
  },
  async postgres({ port }) {
    const target = { host: '127.0.0.1', port, user: 'u', password: 'p', database: 'd' };
    const postgres = openPostgres(target);
    return postgres.query('SELECT 1', [], 200).finally(() => postgres.close());
  },
  async http({ port }) {
    const target = { app: N8N, url: `http://127.0.0.1:${port}`, apiKey: '', how: '' };
    return ask(deps, target, '/healthz', { signal: AbortSignal.timeout(2_000) });
  },
  async docker({ path }) {
    const docker = openDocker(`unix://${path}`, { deadlineMs: 2_000 });
    return docker.list().finally(() => docker.close());
  },
  async events({ path }) {
    const docker = openDocker(`unix://${path}`, { deadlineMs: 2_000 });
    const events = docker.events({ signal: AbortSignal.timeout(3_000), onEvent() {} });
    return events.finally(() => docker.close());
  },
};

/** The same numbers every time: a generator of the kind that C libraries use. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const GARBAGE: Record<string, Buffer> = {
  'H10: negative lengths': Buffer.from('*-5\r\n$-7\r\n:abc\r\n,x\r\n'),
  'H9: 4 GB announced': Buffer.from(`$4000000000\r\n${'x'.repeat(10_000)}`),
  'an empty answer': Buffer.from('$-1\r\n'),
  'nested arrays': Buffer.from('*1\r\n'.repeat(50_000)),
  'an endless line': Buffer.alloc(300_000, 'a'),
  'a TLS alert': Buffer.from([0x15, 3, 3, 0, 2, 2, 70]),
  'a TLS handshake': Buffer.concat([Buffer.from([0x16, 3, 3, 0xff, 0xff]), noise(7, 2_000)]),
  'HTTP, refused': Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'),
  'HTTP without an end': Buffer.from(`${HEAD}Content-Length: 4000000000\r\n\r\n[`),
  'HTTP with endless headers': Buffer.from(HEAD + 'X-A: b\r\n'.repeat(20_000)),
  'HTTP with wrong chunks': Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n`),
  'HTTP with deep JSON': Buffer.from(`${HEAD}\r\n${'['.repeat(100_000)}`),
  'HTTP with many values': Buffer.from(`${HEAD}\r\n[${'{},'.repeat(400_000)}0]`),
  'HTTP with other JSON': Buffer.from(`${HEAD}Content-Length: 4\r\n\r\nnull`),
  'an HTTP upgrade': Buffer.from(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
  ),
  'only a status of progress': Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
  PostgreSQL: Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]),
  'a PostgreSQL row': Buffer.from([0x44, 0, 0, 0, 10, 0, 1, 0, 0, 0, 9]),
  SSH: Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'),
  SMTP: Buffer.from('220 mail ESMTP Postfix\r\n'),
  MySQL: Buffer.from([74, 0, 0, 0, 10, 0x38, 0x2e, 0x30, 0, 1, 2, 3]),
  nothing: Buffer.alloc(0),
  zeros: Buffer.alloc(5_000),
  ...Object.fromEntries(
    Array.from({ length: 24 }, (_, seed) => [`noise ${seed}`, noise(seed + 1, 40 + seed * 97)]),
  ),
};
/** Where some of it is a true answer: HTTP of any status and body, "ready" for "no rows", a stream that ends. */
const TOLERANT = ['http', 'postgres', 'events'];

test.concurrent.each(Object.keys(CLIENTS).flatMap((client) => [true, false].map((end) => ({ client, end }))))(
  '$client gets garbage, then hang-up: $end',
  async ({ client, end }) => {
    const call = CLIENTS[client]!;
    await Promise.all(
      Object.entries(GARBAGE).flatMap(([name, bytes]) =>
        (['greeting', 'answer'] as const).map(async (when) => {
          const result = await call(await pouring(bytes, { when, end })).then(
            (value) => ({ value }),
            (error: unknown) => ({ error }),
          );
          if ('error' in result) {
            expect(result.error, name).toBeInstanceOf(Error);
            expect(String(result.error), name).not.toMatch(
              /\bat .*\.[jt]s\b|undefined|\[object|Please report/,
            );
            expect(String(result.error).length, name).toBeGreaterThan(20);
          } else expect(TOLERANT, `${name} is no answer`).toContain(client);
        }),
      ),
    );
  },
);
