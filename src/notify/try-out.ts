import type { Severity } from '../model/finding.ts';
import { plain } from '../model/text.ts';
import { adviceFor } from './advice.ts';
import { describeChat } from './chat.ts';
import { placeOf, type Destination } from './targets.ts';
import type { Answer, Telegram } from './telegram.ts';
import { chatsIn, type SeenChat } from './updates.ts';

export type Bot = { id: string; username: string };
export type KnownChat = { id: string; type: string; title: string };
type Problem = { problem: string; advice: string };

/** What a try in one chat or topic gave. */
export type TriedChat = Partial<Problem> & {
  /** As the settings write it. */
  target: string;
  /** Of which severities messages go there. */
  severities: readonly Severity[];
  sent: boolean;
  chat?: KnownChat;
  /** The configured id, when Telegram moved the group to another one. */
  movedFrom?: string;
};
/** What a try gave; `problem` and `advice` where it is not ok. The shape of `telegram test --json`, with `version: 1`. */
export type TryResult = Partial<Problem> & {
  ok: boolean;
  /** To all of them. */
  sent: boolean;
  bot?: Bot;
  /** The first one. */
  chat?: KnownChat;
  movedFrom?: string;
  chats: TriedChat[];
  /** Messages that were put off and are tried again now. */
  waiting?: number;
};
/** The shape of `telegram chats --json`, with `version: 1`. */
export type ChatsResult = Partial<Problem> & { ok: boolean; bot?: Bot; chats: SeenChat[] };

const UPDATES = 100;
const NO_TOKEN: Problem = {
  problem: 'TELEGRAM_BOT_TOKEN is not set.',
  advice: 'Write /newbot to @BotFather in Telegram, and give the token that you get to `vpsmon setup`.',
};
const NO_CHAT: Problem = {
  problem: 'TELEGRAM_CHAT_ID is not set.',
  advice: 'Run `vpsmon setup` and press Start on your phone; `vpsmon telegram chats` lists the ids of chats.',
};

/** Asks who the bot is and what the chats are, and sends `html` to each chat and topic; undefined: everything but that. */
export async function tryTelegram(
  telegram: Telegram,
  configured: { token: string; destinations: readonly Destination[] },
  html: string | undefined,
): Promise<TryResult> {
  const failed = { ok: false, sent: false, chats: [] };
  if (configured.token === '') return { ...failed, ...NO_TOKEN };
  const me = await telegram.getMe();
  if (me.kind !== 'ok') return { ...failed, ...problemOf(me) };
  const bot = botOf(me.result);
  if (configured.destinations.length === 0) return { ...failed, bot, ...NO_CHAT };
  const chats: TriedChat[] = [];
  for (const destination of configured.destinations) chats.push(await tryChat(telegram, destination, html));
  const [first] = chats;
  const bad = chats.find(({ problem }) => problem !== undefined);
  const named = chats.length > 1 && bad ? { problem: `${bad.target}: ${bad.problem ?? ''}` } : {};
  return {
    ok: bad === undefined,
    sent: chats.every(({ sent }) => sent),
    bot,
    ...(first?.chat ? { chat: first.chat } : {}),
    ...(first?.movedFrom ? { movedFrom: first.movedFrom } : {}),
    ...(bad?.problem ? { problem: bad.problem, advice: bad.advice ?? '', ...named } : {}),
    chats,
  };
}

async function tryChat(
  telegram: Telegram,
  destination: Destination,
  html: string | undefined,
): Promise<TriedChat> {
  const place = placeOf(destination.target);
  const found = await telegram.getChat(place.chat);
  if (found.kind !== 'ok') return { ...destination, sent: false, ...problemOf(found) };
  const chat = chatOf(found.result);
  const moved = /^-?\d+$/.test(place.chat) && chat.id !== place.chat ? { movedFrom: place.chat } : {};
  const known = { ...destination, chat, ...moved };
  if (html === undefined) return { ...known, sent: false };
  const outcome = await telegram.sendText(html, { place });
  // The answer to the sending may be the first that tells of a move.
  const to = outcome.state === 'sent' ? outcome.chatId : undefined;
  if (to !== undefined && to !== chat.id && /^-?\d+$/.test(place.chat))
    Object.assign(known, { chat: { ...chat, id: to }, movedFrom: place.chat });
  if (outcome.state === 'sent' && outcome.lostTopic !== undefined)
    return {
      ...known,
      sent: true,
      problem: `Telegram: ${outcome.lostTopic}; the message went to the group itself`,
      advice: `There is no open topic ${place.topic ?? ''} in this group: its number is the last but one in the link of a message in it.`,
    };
  if (outcome.state === 'sent') return { ...known, sent: true };
  return { ...known, sent: false, problem: `Telegram: ${outcome.why}`, advice: adviceFor(outcome.why) };
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
