import type { Forecast, Growth } from '../../model/forecast.ts';
import { forecastDetails, forecastSentence } from '../../model/forecast-text.ts';
import type { HostValues } from '../../model/snapshot.ts';
import { formatBytes, formatCount, formatDuration, plain } from '../../model/text.ts';
import { nothingKept, period, type ReportData } from './data.ts';
import type { SeriesStats } from '../../model/series-stats.ts';
import { clockTime, many, oneDecimal } from './text.ts';

/** More would not be read; a forecast needs so many hours of values. */
const MOST_FORECASTS = 4;
const MOST_BOOTS = 5;
const LEAST_HOURS = 8;

/**
 * A part of the report: a heading with its first line, and further short lines below it. Plain text: escaped when it becomes
 * HTML. `missing`: there is nothing of it on this host.
 */
export type Part = { title: string; lines: [string, ...string[]]; missing?: boolean };

export function hostParts(data: ReportData): Part[] {
  const { host } = data.snapshot.readings;
  if (host.state !== 'ok') {
    const why = plain(host.why);
    return [{ title: 'Host', lines: [host.state === 'failed' ? `could not be read: ${why}` : why] }];
  }
  return [
    oom(data),
    uptime(data, host.value),
    memory(data, host.value),
    swap(data, host.value),
    pressure(data),
    disks(data, host.value),
  ];
}

function uptime({ boots }: ReportData, host: HostValues): Part {
  const lines: Part['lines'] = [formatDuration(host.uptimeSec * 1000)];
  const times = boots.slice(-MOST_BOOTS).map(clockTime).join(', ');
  if (boots.length > MOST_BOOTS)
    lines.push(`The host was started ${formatCount(boots.length)} times, last at ${times}`);
  else if (boots.length > 0) lines.push(`The host was started at ${times}`);
  return { title: 'Uptime', lines };
}

function memory(data: ReportData, { memory }: HostValues): Part {
  const lines: Part['lines'] = [
    `${formatBytes(memory.usedBytes)} of ${formatBytes(memory.totalBytes)} now, ${formatBytes(memory.availableBytes)} available`,
  ];
  const day = data.day['memory.used'];
  lines.push(
    day
      ? `Average ${formatBytes(day.avg)}, ${peakBytes(day)}`
      : `No average and no peak: ${nothingKept(data)}`,
  );
  const before = data.before['memory.used'];
  if (before) lines.push(`Day before: average ${formatBytes(before.avg)}, peak ${formatBytes(before.peak)}`);
  return { title: 'Memory', lines };
}

function peakBytes({ peak, peakAt }: SeriesStats): string {
  return `peak ${formatBytes(peak)} at ${clockTime(peakAt)}`;
}

function swap(data: ReportData, { swap }: HostValues): Part {
  if (swap.totalBytes === 0) return { title: 'Swap', lines: ['this host has none'] };
  const day = data.day['swap.used'];
  const lines: Part['lines'] = [
    `${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} now${swap.zram ? ' (zram: in memory)' : ''}`,
  ];
  if (day && day.peak > 0) lines.push(`Average ${formatBytes(day.avg)}, ${peakBytes(day)}`);
  const read = data.day['swap.in'];
  if (read && read.peak >= 100)
    lines.push(`Read back at most ${formatBytes(read.peak * 1024)} a second, at ${clockTime(read.peakAt)}`);
  const before = data.before['swap.used'];
  if (before && Math.max(before.peak, day?.peak ?? 0) > 0)
    lines.push(`Day before: average ${formatBytes(before.avg)}, peak ${formatBytes(before.peak)}`);
  return { title: 'Swap', lines };
}

function pressure(data: ReportData): Part {
  const { pressure } = data.snapshot.readings;
  const title = 'Memory pressure';
  const day = data.day['pressure.memory'];
  if (pressure.state !== 'ok' && !day) return { title, lines: [`unknown: ${plain(pressure.why)}`] };
  const peak = day
    ? `peak ${oneDecimal(day.peak)}${day.peak >= 0.05 ? ` at ${clockTime(day.peakAt)}` : ''}`
    : '';
  const now = pressure.state === 'ok' ? `${oneDecimal(pressure.value.score)} of 100 now` : '';
  const lines: Part['lines'] = [[now, peak].filter((text) => text !== '').join(', ')];
  const before = data.before['pressure.memory'];
  if (before) lines.push(`Day before: peak ${oneDecimal(before.peak)}`);
  return { title, lines };
}

function oom(data: ReportData): Part {
  const title = 'OOM kills';
  const { oom } = data.snapshot.readings;
  if (data.oomKills === undefined)
    return { title, lines: [`unknown: ${oom.state === 'ok' ? nothingKept(data) : plain(oom.why)}`] };
  const kills = oom.state === 'ok' ? oom.value.kills.filter(({ at }) => at >= data.from) : [];
  // The counter is known since the first check only, the kernel's log has those before.
  const count = Math.max(data.oomKills, kills.length);
  if (count === 0) return { title, lines: ['none'] };
  const lines: Part['lines'] = [formatCount(count)];
  // One line for each that was killed, with how often; in order of the last time.
  const byVictim = new Map<string, { times: number; at: number; rssBytes: number }>();
  for (const { process, containerName, at, rssBytes } of kills) {
    const victim = `${plain(process, 40)}${containerName ? ` in ${plain(containerName, 60)}` : ''}`;
    const times = (byVictim.get(victim)?.times ?? 0) + 1;
    byVictim.delete(victim);
    byVictim.set(victim, { times, at, rssBytes });
  }
  for (const [victim, { times, at, rssBytes }] of [...byVictim].slice(-5))
    lines.push(
      `• ${clockTime(at)} ${victim}, ${formatBytes(rssBytes)}${times > 1 ? ` (the last of ${formatCount(times)})` : ''}`,
    );
  return { title, lines };
}

function disks(data: ReportData, host: HostValues): Part {
  const [first, ...rest] = host.disks.map((disk) => {
    const before = data.day[`disk.available:${disk.mount}`];
    const free = disk.availableBytes;
    const change = before && free !== undefined ? free - before.first : 0;
    const changed =
      Math.abs(change) >= 10 * 1_048_576
        ? `, ${formatBytes(Math.abs(change))} ${change > 0 ? 'more' : 'less'} than ${period(data) === 'in 24 h' ? 'a day ago' : `at ${clockTime(data.firstAt!)}`}`
        : '';
    return `${plain(disk.mount, 60)} ${Math.round(disk.usedPercent)} % full${free === undefined ? '' : `, ${formatBytes(free)} free${changed}`}`;
  });
  return { title: 'Disk', lines: [first ?? 'no file system could be read', ...rest] };
}

/** What runs out, when, and whose growth it is. */
export function forecastPart({ forecasts, at }: ReportData): Part {
  const title = 'Forecast';
  const growing = forecasts
    .filter((one): one is Forecast & { growth: Growth } => one.growth !== undefined)
    .toSorted((a, b) => a.growth.fullAt - b.growth.fullAt);
  const lines = growing.slice(0, MOST_FORECASTS).flatMap((one) => {
    const [, ...because] = forecastDetails(one, one.growth, at);
    return [forecastSentence(one, one.growth, at), ...because.map((line) => `• ${line}`)];
  });
  if (growing.length > MOST_FORECASTS)
    lines.push(`and ${growing.length - MOST_FORECASTS} more: vpsmon forecast`);
  const [first, ...rest] = lines;
  if (first !== undefined) return { title, lines: [first, ...rest] };
  const known = forecasts.find(({ kind }) => kind === 'memory')?.knownHours ?? 0;
  return known < LEAST_HOURS
    ? { title, lines: [`not known yet: it takes ${LEAST_HOURS} hours of values`] }
    : { title, lines: ['nothing that can be seen runs out'] };
}

/** Everything that was not seen although it should have been. */
export function errorsPart(data: ReportData): Part {
  const [first, ...rest] = data.failures.map(
    ({ source, checks }) =>
      `${source} could not be read in ${many(checks, 'check')} of ${formatCount(data.checks)}`,
  );
  return { title: 'Errors', lines: [first ?? 'none', ...rest] };
}
