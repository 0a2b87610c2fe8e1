import type { Db } from '../db.ts';
import { slopePerHour, type TrendPoint } from '../../model/trend.ts';
import { pointsOf, readColumns } from './query.ts';

export type Growth = { name: string; bytesPerHour: number };
/** `since`: epoch ms. */
export type Grown = { bytes: number; since: number };

const PREFIX = 'container.anon:';
/** 48 points are 1,128 pairs: 50 containers cost some milliseconds, every ten minutes. */
const POINTS = 48;
const MIN_SPAN_MS = 30 * 60_000;
/** A fall by a quarter and by 10 MB is a restart: what was before it says nothing about the growth now. */
const RESTART_SHARE = 0.75;
const RESTART_BYTES = 10 * 1_048_576;
/** A leak of days, of hours and of minutes; the longest first. */
const GROWN_WINDOWS_MS = [24 * 3_600_000, 3 * 3_600_000, 30 * 60_000] as const;
const LEAST_POINTS = 4;
const LEAST_SPAN_MS = 2 * 60_000;

/** How fast the memory that cannot be dropped (anonymous and swap) of each container that is still there grows, in bytes an hour, fastest first. */
export function growthOf(db: Db, now: number, windowMs: number): Growth[] {
  const since = now - windowMs;
  const columns = readColumns(db, (name) => name.startsWith(PREFIX), since, now + 1);
  const growths: Growth[] = [];
  for (const [name, column] of columns) {
    if (now - column.at.at(-1)! > MIN_SPAN_MS) continue;
    const points = pointsOf(column, since, now + 1, POINTS);
    const slope = growthOfPoints(points.map(({ at, avg }) => ({ at, value: avg })));
    if (slope !== undefined) growths.push({ name: name.slice(PREFIX.length), bytesPerHour: slope });
  }
  return growths.toSorted((a, b) => b.bytesPerHour - a.bytesPerHour);
}

/** Slope since the last restart within the points; undefined where that is less than half an hour or eight points. */
export function growthOfPoints(points: readonly TrendPoint[]): number | undefined {
  const segment = sinceRestart(points);
  if (segment.length < 8 || segment.at(-1)!.at - segment[0]!.at < MIN_SPAN_MS) return undefined;
  return slopePerHour(segment);
}

/**
 * By how many bytes each of these containers has grown steadily: over the last day, three hours or half an hour, whichever is most,
 * and not across a restart. The slope (Theil-Sen) times the time: a jump is no growth. Those that do not grow, or are not known for two
 * minutes, are left out.
 */
export function grownOf(db: Db, names: ReadonlySet<string>, now: number): Map<string, Grown> {
  const wanted = (name: string) => name.startsWith(PREFIX) && names.has(name.slice(PREFIX.length));
  const grown = new Map<string, Grown>();
  for (const [name, column] of readColumns(db, wanted, now - GROWN_WINDOWS_MS[0], now + 1)) {
    for (const windowMs of GROWN_WINDOWS_MS) {
      const points = pointsOf(column, now - windowMs, now + 1, POINTS);
      const segment = sinceRestart(points.map(({ at, avg }) => ({ at, value: avg })));
      const since = segment[0]?.at ?? now;
      const spanMs = (segment.at(-1)?.at ?? now) - since;
      if (segment.length < LEAST_POINTS || spanMs < LEAST_SPAN_MS) continue;
      const bytes = ((slopePerHour(segment) ?? 0) * spanMs) / 3_600_000;
      if (bytes > (grown.get(name.slice(PREFIX.length))?.bytes ?? 0))
        grown.set(name.slice(PREFIX.length), { bytes, since });
    }
  }
  return grown;
}

function sinceRestart(points: readonly TrendPoint[]): readonly TrendPoint[] {
  let start = 0;
  for (let i = 1; i < points.length; i++) {
    const [before, value] = [points[i - 1]!.value, points[i]!.value];
    if (value < before * RESTART_SHARE && before - value > RESTART_BYTES) start = i;
  }
  return points.slice(start);
}
