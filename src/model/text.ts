/** Pure helpers for text that people read. Everything from outside goes through `plain` or `escapeHtml` before it is shown. */
import { drawnOver, inAscii, lastState, visible, withoutSeparators } from './invisible.ts';
import { maskKnown, maskPatterns } from './secret-patterns.ts';

/** One safe line: escape sequences, control and bidirectional characters out, white space folded, at most `max` characters. */
export function plain(text: string, max = 200): string {
  const clean = lastState(visible(text.slice(0, max * 8)))
    .replace(/[\n\t\u2028\u2029]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const characters = Array.from(clean.toWellFormed());
  return characters.length <= max ? characters.join('') : `${characters.slice(0, max - 1).join('')}…`;
}

/** The end of a name tells more than its middle: "shop-work…-worker-3". */
export function shortName(name: string, longest: number): string {
  const characters = Array.from(plain(name));
  if (characters.length <= longest) return characters.join('');
  const end = Math.floor(longest / 2);
  return `${characters.slice(0, longest - end - 1).join('')}…${characters.slice(-end).join('')}`;
}

/** Escapes for Telegram's HTML mode (text and attribute values). */
export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** `plain`, then escaped: what goes into a message. */
export function safeHtml(text: string, max = 200): string {
  return escapeHtml(plain(text, max));
}

/** One line for fixed width: like `safeHtml`, but its spaces stay, for they are columns. */
export function fixedHtml(text: string, max = 200): string {
  const clean = lastState(visible(text.slice(0, max * 8)))
    .replace(/[\n\t\u2028\u2029]/g, ' ')
    .trimEnd();
  const characters = Array.from(clean.toWellFormed());
  return escapeHtml(characters.length <= max ? clean : `${characters.slice(0, max - 1).join('')}…`);
}

/** With the %-escapes of a URL read; as it is where they are none. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Masks known secrets and everything that looks like one, after taking out what is not seen: it could stand within them. */
export function maskSecrets(text: string, known: readonly string[] = []): string {
  // The longest first: of one that begins with another one, the end would be left.
  const longestFirst = known.toSorted((a, b) => b.length - a.length);
  const result = maskOnce(visible(text), longestFirst);
  // Unicode's own separators of lines end a value, and many terminals show nothing for them: what is on both sides is one word there.
  const joined = withoutSeparators(result);
  if (joined === result) return result;
  const again = maskOnce(joined, longestFirst);
  return again === joined ? result : again;
}

function maskOnce(text: string, known: readonly string[]): string {
  let result = text;
  for (const secret of known)
    for (const written of spellings(secret)) if (written !== '') result = maskKnown(result, written);
  return maskPatterns(result);
}

/** Shorter lines of a secret are words like any other. */
const LINE_OF_SECRET = 8;

/** A secret as programs write it: as it is, in a URL or a form, in JSON; without what is not seen of it, and line by line. */
function spellings(secret: string): Set<string> {
  const all = new Set([secret]);
  if (/^[\w.~-]*$/.test(secret)) return all;
  const wellFormed = secret.toWellFormed();
  all.add(encodeURIComponent(wellFormed));
  all.add(new URLSearchParams([['', wellFormed]]).toString().slice(1));
  all.add(JSON.stringify(secret).slice(1, -1));
  const shown = visible(secret).trim();
  all.add(shown).add(withoutSeparators(shown));
  const ascii = inAscii(JSON.stringify(secret)).slice(1, -1);
  all.add(ascii).add(ascii.replace(/(?<=\\u)[\da-f]{4}/g, (code) => code.toUpperCase()));
  const lines = shown.split(/[\n\r\u2028\u2029]+/);
  if (lines.length > 1) {
    all.add(plain(shown, shown.length));
    for (const line of lines) if (line.trim().length >= LINE_OF_SECRET) all.add(line.trim());
  }
  return all;
}

/** Masked, as one plain line. Colours between a name and its value would hide it from the masks, and so would the end of a cut line. */
export function masked(text: string, secrets: readonly string[]): string {
  const whole = maskSecrets(text, secrets);
  // Where something was masked, what is left of a line that was drawn over could be a part of it.
  const shown = whole === visible(text) ? drawnOver(text) : whole;
  return maskSecrets(plain(shown, 2000), secrets);
}

/** 1 MB = 1,048,576 bytes, as `free -m` and `docker stats` count. "512 KB", "87 MB", "1.9 GB". */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? '-' : '';
  const b = Math.abs(bytes);
  const mb = b / 1_048_576;
  if (b < 1024) return `${sign}${Math.round(b)} B`;
  if (mb < 1) return `${sign}${Math.round(b / 1024)} KB`;
  if (mb < 1000) return `${sign}${mb < 10 ? trimZero(mb.toFixed(1)) : Math.round(mb)} MB`;
  const gb = mb / 1024;
  return `${sign}${gb < 100 ? trimZero(gb.toFixed(1)) : Math.round(gb)} GB`;
}

function trimZero(text: string): string {
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}

/** "0.4 s", "22 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
export function formatDuration(ms: number): string {
  if (ms < 950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const total = Math.round(ms / 1000);
  if (total < 60) return `${total} s`;
  const [days, hours, minutes, seconds] = [
    Math.floor(total / 86_400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
    total % 60,
  ];
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  return seconds > 0 && minutes < 10 ? `${minutes} min ${seconds} s` : `${minutes} min`;
}

/** Local time as messages and reports show it: "2025-07-16 10:30:00". */
export function formatTime(epochMs: number): string {
  const d = new Date(epochMs);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** A moment (epoch ms) as JSON has it, in UTC; null where there is none. What is full in millions of years has no date: the last there is. */
export function isoTime(epochMs: number | undefined): string | null {
  return epochMs === undefined ? null : new Date(Math.max(0, Math.min(epochMs, 8.64e15))).toISOString();
}

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

/** Local time as one speaks of it, for moments near `now`: "03:40" on the same day, "Tuesday 03:40" within six days, else the date. */
export function formatMoment(epochMs: number, now: number): string {
  const full = formatTime(epochMs);
  const clock = full.slice(11, 16);
  if (full.slice(0, 10) === formatTime(now).slice(0, 10)) return clock;
  if (Math.abs(epochMs - now) > 6 * 86_400_000) return full.slice(0, 16);
  return `${WEEKDAYS[new Date(epochMs).getDay()]} ${clock}`;
}

/** 12,345 */
export function formatCount(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}

/** "1 incident", "1,200 incidents". */
export function formatMany(n: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(n)} ${n === 1 ? singular : plural}`;
}

/** "more than 1,000" where a source gives no more than `most`. */
export function formatUpTo(count: number, most: number | undefined): string {
  return most !== undefined && count >= most ? `more than ${formatCount(most)}` : formatCount(count);
}

/** "60 of 130 workflows active"; where n8n has more than were counted, "at least 60 of more than 1,000". */
export function workflowsText({
  total,
  active,
  more,
}: {
  total: number;
  active: number;
  more?: true;
}): string {
  const [some, of] = more ? ['at least ', 'more than '] : ['', ''];
  return `${some}${formatCount(active)} of ${of}${formatCount(total)} workflows active`;
}

/** Message of anything thrown, one plain line. */
export function errorText(error: unknown, max = 300): string {
  if (error instanceof AggregateError && error.errors.length > 0 && !error.message)
    return errorText(error.errors[0], max);
  return plain(error instanceof Error ? error.message || error.name : String(error), max);
}

/** One word of a shell's command line. */
export function quoteShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
