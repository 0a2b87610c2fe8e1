import type { SeriesStats } from '../../model/series-stats.ts';
import type { Db } from '../db.ts';
import { readBucket, readRaw } from './codec.ts';
import { dropped } from '../rows.ts';
import { BUCKET_MS } from './schema.ts';

/**
 * One series over a window, oldest first. A raw check is one entry (avg = min = max, count 1); before the raw rows begin,
 * a bucket of 15 minutes is one, with the middle of the bucket as its time.
 */
export type Column = { at: number[]; avg: number[]; min: number[]; max: number[]; count: number[] };
export type Point = { at: number; avg: number; min: number; max: number };
export type Stats = SeriesStats & {
  lastAt: number;
  /** How many checks it is made of. */
  count: number;
};
export type Gap = { from: number; to: number };

type SeriesRow = { id: number; name: string; step: number };
type Row = { at: number; data: ArrayBuffer };

/** In the order in which they began. Those that cannot be read, after damage, are left out. */
export function seriesRows(db: Db): SeriesRow[] {
  const rows = db.prepare('SELECT id, name, step FROM history_series ORDER BY id').all() as SeriesRow[];
  return rows.filter(({ name, step }) => typeof name === 'string' && Number.isFinite(step));
}

/**
 * Reads the series that `wanted` names from `since` (inclusive) to `until` (exclusive), in one pass over the rows.
 * Raw where there is raw, coarse before that.
 */
export function readColumns(
  db: Db,
  wanted: (name: string) => boolean,
  since: number,
  until: number,
): Map<string, Column> {
  const series = seriesRows(db).filter(({ name }) => wanted(name));
  const columns = new Map<string, Column>();
  const byId = new Map<number, { column: Column; step: number }>();
  for (const { id, name, step } of series) {
    const column: Column = { at: [], avg: [], min: [], max: [], count: [] };
    columns.set(name, column);
    byId.set(id, { column, step });
  }
  const rawFrom = firstRaw(db) ?? until;
  // The bucket in which the raw rows begin is whole in the coarse table; it is left out there.
  if (since < rawFrom) readCoarse(db, byId, since, Math.min(until, rawFrom));
  readRawRows(db, byId, Math.max(since, rawFrom), until);
  for (const [name, column] of columns) if (column.at.length === 0) columns.delete(name);
  return columns;
}

/**
 * The quarter hours since `since` (epoch ms) of the series that `wanted` names, one value after the other and in order of time: a
 * week of 500 containers never stands in memory. The current quarter is not among them.
 */
export function visitQuarters(
  db: Db,
  wanted: (name: string) => boolean,
  since: number,
  visit: (name: string, at: number, min: number, average: number, max: number) => void,
): void {
  const names = new Map<number, SeriesRow>();
  for (const row of seriesRows(db)) if (wanted(row.name)) names.set(row.id, row);
  const rows = db
    .prepare('SELECT at, data FROM history_coarse WHERE at >= ? ORDER BY at')
    .iterate(since) as IterableIterator<Row>;
  for (const row of rows) {
    readBucket(row.data, (id, _count, avg, min, max) => {
      const series = names.get(id);
      if (!series) return;
      const { name, step } = series;
      visit(name, row.at, scaled(min, step), scaled(avg, step), scaled(max, step));
    });
  }
}

function firstRaw(db: Db): number | undefined {
  return (db.prepare('SELECT min(at) AS at FROM history_raw').get() as { at: number | null }).at ?? undefined;
}

type Targets = Map<number, { column: Column; step: number }>;

function readCoarse(db: Db, byId: Targets, since: number, until: number): void {
  const rows = db
    .prepare('SELECT at, data FROM history_coarse WHERE at > ? AND at <= ? ORDER BY at')
    .iterate(since - BUCKET_MS, until - BUCKET_MS) as IterableIterator<Row>;
  for (const row of rows) {
    const whole = readBucket(row.data, (id, count, avg, min, max) => {
      const target = byId.get(id);
      if (target) push(target.column, row.at + BUCKET_MS / 2, target.step, avg, min, max, count);
    });
    if (!whole) dropped(db, `The history of ${new Date(row.at).toISOString()} cannot be read`);
  }
}

function readRawRows(db: Db, byId: Targets, since: number, until: number): void {
  // A row holds about a minute; two buckets back is far enough for any row that reaches into the window.
  const rows = db
    .prepare('SELECT at, data FROM history_raw WHERE at >= ? AND at < ? AND until >= ? ORDER BY at')
    .iterate(since - 2 * BUCKET_MS, until, since) as IterableIterator<Row>;
  for (const row of rows) {
    let at = 0;
    const whole = readRaw(
      row.data,
      row.at,
      (moment) => (at = moment),
      (id, steps) => {
        const target = at >= since && at < until ? byId.get(id) : undefined;
        if (target) push(target.column, at, target.step, steps, steps, steps, 1);
      },
    );
    if (!whole) dropped(db, `The history of ${new Date(row.at).toISOString()} cannot be read`);
  }
}

function push(
  to: Column,
  at: number,
  step: number,
  avg: number,
  min: number,
  max: number,
  count: number,
): void {
  to.at.push(at);
  to.avg.push(scaled(avg, step));
  to.min.push(scaled(min, step));
  to.max.push(scaled(max, step));
  to.count.push(count);
}

/** 233 steps of 0.1 are 23.3 and not 23.3000000003. */
function scaled(steps: number, step: number): number {
  return step < 1 ? steps / Math.round(1 / step) : steps * step;
}

/** Undefined for a series without a value. */
export function statsOf(column: Column | undefined): Stats | undefined {
  if (!column) return undefined;
  let stats: Stats | undefined;
  let sum = 0;
  for (let i = 0; i < column.at.length; i++) {
    const at = column.at[i]!;
    const [avg, min, max, count] = [column.avg[i]!, column.min[i]!, column.max[i]!, column.count[i]!];
    stats ??= { avg, min, minAt: at, peak: max, peakAt: at, first: avg, last: avg, lastAt: at, count: 0 };
    if (min < stats.min) [stats.min, stats.minAt] = [min, at];
    if (max > stats.peak) [stats.peak, stats.peakAt] = [max, at];
    [stats.last, stats.lastAt] = [avg, at];
    stats.count += count;
    sum += avg * count;
  }
  return stats && { ...stats, avg: sum / stats.count };
}

/** At most `maxPoints` points of equal width; a stretch without values has no point. */
export function pointsOf(
  column: Column | undefined,
  since: number,
  until: number,
  maxPoints: number,
): Point[] {
  if (!column) return [];
  const width = Math.max(1, (until - since) / maxPoints);
  const points: (Point & { count: number; bin: number })[] = [];
  for (let i = 0; i < column.at.length; i++) {
    const at = column.at[i]!;
    if (at < since || at >= until) continue;
    const bin = Math.floor((at - since) / width);
    const [avg, min, max, count] = [column.avg[i]!, column.min[i]!, column.max[i]!, column.count[i]!];
    const last = points.at(-1);
    if (last?.bin !== bin) {
      points.push({ at, avg, min, max, count, bin });
      continue;
    }
    const weight = count / (last.count + count);
    last.at += (at - last.at) * weight;
    last.avg += (avg - last.avg) * weight;
    last.min = Math.min(last.min, min);
    last.max = Math.max(last.max, max);
    last.count += count;
  }
  return points.map(({ at, avg, min, max }) => ({ at: Math.round(at), avg, min, max }));
}

/**
 * How much a counter rose: the sum of its rises. A counter that fell was begun anew (a reboot, a container made again)
 * and counts from zero. The first value of the window is where it starts. Undefined without a value.
 */
export function increaseOf(column: Column | undefined, since = -Infinity): number | undefined {
  if (!column) return undefined;
  let before: number | undefined;
  let rise: number | undefined;
  for (let i = 0; i < column.at.length; i++) {
    const value = column.max[i]!;
    if (column.at[i]! >= since) {
      rise ??= 0;
      if (before !== undefined) rise += value >= before ? value - before : value;
    }
    before = value;
  }
  return rise;
}

/** Stretches of at least `minMs` without a check between `since` and `until`, the edges included. */
export function gapsOf(db: Db, since: number, until: number, minMs: number): Gap[] {
  const rawFrom = firstRaw(db) ?? until;
  const spans = [
    ...(db
      .prepare(
        'SELECT first_at AS a, last_at AS b FROM history_coarse WHERE last_at >= ? AND first_at < ? ORDER BY at',
      )
      .all(since, Math.min(until, rawFrom)) as { a: number; b: number }[]),
    ...(db
      .prepare('SELECT at AS a, until AS b FROM history_raw WHERE until >= ? AND at < ? ORDER BY at')
      .all(since, until) as { a: number; b: number }[]),
  ];
  const gaps: Gap[] = [];
  let covered = since;
  for (const { a, b } of spans) {
    if (a - covered >= minMs) gaps.push({ from: covered, to: a });
    covered = Math.max(covered, b);
  }
  if (until - covered >= minMs) gaps.push({ from: covered, to: until });
  return gaps;
}
