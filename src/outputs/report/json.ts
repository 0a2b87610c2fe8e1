import { forecastsToJson } from '../terminal/forecast.ts';
import { isoTime } from '../../model/text.ts';
import { alertCounts, type ReportData } from './data.ts';
import type { SeriesStats } from '../../model/series-stats.ts';

/** The documented shape of `report --json`. Times are ISO 8601 in UTC, memory is in bytes. */
export function dailyReportJson(data: ReportData): unknown {
  return {
    version: 1,
    vpsmon: data.version,
    hostname: data.hostname,
    at: isoTime(data.at),
    from: isoTime(data.from),
    data_since: isoTime(data.firstAt),
    coverage: { day: round(data.coverage.day, 4), day_before: round(data.coverage.before, 4) },
    gaps: data.gaps.map(({ from, to }) => ({ from: isoTime(from), to: isoTime(to) })),
    checks: data.checks,
    alerts: alertCounts(data),
    incidents: data.incidents.map(({ rule, subject, severity, text, from, to, fine, event, before }) => ({
      rule,
      subject,
      severity,
      text,
      from: isoTime(from),
      to: isoTime(to),
      fine_since: isoTime(fine?.since),
      event,
      before: before ?? [],
    })),
    actions: data.actions?.map(({ at, ...action }) => ({ at: isoTime(at), ...action })) ?? null,
    left_off: data.leftOff.map(({ since, ...one }) => ({ ...one, since: isoTime(since) })),
    boots: data.boots.map(isoTime),
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
      { avg: round(avg, 2), min, min_at: isoTime(minAt), peak, peak_at: isoTime(peakAt), first, last },
    ]),
  );
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
