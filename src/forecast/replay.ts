import { plain } from '../model/text.ts';
import { median } from '../model/trend.ts';
import { judge, newForecaster } from './forecaster.ts';
import { addSample } from './series.ts';

const HOUR = 3_600_000;
/** Longer than any timestamp and number. */
const MOST_LINE = 200;
/** 9999-12-31 in seconds: what is more is milliseconds, or no time at all. */
const LAST_SECOND = 253_402_300_799;
/** Where more of the steps than this go back in time, the lines are out of order; a clock that was set back does so now and then. */
const CLOCK_STEPS = 0.1;
/** A line that comes late: the time is back where it was after so many lines. After a clock was set back it takes longer. */
const LATE_LINES = 10;
/** Two logs follow each other where no more than this many of the usual steps lie between them. */
const BETWEEN_LOGS = 10;
/** Also as databases write it: "2026-01-01 00:00:00+00", or with a space before the offset. */
const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(?:Z|([+-]\d\d)(?::?(\d\d))?)?)?$/i;
const NUMBER = /^\d+(\.\d*)?(e[+-]?\d{1,3})?$/i;

export type Sample = { at: number; value: number };

/** Times are epoch ms. */
export type Announcement = {
  at: number;
  fullAt: number;
  severity: 'warning' | 'critical';
  perHour: number;
  endedAt?: number;
};

export type Replay = {
  samples: number;
  announcements: Announcement[];
  forecasts: { at: number; fullAt: number }[];
};

/**
 * Feeds recorded samples to the forecast of the monitor. What becomes critical is announced anew, and the warning stays
 * open beside it: both are over when the growth is. While one is open there is a forecast every hour.
 */
export function replay(samples: Iterable<Sample>, capacity: number): Replay {
  const forecaster = newForecaster();
  const result: Replay = { samples: 0, announcements: [], forecasts: [] };
  let next = Number.NEGATIVE_INFINITY;
  for (const { at, value } of samples) {
    result.samples++;
    if (!addSample(forecaster.series, at, value)) continue;
    const { open, event } = judge(forecaster, at, capacity);
    if (event === 'ended') for (const one of result.announcements) one.endedAt ??= at;
    if (!open) continue;
    if (event === 'announced' || event === 'escalated') {
      const { fullAt, severity, perHour } = open;
      result.announcements.push({ at, fullAt, severity, perHour });
    }
    // The clock of the record may have stepped back.
    if (event === 'announced' || at >= next || at < next - HOUR) {
      result.forecasts.push({ at, fullAt: open.fullAt });
      // A verdict comes with the first sample of a half hour, which is not always at the same second.
      next = at + HOUR - 5 * 60_000;
    }
  }
  return result;
}

/**
 * Reads lines of `timestamp,value` (epoch seconds, or ISO 8601, which is UTC where it names no zone; either may be quoted). A first line of
 * two names is a header. Lines in no order of time, or with the newest first, are sorted, and so is
 * a line that comes late, and logs that were joined in the wrong order; where the time goes back and stays there otherwise, the clock was set. Throws an Error that names `name`, the line, what
 * stands there and what was expected.
 */
export function parseSamples(text: string, name: string): Sample[] {
  const samples = [...parseLines(text, name)];
  let back = 0;
  for (let i = 1; i < samples.length; i++) if (samples[i]!.at < samples[i - 1]!.at) back++;
  if (back === 0) return samples;
  const parts = back > CLOCK_STEPS * samples.length ? [samples] : betweenClockSteps(samples);
  for (const part of parts) part.sort((a, b) => a.at - b.at);
  return (joinedLogs(parts) ?? parts).flat();
}

/**
 * Logs that were joined in the wrong order, in the order of time; undefined where they are not such. They are where each begins close behind
 * the end of the one before it, apart from gaps within one log.
 */
function joinedLogs(parts: readonly (readonly Sample[])[]): Sample[][] | undefined {
  const pieces = parts.flatMap(betweenGaps).map((piece, index) => ({ piece, index }));
  const inTime = pieces.toSorted((a, b) => a.piece[0]!.at - b.piece[0]!.at);
  const follow = inTime.every(({ piece, index }, i) => {
    const before = inTime[i - 1];
    if (!before) return true;
    const gap = piece[0]!.at - before.piece.at(-1)!.at;
    return gap >= 0 && (index === before.index + 1 || gap <= BETWEEN_LOGS * usualStep(before.piece));
  });
  return follow ? inTime.map(({ piece }) => piece) : undefined;
}

/** Cut where more than some of the usual steps are missing. */
function betweenGaps(part: readonly Sample[]): Sample[][] {
  const most = BETWEEN_LOGS * usualStep(part);
  const pieces: Sample[][] = [];
  let from = 0;
  for (let i = 1; i <= part.length; i++) {
    if (i < part.length && part[i]!.at - part[i - 1]!.at <= most) continue;
    pieces.push(part.slice(from, i));
    from = i;
  }
  return pieces;
}

/** The median distance of samples that follow each other, ms. */
function usualStep(part: readonly Sample[]): number {
  return median(part.slice(1).map(({ at }, i) => at - part[i]!.at)) || 0;
}

/** Cut where the time goes back and stays there. */
function betweenClockSteps(samples: readonly Sample[]): Sample[][] {
  const parts: Sample[][] = [];
  let [from, newest] = [0, Number.NEGATIVE_INFINITY];
  for (const [i, { at }] of samples.entries()) {
    const following = at < newest ? samples.slice(i, i + LATE_LINES) : [];
    if (following.length === LATE_LINES && following.every((next) => next.at < newest)) {
      parts.push(samples.slice(from, i));
      [from, newest] = [i, at];
    }
    newest = Math.max(newest, at);
  }
  parts.push(samples.slice(from));
  return parts;
}

function* parseLines(text: string, name: string): Generator<Sample> {
  let number = 0;
  let from = 0;
  let begun = false;
  while (from < text.length) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    number++;
    if (to - from > MOST_LINE) throw wrong(name, number, `is longer than ${MOST_LINE} characters`);
    // trim() takes a byte order mark away, too.
    const line = text.slice(from, to).trim();
    from = to + 1;
    if (line === '') continue;
    const isFirst = !begun;
    begun = true;
    if (isFirst && isHeader(line)) continue;
    yield parseLine(line, name, number);
  }
}

function isHeader(line: string): boolean {
  const fields = line.split(',');
  return fields.length === 2 && fields.every((field) => /^[^\d+.-]/.test(unquoted(field)));
}

function parseLine(line: string, name: string, number: number): Sample {
  const fields = line.split(',');
  if (fields.length !== 2)
    throw wrong(
      name,
      number,
      `has ${fields.length} field${fields.length === 1 ? '' : 's'}: "${plain(line, 60)}"`,
    );
  const [time, amount] = [unquoted(fields[0]!), unquoted(fields[1]!)];
  const at = parseTime(time);
  if (at === undefined) {
    const hint = /^\d{13}$/.test(time) ? ' (milliseconds? divide by 1000)' : '';
    throw wrong(name, number, `has no time in front: "${plain(time, 40)}"${hint}`);
  }
  const value = NUMBER.test(amount) ? Number(amount) : Number.NaN;
  if (!Number.isFinite(value)) throw wrong(name, number, `has no used amount: "${plain(amount, 40)}"`);
  return { at, value };
}

function unquoted(field: string): string {
  return field
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .trim();
}

function parseTime(text: string): number | undefined {
  if (NUMBER.test(text)) {
    const seconds = Number(text);
    return seconds <= LAST_SECOND ? seconds * 1000 : undefined;
  }
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, date, time = '00:00', hours, minutes = '00'] = match;
  const at = Date.parse(`${date}T${time}${hours ? `${hours}:${minutes}` : 'Z'}`);
  // 30 February would be taken for 2 March.
  return Number.isNaN(at) || !new Date(date!).toJSON().startsWith(date!) ? undefined : at;
}

function wrong(name: string, line: number, what: string): Error {
  return new Error(
    `${name}, line ${line}: ${what}; expected \`timestamp,value\`: epoch seconds or ISO 8601, and the used bytes, like \`1767225600,1073741824\``,
  );
}
