import { every, memory, pressure, type Story } from '../story.ts';

export const stories: Story[] = [
  {
    name: 'a value that dances on the limit for 200 checks is one incident',
    steps: [
      ...every(30, 0, 200 * 30, (_at, i) => ({ findings: [memory(i % 2 ? 105 : 95)] })),
      { at: 6030, findings: [memory(131)] },
    ],
    said: [
      '00:00:00 first memory-available host',
      '01:00:00 repeat-due memory-available host',
      '01:40:30 resolved memory-available host',
    ],
    incidents: ['memory-available host, resolved, warning, worst 95'],
  },
  {
    name: 'the worst value is kept, however the value ends',
    steps: [
      { at: 0, findings: [memory(90)] },
      { at: 30, findings: [memory(61)] },
      { at: 60, findings: [memory(99)] },
      { at: 90, findings: [memory(500)] },
    ],
    said: ['00:00:00 first memory-available host', '00:01:30 resolved memory-available host'],
    incidents: ['memory-available host, resolved, warning, worst 61'],
  },
  {
    name: 'pressure that does not hold for 30 s is not said',
    steps: [
      { at: 0, findings: [pressure(95)] },
      { at: 29, findings: [pressure(40)] },
      { at: 60, findings: [pressure(95)] },
      { at: 90, findings: [pressure(55)] },
      { at: 120, findings: [pressure(95)] },
    ],
    said: [],
    incidents: [],
  },
  {
    name: 'pressure that holds is said when the 30 s are over, and a clock that is 10 ms early does not delay it',
    steps: [
      { at: 0, findings: [pressure(65)] },
      { at: 29.99, findings: [pressure(66)] },
      { at: 60, findings: [pressure(52)] },
      { at: 90, findings: [pressure(49)] },
    ],
    said: ['00:00:29 first memory-pressure host', '00:01:30 resolved memory-pressure host'],
    incidents: ['memory-pressure host, resolved, warning, worst 66'],
  },
  {
    name: 'a first breach, then nothing to be seen for an hour: the hold time begins anew',
    steps: [
      { at: 0, findings: [pressure(65)] },
      { at: 3600, findings: [pressure(65)] },
      { at: 3630, findings: [pressure(65)] },
    ],
    said: ['01:00:30 first memory-pressure host'],
  },
  {
    name: 'a check interval of an hour does not keep a hold time of 30 s from being over',
    settings: { SERVICE_CHECK_INTERVAL: 3600 },
    steps: [
      { at: 0, findings: [pressure(65)] },
      { at: 3600, findings: [pressure(65)] },
    ],
    said: ['01:00:00 first memory-pressure host'],
  },
];
