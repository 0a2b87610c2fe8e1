import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import {
  BUTTON_NAMES,
  type ButtonAction,
  type ButtonLabel,
  type Destructive,
} from '../outputs/telegram/buttons.ts';
import type { Db } from '../store/db.ts';
import type { Button } from '../store/incident-messages.ts';
import { recall, remember } from '../store/memory.ts';
import { readJson } from '../store/rows.ts';
import type { Right } from './permit.ts';

/** What somebody tapped that wants a confirmation: by whom, and until when (epoch ms). `again`: it was confirmed once, and asks twice. */
const Question = v.object({
  action: v.picklist(['restart', 'stop', 'undo']),
  nonce: v.string(),
  userId: v.string(),
  until: v.number(),
  again: v.optional(v.boolean()),
  /** Of an undo: the number of the action, and what it was. */
  step: v.optional(v.object({ id: v.number(), what: v.string() })),
});
export type Question = v.InferOutput<typeof Question>;
export const QUESTION_MS = 60_000;

const SECRET = 'telegram.button-secret';

export function rightFor(action: ButtonAction): Right {
  if (action === 'logs' || action === 'details') return 'read';
  return action === 'ack' || action === 'hour' || action === 'end' ? 'silence' : 'act';
}

export function isDestructive(action: ButtonAction): action is Destructive {
  return action === 'restart' || action === 'stop' || action === 'undo';
}

export function readQuestion(pending: string | undefined, now: number): Question | undefined {
  const question = pending === undefined ? undefined : readJson(Question, pending);
  // A clock that was set back must not make a question last.
  return question && question.until > now && question.until - now <= QUESTION_MS ? question : undefined;
}

/** Buttons as the Bot API takes them, each signed for its incident. */
export function keyboardOf(
  db: Db,
  incidentId: number,
  rows: readonly ButtonLabel[][],
  now: number,
): Button[][] {
  if (rows.length === 0) return [];
  const key = secretOf(db, now);
  return rows.map((row) =>
    row.map(({ text, action, nonce = '' }) => ({
      text,
      callback_data: dataOf(key, incidentId, action, nonce),
    })),
  );
}

export type ReadButton =
  | { incidentId: number; action: ButtonAction; nonce: string }
  /** Made by somebody else, or by another server (`elsewhere`). */
  | { forged: true; elsewhere: boolean };

/** What a tapped button is, where this server made it for this incident. */
export function readButton(db: Db, data: string, now: number): ReadButton {
  const [tag = '', id = '', action = '', nonce = '', mac = ''] = data.split('.');
  const key = secretOf(db, now);
  const known = Object.hasOwn(BUTTON_NAMES, action);
  const wellFormed = /^\d{1,15}$/.test(id) && known;
  const expected = wellFormed ? dataOf(key, Number(id), action as ButtonAction, nonce) : '';
  const [a, b] = [Buffer.from(data), Buffer.from(expected)];
  if (!wellFormed || mac === '' || a.length !== b.length || !timingSafeEqual(a, b))
    return { forged: true, elsewhere: wellFormed && mac !== '' && tag !== tagOf(key) };
  return { incidentId: Number(id), action: action as ButtonAction, nonce };
}

/** `TAG.INCIDENT.ACTION.NONCE.MAC`: at most 4 + 15 + 7 + 12 + 16 bytes and four dots, of the 64 that Telegram allows. */
function dataOf(key: string, incidentId: number, action: ButtonAction, nonce: string): string {
  const signed = `${tagOf(key)}.${incidentId}.${action}.${nonce}`;
  const mac = createHmac('sha256', key).update(signed).digest('base64url').slice(0, 16);
  return `${signed}.${mac}`;
}

/** Tells the servers apart that share a bot. */
function tagOf(key: string): string {
  return createHmac('sha256', key).update('server').digest('base64url').slice(0, 4);
}

/** Made once for a state folder; buttons of before are good after a restart. */
function secretOf(db: Db, now: number): string {
  const known = recall(db, SECRET, v.pipe(v.string(), v.minLength(32)));
  if (known !== undefined) return known;
  const made = randomBytes(32).toString('base64url');
  remember(db, SECRET, made, now);
  return made;
}
