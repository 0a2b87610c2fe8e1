import { afterEach, beforeEach, expect, test } from 'vitest';
import { createN8n } from '../../src/collectors/n8n.ts';
import { keyExpiry, failuresOf } from '../../src/collectors/n8n-api.ts';
import { countExecutions, identifier } from '../../src/collectors/n8n-database.ts';
import { createPostgres } from '../../src/collectors/postgres.ts';
import { createRedis } from '../../src/collectors/redis.ts';
import type { N8nValues } from '../../src/model/snapshot.ts';
import { workflowsText } from '../../src/model/text.ts';
import { collectorDeps, patience, type TestDeps } from '../helpers/collector-deps.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTcp } from '../helpers/tcp-server.ts';
import type { Fault } from '../standins/http-faults.ts';
import { startN8n, type N8n } from '../standins/n8n.ts';

const HOUR = 3_600_000;
let n8n: N8n;
let deps: TestDeps;

/** One for all executions of a test: which came last decides about failures in a row. */
let start: number;

beforeEach(async () => {
  start = Date.now();
  n8n = await startN8n();
  deps = collectorDeps({ n8n: { url: n8n.url, apiKey: n8n.key, how: 'a test' } });
});
afterEach(() => n8n.close());

const read = async (collector = createN8n(deps)) => (await collector.read(patience())) as N8nValues;

function execute(status: string, count: number, hoursAgo?: number): void {
  for (let n = 0; n < count; n++) {
    const stoppedAt = hoursAgo === undefined ? null : new Date(start - hoursAgo * HOUR).toISOString();
    n8n.executions.push({ id: n8n.executions.length + 1, status, stoppedAt, workflowId: '1' });
  }
}

test('without a database the API tells, over all pages, only the recent ones', async () => {
  // Not an hour ago: within the same millisecond that would be of the last hour, too.
  execute('success', 50, 30);
  execute('success', 600, 1.5);
  execute('error', 7, 1.5);
  execute('crashed', 2, 1.5);
  execute('canceled', 3, 1.5);
  execute('running', 4);
  execute('waiting', 5);
  execute('new', 9);
  for (let n = 1; n <= 130; n++) n8n.add({ id: String(n), activeVersionId: n <= 60 ? `${n}-v1` : null });
  n8n.add({ id: 'x', isArchived: true });
  expect(await read()).toEqual({
    executions: { active: 4, waiting: 5, completed: 600, failed: 9, canceled: 3 },
    failures: {
      windowMin: 60,
      finished: 0,
      failed: 0,
      streaks: [{ workflow: '1', count: 0, since: 0 }],
    },
    workflows: { total: 130, active: 60 },
    healthy: true,
  });
  expect(
    n8n.asked.every(({ headers, path }) => path === '/healthz' || headers['x-n8n-api-key'] === n8n.key),
  ).toBe(true);
});

test('A14: more workflows than are counted are said to be more', async () => {
  for (let n = 1; n <= 1100; n++) n8n.add({ id: String(n), activeVersionId: n <= 60 ? `${n}-v1` : null });
  const { workflows } = await read();
  expect(workflows).toEqual({ total: 1000, active: 60, more: true });
  expect(workflowsText(workflows ?? { total: 0, active: 0 })).toBe(
    'at least 60 of more than 1,000 workflows active',
  );
});

test('an endless history costs four pages', async () => {
  execute('success', 5000, 1);
  expect((await read()).executions?.completed).toBe(1000);
  expect(n8n.asked.filter(({ query }) => query.get('status') === 'success')).toHaveLength(4);
});

test('what the API told is kept for a minute, workflows for ten', async () => {
  n8n.add({ id: '1' });
  const collector = createN8n(deps);
  await read(collector);
  const asked = () => n8n.asked.filter(({ path }) => path !== '/healthz').length;
  const first = asked();
  execute('running', 1);
  expect((await read(collector)).executions?.active).toBe(0);
  expect(asked()).toBe(first);
  deps.advance(61_000);
  n8n.add({ id: '2' });
  const later = await read(collector);
  expect(later.executions?.active).toBe(1);
  expect(later.workflows?.total).toBe(1);
  deps.advance(540_000);
  expect((await read(collector)).workflows?.total).toBe(2);
});

test('an n8n before published versions', async () => {
  const old = await startN8n({ old: true });
  old.add({ id: '1' });
  old.add({ id: '2', activeVersionId: null });
  deps.found = { n8n: { url: old.url, apiKey: old.key, how: 'a test' }, missing: {} };
  expect((await read()).workflows).toEqual({ total: 2, active: 1 });
  await old.close();
});

test('without a key only the health is read, and nothing is asked for', async () => {
  deps.found = { n8n: { url: n8n.url, apiKey: '', how: 'a test' }, missing: {} };
  expect(await read()).toEqual({ healthy: true });
  expect(n8n.asked.map(({ path }) => path)).toEqual(['/healthz']);
});

test('a wrong key, a key without rights, a switched-off API: told, and health is still read', async () => {
  deps.found = { n8n: { url: n8n.url, apiKey: 'not-the-key-99', how: 'a test' }, missing: {} };
  const at = `n8n at 127.0.0.1:${n8n.port}`;
  const refused = `${at} refuses the API key (401: wrong, revoked or expired); set N8N_API_KEY to one that it accepts`;
  expect(await read()).toEqual({
    healthy: true,
    problems: [`key: ${refused}`],
  });
  for (const [options, why] of [
    [{ scopes: ['workflow:list' as const] }, 'refuses the API key'],
    [{ disabled: true }, 'answered 404'],
  ] as const) {
    const other = await startN8n({
      ...options,
      scopes: options.scopes ? [...options.scopes] : ['workflow:list', 'execution:list'],
    } as object);
    deps.found = { n8n: { url: other.url, apiKey: other.key, how: 'a test' }, missing: {} };
    const values = await read();
    expect(values.healthy).toBe(true);
    expect(values.problems?.[0]).toContain(why);
    await other.close();
  }
});

test('why its database or queue cannot be read is among the problems', async () => {
  deps.found = {
    n8n: { url: n8n.url, apiKey: '', how: 'a test' },
    missing: {
      n8nDatabase: "n8n's database: no running container is called db",
      n8nQueue: "n8n's queue: gone",
    },
  };
  expect(await read()).toEqual({
    healthy: true,
    problems: ["executions: n8n's database: no running container is called db", "queue: n8n's queue: gone"],
  });
  deps.found = { ...deps.found, n8n: { url: n8n.url, apiKey: n8n.key, how: 'a test' } };
  expect((await read()).problems).toEqual(["queue: n8n's queue: gone"]);
});

test('A6: unwell, and gone: it is here, and not healthy, since when', async () => {
  n8n.healthy = false;
  expect(await read()).toMatchObject({
    healthy: false,
    problems: [`health: n8n at 127.0.0.1:${n8n.port} answered 503 to /healthz`],
  });
  await n8n.down();
  const collector = createN8n(deps);
  const gone = {
    healthy: false,
    unhealthyForSec: 0,
    problems: [expect.stringMatching(/^health: .*refused the connection$/)],
  };
  expect(await read(collector)).toEqual(gone);
  deps.advance(301_000);
  const later = await read(collector);
  expect(later).toEqual({ ...gone, unhealthyForSec: expect.any(Number) as number });
  expect(later.unhealthyForSec).toBeGreaterThanOrEqual(301);
  expect(deps.rediscovered()).toBeGreaterThan(0);
  await n8n.up();
});

test('A6: who answers to its address, and is not n8n, is no healthy n8n', async () => {
  const page = '<!doctype html><title>Back soon</title>';
  const server = await startTcp({
    answer: `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
  });
  deps.found = { ...deps.found, n8n: { url: `http://127.0.0.1:${server.port}`, apiKey: '', how: 'a test' } };
  expect(await read()).toMatchObject({
    healthy: false,
    problems: [expect.stringContaining(`what answers at 127.0.0.1:${server.port} is not n8n`)],
  });
  await server.close();
});

test.each<[Fault, string]>([
  ['garbage', 'answered something else than expected'],
  ['empty', 'answered something else than expected'],
])('%s: health is all that can be said', async (fault, why) => {
  n8n.fault = fault;
  const values = await read();
  expect(values.executions).toBeUndefined();
  expect(values.problems?.[0]).toContain(why);
});

test('errors everywhere are told one by one', async () => {
  n8n.fault = 'error';
  const { healthy, problems } = await read();
  expect(healthy).toBe(false);
  expect(problems).toHaveLength(3);
  expect(problems?.every((problem) => problem.includes('answered 500'))).toBe(true);
});

test('a server that hangs is given up with the signal', async () => {
  n8n.fault = 'hang';
  expect(await createN8n(deps).read(AbortSignal.timeout(200))).toEqual({
    healthy: false,
    unhealthyForSec: 0,
    problems: [expect.stringMatching(/^health: .*gave up waiting/)],
  });
});

test('nobody there', async () => {
  deps.found = {
    n8n: { url: `http://127.0.0.1:${await freePort()}`, apiKey: '', how: 'a test' },
    missing: {},
  };
  expect((await read()).problems).toEqual([expect.stringMatching(/^health: n8n: 127\.0\.0\.1/)]);
  deps.found = { missing: { n8n: 'no container runs n8n' } };
  expect(await read()).toEqual({ absent: 'no container runs n8n' });
});

test("n8n's statuses in ours", () => {
  const rows = [
    'new',
    'running',
    'waiting',
    'success',
    'error',
    'crashed',
    'canceled',
    'unknown',
    'later',
  ].map((status, index) => ({ status, unstarted: status === 'new' ? 't' : 'f', n: String(2 ** index) }));
  expect(countExecutions(rows)).toEqual({
    queued: 1,
    active: 2,
    waiting: 4,
    completed: 8,
    failed: 48,
    canceled: 64,
  });
  expect(countExecutions([{ status: 'new', unstarted: 'f', n: '3' }]).queued).toBe(0);
});

test('identifiers cannot break out', () => {
  expect(identifier('a"; DROP TABLE x; --')).toBe('"a""; DROP TABLE x; --"');
});

test('A7: a key that is revoked is noticed although the database tells everything else', async () => {
  const collector = createN8n(deps);
  expect((await read(collector)).problems).toBeUndefined();
  deps.found = { n8n: { url: n8n.url, apiKey: 'revoked-meanwhile', how: 'a test' }, missing: {} };
  expect((await read(collector)).problems).toEqual([
    expect.stringMatching(/^key: .* refuses the API key \(401/),
  ]);
  // It is tried again within two minutes, and a good one counts for ten.
  deps.found = { n8n: { url: n8n.url, apiKey: n8n.key, how: 'a test' }, missing: {} };
  expect((await read(collector)).problems).toBeUndefined();
});

test('A7: until when a key holds stands in it', () => {
  const key = (claims: object) =>
    `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;
  expect(keyExpiry(key({ iss: 'n8n', exp: 1_800_000_000 }))).toBe(1_800_000_000_000);
  for (const odd of [key({}), key({ exp: 'soon' }), 'n8n_api_abc', '', 'a.b.c', key([null])])
    expect(keyExpiry(odd)).toBeUndefined();
});

test('executions that fail, without a database: the share, and in a row by the name of the workflow', async () => {
  n8n.add({ id: '1', name: 'Orders' });
  const stopped = (minutesAgo: number) => new Date(Date.now() - minutesAgo * 60_000).toISOString();
  const add = (status: string, minutesAgo: number) =>
    n8n.executions.push({
      id: n8n.executions.length + 1,
      status,
      stoppedAt: stopped(minutesAgo),
      workflowId: '1',
    });
  add('error', 90);
  add('success', 50);
  for (let minute = 40; minute > 35; minute--) add('error', minute);
  expect((await read()).failures).toEqual({
    windowMin: 60,
    finished: 6,
    failed: 5,
    streaks: [{ workflow: 'Orders', count: 5, since: expect.any(Number) }],
  });
});

test('A14: more than the API gives is said to be more', async () => {
  execute('success', 3781, 1);
  const values = await read();
  expect(values).toMatchObject({ countedUpTo: 1000, executions: { completed: 1000 } });
});

test('A14: where the API gives no more, the share is of the minutes that are known', async () => {
  const add = (status: string, secondsAgo: number) => {
    const stoppedAt = new Date(Date.now() - secondsAgo * 1000).toISOString();
    n8n.executions.push({ id: n8n.executions.length + 1, status, stoppedAt, workflowId: '1' });
  };
  // Every ten minutes 500 succeed and 20 fail; the newest 1,000 successes reach back 20 minutes.
  for (let second = 3599; second >= 0; second--) {
    if (second % 6 < 5) add('success', second);
    if (second % 30 === 29) add('error', second);
  }
  const { failures } = await read();
  expect(failures?.windowMin).toBeLessThanOrEqual(21);
  expect(failures?.failed).toBeLessThanOrEqual(41);
  expect(failures?.failed).toBeGreaterThanOrEqual(38);
  // The last success before the newest thousand is not known: no series is made up.
  expect(failures?.streaks[0]?.count).toBeLessThanOrEqual(1);
});

test('failures in a row end with a success, whatever the order in which they come', () => {
  const of = (workflow: string, failed: boolean, at: number) => ({ workflow, failed, at });
  const finished = [
    of('a', true, 5),
    of('a', false, 3),
    of('b', true, 2),
    of('a', true, 1),
    of('b', true, 4),
  ];
  const streaks = [
    { workflow: 'b', count: 2, since: 2 },
    { workflow: 'a', count: 1, since: 5 },
  ];
  expect(failuresOf(finished, 60, 10)).toEqual({ windowMin: 60, finished: 5, failed: 4, streaks });
  expect(failuresOf(finished.toReversed(), 60, 10).streaks).toEqual(streaks);
  // A workflow that runs once a day fails in a row, too; the share is of an hour.
  const days = [1, 2, 3].map((day) => of('daily', true, day * 86_400_000));
  expect(failuresOf(days, 60, 4 * 86_400_000)).toMatchObject({
    finished: 0,
    streaks: [{ workflow: 'daily', count: 3 }],
  });
  expect(failuresOf([...days, of('daily', false, 4 * 86_400_000)], 60, 5 * 86_400_000).streaks).toMatchObject(
    [{ workflow: 'daily', count: 0 }],
  );
});

test('A21: what runs here and cannot be watched is a failed source, not an absent one', async () => {
  const why = 'container db has its password in a file (POSTGRES_PASSWORD_FILE): set POSTGRES_PASSWORD';
  deps.found = { missing: { postgres: why, redis: 'no container runs Redis' }, unreadable: ['postgres'] };
  await expect(createPostgres(deps).read(patience())).rejects.toThrow(`it is here, and not watched: ${why}`);
  expect(await createRedis(deps).read(patience())).toEqual({ absent: 'no container runs Redis' });
});
