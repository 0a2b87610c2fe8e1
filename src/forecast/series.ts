/**
 * A week of one series in fixed memory: of each half hour a low and a high value (5 KB). Both are made of the minimum, average and
 * maximum of quarter hours, which is what the history keeps: what was restored and what was seen look the same.
 */
export const SLOT_MS = 30 * 60_000;
const QUARTER_MS = SLOT_MS / 2;
/** A week. */
const KEPT_SLOTS = 7 * 48;
/** How far the clock of a series goes on where it steps back: the usual distance of samples is taken, at most this. */
const MOST_STEP_MS = 5 * 60_000;

/**
 * Half an hour. `slot` counts half hours of the series' own time line. `low` lies between minimum and average, so that short
 * peaks do not move it and neither does one low value; `high` is the maximum. `bridged`: nothing was seen in it, it lies between two that were.
 */
export type Slot = { slot: number; low: number; high: number; bridged?: boolean };

export type Series = {
  /** Takes a value (epoch ms). Returns true when a half hour is complete: then there is something new to judge. */
  add(at: number, value: number): boolean;
  /** Takes a quarter of an hour of the history that began at `at` (epoch ms). */
  addQuarter(at: number, min: number, average: number, max: number): boolean;
  /** The half hours of the last week that are complete, oldest first. */
  slots(): Slot[];
  /** Epoch ms at which a slot began, as the clock is now. */
  timeOf(slot: number): number;
};

/** A clock that steps back does not disturb it, nor one that steps on by more than a week: it counts on from where it was. */
export function createSeries(): Series {
  const kept = new Float32Array(KEPT_SLOTS * 2).fill(Number.NaN);
  let oldest = Number.NaN;
  let newest = Number.NaN;
  let last: number | undefined;
  let usualStep = 0;
  /** Own time less the clock (ms). */
  let ahead = 0;
  let quarter = Number.NaN;
  let [count, sum, min, max] = [0, 0, 0, 0];
  /** Of the quarters of the current half hour. */
  let [low, high] = [Number.NaN, Number.NaN];

  function ownTime(at: number): number {
    const step = last === undefined ? 0 : at - last;
    last = at;
    if (step < 0 || step > KEPT_SLOTS * SLOT_MS) ahead += usualStep - step;
    else if (step > 0) usualStep = Math.min(step, MOST_STEP_MS);
    return at + ahead;
  }

  /** Ends the quarter before `next`, and the half hour when that lies in another one. */
  function endQuarter(next: number): boolean {
    if (count > 0) {
      const lowest = (min + sum / count) / 2;
      low = Number.isNaN(low) ? lowest : Math.min(low, lowest);
      high = Number.isNaN(high) ? max : Math.max(high, max);
    }
    count = 0;
    const slot = Math.floor(quarter / 2);
    quarter = next;
    if (Math.floor(next / 2) === slot || Number.isNaN(low)) return false;
    write(slot);
    [low, high] = [Number.NaN, Number.NaN];
    return true;
  }

  function write(slot: number): void {
    if (Number.isNaN(newest)) oldest = slot;
    else for (let i = Math.max(newest + 1, slot - KEPT_SLOTS); i < slot; i++) put(i, Number.NaN, Number.NaN);
    newest = slot;
    oldest = Math.max(oldest, slot - KEPT_SLOTS + 1);
    put(slot, low, high);
  }

  function put(slot: number, lowest: number, highest: number): void {
    const place = (slot % KEPT_SLOTS) * 2;
    kept[place] = lowest;
    kept[place + 1] = highest;
  }

  function enter(at: number): boolean {
    const current = Math.floor(ownTime(at) / QUARTER_MS);
    if (Number.isNaN(quarter)) quarter = current;
    return current !== quarter && endQuarter(current);
  }

  return {
    add(at, value) {
      const ended = enter(at);
      if (count === 0) [sum, min, max] = [0, value, value];
      count += 1;
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
      return ended;
    },
    addQuarter(at, minimum, average, maximum) {
      const ended = enter(at);
      [count, sum, min, max] = [1, average, minimum, maximum];
      return ended;
    },
    slots() {
      const all: Slot[] = [];
      for (let slot = oldest; slot <= newest; slot++) {
        const place = (slot % KEPT_SLOTS) * 2;
        const lowest = kept[place]!;
        if (!Number.isNaN(lowest)) all.push({ slot, low: lowest, high: kept[place + 1]! });
      }
      return all;
    },
    timeOf: (slot) => slot * SLOT_MS - ahead,
  };
}
