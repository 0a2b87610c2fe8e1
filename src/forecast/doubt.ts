import { squaredError, type Shapes } from './project.ts';
import type { Slot } from './series.ts';
import { rising } from './trend.ts';

/** A curve is believed where it leaves so much less of the squared error than a straight line since the growth began. */
const CURVE_ERROR = 0.6;
const SWING_ERROR = 0.5;
/**
 * A cycle falls by this share of what it rises after that, at least; growth that becomes faster and faster seems to fall a little, too. So
 * does a warm-up, which is why in the first day any fall will do.
 */
const SWING_FELL = 0.25;
/** Growth that slows down must seem to go on to so many times what is left: its end is the least certain of a curve. */
const FILLS_TIMES = 3;
/** Growth younger than this can wait while more time is left than that. */
const YOUNG_HOURS = 8;
const CAN_WAIT_HOURS = 16;
/**
 * What fell in the half day before the growth, by this share of the growth, steadily (share of pairs that rise): a daily cycle, which
 * rises for half a day.
 */
const FIRST_DAY_HOURS = 26;
const FELL_SHARE = 0.1;
const FELL_RISING = 0.35;
const FALL_HOURS = 12;
const LONGEST_RISE_HOURS = 13;
const FELL_LEAST_SLOTS = 5;

/**
 * Why a trend may be something that ends by itself, or undefined. `slots` without a daily cycle, and the `shapes` of them; `free`: what is left
 * above the level, in the unit of the slots; `hours`: until it is full. Each reason was found on made-up healthy series (docs/forecast.md).
 */
export function doubtOf(
  slots: readonly Slot[],
  shapes: Shapes,
  free: number,
  hours: number,
): 'swings' | 'slows down' | 'too young' | undefined {
  const newest = slots.at(-1)!.slot;
  const known = (newest - slots[0]!.slot + 1) / 2;
  if (
    fellBefore(
      slots.filter(({ slot }) => slot > newest - 2 * FIRST_DAY_HOURS),
      known,
    )
  )
    return 'swings';
  const [line, curve] = [shapes.line(), shapes.curve()];
  if (!line || !curve) return undefined;
  if (hours > CAN_WAIT_HOURS && newest - line.knee < 2 * YOUNG_HOURS) return 'too young';
  const since = Math.min(line.knee, curve.knee);
  const error = squaredError(slots, curve, since) / squaredError(slots, line, since);
  const age = newest - curve.knee;
  const ratio = (curve.slope + 2 * curve.bend * age) / curve.slope;
  // From its lowest point on, the curve has risen ratio squared times as far as it fell before.
  if (curve.bend > 0) {
    const fell = ratio < 0 && (known < FIRST_DAY_HOURS || SWING_FELL * ratio ** 2 < 1);
    return error < SWING_ERROR && fell ? 'swings' : undefined;
  }
  if (!(error < CURVE_ERROR)) return undefined;
  // The slopes at both ends give the time constant of an exponential that ends, and what it still grows.
  const left = ratio <= 0 ? 0 : (ratio * curve.slope * -age) / Math.log(ratio);
  return left < FILLS_TIMES * free ? 'slows down' : undefined;
}

/** The way down of a cycle, before the growth that is looked at. */
function fellBefore(slots: readonly Slot[], known: number): boolean {
  let lowest = 0;
  for (const [i, { low }] of slots.entries()) if (low < slots[lowest]!.low) lowest = i;
  const isFirstDay = known < FIRST_DAY_HOURS;
  if (!isFirstDay && slots.at(-1)!.slot - slots[lowest]!.slot > 2 * LONGEST_RISE_HOURS) return false;
  const before = slots.slice(Math.max(0, lowest - 2 * FALL_HOURS), lowest + 1);
  if (before.length < FELL_LEAST_SLOTS || rising(before) > FELL_RISING) return false;
  const least = slots[lowest]!.low;
  return before[0]!.low - least > FELL_SHARE * (slots.at(-1)!.low - least);
}
