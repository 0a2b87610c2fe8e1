import { factOf } from '../../model/fact-rules.ts';
import { type Severity, formatValue } from '../../model/finding.ts';
import type { Change } from '../../model/change.ts';
import type { Incident, Notification } from '../../model/incident.ts';
import type { Message } from '../../model/message.ts';
import { escapeHtml, formatCount, formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';
import { nameOfMany, ruleInfo } from '../../model/rules.ts';
import { withCode } from './fields.ts';
import { factEnd, factLine, factMessage } from './containers.ts';

/** More subjects than this are counted, not named. */
const NAMED_MAX = 10;
const DETAILS_MAX = 12;
const MAX_LINES = 40;
const OFTEN =
  'Containers like this come and go often: further ones are not sent until it has been calm for 10 min. ' +
  'IGNORED_SERVICES (with wildcards) or the label vpsmon.ignore=true leave them out.';
const FAIL_OFTEN =
  'Containers like this fail often: further ones are sent in one list, until it has been calm for 10 min.';
const CHANGES_OFTEN =
  'It changes often: further changes like this are not sent until it has been calm for 10 min.';
/** How long one that flaps must have been fine. */
const STABLE_MS = 600_000;

const HEADINGS: Record<Change, [symbol: string, text: string]> = {
  started: ['🚀', 'Services Started'],
  stopped: ['🔴', 'Services Stopped'],
  'asked-stop': ['🔴', 'Services Stopped (on request)'],
  restored: ['✅', 'Services Restored'],
  restarting: ['🔄', 'Services Restarting'],
  restarted: ['🔄', 'Services restarted'],
  redeployed: ['🚀', 'Services redeployed'],
  malfunction: ['⚠️', 'Services with Malfunction'],
  unhealthy: ['🏥', 'Services Unhealthy'],
  renamed: ['🔄', 'Services renamed'],
  removed: ['🔴', 'Services removed: nothing is left to watch'],
};

/**
 * The message for a decision: one bold line that says all a phone shows in its preview, then the details. A change of a
 * container has a message of its own form. `recorded`: plain lines about the minutes before it began.
 */
export function renderNotification(
  decision: Notification,
  host: string,
  now: number,
  recorded: readonly string[] = [],
): Message {
  const { incident, list, others } = decision;
  return {
    at: decision.at,
    severity: severityOf(decision),
    kind: incident.rule,
    subject: list ? [incident, ...others].map(({ subject }) => subject).join(', ') : incident.subject,
    html: [
      list
        ? withServer(listMessage(list, [incident, ...others], decision.before), host)
        : (ready(decision, host, now) ?? generic(decision, host, now)),
      ...recordedLines(decision, recorded),
    ].join('\n'),
    ...(incident.id > 0 ? { incidentId: incident.id } : {}),
    ...(incident.id > 0 ? roleOf(decision) : {}),
  };
}

/** With the first message about it, and when it got worse. */
function recordedLines({ reason }: Notification, recorded: readonly string[]): string[] {
  if (recorded.length === 0 || (reason !== 'first' && reason !== 'worse')) return [];
  return ['', ...recorded.map((line) => safeHtml(line, 300))];
}

/** Whether it begins the incident's message, or is a reply to it. A list is about many: it is a reply to none of them. */
function roleOf({ reason, incident, list }: Notification): Pick<Message, 'role' | 'isList'> {
  if (list) return reason === 'first' && !incident.event ? { role: 'opens', isList: true } : {};
  if (reason === 'first' || reason === 'grouped') return { role: 'opens' };
  const ended = reason === 'resolved' || (reason === 'stable' && incident.state === 'resolved');
  return { role: ended ? 'ends' : 'follows' };
}

/** An end is no alarm, however bad it was; but what did not come back with Docker is named there only. */
function severityOf({ reason, incident, others }: Notification): Severity {
  const { endFact } = incident;
  if (reason === 'resolved')
    return endFact?.kind === 'docker-back' && endFact.absent.length > 0 ? 'critical' : 'info';
  if (reason === 'stable' && incident.state === 'resolved') return 'info';
  return worstOf([incident, ...others]);
}

/** Two servers may write to one chat: each message names its own, below its title. */
export function withServer(html: string, host: string): string {
  const [title = '', ...rest] = html.split('\n');
  const server = `Server: ${safeHtml(host, 80)}`;
  return [title, ...(rest[0] === '' ? ['', server, ...rest.slice(1)] : [server, ...rest])].join('\n');
}

/** A message of its own form; undefined where there is none. */
function ready(decision: Notification, host: string, now: number): string | undefined {
  const { reason, incident, others } = decision;
  if (others.length > 0 && reason !== 'first') return undefined;
  const over = reason === 'resolved' || (incident.state === 'resolved' && !incident.event);
  const html = over
    ? endMessage(decision)
    : reason === 'repeat-due'
      ? undefined
      : incident.fact && factMessage(incident.fact, decision.at);
  // The text of one that flaps and is fine at the moment has what is not so now.
  if (html === undefined || (!over && incident.okSince !== undefined)) return undefined;
  if (incident.event && reason !== 'first' && reason !== 'grouped') return undefined;
  const lines = [withServer(html, host), ...notes(decision, now)];
  if (others.length > 0) lines.push('', ...also(incident, others));
  return lines.join('\n');
}

function endMessage({ reason, incident: { rule, fact, endFact }, at }: Notification): string | undefined {
  // What was not back when it ended last may run by now.
  if (reason === 'stable' && endFact?.kind === 'docker-back')
    return factMessage({ ...endFact, before: 0, running: 0, kept: 0, absent: [] });
  if (endFact) return factMessage(endFact);
  return fact && factEnd(fact, ruleInfo(rule)?.quietMs ?? 0, at)?.message;
}

/** What came before, of one that comes and goes. */
function notes({ reason, incident, often, before = [] }: Notification, now: number): string[] {
  return [
    ...history({ reason, incident }, now),
    // Both limits may be reached at once: one remark is enough.
    ...(incident.notified.often ? ['', CHANGES_OFTEN] : []),
    ...(often && !incident.notified.often ? ['', incident.severity === 'critical' ? FAIL_OFTEN : OFTEN] : []),
    ...before.map((other) => `Before that: ${textOf(other)}`),
  ];
}

function history({ reason, incident }: Pick<Notification, 'reason' | 'incident'>, now: number): string[] {
  const { notified, flips } = incident;
  const stable = formatDuration(STABLE_MS);
  if (reason === 'flapping') {
    const times = formatCount(Math.ceil(flips.length / 2));
    return [`Note: ${times} times within ${stable}. ${furtherChanges(incident.rule)}`];
  }
  if (reason === 'stays')
    return [`Note: ${inAll(incident, now)}. It came back before; now it stays ${whileOn(incident)}.`];
  if (reason === 'stable') return [`Before: ${inAll(incident, now)}`, `Stable for: ${stable}`];
  const startUnsent = reason === 'resolved' && notified.count === 1 && notified.withId === undefined;
  return startUnsent ? [`What happened: ${textOf(incident)}`] : [];
}

/** What is sent about one that flaps. */
export function furtherChanges(rule: string): string {
  const stable = formatDuration(STABLE_MS);
  const how = ruleInfo(rule)?.whileOn;
  return how
    ? `Further changes are sent when it has been stable for ${stable}, or stays ${how}.`
    : 'No more messages about it until it is stable.';
}

/** "down 36 times, 3 min in all": only the time in which it was really so. */
function inAll(incident: Incident, now: number): string {
  const { count, ms, since } = incident.spells ?? { count: 1, ms: 0 };
  const lasted = ms + (since === undefined ? 0 : Math.max(0, now - since));
  return `${whileOn(incident)} ${count === 1 ? 'once' : `${formatCount(count)} times`}, ${formatDuration(lasted)} in all`;
}

function whileOn({ rule }: Incident): string {
  return ruleInfo(rule)?.whileOn ?? 'over the limit';
}

/** One heading and a line each; of what does not fit one Telegram message the names, all of them. */
function listMessage(list: Change, all: readonly Incident[], before: readonly Incident[] = []): string {
  const [symbol, text] = HEADINGS[list];
  return listBelow(`${symbol} <b>${all.length} ${text}</b>`, all, before, ownLine);
}

export function listBelow(
  heading: string,
  all: readonly Incident[],
  before: readonly Incident[],
  lineOf: (incident: Incident) => string,
  namesMost = Number.POSITIVE_INFINITY,
): string {
  const at = Math.min(
    ...all.map(({ event, openedAt, resolvedAt }) => (event ? openedAt : (resolvedAt ?? openedAt))),
  );
  const shown: string[] = [];
  let size = 0;
  for (const incident of all) {
    const line = lineOf(incident);
    size += line.length + 1;
    if (shown.length >= MAX_LINES || size > 2800) break;
    shown.push(line);
  }
  const rest = all.slice(shown.length);
  return [
    heading,
    '',
    ...shown,
    ...(rest.length > 0 ? [`... and ${rest.length} more: ${namesOf(rest, namesMost)}`] : []),
    '',
    `Time: ${formatTime(at)}`,
    ...before.slice(0, NAMED_MAX).map((other) => `Before that: ${textOf(other)}`),
  ].join('\n');
}

function namesOf(incidents: readonly Incident[], most: number): string {
  const names: string[] = [];
  let size = 0;
  for (const { subject } of incidents) {
    const name = plain(subject, 60);
    size += name.length + 2;
    if (size > most) return `${names.join(', ')}, ...`;
    names.push(escapeHtml(name));
  }
  return names.join(', ');
}

/** Its line in a list of many. */
export function ownLine(incident: Incident): string {
  const { rule, fact, text, notified, flapping, event, okSince } = incident;
  const now = factOf(incident);
  const end = fact && !now ? factEnd(fact, ruleInfo(rule)?.quietMs ?? 0, 0) : undefined;
  const line = end?.line ?? (now ? factLine(now) : safeHtml(text, 160));
  if (notified.often) return `${line} (changes often; not sent again until calm)`;
  if (!flapping || event) return line;
  return `${line} (comes and goes${okSince === undefined ? '' : ', fine at the moment'})`;
}

function generic(decision: Notification, host: string, now: number): string {
  const { incident, reason } = decision;
  const others = uniqueOthers(decision);
  const lines = [`<b>${title(decision, now)}</b>`, `Server: ${safeHtml(host, 80)}`];
  if (others.length > 0 && reason !== 'first') lines.push(...list(decision, now));
  else lines.push(...body(decision, now));
  if (others.length > 0 && reason === 'first') lines.push('', ...also(incident, others));
  return lines.join('\n');
}

function title(decision: Notification, now: number): string {
  const { incident, reason, previousSeverity } = decision;
  const all = [incident, ...uniqueOthers(decision)];
  const severity = worstOf(all).toUpperCase();
  const what = all.length > 1 && reason !== 'first' ? manyText(all) : textOf(incident);
  switch (reason) {
    case 'first':
      return `${severity}: ${what}`;
    case 'grouped':
      return `${severity}: ${what}`;
    case 'worse':
      return `${severity} (${worseThan(incident, previousSeverity)}): ${what}`;
    case 'repeat-due':
      if (all.length === 1 && incident.flapping)
        return `Still flapping after ${formatDuration(now - incident.openedAt)}: ${safeHtml(incident.subject, 80)}`;
      return `Still ${severity} after ${agesOf(all, now).join(' to ')}: ${what}`;
    case 'resolved':
      if (all.length > 1) return `Resolved: ${what}`;
      return `${incident.endedAs === 'gone' ? 'Ended' : 'Resolved'}: ${endText(incident)}`;
    case 'flapping':
      return incident.event
        ? `${severity}, again and again: ${what}`
        : incident.okSince === undefined
          ? `Flapping: ${what}`
          : `Flapping, fine at the moment: ${endText(incident)}`;
    case 'stays':
      return `${severity}, and it stays: ${what}`;
    case 'stable':
      return incident.state === 'resolved'
        ? `Stable again, resolved: ${endText(incident)}`
        : `No longer flapping, ${severity}: ${what}`;
  }
}

/** How long they have lasted, in words: the shortest and the longest where that is not the same. */
function agesOf(all: readonly Incident[], now: number): string[] {
  const ages = all.map(({ openedAt }) => now - openedAt).toSorted((a, b) => a - b);
  return [...new Set([ages[0]!, ages.at(-1)!].map((age) => formatDuration(age)))];
}

function worseThan(incident: Incident, previous: Severity | undefined): string {
  return previous === undefined || previous === incident.severity
    ? 'worse than before'
    : `was ${previous.toUpperCase()}`;
}

function body({ incident, reason }: Notification, now: number): string[] {
  const lines: string[] = [];
  if (reason === 'resolved' || incident.state === 'resolved') {
    if (!incident.event) lines.push(...ending(incident, now));
  } else if (reason === 'flapping' && ruleInfo(incident.rule)?.whileOn && !incident.event) {
    lines.push(...howItFlaps(incident, now), furtherChanges(incident.rule));
  } else if (reason === 'flapping') {
    const often = formatCount(incident.changes ?? incident.flips.length);
    lines.push(
      `${often} ${incident.event ? 'times' : 'changes'} within minutes. No more messages about it until it is stable.`,
    );
  }
  if (reason === 'repeat-due' && incident.flapping) lines.push(...howItFlaps(incident, now));
  if (reason === 'repeat-due') lines.push(...worst(incident));
  const isOver = incident.state === 'resolved' && !incident.event;
  // What is said of one that flaps is not so while it is fine.
  const isFine = incident.flapping && incident.okSince !== undefined;
  if (!isOver && !isFine && reason !== 'flapping') lines.push(...details(incident));
  if (incident.event) lines.push(`Time: ${formatTime(incident.openedAt)}`);
  else if (incident.state !== 'resolved') lines.push(`Since: ${formatTime(incident.openedAt)}`);
  if (incident.actions.length > 0) lines.push(...incident.actions.map((done) => `Done: ${safeHtml(done)}`));
  return lines;
}

/** Since when it comes and goes, and how it is now. */
function howItFlaps(incident: Incident, now: number): string[] {
  const { okSince, spells } = incident;
  const since = okSince ?? spells?.since ?? now;
  const how = okSince === undefined ? textOf(incident) : endText(incident);
  return [`So far: ${inAll(incident, now)}`, `Right now, for ${formatDuration(now - since)}: ${how}`];
}

/** How long, how bad. */
function ending(incident: Incident, now: number): string[] {
  const { openedAt, spells, resolvedAt: end = now } = incident;
  const times = `from ${formatTime(openedAt)} to ${formatTime(end)}.`;
  // Of one that came and went only the time in which it was so.
  const lasted =
    spells && spells.count > 1
      ? `It came and went: ${formatCount(spells.count)} times, ${formatDuration(spells.ms)} in all, ${times}`
      : `It lasted ${formatDuration(end - openedAt)}, ${times}`;
  return [lasted, ...worst(incident)];
}

function worst(incident: Incident): string[] {
  if (incident.worst === undefined) return [];
  const limit = incident.limit === undefined ? '' : ` (limit ${formatValue(incident.limit, incident.unit)})`;
  return [`Worst: ${formatValue(incident.worst, incident.unit)}${limit}`];
}

function details(incident: Incident): string[] {
  // Whom it names could be named when it began; somebody may have silenced one since.
  if (incident.fact?.kind === 'docker-gone') return [];
  const shown = incident.details.slice(0, DETAILS_MAX).map((line) => withCode(line, 300));
  const left = incident.details.length - shown.length;
  return left > 0 ? [...shown, `... and ${left} more lines`] : shown;
}

function endText(incident: Incident): string {
  if (incident.endText) return safeHtml(incident.endText, 300);
  const was = textOf(incident);
  return incident.endedAs === 'gone'
    ? `${safeHtml(incident.subject, 80)} is not there any more (it was: ${was})`
    : `no longer: ${was}`;
}

function textOf(incident: Incident): string {
  return safeHtml(incident.text, 300);
}

/** "12 containers are stopped". */
function manyText(all: readonly Incident[]): string {
  const rules = new Set(all.map((incident) => incident.rule));
  const [rule] = rules;
  return rules.size === 1 && rule !== undefined
    ? nameOfMany(rule, all.length)
    : `${formatCount(all.length)} incidents`;
}

function list({ reason, incident: first, others }: Notification, now: number): string[] {
  const all = [first, ...others];
  const differ = reason === 'repeat-due' && agesOf(all, now).length > 1;
  const shown = all.slice(0, NAMED_MAX).map((incident) => {
    const age = differ ? ` (for ${formatDuration(now - incident.openedAt)})` : '';
    return `- ${safeHtml(incident.subject, 80)}: ${textOf(incident)}${age}`;
  });
  const left = all.length - shown.length;
  return left > 0 ? [...shown, `... and ${formatCount(left)} more`] : shown;
}

/** What is sent along with `incident`: more of the very same are counted, more about the same subject have their sentences. */
function also(incident: Incident, others: readonly Incident[]): string[] {
  const same = others.filter(({ rule, subject }) => rule === incident.rule && subject === incident.subject);
  const rest = others.filter((other) => !same.includes(other));
  const lines = same.length > 0 ? [`And ${formatCount(same.length)} more like it`] : [];
  if (rest.length === 0) return lines;
  const names = rest
    .slice(0, NAMED_MAX)
    .map((other) => (other.subject === incident.subject ? textOf(other) : safeHtml(other.subject, 60)));
  const left = rest.length - names.length;
  const more = left > 0 ? ` and ${formatCount(left)} more` : '';
  return [...lines, `Also, for the same reason (${formatCount(rest.length)}): ${names.join(', ')}${more}`];
}

/** In a `grouped` decision the incident is the first of the others already. */
function uniqueOthers({ incident, others }: Notification): Incident[] {
  return others.filter((other) => other.id !== incident.id || other.subject !== incident.subject);
}

function worstOf(all: readonly Incident[]): Severity {
  if (all.some((incident) => incident.severity === 'critical')) return 'critical';
  return all.some((incident) => incident.severity === 'warning') ? 'warning' : 'info';
}
