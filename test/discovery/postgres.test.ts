import { expect, test } from 'vitest';
import { discover } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const server: Sketch = {
  name: 'shop-postgres-1',
  service: 'postgres',
  project: 'shop',
  image: 'postgres:16',
  env: { POSTGRES_PASSWORD: 'pw', PGDATA: '/var/lib/postgresql/data' },
  address: '172.20.0.5',
  ports: ['5432'],
};

test('address, user, password and database come from the container', () => {
  const { postgres, missing } = discover([
    { ...server, env: { POSTGRES_PASSWORD: 'p=w', POSTGRES_USER: 'shop' } },
  ]);
  expect(postgres).toEqual({
    host: '172.20.0.5',
    port: 5432,
    user: 'shop',
    password: 'p=w',
    database: 'shop',
    how: 'container shop-postgres-1 (postgres:16), its network address, password from its environment',
    container: 'shop-postgres-1',
  });
  expect(missing.postgres).toBeUndefined();
});

test.each([
  ['published for all', ['0.0.0.0:15432->5432', '[::]:15432->5432'], '127.0.0.1', 15432],
  ['published for this machine', ['127.0.0.1:5433->5432'], '127.0.0.1', 5433],
  ['published on one address', ['10.0.0.7:5432->5432'], '10.0.0.7', 5432],
  ['published with IPv6 alone', ['[::]:5434->5432'], '::1', 5434],
  ['another port published', ['0.0.0.0:8080->80', '5432'], '172.20.0.5', 5432],
])('%s', (_name, ports, host, port) => {
  expect(discover([{ ...server, ports }]).postgres).toMatchObject({ host, port });
});

test.each([
  [
    'bitnami/postgresql:16',
    { POSTGRESQL_USERNAME: 'app', POSTGRESQL_PASSWORD: 'b', POSTGRESQL_DATABASE: 'd' },
    'app',
    'b',
    'd',
  ],
  ['bitnami/postgresql', { POSTGRESQL_POSTGRES_PASSWORD: 'root' }, 'postgres', 'root', 'postgres'],
  ['postgis/postgis:16-3.4', { POSTGRES_PASSWORD: 'x' }, 'postgres', 'x', 'postgres'],
  ['timescale/timescaledb-ha:pg16', { POSTGRES_PASSWORD: 'x' }, 'postgres', 'x', 'postgres'],
  ['pgvector/pgvector:pg16', { POSTGRES_PASSWORD: 'x' }, 'postgres', 'x', 'postgres'],
  ['supabase/postgres:15.1', { POSTGRES_PASSWORD: 'x' }, 'postgres', 'x', 'postgres'],
  ['ghcr.io/immich-app/postgres@sha256:0123', { POSTGRES_PASSWORD: 'x' }, 'postgres', 'x', 'postgres'],
  [
    'registry.example.com:5000/db/Postgres:16',
    { POSTGRES_HOST_AUTH_METHOD: 'trust' },
    'postgres',
    '',
    'postgres',
  ],
  ['shop-db', { PGDATA: '/data', POSTGRES_PASSWORD: 'own', POSTGRES_DB: 'shop' }, 'postgres', 'own', 'shop'],
])('%s is recognised', (image, env, user, password, database) => {
  expect(discover([{ ...server, image, env }]).postgres).toMatchObject({ user, password, database });
});

test.each([
  'prometheuscommunity/postgres-exporter',
  'prodrigestivill/postgres-backup-local',
  'dpage/pgadmin4',
  'postgrest/postgrest',
  'bitnami/pgbouncer',
  'postgres.example.com/shop/web:1',
])('%s is not', (image) => {
  const { postgres, missing } = discover([{ ...server, image, env: { POSTGRES_PASSWORD: 'x' } }]);
  expect(postgres).toBeUndefined();
  expect(missing.postgres).toBe('no container runs PostgreSQL, and POSTGRES_URL is not set');
});

test('another port inside', () => {
  expect(discover([{ ...server, env: { POSTGRES_PASSWORD: 'x', PGPORT: '5555' } }]).postgres?.port).toBe(
    5555,
  );
  const command = ['docker-entrypoint.sh', 'postgres', '-p', '5556', '-c', 'jit=off'];
  expect(discover([{ ...server, command }]).postgres?.port).toBe(5556);
});

test('a password in a file cannot be read, which is said', () => {
  const hidden = { ...server, env: { POSTGRES_PASSWORD_FILE: '/run/secrets/pw' } };
  expect(discover([hidden])).toMatchObject({
    missing: {
      postgres:
        'container shop-postgres-1 has its password in a file (POSTGRES_PASSWORD_FILE): set POSTGRES_PASSWORD',
    },
  });
  expect(discover([hidden], { settings: { POSTGRES_PASSWORD: 'told' } }).postgres).toMatchObject({
    host: '172.20.0.5',
    password: 'told',
    how: 'container shop-postgres-1 (postgres:16), its network address, password from POSTGRES_PASSWORD',
  });
});

test('a container that does not run is told as such', () => {
  expect(discover([{ ...server, state: 'exited' }]).missing.postgres).toBe(
    'container shop-postgres-1 is exited',
  );
  expect(
    discover([
      { ...server, state: 'exited' },
      { ...server, name: 'other' },
    ]).postgres?.container,
  ).toBe('other');
});

test('of several: the one that n8n uses, else the one called postgres, else the oldest', () => {
  const old = { ...server, name: 'old-db', service: 'data', created: 1, address: '172.20.0.6' };
  const other = { ...server, name: 'crm-db', service: 'crm', created: 2, address: '172.20.0.7' };
  const n8n: Sketch = {
    name: 'n8n',
    image: 'n8nio/n8n',
    env: { DB_TYPE: 'postgresdb', DB_POSTGRESDB_HOST: 'crm', DB_POSTGRESDB_PASSWORD: 'n' },
  };
  const named = discover([old, other, server]).postgres;
  expect(named).toMatchObject({ container: 'shop-postgres-1' });
  expect(named?.how).toContain(', one of 3,');
  expect(discover([other, old]).postgres).toMatchObject({ container: 'old-db' });
  const used = discover([old, other, server, n8n]).postgres;
  expect(used).toMatchObject({ container: 'crm-db', password: 'n' });
  expect(used?.how).toContain(', the one of 3 that n8n uses,');
});

test.each<[string, object, object]>([
  [
    'a URL',
    { POSTGRES_URL: 'postgres://me:p%40ss@db.example.com:6000/mine?sslmode=verify-full&sslrootcert=/ca.pem' },
    {
      host: 'db.example.com',
      port: 6000,
      user: 'me',
      password: 'p@ss',
      database: 'mine',
      sslMode: 'verify-full',
      sslRootCert: '/ca.pem',
      how: 'POSTGRES_URL in /etc/vpsmon/monitor.conf:1',
    },
  ],
  [
    'a URL with a socket folder',
    { POSTGRES_URL: 'postgresql://me@%2Fvar%2Frun%2Fpostgresql/mine' },
    { host: '/var/run/postgresql', port: 5432, user: 'me', password: '', database: 'mine' },
  ],
  [
    'a URL with a socket folder in its query',
    { POSTGRES_URL: 'postgres:///mine?host=/run/pg&user=u&password=p&port=5433' },
    { host: '/run/pg', port: 5433, user: 'u', password: 'p', database: 'mine' },
  ],
  [
    'a bare URL',
    { POSTGRES_URL: 'postgres://[::1]/' },
    { host: '::1', port: 5432, user: 'postgres', database: 'postgres' },
  ],
  [
    'single keys',
    {
      POSTGRES_HOST: 'db.example.com',
      POSTGRES_PORT: 6000,
      POSTGRES_USER: 'u',
      POSTGRES_PASSWORD: 'p',
      POSTGRES_DB: 'd',
    },
    {
      host: 'db.example.com',
      port: 6000,
      user: 'u',
      password: 'p',
      database: 'd',
      how: 'POSTGRES_HOST in /etc/vpsmon/monitor.conf:1',
    },
  ],
])('%s wins over Docker', (_name, settings, target) => {
  const { postgres } = discover([server], { settings });
  expect(postgres).toMatchObject(target);
  expect(postgres?.container).toBeUndefined();
});

test('single keys without a host lie over what the container tells', () => {
  const settings = { POSTGRES_USER: 'watcher', POSTGRES_DB: 'shop' };
  expect(discover([server], { settings }).postgres).toMatchObject({
    host: '172.20.0.5',
    user: 'watcher',
    password: 'pw',
    database: 'shop',
  });
});

test.each([
  ['postgres', 'by its service'],
  ['shop-postgres-1', 'by its name'],
  ['172.20.0.5', 'by its address'],
])('a host that is the container (%s, %s) has the rest from there', (host) => {
  expect(discover([server], { settings: { POSTGRES_HOST: host } }).postgres).toMatchObject({
    host: '172.20.0.5',
    port: 5432,
    password: 'pw',
    container: 'shop-postgres-1',
  });
});

test('localhost is the container that has that port published, and no other', () => {
  const published = { ...server, ports: ['0.0.0.0:5433->5432'] };
  const at = (port: number) =>
    discover([published], { settings: { POSTGRES_HOST: 'localhost', POSTGRES_PORT: port } }).postgres;
  expect(at(5433)).toMatchObject({ host: 'localhost', port: 5433, password: 'pw' });
  expect(at(5432)).toMatchObject({ host: 'localhost', port: 5432, password: '' });
});

test('from a container: by name on a shared network, by address on the default one, else the reason', () => {
  const self = (networks: Record<string, string>): Sketch => ({ name: 'vpsmon', image: 'vpsmon', networks });
  const here = (networks: Record<string, string>, change: Partial<Sketch> = {}) =>
    discover([{ ...server, ports: ['127.0.0.1:5432->5432'], ...change }, self(networks)], { self: 'vpsmon' });
  expect(here({ shop: '172.20.0.9' }).postgres).toMatchObject({ host: 'shop-postgres-1', port: 5432 });
  const onBridge = here({ bridge: '172.17.0.3' }, { networks: { bridge: '172.17.0.2' } });
  expect(onBridge.postgres).toMatchObject({ host: '172.17.0.2', port: 5432 });
  expect(here({ other: '172.21.0.2' }).missing.postgres).toBe(
    "container shop-postgres-1 shares no network with vpsmon's own container: connect it to shop",
  );
  expect(here({ host: '' }).postgres).toMatchObject({ host: '127.0.0.1', port: 5432 });
});

test('on the network of the host, or of another container', () => {
  expect(discover([{ ...server, networkMode: 'host' }]).postgres).toMatchObject({
    host: '127.0.0.1',
    port: 5432,
  });
  const vpn: Sketch = { name: 'vpn', image: 'gluetun', id: 'abc', address: '172.20.0.77' };
  const behind = { ...server, networkMode: `container:${'abc'.padStart(64, '0')}` };
  expect(discover([vpn, behind]).postgres).toMatchObject({ host: '172.20.0.77', port: 5432 });
});

test('an engine on another machine: only what it publishes for others', () => {
  const far = { engineHost: '10.0.0.5' };
  expect(discover([{ ...server, ports: ['0.0.0.0:5432->5432'] }], far).postgres).toMatchObject({
    host: '10.0.0.5',
    port: 5432,
  });
  expect(discover([{ ...server, ports: ['127.0.0.1:5432->5432'] }], far).missing.postgres).toContain(
    'no address for port 5432',
  );
});

test('without Docker the reason says so', () => {
  expect(discover([], { dockerWhy: 'nobody listens at /var/run/docker.sock' }).missing.postgres).toBe(
    'Docker cannot be asked for PostgreSQL, and POSTGRES_URL is not set',
  );
});

test('the usual port, spelled out in the settings without a host, does not hide the one that Docker tells', () => {
  const ports = ['127.0.0.1:5433->5432'];
  expect(discover([{ ...server, ports }], { settings: { POSTGRES_PORT: 5432 } }).postgres).toMatchObject({
    port: 5433,
  });
  expect(discover([{ ...server, ports }], { settings: { POSTGRES_PORT: 6000 } }).postgres).toMatchObject({
    port: 6000,
  });
});

test('A14: a user that is in a file is not guessed', () => {
  const env = { POSTGRES_PASSWORD: 'known', POSTGRES_USER_FILE: '/run/secrets/user' };
  const server = { name: 'db', image: 'postgres:16', env };
  expect(discover([server])).toMatchObject({
    missing: { postgres: 'container db has its user in a file (POSTGRES_USER_FILE): set POSTGRES_USER' },
    unreadable: ['postgres'],
  });
  expect(discover([server], { settings: { POSTGRES_USER: 'watcher' } }).postgres).toMatchObject({
    user: 'watcher',
    password: 'known',
  });
  const bitnami = {
    name: 'db',
    image: 'bitnami/postgresql',
    env: { POSTGRESQL_POSTGRES_PASSWORD_FILE: '/x' },
  };
  expect(discover([bitnami]).missing.postgres).toContain(
    '(POSTGRESQL_POSTGRES_PASSWORD_FILE): set POSTGRES_PASSWORD',
  );
});

test.each([
  [['-c', 'port=5433'], 5433],
  [['-cport=5433'], 5433],
  [['-p5433'], 5433],
  [['-p', '5433'], 5433],
  [['--port=5433'], 5433],
  [['-c', 'port=5433x'], 5432],
  [['-c', 'log_port=5433'], 5432],
])('A14: %j tells the port', (options, port) => {
  const command = ['docker-entrypoint.sh', 'postgres', ...options];
  expect(discover([{ ...server, ports: [], command }]).postgres).toMatchObject({ port });
});

test.each([
  ['pg_dump', '-h', 'db', 'app'],
  ['sh', '-c', 'while true; do pg_dump -h postgres -U postgres app > /b; sleep 1d; done'],
  ['bash', '-c', 'sleep 60; psql --host=postgres -f /x.sql'],
  ['crond', '-f', '-d8'],
  ['sleep', 'infinity', ''],
  ['sh', '-c', 'tail -f /dev/null'],
])('N11: a backup or a script that runs from the image is no server: %s %s %s', (...args) => {
  const backup = { ...server, name: 'a-backup', created: 0, command: ['docker-entrypoint.sh', ...args] };
  const found = discover([backup, server], { settings: { POSTGRES_PASSWORD: 'set' } }).postgres;
  expect(found).toMatchObject({ container: 'shop-postgres-1', password: 'set' });
});

test('N11: the only one of its image is it, whatever its command looks like', () => {
  const wrapped = { ...server, command: ['sleep', '5'] };
  expect(discover([wrapped]).postgres).toMatchObject({ container: 'shop-postgres-1' });
  expect(discover([{ ...wrapped, name: 'waits' }, server]).postgres).toMatchObject({
    container: 'shop-postgres-1',
  });
});

test.each([
  ['docker-entrypoint.sh', 'postgres'],
  ['docker-entrypoint.sh', 'postgres', '-c', 'shared_buffers=1GB'],
  ['sh', '-c', 'docker-entrypoint.sh postgres & until pg_isready; do sleep 1; done; psql -f x; wait'],
  ['bash', '-c', 'docker-entrypoint.sh postgres -c a=1 & pg_restore /d; wait'],
  ['sh', '-c', 'sleep 5; exec docker-entrypoint.sh postgres'],
  ['/opt/bitnami/scripts/postgresql/entrypoint.sh', '/opt/bitnami/scripts/postgresql/run.sh'],
])('N11: a server that also runs such a script is one: %s %s %s', (...command) => {
  expect(discover([{ ...server, command }]).postgres).toMatchObject({ container: 'shop-postgres-1' });
});
