import { describe, expect, test } from 'vitest';
import { discover } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const n8n: Sketch = {
  name: 'shop-n8n-1',
  service: 'n8n',
  project: 'shop',
  image: 'docker.n8n.io/n8nio/n8n:1.123.81',
  address: '172.20.0.10',
  ports: ['127.0.0.1:5678->5678'],
  command: ['tini', '--', '/docker-entrypoint.sh'],
  env: {
    DB_TYPE: 'postgresdb',
    DB_POSTGRESDB_HOST: 'postgres',
    DB_POSTGRESDB_DATABASE: 'n8n',
    DB_POSTGRESDB_USER: 'n8n',
    DB_POSTGRESDB_PASSWORD: 'dbpw',
    EXECUTIONS_MODE: 'queue',
    QUEUE_BULL_REDIS_HOST: 'redis',
  },
};
const worker: Sketch = {
  ...n8n,
  name: 'shop-n8n-worker-1',
  service: 'n8n-worker',
  command: ['tini', '--', '/docker-entrypoint.sh', 'worker'],
  created: 0,
  ports: [],
};
const postgres: Sketch = {
  name: 'shop-postgres-1',
  service: 'postgres',
  project: 'shop',
  image: 'postgres:16',
  address: '172.20.0.5',
  env: { POSTGRES_PASSWORD: 'root' },
};
const redis: Sketch = {
  name: 'shop-redis-1',
  service: 'redis',
  project: 'shop',
  image: 'redis:7',
  address: '172.20.0.8',
};

test('its address, database and queue come from the main container', () => {
  const found = discover([worker, n8n, postgres, redis]);
  expect(found.n8n).toEqual({
    url: 'http://127.0.0.1:5678',
    apiKey: '',
    how: 'container shop-n8n-1 (docker.n8n.io/n8nio/n8n:1.123.81), its published port',
    container: 'shop-n8n-1',
    database: {
      host: '172.20.0.5',
      port: 5432,
      user: 'n8n',
      password: 'dbpw',
      database: 'n8n',
      schema: 'public',
      prefix: '',
      how: 'the environment of container shop-n8n-1',
      container: 'shop-postgres-1',
    },
    queue: {
      host: '172.20.0.8',
      port: 6379,
      password: '',
      db: 0,
      tls: false,
      prefix: 'bull',
      expected: true,
      how: 'the environment of container shop-n8n-1',
      container: 'shop-redis-1',
    },
  });
  expect(found.missing).toEqual({ waha: 'no container runs WAHA, and WAHA_URL is not set' });
});

test('everything that can be set otherwise', () => {
  const env = {
    ...n8n.env,
    N8N_PORT: '9999',
    DB_POSTGRESDB_PORT: '5555',
    DB_POSTGRESDB_SCHEMA: 'flows',
    DB_TABLE_PREFIX: 'n_',
    DB_POSTGRESDB_SSL_ENABLED: 'true',
    QUEUE_BULL_PREFIX: 'mine',
    QUEUE_BULL_REDIS_DB: '4',
    QUEUE_BULL_REDIS_USERNAME: 'q',
    QUEUE_BULL_REDIS_PASSWORD: 'qpw',
    QUEUE_BULL_REDIS_TLS: 'true',
    QUEUE_BULL_REDIS_PORT: '7777',
  };
  const target = discover([{ ...n8n, env, ports: [] }, postgres, redis]).n8n;
  expect(target).toMatchObject({
    url: 'http://172.20.0.10:9999',
    database: { port: 5555, schema: 'flows', prefix: 'n_', sslMode: 'require' },
    queue: { prefix: 'mine', db: 4, username: 'q', password: 'qpw', tls: true, port: 7777 },
  });
});

test('https only where n8n itself has a certificate', () => {
  const behindProxy = { ...n8n.env, N8N_PROTOCOL: 'https' };
  expect(discover([{ ...n8n, env: behindProxy }]).n8n?.url).toBe('http://127.0.0.1:5678');
  const own = { ...behindProxy, N8N_SSL_KEY: '/k', N8N_SSL_CERT: '/c' };
  expect(discover([{ ...n8n, env: own }]).n8n?.url).toBe('https://127.0.0.1:5678');
});

test('SQLite and regular mode: neither database nor queue', () => {
  const { n8n: target, missing } = discover([{ ...n8n, env: {} }, postgres, redis]);
  expect(target?.database).toBeUndefined();
  expect(target?.queue).toBeUndefined();
  expect(missing.n8nDatabase).toBeUndefined();
});

test.each<[string, Partial<Sketch>, string, string]>([
  ['the address of a container', {}, '172.20.0.5', '172.20.0.5'],
  ['the name in capitals', {}, 'POSTGRES', '172.20.0.5'],
])("n8n's host is %s", (_name, change, host, expected) => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: host };
  expect(discover([{ ...n8n, env, ...change }, postgres]).n8n?.database?.host).toBe(expected);
});

test('A13: an alias is what the engine resolves, also with two servers in the project', () => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: 'database' };
  const other = { ...postgres, name: 'shop-crm-1', service: 'crm', address: '172.20.0.6' };
  const aliased = { ...postgres, aliases: ['postgres', 'database'] };
  expect(discover([{ ...n8n, env }, other, aliased]).n8n?.database?.container).toBe('shop-postgres-1');
  expect(discover([{ ...n8n, env }, { ...other, aliases: ['database'] }, aliased]).missing.n8nDatabase).toBe(
    "n8n's database: 2 containers are called database",
  );
});

test.each(['postgres.shop', 'postgres.', 'POSTGRES.shop.', 'shop-postgres-1.shop', 'tasks.postgres'])(
  'A13: %s is a name that the DNS of the engine knows',
  (host) => {
    const env = { ...n8n.env, DB_POSTGRESDB_HOST: host };
    expect(discover([{ ...n8n, env }, postgres]).n8n?.database?.host).toBe('172.20.0.5');
  },
);

test.each(['postgres.other', 'postgres.shop.evil', 'xpostgres.shop'])('A13: %s is none', (host) => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: host };
  expect(discover([{ ...n8n, env }, postgres]).missing.n8nDatabase).toContain('n8n');
});

test('A13: a service of a Swarm is known by the name that the engine gives its tasks', () => {
  const task = (name: string, address: string) => ({ ...postgres, service: '', name, address });
  const tasks = [
    task('shop_postgres.1.r7m2v0q5h8x1k3j9w4n6b2c5d', '172.20.0.6'),
    task('shop_crm.1.a7m2v0q5h8x1k3j9w4n6b2c5d', '172.20.0.7'),
  ];
  for (const host of ['postgres', 'shop_postgres']) {
    const env = { ...n8n.env, DB_POSTGRESDB_HOST: host };
    expect(discover([{ ...n8n, env }, ...tasks]).n8n?.database?.host).toBe('172.20.0.6');
  }
});

test.each([
  ['db.example.com', {}, { POSTGRES_HOST: 'db.example.com' }],
  ['10.1.2.3', {}, { POSTGRES_URL: 'postgres://w:x@10.1.2.3:5432/n8n' }],
  ['host.docker.internal', {}, { POSTGRES_HOST: '127.0.0.1' }],
  ['localhost', { networkMode: 'host' }, { POSTGRES_HOST: 'localhost' }],
])('H6: %s is asked only where a person set it, too', (host, change, settings) => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: host };
  const alone = discover([{ ...n8n, env, ...change }, postgres]);
  expect(alone.n8n?.database).toBeUndefined();
  expect(alone.missing.n8nDatabase).toContain(host);
  const set = discover([{ ...n8n, env, ...change }, postgres], { settings });
  expect(set.n8n?.database).toMatchObject({ user: 'n8n', password: 'dbpw' });
  expect(Object.values(settings).join(' ')).toContain(set.n8n?.database?.host);
});

test('H6: a port of the host counts where a database of the same network publishes it', () => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: 'host.docker.internal', DB_POSTGRESDB_PORT: '15432' };
  const published = { ...postgres, ports: ['127.0.0.1:15432->5432'] };
  expect(discover([{ ...n8n, env }, published]).n8n?.database).toMatchObject({
    host: '127.0.0.1',
    port: 15_432,
    container: 'shop-postgres-1',
  });
  const stranger = { ...published, networks: { other: '172.30.0.2' } };
  expect(discover([{ ...n8n, env }, stranger]).n8n?.database).toBeUndefined();
});

test('the service of the same network, not the one of the same name elsewhere', () => {
  const stranger = {
    ...postgres,
    name: 'postgres',
    project: 'other',
    networks: { other: '172.30.0.2' },
    created: 0,
  };
  expect(discover([stranger, n8n, postgres]).n8n?.database).toMatchObject({
    host: '172.20.0.5',
    container: 'shop-postgres-1',
  });
});

test('a server in the same network namespace', () => {
  const pod = { ...postgres, networkMode: `container:${'bb'.padStart(64, '0')}` };
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: 'localhost' };
  expect(discover([{ ...n8n, id: 'bb', env }, pod]).n8n?.database).toMatchObject({
    host: '172.20.0.10',
    container: 'shop-postgres-1',
  });
});

test.each<[string, Sketch[], string]>([
  [
    'the server does not run',
    [n8n, { ...postgres, state: 'exited' }],
    "n8n's database: no running container is called postgres",
  ],
  [
    'localhost',
    [{ ...n8n, env: { ...n8n.env, DB_POSTGRESDB_HOST: 'localhost' } }],
    "n8n's database: localhost means the container of n8n itself",
  ],
  [
    'the password is in a file',
    [
      {
        ...n8n,
        env: {
          DB_TYPE: 'postgresdb',
          DB_POSTGRESDB_HOST: 'postgres',
          DB_POSTGRESDB_USER: 'n8n',
          DB_POSTGRESDB_PASSWORD_FILE: '/run/s',
        },
      },
      postgres,
    ],
    "n8n has its database's password in a file (DB_POSTGRESDB_PASSWORD_FILE): set POSTGRES_USER and POSTGRES_PASSWORD, or N8N_API_KEY",
  ],
])('why its database cannot be read: %s', (_name, containers, why) => {
  const { n8n: target, missing } = discover(containers);
  expect(target?.database).toBeUndefined();
  expect(missing.n8nDatabase).toBe(why);
});

test('the password in a file is found where the same user is in the environment of the server', () => {
  const env = {
    DB_TYPE: 'postgresdb',
    DB_POSTGRESDB_HOST: 'postgres',
    DB_POSTGRESDB_USER: 'postgres',
    DB_POSTGRESDB_PASSWORD_FILE: '/run/s',
  };
  expect(discover([{ ...n8n, env }, postgres]).n8n?.database?.password).toBe('root');
});

test('the same user has the password that n8n uses: it is known to work', () => {
  const env = { ...n8n.env, DB_POSTGRESDB_USER: 'postgres' };
  expect(discover([{ ...n8n, env }, postgres]).postgres).toMatchObject({
    user: 'postgres',
    password: 'dbpw',
  });
  expect(discover([n8n, postgres]).postgres).toMatchObject({ user: 'postgres', password: 'root' });
});

test('settings: the key, another address, an n8n without a container', () => {
  expect(discover([n8n, postgres, redis], { settings: { N8N_API_KEY: 'key' } }).n8n).toMatchObject({
    apiKey: 'key',
    url: 'http://127.0.0.1:5678',
  });
  const named = discover([n8n, postgres, redis], { settings: { N8N_URL: 'http://shop-n8n-1:5678' } }).n8n;
  expect(named).toMatchObject({
    url: 'http://127.0.0.1:5678',
    container: 'shop-n8n-1',
    database: { host: '172.20.0.5' },
  });
  const elsewhere = discover([postgres, redis], {
    settings: { N8N_URL: 'https://n8n.example.com', N8N_API_KEY: 'k' },
  }).n8n;
  expect(elsewhere).toMatchObject({
    url: 'https://n8n.example.com',
    apiKey: 'k',
    how: 'N8N_URL in /etc/vpsmon/monitor.conf:1',
    database: { host: '172.20.0.5', assumed: true },
    queue: { host: '172.20.0.8', expected: false },
  });
});

test.each<[string, Sketch[], string]>([
  ['nothing', [postgres], 'no container runs n8n, and N8N_URL is not set'],
  ['only workers', [worker], 'only workers of n8n run here: set N8N_URL'],
  ['stopped', [{ ...n8n, state: 'restarting' }], 'container shop-n8n-1 is restarting'],
  [
    'task runners',
    [{ ...n8n, image: 'n8nio/runners', ports: [] }],
    'no container runs n8n, and N8N_URL is not set',
  ],
])('missing: %s', (_name, containers, why) => {
  expect(discover(containers).missing.n8n).toBe(why);
});

test('a cluster of Redis', () => {
  const env = { ...n8n.env, QUEUE_BULL_REDIS_CLUSTER_NODES: 'redis:7001,r2.example.com:7002' };
  expect(discover([{ ...n8n, env }, postgres, redis]).n8n?.queue).toMatchObject({
    host: '172.20.0.8',
    port: 7001,
  });
});

describe('A14: the password of the queue', () => {
  const hidden: Sketch = {
    ...n8n,
    env: { ...n8n.env, QUEUE_BULL_REDIS_PASSWORD_FILE: '/run/secrets/redis' },
  };
  const locked: Sketch = { ...redis, env: { REDIS_PASSWORD_FILE: '/run/secrets/redis' } };
  const settings = { REDIS_PASSWORD: 'told' };

  test('in a file, and nowhere else: it is said which setting helps', () => {
    const found = discover([hidden, redis]);
    expect(found.n8n?.queue).toBeUndefined();
    expect(found.missing.n8nQueue).toBe(
      "n8n has its queue's password in a file (QUEUE_BULL_REDIS_PASSWORD_FILE): set REDIS_PASSWORD",
    );
    expect(discover([n8n, locked])).toMatchObject({
      missing: {
        n8nQueue:
          'container shop-redis-1 has its password in a file (REDIS_PASSWORD_FILE): set REDIS_PASSWORD',
      },
      unreadable: ['redis'],
    });
  });

  test('in a file, and set by a person: that is used for the queue, too, and wins over everything', () => {
    for (const containers of [
      [hidden, locked],
      [{ ...n8n, env: { ...n8n.env, QUEUE_BULL_REDIS_PASSWORD: 'old' } }, redis],
    ])
      expect(discover(containers, { settings })).toMatchObject({
        redis: { password: 'told' },
        n8n: { queue: { host: '172.20.0.8', password: 'told' } },
      });
  });

  test('in a file for n8n, and in the settings of the server', () => {
    const server = { ...redis, command: ['redis-server', '--requirepass', 'own'] };
    expect(discover([hidden, server]).n8n?.queue?.password).toBe('own');
  });

  test('set for another Redis, it is not sent to the one of the queue', () => {
    const other: Sketch = { ...redis, name: 'cache', service: 'cache', address: '172.20.0.9' };
    const named = { ...settings, REDIS_HOST: 'cache' };
    const own = { ...n8n, env: { ...n8n.env, QUEUE_BULL_REDIS_PASSWORD: 'queue-pw' } };
    expect(discover([own, redis, other], { settings: named })).toMatchObject({
      redis: { host: '172.20.0.9', password: 'told' },
      n8n: { queue: { host: '172.20.0.8', password: 'queue-pw' } },
    });
    expect(discover([own, redis, other], { settings }).n8n?.queue?.password).toBe('queue-pw');
    expect(
      discover([own, redis, other], { settings: { ...named, REDIS_HOST: 'redis' } }).n8n?.queue?.password,
    ).toBe('told');
  });
});

test.each([
  ['DB_TYPE', 'what database it has'],
  ['DB_POSTGRESDB_HOST', 'its database'],
  ['DB_POSTGRESDB_USER', 'its database'],
  ['DB_POSTGRESDB_DATABASE', 'its database'],
  ['QUEUE_BULL_REDIS_HOST', 'where its queue is'],
])('A14: %s in a file is said, with the setting that helps, and nothing is guessed', (name, what) => {
  const { [name as keyof typeof n8n.env]: _, ...rest } = n8n.env as Record<string, string>;
  const env = { ...rest, [`${name}_FILE`]: '/run/secrets/x' } as Record<string, string>;
  const { n8n: target, missing } = discover([{ ...n8n, env }, postgres, redis]);
  const why = name.startsWith('DB') ? missing.n8nDatabase : missing.n8nQueue;
  expect(why).toContain(`n8n has ${what} in a file (${name}_FILE), which nobody outside can read: set `);
  expect(name.startsWith('DB') ? target?.database : target?.queue).toBeUndefined();
});

test('A14: the password of the database in a file, and set by a person', () => {
  const env = {
    DB_TYPE: 'postgresdb',
    DB_POSTGRESDB_HOST: 'postgres',
    DB_POSTGRESDB_USER: 'n8n',
    DB_POSTGRESDB_PASSWORD_FILE: '/run/s',
  };
  const server = { ...postgres, env: { POSTGRES_PASSWORD_FILE: '/run/p' } };
  const set = (settings: object) => discover([{ ...n8n, env }, server], { settings });
  expect(set({ POSTGRES_USER: 'n8n', POSTGRES_PASSWORD: 'told' }).n8n?.database).toMatchObject({
    user: 'n8n',
    password: 'told',
    database: 'n8n',
  });
  // A password without a user is that of the user with which the server was started.
  expect(set({ POSTGRES_PASSWORD: 'told' }).n8n?.database).toMatchObject({ user: 'postgres' });
  expect(set({})).toMatchObject({ unreadable: ['postgres'] });
});

test("point 3: a pooler that n8n is set to is asked for n8n's database, in its own container", () => {
  const pooler: Sketch = {
    name: 'shop-pool-1',
    service: 'pool',
    project: 'shop',
    image: 'edoburu/pgbouncer:1.23',
    address: '172.20.0.6',
  };
  const pooled = { ...n8n, env: { ...n8n.env, DB_POSTGRESDB_HOST: 'pool', DB_POSTGRESDB_PORT: '6432' } };
  const found = discover([pooled, pooler, postgres, redis]);
  expect(found.n8n?.database).toMatchObject({
    host: '172.20.0.6',
    port: 6432,
    user: 'n8n',
    password: 'dbpw',
  });
  // It is no database of its own.
  expect(found.postgres?.host).toBe('172.20.0.5');
});

test('what a container calls a host and cannot be one is not shown: it may hold a password', () => {
  const env = { ...n8n.env, DB_POSTGRESDB_HOST: 'db PASSWORD=hunter2-secret' };
  expect(discover([{ ...n8n, env }, postgres]).missing.n8nDatabase).toBe(
    "n8n's database: no running container is called what is no name of a host",
  );
});

test.each([
  ['tini', '--', '/docker-entrypoint.sh', 'export:workflow', '--backup'],
  ['/bin/sh', '-c', 'n8n import:credentials --input=/c && n8n import:workflow --input=/w'],
  ['sh', '-c', 'while true; do n8n export:workflow --all; sleep 1d; done'],
  ['tini', '--', '/docker-entrypoint.sh', 'audit'],
  ['crond', '-f'],
])('N11: what is run from the image of n8n to export or import is no n8n: %s %s %s', (...command) => {
  const job: Sketch = { ...n8n, name: 'a-job', created: 0, ports: [], command };
  const found = discover([job, n8n, postgres, redis], { settings: { N8N_API_KEY: 'key' } }).n8n;
  expect(found).toMatchObject({ container: 'shop-n8n-1', apiKey: 'key' });
});

test.each([
  ['sh', '-c', 'sleep 5; n8n start'],
  ['sh', '-c', 'n8n import:workflow --input=/w; n8n'],
  ['tini', '--', '/docker-entrypoint.sh', 'start'],
])('N11: an n8n that imports something before it starts is one: %s %s %s', (...command) => {
  expect(discover([{ ...n8n, command }, postgres, redis]).n8n).toMatchObject({ container: 'shop-n8n-1' });
});

test('A13: a link or an added host is what n8n alone calls its database', () => {
  const db: Sketch = { ...postgres, name: 'mydb', service: 'mydb' };
  const host = (hosts: Record<string, string>, others: Sketch[] = []) =>
    discover([{ ...n8n, hosts }, db, redis, ...others]).n8n?.database?.host;
  expect(host({})).toBeUndefined();
  expect(host({ postgres: 'mydb' })).toBe('172.20.0.5');
  expect(host({ postgres: '172.20.0.5' })).toBe('172.20.0.5');
  // Only to a container that shares a network with it, and never to the host for its own sake.
  expect(host({ postgres: '10.9.9.9' })).toBeUndefined();
  expect(host({ postgres: 'host-gateway' })).toBeUndefined();
  expect(host({ postgres: 'mydb' }, [{ name: 'x', image: 'x', aliases: ['mydb'] }])).toBeUndefined();
});
