import type { Incoming } from '../notify/updates.ts';
import type { telegramFor } from '../notify/sender.ts';
import type { Place } from '../notify/targets.ts';
import type { SendOptions } from '../notify/telegram.ts';
import type { Monitor } from './types.ts';

/** Where what was confirmed by a button is kept until its result is sent. */
export const ORDERS = 'telegram.orders';

/** Why nothing is done for a chat. */
export const NOT_CONFIGURED = 'The chat is not one of TELEGRAM_CHAT_ID.';

/** What commands and buttons work with. */
export type Console = {
  monitor: Monitor;
  hostname: string;
  telegram: ReturnType<typeof telegramFor>;
  now(): number;
  mask(text: string): string;
  /** Sends an answer, in parts where it is long. */
  reply(html: string, to: SendOptions & { place: Place }): Promise<void>;
  /** Runs this program for a person's request. */
  runOwn(args: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }>;
  /** What takes longer than a moment: nobody waits for it, and a failure is logged. */
  later(work: Promise<void>): void;
  /** Into recovery.log. */
  record(line: string): void;
  /** Logs that somebody was refused, and tells the owner once a day about each of them. */
  refused(incoming: Incoming, what: string, why: string): void;
};

/** Nothing may touch the store once it is closed: what waited for an answer meanwhile ends here. */
export async function alive<T>({ state }: Monitor, work: Promise<T>): Promise<T> {
  const result = await work;
  if (state.closed) throw new Error('the monitor has ended');
  return result;
}
