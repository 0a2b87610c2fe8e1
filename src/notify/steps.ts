import type { Message } from '../model/message.ts';
import type { Step } from '../store/outbox.ts';
import { CAPTION_MAX, htmlToPlain, shortenHtml, splitHtml } from '../model/html.ts';
import { cutNote, lateNote, standIn } from '../outputs/telegram/digest.ts';

/** A message that is sent later than this says when it happened. */
const LATE_AFTER_MS = 120_000;
/** About ten screens; the whole text is in alert_history.log. */
const LONGEST = 10 * 4000;
/** These name their times themselves. */
const HAS_ITS_TIME = new Set(['digest', 'daily-report', 'chart']);

/** What is sent for a message, in order: its picture, then its text in parts of at most 4,096 characters. */
export function planSteps(message: Message, now: number): Step[] {
  const late = now - message.at > LATE_AFTER_MS && !HAS_ITS_TIME.has(message.kind);
  const parts = splitHtml(
    (late ? lateNote(message.at, now) : '') + shortenHtml(message.html, LONGEST, cutNote),
  );
  const steps: Step[] = parts.map((html) => ({ html }));
  const [only] = parts;
  // A picture that somebody asked for is one message, with its few words below it.
  if (message.photoPath !== undefined && message.kind === 'chart' && parts.length === 1 && only !== undefined)
    if (htmlToPlain(only).length <= CAPTION_MAX) return [{ photo: message.photoPath, caption: only }];
  if (message.photoPath !== undefined) steps.unshift({ photo: message.photoPath });
  return steps.length > 0 ? steps : [{ html: standIn(message, 'it has no text') }];
}
