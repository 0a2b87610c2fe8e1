import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { incidentsList, incidentsShow } from '../../src/commands/incidents.ts';
import type { Incident } from '../../src/model/incident.ts';
import { recordAction } from '../../src/store/actions.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import { commandContext, configWith, type Recorded } from '../helpers/command.ts';

const NOW = new Date(2026, 0, 14, 12, 0, 0).getTime();
const MB = 1_048_576;
const MINUTE = 60_000;
let stateDir: string;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-incidents-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const OPEN: Incident = {
  id: 3,
  rule: 'memory-available',
  subject: 'host',
  state: 'firing',
  severity: 'critical',
  openedAt: NOW - 90 * MINUTE,
  firedAt: NOW - 90 * MINUTE,
  lastSeenAt: NOW,
  value: 44 * MB,
  worst: 40 * MB,
  limit: 50 * MB,
  unit: 'bytes',
  text: 'Available memory is 44 MB, below 50 MB',
  details: ['Largest containers: n8n 400 MB, waha 300 MB', 'Growing fastest: n8n, 14 MB/h'],
  notified: { count: 2, lastAt: NOW - 30 * MINUTE, severity: 'critical', since: NOW - 90 * MINUTE },
  flips: [],
  flapping: false,
  actions: [],
};
const ENDED: Incident = {
  ...OPEN,
  id: 2,
  rule: 'container-stopped',
  subject: 'shop-web-1',
  alias: 'web',
  state: 'resolved',
  severity: 'warning',
  openedAt: NOW - 5 * 60 * MINUTE,
  resolvedAt: NOW - 5 * 60 * MINUTE + 80_000,
  endedAs: 'cleared',
  endText: 'shop-web-1 runs again',
  text: 'shop-web-1 \u001b[31mstopped\u202e',
  details: [],
  notified: { count: 0, withId: 1 },
};
const KILL: Incident = {
  ...OPEN,
  id: 1,
  rule: 'oom-kill',
  subject: 'n8n',
  state: 'resolved',
  event: true,
  changes: 4,
  openedAt: NOW - 3 * 24 * 60 * MINUTE,
  resolvedAt: NOW - 3 * 24 * 60 * MINUTE + 12 * MINUTE,
  text: 'Out of memory: the kernel killed node',
};

function fill(...incidents: Incident[]): void {
  const store = openStore(stateDir, NOW);
  saveIncidents(store.db, incidents);
  store.close();
}

function contextAt(
  options: { json?: boolean } = {},
  io: Partial<{ color: boolean; columns: number; wrapAt: number }> = {},
): Recorded {
  const clock = { now: () => NOW, monotonic: () => 0, sleep: async () => undefined };
  const recorded = commandContext(configWith({}, { stateDir }), options, { system: { clock } });
  Object.assign(recorded.context.io, io);
  return recorded;
}

describe('incidents', () => {
  test('no store yet: says so, exit 0, and makes none', async () => {
    const { context, out, err } = contextAt();
    expect(await incidentsList(context, '24h')).toBe(0);
    expect(err()).toBe(
      `Nothing is recorded yet: ${stateDir} holds no history yet. \`vpsmon monitor\` records incidents while it runs.\n`,
    );
    expect(out()).toBe('No incidents in the last 24h, and none is open.\n');
    expect(readdirSync(stateDir)).toEqual([]);
  });

  test('lists what is open and what happened since, newest first, aligned', async () => {
    fill(OPEN, ENDED, KILL);
    const { context, out, err } = contextAt();
    expect(await incidentsList(context, '24h')).toBe(0);
    expect(err()).toBe('');
    expect(out()).toBe(
      [
        '2 incidents in the last 24h, 1 open',
        '',
        '  ID  BEGAN                SEVERITY  STATE      LASTED  WHAT',
        '   3  2026-01-14 10:30:00  CRITICAL  open   1 h 30 min  Available memory is 44 MB, below 50 MB',
        '   2  2026-01-14 07:00:00  WARNING   ended  1 min 20 s  shop-web-1 stopped',
        '',
        'Details of one: vpsmon incidents show ID',
        '',
      ].join('\n'),
    );
  });

  test('a longer time shows more; an event has no length, and how often it happened is told', async () => {
    fill(OPEN, ENDED, KILL);
    const { context, out } = contextAt({}, { columns: 120 });
    await incidentsList(context, '7d');
    expect(out()).toContain('happened      12 min  4 times: Out of memory: the kernel killed node');
  });

  test('what is open is shown however long ago it began', async () => {
    fill({ ...OPEN, openedAt: NOW - 40 * 24 * 60 * MINUTE });
    const { context, out } = contextAt();
    await incidentsList(context, '1h');
    expect(out()).toContain('1 incident in the last 1h, 1 open');
    expect(out()).toContain('40 d');
  });

  test('what happened once is not counted with those before it, and a count is not said twice', async () => {
    const once = { ...KILL, resolvedAt: KILL.openedAt, subject: 'host' };
    fill(once, { ...KILL, id: 7, text: 'Out of memory: node (4 times within 12 min)' });
    const { context, out } = contextAt({}, { columns: 120 });
    await incidentsList(context, '7d');
    expect(out()).toContain('-  Out of memory: the kernel killed node');
    expect(out()).toContain('12 min  Out of memory: node (4 times within 12 min)');
  });

  test('on a narrow terminal the text stands below, whole, broken between words', async () => {
    fill({ ...OPEN, text: `${'a word '.repeat(20)}end` });
    const { context, out } = contextAt({}, { columns: 80, wrapAt: 80 });
    await incidentsList(context, '24h');
    const lines = out().split('\n');
    expect(lines[3]).toMatch(/^ +3 .* 1 h 30 min$/);
    expect(lines[4]).toMatch(/^ {6}a word .* a$/);
    expect(lines[5]).toMatch(/^ {6}.*word end$/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('text that does not fit the terminal is cut, colours do not disturb the columns', async () => {
    fill({ ...OPEN, text: 'x'.repeat(300) });
    const { context, out } = contextAt({}, { color: true, columns: 90 });
    await incidentsList(context, '24h');
    expect(out()).toContain('\u001b[1;31mCRITICAL\u001b[0m');
    const lines = stripVTControlCharacters(out()).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBe(90);
  });

  test('as JSON: the documented shape', async () => {
    fill(OPEN, ENDED);
    const { context, out } = contextAt({ json: true });
    expect(await incidentsList(context, '24h')).toBe(0);
    const shown = JSON.parse(out());
    expect(shown.version).toBe(1);
    expect(shown.since).toBe(new Date(NOW - 24 * 60 * MINUTE).toISOString());
    expect(shown.incidents[0]).toEqual({
      id: 3,
      rule: 'memory-available',
      subject: 'host',
      kind: 'state',
      state: 'open',
      severity: 'critical',
      text: 'Available memory is 44 MB, below 50 MB',
      details: OPEN.details,
      opened_at: new Date(OPEN.openedAt).toISOString(),
      resolved_at: null,
      duration_seconds: 5400,
      ended_as: null,
      value: 44 * MB,
      worst: 40 * MB,
      limit: 50 * MB,
      unit: 'bytes',
      flapping: false,
      changes: null,
      cause: null,
      messages: 2,
      last_message_at: new Date(NOW - 30 * MINUTE).toISOString(),
      actions: [],
    });
    expect(shown.incidents[1]).toMatchObject({
      id: 2,
      state: 'resolved',
      service: 'web',
      duration_seconds: 80,
    });
    expect(shown.incidents[1].text).toBe('shop-web-1 stopped');
  });

  test.each(['', 'foo', '24', '-1h', '0h', '1h;rm', '99999999d'])(
    '--since %j is refused with what is expected',
    async (since) => {
      const { context, out, err } = contextAt();
      expect(await incidentsList(context, since)).toBe(3);
      expect(out()).toBe('');
      expect(err()).toBe(`vpsmon: --since expects a duration like 30m, 2h, 1d or 1h30m, not \`${since}\`.\n`);
    },
  );

  test('a file that is no database is said, not overwritten', async () => {
    writeFileSync(
      join(stateDir, 'vpsmon.db'),
      'no database at all, but long enough to be looked at'.repeat(50),
    );
    const { context, err } = contextAt();
    expect(await incidentsList(context, '24h')).toBe(2);
    expect(err()).toContain('cannot be opened');
    expect(readdirSync(stateDir)).toEqual(['vpsmon.db']);
  });

  test('works while the monitor has the database open, in the middle of a write', async () => {
    fill(OPEN);
    const store = openStore(stateDir, NOW);
    store.db.exec('BEGIN IMMEDIATE');
    saveIncidents(store.db, [{ ...ENDED, id: 9 }]);
    try {
      const { context, out } = contextAt();
      expect(await incidentsList(context, '24h')).toBe(0);
      expect(out()).toContain('1 incident in the last 24h, 1 open');
    } finally {
      store.db.exec('ROLLBACK');
      store.close();
    }
  });
});

describe('incidents show', () => {
  test('tells everything about one, with what recovery did', async () => {
    fill(OPEN);
    const store = openStore(stateDir, NOW);
    const action = { rule: 'swap', target: 'batch-1', why: 'it thrashes', startedAt: NOW - 1000 } as const;
    const what = 'stop-container';
    recordAction(store.db, { ...action, what, state: 'worked', result: 'batch-1 is stopped' });
    recordAction(store.db, { ...action, what, state: 'would-do' });
    recordAction(store.db, { ...action, what, state: 'worked', startedAt: NOW - 86_400_000 });
    recordAction(store.db, { ...action, rule: 'waha', what: 'restart-session', state: 'worked' });
    store.close();
    const { context, out } = contextAt();
    expect(await incidentsShow(context, '3')).toBe(0);
    expect(out()).toBe(
      [
        'Incident 3  Available memory is 44 MB, below 50 MB',
        '',
        '  Severity   CRITICAL',
        '  State      open',
        '  Rule       memory-available, about host',
        '  Began      2026-01-14 10:30:00',
        '  Lasts      1 h 30 min',
        '  Worst      40 MB (limit 50 MB)',
        '  Last       44 MB',
        '  Details    Largest containers: n8n 400 MB, waha 300 MB',
        '             Growing fastest: n8n, 14 MB/h',
        '  Sent       2 messages, the last one at 2026-01-14 11:30:00',
        '  Done       2026-01-14 11:59:59 stop-container batch-1: batch-1 is stopped',
        '',
      ].join('\n'),
    );
  });

  test('one that ended: when, how, how long, and that another message told it', async () => {
    fill(ENDED);
    const { context, out } = contextAt();
    expect(await incidentsShow(context, '#2')).toBe(0);
    expect(out()).toContain('Rule       container-stopped, about shop-web-1 (web)');
    expect(out()).toContain('Ended      2026-01-14 07:01:20: shop-web-1 runs again');
    expect(out()).toContain('Lasted     1 min 20 s');
    expect(out()).toContain('Sent       in the message about another one');
  });

  test('as JSON', async () => {
    fill(KILL);
    const { context, out } = contextAt({ json: true });
    expect(await incidentsShow(context, '1')).toBe(0);
    expect(JSON.parse(out())).toMatchObject({
      version: 1,
      incident: { id: 1, kind: 'event', state: 'resolved', changes: 4, duration_seconds: 720 },
    });
  });

  test('a number that is not there: which one is the newest', async () => {
    fill(OPEN);
    const { context, out, err } = contextAt();
    expect(await incidentsShow(context, '17')).toBe(2);
    expect(out()).toBe('');
    expect(err()).toBe(
      'vpsmon: there is no incident 17; the newest one is 3. `vpsmon incidents --since 90d` lists them.\n',
    );
  });

  test('no store yet', async () => {
    const { context, err } = contextAt();
    expect(await incidentsShow(context, '1')).toBe(2);
    expect(err()).toContain('there is no incident 1; none is recorded yet');
  });

  test.each([
    [undefined, 'none was given'],
    ['x', 'not `x`'],
    ['1.5', 'not `1.5`'],
    ['-1', 'not `-1`'],
  ])('%j is no number', async (id, why) => {
    const { context, err } = contextAt();
    expect(await incidentsShow(context, id)).toBe(3);
    expect(err()).toBe(
      `vpsmon: \`incidents show\` expects the number of an incident, as \`vpsmon incidents\` lists it; ${why}.\n`,
    );
  });
});
