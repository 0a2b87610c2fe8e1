/**
 * Telegram's HTML, as far as messages need it: https://core.telegram.org/bots/api#html-style
 *
 * A message is read into plain text and its tags (`parse`), cut as plain text, and written again (`render`), so that a cut
 * can neither break a tag nor an entity, and the limit of 4,096 counts what Telegram counts: UTF-16 units after parsing.
 */

/** What Telegram allows in one message, in UTF-16 units after parsing. */
export const TEXT_MAX = 4096;
/** The same below a picture. */
export const CAPTION_MAX = 1024;

type Tag = { start: number; end: number; name: string; open: string };
type Parsed = { plain: string; tags: Tag[] };

const NAMES = new Set(
  'a b strong i em s strike del u ins tg-spoiler tg-emoji span pre code blockquote'.split(' '),
);
/** Attributes that Telegram knows; a tag with anything else is shown as text. */
const ATTRIBUTES: Record<string, RegExp> = {
  a: /^\s+href="[^"<>]+"$/,
  code: /^\s+class="language-[^"<>]+"$/,
  span: /^\s+class="tg-spoiler"$/,
  blockquote: /^\s+expandable$/,
  'tg-emoji': /^\s+emoji-id="\d+"$/,
};
const NEEDS_ATTRIBUTE = new Set(['a', 'span', 'tg-emoji']);
/** Deeper nesting is no message of ours; it would only make every part long. */
const MAX_DEPTH = 8;
/** A tag, or an entity. Every part of it stops at the next `<`, so that no text makes it slow. */
const TOKEN =
  /<(\/?)([a-z][a-z-]*)((?:\s[^<>]*)?)>|&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi;

/** The text as a person reads it: without tags, entities decoded. */
export function htmlToPlain(html: string): string {
  return parse(html).plain;
}

/**
 * Cuts a message into parts of at most `max` UTF-16 units each, at line ends where there are some, else between words. Every
 * part is well-formed whatever came in: open tags are closed and opened again, what is no tag of Telegram is escaped. Parts
 * without visible text are left out, so an empty message gives no part.
 */
export function splitHtml(html: string, max = TEXT_MAX): string[] {
  const { plain, tags } = parse(html);
  const parts: string[] = [];
  let start = 0;
  while (start < plain.length) {
    const end = cutAt(plain, start, max);
    if (plain.slice(start, end).trim() !== '') parts.push(render(plain, tags, start, end));
    // The line end or space at the cut belongs to neither side.
    start = end < plain.length && /\s/.test(plain.charAt(end)) ? end + 1 : end;
  }
  return parts;
}

/** The first `max` units, with a last line that says how much is missing. */
export function shortenHtml(html: string, max: number, note: (missing: number) => string): string {
  const { plain, tags } = parse(html);
  if (plain.length <= max) return html;
  const end = cutAt(plain, 0, max);
  return `${render(plain, tags, 0, end)}\n${note(plain.length - end)}`;
}

function cutAt(plain: string, start: number, max: number): number {
  if (plain.length - start <= max) return plain.length;
  // Looked for within the part: in all that is before it, a text without line ends would take the square of its length.
  const part = plain.slice(start, start + max + 1);
  const line = part.lastIndexOf('\n');
  if (line >= max / 2) return start + line;
  const space = part.lastIndexOf(' ');
  if (space >= max * 0.75) return start + space;
  const end = start + max;
  // Not between the two halves of a surrogate pair.
  const last = plain.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff && max > 1 ? end - 1 : end;
}

function parse(html: string): Parsed {
  const text = html.toWellFormed();
  const tags: Tag[] = [];
  const open: { name: string; index: number }[] = [];
  let plain = '';
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    plain += text.slice(at, match.index);
    at = match.index + match[0].length;
    const [whole, slash, rawName, attributes = '', named, decimal, hex] = match;
    if (rawName === undefined) {
      plain += decode(named, decimal, hex);
      continue;
    }
    const name = rawName.toLowerCase();
    if (!NAMES.has(name) || (!slash && !fits(name, attributes))) {
      plain += whole;
    } else if (slash) {
      const found = open.findLastIndex((tag) => tag.name === name);
      if (found < 0) continue;
      for (const closed of open.splice(found)) (tags[closed.index] as Tag).end = plain.length;
    } else {
      open.push({ name, index: tags.length });
      tags.push({ start: plain.length, end: Number.POSITIVE_INFINITY, name, open: `<${name}${attributes}>` });
    }
  }
  plain += text.slice(at);
  for (const tag of open) (tags[tag.index] as Tag).end = plain.length;
  return { plain, tags: withoutImpossible(tags) };
}

function fits(name: string, attributes: string): boolean {
  if (attributes.trim() === '') return attributes === '' && !NEEDS_ATTRIBUTE.has(name);
  return ATTRIBUTES[name]?.test(attributes) === true;
}

/** Telegram takes no tags inside code and no quotation inside a quotation; the text stays, the inner tag goes. */
function withoutImpossible(tags: Tag[]): Tag[] {
  const kept: Tag[] = [];
  const around: Tag[] = [];
  for (const tag of tags) {
    if (tag.end <= tag.start) continue;
    // Tags come in the order of their opening: what ended before this one starts is not around it.
    while ((around.at(-1)?.end ?? Number.POSITIVE_INFINITY) <= tag.start) around.pop();
    const inCode = around.some((outer) => outer.name === 'code' || outer.name === 'pre');
    if (inCode && !(tag.name === 'code' && around.at(-1)?.name === 'pre')) continue;
    if (tag.name === 'blockquote' && around.some((outer) => outer.name === 'blockquote')) continue;
    if (around.length >= MAX_DEPTH) continue;
    kept.push(tag);
    around.push(tag);
  }
  return kept;
}

function decode(named: string | undefined, decimal: string | undefined, hex: string | undefined): string {
  if (named) return { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }[named.toLowerCase()] ?? '';
  const code = decimal ? Number(decimal) : Number.parseInt(hex ?? '0', 16);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return '';
  return String.fromCodePoint(code);
}

/** The text from `start` to `end` with its tags. Quotes stay as they are: only attribute values need them escaped. */
function render(plain: string, tags: Tag[], start: number, end: number): string {
  let out = '';
  let at = start;
  const open: Tag[] = [];
  const closeUntil = (position: number) => {
    for (let tag = open.at(-1); tag && tag.end <= position; tag = open.at(-1)) {
      out += `${escapeText(plain.slice(at, tag.end))}</${tag.name}>`;
      at = tag.end;
      open.pop();
    }
  };
  for (const tag of tags) {
    if (tag.end <= start || tag.start >= end) continue;
    const from = Math.max(tag.start, start);
    closeUntil(from);
    out += escapeText(plain.slice(at, from)) + tag.open;
    at = from;
    open.push(tag);
  }
  closeUntil(end);
  out += escapeText(plain.slice(at, end));
  return (
    out +
    open
      .toReversed()
      .map((tag) => `</${tag.name}>`)
      .join('')
  );
}

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
