import type { Db } from './db.ts';

/** 23 KB each: a megabyte and a half in all. */
const MOST = 60;
/** Of one rule and subject: a container that dies every minute must not push out what killed another one. */
const MOST_OF_ONE = 5;

export const RECORDING_MIGRATIONS = [
  // lines: JSON, what the message said. data: src/recorder/ring.ts.
  `CREATE TABLE recordings (incident_id INTEGER PRIMARY KEY, at INTEGER NOT NULL, lines TEXT NOT NULL, data BLOB NOT NULL)`,
] as const;

/** Keeps a recording with its incident; the one that was kept first stays. Removes those that are too many or whose incident is gone. */
export function saveRecording(
  db: Db,
  incident: { id: number; rule: string; subject: string },
  at: number,
  lines: readonly string[],
  data: Uint8Array,
): void {
  db.prepare('INSERT OR IGNORE INTO recordings (incident_id, at, lines, data) VALUES (?, ?, ?, ?)').run(
    incident.id,
    at,
    JSON.stringify(lines),
    data,
  );
  db.prepare(
    `DELETE FROM recordings WHERE incident_id IN (
       SELECT incident_id FROM recordings JOIN incidents ON id = incident_id WHERE rule = ? AND subject = ?
       ORDER BY incident_id DESC LIMIT -1 OFFSET ?)`,
  ).run(incident.rule, incident.subject, MOST_OF_ONE);
  db.prepare(
    `DELETE FROM recordings WHERE incident_id <> ? AND (incident_id NOT IN (SELECT id FROM incidents)
       OR incident_id IN (SELECT incident_id FROM recordings ORDER BY at DESC LIMIT -1 OFFSET ?))`,
  ).run(incident.id, MOST);
}

export type StoredRecording = {
  /** What the message said of it. */
  lines: string[];
  /** As src/recorder/ring.ts encodes it. */
  data: Uint8Array;
};

type Row = { lines: string; data: ArrayBuffer };

/** The recording of an incident; undefined where there is none. */
export function recordingOf(db: Db, incidentId: number): StoredRecording | undefined {
  // A database of an older version, which is only looked into, has no such table.
  const table = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'recordings'").get();
  const row = table
    ? (db.prepare('SELECT lines, data FROM recordings WHERE incident_id = ?').get(incidentId) as
        Row | undefined)
    : undefined;
  return row && { lines: linesOf(row.lines), data: new Uint8Array(row.data) };
}

function linesOf(text: string): string[] {
  try {
    const lines: unknown = JSON.parse(text);
    return Array.isArray(lines) ? lines.map(String) : [];
  } catch {
    return [];
  }
}
