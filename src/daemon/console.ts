import { join } from 'node:path';
import type { CommandContext } from '../commands/context.ts';
import { serverName } from '../config/server-name.ts';
import { addSilence, endSilence, listSilences } from '../incidents/silences.ts';
import { DURATION_EXAMPLES, parseDuration } from '../model/duration.ts';
import { errorText, formatTime, maskSecrets, plain, safeHtml } from '../model/text.ts';
import { configuredChat } from '../notify/chat.ts';
import { splitHtml } from '../notify/html.ts';
import type { Incoming, UpdateChat, Written } from '../notify/incoming.ts';
import { permit, type Right } from '../notify/permit.ts';
import { pollUpdates } from '../notify/poll.ts';
import { telegramFor } from '../notify/sender.ts';
import { rememberSeen } from '../notify/updates.ts';
import type { Place } from '../notify/targets.ts';
import type { SendOptions } from '../notify/telegram.ts';
import { containersHtml, incidentsHtml, printedHtml, statusHtml } from '../outputs/telegram-console.ts';
import { incidentsSince } from '../store/incidents.ts';
import { appendLine } from '../system/append-file.ts';
import { createButtons } from './console-buttons.ts';
import { alive, type Console } from './console-types.ts';
import type { House } from './types.ts';

export const COMMANDS = [
  { command: 'status', description: 'How the server is, at a glance' },
  { command: 'incidents', description: 'What happened in 24 hours' },
  { command: 'containers', description: 'Containers, those in trouble first' },
  { command: 'chart', description: 'Memory, swap and pressure as a picture: 24h, 7d' },
  { command: 'report', description: 'The daily report, now' },
  { command: 'forecast', description: 'What runs out, and when' },
  { command: 'silence', description: 'No messages: SUBJECT 2h; end SUBJECT; or the list' },
  { command: 'help', description: 'What this bot understands' },
] as const;

const DAY_MS = 86_400_000;
/** A command that waited longer than this is not answered any more: whoever wrote it has looked elsewhere. */
const STALE_MS = 600_000;
const CHILD_MS = 120_000;
const PARTS_MOST = 3;
/** Tries of strangers that are told to the owner, in all and in a day. */
const TOLD_MOST = 5;

/** Reads what people write to the bot, and answers, until the signal aborts. Never rejects. */
export async function runConsole(
  house: House,
  context: CommandContext,
  signal: AbortSignal,
  more: Partial<Pick<Console, 'runOwn'>> = {},
): Promise<void> {
  const { config, system, store } = house;
  const { clock, http, log } = system;
  const { db } = store;
  const { settings } = config;
  if (!settings.TELEGRAM_COMMANDS || settings.TELEGRAM_BOT_TOKEN === '' || settings.TELEGRAM_CHAT_ID === '')
    return;
  const telegram = telegramFor({ db, config, http, clock, log, signal: () => signal });
  const console = { ...openConsole(house, context, telegram), ...more };
  const buttons = createButtons(console);
  let username = '';

  async function handle(incoming: Incoming): Promise<void> {
    if (house.state.closed || signal.aborted) return;
    const chat = configuredChat(db, config, incoming.chat);
    if (incoming.kind === 'tap') return buttons.tapped(incoming, chat);
    if (!incoming.text.startsWith('/')) return;
    if (username === '') username = await alive(house, nameOfBot(telegram));
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
          house.outbox.enqueue({
            at: clock.now(),
            severity: 'info',
            kind: 'telegram-conflict',
            subject: 'vpsmon',
            html: `<b>Commands and buttons do not work</b>\nServer: ${safeHtml(console.hostname, 60)}\n${safeHtml(why, 500)}`,
          });
          house.delivery.kick();
          house.refreshMessages();
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

function openConsole(house: House, context: CommandContext, telegram: Console['telegram']): Console {
  const { config, system, store } = house;
  const { clock, log } = system;
  const told = new Map<string, number>();
  const mask = (text: string) => maskSecrets(text, context.secrets);
  return {
    house,
    context,
    hostname: serverName(config, system.files),
    telegram,
    now: () => clock.now(),
    mask,
    async reply(html, to) {
      for (const part of splitHtml(html).slice(0, PARTS_MOST)) {
        const sent = await alive(house, telegram.sendText(part, { ...to, silent: true }));
        if (sent.state === 'retry' && sent.afterMs !== undefined && sent.afterMs <= 30_000) {
          await alive(house, clock.sleep(sent.afterMs));
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
      return alive(house, runOwnCommand([...args, ...own], CHILD_MS));
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
          house.outbox.enqueue({
            at: now,
            severity: 'warning',
            kind: 'telegram-refused',
            subject: 'vpsmon',
            html: `<b>Somebody was refused</b>\nServer: ${safeHtml(serverName(config, system.files), 60)}\n${safeHtml(who, 100)} in the ${safeHtml(where, 60)} tried: ${safeHtml(what, 80)}\n${safeHtml(why)}\nTo allow it: TELEGRAM_ALLOWED_USERS. Said once a day about each of them.`,
          });
        })();
        house.delivery.kick();
      } catch (error) {
        log.warn(`That somebody was refused cannot be kept for Telegram: ${errorText(error)}`);
      }
    },
  };
}

/** `/status`, `/status@bot`, `/status SERVER`, `/silence SERVER web 2h`. */
async function command(
  console: Console,
  incoming: Written,
  chat: string | undefined,
  username: string,
): Promise<void> {
  const [word = '', ...given] = incoming.text.trim().split(/\s+/);
  const [name = '', bot] = word.slice(1).toLowerCase().split('@');
  if (bot !== undefined && bot !== username) return;
  const known = COMMANDS.find((one) => one.command === name);
  const right: Right = name === 'silence' && given.length > 0 ? 'silence' : 'read';
  if (chat === undefined) return console.refused(incoming, `/${name}`, 'The chat is not configured.');
  const { house } = console;
  const allowed = permit(house.config, incoming.chat, incoming.from, right);
  // A group is full of commands for other bots.
  if (!known && name !== 'start') return;
  if (console.now() - incoming.at > STALE_MS && incoming.at > 0) return;
  const place: Place = { chat, ...(incoming.topic === undefined ? {} : { topic: incoming.topic }) };
  const to = { place, replyTo: incoming.messageId };
  if (!allowed.ok) {
    console.refused(incoming, `/${name}`, allowed.why);
    return;
  }
  const words = withoutName(given, console.hostname);
  if (namesAnother(name, words)) {
    // Several servers in one group: another one is meant.
    if (incoming.chat.type === 'private')
      await console.reply(`This server is called <b>${safeHtml(console.hostname, 60)}</b>. /help`, to);
    return;
  }
  await answer(console, name, words, incoming, to);
}

/** What follows the server's name, where that comes first; names are compared without case. */
function withoutName(given: readonly string[], hostname: string): string[] {
  const name = hostname.toLowerCase().split(/\s+/);
  const first = given.slice(0, name.length).map((word) => word.toLowerCase());
  return first.join(' ') === name.join(' ') ? given.slice(name.length) : [...given];
}

/** Words after a command that takes none are the name of another server. */
function namesAnother(name: string, words: readonly string[]): boolean {
  if (words.length === 0 || name === 'silence' || name === 'start') return false;
  return name !== 'chart' || parseDuration(words[0] ?? '') === undefined;
}

async function answer(
  console: Console,
  name: string,
  words: readonly string[],
  incoming: Written,
  to: SendOptions & { place: Place },
): Promise<void> {
  const { house, hostname, now } = console;
  const { db } = house.store;
  const containers = () => house.watcher.containers();
  switch (name) {
    case 'status':
      return console.reply(
        statusHtml({
          hostname,
          now: now(),
          snapshot: house.state.snapshot,
          containers: containers(),
          incidents: house.pipeline.open().filter((incident) => incident.state === 'firing'),
          waiting: house.delivery.state().waiting,
          silenced: listSilences(db, now()).map((one) => one.subject),
        }),
        to,
      );
    case 'incidents':
      return console.reply(incidentsHtml(hostname, incidentsSince(db, now() - DAY_MS), now()), to);
    case 'containers':
      return console.reply(containersHtml(hostname, withMemory(house)), to);
    case 'silence':
      return console.reply(silence(console, words, incoming), to);
    case 'chart':
      return child(console, ['report', 'telegram', '--chart', words[0] ?? '24h', ...toChat(to.place)], to);
    case 'report':
      return child(console, ['report', 'telegram', ...toChat(to.place)], to);
    case 'forecast':
      return printed(console, ['forecast'], 'Forecast', to);
    default:
      return console.reply(help(console, incoming.chat), to);
  }
}

/** The containers as the event stream shows them, with the memory of the last check. */
function withMemory(house: House) {
  const docker = house.state.snapshot?.readings.docker;
  const known = docker?.state === 'ok' ? docker.value.containers : [];
  if (!house.watcher.connected()) return known;
  const memory = new Map(known.map((container) => [container.id, container.memory]));
  return house.watcher.containers().map((container) => {
    const used = memory.get(container.id);
    return used ? { ...container, memory: used } : container;
  });
}

function toChat({ chat, topic }: Place): string[] {
  return ['--to', topic === undefined ? chat : `${chat}/${topic}`];
}

/** A command that puts its own answer into the outbox; what went wrong is the answer otherwise. */
async function child(console: Console, args: string[], to: SendOptions & { place: Place }): Promise<void> {
  const result = await console.runOwn(args);
  console.house.delivery.kick();
  if (result.exitCode === 0) return;
  const why = console.mask(result.stderr.trim()).split('\n').slice(-3);
  await console.reply(printedHtml(`${console.hostname}: that did not work`, why), to);
}

async function printed(
  console: Console,
  args: string[],
  title: string,
  to: SendOptions & { place: Place },
): Promise<void> {
  const { exitCode, stdout, stderr } = await console.runOwn(args);
  const lines = console
    .mask(exitCode === 3 ? stderr : stdout)
    .trim()
    .split('\n')
    .slice(0, 80);
  await console.reply(printedHtml(`${console.hostname}: ${title}`, lines), to);
}

/** `/silence`, `/silence web 2h`, `/silence all 30m`, `/silence end web`. */
function silence(console: Console, words: readonly string[], incoming: Written): string {
  const { house, now } = console;
  const { db } = house.store;
  if (words.length === 0) {
    const lines = listSilences(db, now()).map(
      ({ subject, until, reason }) =>
        `${safeHtml(subject, 60)} until ${formatTime(until)}${reason ? ` (${safeHtml(reason, 100)})` : ''}`,
    );
    return lines.length === 0 ? 'Nothing is silenced. /silence web 2h' : lines.join('\n');
  }
  const by = incoming.from?.name ?? 'somebody';
  if (words[0]?.toLowerCase() === 'end') {
    const subject = plain(words.slice(1).join(' '), 100);
    if (!endSilence(db, subject)) return `${safeHtml(subject, 60)} is not silenced.`;
    console.record(`${by} ended the silence of ${subject}`);
    return `Messages about ${safeHtml(subject, 60)} come again.`;
  }
  const ms = parseDuration(words.at(-1) ?? '');
  const subject = plain(words.slice(0, -1).join(' '), 100);
  if (ms === undefined || subject === '')
    return `Like /silence web 2h or /silence all 30m; durations are like ${safeHtml(DURATION_EXAMPLES)}.`;
  const until = now() + ms;
  addSilence(db, { subject, until, reason: `by ${by} on Telegram` }, now());
  console.record(`${by} silenced ${subject} until ${formatTime(until)}`);
  return `No messages about ${safeHtml(subject, 60)} until ${formatTime(until)}. Incidents are still recorded. /silence end ${safeHtml(subject, 60)}`;
}

function help({ hostname, house }: Console, chat: UpdateChat): string {
  const lines = COMMANDS.map(({ command: name, description }) => `/${name} - ${safeHtml(description)}`);
  const several = chat.type === 'private' ? [] : [`Only this server: /status ${safeHtml(hostname, 60)}`];
  const actions = house.config.settings.TELEGRAM_ACTIONS
    ? 'Buttons under an incident stop, restart and undo; they ask first.'
    : 'Buttons under an incident read, silence and acknowledge. Stopping and restarting is switched off (TELEGRAM_ACTIONS).';
  return [`<b>${safeHtml(hostname, 60)}</b>`, ...lines, ...several, actions].join('\n');
}
