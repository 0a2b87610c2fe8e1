import { describe, expect, it } from 'vitest';
import { alertLine } from '../../src/notify/alert-log.ts';
import { formatTime } from '../../src/model/text.ts';

const at = new Date(2025, 6, 16, 10, 35).getTime();

describe('alertLine', () => {
  it('has time, severity, type, subject and text on one line', () => {
    const html = '🔴 <b>Service Stopped</b>\n\nService: web &amp; co\nRestart Count: 0';
    expect(alertLine({ at, severity: 'critical', kind: 'container-stopped', subject: 'web', html })).toBe(
      '2025-07-16 10:35:00 CRITICAL container-stopped [web] 🔴 Service Stopped | Service: web & co | Restart Count: 0',
    );
  });

  it('U10: has the severity once', () => {
    const html = '<b>WARNING: Disk / is 81 % full</b>\nServer: vps';
    expect(alertLine({ at, severity: 'warning', kind: 'disk-space', subject: '/', html })).toBe(
      '2025-07-16 10:35:00 WARNING disk-space [/] Disk / is 81 % full | Server: vps',
    );
  });

  it('stays one harmless line whatever a container is called or logs', () => {
    const line = alertLine(
      {
        at,
        severity: 'info',
        kind: 'container-stopped',
        subject: 'a\nb\u001b[2J\u202e',
        html: 'x\r\ny\u0007\u2028z <b>password=hunter2hunter2</b> s3cret-value',
      },
      ['s3cret-value'],
    );
    for (const bad of ['\r', '\n', '\u001b', '\u0007', '\u202e']) expect(line).not.toContain(bad);
    expect(line).not.toContain('hunter2');
    expect(line).not.toContain('s3cret-value');
    expect(line.startsWith(formatTime(at))).toBe(true);
  });

  it('is bounded', () => {
    const line = alertLine({ at, severity: 'info', kind: 'x', subject: 'y', html: 'z'.repeat(1e6) });
    expect(line.length).toBeLessThan(3300);
  });
});
