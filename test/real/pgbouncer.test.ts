// A real PgBouncer in front of a real PostgreSQL: what a connection to it may leave behind, and what it shows.
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgres } from '../../src/collectors/postgres.ts';
import { openPostgres } from '../../src/system/postgres/postgres.ts';
import { collectorDeps, patience } from '../helpers/collector-deps.ts';
import { freePort } from '../helpers/free-port.ts';
import { startOwn } from '../helpers/own-process.ts';
import { startPostgres } from '../helpers/postgres-server.ts';
import type { PostgresServer } from '../helpers/postgres-server.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
  await server.sql('CREATE TABLE things (id int)');
});
afterAll(() => server.remove());

const SETTINGS = [
  'default_transaction_read_only',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'jit',
  'max_parallel_workers_per_gather',
  'cursor_tuple_fraction',
];
const LEFT_SQL = `SELECT name, setting FROM pg_settings WHERE name = ANY('{${SETTINGS.join(',')}}') ORDER BY name`;

test.each(['transaction', 'session', 'statement'])(
  'H1: leaves nothing behind with pool_mode=%s',
  async (mode) => {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-pgbouncer-'));
    writeFileSync(
      join(folder, 'pgbouncer.ini'),
      `[databases]\npostgres = host=127.0.0.1 port=${server.port} user=postgres password=${server.password}\n` +
        `[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nauth_type = any\npool_mode = ${mode}\n` +
        'default_pool_size = 1\nmax_db_connections = 1\nserver_reset_query =\nunix_socket_dir =\n',
    );
    chmodSync(folder, 0o755);
    const pool = startOwn('pgbouncer', [join(folder, 'pgbouncer.ini')], 'postgres');
    try {
      await pool.said('process up');
      const before = await server.sql(LEFT_SQL);
      const target = {
        host: '127.0.0.1',
        port,
        user: 'postgres',
        password: server.password,
        database: 'postgres',
      };
      const deps = collectorDeps({ postgres: { ...target, how: 'POSTGRES_URL' } });
      const collector = createPostgres(deps);
      await collector.read(patience());
      await collector.read(patience());
      await collector.close?.();
      const postgres = openPostgres(target);
      expect(await postgres.query('SELECT 1 AS one')).toEqual([{ one: '1' }]);
      expect(await postgres.query('SELECT $1::text AS given', ['x'])).toEqual([{ given: 'x' }]);
      const readOnly = postgres.readOnly("SELECT set_config('lock_timeout', '7', false)");
      if (mode === 'statement') await expect(readOnly).rejects.toThrow('pool_mode=statement');
      else await readOnly;
      await expect
        .poll(() => postgres.query('SELECT pg_sleep(5)', [], 300).catch(String))
        .toContain('took too long');
      await expect(postgres.query('INSERT INTO things VALUES (1)')).rejects.toThrow('read-only transaction');
      await postgres.close();

      const other = new pg.Client({ ...target });
      await other.connect();
      try {
        expect((await other.query(LEFT_SQL)).rows).toEqual(before);
        expect((await other.query('INSERT INTO things VALUES (1)')).rowCount).toBe(1);
      } finally {
        await other.end();
      }
    } finally {
      await pool.end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test('N1, N2: a user without pg_monitor counts the sessions of others, and the reserved ones', async () => {
  await server.sql(
    "CREATE ROLE watcher LOGIN PASSWORD 'w4tcher-pw'; CREATE ROLE app LOGIN PASSWORD 'app-pw'",
  );
  const { host, port } = server;
  const sessions = Array.from(
    { length: 4 },
    () => new pg.Client({ host, port, user: 'app', password: 'app-pw', database: 'postgres' }),
  );
  const target = { host, port, user: 'watcher', password: 'w4tcher-pw', database: 'postgres' };
  const collector = createPostgres(collectorDeps({ postgres: { ...target, how: 'POSTGRES_URL' } }));
  try {
    for (const session of sessions) {
      await session.connect();
      await session.query('BEGIN');
    }
    // Those of PgBouncer may need a moment to be gone.
    await expect
      .poll(() => collector.read(patience()))
      .toMatchObject({ connections: { total: 5, other: 4, idle: 1, max: 20, reserved: 3 } });
    const values = await collector.read(patience());
    expect(values).not.toHaveProperty('longestTransactionSec');
  } finally {
    await collector.close?.();
    await Promise.all(sessions.map((session) => session.end()));
  }
});
