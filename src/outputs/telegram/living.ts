// The one message of an incident that is edited while it lasts.
import type { Because } from '../../model/container-fact.ts';
import type { Incident } from '../../model/incident.ts';
import { ruleInfo } from '../../model/rules.ts';
import { formatCount, formatDuration, formatTime, safeHtml } from '../../model/text.ts';
import { formatValue } from '../../model/finding.ts';
import { htmlToPlain, shortenHtml } from '../../model/html.ts';
import { factMessage } from './containers.ts';
import { stillOpenTitle, wereOpenTitle } from './digest.ts';
import { furtherChanges, listBelow, ownLine, withServer, renderNotification } from './incidents.ts';

/** What a text may have for itself; Telegram allows 4,096 characters with what stands above and below it. */
const TEXT_MOST = 4000;
const TEXT_LEAST = 1200;
const FOOT_MOST = 2200;
const DONE_MOST = 8;
/** Characters of the names below the lines of a list: Telegram takes no edit of more than one message. When it was sent, all were named. */
const NAMES_MOST = 600;

export type Rendered = {
  html: string;
  /** Changes with everything but mere numbers. */
  key: string;
};

/** Pure: the message of an incident, and of those that were announced with it. It is over when all of them are. */
export function renderLiving(
  incident: Incident,
  others: readonly Incident[],
  hostname: string,
  now: number,
  recorded: readonly string[] = [],
): Rendered {
  const all = [incident, ...others];
  const ended = all.every(isOver);
  const { okSince, ...begun } = incident;
  const asOpen: Incident = isOver(incident) ? { ...begun, state: 'firing' } : begun;
  const base = renderNotification(
    { reason: 'first', at: now, incident: asOpen, others: [...others] },
    hostname,
    now,
    recorded,
  ).html;
  const lines = isOver(incident) ? [] : current(incident);
  if (!ended) lines.push(...all.filter(isOver).map((one) => overLine(one)));
  lines.push(...people(incident));
  // A message of its own form does not name what was done.
  if (incident.fact && factMessage(incident.fact) !== undefined) lines.push(...done(incident));
  // What follows is what was sent when it began.
  const fine =
    okSince === undefined || isOver(incident)
      ? []
      : [`<b>Fine since ${formatTime(okSince)}: ${safeHtml(incident.endText ?? '', 300)}</b>`, ''];
  const head = ended ? [...ending(incident, all, now), ''] : fine;
  const foot = lines.length > 0 ? ['', shortenHtml(lines.join('\n'), FOOT_MOST, () => '...')] : [];
  const left = TEXT_MOST - htmlToPlain([...head, ...foot].join('\n')).length;
  const body = shortenHtml(
    base,
    Math.max(TEXT_LEAST, left),
    (missing) => `... ${formatCount(missing)} more characters`,
  );
  return { html: [...head, body, ...foot].join('\n'), key: keyOf(all) };
}

/** Pure: the message of many incidents with the same change, with its first line; each of them ends in its own line. */
export function renderList(
  heading: string,
  all: readonly Incident[],
  hostname: string,
  now: number,
): Rendered {
  const over = all.filter(isOver).length;
  const head =
    all.length > 0 && over === all.length
      ? [...ending(undefined, all, now), '']
      : over > 0
        ? [`<b>${formatCount(over)} of ${formatCount(all.length)} are over</b>`, '']
        : [];
  const wereOpen = over > 0 && heading === stillOpenTitle(all.length);
  const body = withServer(
    listBelow(
      wereOpen ? wereOpenTitle(all.length) : heading,
      all,
      [],
      (one) => (isOver(one) ? overLine(one) : ownLine(one)),
      NAMES_MOST,
    ),
    hostname,
  );
  const acknowledged = all.find(({ ack }) => ack !== undefined);
  const foot = acknowledged ? ['', ...people(acknowledged)] : [];
  return { html: [...head, body, ...foot].join('\n'), key: keyOf(all) };
}

function keyOf(all: readonly Incident[]): string {
  return JSON.stringify(
    all.map(({ severity, state, flapping, okSince, actions, ack }) => [
      severity,
      state,
      flapping,
      okSince,
      actions,
      ack,
    ]),
  );
}

function isOver({ state, event }: Incident): boolean {
  return state === 'resolved' && !event;
}

/** One of several that is over while others last, or in a list. */
function overLine(incident: Incident): string {
  const { subject, endText, endFact, endedAs, openedAt, resolvedAt = openedAt } = incident;
  const lasted = formatDuration(Math.max(0, resolvedAt - openedAt));
  const how = endText ?? `${subject}: ${endedAs === 'gone' ? 'not there any more' : 'over'}`;
  // The sentence of a fact has how long it lasted.
  return `✅ ${safeHtml(how, 120)}${endFact ? '' : ` (after ${lasted})`}`;
}

const OVERTAKEN: readonly Because[] = ['died', 'replaced', 'removed', 'not-watched', 'unchecked'];

/** Something else about its container took its place, perhaps something worse: nothing was resolved by that. */
function isOvertaken({ rule, fact, endFact, resolvedAt = 0, lastSeenAt }: Incident): boolean {
  if (endFact?.kind === 'over' || endFact?.kind === 'gone') return OVERTAKEN.includes(endFact.because);
  // What ends by itself when it has been quiet for long enough, ended before that.
  const endedEarly = resolvedAt - lastSeenAt < (ruleInfo(rule)?.quietMs ?? Infinity);
  return fact !== undefined && endFact === undefined && endedEarly;
}

/** `incident`: the one that the message is about; a list is about no single one. */
function ending(incident: Incident | undefined, all: readonly Incident[], now: number): string[] {
  const from = Math.min(...all.map(({ openedAt }) => openedAt));
  const end = Math.max(
    ...all.map(({ resolvedAt, openedAt, event }) => (event ? openedAt : (resolvedAt ?? now))),
  );
  const gone = all.every((one) => one.endedAs === 'gone' || isOvertaken(one));
  const lines = [
    `<b>${gone ? 'Ended' : 'Resolved'} after ${formatDuration(Math.max(0, end - from))}</b>`,
    `${formatTime(from)} to ${formatMomentAfter(from, end)}`,
  ];
  if (incident?.endText && all.length === 1) lines.push(safeHtml(incident.endText, 300));
  if (incident?.worst !== undefined) lines.push(`Worst: ${formatValue(incident.worst, incident.unit)}`);
  return lines;
}

/** The time only, on the same day. */
function formatMomentAfter(from: number, at: number): string {
  const [text, day] = [formatTime(at), formatTime(from).slice(0, 11)];
  return text.startsWith(day) ? text.slice(day.length) : text;
}

/** How it is while it lasts. */
function current({ rule, value, worst, unit, flapping, changes, event }: Incident): string[] {
  const lines: string[] = [];
  if (event) return lines;
  if (value !== undefined) {
    const much = worst === undefined || worst === value ? '' : `, worst: ${formatValue(worst, unit)}`;
    lines.push(`Now: ${formatValue(value, unit)}${much}`);
  }
  if (flapping) lines.push(`Flapping: ${formatCount(changes ?? 0)} changes. ${furtherChanges(rule)}`);
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
