// Rows of what people met in the field that belong to no larger page of tests.
import { describe, expect, it } from 'vitest';
import { judgeUnits } from '../src/doctor/units.ts';
import { renderIncident } from '../src/outputs/terminal/incidents.ts';
import { renderPlan } from '../src/outputs/terminal/plan.ts';
import type { UnitState } from '../src/system/unit-states.ts';
import { incidentOf } from './helpers/incident.ts';

const NOW = 1_767_225_600_000;

describe('U11: a timer whose job never ran', () => {
  const unit = (name: string, more: Partial<UnitState> = {}): UnitState => ({
    name,
    load: 'loaded',
    active: 'active',
    sub: 'waiting',
    enabled: 'enabled',
    result: 'success',
    needReload: false,
    ...more,
  });
  const reportLine = (timer: Partial<UnitState>, service: Partial<UnitState> = {}) =>
    judgeUnits(
      [
        unit('vps-monitor.service'),
        ...['vps-auto-recovery', 'vps-metrics-exporter'].flatMap((job) => [
          unit(`${job}.timer`),
          unit(`${job}.service`, { active: 'inactive' }),
        ]),
        unit('vps-daily-report.timer', { nextRunAt: NOW + 9 * 3_600_000, ...timer }),
        unit('vps-daily-report.service', { active: 'inactive', ...service }),
      ],
      NOW,
    ).find(({ name }) => name === 'vps-daily-report.timer')!.text;
  const installed = NOW - 22 * 60_000;

  it('says so, though systemd counts its first start as a run', () => {
    expect(reportLine({ activeSince: installed, lastRunAt: installed + 200 })).toMatch(
      /^never ran yet; next in 9 h/,
    );
    expect(reportLine({ activeSince: installed })).toMatch(/^never ran yet; next in 9 h/);
  });

  it('that ran tells when, and how it ended where that is known', () => {
    expect(reportLine({ activeSince: installed }, { endedAt: NOW - 60_000 })).toMatch(
      /^last run 1 min ago: fine/,
    );
    expect(reportLine({ activeSince: installed, lastRunAt: NOW - 86_400_000 })).toMatch(/^last run 1 d ago;/);
  });
});

describe('U17: on 80 columns nothing is cut that a person asked for', () => {
  const long = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');

  it('of an incident', () => {
    const text = renderIncident(
      incidentOf({ text: long, details: [long, `path /var/lib/${'x'.repeat(50)}`], actions: [long] }),
      {
        now: NOW,
        color: false,
        columns: 80,
      } as never,
    );
    expect(text).not.toContain('…');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(text.match(/word59/g)).toHaveLength(3);
  });

  it('of what install would do', () => {
    const path = `/usr/local/lib/vpsmon/${'version'.repeat(3)}/file`;
    const plan = {
      steps: [{ kind: 'write' as const, path, mode: 0o644, why: 'what was installed, and why it is there' }],
      unchanged: [],
      notes: [long],
    };
    const lines = renderPlan(plan, false, 80).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.join('\n')).toContain(path);
    expect(lines.join('\n')).toContain('word59');
    expect(renderPlan(plan, false)).toContain(`${path}  0644  (what was installed`);
  });
});
