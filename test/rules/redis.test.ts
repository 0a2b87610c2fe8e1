import { expect, test } from 'vitest';
import type { RedisValues } from '../../src/model/snapshot.ts';
import { judged, judgedOne, MB, ok, short } from './judge.ts';

const redis = (values: Partial<RedisValues>) => ({
  redis: ok<RedisValues>({
    address: 'redis:6379',
    version: '7.2.5',
    usedMemoryBytes: MB,
    maxMemoryBytes: 100 * MB,
    keys: 10,
    clients: 3,
    evictedTotal: 0,
    rejectedTotal: 0,
    policy: 'noeviction',
    ...values,
  }),
});
const writes = (values: Partial<RedisValues>) => judgedOne('redis-writes', redis(values));

test.each([
  [84, 'ok'],
  [85, 'between'],
  [90, 'warning'],
  [100, 'critical'],
  [107, 'critical'],
])('A9: %d of 100 MB, nothing may be evicted: %s', (mb, expected) => {
  expect(short(writes({ usedMemoryBytes: mb * MB }))).toBe(expected);
});

test('A9: what a full Redis means for n8n is said', () => {
  const finding = writes({ usedMemoryBytes: 101 * MB, queue: true });
  expect(finding.text).toMatch(/^Redis refuses writes: 101.* MB of 100.* MB \(maxmemory\) used$/);
  expect(finding.details?.join()).toMatch(/every execution fails.*Raise maxmemory/);
  expect(finding.holdMs).toBeUndefined();
});

test('A9: refused writes count whatever the policy is; a full cache that evicts is none', () => {
  const full = { usedMemoryBytes: 101 * MB, policy: 'allkeys-lru' };
  expect(short(writes(full))).toBe('ok');
  expect(short(writes({ ...full, refusedWrites: 2 }))).toBe('critical');
  expect(short(writes({ maxMemoryBytes: null, refusedWrites: 2 }))).toBe('critical');
  expect(short(writes({ maxMemoryBytes: null, refusedWrites: 0 }))).toBe('ok');
});

test('A9: what to do is about memory only where memory is what is missing', () => {
  const advice = (values: Partial<RedisValues>) => writes({ refusedWrites: 2, ...values }).details?.join();
  expect(advice({ usedMemoryBytes: 95 * MB, policy: 'volatile-lru' })).toContain('Raise maxmemory');
  for (const values of [{ usedMemoryBytes: MB }, { maxMemoryBytes: null }]) {
    expect(advice(values)).not.toContain('Raise maxmemory');
    expect(advice(values)).toMatch(/MISCONF.*READONLY.*NOREPLICAS/);
  }
});

test('A9: what keeps Redis from writing besides memory is trouble at the first look', () => {
  expect(short(writes({ unwritable: 'aof' }))).toBe('critical');
  expect(short(writes({ unwritable: 'rdb', maxMemoryBytes: null }))).toBe('warning');
  expect(short(writes({ unwritable: 'replica' }))).toBe('ok');
  const replica = writes({ unwritable: 'replica', queue: true });
  expect(short(replica)).toBe('critical');
  expect(replica.details?.join()).toContain('every execution fails');
});

test('A10: evictions are trouble where the queue of n8n is in it, and nothing to a cache', () => {
  const evictions = (values: Partial<RedisValues>) => judged('redis-evictions', redis(values));
  expect(evictions({ evictedTotal: 39 })).toEqual([]);
  const [known] = evictions({ queue: true, evictedTotal: 39, evictedLastHour: 3, policy: 'allkeys-lru' });
  expect(short(known!)).toBe('critical');
  expect(known!.text).toBe(
    'Redis evicted 3 keys within an hour, and it holds the queue of n8n: jobs are lost',
  );
  expect(known!.details?.join()).toContain('allkeys-lru');
  expect(evictions({ queue: true, evictedTotal: 39, evictedLastHour: 0 })[0]?.verdict).toBe('ok');
  expect(short(evictions({ queue: true, evictedTotal: 39 })[0]!)).toBe('critical');
});

test('a replica without its master is trouble, a master is none', () => {
  const replica = (values: Partial<RedisValues>) => judged('redis-replica', redis(values));
  expect(replica({})).toEqual([]);
  expect(replica({ master: { address: 'db1:6379', up: true } })[0]?.verdict).toBe('ok');
  const [down] = replica({ master: { address: 'db1:6379', up: false } });
  expect(short(down!)).toBe('warning');
  expect(down).toMatchObject({
    text: 'Redis is a replica, and its link to the master db1:6379 is down',
    holdMs: 60_000,
  });
  // One that was started calls its master after it has loaded its data.
  const loads = { master: { address: 'db1:6379', up: false }, loadingPercent: 12 };
  expect(replica(loads)[0]?.verdict).toBe('unknown');
  expect(writes(loads).details?.join()).toContain('copies its master anew');
});

test('a Redis that loads its data answers nobody, which a short restart is not', () => {
  const loading = writes({ loadingPercent: 34.7 });
  expect(short(loading)).toBe('warning');
  expect(loading).toMatchObject({
    text: 'Redis answers nobody: it loads its data from disk, 34 % so far',
    holdMs: 60_000,
  });
  expect(short(writes({ loadingPercent: 1, queue: true }))).toBe('critical');
});
