import { serverName } from '../config/server-name.ts';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { understand } from '../config/layers.ts';
import { withSettings } from '../config/write-conf.ts';
import { readUnits } from '../install/gather.ts';
import { LAYOUT, STARTED_UNITS } from '../install/layout.ts';
import { errorText, plain } from '../model/text.ts';
import { SEVERITIES } from '../model/finding.ts';
import { adviceFor } from '../notify/advice.ts';
import { awaitStart } from '../notify/await-start.ts';
import { asOnlyReader } from '../notify/poll.ts';
import { placeOf } from '../notify/targets.ts';
import { createTelegram, type Telegram } from '../notify/telegram.ts';
import { tryTelegram } from '../notify/try-out.ts';
import { setUpHtml } from '../outputs/telegram/monitor.ts';
import { openMachine } from '../system/machine.ts';
import { readPipedText, readTextFile } from '../system/read-file.ts';
import { writeAtomically } from '../system/write-file.ts';
import type { CommandContext, GlobalOptions, Io } from './context.ts';
import { doctor } from './doctor.ts';
import { inContext } from './in-context.ts';
import { makeContext } from './make-context.ts';
import { Interrupted, terminalAsk, type Ask } from './prompt.ts';

export type SetupOptions = { tokenFile?: string; chatId?: string };
/** What it works with; tests hand in their own. `ask`: undefined where nobody can answer. */
export type SetupPlace = {
  target: string;
  /** The settings file that the units read. */
  installed: string;
  ask: Ask | undefined;
  /** True where systemd runs and this is root. */
  systemd: boolean;
  /** True where the terminal can show the blocks of a QR code. */
  drawsBlocks: boolean;
  waitMs: number;
  /** Installs the units with the settings that were written; its exit code. */
  install(): Promise<number>;
  /** Shows how the set-up is now. */
  finish(): Promise<void>;
};

const WAIT_MS = 600_000;
const NOTHING_CHANGED = 'Nothing was changed.';

/** A problem that ends the set-up: one sentence, and what to do. */
class Refused extends Error {
  readonly code: 2 | 3;
  constructor(message: string, code: 2 | 3) {
    super(message);
    this.code = code;
  }
}

/** The file that `setup` writes: the one that is named, else the installed one for root, else the one in this folder. */
export function setupTarget(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  cwd: string,
  root: boolean,
): string {
  const named = options.config ?? (env.VPSMON_CONFIG || undefined);
  if (named !== undefined) return resolve(cwd, named);
  return root ? LAYOUT.config : resolve(cwd, 'monitor.conf');
}

/**
 * `vpsmon setup`: from a bot's token to the first message. Nothing is written before the last answer, so that Ctrl-C leaves
 * what was before. Exit 0 when it is set up, 2 when Telegram or a unit refuses, 3 when something that is needed is missing.
 */
export async function setup(
  context: CommandContext,
  given: SetupOptions,
  place: SetupPlace,
): Promise<number> {
  const { io } = context;
  try {
    const values = await gatherValues(context, given, place);
    const changed = writeValues(place.target, values);
    io.out(changed ? `Written: ${place.target} (mode 0600).` : `${place.target} is as it should be.`);
    await startUnits(context, place);
    await place.finish();
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      io.err(NOTHING_CHANGED);
      return 3;
    }
    if (!(error instanceof Refused)) throw error;
    io.err(`vpsmon: ${error.message}`);
    return error.code;
  }
}

/** The command: settings from the file that it is going to write, and `doctor` at the end. */
export async function runSetup(options: GlobalOptions, given: SetupOptions, io: Io): Promise<number> {
  const root = process.getuid?.() === 0;
  const target = setupTarget(options, process.env, process.cwd(), root);
  // A file that is not there yet is written at the end; until then the defaults hold.
  const config = openMachine('/').exists(target) ? target : '/dev/null';
  const asks =
    process.stdin.isTTY === true &&
    process.stdout.isTTY === true &&
    !(given.tokenFile !== undefined && given.chatId !== undefined);
  return inContext({ ...options, config }, io, (context) =>
    setup(context, given, {
      target,
      installed: LAYOUT.config,
      ask: asks ? terminalAsk : undefined,
      systemd: root && openMachine('/').exists('/run/systemd/system'),
      drawsBlocks: drawsBlocks(process.env),
      waitMs: WAIT_MS,
      async install() {
        const after = await makeContext({ ...options, config: target }, io);
        return 'problems' in after ? 3 : (await import('./install.ts')).install(after);
      },
      async finish() {
        const after = await makeContext({ ...options, config: target }, io);
        await doctor('problems' in after ? { io, options, problems: after.problems } : after);
      },
    }),
  );
}

async function gatherValues(
  context: CommandContext,
  given: SetupOptions,
  place: SetupPlace,
): Promise<Record<string, string>> {
  const { io, config } = context;
  const { ask } = place;
  const fileToken = given.tokenFile === undefined ? undefined : readTokenFile(given.tokenFile, io);
  const { token, telegram, username } = await findToken(context, fileToken, ask);
  const { chat, userId } = await findChat(context, { ...given, username }, telegram, place);

  const values: Record<string, string> = {};
  if (token !== config.settings.TELEGRAM_BOT_TOKEN || config.origins.TELEGRAM_BOT_TOKEN.from !== 'file') {
    values.TELEGRAM_BOT_TOKEN = token;
    // Two places for the token would be one too many.
    if (config.settings.TELEGRAM_BOT_TOKEN_FILE !== '') values.TELEGRAM_BOT_TOKEN_FILE = '';
  }
  if (chat !== config.settings.TELEGRAM_CHAT_ID || config.origins.TELEGRAM_CHAT_ID.from !== 'file')
    values.TELEGRAM_CHAT_ID = chat;
  // Who pairs the bot may use its commands and buttons, in a group as well.
  if (userId !== undefined)
    values.TELEGRAM_ALLOWED_USERS = [...new Set([...config.settings.TELEGRAM_ALLOWED_USERS, userId])].join(
      ',',
    );
  const server = await findName(context, ask);
  if (server !== undefined && server !== config.settings.SERVER_NAME) values.SERVER_NAME = server;

  const html = setUpHtml(server ?? serverName(context.config, context.system.files));
  const tried = await tryTelegram(
    telegramFor(context, token, chat),
    { token, destinations: [{ target: chat, severities: SEVERITIES }] },
    html,
  );
  if (!tried.ok) throw new Refused(`${tried.problem ?? ''}\n${tried.advice ?? ''}\n${NOTHING_CHANGED}`, 2);
  io.out(`The test message was sent to ${tried.chat?.title ?? chat}.`);

  if (ask) {
    const on = config.settings.ENABLE_AUTO_RECOVERY;
    io.out(
      'Recovery repairs what can be repaired safely. In shadow mode it only says what it would have done.',
    );
    const act = await yesOrNo(ask, 'Let recovery act?', on);
    // The answer is written where the file has none, though it be the default.
    if (act !== on || config.origins.ENABLE_AUTO_RECOVERY.from !== 'file')
      values.ENABLE_AUTO_RECOVERY = String(act);
    const acts = config.settings.TELEGRAM_ACTIONS;
    io.out(
      'Buttons in Telegram can read, silence and acknowledge. They can also stop and restart containers.',
    );
    const wanted = await yesOrNo(ask, 'Let them do that, too?', acts);
    if (wanted !== acts) values.TELEGRAM_ACTIONS = String(wanted);
  }
  return values;
}

async function findToken(
  context: CommandContext,
  fileToken: string | undefined,
  ask: Ask | undefined,
): Promise<{ token: string; telegram: Telegram; username: string }> {
  const { io, config } = context;
  const known = config.settings.TELEGRAM_BOT_TOKEN;
  let token = fileToken ?? known;
  if (token === '' && !ask)
    throw new Refused(
      'the token of the bot is not known. Give it with --token-file FILE (and the chat with --chat-id ID), or run `vpsmon setup` in a terminal.',
      3,
    );
  if (ask && fileToken === undefined) {
    if (known === '')
      io.out(
        'vpsmon writes to you through a bot of your own. To get one, write /newbot to\n@BotFather in Telegram and answer its two questions; it gives you a token like\n123456789:AAE...',
      );
    else io.out(`A bot is set (number ${plain(known.split(':')[0] ?? '', 20)}). Enter keeps it.`);
  }
  for (;;) {
    if (ask && fileToken === undefined) {
      const typed = await ask.secret('Token of the bot (not shown): ');
      token = typed === '' ? known : typed;
      const parsed = understand('TELEGRAM_BOT_TOKEN', token);
      if (token === '' || 'problem' in parsed) {
        io.out('That is no token: it has digits, a colon and some 35 letters and digits.');
        continue;
      }
    }
    const telegram = telegramFor(context, token, '');
    const me = await telegram.getMe();
    if (me.kind === 'ok') {
      const { username } = (me.result ?? {}) as { username?: unknown };
      // It goes into a link: only what Telegram allows in a name.
      if (typeof username === 'string' && /^\w{3,64}$/.test(username)) {
        io.out(`The bot is @${username}.`);
        return { token, telegram, username };
      }
    }
    const why =
      me.kind === 'ok'
        ? 'the answer has no name of a bot'
        : me.kind === 'broken'
          ? me.why
          : `${me.code} ${me.description}`;
    if (!ask || fileToken !== undefined)
      throw new Refused(`Telegram: ${why}\n${adviceFor(why)}\n${NOTHING_CHANGED}`, 2);
    io.out(`Telegram: ${why}\n${adviceFor(why)}`);
  }
}

async function findChat(
  context: CommandContext,
  given: SetupOptions & { username: string },
  telegram: Telegram,
  place: SetupPlace,
): Promise<{ chat: string; userId?: string }> {
  const { io, config, system } = context;
  const { username } = given;
  const { ask } = place;
  if (given.chatId !== undefined) return { chat: chatIdFrom(given.chatId) };
  const known = config.settings.TELEGRAM_CHAT_ID;
  if (!ask) {
    if (known !== '') return { chat: known };
    throw new Refused(
      'the chat is not known. Give it with --chat-id ID; `vpsmon telegram chats` lists the chats that wrote to the bot.',
      3,
    );
  }
  if (known !== '' && (await yesOrNo(ask, `Messages go to the chat ${known}. Keep it?`, true)))
    return { chat: known };

  const code = randomBytes(9).toString('base64url');
  const link = `https://t.me/${username}?start=${code}`;
  const { qrCode } = await import('../outputs/terminal/qr.ts');
  const picture = place.drawsBlocks ? qrCode(link, io) : undefined;
  io.out(
    [
      ...(picture === undefined
        ? ['Open this link in Telegram, on your phone or here, and press Start:']
        : ['Scan this with your phone, or open the link in Telegram, and press Start:', picture]),
      // No more lines than these: with the code of the longest name they fill a terminal of 24.
      link,
      `For a group: https://t.me/${username}?startgroup=${code}`,
      'Waiting for Start, 10 minutes at most; Ctrl-C ends it and changes nothing.',
    ].join('\n'),
  );
  const { clock } = system;
  const result = await asOnlyReader(config.stateDir, () =>
    awaitStart(telegram, code, {
      untilMs: clock.monotonic() + place.waitMs,
      monotonic: () => clock.monotonic(),
      sleep: (ms) => clock.sleep(ms),
    }),
  );
  if ('starter' in result) {
    const { chatId, chatTitle, userId, userName } = result.starter;
    const who = userId === undefined ? 'an anonymous administrator' : `${userName} (user ${userId})`;
    io.out(`Start was pressed by ${who} in the chat ${chatTitle} (${chatId}).`);
    if (userId === undefined)
      io.out(
        'Commands and buttons need a name: put your own id into TELEGRAM_ALLOWED_USERS (@userinfobot shows it), and write as yourself.',
      );
    return { chat: chatId, ...(userId === undefined ? {} : { userId }) };
  }
  if ('late' in result)
    throw new Refused(`nobody pressed Start in time. Run \`vpsmon setup\` again. ${NOTHING_CHANGED}`, 2);
  if (!result.conflict)
    throw new Refused(`Telegram: ${result.problem}\n${adviceFor(result.problem)}\n${NOTHING_CHANGED}`, 2);
  io.out(
    `Telegram: ${result.problem}\n${adviceFor(result.problem)}\n` +
      'Messages can be sent all the same. The id of your chat is what @userinfobot answers when you write to it; write to your own bot once, too.',
  );
  for (;;) {
    const typed = await ask.line('Id of the chat: ');
    const parsed = understand('TELEGRAM_CHAT_ID', typed);
    if (typed !== '' && 'value' in parsed) return { chat: String(parsed.value) };
    io.out('problem' in parsed ? `That is no chat: ${parsed.problem}` : 'That is no chat.');
  }
}

/** undefined: the name of the machine, as without the setting. */
async function findName(context: CommandContext, ask: Ask | undefined): Promise<string | undefined> {
  if (!ask) return undefined;
  const { SERVER_NAME: known } = context.config.settings;
  const usual = serverName(context.config, context.system.files);
  for (;;) {
    const typed = await ask.line(`Name of this server in messages [${plain(usual, 60)}]: `);
    if (typed === '') return known === '' ? undefined : known;
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    if (typed.length <= 60 && !/['"\\\u0000-\u001f\u007f]/.test(typed)) return typed;
    context.io.out('At most 60 characters, without quotes and backslashes.');
  }
}

async function yesOrNo(ask: Ask, question: string, usual: boolean): Promise<boolean> {
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
  let text: string;
  try {
    if (path === '-' && process.stdin.isTTY) throw new Error('reads a pipe, and this is a terminal');
    if (path === '-') text = readPipedText(4096).trim();
    else {
      const file = readTextFile(resolve(path), 4096);
      text = file.text.trim();
      if ((file.mode & 0o077) !== 0)
        io.err(`vpsmon: others on this machine can read ${path}: remove it afterwards, or chmod 600 it.`);
    }
  } catch (error) {
    throw new Refused(`--token-file: ${path} ${errorText(error)}`, 3);
  }
  const parsed = understand('TELEGRAM_BOT_TOKEN', text);
  if ('problem' in parsed) throw new Refused(`--token-file: ${path}: ${parsed.problem}`, 3);
  if (text === '') throw new Refused(`--token-file: ${path} is empty: expected the token alone in it`, 3);
  return text;
}

function telegramFor({ config, system }: CommandContext, token: string, chatId: string): Telegram {
  return createTelegram({
    http: system.http,
    token,
    apiRoot: config.settings.TELEGRAM_API_ROOT,
    chatId: () => placeOf(chatId.split(',')[0] ?? '').chat,
  });
}

/** True when the file changed. A file that others can read gets 0600, too. */
function writeValues(target: string, values: Record<string, string>): boolean {
  try {
    const before = openMachine('/').exists(target) ? readTextFile(target) : undefined;
    const after = withSettings(before?.text ?? '', values);
    if (before?.text === after && before.mode === 0o600) return false;
    writeAtomically(target, after, 0o600);
    return true;
  } catch (error) {
    throw new Refused(
      `${target} cannot be written: ${errorText(error)}. Use sudo, or name another file with --config.`,
      2,
    );
  }
}

/** A terminal says so itself when it shows another character set, or no pictures. */
export function drawsBlocks(env: NodeJS.ProcessEnv): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return env.TERM !== 'dumb' && (!locale.includes('.') || /utf-?8/i.test(locale));
}

/** Installs the units where there are none, starts those that are there, or has the running monitor read its settings anew. */
async function startUnits({ io, run }: CommandContext, place: SetupPlace): Promise<void> {
  if (!place.systemd || place.target !== place.installed) {
    io.out(
      `Next: \`vpsmon monitor --config ${place.target}\` watches; \`sudo vpsmon install\` makes a service of it.`,
    );
    return;
  }
  const units = await readUnits(run, 0);
  const monitor = units.find((unit) => unit.name === 'vps-monitor.service');
  if (monitor?.load !== 'loaded') {
    io.out('Installing the services:');
    const code = await place.install();
    if (code !== 0) throw new Refused('the settings are written, the services are not installed.', 2);
    return;
  }
  const command =
    monitor.active === 'active'
      ? ['reload-or-restart', 'vps-monitor.service']
      : ['enable', '--now', ...STARTED_UNITS];
  const result = await run('systemctl', command, { timeoutMs: 240_000, env: { LC_ALL: 'C' } });
  if (result.exitCode !== 0)
    throw new Refused(
      `systemctl ${command.join(' ')} ended with ${result.exitCode}: ${plain((result.stderr || result.stdout).trim(), 500)}\n` +
        'The settings are written. journalctl -u vps-monitor.service -n 30 shows more.',
      2,
    );
  io.out(monitor.active === 'active' ? 'The monitor reads the new settings.' : 'The units were started.');
}
