export const INCIDENT_MIGRATIONS = [
  `CREATE TABLE incidents (
     id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
     opened_at INTEGER NOT NULL, resolved_at INTEGER, data TEXT NOT NULL);
   CREATE INDEX incidents_open ON incidents (state) WHERE state <> 'resolved';
   CREATE INDEX incidents_by_time ON incidents (opened_at);
   CREATE TABLE told_once (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE silences (subject TEXT PRIMARY KEY, until INTEGER NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID`,
] as const;
