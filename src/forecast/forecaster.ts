import { quantile, SLOT_MS, trendsOf, type Slot, type Trend } from './trend.ts';

const HOUR = 3_600_000;
/** Told when full within this; over when it would take longer than `CLEAR_HOURS`. */
const WARN_HOURS = 48;
const CRITICAL_HOURS = 6;
const CLEAR_HOURS = 96;
/** A day and a bit. */
const DAY_SLOTS = 52;
/** A week of slots: what earlier days have reached. */
const KEPT_SLOTS = 7 * 48;
/** Of more samples than this in half an hour, every second one is left out, and so on. */
const MOST_SAMPLES = 512;
/** A forecast must be there so many times in a row before it is announced, and be gone as often before it is over. */
const HOLD = 2;
/** How far the clock of a series may step on where it steps back: the usual distance of samples is taken, at most this. */
const MOST_STEP_MS = 5 * 60_000;

/** Times are epoch ms; the rate is in the series' unit per hour. */
export type Forecast = { at: number; fullAt: number; perHour: number; severity: 'warning' | 'critical' };

export type Verdict = {
  /** While an announcement is open. */
  open: Forecast | undefined;
  /** Since the last verdict: told now (or more urgent now), or over. */
  event: 'announced' | 'escalated' | 'ended' | undefined;
};

export type Forecaster = {
  /** Takes a sample (epoch ms and used amount). A verdict every half hour of samples. */
  add(at: number, value: number): Verdict | undefined;
};

/**
 * Says when a growing series is full. Pure: time is that of the samples. It keeps the quantiles of half hours of a week, and says
 * nothing before there are eight hours of them. A clock that steps back does not disturb it: it counts on from where it was.
 */
export function createForecaster(capacity: number): Forecaster {
  const slots: Slot[] = [];
  let samples: number[] = [];
  let stride = 1;
  let skipped = 0;
  let slot: number | undefined;
  let last: number | undefined;
  let usualStep = 0;
  let shift = 0;
  let open: Forecast | undefined;
  let held = 0;

  function add(at: number, value: number): Verdict | undefined {
    const step = last === undefined ? 0 : at - last;
    if (step < 0) shift += usualStep - step;
    else if (step > 0) usualStep = Math.min(step, MOST_STEP_MS);
    last = at;
    const current = Math.floor((at + shift) / SLOT_MS);
    let verdict: Verdict | undefined;
    if (slot !== undefined && current !== slot) {
      closeSlot(slot);
      verdict = judge(at);
    }
    slot = current;
    keep(value);
    return verdict;
  }

  function keep(value: number): void {
    if (skipped++ % stride !== 0) return;
    samples.push(value);
    if (samples.length < MOST_SAMPLES) return;
    samples = samples.filter((_, index) => index % 2 === 0);
    stride *= 2;
  }

  function closeSlot(number: number): void {
    const sorted = Float64Array.from(samples).sort();
    slots.push({
      slot: number,
      low: quantile(sorted, 0.25),
      middle: quantile(sorted, 0.5),
      high: quantile(sorted, 0.98),
    });
    while (slots.length > 0 && slots[0]!.slot <= number - KEPT_SLOTS) slots.shift();
    samples = [];
    stride = 1;
    skipped = 0;
  }

  function judge(at: number): Verdict {
    const trends = trendsOf(slots, capacity);
    const found = open ? stillGrowing(trends, slots) : believed(trends, slots);
    const hours = found ? Math.max(0, (capacity - found.level) / found.perHour) : Number.POSITIVE_INFINITY;
    const event = open ? follow(at, found, hours) : start(at, found, hours);
    return { open, event };
  }

  function start(at: number, found: Trend | undefined, hours: number): Verdict['event'] {
    held = found && hours <= WARN_HOURS ? held + 1 : 0;
    if (!found || held < HOLD) return undefined;
    held = 0;
    open = forecast(at, found, hours, hours <= CRITICAL_HOURS ? 'critical' : 'warning');
    return 'announced';
  }

  function follow(at: number, found: Trend | undefined, hours: number): Verdict['event'] {
    held = found && hours <= CLEAR_HOURS ? 0 : held + 1;
    if (held >= HOLD) {
      held = 0;
      open = undefined;
      return 'ended';
    }
    if (!found || hours > CLEAR_HOURS) return undefined;
    const before = open!.severity;
    open = forecast(
      at,
      found,
      hours,
      before === 'critical' || hours <= CRITICAL_HOURS ? 'critical' : 'warning',
    );
    return open.severity === before ? undefined : 'escalated';
  }

  function forecast(at: number, found: Trend, hours: number, severity: Forecast['severity']): Forecast {
    return { at, fullAt: at + hours * HOUR, perHour: found.perHour, severity };
  }

  return { add };
}

/** Growth that two windows agree on; while no whole day is known, it may be the way up of a daily cycle: then all of them. */
function believed(trends: readonly Trend[], slots: readonly Slot[]): Trend | undefined {
  const sound = trends.filter((trend) => trend.sound);
  const known = slots.at(-1)!.slot - slots[0]!.slot + 1;
  if (sound.length < (known < DAY_SLOTS ? 3 : 2)) return undefined;
  return best(sound);
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
