// Checks that wait to be written. 500 containers are 1,500 values a check: as numbers in two arrays they are 18 KB, as objects
// with names they were 200 KB, a megabyte in the minute until they were written.
import type { Reading } from '../../model/reading.ts';
import {
  SOURCE_IDS,
  SOURCES,
  type Readings,
  type Snapshot,
  type Source,
  type Values,
} from '../../model/sources.ts';
import { COUNT, type Put, type SourceInfo } from '../../model/sources/source.ts';

/** One series; `id` once the database has given it one. */
export type Series = { name: string; step: number; id?: number };
/** One check: the series with the numbers in `series` have the values at the same places in `values`. */
export type Buffered = { at: number; series: Uint32Array; values: Float64Array };
export type HistoryBuffer = {
  add(snapshot: Snapshot): void;
  /** Oldest first. */
  checks(): readonly Buffered[];
  seriesOf(number: number): Series;
  /** Forgets the ids that the database gave: it has given them up. */
  forgetIds(): void;
  /** Leaves out all but the newest checks. */
  keepOnly(newest: number): void;
};

/** Names that nobody uses any more (containers with a new name for each run) are forgotten when they are this many. */
const SPARE_NAMES = 1000;

export function createHistoryBuffer(): HistoryBuffer {
  let checks: Buffered[] = [];
  let table: Series[] = [];
  let numbers = new Map<string, Map<string, number>>();
  let count = 0;
  let series = new Uint32Array(64);
  let values = new Float64Array(64);

  function numberOf(kind: string, subject: string, step: number): number {
    let ofKind = numbers.get(kind);
    if (!ofKind) numbers.set(kind, (ofKind = new Map()));
    let number = ofKind.get(subject);
    if (number === undefined) {
      number = table.push({ name: subject === '' ? kind : `${kind}:${subject}`, step }) - 1;
      ofKind.set(subject, number);
    }
    return number;
  }

  function put(kind: string, step: number, value: number | undefined, subject = ''): void {
    if (value === undefined || !Number.isFinite(value)) return;
    if (count === values.length) {
      const [small, short] = [series, values];
      series = new Uint32Array(count * 2);
      values = new Float64Array(count * 2);
      series.set(small);
      values.set(short);
    }
    series[count] = numberOf(kind, subject, step);
    values[count] = value;
    count += 1;
  }

  return {
    add(snapshot) {
      // Only while nothing that waits uses their numbers.
      if (checks.length === 0 && table.length > count * 2 + SPARE_NAMES) {
        table = [];
        numbers = new Map();
      }
      count = 0;
      eachValue(snapshot, put);
      checks.push({ at: snapshot.at, series: series.slice(0, count), values: values.slice(0, count) });
    },
    checks: () => checks,
    seriesOf: (number) => table[number]!,
    forgetIds() {
      for (const one of table) delete one.id;
    },
    keepOnly(newest) {
      checks = newest === 0 ? [] : checks.slice(-newest);
    },
  };
}

/** Hands out what is kept of a check. */
function eachValue({ readings, tookMs }: Snapshot, put: Put): void {
  for (const source of SOURCE_IDS) historyOf(source, readings, put);
  failureSamples(readings, put);
  put('check.ms', COUNT, tookMs);
}

function historyOf<S extends Source>(source: S, readings: Readings, put: Put): void {
  const reading: Reading<Values[S]> = readings[source];
  if (reading.state === 'ok') (SOURCES[source] as SourceInfo<Values[S]>).history(reading.value, put);
}

/** `failed:postgres` is 1 in a check that could not read it; it has no value otherwise. */
function failureSamples(readings: Readings, put: Put): void {
  let failed = 0;
  for (const [source, reading] of Object.entries(readings)) {
    if (reading.state !== 'failed') continue;
    failed++;
    put('failed', COUNT, 1, source);
  }
  put('failed', COUNT, failed);
}
