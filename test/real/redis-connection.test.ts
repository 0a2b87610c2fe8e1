import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openRedis } from '../../src/system/redis/redis.ts';
import type { Redis } from '../../src/system/types.ts';
import { freePort } from '../helpers/free-port.ts';
import { startRedis } from '../helpers/redis-server.ts';
import type { RedisServer } from '../helpers/redis-server.ts';

let server: RedisServer;
let open: RedisServer;
const opened: Redis[] = [];
const stray = vi.fn();

beforeAll(async () => {
  process.on('unhandledRejection', stray);
  server = await startRedis({ password: 'Tr0ub4dor&3' });
  open = await startRedis();
});
afterAll(async () => {
  await Promise.all(opened.map((redis) => redis.close()));
  await Promise.all([server.remove(), open.remove()]);
  process.off('unhandledRejection', stray);
  expect(stray).not.toHaveBeenCalled();
});

function connect(change: Partial<Parameters<typeof openRedis>[0]> = {}): Redis {
  const redis = openRedis({
    host: '127.0.0.1',
    port: server.port,
    password: server.password,
    db: 0,
    tls: false,
    ...change,
  });
  opened.push(redis);
  return redis;
}

test('keeps one connection, named, for many commands at once', async () => {
  const redis = connect();
  expect(
    await Promise.all([redis.call('SET', 'a', '1'), redis.call('GET', 'a'), redis.call('EXISTS', 'b')]),
  ).toEqual(['OK', '1', 0]);
  const clients = String(await server.call('CLIENT', 'LIST'));
  expect(clients.match(/name=vpsmon/g)).toHaveLength(1);
});

test('another database, a user with a name, a password that nobody asked for', async () => {
  await connect({ db: 3 }).call('SET', 'in3', 'x');
  expect(await server.call('EXISTS', 'in3')).toBe(0);
  await server.call('ACL', 'SETUSER', 'watcher', 'on', '>look', '+@all', '~*');
  expect(await connect({ username: 'watcher', password: 'look' }).call('ACL', 'WHOAMI')).toBe('watcher');
  expect(await connect({ port: open.port, password: 'needless' }).call('PING')).toBe('PONG');
});

test('a wrong and a missing password, without the password', async () => {
  const wrong = await connect({ password: 'not-the-one-9' })
    .call('PING')
    .catch((error: unknown) => error as Error);
  expect(String(wrong)).toBe(`Error: Redis at 127.0.0.1:${server.port} refuses the password`);
  expect(JSON.stringify(wrong, Object.getOwnPropertyNames(wrong))).not.toContain('not-the-one-9');
  await expect(connect({ password: '' }).call('PING')).rejects.toThrow('asks for a password');
});

test('is back by itself after the server was restarted', async () => {
  const redis = connect();
  expect(await redis.call('PING')).toBe('PONG');
  await server.stop('SIGKILL');
  await expect(redis.call('PING')).rejects.toThrow(`nothing listens at 127.0.0.1:${server.port}`);
  await server.start();
  await expect.poll(() => redis.call('PING').catch(String), { interval: 100 }).toBe('PONG');
});

test('is replaced without an error when the server closed it while it was idle, in whatever moment', async () => {
  const redis = connect();
  for (let round = 0; round < 200; round++) {
    const before = await redis.call('CLIENT', 'ID');
    await server.call('CLIENT', 'KILL', 'ID', String(before));
    expect(await redis.call('CLIENT', 'ID')).not.toBe(before);
  }
});

test('gives a frozen server up in time and comes back when it thaws', async () => {
  const redis = connect();
  await redis.call('PING');
  server.freeze();
  await expect(redis.call('PING')).rejects.toThrow('did not answer in time');
  await expect(redis.call('PING')).rejects.toThrow('did not answer in time');
  server.thaw();
  await expect.poll(() => redis.call('PING').catch(String), { interval: 100 }).toBe('PONG');
});

test('N13: a unix socket, TLS with an own authority, and each taken for the other', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-redis-tls-'));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  // prettier-ignore
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key,
    '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { stdio: 'ignore' });
  const tlsPort = await freePort();
  const path = join(dir, 'redis.sock');
  // prettier-ignore
  const both = await startRedis({ password: 'pw', settings: ['--unixsocket', path, '--tls-port', String(tlsPort),
    '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'] });
  try {
    const change = { password: 'pw', port: tlsPort };
    expect(await connect({ ...change, host: path }).call('PING')).toBe('PONG');
    expect(await connect({ ...change, tls: true, tlsCa: cert }).call('PING')).toBe('PONG');
    const says = (how: Parameters<typeof connect>[0]) =>
      expect(connect({ ...change, ...how }).call('PING')).rejects;
    await says({ tls: true }).toThrow('its certificate is of no known authority: set REDIS_TLS_CA');
    await says({ tls: false }).toThrow('it speaks TLS: write rediss:// in REDIS_URL');
    await says({ tls: true, port: both.port, tlsCa: cert }).toThrow('does not speak TLS');
    await says({ host: join(dir, 'none.sock') }).toThrow(`nothing listens at ${join(dir, 'none.sock')}`);
    await both.call('CONFIG', 'SET', 'tls-auth-clients', 'yes');
    await says({ tls: true, tlsCa: cert }).toThrow('wants a certificate of its clients');
  } finally {
    await both.remove();
    rmSync(dir, { recursive: true });
  }
});

test('a server without room for one more says so', async () => {
  const full = await startRedis({ settings: ['--maxclients', '1'] });
  const first = connect({ port: full.port, password: '' });
  await first.call('PING');
  await expect(connect({ port: full.port, password: '' }).call('PING')).rejects.toThrow(
    'max number of clients',
  );
  await first.close();
  await full.remove();
});

test('once closed, it is not opened again', async () => {
  const redis = connect();
  const id = String(await redis.call('CLIENT', 'ID'));
  await redis.close();
  const before = String(await server.call('INFO', 'stats'));
  await expect(redis.call('PING')).rejects.toThrow(`the connection to 127.0.0.1:${server.port} was closed`);
  const after = String(await server.call('INFO', 'stats'));
  expect(String(await server.call('CLIENT', 'LIST'))).not.toContain(`id=${id} `);
  // One more, which asked for this.
  expect(received(after) - received(before)).toBe(1);
});

function received(info: string): number {
  return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
}
