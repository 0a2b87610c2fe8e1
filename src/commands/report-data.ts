import { defined } from '../model/defined.ts';
import { forecastsOf } from './forecast-data.ts';
import type { Config } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import { sourceOfRule } from '../model/rules.ts';
import { SOURCE_IDS, type Snapshot } from '../model/sources.ts';
import type { ChartInput, ChartMark } from '../outputs/report/chart.ts';
import type { ReportAction, ReportData, ReportIncident } from '../outputs/report/data.ts';
import type { SeriesStats } from '../model/series-stats.ts';
import { listActions } from '../store/actions.ts';
import { increaseOf, pointsOf, statsOf, type Column, type History } from '../store/history/history.ts';
import { leftOffIn } from '../store/left-off.ts';
import { recordingOf } from '../store/recordings.ts';
import { incidentsSince } from '../store/incidents.ts';
import type { Files } from '../system/types.ts';
import type { Db } from '../store/db.ts';
import { VERSION } from '../version.ts';

const DAY_MS = 24 * 3_600_000;
/** The points of a line: one for every three minutes of a day. */
const CHART_POINTS = 480;

/** Series that the report tells of. Those of single containers are their memory and their restarts only. */
const REPORTED =
  /^(?:memory\.used|swap\.(?:used|in)|pressure\.memory|oom\.kills|uptime|check\.ms|disk\.available:|failed:|container\.(?:memory|restarts):|containers\.running|n8n\.|postgres\.|redis\.memory|sql:lead_count)/;

type Columns = Map<string, Column>;
export type Gathered = { data: ReportData; chart: ChartInput };

/** Collects what the report and its chart tell of the 24 hours before `at`, and of the 24 hours before those. */
export function gatherReport(deps: {
  db: Db;
  history: History;
  config: Config;
  snapshot: Snapshot;
  hostname: string;
  files: Files;
  at: number;
  /** What the report is about; default a day. */
  spanMs?: number | undefined;
}): Gathered {
  const { db, history, config, snapshot, at } = deps;
  const from = at - (deps.spanMs ?? DAY_MS);
  const isReported = (name: string) => REPORTED.test(name);
  // One day after the other: half the memory of both at once.
  const before = statsOfAll(history.columns(isReported, from - DAY_MS, from));
  const columns = history.columns(isReported, from, at + 1);
  const oldest = history.firstAt();
  // Where the clock was ahead, all that is kept may lie in the future.
  const firstAt = oldest !== undefined && oldest <= at ? oldest : undefined;
  const quiet = Math.max(5 * 60_000, 3 * config.settings.SERVICE_CHECK_INTERVAL * 1000);
  const gaps = firstAt === undefined ? [] : history.gaps(Math.max(from, firstAt), at, quiet);
  const incidents = incidentsOf(db, from, snapshot);
  const oomKills = oomKillsOf(history, columns, snapshot, from, at);
  const data: ReportData = {
    at,
    from,
    hostname: deps.hostname,
    version: VERSION,
    snapshot,
    ...(firstAt === undefined ? {} : { firstAt }),
    gaps,
    coverage: {
      day: coverage(history, from, at, quiet),
      before: coverage(history, from - DAY_MS, from, quiet),
    },
    day: statsOfAll(columns),
    before,
    boots: bootsOf(columns, snapshot, from),
    ...(oomKills === undefined ? {} : { oomKills }),
    restarts: restartsOf(columns),
    growers: history.growth(at, DAY_MS),
    forecasts: forecastsOf({ db, history, config, files: deps.files, snapshot }),
    failures: failuresOf(columns),
    checks: statsOf(columns.get('check.ms'))?.count ?? 0,
    incidents,
    actions: actionsOf(db, from),
    leftOff: leftOffIn(db),
    finishedWithinHours: config.extra.n8n.finishedWithinHours,
  };
  return { data, chart: chartOf(data, columns, config) };
}

function actionsOf(db: Db, from: number): ReportAction[] {
  return listActions(db, from)
    .toReversed()
    .map(({ startedAt: at, rule, target, what, state, result }) => ({
      at,
      rule,
      target,
      what,
      state,
      ...defined({ result }),
    }));
}

/** In how many checks a source could not be read. */
function failuresOf(columns: Columns): ReportData['failures'] {
  return SOURCE_IDS.flatMap((source) => {
    const checks = statsOf(columns.get(`failed:${source}`))?.count ?? 0;
    return checks > 0 ? [{ source, checks }] : [];
  });
}

function statsOfAll(columns: Columns): Record<string, SeriesStats> {
  const all: Record<string, SeriesStats> = {};
  for (const [name, column] of columns) {
    const stats = statsOf(column);
    if (stats) all[name] = stats;
  }
  return all;
}

function coverage(history: History, from: number, to: number, minMs: number): number {
  const missing = history.gaps(from, to, minMs).reduce((sum, gap) => sum + gap.to - gap.from, 0);
  return 1 - missing / (to - from);
}

/** No machine is started twice within this time. */
const SAME_BOOT_MS = 60_000;

/** When the host was started: where its uptime fell, and by the uptime now. */
function bootsOf(columns: Columns, snapshot: Snapshot, from: number): number[] {
  const { host } = snapshot.readings;
  const uptime = columns.get('uptime');
  const samples = (uptime?.at ?? []).map((at, i) => ({ at, sec: uptime!.avg[i]! }));
  if (host.state === 'ok') samples.push({ at: snapshot.at, sec: host.value.uptimeSec });
  const boots: number[] = [];
  let before = Infinity;
  for (const { at, sec } of samples) {
    const boot = at - sec * 1000;
    // Kept uptimes are rounded, so that one boot seems to be at slightly different times.
    const known = boots.some((other) => Math.abs(boot - other) < SAME_BOOT_MS);
    if (sec < before && boot >= from && !known) boots.push(boot);
    before = sec;
  }
  return boots;
}

/** The counter of the kernel since the last check before the day; a reboot begins it anew. */
function oomKillsOf(
  history: History,
  columns: Columns,
  snapshot: Snapshot,
  from: number,
  at: number,
): number | undefined {
  const { oom } = snapshot.readings;
  const kept = history.columns((name) => name === 'oom.kills', from - 3_600_000, at + 1).get('oom.kills');
  const now = oom.state === 'ok' ? oom.value.killsSinceBoot : undefined;
  if (!kept || !columns.has('oom.kills')) return undefined;
  if (now !== undefined && snapshot.at > kept.at.at(-1)!) {
    for (const list of [kept.avg, kept.min, kept.max]) list.push(now);
    kept.at.push(snapshot.at);
    kept.count.push(1);
  }
  return increaseOf(kept, from);
}

/** Restarts by policy. A container has no value while its count is zero, so that its first value counts whole. */
function restartsOf(columns: Columns): { name: string; count: number }[] {
  const prefix = 'container.restarts:';
  // While Docker did not answer, nothing is known: what is there when it does is not new.
  const start = columns.get('containers.running')?.at[0] ?? Infinity;
  const restarts: { name: string; count: number }[] = [];
  for (const [name, column] of columns) {
    if (!name.startsWith(prefix)) continue;
    const rose = (increaseOf(column) ?? 0) + (column.at[0]! > start ? column.max[0]! : 0);
    if (rose > 0) restarts.push({ name: name.slice(prefix.length), count: rose });
  }
  return restarts.toSorted((a, b) => b.count - a.count);
}

/** What was notified within the day or is still open; what never held long enough for that is left out. */
function incidentsOf(db: Db, since: number, { readings }: Snapshot): ReportIncident[] {
  return incidentsSince(db, since)
    .filter(({ state, event, firedAt }) => state !== 'pending' && (event || firedAt !== undefined))
    .map((incident) => ({
      ...beforeOf(db, incident.id),
      rule: incident.rule,
      subject: incident.subject,
      severity: incident.severity,
      text: incident.text,
      from: incident.firedAt ?? incident.openedAt,
      ...(incident.resolvedAt === undefined ? {} : { to: incident.resolvedAt }),
      ...(incident.resolvedAt === undefined && incident.okSince !== undefined
        ? { fine: { since: incident.okSince, text: incident.endText ?? incident.text } }
        : {}),
      ...(isUnseen(incident, readings) ? { unseen: true as const } : {}),
      event: incident.event === true,
    }));
}

/** Changes of containers are of no source; that Docker is gone is seen where it cannot be read. */
function isUnseen({ rule, fact }: Incident, readings: Snapshot['readings']): boolean {
  const source = sourceOfRule(rule) ?? (fact && rule !== 'docker-gone' ? 'docker' : undefined);
  return source !== undefined && readings[source].state !== 'ok';
}

function beforeOf(db: Db, id: number): { before?: string[] } {
  const lines = recordingOf(db, id)?.lines ?? [];
  return lines.length > 0 ? { before: lines } : {};
}

function chartOf(data: ReportData, columns: Columns, config: Config): ChartInput {
  const { settings } = config;
  const { host } = data.snapshot.readings;
  const from = Math.min(Math.max(data.from, data.firstAt ?? data.from), data.at - 30 * 60_000);
  const points = (name: string) => pointsOf(columns.get(name), from, data.at + 1, CHART_POINTS);
  const peak = (name: string) => data.day[name]?.peak ?? 0;
  const memoryTotal = host.state === 'ok' ? host.value.memory.totalBytes : peak('memory.used') * 1.1;
  const swapTotal = host.state === 'ok' ? host.value.swap.totalBytes : peak('swap.used') * 1.1;
  const panels: ChartInput['panels'][number][] = [
    { title: 'Memory used', unit: 'bytes', points: points('memory.used'), max: memoryTotal || 1 },
  ];
  const notes: string[] = [];
  if (swapTotal > 0)
    panels.push({ title: 'Swap used', unit: 'bytes', points: points('swap.used'), max: swapTotal });
  else notes.push('This host has no swap.');
  if (columns.has('pressure.memory')) {
    panels.push({
      title: 'Memory pressure, 0 to 100',
      unit: 'score',
      points: points('pressure.memory'),
      max: 100,
      limits: [
        { value: settings.MEMORY_PRESSURE_WARNING, name: 'warning' },
        { value: settings.MEMORY_PRESSURE_THRESHOLD, name: 'critical' },
      ],
    });
  } else notes.push('Memory pressure is not known here.');
  return {
    hostname: data.hostname,
    from,
    to: data.at,
    panels,
    marks: data.incidents.flatMap(markOf),
    gaps: data.gaps,
    ...(notes.length > 0 ? { note: notes.join(' ') } : {}),
  };
}

function markOf({ severity, from, to, event, fine, text }: ReportIncident): ChartMark[] {
  if (severity === 'info') return [];
  const end = event ? from : (to ?? fine?.since);
  return [{ severity, from, text, ...(end === undefined ? {} : { to: end }) }];
}
