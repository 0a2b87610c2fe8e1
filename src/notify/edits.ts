import type { Delivery } from '../model/message.ts';
import {
  beginEdit,
  messagesBehind,
  readState,
  setShown,
  type IncidentMessage,
} from '../store/incident-messages.ts';
import { backoffMs } from './pace.ts';
import { saveSends, type Sending } from './sending.ts';
import { placeOf } from './targets.ts';
import { isLostMessage } from './telegram.ts';

/** Two edits of one message are so far apart. */
const GAP_MS = 3000;
const REFUSED_PAUSE_MS = 3_600_000;

const LEFT_BEHIND: Delivery = { state: 'invalid', why: 'message to edit not found' };

/** The edit that is due first, leaving out chats for which messages wait and those that are not configured now. */
export function nextEdit(
  sending: Sending,
  busy: ReadonlySet<string>,
): { message: IncidentMessage; ms: number } | undefined {
  let best: { message: IncidentMessage; ms: number } | undefined;
  for (const message of messagesBehind(sending.db)) {
    if (busy.has(message.target) || !sending.targets.includes(message.target)) continue;
    const ms = waitMs(sending, message);
    if (!best || ms < best.ms) best = { message, ms };
  }
  return best;
}

function waitMs({ clock, pace, state }: Sending, message: IncidentMessage): number {
  const now = clock.monotonic();
  const gap = (state.editedAt.get(nameOf(message)) ?? Number.NEGATIVE_INFINITY) + GAP_MS - now;
  const pause = (state.editPauses.get(message.target)?.until ?? 0) - now;
  return Math.max(pace.waitMs(placeOf(message.target).chat, 'edit'), gap, pause, 0);
}

/**
 * Edits a message that does not show yet what it should. Only the newest state counts: what came in between is never sent. An edit
 * whose acknowledgement was lost is made again, which Telegram answers with "not modified": nothing is shown twice.
 */
export async function edit(sending: Sending, message: IncidentMessage): Promise<void> {
  const { db, clock, pace, sender } = sending;
  const { incidentId, target, wanted } = message;
  const { signal } = sending.state.inTime;
  const state = readState(wanted);
  if (!state) return setShown(db, message, wanted, message.messageId);
  const to = {
    place: placeOf(target),
    ...(state.keyboard ? { keyboard: state.keyboard } : {}),
  };
  const begun = beginEdit(db, message);
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
  const { editedAt, editPauses } = sending.state;
  if (editedAt.size > 1000) editedAt.clear();
  editedAt.set(nameOf(message), clock.monotonic());
  if (outcome.state === 'retry' || outcome.state === 'refused') return postpone(sending, target, outcome);
  editPauses.delete(target);
  if (outcome.state === 'invalid' && !isLostMessage(outcome.why))
    sending.log.warn(`Telegram does not take an edit (incident ${incidentId}): ${outcome.why}`);
  setShown(db, message, wanted, messageId, begun);
  saveSends(sending, clock.now());
}

function postpone(
  { clock, log, random, state: { editPauses } }: Sending,
  target: string,
  outcome: Extract<Delivery, { state: 'retry' | 'refused' }>,
): void {
  const tries = editPauses.get(target)?.tries ?? 0;
  const refused = outcome.state === 'refused';
  const ms = refused ? REFUSED_PAUSE_MS : Math.max(1000, outcome.afterMs ?? backoffMs(tries, random()));
  editPauses.set(target, { tries: tries + 1, until: clock.monotonic() + ms, refused });
  log.debug(`An edit was put off: ${outcome.why}`);
}

/** The chat takes messages again. */
export function unblockEdits({ state: { editPauses } }: Sending, target: string): void {
  if (editPauses.get(target)?.refused) editPauses.delete(target);
}

function nameOf({ incidentId, target }: IncidentMessage): string {
  return `${incidentId} ${target}`;
}
