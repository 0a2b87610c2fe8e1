import type { Message } from '../model/message.ts';
import type { Outbox, MessagePart, StoredRow } from '../store/outbox.ts';

/** More than this many messages that could not be saved: the oldest are given up, for they cost memory. */
const UNSAVED_MAX = 500;

/**
 * The order of sending, on top of the outbox: remembers what was accepted while the disk did not take the mark (a full disk must
 * not make a message be sent again and again), and holds messages that the disk did not take at all.
 */
export type Queue = {
  outbox: Outbox;
  /** Accepted, but the mark could not be written yet. */
  unmarked: Map<number, { row: StoredRow; steps: MessagePart[]; done: number; at: number }>;
  /** Not in the outbox yet; their ids are negative. */
  unsaved: StoredRow[];
  nextUnsaved: number;
};

/** The next message to send to each chat, with what is known of its parts. */
export function headsOf({ outbox, unmarked, unsaved }: Queue): StoredRow[] {
  const saved = unmarked.size === 0 ? outbox.heads() : firstOfEach(outbox, unmarked);
  const extra = unsaved[0];
  return extra && saved.every((row) => row.target !== extra.target) ? [...saved, extra] : saved;
}

/** Without those that were accepted and could not be marked. */
function firstOfEach(outbox: Outbox, unmarked: Queue['unmarked']): StoredRow[] {
  const heads = new Map<string | undefined, StoredRow>();
  for (const row of outbox.waiting()) {
    const known = unmarked.get(row.id);
    if (heads.has(row.target) || (known && known.done >= known.steps.length)) continue;
    heads.set(row.target, known ? { ...row, steps: known.steps, stepsDone: known.done } : row);
  }
  return [...heads.values()];
}

/** The first `done` steps of a message were accepted. `also` is saved with it. */
export function markAccepted(
  queue: Queue,
  row: StoredRow,
  steps: MessagePart[],
  done: number,
  at: number,
  also: () => void,
): void {
  const { outbox, unmarked } = queue;
  if (row.id < 0) {
    row.steps = steps;
    row.stepsDone = done;
    if (done >= steps.length) queue.unsaved = queue.unsaved.filter((other) => other !== row);
    return;
  }
  try {
    outbox.within(() => {
      mark(outbox, row, steps, done, at);
      also();
    });
    unmarked.delete(row.id);
  } catch {
    unmarked.set(row.id, { row, steps, done, at });
  }
}

function mark(outbox: Outbox, row: StoredRow, steps: MessagePart[], done: number, at: number): void {
  if (done >= steps.length) outbox.markSent(row, at);
  else outbox.saveSteps(row.id, steps, done);
}

/** Writes the marks and the messages that could not be written before. */
export function saveLate(queue: Queue): void {
  const { outbox, unmarked, unsaved } = queue;
  if (unmarked.size === 0 && unsaved.length === 0) return;
  try {
    outbox.within(() => {
      for (const row of unsaved) if (row.stepsDone === 0) outbox.enqueue(row);
      for (const { row, steps, done, at } of unmarked.values()) mark(outbox, row, steps, done, at);
    });
    unmarked.clear();
    queue.unsaved = unsaved.filter((row) => row.stepsDone > 0);
  } catch {
    // Still no room: they stay in memory.
  }
}

/** Takes a message that the outbox did not take. */
export function addUnsaved(queue: Queue, message: Message): void {
  const id = queue.nextUnsaved--;
  queue.unsaved.push({
    ...message,
    id,
    position: id,
    state: 'waiting',
    attempts: 0,
    nextTryAt: 0,
    waitMs: 0,
    stepsDone: 0,
  });
  queue.unsaved = queue.unsaved.slice(-UNSAVED_MAX);
}
