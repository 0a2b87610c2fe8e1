import { forecastsToJson } from '../terminal/forecast.ts';
import { alertCounts, type ReportData } from './data.ts';
import type { SeriesStats } from '../../model/series-stats.ts';

/** The documented shape of `report --json`. Times are ISO 8601 in UTC, memory is in bytes. */
export function dailyReportJson(data: ReportData): unknown {
  return {
    version: 1,
    vpsmon: data.version,
    hostname: data.hostname,
    at: iso(data.at),
    from: iso(data.from),
    data_since: data.firstAt === undefined ? null : iso(data.firstAt),
    coverage: { day: round(data.coverage.day, 4), day_before: round(data.coverage.before, 4) },
    gaps: data.gaps.map(({ from, to }) => ({ from: iso(from), to: iso(to) })),
    checks: data.checks,
    alerts: alertCounts(data),
    incidents: data.incidents.map(({ rule, subject, severity, text, from, to, event, before }) => ({
      rule,
      subject,
      severity,
      text,
      from: iso(from),
      to: to === undefined ? null : iso(to),
      event,
      before: before ?? [],
    })),
    actions: data.actions?.map(({ at, ...action }) => ({ at: iso(at), ...action })) ?? null,
    left_off: data.leftOff.map(({ since, ...one }) => ({ ...one, since: iso(since) })),
    boots: data.boots.map(iso),
    oom_kills: data.oomKills ?? null,
    restarts: data.restarts,
    growers: data.growers.map(({ name, bytesPerHour }) => ({
      name,
      bytes_per_hour: Math.round(bytesPerHour),
    })),
    forecasts: forecastsToJson(data.forecasts, data.at).forecasts,
    failures: data.failures,
    now: data.snapshot.readings,
    day: statsJson(data.day),
    day_before: statsJson(data.before),
  };
}

function statsJson(stats: Record<string, SeriesStats>): unknown {
  return Object.fromEntries(
    Object.entries(stats).map(([name, { avg, min, minAt, peak, peakAt, first, last }]) => [
      name,
      { avg: round(avg, 2), min, min_at: iso(minAt), peak, peak_at: iso(peakAt), first, last },
    ]),
  );
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
