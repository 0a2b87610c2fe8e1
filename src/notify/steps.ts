import type { Message } from '../model/message.ts';
import { formatDuration, formatTime, plain, safeHtml } from '../model/text.ts';
import type { Step } from '../store/outbox.ts';
import { htmlToPlain, shortenHtml, splitHtml } from '../model/html.ts';

/** A message that is sent later than this says when it happened. */
const LATE_AFTER_MS = 120_000;
/** About ten screens; the whole text is in alert_history.log. */
const LONGEST = 10 * 4000;
/** What Telegram allows below a picture, in UTF-16 units after parsing. */
const CAPTION_MAX = 1024;
/** These name their times themselves. */
const HAS_ITS_TIME = new Set(['digest', 'daily-report', 'chart']);

/** What is sent for a message, in order: its picture, then its text in parts of at most 4,096 characters. */
export function planSteps(message: Message, now: number): Step[] {
  const late = now - message.at > LATE_AFTER_MS && !HAS_ITS_TIME.has(message.kind);
  const note = late
    ? `<i>Late: this happened at ${formatTime(message.at)}, ${formatDuration(now - message.at)} ago.</i>\n\n`
    : '';
  const body = shortenHtml(
    message.html,
    LONGEST,
    (missing) => `... ${missing} more characters are in alert_history.log.`,
  );
  const parts = splitHtml(note + body);
  const steps: Step[] = parts.map((html) => ({ html }));
  const [only] = parts;
  // A picture that somebody asked for is one message, with its few words below it.
  if (message.photoPath !== undefined && message.kind === 'chart' && parts.length === 1 && only !== undefined)
    if (htmlToPlain(only).length <= CAPTION_MAX) return [{ photo: message.photoPath, caption: only }];
  if (message.photoPath !== undefined) steps.unshift({ photo: message.photoPath });
  return steps.length > 0 ? steps : [{ html: standIn(message, 'it has no text') }];
}

/** Sent in place of a text that Telegram does not take: plain words that cannot be refused for their form. */
export function standIn(message: Message, why: string): string {
  return (
    `A message (${safeHtml(message.kind, 60)}, ${safeHtml(message.subject, 60)}, ${formatTime(message.at)}) ` +
    `could not be shown here: ${safeHtml(plain(why, 150))}. Its text is in alert_history.log.`
  );
}
