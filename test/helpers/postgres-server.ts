import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { runAs, startOwn } from './own-process.ts';
import type { OwnProcess } from './own-process.ts';

export type PostgresServer = {
  host: '127.0.0.1';
  port: number;
  user: 'postgres';
  password: string;
  /** The folder of the unix socket. */
  socketFolder: string;
  url(database?: string): string;
  /** Runs statements as the superuser and returns the rows of the last one. */
  sql(text: string, database?: string): Promise<Record<string, unknown>[]>;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP and SIGCONT to every process of the server: it keeps its sockets and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Stops it for good and removes its files. */
  remove(): Promise<void>;
};

/** A PostgreSQL server of its own on a free loopback port. Passwords are checked over TCP and over the socket. */
export async function startPostgres(
  options: {
    settings?: Record<string, string>;
    hba?: string[];
    password?: string;
    port?: number;
    env?: Record<string, string>;
    /** A standby of this server, which keeps its WAL for it in the slot `standby`. */
    standbyOf?: PostgresServer;
  } = {},
): Promise<PostgresServer> {
  const bin = binaries();
  const password = options.password ?? 'Corr3ct-h0rse';
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-postgres-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(folder, 'password'), password);
  giveToPostgres(folder, data, join(folder, 'password'));
  if (options.standbyOf) {
    const copy = ['-d', options.standbyOf.url(), '-D', data, '-R', '-C', '-S', 'standby', '-c', 'fast', '-N'];
    runAs(join(bin, 'pg_basebackup'), copy, 'postgres');
  } else {
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--no-sync', '-E', 'UTF8'];
    runAs(
      join(bin, 'initdb'),
      [...initdb, '--no-locale', `--pwfile=${join(folder, 'password')}`],
      'postgres',
    );
  }
  if (options.hba) writeFileSync(join(data, 'pg_hba.conf'), options.hba.join('\n') + '\n');
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    shared_buffers: '16MB',
    max_connections: '20',
    autovacuum: 'off',
    ...options.settings,
  };
  const args = ['-D', data, '-p', String(port)];
  for (const [key, value] of Object.entries(settings)) args.push('-c', `${key}=${value}`);
  let server: OwnProcess | undefined;

  async function start(): Promise<void> {
    server = startOwn(join(bin, 'postgres'), args, 'postgres', options.env);
    await server.said('ready to accept');
  }
  async function stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await server?.end(signal);
    server = undefined;
  }
  const url = (database = 'postgres') =>
    `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  await start();
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    socketFolder: folder,
    url,
    start,
    stop,
    async sql(text, database = 'postgres') {
      const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password, database });
      await client.connect();
      try {
        const result = (await client.query(text)) as unknown as pg.QueryResult | pg.QueryResult[];
        return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
      } finally {
        await client.end();
      }
    },
    freeze: () => signalFamily(server, 'SIGSTOP'),
    thaw: () => signalFamily(server, 'SIGCONT'),
    async remove() {
      if (server?.running()) signalFamily(server, 'SIGCONT');
      await stop('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function binaries(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => join(root, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
  if (!found)
    throw new Error('These tests need a PostgreSQL server: install the Debian package `postgresql`.');
  return found;
}

/** PostgreSQL refuses to run as root. */
function giveToPostgres(...paths: string[]): void {
  if (process.getuid?.() !== 0) return;
  const uid = Number(runAs('id', ['-u', 'postgres']));
  const gid = Number(runAs('id', ['-g', 'postgres']));
  for (const path of paths) chownSync(path, uid, gid);
}

function signalFamily(server: OwnProcess | undefined, signal: NodeJS.Signals): void {
  if (!server) throw new Error('the server does not run');
  const children = runAs('ps', ['-o', 'pid=', '--ppid', String(server.pid)]);
  for (const pid of [server.pid, ...children.trim().split(/\s+/).map(Number)]) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // A backend whose client went away has ended since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH' || pid === server.pid) throw error;
    }
  }
}
