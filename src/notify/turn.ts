import { errorText } from '../model/text.ts';
import type { IncidentMessage } from '../store/incident-messages.ts';
import type { Db } from '../store/db.ts';
import { incidentById } from '../store/incidents.ts';
import type { OutboxTable, StoredRow } from '../store/outbox.ts';
import { foldBacklog } from './outbox.ts';
import type { Sending } from './sending.ts';
import { targetOf, targetsFor } from './targets.ts';

/** `again`: something was done, look again. A number: wait so many ms. `idle`: until the next kick. */
export type Turn = 'again' | 'idle' | number;
type Todo = { ms: number } & ({ row: StoredRow } | { message: IncidentMessage });

const LOCK_RETRY_MS = 250;
const PRUNE_EVERY_MS = 86_400_000;
/** For longer pauses than this another process may send. */
const KEEP_LOCK_MS = 2000;

/** Sends or edits one message, where one is due and this process may. */
export async function takeTurn(sending: Sending): Promise<Turn> {
  const { state, queue, alertLog, lock, attempts, edits, clock } = sending;
  queue.saveLate();
  if (sending.targets.length > 1) saveQuietly(sending, () => routeAll(sending));
  const todo = next(sending);
  if (!alertLog.behind()) {
    if (!todo) return rest(sending, 'idle');
    if (todo.ms > 0) return rest(sending, todo.ms);
  }
  if (!lock.hold()) return LOCK_RETRY_MS;
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
  if ('row' in due) await attempts.attempt(due.row);
  else await edits?.edit(due.message);
  if (signal.aborted) return 'idle';
  if (clock.monotonic() - state.prunedAt > PRUNE_EVERY_MS) prune(sending);
  return 'again';
}

/** What can be done first: the next message of a chat, or, where none waits for it, an edit. */
function next({ config, state, configured, queue, attempts, edits }: Sending): Todo | undefined {
  const heads = queue.heads();
  const first = earliest(heads.map((row) => ({ row, ms: attempts.waitMs(row) })));
  if ((first && first.ms <= 0) || !edits || !state.running || !configured) return first;
  return earliest<Todo>([first, edits.next(new Set(heads.map((row) => targetOf(config, row))))]);
}

/** The first of those that are due first. */
function earliest<T extends { ms: number }>(all: readonly (T | undefined)[]): T | undefined {
  return all.reduce((best, one) => (one && (!best || one.ms < best.ms) ? one : best), undefined);
}

/** Gives each waiting message the chats of its severity, and an end those that have what ends, besides a chat of its own. */
function routeAll({ config, db, targets, outbox: { table } }: Sending): void {
  const rows = table.pendingOf('');
  if (rows.length === 0) return;
  table.within(() => {
    for (const row of rows) {
      const begun = row.role === 'ends' ? begunIn(db, table, row) : [];
      const known = begun.filter((target) => targets.includes(target));
      const own = targetsFor(config, row.severity);
      const also = config.settings.TELEGRAM_CHAT_INFO === '' ? [] : own;
      table.route(row, known.length > 0 ? [...new Set([...known, ...also])] : own);
    }
  });
}

function begunIn(db: Db, table: OutboxTable, { id, incidentId }: StoredRow): string[] {
  if (incidentId === undefined) return [];
  const incident = incidentById(db, incidentId);
  const ids = [incidentId, incident?.notified.withId, incident?.groupId];
  return table.targetsAbout(
    ids.flatMap((one) => one ?? []),
    id,
  );
}

/** Telegram is not configured: what was accepted is in the log and in alert_history.log, and does not pile up. */
function skipAll(sending: Sending): Turn {
  const { table } = sending.outbox;
  saveQuietly(sending, () =>
    table.within(() => {
      table.skipPending();
      sending.alertLog.save(sending.clock.now());
    }),
  );
  sending.queue.forgetUnsaved();
  return rest(sending, 'idle');
}

function rest({ lock }: Sending, next: 'idle' | number): Turn {
  if (next === 'idle' || next > KEEP_LOCK_MS) lock.letGo();
  return next;
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
  const { state, clock, outbox, living } = sending;
  state.prunedAt = clock.monotonic();
  saveQuietly(sending, () => {
    outbox.table.prune(clock.now());
    living?.messages.prune(clock.now());
  });
}
