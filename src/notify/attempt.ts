import type { Delivery as Outcome } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { incidentById } from '../store/incidents.ts';
import { remember } from '../store/memory.ts';
import type { OutboxTable, Step, StoredRow } from '../store/outbox.ts';
import type { Clock, Log } from '../system/types.ts';
import { backoffMs, type createPace } from './pace.ts';
import type { createQueue } from './queue.ts';
import type { LivingMessages } from './living.ts';
import { standIn } from '../outputs/telegram/digest.ts';
import { planSteps } from './steps.ts';
import { placeOf, type Place } from './targets.ts';
import type { SendOptions } from './telegram.ts';
import type { createFailureLog } from './failure-log.ts';

/** When the last messages went out, for the limits: handed over to the next process that sends. */
export const SENDS = 'delivery.sends';
const REFUSED_PAUSE_MS = 3_600_000;
const SHORTEST_PAUSE_MS = 1000;

export type AttemptDeps = {
  db: Db;
  table: OutboxTable;
  queue: ReturnType<typeof createQueue>;
  pace: ReturnType<typeof createPace>;
  failures: ReturnType<typeof createFailureLog>;
  send(step: Step, to: SendOptions & { place: Place }): Promise<Outcome>;
  /** Where this message goes. */
  targetOf(row: StoredRow): string;
  /** The messages that are edited; undefined with TELEGRAM_STYLE=separate. */
  living?: Pick<LivingMessages, 'envelope' | 'began' | 'stillOpen'>;
  clock: Clock;
  log: Log;
  random(): number;
  /** Aborted when the store may be closed: an answer that comes then must touch nothing. */
  signal(): AbortSignal;
  /** Saved together with every result. */
  saveAlso(now: number): void;
  /** This chat takes messages. */
  onAccepted(target: string): void;
};

/** A deploy, a restart on request, or the end of an incident that was no critical one needs nobody at once: no sound on the phone. */
function isSilent(db: Db, { severity, kind, incidentId }: StoredRow): boolean {
  if (severity !== 'info' || kind === 'daily-report') return false;
  if (kind === 'answer') return true;
  const incident = incidentId === undefined ? undefined : incidentById(db, incidentId);
  return incident?.notified.severity !== 'critical' && incident?.severity !== 'critical';
}

/** True for the part that is edited later: the first text, or what says itself what it is about. */
function beginsMessage(steps: readonly Step[], index: number): boolean {
  const own = steps.findIndex((step) => 'html' in step && step.about !== undefined);
  return index === (own >= 0 ? own : steps.findIndex((step) => 'html' in step));
}

/** One attempt to send one part of one message, what its outcome means, and how long to wait before the next. */
export function createAttempts(deps: AttemptDeps) {
  const { clock, queue, pace, table, failures } = deps;
  /** The pauses after failed attempts, by message, on a clock that never jumps. */
  const blocks = new Map<number, { attempts: number; tries: number; until: number }>();
  /** A refusal from before this start is tried at once: somebody may have mended it. */
  let fresh = false;

  const chatOf = (row: StoredRow) => placeOf(deps.targetOf(row)).chat;

  /** `begins`: the text that carries the buttons. */
  async function send(step: Step, row: StoredRow, begins: boolean): Promise<Outcome | 'too-late'> {
    const signal = deps.signal();
    const outcome = await deps.send(step, {
      place: placeOf(deps.targetOf(row)),
      silent: isSilent(deps.db, row),
      ...(begins && 'html' in step ? deps.living?.envelope(row, step) : {}),
    });
    if (signal.aborted) return 'too-late';
    // What failed may have arrived all the same.
    if (outcome.state === 'sent' || outcome.state === 'retry') pace.count(chatOf(row));
    return outcome;
  }

  /** A text that cannot be cut must not stand before all the others for ever. */
  function planOrStandIn(row: StoredRow): Step[] {
    try {
      const folded = row.kind === 'digest' ? table.foldedInto(row.id) : [];
      return [...planSteps(row, clock.now()), ...(deps.living?.stillOpen(row, folded) ?? [])];
    } catch (error) {
      deps.log.error(`The message ${row.id} could not be prepared: ${errorText(error)}`);
      return [{ html: standIn(row, errorText(error)) }];
    }
  }

  async function attempt(row: StoredRow): Promise<void> {
    const steps = row.steps ?? planOrStandIn(row);
    const step = steps[row.stepsDone];
    const begins = beginsMessage(steps, row.stepsDone);
    const outcome = step ? await send(step, row, begins) : { state: 'sent' as const };
    if (outcome === 'too-late') return;
    if (outcome.state === 'sent') return accepted(row, steps, begins ? outcome.messageId : undefined);
    if (outcome.state === 'invalid' && step) return replace(row, steps, step, { why: outcome.why, begins });
    postpone(row, outcome);
  }

  /**
   * Telegram will never take this: a picture is left out (its caption goes as a text), and in place of a text goes a sentence. Where that is not taken
   * either, it is not the text: the message is kept as if it were refused.
   */
  async function replace(
    row: StoredRow,
    steps: Step[],
    step: Step,
    { why, begins }: { why: string; begins: boolean },
  ): Promise<void> {
    deps.log.error(`Telegram does not take a message (${row.kind}, ${row.subject}): ${why}`);
    if ('photo' in step && step.caption === undefined) return accepted(row, steps);
    const instead = 'photo' in step ? { html: step.caption ?? '' } : { ...step, html: standIn(row, why) };
    const outcome = await send(instead, row, begins);
    if (outcome === 'too-late') return;
    if (outcome.state === 'sent') return accepted(row, steps, begins ? outcome.messageId : undefined);
    postpone(row, outcome);
  }

  /** One more of its steps is done. `messageId`: of the message that this row begins, where it is known. */
  function accepted(row: StoredRow, steps: Step[], messageId?: number): void {
    blocks.delete(row.id);
    failures.over();
    deps.onAccepted(deps.targetOf(row));
    const now = clock.now();
    queue.accepted(row, steps, row.stepsDone + 1, now, () => {
      const step = steps[row.stepsDone];
      if (messageId !== undefined && step && 'html' in step) deps.living?.began(row, step, messageId, now);
      remember(deps.db, SENDS, pace.save(), now);
      deps.saveAlso(now);
    });
  }

  function postpone(row: StoredRow, outcome: Exclude<Outcome, { state: 'sent' }>): void {
    const tries = blocks.get(row.id)?.tries ?? row.attempts;
    const ms = pauseAfter(outcome, tries);
    const saved = saveTried(row, outcome, ms);
    if (blocks.size > 1000) blocks.clear();
    blocks.set(row.id, {
      attempts: saved && row.id > 0 ? row.attempts + 1 : row.attempts,
      tries: tries + 1,
      until: clock.monotonic() + ms,
    });
    failures.attempt(outcome, ms);
  }

  function pauseAfter(outcome: Exclude<Outcome, { state: 'sent' }>, tries: number): number {
    if (outcome.state !== 'retry') return REFUSED_PAUSE_MS;
    if (outcome.afterMs !== undefined) return Math.max(SHORTEST_PAUSE_MS, outcome.afterMs);
    return backoffMs(tries, deps.random());
  }

  function saveTried(row: StoredRow, outcome: Exclude<Outcome, { state: 'sent' }>, ms: number): boolean {
    const now = clock.now();
    const state = outcome.state === 'retry' ? 'waiting' : 'refused';
    try {
      table.within(() => {
        if (row.id > 0) table.markTried(row.id, state, now + ms, ms, outcome.why);
        remember(deps.db, SENDS, pace.save(), now);
        deps.saveAlso(now);
      });
      return true;
    } catch (error) {
      failures.own(`The outbox cannot be saved: ${errorText(error)}`);
      return false;
    }
  }

  return {
    attempt,
    /** Milliseconds until this message may be tried. */
    waitMs(row: StoredRow): number {
      const block = blocks.get(row.id);
      const paced = pace.waitMs(chatOf(row));
      if (block?.attempts === row.attempts) return Math.max(paced, block.until - clock.monotonic());
      if (fresh && row.state === 'refused') return paced;
      // Written by another process, or before a restart: a clock that jumped cannot make the pause longer than it was.
      return Math.max(paced, Math.min(row.waitMs, row.nextTryAt - clock.now()));
    },
    startAfresh(): void {
      fresh = true;
    },
  };
}
