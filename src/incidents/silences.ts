import { isIgnored, type SilenceWindow } from '../config/schema.ts';
import type { Incident } from '../model/incident.ts';
import { formatTime, plain } from '../model/text.ts';
import { activeSilences, deleteSilence, saveSilence, type Silence } from '../store/incidents.ts';
import type { Db } from '../store/db.ts';

/** Names that mean everything. */
const EVERYTHING = ['all', 'everything', '*'];

const MINUTES_A_DAY = 1440;

/** Silences what `subject` names until `until` (epoch ms); a silence of the same subject is replaced. */
export function addSilence(
  db: Db,
  silence: { subject: string; until: number; reason: string },
  now: number,
): Silence {
  const kept = { ...silence, subject: silenceName(silence.subject), since: now };
  saveSilence(db, kept);
  return kept;
}

/** Ends a silence; false when there is none of this subject. */
export function endSilence(db: Db, subject: string): boolean {
  return deleteSilence(db, silenceName(subject));
}

/** A clock that is set by the time server moves by less. */
const DRIFT_MS = 60_000;

/**
 * Silences that were begun while the clock was ahead hold for as long as was asked, counted from now: else one hour would become ten
 * years when the clock is corrected.
 */
export function mendSilences(db: Db, silences: readonly Silence[], now: number): Silence[] {
  return silences.map((silence) => {
    if (silence.since - now <= DRIFT_MS) return silence;
    const mended = { ...silence, since: now, until: now + silence.until - silence.since };
    saveSilence(db, mended);
    return mended;
  });
}

/**
 * The clock was set by `byMs`, and is `now`: what is silenced by hand stays so for as long as was asked, by the time that passes. Not those that
 * were begun since `setAfter`, by the clock as it is now, and those begun before the machine was started (`bootedAt`, as the clock counted
 * before): it may have been started with another time than it had when it stopped.
 */
export function moveSilences(
  db: Db,
  byMs: number,
  { now, setAfter, bootedAt }: { now: number; setAfter: number; bootedAt: number },
): void {
  for (const silence of activeSilences(db, now - byMs)) {
    const { since, until } = silence;
    if (since < bootedAt || (since >= setAfter && since <= now + DRIFT_MS)) continue;
    saveSilence(db, { ...silence, since: since + byMs, until: until + byMs });
  }
}

/** What is silenced by hand at `now`. */
export function listSilences(db: Db, now: number): Silence[] {
  return activeSilences(db, now);
}

/** What is silenced at `now`: by hand, and by the windows of vpsmon.yaml (`scheduled`). */
export function withWindows(
  byHand: readonly Silence[],
  windows: readonly SilenceWindow[],
  now: number,
): (Silence & { scheduled: boolean })[] {
  return [
    ...byHand.map((one) => ({ ...one, scheduled: false })),
    ...windows.flatMap((window) => {
      const active = windowAt(window, now);
      return active ? [{ ...active, scheduled: true }] : [];
    }),
  ];
}

/** What a silence is on has so many characters at most. */
export const MOST_LETTERS = 200;

/** The one of these silences that covers this name, of a container or a rule, or `all`. `services`: those that the container is of. */
export function covering<T extends Silence>(
  name: string,
  silences: readonly T[],
  services: readonly string[] = [],
): T | undefined {
  const wanted = silenceName(name);
  const about = { rule: wanted, subject: wanted };
  const abouts = [about, ...services.map((alias) => ({ ...about, alias }))];
  return silences.find((one) => abouts.some((each) => silencing(each, [one]) !== undefined));
}

/** "all is silenced until 2026-11-30 06:00:00 (vpsmon.yaml)" */
export function silencedUntil({ subject, until, scheduled }: Silence & { scheduled: boolean }): string {
  return `${plain(subject, 60)} is silenced until ${formatTime(until)}${scheduled ? ' (vpsmon.yaml)' : ''}`;
}

/** The window of vpsmon.yaml as a silence, where it holds at `now` (local time); undefined where it does not. */
export function windowAt(window: SilenceWindow, now: number): Silence | undefined {
  // Over midnight: the day on which it began counts.
  for (const daysAgo of [0, 1]) {
    const day = new Date(now);
    day.setHours(0, 0, 0, 0);
    day.setDate(day.getDate() - daysAgo);
    if (window.days.length > 0 && !window.days.includes(day.getDay())) continue;
    const length = (window.to - window.from + MINUTES_A_DAY - 1) % MINUTES_A_DAY;
    const since = atMinute(day, window.from);
    const until = atMinute(day, window.from + length + 1);
    if (since <= now && now < until) {
      return { subject: silenceName(window.subject), since, until, reason: window.reason };
    }
  }
  return undefined;
}

/** Minutes since midnight as the clock on the wall shows them, on days with a change of the hour, too. */
function atMinute(midnight: Date, minute: number): number {
  const at = new Date(midnight);
  at.setHours(0, minute, 0, 0);
  return at.getTime();
}

/** The silence that covers an incident, or undefined. Names are compared without case, and may have wildcards. */
export function silencing(
  { rule, subject, alias, was }: Pick<Incident, 'rule' | 'subject' | 'alias' | 'was'>,
  silences: readonly Silence[],
): Silence | undefined {
  const names = [rule, subject, alias ?? '', was ?? ''].map((name) => name.toLowerCase());
  const service = alias === undefined ? {} : { service: alias };
  const bearers = [subject, ...(was === undefined ? [] : [was])].map((name) => ({ name, ...service }));
  return silences.find(
    (silence) =>
      silence.subject === 'all' ||
      (silence.subject !== '' &&
        (names.includes(silence.subject) || bearers.some((one) => isIgnored([silence.subject], one)))),
  );
}

/** One spelling for every way to write a subject: lower case, and `all` for everything. */
export function silenceName(subject: string): string {
  const name = subject.trim().toLowerCase();
  return EVERYTHING.includes(name) ? 'all' : name;
}
