import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createN8n } from '../../src/collectors/n8n.ts';
import { readFailures, readQueued } from '../../src/collectors/n8n-database.ts';
import { SQL_BEFORE_10, createPostgres, parsePostgres } from '../../src/collectors/postgres.ts';
import { createRedis } from '../../src/collectors/redis.ts';
import { createSql } from '../../src/collectors/sql.ts';
import type { N8nTarget, PostgresTarget, RedisTarget } from '../../src/model/targets.ts';
import type { N8nValues, PostgresValues, RedisValues, SqlValues } from '../../src/model/snapshot.ts';
import { collectorDeps, patience, type TestDeps } from '../helpers/collector-deps.ts';
import { until } from '../helpers/daemon.ts';
import { addExecutions, createN8nTables } from '../helpers/n8n-schema.ts';
import { startPostgres, type PostgresServer } from '../helpers/postgres-server.ts';
import { judged, ok } from '../rules/judge.ts';
import type { Postgres } from '../../src/system/types.ts';
import { startRedis, type RedisServer } from '../helpers/redis-server.ts';

let postgres: PostgresServer;
let redis: RedisServer;
const closing: { close?(): Promise<void> | void }[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis({ password: 'Tr0ub4dor&3' })]);
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((collector) => collector.close?.()));
});
afterAll(async () => {
  await Promise.all([postgres.remove(), redis.remove()]);
});

function toPostgres(database = 'postgres', change: Partial<PostgresTarget> = {}): PostgresTarget {
  const { host, port, user, password } = postgres;
  return { host, port, user, password, database, how: 'a test', ...change };
}
function toRedis(change: Partial<RedisTarget> = {}): RedisTarget {
  return {
    host: redis.host,
    port: redis.port,
    password: redis.password,
    db: 0,
    tls: false,
    how: 'a test',
    ...change,
  };
}
function open<T extends { close?(): Promise<void> | void }>(
  create: (deps: TestDeps) => T,
  deps: TestDeps,
): T {
  const collector = create(deps);
  closing.push(collector);
  return collector;
}
async function freshDatabase(name: string): Promise<string> {
  await postgres.sql(`CREATE DATABASE ${name}`);
  return name;
}

/** What is written of a server that did not answer in time, which on a busy machine says nothing about the collector. */
const LATE = /took too long|did not answer in time|no answer (?:from|within)/;
/** Reads again what came too late, as a whole or in part. */
async function inTime<T>(read: () => Promise<unknown>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      const value = (await read()) as T & { problems?: string[]; broken?: unknown[] };
      if (tries === 20 || !LATE.test(JSON.stringify([value.problems, value.broken]))) return value;
    } catch (error) {
      if (tries === 20 || !LATE.test(String(error))) throw error;
    }
  }
}

describe('postgres', () => {
  const read = (collector: { read(signal: AbortSignal): Promise<unknown> }) =>
    inTime<PostgresValues>(() => collector.read(patience()));

  test('connections by state, size, version, the longest transaction, and nothing of its own', async () => {
    const deps = collectorDeps({ postgres: toPostgres() });
    const collector = open(createPostgres, deps);
    // A session whose answer was too late, or that was closed just now, may still be on its way out.
    await expect
      .poll(() => read(collector))
      .toMatchObject({
        address: `127.0.0.1:${postgres.port}`,
        version: expect.stringMatching(/^\d+(\.\d+)*$/),
        connections: { active: 0, idle: 1, idleInTransaction: 0, other: 0, total: 1, max: 20 },
        longestTransactionSec: 0,
      });
    expect((await read(collector)).databaseSizeBytes).toBeGreaterThan(5_000_000);
    // As a server of 9.6 is asked, which does not say what kind a session is: this one and the collector's.
    await expect
      .poll(async () => parsePostgres((await postgres.sql(SQL_BEFORE_10))[0] ?? {}))
      .toMatchObject({
        connections: { idle: 2, other: 0, total: 2, max: 20 },
        longestTransactionSec: 0,
      });
    const busy = postgres.sql('BEGIN; SELECT pg_sleep(600)').catch(String);
    await expect.poll(async () => (await read(collector)).connections).toMatchObject({ active: 1, total: 2 });
    expect((await read(collector)).longestTransactionSec).toBeGreaterThan(0);
    await postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; SELECT pg_sleep'",
    );
    await busy;
  });

  test('the cache over the last interval only, and not under 1,000 blocks', async () => {
    const database = await freshDatabase('cache');
    await postgres.sql('CREATE TABLE big AS SELECT generate_series(1, 300000) AS id', database);
    const collector = open(createPostgres, collectorDeps({ postgres: toPostgres(database) }));
    expect((await read(collector)).cacheHitPercent).toBeUndefined();
    expect((await read(collector)).cacheHitPercent).toBeUndefined();
    // 1,328 blocks in a cache of 2,048: read once, then found.
    for (let n = 0; n < 6; n++) await postgres.sql('SELECT count(*) FROM big', database);
    await expect.poll(async () => (await read(collector)).cacheHitPercent, { interval: 700 }).toBeDefined();
    const { cacheHitLifetimePercent } = await read(collector);
    expect(cacheHitLifetimePercent).toBeGreaterThan(0);
    expect(cacheHitLifetimePercent).toBeLessThanOrEqual(100);
  });

  test('a command that looks once has the interval since the one before', async () => {
    const deps = collectorDeps({ postgres: toPostgres('cache') });
    await read(open(createPostgres, deps));
    for (let n = 0; n < 3; n++) await postgres.sql('SELECT count(*) FROM big', 'cache');
    await expect
      .poll(
        async () => {
          const next = collectorDeps({ postgres: toPostgres('cache') });
          deps.memory.forEach((value, key) => next.memory.set(key, value));
          const collector = createPostgres(next);
          const { cacheHitPercent } = await read(collector);
          await collector.close?.();
          return cacheHitPercent;
        },
        { interval: 300 },
      )
      .toBeGreaterThan(50);
  });

  test('a reset of the statistics makes no nonsense', async () => {
    const collector = open(createPostgres, collectorDeps({ postgres: toPostgres('cache') }));
    await read(collector);
    for (let n = 0; n < 3; n++) await postgres.sql('SELECT count(*) FROM big', 'cache');
    await postgres.sql('SELECT pg_stat_reset()', 'cache');
    const { cacheHitPercent } = await read(collector);
    expect(cacheHitPercent === undefined || (cacheHitPercent >= 0 && cacheHitPercent <= 100)).toBe(true);
  });

  test('N2: limits of their own of databases and users, as a user without rights sees them', async () => {
    await postgres.sql("CREATE ROLE narrow LOGIN PASSWORD 'x' CONNECTION LIMIT 4");
    const narrow = { ...toPostgres(), user: 'narrow', password: 'x' };
    const narrowest = async () =>
      (await read(open(createPostgres, collectorDeps({ postgres: narrow })))).connections.narrowest;
    expect(await narrowest()).toMatchObject({ of: 'user', name: 'narrow', max: 4 });
    await postgres.sql('ALTER DATABASE postgres CONNECTION LIMIT 2');
    expect(await narrowest()).toMatchObject({ of: 'database', name: 'postgres', max: 2 });
    await postgres
      .sql('ALTER DATABASE postgres CONNECTION LIMIT -1; DROP ROLE narrow')
      .catch(() => undefined);
    await postgres.sql('ALTER DATABASE postgres CONNECTION LIMIT -1');
  });

  test('a user without rights sees the numbers, too', async () => {
    await postgres.sql("CREATE ROLE watcher LOGIN PASSWORD 'look'");
    const collector = open(
      createPostgres,
      collectorDeps({ postgres: toPostgres('postgres', { user: 'watcher', password: 'look' }) }),
    );
    // The sessions of the test before may still be on their way out.
    await expect.poll(async () => (await read(collector)).connections).toMatchObject({ idle: 1, max: 20 });
  });

  test('a wrong password is told in one sentence, looked up anew, and forgotten when it is right', async () => {
    const deps = collectorDeps({ postgres: toPostgres('postgres', { password: 'not-the-one-9' }) });
    const collector = open(createPostgres, deps);
    await expect(read(collector)).rejects.toThrow(/refuses the password of user postgres$/);
    expect(deps.rediscovered()).toBeGreaterThan(0);
    deps.found = { postgres: toPostgres(), missing: {} };
    expect((await read(collector)).connections.max).toBe(20);
  });

  test('a restart of the server costs one reading at most', async () => {
    const deps = collectorDeps({ postgres: toPostgres() });
    const collector = open(createPostgres, deps);
    await read(collector);
    await postgres.stop();
    await expect(read(collector)).rejects.toThrow('nothing listens');
    await postgres.start();
    await expect
      .poll(() =>
        read(collector)
          .then((v) => v.connections.max)
          .catch(String),
      )
      .toBe(20);
  });

  test('absent with the reason', async () => {
    const collector = open(
      createPostgres,
      collectorDeps({ missing: { postgres: 'no container runs PostgreSQL' } }),
    );
    expect(await collector.read(patience())).toEqual({ absent: 'no container runs PostgreSQL' });
  });
});

describe('redis', () => {
  test('memory, limit, keys of all databases, clients, evictions', async () => {
    const collector = open(createRedis, collectorDeps({ redis: toRedis() }));
    await redis.call('FLUSHALL');
    await redis.call('MSET', 'a', '1', 'b', '2');
    await redis.call('EVAL', "redis.call('SELECT', 5); redis.call('SET', 'c', '3'); return 1", '0');
    const values = await inTime(() => collector.read(patience()));
    expect(values).toMatchObject({
      address: `127.0.0.1:${redis.port}`,
      version: expect.stringMatching(/^\d+\.\d+/),
      maxMemoryBytes: null,
      keys: 3,
      evictedTotal: 0,
      rejectedTotal: 0,
    });
    expect((values as { usedMemoryBytes: number }).usedMemoryBytes).toBeGreaterThan(500_000);
    expect((values as { clients: number }).clients).toBeGreaterThanOrEqual(1);
  });

  test('a full one evicts, and one with too many clients rejects', async () => {
    const small = await startRedis({
      settings: ['--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru', '--maxclients', '3'],
    });
    try {
      const collector = open(
        createRedis,
        collectorDeps({ redis: toRedis({ port: small.port, password: '' }) }),
      );
      const read = () => inTime<RedisValues>(() => collector.read(patience()));
      await read();
      const filled = "for n=1,4000 do redis.call('SET', 'k'..n, string.rep('x', 1000)) end return 1";
      for (let n = 0; n < 2; n++) await small.call('EVAL', filled, '0').catch(() => {});
      await Promise.allSettled(Array.from({ length: 8 }, () => small.call('PING')));
      const values = await read();
      expect(values.maxMemoryBytes).toBe(3 * 1_048_576);
      expect(values.evictedTotal).toBeGreaterThan(0);
      expect(values.rejectedTotal).toBeGreaterThan(0);
    } finally {
      await small.remove();
    }
  });

  test('A9, A10: refused writes and evictions are counted from one check to the next', async () => {
    const small = await startRedis({ settings: ['--maxmemory', '3mb'] });
    try {
      const target = toRedis({ port: small.port, password: '' });
      const queue = { ...target, prefix: 'bull', expected: true };
      const n8n = { url: 'http://127.0.0.1:9', apiKey: '', how: 'a test', queue };
      const deps = collectorDeps({ redis: target, n8n });
      const collector = open(createRedis, deps);
      const read = () => inTime<RedisValues>(() => collector.read(patience()));
      const fill = "for n=1,4000 do redis.call('SET', 'k'..n, string.rep('x', 1000)) end return 1";
      const first = await read();
      expect(first).toMatchObject({ policy: 'noeviction', queue: true, evictedLastHour: 0 });
      expect(first.refusedWrites).toBeUndefined();
      expect((await read()).refusedWrites).toBe(0);
      await small.call('EVAL', fill, '0').catch(() => {});
      await expect(small.call('SET', 'one', 'more')).rejects.toThrow('OOM');
      const full = await read();
      expect(full.refusedWrites).toBeGreaterThan(0);
      expect(judged('redis-writes', { redis: ok(full) })[0]).toMatchObject({
        verdict: 'breach',
        severity: 'critical',
      });
      await small.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      for (let n = 0; n < 50; n++) await small.call('SET', `more${n}`, 'x'.repeat(10_000));
      const evicting = await read();
      expect(evicting.refusedWrites).toBe(0);
      expect(evicting.evictedLastHour).toBeGreaterThan(0);
      // Nothing is evicted any more: at the limit, each question costs a key now and then.
      await small.call('CONFIG', 'SET', 'maxmemory', '64mb');
      deps.advance(61_000);
      await read();
      deps.advance(3_700_000);
      expect((await read()).evictedLastHour).toBe(0);
      deps.found = { redis: target, missing: {} };
      expect((await read()).queue).toBeUndefined();
      // The same server, set as `localhost` by a person and known by its address in n8n's network.
      const elsewhere = { ...n8n, queue: { ...queue, host: '172.20.0.9', port: 6379, container: 'redis' } };
      deps.found = { redis: { ...target, container: 'redis' }, n8n: elsewhere, missing: {} };
      expect((await read()).queue).toBe(true);
      deps.found = { redis: { ...target, container: 'cache' }, n8n: elsewhere, missing: {} };
      expect((await read()).queue).toBeUndefined();
    } finally {
      await small.remove();
    }
  });

  test('beside an n8n of which only the URL is known it holds a queue where the keys are, and no cache is one', async () => {
    const n8n = {
      url: 'http://127.0.0.1:9',
      apiKey: '',
      how: 'a test',
      queue: { ...toRedis(), prefix: 'bull', expected: false },
    };
    const collector = open(createRedis, collectorDeps({ redis: toRedis(), n8n }));
    const read = () => inTime<RedisValues>(() => collector.read(patience()));
    await redis.call('FLUSHALL');
    expect((await read()).queue).toBeUndefined();
    await redis.call('SET', 'bull:jobs:id', '1');
    expect((await read()).queue).toBe(true);
    await redis.call('FLUSHALL');
    expect((await read()).queue).toBe(true);
  });

  test('a wrong password is told in one sentence and looked up anew', async () => {
    const deps = collectorDeps({ redis: toRedis({ password: 'not-the-one-9' }) });
    const collector = open(createRedis, deps);
    await expect(inTime(() => collector.read(patience()))).rejects.toThrow(/refuses the password$/);
    expect(deps.rediscovered()).toBeGreaterThan(0);
    deps.found = { redis: toRedis(), missing: {} };
    deps.advance(2000);
    await expect
      .poll(() =>
        collector
          .read(patience())
          .then(() => 'read')
          .catch(String),
      )
      .toBe('read');
  });
});

describe('n8n', () => {
  const dead = 'http://127.0.0.1:9';
  const target = (database: string | undefined, more: Partial<N8nTarget> = {}): N8nTarget => ({
    url: dead,
    apiKey: '',
    how: 'a test',
    ...(database ? { database: { ...toPostgres(database), schema: 'public', prefix: '' } } : {}),
    ...more,
  });
  const read = (found: N8nTarget, deps = collectorDeps({ n8n: found })) =>
    inTime<N8nValues>(() => open(createN8n, deps).read(patience()));

  test('executions by status and workflows from its tables', async () => {
    const database = await freshDatabase('n8n');
    await createN8nTables(postgres, { database });
    await addExecutions(
      postgres,
      { running: 3, waiting: 2, success: 40, error: 5, crashed: 1, canceled: 4, new: 7, unknown: 9 },
      { database },
    );
    await addExecutions(postgres, { success: 100, error: 100 }, { database, stoppedHoursAgo: 30 });
    await addExecutions(
      postgres,
      { running: 10, waiting: 10, success: 10, new: 10 },
      { database, deleted: true },
    );
    await postgres.sql(
      `INSERT INTO workflow_entity (id, name, active, "activeVersionId", "isArchived") VALUES
        ('1', 'published', true, 'v1', false), ('2', 'switched off by SQL', true, NULL, false),
        ('3', 'draft', false, NULL, false), ('4', 'archived', false, 'v4', true)`,
      database,
    );
    const values = await read(target(database));
    expect(values.executions).toEqual({
      active: 3,
      waiting: 2,
      completed: 40,
      failed: 6,
      queued: 7,
      canceled: 4,
    });
    expect(values.workflows).toEqual({ total: 3, active: 1 });
    expect(values.queueDepth).toBeUndefined();
    expect(values.healthy).toBe(false);
    expect(values.problems).toEqual(['health: n8n: 127.0.0.1:9 refused the connection']);
  });

  test('the hours that count as recent are configurable', async () => {
    const extra = { n8n: { ...collectorDeps({}).config.extra.n8n, finishedWithinHours: 48 } };
    const deps = collectorDeps({ n8n: target('n8n') }, extra);
    expect((await read(target('n8n'), deps)).executions).toMatchObject({ completed: 140, failed: 106 });
  });

  test('an old n8n, a schema of its own and a prefix, both with hostile names', async () => {
    const database = await freshDatabase('oldn8n');
    const where = { database, schema: 'it"s n8n', prefix: 'My-"x"_', old: true };
    await createN8nTables(postgres, where);
    await addExecutions(postgres, { running: 1, success: 2 }, where);
    await postgres.sql(
      `INSERT INTO "it""s n8n"."My-""x""_workflow_entity" (id, name, active) VALUES ('1', 'a', true), ('2', 'b', false)`,
      database,
    );
    const own = { ...toPostgres(database), schema: where.schema, prefix: where.prefix };
    const values = await read(target(undefined, { database: own }));
    expect(values.executions).toMatchObject({ active: 1, completed: 2 });
    expect(values.workflows).toEqual({ total: 2, active: 1 });
  });

  test('waiting executions are found however old they are, and no question scans the table', async () => {
    const database = await freshDatabase('bign8n');
    await createN8nTables(postgres, { database });
    await addExecutions(postgres, { waiting: 3 }, { database });
    await addExecutions(postgres, { success: 200_000 }, { database, stoppedHoursAgo: 1000 });
    await postgres.sql('ANALYZE', database);
    const deps = collectorDeps({ n8n: target(database) });
    expect((await read(target(database), deps)).executions).toMatchObject({ waiting: 3, completed: 0 });
    const { executionsSql } = await import('../../src/collectors/n8n-database.ts');
    const sql = executionsSql({ ...toPostgres(database), schema: 'public', prefix: '' }).replace(
      '$1',
      '1440',
    );
    const plan = await postgres.sql(`EXPLAIN ${sql}`, database);
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Seq Scan');
    const asked: string[] = [];
    const where = { ...toPostgres(database), schema: 'public', prefix: '' };
    const spy = {
      query: async (text: string) => (asked.push(text.replaceAll('$1', '60')), []),
    } as unknown as Postgres;
    await readFailures(spy, where, new Set(['latestEvent']), 60);
    await readQueued(spy, where, 'all');
    await readQueued(spy, where, 'for long');
    for (const text of asked) {
      const lines = (await postgres.sql(`EXPLAIN ${text}`, database)).map((row) => String(row['QUERY PLAN']));
      expect(lines.filter((line) => line.includes('Seq Scan on execution_entity'))).toEqual([]);
    }
  });

  test('the queue of Bull: waiting, paused and delayed, not the active, and priorities once', async () => {
    await redis.call('FLUSHALL');
    const queue = { ...toRedis(), prefix: 'bull', expected: false };
    expect((await read(target('n8n', { queue }))).queueDepth).toBeUndefined();
    expect((await read(target('n8n', { queue: { ...queue, expected: true } }))).queueDepth).toBe(0);
    await redis.call('SET', 'bull:jobs:id', '30');
    await redis.call('RPUSH', 'bull:jobs:wait', '1', '2', '3');
    await redis.call('RPUSH', 'bull:jobs:paused', '4', '5');
    await redis.call('RPUSH', 'bull:jobs:active', '6', '7', '8', '9');
    await redis.call('ZADD', 'bull:jobs:delayed', '1', '10');
    await redis.call('ZADD', 'bull:jobs:priority', '1', '1', '1', '2');
    await redis.call('HSET', 'bull:jobs:1', 'name', '__default__');
    expect((await read(target('n8n', { queue }))).queueDepth).toBe(6);
  });

  test('A8, A18: whether a worker takes the jobs, by locks and by the names of connections', async () => {
    await redis.call('FLUSHALL');
    const queue = { ...toRedis(), prefix: 'bull', expected: true };
    const state = async () => (await read(target('n8n', { queue }))).queue;
    expect(await state()).toEqual({ depth: 0, waiting: 0 });
    await redis.call('SET', 'bull:jobs:id', '30');
    // Bull puts new jobs in front, and the oldest is the last one.
    await redis.call('LPUSH', 'bull:jobs:wait', '1', '2', '3');
    await redis.call('HSET', 'bull:jobs:1', 'timestamp', '1700000000000');
    // A worker that was killed has left it there.
    await redis.call('RPUSH', 'bull:jobs:active', '9');
    const idle = { depth: 3, waiting: 3, running: 0, oldestAt: 1_700_000_000_000 };
    expect(await state()).toEqual({ ...idle, workers: 0 });
    const worker = new Redis({ port: redis.port, password: redis.password, connectionName: 'bull:am9icw==' });
    try {
      await worker.ping();
      expect(await state()).toEqual({ ...idle, workers: 1 });
      await worker.set('bull:jobs:9:lock', 'token');
      expect(await state()).toEqual({ ...idle, running: 1 });
      await worker.del('bull:jobs:9:lock');
      await worker.set('bull:jobs:meta-paused', '1');
      expect(await state()).toEqual({ ...idle, workers: 1, paused: true });
      // Not everybody may ask who is connected.
      await worker.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@read');
      const reader = { ...queue, username: 'reader', password: 'pw' };
      const seen = (await read(target('n8n', { queue: reader }))).queue;
      expect(seen).toEqual({ ...idle, paused: true });
    } finally {
      worker.disconnect();
    }
  });

  test('A10, A19: who has filled the queue, and what is queued without a job', async () => {
    await redis.call('FLUSHALL');
    const database = await freshDatabase('floodn8n');
    await createN8nTables(postgres, { database });
    await addExecutions(postgres, { new: 30 }, { database });
    await postgres.sql(
      `INSERT INTO workflow_entity (id, name) VALUES ('w1', 'Import');
       UPDATE execution_entity SET "workflowId" = 'w2' WHERE id > 20;
       UPDATE execution_entity SET "createdAt" = now() - interval '10 minutes' WHERE id <= 23;`,
      database,
    );
    await redis.call('SET', 'bull:jobs:id', '30');
    const found = target(database, { queue: { ...toRedis(), prefix: 'bull', expected: true } });
    expect(await read(found)).toMatchObject({
      withoutJob: 23,
      withoutJobBy: [
        { workflow: 'Import', count: 20 },
        { workflow: 'w2', count: 3 },
      ],
      queueDepth: 0,
    });
    await redis.call('LPUSH', 'bull:jobs:wait', ...Array.from({ length: 30 }, (_, i) => String(i)));
    const flooded = await read(found);
    expect(flooded.withoutJob).toBeUndefined();
    expect(flooded.queuedBy).toEqual([
      { workflow: 'Import', count: 20 },
      { workflow: 'w2', count: 10 },
    ]);
    await redis.call('LTRIM', 'bull:jobs:wait', '0', '24');
    expect((await read(found)).withoutJob).toBe(5);
  });

  test('executions that fail: share and streaks, and successes that n8n does not keep', async () => {
    const database = await freshDatabase('failn8n');
    await createN8nTables(postgres, { database });
    const add = (workflow: string, status: string, minutesAgo: number) =>
      postgres.sql(
        `INSERT INTO execution_entity (status, "startedAt", "stoppedAt", "workflowId") VALUES
          ('${status}', now(), now() - interval '${minutesAgo} minutes', '${workflow}')`,
        database,
      );
    await postgres.sql(
      `INSERT INTO workflow_entity (id, name) VALUES ('a', 'Orders'), ('b', 'Mail')`,
      database,
    );
    for (const minute of [70, 30, 20]) await add('a', 'error', minute);
    await add('a', 'success', 25);
    await add('b', 'crashed', 10);
    await add('b', 'error', 5);
    const deps = collectorDeps({ n8n: target(database) });
    const failures = async () => (await read(target(database), deps)).failures;
    const since = expect.any(Number);
    expect(await failures()).toEqual({
      windowMin: 60,
      finished: 5,
      failed: 4,
      streaks: [
        { workflow: 'Mail', count: 2, since },
        { workflow: 'Orders', count: 1, since },
      ],
    });
    await add('a', 'success', 1);
    deps.advance(60_000);
    expect((await failures())?.streaks).toContainEqual({ workflow: 'Orders', count: 0, since: 0 });
    await postgres.sql(
      'DELETE FROM execution_entity WHERE id = (SELECT max(id) FROM execution_entity)',
      database,
    );
    deps.advance(60_000);
    await postgres.sql(
      `INSERT INTO workflow_statistics VALUES (7, now() - interval '7 minutes', 'production_success', 'b')`,
      database,
    );
    expect(await failures()).toEqual({
      windowMin: 60,
      finished: 0,
      failed: 4,
      streaks: expect.arrayContaining([{ workflow: 'Mail', count: 1, since }]),
    });
    deps.advance(700_000);
    await postgres.sql('DROP TABLE workflow_statistics', database);
    expect((await failures())?.finished).toBe(5);
  });

  test('several queues, another prefix, a cluster', async () => {
    await redis.call('FLUSHALL');
    for (const key of ['{mine}:jobs', '{mine}:jobs-big']) {
      await redis.call('SET', `${key}:id`, '1');
      await redis.call('RPUSH', `${key}:wait`, '1', '2');
    }
    const queue = { ...toRedis(), prefix: 'mine', expected: true };
    const settings = { ...collectorDeps({}).config.extra.n8n, queues: ['jobs', 'jobs-big'] };
    const found = target('n8n', { queue });
    expect((await read(found, collectorDeps({ n8n: found }, { n8n: settings }))).queueDepth).toBe(4);
    expect((await read(found)).queueDepth).toBe(2);
  });

  test('what can be read is given when the rest cannot', async () => {
    const queue = { ...toRedis({ password: 'wrong-as-well' }), prefix: 'bull', expected: true };
    const values = await read(target('n8n', { queue }));
    expect(values.executions).toBeDefined();
    expect(values.problems).toEqual([
      `queue: Redis at 127.0.0.1:${redis.port} refuses the password`,
      'health: n8n: 127.0.0.1:9 refused the connection',
    ]);
    const noTables = { ...toPostgres('postgres'), schema: 'public', prefix: '' };
    const onlyQueue = await read(
      target(undefined, { database: noTables, queue: { ...toRedis(), prefix: 'bull', expected: true } }),
    );
    expect(onlyQueue).toMatchObject({ queueDepth: 0, healthy: false });
    expect(onlyQueue.problems?.join()).toContain('relation "public.execution_entity" does not exist');
    expect(await read(target(undefined))).toMatchObject({
      healthy: false,
      problems: ['health: n8n: 127.0.0.1:9 refused the connection'],
    });
  });

  test('a table that is locked by a migration fails by itself, soon', async () => {
    const holder = postgres
      .sql('BEGIN; LOCK TABLE execution_entity; SELECT pg_sleep(600)', 'n8n')
      .catch(String);
    await expect
      .poll(
        () =>
          postgres.sql(
            "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'execution_entity'::regclass",
            'n8n',
          ),
        { interval: 20 },
      )
      .not.toEqual([]);
    const values = await until(async () => {
      const collector = open(createN8n, collectorDeps({ n8n: target('n8n') }));
      const seen = (await collector.read(patience())) as N8nValues;
      return /lock timeout/.test(seen.problems?.[0] ?? '') && seen.workflows ? seen : undefined;
    }, 'the failure of the lock alone');
    expect(values.executions).toBeUndefined();
    expect(values.workflows).toEqual({ total: 3, active: 1 });
    await postgres.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'`,
    );
    await holder;
  });
});

describe('sql', () => {
  const read = (deps: TestDeps) => inTime<SqlValues>(() => open(createSql, deps).read(patience()));

  test('lead_count is the rows of every table with "lead" in its name, in n8n\'s database', async () => {
    const database = await freshDatabase('shop');
    const n8n: N8nTarget = {
      url: 'http://127.0.0.1:9',
      apiKey: '',
      how: 'a test',
      database: { ...toPostgres(database), schema: 'public', prefix: '' },
    };
    const deps = collectorDeps({ postgres: toPostgres(), n8n });
    expect(await read(deps)).toEqual({ samples: [], broken: [] });
    await postgres.sql(
      `CREATE TABLE leads AS SELECT generate_series(1, 10);
      CREATE SCHEMA crm; CREATE TABLE crm."Old ""Leads""; DROP TABLE leads" AS SELECT generate_series(1, 5);
      CREATE TABLE lead_events (id int) PARTITION BY RANGE (id);
      CREATE TABLE lead_events_1 PARTITION OF lead_events FOR VALUES FROM (0) TO (100);
      INSERT INTO lead_events VALUES (1), (2);
      CREATE VIEW lead_view AS SELECT * FROM leads; CREATE TABLE others AS SELECT 1`,
      database,
    );
    const help = 'Rows in all tables with "lead" in their name.';
    const counted = { samples: [{ name: 'lead_count', help, labels: {}, value: 17 }], broken: [] };
    expect(await read(deps)).toEqual(counted);
    deps.found = { postgres: toPostgres(database), missing: {} };
    expect(await read(deps)).toEqual(counted);
  });

  test('metrics of vpsmon.yaml, and a broken one harms nothing', async () => {
    const deps = collectorDeps(
      { postgres: toPostgres() },
      {
        sqlMetrics: [
          {
            name: 'orders',
            help: 'Orders.',
            query: "SELECT 'new' AS state, 'de' AS country, 3 UNION ALL SELECT 'paid', 'at', 4.5",
          },
          { name: 'broken', help: 'x', query: 'SELECT nonsense FROM nowhere' },
          {
            name: 'vandal',
            help: 'x',
            query: 'WITH gone AS (DELETE FROM pg_class RETURNING 1) SELECT count(*) FROM gone',
          },
          { name: 'text', help: 'x', query: "SELECT 'many' AS value" },
          { name: 'twice', help: 'x', query: "SELECT 'a' AS l, 1 AS value UNION ALL SELECT 'a', 2" },
          { name: 'empty', help: 'x', query: 'SELECT NULL::int AS value' },
          {
            name: 'here',
            help: 'Where.',
            query: 'SELECT 1 AS value, current_database() AS db',
            database: 'template1',
          },
          { name: 'gone', help: 'x', query: 'SELECT 1', database: 'nowhere' },
        ],
      },
    );
    const { samples, broken } = await read(deps);
    expect(samples).toEqual([
      { name: 'orders', help: 'Orders.', labels: { state: 'new', country: 'de' }, value: 3 },
      { name: 'orders', help: 'Orders.', labels: { state: 'paid', country: 'at' }, value: 4.5 },
      { name: 'here', help: 'Where.', labels: { db: 'template1' }, value: 1 },
    ]);
    expect(broken.map(({ name }) => name)).toEqual(['broken', 'vandal', 'text', 'twice', 'gone']);
    expect(broken.map(({ why }) => why.replace(/^PostgreSQL at [^ ]+: /, ''))).toEqual([
      'relation "nowhere" does not exist',
      'DECLARE CURSOR must not contain data-modifying statements in WITH',
      'the column value is no number: many',
      'two rows have the same labels: {"l":"a"}',
      'database "nowhere" does not exist',
    ]);
  });

  test('a slow one is asked rarely and keeps its value; one that takes too long is told', async () => {
    const deps = collectorDeps(
      { postgres: toPostgres() },
      {
        sqlMetrics: [
          {
            name: 'slow',
            help: 'x',
            query: 'SELECT extract(epoch FROM clock_timestamp()) AS value FROM pg_sleep(0.2)',
          },
          { name: 'endless', help: 'x', query: 'SELECT 1 FROM pg_sleep(60)' },
        ],
      },
    );
    const collector = open(createSql, deps);
    const first = (await collector.read(patience())) as SqlValues;
    expect(first.samples).toHaveLength(1);
    expect(first.broken).toEqual([{ name: 'endless', why: expect.stringContaining('took too long') }]);
    // The slow one would have another value if it had been asked.
    expect(await collector.read(patience())).toEqual(first);
    // A hundred times as long as it may have taken.
    deps.advance(600_000);
    const later = (await collector.read(patience())) as SqlValues;
    expect(later.samples[0]?.value).not.toBe(first.samples[0]?.value);
  });
});

test('collectors of one process share one connection to one database', async () => {
  const n8n: N8nTarget = {
    url: 'http://127.0.0.1:9',
    apiKey: '',
    how: 'a test',
    database: { ...toPostgres('n8n'), schema: 'public', prefix: '' },
  };
  const deps = collectorDeps({ postgres: toPostgres('n8n'), n8n });
  const collectors = [open(createPostgres, deps), open(createN8n, deps), open(createSql, deps)];
  await Promise.all(collectors.map((collector) => inTime(() => collector.read(patience()))));
  const ours = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'vpsmon'";
  await expect.poll(() => postgres.sql(ours)).toEqual([{ n: 1 }]);
  for (const collector of collectors) await collector.close?.();
  await expect.poll(() => postgres.sql(ours)).toEqual([{ n: 0 }]);
});
