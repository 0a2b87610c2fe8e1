import { event, HOUR, memory, stopped, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'a store that cannot be written loses nothing: all is saved and said, in order, when it can be again',
    steps: [
      { at: 0, findings: [memory(90)] },
      { at: 30, diskFull: true, findings: [memory(40)] },
      { at: 60, findings: [stopped('web', true), event('oom-kill', 'n8n', { once: 'k1' })] },
      { at: 90, findings: [event('oom-kill', 'n8n', { once: 'k1' })] },
      { at: 120, findings: [memory(300)] },
      { at: HOUR / 2, diskFull: false, findings: [] },
      { at: HOUR, findings: [event('oom-kill', 'n8n', { once: 'k1' })] },
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:00:30 worse memory-available host, warning -> critical',
      '00:01:00 first waha-session web, critical',
      '00:01:00 first oom-kill n8n, critical',
      '00:02:00 resolved memory-available host, critical',
    ],
    incidents: [
      'memory-available host, resolved, critical, worst 40',
      'waha-session web, firing, critical',
      'oom-kill n8n, resolved event, critical',
    ],
  },
];
