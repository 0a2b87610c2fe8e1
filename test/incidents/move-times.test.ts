import { expect, test } from 'vitest';
import { moveTimes } from '../../src/incidents/memory.ts';
import { jumpWatch } from '../../src/model/jump.ts';
import { incidentOf } from '../helpers/incident.ts';

const death = {
  id: '1',
  name: 'web',
  at: 100,
  startedAt: 50,
  createdAt: 40,
  exitCode: 1,
  cause: 'crash',
  restartCount: 0,
  autoRemove: false,
} as const;

test('every time of an incident moves, nothing else does, and the old one is left alone', () => {
  const incident = incidentOf({
    openedAt: 100,
    firedAt: 110,
    resolvedAt: 200,
    okSince: 190,
    worseSince: 120,
    missingSince: 130,
    lastSeenAt: 195,
    flips: [110, 200],
    value: 100,
    notified: { count: 3, firstAt: 110, lastAt: 150, since: 140, endDue: 300, withId: 9 },
    ack: { by: 'Ada', at: 160, severity: 'warning' },
    fact: { kind: 'stopped', name: 'web', at: 100, restartCount: 0, death },
    endFact: { kind: 'over', name: 'web', at: 200, condition: 'stopped', because: 'back' },
  });
  const before = structuredClone(incident);
  expect(moveTimes(incident, 1000)).toEqual({
    ...before,
    openedAt: 1100,
    firedAt: 1110,
    resolvedAt: 1200,
    okSince: 1190,
    worseSince: 1120,
    missingSince: 1130,
    lastSeenAt: 1195,
    flips: [1110, 1200],
    notified: { count: 3, firstAt: 1110, lastAt: 1150, since: 1140, endDue: 1300, withId: 9 },
    ack: { by: 'Ada', at: 1160, severity: 'warning' },
    fact: {
      ...before.fact,
      at: 1100,
      death: { ...death, at: 1100, startedAt: 1050, createdAt: 1040 },
    },
    endFact: { ...before.endFact, at: 1200 },
  });
  expect(incident).toEqual(before);
});

test('no time of an incident is forgotten: shifting back gives the same', () => {
  const incident = incidentOf({ okSince: 5, notified: { count: 1, lastAt: 7 } });
  expect(moveTimes(moveTimes(incident, 12_345), -12_345)).toEqual(incident);
});

test('a set clock is noticed once; drift and time that passes are not', () => {
  const clock = { wall: 0, mono: 0, now: () => clock.wall, monotonic: () => clock.mono };
  const jump = jumpWatch(clock);
  const pass = (wall: number, mono: number) => {
    clock.wall += wall;
    clock.mono += mono;
    return jump();
  };
  expect(pass(30_000, 30_000)).toBe(0);
  expect(pass(30_040, 30_000)).toBe(0);
  expect(pass(3_630_000, 30_000)).toBe(3_600_000);
  expect(pass(30_000, 30_000)).toBe(0);
  expect(pass(-3_570_000, 30_000)).toBe(-3_600_000);
});
