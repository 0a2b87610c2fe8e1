import type { FlightSample, Recording } from '../../model/recording.ts';
import { formatBytes, formatCount, isoTime, shortName } from '../../model/text.ts';
import { right, table, width, type Style } from './style.ts';

/** Containers that are drawn and listed. */
const MOST_CONTAINERS = 5;
const BARS = '\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588';
const LABEL = 16;
const PEAK_WORTH_NAMING = 1.2;

/** The minutes before an incident: curves, a row a minute, and who held how much. At most `columns` wide, 80 at least. */
export function renderRecording(recording: Recording, style: Style, columns: number): string[] {
  const { samples } = recording;
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return [];
  const span = `${clock(first.at)} to ${clock(last.at)}, ${formatCount(samples.length)} samples`;
  return [
    `${style.bold('The minutes before')}  ${span}`,
    '',
    ...curves(recording, style, Math.max(80, columns)),
    '',
    ...minutes(samples, style),
    ...containers(samples, style),
  ];
}

/** Local time of day. */
function clock(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}

export type Curve = {
  label: string;
  values: (number | undefined)[];
  /** What a full bar stands for; default: the largest value. */
  full?: number;
  show: (value: number) => string;
  /** Its first and its last value, and the worst where it is neither. */
  text: string;
};

/** One line each: label, curve, first and last value. */
function curves(recording: Recording, style: Style, columns: number): string[] {
  const shown = curvesOf(recording);
  const cells = columns - 2 - LABEL - 2 - 2 - Math.max(0, ...shown.map(({ text }) => width(text)));
  return shown.map(
    ({ label, values, full, text }) =>
      `  ${style.dim(shortName(label, LABEL).padEnd(LABEL))}  ${drawCurve(values, full, Math.max(10, Math.min(40, cells)))}  ${text}`,
  );
}

/** What can be drawn of a recording: memory, swap, waiting, and the containers that held most. */
export function curvesOf({ samples, memoryTotalBytes, swapTotalBytes }: Recording): Curve[] {
  // One measure for all containers, so that a large one looks large.
  const most = Math.max(0, ...samples.flatMap((s) => s.containers.map((c) => c.heldBytes)));
  const all: Omit<Curve, 'text'>[] = [
    {
      label: 'available',
      values: samples.map((s) => s.availableBytes),
      ...(memoryTotalBytes > 0 ? { full: memoryTotalBytes } : {}),
      show: formatBytes,
    },
    {
      label: 'swap used',
      values: samples.map((s) => s.swapUsedBytes),
      full: swapTotalBytes,
      show: formatBytes,
    },
    { label: 'swap-in', values: samples.map((s) => s.swapInKBps), show: (v) => `${formatCount(v)} KB/s` },
    { label: 'wait for memory', values: samples.map((s) => s.memorySome), full: 100, show: percent },
    ...namesOf(samples)
      .slice(0, MOST_CONTAINERS)
      .map((name) => ({
        label: name,
        values: samples.map((s) => s.containers.find((c) => c.name === name)?.heldBytes),
        full: most,
        show: formatBytes,
      })),
  ];
  return all
    .filter(({ values, full }) => full !== 0 && values.some((value) => (value ?? 0) > 0))
    .map((one) => {
      const known = one.values.filter((value) => value !== undefined);
      const [first, last] = [known[0] ?? 0, known.at(-1) ?? 0];
      const [least, most] = [Math.min(...known), Math.max(...known)];
      // Of what is available the least is the worst.
      const worst = one.label === 'available' ? least : most;
      const isWorse =
        one.label === 'available'
          ? worst * PEAK_WORTH_NAMING < Math.min(first, last)
          : worst > PEAK_WORTH_NAMING * Math.max(first, last);
      const peak = isWorse ? ` -> ${one.show(worst)}` : '';
      return { ...one, text: `${one.show(first)}${peak} -> ${one.show(last)}` };
    });
}

/** Each cell is the average of its share of the samples; a cell without a value is blank. */
export function drawCurve(
  values: readonly (number | undefined)[],
  full: number | undefined,
  cells: number,
): string {
  const top = full ?? Math.max(0, ...values.map((value) => value ?? 0));
  const used = Math.min(cells, values.length);
  const line = Array.from({ length: used }, (_, i) => {
    const part = values
      .slice(Math.floor((i * values.length) / used), Math.floor(((i + 1) * values.length) / used))
      .filter((value) => value !== undefined);
    if (part.length === 0) return ' ';
    const average = part.reduce((sum, value) => sum + value, 0) / part.length;
    const level = top <= 0 ? 0 : Math.round((average / top) * (BARS.length - 1));
    return BARS[Math.min(BARS.length - 1, Math.max(0, level))];
  });
  return line.join('').padEnd(cells);
}

/** The first sample of each minute back from the end, and the last three. */
function minutes(samples: readonly FlightSample[], style: Style): string[] {
  const end = samples.at(-1)!.at;
  const recent = samples.slice(-3);
  const rows: FlightSample[] = [];
  for (const sample of samples) {
    if (recent.includes(sample)) continue;
    const before = rows.at(-1);
    const minute = (s: FlightSample) => Math.floor((end - s.at - 1) / 60_000);
    if (!before || minute(before) !== minute(sample)) rows.push(sample);
  }
  const cells = [...rows, ...recent].map((s) => [
    clock(s.at),
    optional(s.availableBytes, formatBytes),
    optional(s.swapUsedBytes, formatBytes),
    optional(s.swapInKBps, formatCount),
    optional(s.swapOutKBps, formatCount),
    optional(s.memorySome, percent),
    optional(s.ioSome, percent),
    optional(s.cpuSome, percent),
    optional(s.load, (load) => load.toFixed(1)),
  ]);
  const numbers = ['AVAILABLE', 'SWAP', 'IN KB/S', 'OUT KB/S', 'MEMORY', 'DISK', 'CPU', 'LOAD'];
  return [
    ...table(['TIME', ...numbers.map(right)], cells, style),
    `  ${style.dim('MEMORY, DISK, CPU: percent of the time in which some task waited for it')}`,
  ];
}

const percent = (value: number): string => `${Math.round(value)} %`;

function optional(value: number | undefined, show: (value: number) => string): string {
  return value === undefined ? '-' : show(value);
}

/** Who held how much, in memory and swap together. */
function containers(samples: readonly FlightSample[], style: Style): string[] {
  const names = namesOf(samples);
  if (names.length === 0) return [];
  const end = samples.at(-1)!.at;
  const rows = names.slice(0, 2 * MOST_CONTAINERS).map((name) => {
    const own = samples.flatMap((s) => {
      const container = s.containers.find((c) => c.name === name);
      return container ? [{ at: s.at, ...container }] : [];
    });
    const at = (ms: number) => optional(own.findLast((s) => s.at <= end - ms)?.heldBytes, formatBytes);
    const last = own.at(-1)!;
    return [
      shortName(name, 24),
      formatBytes(own[0]!.heldBytes),
      at(300_000),
      at(60_000),
      formatBytes(last.heldBytes),
      last.swapBytes > 0 ? formatBytes(last.swapBytes) : '-',
      optional(last.cpuPercent, percent),
    ];
  });
  const numbers = ['FIRST', '5 MIN', '1 MIN', 'LAST', 'IN SWAP', 'CPU'];
  return [
    '',
    ...table(['CONTAINER', ...numbers.map(right)], rows, style),
    `  ${style.dim('memory that cannot be dropped, swap included')}`,
  ];
}

/** By the most that each held, most first: one that was killed holds little at the end. */
function namesOf(samples: readonly FlightSample[]): string[] {
  const most = new Map<string, number>();
  for (const { containers: held } of samples)
    for (const c of held) most.set(c.name, Math.max(c.heldBytes, most.get(c.name) ?? 0));
  return [...most].toSorted((a, b) => b[1] - a[1]).map(([name]) => name);
}

/** The documented shape of `recording` in `incidents show --json`. */
export function recordingToJson({
  samples,
  memoryTotalBytes,
  swapTotalBytes,
}: Recording): Record<string, unknown> {
  return {
    memory_total_bytes: memoryTotalBytes,
    swap_total_bytes: swapTotalBytes,
    samples: samples.map((s) => ({
      at: isoTime(s.at),
      available_bytes: s.availableBytes ?? null,
      swap_used_bytes: s.swapUsedBytes ?? null,
      swap_in_kbps: rounded(s.swapInKBps),
      swap_out_kbps: rounded(s.swapOutKBps),
      load: rounded(s.load),
      memory_some_percent: rounded(s.memorySome),
      memory_full_percent: rounded(s.memoryFull),
      cpu_some_percent: rounded(s.cpuSome),
      io_some_percent: rounded(s.ioSome),
      containers: s.containers.map((c) => ({
        name: c.name,
        held_bytes: c.heldBytes,
        swap_bytes: c.swapBytes,
        cpu_percent: rounded(c.cpuPercent),
      })),
    })),
  };
}

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}
