// The one message of an incident that is edited while it lasts.
import type { Incident } from '../../model/incident.ts';
import { formatCount, formatDuration, formatTime, safeHtml } from '../../model/text.ts';
import { formatValue } from '../../model/value.ts';
import { shortenHtml } from '../../model/html.ts';
import { wordDecision } from './incidents.ts';

/** Leaves room for what is added below; Telegram allows 4,096 characters. */
const TEXT_MOST = 3400;
const DONE_MOST = 8;

/** Pure. `key` changes with everything but mere numbers. */
export function renderLiving(
  incident: Incident,
  others: readonly Incident[],
  hostname: string,
  now: number,
  recorded: readonly string[] = [],
): { html: string; key: string } {
  const ended = incident.state === 'resolved' && !incident.event;
  const { okSince, ...begun } = incident;
  const asOpen: Incident = ended ? { ...begun, state: 'firing' } : begun;
  const base = wordDecision(
    { reason: 'first', at: incident.openedAt, incident: asOpen, others: [...others] },
    hostname,
    now,
    recorded,
  ).html;
  const body = shortenHtml(base, TEXT_MOST, (missing) => `... ${formatCount(missing)} more characters`);
  const lines = ended ? [] : standing(incident);
  // What comes with its wording does not name what was done.
  if (incident.html?.opened !== undefined) lines.push(...done(incident));
  lines.push(...people(incident));
  // What follows is what was sent when it began.
  const fine =
    okSince === undefined
      ? []
      : [`<b>Fine since ${formatTime(okSince)}: ${safeHtml(incident.endText ?? '', 300)}</b>`, ''];
  const head = ended ? [...ending(incident, now), ''] : fine;
  const foot = lines.length > 0 ? ['', ...lines] : [];
  const { severity, state, flapping, actions, ack } = incident;
  return {
    html: [...head, body, ...foot].join('\n'),
    key: JSON.stringify([severity, state, flapping, okSince, actions, ack, others.map((one) => one.state)]),
  };
}

function ending(incident: Incident, now: number): string[] {
  const end = incident.resolvedAt ?? now;
  const lines = [
    `<b>${incident.endedAs === 'gone' ? 'Ended' : 'Resolved'} after ${formatDuration(Math.max(0, end - incident.openedAt))}</b>`,
    `${formatTime(incident.openedAt)} to ${formatTime(end)}`,
  ];
  if (incident.worst !== undefined) lines.push(`Worst: ${formatValue(incident.worst, incident.unit)}`);
  return lines;
}

/** How it stands while it lasts. */
function standing({ value, worst, unit, flapping, changes, event }: Incident): string[] {
  const lines: string[] = [];
  if (event) return lines;
  if (value !== undefined) {
    const much = worst === undefined || worst === value ? '' : `, worst: ${formatValue(worst, unit)}`;
    lines.push(`Now: ${formatValue(value, unit)}${much}`);
  }
  if (flapping) lines.push(`Flapping: ${formatCount(changes ?? 0)} changes`);
  return lines;
}

function done({ actions }: Incident): string[] {
  return actions.slice(-DONE_MOST).map((line) => `Done: ${safeHtml(line, 300)}`);
}

function people({ ack, state, event }: Incident): string[] {
  if (!ack) return [];
  const silent = ack.silent && (state !== 'resolved' || event) ? ', no messages until it ends' : '';
  return [`Acknowledged by ${safeHtml(ack.by, 60)} at ${formatTime(ack.at)}${silent}`];
}
