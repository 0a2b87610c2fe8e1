/** Ticks of the chart: round binary sizes, and full hours of the reader's clock. */

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

/**
 * Local times that are multiples of a round step since midnight. On a day with a change to or from summer time they stay
 * round, and are an hour more or less apart.
 */
export function timeTicks(from: number, to: number): number[] {
  const span = to - from;
  const step =
    span <= 2 * HOUR ? 15 * MINUTE : span <= 7 * HOUR ? HOUR : span <= 14 * HOUR ? 2 * HOUR : 4 * HOUR;
  const ticks: number[] = [];
  const midnight = new Date(from);
  midnight.setHours(0, 0, 0, 0);
  for (let day = 0; day < 4; day++) {
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
