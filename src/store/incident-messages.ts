import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { EpochMs, Finite } from '../model/shapes.ts';
import { type Db, statement } from './db.ts';
import { dropRow, readJson, readRow } from './rows.ts';

export const INCIDENT_MESSAGE_MIGRATIONS: readonly string[] = [
  // wanted, shown: JSON of a MessageState; what the message is to show, and what Telegram last accepted for it.
  // ended: the incident is over, and `wanted` is the last state. pending: JSON of a question that a button asked.
  `CREATE TABLE incident_messages (
     incident_id INTEGER NOT NULL, target TEXT NOT NULL, message_id INTEGER NOT NULL, sent_at INTEGER NOT NULL,
     opened_with TEXT NOT NULL, wanted TEXT NOT NULL, shown TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0, pending TEXT,
     PRIMARY KEY (incident_id, target)) WITHOUT ROWID;
   CREATE INDEX incident_messages_open ON incident_messages (incident_id) WHERE ended = 0`,
];

const Button = v.object({ text: v.string(), callback_data: v.string() });
export type Button = v.InferOutput<typeof Button>;
/** What a message shows: its HTML, and the rows of its buttons as the Bot API takes them. `list`: of a list of incidents, its first line. */
const MessageState = v.object({
  html: v.string(),
  list: v.optional(v.string()),
  keyboard: v.optional(v.array(v.array(Button))),
});
export type MessageState = v.InferOutput<typeof MessageState>;

/** The message that an incident has in one chat, edited while the incident lasts. */
const IncidentMessage = v.object({
  incidentId: Finite,
  target: v.string(),
  /** 0: out of reach, since its group moved. */
  messageId: Finite,
  sentAt: EpochMs,
  /** Ids of the incidents that were announced together with it. */
  openedWith: v.pipe(
    v.string(),
    v.transform((ids) => readJson(v.array(Finite), ids) ?? []),
  ),
  wanted: v.string(),
  shown: v.string(),
  ended: v.pipe(
    Finite,
    v.transform((ended) => ended === 1),
  ),
  /** JSON of what a tap asked and nobody has answered yet. */
  pending: v.exactOptional(v.string()),
});
export type IncidentMessage = v.InferOutput<typeof IncidentMessage>;

/** The incident and the chat of a message. */
type MessageKey = Pick<IncidentMessage, 'incidentId' | 'target'>;

const KEEP_MS = 90 * 86_400_000;

function messagesWhere(db: Db, where: string, ...values: unknown[]): IncidentMessage[] {
  return statement(db, `SELECT * FROM incident_messages WHERE ${where} ORDER BY incident_id, target`)
    .all(...values)
    .flatMap((row) => {
      const message = readRow(IncidentMessage, row);
      if (message) return [message];
      const { incident_id: id, target } = row as Record<string, unknown>;
      const deletes = 'DELETE FROM incident_messages WHERE incident_id IS ? AND target IS ?';
      dropRow(db, `The message of incident ${String(id)}`, deletes, id, target);
      return [];
    });
}

/** The message was accepted. One that was there before is not edited any more. */
export function keepMessage(db: Db, message: Omit<IncidentMessage, 'shown' | 'ended' | 'pending'>): void {
  const { incidentId, target, messageId, sentAt, openedWith, wanted } = message;
  statement(
    db,
    `INSERT INTO incident_messages (incident_id, target, message_id, sent_at, opened_with, wanted, shown)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
     ON CONFLICT (incident_id, target) DO UPDATE SET message_id = ?3, sent_at = ?4, wanted = ?6, shown = ?6, ended = 0, pending = NULL`,
  ).run(incidentId, target, messageId, Math.round(sentAt), JSON.stringify(openedWith), wanted);
}

/** Messages of incidents that were not over when they were last looked at. */
export function openMessages(db: Db): IncidentMessage[] {
  return messagesWhere(db, 'ended = 0');
}

/** The messages of an incident, one for a chat. */
export function messagesOf(db: Db, incidentId: number): IncidentMessage[] {
  return messagesWhere(db, 'incident_id = ?', incidentId);
}

/** The newest message of a chat that shows this incident, among others perhaps. */
export function messageShowing(db: Db, incidentId: number, target: string): IncidentMessage | undefined {
  const shows = 'target = ? AND EXISTS (SELECT 1 FROM json_each(opened_with) WHERE value = ?)';
  return messagesWhere(db, shows, target, incidentId)
    .toSorted((a, b) => a.sentAt - b.sentAt)
    .at(-1);
}

/** Messages that do not show yet what they should. */
export function messagesBehind(db: Db): IncidentMessage[] {
  return messagesWhere(db, 'wanted <> shown');
}

/** What the message is to show from now on. */
export function setWanted(db: Db, message: MessageKey, wanted: string, ended: boolean): void {
  change(db, message, 'wanted = ?, ended = ?', wanted, ended ? 1 : 0);
}

/**
 * Telegram shows `shown` now, in a message of this id. `edit`: what `beginEdit` gave; where another edit has begun since, nobody knows
 * which of them was the last.
 */
export function setShown(db: Db, message: MessageKey, shown: string, messageId: number, edit?: string): void {
  const set = 'shown = CASE WHEN shown = coalesce(?, shown) THEN ? ELSE shown END, message_id = ?';
  change(db, message, set, edit ?? null, shown, messageId);
}

/** Another state is on its way: until one is confirmed nobody knows what is shown, and a return to the last one is an edit, too. */
export function beginEdit(db: Db, message: MessageKey): string {
  const edit = `edit ${randomBytes(9).toString('base64url')}`;
  change(db, message, 'shown = ?', edit);
  return edit;
}

/** A button asks this now; undefined: it was answered. */
export function setPending(db: Db, message: MessageKey, pending: string | undefined): void {
  change(db, message, 'pending = ?', pending ?? null);
}

function change(db: Db, { incidentId, target }: MessageKey, set: string, ...values: unknown[]): void {
  statement(db, `UPDATE incident_messages SET ${set} WHERE incident_id = ? AND target = ?`).run(
    ...values,
    incidentId,
    target,
  );
}

/** The messages of this chat, in all its topics, are out of reach: what they are to show next is sent anew. */
export function leaveBehind(db: Db, chat: string): void {
  statement(
    db,
    `UPDATE incident_messages SET message_id = 0 WHERE target = ?1 OR substr(target, 1, length(?1) + 1) = ?1 || '/'`,
  ).run(chat);
}

/** The same in every chat: another bot's messages cannot be edited, and in a private chat their numbers are those of others. */
export function leaveAllBehind(db: Db): void {
  statement(db, 'UPDATE incident_messages SET message_id = 0').run();
}

/** The chat `from` is configured as `to` now; `targets`: all that are configured. */
export function renameChat(db: Db, from: string, to: string, targets: readonly string[]): void {
  statement(
    db,
    `UPDATE OR IGNORE incident_messages SET target = ?2 || substr(target, length(?1) + 1)
     WHERE (target = ?1 OR substr(target, 1, length(?1) + 1) = ?1 || '/')
       AND target NOT IN (SELECT value FROM json_each(?3))
       AND ?2 || substr(target, length(?1) + 1) IN (SELECT value FROM json_each(?3))`,
  ).run(from, to, JSON.stringify(targets));
}

/** Forgets those that ended long ago. */
export function pruneMessages(db: Db, now: number): void {
  statement(db, 'DELETE FROM incident_messages WHERE ended = 1 AND sent_at < ?').run(now - KEEP_MS);
}

/** What `wanted` or `shown` holds; undefined where it cannot be read. */
export function readState(text: string): MessageState | undefined {
  return readJson(MessageState, text);
}
