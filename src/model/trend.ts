/** Robust statistics of a series, shared by history, rules and the forecast. Pure. */

export type TrendPoint = { at: number; value: number };

/** The middle value; works on a copy. NaN of nothing. By quickselect, which takes a fifth of the time of sorting. */
export function median(values: ArrayLike<number>): number {
  const all = new Float64Array(values);
  const middle = all.length >> 1;
  if (all.length === 0) return Number.NaN;
  const upper = select(all, middle);
  if (all.length % 2) return upper;
  let lower = all[0]!;
  for (let i = 1; i < middle; i++) if (all[i]! > lower) lower = all[i]!;
  return (lower + upper) / 2;
}

/** The value that sorting would bring to `wanted` (Hoare's algorithm FIND); what is smaller comes to stand before it. */
function select(all: Float64Array, wanted: number): number {
  let [low, high] = [0, all.length - 1];
  while (low < high) {
    const pivot = all[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (all[i]! < pivot) i++;
      while (all[j]! > pivot) j--;
      if (i > j) break;
      const kept = all[i]!;
      all[i++] = all[j]!;
      all[j--] = kept;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else break;
  }
  return all[wanted]!;
}

/**
 * Slope per hour by Theil-Sen: the median of the slopes of all pairs of points, which up to 29 % of outliers do not move
 * (Sen 1968, doi:10.1080/01621459.1968.10480934). Quadratic: hand in at most a few hundred points. Undefined for fewer than two.
 */
export function slopePerHour(points: readonly TrendPoint[]): number | undefined {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const hours = (points[j]!.at - points[i]!.at) / 3_600_000;
      if (hours !== 0) slopes.push((points[j]!.value - points[i]!.value) / hours);
    }
  }
  return slopes.length > 0 ? median(slopes) : undefined;
}

const MINUTE_MS = 60_000;
const STEADY_MINUTES = 5;
/**
 * Of the faster one of the last two changes. With this and so many minutes, what lasts less than two minutes and a half is not steady, wherever
 * its minutes begin. Further back it may have been faster: a leak that slows down goes on.
 */
const SLOWEST_SHARE = 1 / 3;
const FASTEST_OF = 2;
const LOOK_BACK_MINUTES = 10;

/**
 * By how much a value changes a minute, steadily: the smallest change between the medians of the last five minutes. 0 where these are not alike
 * (a burst, a step), and where the value only comes back to where it was within the last ten minutes (a restart, a sawtooth). Undefined where
 * one of the five has no point: not known. `at` and `now` in ms.
 */
export function steadyPerMinute(points: readonly TrendPoint[], now: number): number | undefined {
  const minutes: number[][] = Array.from({ length: LOOK_BACK_MINUTES }, () => []);
  // Of a clock that was set back there may be points that are later than now: they are in no minute.
  for (const { at, value } of points) minutes[Math.floor((now - at) / MINUTE_MS)]?.push(value);
  const [last = Number.NaN, ...before] = minutes.map(median);
  const changes = [last, ...before].slice(0, STEADY_MINUTES - 1).map((value, i) => value - before[i]!);
  if (changes.some(Number.isNaN)) return undefined;
  const way = Math.sign(changes[0]!);
  const wasThere = before.slice(STEADY_MINUTES - 1).some((value) => (value - last) * way >= 0);
  const speeds = changes.map((change) => change * way);
  const slowest = Math.min(...speeds);
  return wasThere || slowest < Math.max(...speeds.slice(0, FASTEST_OF)) * SLOWEST_SHARE ? 0 : slowest * way;
}
