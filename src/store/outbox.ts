export const OUTBOX_MIGRATIONS = [
  `CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
     html TEXT NOT NULL, photo_path TEXT, incident_id INTEGER, state TEXT NOT NULL DEFAULT 'waiting',
     attempts INTEGER NOT NULL DEFAULT 0, next_try_at INTEGER NOT NULL DEFAULT 0, last_error TEXT, sent_at INTEGER);
   CREATE INDEX outbox_waiting ON outbox (id) WHERE state = 'waiting';
   CREATE TABLE alert_counts (severity TEXT PRIMARY KEY, total INTEGER NOT NULL) WITHOUT ROWID`,
] as const;
