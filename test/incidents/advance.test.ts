import { describe, expect, test } from 'vitest';
import { advance, advanceOne, keyOf } from '../../src/incidents/advance.ts';
import { policyOf } from '../../src/incidents/policy.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Incident } from '../../src/model/incident.ts';
import { configWith } from '../helpers/command.ts';
import { incidentOf } from '../helpers/incident.ts';
import { expectLinear } from '../helpers/cost.ts';

const policy = policyOf(configWith({}));
const NOW = 1_000_000_000;
const finding = (verdict: Finding['verdict'], more: Partial<Finding> = {}): Finding => ({
  rule: 'disk',
  subject: '/',
  severity: 'warning',
  verdict,
  text: 'text',
  ...more,
});
const book = (...open: Incident[]) => ({
  open: new Map(open.map((incident) => [keyOf(incident), incident])),
  ended: new Map<string, Incident>(),
});

describe('one finding', () => {
  test.each(['ok', 'between', 'unknown'] as const)('%s of what is not open changes nothing', (verdict) => {
    expect(advanceOne(undefined, undefined, finding(verdict), policy, NOW)).toBeUndefined();
  });

  test('a breach fires at once where nothing must hold', () => {
    const change = advanceOne(undefined, undefined, finding('breach', { at: NOW - 400 }), policy, NOW)!;
    expect(change.kind).toBe('fired');
    expect(change.incident).toMatchObject({
      id: 0,
      state: 'firing',
      openedAt: NOW - 400,
      firedAt: NOW,
      flips: [NOW],
      flapping: false,
      notified: { count: 0 },
    });
  });

  test('a time in the future is now', () => {
    const change = advanceOne(undefined, undefined, finding('breach', { at: NOW + 9999 }), policy, NOW)!;
    expect(change.incident.openedAt).toBe(NOW);
  });

  test('pending ends with the first value that is not a breach, and is no incident', () => {
    const pending = incidentOf({ state: 'pending', openedAt: NOW - 1000, lastSeenAt: NOW - 1000 });
    for (const verdict of ['ok', 'between'] as const) {
      expect(advanceOne(pending, undefined, finding(verdict), policy, NOW)!.kind).toBe('dropped');
    }
    expect(advanceOne(pending, undefined, finding('unknown'), policy, NOW)).toBeUndefined();
  });

  test('what ended says when, how, and what was seen; it began to be fine before the quiet time', () => {
    const open = incidentOf({ rule: 'restart-loop', openedAt: NOW - 900_000, okSince: NOW - 600_000 });
    const change = advanceOne(open, undefined, finding('ok', { text: 'fine', value: 3 }), policy, NOW)!;
    expect(change.kind).toBe('resolved');
    expect(change.incident).toMatchObject({
      state: 'resolved',
      resolvedAt: NOW - 600_000,
      endedAs: 'cleared',
      endText: 'fine',
      value: 3,
    });
    expect(change.incident.okSince).toBeUndefined();
  });

  test('between a clear level and a limit an end that had begun begins anew', () => {
    const open = incidentOf({ rule: 'restart-loop', okSince: NOW - 599_000 });
    const change = advanceOne(open, undefined, finding('between'), policy, NOW)!;
    expect(change.kind).toBe('still');
    expect(change.incident.okSince).toBeUndefined();
  });

  test('the worst value of what must not be low is the lowest', () => {
    const open = incidentOf({ value: 40, worst: 40, limit: 50 });
    const worst = (value: number, limit: number) =>
      advanceOne(open, undefined, finding('breach', { value, limit }), policy, NOW)!.incident.worst;
    expect(worst(45, 50)).toBe(40);
    expect(worst(30, 50)).toBe(30);
  });

  test('the worst value of what must not be high is the highest', () => {
    const open = incidentOf({ value: 95, worst: 95, limit: 90 });
    const worst = (value: number) =>
      advanceOne(open, undefined, finding('breach', { value, limit: 90 }), policy, NOW)!.incident.worst;
    expect(worst(92)).toBe(95);
    expect(worst(97)).toBe(97);
  });

  test('a breach after an end that did not last says nothing of that end', () => {
    const open = incidentOf({ rule: 'restart-loop', okSince: NOW - 1000, endText: 'fine' });
    const change = advanceOne(open, undefined, finding('breach'), policy, NOW)!;
    expect(change.incident.endText).toBeUndefined();
    expect(change.incident.okSince).toBeUndefined();
  });

  test('events are counted together only when they come within the time of flapping', () => {
    const ended = (agoMs: number) =>
      incidentOf({ event: true, state: 'resolved', changes: 3, flips: [NOW - agoMs] });
    const count = (agoMs: number) =>
      advanceOne(undefined, ended(agoMs), finding('event'), policy, NOW)!.incident.changes;
    expect(count(60_000)).toBe(4);
    expect(count(policy.flapWindowMs)).toBe(1);
  });

  test('facts are kept: the one that opened it when the end brings its own', () => {
    const [fact, endFact] = [
      { kind: 'missing', name: 'web', at: 1 },
      { kind: 'docker-answers', name: 'web', at: 2 },
    ] as const;
    const change = advanceOne(
      incidentOf({ fact }),
      undefined,
      finding('ok', { fact: endFact }),
      policy,
      NOW,
    )!;
    expect(change.incident).toMatchObject({ fact, endFact });
    const again = advanceOne(incidentOf({ fact, endFact }), undefined, finding('breach'), policy, NOW)!;
    expect(again.incident.endFact).toBeUndefined();
  });

  test('nothing that is handed in is changed', () => {
    for (const verdict of ['breach', 'ok', 'between', 'unknown'] as const) {
      for (const state of ['pending', 'firing'] as const) {
        const open = incidentOf({
          state,
          okSince: 5,
          worseSince: 6,
          missingSince: 7,
          flapping: state === 'firing',
        });
        const before = structuredClone(open);
        const given = finding(verdict, { severity: 'critical', details: ['a'] });
        advanceOne(open, undefined, given, policy, NOW);
        advance(book(open), [], ['disk'], policy, NOW);
        expect(open).toEqual(before);
      }
    }
  });
});

describe('a batch', () => {
  test('rules that were judged miss their subjects, others wait', () => {
    const open = book(incidentOf({ id: 1 }), incidentOf({ id: 2, rule: 'inodes' }));
    const changes = advance(open, [], ['disk'], policy, NOW);
    expect(changes.map(({ incident }) => [incident.id, incident.missingSince])).toEqual([[1, NOW]]);
  });

  test('a source that failed freezes every subject of its rule, whatever was judged', () => {
    const open = book(
      incidentOf({ id: 1, missingSince: 5 }),
      incidentOf({ id: 2, subject: '/srv', okSince: 5 }),
    );
    const changes = advance(open, [finding('unknown', { subject: '*' })], ['disk'], policy, NOW);
    expect(changes.map(({ incident }) => [incident.missingSince, incident.okSince])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(changes.every(({ incident }) => incident.state === 'firing')).toBe(true);
  });

  test('fine findings change nothing, and cost in proportion to their number', () => {
    const fine = (count: number) =>
      Array.from({ length: count }, (_, i) => finding('ok', { subject: `c${i}` }));
    expect(advance(book(), fine(500), ['disk'], policy, NOW)).toEqual([]);
    expectLinear((count) => advance(book(), fine(count), ['disk'], policy, NOW), 2000);
  });
});
