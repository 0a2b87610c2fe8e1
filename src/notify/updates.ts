import * as v from 'valibot';
import { plain } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { recall, remember } from '../store/memory.ts';
import { describeChat } from './chat.ts';

/** A chat that a bot has heard from. */
export type SeenChat = {
  id: string;
  /** private, group, supergroup, channel. */
  type: string;
  title: string;
  /** Who wrote last; absent in channels. */
  from?: string;
  lastText?: string;
  /** Epoch ms. */
  lastAt?: number;
};

type Fields = Record<string, unknown>;
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
const Seen = v.array(
  v.object({
    id: v.string(),
    type: v.string(),
    title: v.string(),
    from: v.optional(v.string()),
    lastText: v.optional(v.string()),
    lastAt: v.optional(v.number()),
  }),
);

/** The chats of which the monitor has heard: it takes the updates away from whoever asks later. The latest first. */
export function seenChats(db: Db): SeenChat[] {
  return (recall(db, SEEN, Seen) ?? []) as SeenChat[];
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
    for (const part of partsOf(asFields(update))) {
      const seen = describe(part);
      if (seen.id === '') continue;
      const known = chats.get(seen.id);
      if (!known || (seen.lastAt ?? 0) >= (known.lastAt ?? 0)) chats.set(seen.id, seen);
    }
  }
  return [...chats.values()].toSorted((a, b) => (b.lastAt ?? 0) - (a.lastAt ?? 0));
}

function partsOf(update: Fields): Fields[] {
  const callback = asFields(asFields(update.callback_query).message);
  return [...WITH_CHAT.map((name) => asFields(update[name])), callback].filter(
    (part) => Object.keys(asFields(part.chat)).length > 0,
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
    ...(Object.keys(asFields(part.from)).length > 0 && type !== 'private' ? { from: plain(from, 60) } : {}),
    ...(text === '' ? {} : { lastText: plain(text, 60) }),
    ...(date === undefined ? {} : { lastAt: date }),
  };
}

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
