import { serverName } from '../config/server-name.ts';
import { formatCount, formatTime, safeHtml } from '../model/text.ts';
import { effectiveChat, rememberMove, rememberValidated } from '../notify/chat.ts';
import { adviceFor } from '../notify/advice.ts';
import { createTelegram, type Telegram } from '../notify/telegram.ts';
import { findChats, tryTelegram, type TryResult } from '../notify/try-out.ts';
import { allTargets, mainTarget, placeOf } from '../notify/targets.ts';
import { seenChats, type SeenChat } from '../notify/updates.ts';
import { openToLook } from '../store/look.ts';
import { openStore } from '../store/open.ts';
import { openOutboxTable } from '../store/outbox.ts';
import type { CommandContext } from './context.ts';

/** `vpsmon telegram test`: who the bot is, where it writes to, and a message that arrives now. Exit 0, or 2 with what to do. */
export async function telegramTest(context: CommandContext): Promise<number> {
  const { io, options, config } = context;
  const { TELEGRAM_BOT_TOKEN: token } = config.settings;
  const { chat: chatId } = placeOf(mainTarget(config));
  const target = rememberedTarget(context);
  const telegram = telegramOf(context, target);
  const html = options.dryRun ? undefined : testMessage(context);
  const { chatResult, ...tried } = await tryTelegram(telegram, { token, chatId }, html);
  if (tried.ok && html !== undefined) {
    // The topic of the first one, and all the others, where messages of one severity may go.
    for (const other of allTargets(config).filter((one) => one !== chatId)) {
      const sent = await telegram.sendText(html, { place: placeOf(other) });
      if (sent.state === 'sent') continue;
      Object.assign(tried, {
        ok: false,
        problem: `Telegram, for ${other}: ${sent.why}`,
        advice: adviceFor(sent.why),
      });
    }
  }
  const result: TryResult = {
    ...tried,
    ...(tried.chat && target.chatId !== chatId
      ? { chat: { ...tried.chat, id: target.chatId }, movedFrom: chatId }
      : {}),
    ...(tried.sent ? tellStore(context, target, chatResult) : {}),
  };
  if (options.json) io.out(JSON.stringify({ version: 1, ...result }, null, 2));
  else {
    for (const line of testLines(result)) io.out(line);
    if (result.problem) io.err(`vpsmon: ${result.problem}\n${result.advice ?? ''}`);
  }
  return result.ok ? 0 : 2;
}

/** `vpsmon telegram chats`: the chats that have written to the bot lately, so that nobody has to read JSON for an id. */
export async function telegramChats(context: CommandContext): Promise<number> {
  const { io, options, config } = context;
  const { TELEGRAM_BOT_TOKEN: token, TELEGRAM_CHAT_ID: chatId } = config.settings;
  const result = await findChats(telegramOf(context, { chatId }), token, chatsOfMonitor(context));
  if (options.json) io.out(JSON.stringify({ version: 1, ...result }, null, 2));
  else if (result.ok) {
    io.out(`Chats that wrote to @${result.bot?.username ?? ''}, the latest first:`);
    for (const line of chatTable(result.chats, chatId)) io.out(line);
    io.out('Set TELEGRAM_CHAT_ID in monitor.conf to one of these ids, then try `vpsmon telegram test`.');
  } else io.err(`vpsmon: ${result.problem ?? ''}\n${result.advice ?? ''}`);
  return result.ok ? 0 : 2;
}

function telegramOf({ config, system }: CommandContext, target: { chatId: string }): Telegram {
  return createTelegram({
    http: system.http,
    token: config.settings.TELEGRAM_BOT_TOKEN,
    apiRoot: config.settings.TELEGRAM_API_ROOT,
    chatId: (chat) => chat ?? target.chatId,
    onMigrated(to, chat) {
      if (chat === undefined) target.chatId = to;
    },
  });
}

function testMessage({ config, system }: CommandContext): string {
  return `<b>Test message from vpsmon</b>\nServer: ${safeHtml(serverName(config, system.files), 80)}\nTime: ${formatTime(system.clock.now())}\nAlerts will arrive here.`;
}

/** The chats that a running monitor, which reads the bot's messages, has heard of. */
function chatsOfMonitor({ config }: CommandContext): SeenChat[] {
  const look = openToLook(config.stateDir);
  if (!('db' in look)) return [];
  try {
    return seenChats(look.db);
  } catch {
    return []; // A database that has no such table yet.
  } finally {
    look.close();
  }
}

/** The chat as the monitor knows it; nothing is created where no monitor has run yet. */
function rememberedTarget({ config }: CommandContext): { chatId: string } {
  const configured = { chatId: placeOf(mainTarget(config)).chat };
  const look = openToLook(config.stateDir);
  if (!('db' in look)) return configured;
  try {
    return { chatId: effectiveChat(look.db, config).chatId };
  } catch {
    return configured; // A database that has no such table yet.
  } finally {
    look.close();
  }
}

/** Tells the monitor that Telegram works: what was put off is tried at once, and a moved chat is remembered. */
function tellStore(
  { config, system }: CommandContext,
  target: { chatId: string },
  chatResult: unknown,
): { waiting?: number } {
  const look = openToLook(config.stateDir);
  if (!('db' in look)) return {};
  look.close();
  const now = system.clock.now();
  const store = openStore(config.stateDir, now);
  try {
    const table = openOutboxTable(store.db);
    if (target.chatId !== placeOf(mainTarget(config)).chat)
      rememberMove(store.db, config, target.chatId, now);
    rememberValidated(store.db, config, chatResult, now);
    table.tryNow();
    const { waiting } = table.backlog();
    return waiting > 0 ? { waiting } : {};
  } catch {
    return {}; // The message arrived; that the monitor notices a little later is no failure of the test.
  } finally {
    store.close();
  }
}

function testLines(result: TryResult): string[] {
  const lines: string[] = [];
  if (result.bot) lines.push(`Bot:  @${result.bot.username} (${result.bot.id})`);
  if (result.chat) lines.push(`Chat: ${result.chat.title} (${result.chat.type}, ${result.chat.id})`);
  if (result.movedFrom)
    lines.push(
      `The group got a new id: set TELEGRAM_CHAT_ID=${result.chat?.id ?? ''} (it is ${result.movedFrom} now).`,
    );
  if (result.sent) lines.push('The test message was sent.');
  else if (result.ok) lines.push('Dry run: the test message was not sent.');
  if (result.waiting)
    lines.push(`${formatCount(result.waiting)} messages wait; the monitor sends them with its next check.`);
  return lines;
}

function chatTable(chats: readonly SeenChat[], configured: string): string[] {
  const rows = chats.map((chat) => [
    chat.id,
    chat.type,
    chat.title,
    [
      chat.lastAt === undefined ? '' : formatTime(chat.lastAt),
      chat.from ?? '',
      chat.lastText === undefined ? '' : `"${chat.lastText}"`,
      chat.id === configured ? '(this is TELEGRAM_CHAT_ID)' : '',
    ]
      .filter((part) => part !== '')
      .join(' '),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}
