import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dailyReportJson } from '../../src/outputs/report/json.ts';
import { renderDailyReport } from '../../src/outputs/report/report.ts';
import { bytesChange, dayName, longTime, many, shortTime } from '../../src/outputs/report/text.ts';
import { parseHtml } from '../standins/telegram.js';
import { fullSnapshot } from '../helpers/full-snapshot.ts';
import { MORNING, quietDay, REPORT_DAYS, stats } from '../helpers/report-days.ts';
import { containerInfo, hostValues } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const HOUR = 3_600_000;
const text = (name: string) => renderDailyReport(REPORT_DAYS[name]!()).text;

describe('a quiet day', () => {
  test('is said first, and every field is there with its numbers', () => {
    expect(text('quiet')).toBe(`Daily report: vps-falkenstein-1
Saturday 31 January, 08:00

All quiet

Alerts: none
Recovery: nothing to do
Errors: none
Forecast: nothing that can be seen runs out
OOM kills: none
Uptime: 1 h

Memory: 600 MB of 2 GB now, 1.4 GB available
  Average 580 MB, peak 910 MB at 03:12
  Day before: average 560 MB, peak 880 MB

Swap: 100 MB of 2 GB now
  Average 90 MB, peak 120 MB at 03:12
  Day before: average 80 MB, peak 100 MB

Memory pressure: 12.5 of 100 now, peak 12.5 at 03:12
  Day before: peak 4

Disk: / 53 % full, 17.6 GB free, 400 MB less than a day ago

Containers: 1 of 2 running
  Not running: redis
  Largest:
  • n8n 120 MB of 512 MB
  None grows by 1 MB an hour or more
  No restarts

Leads: 4,711, +12 in 24 h
  Day before: +19

n8n: 12 of 20 workflows active
  250 executions completed, 5 failed in 24 h
  Day before: 240 completed, 3 failed
  Now 3 running, 1 waiting, 8 queued
  Queue 8, peak 64 at 03:12

WhatsApp: 1 of 2 sessions connected
  • second needs its QR code scanned (for 1 min)

PostgreSQL: 9 of 100 connections, peak 14
  Cache hits 99.1 %, lowest 97.2 % at 12:00
  Database 64 MB, +2 MB in 24 h

Redis: 3 MB of 100 MB, peak 4 MB at 03:12
  321 keys, 4 clients
`);
  });

  test('fits into one message for Telegram, whose strict parser reads the same words', () => {
    for (const day of Object.values(REPORT_DAYS)) {
      const { html, text } = renderDailyReport(day());
      expect(html.length).toBeLessThan(4096);
      const words = (all: string) => all.replace(/[📊:•\s]+/gu, ' ').trim();
      expect(words(parseHtml(html))).toBe(words(text));
    }
  });
});

describe('U9: counts agree', () => {
  test('with the kills that are listed, also with those from before the first check', () => {
    const day = quietDay();
    const kill = { pid: 5, rssBytes: 1e8, cgroup: '/', scope: 'host' as const };
    day.oomKills = 1;
    day.snapshot.readings.oom = {
      state: 'ok',
      tookMs: 1,
      value: {
        killsSinceBoot: 2,
        kills: [1, 2].map((n) => ({ ...kill, id: `k${n}`, at: day.at - n * 3_600_000, process: `p${n}` })),
      },
    };
    const lines = renderDailyReport(day).text.split('\n');
    expect(lines).toContain('OOM kills: 2');
  });

  test('with one line for a process that is killed over and over', () => {
    const day = quietDay();
    const kill = { pid: 5, rssBytes: 1e8, cgroup: '/', scope: 'host' as const, process: 'tail' };
    day.oomKills = 9;
    const kills = Array.from({ length: 9 }, (_, n) => ({
      ...kill,
      id: `k${n}`,
      at: day.at - (9 - n) * 60_000,
    }));
    day.snapshot.readings.oom = { state: 'ok', tookMs: 1, value: { killsSinceBoot: 9, kills } };
    const lines = renderDailyReport(day).text.split('\n');
    const at = lines.indexOf('OOM kills: 9');
    expect(lines[at + 1]).toMatch(/• \d\d:59 tail, 95 MB \(the last of 9\)$/);
    expect(lines.filter((line) => line.includes('tail'))).toHaveLength(1);
  });
});

describe('a bad day', () => {
  test('what is still open, and what happened, with how long it lasted', () => {
    const lines = text('bad').split('\n');
    expect(lines[3]).toBe('1 alert still open; 2 critical, 1 warning in 24 h');
    expect(lines[4]).toBe('No data 02:10-05:40 (3 h 30 min): the host or the monitor was off');
    // U9: in the order of time.
    expect(lines.slice(6, 13)).toEqual([
      'Alerts: 2 critical, 1 warning',
      '  • Open since Thu 06:00: WhatsApp session <second> needs the QR code & a person',
      '  • 02:00 Available memory is 87 MB, below 100 MB (1 h 12 min)',
      '  • 02:42 Memory pressure is 92 of 100, at least 80 for 30 s (33 min)',
      '  • 03:12 The kernel killed node (pid 3087) in n8n: limit 1 GB',
      '    Before: n8n 812 MB + 198 MB swap, postgres 120 MB; 38 MB of 2 GB were available',
      '    In the 9 min 55 s before n8n grew by 690 MB, swap use by 250 MB',
    ]);
  });

  test('what comes and goes is not open while it is fine', () => {
    const fine = { since: MORNING - HOUR, text: 'Redis can be read' };
    const flapping = { rule: 'source-failed', subject: 'redis', severity: 'warning' as const, event: false };
    const incidents = [{ ...flapping, text: 'Redis cannot be read', from: MORNING - 2 * HOUR, fine }];
    const lines = renderDailyReport(quietDay({ incidents })).text.split('\n');
    expect(lines[3]).toBe('1 warning in 24 h, none still open');
    expect(lines).toContain('  • Since 06:00, fine since 07:00: Redis can be read');
  });

  test('the minutes before once, where two alerts are of the same moment', () => {
    const day = REPORT_DAYS.bad!();
    const death = day.incidents.find(({ before }) => before)!;
    const same = { ...death, rule: 'container-restarting', text: 'n8n was restarted' };
    const other = {
      ...same,
      from: death.from + 60_000,
      before: ['Before: redis 60 MB', 'In the 10 min before nothing grew'],
    };
    const lines = renderDailyReport({ ...day, incidents: [death, same, other] }).text.split('\n');
    expect(lines.filter((line) => line.includes('n8n 812 MB'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('redis 60 MB'))).toHaveLength(1);
  });

  test('what recovery did, what could not be read, who grows and who was restarted', () => {
    const report = text('bad');
    for (const line of [
      'Recovery: 2 steps',
      '  • 03:00 restart session second: worked',
      '  • 03:06 stop container metabase: failed (No such container: metabase)',
      'Errors: postgres could not be read in 12 checks of 2,880',
      'OOM kills: 1',
      '  The host was started at 03:30',
      '  • n8n 14 MB an hour',
      '  • waha 2.5 MB an hour',
      '  Restarts: n8n 2',
    ])
      expect(report.split('\n')).toContain(line);
  });

  test('text from outside is escaped and cannot break out of its line', () => {
    const day = quietDay({ hostname: '<b>evil\n\nhost</b>' });
    day.restarts = [{ name: 'a<i>\u202eb\u0000&', count: 1 }];
    day.incidents = [
      {
        rule: 'x',
        subject: 'x',
        severity: 'critical',
        text: '<script>\nrm',
        from: MORNING - HOUR,
        event: true,
      },
    ];
    const { html } = renderDailyReport(day);
    expect(html).toContain('Daily report: &lt;b&gt;evil host&lt;/b&gt;');
    expect(html).toContain('Restarts: a&lt;i&gt;b&amp; 1');
    expect(html).toContain('&lt;script&gt; rm');
    expect(() => parseHtml(html)).not.toThrow();
  });

  test('a hundred alerts are eight lines and where the rest is', () => {
    const incidents = Array.from({ length: 100 }, (_, i) => ({
      rule: 'container-stopped',
      subject: `c${i}`,
      severity: 'warning' as const,
      text: `Container c${i} stopped`,
      from: MORNING - i * 600_000,
      to: MORNING - i * 600_000 + 60_000,
      event: false,
    }));
    const report = renderDailyReport(quietDay({ incidents })).text;
    expect(report.match(/• .* stopped/g)).toHaveLength(8);
    expect(report).toContain('and 92 more: vpsmon incidents --since 24h');
  });
});

describe('what is missing says so', () => {
  test('on the first day: since when', () => {
    const report = text('first day');
    expect(report.split('\n').slice(3, 5)).toEqual(['All quiet', 'Since 14:20: there is no older data']);
    expect(report).not.toContain('Day before');
    expect(report).not.toContain('24 h;');
    expect(report).toContain('Leads: 4,711, +12 since 14:20');
    expect(report).toContain('400 MB less than at 14:20');
  });

  test('without any history', () => {
    const { text: report } = renderDailyReport({
      ...REPORT_DAYS['nothing there']!(),
      snapshot: fullSnapshot(MORNING),
    });
    for (const line of [
      'A first look',
      'No history yet: only what was read just now',
      'Recovery: no record is kept',
      'OOM kills: unknown: nothing was kept yet',
      '  No average and no peak: nothing was kept yet',
      '  Cache hits 97.5 % since its statistics began',
    ])
      expect(report.split('\n')).toContain(line);
  });

  test('U9: of sources that are not here nothing is said; those that failed stay where they are', () => {
    const day = quietDay();
    day.snapshot.readings.redis = { state: 'absent', why: 'no container runs Redis' };
    day.snapshot.readings.docker = { state: 'failed', why: 'connection refused', tookMs: 1 };
    day.snapshot.readings.sql = { state: 'ok', tookMs: 1, value: { samples: [], broken: [] } };
    const lines = renderDailyReport(day).text.trimEnd().split('\n');
    expect(lines.join()).not.toMatch(/not here|Redis|Leads/);
    expect(
      lines.findIndex((line) => line === 'Containers: could not be read: connection refused'),
    ).toBeLessThan(lines.findIndex((line) => line.startsWith('n8n:')));
  });

  test('A14: what a source stops counting at is said to be more', () => {
    const day = quietDay();
    const { n8n } = day.snapshot.readings;
    if (n8n.state !== 'ok' || !n8n.value.executions) throw new Error('the day has no executions');
    n8n.value.executions.completed = 1000;
    n8n.value.countedUpTo = 1000;
    expect(renderDailyReport(day).text).toContain('more than 1,000 executions completed, 5 failed in 24 h');
  });

  test('a broken query of the leads, a host without swap and without pressure', () => {
    const day = quietDay();
    const { readings } = day.snapshot;
    readings.sql = {
      state: 'ok',
      tookMs: 1,
      value: { samples: [], broken: [{ name: 'lead_count', why: 'relation "leads" does not exist' }] },
    };
    readings.host = {
      state: 'ok',
      tookMs: 1,
      value: hostValues({ swap: { totalBytes: 0, usedBytes: 0, zram: false } }),
    };
    readings.pressure = { state: 'absent', why: 'the kernel was built without PSI' };
    delete day.day['pressure.memory'];
    const report = renderDailyReport(day).text;
    expect(report).toContain('Leads: could not be read: relation "leads" does not exist');
    expect(report).toContain('Swap: this host has none');
    expect(report).toContain('Memory pressure: unknown: the kernel was built without PSI');
  });

  test('half a day before is said', () => {
    const report = renderDailyReport(quietDay({ coverage: { day: 1, before: 0.25 } })).text;
    expect(report).toContain('The day before has data for 6 h only');
  });

  test('three gaps are told, more are counted', () => {
    const gaps = [1, 3, 5, 7, 9].map((hour) => ({
      from: MORNING - 24 * HOUR + hour * HOUR,
      to: MORNING - 24 * HOUR + hour * HOUR + hour * 10 * 60_000,
    }));
    const report = renderDailyReport(quietDay({ gaps })).text;
    expect(report.match(/No data/g)).toHaveLength(3);
    expect(report).toContain('No data 17:00-18:30 (1 h 30 min)');
    expect(report).toContain('and 2 shorter gaps');
  });
});

describe('a day is called quiet', () => {
  const gap = (from: number, to: number) => ({ from: MORNING - from * HOUR, to: MORNING - to * HOUR });
  const head = (day: Parameters<typeof quietDay>[0]) => renderDailyReport(quietDay(day)).text.split('\n');

  test.each([
    ['as a whole, with a short gap', [gap(5, 4.5)], 'All quiet', '03:00-03:30 (30 min)'],
    [
      'as far as it was watched',
      [gap(22, 2)],
      'All quiet in the 4 h that were watched',
      '10:00-06:00 (20 h)',
    ],
    [
      'since it is watched again',
      [gap(24, 2)],
      'All quiet in the 2 h that were watched',
      'until 06:00 (22 h)',
    ],
    [
      'before the monitor was off',
      [gap(10, 0)],
      'All quiet in the 14 h that were watched',
      'since 22:00 (10 h)',
    ],
    ['never', [gap(24, 0)], 'Nothing was watched in 24 h', 'in 24 h'],
  ])('%s', (_, gaps, verdict, when) => {
    const lines = head({ gaps });
    expect(lines[3]).toBe(verdict);
    expect(lines).toContain(`No data ${when}: the host or the monitor was off`);
  });

  test('not where an alert of the days before ended in it', () => {
    const incidents = [
      {
        rule: 'disk',
        subject: '/',
        severity: 'critical' as const,
        text: 'Disk / is 95 % full',
        event: false,
      },
    ].map((one) => ({ ...one, from: MORNING - 40 * HOUR, to: MORNING - HOUR }));
    const lines = head({ incidents });
    expect(lines[3]).toBe('No new alerts in 24 h, 1 earlier alert ended');
    expect(lines).toContain('Alerts: none new');
    expect(head({ incidents, gaps: [gap(24, 0)] })[3]).toBe(
      'Nothing was watched in 24 h, 1 earlier alert ended',
    );
    expect(head({ incidents, gaps: [gap(24, 2)] })[3]).toBe(
      'No new alerts in the 2 h that were watched, 1 earlier alert ended',
    );
    const fine = incidents.map(({ to, ...one }) => ({
      ...one,
      fine: { since: to, text: 'Disk / is 60 % full' },
    }));
    expect(head({ incidents: fine })[3]).toBe('No new alerts in 24 h, 1 earlier alert fine at the moment');
  });

  test('what was kept before is not called nothing', () => {
    const day = { ...quietDay({ gaps: [gap(24, 0)] }), day: {} };
    delete day.oomKills;
    const { text: report } = renderDailyReport(day);
    expect(report).toContain('No average and no peak: nothing was kept in 24 h');
    expect(report).toContain('OOM kills: unknown: nothing was kept in 24 h');
  });

  test('a host that starts over and over is one short line', () => {
    const boots = Array.from({ length: 300 }, (_, i) => MORNING - (300 - i) * 4 * 60_000);
    expect(head({ boots })).toContain(
      '  The host was started 300 times, last at 07:40, 07:44, 07:48, 07:52, 07:56',
    );
  });
});

describe('containers', () => {
  test('the three largest with limit and peak, the unhealthy, at most five names', () => {
    const day = quietDay({
      restarts: ['a', 'b', 'c', 'd', 'e', 'f'].map((name, i) => ({ name, count: 6 - i })),
    });
    const memory = (mb: number) => ({ memory: { workingSetBytes: mb * MB, anonBytes: mb * MB } });
    day.day['container.memory:waha'] = stats({ avg: 300 * MB, peak: 600 * MB });
    day.snapshot.readings.docker = {
      state: 'ok',
      tookMs: 1,
      value: {
        version: '28',
        apiVersion: '1.48',
        containers: [
          containerInfo('n8n', { ...memory(410), limitBytes: 1024 * MB }),
          containerInfo('waha', { ...memory(320), health: 'unhealthy' }),
          containerInfo('postgres', memory(120)),
          containerInfo('traefik', memory(20)),
          ...['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7'].map((name) =>
            containerInfo(name, { state: 'exited' }),
          ),
        ],
      },
    };
    const lines = renderDailyReport(day).text.split('\n');
    const start = lines.indexOf('Containers: 4 of 11 running');
    expect(lines.slice(start + 1, start + 10)).toEqual([
      '  Not running: x1, x2, x3, x4, x5 and 2 more',
      '  Unhealthy: waha',
      '  Largest:',
      '  • n8n 410 MB of 1 GB',
      '  • waha 320 MB, peak 600 MB',
      '  • postgres 120 MB',
      '  None grows by 1 MB an hour or more',
      '  Restarts: a 6, b 5, c 4, d 3, e 2 and 1 more',
      '',
    ]);
  });
});

describe('words and times', () => {
  test('times are as long as they must be', () => {
    expect(longTime(MORNING)).toBe('Saturday 31 January, 08:00');
    expect(dayName(MORNING)).toBe('2026-01-31');
    expect(shortTime(MORNING - 60_000, MORNING)).toBe('07:59');
    expect(shortTime(MORNING - 25 * HOUR, MORNING)).toBe('Fri 07:00');
    expect(shortTime(MORNING - 24 * 10 * HOUR, MORNING)).toBe('21 Jan 08:00');
  });

  test('yesterday is named where a day of 23 hours would make it look like today', () => {
    vi.stubEnv('TZ', 'Europe/Berlin');
    onTestFinished(() => void vi.unstubAllEnvs());
    const spring = new Date(2026, 2, 29, 8, 0).getTime();
    expect(shortTime(spring - 23.5 * HOUR, spring)).toBe('Sat 07:30');
    expect(shortTime(spring - 22.5 * HOUR, spring)).toBe('08:30');
    const autumn = new Date(2026, 9, 25, 8, 0).getTime();
    expect(shortTime(autumn - 24.5 * HOUR, autumn)).toBe('08:30');
    expect(shortTime(autumn - 25.5 * HOUR, autumn)).toBe('Sat 07:30');
  });

  test('numbers and their nouns', () => {
    expect([many(0, 'step'), many(1, 'step'), many(1234, 'step')]).toEqual([
      'no steps',
      '1 step',
      '1,234 steps',
    ]);
    expect([bytesChange(1000), bytesChange(3 * MB), bytesChange(-3 * MB)]).toEqual([
      'unchanged',
      '+3 MB',
      '-3 MB',
    ]);
  });
});

test('as JSON: times in UTC, every part named', () => {
  const json = JSON.parse(JSON.stringify(dailyReportJson(REPORT_DAYS.bad!()))) as Record<string, unknown>;
  expect(Object.keys(json)).toEqual([
    'version',
    'vpsmon',
    'hostname',
    'at',
    'from',
    'data_since',
    'coverage',
    'gaps',
    'checks',
    'alerts',
    'incidents',
    'actions',
    'left_off',
    'boots',
    'oom_kills',
    'restarts',
    'growers',
    'forecasts',
    'failures',
    'now',
    'day',
    'day_before',
  ]);
  expect(json).toMatchObject({
    version: 1,
    at: new Date(MORNING).toISOString(),
    alerts: { critical: 2, warning: 1, info: 0 },
    growers: [{ name: 'n8n', bytes_per_hour: 14 * MB }, { name: 'waha' }],
    day: {
      'memory.used': { avg: 580 * MB, peak: 910 * MB, peak_at: new Date(MORNING - 4.8 * HOUR).toISOString() },
    },
  });
});
