import { expect, test } from 'vitest';
import { fromRedisUrl } from '../../src/discovery/explicit.ts';
import { discover } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const server: Sketch = { name: 'redis', image: 'redis:7-alpine', address: '172.20.0.8', ports: ['6379'] };

test('address and password come from the container', () => {
  const command = ['docker-entrypoint.sh', 'redis-server', '--requirepass', 's3cret', '--appendonly', 'yes'];
  expect(discover([{ ...server, command }]).redis).toEqual({
    host: '172.20.0.8',
    port: 6379,
    password: 's3cret',
    db: 0,
    tls: false,
    how: 'container redis (redis:7-alpine), its network address, password from its settings',
    container: 'redis',
  });
  expect(discover([server]).redis).toMatchObject({
    password: '',
    how: expect.stringContaining('no password'),
  });
});

test.each<[string, Partial<Sketch>, string]>([
  ['with an equals sign', { command: ['redis-server', '--requirepass=a b'] }, 'a b'],
  ['in a shell', { command: ['sh', '-c', 'exec redis-server --requirepass "q u" --save ""'] }, 'q u'],
  ['in a shell, single quotes', { command: ['sh', '-c', "redis-server --requirepass 'x$y'"] }, 'x$y'],
  [
    'in a shell, a variable',
    { command: ['sh', '-c', 'redis-server --requirepass $REDIS_PW'], env: { REDIS_PW: 'v' } },
    'v',
  ],
  [
    'in a shell, a quoted variable',
    { command: ['sh', '-c', 'redis-server --requirepass "${REDIS_PW}"'], env: { REDIS_PW: 'v2' } },
    'v2',
  ],
  [
    'redis-stack',
    { image: 'redis/redis-stack', env: { REDIS_ARGS: '--appendonly yes --requirepass st' } },
    'st',
  ],
  [
    'dragonfly',
    { image: 'docker.dragonflydb.io/dragonflydb/dragonfly', env: { DFLY_requirepass: 'df' } },
    'df',
  ],
  [
    'dragonfly, by option',
    { image: 'ghcr.io/dragonflydb/dragonfly:v1', command: ['dragonfly', '--requirepass=dd'] },
    'dd',
  ],
  ['bitnami', { image: 'bitnami/redis:7.2', env: { REDIS_PASSWORD: 'bn' } }, 'bn'],
  ['bitnami valkey', { image: 'bitnami/valkey', env: { VALKEY_PASSWORD: 'vk' } }, 'vk'],
  ['valkey', { image: 'valkey/valkey:8', command: ['valkey-server', '--requirepass', 'v8'] }, 'v8'],
  ['keydb', { image: 'eqalpha/keydb', command: ['keydb-server', '--requirepass', 'k'] }, 'k'],
  ['for the healthcheck', { env: { REDISCLI_AUTH: 'hc' } }, 'hc'],
  ['an image of its own', { image: 'shop-cache', env: { REDIS_VERSION: '7', REDIS_PASSWORD: 'own' } }, 'own'],
])('the password %s', (_name, change, password) => {
  expect(discover([{ ...server, ...change }]).redis?.password).toBe(password);
});

test('N13: an own authority goes to what speaks TLS only; its name stays that of the certificate', () => {
  const REDIS_TLS_CA = '/etc/ssl/redis-ca.pem';
  const secure = discover([server], { settings: { REDIS_URL: 'rediss://redis:6379', REDIS_TLS_CA } }).redis;
  expect(secure).toMatchObject({ host: '172.20.0.8', tlsName: 'redis', tls: true, tlsCa: REDIS_TLS_CA });
  const plain = discover([server], { settings: { REDIS_URL: 'redis://h', REDIS_TLS_CA } }).redis;
  expect(plain).not.toHaveProperty('tlsCa');
});

test.each(['oliver006/redis_exporter', 'redis/redisinsight', 'rediscommander/redis-commander'])(
  '%s is none',
  (image) => {
    expect(discover([{ ...server, image }]).missing.redis).toBe(
      'no container runs Redis, and REDIS_URL is not set',
    );
  },
);

test('another port inside', () => {
  const command = ['redis-server', '--port', '7000'];
  expect(discover([{ ...server, command }]).redis?.port).toBe(7000);
  expect(discover([{ ...server, env: { REDIS_PORT_NUMBER: '7001' } }]).redis?.port).toBe(7001);
});

test('settings win, and have the rest from the container that they mean', () => {
  const locked = { ...server, command: ['redis-server', '--requirepass', 'own'] };
  expect(discover([locked], { settings: { REDIS_PASSWORD: 'told' } }).redis).toMatchObject({
    host: '172.20.0.8',
    password: 'told',
  });
  expect(discover([locked], { settings: { REDIS_HOST: 'redis' } }).redis).toMatchObject({
    host: '172.20.0.8',
    password: 'own',
    how: 'REDIS_HOST in /etc/vpsmon/monitor.conf:1',
  });
  const other = discover([locked], { settings: { REDIS_HOST: 'cache.example.com', REDIS_PORT: 7000 } }).redis;
  expect(other).toMatchObject({ host: 'cache.example.com', port: 7000, password: '' });
});

test.each([
  ['redis://localhost', { host: 'localhost' }],
  ['redis://:pw@10.0.0.1:7000/3', { host: '10.0.0.1', port: 7000, password: 'pw', db: 3 }],
  [
    'rediss://user:p%40w@cache.example.com',
    { host: 'cache.example.com', username: 'user', password: 'p@w', tls: true },
  ],
  ['redis://pw@h', { host: 'h', password: 'pw' }],
  ['redis://[::1]:7000', { host: '::1', port: 7000 }],
  ['unix:///run/redis/redis.sock', { host: '/run/redis/redis.sock' }],
  ['unix:///run/r.sock?db=2&password=p%40w', { host: '/run/r.sock', db: 2, password: 'p@w' }],
  ['redis+unix://:pw@/run/a%20b.sock', { host: '/run/a b.sock', password: 'pw' }],
  ['redis+socket://me:pw@/run/r.sock', { host: '/run/r.sock', username: 'me', password: 'pw' }],
])('%s', (url, parts) => {
  expect(fromRedisUrl(url)).toEqual(parts);
});

test("the one of n8n's queue comes first", () => {
  const n8n: Sketch = {
    name: 'n8n',
    image: 'n8nio/n8n',
    env: { EXECUTIONS_MODE: 'queue', QUEUE_BULL_REDIS_HOST: 'n8n-redis', QUEUE_BULL_REDIS_PASSWORD: 'q' },
  };
  const queue = { ...server, name: 'n8n-redis', address: '172.20.0.99' };
  const { redis } = discover([server, queue, n8n]);
  expect(redis).toMatchObject({ host: '172.20.0.99', password: 'q' });
  expect(redis?.how).toContain("the one of 2 that n8n's queue uses");
});

test('N11: a Sentinel is no data server, though it runs from the same image', () => {
  const sentinel: Sketch = {
    ...server,
    name: 'a-sentinel',
    created: 0,
    command: ['docker-entrypoint.sh', 'redis-sentinel', '/etc/sentinel.conf'],
  };
  expect(discover([sentinel, server], { settings: { REDIS_PASSWORD: 'p' } }).redis).toMatchObject({
    container: 'redis',
    password: 'p',
  });
  const byOption = { ...sentinel, command: ['sh', '-c', 'redis-server /s.conf --sentinel'] };
  expect(discover([byOption]).missing.redis).toBe('no container runs Redis, and REDIS_URL is not set');
});

test('N11: redis-cli in a loop is no data server, one that configures itself by it is', () => {
  const cli = { ...server, name: 'a-cli', created: 0, command: ['sh', '-c', 'redis-cli -h redis monitor'] };
  expect(discover([cli, server]).redis).toMatchObject({ container: 'redis' });
  const own = { ...server, command: ['sh', '-c', 'redis-server & redis-cli config set a b; wait'] };
  expect(discover([own]).redis).toMatchObject({ container: 'redis' });
});

test('A14: REDIS_ARGS tells the port, too', () => {
  const env = { REDIS_ARGS: '--requirepass x --port 7002' };
  expect(discover([{ ...server, image: 'redis/redis-stack-server', env }]).redis).toMatchObject({
    port: 7002,
    password: 'x',
  });
});

test.each([
  [['sh', '-c', 'redis-server --requirepass "$(cat /run/secrets/pw)"'], {}],
  [['sh', '-c', 'exec redis-server --requirepass $(cat /run/secrets/pw) --port 6379'], {}],
  [['sh', '-c', 'redis-server --requirepass `cat /run/secrets/pw`'], {}],
  [['redis-server'], { REDIS_ARGS: '--requirepass $(cat /run/secrets/pw)' }],
  [['redis-server'], { REDIS_PASSWORD_FILE: '/run/secrets/pw' }],
])('A14: what a shell would read from a file is not taken for the password: %j %j', (command, env) => {
  const found = discover([{ ...server, command, env: env as Record<string, string> }]);
  expect(found.redis).toBeUndefined();
  expect(found.missing.redis).toMatch(/has its password in a file \(.*\): set REDIS_PASSWORD$/);
  expect(found.unreadable).toEqual(['redis']);
  const told = discover([{ ...server, command, env: env as Record<string, string> }], {
    settings: { REDIS_PASSWORD: 'told' },
  });
  expect(told.redis?.password).toBe('told');
});

test('A14: a variable with another value behind it is what the shell makes of it', () => {
  const command = ['sh', '-c', 'redis-server --requirepass ${PASS:-fallback}'];
  expect(discover([{ ...server, command, env: {} }]).redis?.password).toBe('fallback');
  expect(discover([{ ...server, command, env: { PASS: 'set' } }]).redis?.password).toBe('set');
});

test('N13: valkey:// and valkeys:// are what redis:// and rediss:// are', () => {
  const at = (REDIS_URL: string) => discover([], { settings: { REDIS_URL } }).redis;
  expect(at('valkey://:p@h:1')).toMatchObject({ host: 'h', port: 1, password: 'p', tls: false });
  expect(at('valkeys://h')).toMatchObject({ host: 'h', tls: true });
});
