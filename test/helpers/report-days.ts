import type { ReportData } from '../../src/outputs/report/data.ts';
import type { SeriesStats } from '../../src/model/series-stats.ts';
import { fullSnapshot } from './full-snapshot.ts';
import { emptySnapshot } from './snapshots.ts';

/** Days as the report tells of them. Times are made in the time zone of the process. */

const MB = 1_048_576;
const HOUR = 3_600_000;
export const MORNING = new Date(2026, 0, 31, 8, 0, 0).getTime();

export function stats(values: Partial<SeriesStats> & { avg: number }): SeriesStats {
  const { avg } = values;
  return {
    min: avg,
    minAt: MORNING - 20 * HOUR,
    peak: avg,
    peakAt: MORNING - 4.8 * HOUR,
    first: avg,
    last: avg,
    ...values,
  };
}

export function quietDay(values: Partial<ReportData> = {}): ReportData {
  const at = values.at ?? MORNING;
  return {
    at,
    from: at - 24 * HOUR,
    hostname: 'vps-falkenstein-1',
    version: '1.2.3',
    snapshot: fullSnapshot(at),
    firstAt: at - 30 * 24 * HOUR,
    gaps: [],
    coverage: { day: 1, before: 1 },
    day: {
      'memory.used': stats({ avg: 580 * MB, peak: 910 * MB }),
      'swap.used': stats({ avg: 90 * MB, peak: 120 * MB }),
      'pressure.memory': stats({ avg: 0.4, peak: 12.5 }),
      'postgres.cache': stats({ avg: 99.1, min: 97.2 }),
      'postgres.connections': stats({ avg: 9, peak: 14 }),
      'postgres.size': stats({ avg: 63 * MB, first: 62 * MB }),
      'redis.memory': stats({ avg: 3 * MB, peak: 4 * MB }),
      'n8n.queue': stats({ avg: 3, peak: 64 }),
      'sql:lead_count': stats({ avg: 4700, first: 4699 }),
      'disk.available:/': stats({ avg: 18_100 * MB, first: 18_400 * MB }),
    },
    before: {
      'memory.used': stats({ avg: 560 * MB, peak: 880 * MB }),
      'swap.used': stats({ avg: 80 * MB, peak: 100 * MB }),
      'pressure.memory': stats({ avg: 0.2, peak: 4 }),
      'n8n.completed': stats({ avg: 240, last: 240 }),
      'n8n.failed': stats({ avg: 3, last: 3 }),
      'sql:lead_count': stats({ avg: 4690, first: 4680, last: 4699 }),
    },
    boots: [],
    oomKills: 0,
    restarts: [],
    growers: [{ name: 'n8n', bytesPerHour: 0.2 * MB }],
    forecasts: [{ kind: 'memory', subject: 'host', used: 700 * MB, capacity: 4048 * MB, knownHours: 168 }],
    failures: [],
    leftOff: [],
    checks: 2880,
    incidents: [],
    actions: [],
    finishedWithinHours: 24,
    ...values,
  };
}

export const REPORT_DAYS: Record<string, () => ReportData> = {
  quiet: () => quietDay(),
  bad: () =>
    quietDay({
      incidents: [
        incident('memory-available', 'warning', 'Available memory is 87 MB, below 100 MB', 6, 4.8),
        incident(
          'memory-pressure',
          'critical',
          'Memory pressure is 92 of 100, at least 80 for 30 s',
          5.3,
          4.75,
        ),
        {
          ...incident(
            'oom-kill',
            'critical',
            'The kernel killed node (pid 3087) in n8n: limit 1 GB',
            4.8,
            4.8,
          ),
          event: true,
          before: [
            'Before: n8n 812 MB + 198 MB swap, postgres 120 MB; 38 MB of 2 GB were available',
            'In the 9 min 55 s before n8n grew by 690 MB, swap use by 250 MB',
            'Waiting for (last minute): memory 92 %, disk 40 %, CPU 12 %; load 8.5',
          ],
        },
        incident('waha-session', 'warning', 'WhatsApp session <second> needs the QR code & a person', 50),
      ],
      oomKills: 1,
      restarts: [{ name: 'n8n', count: 2 }],
      growers: [
        { name: 'n8n', bytesPerHour: 14 * MB },
        { name: 'waha', bytesPerHour: 2.5 * MB },
      ],
      forecasts: [
        {
          kind: 'memory',
          subject: 'host',
          used: 3600 * MB,
          capacity: 4048 * MB,
          knownHours: 168,
          growth: {
            perHour: 14 * MB,
            since: MORNING - 40 * HOUR,
            fullAt: MORNING + 31 * HOUR,
            severity: 'warning',
            agreeing: 3,
          },
          culprit: {
            kind: 'container',
            name: 'n8n',
            perHour: 14 * MB,
            bytes: 960 * MB,
            since: MORNING - 40 * HOUR,
            image: 'n8nio/n8n:1.123.81',
            limitBytes: null,
            others: [],
          },
        },
      ],
      actions: [
        { at: MORNING - 5 * HOUR, rule: 'waha', target: 'second', what: 'restart-session', state: 'worked' },
        {
          at: MORNING - 4.9 * HOUR,
          rule: 'swap',
          target: 'metabase',
          what: 'stop-container',
          state: 'failed',
          result: 'No such container: metabase',
        },
      ],
      failures: [{ source: 'postgres', checks: 12 }],
      boots: [MORNING - 4.5 * HOUR],
      gaps: [{ from: MORNING - 5.83 * HOUR, to: MORNING - 2.33 * HOUR }],
    }),
  'first day': () =>
    quietDay({
      firstAt: MORNING - (17 * 60 + 40) * 60_000,
      before: {},
      coverage: { day: 0.73, before: 0 },
    }),
  'nothing there': () => ({
    ...quietDay({ snapshot: emptySnapshot(MORNING), day: {}, before: {}, checks: 0 }),
    firstAt: undefined as never,
    oomKills: undefined as never,
    actions: undefined as never,
  }),
};

function incident(
  rule: string,
  severity: 'warning' | 'critical',
  text: string,
  fromHoursAgo: number,
  toHoursAgo?: number,
): ReportData['incidents'][number] {
  return {
    rule,
    subject: 'host',
    severity,
    text,
    from: MORNING - fromHoursAgo * HOUR,
    ...(toHoursAgo === undefined ? {} : { to: MORNING - toHoursAgo * HOUR }),
    event: false,
  };
}
