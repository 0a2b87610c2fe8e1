import { expect, test } from 'vitest';
import { discover } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const waha: Sketch = {
  name: 'waha',
  image: 'devlikeapro/waha:latest',
  address: '172.20.0.20',
  ports: ['0.0.0.0:3000->3000'],
  env: { WAHA_API_KEY: 'k3y' },
};

test('address and key come from the container', () => {
  expect(discover([waha]).waha).toEqual({
    url: 'http://127.0.0.1:3000',
    apiKey: 'k3y',
    how: 'container waha (devlikeapro/waha:latest), its published port, key from its environment',
    container: 'waha',
  });
});

test.each(['devlikeapro/waha-plus:gows', 'devlikeapro/waha:noweb-2024.7.8', 'ghcr.io/me/waha'])(
  '%s is one',
  (image) => {
    expect(discover([{ ...waha, image }]).waha?.container).toBe('waha');
  },
);

test('an old name of the key, another port, TLS', () => {
  expect(discover([{ ...waha, env: { WHATSAPP_API_KEY: 'old' } }]).waha?.apiKey).toBe('old');
  expect(discover([{ ...waha, ports: [], env: { WHATSAPP_API_PORT: '4000' } }]).waha?.url).toBe(
    'http://172.20.0.20:4000',
  );
  expect(discover([{ ...waha, env: { WAHA_HTTPS_ENABLED: 'True' } }]).waha?.url).toBe(
    'https://127.0.0.1:3000',
  );
});

test('a hashed key is of no use, which is said, unless the plain one is there, too', () => {
  const hashed = { WAHA_API_KEY: 'sha512:98b6d128682e280b74b324ca82a6bae6e8a3f7174e0605bfd52eb9948fad8984' };
  expect(discover([{ ...waha, env: hashed }]).waha).toMatchObject({
    apiKey: '',
    how: expect.stringContaining('of its key only the hash (sha512:...) is known: set WAHA_API_KEY'),
  });
  expect(discover([{ ...waha, env: { ...hashed, WAHA_API_KEY_PLAIN: 'p' } }]).waha?.apiKey).toBe('p');
  expect(discover([{ ...waha, env: hashed }], { settings: { WAHA_API_KEY: 'told' } }).waha).toMatchObject({
    apiKey: 'told',
    how: expect.stringContaining('key from WAHA_API_KEY'),
  });
});

test('a URL that is the container has its key from there, and no other server is told it', () => {
  const at = (url: string) => discover([waha], { settings: { WAHA_URL: url } }).waha;
  expect(at('http://localhost:3000')).toMatchObject({ apiKey: 'k3y', container: 'waha' });
  expect(at('http://waha:3000/')).toMatchObject({ apiKey: 'k3y' });
  expect(at('http://localhost:3001')?.apiKey).toBe('');
  expect(at('https://waha.example.com')).toEqual({
    url: 'https://waha.example.com',
    apiKey: '',
    how: 'WAHA_URL in /etc/vpsmon/monitor.conf:1',
  });
});

test('the container that is down is known, for a person may have it started', () => {
  const down: Sketch = { ...waha, state: 'exited', networks: { shop: '' } };
  expect(discover([down]).wahaDown).toBe('waha');
  const at = (url: string) => discover([down], { settings: { WAHA_URL: url } });
  expect(at('http://localhost:3000')).toMatchObject({ wahaDown: 'waha', waha: { apiKey: '' } });
  expect(at('http://waha:3000').wahaDown).toBe('waha');
  expect(at('https://waha.example.com').wahaDown).toBeUndefined();
  expect(discover([waha, down]).wahaDown).toBeUndefined();
});

test('missing', () => {
  expect(discover([]).missing.waha).toBe('no container runs WAHA, and WAHA_URL is not set');
  expect(discover([{ ...waha, state: 'created' }]).missing.waha).toBe('container waha is created');
});

test('hostile names, environments, ports and commands are harmless', () => {
  const evil = 'x\u001b[31m\n\u202e"\'`$(reboot);--requirepass= ';
  for (const image of ['postgres', 'redis', 'n8nio/n8n', 'devlikeapro/waha', evil]) {
    const found = discover([
      {
        name: evil,
        image,
        service: evil,
        project: '__proto__',
        command: [evil, '--requirepass', '--port', '-p', '999999'],
        networks: { ['__proto__']: '', constructor: evil },
        ports: ['70000->5432'],
        env: {
          POSTGRES_USER: evil,
          POSTGRES_PASSWORD: evil.repeat(1000),
          PGPORT: '-1',
          DB_TYPE: 'postgresdb',
          DB_POSTGRESDB_HOST: evil,
          DB_POSTGRESDB_PORT: 'NaN',
          EXECUTIONS_MODE: 'queue',
          QUEUE_BULL_REDIS_HOST: '__proto__',
          QUEUE_BULL_REDIS_CLUSTER_NODES: ',,:',
          QUEUE_BULL_REDIS_DB: '1e999',
          N8N_PORT: '0',
          WHATSAPP_API_PORT: '65536',
          __proto__: 'x',
        },
      },
    ]);
    const said = JSON.stringify([
      found.missing,
      found.postgres?.how,
      found.redis?.how,
      found.n8n?.how,
      found.waha?.how,
    ]);
    expect(said).not.toMatch(/\\u001b|\\u202e|\\n/);
    for (const target of [found.postgres, found.redis]) {
      if (target) expect(target.port).toBeGreaterThan(0);
    }
  }
});
