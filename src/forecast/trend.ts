import { median, slopePerHour } from '../model/trend.ts';
import { SLOT_MS, type Slot } from './series.ts';

/** What a trend is looked for in: growth that is real shows in more than one of them. */
const WINDOWS_H = [8, 12, 20];
/** Growth below this share of the capacity within a window is nothing to extrapolate from. */
const LEAST_GROWTH = 0.02;
/** A trend stands out from what scatters around it by at least so much. */
const GROWTH_TO_NOISE = 4;
/** No more than this share of the growth may have come in one hour: one step is not a trend. */
const LARGEST_STEP = 0.5;
/** How far above what earlier days have reached, in their usual swing. */
const ABOVE_EARLIER = 0.4;
/** Of what slowing growth would still reach, so much counts: its first hours look straighter than it is. */
const SETTLES_BELIEVED = 0.2;
/** Share of pairs of points of which the later one is higher. */
const LEAST_RISING = 0.75;

/** `perHour` in the series' unit, `level` is what its upper quantile has now, `hours` the window it was seen in. */
export type Trend = { perHour: number; level: number; hours: number; sound: boolean };

/** The value below which `share` of the sorted values lie. */
function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** The trends of all windows for which there are enough slots; `slots` in order of time, the newest last. */
export function trendsOf(slots: readonly Slot[], capacity: number): Trend[] {
  return WINDOWS_H.flatMap((hours) => {
    const trend = trendIn(slots, hours, capacity);
    return trend ? [trend] : [];
  });
}

function trendIn(slots: readonly Slot[], hours: number, capacity: number): Trend | undefined {
  const newest = slots.at(-1);
  if (!newest) return undefined;
  const first = newest.slot - hours * 2 + 1;
  const window = slots.filter(({ slot }) => slot >= first);
  const span = newest.slot - (window[0]?.slot ?? 0) + 1;
  if (span < hours * 2 - 1 || window.length < hours * 1.4) return undefined;
  const points = window.map(({ slot, low }) => ({ at: slot * SLOT_MS, value: low }));
  const perHour = slopePerHour(points) ?? 0;
  const line = ({ slot }: Slot) => (perHour * (slot - newest.slot)) / 2;
  const level = median(window.map((slot) => slot.high - line(slot)));
  if (perHour <= 0) return { perHour, level, hours, sound: false };

  const base = median(window.map((slot) => slot.low - line(slot)));
  const noise = median(window.map((slot) => Math.abs(slot.low - line(slot) - base)));
  const growth = perHour * hours;
  const earlier = slots.filter(({ slot }) => slot < first);
  const sound =
    growth >= LEAST_GROWTH * capacity &&
    growth >= GROWTH_TO_NOISE * noise &&
    rising(window) >= LEAST_RISING &&
    largestStep(window) <= LARGEST_STEP * growth &&
    reaches(window, level, hours, capacity) &&
    isAboveEarlier(earlier, window);
  return { perHour, level, hours, sound };
}

function rising(window: readonly Slot[]): number {
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
 * settles, and what it would still grow.
 */
function reaches(window: readonly Slot[], level: number, hours: number, capacity: number): boolean {
  const slope = (slots: readonly Slot[]) =>
    slopePerHour(slots.map(({ slot, low }) => ({ at: slot * SLOT_MS, value: low }))) ?? 0;
  const half = window.length >> 1;
  const third = Math.floor(window.length / 3);
  const halves = [slope(window.slice(0, half)), slope(window.slice(half)), hours / 2] as const;
  if (!wouldFill(...halves, level, capacity)) return false;
  // Growth that began within the window: its first part is flat, and hides that the rest slows down.
  const thirds = [slope(window.slice(third, 2 * third)), slope(window.slice(2 * third)), hours / 3] as const;
  return wouldFill(...thirds, level, capacity);
}

function wouldFill(before: number, after: number, apart: number, level: number, capacity: number): boolean {
  if (after <= 0) return false;
  if (after >= before) return true;
  const ratio = after / before;
  const settles = apart / -Math.log(ratio);
  return level + SETTLES_BELIEVED * after * Math.sqrt(ratio) * settles >= capacity;
}

/** Whether the level is clearly above what earlier days have usually reached, measured in how far they swing. */
function isAboveEarlier(earlier: readonly Slot[], window: readonly Slot[]): boolean {
  if (earlier.length === 0) return true;
  const sorted = earlier.map(({ low }) => low).sort((a, b) => a - b);
  const usual = quantile(sorted, 0.95);
  const swing = usual - quantile(sorted, 0.05);
  return median(window.slice(-4).map(({ low }) => low)) > usual + ABOVE_EARLIER * swing;
}
