import { plain } from '../model/text.ts';
import { adviceFor } from './advice.ts';
import { describeChat } from './chat.ts';
import type { Answer, Telegram } from './telegram.ts';
import { chatsIn, type SeenChat } from './updates.ts';

export type Bot = { id: string; username: string };
export type KnownChat = { id: string; type: string; title: string };
type Problem = { problem: string; advice: string };

/** What a try gave; `problem` and `advice` where it is not ok. The shape of `telegram test --json`, with `version: 1`. */
export type TryResult = Partial<Problem> & {
  ok: boolean;
  sent: boolean;
  bot?: Bot;
  chat?: KnownChat;
  /** The configured id, when Telegram moved the group to another one. */
  movedFrom?: string;
  /** Messages that were put off and are tried again now. */
  waiting?: number;
};
/** The shape of `telegram chats --json`, with `version: 1`. */
export type ChatsResult = Partial<Problem> & { ok: boolean; bot?: Bot; chats: SeenChat[] };

const UPDATES = 100;
const NO_TOKEN: Problem = {
  problem: 'TELEGRAM_BOT_TOKEN is not set.',
  advice:
    'Write /newbot to @BotFather in Telegram, and put the token that it gives you into monitor.conf as TELEGRAM_BOT_TOKEN.',
};
const NO_CHAT: Problem = {
  problem: 'TELEGRAM_CHAT_ID is not set.',
  advice:
    'Write to the bot, then run `vpsmon telegram chats` and set TELEGRAM_CHAT_ID to the id that it shows.',
};

/** Asks who the bot is and what the chat is, and sends `html` there; undefined: everything but that. */
export async function tryTelegram(
  telegram: Telegram,
  configured: { token: string; chatId: string },
  html: string | undefined,
): Promise<TryResult & { chatResult?: unknown }> {
  const failed = { ok: false, sent: false };
  if (configured.token === '') return { ...failed, ...NO_TOKEN };
  const me = await telegram.getMe();
  if (me.kind !== 'ok') return { ...failed, ...problemOf(me) };
  const bot = botOf(me.result);
  if (configured.chatId === '') return { ...failed, bot, ...NO_CHAT };
  const found = await telegram.getChat();
  if (found.kind !== 'ok') return { ...failed, bot, ...problemOf(found) };
  const known = { bot, chat: chatOf(found.result), chatResult: found.result };
  if (html === undefined) return { ok: true, sent: false, ...known };
  const outcome = await telegram.sendText(html);
  if (outcome.state === 'sent') return { ok: true, sent: true, ...known };
  return { ...failed, ...known, problem: `Telegram: ${outcome.why}`, advice: adviceFor(outcome.why) };
}

/** The chats that have written to the bot within the last day, and those that a monitor heard of (`seen`); nothing is taken away from other readers. */
export async function findChats(
  telegram: Telegram,
  token: string,
  seen: readonly SeenChat[] = [],
): Promise<ChatsResult> {
  if (token === '') return { ok: false, chats: [], ...NO_TOKEN };
  const me = await telegram.getMe();
  if (me.kind !== 'ok') return { ok: false, chats: [], ...problemOf(me) };
  const bot = botOf(me.result);
  const updates = await telegram.getUpdates(UPDATES);
  if (updates.kind !== 'ok') return { ok: false, bot, chats: [], ...problemOf(updates) };
  const newest = chatsIn(updates.result);
  const chats = [...newest, ...seen.filter(({ id }) => newest.every((chat) => chat.id !== id))];
  if (chats.length > 0) return { ok: true, bot, chats };
  return {
    ok: false,
    bot,
    chats,
    problem: `Nobody has written to @${bot.username} within the last day.`,
    advice:
      `Open https://t.me/${bot.username} and press Start, or add the bot to your group and write /start@${bot.username} there. ` +
      'Then run this command again.',
  };
}

function problemOf(answer: Exclude<Answer, { kind: 'ok' }>): Problem {
  const why = answer.kind === 'broken' ? answer.why : `${answer.code} ${answer.description}`;
  return { problem: `Telegram: ${why}`, advice: adviceFor(why) };
}

function botOf(result: unknown): Bot {
  const { id, username } = (result ?? {}) as { id?: unknown; username?: unknown };
  return {
    id: plain(String(id ?? ''), 20),
    username: typeof username === 'string' ? plain(username, 40) : 'bot',
  };
}

function chatOf(result: unknown): KnownChat {
  const { id, type, title } = describeChat(result);
  return { id: plain(id, 30), type: plain(type, 20), title: plain(title, 80) };
}
