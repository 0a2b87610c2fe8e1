import type { Severity } from '../../model/finding.ts';
import { escapeHtml, formatDuration, plain } from '../../model/text.ts';
import { LEFT_OFF_KINDS, leftOffText } from '../../model/left-off.ts';
import { alertCounts, period, type ReportAction, type ReportData, type ReportIncident } from './data.ts';
import { errorsPart, forecastPart, hostParts, type Part } from './host.ts';
import { serviceParts } from './services.ts';
import { clockTime, longTime, many, shortTime } from './text.ts';

export { dayName } from './text.ts';

/** For so many the minutes before are listed. */
const MAX_DEATHS = 2;
/** More would not be read at breakfast; `vpsmon incidents` has all of them. */
const MAX_LISTED = 8;
/** A day of which less was watched is not called quiet as a whole. */
const WHOLE = 0.9;

/** The report as Telegram HTML and as plain text: the same lines, made for a screen as wide as a hand. */
export function renderDailyReport(data: ReportData): { html: string; text: string } {
  const head = `Daily report: ${plain(data.hostname, 60)}`;
  const when = longTime(data.at);
  const [verdict, ...notes] = summaryOf(data);
  const parts = partsOf(data);
  const html = [
    `📊 <b>${escapeHtml(head)}</b>`,
    escapeHtml(when),
    '',
    `<b>${escapeHtml(verdict)}</b>`,
    ...notes.map(escapeHtml),
    ...spaced(parts, ({ title, lines: [first, ...rest] }) => [
      `<b>${escapeHtml(title)}</b>  ${escapeHtml(first)}`,
      ...rest.map(escapeHtml),
    ]),
  ].join('\n');
  const text = [
    head,
    when,
    '',
    verdict,
    ...notes,
    ...spaced(parts, ({ title, lines: [first, ...rest] }) => [
      `${title}: ${first}`,
      ...rest.map((line) => `  ${line}`),
    ]),
    '',
  ].join('\n');
  return { html, text };
}

/** Parts of one line stand together, longer ones between blank lines. */
function spaced(parts: readonly Part[], render: (part: Part) => string[]): string[] {
  const lines: string[] = [];
  let before: 'start' | 'short' | 'long' = 'start';
  for (const part of parts) {
    const size = part.lines.length > 1 ? 'long' : 'short';
    if (size === 'long' || before !== 'short') lines.push('');
    lines.push(...render(part));
    before = size;
  }
  return lines;
}

/** What one wants to know before the coffee: was there anything, is there still something, and is this the whole day? */
function summaryOf(data: ReportData): [string, ...string[]] {
  const notes = dataLines(data);
  const open = data.incidents.filter(isOpen).length;
  const { critical, warning } = alertCounts(data);
  const alerts = severities({ critical, warning, info: 0 });
  if (open > 0)
    return [`${many(open, 'alert')} still open${alerts ? `; ${alerts} ${period(data)}` : ''}`, ...notes];
  if (alerts) return [`${alerts} ${period(data)}, none still open`, ...notes];
  const earlier = data.incidents.filter((one) => one.severity !== 'info');
  const fine = earlier.filter((one) => one.fine !== undefined).length;
  const before = [
    ...(earlier.length > fine ? [`${many(earlier.length - fine, 'earlier alert')} ended`] : []),
    ...(fine > 0 ? [`${many(fine, 'earlier alert')} fine at the moment`] : []),
  ];
  if (data.firstAt === undefined) return [['A first look', ...before].join(', '), ...notes];
  const watched = watchedMs(data);
  if (watched <= 0) return [['Nothing was watched in 24 h', ...before].join(', '), ...notes];
  const isWhole = watched >= WHOLE * (data.at - Math.max(data.from, data.firstAt));
  const when = isWhole ? period(data) : `in the ${formatDuration(watched)} that were watched`;
  const unread = data.failures.length > 0 ? ', but not everything could be read' : '';
  if (before.length > 0) return [`No new alerts ${when}, ${before.join(', ')}${unread}`, ...notes];
  if (unread) return [`No alerts ${when}${unread}`, ...notes];
  return [isWhole ? 'All quiet' : `All quiet ${when}`, ...notes];
}

/** How much of the day was watched, of what lies after the first check. */
function watchedMs({ at, from, firstAt = at, gaps }: ReportData): number {
  return gaps.reduce((left, gap) => left - (gap.to - gap.from), at - Math.max(from, firstAt));
}

/** Since when there are numbers, and when there were none. */
function dataLines(data: ReportData): string[] {
  if (data.firstAt === undefined) return ['No history yet: only what was read just now'];
  const lines: string[] = [];
  if (data.firstAt > data.from)
    lines.push(`Since ${shortTime(data.firstAt, data.at)}: there is no older data`);
  else if (data.coverage.before < 0.9)
    lines.push(`The day before has data for ${Math.round(data.coverage.before * 24)} h only`);
  const longest = data.gaps.toSorted((a, b) => b.to - b.from - (a.to - a.from)).slice(0, 3);
  for (const { from, to } of longest.toSorted((a, b) => a.from - b.from))
    lines.push(`No data ${gapText(from, to, data)}: the host or the monitor was off`);
  if (data.gaps.length > 3) lines.push(`and ${many(data.gaps.length - 3, 'shorter gap')}`);
  return lines;
}

/** The edges of the day are not when it began or ended. */
function gapText(from: number, to: number, day: ReportData): string {
  const long = ` (${formatDuration(to - from)})`;
  if (from <= day.from) return to >= day.at ? 'in 24 h' : `until ${clockTime(to)}${long}`;
  return to >= day.at ? `since ${clockTime(from)}${long}` : `${clockTime(from)}-${clockTime(to)}${long}`;
}

/** What happened, then the host, then its services; what is not on this server is left out. */
function partsOf(data: ReportData): Part[] {
  const parts = [
    alertsPart(data),
    recoveryPart(data),
    errorsPart(data),
    forecastPart(data),
    ...hostParts(data),
    ...serviceParts(data),
  ];
  return parts.filter(({ missing }) => !missing);
}

function severities({ critical, warning, info }: Record<Severity, number>): string {
  return [
    critical > 0 ? `${critical} critical` : '',
    warning > 0 ? many(warning, 'warning') : '',
    info > 0 ? `${info} info` : '',
  ]
    .filter((text) => text !== '')
    .join(', ');
}

function alertsPart(data: ReportData): Part {
  const listed = data.incidents.filter(({ severity }) => severity !== 'info');
  const lines: Part['lines'] = [severities(alertCounts(data)) || (listed.length > 0 ? 'none new' : 'none')];
  // What is open, critical or late matters most; what is shown of it stands in the order of time.
  const byWeight = listed.toSorted(
    (a, b) =>
      Number(isOpen(b)) - Number(isOpen(a)) ||
      Number(b.severity === 'critical') - Number(a.severity === 'critical') ||
      b.from - a.from,
  );
  let deaths = 0;
  let before = '';
  const shown = byWeight.slice(0, MAX_LISTED).toSorted((a, b) => a.from - b.from);
  for (const incident of shown) {
    lines.push(`• ${incidentLine(incident, data.at)}`);
    // Who held how much, and what grew; `incidents show` has the rest. Incidents of one moment have it in common.
    const minutes = incident.before?.slice(0, 2) ?? [];
    if (minutes.length === 0 || minutes.join('\n') === before || (deaths += 1) > MAX_DEATHS) continue;
    before = minutes.join('\n');
    for (const line of minutes) lines.push(`  ${plain(line, 160)}`);
  }
  if (byWeight.length > MAX_LISTED)
    lines.push(`and ${byWeight.length - MAX_LISTED} more: vpsmon incidents --since 24h`);
  return { title: 'Alerts', lines };
}

function isOpen({ to, event, fine }: ReportIncident): boolean {
  return to === undefined && !event && fine === undefined;
}

function incidentLine(incident: ReportIncident, now: number): string {
  const what = plain(incident.text, 120);
  const when = shortTime(incident.from, now);
  if (incident.event) return `${when} ${what}`;
  if (incident.fine && incident.unseen)
    return `Since ${when}, fine when it was seen last: ${plain(incident.fine.text, 120)}`;
  if (incident.fine)
    return `Since ${when}, fine since ${shortTime(incident.fine.since, now)}: ${plain(incident.fine.text, 120)}`;
  if (incident.to === undefined && incident.unseen) return `Open since ${when}, not seen now: ${what}`;
  if (incident.to === undefined) return `Open since ${when}: ${what}`;
  return `${when} ${what} (${formatDuration(incident.to - incident.from)})`;
}

function recoveryPart(data: ReportData): Part {
  const title = 'Recovery';
  if (!data.actions) return { title, lines: ['no record is kept'] };
  const left = LEFT_OFF_KINDS.flatMap((kind) => leftOffText(data.leftOff, kind, data.at) ?? []);
  if (data.actions.length === 0 && left.length === 0) return { title, lines: ['nothing to do'] };
  const lines: Part['lines'] = [many(data.actions.length, 'step'), ...left];
  for (const action of data.actions.slice(-MAX_LISTED)) lines.push(`• ${actionLine(action)}`);
  if (data.actions.length > MAX_LISTED) lines.push('earlier ones: vpsmon recover history');
  return { title, lines };
}

const OUTCOMES: Record<string, string> = {
  planned: 'not begun',
  running: 'under way',
  worked: 'worked',
  failed: 'failed',
  unclear: 'outcome unknown',
  undone: 'undone since',
  kept: 'kept by a person',
  'would-do': 'only said: recovery is switched off',
};

function actionLine({ at, what, target, state, result }: ReportAction): string {
  const outcome = OUTCOMES[state] ?? plain(state, 40);
  const why = state === 'failed' && result ? ` (${plain(result, 80)})` : '';
  return `${clockTime(at)} ${plain(what, 40).replaceAll('-', ' ')} ${plain(target, 40)}: ${outcome}${why}`;
}
