import { describe, expect, test } from 'vitest';
import { decide, isMessage, repeatDueAt, type Reason, type Situation } from '../../src/incidents/decide.ts';
import { policyOf } from '../../src/incidents/policy.ts';
import { configWith } from '../helpers/command.ts';
import { incidentOf } from '../helpers/incident.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 100 * HOUR;
const policy = policyOf(configWith({}));

const told = (agoMs: number, more = {}) => ({
  count: 1,
  firstAt: NOW - agoMs,
  lastAt: NOW - agoMs,
  since: NOW - agoMs,
  severity: 'warning' as const,
  ...more,
});

/** A row: what the situation is, and the reason that comes out of it. */
const rows: [string, Partial<Situation>, Reason][] = [
  ['fires and was never told', {}, 'first'],
  ['an event', { kind: 'event', incident: incidentOf({ event: true, state: 'resolved' }) }, 'first'],
  ['pending', { kind: 'opened', incident: incidentOf({ state: 'pending' }) }, 'nothing-new'],
  ['told and still on', { incident: incidentOf({ notified: told(10 * MINUTE) }) }, 'nothing-new'],
  [
    'more severe than was told',
    { incident: incidentOf({ severity: 'critical', notified: told(MINUTE) }) },
    'worse',
  ],
  [
    'less severe than was told',
    { incident: incidentOf({ notified: told(MINUTE, { severity: 'critical' }) }) },
    'nothing-new',
  ],
  [
    'as severe as was told before, for the second time, a minute later',
    {
      kind: 'worse',
      incident: incidentOf({ severity: 'critical', notified: told(MINUTE, { severity: 'critical' }) }),
    },
    'nothing-new',
  ],
  [
    'as severe as was told before, an hour later',
    {
      kind: 'worse',
      incident: incidentOf({ severity: 'critical', notified: told(HOUR, { severity: 'critical' }) }),
    },
    'worse',
  ],
  ['told an hour ago', { incident: incidentOf({ notified: told(HOUR) }) }, 'repeat-due'],
  [
    'told an hour ago, but its type 9 minutes ago',
    { incident: incidentOf({ notified: told(HOUR) }), lastOfRule: NOW - 9 * MINUTE },
    'rate-limited',
  ],
  [
    'told an hour ago, its type 10 minutes ago',
    { incident: incidentOf({ notified: told(HOUR) }), lastOfRule: NOW - 10 * MINUTE },
    'repeat-due',
  ],
  [
    'told an hour ago, but its service 4 minutes ago',
    { incident: incidentOf({ notified: told(HOUR) }), lastOfSubject: NOW - 4 * MINUTE },
    'cooldown',
  ],
  [
    'about the host, which is no service',
    { incident: incidentOf({ subject: 'host', notified: told(HOUR) }), lastOfSubject: NOW - 4 * MINUTE },
    'repeat-due',
  ],
  [
    'due, but fine at the moment',
    { incident: incidentOf({ notified: told(HOUR), okSince: NOW - MINUTE }) },
    'nothing-new',
  ],
  [
    'due, but not found at the moment',
    { incident: incidentOf({ notified: told(HOUR), missingSince: NOW - MINUTE }) },
    'nothing-new',
  ],
  [
    'ended, and its start was told',
    { kind: 'resolved', incident: incidentOf({ state: 'resolved', notified: told(MINUTE) }) },
    'resolved',
  ],
  [
    'ended, and its start was told in another message',
    { kind: 'resolved', incident: incidentOf({ state: 'resolved', notified: { count: 0, withId: 7 } }) },
    'resolved',
  ],
  [
    'ended, and nobody knew of it',
    { kind: 'resolved', incident: incidentOf({ state: 'resolved' }) },
    'nothing-new',
  ],
  [
    'ends and starts are said, whatever was said a second ago',
    {
      kind: 'resolved',
      incident: incidentOf({ state: 'resolved', notified: told(1000) }),
      lastOfRule: NOW - 1000,
      lastOfSubject: NOW - 1000,
    },
    'resolved',
  ],
  ['a start a second after another', { lastOfRule: NOW - 1000, lastOfSubject: NOW - 1000 }, 'first'],
  [
    'begins to flap',
    { kind: 'flapping', incident: incidentOf({ flapping: true, notified: told(MINUTE) }) },
    'flapping',
  ],
  [
    'goes on flapping',
    { kind: 'still', incident: incidentOf({ flapping: true, notified: told(HOUR, { flapping: true }) }) },
    'still-flapping',
  ],
  [
    'flaps, and is critical for the first time',
    {
      incident: incidentOf({
        flapping: true,
        severity: 'critical',
        notified: told(MINUTE, { flapping: true }),
      }),
    },
    'worse',
  ],
  [
    'flaps, and would be worse but is fine at the moment',
    {
      incident: incidentOf({
        flapping: true,
        severity: 'critical',
        okSince: NOW,
        notified: told(MINUTE, { flapping: true }),
      }),
    },
    'still-flapping',
  ],
  [
    'stopped flapping, still on',
    { kind: 'calm', incident: incidentOf({ notified: told(MINUTE, { flapping: true }) }) },
    'stable',
  ],
  [
    'stopped flapping, and ended',
    {
      kind: 'resolved',
      incident: incidentOf({ state: 'resolved', notified: told(MINUTE, { flapping: true }) }),
    },
    'stable',
  ],
  ['silenced', { silenced: true }, 'silenced'],
  [
    'silenced, and nothing to say',
    { silenced: true, incident: incidentOf({ notified: told(MINUTE) }) },
    'nothing-new',
  ],
  ['told in a list', { kind: 'fired', quiet: true }, 'sent-elsewhere'],
  ['muted: not even repeated', { muted: true, incident: incidentOf({ notified: told(HOUR) }) }, 'muted'],
  ['its like was sent within the cooldown', { kind: 'event', cooling: true }, 'cooldown'],
  ['silenced before it is told in a list', { kind: 'fired', quiet: true, silenced: true }, 'silenced'],
  [
    'waits to be told with others',
    { incident: incidentOf({ id: 5, groupId: 2, event: true, state: 'resolved' }) },
    'first',
  ],
];

describe('decide', () => {
  test.each(rows)('%s', (_name, situation, expected) => {
    expect(decide({ incident: incidentOf(), silenced: false, ...situation }, policy, NOW)).toBe(expected);
  });

  test('every reason comes out of some situation, or of what gathers messages', () => {
    const seen = new Set(rows.map(([, , reason]) => reason));
    const all: Reason[] = ['first', 'worse', 'repeat-due', 'resolved', 'flapping', 'stable'];
    for (const reason of all) expect(seen).toContain(reason);
    expect(all.every(isMessage)).toBe(true);
    expect([...seen].filter((reason) => !isMessage(reason)).toSorted()).toEqual([
      'cooldown',
      'muted',
      'nothing-new',
      'rate-limited',
      'sent-elsewhere',
      'silenced',
      'still-flapping',
    ]);
  });
});

describe('repeats', () => {
  test('1 h, 4 h, then 24 h, 48 h, 72 h after the first message', () => {
    const since = NOW;
    let lastAt = NOW;
    const dues: number[] = [];
    for (let i = 0; i < 5; i++) {
      lastAt = repeatDueAt(incidentOf({ notified: { count: 1, since, lastAt } }), policy)!;
      dues.push((lastAt - since) / HOUR);
    }
    expect(dues).toEqual([1, 4, 24, 48, 72]);
  });

  test('one told 10 minutes early, together with others, counts', () => {
    const notified = { count: 1, since: 0, lastAt: 50 * MINUTE };
    expect(repeatDueAt(incidentOf({ notified }), policy)).toBe(4 * HOUR);
  });

  test('a rate limit of a day leaves one a day', () => {
    const daily = policyOf(configWith({ ALERT_RATE_LIMIT_SEC: 86_400 }));
    const notified = { count: 1, since: 0, lastAt: 0 };
    expect(repeatDueAt(incidentOf({ notified }), daily)).toBe(48 * HOUR);
  });

  test('never of what was not told, nor of information', () => {
    expect(repeatDueAt(incidentOf(), policy)).toBeUndefined();
    expect(
      repeatDueAt(incidentOf({ severity: 'info', notified: { count: 1, since: 0, lastAt: 0 } }), policy),
    ).toBeUndefined();
  });
});
