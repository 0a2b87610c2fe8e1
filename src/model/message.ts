import type { Severity } from './finding.ts';

/** A message to be sent. `html` is Telegram HTML: everything from outside is escaped already. */
export type Message = {
  /** Epoch ms: when it happened, not when it is sent. */
  at: number;
  severity: Severity;
  /** Type for alert_history.log, rate limits and counters: a rule id, `status-report`, `daily-report`, `start`, `test`. */
  kind: string;
  subject: string;
  html: string;
  /** Absolute path of a PNG to send as a photo with `html` as a following text. */
  photoPath?: string;
  incidentId?: number;
  /** What it is to its incident's own message on Telegram: begins it, or is sent as a reply to it. */
  role?: 'opens' | 'follows' | 'ends';
  /** It begins the message of many incidents to which the same happened; `incidentId` is the first of them. */
  isList?: true;
  /** Where it goes, as TELEGRAM_CHAT_ID writes it (`-100123`, `@name`, `-100123/5`); undefined: to all chats of its severity. */
  target?: string;
};

/** What one attempt to deliver gave. */
export type Delivery =
  /**
   * `messageId`, `chatId`: what Telegram calls the message and its chat. `lostTopic`: why it went to the group and not to the topic
   * that was meant.
   */
  | { state: 'sent'; messageId?: number; chatId?: string; lostTopic?: string }
  | { state: 'retry'; afterMs?: number; why: string }
  /** 401, 403, chat not found: kept, shown in log, health and doctor, tried again hourly. */
  | { state: 'refused'; why: string }
  /** This text (or picture) will never be taken; others will. */
  | { state: 'invalid'; why: string };
