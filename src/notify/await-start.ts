import { plain } from '../model/text.ts';
import { fields } from './chat.ts';
import { targetOfPlace } from './targets.ts';
import type { Telegram } from './telegram.ts';
import { updateIdOf } from './updates.ts';

/**
 * Who pressed Start with the code: ids as Telegram writes them, `chatId` with the topic of a forum as the settings write it.
 * No `userId`: an administrator who writes as the group, or a post in a channel.
 */
export type Starter = { chatId: string; chatTitle: string; userId?: string; userName: string };
export type StartResult = { starter: Starter } | { problem: string; conflict: boolean } | { late: true };

/** One long poll; below the time-out of a call. */
const POLL_SEC = 10;
const PAUSE_MS = 2000;
/** Named, because Telegram keeps what another program wanted last, which may be buttons only. */
const WANTED = ['message', 'channel_post'] as const;

/**
 * Waits until somebody sends `/start CODE` to the bot: what Telegram does for https://t.me/BOT?start=CODE (and, in a group,
 * for ?startgroup=CODE), https://core.telegram.org/bots/features#deep-linking. A network that fails is waited out; a refusal ends it.
 * A second reader of the same bot, or a webhook, is a `conflict`.
 */
export async function awaitStart(
  telegram: Pick<Telegram, 'pollUpdates'>,
  code: string,
  time: { untilMs: number; monotonic(): number; sleep(ms: number): Promise<void> },
): Promise<StartResult> {
  let offset: number | undefined;
  let conflicts = 0;
  while (time.monotonic() < time.untilMs) {
    const left = Math.max(0, Math.ceil((time.untilMs - time.monotonic()) / 1000));
    const answer = await telegram.pollUpdates(offset, Math.min(POLL_SEC, left), WANTED);
    // A monitor that hands the bot over may have begun a last poll in the same moment.
    if (answer.kind === 'error' && /other getUpdates/i.test(answer.description) && conflicts++ < 1) {
      await time.sleep(PAUSE_MS);
      continue;
    }
    if (answer.kind === 'error' && answer.code < 500 && answer.code !== 429)
      return { problem: `${answer.code} ${answer.description}`, conflict: answer.code === 409 };
    if (answer.kind !== 'ok') {
      await time.sleep(answer.kind === 'error' ? (answer.retryAfterMs ?? PAUSE_MS) : PAUSE_MS);
      continue;
    }
    const updates = Array.isArray(answer.result) ? (answer.result as unknown[]) : [];
    for (const update of updates) {
      const starter = starterIn(update, code);
      if (starter) return { starter };
      const id = updateIdOf(update);
      if (id !== undefined) offset = Math.max(offset ?? 0, id + 1);
    }
  }
  return { late: true };
}

/** Pure: who sent `/start CODE` in this update, if it is one. */
export function starterIn(update: unknown, code: string): Starter | undefined {
  const { message: written, channel_post: posted } = fields(update);
  const message = fields(written ?? posted);
  const text = typeof message.text === 'string' ? message.text.trim() : '';
  const [command = '', given, more] = text.split(/\s+/);
  if (!/^\/start(?:@\w+)?$/i.test(command) || given !== code || more !== undefined) return undefined;
  const chat = fields(message.chat);
  const from = fields(message.from);
  const [id, userId] = [String(chat.id ?? ''), String(from.id ?? '')];
  if (!/^-?\d{1,19}$/.test(id) || (posted === undefined && !/^\d{1,19}$/.test(userId))) return undefined;
  const topic = message.is_topic_message === true ? Number(message.message_thread_id) : NaN;
  const place = { chat: id, ...(Number.isInteger(topic) && topic > 0 ? { topic } : {}) };
  const found = { chatId: targetOfPlace(place), chatTitle: nameOf(chat), userName: nameOf(from) };
  // All anonymous administrators of all groups have one user id, that of a bot of Telegram's own.
  return posted !== undefined || message.sender_chat !== undefined || from.is_bot === true
    ? found
    : { ...found, userId };
}

function nameOf(who: ReturnType<typeof fields>): string {
  const name = [who.title, who.first_name, who.last_name]
    .filter((part) => typeof part === 'string')
    .join(' ');
  return plain(name, 60) || '(no name)';
}
