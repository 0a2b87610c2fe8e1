import { dirname, resolve } from 'node:path';
import type { Key } from '../config/schema.ts';
import { serverName } from '../config/server-name.ts';
import { withSettings } from '../config/write-conf.ts';
import { keptFromEnvironment } from '../daemon/reload.ts';
import { readUnits } from '../install/gather.ts';
import { LAYOUT, STARTED_UNITS } from '../install/layout.ts';
import { SEVERITIES } from '../model/finding.ts';
import { errorText, plain } from '../model/text.ts';
import { tryTelegram } from '../notify/try-out.ts';
import { setUpHtml } from '../outputs/telegram/monitor.ts';
import { ensureFolder, isThere } from '../system/folders.ts';
import { readTextFile } from '../system/read-file.ts';
import { replaceText, whyNotReplaceable } from '../system/write-file.ts';
import type { CommandContext, GlobalOptions, Io } from './context.ts';
import { runDoctor } from './doctor.ts';
import { inContext } from './in-context.ts';
import { print } from './io.ts';
import { Interrupted, terminalAsk, type Ask } from './prompt.ts';
import {
  drawsBlocks,
  findChat,
  findName,
  findToken,
  NOTHING_CHANGED,
  Refused,
  telegramFor,
  yesOrNo,
  type SetupOptions,
  type SetupPlace,
} from './setup-questions.ts';

const WAIT_MS = 600_000;
/** Setup asks for these: what is wrong with them in the file is replaced, not complained about. */
const ASKED: readonly Key[] = ['TELEGRAM_BOT_TOKEN', 'TELEGRAM_BOT_TOKEN_FILE', 'TELEGRAM_CHAT_ID'];

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

/** The command: settings from the file that it is going to write, and `doctor` at the end. */
export async function runSetup(options: GlobalOptions, given: SetupOptions, io: Io): Promise<number> {
  const root = process.getuid?.() === 0;
  const target = setupTarget(options, process.env, process.cwd(), root);
  // A file that is not there yet is written at the end; until then the defaults hold.
  const config = isThere(target) ? target : '/dev/null';
  const asks =
    process.stdin.isTTY === true &&
    process.stdout.isTTY === true &&
    !(given.tokenFile !== undefined && given.chatId !== undefined);
  const stopped = new AbortController();
  process.once('SIGINT', () => stopped.abort());
  const place: SetupPlace = {
    target,
    installed: LAYOUT.config,
    ask: asks ? terminalAsk : undefined,
    stopped: stopped.signal,
    systemd: isThere('/run/systemd/system'),
    drawsBlocks: drawsBlocks(process.env),
    waitMs: WAIT_MS,
    install: async () =>
      inContext({ ...options, config: target }, io, (await import('./install.ts')).install),
    finish: async () => void (await runDoctor({ ...options, config: target }, io)),
  };
  const context = { replaceable: ASKED, quiet: true };
  return inContext({ ...options, config }, io, (opened) => setup(opened, given, place), context);
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
  const { io, options } = context;
  try {
    // The folder of the installed file is made with it, as before `install` there is none.
    const isMade = place.target === place.installed && !isThere(dirname(place.target));
    const refused = whyNotReplaceable(isMade ? dirname(place.target) : place.target);
    if (refused !== undefined)
      throw new Refused(
        `${place.target} cannot be written: ${refused}. ${context.system.root ? 'Name' : 'Use sudo, or name'} another file with --config.`,
        2,
      );
    const values = await Promise.race([gatherValues(context, given, place), interruption(place.stopped)]);
    if (options.dryRun) {
      showValues(io, place.target, values);
      return 0;
    }
    writeValues(io, place.target, values);
    const hidden = keptFromEnvironment(context.config).filter((key) => key in values);
    if (hidden.length > 0)
      io.err(
        `vpsmon: ${hidden.join(' and ')} also stand${hidden.length > 1 ? '' : 's'} in the environment of this shell, which wins over the file: unset ${hidden.join(' ')}`,
      );
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

function interruption(stopped: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    stopped.addEventListener('abort', () => reject(new Interrupted('interrupted')), { once: true });
  });
}

/** Asks, tries and sends; what is to be written, without what stands in the file already. */
async function gatherValues(
  context: CommandContext,
  given: SetupOptions,
  place: SetupPlace,
): Promise<Record<string, string>> {
  const { io, config, options } = context;
  const { settings, origins } = config;
  const { ask } = place;
  const { token, telegram, username } = await findToken(context, given, place);
  const found = await findChat(context, { ...given, username }, telegram, place);
  const server = await findName(context, ask);

  const html = setUpHtml(server ?? serverName(config, context.system.files));
  const destinations = found.chat.split(',').map((target) => ({ target, severities: SEVERITIES }));
  const tried = await tryTelegram(
    telegramFor(context, token, place.stopped),
    { token, destinations },
    options.dryRun ? undefined : html,
  );
  if (!tried.ok) throw new Refused(`${tried.problem ?? ''}\n${tried.advice ?? ''}\n${NOTHING_CHANGED}`, 2);
  // A group that has become a supergroup has another id.
  const chat = tried.chats
    .map((one) => (one.movedFrom && one.chat ? one.target.replace(one.movedFrom, one.chat.id) : one.target))
    .join(',');
  const titles = tried.chats.map((one) => one.chat?.title ?? one.target).join(', ');
  print(
    io,
    options.dryRun ? `A message would be sent to ${titles}.` : `The test message was sent to ${titles}.`,
  );

  const values: Record<string, string> = {};
  if (token !== settings.TELEGRAM_BOT_TOKEN || origins.TELEGRAM_BOT_TOKEN.from !== 'file') {
    values.TELEGRAM_BOT_TOKEN = token;
    // Two places for the token would be one too many.
    if (settings.TELEGRAM_BOT_TOKEN_FILE !== '') values.TELEGRAM_BOT_TOKEN_FILE = '';
  }
  if (chat !== settings.TELEGRAM_CHAT_ID || origins.TELEGRAM_CHAT_ID.from !== 'file')
    values.TELEGRAM_CHAT_ID = chat;
  // Who pairs the bot may use its commands and buttons, in a group as well.
  if (found.userId !== undefined)
    values.TELEGRAM_ALLOWED_USERS = [...new Set([...settings.TELEGRAM_ALLOWED_USERS, found.userId])].join(
      ',',
    );
  if (server !== undefined && server !== settings.SERVER_NAME) values.SERVER_NAME = server;
  if (ask) Object.assign(values, await askForRights(context, ask));
  return values;
}

/** What recovery and the buttons may do. */
async function askForRights({ io, config }: CommandContext, ask: Ask): Promise<Record<string, string>> {
  const { ENABLE_AUTO_RECOVERY: on, TELEGRAM_ACTIONS: acts } = config.settings;
  const values: Record<string, string> = {};
  print(
    io,
    'Recovery repairs what can be repaired safely. In shadow mode it only says what it would have done.',
  );
  const act = await yesOrNo(ask, 'Let recovery act?', on);
  // The answer is written where the file has none, though it be the default.
  if (act !== on || config.origins.ENABLE_AUTO_RECOVERY.from !== 'file')
    values.ENABLE_AUTO_RECOVERY = String(act);
  print(
    io,
    'Buttons in Telegram can read, silence and acknowledge. They can also stop and restart containers.',
  );
  const wanted = await yesOrNo(ask, 'Let them do that, too?', acts);
  if (wanted !== acts) values.TELEGRAM_ACTIONS = String(wanted);
  return values;
}

function showValues(io: Io, target: string, values: Record<string, string>): void {
  const lines = Object.entries(values).map(
    ([key, value]) => `  ${key}=${key === 'TELEGRAM_BOT_TOKEN' ? '(the token)' : value}`,
  );
  if (lines.length === 0) print(io, `Dry run: ${target} is as it should be.`);
  else print(io, [`Dry run: these would be written to ${target}:`, ...lines].join('\n'));
}

/** A file that others can read gets 0600, too. */
function writeValues(io: Io, target: string, values: Record<string, string>): void {
  try {
    const before = isThere(target) ? readTextFile(target) : undefined;
    const after = withSettings(before?.text ?? '', values);
    if (before?.text === after && before.mode === 0o600) {
      print(io, `${target} is as it should be.`);
      return;
    }
    ensureFolder(dirname(target), 0o755);
    replaceText(target, after, 0o600);
    print(io, `Written: ${target} (mode 0600).`);
  } catch (error) {
    throw new Refused(`${target} cannot be written: ${errorText(error)}`, 2);
  }
}

/** Installs the units where there are none, starts those that are there, or has the running monitor read its settings anew. */
async function startUnits({ io, run, system }: CommandContext, place: SetupPlace): Promise<void> {
  if (!place.systemd || !system.root || place.target !== place.installed) {
    const service = place.systemd ? '; `sudo vpsmon install` makes a service of it' : '';
    print(io, `Next: \`vpsmon monitor --config ${place.target}\` watches${service}.`);
    return;
  }
  const units = await readUnits(run, 0);
  const monitor = units.find((unit) => unit.name === 'vps-monitor.service');
  if (monitor?.load !== 'loaded') {
    print(io, 'Installing the services:');
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
  print(io, monitor.active === 'active' ? 'The monitor reads the new settings.' : 'The units were started.');
}
