/** Robust statistics of a series, shared by history, rules and the forecast. Pure. */

export type TrendPoint = { at: number; value: number };

/** The middle value; sorts a copy. NaN of nothing. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).toSorted();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
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
