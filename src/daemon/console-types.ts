import type { CommandContext } from '../commands/context.ts';
import type { Incoming } from '../notify/updates.ts';
import type { telegramFor } from '../notify/sender.ts';
import type { Place } from '../notify/targets.ts';
import type { SendOptions } from '../notify/telegram.ts';
import type { Monitor } from './types.ts';

export const COMMANDS = [
  { command: 'status', description: 'How the server is, at a glance' },
  { command: 'incidents', description: 'What happened in 24 hours' },
  { command: 'containers', description: 'Containers, those that are not well first' },
  { command: 'chart', description: 'Memory, swap and pressure as a picture: 24h, 7d' },
  { command: 'report', description: 'The daily report, now' },
  { command: 'forecast', description: 'What runs out, and when' },
  { command: 'silence', description: 'No messages: SUBJECT 2h; end SUBJECT; or the list' },
  { command: 'help', description: 'What this bot understands' },
] as const;

/** Why nothing is done for a chat. */
export const NOT_CONFIGURED = 'The chat is not one of TELEGRAM_CHAT_ID.';

/** What commands and buttons work with. */
export type Console = {
  monitor: Monitor;
  context: CommandContext;
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
