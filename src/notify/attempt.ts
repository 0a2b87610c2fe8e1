import type { Delivery as Outcome, Message } from '../model/message.ts';
import { CAPTION_MAX, htmlToPlain, shortenHtml, splitHtml } from '../model/html.ts';
import { errorText } from '../model/text.ts';
import { cutLine, lateLine, standIn } from '../outputs/telegram/digest.ts';
import type { Db } from '../store/db.ts';
import { incidentById } from '../store/incidents.ts';
import type { MessagePart, StoredRow } from '../store/outbox.ts';
import { unblockEdits } from './edits.ts';
import { began, envelope, listOfOpen, stillOpen } from './living.ts';
import { backoffMs } from './pace.ts';
import { markAccepted } from './queue.ts';
import { saveSends, type Sending } from './sending.ts';
import { placeOf, targetOf } from './targets.ts';

const REFUSED_PAUSE_MS = 3_600_000;
const SHORTEST_PAUSE_MS = 1000;
/** A message that is sent later than this says when it happened. */
const LATE_AFTER_MS = 120_000;
/** About ten screens; the whole text is in alert_history.log. */
const LONGEST = 10 * 4000;
/** These name their times themselves. */
const HAS_ITS_TIME = new Set(['digest', 'daily-report', 'chart']);

type Failed = Exclude<Outcome, { state: 'sent' }>;

/** Milliseconds until this message may be tried. */
export function waitMs({ config, clock, pace, state }: Sending, row: StoredRow): number {
  const pause = state.pauses.get(row.id);
  const paced = pace.waitMs(placeOf(targetOf(config, row)).chat);
  if (pause?.attempts === row.attempts) return Math.max(paced, pause.until - clock.monotonic());
  if (state.triesRefused && row.state === 'refused') return paced;
  // Written by another process, or before a restart: a clock that jumped cannot make the pause longer than it was.
  return Math.max(paced, Math.min(row.waitMs, row.nextTryAt - clock.now()));
}

/** Tries to send one part of one message, and keeps what came of it: sent, replaced, or to be tried again later. */
export async function attempt(sending: Sending, row: StoredRow): Promise<void> {
  const steps = [...(row.steps ?? planOrStandIn(sending, row))];
  const step = asOfNow(sending, steps[row.stepsDone]);
  if (step) steps[row.stepsDone] = step;
  const begins = beginsMessage(steps, row.stepsDone);
  const outcome = step ? await send(sending, step, row, begins) : { state: 'sent' as const };
  if (outcome === 'too-late') return;
  if (outcome.state === 'sent') return accepted(sending, row, steps, begins ? outcome.messageId : undefined);
  if (outcome.state === 'invalid' && step)
    return replace(sending, row, steps, step, { why: outcome.why, begins });
  postpone(sending, row, outcome);
}

/** What a list says is open still was looked at when the digest before it was sent; undefined: nothing of it is. */
function asOfNow(sending: Sending, step: MessagePart | undefined): MessagePart | undefined {
  return step && 'html' in step && step.about ? listOfOpen(sending, step.about)[0] : step;
}

/** A text that cannot be cut must not stand before all the others for ever. */
function planOrStandIn(sending: Sending, row: StoredRow): MessagePart[] {
  try {
    const follows = row.kind === 'digest' && sending.living ? stillOpen(sending, row) : [];
    return [...planSteps(row, sending.clock.now()), ...follows];
  } catch (error) {
    sending.log.error(`The message ${row.id} could not be prepared: ${errorText(error)}`);
    return [{ html: standIn(row, errorText(error)) }];
  }
}

/** What is sent for a message, in order: its picture, then its text in parts of at most 4,096 characters. */
function planSteps(message: Message, now: number): MessagePart[] {
  const late = now - message.at > LATE_AFTER_MS && !HAS_ITS_TIME.has(message.kind);
  const parts = splitHtml(
    (late ? lateLine(message.at, now) : '') + shortenHtml(message.html, LONGEST, cutLine),
  );
  const steps: MessagePart[] = parts.map((html) => ({ html }));
  const [only] = parts;
  // A picture that somebody asked for is one message, with its few words below it.
  if (message.photoPath !== undefined && message.kind === 'chart' && parts.length === 1 && only !== undefined)
    if (htmlToPlain(only).length <= CAPTION_MAX) return [{ photo: message.photoPath, caption: only }];
  if (message.photoPath !== undefined) steps.unshift({ photo: message.photoPath });
  return steps.length > 0 ? steps : [{ html: standIn(message, 'it has no text') }];
}

/** True for the part that is edited later: the first text, or what says itself what it is about. */
function beginsMessage(steps: readonly MessagePart[], index: number): boolean {
  const own = steps.findIndex((step) => 'html' in step && step.about !== undefined);
  return index === (own >= 0 ? own : steps.findIndex((step) => 'html' in step));
}

/** `begins`: the text that carries the buttons. */
async function send(
  sending: Sending,
  step: MessagePart,
  row: StoredRow,
  begins: boolean,
): Promise<Outcome | 'too-late'> {
  const { signal } = sending.state.inTime;
  const place = placeOf(targetOf(sending.config, row));
  const outcome = await sending.sender.send(step, {
    place,
    silent: isSilent(sending.db, row),
    ...(begins && 'html' in step && sending.living ? envelope(sending, row, step) : {}),
  });
  if (signal.aborted) return 'too-late';
  // What failed may have arrived all the same.
  if (outcome.state === 'sent' || outcome.state === 'retry') sending.pace.count(place.chat);
  return outcome;
}

/** A deploy, a restart on request, or the end of an incident that was no critical one needs nobody at once: no sound on the phone. */
function isSilent(db: Db, { severity, kind, incidentId }: StoredRow): boolean {
  if (severity !== 'info' || kind === 'daily-report') return false;
  if (kind === 'answer') return true;
  const incident = incidentId === undefined ? undefined : incidentById(db, incidentId);
  return incident?.notified.severity !== 'critical' && incident?.severity !== 'critical';
}

/**
 * Telegram will never take this: a picture is left out (its caption goes as a text), and in place of a text goes a sentence. Where that is not taken
 * either, it is not the text: the message is kept as if it were refused.
 */
async function replace(
  sending: Sending,
  row: StoredRow,
  steps: MessagePart[],
  step: MessagePart,
  { why, begins }: { why: string; begins: boolean },
): Promise<void> {
  sending.log.error(`Telegram does not take a message (${row.kind}, ${row.subject}): ${why}`);
  if ('photo' in step && step.caption === undefined) return accepted(sending, row, steps);
  const instead = 'photo' in step ? { html: step.caption ?? '' } : { ...step, html: standIn(row, why) };
  const outcome = await send(sending, instead, row, begins);
  if (outcome === 'too-late') return;
  if (outcome.state === 'sent') return accepted(sending, row, steps, begins ? outcome.messageId : undefined);
  postpone(sending, row, outcome);
}

/** One more of its steps is done. `messageId`: of the message that this row begins, where it is known. */
function accepted(sending: Sending, row: StoredRow, steps: MessagePart[], messageId?: number): void {
  sending.state.pauses.delete(row.id);
  const target = targetOf(sending.config, row);
  sending.failures.over(target);
  // What it refused before may be edited now.
  unblockEdits(sending, target);
  const now = sending.clock.now();
  markAccepted(sending.queue, row, steps, row.stepsDone + 1, now, () => {
    const step = steps[row.stepsDone];
    if (messageId !== undefined && step && 'html' in step) began(sending, row, step, messageId, now);
    saveProgress(sending, now);
  });
}

function postpone(sending: Sending, row: StoredRow, outcome: Failed): void {
  const { clock, state, failures } = sending;
  const tries = state.pauses.get(row.id)?.tries ?? row.attempts;
  const ms = pauseAfter(outcome, tries, sending.random);
  const saved = saveTried(sending, row, outcome, ms);
  if (state.pauses.size > 1000) state.pauses.clear();
  state.pauses.set(row.id, {
    attempts: saved && row.id > 0 ? row.attempts + 1 : row.attempts,
    tries: tries + 1,
    until: clock.monotonic() + ms,
  });
  failures.attempt(targetOf(sending.config, row), outcome, ms);
}

function pauseAfter(outcome: Failed, tries: number, random: () => number): number {
  if (outcome.state !== 'retry') return REFUSED_PAUSE_MS;
  if (outcome.afterMs !== undefined) return Math.max(SHORTEST_PAUSE_MS, outcome.afterMs);
  return backoffMs(tries, random());
}

function saveTried(sending: Sending, row: StoredRow, outcome: Failed, ms: number): boolean {
  const { outbox } = sending;
  const now = sending.clock.now();
  const state = outcome.state === 'retry' ? 'waiting' : 'refused';
  try {
    outbox.within(() => {
      if (row.id > 0) outbox.markTried(row.id, state, now + ms, ms, outcome.why);
      saveProgress(sending, now);
    });
    return true;
  } catch (error) {
    sending.failures.own(`The outbox cannot be saved: ${errorText(error)}`);
    return false;
  }
}

/** Part of the transaction of every result. */
function saveProgress(sending: Sending, now: number): void {
  saveSends(sending, now);
  sending.alertLog.save(now);
}
