import { JUMP_MS } from '../model/jump.ts';
import { errorText } from '../model/text.ts';
import { pruneMessages, type IncidentMessage } from '../store/incident-messages.ts';
import type { Db } from '../store/db.ts';
import { incidentById } from '../store/incidents.ts';
import type { Outbox, StoredRow } from '../store/outbox.ts';
import { takeLock } from '../store/lock.ts';
import { attempt, waitMs } from './attempt.ts';
import { edit, nextEdit } from './edits.ts';
import { foldBacklog, writeDigest } from './fold.ts';
import { headsOf, saveLate } from './queue.ts';
import { loadSends, type Sending } from './sending.ts';
import { targetOf, targetsFor } from './targets.ts';

/** `again`: something was done, look again. A number: wait so many ms. `idle`: until the next kick. */
export type Pause = 'again' | 'idle' | number;
type Todo = { ms: number } & ({ row: StoredRow } | { message: IncidentMessage });

const LOCK_RETRY_MS = 250;
const PRUNE_EVERY_MS = 86_400_000;
/** For longer pauses than this another process may send. */
const KEEP_LOCK_MS = 2000;

/** Sends or edits one message, where one is due and this process may. */
export async function takeTurn(sending: Sending): Promise<Pause> {
  const { state, queue, alertLog, clock } = sending;
  saveLate(queue);
  followClock(sending);
  if (sending.targets.length > 1) saveQuietly(sending, () => routeAll(sending));
  const todo = next(sending);
  if (!alertLog.behind()) {
    if (!todo) return rest(sending, 'idle');
    if (todo.ms > 0) return rest(sending, todo.ms);
  }
  if (!holdLock(sending)) return LOCK_RETRY_MS;
  alertLog.write();
  if (!sending.configured) return skipAll(sending);
  // Another process may have sent it between the look and the lock.
  let due = next(sending);
  if (!due || due.ms > 0) {
    saveQuietly(sending, () => alertLog.save(clock.now()));
    return rest(sending, due ? due.ms : 'idle');
  }
  saveQuietly(sending, () => foldBacklog(sending.outbox, sending.server));
  due = next(sending) ?? due;
  const { signal } = state.inTime;
  if ('row' in due) await attempt(sending, due.row);
  else await edit(sending, due.message);
  if (signal.aborted) return 'idle';
  if (clock.monotonic() - state.prunedAt > PRUNE_EVERY_MS) prune(sending);
  return 'again';
}

/** After a clock that was set, times count as the clock does now: a message is as late as it was. */
function followClock(sending: Sending): void {
  const { clock, outbox, queue, state, server } = sending;
  const jumped = sending.jump();
  const [now, mono] = [clock.now(), clock.monotonic()];
  const { lastId, mono: lookedAt } = state.looked;
  const from = now - (mono - lookedAt) - JUMP_MS;
  if (jumped !== 0) {
    for (const row of queue.unsaved) row.at += jumped;
    saveQuietly(sending, () =>
      outbox.within(() => {
        outbox.moveTimes(jumped, { lastId, from, to: now + JUMP_MS });
        for (const { id, position, kind, stepsDone } of outbox.waiting())
          if (kind === 'digest' && stepsDone === 0) writeDigest(outbox, id, position, server);
      }),
    );
  }
  saveQuietly(sending, () => (state.looked = { lastId: outbox.lastId(), mono }));
}

/** What can be done first: the next message of a chat, or, where none waits for it, an edit. */
function next(sending: Sending): Todo | undefined {
  const { config, state, configured, queue, living } = sending;
  const heads = headsOf(queue);
  const first = earliest(heads.map((row) => ({ row, ms: waitMs(sending, row) })));
  if ((first && first.ms <= 0) || !living || !state.running || !configured) return first;
  return earliest<Todo>([first, nextEdit(sending, new Set(heads.map((row) => targetOf(config, row))))]);
}

/** The first of those that are due first. */
function earliest<T extends { ms: number }>(all: readonly (T | undefined)[]): T | undefined {
  return all.reduce((best, one) => (one && (!best || one.ms < best.ms) ? one : best), undefined);
}

/** Gives each waiting message the chats of its severity, and an end those that have what ends, besides a chat of its own. */
function routeAll({ config, db, targets, outbox }: Sending): void {
  const rows = outbox.pendingOf('');
  if (rows.length === 0) return;
  outbox.within(() => {
    for (const row of rows) {
      const begun = row.role === 'ends' ? begunIn(db, outbox, row) : [];
      const known = begun.filter((target) => targets.includes(target));
      const own = targetsFor(config, row.severity);
      const also = config.settings.TELEGRAM_CHAT_INFO === '' ? [] : own;
      outbox.route(row, known.length > 0 ? [...new Set([...known, ...also])] : own);
    }
  });
}

function begunIn(db: Db, outbox: Outbox, { id, incidentId }: StoredRow): string[] {
  if (incidentId === undefined) return [];
  const incident = incidentById(db, incidentId);
  const ids = [incidentId, incident?.notified.withId, incident?.groupId];
  return outbox.targetsAbout(
    ids.flatMap((one) => one ?? []),
    id,
  );
}

/** Telegram is not configured: what was accepted is in the log and in alert_history.log, and does not pile up. */
function skipAll(sending: Sending): Pause {
  const { outbox } = sending;
  saveQuietly(sending, () =>
    outbox.within(() => {
      outbox.skipPending();
      sending.alertLog.save(sending.clock.now());
    }),
  );
  sending.queue.unsaved = [];
  return rest(sending, 'idle');
}

function rest(sending: Sending, next: 'idle' | number): Pause {
  if (next === 'idle' || next > KEEP_LOCK_MS) letGoOfLock(sending);
  return next;
}

/**
 * True in the one process that sends. The lock is held while there is something to send and given back in longer pauses, so that a
 * one-shot command may send when no monitor runs.
 */
function holdLock(sending: Sending): boolean {
  const { state, stateDir, store, failures } = sending;
  if (state.lock) return true;
  try {
    const taken = takeLock(stateDir, 'delivery');
    if (!('release' in taken)) return false;
    state.lock = taken;
  } catch (error) {
    // Where the folder cannot be written the store is in memory, and nobody else has these messages; or this is the daemon,
    // and the one-shot commands leave sending to it.
    if (!state.running && store.trouble === undefined) {
      failures.own(`The delivery lock cannot be taken: ${errorText(error)}`);
      return false;
    }
    state.lock = { holds: () => true, release: () => undefined };
  }
  // What another process did in the meantime.
  loadSends(sending);
  sending.alertLog.reload();
  return true;
}

export function letGoOfLock({ state }: Sending): void {
  const held = state.lock;
  state.lock = undefined;
  try {
    held?.release();
  } catch {
    // The file is gone, and the lock with it.
  }
}

/** What cannot be saved must not stop what can be sent. */
export function saveQuietly({ failures }: Sending, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    failures.own(`The outbox cannot be saved: ${errorText(error)}`);
  }
}

/** Forgets what is older than it is kept. */
export function prune(sending: Sending): void {
  const { db, state, clock, outbox } = sending;
  state.prunedAt = clock.monotonic();
  saveQuietly(sending, () => {
    outbox.prune(clock.now());
    pruneMessages(db, clock.now());
  });
}
