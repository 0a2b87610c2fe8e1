/**
 * A week of one series in fixed memory: of each half hour a low and a high value (5 KB). Both are made of the minimum, average and
 * maximum of quarter hours, which is what the history keeps: what was restored and what was seen look the same.
 */
export const SLOT_MS = 30 * 60_000;
const QUARTER_MS = SLOT_MS / 2;
/** A week. */
const KEPT_SLOTS = 7 * 48;
/** How far the clock of a series goes on where it steps back: the usual distance of samples is taken, at most this. */
const MOST_STEP_MS = 5 * 60_000;

/**
 * Half an hour. `slot` counts half hours of the series' own time line. `low` lies between minimum and average, so that short
 * peaks do not move it and neither does one low value; `high` is the maximum. `bridged`: nothing was seen in it, it lies between two that were.
 */
export type Slot = { slot: number; low: number; high: number; bridged?: boolean };

/** The state of a series; times and slots are those of its own time line, which goes on where the clock steps back. */
export type Series = {
  /** Low and high value of each slot, in a ring. */
  kept: Float32Array;
  oldest: number;
  newest: number;
  /** The clock (epoch ms) at the last sample, and the usual distance of samples (ms). */
  lastAt: number | undefined;
  usualStep: number;
  /** Own time less the clock (ms). */
  ahead: number;
  /** The quarter of an hour that is going on, and what was seen in it. */
  quarter: number;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** Of the quarters of the current half hour. */
  low: number;
  high: number;
};

export function newSeries(): Series {
  return {
    kept: new Float32Array(KEPT_SLOTS * 2).fill(Number.NaN),
    oldest: Number.NaN,
    newest: Number.NaN,
    lastAt: undefined,
    usualStep: 0,
    ahead: 0,
    quarter: Number.NaN,
    count: 0,
    sum: 0,
    min: 0,
    max: 0,
    low: Number.NaN,
    high: Number.NaN,
  };
}

/**
 * Takes a value (`at`: epoch ms). Returns true when a half hour is complete: then there is something new to judge. A clock that steps back
 * does not disturb it, nor one that steps on by more than a week: it counts on from where it was.
 */
export function addSample(series: Series, at: number, value: number): boolean {
  const ended = enter(series, at);
  if (series.count === 0) {
    series.sum = 0;
    series.min = series.max = value;
  }
  series.count += 1;
  series.sum += value;
  if (value < series.min) series.min = value;
  if (value > series.max) series.max = value;
  return ended;
}

/** Takes a quarter of an hour of the history that began at `at` (epoch ms). */
export function addQuarter(series: Series, at: number, min: number, average: number, max: number): boolean {
  const ended = enter(series, at);
  Object.assign(series, { count: 1, sum: average, min, max });
  return ended;
}

/** The half hours of the last week that are complete, oldest first. */
export function slotsOf({ kept, oldest, newest }: Series): Slot[] {
  const all: Slot[] = [];
  for (let slot = oldest; slot <= newest; slot++) {
    const place = (slot % KEPT_SLOTS) * 2;
    const low = kept[place]!;
    if (!Number.isNaN(low)) all.push({ slot, low, high: kept[place + 1]! });
  }
  return all;
}

/** Epoch ms at which a slot began, as the clock is now. */
export function timeOf({ ahead }: Series, slot: number): number {
  return slot * SLOT_MS - ahead;
}

function enter(series: Series, at: number): boolean {
  const current = Math.floor(ownTime(series, at) / QUARTER_MS);
  if (Number.isNaN(series.quarter)) series.quarter = current;
  return current !== series.quarter && endQuarter(series, current);
}

function ownTime(series: Series, at: number): number {
  const step = series.lastAt === undefined ? 0 : at - series.lastAt;
  series.lastAt = at;
  if (step < 0 || step > KEPT_SLOTS * SLOT_MS) series.ahead += series.usualStep - step;
  else if (step > 0) series.usualStep = Math.min(step, MOST_STEP_MS);
  return at + series.ahead;
}

/** Ends the quarter before `next`, and the half hour when that lies in another one. */
function endQuarter(series: Series, next: number): boolean {
  const { count, sum, min, max, low, high } = series;
  if (count > 0) {
    const lowest = (min + sum / count) / 2;
    series.low = Number.isNaN(low) ? lowest : Math.min(low, lowest);
    series.high = Number.isNaN(high) ? max : Math.max(high, max);
  }
  series.count = 0;
  const slot = Math.floor(series.quarter / 2);
  series.quarter = next;
  if (Math.floor(next / 2) === slot || Number.isNaN(series.low)) return false;
  keep(series, slot);
  series.low = series.high = Number.NaN;
  return true;
}

function keep(series: Series, slot: number): void {
  const { newest, low, high } = series;
  if (Number.isNaN(newest)) series.oldest = slot;
  else
    for (let i = Math.max(newest + 1, slot - KEPT_SLOTS); i < slot; i++)
      put(series, i, Number.NaN, Number.NaN);
  series.newest = slot;
  series.oldest = Math.max(series.oldest, slot - KEPT_SLOTS + 1);
  put(series, slot, low, high);
}

function put({ kept }: Series, slot: number, low: number, high: number): void {
  const place = (slot % KEPT_SLOTS) * 2;
  kept[place] = low;
  kept[place + 1] = high;
}
