import { heldBytes } from '../model/container-memory.ts';
import type { Culprit, Grower } from '../model/forecast.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { median } from '../model/trend.ts';
import { SLOT_MS, slotsOf, timeOf, type Series, type Slot } from './series.ts';
import { slopeOf } from './trend.ts';

export type Candidate = { container: ContainerInfo; series: Series };

const HOUR_SLOTS = 2;

const DAY_SLOTS = 48;
/** Growth is compared over the time since the host's began, within these bounds. */
const LEAST_SLOTS = 8 * HOUR_SLOTS;
const MOST_SLOTS = 48 * HOUR_SLOTS;
/** Of the host's growth, so much at least makes a culprit worth naming. */
const LEAST_SHARE = 0.15;
/** A container with less than this share of all growth is one of many. */
const ONE_SHARE = 0.35;
/** Of many, those count that grow by this share of the first. */
const MANY_SHARE = 0.2;
/** Others that grow by this share of the first are named, too. */
const ALSO_SHARE = 0.5;
/** A fall by a quarter and by 10 MB is a restart: growth is not measured across it. */
const RESTART_SHARE = 0.75;
const RESTART_BYTES = 10 * 1_048_576;
/** What is given back every day is so much at least of what it was the day before. */
const GIVEN_BACK = 0.5;
/** What grows must explain this share of the growth that is announced, or it is looked for in the last hours only. */
const EXPLAINED = 0.6;
/** One step: so much of all growth lies between the medians of three half hours before and after. */
const STEP_SHARE = 0.6;
const STEP_SLOTS = 3;
/** The day before a start, it grew by this share of what it grows now. */
const GREW_BEFORE = 0.3;
/** So long since a start, and it must still grow as fast in the second half of that time; since LEAST_SLOTS, nothing before it counts. */
const LEAST_LIFE = 5 * HOUR_SLOTS;
/** A start so close to the onset of the growth goes with it. */
const START_MS = 90 * 60_000;

/** Who makes the host's memory grow by about `perHour`, and since when it does. Pure. */
export function culpritOf(
  { host, perHour }: { host: Series; perHour: number },
  candidates: readonly Candidate[],
  outside: Series | undefined,
): { culprit?: Culprit; since?: number } {
  const slots = slotsOf(host);
  const newest = slots.at(-1);
  if (!newest) return {};
  const onset = onsetOf(slots);
  const from = Math.min(newest.slot - LEAST_SLOTS, Math.max(newest.slot - MOST_SLOTS, onset));
  const since = timeOf(host, onset);
  const outsideSlots = outside ? slotsOf(outside) : [];
  const measure = (from: number) => {
    const hostRate = rateOf(slots, from, newest.slot);
    const outsideRate = rateOf(outsideSlots, from, newest.slot);
    const growers = growersOf(candidates, from, newest.slot);
    const together = growers.reduce((sum, { perHour }) => sum + perHour, 0);
    return { worth: LEAST_SHARE * Math.max(hostRate, 0), outsideRate, growers, together };
  };
  let seen = measure(from);
  // Where the growth began later than the host's seems to have, most of that time shows none.
  if (seen.together + seen.outsideRate < EXPLAINED * perHour) seen = measure(newest.slot - LEAST_SLOTS);
  const { worth, outsideRate, growers, together } = seen;
  const [first, ...others] = growers;

  if (outside && outsideRate > together && outsideRate >= worth && outsideRate > 0) {
    const began = timeOf(outside, onsetOf(outsideSlots));
    return { since, culprit: { kind: 'outside', perHour: outsideRate, since: began, processes: [] } };
  }
  if (!first || together < worth) return { since };
  if (first.perHour >= ONE_SHARE * together || growers.length < 3)
    return { since, culprit: oneOf(first, others) };
  // The rest is chance.
  const count = growers.filter(({ perHour }) => perHour >= MANY_SHARE * first.perHour).length;
  const largest = growers.slice(0, 3).map(asGrower);
  return { since, culprit: { kind: 'many', perHour: together, count, largest } };
}

/** Those that grow between two slots, fastest first. */
function growersOf(candidates: readonly Candidate[], from: number, to: number): Growing[] {
  return candidates
    .map(({ container, series }) => {
      const own = slotsOf(series);
      const started = to - (timeOf(series, to) - (container.startedAt ?? Number.NaN)) / SLOT_MS;
      const perHour = rateOf(own, from, to, started);
      return { container, series, own, perHour, bytes: container.memory ? heldBytes(container.memory) : 0 };
    })
    .filter(({ perHour }) => perHour > 0)
    .toSorted((a, b) => b.perHour - a.perHour);
}

type Growing = Candidate & { own: Slot[]; perHour: number; bytes: number };

/** The container that grows most, and those that grow about as fast. */
function oneOf(first: Growing, others: readonly Growing[]): Culprit {
  const { container, own, perHour } = first;
  const { startedAt, image, limitBytes } = container;
  const onset = onsetOf(own);
  const began = timeOf(first.series, onset);
  // One that grew before its start as well brought the growth with it: its version is not the cause.
  const grewBefore = rateOf(own, onset - DAY_SLOTS, onset - 1) >= GREW_BEFORE * perHour;
  const withStart = startedAt !== undefined && !grewBefore && Math.abs(startedAt - began) <= START_MS;
  return {
    kind: 'container',
    ...asGrower(first),
    since: withStart ? startedAt : began,
    image,
    limitBytes,
    ...(withStart ? { startedAt } : {}),
    others: others
      .filter((other) => other.perHour >= ALSO_SHARE * perHour)
      .slice(0, 3)
      .map(asGrower),
  };
}

function asGrower({ container, perHour, bytes }: Growing): Grower {
  return { name: container.name, perHour, bytes };
}

/**
 * Growth an hour between two slots: the least of the slope as it is, of what is left of it when yesterday at the same hour is taken off,
 * where that is known (what rises every day is no leak), and after a start of the slope lately (a warm-up slows down). 0 where nothing
 * grows. Across one restart (`started`, or a fall) growth is not measured; where one falls again and again, for garbage is collected or
 * it is killed over and over, a day more is looked at. What a restart at the same hour of each day gives back is no growth either.
 */
function rateOf(slots: readonly Slot[], from: number, to: number, started = Number.NaN): number {
  const reach = slots.filter(({ slot }) => slot >= from - DAY_SLOTS && slot <= to);
  const falls = reach.filter(({ low }, i) => i > 0 && isRestart(reach[i - 1]!.low, low));
  const restart = started > from - DAY_SLOTS ? started : falls.length === 1 ? falls[0]!.slot : undefined;
  const window = falls.length > 1 ? reach : reach.filter(({ slot }) => slot >= from);
  const life = restart === undefined ? [] : window.filter(({ slot }) => slot > restart);
  let rate =
    life.length < LEAST_SLOTS ? slopeWithout(restart ?? stepOf(window), window.map(toPoint)) : slopeOf(life);
  if (life.length >= LEAST_LIFE) rate = Math.min(rate, slopeOf(life.slice(life.length >> 1)));
  const isDaily = isGivenBackDaily(slots, to);
  const more = restart === undefined || isDaily ? withoutTheDay(isDaily ? slots : reach, window) : undefined;
  return Math.max(0, Math.min(rate, more ?? rate));
}

function toPoint({ slot, low }: Slot): { slot: number; value: number } {
  return { slot, value: low };
}

/** It fell within the last day, and about as much at the same hour of the day before. */
function isGivenBackDaily(slots: readonly Slot[], to: number): boolean {
  const lows = new Map(slots.map(({ slot, low }) => [slot, low]));
  const known = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => lows.get(from + i)).filter((low) => low !== undefined);
  // Nobody restarts at the same second, and a half hour with the restart in it lies between the two levels.
  const fallAbout = (slot: number) =>
    Math.max(
      ...Array.from({ length: 2 * HOUR_SLOTS + 1 }, (_, i) => slot - HOUR_SLOTS + i).map(
        (at) => Math.max(...known(at - 2, 2)) - Math.min(...known(at, 3)),
      ),
    );
  return slots.some(({ slot, low }) => {
    const before = lows.get(slot - 1);
    if (slot <= to - DAY_SLOTS || slot > to || before === undefined || low >= before) return false;
    const fall = fallAbout(slot);
    return fall > RESTART_BYTES && fallAbout(slot - DAY_SLOTS) > fall * GIVEN_BACK;
  });
}

/** The slot of one step that is most of what the window rose: it is no growth. */
function stepOf(window: readonly Slot[]): number | undefined {
  const level = (from: number) => median(window.slice(from, from + STEP_SLOTS).map(({ low }) => low));
  const risen = level(window.length - STEP_SLOTS) - level(0);
  for (let i = STEP_SLOTS; i + STEP_SLOTS <= window.length; i++) {
    if (
      level(i) - level(i - STEP_SLOTS) > STEP_SHARE * risen &&
      window[i]!.low - window[i - 1]!.low > (STEP_SHARE * risen) / 2
    )
      return risen > 0 ? window[i]!.slot : undefined;
  }
  return undefined;
}

/** Undefined where yesterday is not known. */
function withoutTheDay(reach: readonly Slot[], window: readonly Slot[]): number | undefined {
  const before = new Map(reach.map(({ slot, low }) => [slot, low]));
  const differences = window.flatMap(({ slot, low }) => {
    const then = before.get(slot - DAY_SLOTS);
    return then === undefined ? [] : [{ slot, value: low - then }];
  });
  if (differences.length < LEAST_SLOTS / 2) return undefined;
  // While yesterday lies before the growth the difference grows as it does; later it is what a day of growth makes.
  return Math.max(slopeWithout(undefined, differences), median(differences.map(({ value }) => value)) / 24);
}

function isRestart(before: number, value: number): boolean {
  return value < before * RESTART_SHARE && before - value > RESTART_BYTES;
}

/** Theil-Sen, without the pairs that have the restart between them. */
function slopeWithout(
  restart: number | undefined,
  points: readonly { slot: number; value: number }[],
): number {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const [one, other] = [points[i]!, points[j]!];
      if (restart !== undefined && one.slot < restart && other.slot >= restart) break;
      slopes.push(((other.value - one.value) / (other.slot - one.slot)) * HOUR_SLOTS);
    }
  }
  return slopes.length < LEAST_SLOTS / 2 ? 0 : median(slopes);
}

/**
 * The slot in which the growth that goes on now began: where a level followed by a straight line fits best (least squares), after
 * the last restart.
 */
function onsetOf(slots: readonly Slot[]): number {
  let start = 0;
  for (let i = 1; i < slots.length; i++) {
    if (isRestart(slots[i - 1]!.low, slots[i]!.low)) start = i;
  }
  const run = slots.slice(Math.max(start, slots.length - 2 * MOST_SLOTS));
  let [best, at] = [Number.POSITIVE_INFINITY, run[0]?.slot ?? 0];
  let sum = 0;
  for (let i = 0; i < run.length - 3; i++) {
    sum += run[i]!.low;
    const level = sum / (i + 1);
    let [error, tt, ty] = [0, 0, 0];
    for (let j = i + 1; j < run.length; j++) {
      const t = run[j]!.slot - run[i]!.slot;
      tt += t * t;
      ty += t * (run[j]!.low - level);
    }
    const slope = ty / tt;
    for (let j = 0; j < run.length; j++) {
      const line = j <= i ? level : level + slope * (run[j]!.slot - run[i]!.slot);
      error += (run[j]!.low - line) ** 2;
    }
    if (error < best) [best, at] = [error, run[i]!.slot];
  }
  return at;
}
