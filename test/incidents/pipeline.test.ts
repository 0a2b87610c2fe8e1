import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPipeline, type Pipeline, type PipelineDeps } from '../../src/incidents/pipeline.ts';
import { addSilence, listSilences } from '../../src/incidents/silences.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Message } from '../../src/model/message.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { listActions, pruneActions, recordAction } from '../../src/store/actions.ts';
import { incidentById, incidentsSince, saveIncidents, wasSentOnce } from '../../src/store/incidents.ts';
import { remember } from '../../src/store/memory.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { configWith } from '../helpers/command.ts';
import { incidentOf } from '../helpers/incident.ts';
import { expectLinear } from '../helpers/cost.ts';

const BEGIN = 1_768_392_000_000;
const DAY = 86_400_000;
let stateDir: string;
let store: Store;
let now: number;
let logged: string[];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-pipeline-'));
  now = BEGIN;
  logged = [];
  store = openStore(stateDir, now);
});
afterEach(() => {
  store.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function pipelineWith(deps: Partial<PipelineDeps> = {}): Pipeline {
  const outbox = openOutbox(store.db);
  const log = (text: string) => void logged.push(text);
  return createPipeline({
    store,
    config: configWith({}, { stateDir }),
    clock: { now: () => now, monotonic: () => now },
    log: { debug: () => undefined, info: log, warn: log },
    enqueue: (message) => outbox.enqueue(message),
    render: (decision) => renderNotification(decision, 'vps', now),
    ...deps,
  });
}
const disk = (subject: string, full: boolean, more: Partial<Finding> = {}): Finding => ({
  rule: 'disk',
  subject,
  severity: 'warning',
  verdict: full ? 'breach' : 'ok',
  text: `Disk ${subject} is ${full ? 'full' : 'fine'}`,
  ...more,
});
const waiting = () => openOutbox(store.db).waiting();

describe('the pipeline', () => {
  test.each([
    ['of a later version', { kind: 'teleported', name: 'web', at: BEGIN }],
    ['without its death', { kind: 'stopped', name: 'web', at: BEGIN }],
    ['that is none', 'stopped'],
  ])('R9: a fact %s harms no other incident, and its own goes on with the text that was saved', (_, fact) => {
    const web = { rule: 'container-stopped', subject: 'web', severity: 'critical' } as const;
    const notified = { count: 1, lastAt: BEGIN, severity: 'critical' } as const;
    const saved = incidentOf({
      id: 1,
      ...web,
      openedAt: BEGIN,
      notified,
      text: 'web is down',
      fact: fact as never,
    });
    saveIncidents(store.db, [saved]);
    const pipeline = pipelineWith({ describe: describeFact });
    pipeline.process([disk('/', true)], { judged: ['disk'] });
    expect(waiting().map(({ html }) => html)).toEqual([expect.stringContaining('Disk / is full')]);
    expect(pipeline.open()).toMatchObject([{ text: 'web is down' }, { rule: 'disk' }]);
    pipeline.process([{ ...web, verdict: 'ok', text: 'web runs again' }]);
    expect(pipeline.open()).toMatchObject([{ rule: 'disk' }]);
    expect(logged.filter((line) => line.includes('could not'))).toEqual([]);
  });

  test('saves an incident and its message together, and tells what changed', () => {
    const pipeline = pipelineWith();
    const [change] = pipeline.process([disk('/', true)]);
    expect(change).toMatchObject({
      kind: 'fired',
      incident: { id: 1, state: 'firing', notified: { count: 1 } },
    });
    const [message] = waiting();
    expect(message).toMatchObject({
      kind: 'disk',
      subject: '/',
      severity: 'warning',
      incidentId: 1,
      at: BEGIN,
    });
    expect(message!.html).toContain('Disk / is full');
    expect(incidentById(store.db, 1)).toEqual(change!.incident);
  });

  test('who acknowledges it after somebody wanted no messages until it ends brings none back', () => {
    const pipeline = pipelineWith();
    pipeline.process([disk('/', true)]);
    pipeline.acknowledge(1, 'Ada', true);
    pipeline.acknowledge(1, 'Bob', false);
    now += 2 * 3_600_000;
    pipeline.process([disk('/', true, { severity: 'critical' })]);
    expect(waiting()).toHaveLength(1);
    now += 60_000;
    pipeline.process([disk('/', false)]);
    expect(waiting().map(({ html }) => html)).toEqual([
      expect.stringContaining('is full'),
      expect.stringContaining('Resolved: Disk / is fine'),
    ]);
  });

  test('an enqueue that fails takes the incident with it: both are written later, once', () => {
    let broken = true;
    const outbox = openOutbox(store.db);
    const pipeline = pipelineWith({
      enqueue(message) {
        const id = outbox.enqueue(message);
        if (broken) throw new Error('disk I/O error');
        return id;
      },
    });
    pipeline.process([disk('/', true)]);
    expect(incidentsSince(store.db, 0)).toEqual([]);
    expect(waiting()).toEqual([]);
    expect(pipeline.trouble()).toBe('disk I/O error');
    expect(pipeline.unsaved()).toHaveLength(1);
    expect(pipeline.counts().warning).toBe(1);
    pipeline.process([disk('/', true)]);
    expect(logged).toEqual(['Incidents cannot be saved and are kept in memory: disk I/O error']);

    broken = false;
    pipeline.process([]);
    expect(pipeline.trouble()).toBeUndefined();
    expect(pipeline.unsaved()).toEqual([]);
    expect(waiting()).toHaveLength(1);
    expect(incidentsSince(store.db, 0)).toHaveLength(1);
    expect(logged.at(-1)).toBe('Incidents can be saved again');
  });

  test('a database that is gone for good stops nothing', () => {
    const pipeline = pipelineWith();
    store.close();
    for (let i = 0; i < 3; i++) {
      now += 30_000;
      expect(pipeline.process([disk(`/${i}`, true)]).map((change) => change.kind)[0]).toBe('fired');
    }
    expect(pipeline.open()).toHaveLength(3);
    expect(pipeline.unsaved()).toHaveLength(3);
    expect(pipeline.trouble()).toBeDefined();
    store = openStore(stateDir, now);
  });

  test('a store that fails for days does not fill the memory, and critical messages are kept longest', () => {
    const pipeline = pipelineWith({
      enqueue: () => {
        throw new Error('full');
      },
    });
    const critical = disk('/first', true, { severity: 'critical' });
    pipeline.process([critical, ...Array.from({ length: 1500 }, (_, i) => disk(`/${i}`, true))]);
    const kept: readonly Message[] = pipeline.unsaved();
    expect(kept.length).toBeLessThanOrEqual(1000);
    expect(kept.some((message) => message.subject === '/first')).toBe(true);
  });

  test('what was silenced stays silenced when the store cannot be read, and no longer', () => {
    const pipeline = pipelineWith();
    addSilence(store.db, { subject: 'all', until: BEGIN + 60_000, reason: '' }, now);
    pipeline.process([]);
    store.close();
    pipeline.process([disk('/', true)]);
    expect(pipeline.unsaved()).toEqual([]);
    now += 61_000;
    pipeline.process([]);
    expect(pipeline.unsaved().map((message) => message.subject)).toEqual(['/']);
    store = openStore(stateDir, now);
  });

  test('a mistake in the wording costs no message', () => {
    const pipeline = pipelineWith({
      render: () => {
        throw new TypeError('undefined is not a function');
      },
    });
    pipeline.process([disk('/', true, { text: 'a <b> & c' })]);
    expect(waiting().map((message) => message.html)).toEqual(['WARNING: a &lt;b&gt; &amp; c']);
    expect(logged).toEqual(['A message could not be rendered: undefined is not a function']);
  });

  test('numbers go on after a restart, and rows that cannot be read are left out', () => {
    pipelineWith().process([disk('/a', true), disk('/b', true)]);
    store.db.prepare("UPDATE incidents SET data = 'nonsense' WHERE id = 1").run();
    store.db.prepare(`UPDATE incidents SET data = '{"id":2}' WHERE id = 2`).run();
    const again = pipelineWith();
    expect(again.open()).toEqual([]);
    expect(again.process([disk('/c', true)])[0]!.incident.id).toBe(3);
  });

  test('counts what fires, by severity; what is pending does not count', () => {
    const pipeline = pipelineWith();
    pipeline.process([
      disk('/a', true),
      disk('/b', true, { severity: 'critical' }),
      disk('/c', true, { holdMs: 30_000 }),
      disk('/d', true, { verdict: 'event' }),
    ]);
    expect(pipeline.counts()).toEqual({ info: 0, warning: 1, critical: 1 });
    expect(pipeline.open().map((incident) => [incident.subject, incident.state])).toEqual([
      ['/a', 'firing'],
      ['/b', 'firing'],
      ['/c', 'pending'],
    ]);
  });

  test('the first start is remembered for ever', () => {
    expect(pipelineWith().firstStart()).toBe(BEGIN);
    now += DAY;
    expect(pipelineWith().firstStart()).toBe(BEGIN);
  });

  test('R3: a finding that cannot be dealt with takes no other one with it, and is sent plainly, once an hour', () => {
    const poison: Finding = {
      ...disk('/bad <b>', true),
      get holdMs(): number {
        throw new Error('a mistake');
      },
    };
    const pipeline = pipelineWith();
    pipeline.process([disk('/a', true), poison, disk('/c', true)]);
    expect(waiting().map(({ subject }) => subject)).toEqual(expect.arrayContaining(['/a', '/bad <b>', '/c']));
    expect(waiting().find(({ subject }) => subject === '/bad <b>')?.html).toBe(
      'WARNING: Disk /bad &lt;b&gt; is full',
    );
    const before = waiting().length;
    for (let i = 0; i < 10; i++) {
      now += 60_000;
      pipeline.process([poison]);
    }
    expect(waiting()).toHaveLength(before);
    now += 3_600_000;
    pipeline.process([poison]);
    expect(waiting()).toHaveLength(before + 1);
  });

  describe('R1: the clock is ten years ahead for a minute', () => {
    const AHEAD = 3650 * DAY;
    let mono = 0;
    const clock = { now: () => now, monotonic: () => mono };
    const pass = (ms: number): void => {
      now += ms;
      mono += ms;
    };

    test('nothing is thrown away as too old', () => {
      remember(store.db, 'last-alive', {}, BEGIN);
      saveIncidents(store.db, [
        incidentOf({ id: 1, state: 'resolved', openedAt: BEGIN - DAY, resolvedAt: BEGIN - DAY / 2 }),
      ]);
      addSilence(store.db, { subject: 'web', until: BEGIN + DAY, reason: 'work' }, BEGIN);
      const outbox = openOutbox(store.db);
      outbox.enqueue({ at: BEGIN, severity: 'info', kind: 'x', subject: 'x', html: 'x' });
      outbox.skipPending();
      recordAction(store.db, {
        rule: 'waha',
        target: 'default',
        what: 'restart-session',
        why: '',
        state: 'worked',
        startedAt: BEGIN - DAY,
      });
      const pipeline = pipelineWith({ clock });
      pipeline.process([{ ...disk('/x', false), verdict: 'event', once: 'kill-1' }]);
      now += AHEAD;
      pipeline.process([]);
      outbox.prune(now);
      pruneActions(store.db, now);
      // Also by the next process, which starts meanwhile.
      pipelineWith({ clock }).process([]);
      now -= AHEAD;
      pass(60_000);
      pipelineWith({ clock }).process([]);
      expect(incidentById(store.db, 1)).toBeDefined();
      expect(listSilences(store.db, now)).toHaveLength(1);
      expect(outbox.after(0).length).toBeGreaterThan(0);
      expect(listActions(store.db, 0)).toHaveLength(1);
      expect(wasSentOnce(store.db, 'kill-1')).toBe(true);
    });

    test('a silence that is asked for meanwhile holds for an hour, not for ten years', () => {
      now += AHEAD;
      addSilence(store.db, { subject: 'web', until: now + 3_600_000, reason: '' }, now);
      now -= AHEAD;
      const pipeline = pipelineWith({ clock });
      pipeline.process([]);
      expect(listSilences(store.db, now)[0]?.until).toBe(now + 3_600_000);
      pass(3_599_000);
      pipeline.process([]);
      expect(listSilences(store.db, now)).toHaveLength(1);
      pass(2000);
      pipeline.process([]);
      expect(listSilences(store.db, now)).toEqual([]);
    });

    describe('a silence of an hour, and the clock is set after half of it', () => {
      const MINUTE = 60_000;
      const HOUR = 60 * MINUTE;
      /** How many minutes it lasts in all, from the check that sees the set clock on. */
      function lasts(pipeline: Pipeline, sinceMs: number): number {
        for (let minutes = sinceMs / MINUTE; minutes < 1000; minutes += 1) {
          if (listSilences(store.db, now).length === 0) return minutes;
          pass(MINUTE);
          pipeline.process([]);
        }
        return Infinity;
      }
      const silence = () => addSilence(store.db, { subject: 'web', until: now + HOUR, reason: '' }, now);
      beforeEach(() => (mono = 0));

      test.each([
        ['three hours ahead', 3 * HOUR],
        ['a week ahead', 7 * DAY],
        ['twenty minutes ahead', 20 * MINUTE],
        ['ten minutes back', -10 * MINUTE],
        ['three hours back', -3 * HOUR],
        ['a year back', -365 * DAY],
      ])('%s: it lasts for an hour', (_, byMs) => {
        const pipeline = pipelineWith({ clock });
        silence();
        for (let minute = 0; minute < 30; minute += 1) {
          pass(MINUTE);
          pipeline.process([]);
        }
        now += byMs;
        // A message about something else is written before the next check.
        expect(pipeline.mayName({ name: 'web' })).toBe(false);
        pipeline.process([]);
        expect(lasts(pipeline, 30 * MINUTE)).toBe(60);
      });

      test('one that is begun just after that, before the monitor has noticed, lasts for an hour, too', () => {
        const pipeline = pipelineWith({ clock });
        pipeline.process([]);
        pass(10_000);
        now += 3 * HOUR;
        silence();
        pass(MINUTE / 3);
        pipeline.process([]);
        expect(listSilences(store.db, now)[0]?.until).toBe(now + HOUR - MINUTE / 3);
      });

      test('one from before a start of the machine with a clock that is ahead ends when it was to end', () => {
        addSilence(store.db, { subject: 'web', until: now + 8 * HOUR, reason: '' }, now);
        const until = now + 8 * HOUR;
        pass(10 * MINUTE);
        now += 2 * HOUR;
        const booted = mono;
        const pipeline = pipelineWith({ clock, bootedAt: () => now - (mono - booted) });
        pass(MINUTE);
        pipeline.process([]);
        now -= 2 * HOUR;
        pass(MINUTE);
        pipeline.process([]);
        expect(listSilences(store.db, now)[0]?.until).toBe(until);
      });
    });

    test('a first start under it makes no history of what is to come, in this process or the next', () => {
      now += AHEAD;
      const pipeline = pipelineWith({ clock });
      const first = now;
      pass(60_000);
      now -= AHEAD;
      pipeline.process([]);
      expect(pipeline.firstStart()).toBe(first - AHEAD);
      expect(pipelineWith({ clock }).firstStart()).toBe(first - AHEAD);
      remember(store.db, 'history-start', now + AHEAD, now);
      expect(pipelineWith({ clock }).firstStart()).toBe(now);
    });
  });

  test('what ended more than 90 days ago is forgotten; what is open never is', () => {
    const old = { openedAt: BEGIN - 200 * DAY, notified: { count: 1 } };
    saveIncidents(store.db, [
      incidentOf({ id: 1, ...old, state: 'resolved', resolvedAt: BEGIN - 91 * DAY }),
      incidentOf({ id: 2, ...old, state: 'resolved', resolvedAt: BEGIN - 89 * DAY }),
      incidentOf({ id: 3, ...old, subject: '/old' }),
    ]);
    pipelineWith().process([]);
    expect(incidentsSince(store.db, 0).map((incident) => incident.id)).toEqual([3, 2]);
  });

  test('a check in which nothing happens writes nothing', () => {
    const pipeline = pipelineWith();
    pipeline.process([disk('/', true)], { judged: ['disk'] });
    const writes = () => (store.db.prepare('SELECT total_changes() AS n').get() as { n: number }).n;
    const before = writes();
    for (let i = 0; i < 8; i++) {
      now += 30_000;
      pipeline.process([disk('/', true), disk('/b', false)], { judged: ['disk'] });
    }
    expect(writes()).toBe(before);
    now += 60_000;
    pipeline.process([disk('/', true)]);
    expect(writes()).toBeGreaterThan(before);
  });

  test('a steady check costs in proportion to its findings', () => {
    const pipeline = pipelineWith();
    expectLinear((count) => {
      const findings = [disk('/', true), ...Array.from({ length: count }, (_, i) => disk(`/${i}`, false))];
      pipeline.process(findings, { judged: ['disk'] });
    }, 1000);
  });

  test('closing saves the newest values', () => {
    const pipeline = pipelineWith();
    pipeline.process([disk('/', true, { value: 81, limit: 80 })]);
    now += 30_000;
    pipeline.process([disk('/', true, { value: 88, limit: 80 })]);
    expect(incidentById(store.db, 1)!.worst).toBe(81);
    pipeline.close();
    expect(incidentById(store.db, 1)).toMatchObject({ worst: 88, lastSeenAt: BEGIN + 30_000 });
  });

  test('every decision that is a message has words', () => {
    const pipeline = pipelineWith();
    const kill = (id: string) =>
      disk('n8n', true, { rule: 'oom-kill', verdict: 'event', once: id, cause: 'x' });
    pipeline.process([disk('/', true), kill('1')]);
    now += 1000;
    pipeline.process([kill('2'), disk('/', true, { severity: 'critical' })]);
    now += 30_000;
    pipeline.process([]);
    now += 3_600_000;
    pipeline.process([disk('/', true, { severity: 'critical' })]);
    pipeline.process([disk('/', false)]);
    for (let i = 0; i < 6; i++) pipeline.process([disk('/', i % 2 === 0)]);
    now += 601_000;
    pipeline.process([]);
    expect(waiting().every((message) => message.html.length > 20)).toBe(true);
    expect(logged).toEqual([]);
  });
});
