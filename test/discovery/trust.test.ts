import { expect, test } from 'vitest';
import type { Discovered } from '../../src/model/targets.ts';
import type { Settings } from '../../src/config/schema.ts';
import { namesByEngine } from '../../src/discovery/trust.ts';
import { random } from '../helpers/random.ts';
import { discover, type Sketch } from './fixtures.ts';

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
  ['*', 'x', 'busybox', true],
  ['shop-*', 'shop-cron-1', 'busybox', true],
  ['shop-*-1', 'shop-1', 'busybox', false],
  ['/shop-cron', 'shop-cron', 'busybox', true],
  ['ghcr.io/me/app:3', 'x', 'ghcr.io/me/app:4', true],
  ['ghcr.io/me/app', 'x', 'ghcr.io/other/app', false],
  ['traefik:v3', 'edge', 'traefik:v3.1', true],
  ['shop_postgres_1', 'shop-postgres-1', 'busybox', true],
  ['redis', 'cache', 'docker.io/bitnami/valkey:8', true],
  ['a.b', 'axb', 'busybox', false],
])('A17: ESSENTIAL_CONTAINERS=%s and container %s of %s: %s', (setting, name, image, expected) => {
  expect(namesByEngine(setting, [name], image)).toBe(expected);
});

test('H5: the key of a container goes to its own address, not to what its name may mean to the host', () => {
  const own = { ...waha, env: { WAHA_API_KEY: 'own' }, aliases: ['waha'] };
  const at = (WAHA_URL: string, options = {}) => discover([own], { settings: { WAHA_URL }, ...options }).waha;
  expect(at('http://waha:3000')).toMatchObject({ url: 'http://172.20.0.20:3000', apiKey: 'own' });
  expect(at('http://172.20.0.20:3000/')).toMatchObject({ url: 'http://172.20.0.20:3000/', apiKey: 'own' });
  // The certificate is for the name, and the name may lead elsewhere.
  expect(at('https://waha:3000')).toMatchObject({ url: 'https://waha:3000', apiKey: '' });
  expect(at('https://waha:3000')?.how).toContain(
    'is not sent to a name that may lead elsewhere: set WAHA_API_KEY',
  );
  // What stands before an @ is no host.
  expect(at('http://waha:3000@evil.example:3000')).toMatchObject({ apiKey: '' });
});

test('H5: from within a container, a name that two answer to, or that is read as an address, is not used', () => {
  const self: Sketch = { name: 'vpsmon', image: 'vpsmon', address: '172.20.0.2', id: 'f'.repeat(64) };
  const own = { ...waha, env: { WAHA_API_KEY: 'own' } };
  const url = (...sketches: Sketch[]) => discover([self, ...sketches], { self: 'vpsmon' }).waha?.url;
  expect(url(own)).toBe('http://shop-waha-1:3000');
  expect(url(own, { ...impostor, ports: [], aliases: ['shop-waha-1'] })).toBe('http://172.20.0.20:3000');
  for (const name of ['2130706433', '127.1', '0x7f000001', 'localhost'])
    expect(url({ ...own, name })).toBe('http://172.20.0.20:3000');
  // Looked at once, and not in every way in which so many digits can be divided: that would take for ever.
  const digits = `${'1'.repeat(60)}_`;
  expect(url({ ...own, name: digits })).toBe(`http://${digits}:3000`);
});

test("H5: nor is one whose name is another's in a Swarm's words", () => {
  const self: Sketch = { name: 'vpsmon', image: 'vpsmon', address: '172.20.0.2', id: 'f'.repeat(64) };
  const n8n: Sketch = { name: 'tasks.db', image: 'n8nio/n8n', address: '172.20.0.3' };
  const other: Sketch = { name: 'other', image: 'x', address: '172.20.0.4', aliases: ['tasks.db'] };
  const settings = { N8N_API_KEY: 'key' };
  expect(discover([self, n8n], { settings, self: 'vpsmon' }).n8n?.url).toBe('http://tasks.db:5678');
  expect(discover([self, n8n, other], { settings, self: 'vpsmon' }).n8n?.url).toBe('http://172.20.0.3:5678');
});

test('H5: the secret of one that cannot be reached from here does not go to who answers to its name', () => {
  const self: Sketch = { name: 'vpsmon', image: 'vpsmon', address: '172.20.0.2', id: 'f'.repeat(64) };
  const away = { crm: '172.21.0.3' };
  const cache: Sketch = { name: 'cache', image: 'redis:7', networks: away, env: { REDIS_PASSWORD: 'own' } };
  const db: Sketch = { name: 'db', image: 'postgres:16', networks: away, env: { POSTGRES_PASSWORD: 'own' } };
  const app: Sketch = {
    name: 'app',
    image: 'devlikeapro/waha',
    networks: away,
    env: { WAHA_API_KEY: 'own' },
  };
  const other: Sketch = { name: 'other', image: 'x', address: '172.20.0.4', aliases: ['cache', 'db', 'app'] };
  const settings = { REDIS_HOST: 'cache', POSTGRES_HOST: 'db', WAHA_URL: 'http://app:3000' };
  const found = discover([self, cache, db, app, other], { settings, self: 'vpsmon' });
  expect(found.redis).toMatchObject({ host: 'cache', password: '' });
  expect(found.postgres).toMatchObject({ host: 'db', password: '' });
  expect(found.waha).toMatchObject({ url: 'http://app:3000', apiKey: '' });
  const near = [cache, db, app].map((one) => ({ ...one, networks: { ...away, shop: '172.20.0.5' } }));
  const reached = discover([self, ...near], { settings, self: 'vpsmon' });
  expect(reached.redis?.password).toBe('own');
  expect(reached.postgres?.password).toBe('own');
  expect(reached.waha?.apiKey).toBe('own');
});

test('H6: what merely looks like an n8n neither chooses the database nor replaces its password', () => {
  const database: Sketch = {
    name: 'db',
    image: 'postgres:16',
    address: '172.20.0.5',
    env: { POSTGRES_PASSWORD: 'right' },
    created: 1,
  };
  const other = { ...database, name: 'other', address: '172.20.0.6', created: 2 };
  const claims: Sketch = {
    ...impostor,
    ports: ['5678'],
    env: {
      N8N_X: '1',
      DB_TYPE: 'postgresdb',
      DB_POSTGRESDB_HOST: 'other',
      DB_POSTGRESDB_USER: 'postgres',
      DB_POSTGRESDB_PASSWORD: 'wrong',
    },
  };
  expect(discover([database, other, claims]).postgres).toMatchObject({ container: 'db', password: 'right' });
  expect(discover([other, claims]).postgres).toMatchObject({ container: 'other', password: 'right' });
});

test('H6: the host that a person set is not the host of n8n where vpsmon runs elsewhere', () => {
  const n8n: Sketch = {
    name: 'n8n',
    image: 'n8nio/n8n',
    address: '172.20.0.10',
    ports: ['0.0.0.0:5678->5678'],
    env: {
      DB_TYPE: 'postgresdb',
      DB_POSTGRESDB_HOST: 'host.docker.internal',
      DB_POSTGRESDB_PASSWORD: 'n8n-pw',
    },
  };
  const settings = { POSTGRES_HOST: 'localhost' };
  expect(discover([n8n], { settings }).n8n?.database?.host).toBe('localhost');
  expect(discover([n8n], { settings, engineHost: '10.1.1.1' }).n8n?.database).toBeUndefined();
  const self: Sketch = { name: 'vpsmon', image: 'vpsmon', address: '172.20.0.2', id: 'f'.repeat(64) };
  expect(discover([self, n8n], { settings, self: 'vpsmon' }).n8n?.database).toBeUndefined();
});

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
const NAMES = ['postgres', 'redis', 'n8n', 'waha', 'db', 'tool', 'cache', '127.1', '2130706433'];
const HOSTS = [
  ...NAMES,
  'localhost',
  'localhost.',
  '127.0.0.1',
  '127.1.2.3',
  '0.0.0.0',
  '::1',
  '[::1]',
  '::ffff:127.0.0.1',
  '/var/run/postgresql',
  'host.docker.internal',
  'gateway.docker.internal',
  'db.example.com',
  'user@db',
  '10.9.9.9',
  '172.20.0.3',
  'fd00::3',
];

type Scene = { sketches: Sketch[]; settings: Partial<Settings>; self?: string; engineHost?: string };

const idOf = (at: number) => String(at + 1).repeat(64);

/** Any containers, vpsmon on the host, in one of them, or on another machine than the engine, and settings that name something or nothing. */
function randomScene(seed: number): Scene {
  const below = random(seed);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const one = (chance: number) => below(chance) === 0;
  const sketches = Array.from({ length: 1 + below(7) }, (_, at): Sketch => {
    const own = `own-${at}`;
    const port = pick(['5432', '6379', '5678', '3000']);
    // Docker allows neither published ports nor aliases to who joins the network of another container.
    const joined =
      at > 0 && one(8) ? { networkMode: `container:${idOf(0)}`, networks: {}, ports: [], aliases: [] } : {};
    const network = () =>
      at > 0 && one(6)
        ? { networkMode: 'host' }
        : { networks: { [pick(['shop', 'crm', 'bridge'])]: address } };
    const address = one(5) ? `fd00::${at + 1}` : `172.20.0.${at + 1}`;
    return {
      name: one(8)
        ? pick(['127.1', '2130706433', `0x7f.${at}`]) + at
        : `${pick(['', 'shop-', 'crm_'])}${pick(NAMES)}-${at}`,
      image: pick(IMAGES),
      state: pick(['running', 'running', 'running', 'exited']),
      created: below(10),
      id: String(at + 1)
        .repeat(64)
        .slice(0, 64),
      ...network(),
      aliases: one(2) ? [pick(NAMES)] : [],
      labels: {
        'com.docker.compose.service': pick(NAMES),
        'com.docker.compose.project': pick(['shop', 'crm']),
        'com.docker.swarm.service.name': pick(NAMES),
      },
      ports: one(2)
        ? [port]
        : [`${pick(['127.0.0.1', '0.0.0.0', '[::]', '10.1.1.1'])}:${20_000 + at}->${port}`],
      ...joined,
      env: {
        PGDATA: '/x',
        REDIS_VERSION: '7',
        N8N_X: '1',
        WAHA_X: '1',
        ...(one(4) ? { PGPORT: pick(['22', '6379']), N8N_PORT: '22', WHATSAPP_API_PORT: '22' } : {}),
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
        ...(one(4) ? { QUEUE_BULL_REDIS_CLUSTER_NODES: `${pick(HOSTS)}:6379,${pick(HOSTS)}:22` } : {}),
      },
    };
  });
  const host = () =>
    pick([
      'db',
      'redis',
      'waha',
      'n8n',
      'localhost',
      '127.0.0.1',
      '[fd00::3]',
      '172.20.0.3',
      'x.example.com',
      'waha:3000@x.example.com',
    ]);
  const port = () => pick([':3000', ':5678', ':20001', '']);
  const settings: Partial<Settings> = {
    ...SETTINGS,
    ...(one(3) ? { REDIS_HOST: pick(NAMES) } : {}),
    ...(one(4) ? { POSTGRES_HOST: pick(['db', 'localhost', '172.20.0.3', 'fd00::3']) } : {}),
    ...(one(4) ? { WAHA_URL: `${pick(['http', 'https'])}://${host()}${port()}` } : {}),
    ...(one(4) ? { N8N_URL: `${pick(['http', 'https'])}://${host()}${port()}` } : {}),
    // Without a secret of a person's, each container's own counts.
    ...(one(2) ? { POSTGRES_PASSWORD: '', REDIS_PASSWORD: '', WAHA_API_KEY: '' } : {}),
  };
  const where = below(4);
  if (where === 0) {
    const networks = Object.fromEntries(
      ['shop', 'crm', 'bridge'].slice(below(3)).map((name) => [name, '172.20.0.99']),
    );
    const self: Sketch = {
      name: 'vpsmon',
      image: 'vpsmon',
      state: 'running',
      id: 'f'.repeat(64),
      networks,
      aliases: [],
    };
    return { sketches: [...sketches, self], settings, self: 'vpsmon' };
  }
  return { sketches, settings, ...(where === 1 ? { engineHost: '10.1.1.1' } : {}) };
}

type Sent = { secret: string; host: string; port: number; set: string | undefined };

/** Where each secret would be sent, and the address that a person set for that program, if any. */
function sent({ postgres, redis, n8n, waha: whatsapp }: Discovered, settings: Partial<Settings>): Sent[] {
  const hostOf = (url: string | undefined) => url && new URL(url).hostname.replace(/^\[|\]$/g, '');
  const http = [
    { target: n8n, set: settings.N8N_URL },
    { target: whatsapp, set: settings.WAHA_URL },
  ].flatMap(({ target, set }) => {
    if (!target) return [];
    const { hostname, port, protocol } = new URL(target.url);
    const host = hostname.replace(/^\[|\]$/g, '');
    return [
      {
        secret: target.apiKey,
        host,
        port: Number(port || (protocol === 'https:' ? 443 : 80)),
        set: hostOf(set),
      },
    ];
  });
  const servers = [
    { target: postgres, set: settings.POSTGRES_HOST },
    { target: n8n?.database, set: settings.POSTGRES_HOST },
    { target: redis, set: settings.REDIS_HOST },
    { target: n8n?.queue, set: settings.REDIS_HOST },
  ].flatMap(({ target, set }) =>
    target ? [{ secret: target.password, host: target.host, port: target.port, set }] : [],
  );
  return [...http, ...servers].filter(({ secret }) => secret !== '');
}

/** Everybody who may answer at an address, as the networks of Docker work, seen from where vpsmon is. */
function answering({ sketches, self, engineHost }: Scene, host: string, port: number): Sketch[] {
  const running = sketches.filter(({ state }) => state === 'running');
  const from = running.find(({ name }) => name === self);
  const spaceOf = (one: Sketch) => /^container:(.+)$/.exec(one.networkMode ?? '')?.[1] ?? one.id;
  const owners = running.filter((one) => {
    const here = engineHost ?? '127.0.0.1';
    if (one.networkMode === 'host') return host === here && port < 20_000 && !from;
    for (const [network, address] of Object.entries(one.networks ?? {})) {
      if (from) {
        if (from.networks?.[network] === undefined) continue;
        if (host === address) return true;
        if (network !== 'bridge' && [one.name, ...(one.aliases ?? [])].includes(host)) return true;
      } else if (!engineHost && host === address) return true;
    }
    if (from) return one === from && host === '127.0.0.1';
    return (one.ports ?? []).some((text) => {
      const [, ip = '', outside] = /^(.+):(\d+)->/.exec(text) ?? [];
      const everywhere = ip === '0.0.0.0' || ip === '[::]';
      const listens = everywhere ? [here, ...(ip === '[::]' && !engineHost ? ['::1'] : [])] : [ip];
      return Number(outside) === port && listens.includes(host) && !(engineHost && ip === '127.0.0.1');
    });
  });
  // Those that share its network namespace answer as well.
  return running.filter((one) => owners.some((owner) => spaceOf(owner) === spaceOf(one)));
}

test("H5, H6: in 4,000 random scenes no secret reaches an address that is not its owner's", () => {
  const seen = { own: 0, set: 0, inContainer: 0, elsewhere: 0 };
  for (let seed = 1; seed <= 4000; seed++) {
    const scene = randomScene(seed);
    const { sketches, settings } = scene;
    const { secret: _, ...options } = { secret: '', ...scene };
    for (const { secret, host, port, set } of sent(discover(sketches, options), settings)) {
      const at = `seed ${seed}: ${secret} to ${host}:${port}`;
      const there = answering(scene, host, port);
      if (scene.self !== undefined) seen.inContainer++;
      if (scene.engineHost !== undefined) seen.elsewhere++;
      if (secret.startsWith('conf-')) {
        seen.set++;
        // The address that stands in the setting, or the one container that is called so.
        const isNamed =
          set !== undefined &&
          (set === host || there.some(({ name, aliases = [] }) => [name, ...aliases].includes(set)));
        const kind = secret.slice('conf-'.length);
        const ofKind = sketches.filter(
          ({ image, state }) => state === 'running' && new RegExp(`(^|/)${kind}(:|$)`).test(image),
        );
        expect(isNamed || (ofKind.length === 1 && there.includes(ofKind[0]!)), at).toBe(true);
        continue;
      }
      seen.own++;
      const owner = sketches[Number(secret.slice('own-'.length))]!;
      // In the network of another container it has that one's neighbours.
      const { networks, networkMode } = owner.networkMode === `container:${idOf(0)}` ? sketches[0]! : owner;
      const neighbours = (one: Sketch) =>
        Object.keys(one.networks ?? {}).some((network) => networks?.[network] !== undefined) ||
        (one.networkMode === 'host' && networkMode === 'host');
      const isN8n = owner.image.endsWith('n8n') || !/postgres|redis|waha/.test(owner.image);
      const mayHaveIt = (one: Sketch) => one === owner || (isN8n && neighbours(one));
      expect(set === host || there.some(mayHaveIt), at).toBe(true);
    }
  }
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(200);
});
