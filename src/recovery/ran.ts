import * as v from 'valibot';
import type { FlightSample } from '../model/recording.ts';
import { EpochMs } from '../model/shapes.ts';
import type { Db } from '../store/db.ts';
import { recall, remember } from '../store/memory.ts';

const RAN = 'recovery-ran';
const Run = v.object({ from: EpochMs, until: EpochMs });
type Run = v.InferOutput<typeof Run>;
/** As far back as the flight recorder goes. */
const KEEP_MS = 600_000;

/** A run of recovery was at work so long. */
export function rememberRun(db: Db, from: number, until: number): void {
  const earlier = (recall(db, RAN, v.array(Run)) ?? []).filter(
    (run) => Math.abs(until - run.until) < KEEP_MS,
  );
  remember(db, RAN, [...earlier, { from, until }], until);
}

/**
 * Samples of the flight recorder as if recovery had not been at work: a run takes the memory of a monitor, and gives it back at its end, so
 * that memory that shrinks all the while would look for minutes as if it went up and down. Of the time of a run the line from the sample
 * before it to the one after it counts; while it lasts, nothing.
 */
export function withoutRuns(db: Db, samples: readonly FlightSample[]): FlightSample[] {
  const runs = recall(db, RAN, v.array(Run)) ?? [];
  return runs.reduce(withoutRun, [...samples]);
}

function withoutRun(samples: FlightSample[], { from, until }: Run): FlightSample[] {
  const before = samples.findLast(({ at }) => at <= from);
  const after = samples.find(({ at }) => at > until);
  return samples.flatMap((sample) => {
    if (sample.at <= from || sample.at > until) return [sample];
    if (!before || !after) return [];
    const part = (sample.at - before.at) / (after.at - before.at);
    const between = (value: 'availableBytes' | 'swapUsedBytes') => {
      const { [value]: first = NaN } = before;
      const { [value]: last = NaN } = after;
      return first + (last - first) * part;
    };
    return [
      { ...sample, availableBytes: between('availableBytes'), swapUsedBytes: between('swapUsedBytes') },
    ];
  });
}
