import { DAY, every, HOUR, memory, pressure, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'getting worse is said at once; back in the warning zone it stays open and is not said as new',
    steps: [
      { at: 0, findings: [memory(90)] },
      { at: 30, findings: [memory(40)] },
      { at: 60, findings: [memory(90)] },
      { at: 90, findings: [memory(45)] },
      { at: 120, findings: [memory(90)] },
      { at: 150, findings: [memory(200)] },
    ],
    said: [
      '00:00:00 first memory-available host',
      '00:00:30 worse memory-available host, warning -> critical',
      '00:02:30 resolved memory-available host',
    ],
    incidents: ['memory-available host, resolved, warning, worst 40'],
  },
  {
    name: 'critical from the start is said once',
    steps: [
      { at: 0, findings: [memory(20)] },
      { at: 30, findings: [memory(80)] },
      { at: 60, findings: [memory(20)] },
    ],
    said: ['00:00:00 first memory-available host, critical'],
  },
  {
    name: 'critical again after hours as a warning is said again',
    steps: [
      { at: 0, findings: [memory(20)] },
      { at: 30, findings: [memory(80)] },
      { at: 2 * HOUR, findings: [memory(80)] },
      { at: 3 * HOUR + 30, findings: [memory(20)] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '02:00:00 repeat-due memory-available host',
      '03:00:30 worse memory-available host, critical -> critical',
    ],
  },
  {
    name: 'a peak of pressure shorter than its hold time does not make a warning critical',
    steps: [
      { at: 0, findings: [pressure(65)] },
      { at: 30, findings: [pressure(65)] },
      { at: 60, findings: [pressure(95)] },
      { at: 90, findings: [pressure(65)] },
      { at: 120, findings: [pressure(95)] },
      { at: 150, findings: [pressure(95)] },
    ],
    said: ['00:00:30 first memory-pressure host', '00:02:30 worse memory-pressure host, warning -> critical'],
  },
  {
    name: 'it is repeated after 1 h, 4 h, then daily',
    steps: every(60, 0, 3 * DAY + HOUR, () => ({ findings: [memory(40)] })),
    said: [
      '00:00:00 first memory-available host, critical',
      '01:00:00 repeat-due memory-available host, critical',
      '04:00:00 repeat-due memory-available host, critical',
      '1d 00:00:00 repeat-due memory-available host, critical',
      '2d 00:00:00 repeat-due memory-available host, critical',
      '3d 00:00:00 repeat-due memory-available host, critical',
    ],
    incidents: ['memory-available host, firing, critical, worst 40'],
  },
  {
    name: 'getting worse begins the repeats anew',
    steps: every(60, 0, 2 * HOUR, (at) => ({ findings: [memory(at < 50 * 60 ? 90 : 40)] })),
    said: [
      '00:00:00 first memory-available host',
      '00:50:00 worse memory-available host, warning -> critical',
      '01:50:00 repeat-due memory-available host, critical',
    ],
  },
];
