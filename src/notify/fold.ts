import { escapeHtml } from '../model/text.ts';
import type { Outbox, StoredRow } from '../store/outbox.ts';
import { digestHtml, headline } from '../outputs/telegram/digest.ts';
import { htmlToPlain } from '../model/html.ts';

/** More than this many waiting: all but the critical ones go into a digest. */
const FOLD_ABOVE = 20;

/**
 * More than 20 waiting: those that are not critical and that nobody has begun to send move into one digest, which stands where
 * the first of them stood. A digest that waits already takes them in. Returns how many were moved.
 */
export function foldBacklog(outbox: Outbox, server: string): number {
  return outbox.within(() =>
    outbox.targets().reduce((moved, target) => moved + foldFor(outbox, target, server), 0),
  );
}

/** The same for what waits for one chat. */
function foldFor(outbox: Outbox, target: string, server: string): number {
  const pending = outbox.pendingOf(target);
  if (pending.length <= FOLD_ABOVE) return 0;
  const fold = outbox.foldable(target);
  const open = pending.find((row) => row.kind === 'digest' && row.stepsDone === 0 && row.attempts === 0);
  const [first] = fold;
  if (!first || (!open && fold.length < 2)) return 0;
  const id = open?.id ?? insertDigest(outbox, first);
  outbox.fold(
    id,
    fold.map((row) => ({ id: row.id, html: escapeHtml(headline(row)) })),
  );
  writeDigest(outbox, id, open?.position ?? first.id, server);
  return fold.length;
}

/** Its text, of what is in it. */
export function writeDigest(outbox: Outbox, id: number, position: number, server: string): void {
  const lines = outbox.foldedInto(id).map((row) => ({ ...row, line: htmlToPlain(row.html) }));
  outbox.setDigest(id, digestHtml(lines, server), position);
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
