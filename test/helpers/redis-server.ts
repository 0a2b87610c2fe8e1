import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { startOwn } from './own-process.ts';
import type { OwnProcess } from './own-process.ts';

export type RedisServer = {
  host: '127.0.0.1';
  port: number;
  password: string;
  /** Runs one command as the default user. */
  call(command: string, ...args: string[]): Promise<unknown>;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
};

/** A Redis server of its own on a free loopback port, nothing saved to disk. No password unless one is given. */
export async function startRedis(
  options: { password?: string; settings?: string[]; port?: number } = {},
): Promise<RedisServer> {
  const file = ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/usr/bin/valkey-server'].find(
    (path) => existsSync(path),
  );
  if (!file) throw new Error('These tests need a Redis server: install the Debian package `redis-server`.');
  const port = options.port ?? (await freePort());
  const password = options.password ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-redis-'));
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--daemonize',
    'no',
  ];
  if (password) args.push('--requirepass', password);
  let server: OwnProcess | undefined;

  async function start(): Promise<void> {
    server = startOwn(file as string, [...args, ...(options.settings ?? [])]);
    await server.said('eady to accept connections');
  }
  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await server?.end(signal);
    server = undefined;
  }
  await start();
  return {
    host: '127.0.0.1',
    port,
    password,
    start,
    stop,
    async call(command, ...rest) {
      const client = new Redis({ host: '127.0.0.1', port, password, protocol: 2, retryStrategy: () => null });
      client.on('error', () => {}); // What matters is the rejection of call().
      try {
        return await client.call(command, ...rest);
      } finally {
        client.disconnect();
      }
    },
    freeze: () => server?.signal('SIGSTOP'),
    thaw: () => server?.signal('SIGCONT'),
    async remove() {
      server?.signal('SIGCONT');
      await stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
