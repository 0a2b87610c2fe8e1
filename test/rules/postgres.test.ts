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
