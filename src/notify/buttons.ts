import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import { plain } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import type { Button } from '../store/incident-messages.ts';
import { recall, remember } from '../store/memory.ts';
import { readJson } from '../store/rows.ts';
import type { Right } from './permit.ts';

export const BUTTON_ACTIONS = [
  'logs',
  'details',
  'ack',
  'hour',
  'end',
  'restart',
  'stop',
  'undo',
  'yes',
  'no',
] as const;
export type ButtonAction = (typeof BUTTON_ACTIONS)[number];
export type Destructive = 'restart' | 'stop' | 'undo';

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
/** An incident about a container, by its rule. */
const ABOUT_CONTAINER = /^(?:container-|restart-loop$|service-missing$)/;

export function rightFor(action: ButtonAction): Right {
  if (action === 'logs' || action === 'details') return 'read';
  return action === 'ack' || action === 'hour' || action === 'end' ? 'silence' : 'act';
}

export function isDestructive(action: ButtonAction): action is Destructive {
  return action === 'restart' || action === 'stop' || action === 'undo';
}

/** True where the incident's subject is a container. */
function isAboutContainer({ rule, subject }: Incident): boolean {
  return subject !== 'host' && (ABOUT_CONTAINER.test(rule) || rule === 'oom-kill');
}

export function readQuestion(pending: string | undefined, now: number): Question | undefined {
  const question = pending === undefined ? undefined : readJson(Question, pending);
  // A clock that was set back must not make a question last.
  return question && question.until > now && question.until - now <= QUESTION_MS ? question : undefined;
}

/**
 * The buttons that fit an incident as it stands; none once it has ended. `undoable`: recovery did something about it that can be
 * taken back.
 */
export function keyboardFor(
  db: Db,
  config: Config,
  incident: Incident,
  more: { question?: Question | undefined; undoable?: boolean | undefined },
  now: number,
): Button[][] {
  const { settings } = config;
  if (!settings.TELEGRAM_COMMANDS || (incident.state === 'resolved' && !incident.event)) return [];
  const key = secretOf(db, now);
  const button = (text: string, action: ButtonAction, nonce = ''): Button => ({
    text,
    callback_data: dataOf(key, incident.id, action, nonce),
  });
  const { question } = more;
  const subject = plain(incident.subject, 30);
  if (question) {
    const what = `${question.action} ${question.step ? plain(question.step.what, 40) : subject}`;
    const yes = question.again ? `It is essential: really ${what}` : `Yes, ${what}`;
    return [[button(yes, 'yes', question.nonce)], [button('No', 'no', question.nonce)]];
  }
  const about = isAboutContainer(incident);
  const rows: Button[][] = [[...(about ? [button('Logs', 'logs')] : []), button('Details', 'details')]];
  if (!incident.event)
    rows.push([
      ...(incident.ack ? [] : [button('Acknowledge', 'ack')]),
      button('Silence 1 h', 'hour'),
      ...(incident.ack?.silent ? [] : [button('Until it ends', 'end')]),
    ]);
  if (settings.TELEGRAM_ACTIONS) {
    const acts = [
      ...(about ? [button('Restart', 'restart'), button('Stop', 'stop')] : []),
      ...(more.undoable ? [button('Undo', 'undo')] : []),
    ];
    if (acts.length > 0) rows.push(acts);
  }
  return rows;
}

/** The buttons of a list, bound to its first incident: what they do is done to each of them. */
export function keyboardOfMany(db: Db, config: Config, all: readonly Incident[], now: number): Button[][] {
  const open = all.filter(({ state }) => state !== 'resolved');
  const [first] = all;
  if (!config.settings.TELEGRAM_COMMANDS || !first || open.length === 0) return [];
  const key = secretOf(db, now);
  const row: [string, ButtonAction][] = [];
  if (open.some(({ ack }) => !ack)) row.push(['Acknowledge all', 'ack']);
  if (open.some(({ ack }) => !ack?.silent)) row.push(['Until they end', 'end']);
  return row.length === 0
    ? []
    : [row.map(([text, action]) => ({ text, callback_data: dataOf(key, first.id, action, '') }))];
}

export type ReadButton =
  | { incidentId: number; action: ButtonAction; nonce: string }
  /** Made by somebody else, or by another server (`elsewhere`). */
  | { forged: true; elsewhere: boolean };

/** What a tapped button is, where this server made it for this incident. */
export function readButton(db: Db, data: string, now: number): ReadButton {
  const [tag = '', id = '', action = '', nonce = '', mac = ''] = data.split('.');
  const key = secretOf(db, now);
  const known = (BUTTON_ACTIONS as readonly string[]).includes(action);
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
