import type { Delivery } from '../model/message.ts';
import { formatDuration } from '../model/text.ts';
import type { Clock, Log } from '../system/types.ts';
import { adviceFor } from './advice.ts';

const LOG_AGAIN_MS = 3_600_000;

/** Logs when sending begins to fail, when the reason changes, and when it works again; not at every attempt. */
export function createFailureLog(log: Log, clock: Clock) {
  let since: number | undefined;
  let logged = '';
  const failures = new Map<string, number>();
  return {
    attempt(outcome: Exclude<Delivery, { state: 'sent' }>, pauseMs: number): void {
      since ??= clock.monotonic();
      const next = `next try in ${formatDuration(pauseMs)}`;
      if (outcome.why === logged) log.debug(`Telegram: still ${outcome.why}; ${next}`);
      else if (outcome.state !== 'retry')
        log.error(
          `Telegram refuses messages: ${outcome.why}. ${adviceFor(outcome.why)} Nothing is lost; ${next}.`,
        );
      else log.warn(`A message could not be sent: ${outcome.why}. It is kept; ${next}.`);
      logged = outcome.why;
    },
    over(): void {
      if (since === undefined) return;
      log.info(`Telegram takes messages again, after ${formatDuration(clock.monotonic() - since)}.`);
      since = undefined;
      logged = '';
    },
    /** Something of our own failed: logged once an hour. */
    own(what: string): void {
      const now = clock.monotonic();
      if (now - (failures.get(what) ?? Number.NEGATIVE_INFINITY) < LOG_AGAIN_MS) return;
      if (failures.size > 20) failures.clear();
      failures.set(what, now);
      log.error(what);
    },
  };
}
