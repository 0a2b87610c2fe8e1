import type { Message } from '../model/message.ts';
import { escapeHtml } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { openOutboxTable, type StoredRow } from '../store/outbox.ts';
import { digestHtml, headline } from '../outputs/telegram/digest.ts';
import { htmlToPlain } from '../model/html.ts';

/** More than this many waiting: all but the critical ones go into a digest. */
const FOLD_ABOVE = 20;

export type Outbox = ReturnType<typeof createOutbox>;

/** The messages that were accepted and are to be sent: on disk before anything is sent, marked after. */
export function createOutbox(db: Db) {
  const table = openOutboxTable(db);
  return {
    /**
     * Accepts a message and returns its id. Inside an open transaction it is part of it, so that an incident and what is
     * sent about it are saved together or not at all.
     */
    enqueue: (message: Message): number => table.insert(message),
    /** What waits, in the order in which it is sent. */
    waiting: (): StoredRow[] => table.pending(),
    /** Alerts accepted so far, by severity, and messages that Telegram took. */
    counts: () => table.counts(),
    table,
  };
}

/**
 * More than 20 waiting: those that are not critical and that nobody has begun to send move into one digest, which stands where
 * the first of them stood. A digest that waits already takes them in. Returns how many were moved.
 */
export function foldBacklog(outbox: Outbox, server: string): number {
  const { table } = outbox;
  return table.within(() =>
    table.targets().reduce((moved, target) => moved + foldFor(outbox, target, server), 0),
  );
}

/** The same for what waits for one chat. */
function foldFor(outbox: Outbox, target: string, server: string): number {
  const { table } = outbox;
  const pending = table.pendingOf(target);
  if (pending.length <= FOLD_ABOVE) return 0;
  const fold = table.foldable(target);
  const open = pending.find((row) => row.kind === 'digest' && row.stepsDone === 0 && row.attempts === 0);
  const [first] = fold;
  if (!first || (!open && fold.length < 2)) return 0;
  const id = open?.id ?? insertDigest(outbox, first);
  table.fold(
    id,
    fold.map((row) => ({ id: row.id, html: escapeHtml(headline(row)) })),
  );
  const lines = table.foldedInto(id).map((row) => ({ ...row, line: htmlToPlain(row.html) }));
  table.setDigest(id, digestHtml(lines, server), open?.position ?? first.id);
  return fold.length;
}

function insertDigest(outbox: Outbox, first: StoredRow): number {
  return outbox.enqueue({
    at: first.at,
    severity: 'warning',
    kind: 'digest',
    subject: 'digest',
    html: '',
    ...(first.target === undefined ? {} : { target: first.target }),
  });
}
