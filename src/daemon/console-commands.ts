import {
  addSilence,
  covering,
  endSilence,
  listSilences,
  MOST_LETTERS,
  silencedUntil,
  withWindows,
} from '../incidents/silences.ts';
import { servicesIn, servicesOf, subjectsIn, unknownSubject } from '../commands/known-subjects.ts';
import { parseDuration } from '../model/duration.ts';
import type { Incident } from '../model/incident.ts';
import { errorText, formatTime, plain } from '../model/text.ts';
import type { Written } from '../notify/updates.ts';
import { permit, type Right } from '../notify/permit.ts';
import type { Place } from '../notify/targets.ts';
import type { SendOptions } from '../notify/telegram.ts';
import {
  COMMANDS,
  answerOf,
  containersHtml,
  failedHtml,
  helpHtml,
  incidentsHtml,
  notThisServerHtml,
  silencedHtml,
  silenceEndedHtml,
  silenceHelpHtml,
  silencesHtml,
  statusHtml,
} from '../outputs/telegram/console.ts';
import { incidentsSince } from '../store/incidents.ts';
import { askFor, chart, forecast, report } from './console-asked.ts';
import { NOT_CONFIGURED, type Console } from './console-types.ts';
import { freshContainers } from './cycle.ts';

const DAY_MS = 86_400_000;
/** A command that waited longer than this is not answered any more: whoever wrote it has looked elsewhere. */
const STALE_MS = 600_000;

/** `/status`, `/status@bot`, `/status SERVER`, `/silence SERVER web 2h`. */
export async function command(
  console: Console,
  incoming: Written,
  chat: string | undefined,
  username: string,
): Promise<void> {
  const [word = '', ...given] = incoming.text.trim().split(/\s+/);
  const [name = '', bot] = word.slice(1).toLowerCase().split('@');
  // Where the bot's own name could not be asked for, only in a group may another one be meant.
  const forOther = username === '' ? incoming.chat.type !== 'private' : bot !== username;
  if (bot !== undefined && forOther) return;
  const known = COMMANDS.find((one) => one.command === name);
  const right: Right = name === 'silence' && given.length > 0 ? 'silence' : 'read';
  if (chat === undefined) return console.refused(incoming, `/${name}`, NOT_CONFIGURED);
  const { monitor } = console;
  const allowed = permit(monitor.config, incoming.chat, incoming.from, right);
  // A group is full of commands for other bots.
  if (!known && name !== 'start') return;
  if (console.now() - incoming.at > STALE_MS && incoming.at > 0) return;
  const place: Place = { chat, ...(incoming.topic === undefined ? {} : { topic: incoming.topic }) };
  const to = { place, replyTo: incoming.messageId };
  if (!allowed.ok) {
    console.refused(incoming, `/${name}`, allowed.why);
    return;
  }
  const words = withoutName(name, given, console.hostname);
  if (namesAnother(name, words)) {
    // Several servers in one group: another one is meant, and answers. Where nobody else can be meant it is a slip.
    if (incoming.chat.type === 'private' || bot !== undefined)
      await console.reply(notThisServerHtml(name, words, console.hostname), to);
    return;
  }
  try {
    await answer(console, name, words, incoming, to);
  } catch (error) {
    if (monitor.state.closed) throw error;
    await console.reply(answerOf(console.hostname, failedHtml(console.mask(errorText(error)))), to);
    throw error;
  }
}

/** What follows the server's name, where that comes first; names are compared without case, as people write them on a phone. */
function withoutName(command: string, given: readonly string[], hostname: string): string[] {
  const name = comparable(hostname).split(/\s+/);
  const rest = given.slice(name.length);
  if (comparable(given.slice(0, name.length).join(' ')) !== name.join(' ')) return [...given];
  // A container may be called like its server: `/silence web 2h` is about the container.
  const alone = command === 'silence' && rest.length === 1 && parseDuration(rest[0] ?? '') !== undefined;
  return alone ? [...given] : rest;
}

function comparable(name: string): string {
  return name.normalize('NFC').toLowerCase().trim();
}

/** Words after a command that takes none, or fewer, are the name of another server. */
function namesAnother(name: string, words: readonly string[]): boolean {
  if (words.length === 0 || name === 'start') return false;
  if (name === 'silence') return isForAnother(words);
  return name !== 'chart' || words.length > 1 || parseDuration(words[0] ?? '') === undefined;
}

/** `/silence other web 2h`, `/silence other end web`, `/silence other`. */
function isForAnother(words: readonly string[]): boolean {
  const [first = '', second] = words;
  if (first.toLowerCase() === 'end') return words.length > 2;
  return second?.toLowerCase() === 'end' || words.length > 2;
}

async function answer(
  console: Console,
  name: string,
  words: readonly string[],
  incoming: Written,
  to: SendOptions & { place: Place },
): Promise<void> {
  const { monitor, hostname, now } = console;
  const { db } = monitor.store;
  const { updateId: id } = incoming;
  const isUnseen = (incident: Incident): boolean => monitor.pipeline.isUnseen(incident.id);
  switch (name) {
    case 'status':
      return console.reply(
        statusHtml({
          hostname,
          now: now(),
          snapshot: monitor.state.snapshot,
          containers: monitor.watcher.connected() ? monitor.watcher.containers() : [],
          incidents: monitor.pipeline.open().filter((incident) => incident.state === 'firing'),
          isUnseen,
          waiting: monitor.delivery.state().waiting,
          silenced: silencesOf(console).map((one) => one.subject),
        }),
        to,
      );
    case 'incidents':
      return console.reply(incidentsHtml(hostname, incidentsSince(db, now() - DAY_MS), now(), isUnseen), to);
    case 'containers':
      return console.reply(containersHtml(hostname, freshContainers(monitor)), to);
    case 'silence':
      return console.reply(answerOf(hostname, silence(console, words, incoming)), to);
    case 'chart':
      return askFor(console, { id, ...chart(words[0] ?? '24h') }, to);
    case 'report':
      return askFor(console, { id, ...report() }, to);
    case 'forecast':
      return askFor(console, { id, ...forecast() }, to);
    default:
      return console.reply(
        helpHtml(hostname, {
          isGroup: incoming.chat.type !== 'private',
          acts: monitor.config.settings.TELEGRAM_ACTIONS,
        }),
        to,
      );
  }
}

/** What is silenced now, by hand or by the schedule of vpsmon.yaml. */
function silencesOf({ monitor, now }: Console) {
  const { extra } = monitor.config;
  return withWindows(listSilences(monitor.store.db, now()), extra.silences, now());
}

/** `/silence`, `/silence web 2h`, `/silence all 30m`, `/silence end web`. */
function silence(console: Console, words: readonly string[], incoming: Written): string {
  const { monitor, now } = console;
  const { db } = monitor.store;
  if (words.length === 0) return silencesHtml(silencesOf(console));
  const by = incoming.from?.name ?? 'somebody';
  if (words[0]?.toLowerCase() === 'end') {
    const subject = plain(words.slice(1).join(' '), MOST_LETTERS);
    const was = endSilence(db, subject);
    if (was) console.record(`${by} ended the silence of ${subject}`);
    const services = [...servicesOf(subject, monitor.watcher.containers()), ...servicesIn(db, subject)];
    const still = covering(subject, silencesOf(console), services);
    const end = still && !still.scheduled ? `/silence end ${still.subject}` : undefined;
    return silenceEndedHtml(subject, was, still && { text: silencedUntil(still), end });
  }
  const ms = parseDuration(words.at(-1) ?? '');
  const subject = plain(words.slice(0, -1).join(' '), MOST_LETTERS);
  if (ms === undefined || subject === '') return silenceHelpHtml();
  const until = now() + ms;
  addSilence(db, { subject, until, reason: `by ${by} on Telegram` }, now());
  console.record(`${by} silenced ${subject} until ${formatTime(until)}`);
  const containers = monitor.watcher.containers().map((container) => container.name);
  const unknown = unknownSubject(monitor.config, subject, [...containers, ...subjectsIn(db)]);
  return silencedHtml(subject, until, unknown);
}
