import * as v from 'valibot';
import { SEVERITIES } from '../model/finding.ts';
import type { Incident } from '../model/incident.ts';
import { EpochMs, Finite, loosely } from '../model/shapes.ts';
import { actionsAbout } from './incident-actions.ts';
import { type Db, statement } from './db.ts';
import { clockMayBeRight } from './memory.ts';
import { dropped, jsonField, readJson } from './rows.ts';

export const INCIDENT_MIGRATIONS = [
  // data: the whole incident as JSON; the other columns are what is searched by.
  // incident_notes: lines that other processes (recovery) add to an incident that the daemon keeps.
  `CREATE TABLE incidents (
     id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
     opened_at INTEGER NOT NULL, resolved_at INTEGER, data TEXT NOT NULL);
   CREATE INDEX incidents_open ON incidents (state) WHERE state <> 'resolved';
   CREATE INDEX incidents_by_time ON incidents (opened_at);
   CREATE INDEX incidents_by_end ON incidents (resolved_at) WHERE resolved_at IS NOT NULL;
   CREATE TABLE incident_notes (incident_id INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL);
   CREATE INDEX incident_notes_by_incident ON incident_notes (incident_id);
   CREATE TABLE told_once (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE silences (subject TEXT PRIMARY KEY, until INTEGER NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID`,
] as const;

type Row = { id: number; data: string };

/** Incidents that have not ended, oldest first. A row that cannot be read is left out. */
export function openIncidents(db: Db): Incident[] {
  return db
    .prepare(`SELECT id, data FROM incidents WHERE state <> 'resolved' ORDER BY id`)
    .all()
    .flatMap((row) => parse(db, row as Row));
}

/** Incidents that ended at or after `since` (epoch ms), oldest first. */
export function endedIncidents(db: Db, since: number): Incident[] {
  return db
    .prepare(`SELECT id, data FROM incidents WHERE resolved_at >= ? ORDER BY id`)
    .all(since)
    .flatMap((row) => parse(db, row as Row));
}

/** What is open, and what was open at any time since `since` (epoch ms), newest first, notes included. At most `limit`. */
export function incidentsSince(db: Db, since: number, limit = 1000): Incident[] {
  const rows = db
    .prepare(
      `SELECT id, data FROM incidents WHERE state <> 'resolved' OR resolved_at >= ? ORDER BY opened_at DESC, id DESC LIMIT ?`,
    )
    .all(since, limit) as Row[];
  return rows.flatMap((row) => parse(db, row)).map((incident) => withAnnotations(db, incident));
}

/** One incident with its notes; undefined when there is none of this number. */
export function incidentById(db: Db, id: number): Incident | undefined {
  const row = db.prepare('SELECT id, data FROM incidents WHERE id = ?').get(id) as Row | undefined;
  const [incident] = row ? parse(db, row) : [];
  return incident && withAnnotations(db, incident);
}

/** Ids of the open incidents that the message of this one announced as well; `ended`: also of those that are over, for a list has all. */
export function announcedWith(db: Db, id: number, { ended = false } = {}): number[] {
  const open = ended ? '' : `state <> 'resolved' AND`;
  const rows = db
    .prepare(
      `SELECT id FROM incidents WHERE ${open} id <> ?1 AND ${jsonField('said.withId')} = ?1 ORDER BY id LIMIT 500`,
    )
    .all(id) as { id: number }[];
  return rows.map((row) => row.id);
}

/** Writes incidents, new or changed, in the caller's transaction. */
export function saveIncidents(db: Db, incidents: readonly Incident[]): void {
  if (incidents.length === 0) return;
  const save = statement(
    db,
    `INSERT INTO incidents (id, rule, subject, state, severity, opened_at, resolved_at, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, state = excluded.state, severity = excluded.severity, opened_at = excluded.opened_at,
     resolved_at = excluded.resolved_at, data = excluded.data`,
  );
  for (const incident of incidents) {
    const { id, rule, subject, state, severity, openedAt, resolvedAt } = incident;
    const times = [Math.round(openedAt), resolvedAt === undefined ? null : Math.round(resolvedAt)] as const;
    const { notified, ...rest } = incident;
    save.run(
      id,
      rule,
      subject,
      state,
      severity,
      ...times,
      JSON.stringify({ ...rest, said: notified } satisfies StoredIncident),
    );
  }
}

/** The number of the newest incident; 0 when there is none. */
export function newestIncidentId(db: Db): number {
  return (statement(db, 'SELECT coalesce(max(id), 0) AS id FROM incidents').get() as { id: number }).id;
}

/** Adds a plain line, what a person did about it, to this incident. For others than the pipeline, which keeps the incident itself. */
export function annotateIncident(db: Db, id: number, at: number, text: string): void {
  db.prepare('INSERT INTO incident_notes (incident_id, at, text) VALUES (?, ?, ?)').run(
    id,
    Math.round(at),
    text,
  );
}

/** Notes, and what recovery did. A database that an older version left, and that is only looked into, may not have all of it. */
export function withAnnotations(db: Db, incident: Incident): Incident {
  const notes = db
    .prepare('SELECT text FROM incident_notes WHERE incident_id = ? ORDER BY at, rowid')
    .all(incident.id) as { text: string }[];
  let done: string[] = [];
  try {
    done = actionsAbout(db, incident);
  } catch {
    // Nothing is shown of it then.
  }
  if (notes.length === 0 && done.length === 0) return incident;
  return { ...incident, actions: [...incident.actions, ...notes.map((note) => note.text), ...done] };
}

/** True when an event of this id was told before. */
export function wasSentOnce(db: Db, id: string): boolean {
  return statement(db, 'SELECT 1 FROM told_once WHERE id = ?').get(id) !== undefined;
}

export function markSentOnce(db: Db, ids: readonly string[], now: number): void {
  if (ids.length === 0) return;
  const mark = statement(db, 'INSERT OR IGNORE INTO told_once (id, at) VALUES (?, ?)');
  for (const id of ids) mark.run(id, now);
}

const DAY_MS = 86_400_000;

/** Forgets incidents that ended more than 90 days ago, silences that are over, and told ids after 400 days. */
export function pruneIncidents(db: Db, now: number): void {
  if (!clockMayBeRight(db, now)) return;
  db.prepare('DELETE FROM incidents WHERE resolved_at < ?').run(now - 90 * DAY_MS);
  db.exec('DELETE FROM incident_notes WHERE incident_id NOT IN (SELECT id FROM incidents)');
  db.exec('DELETE FROM recordings WHERE incident_id NOT IN (SELECT id FROM incidents)');
  db.prepare('DELETE FROM silences WHERE until < ?').run(now - DAY_MS);
  // The kernel log of a machine that never reboots may show an old kill for a long time.
  db.prepare('DELETE FROM told_once WHERE at < ?').run(now - 400 * DAY_MS);
}

const SilenceShape = v.object({
  /** A container, a service, a rule id or `all`, in lower case. */
  subject: v.string(),
  since: EpochMs,
  until: EpochMs,
  reason: v.string(),
});
export type Silence = v.InferOutput<typeof SilenceShape>;

/** Silences that hold at `now`, the one that ends first first. */
export function activeSilences(db: Db, now: number): Silence[] {
  const rows = statement(
    db,
    'SELECT subject, since, until, reason FROM silences WHERE until > ? ORDER BY until, subject',
  ).all(now);
  return rows.filter((row) => v.is(SilenceShape, row));
}

export function saveSilence(db: Db, silence: Silence): void {
  db.prepare(
    `INSERT INTO silences (subject, until, reason, since) VALUES (?, ?, ?, ?)
     ON CONFLICT (subject) DO UPDATE SET until = excluded.until, reason = excluded.reason, since = excluded.since`,
  ).run(silence.subject, silence.until, silence.reason, silence.since);
}

/** True when there was one. */
export function deleteSilence(db: Db, subject: string): boolean {
  return db.prepare('DELETE FROM silences WHERE subject = ?').run(subject).changes > 0;
}

/** An incident as it is stored: `notified` is called `said` there. */
type StoredIncident = Omit<Incident, 'notified'> & { said: Incident['notified'] };

const IncidentShape = loosely<StoredIncident>({
  rule: v.string(),
  subject: v.string(),
  alias: v.optional(v.string()),
  state: v.picklist(['pending', 'firing', 'resolved']),
  severity: v.picklist(SEVERITIES),
  openedAt: EpochMs,
  firedAt: v.optional(EpochMs),
  resolvedAt: v.optional(EpochMs),
  lastSeenAt: EpochMs,
  value: v.optional(Finite),
  worst: v.optional(Finite),
  limit: v.optional(Finite),
  text: v.string(),
  details: v.array(v.string()),
  said: v.looseObject({
    count: Finite,
    lastAt: v.optional(EpochMs),
    severity: v.optional(v.picklist(SEVERITIES)),
    firstAt: v.optional(EpochMs),
  }),
  flips: v.array(EpochMs),
  flapping: v.boolean(),
  actions: v.array(v.string()),
  ack: v.optional(
    v.object({
      by: v.string(),
      at: EpochMs,
      severity: v.picklist(SEVERITIES),
      silent: v.optional(v.boolean()),
    }),
  ),
});

/** A row that was damaged or written by something else is no reason to stop. */
function parse(db: Db, { id, data }: Row): Incident[] {
  const stored = readJson(IncidentShape, data);
  if (stored === undefined) {
    dropped(db, `The incident ${id} cannot be read and is left out`);
    return [];
  }
  const { said: notified, ...incident } = stored;
  return [{ ...incident, id, notified }];
}
