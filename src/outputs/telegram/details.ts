// Everything about one incident, for a phone: sentences as text, and what is drawn in columns that fit.
import type { Incident } from '../../model/incident.ts';
import type { Recording } from '../../model/recording.ts';
import { fixedHtml, formatCount, formatDuration, formatTime, safeHtml, shortName } from '../../model/text.ts';
import { withCode } from './fields.ts';
import { formatValue } from '../../model/finding.ts';
import { curvesOf, drawCurve } from '../terminal/recording.ts';

/** Letters of fixed width that a line has on a phone of 360 points. */
export const PHONE_COLUMNS = 34;
const DETAILS_MOST = 15;
const DONE_MOST = 12;

/** Pure: what is known of an incident, as Telegram HTML; with a recording, how memory went in the minutes before. */
export function detailsHtml(incident: Incident, recording: Recording | undefined, now: number): string {
  const { id, rule, subject, severity, text, details, actions, notified } = incident;
  const about = subject === 'host' ? '' : `, about ${safeHtml(subject, 100)}`;
  const lines = [
    `<b>Incident ${id}: ${safeHtml(text, 300)}</b>`,
    `${severity.toUpperCase()}, ${howLong(incident, now)}`,
    `Rule: ${safeHtml(rule, 60)}${about}`,
    `Began: ${formatTime(incident.openedAt)}`,
    ...endOf(incident),
    ...valuesOf(incident),
    `Messages about it: ${notified.count === 0 && notified.withId !== undefined ? 'one, together with another incident' : formatCount(notified.count)}`,
  ];
  if (details.length > 0) lines.push('', ...some(details, DETAILS_MOST));
  if (actions.length > 0) lines.push('', '<b>Done</b>', ...some(actions, DONE_MOST));
  if (recording) lines.push(...drawing(recording));
  return lines.join('\n');
}

function some(texts: readonly string[], most: number): string[] {
  const left = texts.length - most;
  const shown = texts.slice(-most).map((text) => `- ${withCode(text, 300)}`);
  return left > 0 ? [`... ${formatCount(left)} earlier ones`, ...shown] : shown;
}

function howLong({ state, event, openedAt, resolvedAt = openedAt }: Incident, now: number): string {
  if (event) return 'happened once';
  if (state !== 'resolved') return `open for ${formatDuration(Math.max(0, now - openedAt))}`;
  return `ended after ${formatDuration(Math.max(0, resolvedAt - openedAt))}`;
}

function endOf({ resolvedAt, event, endedAs, endText }: Incident): string[] {
  if (resolvedAt === undefined || event) return [];
  const how = endedAs === 'gone' ? 'it is not there any more' : endText;
  return [`Ended: ${formatTime(resolvedAt)}${how ? `, ${safeHtml(how, 200)}` : ''}`];
}

function valuesOf({ value, worst, limit, unit, event }: Incident): string[] {
  if (event || worst === undefined) return [];
  const over = limit === undefined ? '' : ` (limit ${formatValue(limit, unit)})`;
  const last = value === undefined || value === worst ? [] : [`Last: ${formatValue(value, unit)}`];
  return [`Worst: ${formatValue(worst, unit)}${over}`, ...last];
}

/** Two lines for each curve: what it is with its first and last value, and the curve in the whole width. */
function drawing(recording: Recording): string[] {
  const [first, last] = [recording.samples[0], recording.samples.at(-1)];
  if (!first || !last) return [];
  const clock = (at: number) => formatTime(at).slice(11);
  const curves = curvesOf(recording).flatMap(({ label, values, full, text }) => [
    `${shortName(label, Math.max(4, PHONE_COLUMNS - text.length - 1)).padEnd(PHONE_COLUMNS - text.length)}${text}`,
    drawCurve(values, full, PHONE_COLUMNS).trimEnd(),
  ]);
  return [
    '',
    `<b>The minutes before</b>, ${clock(first.at)} to ${clock(last.at)}`,
    `<pre>${curves.map((line) => fixedHtml(line, 60)).join('\n')}</pre>`,
  ];
}
