import * as v from 'valibot';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { isHeld, takeLock } from '../store/lock.ts';
import { recall, remember } from '../store/memory.ts';
import type { Clock, Log } from '../system/types.ts';
import { readUpdate, updateIdOf, type Incoming } from './incoming.ts';
import { backoffMs } from './pace.ts';
import type { Telegram } from './telegram.ts';

/** Held by a command of this machine that reads the bot's messages itself: the monitor leaves them to it meanwhile. */
const READER_LOCK = 'telegram-reader';

const OFFSET = 'telegram.offset';
const COMMANDS = 'telegram.commands';
const CONFLICT = 'telegram.conflict';
/** As long as Telegram allows. */
const POLL_SEC = 50;
const HANDOVER_MS = 1000;
const IDLE_MS = 2000;
const SHORT_CONFLICT_MS = 5000;
const LONG_CONFLICT_MS = 3_600_000;
const REFUSED_MS = 600_000;
/** More at once than this are not begun. */
const MOST_AT_ONCE = 8;
/** The last is for `vpsmon telegram chats`: the bot was added to a group. */
const WANTED = ['message', 'callback_query', 'my_chat_member'] as const;

const Offset = v.object({ bot: v.string(), next: v.number() });

export type PollDeps = {
  db: Db;
  telegram: Pick<Telegram, 'pollUpdates' | 'setCommands'>;
  /** The public number of the bot. */
  bot: string;
  commands: readonly { command: string; description: string }[];
  clock: Clock;
  log: Log;
  stateDir: string;
  random(): number;
  handle(incoming: Incoming): Promise<void>;
  /** Every update, also those that are nothing to handle. */
  seen(update: unknown): void;
  /** Somebody else reads the messages of this bot; said once. */
  onConflict(why: string): void;
};

/**
 * Reads what people write to the bot until the signal aborts. An update is marked as read before it is handled: after a crash nothing
 * is done twice. Where another program reads the same bot, or a webhook is set, this one keeps away for an hour at a time.
 */
export async function pollUpdates(deps: PollDeps, signal: AbortSignal): Promise<void> {
  const { clock, db, log, telegram } = deps;
  let next = offsetOf(deps);
  let tries = 0;
  let conflicts = 0;
  let running = 0;
  let commandsSet = false;
  while (!signal.aborted) {
    if (!commandsSet) commandsSet = await setCommands(deps);
    if (signal.aborted) break;
    if (isHandedOver(deps.stateDir)) {
      await clock.sleep(HANDOVER_MS, signal);
      continue;
    }
    const began = clock.monotonic();
    const answer = await telegram.pollUpdates(next, POLL_SEC, WANTED);
    if (signal.aborted) break;
    if (answer.kind === 'ok') {
      tries = 0;
      conflicts = 0;
      forgetConflict(deps);
      const updates = Array.isArray(answer.result) ? (answer.result as unknown[]) : [];
      const before = next;
      for (const update of updates) {
        const id = updateIdOf(update);
        if (id === undefined || (next !== undefined && id < next)) continue;
        if (!keepOffset(deps, id + 1)) break;
        next = id + 1;
        deps.seen(update);
        const incoming = readUpdate(update);
        if (!incoming || running >= MOST_AT_ONCE) continue;
        running += 1;
        deps
          .handle(incoming)
          .catch(
            (error: unknown) =>
              signal.aborted || log.error(`A message to the bot could not be handled: ${errorText(error)}`),
          )
          .finally(() => (running -= 1));
      }
      // Nothing new, and not waited for: whatever answers there must not be asked without a pause.
      if (next === before && clock.monotonic() - began < IDLE_MS) await clock.sleep(IDLE_MS, signal);
      continue;
    }
    if (answer.kind === 'error' && answer.code === 409) {
      if (isHandedOver(deps.stateDir)) continue;
      conflicts += 1;
      const webhook = /webhook/i.test(answer.description);
      // The first one may be the last breath of a monitor that was just stopped.
      if (!webhook && conflicts < 2) {
        await clock.sleep(SHORT_CONFLICT_MS, signal);
        continue;
      }
      tellConflict(deps, webhook);
      await clock.sleep(LONG_CONFLICT_MS, signal);
      conflicts = 1;
      continue;
    }
    const why = answer.kind === 'broken' ? answer.why : `${answer.code} ${answer.description}`;
    log.debug(`The messages to the bot cannot be read: ${why}`);
    const refused = answer.kind === 'error' && [401, 403, 404].includes(answer.code);
    const asked = answer.kind === 'error' ? answer.retryAfterMs : undefined;
    await clock.sleep(refused ? REFUSED_MS : (asked ?? backoffMs(tries++, deps.random())), signal);
  }

  function keepOffset(given: PollDeps, to: number): boolean {
    try {
      remember(db, OFFSET, { bot: given.bot, next: to }, clock.now());
      return true;
    } catch (error) {
      // Without the mark a restart would do it again: it waits until there is room.
      log.warn(`What was written to the bot waits, for its mark cannot be saved: ${errorText(error)}`);
      return false;
    }
  }
}

function offsetOf({ db, bot }: PollDeps): number | undefined {
  const known = recall(db, OFFSET, Offset);
  return known?.bot === bot ? known.next : undefined;
}

/** Once, and again when they changed. True when it is done. */
async function setCommands({ db, bot, telegram, commands, clock }: PollDeps): Promise<boolean> {
  const wanted = JSON.stringify([bot, commands]);
  if (recall(db, COMMANDS, v.string()) === wanted) return true;
  const answer = await telegram.setCommands(commands);
  if (answer.kind !== 'ok') return answer.kind === 'error' && answer.code === 400;
  remember(db, COMMANDS, wanted, clock.now());
  return true;
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

function tellConflict({ db, bot, clock, onConflict }: PollDeps, webhook: boolean): void {
  const what = `${bot} ${webhook ? 'webhook' : 'other'}`;
  if (recall(db, CONFLICT, v.string()) === what) return;
  remember(db, CONFLICT, what, clock.now());
  onConflict(
    webhook
      ? 'Another program has set a webhook for this bot (n8n, perhaps), so that commands and buttons do not reach vpsmon. Messages are sent as before. Give vpsmon a bot of its own, or set TELEGRAM_COMMANDS=false.'
      : 'Another program reads the messages of this bot (a second vpsmon, perhaps), and only one can. This one leaves it to the other: its commands and buttons do not work, messages are sent as before. Give each server a bot of its own, or set TELEGRAM_COMMANDS=false on this one.',
  );
}

function forgetConflict({ db, clock }: PollDeps): void {
  if (recall(db, CONFLICT, v.string())) remember(db, CONFLICT, '', clock.now());
}

/** True while somebody else reads the bot's messages: buttons would not reach this monitor. */
export function inConflict(db: Db): boolean {
  return Boolean(recall(db, CONFLICT, v.string()));
}
