import * as v from 'valibot';
import { ageMs, type Action, type ActionState, type Moment } from '../model/action.ts';
import { EpochMs, Finite } from '../model/shapes.ts';
import { keepCopy, readCopy, writeCopy } from './actions-copy.ts';
import { statement, type Db } from './db.ts';
import { clockMayBeRight } from './memory.ts';
import { dropped, jsonOf, readRow } from './rows.ts';

export const ACTION_MIGRATIONS: readonly string[] = [
  `CREATE TABLE actions (
     id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, target TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
     state TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, result TEXT, undo TEXT, undone_at INTEGER);
   CREATE INDEX actions_by_time ON actions (started_at);
   CREATE INDEX actions_to_undo ON actions (rule) WHERE undo IS NOT NULL AND undone_at IS NULL`,
  // undoes: ids of the actions that this one takes back. boot, uptime_ms: when it began, on a clock that never jumps.
  `ALTER TABLE actions ADD COLUMN undoes TEXT;
   ALTER TABLE actions ADD COLUMN boot TEXT;
   ALTER TABLE actions ADD COLUMN uptime_ms INTEGER`,
];

/** Records are kept as long as incidents; those that still wait to be undone for ever. */
const KEEP_MS = 90 * 86_400_000;
/** More than this are never done within an hour, nor within a day by one rule. */
const RECENT = 500;

const Row = v.object({
  id: Finite,
  rule: v.picklist(['waha', 'queue', 'swap', 'loops', 'hand']),
  target: v.string(),
  what: v.string(),
  why: v.string(),
  state: v.picklist(['running', 'worked', 'failed', 'unclear', 'undone', 'would-do']),
  startedAt: EpochMs,
  endedAt: v.exactOptional(EpochMs),
  result: v.exactOptional(v.string()),
  undo: v.exactOptional(jsonOf(v.record(v.string(), v.unknown()))),
  undoneAt: v.exactOptional(EpochMs),
  // The last three are not there yet in a database that an older version left.
  undoes: v.exactOptional(jsonOf(v.array(Finite))),
  boot: v.exactOptional(v.string()),
  uptimeMs: v.exactOptional(Finite),
});

/** Writes an action down before it is done. Returns its id. */
export function recordAction(db: Db, action: Omit<Action, 'id'>): number {
  const result = db
    .prepare(
      `INSERT INTO actions (rule, target, what, why, state, started_at, ended_at, result, undo, undoes, boot, uptime_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      action.rule,
      action.target,
      action.what,
      action.why,
      action.state,
      Math.round(action.startedAt),
      action.endedAt === undefined ? null : Math.round(action.endedAt),
      action.result ?? null,
      action.undo ? JSON.stringify(action.undo) : null,
      action.undoes ? JSON.stringify(action.undoes) : null,
      action.boot || null,
      action.uptimeMs === undefined ? null : Math.round(action.uptimeMs),
    );
  copyOf(db);
  return Number(result.lastInsertRowid);
}

function copyOf(db: Db): void {
  writeCopy(db, allActionsToUndo(db));
}

/**
 * Keeps the copy of what waits to be undone in this folder, and takes over what it has where this database is new: the one before it
 * was damaged or lost. Returns how many actions were taken over, and whether there was a copy. Throws where that cannot be read.
 */
export function restoreActions(db: Db, stateDir: string): { restored: number; hadCopy: boolean } {
  const { any } = db.prepare('SELECT EXISTS (SELECT 1 FROM actions) AS any').get() as { any: number };
  let copy: Action[] | undefined;
  try {
    copy = readCopy(stateDir);
  } finally {
    keepCopy(db, stateDir);
  }
  const lost = any === 0 ? (copy ?? []) : [];
  for (const action of lost) recordAction(db, action);
  copyOf(db);
  return { restored: lost.length, hadCopy: copy !== undefined };
}

/** Replaces what is needed to undo it. */
export function keepUndo(db: Db, id: number, undo: Record<string, unknown>): void {
  db.prepare('UPDATE actions SET undo = ? WHERE id = ?').run(JSON.stringify(undo), id);
  copyOf(db);
}

/** Writes down how it ended. */
export function finishAction(
  db: Db,
  id: number,
  end: { state: ActionState; result: string; at: number },
): void {
  db.prepare('UPDATE actions SET state = ?, result = ?, ended_at = ? WHERE id = ?').run(
    end.state,
    end.result,
    Math.round(end.at),
    id,
  );
  copyOf(db);
}

/** The action has been undone, or there is nothing left to undo. `why` is added to its result. */
export function markUndone(db: Db, id: number, why: string, at: number): void {
  db.prepare(
    `UPDATE actions SET undone_at = ?, state = 'undone',
       result = CASE WHEN coalesce(result, '') IN ('', ?2) THEN ?2 ELSE result || '; ' || ?2 END WHERE id = ?3`,
  ).run(Math.round(at), why, id);
  copyOf(db);
}

/** A person said that what it did is meant to stay: for versions before this state, nothing is left to be undone. */
export function markKept(db: Db, id: number, why: string, at: number): void {
  markUndone(db, id, why, at);
  // After it: who dies in between leaves what earlier versions wrote, and not one whose undo would be shown as kept.
  db.prepare(`UPDATE actions SET undo = json_set(undo, '$.kept', json('true')) WHERE id = ?`).run(id);
  copyOf(db);
}

/** Newest first, by the clock of the machine. */
export function listActions(db: Db, since: number, limit = RECENT): Action[] {
  return actionsWhere(db, 'started_at >= ? ORDER BY id DESC LIMIT ?', Math.round(since), limit);
}

/** Begun in this time, by the clock of the machine; oldest first. */
export function actionsBetween(db: Db, from: number, until: number): Action[] {
  const between = 'started_at BETWEEN ? AND ? ORDER BY id LIMIT ?';
  return actionsWhere(db, between, Math.round(from), Math.round(until), RECENT);
}

/** What was really begun within the last `withinMs`, newest first, whatever happened to the clock. */
export function recentActions(db: Db, withinMs: number, now: Moment): Action[] {
  const done = actionsWhere(db, "state <> 'would-do' ORDER BY id DESC LIMIT ?", RECENT);
  return done.filter((action) => ageMs(action, now) < withinMs);
}

/** Begun by a process that did not live to write down how they ended; oldest first. */
export function unfinishedActions(db: Db): Action[] {
  return actionsWhere(db, "state = 'running' ORDER BY id");
}

/** Done, and waiting to be undone when they are no longer needed; oldest first. `only`: those of these numbers. */
export function actionsToUndo(db: Db, rule: Action['rule'], only?: ReadonlySet<number>): Action[] {
  return allActionsToUndo(db).filter((action) => action.rule === rule && (only?.has(action.id) ?? true));
}

/**
 * The same of every rule that has something to undo. A restart of WhatsApp has not: its record is how it is finished. Nor has what a person
 * stopped by hand: it is meant to be down.
 */
export function allActionsToUndo(db: Db): Action[] {
  return actionsWhere(
    db,
    `rule NOT IN ('waha', 'hand') AND undo IS NOT NULL AND undone_at IS NULL
       AND state IN ('worked', 'unclear', 'running') ORDER BY id`,
  );
}

function actionsWhere(db: Db, where: string, ...values: unknown[]): Action[] {
  const rows = statement(db, `SELECT * FROM actions WHERE ${where}`).all(...values);
  return rows.flatMap((row) => fromRow(db, row));
}

/** Forgets old records, but nothing that waits to be undone. */
export function pruneActions(db: Db, now: number): void {
  if (!clockMayBeRight(db, now)) return;
  db.prepare(
    `DELETE FROM actions WHERE started_at < ? AND (rule IN ('waha', 'hand') OR undo IS NULL OR undone_at IS NOT NULL OR state IN ('failed', 'would-do'))`,
  ).run(Math.round(now - KEEP_MS));
}

/** What cannot be read is left out, with a word: recovery may have stopped something that a person has to start now. */
function fromRow(db: Db, found: unknown): Action[] {
  const row = readRow(Row, found);
  if (!row) {
    const { id, what, target } = found as Record<string, unknown>;
    const about = `${String(id)}: ${String(what)} ${String(target)}`;
    dropped(db, `The record of what recovery did (${about}) cannot be read; look at it by hand`);
    return [];
  }
  const { undoneAt: _undoneAt, ...action } = row;
  return [row.state === 'undone' && row.undo?.['kept'] === true ? { ...action, state: 'kept' } : row];
}
