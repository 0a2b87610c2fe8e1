import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { complete } from '../../src/commands/complete.ts';
import { servicesIn } from '../../src/commands/known-subjects.ts';
import { recordAction } from '../../src/store/actions.ts';
import { actionsAbout } from '../../src/store/incident-actions.ts';
import {
  activeSilences,
  announcedWith,
  endedIncidents,
  incidentById,
  incidentsSince,
  markSentOnce,
  annotateIncident,
  openIncidents,
  pruneIncidents,
  saveIncidents,
  saveSilence,
  wasSentOnce,
} from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { incidentOf } from '../helpers/incident.ts';

const NOW = 1_768_392_000_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let stateDir: string;
let store: Store;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-store-'));
  store = openStore(stateDir, NOW);
});
afterEach(() => {
  store.close();
  rmSync(stateDir, { recursive: true });
});

const ended = (id: number, agoMs: number) =>
  incidentOf({
    id,
    subject: `/${id}`,
    state: 'resolved',
    openedAt: NOW - agoMs - HOUR,
    resolvedAt: NOW - agoMs,
  });

test('a damaged row hides no other one where all rows are looked into', async () => {
  const said = { count: 1, lastAt: NOW, since: NOW, severity: 'warning' as const, withId: 7 };
  const moment = { event: true, rule: 'container-stopped', subject: 'web-1', alias: 'web', openedAt: NOW };
  saveIncidents(store.db, [
    incidentOf({ ...moment, id: 7, resolvedAt: NOW, state: 'resolved' }),
    incidentOf({ id: 8, subject: 'db-1', notified: said }),
    incidentOf({ id: 9, subject: 'web-1' }),
  ]);
  store.db.prepare('UPDATE incidents SET data = ? WHERE id = 9').run('{"alias": "we');
  store.db.exec(`INSERT INTO services (key, data) VALUES ('gone', '{'), ('web-1', '{"service":"web"}')`);
  recordAction(store.db, {
    rule: 'loops',
    target: 'web-1',
    what: 'stop-container',
    why: '',
    state: 'worked',
    result: 'stopped',
    startedAt: NOW + 60_000,
  });
  expect(announcedWith(store.db, 7)).toEqual([8]);
  expect(servicesIn(store.db, 'web-1')).toEqual(['web']);
  expect(actionsAbout(store.db, incidentById(store.db, 7)!)).toHaveLength(1);
  const offered: string[] = [];
  await complete({ stateDir }, 'subjects', (line) => offered.push(line));
  expect(offered).toContain('web\tCompose service\n');
});

test('an incident comes back as it was saved, and a later save replaces it', () => {
  const incident = incidentOf({
    id: 7,
    openedAt: NOW + 0.5,
    alias: 'web',
    worst: 93.25,
    details: ['a', 'b\u0000"\\'],
    fact: { kind: 'missing', name: 'a<b>\u0000', at: NOW },
    notified: { count: 2, lastAt: NOW, since: NOW - 5, severity: 'critical' },
  });
  saveIncidents(store.db, [incident]);
  expect(incidentById(store.db, 7)).toEqual(incident);
  const later = {
    ...incident,
    state: 'resolved' as const,
    resolvedAt: NOW + 9,
    severity: 'critical' as const,
  };
  saveIncidents(store.db, [later]);
  expect(incidentById(store.db, 7)).toEqual(later);
  expect(openIncidents(store.db)).toEqual([]);
});

test('open ones, lately ended ones, and both since a time', () => {
  saveIncidents(store.db, [
    ended(1, 3 * HOUR),
    ended(2, HOUR),
    incidentOf({ id: 3, openedAt: NOW - 9 * DAY }),
  ]);
  const ids = (list: { id: number }[]) => list.map((incident) => incident.id);
  expect(ids(openIncidents(store.db))).toEqual([3]);
  expect(ids(endedIncidents(store.db, NOW - 2 * HOUR))).toEqual([2]);
  expect(ids(incidentsSince(store.db, NOW - 2 * HOUR))).toEqual([2, 3]);
  expect(ids(incidentsSince(store.db, 0, 2))).toEqual([2, 1]);
});

test('notes stay with their incident', () => {
  saveIncidents(store.db, [ended(1, 30 * 60_000), incidentOf({ id: 3 })]);
  annotateIncident(store.db, 1, NOW, 'first');
  annotateIncident(store.db, 3, NOW + 1, 'second');
  annotateIncident(store.db, 3, NOW + 2, 'third');
  expect(incidentById(store.db, 1)!.actions).toEqual(['first']);
  expect(incidentById(store.db, 3)!.actions).toEqual(['second', 'third']);
  // The monitor saves its own copy, which knows of no notes: they are not lost.
  saveIncidents(store.db, [incidentOf({ id: 3 })]);
  expect(incidentById(store.db, 3)!.actions).toEqual(['second', 'third']);
});

test('what is old is forgotten, with its notes; what was told once is remembered for 400 days', () => {
  saveIncidents(store.db, [ended(1, 30 * 60_000), ended(2, 0)]);
  annotateIncident(store.db, 1, NOW, 'note');
  markSentOnce(store.db, ['kill', 'kill'], NOW);
  saveSilence(store.db, { subject: 'all', since: NOW, until: NOW + HOUR, reason: '' });
  pruneIncidents(store.db, NOW + 89 * DAY);
  expect(incidentById(store.db, 1)!.actions).toEqual(['note']);
  pruneIncidents(store.db, NOW + 90 * DAY);
  expect(incidentById(store.db, 1)).toBeUndefined();
  expect(incidentById(store.db, 2)).toBeDefined();
  const count = (table: string) =>
    (store.db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  expect([count('incident_notes'), count('silences')]).toEqual([0, 0]);
  expect(wasSentOnce(store.db, 'kill')).toBe(true);
  pruneIncidents(store.db, NOW + 401 * DAY);
  expect(wasSentOnce(store.db, 'kill')).toBe(false);
});

test('a silence holds until its end, not at it', () => {
  saveSilence(store.db, { subject: 'b', since: NOW, until: NOW + 10, reason: 'r' });
  saveSilence(store.db, { subject: 'a', since: NOW, until: NOW + 20, reason: '' });
  expect(activeSilences(store.db, NOW + 9).map((silence) => silence.subject)).toEqual(['b', 'a']);
  expect(activeSilences(store.db, NOW + 10).map((silence) => silence.subject)).toEqual(['a']);
});
