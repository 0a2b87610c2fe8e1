import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Action } from '../../src/model/action.ts';
import type { Incident } from '../../src/model/incident.ts';
import { recordAction } from '../../src/store/actions.ts';
import { actionsAbout } from '../../src/store/incident-actions.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { incidentOf } from '../helpers/incident.ts';

const T = Date.parse('2026-01-31T10:00:00Z');
const MINUTE = 60_000;
let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-actions-'));
  store = openStore(dir, 0);
  const add = (rule: Action['rule'], target: string, minute: number, more: Partial<Action> = {}) =>
    recordAction(store.db, {
      rule,
      target,
      what: rule,
      why: '',
      state: 'worked',
      result: `${rule} ${minute}`,
      startedAt: T + minute * MINUTE,
      ...more,
    });
  const stopped = add('swap', 'web', -1);
  add('swap', 'web', 30, { undoes: [stopped] });
  add('swap', 'web', 200);
  add('loops', 'web', 2);
  add('loops', 'other', 3);
  add('queue', 'n8n', 4);
  add('waha', 'default', 5);
  add('waha', 'waha-1', 6, { undo: { container: 'waha-1', sessions: ['default'] } });
  add('waha', 'shop', 7);
  add('queue', 'n8n', 8, { state: 'would-do' });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const about = (values: Partial<Incident>) =>
  actionsAbout(
    store.db,
    incidentOf({ openedAt: T, resolvedAt: T + 20 * MINUTE, state: 'resolved', ...values }),
  ).map((line) => line.split(': ').at(-1));

test.each([
  [{ rule: 'swap-in', subject: 'host' }, ['swap -1', 'swap 30']],
  [{ rule: 'memory-pressure', subject: 'host' }, ['swap -1', 'swap 30']],
  [{ rule: 'n8n-queue', subject: 'n8n' }, ['queue 4']],
  [{ rule: 'waha-session', subject: 'default' }, ['waha 5', 'waha 6']],
  [{ rule: 'restart-loop', subject: 'web' }, ['swap -1', 'swap 30', 'loops 2']],
  [{ rule: 'container-stopped', subject: 'shop-web-1', alias: 'other' }, ['loops 3']],
  [{ rule: 'disk', subject: '/' }, []],
  [{ rule: 'container-unhealthy', subject: 'n8n' }, []],
] as [Partial<Incident>, string[]][])('%o', (incident, expected) => {
  expect(about(incident)).toEqual(expected);
});

test('an incident that is open goes on collecting; a line says when, what and how it ended', () => {
  const open = incidentOf({ rule: 'swap-in', subject: 'host', openedAt: T });
  expect(actionsAbout(store.db, open)).toHaveLength(3);
  recordAction(store.db, {
    rule: 'queue',
    target: 'n8n',
    what: 'deactivate-workflows',
    why: '',
    state: 'running',
    startedAt: T,
  });
  const lines = actionsAbout(store.db, incidentOf({ rule: 'n8n-queue', subject: 'n8n', openedAt: T }));
  expect(lines[1]).toMatch(/^2026-01-31 \d\d:00:00 deactivate-workflows n8n: begun$/);
});

test('A22: what was done about an earlier or a later one of the same kind is not named', () => {
  const add = (minute: number, more: Partial<Action>) =>
    recordAction(store.db, {
      rule: 'queue',
      target: 'n8n',
      what: 'x',
      why: '',
      state: 'worked',
      result: `minute ${minute}`,
      startedAt: T + minute * MINUTE,
      ...more,
    });
  add(-5, { undo: { workflows: [] } });
  const id = add(10, { undo: { workflows: [] } });
  add(25, { undoes: [id] });
  add(40, { undo: { workflows: [] } });
  const queue = { rule: 'n8n-queue', subject: 'n8n' };
  expect(about(queue)).toEqual(['queue 4', 'minute 10', 'minute 25']);
});

test('what was done before it, or after its end, is about another one', () => {
  const add = (minute: number, result: string, more: Partial<Action> = {}) => {
    const startedAt = T + minute * MINUTE;
    const about = { rule: 'hand', target: 'api', what: 'restart-container', why: 'by Ada' } as const;
    recordAction(store.db, {
      ...about,
      state: 'worked',
      result,
      startedAt,
      endedAt: startedAt + 3000,
      ...more,
    });
  };
  add(-8, 'eight minutes before');
  add(-0.2, 'as it began');
  add(3, 'meanwhile');
  add(21, 'after its end');
  add(-9, 'stopped', { rule: 'swap' });
  const unhealthy = { rule: 'container-unhealthy', subject: 'api' };
  expect(about(unhealthy)).toEqual(['as it began (by Ada)', 'meanwhile (by Ada)']);
  expect(about({ rule: 'swap-in', subject: 'host' })).not.toContain('stopped');
});

test('what happened in a moment is followed by what was done about it, unless that is about one that is open', () => {
  const by = { rule: 'hand', target: 'api', what: 'restart-container', why: 'by Ada' } as const;
  const restart = (minute: number, result: string) =>
    recordAction(store.db, { ...by, state: 'worked', result, startedAt: T + minute * MINUTE });
  restart(5, 'after the crash');
  restart(30, 'for it is unhealthy');
  const unhealthy = { rule: 'container-unhealthy', subject: 'shop-api-1', alias: 'api' };
  saveIncidents(store.db, [incidentOf({ id: 7, ...unhealthy, openedAt: T + 20 * MINUTE })]);
  const crash = { rule: 'container-restarting', subject: 'api', event: true, resolvedAt: T } as const;
  expect(about(crash)).toEqual(['after the crash (by Ada)']);
  expect(about({ id: 7, ...unhealthy, openedAt: T + 20 * MINUTE, resolvedAt: T + 40 * MINUTE })).toEqual([
    'for it is unhealthy (by Ada)',
  ]);
});
