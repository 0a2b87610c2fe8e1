import { median } from '../model/trend.ts';
import type { Slot } from './series.ts';
import { slopeOf, type Trend } from './trend.ts';

const DAY_SLOTS = 48;
/** What is fitted: the last four days. */
const FITTED_SLOTS = 4 * DAY_SLOTS;
/** A daily cycle is looked for when so much is known: less, and growth may be taken for a part of it. */
const LEAST_FOR_CYCLE = 40 * 2;
/** The growth may have begun at every third half hour, and three hours ago at the latest; a curve is seen in eight. */
const KNEE_STEP = 3;
const KNEE_LATEST = 6;
const LEAST_CURVE = 16;
/** Curved growth, or a daily cycle, must fit so much better than a straight line (sum of absolute errors). */
const CURVE_ERROR = 0.85;
const CYCLE_ERROR = 0.8;
/** A straight line that is so close on average (share of the capacity) needs nothing better. */
const CLOSE = 0.0025;
/** Where it stands now: the middle of so many half hours. */
const LEVEL_SLOTS = 8;
const PEAK_SLOTS = 16;
/** Of the last days at the same hour, these are looked at for peaks (a backup every night). */
const PEAK_DAYS = 3;
/** Further ahead than this no cycle matters. */
const FURTHEST = 100 * 2;
/** Of the slope since the growth began, so much at least goes on. */
const LEAST_SHARE = 0.3;

/** `perHour` in the unit of the series. */
export type Projection = { hours: number; perHour: number };

/**
 * In how many hours it is full. Three shapes are fitted to the last days (least squares): a level and then a straight line; the same, bent
 * upwards; the same with a daily cycle. The simplest one that fits goes on, with the peaks that each day has had at the same hour. Where none
 * fits, the found trend goes on.
 */
export function project(slots: readonly Slot[], found: Trend, capacity: number): Projection {
  const simple = {
    hours: Math.max(0, (capacity - found.level) / found.perHour),
    perHour: found.perHour,
  };
  const newest = slots.at(-1)!.slot;
  const known = slots.filter(({ slot }) => slot > newest - FITTED_SLOTS);
  const fit = bestFit(known, capacity);
  if (!fit) return simple;
  const now = fit.slope + 2 * fit.bend * (newest - fit.knee);
  if (!(now > 0)) return simple;
  // The last half day since it began has its say, for the line may have been fitted to a longer time.
  const lately = known
    .filter(({ slot }) => slot >= Math.max(fit.knee, newest - DAY_SLOTS / 2))
    .map(({ slot, low }) => ({ slot, low: low - fit.cycle(slot), high: 0 }));
  const perSlot = fit.bend > 0 ? now : Math.max(LEAST_SHARE * now, 0.75 * now + 0.25 * (slopeOf(lately) / 2));
  return { hours: hoursUntil(known, fit, perSlot, capacity), perHour: perSlot * 2 };
}

/** Per slot; `cycle` is what the hour of the day adds. */
type Fit = {
  knee: number;
  slope: number;
  bend: number;
  error: number;
  line(slot: number): number;
  cycle(slot: number): number;
};

function bestFit(slots: readonly Slot[], capacity: number): Fit | undefined {
  let fit = fitOf(slots, false, false);
  if (!fit || fit.error <= CLOSE * capacity * slots.length) return fit;
  const curved = fitOf(slots, true, false);
  if (curved && curved.bend > 0 && curved.slope >= 0 && curved.error < CURVE_ERROR * fit.error) fit = curved;
  if (slots.at(-1)!.slot - slots[0]!.slot + 1 < LEAST_FOR_CYCLE) return fit;
  const cyclic = fitOf(slots, false, true);
  return cyclic && cyclic.error < CYCLE_ERROR * fit.error ? cyclic : fit;
}

function hoursUntil(slots: readonly Slot[], fit: Fit, perSlot: number, capacity: number): number {
  const newest = slots.at(-1)!.slot;
  const steady = ({ slot, low }: Slot) => low - fit.cycle(slot);
  const ahead = (by: number) => perSlot * by + fit.bend * by * by;
  const level = median(slots.slice(-LEVEL_SLOTS).map((slot) => steady(slot) - ahead(slot.slot - newest)));
  const usual = median(slots.slice(-PEAK_SLOTS).map((slot) => slot.high - steady(slot)));
  const peaks = peaksByHour(slots, fit);
  for (let by = 0; by <= FURTHEST; by++) {
    const slot = newest + by;
    const peak = peaks.get(slot % DAY_SLOTS) ?? usual + fit.cycle(slot);
    if (level + ahead(by) + peak >= capacity) return Math.max(0, (by - 0.5) / 2);
  }
  return (capacity - level - usual) / perSlot / 2;
}

/** How far the maximum of each half hour of the day stood above the line, on average of the last days. Empty for less than a day. */
function peaksByHour(slots: readonly Slot[], fit: Fit): Map<number, number> {
  const newest = slots.at(-1)!.slot;
  const sums = new Map<number, { sum: number; days: number }>();
  if (newest - slots[0]!.slot < DAY_SLOTS) return new Map();
  for (const { slot, high } of slots) {
    if (slot <= newest - PEAK_DAYS * DAY_SLOTS) continue;
    const entry = sums.get(slot % DAY_SLOTS) ?? { sum: 0, days: 0 };
    entry.sum += high - fit.line(slot);
    entry.days += 1;
    sums.set(slot % DAY_SLOTS, entry);
  }
  return new Map([...sums].map(([hour, { sum, days }]) => [hour, sum / days]));
}

/** Of all slots in which the growth may have begun, the one that leaves the least error. */
function fitOf(slots: readonly Slot[], bent: boolean, cyclic: boolean): Fit | undefined {
  const newest = slots.at(-1)!.slot;
  const size = 2 + (bent ? 1 : 0) + (cyclic ? 4 : 0);
  const rows = slots.map(({ slot }) => rowOf(slot, newest, bent, cyclic));
  let [error, knee] = [Number.POSITIVE_INFINITY, 0];
  let factors: Float64Array | undefined;
  for (let from = slots[0]!.slot; from <= newest - (bent ? LEAST_CURVE : KNEE_LATEST); from += KNEE_STEP) {
    for (const [i, { slot }] of slots.entries()) {
      const grown = Math.max(0, slot - from);
      rows[i]![1] = grown;
      if (bent) rows[i]![2] = grown * grown;
    }
    const solved = leastSquares(rows, slots, size);
    if (!solved) continue;
    let sum = 0;
    for (const [i, { low }] of slots.entries()) sum += Math.abs(low - dot(rows[i]!, solved, 0));
    if (sum < error) [error, knee, factors] = [sum, from, solved];
  }
  if (!factors) return undefined;
  const [base, slope, third] = factors as unknown as [number, number, number];
  const bend = bent ? third : 0;
  const best = factors;
  return {
    knee,
    slope,
    bend,
    error,
    line(slot) {
      const grown = Math.max(0, slot - knee);
      return base + slope * grown + bend * grown * grown;
    },
    cycle: (slot) => (cyclic ? dot(rowOf(slot, newest, bent, cyclic), best, bent ? 3 : 2) : 0),
  };
}

/** Factors of the level, the growth, the bend, and two waves a day. */
function rowOf(slot: number, newest: number, bent: boolean, cyclic: boolean): Float64Array {
  const angle = (2 * Math.PI * (slot - newest)) / DAY_SLOTS;
  const waves = cyclic ? [Math.cos(angle), Math.sin(angle), Math.cos(2 * angle), Math.sin(2 * angle)] : [];
  return Float64Array.of(1, 0, ...(bent ? [0] : []), ...waves);
}

function dot(row: Float64Array, factors: Float64Array, from: number): number {
  let sum = 0;
  for (let i = from; i < factors.length; i++) sum += row[i]! * factors[i]!;
  return sum;
}

/** Normal equations by Gauss-Jordan with pivots; undefined where they have no single solution. */
function leastSquares(rows: Float64Array[], slots: readonly Slot[], size: number): Float64Array | undefined {
  const matrix = Array.from({ length: size }, () => new Float64Array(size + 1));
  for (const [n, row] of rows.entries()) {
    const { low } = slots[n]!;
    for (let i = 0; i < size; i++) {
      const line = matrix[i]!;
      const factor = row[i]!;
      for (let j = 0; j < size; j++) line[j]! += factor * row[j]!;
      line[size]! += factor * low;
    }
  }
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let j = i + 1; j < size; j++) if (Math.abs(matrix[j]![i]!) > Math.abs(matrix[pivot]![i]!)) pivot = j;
    if (Math.abs(matrix[pivot]![i]!) < 1e-9) return undefined;
    [matrix[i], matrix[pivot]] = [matrix[pivot]!, matrix[i]!];
    for (let j = 0; j < size; j++) {
      if (j === i) continue;
      const factor = matrix[j]![i]! / matrix[i]![i]!;
      for (let k = i; k <= size; k++) matrix[j]![k]! -= factor * matrix[i]![k]!;
    }
  }
  return Float64Array.from(matrix, (line, i) => line[size]! / line[i]!);
}
