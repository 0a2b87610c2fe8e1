import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { EpochMs, Finite } from '../model/shapes.ts';
import { type Db, statement } from './db.ts';
import { dropRow, readJson } from './rows.ts';

export const INCIDENT_MESSAGE_MIGRATIONS: readonly string[] = [
  // wanted, shown: JSON of a MessageState; what the message is to show, and what Telegram last accepted for it.
  // ended: the incident is over, and `wanted` is the last state. pending: JSON of a question that a button asked.
  `CREATE TABLE incident_messages (
     incident_id INTEGER NOT NULL, target TEXT NOT NULL, message_id INTEGER NOT NULL, sent_at INTEGER NOT NULL,
     opened_with TEXT NOT NULL, wanted TEXT NOT NULL, shown TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0, pending TEXT,
     PRIMARY KEY (incident_id, target)) WITHOUT ROWID;
   CREATE INDEX incident_messages_open ON incident_messages (incident_id) WHERE ended = 0`,
];

/** What a message shows: its HTML, and the rows of its buttons as the Bot API takes them. */
export type MessageState = {
  html: string;
  keyboard?: Button[][] | undefined;
  /** Of a list of incidents: its first line. */
  list?: string | undefined;
};
export type Button = { text: string; callback_data: string };

/** The message that an incident has in one chat. */
export type IncidentMessage = {
  incidentId: number;
  target: string;
  /** 0: out of reach, since its group moved. */
  messageId: number;
  sentAt: number;
  /** Ids of the incidents that were announced together with it. */
  openedWith: number[];
  wanted: string;
  shown: string;
  ended: boolean;
  /** JSON of what a tap asked and nobody has answered yet. */
  pending?: string;
};

const Row = v.object({
  incident_id: Finite,
  target: v.string(),
  message_id: Finite,
  sent_at: EpochMs,
  opened_with: v.string(),
  wanted: v.string(),
  shown: v.string(),
  ended: Finite,
  pending: v.nullable(v.string()),
});
const Ids = v.array(Finite);
const State = v.object({
  html: v.string(),
  list: v.optional(v.string()),
  keyboard: v.optional(v.array(v.array(v.object({ text: v.string(), callback_data: v.string() })))),
});

const KEEP_MS = 90 * 86_400_000;

function messagesWhere(db: Db, where: string, ...values: unknown[]): IncidentMessage[] {
  return statement(db, `SELECT * FROM incident_messages WHERE ${where} ORDER BY incident_id, target`)
    .all(...values)
    .flatMap((row) => {
      if (v.is(Row, row)) return [fromRow(row)];
      const { incident_id: id, target } = row as Record<string, unknown>;
      const deletes = 'DELETE FROM incident_messages WHERE incident_id IS ? AND target IS ?';
      dropRow(db, `The message of incident ${String(id)}`, deletes, id, target);
      return [];
    });
}

/** The messages that are edited while their incidents last: one row for an incident and a chat. */
export function openIncidentMessages(db: Db) {
  const rows = (where: string, ...values: unknown[]) => messagesWhere(db, where, ...values);
  return {
    /** The message was accepted. One that was there before is not edited any more. */
    began(message: Omit<IncidentMessage, 'shown' | 'ended' | 'pending'>): void {
      statement(
        db,
        `INSERT INTO incident_messages (incident_id, target, message_id, sent_at, opened_with, wanted, shown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (incident_id, target) DO UPDATE SET message_id = ?3, sent_at = ?4, wanted = ?6, shown = ?6, ended = 0, pending = NULL`,
      ).run(
        message.incidentId,
        message.target,
        message.messageId,
        Math.round(message.sentAt),
        JSON.stringify(message.openedWith),
        message.wanted,
      );
    },
    /** Messages of incidents that were not over when they were last looked at. */
    open: (): IncidentMessage[] => rows('ended = 0'),
    of: (incidentId: number): IncidentMessage[] => rows('incident_id = ?', incidentId),
    /** The newest message of a chat that shows this incident, among others perhaps. */
    showing: (incidentId: number, target: string): IncidentMessage | undefined =>
      rows('target = ? AND EXISTS (SELECT 1 FROM json_each(opened_with) WHERE value = ?)', target, incidentId)
        .toSorted((a, b) => a.sentAt - b.sentAt)
        .at(-1),
    /** Messages that do not show yet what they should. */
    behind: (): IncidentMessage[] => rows('wanted <> shown'),
    want(incidentId: number, target: string, wanted: string, ended: boolean): void {
      statement(
        db,
        'UPDATE incident_messages SET wanted = ?, ended = ? WHERE incident_id = ? AND target = ?',
      ).run(wanted, ended ? 1 : 0, incidentId, target);
    },
    /**
     * Telegram shows `shown` now, in a message of this id. `edit`: what `unsure` gave when the edit began; where another one has begun since,
     * nobody knows which of them was the last.
     */
    showed(
      { incidentId, target }: Pick<IncidentMessage, 'incidentId' | 'target'>,
      shown: string,
      messageId: number,
      edit?: string,
    ): void {
      statement(
        db,
        `UPDATE incident_messages SET shown = CASE WHEN ?2 IS NULL OR shown = ?2 THEN ?1 ELSE shown END, message_id = ?3
         WHERE incident_id = ?4 AND target = ?5`,
      ).run(shown, edit ?? null, messageId, incidentId, target);
    },
    /** Another state is on its way: until one is confirmed nobody knows what is shown, and a return to the last one is an edit, too. */
    unsure(incidentId: number, target: string): string {
      const edit = `edit ${randomBytes(9).toString('base64url')}`;
      statement(db, 'UPDATE incident_messages SET shown = ? WHERE incident_id = ? AND target = ?').run(
        edit,
        incidentId,
        target,
      );
      return edit;
    },
    ask(incidentId: number, target: string, pending: string | undefined): void {
      statement(db, 'UPDATE incident_messages SET pending = ? WHERE incident_id = ? AND target = ?').run(
        pending ?? null,
        incidentId,
        target,
      );
    },
    /** The messages of this chat, in all its topics, are out of reach: what they are to show next is sent anew. */
    leaveBehind(chat: string): void {
      statement(
        db,
        `UPDATE incident_messages SET message_id = 0 WHERE target = ?1 OR substr(target, 1, length(?1) + 1) = ?1 || '/'`,
      ).run(chat);
    },
    /** The chat `from` is configured as `to` now; `targets`: all that are configured. */
    rename(from: string, to: string, targets: readonly string[]): void {
      statement(
        db,
        `UPDATE OR IGNORE incident_messages SET target = ?2 || substr(target, length(?1) + 1)
         WHERE (target = ?1 OR substr(target, 1, length(?1) + 1) = ?1 || '/')
           AND target NOT IN (SELECT value FROM json_each(?3))
           AND ?2 || substr(target, length(?1) + 1) IN (SELECT value FROM json_each(?3))`,
      ).run(from, to, JSON.stringify(targets));
    },
    prune(now: number): void {
      statement(db, 'DELETE FROM incident_messages WHERE ended = 1 AND sent_at < ?').run(now - KEEP_MS);
    },
  };
}

function fromRow(row: v.InferOutput<typeof Row>): IncidentMessage {
  return {
    incidentId: row.incident_id,
    target: row.target,
    messageId: row.message_id,
    sentAt: row.sent_at,
    openedWith: readJson(Ids, row.opened_with) ?? [],
    wanted: row.wanted,
    shown: row.shown,
    ended: row.ended === 1,
    ...(row.pending === null ? {} : { pending: row.pending }),
  };
}

/** What `wanted` or `shown` holds; undefined where it cannot be read. */
export function readState(text: string): MessageState | undefined {
  return readJson(State, text);
}
