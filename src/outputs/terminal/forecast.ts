import type { Forecast } from '../../model/forecast.ts';
import { forecastAdvice, forecastDetails, forecastRate } from '../../model/forecast-text.ts';
import { formatBytes, formatCount, formatMoment, isoTime, plain, shortName } from '../../model/text.ts';
import { right, styleFor, table, width, wrapBehind } from './style.ts';

const HOUR = 3_600_000;
/** Fewer hours of values than this, and nothing is known. */
const LEAST_HOURS = 8;
/** Growth that needs longer than this is no concern yet. */
const FAR_HOURS = 30 * 24;
const COLUMNS = 80;
const MOST_NAME = 20;
const LEAST_NAME = 9;
/** Of the first to be full, the culprit and what to do are shown. */
const MOST_EXPLAINED = 3;
/** Rows of what does not grow. */
const MOST_CALM = 12;
/** Below so many columns a table does not fit. */
const NARROW = 60;
const HEAD = ['WHAT', right('IN USE'), right('GROWS'), 'FULL', 'HOW SURE'];

export type ForecastView = {
  forecasts: readonly Forecast[];
  now: number;
  color: boolean;
  /** Default: enough for a table. */
  columns?: number;
};

/** What runs out when, the first to be full on top, and what is not known. */
export function renderForecasts({ forecasts, now, color, columns = NARROW }: ForecastView): string {
  const style = styleFor(color);
  const cells = columns < NARROW ? columns : COLUMNS;
  const growing = forecasts
    .filter(({ growth }) => growth)
    .toSorted((a, b) => a.growth!.fullAt - b.growth!.fullAt);
  const others = forecasts
    .filter(({ growth }) => !growth)
    .toSorted((a, b) => b.used / b.capacity - a.used / a.capacity);
  const shown = [...growing, ...others.slice(0, MOST_CALM)];
  const tableOf = (longest: number) =>
    table(
      HEAD,
      shown.map((one) => rowOf(one, longest)),
      style,
    );
  const rowOf = (one: Forecast, longest: number) => [
    shortName(label(one), longest),
    amount(one),
    one.growth ? forecastRate(one, one.growth.perHour) : '-',
    one.growth
      ? style[one.growth.severity === 'critical' ? 'bad' : 'warn'](shortMoment(one.growth.fullAt, now))
      : '-',
    certainty(one, now),
  ];
  const lines =
    growing.length === 0
      ? [`${style.good('Nothing runs out')} that can be seen from here.`]
      : [style.bold(`${growing.length === 1 ? 'One thing runs' : `${growing.length} things run`} out:`)];
  if (columns < NARROW) {
    for (const [i, one] of growing.entries())
      lines.push(...block(one, now, style, i < MOST_EXPLAINED, cells));
    if (others.length > 0) lines.push('', 'In use:');
    for (const one of others.slice(0, MOST_CALM))
      lines.push(...wrapBehind('  ', `${shortName(label(one), MOST_NAME)}: ${amount(one)}`, cells));
  } else if (shown.length > 0) {
    // Names give way to wide amounts.
    const excess = Math.max(...tableOf(MOST_NAME).map(width)) - COLUMNS;
    lines.push('', ...tableOf(Math.max(LEAST_NAME, MOST_NAME - Math.max(0, excess))));
  }
  if (others.length > MOST_CALM)
    lines.push(`  ... and ${formatCount(others.length - MOST_CALM)} more that do not grow`);
  if (columns >= NARROW)
    for (const one of growing.slice(0, MOST_EXPLAINED))
      lines.push('', `${plain(label(one), COLUMNS - 1)}:`, ...explained(one, now, cells));
  return [...lines, ''].join('\n');
}

/** The culprit and what to do. */
function explained(one: Forecast, now: number, cells: number): string[] {
  const [, ...because] = forecastDetails(one, one.growth!, now);
  return [
    ...because.flatMap((line) => wrapBehind('  ', line, cells)),
    ...(cells < NARROW
      ? wrapBehind('  ', `Advice: ${forecastAdvice(one)}`, cells)
      : wrapBehind('  Advice: ', forecastAdvice(one), cells)),
  ];
}

/** What runs out, in lines of a phone. */
function block(
  one: Forecast,
  now: number,
  style: ReturnType<typeof styleFor>,
  isExplained: boolean,
  cells: number,
): string[] {
  const { growth } = one;
  if (!growth) return [];
  return [
    '',
    style.bold(plain(label(one))),
    `  ${amount(one)}`,
    `  grows ${forecastRate(one, growth.perHour)}`,
    `  full ${shortMoment(growth.fullAt, now)}`,
    `  ${certainty(one, now)}`,
    ...(isExplained ? explained(one, now, cells) : []),
  ];
}

/** "Tue 03:40" */
function shortMoment(at: number, now: number): string {
  return formatMoment(at, now).replace(/^([A-Z][a-z]{2})[a-z]*/, '$1');
}

function label({ kind, subject, withoutSwap }: Forecast): string {
  switch (kind) {
    case 'memory':
      return withoutSwap ? 'memory' : 'memory and swap';
    case 'disk':
      return `disk ${subject}`;
    case 'inodes':
      return `inodes of ${subject}`;
    case 'connections':
      return 'postgres connections';
    case 'redis':
      return 'redis memory';
    case 'container':
      return subject;
  }
}

function amount({ kind, used, capacity }: Forecast): string {
  if (kind === 'inodes') return `${used.toFixed(1)} %`;
  if (kind === 'connections') return `${formatCount(used)} of ${formatCount(capacity)}`;
  return `${formatBytes(used)} of ${formatBytes(capacity)}`;
}

function certainty(one: Forecast, now: number): string {
  const { growth, knownHours, maybePerHour, used, capacity } = one;
  if (growth) {
    const sure = growth.agreeing >= 3 ? 'sure' : growth.agreeing === 2 ? 'likely' : 'unsure';
    return `${sure}, in ${Math.max(0, Math.round((growth.fullAt - now) / HOUR))} h`;
  }
  if (knownHours < LEAST_HOURS) return `${Math.floor(knownHours)} of ${LEAST_HOURS} h seen`;
  if (maybePerHour !== undefined && maybePerHour > 0 && (capacity - used) / maybePerHour < FAR_HOURS)
    return 'not clear yet';
  return 'no growth';
}

/** The documented shape of `forecast --json`: times in ISO 8601, amounts in bytes, percent (inodes) or as a count (connections). */
export function forecastsToJson(
  forecasts: readonly Forecast[],
  now: number,
): { version: 1; at: string | null; forecasts: object[] } {
  return {
    version: 1,
    at: isoTime(now),
    forecasts: forecasts.map((one) => ({
      kind: one.kind,
      subject: one.subject,
      used: Math.round(one.used * 10) / 10,
      capacity: one.capacity,
      known_hours: Math.round(one.knownHours * 10) / 10,
      severity: one.growth?.severity ?? null,
      per_hour: one.growth ? Math.round(one.growth.perHour * 1000) / 1000 : null,
      since: isoTime(one.growth?.since),
      full_at: isoTime(one.growth?.fullAt),
      windows_agreeing: one.growth?.agreeing ?? null,
      maybe_per_hour: one.maybePerHour === undefined ? null : Math.round(one.maybePerHour * 1000) / 1000,
      culprit: culpritToJson(one),
      how_sure: certainty(one, now),
    })),
  };
}

function culpritToJson({ culprit }: Forecast): object | null {
  switch (culprit?.kind) {
    case undefined:
      return null;
    case 'container':
      return {
        kind: 'container',
        name: culprit.name,
        image: culprit.image,
        bytes: culprit.bytes,
        bytes_per_hour: Math.round(culprit.perHour),
        since: isoTime(culprit.since),
        limit_bytes: culprit.limitBytes,
        started_at: isoTime(culprit.startedAt),
        others: culprit.others.map(growerToJson),
      };
    case 'many':
      return {
        kind: 'many',
        count: culprit.count,
        bytes_per_hour: Math.round(culprit.perHour),
        largest: culprit.largest.map(growerToJson),
      };
    case 'outside':
      return {
        kind: 'outside',
        bytes_per_hour: Math.round(culprit.perHour),
        since: isoTime(culprit.since),
        processes: culprit.processes,
      };
  }
}

function growerToJson({ name, perHour, bytes }: { name: string; perHour: number; bytes: number }): object {
  return { name, bytes, bytes_per_hour: Math.round(perHour) };
}
