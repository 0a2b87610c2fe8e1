import { join } from 'node:path';
import type { CommandContext } from '../commands/context.ts';
import { serverName } from '../config/server-name.ts';
import { errorText, formatTime, maskSecrets, plain, safeHtml } from '../model/text.ts';
import { configuredChat } from '../notify/chat.ts';
import { splitHtml } from '../model/html.ts';
import type { Incoming, Tapped } from '../notify/incoming.ts';
import { pollUpdates } from '../notify/poll.ts';
import { telegramFor } from '../notify/sender.ts';
import { rememberSeen } from '../notify/updates.ts';
import { appendLine } from '../system/append-file.ts';
import { alive, COMMANDS, type Console } from './console-types.ts';
import type { Monitor } from './types.ts';

const DAY_MS = 86_400_000;
const CHILD_MS = 120_000;
const PARTS_MOST = 3;
/** Tries of strangers that are told to the owner, in all and in a day. */
const TOLD_MOST = 5;

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
  const telegram = telegramFor({ db, config, http, clock, log, signal: () => signal });
  const console = { ...openConsole(monitor, context, telegram), ...more };
  let buttons: { tapped(tap: Tapped, chat: string | undefined): Promise<void> } | undefined;
  let username = '';

  async function handle(incoming: Incoming): Promise<void> {
    if (monitor.state.closed || signal.aborted) return;
    const chat = configuredChat(db, config, incoming.chat);
    // Loaded when somebody writes or taps for the first time: most days nobody does, and it is a megabyte.
    if (incoming.kind === 'tap') {
      buttons ??= (await alive(monitor, import('./console-buttons.ts'))).createButtons(console);
      return buttons.tapped(incoming, chat);
    }
    if (!incoming.text.startsWith('/')) return;
    if (username === '') username = await alive(monitor, nameOfBot(telegram));
    const { command } = await alive(monitor, import('./console-commands.ts'));
    await command(console, incoming, chat, username);
  }

  try {
    await pollUpdates(
      {
        db,
        telegram,
        bot: settings.TELEGRAM_BOT_TOKEN.split(':')[0] ?? '',
        commands: COMMANDS,
        clock,
        log,
        stateDir: config.stateDir,
        random: Math.random,
        handle,
        seen: (update) => rememberSeen(db, update, clock.now()),
        onConflict(why) {
          log.warn(why);
          monitor.outbox.enqueue({
            at: clock.now(),
            severity: 'info',
            kind: 'telegram-conflict',
            subject: 'vpsmon',
            html: `<b>Commands and buttons do not work</b>\nServer: ${safeHtml(console.hostname, 60)}\n${safeHtml(why, 500)}`,
          });
          monitor.delivery.kick();
          monitor.refreshMessages();
        },
      },
      signal,
    );
  } catch (error) {
    log.error(`Commands and buttons on Telegram do not work any more: ${errorText(error)}`);
  }
}

async function nameOfBot(telegram: Console['telegram']): Promise<string> {
  const me = await telegram.getMe();
  const { username } = (me.kind === 'ok' && me.result ? me.result : {}) as { username?: unknown };
  return typeof username === 'string' ? username.toLowerCase() : '';
}

function openConsole(monitor: Monitor, context: CommandContext, telegram: Console['telegram']): Console {
  const { config, system, store } = monitor;
  const { clock, log } = system;
  const told = new Map<string, number>();
  const mask = (text: string) => maskSecrets(text, context.secrets);
  return {
    monitor,
    context,
    hostname: serverName(config, system.files),
    telegram,
    now: () => clock.now(),
    mask,
    async reply(html, to) {
      for (const part of splitHtml(html).slice(0, PARTS_MOST)) {
        const sent = await alive(monitor, telegram.sendText(part, { ...to, silent: true }));
        if (sent.state === 'retry' && sent.afterMs !== undefined && sent.afterMs <= 30_000) {
          await alive(monitor, clock.sleep(sent.afterMs));
          await telegram.sendText(part, { ...to, silent: true });
        } else if (sent.state !== 'sent') log.warn(`An answer on Telegram could not be sent: ${sent.why}`);
      }
    },
    async runOwn(args) {
      const { runOwnCommand } = await import('../system/own-command.ts');
      const { config: file, stateDir } = context.options;
      const own = [
        ...(file === undefined ? [] : ['--config', file]),
        '--state-dir',
        stateDir ?? config.stateDir,
      ];
      return alive(monitor, runOwnCommand([...args, ...own], CHILD_MS));
    },
    record(line) {
      const failed = appendLine(
        join(config.stateDir, 'recovery.log'),
        mask(`${formatTime(clock.now())} [INFO] telegram ${plain(line, 500)}`),
      );
      if (failed) log.warn(`recovery.log cannot be written: ${failed}`);
    },
    refused(incoming, what, why) {
      const { from, chat } = incoming;
      const who = from ? `${from.name} (user ${from.id})` : 'somebody without a name';
      const where = `${chat.type} chat ${chat.id}`;
      log.warn(`Telegram: ${who} in ${where} was refused: ${plain(what, 80)}. ${why}`);
      const now = clock.now();
      for (const [key, at] of told) if (now - at > DAY_MS || at > now) told.delete(key);
      const key = from?.id ?? `chat ${chat.id}`;
      if (told.has(key) || told.size >= TOLD_MOST) return;
      told.set(key, now);
      try {
        store.db.transaction(() => {
          monitor.outbox.enqueue({
            at: now,
            severity: 'warning',
            kind: 'telegram-refused',
            subject: 'vpsmon',
            html: `<b>Somebody was refused</b>\nServer: ${safeHtml(serverName(config, system.files), 60)}\n${safeHtml(who, 100)} in the ${safeHtml(where, 60)} tried: ${safeHtml(what, 80)}\n${safeHtml(why)}\nTo allow it: TELEGRAM_ALLOWED_USERS. Said once a day about each of them.`,
          });
        })();
        monitor.delivery.kick();
      } catch (error) {
        log.warn(`That somebody was refused cannot be kept for Telegram: ${errorText(error)}`);
      }
    },
  };
}
