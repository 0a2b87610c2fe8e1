import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { tokenIn } from '../config/key-formats.ts';
import { understand } from '../config/layers.ts';
import { canBeWritten } from '../config/write-conf.ts';
import { serverName } from '../config/server-name.ts';
import { errorText, plain } from '../model/text.ts';
import { adviceFor } from '../notify/advice.ts';
import { awaitStart } from '../notify/await-start.ts';
import { asOnlyReader } from '../notify/poll.ts';
import { placeOf } from '../notify/targets.ts';
import { createTelegram, type Answer, type Telegram } from '../notify/telegram.ts';
import { readPipedText, readTextFile } from '../system/read-file.ts';
import type { CommandContext, Io } from './context.ts';
import { print } from './io.ts';
import type { Ask } from './prompt.ts';

export type SetupOptions = { tokenFile?: string; chatId?: string };

/** What it works with; tests hand in their own. */
export type SetupPlace = {
  target: string;
  /** The settings file that the units read. */
  installed: string;
  /** Undefined where nobody can answer. */
  ask: Ask | undefined;
  /** Aborted by Ctrl-C while no question stands there. */
  stopped: AbortSignal;
  /** True where systemd runs. */
  systemd: boolean;
  /** True where the terminal can show the blocks of a QR code. */
  drawsBlocks: boolean;
  /** How long it waits for Start. */
  waitMs: number;
  /** Installs the units with the settings that were written; its exit code. */
  install(): Promise<number>;
  /** Shows how the set-up is now. */
  finish(): Promise<void>;
};

export const NOTHING_CHANGED = 'Nothing was changed.';

/** A problem that ends the set-up: one sentence, and what to do. */
export class Refused extends Error {
  readonly code: 2 | 3;
  constructor(message: string, code: 2 | 3) {
    super(message);
    this.code = code;
  }
}

export function telegramFor(
  { config, system }: CommandContext,
  token: string,
  stopped: AbortSignal,
): Telegram {
  return createTelegram({
    http: system.http,
    token,
    apiRoot: config.settings.TELEGRAM_API_ROOT,
    chatId: (chat = '') => chat,
    signal: () => stopped,
  });
}

/** The token of the bot, which has answered with its name. */
export async function findToken(
  context: CommandContext,
  { tokenFile }: SetupOptions,
  { ask, stopped }: SetupPlace,
): Promise<{ token: string; telegram: Telegram; username: string }> {
  const { io } = context;
  const known = context.config.settings.TELEGRAM_BOT_TOKEN;
  const asks = tokenFile === undefined ? ask : undefined;
  const given = tokenFile === undefined ? known : readTokenFile(tokenFile, io);
  if (given === '' && !asks)
    throw new Refused(
      'the token of the bot is not known. Give it with --token-file FILE (and the chat with --chat-id ID), or run `vpsmon setup` in a terminal.',
      3,
    );
  if (asks && known === '')
    print(
      io,
      'vpsmon writes to you through a bot of your own. To get one, write /newbot to @BotFather in Telegram and answer its two questions; it gives you a token like 123456789:AAE...',
    );
  else if (asks) print(io, `A bot is set (number ${plain(known.split(':')[0] ?? '', 20)}). Enter keeps it.`);
  for (;;) {
    const token = asks ? await askForToken(io, asks, known) : given;
    const telegram = telegramFor(context, token, stopped);
    const me = await telegram.getMe();
    const { username } = ((me.kind === 'ok' ? me.result : undefined) ?? {}) as { username?: unknown };
    // It goes into a link: only what Telegram allows in a name.
    if (typeof username === 'string' && /^\w{3,64}$/.test(username)) {
      print(io, `The bot is @${username}.`);
      return { token, telegram, username };
    }
    const why = problemIn(me) ?? 'Telegram: the answer has no name of a bot';
    if (!asks) throw new Refused(`${why}\n${NOTHING_CHANGED}`, 2);
    print(io, why);
  }
}

/** Telegram's own word, and what to do; undefined: none. */
function problemIn(answer: Answer): string | undefined {
  if (answer.kind === 'ok') return undefined;
  const why = answer.kind === 'broken' ? answer.why : `${answer.code} ${answer.description}`;
  return `Telegram: ${why}\n${adviceFor(why)}`;
}

/** What is typed, or, with Enter alone, the known one. */
async function askForToken(io: Io, ask: Ask, known: string): Promise<string> {
  for (;;) {
    const token = tokenIn(await ask.secret('Token of the bot (not shown): ')) || known;
    if (/^\d+:[A-Za-z0-9_-]+$/.test(token)) return token;
    print(io, 'That is no token: it has digits, a colon and some 35 letters and digits.');
  }
}

/** Where messages go: what is given, what is set, or who presses Start. */
export async function findChat(
  context: CommandContext,
  { chatId, username }: SetupOptions & { username: string },
  telegram: Telegram,
  place: SetupPlace,
): Promise<{ chat: string; userId?: string }> {
  const { ask } = place;
  if (chatId !== undefined) return { chat: chatIdFrom(chatId) };
  const known = context.config.settings.TELEGRAM_CHAT_ID;
  if (!ask) {
    if (known !== '') return { chat: known };
    throw new Refused(
      'the chat is not known. Give it with --chat-id ID; `vpsmon telegram chats` lists the chats that wrote to the bot.',
      3,
    );
  }
  if (known !== '' && (await yesOrNo(ask, `Messages go to the chat ${known}. Keep it?`, true)))
    return { chat: known };
  return (
    (await pair(context, username, telegram, place)) ?? { chat: await askForChat(context.io, ask, telegram) }
  );
}

/** Shows the code and waits for who presses Start; undefined where another program gets the bot's messages. */
async function pair(
  { io, config, system: { clock } }: CommandContext,
  username: string,
  telegram: Telegram,
  { drawsBlocks: drawn, stopped, waitMs }: SetupPlace,
): Promise<{ chat: string; userId?: string } | undefined> {
  const code = randomBytes(9).toString('base64url');
  const link = `https://t.me/${username}?start=${code}`;
  const { qrCode } = await import('../outputs/terminal/qr.ts');
  const picture = drawn ? qrCode(link, io) : undefined;
  // No more lines than these: with the code of the longest name they fill a terminal of 24.
  if (picture === undefined) print(io, 'Open this link in Telegram, on your phone or here, and press Start:');
  else {
    print(io, 'Scan this with your phone, or open the link in Telegram, and press Start:');
    io.out(picture);
  }
  io.out(`${link}\nFor a group: https://t.me/${username}?startgroup=${code}`);
  print(io, 'Waiting for Start, 10 minutes at most; Ctrl-C ends it and changes nothing.');
  const result = await asOnlyReader(config.stateDir, () =>
    awaitStart(telegram, code, {
      untilMs: clock.monotonic() + waitMs,
      monotonic: () => (stopped.aborted ? Infinity : clock.monotonic()),
      sleep: (ms) => clock.sleep(ms, stopped),
    }),
  );
  if ('starter' in result) {
    const { chatId, chatTitle, userId, userName } = result.starter;
    const who = userId === undefined ? 'an anonymous administrator' : `${userName} (user ${userId})`;
    print(io, `Start was pressed by ${who} in the chat ${chatTitle} (${chatId}).`);
    if (userId !== undefined) return { chat: chatId, userId };
    print(
      io,
      'Commands and buttons need a name: put your own id into TELEGRAM_ALLOWED_USERS (@userinfobot shows it), and write as yourself.',
    );
    return { chat: chatId };
  }
  if ('late' in result)
    throw new Refused(`nobody pressed Start in time. Run \`vpsmon setup\` again. ${NOTHING_CHANGED}`, 2);
  const problem = `Telegram: ${result.problem}\n${adviceFor(result.problem)}`;
  if (!result.conflict) throw new Refused(`${problem}\n${NOTHING_CHANGED}`, 2);
  print(
    io,
    `${problem}\nMessages can be sent all the same. The id of your chat is what @userinfobot answers when you write to it; write to your own bot once, too.`,
  );
  return undefined;
}

/** A chat that the bot knows. */
async function askForChat(io: Io, ask: Ask, telegram: Telegram): Promise<string> {
  for (;;) {
    const typed = await ask.line('Id of the chat: ');
    const parsed = understand('TELEGRAM_CHAT_ID', typed);
    if (typed === '' || 'problem' in parsed) {
      print(io, 'That is no chat: it is a number (negative for groups), NUMBER/TOPIC, or @channel.');
      continue;
    }
    const chat = String(parsed.value);
    const problem = problemIn(await telegram.getChat(placeOf(chat.split(',')[0] ?? '').chat));
    if (problem === undefined) return chat;
    print(io, problem);
  }
}

/** undefined: the name of the machine, as without the setting. */
export async function findName(
  { io, config, system }: CommandContext,
  ask: Ask | undefined,
): Promise<string | undefined> {
  if (!ask) return undefined;
  const { SERVER_NAME: known } = config.settings;
  const usual = serverName(config, system.files);
  for (;;) {
    const name = plain(await ask.line(`Name of this server in messages [${plain(usual, 60)}]: `), 100);
    if (name === '') return known === '' ? undefined : known;
    if (name.length <= 60 && canBeWritten(name)) return name;
    print(io, 'At most 60 characters, without backslashes, and with one kind of quotes only.');
  }
}

export async function yesOrNo(ask: Ask, question: string, usual: boolean): Promise<boolean> {
  for (;;) {
    const typed = (await ask.line(`${question} [${usual ? 'Y/n' : 'y/N'}] `)).toLowerCase();
    if (typed === '') return usual;
    if (['y', 'yes'].includes(typed)) return true;
    if (['n', 'no'].includes(typed)) return false;
  }
}

function chatIdFrom(text: string): string {
  const parsed = understand('TELEGRAM_CHAT_ID', text);
  if ('problem' in parsed) throw new Refused(`--chat-id: ${parsed.problem}`, 3);
  if (parsed.value === '') throw new Refused('--chat-id is empty: expected a number or @channel', 3);
  return String(parsed.value);
}

/** `-`: what is piped in, so that the token need not lie in a file. */
function readTokenFile(path: string, io: Io): string {
  if (path === '') throw new Refused('--token-file is empty: expected a file, or - for what is piped in', 3);
  let text: string;
  try {
    if (path === '-' && process.stdin.isTTY) throw new Error('reads a pipe, and this is a terminal');
    if (path === '-') text = tokenIn(readPipedText(4096));
    else {
      const file = readTextFile(resolve(path), 4096);
      text = tokenIn(file.text);
      if ((file.mode & 0o077) !== 0)
        io.err(`vpsmon: others on this machine can read ${path}: remove it afterwards, or chmod 600 it.`);
    }
  } catch (error) {
    const why = errorText(error);
    const more = why.endsWith('not a regular file') ? ': `--token-file -` reads what is piped in' : '';
    throw new Refused(`--token-file: ${path} ${why}${more}`, 3);
  }
  const parsed = understand('TELEGRAM_BOT_TOKEN', text);
  if ('problem' in parsed) throw new Refused(`--token-file: ${path}: ${parsed.problem}`, 3);
  if (text === '') throw new Refused(`--token-file: ${path} is empty: expected the token alone in it`, 3);
  return text;
}

/** A terminal says so itself when it shows another character set, or no pictures. */
export function drawsBlocks(env: NodeJS.ProcessEnv): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return env.TERM !== 'dumb' && (!locale.includes('.') || /utf-?8/i.test(locale));
}
