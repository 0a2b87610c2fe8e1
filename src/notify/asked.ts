// What somebody asked for on Telegram and what is made by a process of its own (a report, a picture, a forecast): kept on disk from the
// command to its answer, so that a monitor that dies in between leaves nobody without one, and nobody gets two.
import * as v from 'valibot';
import type { Db } from '../store/db.ts';
import { recall, remember } from '../store/memory.ts';

const ASKED = 'telegram.asked';

/** `args`: of vpsmon. `title`: over what it prints; absent where it sends its answer itself. `target`: the chat and topic. `at`: epoch ms. */
const Asked = v.object({
  id: v.number(),
  name: v.string(),
  args: v.array(v.string()),
  title: v.optional(v.string()),
  target: v.string(),
  at: v.number(),
  tries: v.number(),
});
export type Asked = v.InferOutput<typeof Asked>;

/** What is not answered yet. */
export function unanswered(db: Db): Asked[] {
  return recall(db, ASKED, v.array(Asked)) ?? [];
}

/** Kept, or kept anew. Throws where the disk takes nothing. */
export function keepAsked(db: Db, asked: Asked, now: number): void {
  remember(db, ASKED, [...unanswered(db).filter(({ id }) => id !== asked.id), asked], now);
}

/** Part of the transaction in which the answer goes into the outbox. False where it was answered already. */
export function markAnswered(db: Db, id: number, now: number): boolean {
  const all = unanswered(db);
  const others = all.filter((one) => one.id !== id);
  if (others.length < all.length) remember(db, ASKED, others, now);
  return others.length < all.length;
}
