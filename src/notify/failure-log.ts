import type { Delivery } from '../model/message.ts';
import { formatDuration } from '../model/text.ts';
import type { Clock, Log } from '../system/types.ts';
import { adviceFor } from './advice.ts';

const LOG_AGAIN_MS = 3_600_000;

/**
 * Logs when sending to a chat begins to fail, when the reason changes, and when it works again; not at every attempt. `several`: there are more
 * chats than one, and each line says which it is about.
 */
export function createFailureLog(log: Log, clock: Clock, several: boolean) {
  /** By chat: since when (monotonic, ms), and why. */
  const failing = new Map<string, { since: number; why: string }>();
  const failures = new Map<string, number>();
  const about = (word: string, chat: string) => (several ? ` ${word} ${chat}` : '');
  return {
    attempt(chat: string, outcome: Exclude<Delivery, { state: 'sent' }>, pauseMs: number): void {
      const before = failing.get(chat);
      failing.set(chat, { since: before?.since ?? clock.monotonic(), why: outcome.why });
      const next = `next try in ${formatDuration(pauseMs)}`;
      if (outcome.why === before?.why) log.debug(`Telegram: still ${outcome.why}; ${next}`);
      else if (outcome.state !== 'retry')
        log.error(
          `Telegram refuses messages${about('for', chat)}: ${outcome.why}. ${adviceFor(outcome.why)} Nothing is lost; ${next}.`,
        );
      else log.warn(`A message could not be sent${about('to', chat)}: ${outcome.why}. It is kept; ${next}.`);
    },
    over(chat: string): void {
      const since = failing.get(chat)?.since;
      if (since === undefined) return;
      failing.delete(chat);
      const took = formatDuration(clock.monotonic() - since);
      log.info(`Telegram takes messages${about('for', chat)} again, after ${took}.`);
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
