import * as v from 'valibot';
import { EpochMs, Finite } from '../model/shapes.ts';
import { createSeries, type Series, type Slot } from './series.ts';
import { project } from './project.ts';
import { isStraight, trendsOf, type Trend } from './trend.ts';

const HOUR = 3_600_000;
/** Announced when full within `warning` hours, urgent within `critical`; over when it would take twice as long as `warning`. */
export type Limits = { warning: number; critical: number };
const DEFAULT_LIMITS: Limits = { warning: 48, critical: 6 };
/** A day and a bit. */
const DAY_SLOTS = 52;
/** The longest window alone is enough when it is full within this, and the shortest one rises at this share of its speed. */
const LONG_HOURS = 20;
const LONG_SUFFICES_HOURS = 18;
const GOES_ON = 0.4;
/** A forecast must be there so many times in a row before it is announced: what is far off can wait, what is near and straight cannot. */
const HOLD = 2;
const HOLD_FIRST_DAY = { hours: 14, hold: 3 };
/** A leak that fills everything within 20 hours of the first value is announced 12 hours ahead only at once. */
const STRAIGHT_HOURS = 8;
const HOLD_FAR = { hours: 24, hold: 5 };
/** It must be gone so many times in a row before it is over. */
const HOLD_END = 2;

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

export type Verdict = {
  /** While an announcement is open. */
  open: Announced | undefined;
  /** Since the last verdict: announced now (or more urgent now), or over. */
  event: 'announced' | 'escalated' | 'ended' | undefined;
  /** Growth that is seen, announced or not. */
  perHour: number | undefined;
};

export type Forecaster = {
  series: Series;
  /** Judges the half hours that are complete at `at` (epoch ms). `capacity` in the unit of the values. */
  judge(at: number, capacity: number, limits?: Limits): Verdict;
  /** Goes on with what was announced before a restart. */
  resume(open: Announced): void;
};

/**
 * Says when a growing series is full. Pure: time is that of the samples. It says nothing before there are eight hours of them.
 */
export function createForecaster(): Forecaster {
  const series = createSeries();
  let open: Announced | undefined;
  let held = 0;

  function judge(at: number, capacity: number, limits = DEFAULT_LIMITS): Verdict {
    const slots = series.slots();
    const trends = trendsOf(slots, capacity);
    // Too little is known: what was announced before a restart stays as it was.
    if (trends.length === 0) return { open, event: undefined, perHour: undefined };
    const found = open ? stillGrowing(trends, slots) : believed(trends, slots, capacity);
    const projected = found && project(slots, found, capacity);
    const hours = projected?.hours ?? Number.POSITIVE_INFINITY;
    const seen =
      found &&
      ({
        at,
        fullAt: at + hours * HOUR,
        perHour: projected?.perHour ?? found.perHour,
        since: open?.since ?? series.timeOf(slots.at(-1)!.slot) - found.hours * HOUR,
        severity: hours <= limits.critical || open?.severity === 'critical' ? 'critical' : 'warning',
        agreeing: trends.filter(({ sound }) => sound).length,
      } satisfies Announced);
    const event = open
      ? follow(seen, hours, 2 * limits.warning)
      : start(seen, hours, limits.warning, timesNeeded(slots, hours));
    const growing = trends.filter(({ perHour }) => perHour > 0);
    return {
      open,
      event,
      perHour: projected?.perHour ?? (growing.length > 0 ? best(growing).perHour : undefined),
    };
  }

  function start(
    seen: Announced | undefined,
    hours: number,
    warning: number,
    needed: number,
  ): Verdict['event'] {
    held = seen && hours <= warning ? held + 1 : 0;
    if (held < needed) return undefined;
    held = 0;
    open = seen;
    return 'announced';
  }

  function follow(seen: Announced | undefined, hours: number, clear: number): Verdict['event'] {
    held = seen && hours <= clear ? 0 : held + 1;
    if (held >= HOLD_END) {
      held = 0;
      open = undefined;
      return 'ended';
    }
    if (!seen || hours > clear) return undefined;
    const before = open!.severity;
    open = seen;
    return open.severity === before ? undefined : 'escalated';
  }

  return {
    series,
    judge,
    resume(before) {
      open = before;
    },
  };
}

function timesNeeded(slots: readonly Slot[], hours: number): number {
  if (hours > HOLD_FAR.hours) return HOLD_FAR.hold;
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
  return sound.find((trend) => {
    const left = (capacity - trend.level) / trend.perHour;
    if (left <= 2 * trend.hours && isStraight(slots, trend.hours)) return true;
    const shortest = trends[0]!.perHour;
    return (
      trend.hours >= LONG_HOURS &&
      known >= DAY_SLOTS &&
      left <= LONG_SUFFICES_HOURS &&
      shortest > GOES_ON * trend.perHour
    );
  });
}

/** While it is announced less will do: it ends when growth ends, or when half of what a window saw is given back. */
function stillGrowing(trends: readonly Trend[], slots: readonly Slot[]): Trend | undefined {
  const growing = trends.filter(({ perHour }) => perHour > 0);
  if (growing.length === 0) return undefined;
  const trend = best(growing);
  const now = slots.at(-1)!.high;
  return now < trend.level - (trend.perHour * trend.hours) / 2 ? undefined : trend;
}

function best(trends: readonly Trend[]): Trend {
  return trends.toSorted((a, b) => a.perHour - b.perHour)[trends.length >> 1]!;
}
