import { formatMemory, totalBytes } from '../../model/container-memory.ts';
import type { Finding } from '../../model/finding.ts';
import type { Reading } from '../../model/reading.ts';
import type {
  ContainerInfo,
  Disk,
  DockerValues,
  HostValues,
  N8nValues,
  OomValues,
  PostgresValues,
  PressureValues,
  RedisValues,
  WahaValues,
} from '../../model/snapshot.ts';
import type { Snapshot } from '../../model/sources.ts';
import { ruleInfo } from '../../model/rules.ts';
import {
  formatBytes,
  formatCount,
  formatMany,
  formatUpTo,
  formatDuration,
  formatTime,
  plain,
  workflowsText,
} from '../../model/text.ts';
import {
  right,
  styleFor,
  table,
  titleOf,
  width,
  wrap,
  wrapBehind,
  type Column,
  type Style,
} from './style.ts';

export type CheckResult = {
  exitCode: 0 | 1 | 2;
  verdict: 'ok' | 'warning' | 'critical';
  warnings: number;
  criticals: number;
};

/** The result of one check by hand: critical beats warning beats fine. */
export function judgeCheck(findings: Finding[]): CheckResult {
  const alerting = findings.filter(isAlerting);
  const criticals = alerting.filter((f) => f.severity === 'critical').length;
  const warnings = alerting.filter((f) => f.severity === 'warning').length;
  const exitCode = criticals > 0 ? 2 : warnings > 0 ? 1 : 0;
  return {
    exitCode,
    verdict: criticals > 0 ? 'critical' : warnings > 0 ? 'warning' : 'ok',
    warnings,
    criticals,
  };
}

function isAlerting({ verdict, severity }: Finding): boolean {
  return (verdict === 'breach' || verdict === 'event') && severity !== 'info';
}

export type CheckView = {
  snapshot: Snapshot;
  findings: Finding[];
  version: string;
  system: string;
  files: string[];
  color: boolean;
  wrapAt?: number | undefined;
};

/** The whole page that `monitor --once` prints. */
export function renderCheck(view: CheckView): string {
  const style = styleFor(view.color);
  const { wrapAt } = view;
  const { readings } = view.snapshot;
  const host = readings.host.state === 'ok' ? readings.host.value : undefined;
  const marks = markRows(view.findings);
  const lines = [
    `${style.bold(plain(host?.hostname ?? 'this host', 60))}  ${view.system}`,
    ...wrap(
      `vpsmon ${view.version}, ${formatTime(view.snapshot.at)}, ${view.files.length > 0 ? `settings from ${view.files.join(', ')}` : 'no settings file: defaults'}`,
      wrapAt,
    ).map((line) => style.dim(line)),
    '',
  ];
  for (const [label, row, subject] of rowsOf(view.snapshot)) {
    const head = `  ${symbol(row, marks.get(subject ?? label), style)}  ${label.padEnd(10)} `;
    lines.push(...wrapBehind(head, row.text, wrapAt));
  }
  const docker = readings.docker;
  if (docker.state === 'ok' && docker.value.containers.length > 0) {
    lines.push(
      '',
      style.bold(`Containers (${docker.value.containers.length})`),
      ...containerTable(docker.value.containers, view.findings, style, wrapAt),
    );
  }
  lines.push('', ...conclusion(view.findings, style, wrapAt));
  return `${lines.join('\n')}\n`;
}

type Row = { state: 'ok' | 'absent' | 'failed'; text: string };

/** A row for every source, several for the host; SQL metrics only where there are any. */
function rowsOf({ readings }: Snapshot): [string, Row, string?][] {
  const { host, sql } = readings;
  return [
    ...(host.state === 'ok' ? hostRows(host.value) : [['host', missing(host)] as [string, Row]]),
    ['pressure', of(readings.pressure, pressureText)],
    ['OOM kills', of(readings.oom, oomText)],
    ['docker', of(readings.docker, dockerText)],
    ['postgres', of(readings.postgres, postgresText)],
    ['redis', of(readings.redis, redisText)],
    ['n8n', of(readings.n8n, n8nText)],
    ['waha', of(readings.waha, wahaText)],
    ...(sql.state === 'absent' ? [] : [['sql', sqlRow(sql)] as [string, Row]]),
  ];
}

function pressureText({ score, memory, cpu, io }: PressureValues): string {
  const share = (line: { avg10: number } | undefined) => `${(line?.avg10 ?? 0).toFixed(1)} %`;
  const parts = [
    `memory score ${Math.round(score)} of 100 (some ${share(memory.some)}, full ${share(memory.full)})`,
    cpu && `cpu ${share(cpu.some)}`,
    io && `io ${share(io.some)}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function oomText({ killsSinceBoot, kills, logUnreadable }: OomValues): string {
  const count = killsSinceBoot ?? kills.length;
  const last = kills.at(-1);
  const container = last?.containerName ? ` in ${plain(last.containerName, 60)}` : '';
  const who = last ? `, last ${formatTime(last.at)}: ${plain(last.process, 40)}${container}` : '';
  const unknown = logUnreadable ? ` (who: unknown, ${logUnreadable})` : '';
  return `${count === 0 ? 'none' : formatCount(count)} since boot${who}${unknown}`;
}

function dockerText({ version, containers }: DockerValues): string {
  const running = containers.filter(({ state }) => state === 'running').length;
  return `${plain(version, 20)}, ${running} of ${containers.length} containers running`;
}

function postgresText(postgres: PostgresValues): string {
  const { cacheHitPercent, connections, databaseSizeBytes, longestTransactionSec = 0 } = postgres;
  const parts = [
    cacheHitPercent === undefined
      ? 'cache hits not judged (few reads)'
      : `cache hits ${cacheHitPercent.toFixed(1)} %`,
    `${connections.total} of ${connections.max} connections (${connections.active} active)`,
    formatBytes(databaseSizeBytes),
    longestTransactionSec > 1 && `longest transaction ${formatDuration(longestTransactionSec * 1000)}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function redisText(redis: RedisValues): string {
  const { usedMemoryBytes, maxMemoryBytes, keys, clients, evictedTotal, rejectedTotal } = redis;
  const parts = [
    `${formatBytes(usedMemoryBytes)} of ${maxMemoryBytes === null ? 'no limit' : formatBytes(maxMemoryBytes)}`,
    formatMany(keys, 'key'),
    `${clients} ${clients === 1 ? 'client' : 'clients'}`,
    evictedTotal > 0 && `${formatCount(evictedTotal)} evicted`,
    rejectedTotal > 0 && `${formatCount(rejectedTotal)} rejected`,
  ];
  return parts.filter(Boolean).join(', ');
}

function n8nText({ healthy, executions, countedUpTo, queueDepth, workflows }: N8nValues): string {
  const many = (count: number) => formatUpTo(count, countedUpTo);
  const counts = executions && [
    `${many(executions.active)} active`,
    `${many(executions.waiting)} waiting`,
    executions.queued !== undefined && `${many(executions.queued)} queued`,
    `${many(executions.completed)} completed`,
    `${many(executions.failed)} failed`,
  ];
  const parts = [
    healthy === false && 'not healthy',
    counts && `executions: ${counts.filter(Boolean).join(', ')}`,
    queueDepth !== undefined && `${formatCount(queueDepth)} jobs in the queue`,
    workflows && workflowsText(workflows),
  ];
  return parts.filter(Boolean).join(', ') || 'it answers';
}

function wahaText({ sessions }: WahaValues): string {
  if (sessions.length === 0) return 'no sessions';
  return sessions.map(({ name, status }) => `${plain(name, 40)} ${plain(status, 40)}`).join(', ');
}

/** A query that failed is a reason to look, even where others gave a value. */
function sqlRow(reading: Snapshot['readings']['sql']): Row {
  if (reading.state !== 'ok') return missing(reading);
  const { samples, broken } = reading.value;
  const parts = [
    ...samples.map((sample) => `${sample.name} ${sample.value}`),
    ...broken.map((metric) => `${metric.name}: ${plain(metric.why, 80)}`),
  ];
  return { state: broken.length > 0 ? 'failed' : 'ok', text: parts.join(', ') || 'no metrics' };
}

function hostRows(h: HostValues): [string, Row, string?][] {
  const { memory, swap } = h;
  const percent = Math.round((memory.availableBytes / Math.max(1, memory.totalBytes)) * 100);
  const rate = (kbps: number | undefined) =>
    kbps === undefined ? 'not measured yet' : `${formatCount(kbps)} KB/s`;
  const ok = (text: string): Row => ({ state: 'ok', text });
  const rows: [string, Row, string?][] = [
    [
      'memory',
      ok(
        `${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available (${percent} %)`,
      ),
    ],
    [
      'swap',
      ok(
        swap.totalBytes === 0
          ? 'none on this host'
          : `${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} used${swap.zram ? ' (zram, in memory)' : ''}, in ${rate(h.swapInKBps)}, out ${rate(h.swapOutKBps)}`,
      ),
    ],
    [
      'cpu',
      ok(
        `load ${h.load.map((l) => l.toFixed(2)).join(' ')} on ${h.cpus} CPUs${h.cpuPercent === undefined ? '' : `, ${Math.round(h.cpuPercent)} % busy`}, up ${formatDuration(h.uptimeSec * 1000)}`,
      ),
    ],
  ];
  for (const disk of h.disks) {
    const inodes =
      disk.inodesUsedPercent === undefined ? '' : `, inodes ${Math.ceil(disk.inodesUsedPercent)} %`;
    rows.push(['disk', ok(`${plain(disk.mount, 60)}: ${usedOf(disk)}${inodes}`), `disk ${disk.mount}`]);
  }
  return rows;
}

function of<T>(reading: Reading<T>, show: (value: T) => string): Row {
  return reading.state === 'ok' ? { state: 'ok', text: show(reading.value) } : missing(reading);
}

function missing(reading: { state: 'absent' | 'failed'; why: string } | Reading<unknown>): Row {
  if (reading.state === 'ok') return { state: 'ok', text: '' };
  return {
    state: reading.state,
    text: `${reading.state === 'absent' ? 'not here' : 'cannot be read'}: ${plain(reading.why, 200)}`,
  };
}

function usedOf({ usedPercent, totalBytes, availableBytes }: Disk): string {
  const percent = `${Math.ceil(usedPercent)} %`;
  if (totalBytes === undefined || availableBytes === undefined) return `${percent} used`;
  return `${percent} of ${formatBytes(totalBytes)} used, ${formatBytes(availableBytes)} free`;
}

type Mark = 'warning' | 'critical';
function markRows(findings: Finding[]): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const f of findings) {
    if (f.severity === 'info' || !isAlerting(f)) continue;
    const row = rowOf(f);
    if (marks.get(row) !== 'critical') marks.set(row, f.severity);
  }
  return marks;
}

/** The row that a finding marks. */
function rowOf({ rule, subject }: Finding): string {
  if (rule === 'disk' || rule === 'inodes' || rule === 'disk-read-only') return `disk ${subject}`;
  if (rule === 'source-failed') return subject.replace(/^n8n .*/, 'n8n');
  return ruleInfo(rule)?.row ?? 'docker';
}

function symbol(row: Row, mark: Mark | undefined, style: Style): string {
  if (mark === 'critical') return style.bad('CRIT');
  if (mark === 'warning' || row.state === 'failed') return style.warn('WARN');
  return row.state === 'absent' ? style.dim('  - ') : style.good(' ok ');
}

const MOST_ROWS = 60;

function containerTable(
  containers: ContainerInfo[],
  findings: Finding[],
  style: Style,
  wrapAt = Infinity,
): string[] {
  const bad = new Set(findings.filter((f) => f.verdict === 'breach').map((f) => f.subject));
  const sorted = [...containers].sort(
    (a, b) =>
      Number(bad.has(b.name)) - Number(bad.has(a.name)) ||
      (b.memory ? totalBytes(b.memory) : -1) - (a.memory ? totalBytes(a.memory) : -1) ||
      a.name.localeCompare(b.name),
  );
  const now = Date.now();
  const rows = sorted.slice(0, MOST_ROWS).map((c) => {
    const state =
      c.state === 'exited' && c.exitCode !== undefined
        ? `exited (${c.exitCode})${c.oomKilled ? ', OOM' : ''}`
        : c.state;
    const paintState = c.state === 'running' ? style.good : bad.has(c.name) ? style.bad : style.warn;
    const health =
      c.health === 'unhealthy' ? style.bad(c.health) : c.health === 'none' ? style.dim('-') : c.health;
    return [
      plain(c.name, 40),
      paintState(state),
      health,
      String(c.restartCount),
      c.memory ? formatMemory(c.memory) : style.dim('-'),
      c.limitBytes === null ? style.dim('no limit') : formatBytes(c.limitBytes),
      c.cpuPercent === undefined ? style.dim('-') : `${c.cpuPercent.toFixed(1)} %`,
      c.state === 'running' && c.startedAt ? formatDuration(now - c.startedAt) : style.dim('-'),
    ];
  });
  const columns: Column[] = [
    'NAME',
    'STATE',
    'HEALTH',
    ...['RESTARTS', 'MEMORY', 'LIMIT', 'CPU'].map(right),
    'UP',
  ];
  let lines = table(columns, rows, style);
  // On a narrow terminal, what can be done without: the health of containers without a healthcheck first.
  const healthless = containers.every((c) => c.health === 'none');
  for (const title of [...(healthless ? ['HEALTH'] : []), 'UP', 'LIMIT', 'CPU']) {
    if (Math.max(...lines.map(width)) <= wrapAt) break;
    const at = columns.map(titleOf).indexOf(title);
    columns.splice(at, 1);
    for (const row of rows) row.splice(at, 1);
    lines = table(columns, rows, style);
  }
  if (sorted.length > MOST_ROWS)
    lines.push(style.dim(`  and ${sorted.length - MOST_ROWS} more; all of them with --json`));
  return lines;
}

function conclusion(findings: Finding[], style: Style, wrapAt?: number): string[] {
  const { verdict, criticals, warnings } = judgeCheck(findings);
  const isCritical = ({ severity }: Finding) => severity === 'critical';
  const alerting = findings
    .filter(isAlerting)
    .toSorted((a, b) => Number(isCritical(b)) - Number(isCritical(a)))
    .flatMap((f) => {
      const label = isCritical(f) ? style.bad('CRITICAL') : style.warn('WARNING ');
      const details = (f.details ?? []).flatMap((detail) =>
        wrapBehind(' '.repeat(10), plain(detail, 300), wrapAt),
      );
      return [...wrapBehind(`${label}  `, plain(f.text, 400), wrapAt), ...details.map(style.dim)];
    });
  if (verdict === 'ok') return [...alerting, style.good('All fine.')];
  const counts = [
    criticals > 0 && `${criticals} critical`,
    warnings > 0 && formatMany(warnings, 'warning'),
  ].filter(Boolean);
  return [...alerting, '', style.bold(counts.join(', '))];
}
