import type { SeriesStats } from '../../model/series-stats.ts';
import type { Forecast } from '../../model/forecast.ts';
import type { Severity } from '../../model/finding.ts';
import type { LeftOff } from '../../model/left-off.ts';
import type { Snapshot, Source } from '../../model/sources.ts';
import { shortTime } from './text.ts';

export type ReportIncident = {
  rule: string;
  subject: string;
  severity: Severity;
  text: string;
  /** When it was sent first. */
  from: number;
  /** Undefined while it lasts. */
  to?: number;
  /** It comes and goes and is fine at the moment: since when, and how it is now. */
  fine?: { since: number; text: string };
  /** What it is about could not be read for the report: so it was when it was seen last. */
  unseen?: true;
  /** Happened once, has no duration. */
  event: boolean;
  /** What the flight recorder has of the minutes before: who held how much, what grew, what was waited for. */
  before?: string[];
};

export type ReportAction = {
  at: number;
  rule: string;
  target: string;
  what: string;
  state: string;
  result?: string;
};

/** What the report of one day is made of. Series are those of the history: memory.used, swap.used, pressure.memory, ... */
export type ReportData = {
  /** Now; the day is [from, at), the day before [from - 24 h, from). */
  at: number;
  from: number;
  hostname: string;
  version: string;
  /** What was read for the report; the reasons for what is missing are in it. */
  snapshot: Snapshot;
  /** The oldest check that is kept; undefined without any. */
  firstAt?: number;
  /** When nothing was read within the day, after `firstAt`. */
  gaps: { from: number; to: number }[];
  /** Share of the two days that has data, 0 to 1. */
  coverage: { day: number; before: number };
  day: Record<string, SeriesStats>;
  before: Record<string, SeriesStats>;
  /** When the host was started, within the day. */
  boots: number[];
  /** OOM kills within the day; undefined where they cannot be counted. */
  oomKills?: number;
  /** Containers that were restarted within the day, most often first. */
  restarts: { name: string; count: number }[];
  /** Anonymous memory, bytes per hour, fastest first. */
  growers: { name: string; bytesPerHour: number }[];
  /** What runs out and when, and what is followed. */
  forecasts: readonly Forecast[];
  /** Sources that could not be read, in how many of the checks. */
  failures: { source: Source; checks: number }[];
  checks: number;
  incidents: ReportIncident[];
  /** What recovery did within the day. Undefined where it keeps no record. */
  actions?: ReportAction[];
  /** What recovery has switched off and not brought back. */
  leftOff: readonly LeftOff[];
  /** n8n counts finished executions of this many hours. */
  finishedWithinHours: number;
};

/** Alerts by severity: incidents that began within the day. */
export function alertCounts(data: ReportData): Record<Severity, number> {
  const counts = { info: 0, warning: 0, critical: 0 };
  for (const incident of data.incidents) if (incident.from >= data.from) counts[incident.severity]++;
  return counts;
}

/** "in 24 h", or since when there is data. */
export function period(data: ReportData): string {
  return data.firstAt !== undefined && data.firstAt > data.from
    ? `since ${shortTime(data.firstAt, data.at)}`
    : 'in 24 h';
}

/** Why the day has no numbers. */
export function nothingKept({ firstAt, from }: ReportData): string {
  return firstAt !== undefined && firstAt <= from ? 'nothing was kept in 24 h' : 'nothing was kept yet';
}
