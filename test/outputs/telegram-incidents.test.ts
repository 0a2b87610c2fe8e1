import { describe, expect, it } from 'vitest';
import type { Incident, Notification } from '../../src/model/incident.ts';
import { htmlToPlain, splitHtml } from '../../src/model/html.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { parseHtml } from '../standins/telegram.js';

const OPENED = new Date(2025, 6, 16, 10, 30).getTime();
const NOW = OPENED + 30_000;
const MB = 1_048_576;

const memory: Incident = {
  id: 12,
  rule: 'memory-available',
  subject: 'host',
  state: 'firing',
  severity: 'critical',
  openedAt: OPENED,
  firedAt: OPENED,
  lastSeenAt: NOW,
  value: 45 * MB,
  worst: 41 * MB,
  limit: 50 * MB,
  unit: 'bytes',
  text: 'Available memory is 45 MB, below 50 MB',
  details: ['Largest: n8n 400 MB, waha 350 MB, postgres 90 MB', 'Fastest growing: waha <14 MB/h>'],
  notified: { count: 0 },
  flips: [OPENED],
  flapping: false,
  actions: [],
};
const stopped: Incident = {
  ...memory,
  id: 20,
  rule: 'container-stopped',
  subject: 'web',
  text: 'web stopped',
  details: [],
};
const seen = { id: 'a1', state: 'running', health: 'none', restartCount: 0 } as const;
const withFacts: Incident = {
  ...stopped,
  fact: { kind: 'missing', name: 'web', at: OPENED },
  endFact: { kind: 'healthy', name: 'web', at: OPENED, seen, forMs: 5000 },
};

function word(more: Partial<Notification>, now = NOW) {
  return renderNotification({ reason: 'first', at: now, incident: memory, others: [], ...more }, 'vps1', now);
}

describe('renderNotification', () => {
  it('says what started, in the first line, and then the details', () => {
    const message = word({});
    expect(message).toMatchObject({
      at: NOW,
      severity: 'critical',
      kind: 'memory-available',
      subject: 'host',
      incidentId: 12,
    });
    expect(message.html).toBe(
      [
        '<b>CRITICAL: Available memory is 45 MB, below 50 MB</b>',
        'Server: vps1',
        'Largest: n8n 400 MB, waha 350 MB, postgres 90 MB',
        'Fastest growing: waha &lt;14 MB/h&gt;',
        'Since: 2025-07-16 10:30:00',
      ].join('\n'),
    );
  });

  it('says that it got worse', () => {
    const { html } = word({ reason: 'worse', previousSeverity: 'warning' });
    expect(html).toContain('<b>CRITICAL (was WARNING): Available memory is 45 MB, below 50 MB</b>');
    expect(word({ reason: 'worse', previousSeverity: 'critical' }).html).toContain(
      'CRITICAL (worse than before)',
    );
  });

  it('says that it lasts, and how bad it was', () => {
    const { html } = word({ reason: 'repeat-due' }, OPENED + 4 * 3_600_000);
    expect(html).toContain('<b>Still CRITICAL after 4 h: Available memory is 45 MB, below 50 MB</b>');
    expect(html).toContain('Worst: 41 MB (limit 50 MB)');
  });

  it('says how long it lasted, the worst value and what was done', () => {
    const incident: Incident = {
      ...memory,
      state: 'resolved',
      resolvedAt: OPENED + 12 * 60_000,
      endedAs: 'cleared',
      endText: 'Available memory is 180 MB',
      actions: ['restarted the session default'],
    };
    const message = word({ reason: 'resolved', incident }, OPENED + 12 * 60_000);
    expect(message.severity).toBe('info');
    expect(message.html).toBe(
      [
        '<b>Resolved: Available memory is 180 MB</b>',
        'Server: vps1',
        'It lasted 12 min, from 2025-07-16 10:30:00 to 2025-07-16 10:42:00.',
        'Worst: 41 MB (limit 50 MB)',
        'Done: restarted the session default',
      ].join('\n'),
    );
  });

  it('says that the subject is gone', () => {
    const incident: Incident = { ...memory, subject: '/mnt/x', state: 'resolved', endedAs: 'gone' };
    expect(word({ reason: 'resolved', incident }).html).toContain('<b>Ended: /mnt/x is not there any more');
  });

  it('tells an event once, with its time', () => {
    const incident: Incident = {
      ...memory,
      rule: 'oom-kill',
      event: true,
      state: 'resolved',
      text: 'The kernel killed node (pid 7)',
    };
    const { html, severity } = word({ incident });
    expect(severity).toBe('critical');
    expect(html).toContain('<b>CRITICAL: The kernel killed node (pid 7)</b>');
    expect(html).toContain('Time: 2025-07-16 10:30:00');
    expect(html).not.toContain('It lasted');
  });

  it('tells a storm of events by how often it happened', () => {
    const incident: Incident = { ...memory, event: true, changes: 16, flapping: true, text: 'Killed' };
    const { html } = word({ reason: 'flapping', incident });
    expect(html).toContain('<b>CRITICAL, again and again: Killed</b>');
    expect(html).toContain('16 times within minutes.');
  });

  it('counts more of the very same, and says what else happened to the same container', () => {
    const others = [
      { ...stopped, id: 100 },
      { ...stopped, id: 101 },
      { ...stopped, id: 102, rule: 'restart-loop', text: 'web restarted 6 times' },
      { ...stopped, id: 103, subject: 'db' },
    ];
    const { html } = word({ incident: stopped, others });
    expect(html.split('\n').slice(-2)).toEqual([
      'And 2 more like it',
      'Also, for the same reason (2): web restarted 6 times, db',
    ]);
  });

  it('tells a group of one like any other, without a list of one', () => {
    const incident: Incident = stopped;
    const { html } = word({ reason: 'grouped', incident });
    expect(html).not.toContain('- web');
    expect(html).toContain('Since: ');
  });

  it('says that it flaps and that it is stable', () => {
    const flapping = word({ reason: 'flapping', incident: { ...memory, changes: 7, flapping: true } }).html;
    expect(flapping).toContain('<b>Flapping: Available memory');
    expect(flapping).toContain('7 changes within minutes. No more messages about it until it is stable.');
    expect(word({ reason: 'stable' }).html).toContain('No longer flapping, CRITICAL: Available memory');
    const over = word({
      reason: 'stable',
      incident: { ...memory, state: 'resolved', endText: 'Available memory is 180 MB' },
    });
    expect(over.html).toContain('<b>Stable again, resolved: Available memory is 180 MB</b>');
    expect(over.severity).toBe('info');
  });

  it('uses the ready words for services as they are', () => {
    expect(word({ incident: withFacts }).html).toMatch(
      /^⚠️ <b>Service Missing<\/b>\n\nServer: vps1\nService: web\n/,
    );
    expect(word({ incident: withFacts, reason: 'resolved' }).html).toMatch(
      /^✅ <b>Service Restored<\/b>\n\nServer: vps1\nService: web\n/,
    );
    expect(word({ incident: withFacts, reason: 'repeat-due' }, OPENED + 3_600_000).html).toContain(
      'Still CRITICAL after 1 h: web stopped',
    );
  });

  it('tells many of one cause in one message that names ten', () => {
    const others = Array.from({ length: 29 }, (_, i) => ({
      ...stopped,
      id: 100 + i,
      subject: `web-${i}`,
      text: `web-${i} stopped`,
    }));
    const grouped = word({
      reason: 'grouped',
      incident: others[0] as Incident,
      others: others.slice(1),
    }).html;
    expect(grouped.split('\n')).toHaveLength(13);
    expect(grouped).toContain('<b>CRITICAL: 29 containers are stopped</b>');
    expect(grouped).toContain('- web-0: web-0 stopped');
    expect(grouped).toContain('... and 19 more');
    const first = word({ others }).html;
    expect(first).toContain('Also, for the same reason (29): web-0, web-1,');
    expect(first).toContain('web-9 and 19 more');
    const resolved = word({
      reason: 'resolved',
      incident: others[0] as Incident,
      others: others.slice(1),
    }).html;
    expect(resolved).toContain('<b>Resolved: 29 containers');
  });

  it('is valid HTML whatever things are called', () => {
    const bad = '<b>&"\'\u001b[31m</i> <script>\u202e\nrm -rf';
    const incident: Incident = {
      ...memory,
      subject: bad,
      text: bad,
      details: Array.from({ length: 40 }, () => bad.repeat(50)),
      actions: [bad],
      endText: bad,
    };
    for (const reason of [
      'first',
      'worse',
      'repeat-due',
      'resolved',
      'flapping',
      'stable',
      'grouped',
    ] as const) {
      const { html } = renderNotification(
        { reason, at: NOW, incident, others: [incident, { ...incident, id: 13 }] },
        bad,
        NOW,
      );
      expect(() => parseHtml(html), reason).not.toThrow();
      expect(htmlToPlain(html)).toContain('<script>');
      expect(splitHtml(html).length).toBeLessThan(4);
    }
  });
});
