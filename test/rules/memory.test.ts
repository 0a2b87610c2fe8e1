import { describe, expect, test } from 'vitest';
import { judgeAll } from '../../src/checks/judge.ts';
import { configWith } from '../helpers/command.ts';
import { containerInfo, emptySnapshot, hostValues, pressureValues } from '../helpers/snapshots.ts';
import { AT, judged, judgedOne, MB, ok, short } from './judge.ts';

function available(mb: number) {
  return ok(
    hostValues({ memory: { totalBytes: 1000 * MB, availableBytes: mb * MB, usedBytes: (1000 - mb) * MB } }),
  );
}
const docker = ok({
  version: '28',
  apiVersion: '1.48',
  containers: [
    containerInfo('redis', { memory: { workingSetBytes: 30 * MB, anonBytes: 20 * MB } }),
    containerInfo('n8n', { memory: { workingSetBytes: 412 * MB, anonBytes: 400 * MB } }),
    { ...containerInfo('stopped'), memory: undefined } as never,
    containerInfo('waha', { memory: { workingSetBytes: 230 * MB, anonBytes: 200 * MB } }),
    containerInfo('postgres', { memory: { workingSetBytes: 120 * MB, anonBytes: 60 * MB } }),
  ],
});
const growth = [
  { name: 'redis', bytesPerHour: -5 * MB },
  { name: 'n8n', bytesPerHour: 14 * MB },
  { name: 'waha', bytesPerHour: 2 * MB },
];

describe('memory-available', () => {
  test.each([
    [131, 'ok'],
    [130, 'between'],
    [100, 'between'],
    [99, 'warning'],
    [50, 'warning'],
    [49, 'critical'],
    [0, 'critical'],
  ])('%d MB: %s', (mb, expected) => {
    expect(short(judgedOne('memory-available', { host: available(mb) }))).toBe(expected);
  });

  test('says value and limit, the three largest containers and the one that grows fastest', () => {
    expect(judgedOne('memory-available', { host: available(87), docker }, { past: { growth } })).toEqual({
      rule: 'memory-available',
      subject: 'host',
      verdict: 'breach',
      severity: 'warning',
      value: 87 * MB,
      limit: 100 * MB,
      unit: 'bytes',
      text: 'Available memory is 87 MB, below 100 MB',
      details: [
        'Largest containers: n8n 412 MB, waha 230 MB, postgres 120 MB',
        'Growing fastest: n8n, 14 MB/h',
        'n8n: it grows by 14 MB an hour, and a restart frees about 412 MB; it is essential (n8n in ESSENTIAL_CONTAINERS), so when to do that is up to you',
      ],
    });
  });

  test('U3: what is in swap is part of what a container holds', () => {
    const containers = [
      containerInfo('busy', { memory: { workingSetBytes: 500 * MB, anonBytes: 450 * MB, swapBytes: 4096 } }),
      containerInfo('leaky', {
        memory: { workingSetBytes: 479 * MB, anonBytes: 470 * MB, swapBytes: 468 * MB },
      }),
    ];
    const value = { version: '28', apiVersion: '1.48', containers };
    expect(judgedOne('memory-available', { host: available(87), docker: ok(value) })?.details).toEqual([
      'Largest containers: leaky 479 MB + 468 MB swap, busy 500 MB',
      'What helps: `docker restart leaky` frees about 947 MB; it holds most',
    ]);
  });

  test('U5: what to do about it: the container that grew lately, before the one that grows slowly and the largest', () => {
    const since = new Date(2026, 10, 28, 9, 40).getTime();
    const held = (mb: number) => ({ memory: { workingSetBytes: mb * MB, anonBytes: mb * MB } });
    const containers = [
      containerInfo('crawler', held(412)),
      containerInfo('scraper', held(230)),
      containerInfo('postgres', held(500)),
      containerInfo('small', held(30)),
    ];
    const tools = ok({ version: '28', apiVersion: '1.48', containers });
    const slow = [{ name: 'crawler', bytesPerHour: 14 * MB }];
    const recent = [
      { name: 'gone', bytes: 500 * MB, since },
      { name: 'scraper', bytes: 160 * MB, since },
    ];
    const advice = (past: { recent?: typeof recent; growth?: typeof slow }) =>
      judgedOne('memory-available', { host: available(87), docker: tools }, { past }).details?.at(-1);
    expect(advice({ recent, growth: slow })).toBe(
      'What helps: `docker restart scraper` frees about 230 MB; it has grown by 160 MB since 09:40',
    );
    expect(advice({ recent: [{ name: 'small', bytes: 2 * MB, since }], growth: slow })).toMatch(
      /restart crawler.*14 MB an hour$/,
    );
    // Nothing grows: what recovery itself would not stop is not proposed either.
    expect(advice({})).toMatch(/restart crawler.*; it holds most of what is not essential$/);
    // What grows is essential: it is named, and no command to paste.
    const database = advice({ recent: [{ name: 'postgres', bytes: 300 * MB, since }], growth: slow });
    expect(database).toBe(
      'postgres: it has grown by 300 MB since 09:40, and a restart frees about 500 MB; it is essential (postgres in ESSENTIAL_CONTAINERS), so when to do that is up to you',
    );
    // The same in the alerts about swap and pressure.
    const host = available(87);
    host.value.swap = { totalBytes: 1000 * MB, usedBytes: 600 * MB, zram: false };
    expect(judgedOne('swap-used', { host, docker: tools }, { past: { recent } }).details?.at(-1)).toMatch(
      /restart scraper/,
    );
  });

  test('U6: outside of containers, services and processes are named, not the slice that they are in', () => {
    const host = available(87);
    host.value.services = [{ name: 'mysql.service', bytes: 700 * MB }];
    host.value.processes = [{ name: 'mysqld', bytes: 690 * MB }];
    expect(judgedOne('memory-available', { host }).details).toEqual([
      'Largest services outside of containers: mysql.service 700 MB',
      'Largest processes outside of containers: mysqld 690 MB',
    ]);
    // Also beside containers that hold little.
    const small = ok({ version: '28', apiVersion: '1.48', containers: [containerInfo('redis')] });
    expect(judgedOne('memory-available', { host, docker: small }).details).toEqual([
      'Largest containers: redis 120 MB',
      'Largest services outside of containers: mysql.service 700 MB',
      'Largest processes outside of containers: mysqld 690 MB',
    ]);
    // Not beside those that hold most of it.
    expect(judgedOne('memory-available', { host, docker }).details?.join()).not.toContain('mysql');
  });

  test('without Docker the largest groups of processes are named', () => {
    const host = available(87);
    host.value.cgroups = [
      { name: 'system.slice', bytes: 500 * MB },
      { name: 'user.slice', bytes: 100 * MB },
    ];
    expect(judgedOne('memory-available', { host }).details).toEqual([
      'Largest groups of processes: system.slice 500 MB, user.slice 100 MB',
    ]);
  });

  test('nothing that grows by less than a megabyte an hour is blamed', () => {
    const past = { growth: [{ name: 'n8n', bytesPerHour: MB - 1 }] };
    const { details } = judgedOne('memory-available', { host: available(87), docker }, { past });
    expect(details?.join()).not.toMatch(/grow/i);
  });

  test('what is fine needs no details: the growth is not even looked up', () => {
    let looked = 0;
    const past = {
      failedInARow: {},
      forecasts: [],
      historyStart: 0,
      get growth() {
        looked += 1;
        return growth;
      },
    };
    judgeAll(emptySnapshot(AT, { host: available(500), docker }), past, configWith({}));
    expect(looked).toBe(0);
    judgeAll(emptySnapshot(AT, { host: available(50), docker }), past, configWith({}));
    expect(looked).toBeGreaterThan(0);
  });

  test('the limits are those of the settings', () => {
    const settings = { MEMORY_WARNING_MB: 400, MEMORY_CRITICAL_MB: 300, MEMORY_CLEAR_MB: 500 };
    const verdicts = [299, 399, 450, 501].map((mb) =>
      short(judgedOne('memory-available', { host: available(mb) }, { settings })),
    );
    expect(verdicts).toEqual(['critical', 'warning', 'between', 'ok']);
  });
});

describe('memory-pressure', () => {
  test.each([
    [0, 'ok'],
    [49.9, 'ok'],
    [50, 'between'],
    [59.9, 'between'],
    [60, 'warning'],
    [79.9, 'warning'],
    [80, 'critical'],
    [100, 'critical'],
  ])('score %d: %s', (score, expected) => {
    expect(short(judgedOne('memory-pressure', { pressure: ok(pressureValues(score)) }))).toBe(expected);
  });

  test('must hold 30 s, and names who holds memory', () => {
    const finding = judgedOne(
      'memory-pressure',
      { pressure: ok(pressureValues(83.4)), docker },
      { past: { growth } },
    );
    expect(finding).toMatchObject({ holdMs: 30_000, value: 83.4, limit: 80, unit: 'score', subject: 'host' });
    expect(finding.text).toBe('Memory pressure is 83 of 100 (limit 80): programs are waiting for memory');
    expect(finding.details).toEqual([
      'Largest containers: n8n 412 MB, waha 230 MB, postgres 120 MB',
      'Growing fastest: n8n, 14 MB/h',
    ]);
  });

  test('no PSI is nothing to say', () => {
    expect(judged('memory-pressure', {})).toEqual([]);
  });

  test('PSI that cannot be read freezes', () => {
    const findings = judged('memory-pressure', { pressure: { state: 'failed', why: 'EIO', tookMs: 1 } });
    expect(findings).toEqual([
      { rule: 'memory-pressure', subject: '*', severity: 'warning', verdict: 'unknown', text: 'EIO' },
    ]);
  });
});
