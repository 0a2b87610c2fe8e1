import { describe, expect, test } from 'vitest';
import { SOURCE_IDS, type Readings } from '../../src/model/sources.ts';
import { CHECKS } from '../../src/checks/sources.ts';
import { judgeAll } from '../../src/checks/judge.ts';
import { configWith } from '../helpers/command.ts';
import { fullSnapshot } from '../helpers/full-snapshot.ts';
import { containerInfo, emptySnapshot } from '../helpers/snapshots.ts';
import { AT, ok } from '../rules/judge.ts';
import { expectLinear } from '../helpers/cost.ts';

const past = { failedInARow: {}, growth: [], forecasts: [], historyStart: 0, leftOff: [] };

describe('all rules together', () => {
  test('a machine with nothing but absent sources has nothing to say but that all is fine', () => {
    const findings = judgeAll(emptySnapshot(AT), past, configWith({}));
    expect(new Set(findings.map((finding) => finding.rule))).toEqual(new Set(['source-failed', 'left-off']));
    expect(findings.every((finding) => finding.verdict === 'ok')).toBe(true);
  });

  test('every source failed: every rule is frozen, none says ok', () => {
    const failed = Object.fromEntries(SOURCE_IDS.map((s) => [s, { state: 'failed', why: 'x', tookMs: 1 }]));
    const findings = judgeAll(emptySnapshot(AT, failed as unknown as Readings), past, configWith({}));
    const frozen = findings.filter((finding) => finding.verdict === 'unknown');
    const parts = frozen.filter((finding) => finding.rule === 'source-failed');
    expect(parts.every(({ subject }) => subject.startsWith('n8n '))).toBe(true);
    const rules = frozen.filter((finding) => finding.rule !== 'source-failed');
    expect(rules.map((finding) => finding.rule)).toEqual(
      SOURCE_IDS.flatMap((source) => Object.keys(CHECKS[source].rules)),
    );
    expect(rules.every((finding) => finding.subject === '*')).toBe(true);
    // What recovery left off is known from its records, whatever cannot be read.
    const fine = findings.filter((finding) => finding.verdict === 'ok');
    expect(new Set(fine.map(({ rule }) => rule))).toEqual(new Set(['left-off']));
  });

  test('a healthy machine on which everything is there is fine', () => {
    const snapshot = fullSnapshot(AT);
    const sessions = [{ name: 'default', status: 'WORKING', since: AT - 1000 }];
    snapshot.readings.waha = ok({ address: 'http://waha:3000', sessions });
    const findings = judgeAll(snapshot, past, configWith({}));
    const told = findings.filter((finding) => finding.verdict === 'breach' || finding.verdict === 'event');
    expect(told).toEqual([]);
    expect(new Set(findings.map((finding) => finding.rule)).size).toBeGreaterThan(8);
  });

  test('pure: nothing that is handed in is changed', () => {
    const snapshot = fullSnapshot(AT);
    const before = structuredClone(snapshot);
    judgeAll(snapshot, past, configWith({}));
    expect(snapshot).toEqual(before);
  });

  test('containers are judged in proportion to their number', () => {
    const snapshot = fullSnapshot(AT);
    const services = Array.from({ length: 50 }, (_, i) => ({ name: `c${i}`, memoryWarningMb: 50 }));
    const config = configWith(
      { MEMORY_WARNING_MB: 9000, MEMORY_CRITICAL_MB: 8000 },
      { extra: { ...configWith({}).extra, services } },
    );
    const judge = (count: number) => {
      const containers = Array.from({ length: count }, (_, i) => containerInfo(`c${i}`));
      const docker = ok({ version: '28', apiVersion: '1.48', containers });
      return judgeAll({ ...snapshot, readings: { ...snapshot.readings, docker } }, past, config);
    };
    expect(judge(500).filter((f) => f.verdict === 'breach').length).toBeGreaterThan(50);
    expectLinear(judge, 500);
  });
});
