import { plain } from '../model/text.ts';

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

type Fields = Record<string, unknown>;
/** Stands for administrators who write as their group. */
const ANONYMOUS = '1087968824';
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

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
