import { errorText } from '../model/text.ts';
import { recall, remember } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import { EpochMs } from '../model/shapes.ts';
import type { Clock, Log } from '../system/types.ts';

const HOUR_MS = 3_600_000;
const LAST = 'status-report-at';

/** Calls `send` every `hours`, counted on from the report of the run before; never for 0. */
export async function everyFewHours(
  hours: number,
  deps: { db: Db; clock: Clock; log: Log; signal: AbortSignal; send(at: number): void },
): Promise<void> {
  const { db, clock, log, signal } = deps;
  const intervalMs = hours * HOUR_MS;
  if (intervalMs <= 0) return;
  let last = clock.now();
  try {
    const before = recall(db, LAST, EpochMs);
    // After a long absence the first report comes one interval later, not at once with the start message.
    if (before !== undefined && before <= last && last - before < intervalMs) last = before;
  } catch (error) {
    log.debug(`The time of the last status report cannot be read: ${errorText(error)}`);
  }
  while (!signal.aborted) {
    // In steps, for the clock may be set.
    await clock.sleep(Math.min(Math.max(last + intervalMs - clock.now(), 1000), HOUR_MS), signal);
    const now = clock.now();
    if (now < last) last = now;
    if (signal.aborted || now < last + intervalMs) continue;
    last = now;
    deps.send(now);
    try {
      remember(db, LAST, last, last);
    } catch (error) {
      log.debug(`The time of the status report cannot be saved: ${errorText(error)}`);
    }
  }
}
