import type { Config } from '../config/schema.ts';
import type { Person, UpdateChat } from './updates.ts';

/** read: shows something. silence: silences and acknowledges. act: stops, restarts, undoes. */
export type Right = 'read' | 'silence' | 'act';
/** `stranger`: this person may do nothing of the kind here. `off`: nobody may, as it is set. */
export type Permit = { ok: true } | { ok: false; reason: 'stranger' | 'off'; why: string };

/**
 * Pure: whether this person may do that in this chat, which is one that is configured. In a private chat its owner may; in groups
 * only who is named in TELEGRAM_ALLOWED_USERS.
 */
export function permit(config: Config, chat: UpdateChat, from: Person | undefined, right: Right): Permit {
  const { settings } = config;
  if (right === 'act' && !settings.TELEGRAM_ACTIONS)
    return { ok: false, reason: 'off', why: 'Actions are switched off (TELEGRAM_ACTIONS=false).' };
  if (right === 'read' && settings.TELEGRAM_OTHERS_MAY_READ) return { ok: true };
  if (!from)
    return {
      ok: false,
      reason: 'stranger',
      why: 'An anonymous administrator, or who writes as a channel, could be anybody: write as yourself.',
    };
  const users = settings.TELEGRAM_ALLOWED_USERS;
  const owns = chat.type === 'private' && chat.id === from.id;
  if (owns || users.includes(from.id)) return { ok: true };
  return {
    ok: false,
    reason: 'stranger',
    why: `You are not in TELEGRAM_ALLOWED_USERS (your id is ${from.id}).`,
  };
}
