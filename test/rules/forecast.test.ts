import { expect, test } from 'vitest';
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
