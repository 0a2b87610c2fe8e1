import { event, every, finding, HOUR, memory, MINUTE, pressure, stopped, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'a restart of the monitor in the middle repeats nothing and forgets nothing',
    steps: [
      { at: 0, findings: [memory(40), stopped('web', true)] },
      { at: 300, restart: true, findings: [memory(40)] },
      { at: 330, restart: true, findings: [memory(90)] },
      { at: 600, restart: true, findings: [stopped('web', false)] },
      { at: 630, findings: [memory(500)] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '00:00:00 first waha-session web, critical',
      '00:10:00 resolved waha-session web, critical',
      '00:10:30 resolved memory-available host',
    ],
    incidents: ['memory-available host, resolved, warning, worst 40', 'waha-session web, resolved, critical'],
  },
  {
    name: 'a monitor that restarts every 5 minutes keeps to the repeats',
    steps: every(300, 0, 5 * HOUR, () => ({ restart: true, findings: [memory(40)] })),
    said: [
      '00:00:00 first memory-available host, critical',
      '01:00:00 repeat-due memory-available host, critical',
      '04:00:00 repeat-due memory-available host, critical',
    ],
  },
  {
    name: 'away for a day: one repeat, not three',
    steps: [
      { at: 0, findings: [memory(40)] },
      { at: 25 * HOUR, restart: true, findings: [memory(40)] },
      { at: 25 * HOUR + 30, findings: [memory(40)] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '1d 01:00:00 repeat-due memory-available host, critical',
    ],
  },
  {
    name: 'flapping goes on over a restart',
    steps: [
      ...every(30, 0, 3 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      { at: 4 * MINUTE, restart: true, findings: [stopped('web', false)] },
      { at: 5 * MINUTE, findings: [stopped('web', true)] },
      { at: 15 * MINUTE, findings: [stopped('web', true)] },
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:00:30 resolved waha-session web, critical',
      '00:01:00 first waha-session web, critical',
      '00:01:30 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:02:30 flapping waha-session web, critical, 6 changes',
      '00:15:00 stable waha-session web, critical, still on, 9 changes',
    ],
  },
  {
    name: 'changes before a restart count for flapping after it',
    steps: [
      ...every(30, 0, 90, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      { at: 120, restart: true, findings: [stopped('web', true)] },
      { at: 150, restart: true, findings: [stopped('web', false)] },
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:00:30 resolved waha-session web, critical',
      '00:01:00 first waha-session web, critical',
      '00:01:30 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:02:30 flapping waha-session web, critical, 6 changes',
    ],
  },
  {
    name: 'a pending value has to hold again after a restart',
    steps: [
      { at: 0, findings: [pressure(90)] },
      { at: 20, restart: true, findings: [pressure(90)] },
      { at: 40, findings: [pressure(90)] },
      { at: 50, findings: [pressure(90)] },
    ],
    said: ['00:00:50 first memory-pressure host, critical'],
  },
  {
    name: 'a group is remembered over a restart',
    steps: [
      { at: 0, findings: ['a', 'b'].map((name) => stopped(name, true, { cause: 'x' })) },
      { at: 4, findings: [stopped('c', true, { cause: 'x' })] },
      { at: 5, restart: true, findings: [] },
      { at: 20, findings: [] },
      { at: 100, findings: [stopped('a', false)] },
      { at: 101, restart: true, findings: [stopped('b', false), stopped('c', false)] },
    ],
    said: [
      '00:00:00 first waha-session a, critical, and b',
      '00:00:20 grouped waha-session c, critical',
      '00:01:41 resolved waha-session a, critical, and b c',
    ],
  },
  {
    name: 'a quiet time that had begun goes on over a restart',
    steps: [
      { at: 0, findings: [finding('restart-loop', 'web', 'breach')] },
      { at: 60, findings: [finding('restart-loop', 'web', 'ok')] },
      { at: 120, restart: true, findings: [] },
      ...every(60, 180, 900, () => ({ findings: [] })),
    ],
    said: ['00:00:00 first restart-loop web', '00:11:00 resolved restart-loop web'],
  },
  {
    name: 'a storm of kills is counted over a restart, and calm is counted from its last one',
    steps: [
      ...every(30, 0, 240, (at) => ({ findings: [event('oom-kill', 'n8n', { once: `k${at}` })] })),
      { at: 250, restart: true, findings: [] },
      { at: 270, findings: [event('oom-kill', 'n8n', { once: 'k270' })] },
      { at: 280, restart: true, findings: [] },
      ...every(30, 300, 900, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:02:30 flapping oom-kill n8n, critical, 6 changes',
      '00:14:30 stable oom-kill n8n, critical, fine, 10 changes',
    ],
  },
];
