import { median, slopePerHour } from '../model/trend.ts';
import { SLOT_MS, type Slot } from './series.ts';

/** What a trend is looked for in: growth that is real shows in more than one of them. */
const WINDOWS_H = [8, 12, 20];
/** Growth below this share of the capacity within a window is nothing to extrapolate from. */
const LEAST_GROWTH = 0.02;
/** A trend stands out from what scatters around it by at least so much. */
const GROWTH_TO_NOISE = 4;
/** No more than this share of the growth may have come in one hour: one step is not a trend, two like it are. */
const LARGEST_STEP = 0.55;
/**
 * How far above what earlier days have reached, in their usual swing, or in that of a daily cycle that was taken off: where the clock jumped,
 * it leaves something behind.
 */
const ABOVE_EARLIER = 0.65;
/**
 * Of what slowing growth would still reach, so much counts, for its first hours look straighter than it is; more of it, the more it has
 * grown already in comparison to what is left.
 */
const SLOWING_BELIEVED = 0.2;
const SLOWING_BELIEVED_MORE = 0.3;
/** Thirds of straight growth rise at speeds that differ by no more than this: in 8 hours, and in longer windows. */
const STRAIGHT = 0.88;
const STRAIGHT_LONG = 0.6;
/** Since its onset, in a record of a day: so long when a day was known before it, and longer than a daily cycle rises when it was not. */
const ONSET_LEAST_HOURS = 4.5;
const GOES_ON = 0.35;
const SETTLED_HOURS = 24;
const LONGEST_RISE_HOURS = 13;
const MOST_POINTS = 40;
/** Share of pairs of points of which the later one is higher. */
const LEAST_RISING = 0.75;

/** `perHour` in the series' unit, `level` is what its upper quantile has now, `hours` the window it was seen in. */
export type Trend = { perHour: number; level: number; hours: number; sound: boolean };

/** What is known of the subject: its capacity, and the swing of a daily cycle that was taken off its slots. */
export type Usual = { capacity: number; cycle: number };

/** The value below which `share` of the sorted values lie. */
function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/**
 * The trends of all windows for which there are enough slots; `slots` in order of time, the newest last. `onset`: since when all of it is one
 * growth, which is then not compared with itself.
 */
export function trendsOf(slots: readonly Slot[], usual: Usual, onset = Number.POSITIVE_INFINITY): Trend[] {
  return WINDOWS_H.flatMap((hours) => {
    const trend = trendIn(slots, hours, usual, onset);
    return trend ? [trend] : [];
  });
}

function trendIn(
  slots: readonly Slot[],
  hours: number,
  { capacity, cycle }: Usual,
  onset: number,
): Trend | undefined {
  const newest = slots.at(-1);
  if (!newest) return undefined;
  const first = newest.slot - hours * 2 + 1;
  const window = slots.filter(({ slot }) => slot >= first);
  const span = newest.slot - (window[0]?.slot ?? 0) + 1;
  if (span < hours * 2 - 1 || window.length < hours * 1.4) return undefined;
  const { perHour, level, noise } = lineOf(window);
  if (perHour <= 0) return { perHour, level, hours, sound: false };
  const growth = perHour * hours;
  const sound =
    growth >= LEAST_GROWTH * capacity &&
    growth >= GROWTH_TO_NOISE * noise &&
    isAboveEarlier(slots, Math.min(first, onset), cycle) &&
    rising(window) >= LEAST_RISING &&
    largestStep(window) <= LARGEST_STEP * growth &&
    reaches(window, hours, leftOf(growth, level, capacity));
  return { perHour, level, hours, sound };
}

/** Growth since `onset` that stands far out of what was before it: then one window is enough. Undefined for a record of less than a day. */
export function trendSince(
  slots: readonly Slot[],
  { capacity, cycle }: Usual,
  onset: number,
): Trend | undefined {
  const newest = slots.at(-1)!.slot;
  const hours = (newest - onset + 1) / 2;
  const window = thinned(slots.filter(({ slot }) => slot >= onset));
  const first = slots[0]!.slot;
  if (newest - first + 1 < 2 * SETTLED_HOURS) return undefined;
  const before = (onset - first) / 2;
  if (hours < (before >= SETTLED_HOURS ? ONSET_LEAST_HOURS : LONGEST_RISE_HOURS)) return undefined;
  if (!isAboveEarlier(slots, onset, cycle)) return undefined;
  const { perHour, level, noise } = lineOf(window);
  const growth = perHour * hours;
  const half = window.length >> 1;
  const sound =
    perHour > 0 &&
    slopeOf(window.slice(Math.round((2 * window.length) / 3))) >= GOES_ON * perHour &&
    growth >= LEAST_GROWTH * capacity &&
    growth >= GROWTH_TO_NOISE * noise &&
    rising(window) >= LEAST_RISING &&
    largestStep(window) <= LARGEST_STEP * growth &&
    wouldFill(
      slopeOf(window.slice(0, half)),
      slopeOf(window.slice(half)),
      hours / 2,
      leftOf(growth, level, capacity),
    );
  return { perHour, level, hours, sound };
}

/** Every second, third, ... slot, so that pairs of them stay few. */
function thinned(slots: readonly Slot[]): readonly Slot[] {
  const every = Math.ceil(slots.length / MOST_POINTS);
  return every === 1 ? slots : slots.filter((_, i) => (slots.length - 1 - i) % every === 0);
}

function lineOf(window: readonly Slot[]): { perHour: number; level: number; noise: number } {
  const newest = window.at(-1)!.slot;
  const perHour = slopeOf(window);
  const line = ({ slot }: Slot) => (perHour * (slot - newest)) / 2;
  const level = median(window.map((slot) => slot.high - line(slot)));
  const base = median(window.map((slot) => slot.low - line(slot)));
  const noise = median(window.map((slot) => Math.abs(slot.low - line(slot) - base)));
  return { perHour, level, noise };
}

function leftOf(growth: number, level: number, capacity: number): Left {
  const grown = Math.min(1, growth / Math.max(growth, capacity - level));
  return { level, capacity, believed: SLOWING_BELIEVED + SLOWING_BELIEVED_MORE * grown };
}

export function rising(window: readonly Slot[]): number {
  let up = 0;
  let pairs = 0;
  for (let i = 0; i < window.length; i++) {
    for (let j = i + 1; j < window.length; j++) {
      pairs++;
      if (window[j]!.low > window[i]!.low) up++;
      else if (window[j]!.low === window[i]!.low) up += 0.5;
    }
  }
  return up / pairs;
}

/** The most that the level rose within an hour, and stayed: medians of two hours before and after. */
function largestStep(window: readonly Slot[]): number {
  let most = 0;
  for (let i = 3; i + 3 < window.length; i++) {
    const before = median(window.slice(i - 3, i).map(({ low }) => low));
    const after = median(window.slice(i + 1, i + 4).map(({ low }) => low));
    most = Math.max(most, after - before);
  }
  return most;
}

/**
 * Whether growth that slows down would still fill it: slopes of both halves give the time constant of an exponential that
 * ends, and what it would still grow.
 */
function reaches(window: readonly Slot[], hours: number, left: Left): boolean {
  const half = window.length >> 1;
  const third = Math.floor(window.length / 3);
  // Growth that began within the window: its first part is flat, and hides that the rest slows down.
  return (
    goesOn(window.slice(0, half), window.slice(half), hours / 2, left) &&
    goesOn(window.slice(third, 2 * third), window.slice(2 * third), hours / 3, left)
  );
}

/** Two parts of so many hours each, less what the noise of the later one may hide. */
function goesOn(before: readonly Slot[], after: readonly Slot[], hours: number, left: Left): boolean {
  const unsure = lineOf(after).noise / hours;
  return wouldFill(slopeOf(before) - unsure, slopeOf(after) + unsure, hours, left);
}

type Left = { level: number; capacity: number; believed: number };

function wouldFill(
  before: number,
  after: number,
  apart: number,
  { level, capacity, believed }: Left,
): boolean {
  if (after <= 0) return false;
  if (after >= before) return true;
  const ratio = after / before;
  const timeConstant = apart / -Math.log(ratio);
  return level + believed * after * Math.sqrt(ratio) * timeConstant >= capacity;
}

/** Whether the level is clearly above what it has usually reached before `first`, measured in how far that swings. */
function isAboveEarlier(slots: readonly Slot[], first: number, cycle: number): boolean {
  const earlier = slots.filter(({ slot }) => slot < first);
  if (earlier.length === 0) return true;
  const sorted = Float64Array.from(earlier, ({ low }) => low).sort();
  const usual = quantile(sorted, 0.95);
  const swing = usual - quantile(sorted, 0.05);
  return median(slots.slice(-4).map(({ low }) => low)) > usual + ABOVE_EARLIER * Math.max(swing, cycle);
}

/** Whether all thirds of the last hours rose about equally fast: neither the way up of a daily cycle nor a warm-up does. */
export function isStraight(slots: readonly Slot[], hours: number): boolean {
  const newest = slots.at(-1)!.slot;
  const window = slots.filter(({ slot, bridged }) => slot > newest - hours * 2 && !bridged);
  if (window.length < hours * 1.7) return false;
  const third = window.length / 3;
  const slopes = [0, 1, 2].map((i) =>
    slopeOf(window.slice(Math.round(i * third), Math.round((i + 1) * third))),
  );
  const least = Math.min(...slopes);
  return least > 0 && least >= (hours > WINDOWS_H[0]! ? STRAIGHT_LONG : STRAIGHT) * Math.max(...slopes);
}

/** By Theil-Sen, of the low values, per hour; 0 for fewer than two. */
export function slopeOf(slots: readonly Slot[]): number {
  return slopePerHour(slots.map(({ slot, low }) => ({ at: slot * SLOT_MS, value: low }))) ?? 0;
}
