import { SEVERITIES, type Severity, formatValue } from '../../model/finding.ts';
import type { Incident } from '../../model/incident.ts';
import { formatCount, formatDuration, formatMany, formatTime, isoTime, plain } from '../../model/text.ts';
import { right, styleFor, table, tableAbove, widthBeforeLast, wrapBehind, type Style } from './style.ts';

type View = { color: boolean; columns: number; wrapAt?: number | undefined };

export type IncidentsView = View & {
  incidents: readonly Incident[];
  now: number;
  /** What was asked for, as it was written: `24h`. */
  since: string;
};

/** What happened, newest first, one line each. */
export function renderIncidents({ incidents, now, since, color, columns, wrapAt }: IncidentsView): string {
  const style = styleFor(color);
  if (incidents.length === 0) {
    return `${style.good('No incidents')} in the last ${since}, and none is open.\n`;
  }
  const open = incidents.filter((incident) => incident.state !== 'resolved').length;
  const count = `${formatMany(incidents.length, 'incident')} in the last ${since}`;
  const rows = incidents.map((incident) => [
    String(incident.id),
    formatTime(incident.openedAt),
    severityText(incident, style),
    stateText(incident, style),
    lengthText(incident, now),
    whatText(incident),
  ]);
  const titles = [right('ID'), 'BEGAN', 'SEVERITY', 'STATE', right('LASTED'), 'WHAT'];
  const first = widthBeforeLast(titles, rows);
  const narrow = wrapAt !== undefined && wrapAt - first < 40;
  const cells = Math.max(30, columns - first);
  for (const row of rows) row[5] = plain(row[5]!, narrow ? 400 : cells);
  return [
    `${style.bold(count)}, ${open === 0 ? style.good('none open') : style.bad(`${open} open`)}`,
    '',
    ...(narrow ? tableAbove(titles, rows, style, wrapAt) : table(titles, rows, style)),
    '',
    style.dim('Details of one: vpsmon incidents show ID'),
    '',
  ].join('\n');
}

/** The highest severity that was sent: what was critical and got better before it ended was critical. */
function sentSeverity({ severity, notified }: Incident): Severity {
  const sent = notified.severity ?? severity;
  return SEVERITIES.indexOf(sent) > SEVERITIES.indexOf(severity) ? sent : severity;
}

function severityText(incident: Incident, style: Style): string {
  const severity = sentSeverity(incident);
  if (severity === 'critical') return style.bad('CRITICAL');
  return severity === 'warning' ? style.warn('WARNING') : 'INFO';
}

function stateText({ state, event, flapping, endedAs }: Incident, style: Style): string {
  if (flapping) return style.warn('flapping');
  if (event) return 'happened';
  if (state !== 'resolved') return style.bad('open');
  return endedAs === 'gone' ? 'gone' : style.good('ended');
}

function lengthText({ event, openedAt, resolvedAt }: Incident, now: number): string {
  if (event && resolvedAt === openedAt) return '-';
  return formatDuration(Math.max(0, (resolvedAt ?? now) - openedAt));
}

function whatText(incident: Incident): string {
  const times = timesOf(incident);
  if (!incident.event || times === undefined || times < 2) return incident.text;
  const often = `${formatCount(times)} times`;
  return incident.text.includes(often) ? incident.text : `${often}: ${incident.text}`;
}

/** One that happened once is one, however many of its kind came before: those are incidents of their own. */
function timesOf({ event, changes, openedAt, resolvedAt }: Incident): number | undefined {
  return event && resolvedAt === openedAt ? undefined : changes;
}

/** Everything that is known about one incident. */
export function renderIncident(incident: Incident, { now, color, columns }: View & { now: number }): string {
  const style = styleFor(color);
  const { id, rule, subject, alias, notified, details, actions } = incident;
  const names = alias === undefined || alias === subject ? subject : `${subject} (${alias})`;
  const painted: [string, string][] = [
    ['Severity', severityText(incident, style)],
    ['State', stateText(incident, style)],
  ];
  const fields: [string, string[]][] = [
    ['Rule', [`${rule}, about ${plain(names, 2000)}`]],
    ['Began', [formatTime(incident.openedAt)]],
    ...endOf(incident, now),
    ...valuesOf(incident),
    ['Details', details],
    ['Sent', [sentText(notified)]],
    ['Done', actions],
  ];
  const line = (label: string, text: string) => `  ${style.dim(label.padEnd(9))}  ${text}`;
  return [
    ...wrapBehind(`${style.bold(`Incident ${id}`)}  `, plain(incident.text, 2000), columns),
    '',
    ...painted.map(([label, text]) => line(label, text)),
    ...fields.flatMap(([label, texts]) =>
      texts.flatMap((text, i) => wrapBehind(line(i === 0 ? label : '', ''), plain(text, 2000), columns)),
    ),
    '',
  ].join('\n');
}

function endOf(incident: Incident, now: number): [string, string[]][] {
  const { event, resolvedAt, openedAt, endText, endedAs } = incident;
  if (event && resolvedAt === openedAt) return [];
  if (resolvedAt === undefined) return [['Lasts', [formatDuration(Math.max(0, now - openedAt))]]];
  const how = endedAs === 'gone' ? 'it is not there any more' : endText;
  return [
    ['Ended', [`${formatTime(resolvedAt)}${how ? `: ${how}` : ''}`]],
    ['Lasted', [formatDuration(Math.max(0, resolvedAt - openedAt))]],
  ];
}

function valuesOf(incident: Incident): [string, string[]][] {
  const { value, worst, limit, unit, flapping, event } = incident;
  const changes = timesOf(incident);
  const rows: [string, string[]][] = [];
  const limitText = limit === undefined ? '' : ` (limit ${formatValue(limit, unit)})`;
  if (worst !== undefined && !event) rows.push(['Worst', [`${formatValue(worst, unit)}${limitText}`]]);
  if (value !== undefined && value !== worst) rows.push(['Last', [formatValue(value, unit)]]);
  if (changes !== undefined && changes > 1) {
    rows.push([
      event ? 'Times' : 'Changes',
      [`${formatCount(changes)}${flapping ? ', still changing' : ''}`],
    ]);
  }
  return rows;
}

function sentText({ count, lastAt, withId }: Incident['notified']): string {
  if (count === 0) return withId === undefined ? 'no message' : 'in the message about another one';
  const last = lastAt === undefined ? '' : `, the last one at ${formatTime(lastAt)}`;
  return `${count} ${count === 1 ? 'message' : 'messages'}${last}`;
}

/** The documented shape of `incidents --json`: times in ISO 8601, durations in seconds. */
export function incidentToJson(incident: Incident, now: number): Record<string, unknown> {
  const { id, rule, subject, alias, value, worst, limit, unit, notified } = incident;
  const end = incident.resolvedAt ?? now;
  return {
    id,
    rule,
    subject,
    ...(alias === undefined ? {} : { service: alias }),
    kind: incident.event ? 'event' : 'state',
    state: incident.state === 'resolved' ? 'resolved' : 'open',
    severity: sentSeverity(incident),
    text: plain(incident.text, 1000),
    details: incident.details.map((line) => plain(line, 1000)),
    opened_at: isoTime(incident.openedAt),
    resolved_at: isoTime(incident.resolvedAt),
    duration_seconds: Math.max(0, Math.round((end - incident.openedAt) / 1000)),
    ended_as: incident.endedAs ?? null,
    value: value ?? null,
    worst: worst ?? null,
    limit: limit ?? null,
    unit: unit ?? null,
    flapping: incident.flapping,
    changes: timesOf(incident) ?? null,
    cause: incident.cause ?? null,
    messages: notified.count,
    last_message_at: isoTime(notified.lastAt),
    actions: incident.actions.map((line) => plain(line, 1000)),
  };
}
