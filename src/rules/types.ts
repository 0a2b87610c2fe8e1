import type { Config } from '../config/schema.ts';
import type { LeftOff } from '../model/left-off.ts';
import type { Finding } from '../model/finding.ts';
import type { Forecast } from '../model/forecast.ts';
import type { Snapshot, Source, Values } from '../model/sources.ts';

/** What rules know besides the snapshot. */
export type Past = {
  /** Checks in a row in which a source failed, the one being judged included. */
  failedInARow: Partial<Record<Source, number>>;
  /** Containers and how fast their anonymous memory grows. */
  growth: readonly { name: string; bytesPerHour: number }[];
  /** By how many bytes containers grew within the last ten minutes, most first, and since when (epoch ms). */
  recent?: readonly { name: string; bytes: number; since: number }[];
  /** What is announced to run out, and what is not any more. */
  forecasts: readonly Forecast[];
  /** Epoch ms of the very first start: what happened before it is history, not an alert. */
  historyStart: number;
  /** What recovery has switched off and not brought back; undefined where its records cannot be read. */
  leftOff?: readonly LeftOff[];
};

/** What a rule is handed beside the value of its source. */
export type Context = { snapshot: Snapshot; past: Past; config: Config };

/**
 * One rule: pure. Called when its source was read; it returns a finding for every subject that it sees, fine ones included, for a
 * subject that is not mentioned is taken to be gone. A source that failed freezes the rule's incidents; one that is absent leaves them
 * to end as gone.
 */
export type Judge<S extends Source> = (value: Values[S], context: Context) => Finding[];
