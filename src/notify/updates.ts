import * as v from 'valibot';
import { plain } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { recall, remember } from '../store/memory.ts';
import { describeChat, fields } from './chat.ts';

/** The chat of an update. */
export type UpdateChat = { id: string; type: string; username?: string };
/** Who wrote or tapped; anonymous administrators and channels have no person. */
export type Person = { id: string; name: string };
type Base = { updateId: number; chat: UpdateChat; from?: Person; topic?: number };
/** `text`: at most 300 characters. `at`: epoch ms by Telegram's clock. */
export type Written = Base & { kind: 'message'; messageId: number; text: string; at: number };
/** A button of the message `messageId` was tapped. */
export type Tapped = Base & { kind: 'tap'; queryId: string; data: string; messageId: number };
export type Incoming = Written | Tapped;

/** Stands for administrators who write as their group. */
const ANONYMOUS = '1087968824';
/** Of a message whose words are somebody else's: forwarded (before and since Bot API 7.0), or made by another bot. */
const SECOND_HAND = [
  'forward_origin',
  'forward_date',
  'is_automatic_forward',
  'via_bot',
  'sender_business_bot',
];
const TEXT_MOST = 300;
const DATA_MOST = 64;
const ID_MOST = 100;
const NOWHERE: UpdateChat = { id: '', type: '' };

/** Pure: the number of an update, so that it is not asked for again, whatever else is in it. */
export function updateIdOf(update: unknown): number | undefined {
  const { update_id: id } = fields(update);
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : undefined;
}

/** Pure: what somebody wrote or tapped; undefined for everything else. https://core.telegram.org/bots/api#update */
export function readUpdate(update: unknown): Incoming | undefined {
  const updateId = updateIdOf(update);
  if (updateId === undefined) return undefined;
  const query = fields(fields(update).callback_query);
  if (typeof query.id === 'string') {
    const message = fields(query.message);
    // Without a message that can be named it is no button of ours; it is answered all the same.
    const base = baseOf(updateId, message.chat, query.from, message) ?? { updateId, chat: NOWHERE };
    const messageId = isId(message.message_id) ? message.message_id : 0;
    const data = typeof query.data === 'string' ? query.data.slice(0, DATA_MOST) : '';
    return { ...base, kind: 'tap', queryId: query.id.slice(0, ID_MOST), data, messageId };
  }
  const message = fields(fields(update).message);
  if (SECOND_HAND.some((name) => message[name] !== undefined)) return undefined;
  // Written as a group or channel: there is no person who could be allowed anything.
  const from = message.sender_chat === undefined ? message.from : undefined;
  const base = baseOf(updateId, message.chat, from, message);
  if (!base || !isId(message.message_id) || typeof message.text !== 'string') return undefined;
  const at = typeof message.date === 'number' && Number.isFinite(message.date) ? message.date * 1000 : 0;
  const text = plain(message.text, TEXT_MOST);
  return { ...base, kind: 'message', messageId: message.message_id, text, at };
}

function baseOf(updateId: number, chat: unknown, from: unknown, message: Fields): Base | undefined {
  const { id, type, username } = fields(chat);
  if (!isId(id)) return undefined;
  const person = personOf(from);
  const topic = message.message_thread_id;
  return {
    updateId,
    chat: {
      id: String(id),
      type: typeof type === 'string' ? plain(type, 20) : '',
      ...(typeof username === 'string' && /^\w{1,64}$/.test(username) ? { username } : {}),
    },
    ...(person ? { from: person } : {}),
    ...(isId(topic) && message.is_topic_message === true ? { topic } : {}),
  };
}

function personOf(from: unknown): Person | undefined {
  const { id, is_bot: isBot, first_name: first, last_name: last } = fields(from);
  if (!isId(id) || isBot === true || String(id) === ANONYMOUS) return undefined;
  const name = plain([first, last].filter((part) => typeof part === 'string').join(' '), 40);
  return { id: String(id), name: name === '' ? `user ${id}` : name };
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

/** A chat that a bot has heard from. */
const SeenChat = v.object({
  id: v.string(),
  /** private, group, supergroup, channel. */
  type: v.string(),
  title: v.string(),
  /** Who wrote last; absent in channels. */
  from: v.exactOptional(v.string()),
  lastText: v.exactOptional(v.string()),
  /** Epoch ms. */
  lastAt: v.exactOptional(v.number()),
});
export type SeenChat = v.InferOutput<typeof SeenChat>;

type Fields = ReturnType<typeof fields>;
/** Where the parts of an update that have a chat keep it: https://core.telegram.org/bots/api#update */
const WITH_CHAT = [
  'message',
  'edited_message',
  'channel_post',
  'edited_channel_post',
  'my_chat_member',
  'chat_member',
];

const SEEN = 'telegram.seen';
const SEEN_MOST = 20;

/** The chats of which the monitor has heard: it takes the updates away from whoever asks later. The latest first. */
export function seenChats(db: Db): SeenChat[] {
  return recall(db, SEEN, v.array(SeenChat)) ?? [];
}

/** Keeps the chats of an update, at most 20. */
export function rememberSeen(db: Db, update: unknown, now: number): void {
  const chats = chatsIn([update]);
  if (chats.length === 0) return;
  const known = seenChats(db).filter(({ id }) => chats.every((chat) => chat.id !== id));
  remember(db, SEEN, [...chats, ...known].slice(0, SEEN_MOST), now);
}

/** Pure: the chats in an answer of getUpdates, the latest first. */
export function chatsIn(updates: unknown): SeenChat[] {
  const chats = new Map<string, SeenChat>();
  if (!Array.isArray(updates)) return [];
  for (const update of updates) {
    for (const part of partsOf(fields(update))) {
      const seen = describe(part);
      if (seen.id === '') continue;
      const known = chats.get(seen.id);
      if (!known || (seen.lastAt ?? 0) >= (known.lastAt ?? 0)) chats.set(seen.id, seen);
    }
  }
  return [...chats.values()].toSorted((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0));
}

function partsOf(update: Fields): Fields[] {
  const callback = fields(fields(update.callback_query).message);
  return [...WITH_CHAT.map((name) => fields(update[name])), callback].filter(
    (part) => Object.keys(fields(part.chat)).length > 0,
  );
}

function describe(part: Fields): SeenChat {
  const { id, type, title } = describeChat(part.chat);
  const text =
    typeof part.text === 'string' ? part.text : typeof part.caption === 'string' ? part.caption : '';
  const date = typeof part.date === 'number' && Number.isFinite(part.date) ? part.date * 1000 : undefined;
  const from = describeChat(part.from).title;
  return {
    id: /^-?\d+$/.test(id) ? id : '',
    type: plain(type, 20),
    title: plain(title, 60),
    ...(Object.keys(fields(part.from)).length > 0 && type !== 'private' ? { from: plain(from, 60) } : {}),
    ...(text === '' ? {} : { lastText: plain(text, 60) }),
    ...(date === undefined ? {} : { lastAt: date }),
  };
}
