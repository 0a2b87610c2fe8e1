import { expect, test } from 'vitest';
import { silencing } from '../../src/incidents/silences.ts';
import type { Forecast } from '../../src/model/forecast.ts';
import { fullSnapshot } from '../helpers/full-snapshot.ts';
import { AT, judged } from './judge.ts';

const HOUR = 3_600_000;

test('a disk whose bytes and inodes run out has two incidents, and a silence on its mount covers both', () => {
  const growth = {
    perHour: 1,
    since: AT - 9 * HOUR,
    fullAt: AT + 30 * HOUR,
    severity: 'warning',
    agreeing: 3,
  } as const;
  const forecasts: Forecast[] = [
    { kind: 'disk', subject: '/data', used: 70, capacity: 100, knownHours: 20, growth },
    { kind: 'inodes', subject: '/data', used: 70, capacity: 100, knownHours: 20, growth },
  ];
  const findings = judged('forecast', fullSnapshot(AT).readings, { past: { forecasts, leftOff: [] } });
  expect(findings.map(({ subject, alias, text }) => [subject, alias, text.slice(0, 30)])).toEqual([
    ['/data', undefined, 'Disk /data fills by 1 B/h: ful'],
    ['/data (inodes)', '/data', 'The inodes of disk /data run o'],
  ]);
});

test.each([
  ['redis', 'redis', 'redis-memory'],
  ['postgres', 'connections', 'postgres-connections'],
] as const)('a silence on %s covers its forecast', (silenced, kind, subject) => {
  const growth = { perHour: 1, since: AT, fullAt: AT + 30 * HOUR, severity: 'warning', agreeing: 3 } as const;
  const forecasts: Forecast[] = [{ kind, subject, used: 70, capacity: 100, knownHours: 20, growth }];
  const [finding] = judged('forecast', fullSnapshot(AT).readings, { past: { forecasts, leftOff: [] } });
  const silence = { subject: silenced, since: AT, until: AT + HOUR, reason: '' };
  expect(silencing(finding!, [silence])).toBe(silence);
});

test('says how fast the host fills where its culprit grows at another speed', () => {
  const [MB, perHour] = [1_048_576, 48 * 1_048_576];
  const sentence = (hostPerHour: number): string => {
    const forecast: Forecast = {
      kind: 'memory',
      subject: 'host',
      used: 900 * MB,
      capacity: 2048 * MB,
      knownHours: 40,
      growth: {
        perHour: hostPerHour * MB,
        since: AT - 9 * HOUR,
        fullAt: AT + 20 * HOUR,
        severity: 'warning',
        agreeing: 3,
      },
      culprit: {
        kind: 'container',
        name: 'leaky',
        perHour,
        bytes: 300 * MB,
        since: AT - 9 * HOUR,
        image: 'leaky:1',
        limitBytes: null,
        others: [],
      },
    };
    const past = { forecasts: [forecast], leftOff: [] };
    return judged('forecast', fullSnapshot(AT).readings, { past })[0]!.text;
  };
  expect(sentence(50)).toContain('leaky grows 48 MB/h: the host runs out of memory in about 20 h');
  expect(sentence(69)).toContain('leaky grows 48 MB/h, the host 69 MB/h in all: the host runs out of memory');
  expect(sentence(20)).toContain('leaky grows 48 MB/h, the host 20 MB/h in all: the host runs out of memory');
});

test('its end does not say that something stopped growing, which may go on with more room, nor that all is well when it is full', () => {
  const end = (used: number, capacity: number, more: Partial<Forecast> = {}): string => {
    const one: Forecast = { kind: 'disk', subject: '/', used, capacity, knownHours: 40, ...more };
    const [finding] = judged('forecast', fullSnapshot(AT).readings, {
      past: { forecasts: [one], leftOff: [] },
    });
    expect(finding).toMatchObject({ verdict: 'ok' });
    return finding!.text;
  };
  expect(end(70, 1000, { maybePerHour: 5 })).toBe('Disk /: not expected to run out any more');
  expect(end(70, 0, { kind: 'container', subject: 'n8n' })).toBe('n8n: not expected to run out any more');
  expect(end(99, 100)).toBe('Disk /: no growth any more, with 99 % in use');
  // It grows still, and has room for more than anybody is told of.
  expect(end(960, 1000, { maybePerHour: 0.3 })).toBe('Disk /: not expected to run out any more');
});
