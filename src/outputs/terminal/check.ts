import { formatMemory, totalBytes } from '../../model/container-memory.ts';
import type { Finding } from '../../model/finding.ts';
import type { Reading } from '../../model/reading.ts';
import type { ContainerInfo } from '../../model/snapshot.ts';
import {
  SOURCE_IDS,
  SOURCES,
  type Readings,
  type Snapshot,
  type Source,
  type Values,
} from '../../model/sources.ts';
import type { SourceInfo, SourceRow } from '../../model/sources/source.ts';
import { ruleInfo } from '../../model/rules.ts';
import { formatBytes, formatDuration, formatMany, formatTime, plain } from '../../model/text.ts';
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
  for (const row of SOURCE_IDS.flatMap((source) => rowsOf(source, readings))) {
    const head = `  ${symbol(row, marks.get(row.marks ?? row.label), style)}  ${row.label.padEnd(10)} `;
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

type Row = Omit<SourceRow, 'failed'> & { state: 'ok' | 'absent' | 'failed' };

/** The rows of one source. */
function rowsOf<S extends Source>(source: S, readings: Readings): Row[] {
  const { label, show, mayBeAbsent } = (SOURCES[source] as SourceInfo<Values[S]>).row;
  const reading: Reading<Values[S]> = readings[source];
  if (reading.state === 'ok') {
    const shown = show(reading.value);
    const rows = typeof shown === 'string' ? [{ label, text: shown }] : shown;
    return rows.map((row: SourceRow) => ({ ...row, state: row.failed ? 'failed' : 'ok' }));
  }
  const { state, why } = reading;
  if (state === 'absent' && mayBeAbsent) return [];
  return [
    { label, state, text: `${state === 'absent' ? 'not here' : 'cannot be read'}: ${plain(why, 200)}` },
  ];
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
  const rows = sorted.slice(0, MOST_ROWS).map((one) => cellsOf(one, bad.has(one.name), style, now));
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

function cellsOf(one: ContainerInfo, isBad: boolean, style: Style, now: number): string[] {
  const { state, health, exitCode, memory, limitBytes, cpuPercent, startedAt } = one;
  const ended = state === 'exited' && exitCode !== undefined;
  const paintState = state === 'running' ? style.good : isBad ? style.bad : style.warn;
  const none = style.dim('-');
  return [
    plain(one.name, 40),
    paintState(ended ? `exited (${exitCode})${one.oomKilled ? ', OOM' : ''}` : state),
    health === 'unhealthy' ? style.bad(health) : health === 'none' ? none : health,
    String(one.restartCount),
    memory ? formatMemory(memory) : none,
    limitBytes === null ? style.dim('no limit') : formatBytes(limitBytes),
    cpuPercent === undefined ? none : `${cpuPercent.toFixed(1)} %`,
    state === 'running' && startedAt ? formatDuration(now - startedAt) : none,
  ];
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
