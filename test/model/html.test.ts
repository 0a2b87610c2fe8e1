import { describe, expect, it } from 'vitest';
import { htmlToPlain, shortenHtml, splitHtml } from '../../src/model/html.ts';
import { safeHtml } from '../../src/model/text.ts';
import { expectLinear } from '../helpers/cost.ts';
import { parseHtml } from '../standins/telegram.js';

/** A small generator with a seed, so that a failure can be seen again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}
const PIECES = [
  '<b>',
  '</b>',
  '<i>',
  '</i>',
  '<u>',
  '</u>',
  '<code>',
  '</code>',
  '<pre>',
  '</pre>',
  '<s>',
  '</s>',
  '<blockquote>',
  '</blockquote>',
  '<blockquote expandable>',
  '<a href="https://example.org/?a=1">',
  '</a>',

  '<pre><code class="language-sh">',
  '</code></pre>',
  '<span class="tg-spoiler">',
  '</span>',
  '<span>',
  '<a>',
  '<a href=x>',
  '<b class="x">',
  '<script>',
  '</script>',
  '<!-- x -->',
  '<',
  '>',
  '&',
  '"',
  "'",
  '<<b>',
  '< b>',

  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&#39;',
  '&#x1f600;',
  '&#0;',
  '&nbsp;',
  '&#xd800;',
  '&#9999999;',
  '&am',
  '&;',
  '</',
  '<b',

  ' ',
  '\n',
  '\n\n',
  '\t',
  'word',
  'a',
  'ä',
  '😀',
  '👩‍👩‍👧',
  '\ud83d',
  '\udc00',
  '\u0000',
  '\u202e',
  'x'.repeat(40),
  '中文字',
];
function hostile(next: () => number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += PIECES[Math.floor(next() * PIECES.length)];
  return text;
}
const squeeze = (text: string) => text.replace(/\s+/g, '');

describe('splitHtml', () => {
  it('leaves a short message as it is', () => {
    const html = '<b>CRITICAL: a &lt; b &amp; c</b>\nService: <code>web</code>';
    expect(splitHtml(html)).toEqual([html]);
  });

  it('closes and opens tags at a cut and does not count them', () => {
    const html = `<b>${'x'.repeat(4000)}\n<i>${'y'.repeat(4000)}</i></b>`;
    const parts = splitHtml(html);
    expect(parts).toEqual([`<b>${'x'.repeat(4000)}</b>`, `<b><i>${'y'.repeat(4000)}</i></b>`]);
  });

  it('cuts at line ends, so that no line is torn', () => {
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i} of <code>the &amp; log</code>`);
    const parts = splitHtml(lines.join('\n'));
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.join('\n').split('\n')).toEqual(lines);
  });

  it('counts entities as one character and never cuts one', () => {
    const parts = splitHtml('&amp;'.repeat(5000));
    expect(parts.map((part) => htmlToPlain(part).length)).toEqual([4096, 904]);
  });

  it('counts an emoji as two and does not cut it in half', () => {
    const parts = splitHtml(`a${'😀'.repeat(3000)}`);
    expect(parts.map((part) => part.length)).toEqual([4095, 1906]);
    expect(parts.every((part) => part.isWellFormed())).toBe(true);
  });

  it('gives no part for a message without text', () => {
    expect(splitHtml('')).toEqual([]);
    expect(splitHtml('<b> \n </b>')).toEqual([]);
  });

  it.each([20, 4096])('is well-formed, short enough and complete for any input (parts of %i)', (max) => {
    for (let seed = 1; seed <= 600; seed++) {
      const next = random(seed * 7919 + max);
      const html = hostile(next, Math.floor(next() * (max === 20 ? 60 : 900)));
      const parts = splitHtml(html, max);
      const plains = parts.map((part) => {
        try {
          return parseHtml(part);
        } catch (error) {
          throw new Error(`seed ${seed}: ${String(error)} in ${JSON.stringify(part)}`, { cause: error });
        }
      });
      for (const plain of plains) expect(plain.length, `seed ${seed}`).toBeLessThanOrEqual(max);
      expect(squeeze(plains.join('')), `seed ${seed}`).toBe(squeeze(htmlToPlain(html)));
    }
  });

  it('keeps text from outside as it is, after safeHtml', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const text = hostile(random(seed), 30);
      const html = `<b>${safeHtml(text, 5000)}</b>`;
      expect(() => parseHtml(html), `seed ${seed}`).not.toThrow();
      expect(squeeze(htmlToPlain(html))).toBe(squeeze(parseHtml(html)));
    }
  });

  it.each([
    ['open tags', (n: number) => '<b>'.repeat(n)],
    ['half tags', (n: number) => '<b '.repeat(2 * n)],
    ['ampersands', (n: number) => '&#1'.repeat(2 * n)],
    ['pairs', (n: number) => '<b>x</b>'.repeat(n)],
    ['one long tag', (n: number) => `<a href="${'x'.repeat(10 * n)}`],
    ['misnested', (n: number) => '<b><i></b></i>'.repeat(n)],
  ])('is not slowed down by %s', (_, html) => {
    expectLinear((n) => {
      splitHtml(html(n));
      htmlToPlain(html(n));
    }, 10_000);
  });
});

describe('shortenHtml', () => {
  it('says how much is missing and stays well-formed', () => {
    const short = shortenHtml(`<b>${'x'.repeat(100)}</b>`, 60, (n) => `... ${n} more`);
    expect(short).toBe(`<b>${'x'.repeat(60)}</b>\n... 40 more`);
    expect(shortenHtml('<b>x</b>', 60, () => 'never')).toBe('<b>x</b>');
  });
});
