import type { ChartInput, ChartMark, ChartPoint } from '../../src/outputs/report/chart.ts';

/** Days as a chart shows them: made up, with noise that is the same in every run. */

const MB = 1_048_576;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Saturday 31 January 2026, 08:00 in the time zone of the process. */
export const MORNING = new Date(2026, 0, 31, 8, 0, 0).getTime();

type Curves = { memory(hour: number): number; swap(hour: number): number; pressure(hour: number): number };

function day(
  curves: Curves,
  extra: Partial<ChartInput> = {},
  options: { skip?: (hour: number) => boolean; noSwap?: boolean } = {},
): ChartInput {
  const from = extra.from ?? MORNING - 24 * HOUR;
  const to = extra.to ?? MORNING;
  let seed = 7;
  const noise = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5;
  const points = (value: (hour: number) => number, jitter: number, max: number): ChartPoint[] => {
    const result: ChartPoint[] = [];
    for (let at = from; at < to; at += 3 * MINUTE) {
      const hour = (at - (MORNING - 24 * HOUR)) / HOUR;
      if (options.skip?.(hour)) continue;
      result.push({ at, max: Math.max(0, Math.min(max, value(hour) + jitter * noise())) });
    }
    return result;
  };
  return {
    hostname: 'vps-falkenstein-1',
    from,
    to,
    panels: [
      {
        title: 'Memory used',
        unit: 'bytes',
        points: points(curves.memory, 12 * MB, 1968 * MB),
        max: 1968 * MB,
      },
      ...(options.noSwap
        ? []
        : [
            {
              title: 'Swap used',
              unit: 'bytes' as const,
              points: points(curves.swap, 0.5 * MB, 2048 * MB),
              max: 2048 * MB,
            },
          ]),
      {
        title: 'Memory pressure, 0 to 100',
        unit: 'score',
        points: points(curves.pressure, 0.6, 100),
        max: 100,
        limits: [
          { value: 60, name: 'warning' },
          { value: 80, name: 'critical' },
        ],
      },
    ],
    marks: [],
    gaps: [],
    ...extra,
  };
}

const at = (hour: number) => MORNING - 24 * HOUR + hour * HOUR;
const mark = (
  from: number,
  to: number | undefined,
  severity: ChartMark['severity'],
  text: string,
): ChartMark => ({
  from: at(from),
  ...(to === undefined ? {} : { to: at(to) }),
  severity,
  text,
});
const daily = (hour: number) => Math.sin(((hour - 3) / 24) * 2 * Math.PI);

export const CHART_DAYS: Record<string, () => ChartInput> = {
  quiet: () =>
    day({
      memory: (hour) => (820 + 60 * daily(hour)) * MB,
      swap: () => 96 * MB,
      pressure: (hour) => (hour > 19 && hour < 19.2 ? 6 : 0),
    }),
  leak: () =>
    day(
      {
        memory: (hour) => (hour < 19.2 ? Math.min(1930, 700 + 62 * hour) : 650 + 20 * (hour - 19.2)) * MB,
        swap: (hour) => (hour < 14 ? 80 : hour < 19.2 ? 80 + 330 * (hour - 14) : 240) * MB,
        pressure: (hour) => (hour > 17 && hour < 19.2 ? 20 + 36 * (hour - 17) : 0),
      },
      {
        marks: [
          mark(18, 19.2, 'warning', 'Available memory is 87 MB, below 100 MB'),
          mark(18.7, 19.25, 'critical', 'Memory pressure is 92 of 100, at least 80 for 30 s'),
          mark(19.18, 19.18, 'critical', 'OOM kill: node (pid 3087) in n8n, limit 1 GB'),
          mark(16, 20, 'warning', 'Swap use is 1.6 GB, above 1 GB'),
        ],
      },
    ),
  gap: () =>
    day(
      {
        memory: (hour) => (900 + 50 * daily(hour)) * MB,
        swap: (hour) => (hour < 19 ? 400 : 20) * MB,
        pressure: () => 1,
      },
      { gaps: [{ from: at(18.2), to: at(21.7) }] },
      { skip: (hour) => hour > 18.2 && hour < 21.7 },
    ),
  storm: () =>
    day(
      {
        memory: (hour) => (1500 + (Math.floor(hour * 2) % 3 === 0 ? 350 : 0)) * MB,
        swap: (hour) => (900 + (Math.floor(hour * 3) % 4 === 0 ? 900 : 0)) * MB,
        pressure: (hour) => (Math.floor(hour * 2) % 3 === 0 ? 85 : 12),
      },
      {
        marks: [
          ...Array.from({ length: 9 }, (_, i) =>
            mark(
              1.5 * i,
              1.5 * i + 0.5,
              'warning',
              `Swap-in rate is ${1200 + 300 * i} KB/s, above 1,000 KB/s`,
            ),
          ),
          mark(4.5, 5, 'critical', 'Swap-in rate is 8,412 KB/s, above 5,000 KB/s'),
          mark(
            9,
            9.5,
            'critical',
            'Memory pressure is 97 of 100, at least 80 for 30 s: the whole host stalls',
          ),
          mark(
            22.5,
            undefined,
            'critical',
            'Container shop-n8n-worker-1 stopped (exit code 137, out of memory)',
          ),
        ],
      },
    ),
  'first hour': () =>
    day(
      { memory: (hour) => (600 + 40 * (hour - 23)) * MB, swap: () => 0, pressure: () => 0 },
      { from: MORNING - 50 * MINUTE },
    ),
  'no swap': () =>
    day(
      { memory: (hour) => (500 + 40 * daily(hour)) * MB, swap: () => 0, pressure: () => 3 },
      { note: 'This host has no swap.' },
      { noSwap: true },
    ),
};
