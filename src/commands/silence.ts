import {
  addSilence,
  covering,
  endSilence,
  listSilences,
  MOST_LETTERS,
  silencedUntil,
  silenceName,
  withWindows,
} from '../incidents/silences.ts';
import { DURATION_EXAMPLES, parseDuration } from '../model/duration.ts';
import { errorText, formatDuration, formatTime, isoTime, plain, quoteShell } from '../model/text.ts';
import { renderSilences, type SilenceView } from '../outputs/terminal/silences.ts';
import { openStore } from '../store/open.ts';
import type { Db } from '../store/db.ts';
import type { CommandContext } from './context.ts';
import { giveUp, print, printJson } from './io.ts';
import { readStore } from './read-store.ts';
import { servicesNow, warnOfUnknownSubject } from './known-subjects.ts';

/** `vpsmon silence SUBJECT DURATION`. Exit 0; 2 when it cannot be saved, 3 for a bad subject or duration. */
export async function silence(
  context: CommandContext,
  subject: string,
  duration: string | undefined,
  reason = '',
): Promise<number> {
  const { io, options, system } = context;
  if (subject.trim() === '' || subject.length > MOST_LETTERS)
    return giveUp(io, '`silence` expects a container, a service, a rule or `all` first.');
  const ms = duration === undefined ? undefined : parseDuration(duration);
  if (ms === undefined) {
    const given = duration === undefined ? 'none was given' : `not \`${plain(duration, 40)}\``;
    return giveUp(
      io,
      `\`silence\` expects a duration like ${DURATION_EXAMPLES} after the subject; ${given}.`,
    );
  }
  const now = system.clock.now();
  const until = now + ms;
  const name = plain(subject, MOST_LETTERS);
  if (!options.dryRun) {
    const saved = write(context, (db) => addSilence(db, { subject, until, reason: plain(reason) }, now));
    if (!saved) return 2;
  }
  await warnOfUnknownSubject(context, subject);
  if (options.json) {
    const shown = { subject: name, until: isoTime(until), reason: plain(reason) };
    printJson(io, { version: 1, dry_run: options.dryRun === true, silence: shown });
    return 0;
  }
  const would = options.dryRun ? 'Would send no' : 'No';
  const about = silenceName(subject) === 'all' ? 'anything' : name;
  print(
    io,
    `${would} messages about ${about} until ${formatTime(until)} (${formatDuration(ms)}). Incidents are still recorded.`,
  );
  if (!options.dryRun) print(io, `To end it earlier: ${endCommand(name)}`);
  return 0;
}

/** `vpsmon silence list`. Exit 0; 2 when the store cannot be read. */
export async function silenceList(context: CommandContext): Promise<number> {
  const { io, options, config, system } = context;
  const now = system.clock.now();
  const byHand = readStore(context, 'the silences', { nothing: [] }, (db) => listSilences(db, now));
  if (byHand === undefined) return 2;
  const windows = config.extra.silences;
  const silences = withWindows(byHand, windows, now);
  if (options.json) {
    printJson(io, { version: 1, silences: silences.map(toJson), schedule: windows });
  } else io.out(renderSilences({ silences, windows, now, ...io }));
  return 0;
}

/** `vpsmon silence end SUBJECT`. Exit 0; 2 when there is none of this subject or it cannot be saved, 3 without a subject. */
export async function silenceEnd(context: CommandContext, subject: string | undefined): Promise<number> {
  const { io, options, config, system } = context;
  if (subject === undefined || subject.trim() === '')
    return giveUp(io, '`silence end` expects the subject, as `vpsmon silence list` shows it.');
  const now = system.clock.now();
  const active = readStore(context, 'the silences', { nothing: [] }, (db) => listSilences(db, now));
  if (active === undefined) return 2;
  const name = plain(subject, MOST_LETTERS);
  const wanted = silenceName(subject);
  const found = active.some((one) => one.subject === wanted);
  const others = withWindows(
    active.filter((one) => one.subject !== wanted),
    config.extra.silences,
    now,
  );
  if (found) {
    if (!options.dryRun && !write(context, (db) => endSilence(db, subject))) return 2;
    if (options.json) {
      printJson(io, { version: 1, dry_run: options.dryRun === true, ended: name });
      return 0;
    }
  }
  // It is ended by now, however long Docker takes to say of which service it is.
  const services = others.length > 0 ? await servicesNow(context, wanted) : [];
  const still = covering(wanted, others, services);
  if (!found) {
    const scheduled = config.extra.silences.some((window) => silenceName(window.subject) === wanted);
    const hint =
      others.length === 0
        ? 'Nothing is silenced'
        : `Silenced are: ${others.map((one) => plain(one.subject, 60)).join(', ')}`;
    const no = scheduled
      ? 'is not silenced by hand. The one in vpsmon.yaml ends by its schedule; take it out there'
      : still
        ? `has no silence of its own, and is silent: ${silencedUntil(still)}. ${howToEnd(still)}`
        : `is not silenced. ${hint}`;
    return giveUp(io, `${name} ${no}.`, 2);
  }
  const about = wanted === 'all' ? 'Everything' : name;
  const [again, stays] = options.dryRun
    ? ['would be notified again.', 'would stay silent']
    : ['is notified again. What still lasts and was held back is sent with the next check.', 'stays silent'];
  print(io, `${about} ${still ? `${stays}: ${silencedUntil(still)}.` : again}`);
  return 0;
}

function howToEnd({ subject, scheduled }: SilenceView): string {
  return scheduled ? 'That ends by its schedule' : `To end that: ${endCommand(plain(subject, MOST_LETTERS))}`;
}

/** As it can be pasted into a shell: the pattern is ours, not the shell's. */
function endCommand(subject: string): string {
  return `vpsmon silence end ${quoteShell(subject)}`;
}

function toJson({ subject, since, until, reason, scheduled }: SilenceView): Record<string, unknown> {
  return { subject, since: isoTime(since), until: isoTime(until), reason, scheduled };
}

/** True when it is on disk, where the running monitor sees it with its next check. */
function write({ io, config, system }: CommandContext, work: (db: Db) => unknown): boolean {
  const store = openStore(config.stateDir, system.clock.now());
  try {
    if (store.trouble !== undefined) throw new Error(store.trouble);
    work(store.db);
    return true;
  } catch (error) {
    io.err(`vpsmon: this cannot be saved in ${config.stateDir}: ${errorText(error)}. Perhaps it needs sudo.`);
    return false;
  } finally {
    store.close();
  }
}
