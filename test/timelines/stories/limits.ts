import { every, finding, HOUR, MINUTE, stopped, type Story } from '../story.ts';

const disk = (mount: string) => finding('disk', mount, 'breach');

export const stories: Story[] = [
  {
    name: 'repeats of one type keep ALERT_RATE_LIMIT_SEC between them; what starts is said at once',
    settings: { ALERT_RATE_LIMIT_SEC: 1200 },
    steps: [
      { at: 0, findings: [disk('/a')] },
      { at: 50 * MINUTE, findings: [disk('/b')] },
      ...every(60, HOUR, HOUR + 30 * MINUTE, () => ({ findings: [disk('/a')] })),
    ],
    said: ['00:00:00 first disk /a', '00:50:00 first disk /b', '01:10:00 repeat-due disk /a'],
  },
  {
    name: 'repeats about one service keep ALERT_COOLDOWN_MINUTES between them, whatever they are about',
    settings: { ALERT_COOLDOWN_MINUTES: 15, ALERT_RATE_LIMIT_SEC: 0 },
    steps: [
      { at: 0, findings: [stopped('web', true)] },
      { at: 50 * MINUTE, findings: [finding('container-unhealthy', 'web', 'breach')] },
      ...every(60, HOUR, HOUR + 30 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:50:00 first container-unhealthy web',
      '01:05:00 repeat-due waha-session web, critical',
    ],
  },
  {
    name: 'a service may have its own cooldown, by its Compose name',
    settings: { ALERT_COOLDOWN_MINUTES: 15, ALERT_RATE_LIMIT_SEC: 0 },
    extra: { services: [{ name: 'web', cooldownMinutes: 30 }] },
    steps: [
      { at: 0, findings: [stopped('shop-web-1', true, { alias: 'web' })] },
      {
        at: 50 * MINUTE,
        findings: [finding('container-unhealthy', 'shop-web-1', 'breach', { alias: 'web' })],
      },
      ...every(60, HOUR, HOUR + 30 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first waha-session shop-web-1, critical',
      '00:50:00 first container-unhealthy shop-web-1',
      '01:20:00 repeat-due waha-session shop-web-1, critical',
    ],
  },
  {
    name: 'a start right after an end is said, and so is its end: only repeats are limited',
    settings: { ALERT_COOLDOWN_MINUTES: 60, ALERT_RATE_LIMIT_SEC: 3600 },
    steps: [
      { at: 0, findings: [stopped('web', true)] },
      { at: 60, findings: [stopped('web', false)] },
      { at: 120, findings: [stopped('web', true)] },
      { at: 180, findings: [stopped('web', false)] },
    ],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:01:00 resolved waha-session web, critical',
      '00:02:00 first waha-session web, critical',
      '00:03:00 resolved waha-session web, critical',
    ],
  },
  {
    name: 'nothing that is only information is repeated',
    steps: [
      { at: 0, findings: [finding('container-started', 'x', 'breach', { severity: 'info' })] },
      ...every(600, 600, 5 * HOUR, () => ({
        findings: [finding('container-started', 'x', 'breach', { severity: 'info' })],
      })),
    ],
    said: ['00:00:00 first container-started x, info'],
  },
  {
    name: 'down and up again in one batch is told as two',
    steps: [{ at: 0, findings: [stopped('web', true), stopped('web', false), stopped('web', true)] }],
    said: [
      '00:00:00 first waha-session web, critical',
      '00:00:00 resolved waha-session web, critical',
      '00:00:00 first waha-session web, critical',
    ],
    incidents: ['waha-session web, resolved, critical', 'waha-session web, firing, critical'],
  },
];
