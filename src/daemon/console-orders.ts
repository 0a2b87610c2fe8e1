// What a person confirmed by a button, from the tap to its result: kept on disk, so that a monitor that dies in between neither does it a
// second time nor leaves the owner without an answer.
import * as v from 'valibot';
import { heldText, type Action } from '../model/action.ts';
import { formatTime, plain } from '../model/text.ts';
import { printedHtml } from '../outputs/telegram/console.ts';
import { heldAfterUndoMs } from '../recovery/attempt.ts';
import { actionsBetween } from '../store/actions.ts';
import { annotateIncident } from '../store/incidents.ts';
import { immediately, type Db } from '../store/db.ts';
import { isHeld } from '../store/lock.ts';
import { recall, remember } from '../store/memory.ts';
import { readJson } from '../store/rows.ts';
import { momentOf } from '../system/moment.ts';
import { alive, ORDERS, type Console } from './console-types.ts';

/** `args`: of `vpsmon recover`. `target`: the chat and topic of the incident's message. `at`: epoch ms. */
const Order = v.object({
  id: v.string(),
  incidentId: v.number(),
  target: v.string(),
  args: v.array(v.string()),
  by: v.string(),
  at: v.number(),
});
export type Order = v.InferOutput<typeof Order>;

/** Where the timer's recovery is at work, an order waits for it. */
const TRIES = 12;
const PAUSE_MS = 5000;
/** A command that was started needs no longer than this until its action is recorded, and until it has ended. */
const BEGINS_WITHIN_MS = 20_000;
const ENDS_WITHIN_MS = 130_000;
const LOOK_MS = 1000;
/** The exit code of a command that was given up (own-command.ts). */
const TIMED_OUT = 124;

/** Keeps an order before it is begun; part of the transaction that is open. */
export function keepOrder({ monitor, now }: Console, order: Order): void {
  const { db } = monitor.store;
  remember(db, ORDERS, [...openOrders(db), order], now());
}

/** Orders that a monitor took and of which nobody knows the result yet. */
export function openOrders(db: Db): Order[] {
  return recall(db, ORDERS, v.array(Order)) ?? [];
}

/** It is not to be done after all. */
export function dropOrder({ monitor, now }: Console, order: Order): void {
  const { db } = monitor.store;
  const others = openOrders(db).filter(({ id }) => id !== order.id);
  remember(db, ORDERS, others, now());
}

/** Does what was asked for, and sends the result. */
export async function carryOut(console: Console, order: Order): Promise<void> {
  const { monitor } = console;
  const command = ['recover', ...order.args, '--json'];
  let result = await console.runOwn(command);
  for (let tries = 1; tries < TRIES && /another recovery run is at work/.test(result.stderr); tries++) {
    await alive(monitor, monitor.system.clock.sleep(PAUSE_MS));
    result = await console.runOwn(command);
  }
  // It may be at work still, on a server that hardly answers.
  if (result.exitCode === TIMED_OUT) return followUp(console, order, 'and it takes long');
  const done = resultOf(result.stdout);
  finish(console, order, done?.text ?? lastLine(result.stderr), done?.recorded === true);
}

/** Finds out what became of an order whose command nobody waits for any more, and sends that. It is never done a second time. */
export async function followUp(
  console: Console,
  order: Order,
  why = 'just before vpsmon was started anew',
): Promise<void> {
  const { monitor, now } = console;
  const { clock } = monitor.system;
  const from = clock.monotonic();
  const mayBegin = Math.abs(now() - order.at) < BEGINS_WITHIN_MS ? BEGINS_WITHIN_MS : 0;
  let action = actionOf(console, order);
  for (;;) {
    const waited = clock.monotonic() - from;
    const atWork = action?.state !== 'running' || isHeld(monitor.config.stateDir, 'recover');
    if (action && action.state !== 'running') break;
    if (waited > ENDS_WITHIN_MS || (waited >= mayBegin && !(action && atWork))) break;
    await alive(monitor, clock.sleep(LOOK_MS));
    action = actionOf(console, order);
  }
  const when = `asked for at ${formatTime(order.at)}, ${why}`;
  if (!action) return finish(console, order, `not done: ${when}. Tap again if it is still wanted.`, false);
  const how = action.state === 'running' ? 'begun, and nobody knows whether it worked' : action.result;
  finish(console, order, `${how ?? action.state} (${when})${heldBecauseOf(console, action)}`, true);
}

/** Nobody waits for what the command prints of the hour after an undo: it is read where recovery keeps it. */
function heldBecauseOf({ monitor, now }: Console, { rule, undoes }: Action): string {
  if (!undoes) return '';
  const ms = heldAfterUndoMs(monitor.store.db, rule, momentOf(monitor.system.files, now()));
  return ms === undefined ? '' : `; ${heldText(ms)}`;
}

/** What recovery recorded of an order. */
function actionOf({ monitor, now }: Console, { args, at }: Order): Action | undefined {
  const [what, target] = args;
  return actionsBetween(monitor.store.db, at, Math.max(at, now()) + ENDS_WITHIN_MS)
    .filter((action) =>
      what === 'undo'
        ? action.undoes?.includes(Number(target))
        : action.rule === 'hand' && action.what === what && action.target === target,
    )
    .at(-1);
}

/** The result goes into recovery.log, into the incident, and to the chat; with it the order is done with. */
function finish(console: Console, order: Order, result: string, recorded: boolean): void {
  const { monitor, now } = console;
  const { db } = monitor.store;
  const { incidentId, args, by, target } = order;
  const text = console.mask(result);
  const what = args.slice(0, 2).join(' ');
  console.record(`${by}: ${what}: ${text}`);
  immediately(db, () => {
    // What recovery has recorded is shown with the incident anyway.
    if (!recorded) annotateIncident(db, incidentId, now(), `${what} by ${by}: ${plain(text, 200)}`);
    monitor.outbox.enqueue({
      at: now(),
      severity: 'info',
      kind: 'answer',
      subject: args[1] ?? what,
      html: printedHtml(`${console.hostname}: ${what.replace('-container', '')}, asked for by ${by}`, [text]),
      incidentId,
      role: 'follows',
      target,
    });
    dropOrder(console, order);
  });
  monitor.refreshMessages(new Set([incidentId]));
  monitor.delivery.kick();
}

/** What is read of that which `recover --json` prints. */
const Recovered = v.object({
  results: v.array(
    v.object({
      found: v.string(),
      attempts: v.array(v.object({ text: v.string(), action: v.nullish(v.number()) })),
      held_seconds: v.nullish(v.number()),
    }),
  ),
});

/** Its sentence; `recorded`: an action of its own was written down. */
function resultOf(stdout: string): { text: string; recorded: boolean } | undefined {
  const results = readJson(Recovered, stdout)?.results;
  if (!results) return undefined;
  const attempts = results.flatMap((result) => result.attempts);
  const texts = results.flatMap(({ found, attempts: own }) =>
    own.length > 0 ? own.map(({ text }) => text) : [found],
  );
  const held = results.flatMap(({ held_seconds: seconds }) => seconds ?? []);
  const then = held.length > 0 ? `; ${heldText(Math.max(...held) * 1000)}` : '';
  return {
    text: plain(texts.join('; '), 400) + then,
    recorded: attempts.some(({ action }) => typeof action === 'number'),
  };
}

function lastLine(text: string): string {
  return plain(text.trim().split('\n').at(-1) ?? '', 300) || 'it ended without a word';
}
