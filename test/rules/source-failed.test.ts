import { describe, expect, test } from 'vitest';
import { SOURCE_IDS } from '../../src/model/sources.ts';
import { judged, short } from './judge.ts';

const failed = { state: 'failed', why: 'connect ECONNREFUSED 127.0.0.1:5432', tookMs: 3 } as const;
const of = (findings: ReturnType<typeof judged>, source: string) =>
  findings.find((finding) => finding.subject === source)!;

describe('source-failed', () => {
  test('every source has a verdict; absent is fine', () => {
    const findings = judged('source-failed', {});
    expect(findings.map((finding) => finding.subject)).toEqual([...SOURCE_IDS]);
    expect(new Set(findings.map(short))).toEqual(new Set(['ok']));
  });

  test.each([
    [1, 'between'],
    [2, 'between'],
    [3, 'warning'],
    [300, 'warning'],
  ])('%d failures in a row: %s', (times, expected) => {
    const past = { failedInARow: { postgres: times } };
    expect(short(of(judged('source-failed', { postgres: failed }, { past }), 'postgres'))).toBe(expected);
  });

  test('a failure that nobody counted is the first one', () => {
    expect(short(of(judged('source-failed', { redis: failed }), 'redis'))).toBe('between');
  });

  test('says what and why', () => {
    const past = { failedInARow: { postgres: 3 } };
    expect(of(judged('source-failed', { postgres: failed }, { past }), 'postgres').text).toBe(
      'PostgreSQL cannot be read: connect ECONNREFUSED 127.0.0.1:5432',
    );
  });

  test('Docker shares its cause with what is said about its containers', () => {
    const past = { failedInARow: { docker: 3, redis: 3 } };
    const findings = judged('source-failed', { docker: failed, redis: failed }, { past });
    expect(of(findings, 'docker').cause).toBe('docker-gone');
    expect(of(findings, 'redis').cause).toBeUndefined();
  });
});
