import type { Db } from '../db.ts';
import { slopePerHour, type TrendPoint } from '../../model/trend.ts';
import { pointsOf, readColumns } from './query.ts';

export type Growth = { name: string; bytesPerHour: number };

const PREFIX = 'container.anon:';
/** 48 points are 1,128 pairs: 50 containers cost some milliseconds, every ten minutes. */
const POINTS = 48;
const MIN_SPAN_MS = 30 * 60_000;
/** A fall by a quarter and by 10 MB is a restart: what was before it says nothing about the growth now. */
const RESTART_SHARE = 0.75;
const RESTART_BYTES = 10 * 1_048_576;

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
  let start = 0;
  for (let i = 1; i < points.length; i++) {
    const [before, value] = [points[i - 1]!.value, points[i]!.value];
    if (value < before * RESTART_SHARE && before - value > RESTART_BYTES) start = i;
  }
  const segment = points.slice(start);
  if (segment.length < 8 || segment.at(-1)!.at - segment[0]!.at < MIN_SPAN_MS) return undefined;
  return slopePerHour(segment);
}
