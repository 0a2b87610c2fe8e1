import type { Message } from '../model/message.ts';
import type { OutboxTable, Step, StoredRow } from '../store/outbox.ts';

/** More than this many messages that could not be saved: the oldest are given up, for they cost memory. */
const UNSAVED_MAX = 500;

/**
 * The order of sending, on top of the table: remembers what was accepted while the disk did not take the mark (a full disk must
 * not make a message be sent again and again), and holds messages that the disk did not take at all.
 */
export function createQueue(table: OutboxTable) {
  /** Accepted, but the mark could not be written yet. */
  const unmarked = new Map<number, { row: StoredRow; steps: Step[]; done: number; at: number }>();
  let unsaved: StoredRow[] = [];
  let nextUnsaved = -1;

  function mark(row: StoredRow, steps: Step[], done: number, at: number): void {
    if (done >= steps.length) table.markSent(row, at);
    else table.saveSteps(row.id, steps, done);
  }

  /** Without those that were accepted and could not be marked. */
  function firstOfEach(): StoredRow[] {
    const heads = new Map<string | undefined, StoredRow>();
    for (const row of table.pending()) {
      const known = unmarked.get(row.id);
      if (heads.has(row.target) || (known && known.done >= known.steps.length)) continue;
      heads.set(row.target, known ? { ...row, steps: known.steps, stepsDone: known.done } : row);
    }
    return [...heads.values()];
  }

  return {
    /** The next message to send to each chat, with what is known of its parts. */
    heads(): StoredRow[] {
      const saved = unmarked.size === 0 ? table.heads() : firstOfEach();
      const extra = unsaved[0];
      return extra && saved.every((row) => row.target !== extra.target) ? [...saved, extra] : saved;
    },

    /** The first `done` steps of a message were accepted. `also` is saved with it. */
    accepted(row: StoredRow, steps: Step[], done: number, at: number, also: () => void): void {
      if (row.id < 0) {
        row.steps = steps;
        row.stepsDone = done;
        if (done >= steps.length) unsaved = unsaved.filter((other) => other !== row);
        return;
      }
      try {
        table.within(() => {
          mark(row, steps, done, at);
          also();
        });
        unmarked.delete(row.id);
      } catch {
        unmarked.set(row.id, { row, steps, done, at });
      }
    },

    /** Writes the marks and the messages that could not be written before. */
    saveLate(): void {
      if (unmarked.size === 0 && unsaved.length === 0) return;
      try {
        table.within(() => {
          for (const row of unsaved) if (row.stepsDone === 0) table.insert(row);
          for (const { row, steps, done, at } of unmarked.values()) mark(row, steps, done, at);
        });
        unmarked.clear();
        unsaved = unsaved.filter((row) => row.stepsDone > 0);
      } catch {
        // Still no room: they stay in memory.
      }
    },

    addUnsaved(message: Message): void {
      const id = nextUnsaved--;
      unsaved.push({
        ...message,
        id,
        position: id,
        state: 'waiting',
        attempts: 0,
        nextTryAt: 0,
        waitMs: 0,
        stepsDone: 0,
      });
      if (unsaved.length > UNSAVED_MAX) unsaved = unsaved.slice(-UNSAVED_MAX);
    },
    forgetUnsaved(): void {
      unsaved = [];
    },
    unsaved: (): readonly StoredRow[] => unsaved,
  };
}
