import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openCollectors } from '../../src/checks/collect.ts';
import { createDiscovery } from '../../src/discovery/discover.ts';
import type { Snapshot, Source } from '../../src/model/sources.ts';
import { hostFiles } from '../../src/system/files.ts';
import { collectorDeps, defaultConfig } from '../helpers/collector-deps.ts';
import { until } from '../helpers/daemon.ts';
import { IMAGE, startEngine, type Engine } from '../helpers/docker-engine.ts';
import { addExecutions, createN8nTables } from '../helpers/n8n-schema.ts';
import { startPostgres, type PostgresServer } from '../helpers/postgres-server.ts';
import { startRedis, type RedisServer } from '../helpers/redis-server.ts';
import { startN8n, type N8n } from '../standins/n8n.ts';
import { startWaha, type Waha } from '../standins/waha.ts';

// The whole stack as Docker shows it, on the network of the host: containers with the images' names and settings, and
// behind their ports real servers.
let engine: Engine;
let postgres: PostgresServer;
let redis: RedisServer;
let n8n: N8n;
let waha: Waha;
const opened: { close(): Promise<void> }[] = [];

const REDIS_PASSWORD = 'R3dis&more';
const KEY = 'waha-key-from-docker';

beforeAll(async () => {
  [engine, postgres, redis, n8n, waha] = await Promise.all([
    startEngine(),
    startPostgres(),
    startRedis({ password: REDIS_PASSWORD }),
    startN8n(),
    startWaha({ key: KEY }),
  ]);
  await postgres.sql('CREATE DATABASE n8n');
  await createN8nTables(postgres, { database: 'n8n' });
  await addExecutions(postgres, { running: 2, success: 3 }, { database: 'n8n' });
  await postgres.sql('CREATE TABLE leads AS SELECT generate_series(1, 12)', 'n8n');
  for (const [name, tag] of [
    ['postgres', '16'],
    ['redis', '7-alpine'],
    ['n8nio/n8n', '1.123.81'],
    ['devlikeapro/waha', 'latest'],
  ]) {
    await engine.tag(name as string, tag as string);
  }
  await runStack();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await Promise.all([engine?.stop(), postgres?.remove(), redis?.remove(), n8n?.close(), waha?.close()]);
});

async function runStack(): Promise<void> {
  const host = { network: 'host' as const };
  await engine.run({
    ...host,
    name: 'shop-postgres-1',
    image: 'postgres:16',
    env: [`POSTGRES_PASSWORD=${postgres.password}`, `PGPORT=${postgres.port}`],
    labels: { 'com.docker.compose.service': 'postgres' },
  });
  await engine.run({
    ...host,
    name: 'shop-redis-1',
    image: 'redis:7-alpine',
    // What is read is the command and the environment; the server stands behind the port.
    command: ['sh', '-c', `sleep 3600 # redis-server --port ${redis.port} --requirepass "$REDIS_PW"`],
    env: [`REDIS_PW=${REDIS_PASSWORD}`, `REDIS_PORT_NUMBER=${redis.port}`],
  });
  await engine.run({
    ...host,
    name: 'shop-n8n-1',
    image: 'n8nio/n8n:1.123.81',
    env: [
      `N8N_PORT=${n8n.port}`,
      'DB_TYPE=postgresdb',
      'DB_POSTGRESDB_HOST=localhost',
      `DB_POSTGRESDB_PORT=${postgres.port}`,
      `DB_POSTGRESDB_PASSWORD=${postgres.password}`,
      'EXECUTIONS_MODE=queue',
      'QUEUE_BULL_REDIS_HOST=localhost',
      `QUEUE_BULL_REDIS_PORT=${redis.port}`,
      `QUEUE_BULL_REDIS_PASSWORD=${REDIS_PASSWORD}`,
    ],
  });
  await engine.run({
    ...host,
    name: 'shop-waha-1',
    image: 'devlikeapro/waha:latest',
    env: [`WAHA_API_KEY=${KEY}`, `WHATSAPP_API_PORT=${waha.port}`],
  });
  await engine.run({ name: 'web', image: IMAGE });
}

/** Collectors as the commands open them, on the real engine. */
function open() {
  const deps = collectorDeps({});
  const config = defaultConfig();
  const { clock } = deps.system;
  const discovery = createDiscovery({ docker: engine.docker, config, clock, files: hostFiles('/') });
  const collectors = openCollectors({
    ...deps,
    system: { ...deps.system, docker: engine.docker, files: hostFiles('/') },
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
  });
  opened.push(collectors);
  const only: Source[] = ['postgres', 'redis', 'n8n', 'waha', 'sql'];
  return { collect: (): Promise<Snapshot> => collectors.collect({ only }), discovery };
}

/** The same, again where a machine that is busy was too late for one of them. */
async function collectAll(collect: () => Promise<Snapshot>): Promise<Snapshot> {
  return until(async () => {
    const snapshot = await collect();
    const { postgres: a, redis: b, n8n: c, waha: d, sql: e } = snapshot.readings;
    const all = [a, b, c, d, e];
    return (
      all.every(({ state }) => state === 'ok') && !JSON.stringify(all).includes('"problems"') && snapshot
    );
  }, 'a reading of everything');
}

test('with nothing configured, everything is found and read', async () => {
  await redis.call('SET', 'bull:jobs:id', '9');
  await redis.call('RPUSH', 'bull:jobs:wait', '7', '8');
  const { collect, discovery } = open();
  const { readings } = await collectAll(collect);
  expect(readings.postgres).toMatchObject({
    state: 'ok',
    value: { address: `127.0.0.1:${postgres.port}`, connections: { max: 20 } },
  });
  expect(readings.redis).toMatchObject({
    state: 'ok',
    value: { address: `127.0.0.1:${redis.port}`, keys: 2 },
  });
  expect(readings.n8n).toMatchObject({
    state: 'ok',
    value: {
      executions: { active: 2, completed: 3 },
      workflows: { total: 0, active: 0 },
      queueDepth: 2,
      healthy: true,
    },
  });
  expect(readings.waha).toMatchObject({
    state: 'ok',
    value: { sessions: [{ name: 'default', status: 'WORKING' }] },
  });
  expect(readings.sql).toMatchObject({
    state: 'ok',
    value: { samples: [{ name: 'lead_count', value: 12 }], broken: [] },
  });
  const found = await discovery.current(new AbortController().signal);
  expect(found.missing).toEqual({});
  expect(found.postgres?.how).toBe(
    "container shop-postgres-1 (postgres:16), the host's network, password from its environment",
  );
  const said = JSON.stringify(readings);
  for (const secret of [postgres.password, REDIS_PASSWORD, KEY]) expect(said).not.toContain(secret);
});

test('a container that stops, and one that is made anew with another key, are noticed', async () => {
  const { collect } = open();
  await collectAll(collect);
  await engine.remove('shop-waha-1');
  await waha.down();
  // Failed, or already looked up anew.
  expect((await collect()).readings.waha.state).not.toBe('ok');
  await expect
    .poll(async () => (await collect()).readings.waha)
    .toEqual({
      state: 'absent',
      why: 'no container runs WAHA, and WAHA_URL is not set',
    });
  const next = await startWaha({ key: 'another-key-77' });
  try {
    await engine.run({
      network: 'host',
      name: 'shop-waha-2',
      image: 'devlikeapro/waha:latest',
      env: ['WAHA_API_KEY=another-key-77', `WHATSAPP_API_PORT=${next.port}`],
    });
    const fresh = open();
    await expect.poll(async () => (await fresh.collect()).readings.waha.state).toBe('ok');
  } finally {
    await next.close();
  }
});

test('Docker gone: what was found is still read', async () => {
  const { collect, discovery } = open();
  await expect.poll(async () => (await collect()).readings.postgres.state).toBe('ok');
  await engine.halt();
  try {
    discovery.invalidate();
    await expect
      .poll(async () => {
        const { readings } = await collect();
        return [readings.postgres.state, readings.redis.state, readings.n8n.state];
      })
      .toEqual(['ok', 'ok', 'ok']);
    const blind = await open().collect();
    expect(blind.readings.postgres.state).toBe('absent');
    expect(JSON.stringify(blind.readings.postgres)).toContain('Docker cannot be asked for PostgreSQL');
  } finally {
    await engine.start();
  }
});
