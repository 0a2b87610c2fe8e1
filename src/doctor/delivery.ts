import { formatCount, formatDuration } from '../model/text.ts';
import { failed, ok, warning, type Line } from './types.ts';

/** Fields used of what the notify room says about delivery. */
export type DeliveryFacts = {
  configured: boolean;
  refused?: string;
  failing?: string;
  waiting: number;
  oldestWaitingAt?: number;
  sentTotal: number;
  chat?: { title: string };
};

/** A message may wait this long without anything being wrong: it is being sent. */
const PATIENCE_MS = 60_000;

export function judgeDelivery(state: DeliveryFacts, now: number): Line {
  const name = 'messages';
  const waiting = `${formatCount(state.waiting)} ${state.waiting === 1 ? 'message waits' : 'messages wait'}`;
  if (!state.configured)
    return warning(
      name,
      'Telegram is not set up: alerts go to the log and to alert_history.log only',
      'set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID in /etc/vpsmon/monitor.conf; `vpsmon telegram chats` finds the chat',
    );
  if (state.refused)
    return failed(name, `Telegram refuses: ${state.refused}; ${waiting}`, adviceFor(state.refused));
  const age = state.oldestWaitingAt === undefined ? 0 : now - state.oldestWaitingAt;
  if (state.waiting > 0 && age > PATIENCE_MS)
    return warning(
      name,
      `${waiting}, the oldest for ${formatDuration(age)}${state.failing ? `: ${state.failing}` : ''}`,
      'they are sent by themselves when Telegram can be reached again; `vpsmon telegram test` tries it now',
    );
  const where = state.chat ? ` to "${state.chat.title}"` : '';
  return ok(
    name,
    `${formatCount(state.sentTotal)} sent${where}, ${state.waiting === 0 ? 'none waiting' : waiting}`,
  );
}

/** What to do about each way in which Telegram says no. */
export function adviceFor(refusal: string): string {
  if (/^40[14]\b/.test(refusal) || /unauthorized/i.test(refusal))
    return 'the token is wrong or was revoked: take the one that @BotFather shows, set TELEGRAM_BOT_TOKEN, then systemctl restart vps-monitor';
  if (/blocked/i.test(refusal)) return 'the bot was blocked: unblock it in Telegram and write /start to it';
  if (/kicked|not a member|left/i.test(refusal)) return 'the bot was removed from the group: add it again';
  if (/rights|forbidden/i.test(refusal))
    return 'the bot may not write there: allow it to post messages in the settings of the group or channel';
  return 'the chat is not known to this bot: write to the bot (or add it to the group), then take the id that `vpsmon telegram chats` shows as TELEGRAM_CHAT_ID';
}
