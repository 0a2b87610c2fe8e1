import { median } from '../model/trend.ts';
import type { Slot } from './series.ts';
import { slopeOf } from './trend.ts';

const DAY_SLOTS = 48;
/** What is fitted: the last four days. */
export const FITTED_SLOTS = 4 * DAY_SLOTS;
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
/** Of these peaks, this share is lower than the one that counts: it is full when the first one reaches the capacity. */
const USUAL_PEAK = 0.75;
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
export function project(
  slots: readonly Slot[],
  fit: Fit | undefined,
  found: Line,
  capacity: number,
): Projection {
  const simple = {
    hours: Math.max(0, (capacity - found.level) / found.perHour),
    perHour: found.perHour,
  };
  const newest = slots.at(-1)!.slot;
  if (!fit) return simple;
  const now = fit.slope + 2 * fit.bend * (newest - fit.knee);
  if (!(now > 0)) return simple;
  const known = fitted(slots);
  // The last half day since it began has its say, for the line may have been fitted to a longer time.
  const lately = known
    .filter(({ slot }) => slot >= Math.max(fit.knee, newest - DAY_SLOTS / 2))
    .map(({ slot, low }) => ({ slot, low: low - fit.cycle(slot), high: 0 }));
  const perSlot = fit.bend > 0 ? now : Math.max(LEAST_SHARE * now, 0.6 * now + 0.4 * (slopeOf(lately) / 2));
  return { hours: hoursUntil(known, fit, perSlot, capacity), perHour: perSlot * 2 };
}

/** A trend: what its upper values have reached, and units an hour. */
export type Line = { level: number; perHour: number };

/** Per slot; `knee` is the slot with which the growth began, `cycle` is what the hour of the day adds. */
export type Fit = {
  knee: number;
  slope: number;
  bend: number;
  error: number;
  isCyclic: boolean;
  line(slot: number): number;
  cycle(slot: number): number;
};

/** The simplest of the shapes that fits the last days; undefined for too few slots. */
export function fitGrowth(slots: readonly Slot[], capacity: number): Fit | undefined {
  return bestFit(fitted(slots), capacity);
}

function fitted(slots: readonly Slot[]): Slot[] {
  const newest = slots.at(-1)!.slot;
  return slots.filter(({ slot }) => slot > newest - FITTED_SLOTS);
}

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
  const peaksNow = slots.slice(-PEAK_SLOTS).map((slot) => slot.high - steady(slot));
  const usual = peaksNow.sort((a, b) => a - b)[Math.floor(USUAL_PEAK * peaksNow.length)]!;
  const peaks = peaksByHour(slots, fit);
  for (let by = 0; by <= FURTHEST; by++) {
    const slot = newest + by;
    const peak = Math.max(usual + fit.cycle(slot), peaks.get(slot % DAY_SLOTS) ?? Number.NEGATIVE_INFINITY);
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

/** Of all slots in which the growth may have begun, the one that leaves the least squared error. */
function fitOf(slots: readonly Slot[], bent: boolean, cyclic: boolean): Fit | undefined {
  const [origin, newest] = [slots[0]!.slot, slots.at(-1)!.slot];
  const columns = slots.map(({ slot }) => columnsOf(slot, cyclic));
  const fixed = columns[0]!.length;
  const size = fixed + (bent ? 2 : 1);
  const sums = createSums(fixed);
  const all = Array.from({ length: fixed }, () => new Float64Array(fixed));
  const allLow = new Float64Array(fixed);
  for (const [n, row] of columns.entries())
    for (let i = 0; i < fixed; i++) {
      for (let j = 0; j < fixed; j++) all[i]![j]! += row[i]! * row[j]!;
      allLow[i]! += row[i]! * slots[n]!.low;
    }
  let [least, knee] = [Number.POSITIVE_INFINITY, 0];
  let factors: Float64Array | undefined;
  for (let n = slots.length - 1; n >= 0; n--) {
    const { slot, low } = slots[n]!;
    const from = slot - origin;
    addTo(sums, columns[n]!, from, low);
    if (n % KNEE_STEP !== 0 || newest - slot < (bent ? LEAST_CURVE : KNEE_LATEST)) continue;
    const matrix = normalEquations(all, allLow, sums, from, bent);
    const right = matrix.map((row) => row[size]!);
    const solved = solve(matrix);
    if (!solved) continue;
    // The squared error without what is the same for all.
    let error = 0;
    for (let i = 0; i < size; i++) error -= solved[i]! * right[i]!;
    if (error < least) [least, knee, factors] = [error, slot, solved];
  }
  if (!factors) return undefined;
  const best = factors;
  const [slope, bend] = [best[fixed]!, bent ? best[fixed + 1]! : 0];
  const cycle = (slot: number) => {
    const row = columnsOf(slot, cyclic);
    let sum = 0;
    for (let i = 1; i < fixed; i++) sum += row[i]! * best[i]!;
    return sum;
  };
  const line = (slot: number) => {
    const grown = Math.max(0, slot - knee);
    return best[0]! + slope * grown + bend * grown * grown;
  };
  const error = slots.reduce((sum, { slot, low }) => sum + Math.abs(low - line(slot) - cycle(slot)), 0);
  return { knee, slope, bend, error, isCyclic: cyclic, line, cycle };
}

/** A level, and two waves a day. */
function columnsOf(slot: number, cyclic: boolean): number[] {
  if (!cyclic) return [1];
  const angle = (2 * Math.PI * (slot % DAY_SLOTS)) / DAY_SLOTS;
  return [1, Math.cos(angle), Math.sin(angle), Math.cos(2 * angle), Math.sin(2 * angle)];
}

/** Sums over all slots since one: of each column times 1 and times the slot; of powers of the slot; of the value times those. */
type Sums = { columns: Float64Array; slotColumns: Float64Array; powers: Float64Array; lows: Float64Array };

function createSums(fixed: number): Sums {
  return {
    columns: new Float64Array(fixed),
    slotColumns: new Float64Array(fixed),
    powers: new Float64Array(5),
    lows: new Float64Array(3),
  };
}

function addTo({ columns, slotColumns, powers, lows }: Sums, row: number[], slot: number, low: number): void {
  for (let i = 0; i < row.length; i++) {
    columns[i]! += row[i]!;
    slotColumns[i]! += row[i]! * slot;
  }
  let power = 1;
  for (let i = 0; i < 5; i++) {
    powers[i]! += power;
    if (i < 3) lows[i]! += power * low;
    power *= slot;
  }
}

/** Of the fixed columns, the growth since `from`, and its square where it is bent; with the right side as the last column. */
function normalEquations(
  all: Float64Array[],
  allLow: Float64Array,
  { columns, slotColumns, powers, lows }: Sums,
  from: number,
  bent: boolean,
): Float64Array[] {
  const fixed = all.length;
  const size = fixed + (bent ? 2 : 1);
  const matrix = Array.from({ length: size }, () => new Float64Array(size + 1));
  for (let i = 0; i < fixed; i++) {
    matrix[i]!.set(all[i]!);
    matrix[i]![size] = allLow[i]!;
    matrix[i]![fixed] = matrix[fixed]![i] = slotColumns[i]! - from * columns[i]!;
  }
  const [p0, p1, p2, p3, p4] = powers as unknown as [number, number, number, number, number];
  const [l0, l1, l2] = lows as unknown as [number, number, number];
  const squares = p2 - 2 * from * p1 + from ** 2 * p0;
  matrix[fixed]![fixed] = squares;
  matrix[fixed]![size] = l1 - from * l0;
  if (!bent) return matrix;
  const bend = fixed + 1;
  matrix[0]![bend] = matrix[bend]![0] = squares;
  matrix[fixed]![bend] = matrix[bend]![fixed] = p3 - 3 * from * p2 + 3 * from ** 2 * p1 - from ** 3 * p0;
  matrix[bend]![bend] = p4 - 4 * from * p3 + 6 * from ** 2 * p2 - 4 * from ** 3 * p1 + from ** 4 * p0;
  matrix[bend]![size] = l2 - 2 * from * l1 + from ** 2 * l0;
  return matrix;
}

/** By Gauss-Jordan with pivots; undefined where there is no single solution. */
function solve(matrix: Float64Array[]): Float64Array | undefined {
  const size = matrix.length;
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
