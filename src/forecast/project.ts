import { median } from '../model/trend.ts';
import type { Slot } from './series.ts';

const DAY_SLOTS = 48;
/** What is fitted: the last four days. */
export const FITTED_SLOTS = 4 * DAY_SLOTS;
/** A daily cycle is looked for when so much is known: less, and growth may be taken for a part of it. */
const LEAST_FOR_CYCLE = 40 * 2;
/** The growth may have begun at every third half hour, and three hours ago at the latest; a curve is seen in eight. */
const KNEE_STEP = 3;
const KNEE_LATEST = 6;
const LEAST_CURVE = 16;
/** Growth is taken for bent when it has been for so long; it goes on bent for this share of the time since it began, and straight from there. */
const LEAST_BENT = 24;
const CURVE_GOES_ON = 0.25;
/** Curved growth, or a daily cycle, must fit so much better than a straight line (sum of absolute errors). */
const CURVE_ERROR = 0.85;
const CYCLE_ERROR = 0.8;
/** With one step in it, a line must leave so much less of the squared error since the growth began. */
const STEP_ERROR = 0.4;
/** A step is looked for at the largest rises of the middle of three half hours. */
const STEP_PLACES = 3;
const STEP_SIDE = 3;
/** A straight line that is so close on average (share of the capacity) needs nothing better. */
const CLOSE = 0.0025;
/** Where it stands now: the middle of so many half hours. */
const LEVEL_SLOTS = 8;
const PEAK_SLOTS = 16;
/** Of these peaks, this share is lower than the one that counts: it is full when the first one reaches the capacity. */
const USUAL_PEAK = 0.75;
/** Of the last days at the same hour, these are looked at for peaks (a backup every night). */
const PEAK_DAYS = 3;
const LEVEL_COLUMN = Float64Array.of(1);
const BEFORE_STEP = Float64Array.of(1, 0);
const AFTER_STEP = Float64Array.of(1, 1);
const CYCLIC_COLUMNS = Array.from({ length: DAY_SLOTS }, (_, slot) => {
  const angle = (2 * Math.PI * slot) / DAY_SLOTS;
  return Float64Array.of(1, Math.cos(angle), Math.sin(angle), Math.cos(2 * angle), Math.sin(2 * angle));
});
/** Further ahead than this no cycle matters. */
const FURTHEST = 100 * 2;

/** `perHour` in the unit of the series. */
export type Projection = { hours: number; perHour: number };

/**
 * In how many hours it is full. Four shapes are fitted to the last days (least squares): a level and then a straight line; the same with one
 * step; the same, bent upwards; the same with a daily cycle. The simplest one that fits goes on, with the peaks that each day has had at the same hour. Where none
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
  return { hours: hoursUntil(known, fit, now, capacity), perHour: now * 2 };
}

/** A trend: what its upper values have reached, and units an hour. */
export type Line = { level: number; perHour: number };

/** Per slot; `knee` is the slot with which the growth began, `cycle` is what the hour of the day, or a step, adds. */
export type Fit = {
  knee: number;
  slope: number;
  bend: number;
  error: number;
  isCyclic: boolean;
  line(slot: number): number;
  cycle(slot: number): number;
};

/** What is fitted to the last days, each at the first time that it is asked for; undefined for too few slots. */
export type Shapes = {
  slots: readonly Slot[];
  /** A level, and then a straight line. */
  line(): Fit | undefined;
  /** A level, and then a parabola, which may open upwards or downwards. */
  curve(): Fit | undefined;
};

export function shapesOf(slots: readonly Slot[]): Shapes {
  const known = fitted(slots);
  let [line, curve]: { fit: Fit | undefined }[] = [];
  return {
    slots: known,
    line: () => (line ??= { fit: fitOf(known, false, false) }).fit,
    curve: () => (curve ??= { fit: fitOf(known, true, false) }).fit,
  };
}

function fitted(slots: readonly Slot[]): Slot[] {
  const newest = slots.at(-1)!.slot;
  return slots.filter(({ slot }) => slot > newest - FITTED_SLOTS);
}

/** What a fit leaves from a slot on. */
export function squaredError(slots: readonly Slot[], fit: Fit, since: number): number {
  let sum = 0;
  for (const { slot, low } of slots) if (slot >= since) sum += (low - fit.line(slot) - fit.cycle(slot)) ** 2;
  return sum;
}

/** The simplest of the shapes that fits the last days; undefined for too few slots. */
export function fitGrowth({ slots, ...shapes }: Shapes, capacity: number): Fit | undefined {
  let fit = shapes.line();
  if (!fit) return fit;
  const newest = slots.at(-1)!.slot;
  const off = Math.sqrt(squaredError(slots, fit, fit.knee) / (newest - fit.knee + 1));
  if (fit.error <= CLOSE * capacity * slots.length && off <= CLOSE * capacity) return fit;
  const stepped = fitStep(slots);
  if (stepped && stepped.slope > 0) {
    const since = Math.min(stepped.knee, fit.knee);
    if (squaredError(slots, stepped, since) < STEP_ERROR * squaredError(slots, fit, since)) fit = stepped;
  }
  const curved = shapes.curve();
  if (
    curved &&
    newest - curved.knee >= LEAST_BENT &&
    curved.bend > 0 &&
    curved.slope >= 0 &&
    curved.error < CURVE_ERROR * fit.error
  )
    fit = curved;
  if (slots.at(-1)!.slot - slots[0]!.slot + 1 < LEAST_FOR_CYCLE) return fit;
  const cyclic = fitOf(slots, false, true);
  return cyclic && cyclic.error < CYCLE_ERROR * fit.error ? cyclic : fit;
}

/** A level and then a straight line, and one step up or down anywhere: a service that was started, and stayed. */
function fitStep(slots: readonly Slot[]): Fit | undefined {
  const mean = (from: number, to: number) =>
    slots.slice(from, to).reduce((sum, { low }) => sum + low, 0) / (Math.min(to, slots.length) - from);
  return slots
    .map(({ slot }, i) => ({ slot, i }))
    .slice(STEP_SIDE, -1)
    .map(({ slot, i }) => ({ slot, by: Math.abs(mean(i, i + STEP_SIDE) - mean(i - STEP_SIDE, i)) }))
    .sort((a, b) => b.by - a.by)
    .slice(0, STEP_PLACES)
    .flatMap(({ slot }) => fitOf(slots, false, false, slot) ?? [])
    .toSorted((a, b) => a.error - b.error)[0];
}

function hoursUntil(slots: readonly Slot[], fit: Fit, perSlot: number, capacity: number): number {
  const newest = slots.at(-1)!.slot;
  const steady = ({ slot, low }: Slot) => low - fit.cycle(slot);
  // A curve goes on for half as long as it was seen, and straight from there.
  const curved = CURVE_GOES_ON * (newest - fit.knee);
  const ahead = (by: number) =>
    perSlot * by + fit.bend * (by <= curved ? by * by : curved * (2 * by - curved));
  const level = median(slots.slice(-LEVEL_SLOTS).map((slot) => steady(slot) - ahead(slot.slot - newest)));
  const peaksNow = slots.slice(-PEAK_SLOTS).map(({ low, high }) => high - low);
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

/**
 * Least squares, with the growth beginning at the slot (the knee) that leaves the least error. The level and the daily waves are the same for
 * every knee, so that their normal equations are inverted once; what is left for each knee has one unknown, or two (Schur complement).
 */
function fitOf(slots: readonly Slot[], bent: boolean, cyclic: boolean, step?: number): Fit | undefined {
  const [origin, newest] = [slots[0]!.slot, slots.at(-1)!.slot];
  const columnsAt = (slot: number) => columnsOf(slot, cyclic, step);
  const size = columnsAt(0).length;
  const inverse = invert(squaresOf(slots, columnsAt, size));
  if (!inverse) return undefined;
  const flat = new Float64Array(size);
  for (const { slot, low } of slots) addScaled(flat, columnsAt(slot), low);
  const level = times(inverse, flat, new Float64Array(size));
  // Of all slots from the knee on: each column times 1, the slot, and its square; powers of the slot; the value times those.
  const columns = [0, 1, 2].map(() => new Float64Array(size));
  const [straight, offStraight] = [new Float64Array(size), new Float64Array(size)];
  const [curved, offCurved] = [new Float64Array(size), new Float64Array(size)];
  let [p0, p1, p2, p3, p4, l0, l1, l2] = [0, 0, 0, 0, 0, 0, 0, 0];
  let best = { gain: 0, knee: Number.NaN, slope: 0, bend: 0, fixed: level };
  for (let n = slots.length - 1; n >= 0; n--) {
    const { slot, low } = slots[n]!;
    const [from, square] = [slot - origin, (slot - origin) ** 2];
    [p0, p1, p2, p3, p4] = [p0 + 1, p1 + from, p2 + square, p3 + square * from, p4 + square ** 2];
    [l0, l1, l2] = [l0 + low, l1 + from * low, l2 + square * low];
    const row = columnsAt(slot);
    addScaled(columns[0]!, row, 1);
    addScaled(columns[1]!, row, from);
    if (bent) addScaled(columns[2]!, row, square);
    if (n % KNEE_STEP !== 0 || newest - slot < (bent ? LEAST_CURVE : KNEE_LATEST)) continue;
    straight.set(columns[1]!);
    addScaled(straight, columns[0]!, -from);
    times(inverse, straight, offStraight);
    const gg = p2 - 2 * from * p1 + square * p0 - dot(straight, offStraight);
    const gy = l1 - from * l0 - dot(straight, level);
    if (!(gg > 1e-9)) continue;
    let [slope, bend, gain] = [gy / gg, 0, gy ** 2 / gg];
    if (bent) {
      curved.set(columns[2]!);
      addScaled(curved, columns[1]!, -2 * from);
      addScaled(curved, columns[0]!, square);
      times(inverse, curved, offCurved);
      const hh =
        p4 -
        4 * from * p3 +
        6 * square * p2 -
        4 * square * from * p1 +
        square ** 2 * p0 -
        dot(curved, offCurved);
      const gh = p3 - 3 * from * p2 + 3 * square * p1 - square * from * p0 - dot(straight, offCurved);
      const hy = l2 - 2 * from * l1 + square * l0 - dot(curved, level);
      const determinant = gg * hh - gh ** 2;
      if (!(determinant > 1e-9)) continue;
      slope = (hh * gy - gh * hy) / determinant;
      bend = (gg * hy - gh * gy) / determinant;
      gain = slope * gy + bend * hy;
    }
    if (gain <= best.gain) continue;
    const fixed = level.slice();
    addScaled(fixed, offStraight, -slope);
    addScaled(fixed, offCurved, -bend);
    best = { gain, knee: slot, slope, bend, fixed };
  }
  return Number.isNaN(best.knee) ? undefined : toFit(slots, best, cyclic, columnsAt);
}

function squaresOf(
  slots: readonly Slot[],
  columnsAt: (slot: number) => Float64Array,
  size: number,
): Float64Array[] {
  const square = Array.from({ length: size }, () => new Float64Array(size));
  for (const { slot } of slots) {
    const row = columnsAt(slot);
    for (let i = 0; i < size; i++) addScaled(square[i]!, row, row[i]!);
  }
  return square;
}

function toFit(
  slots: readonly Slot[],
  { knee, slope, bend, fixed }: { knee: number; slope: number; bend: number; fixed: Float64Array },
  isCyclic: boolean,
  columnsAt: (slot: number) => Float64Array,
): Fit {
  const cycle = (slot: number) => dot(fixed, columnsAt(slot)) - fixed[0]!;
  const line = (slot: number) => {
    const grown = Math.max(0, slot - knee);
    return fixed[0]! + slope * grown + bend * grown * grown;
  };
  let error = 0;
  for (const { slot, low } of slots) error += Math.abs(low - line(slot) - cycle(slot));
  return { knee, slope, bend, error, isCyclic, line, cycle };
}

/** A level, and two waves a day, or one step. */
function columnsOf(slot: number, cyclic: boolean, step?: number): Float64Array {
  if (step !== undefined) return slot < step ? BEFORE_STEP : AFTER_STEP;
  return cyclic ? CYCLIC_COLUMNS[slot % DAY_SLOTS]! : LEVEL_COLUMN;
}

function times(matrix: readonly Float64Array[], vector: Float64Array, out: Float64Array): Float64Array {
  for (let i = 0; i < out.length; i++) out[i] = dot(matrix[i]!, vector);
  return out;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(to: Float64Array, values: ArrayLike<number>, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * values[i]!;
}

/** Gauss-Jordan without pivots, for it is handed sums of squares; undefined where there is no inverse. */
function invert(matrix: readonly Float64Array[]): Float64Array[] | undefined {
  const size = matrix.length;
  const rows = matrix.map((row, i) =>
    Float64Array.from({ length: 2 * size }, (_, j) => (j < size ? row[j]! : +(j - size === i))),
  );
  for (let i = 0; i < size; i++) {
    const pivot = rows[i]![i]!;
    if (!(Math.abs(pivot) > 1e-9)) return undefined;
    rows[i] = rows[i]!.map((value) => value / pivot);
    for (let j = 0; j < size; j++) {
      if (j === i) continue;
      const factor = rows[j]![i]!;
      rows[j] = rows[j]!.map((value, k) => value - factor * rows[i]![k]!);
    }
  }
  return rows.map((row) => row.slice(size));
}
