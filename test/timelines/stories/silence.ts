import { event, every, HOUR, memory, MINUTE, stopped, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'what starts and ends while silenced is recorded and never said',
    steps: [
      { at: 0, silence: { subject: 'web', seconds: HOUR } },
      { at: 60, findings: [stopped('web', true)] },
      { at: 120, findings: [stopped('web', false)] },
      { at: 2 * HOUR, findings: [] },
    ],
    said: [],
    incidents: ['waha-session web, resolved, critical'],
  },
  {
    name: 'what is still on when the silence ends is said once',
    steps: [
      { at: 0, silence: { subject: 'web', seconds: HOUR } },
      ...every(60, 60, 2 * HOUR - 60, () => ({ findings: [stopped('web', true)] })),
      { at: 2 * HOUR, findings: [stopped('web', false)] },
    ],
    said: ['01:00:00 first waha-session web, critical', '02:00:00 resolved waha-session web, critical'],
  },
  {
    name: 'said before the silence: no repeat and no end during it',
    steps: [
      { at: 0, findings: [stopped('web', true)] },
      { at: 60, silence: { subject: 'web', seconds: 5 * HOUR } },
      ...every(600, 600, 2 * HOUR, () => ({ findings: [stopped('web', true)] })),
      { at: 3 * HOUR, findings: [stopped('web', false)] },
      { at: 6 * HOUR, findings: [] },
    ],
    said: ['00:00:00 first waha-session web, critical'],
    incidents: ['waha-session web, resolved, critical'],
  },
  {
    name: 'worse while silenced is said when the silence ends early',
    steps: [
      { at: 0, findings: [memory(90)] },
      { at: 30, silence: { subject: 'MEMORY-available', seconds: HOUR } },
      { at: 60, findings: [memory(30)] },
      { at: 120, endSilence: 'memory-available' },
      { at: 150, findings: [memory(30)] },
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:02:30 worse memory-available host, warning -> critical',
    ],
  },
  {
    name: 'a Compose service silences its container, `all` everything, and events are not told later',
    steps: [
      { at: 0, silence: { subject: 'web', seconds: HOUR } },
      {
        at: 10,
        findings: [
          stopped('shop-web-1', true, { alias: 'web' }),
          stopped('shop-db-1', true, { alias: 'db' }),
        ],
      },
      { at: 20, endSilence: 'web', silence: { subject: 'Everything', seconds: HOUR } },
      { at: 30, findings: [event('oom-kill', 'n8n', { once: 'k' }), stopped('shop-db-1', false)] },
      { at: 2 * HOUR, findings: [event('oom-kill', 'n8n', { once: 'k' })] },
    ],
    said: [
      '00:00:10 first waha-session shop-db-1, critical',
      '02:00:00 first waha-session shop-web-1, critical',
    ],
  },
  {
    name: 'a window of vpsmon.yaml: every Wednesday from 12:30 to 13:00',
    extra: { silences: [{ subject: 'all', days: [3], from: 12 * 60 + 30, to: 13 * 60, reason: 'backup' }] },
    steps: [
      { at: 29 * MINUTE, findings: [stopped('a', true)] },
      { at: 30 * MINUTE, findings: [stopped('b', true)] },
      { at: 59 * MINUTE, findings: [stopped('a', false)] },
      { at: 60 * MINUTE, findings: [] },
    ],
    said: ['00:29:00 first waha-session a, critical', '01:00:00 first waha-session b, critical'],
  },
  {
    name: 'flapping that began in a silence is told as flapping when it is over',
    steps: [
      { at: 0, silence: { subject: 'web', seconds: 10 * MINUTE } },
      ...every(60, 0, 12 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
    ],
    said: ['00:10:00 flapping waha-session web, critical, 11 changes'],
  },
  {
    name: 'became stable while silenced: flapping again later is told as flapping again',
    steps: [
      ...every(30, 0, 180, (_at, i) => ({ findings: [stopped('web', i % 2 === 0)] })),
      { at: 240, silence: { subject: 'web', seconds: 15 * MINUTE } },
      ...every(60, 300, 30 * MINUTE, () => ({ findings: [stopped('web', true)] })),
      ...every(30, 31 * MINUTE, 34 * MINUTE, (_at, i) => ({ findings: [stopped('web', i % 2 === 1)] })),
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:00:30 resolved waha-session web, critical',
      '00:01:00 first waha-session web, critical',
      '00:01:30 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:02:30 flapping waha-session web, critical, 6 changes',
      '00:31:00 resolved waha-session web, critical',
      '00:31:30 first waha-session web, critical',
      '00:32:00 resolved waha-session web, critical',
      '00:32:30 first waha-session web, critical',
      '00:33:00 resolved waha-session web, critical',
      '00:33:30 flapping waha-session web, critical, 6 changes',
    ],
  },
  {
    name: 'a repeat tells nothing about what is silenced',
    steps: [
      { at: 0, findings: [stopped('a', true), stopped('b', true), stopped('c', true)] },
      { at: 60, silence: { subject: 'b', seconds: 5 * HOUR } },
      ...every(60, HOUR, HOUR + 20 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session a, critical',
      '00:00:00 first waha-session b, critical',
      '00:00:00 first waha-session c, critical',
      '01:00:00 repeat-due waha-session a, critical, and c',
    ],
  },
  {
    name: 'the end of one of a group, silenced while it waits for the others, is not told later',
    steps: [
      { at: 0, findings: ['a', 'b'].map((name) => stopped(name, true, { cause: 'x' })) },
      { at: 60, findings: [stopped('a', false)] },
      { at: 65, silence: { subject: 'a', seconds: 60 }, findings: [] },
      { at: 300, findings: [stopped('b', false)] },
    ],
    said: ['00:00:00 first waha-session a, critical, and b', '00:05:00 resolved waha-session b, critical'],
  },
];
