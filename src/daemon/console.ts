import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import * as v from 'valibot';
import type { CommandContext } from '../commands/context.ts';
import { defaultSettings, type Settings } from '../config/schema.ts';
import { serverName } from '../config/server-name.ts';
import { errorText, formatTime, maskSecrets, plain } from '../model/text.ts';
import { unanswered } from '../notify/asked.ts';
import { configuredChat, followMove } from '../notify/chat.ts';
import { splitHtml } from '../model/html.ts';
import { backoffMs } from '../notify/pace.ts';
import { pollUpdates, type PollDeps } from '../notify/poll.ts';
import { telegramFor } from '../notify/sender.ts';
import { rememberSeen } from '../notify/updates.ts';
import { COMMANDS, conflictHtml, refusedHtml } from '../outputs/telegram/console.ts';
import type { Place } from '../notify/targets.ts';
import type { SendOptions } from '../notify/telegram.ts';
import { recall, remember } from '../store/memory.ts';
import { immediately } from '../store/db.ts';
import { appendLine } from '../system/state-files.ts';
import type { RunResult } from '../system/types.ts';
import { alive, ORDERS, type Console } from './console-types.ts';
import type { Monitor } from './types.ts';

const DAY_MS = 86_400_000;
const CHILD_MS = 120_000;
/** After a database that took nothing, say. */
const RETRY_MS = 30_000;
const PARTS_MOST = 3;
/** Answers that are sent or wait for their turn: more than a minute holds are of use to nobody. */
const ANSWERS_MOST = 15;
/** Reports that are made or wait; more are refused. */
const REPORTS_MOST = 3;
const ANSWER_TRIES = 4;
/** After a longer pause than this nobody waits for an answer. */
const ANSWER_PAUSE_MS = 60_000;
const BUSY = 'Several reports are being made already. Try again in a minute.';
const REFUSED = 'telegram.refused';
/** So many strangers a day the owner is notified of. */
const REFUSED_MOST = 5;
const Refused = v.array(v.object({ who: v.string(), at: v.number() }));

/** Reads what people write to the bot, and answers, until the signal aborts. Never rejects. */
export async function runConsole(
  monitor: Monitor,
  context: CommandContext,
  signal: AbortSignal,
  more: Partial<Pick<Console, 'runOwn'>> = {},
): Promise<void> {
  const { config, system, store } = monitor;
  const { clock, http, log } = system;
  const { db } = store;
  const { settings } = config;
  if (!settings.TELEGRAM_COMMANDS || settings.TELEGRAM_BOT_TOKEN === '' || settings.TELEGRAM_CHAT_ID === '')
    return;
  // Each call listens to it while it runs, and several are handled side by side.
  setMaxListeners(50, signal);
  const telegram = telegramFor({ db, config, http, clock, log, signal: () => signal });
  const console = { ...openConsole(monitor, context, telegram), ...more };
  await resume(console);
  const reading = pollDeps(console, signal);
  while (!signal.aborted) {
    try {
      await pollUpdates(reading, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.error(`What people write to the bot could not be read, and is tried again: ${errorText(error)}`);
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** What a monitor that ended before has not answered yet. */
async function resume(console: Console): Promise<void> {
  const { monitor } = console;
  const { db } = monitor.store;
  if ((recall(db, ORDERS, v.array(v.unknown())) ?? []).length > 0) {
    const { followUp, openOrders } = await alive(monitor, import('./console-orders.ts'));
    for (const order of openOrders(db)) console.later(followUp(console, order));
  }
  if (unanswered(db).length > 0) {
    const { resumeAsked } = await alive(monitor, import('./console-asked.ts'));
    resumeAsked(console);
  }
}

function pollDeps(console: Console, signal: AbortSignal): PollDeps {
  const { monitor, telegram } = console;
  const { config, system, store } = monitor;
  const { clock, log } = system;
  const { db } = store;
  let username = '';
  return {
    db,
    telegram,
    bot: nameOfReader(config.settings),
    commands: COMMANDS,
    clock,
    log,
    stateDir: config.stateDir,
    random: Math.random,
    async handle(incoming) {
      if (monitor.state.closed || signal.aborted) return;
      const chat = configuredChat(db, config, incoming.chat);
      // Loaded when somebody writes or taps for the first time: most days nobody does, and it is a megabyte.
      if (incoming.kind === 'tap') {
        const { tapped } = await alive(monitor, import('./console-buttons.ts'));
        return tapped(console, incoming, chat);
      }
      if (!incoming.text.startsWith('/')) return;
      if (username === '') username = await alive(monitor, nameOfBot(telegram));
      const { command } = await alive(monitor, import('./console-commands.ts'));
      await command(console, incoming, chat, username);
    },
    seen(update) {
      try {
        rememberSeen(db, update, clock.now());
        followMove(db, config, update, clock.now());
      } catch (error) {
        // On a full disk, just when somebody wants to do something about it.
        log.debug(`A chat that wrote cannot be remembered: ${errorText(error)}`);
      }
    },
    onConflict(why) {
      if (why !== undefined)
        monitor.outbox.enqueue({
          at: clock.now(),
          severity: 'info',
          kind: 'telegram-conflict',
          subject: 'vpsmon',
          html: conflictHtml(console.hostname, why),
        });
      monitor.delivery.kick();
      monitor.refreshMessages();
    },
    onFree: () => monitor.refreshMessages(),
  };
}

/** The bot's public number, and the server that counts its updates where that is not Telegram's own. */
function nameOfReader({ TELEGRAM_BOT_TOKEN: token, TELEGRAM_API_ROOT: root }: Settings): string {
  const bot = token.split(':')[0] ?? '';
  return root === defaultSettings().TELEGRAM_API_ROOT ? bot : `${bot} ${root}`;
}

async function nameOfBot(telegram: Console['telegram']): Promise<string> {
  const me = await telegram.getMe();
  const { username } = (me.kind === 'ok' && me.result ? me.result : {}) as { username?: unknown };
  return typeof username === 'string' ? username.toLowerCase() : '';
}

function openConsole(monitor: Monitor, context: CommandContext, telegram: Console['telegram']): Console {
  const { config, system } = monitor;
  const { clock, log } = system;
  const hostname = serverName(config, system.files);
  const mask = (text: string) => maskSecrets(text, context.secrets);
  return {
    monitor,
    hostname,
    telegram,
    now: () => clock.now(),
    mask,
    reply: openAnswers(monitor, telegram),
    runOwn: openOwnCommands(monitor, context),
    later(work) {
      work.catch((error: unknown) => {
        if (!monitor.state.closed) log.error(`What was asked for on Telegram failed: ${errorText(error)}`);
      });
    },
    record(line) {
      const failed = appendLine(
        join(config.stateDir, 'recovery.log'),
        mask(`${formatTime(clock.now())} [INFO] telegram ${plain(line, 500)}`),
      );
      if (failed) log.warn(`recovery.log cannot be written: ${failed}`);
    },
    refused: openRefusals(monitor, hostname),
  };
}

/** Sends answers, each in at most three parts; one after the other, so that whoever asked first is answered first. */
function openAnswers(monitor: Monitor, telegram: Console['telegram']): Console['reply'] {
  const { clock, log } = monitor.system;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  /** Keeps the limits of Telegram, as messages do, and is tried again while it does not answer. */
  async function send(part: string, to: SendOptions & { place: Place }): Promise<void> {
    const { delivery } = monitor;
    const { chat } = to.place;
    for (let tries = 1; ; tries++) {
      for (let ms = delivery.waitMs(chat); ms > 0; ms = delivery.waitMs(chat))
        await alive(monitor, clock.sleep(ms));
      const begun = delivery.count(chat);
      const sent = await alive(monitor, telegram.sendText(part, { ...to, silent: true }));
      delivery.count(chat, begun);
      if (sent.state === 'sent') return;
      const ms = sent.state === 'retry' ? (sent.afterMs ?? backoffMs(tries, Math.random())) : Infinity;
      if (tries >= ANSWER_TRIES || ms > ANSWER_PAUSE_MS)
        return log.warn(`An answer on Telegram could not be sent: ${sent.why}`);
      await alive(monitor, clock.sleep(ms));
    }
  }

  return async function reply(html, to) {
    if (waiting >= ANSWERS_MOST) return log.warn('Telegram: too many commands at once; one is not answered.');
    waiting += 1;
    try {
      for (const part of splitHtml(html).slice(0, PARTS_MOST)) {
        const sending = last.then(() => send(part, to));
        last = sending.catch(() => undefined);
        await sending;
      }
    } finally {
      waiting -= 1;
    }
  };
}

/** Each takes the memory of a monitor: reports come one after the other. What a button does waits for none of them. */
function openOwnCommands(monitor: Monitor, context: CommandContext): Console['runOwn'] {
  let reports = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function start(args: readonly string[]): Promise<RunResult> {
    const { runOwnCommand } = await alive(monitor, import('../system/own-command.ts'));
    const { config: file, stateDir = monitor.config.stateDir } = context.options;
    const options = [...(file === undefined ? [] : ['--config', file]), '--state-dir', stateDir];
    return alive(monitor, runOwnCommand([...args, ...options], CHILD_MS));
  }

  return function runOwn(args) {
    if (args[0] === 'recover') return start(args);
    if (reports >= REPORTS_MOST) return Promise.resolve({ exitCode: 3, stdout: '', stderr: BUSY });
    reports += 1;
    const report = last.then(() => start(args)).finally(() => (reports -= 1));
    last = report.catch(() => undefined);
    return report;
  };
}

function openRefusals(monitor: Monitor, hostname: string): Console['refused'] {
  const { store } = monitor;
  const { clock, log } = monitor.system;

  /** True once a day for each of them, and for a few in all. */
  function isWorthNotifying(who: string, now: number): boolean {
    const known = (recall(store.db, REFUSED, Refused) ?? []).filter(
      ({ at }) => now - at < DAY_MS && at <= now,
    );
    if (known.length >= REFUSED_MOST || known.some((one) => one.who === who)) return false;
    remember(store.db, REFUSED, [...known, { who, at: now }], now);
    return true;
  }

  return function refused({ from, chat }, what, why) {
    const who = from ? `${from.name} (user ${from.id})` : 'somebody without a name';
    const where = `${chat.type} chat ${chat.id}`;
    log.warn(`Telegram: ${who} in ${where} was refused: ${plain(what, 80)}. ${why}`);
    const now = clock.now();
    const html = refusedHtml(hostname, { who, where, what, why });
    try {
      immediately(store.db, () => {
        if (!isWorthNotifying(from?.id ?? `chat ${chat.id}`, now)) return;
        monitor.outbox.enqueue({
          at: now,
          severity: 'warning',
          kind: 'telegram-refused',
          subject: 'vpsmon',
          html,
        });
      });
      monitor.delivery.kick();
    } catch (error) {
      log.warn(`That somebody was refused cannot be kept for Telegram: ${errorText(error)}`);
    }
  };
}
