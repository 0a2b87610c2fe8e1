import type { Incident } from '../../model/incident.ts';
import type { ContainerInfo, Snapshot } from '../../model/snapshot.ts';
import { formatBytes, formatCount, formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';

/** What the bot answers, as Telegram HTML. */

export type StatusView = {
  hostname: string;
  now: number;
  snapshot: Snapshot | undefined;
  containers: readonly ContainerInfo[];
  /** Firing ones. */
  incidents: readonly Incident[];
  waiting: number;
  silenced: readonly string[];
};

const NAMED_MOST = 12;
const ROWS_MOST = 60;

/** The answer to /status: what one has to know first, on one screen of a phone. */
export function statusHtml({ hostname, now, snapshot, containers, incidents, ...view }: StatusView): string {
  const how =
    incidents.length === 0
      ? 'all well'
      : `${formatCount(incidents.length)} open ${incidents.length === 1 ? 'incident' : 'incidents'}`;
  const lines = [`<b>${safeHtml(hostname, 60)}: ${how}</b>`];
  for (const incident of newestFirst(incidents).slice(0, NAMED_MOST)) lines.push(incidentLine(incident, now));
  if (incidents.length > NAMED_MOST) lines.push(`... and ${incidents.length - NAMED_MOST} more: /incidents`);
  lines.push('');
  const host = snapshot?.readings.host;
  if (host?.state === 'ok') {
    const { memory, swap, load, uptimeSec, disks } = host.value;
    lines.push(
      `Memory: ${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available`,
      swap.totalBytes > 0
        ? `Swap: ${formatBytes(swap.usedBytes)} of ${formatBytes(swap.totalBytes)} used`
        : 'Swap: none',
      `Load: ${load[0].toFixed(2)}`,
    );
    for (const { mount, availableBytes: free } of disks.slice(0, 6))
      if (free !== undefined) lines.push(`Disk ${safeHtml(mount, 40)}: ${formatBytes(free)} free`);
    lines.push(`Up: ${formatDuration(uptimeSec * 1000)}`);
  }
  const up = containers.filter((container) => container.state === 'running').length;
  if (containers.length > 0) lines.push(`Containers: ${up} of ${containers.length} running`);
  if (view.silenced.length > 0)
    lines.push(`Silenced: ${safeHtml(view.silenced.slice(0, 10).join(', '), 200)}`);
  if (view.waiting > 0) lines.push(`Messages waiting: ${formatCount(view.waiting)}`);
  lines.push(snapshot ? `Last check: ${formatTime(snapshot.at)}` : 'No check is finished yet.');
  return lines.join('\n');
}

/** The answer to /incidents. */
export function incidentsHtml(hostname: string, incidents: readonly Incident[], now: number): string {
  if (incidents.length === 0) return `<b>${safeHtml(hostname, 60)}</b>: no incidents in 24 hours.`;
  const shown = incidents.slice(0, 25).map((incident) => incidentLine(incident, now));
  const left = incidents.length - shown.length;
  return [
    `<b>${safeHtml(hostname, 60)}: incidents of 24 hours</b>`,
    ...shown,
    ...(left > 0 ? [`... and ${formatCount(left)} more`] : []),
  ].join('\n');
}

function incidentLine(
  { id, severity, state, event, openedAt, resolvedAt, text }: Incident,
  now: number,
): string {
  const open = state !== 'resolved';
  const time = event
    ? formatTime(openedAt)
    : open
      ? `since ${formatDuration(Math.max(0, now - openedAt))}`
      : `ended after ${formatDuration(Math.max(0, (resolvedAt ?? now) - openedAt))}`;
  const title = `#${id} ${severity.toUpperCase()}`;
  return `${open ? `<b>${title}</b>` : title} ${safeHtml(text, 160)} (${time})`;
}

function newestFirst(incidents: readonly Incident[]): Incident[] {
  return incidents.toSorted((a, b) => b.openedAt - a.openedAt);
}

/** The answer to /containers: those that are not well first. */
export function containersHtml(hostname: string, containers: readonly ContainerInfo[]): string {
  if (containers.length === 0) return `<b>${safeHtml(hostname, 60)}</b>: no containers are seen.`;
  const sorted = containers.toSorted(
    (a, b) => Number(isWell(a)) - Number(isWell(b)) || a.name.localeCompare(b.name),
  );
  const rows = sorted.slice(0, ROWS_MOST).map((container) => {
    const { name, state, health, memory, restartsLast5Min: restarts } = container;
    const how = state === 'running' && health !== 'none' && health !== 'healthy' ? health : state;
    const used = memory ? formatBytes(memory.workingSetBytes) : '';
    const often = restarts > 0 ? `, ${restarts} restarts` : '';
    return `${plain(name, 22).padEnd(22)} ${how}${used === '' ? '' : ` ${used}`}${often}`;
  });
  const left = sorted.length - rows.length;
  if (left > 0) rows.push(`... and ${formatCount(left)} more`);
  return `<b>${safeHtml(hostname, 60)}: ${formatCount(containers.length)} containers</b>\n<pre>${rows.map((row) => safeHtml(row, 120)).join('\n')}</pre>`;
}

function isWell({ state, health }: ContainerInfo): boolean {
  return state === 'running' && health !== 'unhealthy';
}

/** What a command printed, or log lines, in fixed width under a title. */
export function printedHtml(title: string, lines: readonly string[]): string {
  const body = lines.map((line) => safeHtml(line, 300)).join('\n');
  return `<b>${safeHtml(title, 120)}</b>\n<pre>${body === '' ? '(nothing)' : body}</pre>`;
}
