import type { Action, ActionState } from '../model/action.ts';
import type { Db } from './open.ts';

export const ACTION_MIGRATIONS: readonly string[] = [
  `CREATE TABLE actions (
     id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, target TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
     state TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, result TEXT, undo TEXT, undone_at INTEGER);
   CREATE INDEX actions_by_time ON actions (started_at);
   CREATE INDEX actions_to_undo ON actions (rule) WHERE undo IS NOT NULL AND undone_at IS NULL`,
];

type Row = {
  id: number;
  rule: Action['rule'];
  target: string;
  what: string;
  why: string;
  state: ActionState;
  started_at: number;
  ended_at: number | null;
  result: string | null;
  undo: string | null;
  undone_at: number | null;
};

/** Writes an action down before it is done. Returns its id. */
export function recordAction(db: Db, action: Omit<Action, 'id'>): number {
  const result = db
    .prepare(
      'INSERT INTO actions (rule, target, what, why, state, started_at, ended_at, result, undo) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    .run(
      action.rule,
      action.target,
      action.what,
      action.why,
      action.state,
      action.startedAt,
      action.endedAt ?? null,
      action.result ?? null,
      action.undo ? JSON.stringify(action.undo) : null,
    );
  return Number(result.lastInsertRowid);
}

/** Replaces what is needed to undo it. */
export function keepUndo(db: Db, id: number, undo: Record<string, unknown>): void {
  db.prepare('UPDATE actions SET undo = ? WHERE id = ?').run(JSON.stringify(undo), id);
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
    end.at,
    id,
  );
}

/** The action has been undone, or there is nothing left to undo. */
export function markUndone(db: Db, id: number, result: string, at: number): void {
  db.prepare("UPDATE actions SET undone_at = ?, state = 'undone', result = ? WHERE id = ?").run(
    at,
    result,
    id,
  );
}

/** Newest first. */
export function listActions(db: Db, since: number, limit = 500): Action[] {
  const rows = db
    .prepare('SELECT * FROM actions WHERE started_at >= ? ORDER BY id DESC LIMIT ?')
    .all(since, limit) as Row[];
  return rows.map(fromRow);
}

/** Begun by a process that did not live to write down how they ended; oldest first. */
export function unfinishedActions(db: Db): Action[] {
  return (db.prepare("SELECT * FROM actions WHERE state = 'running' ORDER BY id").all() as Row[]).map(
    fromRow,
  );
}

/** Done, and waiting to be undone when they are no longer needed; oldest first. */
export function actionsToUndo(db: Db, rule?: Action['rule']): Action[] {
  const rows = db
    .prepare(
      "SELECT * FROM actions WHERE undo IS NOT NULL AND undone_at IS NULL AND state IN ('worked', 'unclear', 'running') ORDER BY id",
    )
    .all() as Row[];
  return rows.map(fromRow).filter((action) => rule === undefined || action.rule === rule);
}

/** How many actions were begun since then, in all and for one target; what would have been done does not count. */
export function countActions(db: Db, since: number, target: string): { all: number; target: number } {
  const row = db
    .prepare(
      "SELECT COUNT(*) AS every, COALESCE(SUM(target = ?), 0) AS same FROM actions WHERE started_at >= ? AND state <> 'would-do'",
    )
    .get(target, since) as { every: number; same: number };
  return { all: row.every, target: row.same };
}

function fromRow(row: Row): Action {
  return {
    id: row.id,
    rule: row.rule,
    target: row.target,
    what: row.what,
    why: row.why,
    state: row.state,
    startedAt: row.started_at,
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    ...(row.result === null ? {} : { result: row.result }),
    ...(row.undo === null ? {} : { undo: JSON.parse(row.undo) as Record<string, unknown> }),
    ...(row.undone_at === null ? {} : { undoneAt: row.undone_at }),
  };
}
