import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { recall, remember } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import { Finite } from '../model/shapes.ts';

const MOVED = 'telegram.moved';
const VALIDATED = 'telegram.validated';

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
export function effectiveChat(db: Db, config: Config): { chatId: string; movedFrom?: string } {
  const configured = config.settings.TELEGRAM_CHAT_ID.trim();
  const moved = recall(db, MOVED, Moved);
  if (!moved || moved.from !== configured) return { chatId: configured };
  return { chatId: moved.to, movedFrom: configured };
}

export function rememberMove(db: Db, config: Config, to: string, now: number): void {
  remember(db, MOVED, { from: config.settings.TELEGRAM_CHAT_ID.trim(), to, at: now } satisfies Moved, now);
}

/** The chat that getChat confirmed for this token and chat id; undefined: not asked yet. */
export function validatedChat(db: Db, config: Config): ValidatedChat | undefined {
  const known = recall(db, VALIDATED, ValidatedChat);
  return known?.target === targetOf(db, config) ? known : undefined;
}

export function rememberValidated(db: Db, config: Config, result: unknown, now: number): ValidatedChat {
  const chat = { target: targetOf(db, config), ...describeChat(result), at: now };
  remember(db, VALIDATED, chat, now);
  return chat;
}

/** A Chat of the Bot API as people know it: its title, or the person's name. */
export function describeChat(result: unknown): { id: string; type: string; title: string } {
  const chat = (typeof result === 'object' && result !== null ? result : {}) as Record<string, unknown>;
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
function targetOf(db: Db, config: Config): string {
  const { TELEGRAM_BOT_TOKEN, TELEGRAM_API_ROOT } = config.settings;
  return `${nameOfToken(TELEGRAM_BOT_TOKEN)}/${effectiveChat(db, config).chatId}/${TELEGRAM_API_ROOT}`;
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
