import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPostgres } from '../../src/collectors/postgres.ts';
import { openPostgres } from '../../src/system/postgres/postgres.ts';
import type { Postgres } from '../../src/system/types.ts';
import { collectorDeps, patience } from '../helpers/collector-deps.ts';
import { runAs } from '../helpers/own-process.ts';
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
  const postgres = openPostgres({
    host: server.host,
    port: server.port,
    user: 'postgres',
    password: server.password,
    database: 'postgres',
    ...change,
  });
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
        .poll(() => postgres.query('SELECT 1 AS one').catch(String), { interval: 200 })
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
    const both = await Promise.allSettled([
      postgres.query('SELECT 1', [], 800),
      postgres.query('SELECT 2', [], 800),
    ]);
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    expect(String((both[0] as PromiseRejectedResult).reason)).toContain('no answer within');
    server.thaw();
    await expect
      .poll(() => postgres.query('SELECT 1 AS one').catch(String), { interval: 200 })
      .toEqual([{ one: '1' }]);
  });

  test('lets the server cancel what takes too long and stays usable', async () => {
    const postgres = open();
    // Again where a server on a busy machine was later than it is waited for.
    await expect
      .poll(async () => {
        const [before] = await postgres.query('SELECT pg_backend_pid() AS pid');
        const why = await postgres.query('SELECT pg_sleep(5)', [], 150).catch(String);
        const [after] = await postgres.query('SELECT pg_backend_pid() AS pid');
        return [after?.pid === before?.pid, String(why)];
      })
      .toEqual([true, expect.stringContaining('took too long')]);
  });

  test('does not wait for a locked table', async () => {
    const postgres = open();
    // Held for longer than the test may take.
    const holder = server.sql('BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)');
    const ended = holder.catch(String);
    await expect
      .poll(() => server.sql("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"), {
        interval: 20,
      })
      .not.toEqual([]);
    await expect
      .poll(() => postgres.query('SELECT count(*) FROM things').catch(String))
      .toContain('lock timeout');
    await server.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'AccessExclusiveLock'");
    await ended;
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
    const answer = () => postgres.readOnly(sql, sql.includes('sleep(5)') ? 300 : 4000).catch(String);
    if (why) await expect.poll(answer).toContain(why);
    else await answer();
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
    expect(refused.join('\n')).toContain('too many clients');
  });
});

/** A server that takes TLS only, and the file of its own certificate. */
async function startTlsOnly(env: Record<string, string> = {}) {
  const folder = mkdtempSync(`${tmpdir()}/vpsmon-tls-`);
  runAs('chmod', ['755', folder]);
  const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=db.test'];
  runAs('openssl', [...request, '-keyout', key, '-out', cert]);
  if (process.getuid?.() === 0) runAs('chown', ['postgres', key]);
  const strict = await startPostgres({
    settings: { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key },
    hba: ['hostssl all all 127.0.0.1/32 scram-sha-256', 'local all all trust'],
    env,
  });
  const { host, port, user, password } = strict;
  return {
    cert,
    target: { host, port, user, password, database: 'postgres' },
    /** As the superuser, over its socket. */
    async sql(text: string) {
      const client = new pg.Client({ host: strict.socketFolder, port, user, database: 'postgres' });
      await client.connect();
      await client.query(text).finally(() => client.end());
    },
    async remove() {
      await strict.remove();
      runAs('rm', ['-rf', folder]);
    },
  };
}

test('a server that insists on TLS', async () => {
  const strict = await startTlsOnly();
  const tls = async (more: object) => {
    const postgres = openPostgres({ ...strict.target, ...more });
    try {
      const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
      return (await postgres.query(sql).catch((error: unknown) => [{ ssl: String(error) }]))[0]?.ssl;
    } finally {
      await postgres.close();
    }
  };
  try {
    expect(await tls({})).toBe('t');
    expect(await tls({ sslMode: 'require' })).toBe('t');
    expect(await tls({ sslMode: 'disable' })).toContain('no encryption');
    expect(await tls({ sslMode: 'verify-ca', sslRootCert: strict.cert })).toBe('t');
    expect(await tls({ sslMode: 'verify-ca' })).toContain('self-signed');
    expect(await tls({ sslMode: 'verify-full', sslRootCert: strict.cert })).toContain('altnames');
    expect(await tls({ sslMode: 'verify-full', sslRootCert: `${strict.cert}-none` })).toContain('-none');
  } finally {
    await strict.remove();
  }
});

test('N3: TLS only, in German, and a role without pg_monitor: everything that it may see is read', async () => {
  // The locale of its own folder: the machine need not speak German.
  const locales = mkdtempSync(`${tmpdir()}/vpsmon-locale-`);
  runAs('chmod', ['755', locales]);
  runAs('localedef', ['-i', 'de_DE', '-f', 'UTF-8', `${locales}/de_DE.UTF-8`]);
  const strict = await startTlsOnly({ LOCPATH: locales });
  const deps = (more: object) =>
    collectorDeps({ postgres: { ...strict.target, user: 'watcher', how: 'POSTGRES_URL', ...more } });
  const read = async (more: object = {}) => {
    const collector = createPostgres(deps(more));
    try {
      return await collector.read(patience());
    } finally {
      await collector.close?.();
    }
  };
  try {
    await strict.sql("ALTER SYSTEM SET lc_messages = 'de_DE.UTF-8'");
    await strict.sql("SELECT pg_reload_conf(); CREATE ROLE watcher LOGIN PASSWORD 'w4tcher-pw'");
    // It does speak German: the language of an error is the server's.
    const german = /keine? .*pg_hba\.conf-Eintrag/;
    await expect
      .poll(() => read({ password: 'w4tcher-pw', sslMode: 'disable' }).catch(String))
      .toMatch(german);

    // The sessions of before may need a moment to be gone.
    await expect
      .poll(() => read({ password: 'w4tcher-pw' }))
      .toMatchObject({ connections: { total: 1, max: 20, reserved: 3 } });
    const values = await read({ password: 'w4tcher-pw' });
    if ('absent' in values) throw new Error(values.absent);
    expect(values.databaseSizeBytes).toBeGreaterThan(1e6);
    await expect(read({ password: 'wrong' })).rejects.toThrow('refuses the password of user watcher');
    await expect(read({ user: 'nobody', password: 'x' })).rejects.toThrow(
      'refuses the password of user nobody',
    );
    const postgres = openPostgres({ ...strict.target, user: 'watcher', password: 'w4tcher-pw' });
    await expect
      .poll(() => postgres.query('SELECT pg_sleep(5)', [], 200).catch(String))
      .toContain('took too long');
    await expect(postgres.query('CREATE TABLE x (id int)')).rejects.toThrow('Read-Only-Transaktion');
    await expect(postgres.query('SELECT * FROM pg_authid')).rejects.toThrow('keine Berechtigung');
    await postgres.close();
  } finally {
    await strict.remove();
    runAs('rm', ['-rf', locales]);
  }
});
