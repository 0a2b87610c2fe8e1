import type { Delivery } from '../model/message.ts';
import { formatDuration } from '../model/text.ts';
import type { Clock, Log } from '../system/types.ts';
import { adviceFor } from './advice.ts';

/** Says in the log when sending begins to fail, when the reason changes, and when it works again; not at every attempt. */
export function createTroubleLog(log: Log, clock: Clock) {
  let since: number | undefined;
  let said = '';
  let failure = '';
  return {
    happened(outcome: Extract<Delivery, { state: 'retry' | 'refused' }>, pauseMs: number): void {
      since ??= clock.monotonic();
      const next = `next try in ${formatDuration(pauseMs)}`;
      if (outcome.why === said) log.debug(`Telegram: still ${outcome.why}; ${next}`);
      else if (outcome.state === 'refused')
        log.error(
          `Telegram refuses messages: ${outcome.why}. ${adviceFor(outcome.why)} Nothing is lost; ${next}.`,
        );
      else log.warn(`A message could not be sent: ${outcome.why}. It is kept; ${next}.`);
      said = outcome.why;
    },
    over(): void {
      failure = '';
      if (since === undefined) return;
      log.info(`Telegram takes messages again, after ${formatDuration(clock.monotonic() - since)}.`);
      since = undefined;
      said = '';
    },
    /** Something of our own failed. */
    failed(what: string): void {
      if (what !== failure) log.error(what);
      failure = what;
    },
  };
}
