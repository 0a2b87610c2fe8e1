import { formatBytes, formatMany } from '../../model/text.ts';

/** Words and times of the report. Times are local, as the reader's clock shows them. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** "08:05" */
export function clockTime(at: number): string {
  const date = new Date(at);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** "Saturday 31 January, 08:05" */
export function longTime(at: number): string {
  const date = new Date(at);
  return `${DAYS[date.getDay()]} ${date.getDate()} ${MONTHS[date.getMonth()]}, ${clockTime(at)}`;
}

/**
 * "03:12" within a day of `now`, "Thu 03:12" within a week, "31 Jan 03:12" before that. A day is one of the clock on the wall: on the one
 * of 23 hours, 07:30 of yesterday is not the 07:30 of today.
 */
export function shortTime(at: number, now: number): string {
  const age = now - at;
  const dayAgo = new Date(now);
  dayAgo.setDate(dayAgo.getDate() - 1);
  if (age >= 0 && at > dayAgo.getTime()) return clockTime(at);
  return `${age >= 0 && age < 6.5 * 86_400_000 ? weekday(at) : dayAndMonth(at)} ${clockTime(at)}`;
}

/** "Thu" */
export function weekday(at: number): string {
  return DAYS[new Date(at).getDay()]!.slice(0, 3);
}

/** "31 Jan" */
export function dayAndMonth(at: number): string {
  const date = new Date(at);
  return `${date.getDate()} ${MONTHS[date.getMonth()]!.slice(0, 3)}`;
}

/** "2026-01-31", the local day. */
export function dayName(at: number): string {
  const date = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** "3 restarts", "1 restart", "no restarts". */
export function many(count: number, singular: string, plural = `${singular}s`): string {
  if (count === 0) return `no ${plural}`;
  return formatMany(count, singular, plural);
}

/** "+20 MB", "-3 MB", "unchanged" below 1 MB. */
export function bytesChange(difference: number): string {
  if (Math.abs(difference) < 1_048_576) return 'unchanged';
  return `${difference > 0 ? '+' : ''}${formatBytes(difference)}`;
}

/** 12.5 -> "12.5", 99.04 -> "99", 0.04 -> "0" */
export function oneDecimal(value: number): string {
  const text = value.toFixed(1);
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
