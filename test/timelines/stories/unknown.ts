import { every, finding, memory, MINUTE, pressure, stopped, type Story } from '../story.ts';
import type { RuleId } from '../../../src/model/rules.ts';

const unseen = (rule: RuleId) => finding(rule, '*', 'unknown');
const disk = (mount: string, full: boolean) => finding('disk', mount, full ? 'breach' : 'ok');

export const stories: Story[] = [
  {
    name: 'a source that fails freezes its incidents, and they go on when it comes back',
    steps: [
      { at: 0, findings: [disk('/', true)], judged: ['disk'] },
      ...every(30, 30, 30 * MINUTE, () => ({ findings: [unseen('disk')], judged: ['disk'] })),
      { at: 31 * MINUTE, findings: [disk('/', true)], judged: ['disk'] },
      { at: 32 * MINUTE, findings: [disk('/', false)], judged: ['disk'] },
    ],
    said: ['00:00:00 first disk /', '00:32:00 resolved disk /'],
  },
  {
    name: 'a value that cannot be told freezes just its own subject',
    steps: [
      { at: 0, findings: [disk('/', true), disk('/data', true)] },
      { at: 30, findings: [finding('disk', '/', 'unknown'), disk('/data', false)] },
      { at: 60, findings: [finding('disk', '/', 'unknown')] },
    ],
    said: ['00:00:00 first disk /', '00:00:00 first disk /data', '00:00:30 resolved disk /data'],
    incidents: ['disk /, firing, warning', 'disk /data, resolved, warning'],
  },
  {
    name: 'unmounted: gone after 5 minutes',
    steps: [
      { at: 0, findings: [disk('/mnt', true), disk('/', false)], judged: ['disk'] },
      ...every(30, 30, 330, () => ({ findings: [disk('/', false)], judged: ['disk'] })),
    ],
    said: ['00:00:00 first disk /mnt', '00:05:30 resolved disk /mnt'],
    incidents: ['disk /mnt, resolved, warning, gone'],
  },
  {
    name: 'missing for a moment, or while the source failed, is not gone',
    steps: [
      { at: 0, findings: [disk('/mnt', true)], judged: ['disk'] },
      ...every(30, 30, 270, () => ({ findings: [], judged: ['disk'] })),
      { at: 300, findings: [unseen('disk')], judged: ['disk'] },
      { at: 330, findings: [], judged: ['disk'] },
      { at: 360, findings: [disk('/mnt', true)], judged: ['disk'] },
      ...every(30, 390, 600, () => ({ findings: [], judged: ['disk'] })),
    ],
    said: ['00:00:00 first disk /mnt'],
    incidents: ['disk /mnt, firing, warning'],
  },
  {
    name: 'findings in between, about something else, say nothing about the rest',
    steps: [
      { at: 0, findings: [memory(40)], judged: ['memory-available'] },
      ...every(60, 60, 50 * MINUTE, () => ({ findings: [stopped('x', false)], judged: [] })),
      { at: 51 * MINUTE, findings: [memory(400)], judged: ['memory-available'] },
    ],
    said: [
      '00:00:00 first memory-available host, critical',
      '00:51:00 resolved memory-available host, critical',
    ],
  },
  {
    name: 'a batch in between does not make a value hold that was seen once',
    steps: [
      { at: 0, findings: [pressure(90)], judged: ['memory-pressure'] },
      { at: 30, findings: [stopped('x', false)] },
      { at: 31, findings: [pressure(10)], judged: ['memory-pressure'] },
    ],
    said: [],
  },
  {
    name: 'a pending value whose source fails is not forgotten, nor said blindly',
    steps: [
      { at: 0, findings: [pressure(90)] },
      { at: 30, findings: [unseen('memory-pressure')] },
      { at: 60, findings: [pressure(90)] },
    ],
    said: ['00:01:00 first memory-pressure host, critical'],
  },
  {
    name: 'a restart loop ends after 10 quiet minutes, told by one finding and by time',
    steps: [
      { at: 0, findings: [finding('restart-loop', 'web', 'breach')] },
      { at: 60, findings: [finding('restart-loop', 'web', 'ok')] },
      { at: 500, findings: [finding('restart-loop', 'web', 'breach')] },
      { at: 600, findings: [finding('restart-loop', 'web', 'ok')] },
      ...every(60, 660, 1260, () => ({ findings: [] })),
    ],
    said: ['00:00:00 first restart-loop web', '00:20:00 resolved restart-loop web'],
    incidents: ['restart-loop web, resolved, warning'],
  },
  {
    name: 'what flaps and cannot be seen is not stable',
    steps: [
      ...every(30, 0, 150, (_at, i) => ({ findings: [disk('/', i % 2 === 0)] })),
      ...every(30, 180, 20 * MINUTE, () => ({ findings: [unseen('disk')], judged: ['disk'] })),
      ...every(30, 20 * MINUTE + 30, 31 * MINUTE, () => ({ findings: [disk('/', false)], judged: ['disk'] })),
    ],
    said: [
      '00:00:00 first disk /',
      '00:00:30 resolved disk /',
      '00:01:00 first disk /',
      '00:01:30 resolved disk /',
      '00:02:00 first disk /',
      '00:02:30 flapping disk /, 6 changes',
      '00:30:00 stable disk /, fine, 6 changes',
    ],
  },
];
