import { every, finding, HOUR, stopped, type Story } from '../story.ts';

const names = Array.from({ length: 30 }, (_, i) => `c${i + 1}`);
const cause = { cause: 'network-gone' };
const docker = (down: boolean) =>
  finding('docker-gone', 'docker', down ? 'breach' : 'ok', { severity: 'critical', cause: 'docker-gone' });
const source = (failed: boolean) =>
  finding('source-failed', 'docker', failed ? 'breach' : 'ok', failed ? { cause: 'docker-gone' } : {});

export const stories: Story[] = [
  {
    name: '30 containers that stop at once are one message, and so is that all are back',
    steps: [
      { at: 0, findings: names.map((name) => stopped(name, true, cause)) },
      { at: 60, findings: names.map((name) => stopped(name, false)) },
    ],
    said: [
      `00:00:00 first waha-session c1, critical, and ${names.slice(1).join(' ')}`,
      `00:01:00 resolved waha-session c1, critical, and ${names.slice(1).join(' ')}`,
    ],
  },
  {
    name: 'one after the other within 10 s: the first at once, the others together with the next',
    steps: [
      { at: 0, findings: [stopped('c1', true, cause)] },
      { at: 2, findings: [stopped('c2', true, cause)] },
      { at: 4, findings: [stopped('c3', true, cause)] },
      { at: 9, findings: [stopped('c4', true, cause)] },
      { at: 11, findings: [stopped('c5', true, cause)] },
      { at: 30, findings: [] },
    ],
    said: [
      '00:00:00 first waha-session c1, critical',
      '00:00:11 first waha-session c5, critical, and c2 c3 c4',
    ],
  },
  {
    name: 'those that came within 10 s are told together when these are over',
    steps: [
      { at: 0, findings: [stopped('c1', true, cause)] },
      { at: 2, findings: [stopped('c2', true, cause)] },
      { at: 4, findings: [stopped('c3', true, cause)] },
      { at: 30, findings: [] },
      { at: 60, findings: ['c1', 'c2', 'c3'].map((name) => stopped(name, false)) },
    ],
    said: [
      '00:00:00 first waha-session c1, critical',
      '00:00:30 grouped waha-session c2, critical, and c3',
      '00:01:00 resolved waha-session c1, critical, and c2 c3',
    ],
  },
  {
    name: 'one that was waiting to be told and is back by then is not told',
    steps: [
      { at: 0, findings: [stopped('c1', true, cause)] },
      { at: 2, findings: [stopped('c2', true, cause)] },
      { at: 4, findings: [stopped('c2', false)] },
      { at: 30, findings: [] },
      { at: 60, findings: [stopped('c1', false)] },
    ],
    said: ['00:00:00 first waha-session c1, critical', '00:01:00 resolved waha-session c1, critical'],
    incidents: ['waha-session c1, resolved, critical', 'waha-session c2, resolved, critical'],
  },
  {
    name: 'ends that come one by one within 10 s are one message; a straggler is told when it is back',
    steps: [
      { at: 0, findings: ['c1', 'c2', 'c3'].map((name) => stopped(name, true, cause)) },
      { at: 100, findings: [stopped('c2', false)] },
      { at: 105, findings: [stopped('c1', false)] },
      { at: 111, findings: [] },
      { at: 200, findings: [stopped('c3', false)] },
    ],
    said: [
      '00:00:00 first waha-session c1, critical, and c2 c3',
      '00:01:51 resolved waha-session c1, critical, and c2',
      '00:03:20 resolved waha-session c3, critical',
    ],
  },
  {
    name: 'an end that waits for others is not told where it has begun anew',
    steps: [
      { at: 0, findings: ['c1', 'c2'].map((name) => stopped(name, true, cause)) },
      { at: 60, findings: [stopped('c2', false)] },
      { at: 90, findings: [stopped('c2', true, cause)] },
      { at: 150, findings: ['c1', 'c2'].map((name) => stopped(name, false)) },
    ],
    said: [
      '00:00:00 first waha-session c1, critical, and c2',
      '00:01:30 first waha-session c2, critical',
      '00:02:30 resolved waha-session c1, critical',
      '00:02:30 resolved waha-session c2, critical',
    ],
  },
  {
    name: 'Docker gone is one message: that its source fails a minute later is its symptom, and so is that one’s end',
    steps: [
      { at: 0, findings: [docker(true)] },
      { at: 90, findings: [source(true)] },
      { at: 300, findings: [docker(false)] },
      { at: 330, findings: [source(false)] },
    ],
    said: ['00:00:00 first docker-gone docker, critical', '00:05:00 resolved docker-gone docker, critical'],
    incidents: ['docker-gone docker, resolved, critical', 'source-failed docker, resolved, warning'],
  },
  {
    name: 'the symptom first: its cause is more severe, and is told',
    steps: [
      { at: 0, findings: [source(true)] },
      { at: 5, findings: [docker(true)] },
      { at: 300, findings: [docker(false)] },
      { at: 330, findings: [source(false)] },
    ],
    said: [
      '00:00:00 first source-failed docker',
      '00:00:05 first docker-gone docker, critical',
      '00:05:00 resolved docker-gone docker, critical',
      '00:05:30 resolved source-failed docker',
    ],
  },
  {
    name: 'repeats of one rule that are due together are one message',
    steps: [
      { at: 0, findings: [stopped('c1', true)] },
      { at: 120, findings: [stopped('c2', true)] },
      { at: 2000, findings: [stopped('c3', true)] },
      ...every(60, HOUR, 2 * HOUR, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session c1, critical',
      '00:02:00 first waha-session c2, critical',
      '00:33:20 first waha-session c3, critical',
      '01:00:00 repeat-due waha-session c1, critical, and c2',
      '01:34:00 repeat-due waha-session c3, critical',
    ],
  },
  {
    name: 'without a cause each is told by itself',
    steps: [{ at: 0, findings: [stopped('c1', true), stopped('c2', true)] }],
    said: ['00:00:00 first waha-session c1, critical', '00:00:00 first waha-session c2, critical'],
  },
  {
    name: 'a symptom that outlives its cause is repeated, and then its end is told',
    // So that the cause is remembered to the end of the story.
    extra: { services: [{ name: 'other', cooldownMinutes: 1440 }] },
    steps: [
      { at: 0, findings: [docker(true)] },
      { at: 5, findings: [source(true)] },
      { at: 300, findings: [docker(false)] },
      ...every(300, 600, HOUR + 300, () => ({ findings: [source(true)] })),
      { at: 2 * HOUR, findings: [source(false)] },
    ],
    said: [
      '00:00:00 first docker-gone docker, critical',
      '00:05:00 resolved docker-gone docker, critical',
      '01:05:00 repeat-due source-failed docker',
      '02:00:00 resolved source-failed docker',
    ],
  },
  {
    name: 'a symptom is not repeated while its cause is, and does not catch up when that ends',
    steps: [
      { at: 0, findings: [docker(true)] },
      { at: 5, findings: [source(true)] },
      ...every(60, 60, HOUR + 60, () => ({ findings: [docker(true), source(true)] })),
      { at: HOUR + 300, findings: [docker(false)] },
      { at: HOUR + 330, findings: [source(false)] },
    ],
    said: [
      '00:00:00 first docker-gone docker, critical',
      '01:00:00 repeat-due docker-gone docker, critical',
      '01:05:00 resolved docker-gone docker, critical',
    ],
  },
];
