import { every, HOUR, memory, MINUTE, pressure, stopped, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'the clock is put forward by an hour: no repeat, and the length of the incident is right',
    steps: [
      { at: 0, findings: [memory(40)] },
      { at: 600, setClock: HOUR, findings: [memory(40)] },
      ...every(300, 900, HOUR + 300, () => ({ findings: [memory(40)] })),
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '01:00:00 repeat-due memory-available host, critical',
    ],
  },
  {
    name: 'the clock is put back by an hour: the repeats come as if it had not been',
    steps: [
      { at: 0, findings: [memory(40)] },
      { at: 600, setClock: -HOUR, findings: [memory(40)] },
      ...every(300, 900, HOUR + 300, () => ({ findings: [memory(40)] })),
      { at: 2 * HOUR, findings: [memory(400)] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '01:00:00 repeat-due memory-available host, critical',
      '02:00:00 resolved memory-available host, critical',
    ],
    incidents: ['memory-available host, resolved, critical, worst 40'],
  },
  {
    name: 'a hold time is not over because the clock was put forward',
    steps: [
      { at: 0, findings: [pressure(90)] },
      { at: 10, setClock: HOUR, findings: [pressure(90)] },
      { at: 20, findings: [pressure(40)] },
    ],
    said: [],
  },
  {
    name: 'put back over a restart: what was saved later than now does not hold anything up',
    steps: [
      { at: 0, findings: [stopped('web', true)] },
      { at: 60, setClock: -24 * HOUR, restart: true, findings: [stopped('web', true)] },
      ...every(600, 600, 2 * HOUR, () => ({ findings: [stopped('web', true)] })),
      { at: 2 * HOUR + 1, findings: [stopped('web', false)] },
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '01:10:00 repeat-due waha-session web, critical',
      '02:00:01 resolved waha-session web, critical',
    ],
  },
  {
    name: 'flapping is counted by time that passed, not by the clock',
    steps: [
      ...every(60, 0, 3 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      { at: 4 * MINUTE, setClock: -HOUR, findings: [stopped('web', true)] },
      { at: 5 * MINUTE, setClock: 2 * HOUR, findings: [stopped('web', false)] },
      { at: 16 * MINUTE, findings: [] },
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:01:00 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:03:00 resolved waha-session web, critical',
      '00:04:00 first waha-session web, critical',
      '00:05:00 flapping waha-session web, critical, 6 changes',
      '00:16:00 stable waha-session web, critical, fine, 6 changes',
    ],
  },
];
