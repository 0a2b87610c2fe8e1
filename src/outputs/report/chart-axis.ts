// Ticks of the chart: round binary sizes, and full hours or days of the reader's clock.
import { clockTime, dayAndMonth, weekday } from './text.ts';

const MB = 1_048_576;

/** At most `most` steps of 2^n MB up to `max`, zero included; and `max` itself where it is not too close to the last one. */
export function byteTicks(max: number, most = 5): number[] {
  let step = MB;
  while (max / step > most) step *= 2;
  const ticks: number[] = [];
  for (let value = 0; value <= max * 1.001; value += step) ticks.push(value);
  if (max - ticks.at(-1)! > step * 0.4) ticks.push(max);
  return ticks;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** From here on days are marked instead of hours, and at most so many. */
const MOST_HOURS = 36;
const MOST_DAYS = 8;

/**
 * Local times that are multiples of a round step since midnight; midnights where it is more than a day and a half. On a day with a
 * change to or from summer time they stay round, and are an hour more or less apart.
 */
export function timeTicks(from: number, to: number): number[] {
  const span = to - from;
  if (span > MOST_HOURS * HOUR) return midnights(from, to);
  const step =
    span <= 2 * HOUR ? 15 * MINUTE : span <= 7 * HOUR ? HOUR : span <= 14 * HOUR ? 2 * HOUR : 4 * HOUR;
  const ticks: number[] = [];
  const midnight = new Date(from);
  for (let day = 0; day < 3; day++) {
    for (let minutes = 0; minutes < 24 * 60; minutes += step / MINUTE) {
      const at = new Date(
        midnight.getFullYear(),
        midnight.getMonth(),
        midnight.getDate() + day,
        0,
        minutes,
      ).getTime();
      if (at >= from && at <= to && at !== ticks.at(-1)) ticks.push(at);
    }
  }
  return ticks;
}

function midnights(from: number, to: number): number[] {
  const every = Math.ceil((to - from) / (MOST_DAYS * 24 * HOUR));
  const first = new Date(from);
  const ticks: number[] = [];
  for (let day = 1; ; day += every) {
    const at = new Date(first.getFullYear(), first.getMonth(), first.getDate() + day).getTime();
    if (at > to) return ticks;
    ticks.push(at);
  }
}

/** "08:00"; "Thu" or "31 Jan" where days are marked. */
export function tickText(at: number, from: number, to: number): string {
  const span = to - from;
  if (span <= MOST_HOURS * HOUR) return clockTime(at);
  return span <= 7.5 * 24 * HOUR ? weekday(at) : dayAndMonth(at);
}
