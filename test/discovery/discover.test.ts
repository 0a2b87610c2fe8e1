import { beforeEach, expect, test } from 'vitest';
import { createDiscovery } from '../../src/discovery/discover.ts';
import type { Clock, Docker, Files } from '../../src/system/types.ts';
import { configWith, container } from './fixtures.ts';
import type { Sketch } from './fixtures.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const postgres: Sketch = {
  name: 'postgres',
  image: 'postgres:16',
  env: { POSTGRES_PASSWORD: 'x' },
  address: '172.20.0.5',
};
const patience = () => new AbortController().signal;

let now: number;
let sketches: Sketch[];
let lists: number;
let inspected: string[];
let failure: Error | undefined;
let gate: Promise<void> | undefined;
let tooLong: boolean;

beforeEach(() => {
  [now, lists, failure, gate] = [0, 0, undefined, undefined];
  sketches = [
    { ...postgres, id: 'a' },
    { name: 'web', image: 'nginx', id: 'b', ports: ['80'] },
  ];
  inspected = [];
  tooLong = false;
});

/** An engine that counts what it is asked. */
function discovery(settings = {}, more: { isFollowed?: () => boolean } = {}) {
  const all = () => sketches.map((sketch) => container(sketch));
  const docker = {
    address: '/var/run/docker.sock',
    async list() {
      lists++;
      await gate;
      if (failure) throw failure;
      return all().map(({ item }) => item);
    },
    async inspect(id: string) {
      const found = all().find(({ inspect }) => inspect.id === id);
      inspected.push(found?.inspect.name ?? id);
      if (tooLong) throw Object.assign(new Error('the answer is too large'), { code: 'ETOOLONG' });
      if (!found) throw Object.assign(new Error('gone'), { status: 404 });
      return found.inspect;
    },
  } as unknown as Docker;
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms / 20);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  } as Clock;
  const files = { textOr: () => undefined } as unknown as Files;
  return createDiscovery({ docker, config: configWith(settings), clock, files, ...more });
}

test('one list and an inspect of what may be one of ours, once for all who ask', async () => {
  const one = discovery();
  const [first, second] = await Promise.all([one.current(patience()), one.current(patience())]);
  expect(first).toBe(second);
  expect(first.postgres?.host).toBe('172.20.0.5');
  expect([lists, inspected]).toEqual([1, ['postgres']]);
  now += 4 * MINUTE;
  expect(await one.current(patience())).toBe(first);
  expect(lists).toBe(1);
});

test('what is missing is looked for again after 5 minutes, and what is complete after 30', async () => {
  const one = discovery();
  await one.current(patience());
  sketches.push({ name: 'redis', image: 'redis', id: 'c' });
  now += 5 * MINUTE;
  expect((await one.current(patience())).redis?.container).toBe('redis');
  sketches.push(
    { name: 'n8n', image: 'n8nio/n8n', id: 'd' },
    { name: 'waha', image: 'devlikeapro/waha', id: 'e' },
  );
  now += 5 * MINUTE;
  const complete = await one.current(patience());
  expect(complete.missing).toEqual({});
  expect(lists).toBe(3);
  now += 29 * MINUTE;
  await one.current(patience());
  expect(lists).toBe(3);
  now += MINUTE;
  expect(await one.current(patience())).toBe(complete);
  expect(lists).toBe(4);
});

test('a target that does not answer is looked for at once, then ever more rarely', async () => {
  const one = discovery();
  await one.current(patience());
  const looks: number[] = [];
  for (let second = 0; second <= 280; second += 5) {
    one.invalidate();
    const before = lists;
    await one.current(patience());
    if (lists > before) looks.push(second);
    now += 5 * SECOND;
  }
  expect(looks).toEqual([0, 10, 30, 70, 150, 270]);
  sketches[0] = { ...postgres, id: 'a2', address: '172.20.0.6' };
  now += 2 * MINUTE;
  expect((await one.current(patience())).postgres?.host).toBe('172.20.0.6');
  one.invalidate();
  const before = lists;
  await one.current(patience());
  expect(lists).toBe(before + 1);
});

test('without Docker: settings hold, what was found stays known, and it is asked again', async () => {
  failure = new Error('nobody listens at /var/run/docker.sock');
  const one = discovery({ REDIS_URL: 'redis://10.0.0.1' });
  const first = await one.current(patience());
  expect(first.redis?.host).toBe('10.0.0.1');
  expect(first.missing.postgres).toContain('Docker cannot be asked for PostgreSQL');
  failure = undefined;
  now += 30 * SECOND;
  expect((await one.current(patience())).postgres?.host).toBe('172.20.0.5');
  failure = new Error('hung up');
  one.invalidate();
  expect((await one.current(patience())).postgres?.host).toBe('172.20.0.5');
});

test('an engine that hangs holds nobody up who knows something already', async () => {
  const one = discovery();
  const known = await one.current(patience());
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  one.invalidate();
  expect(await one.current(patience())).toBe(known);
  sketches[0] = { ...postgres, id: 'a', address: '172.20.0.7' };
  open();
  await expect.poll(async () => (await one.current(patience())).postgres?.host).toBe('172.20.0.7');
});

test('a container that goes away between list and inspect is none', async () => {
  const one = discovery();
  gate = Promise.resolve().then(() => void (sketches = sketches.slice(1)));
  sketches = [{ ...postgres, id: 'a' }];
  const found = await one.current(patience());
  expect(found.postgres).toBeUndefined();
  expect(found.missing.postgres).toBe('no container runs PostgreSQL, and POSTGRES_URL is not set');
});

test('A21: one that says more about itself than anybody reads is here, and not watched', async () => {
  tooLong = true;
  const found = await discovery().current(patience());
  expect(found.missing.postgres).toBe('container postgres cannot be inspected: the answer is too large');
  expect(found.unreadable).toEqual(['postgres']);
  expect(found.missing.redis).toMatch(/^no container runs Redis/);
});

test('H5: an address that another container has got meanwhile is given no password', async () => {
  const one = discovery();
  expect((await one.current(patience())).postgres).toMatchObject({ host: '172.20.0.5', password: 'x' });
  // Both were restarted, and came up in another order.
  sketches = [
    { ...postgres, id: 'a', address: '172.20.0.6' },
    { name: 'web', image: 'nginx', id: 'b', ports: ['80'], address: '172.20.0.5' },
  ];
  one.moved({ id: 'a'.padStart(64, '0'), image: 'postgres:16' });
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  // Nobody connects before it is known, not even who asks while it is looked at.
  const asked = [one.current(patience()), one.current(patience())];
  setTimeout(open, 80);
  for (const found of await Promise.all(asked)) expect(found.postgres?.host).toBe('172.20.0.6');
  expect(lists).toBe(2);
  // Others may come and go: that costs no look.
  one.moved({ id: 'b'.padStart(64, '0'), image: 'nginx' });
  await one.current(patience());
  expect(lists).toBe(2);
  // One of our kinds that is new is found at once.
  sketches.push({ name: 'redis', image: 'redis:7', id: 'c' });
  one.moved({ id: 'c'.padStart(64, '0'), image: 'redis:7' });
  expect((await one.current(patience())).redis?.container).toBe('redis');
});

test('H5: where one moved and Docker cannot be asked where to, nothing is sent to where it was', async () => {
  const one = discovery({ REDIS_URL: 'redis://:y@10.0.0.1' });
  await one.current(patience());
  failure = new Error('hung up');
  one.moved({ id: 'a'.padStart(64, '0'), image: 'postgres:16' });
  for (const _ of [1, 2]) {
    const found = await one.current(patience());
    expect(found.postgres).toBeUndefined();
    expect(found.missing.postgres).toBe('Docker cannot be asked where it is now: hung up');
    expect(found.unreadable).toEqual(['postgres']);
    // What a person set has its address from there.
    expect(found.redis?.host).toBe('10.0.0.1');
  }
  failure = undefined;
  expect((await one.current(patience())).postgres?.password).toBe('x');
});

test('H5: what moves while it is looked at is looked at again', async () => {
  const one = discovery();
  await one.current(patience());
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  one.moved({ id: '', image: 'postgres:16' });
  const asked = one.current(patience());
  await expect.poll(() => lists).toBe(2);
  gate = undefined;
  sketches[0] = { ...postgres, id: 'a', address: '172.20.0.9' };
  one.moved({ id: '', image: 'postgres:16' });
  open();
  expect((await asked).postgres?.host).toBe('172.20.0.9');
  expect(lists).toBe(3);
});

test('H5: where events cannot be followed, an address is believed for less than a check', async () => {
  let isFollowed = true;
  const one = discovery({}, { isFollowed: () => isFollowed });
  await one.current(patience());
  now += 26 * SECOND;
  await one.current(patience());
  expect(lists).toBe(1);
  isFollowed = false;
  await one.current(patience());
  expect(lists).toBe(2);
});
