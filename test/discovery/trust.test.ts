import { expect, test } from 'vitest';
import type { Discovered } from '../../src/model/targets.ts';
import type { Settings } from '../../src/config/schema.ts';
import { namesByEngine } from '../../src/discovery/trust.ts';
import { discover } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const waha: Sketch = {
  name: 'shop-waha-1',
  service: 'waha',
  image: 'devlikeapro/waha',
  address: '172.20.0.20',
};
const impostor: Sketch = {
  name: 'shop-tool-1',
  image: 'evil/tool',
  created: 0,
  address: '172.20.0.66',
  env: { WAHA_X: '1' },
  labels: { 'com.docker.compose.service': 'waha' },
  ports: ['3000'],
};
const SETTINGS = {
  POSTGRES_PASSWORD: 'conf-postgres',
  REDIS_PASSWORD: 'conf-redis',
  N8N_API_KEY: 'conf-n8n',
  WAHA_API_KEY: 'conf-waha',
};

test('H5: what looks like WAHA and says it is called so gets no key, and the real one is watched', () => {
  const { waha: found } = discover([impostor, waha], { settings: SETTINGS });
  expect(found).toMatchObject({ container: 'shop-waha-1', apiKey: 'conf-waha' });
});

test('H5: nor does it get the key where it is alone, which is said', () => {
  const { waha: found } = discover([impostor], { settings: SETTINGS });
  expect(found?.apiKey).toBe('');
  expect(found?.how).toContain(
    'WAHA_API_KEY is not sent to it: the image of container shop-tool-1 is not known as one of this kind; set WAHA_URL',
  );
});

test('H5: while the real one is down, another image of that name does not inherit its key', () => {
  const rival = { ...waha, name: 'waha', image: 'evil/waha', address: '172.20.0.67' };
  const { waha: found } = discover([{ ...waha, state: 'exited' }, rival], { settings: SETTINGS });
  expect(found?.apiKey).toBe('');
  const leftOver = { ...waha, name: 'old', state: 'exited', image: 'devlikeapro/waha:2024' };
  expect(discover([leftOver, waha], { settings: SETTINGS }).waha?.apiKey).toBe('conf-waha');
});

test('H5: a choice between two is no reason to send a secret, for each kind', () => {
  const images = ['postgres:16', 'redis:7', 'n8nio/n8n', 'devlikeapro/waha'];
  const two = images.flatMap((image, at) => [
    { name: `a${at}`, image, address: `172.20.0.${at + 10}` },
    { name: `b${at}`, image, address: `172.20.0.${at + 20}` },
  ]);
  const found = discover(two, { settings: SETTINGS });
  expect(JSON.stringify(found)).not.toContain('conf-');
  expect(found.missing.postgres).toContain('POSTGRES_PASSWORD is not sent to it: 2 containers have an image');
  expect(found.redis?.how).toContain('REDIS_PASSWORD is not sent to it: 2 containers');
  expect(found.n8n?.how).toContain('N8N_API_KEY is not sent to it: 2 containers');
});

test('H5: a setting that names the container decides', () => {
  const two: Sketch[] = [
    { name: 'crm-db', image: 'postgres:16', address: '172.20.0.5' },
    { name: 'shop-db', image: 'postgres:16', address: '172.20.0.6' },
  ];
  const settings = { ...SETTINGS, POSTGRES_HOST: 'shop-db' };
  expect(discover(two, { settings }).postgres).toMatchObject({
    host: '172.20.0.6',
    password: 'conf-postgres',
    container: 'shop-db',
  });
});

test('H5: a label does not make a container the one that a setting names', () => {
  const claims = {
    ...impostor,
    env: { PGDATA: '/x' },
    ports: ['5432'],
    labels: { 'com.docker.compose.service': 'db' },
  };
  const settings = { ...SETTINGS, POSTGRES_HOST: 'db' };
  const { postgres } = discover([claims], { settings });
  expect(postgres).toMatchObject({ host: 'db', password: 'conf-postgres' });
  expect(postgres?.container).toBeUndefined();
});

test.each([
  ['postgres', 'stack-db-1', 'postgres:16', true],
  ['n8n', 'n8n-main', 'busybox', true],
  ['postgres', 'postgres_postgres.1.abcd', 'busybox', true],
  ['N8N', 'stack-n8n-worker-1', 'busybox', true],
  ['shop-db', 'x', 'registry:5000/me/shop-db:3', true],
  ['stack-n8n', 'my_stack_n8n_1', 'busybox', true],
  ['n8n', 'an8n-1', 'busybox', false],
  ['postgres', 'shop-exporter-1', 'prom/postgres-exporter', false],
  ['', 'x', 'busybox', false],
])('A17: ESSENTIAL_CONTAINERS=%s and container %s of %s: %s', (setting, name, image, expected) => {
  expect(namesByEngine(setting, [name], image)).toBe(expected);
});

/** The same numbers for the same seed (Numerical Recipes' generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const IMAGES = [
  'postgres:16',
  'redis:7',
  'n8nio/n8n',
  'devlikeapro/waha',
  'evil/waha',
  'evil/postgres',
  'evil/x',
  'bitnami/pgbouncer',
];
const NAMES = ['postgres', 'redis', 'n8n', 'waha', 'db', 'tool', 'cache'];
const HOSTS = [
  ...NAMES,
  'localhost',
  '127.0.0.1',
  'host.docker.internal',
  'db.example.com',
  '10.9.9.9',
  '172.20.0.3',
];

function randomSet(seed: number): { sketches: Sketch[]; settings: Partial<Settings> } {
  const below = numbers(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const sketches = Array.from({ length: 1 + below(7) }, (_, at): Sketch => {
    const own = `own-${at}`;
    const port = pick(['5432', '6379', '5678', '3000']);
    return {
      name: `${pick(['', 'shop-', 'crm_'])}${pick(NAMES)}-${at}`,
      image: pick(IMAGES),
      state: pick(['running', 'running', 'running', 'exited']),
      created: below(10),
      ...(below(6) === 0
        ? { networkMode: 'host' }
        : { networks: { [pick(['shop', 'crm'])]: `172.20.0.${at + 1}` } }),
      aliases: below(2) === 0 ? [pick(NAMES)] : [],
      labels: {
        'com.docker.compose.service': pick(NAMES),
        'com.docker.compose.project': pick(['shop', 'crm']),
      },
      ports: below(2) === 0 ? [port] : [`127.0.0.1:${20_000 + at}->${port}`],
      env: {
        PGDATA: '/x',
        REDIS_VERSION: '7',
        N8N_X: '1',
        WAHA_X: '1',
        POSTGRES_PASSWORD: own,
        REDIS_PASSWORD: own,
        WAHA_API_KEY: own,
        DB_TYPE: 'postgresdb',
        DB_POSTGRESDB_HOST: pick(HOSTS),
        DB_POSTGRESDB_PORT: pick(['5432', '22', '20001']),
        DB_POSTGRESDB_PASSWORD: own,
        EXECUTIONS_MODE: 'queue',
        QUEUE_BULL_REDIS_HOST: pick(HOSTS),
        QUEUE_BULL_REDIS_PASSWORD: own,
      },
    };
  });
  const settings: Partial<Settings> = { ...SETTINGS, ...(below(3) === 0 ? { REDIS_HOST: pick(NAMES) } : {}) };
  return { sketches, settings };
}

/** Where each secret would be sent: the secret, what for, host and port. */
function sent(found: Discovered) {
  const { postgres, redis, n8n, waha: whatsapp } = found;
  const http = [n8n, whatsapp].flatMap((one) => {
    if (!one) return [];
    const { hostname, port } = new URL(one.url);
    return [{ secret: one.apiKey, host: hostname, port: Number(port), container: one.container }];
  });
  const servers = [postgres, redis, n8n?.database, n8n?.queue].flatMap((one) =>
    one ? [{ secret: one.password, host: one.host, port: one.port, container: one.container }] : [],
  );
  return [...http, ...servers].filter(({ secret }) => secret !== '');
}

test("of 3000 random sets of containers, no secret reaches an address that is not its owner's", () => {
  let withOwn = 0;
  let withSetting = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const { sketches, settings } = randomSet(seed);
    for (const { secret, host, port, container } of sent(discover(sketches, { settings }))) {
      const at = `seed ${seed}: ${secret} to ${host}:${port}`;
      const reached = sketches.findIndex(({ networks, networkMode, ports = [] }, index) =>
        networkMode === 'host'
          ? host === '127.0.0.1' && port < 20_000 && sketches[index]?.name === container
          : Object.values(networks ?? {}).includes(host) ||
            ports.some((one) => one.startsWith(`${host}:${port}->`)),
      );
      const target = sketches[reached];
      if (secret.startsWith('conf-')) {
        withSetting++;
        if (secret === 'conf-redis' && host === settings.REDIS_HOST) continue;
        const kind = secret.slice('conf-'.length);
        const ofKind = (image: string) => new RegExp(`(^|/)${kind}(:|$)`).test(image);
        const isNamed = kind === 'redis' && target?.aliases?.includes(settings.REDIS_HOST ?? '-');
        const running = sketches.filter((one) => one.state === 'running' && ofKind(one.image));
        expect(isNamed || (running.length === 1 && running[0] === target), at).toBe(true);
        continue;
      }
      withOwn++;
      const owner = sketches[Number(secret.slice('own-'.length))];
      // Its own address, or its database's: a running container of a network that it is in itself.
      const networkOf = (one?: Sketch) =>
        one?.networkMode === 'host' ? 'host' : Object.keys(one?.networks ?? {})[0];
      const isNeighbour = owner?.image === 'n8nio/n8n' || owner?.env?.['N8N_X'] === '1';
      if (host === settings.REDIS_HOST) continue;
      expect(target, at).toBeDefined();
      expect(target === owner || (isNeighbour && networkOf(target) === networkOf(owner)), at).toBe(true);
    }
  }
  expect(Math.min(withOwn, withSetting)).toBeGreaterThan(300);
});
