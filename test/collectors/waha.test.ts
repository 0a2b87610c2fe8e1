import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWaha, placeInTime } from '../../src/collectors/waha.ts';
import type { WahaValues } from '../../src/model/snapshot.ts';
import { collectorDeps, patience } from '../helpers/collector-deps.ts';
import type { TestDeps } from '../helpers/collector-deps.ts';
import { freePort } from '../helpers/free-port.ts';
import type { Fault } from '../standins/http-faults.ts';
import { startWaha } from '../standins/waha.ts';
import type { Waha } from '../standins/waha.ts';

let waha: Waha;
let deps: TestDeps;

beforeEach(async () => {
  waha = await startWaha();
  deps = collectorDeps({ waha: { url: waha.url, apiKey: waha.key, how: 'a test' } });
});
afterEach(() => waha.close());

const read = async () => (await createWaha(deps).read(patience())) as WahaValues;

test('all sessions, stopped ones and unknown statuses, too, in every shape that WAHA gives', async () => {
  waha.set({ name: 'default', status: 'WORKING', timestamps: { activity: 1_700_000_000_000 } });
  waha.set({ name: 'null', status: 'FAILED', timestamps: { activity: null } });
  waha.set({ name: 'empty', status: 'STOPPED', timestamps: {} });
  waha.set({ name: 'old', status: 'SCAN_QR_CODE' });
  waha.set({ name: 'new', status: 'TELEPATHY_REQUIRED' });
  const { address, sessions } = await read();
  expect(address).toBe(`127.0.0.1:${waha.port}`);
  const timeless = ({ notWorkingSince: _away, ...session }: (typeof sessions)[number]) => ({
    ...session,
    since: 0,
  });
  expect(sessions.map(timeless)).toEqual([
    { name: 'default', since: 0, status: 'WORKING', lastActivity: 1_700_000_000_000 },
    { name: 'null', since: 0, status: 'FAILED' },
    { name: 'empty', since: 0, status: 'STOPPED' },
    { name: 'old', since: 0, status: 'SCAN_QR_CODE' },
    { name: 'new', since: 0, status: 'TELEPATHY_REQUIRED' },
  ]);
  expect(waha.asked.map(({ path, query }) => `${path}?${query}`)).toEqual(['/api/sessions?all=true']);
});

test('a session that lacks its name or status, or whose times are nonsense, does not hide the others', async () => {
  waha.set({ name: 'odd', status: 'FAILED', timestamps: 'never' as never });
  waha.set({ name: 'less', status: null as never });
  waha.set({ name: undefined as never, status: 'FAILED' });
  expect((await read()).sessions.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'default WORKING',
    'odd FAILED',
  ]);
  waha.sessions.delete('default');
  waha.sessions.delete('odd');
  await expect(read()).rejects.toThrow('answered something else than expected');
});

test('since when a session is in its state outlives the process, and is written only when it changes', async () => {
  const first = (await read()).sessions[0]?.since ?? 0;
  const written = deps.memory.get('waha.since');
  deps.remember = () => {
    throw new Error('nothing changed');
  };
  deps.advance(60_000);
  expect((await read()).sessions[0]?.since).toBe(first);
  deps.remember = (key, value) => void deps.memory.set(key, JSON.stringify(value));
  waha.set({ name: 'default', status: 'FAILED' });
  deps.advance(60_000);
  const failed = (await read()).sessions[0]?.since ?? 0;
  expect(failed - first).toBeGreaterThanOrEqual(120_000);
  expect(deps.memory.get('waha.since')).not.toBe(written);
});

test('a session that went away is forgotten, and one in the future is not', () => {
  const listed = [{ name: 'a', status: 'WORKING' }];
  const { sessions, since } = placeInTime(
    listed,
    { a: { status: 'WORKING', since: 5000 }, b: { status: 'FAILED', since: 1 } },
    3000,
  );
  expect(sessions).toEqual([{ name: 'a', status: 'WORKING', since: 3000 }]);
  expect(since).toEqual({ a: { status: 'WORKING', since: 3000 } });
  expect(placeInTime([{ name: '__proto__', status: 'X' }], {}, 1).sessions).toEqual([
    { name: '__proto__', status: 'X', since: 1, notWorkingSince: 1 },
  ]);
});

test('no session at all is a good answer', async () => {
  waha.sessions.clear();
  expect((await read()).sessions).toEqual([]);
});

test.each([
  ['wrong', 'not-the-key-99', 'refuses the API key; set WAHA_API_KEY to one that it accepts'],
  ['missing', '', 'asks for an API key; set WAHA_API_KEY to one that it accepts'],
])('a %s key is told in one sentence, without it', async (_name, apiKey, why) => {
  deps.found = { waha: { url: waha.url, apiKey, how: 'a test' }, missing: {} };
  const error = await read().catch((thrown: unknown) => String(thrown));
  expect(error).toBe(`Error: WAHA at 127.0.0.1:${waha.port} ${why}`);
  expect(waha.asked[0]?.headers['x-api-key']).toBe(apiKey || undefined);
});

test.each<[Fault, string]>([
  ['garbage', 'answered something else than expected'],
  ['empty', 'answered something else than expected'],
  ['error', 'answered 500: Internal server error'],
  ['cut', 'WAHA: 127.0.0.1'],
])('%s', async (fault, why) => {
  waha.fault = fault;
  await expect(read()).rejects.toThrow(why);
  waha.fault = undefined;
  expect((await read()).sessions).toHaveLength(1);
});

test.each([
  ['an object', '{"sessions":[]}'],
  ['null', 'null'],
  ['sessions without names', '[{"status":"WORKING"}]'],
  ['numbers', '[1,2]'],
])('%s instead of a list is an error', async (_name, body) => {
  deps.system.http = async () => ({ status: 200, headers: {}, body });
  await expect(read()).rejects.toThrow('answered something else than expected');
});

test('a server that hangs is given up with the signal', async () => {
  waha.fault = 'hang';
  await expect(createWaha(deps).read(AbortSignal.timeout(200))).rejects.toThrow(
    `WAHA: gave up waiting for 127.0.0.1`,
  );
});

test('nobody there: looked for again', async () => {
  deps.found = {
    waha: { url: `http://127.0.0.1:${await freePort()}`, apiKey: 'k', how: 'a test' },
    missing: {},
  };
  await expect(read()).rejects.toThrow('refused the connection');
  expect(deps.rediscovered()).toBe(1);
  deps.found = { missing: { waha: 'no container runs WAHA' } };
  expect(await read()).toEqual({ absent: 'no container runs WAHA' });
});

test('a path and a login of a proxy in the address', async () => {
  const url = `http://proxy:p%40ss@127.0.0.1:${waha.port}/waha/`;
  deps.found = { waha: { url, apiKey: waha.key, how: 'a test' }, missing: {} };
  await expect(read()).rejects.toThrow(
    `WAHA at 127.0.0.1:${waha.port} answered 404: Cannot GET /waha/api/sessions`,
  );
  expect(waha.asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('proxy:p@ss').toString('base64')}`);
});

test('since when it has not worked outlives the change from one bad status to the next, but not a stop', () => {
  let since: ReturnType<typeof placeInTime>['since'] = {};
  const away = (status: string, now: number) => {
    const placed = placeInTime([{ name: 'a', status }], since, now);
    since = placed.since;
    return placed.sessions[0]?.notWorkingSince;
  };
  expect(away('WORKING', 1)).toBeUndefined();
  expect(away('FAILED', 10)).toBe(10);
  expect(away('STARTING', 20)).toBe(10);
  expect(away('FAILED', 30)).toBe(10);
  // The clock was set back.
  expect(away('FAILED', 5)).toBe(5);
  expect(away('STOPPED', 40)).toBeUndefined();
  expect(away('STARTING', 50)).toBe(50);
  expect(away('WORKING', 60)).toBeUndefined();
});
