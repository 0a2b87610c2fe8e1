import { serverName } from '../config/server-name.ts';
import { formatMany, formatTime } from '../model/text.ts';
import { effectiveChat, rememberMove, rememberValidated } from '../notify/chat.ts';
import { createTelegram, type Telegram } from '../notify/telegram.ts';
import { findChats, tryTelegram, type TriedChat, type TryResult } from '../notify/try-out.ts';
import { allTargets, destinationsOf, mainTarget, placeOf } from '../notify/targets.ts';
import { seenChats, type SeenChat } from '../notify/updates.ts';
import { testHtml } from '../outputs/telegram/monitor.ts';
import { lookOr } from '../store/look.ts';
import { openStore } from '../store/open.ts';
import { openOutbox } from '../store/outbox.ts';
import type { CommandContext } from './context.ts';
import { print, printJson } from './io.ts';

/** `vpsmon telegram test`: who the bot is, where it writes to, and a message that arrives now. Exit 0, or 2 with what to do. */
export async function telegramTest(context: CommandContext): Promise<number> {
  const { io, options, config } = context;
  const { TELEGRAM_BOT_TOKEN: token } = config.settings;
  const telegram = telegramOf(context, movedChats(context));
  const { files, clock } = context.system;
  const html = options.dryRun ? undefined : testHtml(serverName(config, files), clock.now());
  const tried = await tryTelegram(telegram, { token, destinations: destinationsOf(config) }, html);
  const result: TryResult = { ...tried, ...(tried.sent ? mendStore(context, tried.chats) : {}) };
  if (options.json) printJson(io, { version: 1, ...result });
  else {
    const lines = testLines(result);
    if (lines.length > 0) print(io, lines.join('\n'));
    const bad = result.chats.filter(({ problem }) => problem !== undefined);
    const name = (target: string) => (result.chats.length > 1 ? `${target}: ` : '');
    for (const { target, problem, advice } of bad)
      io.err(`vpsmon: ${name(target)}${problem ?? ''}\n${advice ?? ''}`);
    if (result.problem && bad.length === 0) io.err(`vpsmon: ${result.problem}\n${result.advice ?? ''}`);
  }
  return result.ok ? 0 : 2;
}

/** `vpsmon telegram chats`: the chats that have written to the bot lately, so that nobody has to read JSON for an id. */
export async function telegramChats(context: CommandContext): Promise<number> {
  const { io, options, config } = context;
  const { TELEGRAM_BOT_TOKEN: token, TELEGRAM_CHAT_ID: chatId } = config.settings;
  // A running monitor reads the bot's messages: it has heard of these.
  const seen = lookOr(config.stateDir, [], seenChats);
  const result = await findChats(telegramOf(context, new Map()), token, seen);
  if (options.json) printJson(io, { version: 1, ...result });
  else if (result.ok) {
    io.out(`Chats that wrote to @${result.bot?.username ?? ''}, the latest first:`);
    for (const line of chatTable(result.chats, chatId)) io.out(line);
    print(io, 'Set TELEGRAM_CHAT_ID in monitor.conf to one of these ids, then try `vpsmon telegram test`.');
  } else io.err(`vpsmon: ${result.problem ?? ''}\n${result.advice ?? ''}`);
  return result.ok ? 0 : 2;
}

/** `moved`: what configured chats have become. */
export function telegramOf(
  { config, system }: CommandContext,
  moved: Map<string, string>,
  more: { timeoutMs?: number } = {},
): Telegram {
  const main = placeOf(mainTarget(config)).chat;
  return createTelegram({
    http: system.http,
    token: config.settings.TELEGRAM_BOT_TOKEN,
    apiRoot: config.settings.TELEGRAM_API_ROOT,
    ...more,
    chatId: (chat = main) => moved.get(chat) ?? chat,
    onMigrated: (to, chat = main) => void moved.set(chat, to),
  });
}

/** The chats that moved, as the monitor knows it; nothing is created where no monitor has run yet. */
export function movedChats({ config }: CommandContext): Map<string, string> {
  return lookOr(config.stateDir, new Map<string, string>(), (db) => {
    const chats = allTargets(config).map((target) => placeOf(target).chat);
    const ids = chats.map((chat) => [chat, effectiveChat(db, config, chat).chatId] as const);
    return new Map(ids.filter(([chat, id]) => id !== chat));
  });
}

/** Lets the monitor know that Telegram works: what was put off is tried at once, and chats that moved are remembered. */
function mendStore({ config, system }: CommandContext, chats: readonly TriedChat[]): { waiting?: number } {
  if (!lookOr(config.stateDir, false, () => true)) return {};
  const now = system.clock.now();
  const store = openStore(config.stateDir, now);
  try {
    const outbox = openOutbox(store.db);
    for (const { target, movedFrom, chat } of chats) {
      if (!chat) continue;
      if (movedFrom !== undefined) rememberMove(store.db, config, chat.id, now, movedFrom);
      rememberValidated(store.db, config, chat, now, placeOf(target).chat);
    }
    outbox.tryNow();
    const { waiting } = outbox.backlog();
    return waiting > 0 ? { waiting } : {};
  } catch {
    return {}; // The message arrived; that the monitor notices a little later is no failure of the test.
  } finally {
    store.close();
  }
}

function testLines({ bot, chats, ok, sent, waiting }: TryResult): string[] {
  const lines = bot ? [`Bot:  @${bot.username} (${bot.id})`] : [];
  const several = chats.length > 1;
  for (const tried of chats) {
    const { chat, target, movedFrom } = tried;
    const { topic } = placeOf(target);
    const where = chat ? `${chat.title} (${chat.type}, ${chat.id})` : target;
    const inTopic = topic === undefined || !chat ? '' : `, topic ${topic}`;
    lines.push(`Chat: ${where}${inTopic}${several ? `: ${forWhat(tried)}` : ''}`);
    if (movedFrom !== undefined)
      lines.push(
        `      The group got a new id: write ${chat?.id ?? ''} in place of ${movedFrom} into the settings.`,
      );
  }
  const arrived = chats.filter((one) => one.sent).length;
  if (sent)
    lines.push(several ? `The test message was sent to all ${arrived}.` : 'The test message was sent.');
  else if (ok) lines.push('Dry run: the test message was not sent.');
  else if (arrived > 0) lines.push(`The test message was sent to ${arrived} of ${chats.length}.`);
  if (waiting)
    lines.push(
      `${formatMany(waiting, 'message waits', 'messages wait')}; the monitor sends them with its next check.`,
    );
  return lines;
}

function forWhat({ severities, sent, problem }: TriedChat): string {
  const what = severities.length === 0 ? 'commands only' : severities.join(', ');
  return `${what}${problem === undefined ? '' : sent ? ' (see below)' : ' (FAILED)'}`;
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
