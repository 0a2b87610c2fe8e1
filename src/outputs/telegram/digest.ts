// What delivery adds to messages: the digest of those that could not be sent in time, the note on a late one, and what is sent in
// place of one that cannot be shown.
import type { Message } from '../../model/message.ts';
import { escapeHtml, formatCount, formatDuration, formatTime, plain, safeHtml } from '../../model/text.ts';
import { htmlToPlain } from '../../model/html.ts';

/** `line`: what `headline` gave, plain text. */
export type DigestLine = Pick<Message, 'at' | 'severity' | 'kind' | 'subject'> & { line: string };

/** A list of containers has the names of all of them as its subject. */
const SUBJECT_MAX = 1000;

/** Above this many lines, messages of the same kind about the same thing share one. */
const LINES_MAX = 100;

/** The line that a digest shows of a message: its first line, and what it is about. Plain text. */
export function headline(message: Pick<Message, 'html' | 'subject'>): string {
  const text = htmlToPlain(message.html);
  const first = plain(text.split('\n').find((line) => line.trim() !== '') ?? '', 160);
  const subject = plain(message.subject, SUBJECT_MAX);
  const named = subject === '' || subject === 'host' || first.includes(subject);
  return named ? first : `${first} (${subject})`;
}

/** One message in place of many that could not be sent in time, each with the time at which it happened. */
export function digestHtml(messages: readonly DigestLine[], server: string): string {
  const sorted = messages.toSorted((a, b) => a.at - b.at);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last) return '';
  const lines = sorted.length <= LINES_MAX ? sorted.map((m) => line(first.at, m)) : grouped(sorted, first.at);
  return [
    `<b>${formatCount(sorted.length)} messages that could not be sent one by one</b>`,
    `Server: ${safeHtml(server, 80)}`,
    `${formatTime(first.at)} to ${formatTime(last.at)}`,
    '',
    ...lines,
  ].join('\n');
}

/** The first line of the list that follows a digest: of its incidents, those that are not over. */
export function stillOpenTitle(count: number): string {
  return `<b>${formatCount(count)} of them ${count === 1 ? 'is' : 'are'} still open</b>`;
}

/** The same line when one of them is over. */
export function wereOpenTitle(count: number): string {
  return `<b>${formatCount(count)} of them ${count === 1 ? 'was' : 'were'} still open</b>`;
}

function line(since: number, message: DigestLine): string {
  return `${shortTime(since, message.at)} ${message.severity.toUpperCase()} ${escapeHtml(message.line)}`;
}

function grouped(messages: readonly DigestLine[], since: number): string[] {
  const groups = new Map<string, DigestLine[]>();
  for (const message of messages) {
    const key = `${message.severity}\n${message.kind}\n${message.subject}`;
    const group = groups.get(key);
    if (group) group.push(message);
    else groups.set(key, [message]);
  }
  const all = [...groups.values()];
  const shown = all.slice(-LINES_MAX).map((group) => {
    const last = group.at(-1) as DigestLine;
    const times = group.length === 1 ? '' : `${shortTime(since, (group[0] as DigestLine).at)} to `;
    const count = group.length === 1 ? '' : ` (${formatCount(group.length)} times)`;
    return `${times}${line(since, last)}${count}`;
  });
  const left = all.slice(0, -LINES_MAX).reduce((sum, group) => sum + group.length, 0);
  if (left > 0) shown.unshift(`${formatCount(left)} older ones are in alert_history.log only.`);
  return shown;
}

/** "10:30:00", with the date where it is not the day of `since`. */
function shortTime(since: number, at: number): string {
  const [day, time] = formatTime(at).split(' ') as [string, string];
  return formatTime(since).startsWith(day) ? time : `${day} ${time}`;
}

/** Stands before a message that is sent long after what it is about. */
export function lateLine(at: number, now: number): string {
  return `<i>Late: this happened at ${formatTime(at)}, ${formatDuration(now - at)} ago.</i>\n\n`;
}

/** Stands where a text was cut. */
export function cutLine(missing: number): string {
  return `... ${missing} more characters are in alert_history.log.`;
}

/** Sent in place of a text that Telegram does not take: plain words that cannot be refused for their form. */
export function standIn(message: Pick<Message, 'at' | 'kind' | 'subject'>, why: string): string {
  return (
    `A message (${safeHtml(message.kind, 60)}, ${safeHtml(message.subject, 60)}, ${formatTime(message.at)}) ` +
    `could not be shown here: ${safeHtml(plain(why, 150))}. Its text is in alert_history.log.`
  );
}
