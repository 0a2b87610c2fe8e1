import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { Finite } from '../model/shapes.ts';
import type { Db } from '../store/db.ts';
import { leaveAllBehind, leaveBehind, renameChat } from '../store/incident-messages.ts';
import { recall, remember } from '../store/memory.ts';
import { allTargets, mainTarget, placeOf } from './targets.ts';

const MOVED = 'telegram.moved';
const VALIDATED = 'telegram.validated';
const BOT = 'telegram.bot';
const WAY = 'telegram.way';
/** More chats than these are not remembered; they are asked for again after a restart. */
const KEPT = 50;

const ChatId = v.pipe(v.string(), v.regex(/^(?:-?\d{1,19}|@\w+)$/));
const Moved = v.object({ from: v.string(), to: ChatId, at: Finite });
type Moved = v.InferOutput<typeof Moved>;
const ValidatedChat = v.object({
  target: v.string(),
  id: v.string(),
  type: v.string(),
  title: v.string(),
  at: Finite,
});
export type ValidatedChat = v.InferOutput<typeof ValidatedChat>;

export function isConfigured(config: Config): boolean {
  return config.settings.TELEGRAM_BOT_TOKEN !== '' && config.settings.TELEGRAM_CHAT_ID !== '';
}

/** Where messages go: the configured chat, or what it became when Telegram turned the group into a supergroup. */
export function effectiveChat(
  db: Db,
  config: Config,
  chat = placeOf(mainTarget(config)).chat,
): { chatId: string; movedFrom?: string } {
  const moved = listIn(db, MOVED, Moved).find(({ from }) => from === chat);
  return moved ? { chatId: moved.to, movedFrom: chat } : { chatId: chat };
}

/** The configured chat `from` has another id now: messages of before are not there, and their numbers are those of others. */
export function rememberMove(
  db: Db,
  config: Config,
  to: string,
  now: number,
  from = placeOf(mainTarget(config)).chat,
): void {
  if (effectiveChat(db, config, from).chatId === to) return;
  const others = listIn(db, MOVED, Moved).filter((known) => known.from !== from);
  remember(db, MOVED, [...others, { from, to, at: now } satisfies Moved].slice(-KEPT), now);
  leaveBehind(db, from);
}

/** Who took a new id over into the settings goes on with the messages that incidents have there. */
export function followSettings(db: Db, targets: readonly string[]): void {
  for (const { from, to } of listIn(db, MOVED, Moved)) renameChat(db, from, to, targets);
}

/** Where the settings name another bot than the one that sent, the messages of incidents are begun anew by this one. A new token of the same bot changes nothing. */
export function followBot(db: Db, config: Config, now: number): void {
  const [bot = ''] = config.settings.TELEGRAM_BOT_TOKEN.split(':');
  const before = recall(db, BOT, v.string());
  if (bot === '' || before === bot) return;
  if (before !== undefined) leaveAllBehind(db);
  remember(db, BOT, bot, now);
}

/** True where the settings name another token, chat or server of the Bot API than they did when messages were last sent. */
export function isAnotherWay(db: Db, config: Config, now: number): boolean {
  const { TELEGRAM_BOT_TOKEN, TELEGRAM_API_ROOT } = config.settings;
  const way = [nameOfToken(TELEGRAM_BOT_TOKEN), TELEGRAM_API_ROOT, ...allTargets(config)].join(' ');
  const before = recall(db, WAY, v.string());
  if (way === before) return false;
  remember(db, WAY, way, now);
  return before !== undefined;
}

/** Follows a group that became a supergroup, where an update says so before a message is refused. */
export function followMove(db: Db, config: Config, update: unknown, now: number): void {
  const { chat, migrate_to_chat_id: to } = fields(fields(update).message);
  const from = String(fields(chat).id ?? '');
  if (typeof to !== 'number' || !Number.isSafeInteger(to)) return;
  const known = configuredChat(db, config, { id: from });
  if (known !== undefined) rememberMove(db, config, String(to), now, known);
}

/** The fields of a JSON object; of anything else none. */
export function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The chat that getChat confirmed for this token and chat id; undefined: not asked yet. */
export function validatedChat(db: Db, config: Config, chat?: string): ValidatedChat | undefined {
  const target = nameOfTarget(db, config, chat);
  return listIn(db, VALIDATED, ValidatedChat).find((known) => known.target === target);
}

export function rememberValidated(
  db: Db,
  config: Config,
  result: unknown,
  now: number,
  of?: string,
): ValidatedChat {
  const chat = { target: nameOfTarget(db, config, of), ...describeChat(result), at: now };
  const others = listIn(db, VALIDATED, ValidatedChat).filter((known) => known.target !== chat.target);
  remember(db, VALIDATED, [...others, chat].slice(-KEPT), now);
  return chat;
}

/** The configured target to which a chat of an update belongs: by its id, its id before it moved, or its public name. */
export function configuredChat(
  db: Db,
  config: Config,
  chat: { id: string; username?: string },
): string | undefined {
  const name = chat.username === undefined ? undefined : `@${chat.username}`.toLowerCase();
  return allTargets(config)
    .map((target) => placeOf(target).chat)
    .find(
      (known) =>
        known === chat.id ||
        effectiveChat(db, config, known).chatId === chat.id ||
        (known.startsWith('@') && validatedChat(db, config, known)?.id === chat.id) ||
        known.toLowerCase() === name,
    );
}

/** Versions before this one kept one chat only, not in a list. */
function listIn<T>(db: Db, key: string, shape: v.GenericSchema<unknown, T>): T[] {
  const known = recall(db, key, v.union([v.array(shape), shape]));
  return known === undefined ? [] : Array.isArray(known) ? known : [known];
}

/** A Chat of the Bot API as people know it: its title, or the person's name. */
export function describeChat(result: unknown): { id: string; type: string; title: string } {
  const chat = fields(result);
  const text = (key: string) => (typeof chat[key] === 'string' ? chat[key] : '');
  const name = [text('first_name'), text('last_name')].filter((part) => part !== '').join(' ');
  const handle = text('username') === '' ? '' : `@${text('username')}`;
  return {
    id: String(chat.id ?? ''),
    type: text('type') || 'unknown',
    title: text('title') || [name, handle].filter((part) => part !== '').join(' ') || '(no name)',
  };
}

/** Names a bot and a chat without holding the token: the bot's public number, and a short sum of the rest. */
function nameOfTarget(db: Db, config: Config, chat?: string): string {
  const { TELEGRAM_BOT_TOKEN, TELEGRAM_API_ROOT } = config.settings;
  return `${nameOfToken(TELEGRAM_BOT_TOKEN)}/${effectiveChat(db, config, chat).chatId}/${TELEGRAM_API_ROOT}`;
}

let named: { token: string; name: string } | undefined;

/** Kept, for it is asked for in every check and the token does not change while a process runs. */
function nameOfToken(token: string): string {
  if (named?.token === token) return named.name;
  let sum = 0;
  for (const character of token) sum = (Math.imul(sum, 31) + (character.codePointAt(0) ?? 0)) | 0;
  named = { token, name: `${token.split(':')[0]}/${sum}` };
  return named.name;
}
