import Database from 'libsql';
import type { Db } from './db.ts';
import { ACTION_MIGRATIONS } from './actions.ts';
import { HISTORY_MIGRATIONS } from './history/history.ts';
import { INCIDENT_MESSAGE_MIGRATIONS } from './incident-messages.ts';
import { INCIDENT_MIGRATIONS } from './incidents.ts';
import { MEMORY_MIGRATIONS } from './memory.ts';
import { OUTBOX_MIGRATIONS } from './outbox.ts';
import { RECORDING_MIGRATIONS } from './recordings.ts';
import { SERVICE_MIGRATIONS } from './services.ts';

/** One list per table family. A migration that has shipped is never changed, only followed by another. */
const FAMILIES: Record<string, readonly string[]> = {
  memory: MEMORY_MIGRATIONS,
  incidents: INCIDENT_MIGRATIONS,
  outbox: OUTBOX_MIGRATIONS,
  incident_messages: INCIDENT_MESSAGE_MIGRATIONS,
  history: HISTORY_MIGRATIONS,
  actions: ACTION_MIGRATIONS,
  services: SERVICE_MIGRATIONS,
  recordings: RECORDING_MIGRATIONS,
};

/** Brings the tables up to this version. Throws where what is there does not fit together. */
export function migrate(db: Db): void {
  db.exec('CREATE TABLE IF NOT EXISTS schema_versions (family TEXT PRIMARY KEY, version INTEGER NOT NULL)');
  for (const [family, steps] of Object.entries(FAMILIES)) {
    // In one immediate transaction each, so that two processes starting together do not both run a step.
    db.transaction(() => {
      const row = db.prepare('SELECT version FROM schema_versions WHERE family = ?').get(family) as
        { version: number } | undefined;
      const done = row?.version ?? 0;
      for (const step of steps.slice(done)) db.exec(step);
      if (steps.length > done) {
        db.prepare(
          'INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (family) DO UPDATE SET version = excluded.version',
        ).run(family, steps.length);
      }
    }).immediate();
  }
}

/**
 * Makes tables anew that somebody dropped or changed, so that the monitor can work, and returns their names. What was in a table
 * that lacks columns is kept under the name `<table>_set_aside`. A table with more columns than expected is of a newer version, and good.
 */
export function repairTables(db: Db): string[] {
  if (wrongTables(columnsOf(db), expectedColumns()).length === 0) return [];
  const model = new Database(':memory:');
  try {
    migrate(model);
    return db
      .transaction(() => {
        const have = columnsOf(db);
        const wrong = wrongTables(have, columnsOf(model));
        for (const table of wrong) makeAnew(db, model, table, have.has(table));
        return wrong;
      })
      .immediate();
  } finally {
    model.close();
  }
}

type Columns = Map<string, Set<string>>;

/** What every start compares with; made once for a process. */
let expected: Columns | undefined;
function expectedColumns(): Columns {
  if (expected) return expected;
  const model = new Database(':memory:');
  migrate(model);
  expected = columnsOf(model);
  model.close();
  return expected;
}

function columnsOf(db: Db): Columns {
  const rows = db
    .prepare(
      `SELECT tables.name AS name, columns.name AS "column" FROM sqlite_master AS tables
         JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'`,
    )
    .all() as { name: string; column: string }[];
  const columns: Columns = new Map();
  for (const { name, column } of rows) {
    const known = columns.get(name);
    if (known) known.add(column);
    else columns.set(name, new Set([column]));
  }
  return columns;
}

function wrongTables(have: Columns, want: Columns): string[] {
  return [...want]
    .filter(([table, columns]) => [...columns].some((column) => !have.get(table)?.has(column)))
    .map(([table]) => table);
}

function makeAnew(db: Db, model: Db, table: string, exists: boolean): void {
  const parts = model
    .prepare('SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL')
    .all(table) as { type: string; name: string; sql: string }[];
  // Their names would be taken by what is set aside.
  for (const { type, name } of parts) if (type === 'index') db.exec(`DROP INDEX IF EXISTS "${name}"`);
  if (exists) {
    db.exec(`DROP TABLE IF EXISTS "${table}_set_aside"`);
    db.exec(`ALTER TABLE "${table}" RENAME TO "${table}_set_aside"`);
  }
  for (const { sql } of parts) db.exec(sql);
}
