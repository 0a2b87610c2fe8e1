import { DAY, event, every, finding, HOUR, MINUTE, type Story } from '../story.ts';

const kill = (id: string, container = 'n8n') =>
  event('oom-kill', container, { once: id, cause: `oom:${container}` });

export const stories: Story[] = [
  {
    name: 'an OOM kill is told once, however often it is found in the kernel log, and after a restart, too',
    steps: [
      ...every(30, 0, 10 * MINUTE, () => ({ findings: [kill('k1')] })),
      { at: 601, restart: true, findings: [kill('k1')] },
      { at: DAY, findings: [kill('k1')] },
    ],
    said: ['00:00:00 first oom-kill n8n, critical'],
    incidents: ['oom-kill n8n, resolved event, critical'],
  },
  {
    name: 'four kills found at once are one message',
    steps: [{ at: 0, findings: [kill('a'), kill('b'), kill('c'), kill('c'), kill('d')] }],
    said: ['00:00:00 first oom-kill n8n, critical, and n8n n8n n8n'],
    incidents: Array.from({ length: 4 }, () => 'oom-kill n8n, resolved event, critical'),
  },
  {
    name: 'kills of two containers at once have two causes',
    steps: [{ at: 0, findings: [kill('a', 'n8n'), kill('b', 'waha')] }],
    said: ['00:00:00 first oom-kill n8n, critical', '00:00:00 first oom-kill waha, critical'],
  },
  {
    name: 'further kills in the same container are counted, and told when it is over',
    steps: [
      { at: 0, findings: [kill('a')] },
      { at: 3, findings: [kill('b')] },
      { at: 6, findings: [kill('c')] },
      { at: 9, findings: [] },
      { at: 30, findings: [] },
      { at: 60, findings: [] },
      { at: 605, findings: [] },
      { at: 606, findings: [] },
    ],
    said: ['00:00:00 first oom-kill n8n, critical', '00:10:06 resolved oom-kill n8n, critical'],
    incidents: ['oom-kill n8n, resolved event, critical'],
  },
  {
    name: 'on the host at large each kill has another victim: they are told, those within 10 s together',
    steps: [
      { at: 0, findings: [kill('a', 'host')] },
      { at: 3, findings: [kill('b', 'host')] },
      { at: 6, findings: [kill('c', 'host')] },
      { at: 30, findings: [] },
      { at: 300, findings: [kill('d', 'host')] },
    ],
    said: [
      '00:00:00 first oom-kill host, critical',
      '00:00:30 grouped oom-kill host, critical, and host',
      '00:05:00 first oom-kill host, critical',
    ],
  },
  {
    name: 'a kill in another container is told at once, and one after 10 quiet minutes is a new story',
    steps: [
      { at: 0, findings: [kill('a')] },
      { at: 60, findings: [kill('b')] },
      { at: 61, findings: [kill('c', 'waha')] },
      ...every(30, 90, 690, () => ({ findings: [] })),
      { at: 700, findings: [kill('d')] },
      { at: DAY, findings: [] },
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:01:01 first oom-kill waha, critical',
      '00:11:00 resolved oom-kill n8n, critical',
      '00:11:40 first oom-kill n8n, critical',
    ],
    incidents: [
      'oom-kill n8n, resolved event, critical',
      'oom-kill waha, resolved event, critical',
      'oom-kill n8n, resolved event, critical',
    ],
  },
  {
    name: 'a kill every 5 minutes is repeated after 1 h, then after 4 h',
    steps: [
      ...every(300, 0, 5 * HOUR, (at) => ({ findings: [kill(`k${at}`)] })),
      ...every(60, 5 * HOUR + 60, 6 * HOUR, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '01:00:00 repeat-due oom-kill n8n, critical',
      '04:00:00 repeat-due oom-kill n8n, critical',
      '05:10:00 resolved oom-kill n8n, critical',
    ],
    incidents: ['oom-kill n8n, resolved event, critical'],
  },
  {
    name: 'kills that restart the container: one Malfunction or loop says that it goes on, and its end that it is over',
    steps: [
      ...every(20, 0, 400, (at) => ({
        findings: [
          kill(`k${at}`),
          ...(at === 80 ? [finding('container-malfunction', 'n8n', 'breach')] : []),
          ...(at > 80 ? [finding('container-malfunction', 'n8n', 'between')] : []),
          ...(at >= 120 ? [finding('restart-loop', 'n8n', 'breach', { severity: 'critical' })] : []),
        ],
      })),
      ...every(30, 420, HOUR, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:01:20 first container-malfunction n8n',
      '00:17:00 resolved restart-loop n8n, critical',
    ],
    incidents: [
      'oom-kill n8n, resolved event, critical',
      'container-malfunction n8n, resolved, warning',
      'restart-loop n8n, resolved, critical',
    ],
  },
  {
    name: 'what was said to go on again and again needs no restart loop; for hours only the loop is repeated',
    steps: [
      ...every(20, 0, 100, (at) => ({ findings: [kill(`k${at}`)] })),
      { at: 110, findings: [finding('restart-loop', 'n8n', 'breach', { severity: 'critical' })] },
      ...every(120, 220, 5 * HOUR, (at) => ({
        findings: [kill(`k${at}`), finding('restart-loop', 'n8n', 'breach', { severity: 'critical' })],
      })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:01:40 flapping oom-kill n8n, critical, 6 changes',
      '01:03:40 repeat-due restart-loop n8n, critical',
      '04:03:40 repeat-due restart-loop n8n, critical',
    ],
  },
  {
    name: 'a second kill that ends the container for good: its stop is told, for nothing else says so',
    steps: [
      { at: 0, findings: [kill('a')] },
      { at: 100, findings: [kill('b')] },
      { at: 101, findings: [event('container-stopped', 'n8n', { verdict: 'breach', cause: 'oom:n8n' })] },
      ...every(30, 120, 900, () => ({ findings: [] })),
    ],
    said: ['00:00:00 first oom-kill n8n, critical', '00:01:41 first container-stopped n8n, critical'],
  },
  {
    name: '20 kills in 10 minutes are not 20 messages, and the count is told at the end',
    steps: [
      ...every(30, 0, 19 * 30, (at) => ({ findings: [kill(`k${at}`)] })),
      ...every(30, 20 * 30, 30 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:02:30 flapping oom-kill n8n, critical, 6 changes',
      '00:19:30 stable oom-kill n8n, critical, fine, 20 changes',
    ],
    incidents: ['oom-kill n8n, resolved event, critical'],
  },
  {
    name: '40 kills found at once, after a night, are one message',
    steps: [{ at: 0, findings: Array.from({ length: 40 }, (_, i) => kill(`k${i}`)) }],
    said: [`00:00:00 first oom-kill n8n, critical${', and'}${' n8n'.repeat(39)}`],
  },
  {
    name: 'kills every 4 seconds are soon flapping, and all are counted',
    steps: [
      ...every(4, 0, 396, (at) => ({ findings: [kill(`k${at}`)] })),
      ...every(30, 420, 30 * MINUTE, () => ({ findings: [] })),
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:00:20 flapping oom-kill n8n, critical, 6 changes',
      '00:17:00 stable oom-kill n8n, critical, fine, 100 changes',
    ],
  },
  {
    name: 'the stop that a kill brought with it is folded into its message; that the container is back is told',
    steps: [
      { at: 0, findings: [kill('a')] },
      { at: 1, findings: [event('container-stopped', 'n8n', { verdict: 'breach', cause: 'oom:n8n' })] },
      { at: 30, findings: [event('container-stopped', 'n8n', { verdict: 'ok' })] },
    ],
    said: ['00:00:00 first oom-kill n8n, critical', '00:00:30 resolved container-stopped n8n, critical'],
  },
  {
    name: 'a restart that a kill brought with it is folded; a kill after the stop that it caused is not swallowed',
    steps: [
      { at: 0, findings: [kill('a')] },
      { at: 3, findings: [event('container-restarting', 'n8n', { severity: 'warning', cause: 'oom:n8n' })] },
      { at: 100, findings: [event('container-stopped', 'waha', { verdict: 'breach', cause: 'oom:waha' })] },
      { at: 101, findings: [kill('b', 'waha')] },
      { at: 130, findings: [] },
    ],
    said: [
      '00:00:00 first oom-kill n8n, critical',
      '00:01:40 first container-stopped waha, critical',
      '00:01:41 first oom-kill waha, critical',
    ],
  },
  {
    name: 'one-line events without a cause are told each, until they are too many',
    steps: every(20, 0, 160, () => ({
      findings: [event('unclean-reboot', 'web', { severity: 'info' })],
    })),
    said: [
      '00:00:00 first unclean-reboot web, info',
      '00:00:20 first unclean-reboot web, info',
      '00:00:40 first unclean-reboot web, info',
      '00:01:00 first unclean-reboot web, info',
      '00:01:20 first unclean-reboot web, info',
      '00:01:40 flapping unclean-reboot web, info, 6 changes',
    ],
  },
  {
    name: 'an event does not disturb the state of the same rule and subject',
    steps: [
      { at: 0, findings: [event('container-stopped', 'web', { verdict: 'breach' })] },
      { at: 10, findings: [event('container-stopped', 'web')] },
      { at: 20, findings: [event('container-stopped', 'web', { verdict: 'ok' })] },
    ],
    said: [
      '00:00:00 first container-stopped web, critical',
      '00:00:10 first container-stopped web, critical',
      '00:00:20 resolved container-stopped web, critical',
    ],
  },
  {
    name: 'what a list has told counts as said: no message of its own, but its end and its repeats',
    steps: [
      {
        at: 0,
        findings: [
          event('container-stopped', '2 services'),
          ...['a', 'b'].map((name) => event('container-stopped', name, { verdict: 'breach', quiet: true })),
          event('container-restarting', 'c', { quiet: true }),
        ],
      },
      ...every(60, HOUR, HOUR + 60, () => ({ findings: [] })),
      { at: 2 * HOUR, findings: [event('container-stopped', 'a', { verdict: 'ok' })] },
      { at: 2 * HOUR, findings: [event('container-stopped', 'b', { verdict: 'ok', quiet: true })] },
    ],
    said: [
      '00:00:00 first container-stopped 2 services, critical',
      '01:00:00 repeat-due container-stopped a, critical, and b',
      '02:00:00 resolved container-stopped a, critical',
    ],
    incidents: [
      'container-stopped 2 services, resolved event, critical',
      'container-stopped a, resolved, critical',
      'container-stopped b, resolved, critical',
      'container-restarting c, resolved event, critical',
    ],
  },
  {
    name: 'what vpsmon.yaml mutes comes quiet and is not repeated',
    extra: { services: [{ name: 'job', mute: ['stopped'] }] },
    steps: [
      { at: 0, findings: [event('container-stopped', 'job', { verdict: 'breach', quiet: true })] },
      ...every(600, 600, 5 * HOUR, () => ({ findings: [] })),
    ],
    said: [],
    incidents: ['container-stopped job, firing, critical'],
  },
  {
    name: 'what is only recorded does not flap',
    steps: [
      ...every(20, 0, 300, () => ({ findings: [event('container-restarting', 'web', { quiet: true })] })),
      { at: 320, findings: [event('container-restarting', 'web')] },
    ],
    said: ['00:05:20 first container-restarting web, critical'],
  },
  {
    name: 'without a cause every event counts, however close they come',
    steps: every(2, 0, 20, () => ({
      findings: [event('unclean-reboot', 'web', { severity: 'info' })],
    })),
    said: [
      '00:00:00 first unclean-reboot web, info',
      '00:00:02 first unclean-reboot web, info',
      '00:00:04 first unclean-reboot web, info',
      '00:00:06 first unclean-reboot web, info',
      '00:00:08 first unclean-reboot web, info',
      '00:00:10 flapping unclean-reboot web, info, 6 changes',
    ],
  },
];
