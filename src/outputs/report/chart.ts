import { formatBytes, formatDuration, plain } from '../../model/text.ts';
import { byteTicks, tickText, timeTicks } from './chart-axis.ts';
import { init } from './echarts.ts';
import { clockTime, longTime, oneDecimal, shortTime } from './text.ts';

export type ChartPoint = { at: number; max: number };
export type ChartPanel = {
  title: string;
  unit: 'bytes' | 'score';
  points: readonly ChartPoint[];
  /** Upper end of the scale: all memory, all swap, 100. */
  max: number;
  /** Dashed lines with a name: thresholds. */
  limits?: { value: number; name: string }[];
};
export type ChartMark = {
  /** Epoch ms; `to` undefined while it lasts; equal to `from` for what happened once. */
  from: number;
  to?: number;
  severity: 'warning' | 'critical';
  text: string;
};
export type ChartInput = {
  hostname: string;
  from: number;
  to: number;
  panels: readonly ChartPanel[];
  marks: readonly ChartMark[];
  gaps: readonly { from: number; to: number }[];
  /** What is not shown, and why; one line at the bottom. */
  note?: string;
};

/**
 * Logical size. Drawn twice as large it is 1024 x 1280 pixels: the largest picture that Telegram shows without scaling
 * it down, and a phone held upright.
 */
export const CHART_WIDTH = 512;
export const CHART_HEIGHT = 640;

const FONT = 'DejaVu Sans';
const INK = '#1b1f24';
const SOFT = '#5b6470';
const GRID = '#e3e6ea';
const LINES = ['#1f5fa8', '#7a3e9d', '#b4530a'];
const BANDS = { critical: 'rgba(200, 30, 30, 0.16)', warning: 'rgba(232, 160, 0, 0.20)' };
const EDGES = { critical: '#b81414', warning: '#8a5c00' };
const GAP = 'rgba(120, 128, 138, 0.16)';
const LEFT = 64;
const RIGHT = 24;
const MARGIN = 16;
const MAX_LISTED = 5;
/** A last value that is older than this is not what is now, and points that lie so far apart have a hole between them. */
const NOW_MS = 10 * 60_000;
/** A band narrower than this could not be seen. */
const MIN_BAND_PIXELS = 3;
/** How wide a single value is drawn. */
const DOT_PIXELS = 2;

/** The chart of a day as SVG: one panel a value, one time axis, incidents as numbered bands that are named below. */
export function renderChart(asked: ChartInput): string {
  const input = { ...asked, panels: asked.panels.map(highEnough) };
  const marks = numbered(input);
  const legend = marks.slice(0, MAX_LISTED);
  const more = marks.length - legend.length;
  const footer = legend.length + (more > 0 ? 1 : 0) + (input.note ? 1 : 0);
  const top = 60;
  const bottom = 28 + (footer > 0 ? 8 + footer * 19 : 0);
  const rowHeight = (CHART_HEIGHT - top - bottom) / Math.max(1, input.panels.length);
  const grids = input.panels.map((_, i) => ({
    left: LEFT,
    right: RIGHT,
    top: Math.round(top + i * rowHeight + 38),
    height: Math.round(rowHeight - 48),
    // All panels have the same edges, whatever their labels are.
    outerBoundsMode: 'none' as const,
  }));

  const chart = init(null, null, { renderer: 'svg', ssr: true, width: CHART_WIDTH, height: CHART_HEIGHT });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: FONT, color: INK },
      title: [
        heading(plain(input.hostname, 36), MARGIN, 14, 18, INK, true),
        heading(`${span(input)} until ${longTime(input.to)}`, MARGIN, 37, 12, SOFT),
        ...input.panels.flatMap((panel, i) => panelTitles(panel, i, grids[i]!.top, input)),
        ...input.panels.flatMap((_, i) => numberTitles(legend, input, grids[i]!.top)),
        ...footerTitles(legend, more, input, CHART_HEIGHT - bottom + 30),
      ],
      grid: grids,
      xAxis: input.panels.map((_, i) => timeAxis(input, i, i === input.panels.length - 1)),
      yAxis: input.panels.map((panel, i) => valueAxis(panel, i)),
      series: input.panels.map((panel, i) => series(panel, i, input, marks)),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/**
 * A server or its swap may have been larger before: what it used then is not above the picture. A line that lies far outside of it as a
 * whole makes the library that draws it abort the process.
 */
function highEnough(panel: ChartPanel): ChartPanel {
  const points = panel.points.filter(({ max }) => Number.isFinite(max));
  return { ...panel, points, max: points.reduce((most, { max }) => Math.max(most, max), panel.max) };
}

type Numbered = ChartMark & { number: number };

/** In the order of time, those that are listed numbered; the worst come first where there are too many. */
function numbered(input: ChartInput): Numbered[] {
  const within = input.marks.filter(({ from, to }) => from < input.to && (to ?? input.to) >= input.from);
  const important = within.toSorted(
    (a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical') || length(b) - length(a),
  );
  const listed = important.slice(0, MAX_LISTED).toSorted((a, b) => a.from - b.from);
  const rest = important.slice(MAX_LISTED);
  return [
    ...listed.map((mark, i) => ({ ...mark, number: i + 1 })),
    ...rest.map((mark) => ({ ...mark, number: 0 })),
  ];

  function length({ from, to }: ChartMark): number {
    return (to ?? input.to) - from;
  }
}

function span({ from, to }: ChartInput): string {
  const hours = (to - from) / 3_600_000;
  if (hours > 36) return `${Math.round(hours / 24)} days`;
  return Math.abs(hours - 24) < 0.5 ? '24 hours' : formatDuration(to - from);
}

function heading(text: string, left: number, top: number, size: number, color: string, bold = false) {
  return {
    text: drawable(text),
    left,
    top,
    padding: 0,
    textStyle: {
      fontFamily: FONT,
      fontSize: size,
      color,
      fontWeight: bold ? ('bold' as const) : ('normal' as const),
    },
  };
}

/** Without the pictographs that the font has not: each would be an empty box. It has the faces (1F600 to 1F64F). */
function drawable(text: string): string {
  return text.replace(/(?![\u{1f600}-\u{1f64f}])[\u{1f000}-\u{1faff}]|\ufe0f|\u200d/gu, '').trim();
}

/** The name of the panel in the colour of its line, and the two numbers that one would look for in it. */
function panelTitles(panel: ChartPanel, index: number, gridTop: number, { from, to }: ChartInput) {
  const title = heading(panel.title, MARGIN, gridTop - 33, 14, LINES[index % LINES.length]!, true);
  const last = panel.points.at(-1);
  const peak = panel.points.reduce<ChartPoint | undefined>(
    (a, b) => (a && a.max >= b.max ? a : b),
    undefined,
  );
  let numbers = 'no data';
  if (last && peak) {
    const then = to - last.at > Math.max(NOW_MS, farApart(from, to)) ? `at ${shortTime(last.at, to)}` : 'now';
    const when = peak.max > 0 ? ` at ${shortTime(peak.at, to)}` : '';
    numbers = `${then} ${valueText(panel, last.max)}, peak ${valueText(panel, peak.max)}${when}`;
  }
  // Anchored at its end: the library does not know how wide the letters of this font are.
  return [
    title,
    { ...heading(numbers, CHART_WIDTH - RIGHT, gridTop - 31, 12, INK), textAlign: 'right' as const },
  ];
}

/** The numbers of the incidents above their bands, moved apart where bands are close to each other. */
function numberTitles(legend: readonly Numbered[], { from, to }: ChartInput, gridTop: number) {
  const pixels = (CHART_WIDTH - LEFT - RIGHT) / (to - from);
  let after = 0;
  return legend.map((mark) => {
    const start = LEFT + (Math.max(mark.from, from) - from) * pixels;
    const end = LEFT + (Math.min(mark.to ?? to, to) - from) * pixels;
    const middle = Math.max((start + end) / 2, after);
    after = middle + 11;
    const title = heading(String(mark.number), middle, gridTop - 13, 11, EDGES[mark.severity], true);
    return { ...title, textAlign: 'center' as const };
  });
}

function valueText({ unit }: ChartPanel, value: number): string {
  return unit === 'bytes' ? formatBytes(value) : oneDecimal(value);
}

function footerTitles(legend: readonly Numbered[], more: number, input: ChartInput, top: number) {
  const lines = legend.map((mark) => ({
    text: `${mark.number}  ${when(mark, input)}  ${plain(mark.text, 200)}`,
    color: EDGES[mark.severity],
  }));
  if (more > 0) lines.push({ text: `and ${more} more`, color: SOFT });
  if (input.note) lines.push({ text: plain(input.note, 90), color: SOFT });
  return lines.map(({ text, color }, i) => heading(fitted(text), MARGIN, top + i * 19, 12, color));
}

/** The average character of DejaVu Sans is 0.54 of its size wide. */
function fitted(text: string): string {
  return plain(text, Math.floor((CHART_WIDTH - 2 * MARGIN) / (12 * 0.54)));
}

function when({ from, to }: ChartMark, { to: now }: ChartInput): string {
  const began = shortTime(from, now);
  if (to === from) return began;
  if (to === undefined) return `since ${began}`;
  // The day of its end goes without saying where it is the same.
  return `${began}-${to - from < 12 * 3_600_000 ? clockTime(to) : shortTime(to, now)}`;
}

function timeAxis({ from, to }: ChartInput, gridIndex: number, labelled: boolean) {
  const ticks = timeTicks(from, to);
  return {
    gridIndex,
    type: 'value' as const,
    min: from,
    max: to,
    axisLine: { show: true, onZero: false, lineStyle: { color: SOFT } },
    axisTick: { show: labelled, customValues: ticks, lineStyle: { color: SOFT } },
    axisLabel: {
      show: labelled,
      customValues: ticks,
      formatter: (at: number) => tickText(at, from, to),
      fontFamily: FONT,
      fontSize: 12,
      color: INK,
      hideOverlap: true,
    },
    splitLine: { show: false },
  };
}

function valueAxis(panel: ChartPanel, gridIndex: number) {
  const ticks = panel.unit === 'bytes' ? byteTicks(panel.max, 4) : [0, 50, 100];
  return {
    gridIndex,
    type: 'value' as const,
    min: 0,
    max: panel.max,
    axisLabel: {
      customValues: ticks,
      formatter: (value: number) => (value === 0 ? '0' : valueText(panel, value)),
      fontFamily: FONT,
      fontSize: 12,
      color: INK,
    },
    // Not shown, but the lines of the grid follow them.
    axisTick: { show: false, customValues: ticks },
    axisLine: { show: false },
    splitLine: { show: true, lineStyle: { color: GRID } },
  };
}

function series(panel: ChartPanel, index: number, input: ChartInput, marks: readonly Numbered[]) {
  const color = LINES[index % LINES.length]!;
  return {
    type: 'line' as const,
    xAxisIndex: index,
    yAxisIndex: index,
    data: withBreaks(panel.points, input),
    showSymbol: false,
    connectNulls: false,
    lineStyle: { width: 1.8, color },
    areaStyle: { color, opacity: 0.12 },
    silent: true,
    markArea: { silent: true, data: areas(input, marks) },
    markLine: {
      silent: true,
      symbol: 'none',
      data: (panel.limits ?? []).map(({ value, name }) => ({
        yAxis: value,
        lineStyle: { color: SOFT, type: 'dashed' as const, width: 1 },
        label: {
          show: true,
          position: 'insideStartTop' as const,
          formatter: name,
          fontFamily: FONT,
          fontSize: 10,
          color: SOFT,
        },
      })),
    },
  };
}

/** Points of a chart that lie further apart have a hole between them (ms); it is drawn with 480 of them. */
function farApart(from: number, to: number): number {
  return ((to - from) / 480) * 2.5;
}

/**
 * A hole in the data is a hole in the line: a point without a value wherever two are too far apart. A point between two holes is
 * drawn as wide as a dot: a line of one point cannot be seen.
 */
function withBreaks(
  points: readonly ChartPoint[],
  { from, to, gaps }: ChartInput,
): [number, number | null][] {
  const data: [number, number | null][] = [];
  const dot = ((to - from) / (CHART_WIDTH - LEFT - RIGHT)) * DOT_PIXELS;
  let before: number | undefined;
  const endRun = () => {
    const [last, beforeLast] = [data.at(-1), data.at(-2)];
    if (last && (beforeLast === undefined || beforeLast[1] === null))
      data.splice(-1, 1, [Math.max(from, last[0] - dot), last[1]], last);
  };
  for (const { at, max } of points) {
    const broken =
      before !== undefined &&
      (gaps.some((gap) => gap.from >= before! - 1000 && gap.to <= at + 1000) ||
        at - before > Math.max(NOW_MS, farApart(from, to)));
    if (broken) {
      endRun();
      data.push([before! + 1, null]);
    }
    data.push([at, max]);
    before = at;
  }
  endRun();
  return data;
}

function areas(input: ChartInput, marks: readonly Numbered[]) {
  const narrowest = ((input.to - input.from) / (CHART_WIDTH - LEFT - RIGHT)) * MIN_BAND_PIXELS;
  const area = (from: number, to: number, itemStyle: object, name = '') => {
    const start = Math.max(input.from, Math.min(from, input.to - narrowest));
    const end = Math.min(input.to, Math.max(to, start + narrowest));
    const label = {
      show: name !== '',
      formatter: name,
      position: 'insideTop',
      fontFamily: FONT,
      fontSize: 11,
      color: SOFT,
    };
    return [{ xAxis: start, itemStyle, label }, { xAxis: end }] as [object, object];
  };
  return [
    ...input.gaps.map(({ from, to }) =>
      area(from, to, { color: GAP }, to - from > (input.to - input.from) / 9 ? 'no data' : ''),
    ),
    ...marks.map(({ from, to, severity }) =>
      area(from, to ?? input.to, {
        color: BANDS[severity],
        borderColor: EDGES[severity],
        borderWidth: 0.6,
      }),
    ),
  ];
}
