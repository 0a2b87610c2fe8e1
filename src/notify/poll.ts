import * as v from 'valibot';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { isHeld, takeLock } from '../store/lock.ts';
import { recall, remember, rememberedAt } from '../store/memory.ts';
import type { Clock, Log } from '../system/types.ts';
import { readUpdate, updateIdOf, type Incoming } from './updates.ts';
import { backoffMs } from './pace.ts';
import type { Answer, Telegram } from './telegram.ts';

/** Held by a command of this machine that reads the bot's messages itself: the monitor leaves them to it meanwhile. */
const READER_LOCK = 'telegram-reader';

const OFFSET = 'telegram.offset';
const COMMANDS = 'telegram.commands';
const CONFLICT = 'telegram.conflict';
const CONFLICT_NOTIFIED = 'telegram.conflict-notified';
/** As long as Telegram allows. */
const POLL_SEC = 50;
const HANDOVER_MS = 1000;
const IDLE_MS = 2000;
/** Two programs that both read end each other's polls again and again: the second conflict within this time is no accident. */
const CONFLICT_WINDOW_MS = 12_000;
const CONFLICT_PAUSE_MS = 1000;
/** Whoever waited as long as this without a conflict was the only one: Telegram tells of one within five seconds. */
const UNDISTURBED_MS = 10_000;
/** Where another program reads: how often it is looked whether messages stay unread, and after how many looks it is tried anew. */
const LOOK_MS = 15_000;
const LOOKS = 20;
const NOTIFY_EVERY_MS = 7 * 86_400_000;
const REFUSED_MS = 600_000;
/** Also where Telegram asks for a pause of 0 s. */
const SHORTEST_PAUSE_MS = 1000;
/** Somebody may want to know how the server is as soon as the network is back. */
const LONGEST_PAUSE_MS = 30_000;
/** At most so many are handled side by side. */
const MOST_AT_ONCE = 8;
/** An update that takes longer is confirmed all the same: it must not hold up the others. */
const HANDLED_WITHIN_MS = 5000;
/** An update during which the process died so often is left out. */
const MOST_DEATHS = 2;
/** "If there are no new updates for at least a week, the identifier of the next update will be chosen randomly" (Bot API, Update). */
const SEQUENCE_MS = 6 * 86_400_000;
/** The last is for `vpsmon telegram chats`: the bot was added to a group. */
const WANTED = ['message', 'callback_query', 'my_chat_member'] as const;

/** `next`: the first update that was not handled yet. `upTo`: updates before this one are being handled, for the `tries`th time. */
const Offset = v.object({
  bot: v.string(),
  next: v.number(),
  upTo: v.optional(v.number()),
  tries: v.optional(v.number()),
});

export type PollDeps = {
  db: Db;
  telegram: Pick<Telegram, 'pollUpdates' | 'getUpdates' | 'setCommands'>;
  /** The public number of the bot. */
  bot: string;
  commands: readonly { command: string; description: string }[];
  clock: Clock;
  log: Log;
  stateDir: string;
  random(): number;
  /** Resolves when its effect is stored, or it was answered. */
  handle(incoming: Incoming): Promise<void>;
  /** Every update, also those that are nothing to handle. */
  seen(update: unknown): void;
  /** Somebody else reads the messages of this bot; `why` where nobody was notified of it within a week. */
  onConflict(why: string | undefined): void;
  /** The messages reach this monitor again. */
  onFree(): void;
};

/**
 * Reads what people write to the bot until the signal aborts. Telegram forgets an update when the next poll confirms it, which is
 * done after it was handled: a crash loses none, and may handle those of one poll again. Where another program reads the same bot,
 * or a webhook is set, this one keeps away until nobody reads any more.
 */
export async function pollUpdates(deps: PollDeps, signal: AbortSignal): Promise<void> {
  const { clock, telegram } = deps;
  const poll: Poll = {
    deps,
    signal,
    offset: openOffset(deps),
    tries: 0,
    waits: false,
    commandsSet: false,
    reads: false,
    conflictAt: Number.NEGATIVE_INFINITY,
    refusal: '',
  };
  while (!signal.aborted) {
    if (isHandedOver(deps.stateDir)) {
      await clock.sleep(HANDOVER_MS, signal);
      continue;
    }
    const began = clock.monotonic();
    // The first one does not wait: the bot of a webhook keeps the commands that it has.
    const waitSec = poll.waits ? POLL_SEC : 0;
    const answer = await telegram.pollUpdates(poll.offset.next(), waitSec, WANTED);
    if (signal.aborted) return;
    if (answer.kind === 'ok') await take(poll, answer.result, began);
    else if (answer.kind === 'error' && answer.code === 409) await giveWay(poll, answer.description, began);
    else await pauseAfter(poll, answer);
  }
}

/** How reading goes. */
type Poll = {
  deps: PollDeps;
  signal: AbortSignal;
  offset: ReturnType<typeof openOffset>;
  /** Failures in a row. */
  tries: number;
  /** The next poll waits for what comes: one was answered. */
  waits: boolean;
  commandsSet: boolean;
  /** This one has read undisturbed. */
  reads: boolean;
  /** Monotonic: the last conflict with another reader. */
  conflictAt: number;
  /** Why Telegram refuses, while it does. */
  refusal: string;
};

/** A poll was answered. */
async function take(poll: Poll, result: unknown, began: number): Promise<void> {
  const { deps, signal } = poll;
  const { clock } = deps;
  const waited = poll.waits;
  poll.tries = 0;
  poll.refusal = '';
  if (waited) {
    poll.reads = true;
    endConflict(deps);
  }
  poll.waits = true;
  poll.commandsSet ||= await setCommands(deps);
  if (signal.aborted) return;
  const some = await handleAll(deps, poll.offset, result, signal);
  // Nothing new, and not waited for: whatever answers there must not be asked without a pause.
  if (!some && waited && clock.monotonic() - began < IDLE_MS) await clock.sleep(IDLE_MS, signal);
}

/** Somebody else reads, too. Whoever read first goes on, and the one that came later gives way: its first poll is ended at once. */
async function giveWay(poll: Poll, description: string, began: number): Promise<void> {
  const { deps, signal } = poll;
  const { clock } = deps;
  if (isHandedOver(deps.stateDir)) return;
  // "webhook is active", "terminated by setWebhook": not the older "other long poll or webhook", which may be either.
  const webhook = /webhook is active|setwebhook/i.test(description);
  const again = clock.monotonic() - poll.conflictAt < CONFLICT_WINDOW_MS;
  poll.reads ||= clock.monotonic() - began > UNDISTURBED_MS;
  poll.conflictAt = clock.monotonic();
  if (!webhook && poll.reads && !again) {
    await clock.sleep(CONFLICT_PAUSE_MS * (1 + deps.random()), signal);
    return;
  }
  poll.reads = false;
  beginConflict(deps, webhook);
  await standBy(deps, webhook, signal);
}

/** Telegram could not be asked, or refuses. */
async function pauseAfter(poll: Poll, answer: Exclude<Answer, { kind: 'ok' }>): Promise<void> {
  const { clock, log, random } = poll.deps;
  const why = answer.kind === 'broken' ? answer.why : `${answer.code} ${answer.description}`;
  const refused = answer.kind === 'error' && [401, 403, 404].includes(answer.code);
  if (refused && why !== poll.refusal)
    log.warn(`Telegram does not let vpsmon read the bot's messages: ${why}`);
  else log.debug(`The messages to the bot cannot be read: ${why}`);
  poll.refusal = refused ? why : '';
  const asked = answer.kind === 'error' ? answer.retryAfterMs : undefined;
  await clock.sleep(
    refused
      ? REFUSED_MS
      : Math.max(SHORTEST_PAUSE_MS, asked ?? Math.min(LONGEST_PAUSE_MS, backoffMs(poll.tries++, random()))),
    poll.signal,
  );
}

/** Handles the new ones among these updates, then confirms them. False where there was none. */
async function handleAll(
  deps: PollDeps,
  offset: ReturnType<typeof openOffset>,
  result: unknown,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, log } = deps;
  const next = offset.next();
  const known = new Map<number, unknown>();
  for (const update of Array.isArray(result) ? (result as unknown[]) : []) {
    const id = updateIdOf(update);
    if (id !== undefined && (next === undefined || id >= next)) known.set(id, update);
  }
  // Each once, in the order of their numbers.
  const updates = [...known].map(([id, update]) => ({ id, update })).toSorted((a, b) => a.id - b.id);
  const last = updates.at(-1)?.id;
  if (last === undefined) return false;
  const skipped = offset.begin(last + 1);
  const todo = updates.flatMap(({ id, update }) => {
    deps.seen(update);
    return id < skipped ? [] : (readUpdate(update) ?? []);
  });
  const workers = Array.from({ length: MOST_AT_ONCE }, async () => {
    for (let one = todo.shift(); one && !signal.aborted; one = todo.shift()) {
      try {
        await deps.handle(one);
      } catch (error) {
        if (!signal.aborted) log.error(`A message to the bot could not be handled: ${errorText(error)}`);
      }
    }
  });
  const late = new AbortController();
  signal.addEventListener('abort', () => late.abort(), { once: true, signal: late.signal });
  await Promise.race([Promise.all(workers), clock.sleep(HANDLED_WITHIN_MS, late.signal)]);
  late.abort();
  // At the end of the monitor: what nobody has begun with is read by the next one.
  offset.done(signal.aborted ? (todo[0]?.updateId ?? last + 1) : last + 1);
  return true;
}

/** How far the updates are handled, as the state folder knows it. */
function openOffset({ db, bot, clock, log }: PollDeps) {
  const known = recall(db, OFFSET, Offset);
  let next = known?.bot === bot ? known.next : undefined;
  let { upTo = 0, tries = 0 } = known?.bot === bot ? known : {};
  let at = clock.now();
  if (next !== undefined) at = rememberedAt(db, OFFSET) ?? at;

  function save(more: { upTo?: number; tries?: number } = {}): void {
    try {
      if (next !== undefined) remember(db, OFFSET, { bot, next, ...more }, clock.now());
    } catch (error) {
      log.warn(`How far the messages to the bot were read cannot be saved: ${errorText(error)}`);
    }
  }
  return {
    /** Undefined: from the first one that Telegram has. It keeps them for a day, so nothing old comes after a week. */
    next(): number | undefined {
      if (next !== undefined && clock.now() - at > SEQUENCE_MS) next = undefined;
      return next;
    },
    /** Handling begins. Returns the first update that is worth it: during those before it the process died, twice. */
    begin(to: number): number {
      const again = upTo > (next ?? 0);
      const skipped = again && tries >= MOST_DEATHS ? upTo : 0;
      if (skipped > 0) log.error('Messages to the bot during which the monitor ended twice are left out.');
      next ??= 0;
      save({ upTo: to, tries: again ? tries + 1 : 1 });
      return skipped;
    },
    done(to: number): void {
      next = to;
      at = clock.now();
      upTo = tries = 0;
      save();
    },
  };
}

/** Once for a bot, and again when they changed. False where that is to be tried again: what Telegram refuses is, with the next start. */
async function setCommands({ db, bot, telegram, commands, clock }: PollDeps): Promise<boolean> {
  const wanted = JSON.stringify([bot, commands]);
  if (recall(db, COMMANDS, v.string()) === wanted) return true;
  const answer = await telegram.setCommands(commands);
  if (answer.kind === 'ok') remember(db, COMMANDS, wanted, clock.now());
  return answer.kind === 'ok' || (answer.kind === 'error' && answer.code < 429);
}

/** A setup on this machine waits for its code, say. */
function isHandedOver(stateDir: string): boolean {
  try {
    return isHeld(stateDir, READER_LOCK);
  } catch {
    return false; // Where no lock can be made nobody can hold one.
  }
}

/**
 * Runs `work` while a monitor on this state folder leaves the bot's messages to it. Where the folder is not there yet, or somebody
 * else is at it, it runs all the same.
 */
export async function asOnlyReader<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  let lock: ReturnType<typeof takeLock> | undefined;
  try {
    lock = takeLock(stateDir, READER_LOCK);
  } catch {
    // No monitor has run here, or it is not this user's.
  }
  try {
    return await work();
  } finally {
    if (lock && 'release' in lock) lock.release();
  }
}

/**
 * While another program reads: returns when nobody does any more, or after five minutes, to try it. A look takes nothing away and
 * ends no poll of the other (Client.cpp, do_get_updates: only one that waits does). A message that stays unread shows that it is gone.
 */
async function standBy(
  { clock, stateDir, telegram }: PollDeps,
  webhook: boolean,
  signal: AbortSignal,
): Promise<void> {
  let unread: number | undefined;
  for (let look = 0; look < LOOKS; look++) {
    await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    if (isHandedOver(stateDir)) continue;
    const answer = await telegram.getUpdates(1);
    if (answer.kind !== 'ok') {
      unread = undefined;
      continue;
    }
    const first = Array.isArray(answer.result) ? updateIdOf(answer.result[0]) : undefined;
    if (webhook || (first !== undefined && first === unread)) return;
    unread = first;
  }
}

function beginConflict({ db, bot, clock, log, onConflict }: PollDeps, webhook: boolean): void {
  const what = `${bot} ${webhook ? 'webhook' : 'other'}`;
  if (recall(db, CONFLICT, v.string()) === what) return;
  remember(db, CONFLICT, what, clock.now());
  const why = webhook
    ? 'Another program has set a webhook for this bot (n8n, perhaps), so that commands and buttons do not reach vpsmon. Messages are sent as before. Give vpsmon a bot of its own, or set TELEGRAM_COMMANDS=false.'
    : 'Another program reads the messages of this bot (a second vpsmon, perhaps), and only one can. This one leaves it to the other, and takes over when that is gone: until then its commands and buttons do not work, messages are sent as before. Give each server a bot of its own, or set TELEGRAM_COMMANDS=false on this one.';
  log.warn(why);
  const notified = recall(db, CONFLICT_NOTIFIED, v.string());
  const at = rememberedAt(db, CONFLICT_NOTIFIED) ?? 0;
  if (notified === what && Math.abs(clock.now() - at) < NOTIFY_EVERY_MS) return onConflict(undefined);
  remember(db, CONFLICT_NOTIFIED, what, clock.now());
  onConflict(why);
}

function endConflict({ db, clock, log, onFree }: PollDeps): void {
  if (!recall(db, CONFLICT, v.string())) return;
  remember(db, CONFLICT, '', clock.now());
  log.info('The messages to the bot reach vpsmon again: commands and buttons work.');
  onFree();
}

/** True while somebody else reads the bot's messages: buttons would not reach this monitor. */
export function inConflict(db: Db): boolean {
  return Boolean(recall(db, CONFLICT, v.string()));
}
