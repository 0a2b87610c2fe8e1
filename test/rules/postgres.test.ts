import { describe, expect, test } from 'vitest';
import type { PostgresValues } from '../../src/model/snapshot.ts';
import { judged, judgedOne, ok, short } from './judge.ts';

const values: PostgresValues = {
  address: '127.0.0.1:5432',
  version: '15',
  cacheHitPercent: 99,
  connections: { active: 2, idle: 5, idleInTransaction: 1, other: 0, total: 8, max: 100 },
  databaseSizeBytes: 1e8,
  longestTransactionSec: 0,
};
const cache = (cacheHitPercent: number) => ({ postgres: ok({ ...values, cacheHitPercent }) });
const used = (total: number, max = 100, longestTransactionSec = 0) => ({
  postgres: ok({ ...values, connections: { ...values.connections, total, max }, longestTransactionSec }),
});

describe('postgres-cache', () => {
  test.each([
    [99, 'ok'],
    [92.1, 'ok'],
    [92, 'between'],
    [90, 'between'],
    [89.9, 'warning'],
    [80, 'warning'],
    [79.9, 'critical'],
    [0, 'critical'],
  ])('%d %%: %s', (percent, expected) => {
    expect(short(judgedOne('postgres-cache', cache(percent)))).toBe(expected);
  });

  test('says value and limit', () => {
    expect(judgedOne('postgres-cache', cache(71.25))).toMatchObject({
      subject: 'postgres',
      value: 71.25,
      limit: 80,
      unit: 'percent',
      text: 'PostgreSQL cache hit ratio is 71.3 %, below 80 %',
    });
  });

  test('too few reads to judge: neither good nor bad', () => {
    const { cacheHitPercent: _, ...idle } = values;
    expect(judgedOne('postgres-cache', { postgres: ok(idle) }).verdict).toBe('unknown');
  });

  test('the ratio since the server’s start is never judged', () => {
    const { cacheHitPercent: _, ...idle } = values;
    const finding = judgedOne('postgres-cache', { postgres: ok({ ...idle, cacheHitLifetimePercent: 12 }) });
    expect(finding.verdict).toBe('unknown');
  });
});

describe('postgres-connections', () => {
  test.each([
    [76, 'ok'],
    [77, 'between'],
    [80, 'between'],
    [81, 'warning'],
    [95, 'warning'],
    [96, 'critical'],
  ])('%d of 100: %s', (total, expected) => {
    expect(short(judgedOne('postgres-connections', used(total)))).toBe(expected);
  });

  test('is a share of max_connections, and tells by state and what holds them', () => {
    const finding = judgedOne('postgres-connections', used(17, 20, 1800));
    expect(finding.text).toBe('PostgreSQL has 17 of 20 connections in use, more than 80 %');
    expect(finding.details).toEqual([
      'Active 2, idle 5, idle in transaction 1, other 0',
      'Longest transaction: 30 min',
    ]);
  });

  test('a maximum of 0 is nonsense and does not divide', () => {
    expect(Number.isFinite(judgedOne('postgres-connections', used(1, 0)).value)).toBe(true);
  });
});

test('no PostgreSQL here: nothing', () => {
  expect(judged('postgres-cache', {})).toEqual([]);
  expect(judged('postgres-connections', {})).toEqual([]);
});

test('N2: a database or a user with a limit of their own may be full while the server is not', () => {
  const narrowest = { of: 'user', name: 'app', used: 10, max: 10 } as const;
  const connections = { ...values.connections, total: 12, max: 100, narrowest };
  const finding = judgedOne('postgres-connections', { postgres: ok({ ...values, connections }) });
  expect(finding).toMatchObject({ verdict: 'breach', severity: 'critical' });
  expect(finding.text).toBe(
    'PostgreSQL has 10 of 10 connections of the user app in use (its CONNECTION LIMIT), more than 95 %',
  );
});

test('N2: what users can still open is without the reserved connections', () => {
  const connections = { ...values.connections, total: 18, max: 20, reserved: 3 };
  const finding = judgedOne('postgres-connections', { postgres: ok({ ...values, connections }) });
  expect(finding).toMatchObject({ verdict: 'breach', severity: 'critical' });
  expect(finding.text).toContain('18 of 20 connections (3 of them are reserved for administrators) in use');
});

describe('postgres-standby', () => {
  const standby = (of: Partial<NonNullable<PostgresValues['standby']>> | undefined) =>
    judged('postgres-standby', {
      postgres: ok({
        ...values,
        ...(of && { standby: { receiving: true, waitingBytes: 0, behindSec: 0, ...of } }),
      }),
    });

  test.each([
    [{}, 'ok'],
    [{ receiving: undefined }, 'ok'],
    [{ receiving: false }, 'warning'],
    [{ waitingBytes: 2e6, behindSec: 140 }, 'ok'],
    [{ waitingBytes: 2e6, behindSec: 200 }, 'between'],
    [{ waitingBytes: 2e6, behindSec: 301 }, 'warning'],
    [{ waitingBytes: 5e5, behindSec: 36_000 }, 'ok'],
  ])('%j: %s', (of, expected) => {
    expect(short(standby(of as Parameters<typeof standby>[0])[0]!)).toBe(expected);
  });

  test('a primary, and one that was promoted, is none', () => {
    expect(standby(undefined)).toEqual([]);
  });

  test('says how far it is behind, and what holds it up', () => {
    const [behind] = standby({ waitingBytes: 300 * 1024 ** 2, behindSec: 720 });
    expect(behind).toMatchObject({
      text: 'PostgreSQL is a standby and 12 min behind its primary: 300 MB are received and not replayed',
      holdMs: 60_000,
    });
    expect(behind!.details?.join()).toContain('pg_wal_replay_resume');
  });
});

describe('postgres-slot', () => {
  const GB = 1024 ** 3;
  const slot = (of: Partial<NonNullable<PostgresValues['slot']>>) =>
    judged('postgres-slot', {
      postgres: ok({ ...values, slot: { name: 'stand1', active: false, keptBytes: 0, lost: false, ...of } }),
    })[0]!;

  test.each([
    [{ keptBytes: 0.7 * GB }, 'ok'],
    [{ keptBytes: 0.9 * GB }, 'between'],
    [{ keptBytes: 2 * GB }, 'warning'],
    [{ keptBytes: 11 * GB }, 'critical'],
    [{ lost: true }, 'warning'],
  ])('%j: %s', (of, expected) => {
    expect(short(slot(of))).toBe(expected);
  });

  test('names it, and whether somebody reads it', () => {
    expect(slot({ keptBytes: 2 * GB })).toMatchObject({
      text: 'The replication slot stand1 of PostgreSQL keeps 2 GB of WAL: nobody reads it',
      details: [expect.any(String), expect.stringContaining("pg_drop_replication_slot('stand1')")],
    });
    const slow = slot({ keptBytes: 2 * GB, active: true });
    expect(slow.text).toContain('its reader does not keep up');
    expect(slow.details?.join()).not.toContain('drop');
  });

  test('without a slot there is nothing to judge', () => {
    expect(judged('postgres-slot', { postgres: ok(values) })).toEqual([]);
  });
});

describe('postgres-wraparound', () => {
  const old = (millions: number) =>
    judgedOne('postgres-wraparound', {
      postgres: ok({ ...values, oldest: { database: 'shop', transactions: millions * 1e6 } }),
    });

  test.each([
    [200, 'ok'],
    [950, 'between'],
    [1050, 'warning'],
    [1900, 'critical'],
  ])('%d million: %s', (millions, expected) => {
    expect(short(old(millions))).toBe(expected);
  });

  test('says which database, and when it ends', () => {
    expect(old(1050).text).toBe(
      'The database shop of PostgreSQL was not frozen for 1,050 million transactions: at 2,144 million it takes no writes any more',
    );
  });
});
