import { DAY, every, HOUR, memory, MINUTE, stopped, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'more than 5 changes in 10 minutes: one message, quiet, then one when it has been stable for 10 minutes',
    steps: [
      ...every(30, 0, 20 * MINUTE, (_at, i) => ({ findings: [memory(i % 2 ? 200 : 90)] })),
      ...every(30, 20 * MINUTE + 30, 40 * MINUTE, () => ({ findings: [memory(200)] })),
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:00:30 resolved memory-available host',
      '00:01:00 first memory-available host',
      '00:01:30 resolved memory-available host',
      '00:02:00 first memory-available host',
      '00:02:30 flapping memory-available host, 6 changes',
      '00:30:30 stable memory-available host, fine, 42 changes',
    ],
    incidents: [
      'memory-available host, resolved, warning, worst 90',
      'memory-available host, resolved, warning, worst 90',
      'memory-available host, resolved, warning, worst 90',
    ],
  },
  {
    name: 'it may be stable and bad: then it goes on as an incident, repeated from there',
    steps: [
      ...every(30, 0, 5 * MINUTE, (_at, i) => ({ findings: [memory(i % 2 ? 200 : 90)] })),
      ...every(30, 5 * MINUTE + 30, 2 * HOUR, () => ({ findings: [memory(90)] })),
      { at: 2 * HOUR + 30, findings: [memory(200)] },
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:00:30 resolved memory-available host',
      '00:01:00 first memory-available host',
      '00:01:30 resolved memory-available host',
      '00:02:00 first memory-available host',
      '00:02:30 flapping memory-available host, 6 changes',
      '00:15:00 stable memory-available host, still on, 11 changes',
      '01:15:00 repeat-due memory-available host',
      '02:00:30 resolved memory-available host',
    ],
  },
  {
    name: 'a flapping warning that becomes critical for the first time is said',
    steps: [
      ...every(30, 0, 4 * MINUTE, (_at, i) => ({ findings: [memory(i % 2 ? 200 : 90)] })),
      ...every(30, 4 * MINUTE + 30, 8 * MINUTE, (_at, i) => ({ findings: [memory(i % 2 ? 200 : 40)] })),
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:00:30 resolved memory-available host',
      '00:01:00 first memory-available host',
      '00:01:30 resolved memory-available host',
      '00:02:00 first memory-available host',
      '00:02:30 flapping memory-available host, 6 changes',
      '00:04:30 worse memory-available host, warning -> critical',
    ],
  },
  {
    name: 'five changes in ten minutes are not flapping, however long that goes on',
    steps: [...every(150, 0, 25 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] }))],
    said: Array.from({ length: 11 }, (_, i) => {
      const at = i * 150;
      const time = `00:${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
      return `${time} ${i % 2 ? 'resolved' : 'first'} waha-session web, critical`;
    }),
  },
  {
    name: 'flapping twice in one incident is told twice',
    steps: [
      ...every(30, 0, 3 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      ...every(60, 4 * MINUTE, 30 * MINUTE, () => ({ findings: [] })),
      ...every(30, 31 * MINUTE, 35 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 1)] })),
      ...every(60, 36 * MINUTE, 60 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:00:30 resolved waha-session web, critical',
      '00:01:00 first waha-session web, critical',
      '00:01:30 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:02:30 flapping waha-session web, critical, 6 changes',
      '00:13:00 stable waha-session web, critical, still on, 7 changes',
      '00:31:00 resolved waha-session web, critical',
      '00:31:30 first waha-session web, critical',
      '00:32:00 resolved waha-session web, critical',
      '00:32:30 first waha-session web, critical',
      '00:33:00 resolved waha-session web, critical',
      '00:33:30 flapping waha-session web, critical, 6 changes',
      '00:45:00 stable waha-session web, critical, fine, 9 changes',
    ],
  },
  {
    name: 'a day of flapping is two messages',
    steps: [
      ...every(60, 0, DAY, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      { at: DAY + 1, findings: [stopped('web', false)] },
      ...every(60, DAY + 60, DAY + HOUR, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:01:00 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:03:00 resolved waha-session web, critical',
      '00:04:00 first waha-session web, critical',
      '00:05:00 flapping waha-session web, critical, 6 changes',
      '1d 00:11:00 stable waha-session web, critical, fine, 1442 changes',
    ],
  },
  {
    name: 'stable as a warning, then critical: that is worse than what was told',
    steps: [
      ...every(30, 0, 150, (_at, i) => ({ findings: [memory(i % 2 ? 200 : 40)] })),
      ...every(30, 180, 15 * MINUTE, () => ({ findings: [memory(90)] })),
      { at: 16 * MINUTE, findings: [memory(40)] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '00:00:30 resolved memory-available host, critical',
      '00:01:00 first memory-available host, critical',
      '00:01:30 resolved memory-available host, critical',
      '00:02:00 first memory-available host, critical',
      '00:02:30 flapping memory-available host, critical, 6 changes',
      '00:13:00 stable memory-available host, still on, 7 changes',
      '00:16:00 worse memory-available host, warning -> critical',
    ],
  },
];
