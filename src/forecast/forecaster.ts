import * as v from 'valibot';
import { EpochMs, Finite } from '../model/shapes.ts';
import { newSeries, slotsOf, timeOf, type Series, type Slot } from './series.ts';
import { median } from '../model/trend.ts';
import { doubtOf } from './doubt.ts';
import { FITTED_SLOTS, fitGrowth, project, shapesOf, type Fit, type Line, type Shapes } from './project.ts';
import { isStraight, trendSince, trendsOf, type Trend, type Usual } from './trend.ts';

const HOUR = 3_600_000;
/** Announced when full within `warning` hours, urgent within `critical`; over when it would take twice as long as `warning`. */
export type Limits = { warning: number; critical: number };
const DEFAULT_LIMITS: Limits = { warning: 48, critical: 6 };
/** A day and a bit. */
const DAY_SLOTS = 52;
/** The longest window alone is enough when it is full within this, and the shortest one rises, too. */
const LONG_HOURS = 20;
const LONG_SUFFICES_HOURS = 18;
/** A forecast must be there so many times in a row before it is announced: what is far off can wait, what is near and straight cannot. */
const HOLD = 2;
const HOLD_FIRST_DAY = { hours: 14, hold: 3 };
/** A leak that fills everything within 20 hours of the first value is announced 12 hours ahead only at once. */
const STRAIGHT_HOURS = 8;
/** What is further off can wait; nearer, what all windows agree on, or what stands far out, needs no second look. */
const HOLD_FAR = { hours: 24, hold: 5 };
/** It must be gone so many times in a row before it is over. */
const HOLD_END = 2;
/** Growth of more than a day is one: of this share of the capacity, and so far above what it is off its line on average. */
const LONG_GROWTH = 0.04;
const LONG_TO_ERROR = 12;
/** One straight window alone is enough from a record of ten hours on: a daily cycle rises straight for eight. */
const ONE_WINDOW_SLOTS = 20;
/** A gap of so many half hours is filled. */
const LONGEST_BRIDGE = 8;
const TWO_WINDOWS = { known: 26, hours: 17 };
/** Fewer than these show no trend. */
const LEAST_SLOTS = 11;
/** A daily cycle is taken off the values where so much is known. */
const LEAST_TO_TAKE_OFF = 120;
/** Growth that speeds up, and is about as old as a record of less than two days, may be a warm-up while more time is left than this. */
const WARM_UP = { known: 96, before: 12, hours: 17 };
/** Growth that stands far out is enough for what is full within so many hours, or within as long as it has been going on. */
const ONSET_WITHIN_HOURS = 22;
/** Higher than a day ago by this share of what the growth makes in a day. */
const DAY_GOES_ON = 0.3;
const COMPARED_SLOTS = 8;
/** Of peaks of garbage or a backup, the lowest of two hours counts. */
const REACHED_SLOTS = 4;

/** Times are epoch ms; the rate is in the series' unit per hour. */
export const Announced = v.object({
  at: EpochMs,
  fullAt: Finite,
  perHour: Finite,
  since: Finite,
  severity: v.picklist(['warning', 'critical']),
  /** How many windows agree. */
  agreeing: v.number(),
});
export type Announced = v.InferOutput<typeof Announced>;

export type Judged = {
  /** While an announcement is open. */
  open: Announced | undefined;
  /** Since the last verdict: announced now (or more urgent now), or over. */
  event: 'announced' | 'escalated' | 'ended' | undefined;
  /** Growth that is seen, announced or not. */
  perHour: number | undefined;
};

/** A series, what of it is announced (also by a monitor before), and for how many half hours in a row it has been otherwise. */
export type Forecaster = { series: Series; open: Announced | undefined; held: number };

export function newForecaster(): Forecaster {
  return { series: newSeries(), open: undefined, held: 0 };
}

/** What the half hours show. */
type View = {
  slots: readonly Slot[];
  /** Without the daily cycle, where one is known well enough. */
  steady: readonly Slot[];
  /** Of the steady ones. */
  shapes: Shapes;
  fit: Fit | undefined;
  trends: readonly Trend[];
  /** How many of the trends are sound. */
  sound: number;
  /** Growth since its onset that stands far out of what was before. */
  outstanding: Trend | undefined;
};

/**
 * Judges the half hours that are complete at `at` (epoch ms), and changes what is announced. `capacity` in the unit of the values. Pure but for
 * that: time is that of the samples. There is no forecast before there are eight hours of them.
 */
export function judge(
  forecaster: Forecaster,
  at: number,
  capacity: number,
  limits: Limits = DEFAULT_LIMITS,
): Judged {
  const { series, open } = forecaster;
  const slots = bridged(slotsOf(series));
  const view = slots.length < LEAST_SLOTS ? undefined : viewOf(slots, capacity, open !== undefined);
  // Too little is known: what was announced before a restart stays as it was.
  if (!view || (view.trends.length === 0 && !view.outstanding))
    return { open, event: undefined, perHour: undefined };
  const { steady, fit, trends, sound, outstanding } = view;
  const found = open ? stillGrowing(view) : (believed(trends, steady, capacity) ?? outstanding);
  const projected = found && project(slots, fit, found, capacity);
  const hours = projected?.hours ?? Number.POSITIVE_INFINITY;
  const isDoubted =
    !open && found && hours <= limits.warning && mayEnd(view, capacity - reached(slots, found), hours);
  const seen: Announced | undefined =
    found && !isDoubted
      ? {
          at,
          fullAt: at + hours * HOUR,
          perHour: projected?.perHour ?? found.perHour,
          since: open?.since ?? timeOf(series, fit?.knee ?? slots[0]!.slot),
          severity: hours <= limits.critical || open?.severity === 'critical' ? 'critical' : 'warning',
          // One that stands out of days before is worth two.
          agreeing: Math.max(sound, outstanding ? 2 : 0),
        }
      : undefined;
  const event = open
    ? follow(forecaster, open, seen, hours <= 2 * limits.warning)
    : start(forecaster, seen, hours <= limits.warning, timesNeeded(view, hours));
  const growing = trends.filter(({ perHour }) => perHour > 0);
  return {
    open: forecaster.open,
    event,
    perHour: projected?.perHour ?? (growing.length > 0 ? best(growing).perHour : undefined),
  };
}

function viewOf(slots: readonly Slot[], capacity: number, isOpen: boolean): View {
  let shapes = shapesOf(slots);
  const fit = fitGrowth(shapes, capacity);
  const usual = { capacity, cycle: 0 };
  let steady = slots;
  if (fit?.isCyclic && slots.length >= LEAST_TO_TAKE_OFF) {
    const day = Array.from({ length: 48 }, (_, slot) => fit.cycle(slot));
    usual.cycle = Math.max(...day) - Math.min(...day);
    steady = slots.map((one) => {
      const cycle = fit.cycle(one.slot);
      return { ...one, low: one.low - cycle, high: one.high - cycle };
    });
    shapes = shapesOf(steady);
  }
  const trends = trendsOf(steady, usual, fit && longGrowth(fit, slots, capacity));
  const outstanding = isOpen ? undefined : sinceOnset(steady, fit, usual);
  const sound = trends.filter((trend) => trend.sound).length;
  return { slots, steady, shapes, fit, trends, sound, outstanding };
}

/** What a trend has come to: a straight line through growth that slows down ends above it. */
function reached(slots: readonly Slot[], { level }: Line): number {
  return Math.min(level, ...slots.slice(-REACHED_SLOTS).map(({ high }) => high));
}

/** Whether growth may be something that ends by itself; `free` is left above what it has come to, and it would be full in so many hours. */
function mayEnd(
  { slots, steady, shapes, fit, sound, outstanding }: View,
  free: number,
  hours: number,
): boolean {
  // Growth since an onset that no window sees (where one is as long) has come to nothing again and again.
  if (sound === 0 && !isLong(outstanding, slots)) return true;
  return mayBeWarmUp(slots, fit, hours) || doubtOf(steady, shapes, free, hours) !== undefined;
}

function start(
  forecaster: Forecaster,
  seen: Announced | undefined,
  isNear: boolean,
  needed: number,
): Judged['event'] {
  forecaster.held = seen && isNear ? forecaster.held + 1 : Math.max(0, forecaster.held - 1);
  if (!seen || forecaster.held < needed) return undefined;
  forecaster.held = 0;
  forecaster.open = seen;
  return 'announced';
}

function follow(
  forecaster: Forecaster,
  open: Announced,
  seen: Announced | undefined,
  isNear: boolean,
): Judged['event'] {
  forecaster.held = seen && isNear ? 0 : forecaster.held + 1;
  if (forecaster.held >= HOLD_END) {
    forecaster.held = 0;
    forecaster.open = undefined;
    return 'ended';
  }
  if (!seen || !isNear) return undefined;
  forecaster.open = seen;
  return seen.severity === open.severity ? undefined : 'escalated';
}

function timesNeeded({ slots, sound, outstanding }: View, hours: number): number {
  if (hours > HOLD_FAR.hours) return HOLD_FAR.hold;
  if (outstanding || sound === 3) return 1;
  if (hours <= HOLD_FIRST_DAY.hours && isStraight(slots, STRAIGHT_HOURS)) return 1;
  const isFirstDay = slots.at(-1)!.slot - slots[0]!.slot + 1 < DAY_SLOTS;
  return isFirstDay && hours > HOLD_FIRST_DAY.hours ? HOLD_FIRST_DAY.hold : HOLD;
}

/**
 * Growth that two windows agree on; while no whole day is known, it may be the way up of a daily cycle: then all of them. Where little
 * time is left, less must do.
 */
function believed(trends: readonly Trend[], slots: readonly Slot[], capacity: number): Trend | undefined {
  const sound = trends.filter((trend) => trend.sound);
  const known = slots.at(-1)!.slot - slots[0]!.slot + 1;
  if (sound.length >= (known < DAY_SLOTS ? 3 : 2)) return best(sound);
  // Not long enough known for the third one, and no time to wait for it.
  const isEach = sound.length === 2 && trends.length === 2 && known >= TWO_WINDOWS.known;
  if (isEach && (capacity - best(sound).level) / best(sound).perHour <= TWO_WINDOWS.hours) return best(sound);
  return sound.find((trend) => {
    const left = (capacity - trend.level) / trend.perHour;
    if (known >= ONE_WINDOW_SLOTS && left <= 2 * trend.hours && isStraight(slots, trend.hours)) return true;
    const isLongest = trend.hours >= LONG_HOURS && known >= DAY_SLOTS;
    return isLongest && left <= LONG_SUFFICES_HOURS && trends[0]!.perHour > 0;
  });
}

/** The slot with which growth of more than a day began that hardly leaves its line. */
function longGrowth(fit: Fit, slots: readonly Slot[], capacity: number): number | undefined {
  const long = slots.at(-1)!.slot - fit.knee;
  const growth = fit.line(slots.at(-1)!.slot) - fit.line(fit.knee);
  const off = fit.error / Math.min(slots.length, FITTED_SLOTS);
  // A restart gives back what was grown before: what comes after it is compared with that.
  const restarted = !fit.isCyclic && fit.cycle(slots.at(-1)!.slot) < 0;
  return !restarted && long >= DAY_SLOTS && growth >= LONG_GROWTH * capacity && growth >= LONG_TO_ERROR * off
    ? fit.knee
    : undefined;
}

/** Short gaps filled with the straight line across them. */
function bridged(slots: readonly Slot[]): Slot[] {
  return slots.flatMap((slot, i) => {
    const next = slots[i + 1];
    const long = next ? next.slot - slot.slot : 1;
    if (long === 1 || long > LONGEST_BRIDGE) return slot;
    return Array.from({ length: long }, (_, by) => ({
      slot: slot.slot + by,
      low: slot.low + (by / long) * (next!.low - slot.low),
      high: slot.high + (by / long) * (next!.high - slot.high),
      ...(by > 0 ? { bridged: true } : {}),
    }));
  });
}

/** Those that become faster before they slow down. */
function mayBeWarmUp(slots: readonly Slot[], fit: Fit | undefined, hours: number): boolean {
  const first = slots[0]!.slot;
  return (
    fit !== undefined &&
    fit.bend > 0 &&
    hours > WARM_UP.hours &&
    fit.knee - first < WARM_UP.before &&
    slots.at(-1)!.slot - first < WARM_UP.known
  );
}

/** Growth that is longer than all windows, after a day without it. */
function isLong(trend: Trend | undefined, slots: readonly Slot[]): boolean {
  const known = slots.at(-1)!.slot - slots[0]!.slot + 1;
  return trend !== undefined && trend.hours >= LONG_HOURS && known >= 2 * trend.hours + DAY_SLOTS;
}

function sinceOnset(slots: readonly Slot[], fit: Fit | undefined, usual: Usual): Trend | undefined {
  if (!fit || fit.slope <= 0) return undefined;
  const trend = trendSince(slots, usual, fit.knee);
  if (!trend?.sound) return undefined;
  const left = (usual.capacity - trend.level) / trend.perHour;
  return left <= Math.max(ONSET_WITHIN_HOURS, trend.hours) ? trend : undefined;
}

/**
 * While it is announced less will do: it ends when growth ends, or when half of what a window saw is given back. On the way down of a daily
 * cycle it goes on while it stands higher than a day ago.
 */
function stillGrowing({ slots, steady, fit, trends }: View): Line | undefined {
  const growing = trends.filter(({ perHour }) => perHour > 0);
  if (growing.length > 0) {
    const trend = best(growing);
    const now = steady.at(-1)!.high;
    if (now >= trend.level - (trend.perHour * trend.hours) / 2) return trend;
  }
  const aDay = growthOfADay(slots);
  if (!fit || aDay === undefined || !(fit.slope > 0) || aDay < DAY_GOES_ON * 48 * fit.slope) return undefined;
  return { perHour: aDay / 24, level: slots.at(-1)!.high };
}

/** How much higher the last hours are than a day before; undefined where that is not known. */
function growthOfADay(slots: readonly Slot[]): number | undefined {
  const newest = slots.at(-1)!.slot;
  const lows = new Map(slots.map(({ slot, low }) => [slot, low]));
  const differences = slots
    .filter(({ slot }) => slot > newest - COMPARED_SLOTS)
    .flatMap(({ slot, low }) => {
      const before = lows.get(slot - 48);
      return before === undefined ? [] : [low - before];
    });
  if (differences.length < COMPARED_SLOTS / 2) return undefined;
  // What was given back just now is over at once.
  return Math.min(differences.at(-1)!, median(differences));
}

function best(trends: readonly Trend[]): Trend {
  return trends.toSorted((a, b) => a.perHour - b.perHour)[trends.length >> 1]!;
}
