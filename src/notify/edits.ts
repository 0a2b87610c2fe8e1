import type { Delivery } from '../model/message.ts';
import type { Db } from '../store/db.ts';
import { readState, type IncidentMessage, type openIncidentMessages } from '../store/incident-messages.ts';
import { remember } from '../store/memory.ts';
import type { Clock, Log } from '../system/types.ts';
import { SENDS } from './attempt.ts';
import { backoffMs, type createPace } from './pace.ts';
import type { createSender } from './sender.ts';
import { placeOf } from './targets.ts';
import { isLostMessage } from './telegram.ts';

/** Two edits of one message are so far apart. */
const GAP_MS = 3000;
const REFUSED_PAUSE_MS = 3_600_000;

const LEFT_BEHIND: Delivery = { state: 'invalid', why: 'message to edit not found' };

export type EditDeps = {
  db: Db;
  messages: ReturnType<typeof openIncidentMessages>;
  sender: Pick<ReturnType<typeof createSender>, 'send' | 'edit'>;
  pace: ReturnType<typeof createPace>;
  clock: Clock;
  log: Log;
  random(): number;
  /** Chats that are configured now. */
  targets: readonly string[];
  /** Aborted when the store may be closed: an answer that comes then must touch nothing. */
  signal(): AbortSignal;
};

/**
 * Edits the messages that do not show yet what they should. Only the newest state counts: what came in between is never sent. An edit
 * whose acknowledgement was lost is made again, which Telegram answers with "not modified": nothing is shown twice.
 */
export function createEdits(deps: EditDeps) {
  const { clock, messages, pace, sender } = deps;
  const blocks = new Map<string, { tries: number; until: number; refused: boolean }>();
  const editedAt = new Map<string, number>();

  function waitMs(message: IncidentMessage): number {
    const now = clock.monotonic();
    const gap = (editedAt.get(nameOf(message)) ?? Number.NEGATIVE_INFINITY) + GAP_MS - now;
    const block = (blocks.get(message.target)?.until ?? 0) - now;
    return Math.max(pace.waitMs(placeOf(message.target).chat, 'edit'), gap, block, 0);
  }

  async function edit(message: IncidentMessage): Promise<void> {
    const { incidentId, target, wanted } = message;
    const signal = deps.signal();
    const state = readState(wanted);
    if (!state) return messages.showed(message, wanted, message.messageId);
    const to = {
      place: placeOf(target),
      ...(state.keyboard ? { keyboard: state.keyboard } : {}),
    };
    const begun = messages.unsure(incidentId, target);
    let { messageId } = message;
    let outcome: Delivery = messageId > 0 ? await sender.edit(messageId, state.html, to) : LEFT_BEHIND;
    if (!signal.aborted && outcome.state === 'invalid' && isLostMessage(outcome.why) && !message.ended) {
      // Somebody deleted it, or the group moved: the state is shown by a new one. The end is a message of its own anyway.
      pace.count(to.place.chat);
      outcome = await sender.send({ html: state.html }, { ...to, silent: true });
      if (outcome.state === 'sent') messageId = outcome.messageId ?? messageId;
    }
    if (signal.aborted) return;
    if (outcome.state !== 'refused') pace.count(to.place.chat);
    if (editedAt.size > 1000) editedAt.clear();
    editedAt.set(nameOf(message), clock.monotonic());
    if (outcome.state === 'retry' || outcome.state === 'refused') return postpone(target, outcome);
    blocks.delete(target);
    if (outcome.state === 'invalid' && !isLostMessage(outcome.why))
      deps.log.warn(`Telegram does not take an edit (incident ${incidentId}): ${outcome.why}`);
    messages.showed(message, wanted, messageId, begun);
    remember(deps.db, SENDS, pace.save(), clock.now());
  }

  function postpone(target: string, outcome: Extract<Delivery, { state: 'retry' | 'refused' }>): void {
    const tries = blocks.get(target)?.tries ?? 0;
    const ms =
      outcome.state === 'refused'
        ? REFUSED_PAUSE_MS
        : Math.max(1000, outcome.afterMs ?? backoffMs(tries, deps.random()));
    blocks.set(target, {
      tries: tries + 1,
      until: clock.monotonic() + ms,
      refused: outcome.state === 'refused',
    });
    deps.log.debug(`An edit was put off: ${outcome.why}`);
  }

  return {
    edit,
    /** The chat takes messages again. */
    unblock(target: string): void {
      if (blocks.get(target)?.refused) blocks.delete(target);
    },
    /** The edit that is due first, leaving out chats for which messages wait. */
    next(busy: ReadonlySet<string>): { message: IncidentMessage; ms: number } | undefined {
      let best: { message: IncidentMessage; ms: number } | undefined;
      for (const message of messages.behind()) {
        if (busy.has(message.target) || !deps.targets.includes(message.target)) continue;
        const ms = waitMs(message);
        if (!best || ms < best.ms) best = { message, ms };
      }
      return best;
    },
  };
}

function nameOf({ incidentId, target }: IncidentMessage): string {
  return `${incidentId} ${target}`;
}
