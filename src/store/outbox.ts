import * as v from 'valibot';
import { SEVERITIES, type Severity } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import { EpochMs, Finite } from '../model/shapes.ts';
import { immediately, statement, type Db } from './db.ts';
import { clockMayBeRight } from './memory.ts';
import { dropRow, readJson, readRow } from './rows.ts';

export const OUTBOX_MIGRATIONS = [
  // position: place in the queue where it is not the id (a digest stands where its first message stood).
  // wait_ms: the pause that led to next_try_at, so that a clock that jumped cannot make it longer.
  // steps: the parts as they were cut when the first one was accepted; steps_done: how many were.
  `CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER, at INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL,
     subject TEXT NOT NULL, html TEXT NOT NULL, photo_path TEXT, incident_id INTEGER, state TEXT NOT NULL DEFAULT 'waiting',
     attempts INTEGER NOT NULL DEFAULT 0, next_try_at INTEGER NOT NULL DEFAULT 0, wait_ms INTEGER NOT NULL DEFAULT 0,
     last_error TEXT, sent_at INTEGER, steps TEXT, steps_done INTEGER NOT NULL DEFAULT 0, digest_id INTEGER);
   CREATE INDEX outbox_pending ON outbox (id) WHERE state IN ('waiting', 'refused');
   CREATE INDEX outbox_digest ON outbox (digest_id) WHERE digest_id IS NOT NULL;
   CREATE TABLE alert_counts (severity TEXT PRIMARY KEY, total INTEGER NOT NULL, sent INTEGER NOT NULL) WITHOUT ROWID`,
  // role, target: see Message. copy_of: the row whose text goes to one more chat with this one.
  `ALTER TABLE outbox ADD COLUMN role TEXT;
   ALTER TABLE outbox ADD COLUMN target TEXT;
   ALTER TABLE outbox ADD COLUMN copy_of INTEGER`,
  `ALTER TABLE outbox ADD COLUMN is_list INTEGER`,
] as const;

/**
 * One thing to be sent for a message: a picture, with a caption of at most 1,024 characters, or a text of at most 4,096. `about`: the
 * text begins the message of these incidents.
 */
const MessagePart = v.union([
  v.object({ photo: v.string(), caption: v.optional(v.string()) }),
  v.object({ html: v.string(), about: v.optional(v.array(Finite)) }),
]);
export type MessagePart = v.InferOutput<typeof MessagePart>;
const Steps = v.pipe(v.array(MessagePart), v.minLength(1));

const Row = v.object({
  id: Finite,
  position: v.exactOptional(Finite),
  at: EpochMs,
  severity: v.picklist(SEVERITIES),
  kind: v.string(),
  subject: v.string(),
  html: v.string(),
  photoPath: v.exactOptional(v.string()),
  incidentId: v.exactOptional(Finite),
  /** refused: Telegram says no, kept and tried hourly. folded: part of a digest. skipped: Telegram is not configured. */
  state: v.picklist(['waiting', 'refused', 'sent', 'folded', 'skipped']),
  attempts: Finite,
  nextTryAt: Finite,
  waitMs: Finite,
  lastError: v.exactOptional(v.string()),
  sentAt: v.exactOptional(Finite),
  steps: v.exactOptional(v.string()),
  stepsDone: Finite,
  // Not there yet in a database that an older version left and that is only looked into.
  role: v.exactOptional(v.picklist(['opens', 'follows', 'ends'])),
  target: v.exactOptional(v.string()),
  /** The row that this one takes to one more chat. */
  copyOf: v.exactOptional(Finite),
  isList: v.exactOptional(Finite),
});
/** A message with how far it is. */
export type StoredRow = Message &
  Omit<v.InferOutput<typeof Row>, 'position' | 'steps' | 'isList'> & {
    position: number;
    steps?: MessagePart[];
  };

/** Reports and tests are messages but no alerts: they are not counted. */
const NOT_ALERTS = new Set(['status-report', 'daily-report', 'chart', 'test', 'digest', 'answer']);
/** These are sent to whoever asked for them, too. */
const ASKED_FOR = new Set(['answer', 'chart', 'daily-report']);
const PENDING = `state IN ('waiting', 'refused')`;
export const KEEP_ROWS = 10_000;
export const KEEP_MS = 90 * 86_400_000;

export type Outbox = ReturnType<typeof openOutbox>;

/**
 * The messages that were accepted and are to be sent: on disk before anything is sent, marked after. Written by every process, sent by the
 * one that holds the delivery lock.
 */
export function openOutbox(db: Db) {
  const within = <T>(work: () => T): T => (db.inTransaction ? work() : immediately(db, work));
  return {
    within,
    /**
     * Accepts a message and returns its id. Inside an open transaction it is part of it, so that an incident and what is
     * sent about it are saved together or not at all.
     */
    enqueue: (message: Message): number => within(() => insert(db, message)),
    ...waiting(db),
    ...routes(db),
    ...digests(db),
    ...results(db),
    /** Forgets what was dealt with: older than 90 days, or more than 10,000 messages ago. Never what still waits. */
    prune(now: number): void {
      if (clockMayBeRight(db, now)) within(() => prune(db, now));
    },
  };
}

function insert(db: Db, message: Message): number {
  const { at, severity, kind, subject, html } = message;
  const done = statement(
    db,
    'INSERT INTO outbox (at, severity, kind, subject, html, photo_path, incident_id, role, target, is_list) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  ).run(
    at,
    severity,
    kind,
    subject,
    html,
    message.photoPath ?? null,
    message.incidentId ?? null,
    message.role ?? null,
    message.target ?? null,
    message.isList ? 1 : null,
  );
  if (!NOT_ALERTS.has(kind)) {
    statement(
      db,
      'INSERT INTO alert_counts VALUES (?, 1, 0) ON CONFLICT (severity) DO UPDATE SET total = total + 1',
    ).run(severity);
  }
  return Number(done.lastInsertRowid);
}

/** Rows as they were read. */
function rowsOf(db: Db, sql: string, ...values: unknown[]): StoredRow[] {
  return statement(db, sql)
    .all(...values)
    .flatMap((row) => {
      const read = readRow(Row, row);
      if (read) return [toStored(read)];
      const { id } = row as { id: unknown };
      dropRow(db, `The message ${String(id)} in the outbox`, 'DELETE FROM outbox WHERE id = ?', id);
      return [];
    });
}

/** What waits to be sent. */
function waiting(db: Db) {
  const targets = (): string[] =>
    (
      statement(db, `SELECT DISTINCT coalesce(target, '') AS target FROM outbox WHERE ${PENDING}`).all() as {
        target: string;
      }[]
    ).map(({ target }) => target);
  const pendingOf = (target: string, limit = -1): StoredRow[] =>
    rowsOf(
      db,
      `SELECT * FROM outbox WHERE ${PENDING} AND coalesce(target, '') = ? ORDER BY coalesce(position, id), id LIMIT ${Math.trunc(limit)}`,
      target,
    );

  return {
    /** What waits, in the order in which it is sent. */
    waiting(): StoredRow[] {
      return rowsOf(db, `SELECT * FROM outbox WHERE ${PENDING} ORDER BY coalesce(position, id), id`);
    },

    /** The first waiting message of each chat, in the order in which they were accepted. */
    heads(): StoredRow[] {
      return targets()
        .flatMap((target) => pendingOf(target, 1)[0] ?? pendingOf(target)[0] ?? [])
        .toSorted((a, b) => a.position - b.position || a.id - b.id);
    },

    /** The chats for which messages wait; '' are those that are not sent to chats of their own. */
    targets,
    /** What waits for one chat, in the order in which it is sent. */
    pendingOf,

    /** How many messages wait (those inside a digest counted one by one), and when the oldest one happened. */
    backlog(): { waiting: number; oldestAt?: number } {
      const row = statement(
        db,
        `SELECT count(*) AS n, min(at) AS oldest FROM (
           SELECT at FROM outbox WHERE ${PENDING} AND kind <> 'digest'
           UNION ALL SELECT child.at FROM outbox AS digest JOIN outbox AS child ON child.digest_id = digest.id
             WHERE digest.state IN ('waiting', 'refused'))`,
      ).get() as { n: number; oldest: number | null };
      return { waiting: row.n, ...(row.oldest === null ? {} : { oldestAt: row.oldest }) };
    },

    lastId(): number {
      return (statement(db, 'SELECT coalesce(max(id), 0) AS id FROM outbox').get() as { id: number }).id;
    },

    after(id: number): StoredRow[] {
      return rowsOf(
        db,
        `SELECT * FROM outbox WHERE id > ? AND kind <> 'digest' AND copy_of IS NULL ORDER BY id LIMIT 1000`,
        id,
      );
    },
  };
}

/** To which chats messages go. */
function routes(db: Db) {
  const route = (row: StoredRow, to: readonly string[]): void => {
    const [first = null, ...others] = to;
    statement(db, 'UPDATE outbox SET target = ? WHERE id = ?').run(first, row.id);
    for (const target of others) {
      statement(
        db,
        `INSERT INTO outbox (position, at, severity, kind, subject, html, photo_path, incident_id, role, is_list, target, copy_of)
         SELECT coalesce(position, id), at, severity, kind, subject, html, photo_path, incident_id, role, is_list, ?1, ?2 FROM outbox
         WHERE id = ?3 AND NOT EXISTS (SELECT 1 FROM outbox WHERE copy_of = ?2 AND target = ?1)`,
      ).run(target, messageOf(row), row.id);
    }
  };
  return {
    /** Sends a waiting message to these chats, the first by its own row and the others by copies; a copy that is there stays. */
    route,

    /** The chats to which messages about these incidents went, or go, that were accepted before this one. */
    targetsAbout(incidentIds: readonly number[], before: number): string[] {
      const found = statement(
        db,
        `SELECT DISTINCT target FROM outbox WHERE incident_id IN (SELECT value FROM json_each(?)) AND target IS NOT NULL AND state <> 'skipped'
         AND coalesce(copy_of, id) < ? AND kind <> 'answer' ORDER BY target`,
      ).all(JSON.stringify(incidentIds), before) as { target: string }[];
      return found.map(({ target }) => target);
    },

    /**
     * Messages for chats that are not configured any more (`known` are) go to those of their severity that do not have them yet; where all have
     * them, they are given up, and so are answers to whoever asked there.
     */
    routeAnew(known: readonly string[], chatsFor: (severity: Severity) => string[]): void {
      const list = JSON.stringify(known);
      const gone = `${PENDING} AND target IS NOT NULL AND target NOT IN (SELECT value FROM json_each(?))`;
      const rows = rowsOf(db, `SELECT * FROM outbox WHERE ${gone} ORDER BY id`, list);
      if (rows.length === 0) return;
      const chatsOf = chatsByMessage(db);
      const chats = new Set(known.map(chatOf));
      for (const row of rows) {
        // Asked for in a topic that is not in the settings, of a chat that is.
        if (ASKED_FOR.has(row.kind) && chats.has(chatOf(row.target ?? ''))) continue;
        const has = chatsThatHave(db, row, chatsOf);
        const to = row.kind === 'answer' ? [] : chatsFor(row.severity).filter((chat) => !has(chat));
        if (to.length === 0) statement(db, `UPDATE outbox SET state = 'skipped' WHERE id = ?`).run(row.id);
        else {
          startAnew(db, row.id);
          route(row, to);
        }
        for (const chat of to) chatsOf.get(messageOf(row))?.add(chat);
      }
      // Of a single chat nothing is noted, so that all its messages are in one line.
      if (known.length === 1)
        statement(db, `UPDATE outbox SET target = NULL WHERE ${PENDING} AND target = ?`).run(known[0]);
    },
  };
}

/** The chat of a place as the settings have it, without the topic. */
const chatOf = (place: string): string => place.split('/')[0] ?? '';

/** The id of the message that a row takes to its chat: that of its first row. */
const messageOf = ({ id, copyOf }: Pick<StoredRow, 'id' | 'copyOf'>): number => copyOf ?? id;

/** The chats that have, or are to get, each message. */
function chatsByMessage(db: Db): Map<number, Set<string>> {
  const rows = statement(
    db,
    `SELECT coalesce(copy_of, id) AS message, target FROM outbox WHERE target IS NOT NULL AND state <> 'skipped'`,
  ).all() as { message: number; target: string }[];
  const chats = new Map<number, Set<string>>();
  for (const { message, target } of rows) chats.set(message, (chats.get(message) ?? new Set()).add(target));
  return chats;
}

/** Whether a chat has the message of this row; of a digest, all that is in it. */
function chatsThatHave(db: Db, row: StoredRow, chatsOf: ReturnType<typeof chatsByMessage>) {
  const inside = rowsOf(db, 'SELECT * FROM outbox WHERE digest_id = ?', row.id);
  const messages = (inside.length > 0 ? inside : [row]).map(messageOf);
  return (chat: string): boolean => messages.every((id) => chatsOf.get(id)?.has(chat) === true);
}

/** Of a chat that is gone, neither what it refused nor what it took counts. */
function startAnew(db: Db, id: number): void {
  statement(
    db,
    `UPDATE outbox SET state = 'waiting', attempts = 0, next_try_at = 0, wait_ms = 0, last_error = NULL, steps = NULL, steps_done = 0 WHERE id = ?`,
  ).run(id);
}

/** Messages that one other stands for. */
function digests(db: Db) {
  return {
    /** Waiting messages for this chat that nobody has begun to send and that a digest may stand for. */
    foldable(target: string): StoredRow[] {
      return rowsOf(
        db,
        `SELECT * FROM outbox WHERE ${PENDING} AND coalesce(target, '') = ? AND severity <> 'critical' AND attempts = 0
         AND steps_done = 0 AND photo_path IS NULL AND kind NOT IN ('digest', 'daily-report', 'chart') ORDER BY id`,
        target,
      );
    },

    foldedInto(digestId: number): StoredRow[] {
      return rowsOf(db, 'SELECT * FROM outbox WHERE digest_id = ? ORDER BY id', digestId);
    },

    /** Moves messages under a digest; their text shrinks to the line that the digest shows. */
    fold(digestId: number, lines: { id: number; html: string }[]): void {
      const move = statement(db, `UPDATE outbox SET state = 'folded', digest_id = ?, html = ? WHERE id = ?`);
      for (const line of lines) move.run(digestId, line.html, line.id);
    },

    /**
     * The clock was set by `byMs`: what waits, or is in a digest that waits, happened when it did. That are the rows up to `lastId`, which were accepted
     * before, and later ones with a time that cannot be of the clock as it is now: before `from` or after `to` (epoch ms).
     */
    moveTimes(byMs: number, { lastId, from, to }: { lastId: number; from: number; to: number }): void {
      statement(
        db,
        `UPDATE outbox SET at = max(0, at + ?) WHERE (id <= ? OR at NOT BETWEEN ? AND ?)
         AND (${PENDING} OR digest_id IN (SELECT id FROM outbox WHERE ${PENDING}))`,
      ).run(Math.round(byMs), lastId, from, to);
    },

    setDigest(id: number, html: string, position: number): void {
      statement(db, 'UPDATE outbox SET html = ?, position = ? WHERE id = ?').run(html, position, id);
    },
  };
}

/** What came of sending. */
function results(db: Db) {
  return {
    saveSteps(id: number, steps: MessagePart[], done: number): void {
      statement(
        db,
        `UPDATE outbox SET steps = ?, steps_done = ?, attempts = 0, next_try_at = 0, wait_ms = 0, last_error = NULL, state = 'waiting' WHERE id = ?`,
      ).run(JSON.stringify(steps), done, id);
    },

    markSent({ id, severity, copyOf }: StoredRow, now: number): void {
      statement(
        db,
        `UPDATE outbox SET state = 'sent', sent_at = ?, steps = NULL, last_error = NULL WHERE id = ?`,
      ).run(now, id);
      statement(db, 'UPDATE outbox SET sent_at = ? WHERE digest_id = ?').run(now, id);
      if (copyOf !== undefined) return;
      statement(
        db,
        'INSERT INTO alert_counts VALUES (?, 0, 1) ON CONFLICT (severity) DO UPDATE SET sent = sent + 1',
      ).run(severity);
    },

    /** An attempt that failed: kept, with the time of the next one. */
    markTried(
      id: number,
      state: 'waiting' | 'refused',
      nextTryAt: number,
      waitMs: number,
      why: string,
    ): void {
      statement(
        db,
        'UPDATE outbox SET state = ?, attempts = attempts + 1, next_try_at = ?, wait_ms = ?, last_error = ? WHERE id = ?',
      ).run(state, nextTryAt, waitMs, why, id);
    },

    /** Telegram is not configured: nothing piles up. */
    skipPending(): void {
      statement(db, `UPDATE outbox SET state = 'skipped' WHERE ${PENDING}`).run();
    },

    /** Messages wait no longer for their next attempt: what refused them was mended. */
    tryNow(): void {
      statement(
        db,
        `UPDATE outbox SET state = 'waiting', attempts = attempts + 1, next_try_at = 0, wait_ms = 0 WHERE ${PENDING} AND next_try_at > 0`,
      ).run();
    },
  };
}

function prune(db: Db, now: number): void {
  const done = `state NOT IN ('waiting', 'refused')
    AND (digest_id IS NULL OR digest_id NOT IN (SELECT id FROM outbox WHERE ${PENDING}))`;
  statement(db, `DELETE FROM outbox WHERE ${done} AND at < ?`).run(now - KEEP_MS);
  statement(
    db,
    `DELETE FROM outbox WHERE ${done} AND id <= (SELECT id FROM outbox ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  ).run(KEEP_ROWS);
}

/** Alerts accepted so far, by severity, and messages that Telegram took; counted for ever. */
export function alertCounts(db: Db): { accepted: Record<Severity, number>; sent: number } {
  const accepted: Record<Severity, number> = { info: 0, warning: 0, critical: 0 };
  let sent = 0;
  const rows = db.prepare('SELECT severity, total, sent FROM alert_counts').all() as {
    severity: Severity;
    total: number;
    sent: number;
  }[];
  for (const row of rows) {
    accepted[row.severity] = row.total;
    sent += row.sent;
  }
  return { accepted, sent };
}

function toStored({ steps: parts, isList, ...row }: v.InferOutput<typeof Row>): StoredRow {
  // Without its parts it is cut anew and sent from its first part.
  const steps = readJson(Steps, parts);
  return {
    ...row,
    position: row.position ?? row.id,
    stepsDone: steps ? row.stepsDone : 0,
    ...(steps ? { steps } : {}),
    ...(isList ? { isList: true } : {}),
  };
}
