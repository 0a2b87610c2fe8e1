import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/model/finding.ts';
import { judgeCheck, renderCheck } from '../../src/outputs/terminal/check.ts';
import { width } from '../../src/outputs/terminal/style.ts';
import { RULES } from '../../src/model/rules.ts';
import { SOURCE_IDS, SOURCES } from '../../src/model/sources.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const snapshot = emptySnapshot(Date.parse('2026-01-31T10:00:00'), {
  host: {
    state: 'ok',
    tookMs: 1,
    value: {
      bootId: 'b',
      hostname: 'vps\u001b[2J',
      uptimeSec: 3600,
      cpus: 2,
      cpuPercent: 12,
      load: [0.1, 0.2, 0.3],
      memory: { totalBytes: 1000 * MB, availableBytes: 80 * MB, usedBytes: 920 * MB },
      swap: { totalBytes: 0, usedBytes: 0, zram: false },
      cgroups: [],
      disks: [
        {
          mount: '/',
          device: '/dev/vda',
          fsType: 'ext4',
          totalBytes: 10_000 * MB,
          usedBytes: 8500 * MB,
          availableBytes: 1500 * MB,
          usedPercent: 85,
          inodesTotal: 1,
        },
      ],
    },
  },
  pressure: { state: 'absent', why: 'PSI is switched off (psi=0)' },
  oom: { state: 'ok', tookMs: 1, value: { killsSinceBoot: 0, kills: [] } },
  docker: {
    state: 'ok',
    tookMs: 1,
    value: {
      version: '28.0',
      apiVersion: '1.48',
      containers: ['web', 'a container with a long name 😀'].map((name, i) => ({
        id: `${i}`,
        name,
        image: 'x',
        state: 'running',
        health: i === 0 ? 'unhealthy' : 'none',
        restartCount: i,
        restartsLast5Min: 0,
        restartPolicy: 'no',
        oomKilled: false,
        limitBytes: i === 0 ? 64 * MB : null,
        memory: { workingSetBytes: 10 * MB, anonBytes: 5 * MB },
        cpuPercent: 1.25,
        self: false,
      })),
    },
  },
  postgres: { state: 'failed', why: 'connection refused', tookMs: 2 },
});
const findings: Finding[] = [
  {
    rule: 'memory-available',
    subject: 'host',
    severity: 'warning',
    verdict: 'breach',
    text: 'Available memory is 80 MB, below 100 MB',
    details: ['web holds 10 MB'],
  },
  { rule: 'disk', subject: '/', severity: 'critical', verdict: 'breach', text: '/ is 85 % full' },
  { rule: 'swap-used', subject: 'host', severity: 'warning', verdict: 'ok', text: 'fine' },
];
const view = { snapshot, findings, version: '1', system: 'Debian', files: [], color: false };

describe('renderCheck', () => {
  const page = renderCheck(view);
  it('shows what is there, what is absent with its reason, and what failed', () => {
    expect(page).toContain('WARN  memory     80 MB of 1 GB available (8 %)');
    expect(page).toContain('CRIT  disk       /: 85 %');
    expect(page).toMatch(/ - {3}pressure {3}not here: PSI is switched off \(psi=0\)/);
    expect(page).toContain('WARN  postgres   cannot be read: connection refused');
    expect(page).toContain('none on this host');
    expect(page.trimEnd().endsWith('1 critical, 1 warning')).toBe(true);
  });
  it('lets nothing from outside move the cursor', () => {
    expect(page).not.toContain('\u001b');
    expect(page).toContain('vps');
  });
  it('is the same text with colour', () => {
    // oxlint-disable-next-line no-control-regex
    expect(renderCheck({ ...view, color: true }).replace(/\u001b\[[0-9;]*m/g, '')).toBe(page);
    expect(renderCheck({ ...view, color: true })).toContain('\u001b[');
  });
  it('11: shows a row of every source by its own entry, and every rule marks one of them', () => {
    const labels = page
      .split('\n')
      .flatMap((line) => /^ {2}.{4} {2}(\S(?:.{0,9}\S)?) +\S/.exec(line)?.[1] ?? []);
    const sources = SOURCE_IDS.map((source) => SOURCES[source].row);
    const own = sources.flatMap(({ label, ...row }) =>
      'mayBeAbsent' in row || label === 'host' ? [] : [label],
    );
    expect(labels).toEqual(expect.arrayContaining(own));
    const all = new Set<string>([...labels, ...sources.map(({ label }) => label), 'recovery']);
    for (const [id, rule] of Object.entries(RULES)) {
      const { row } = rule as { row?: string };
      expect(row === undefined || all.has(row), `${id} marks the row ${row}`).toBe(true);
    }
  });

  it('fits a narrow terminal: text broken between words, columns that can be done without left out', () => {
    const files = ['/etc/vpsmon/monitor.conf', '/etc/vpsmon/vpsmon.yaml'];
    const narrow = renderCheck({ ...view, files, wrapAt: 80 });
    expect(Math.max(...narrow.split('\n').map(width))).toBeLessThanOrEqual(80);
    expect(narrow).toContain('NAME');
    expect(narrow).toContain('MEMORY');
    expect(renderCheck({ ...view, wrapAt: 200 })).toBe(page);
  });
  it('aligns the columns of the containers, wide characters included', () => {
    const rows = page.split('\n').filter((line) => line.includes('MB') && line.includes('1.3 %'));
    expect(rows).toHaveLength(2);
    const ends = rows.map((row) => width(row.slice(0, row.indexOf('%') + 1)));
    expect(ends[0]).toBe(ends[1]);
  });
});

describe('judgeCheck', () => {
  it.each([
    [[], 0, 'ok'],
    [findings.slice(2), 0, 'ok'],
    [findings.slice(0, 1), 1, 'warning'],
    [findings, 2, 'critical'],
  ] as [Finding[], number, string][])('exit code of %#', (given, exitCode, verdict) =>
    expect(judgeCheck(given)).toMatchObject({ exitCode, verdict }),
  );
});
