import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/system/postgres/postgres.ts';
import type { Postgres } from '../../src/system/types.ts';
import { startPostgres } from '../helpers/postgres-server.ts';
import type { PostgresServer } from '../helpers/postgres-server.ts';

let server: PostgresServer;
const opened: Postgres[] = [];

beforeAll(async () => {
  server = await startPostgres();
  await server.sql('CREATE TABLE things (id int); INSERT INTO things SELECT generate_series(1, 5000)');
});
afterAll(async () => {
  await Promise.all(opened.map((postgres) => postgres.close()));
  await server.remove();
});

function open(change: Partial<Parameters<typeof openPostgres>[0]> = {}): Postgres {
  const postgres = openPostgres(
    {
      host: server.host,
      port: server.port,
      user: 'postgres',
      password: server.password,
      database: 'postgres',
      ...change,
    },
    { applicationName: 'vpsmon' },
  );
  opened.push(postgres);
  return postgres;
}

describe('one kept connection', () => {
  test('is one, read-only, with a name and with timeouts, however many queries come at once', async () => {
    const postgres = open();
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => postgres.query('SELECT $1::int + 1 AS n', [n])),
    );
    expect(answers.flat()).toEqual([{ n: '2' }, { n: '3' }, { n: '4' }, { n: '5' }]);
    const sessions = await server.sql(
      "SELECT application_name, state FROM pg_stat_activity WHERE application_name = 'vpsmon'",
    );
    expect(sessions).toEqual([{ application_name: 'vpsmon', state: 'idle' }]);
    const [settings] = await postgres.query(
      `SELECT current_setting('transaction_read_only') AS read_only, current_setting('lock_timeout') AS lock,
         current_setting('statement_timeout') AS statement, current_setting('jit') AS jit`,
    );
    expect(settings).toEqual({ read_only: 'on', lock: '500ms', statement: '2s', jit: 'off' });
    await expect(postgres.query('CREATE TABLE nope ()')).rejects.toThrow('read-only transaction');
  });

  test('is back by itself after the server was restarted, and after it was killed', async () => {
    const postgres = open();
    await postgres.query('SELECT 1');
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      await server.stop(signal);
      await expect(postgres.query('SELECT 1')).rejects.toThrow(`nothing listens at 127.0.0.1:${server.port}`);
      await server.start();
      await expect
        .poll(() => postgres.query('SELECT 1 AS one').catch(String), { timeout: 15_000, interval: 200 })
        .toEqual([{ one: '1' }]);
    }
  });

  test('is replaced without an error when the server closed it while it was idle', async () => {
    const postgres = open();
    for (let round = 0; round < 20; round++) {
      const [before] = await postgres.query('SELECT pg_backend_pid() AS pid');
      await server.sql(`SELECT pg_terminate_backend(${String(before?.pid)})`);
      const [after] = await postgres.query('SELECT pg_backend_pid() AS pid');
      expect(after?.pid).not.toBe(before?.pid);
    }
  });

  test('gives a frozen server up in time and comes back when it thaws', async () => {
    const postgres = open();
    await postgres.query('SELECT 1');
    server.freeze();
    const start = performance.now();
    const both = await Promise.allSettled([
      postgres.query('SELECT 1', [], 800),
      postgres.query('SELECT 2', [], 800),
    ]);
    expect(performance.now() - start).toBeLessThan(5500);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    expect(String((both[0] as PromiseRejectedResult).reason)).toContain('no answer within');
    server.thaw();
    await expect
      .poll(() => postgres.query('SELECT 1 AS one').catch(String), { timeout: 15_000, interval: 200 })
      .toEqual([{ one: '1' }]);
  });

  test('lets the server cancel what takes too long and stays usable', async () => {
    const postgres = open();
    const [before] = await postgres.query('SELECT pg_backend_pid() AS pid');
    await expect(postgres.query('SELECT pg_sleep(5)', [], 150)).rejects.toThrow('took too long');
    const [after] = await postgres.query('SELECT pg_backend_pid() AS pid');
    expect(after?.pid).toBe(before?.pid);
  });

  test('does not wait for a locked table', async () => {
    const postgres = open();
    const holder = server.sql('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5)');
    await expect
      .poll(() => server.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"), {
        interval: 20,
      })
      .not.toEqual([]);
    const start = performance.now();
    await expect(postgres.query('SELECT count(*) FROM things')).rejects.toThrow('lock timeout');
    expect(performance.now() - start).toBeLessThan(1400);
    await holder;
  });

  test('works over the unix socket', async () => {
    const postgres = open({ host: server.socketFolder });
    expect(await postgres.query('SELECT inet_server_addr() AS address')).toEqual([{ address: null }]);
    expect(postgres.address).toBe(server.socketFolder);
  });
});

describe('statements of strangers', () => {
  test.each([
    ['DELETE FROM things RETURNING 1', 'syntax error'],
    ['SELECT 1; DROP TABLE things', 'multiple commands'],
    ["SELECT set_config('transaction_read_only', 'off', false), pg_sleep(0)", ''],
    ['SELECT * FROM things', 'more than 1000 rows'],
    ['SELECT nonsense', 'column "nonsense" does not exist'],
    ['SELECT pg_sleep(5)', 'took too long'],
    ["SELECT repeat('x', 900000) FROM generate_series(1, 100)", 'too large (more than 8 MB)'],
    ["SELECT repeat('x', 20000000)", 'larger than 1 MB'],
  ])('%s', async (sql, why) => {
    const postgres = open();
    // A busy machine needs its time to make 8 MB; only the one that sleeps is to be cut short.
    const answer = postgres.readOnly(sql, sql.includes('sleep(5)') ? 300 : 4000);
    if (why) await expect(answer).rejects.toThrow(why);
    else await answer.catch(() => {});
    await expect(postgres.query('CREATE TABLE nope ()')).rejects.toThrow('read-only transaction');
    expect(await postgres.readOnly('SELECT count(*) AS n FROM things')).toEqual([{ n: '5000' }]);
    await postgres.close();
  });
});

describe('why it does not work', () => {
  test('a wrong password, without the password', async () => {
    const error = await open({ password: 'not-the-one-9' })
      .query('SELECT 1')
      .catch((thrown: unknown) => thrown as Error);
    expect(String(error)).toBe(
      `Error: PostgreSQL at 127.0.0.1:${server.port} refuses the password of user postgres`,
    );
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('not-the-one-9');
  });

  test('an unknown database', async () => {
    await expect(open({ database: 'nowhere' }).query('SELECT 1')).rejects.toThrow(
      'database "nowhere" does not exist',
    );
  });

  test('no connection left', async () => {
    const crowd = Array.from({ length: 20 }, () => open());
    const results = await Promise.allSettled(crowd.map((one) => one.query('SELECT 1')));
    const refused = results.filter((one) => one.status === 'rejected').map((one) => String(one.reason));
    await Promise.all(crowd.map((one) => one.close()));
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toContain('too many clients');
  });
});

test('a server that insists on TLS', async () => {
  const { mkdtempSync } = await import('node:fs');
  const { runAs } = await import('../helpers/own-process.ts');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(`${tmpdir()}/vpsmon-tls-`);
  runAs('chmod', ['755', folder]);
  const files = ['-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`];
  runAs('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=db.test',
    ...files,
  ]);
  if (process.getuid?.() === 0) runAs('chown', ['postgres', `${folder}/key.pem`]);
  const strict = await startPostgres({
    settings: { ssl: 'on', ssl_cert_file: `${folder}/cert.pem`, ssl_key_file: `${folder}/key.pem` },
    hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
  });
  const target = {
    host: '127.0.0.1',
    port: strict.port,
    user: 'postgres',
    password: strict.password,
    database: 'postgres',
  };
  const tls = async (more: object) => {
    const postgres = openPostgres({ ...target, ...more }, { applicationName: 'vpsmon' });
    try {
      const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
      return (await postgres.query(sql).catch((error: unknown) => [{ ssl: String(error) }]))[0]?.ssl;
    } finally {
      await postgres.close();
    }
  };
  try {
    expect(readFileSync(`${folder}/cert.pem`, 'utf8')).toContain('CERTIFICATE');
    expect(await tls({})).toBe('t');
    expect(await tls({ sslMode: 'require' })).toBe('t');
    expect(await tls({ sslMode: 'disable' })).toContain('no encryption');
    expect(await tls({ sslMode: 'verify-ca', sslRootCert: `${folder}/cert.pem` })).toBe('t');
    expect(await tls({ sslMode: 'verify-ca' })).toContain('self-signed');
    expect(await tls({ sslMode: 'verify-full', sslRootCert: `${folder}/cert.pem` })).toContain('altnames');
    expect(await tls({ sslMode: 'verify-full', sslRootCert: `${folder}/none.pem` })).toContain('none.pem');
  } finally {
    await strict.remove();
    runAs('rm', ['-rf', folder]);
  }
});
