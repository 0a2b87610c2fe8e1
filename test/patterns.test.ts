// Names, log lines and answers come from strangers: a pattern that can divide one run of characters in many ways holds the monitor up.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { expect, it } from 'vitest';
import { processorMs } from './helpers/cost.ts';

const src = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

/** Every pattern that is written as a literal. */
function patternsOf(file: string): RegExp[] {
  const found: RegExp[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { regex } = node as { regex?: { pattern: string; flags: string } };
    if (regex) found.push(new RegExp(regex.pattern, regex.flags.replace(/[gy]/g, '')));
    Object.values(node).forEach(visit);
  };
  visit(parseAst(readFileSync(src + file, 'utf8'), { lang: 'ts' }));
  return found;
}

/** What runs are made of; each stands before something that most patterns do not allow. */
const PIECES = [
  ...'aA10.-_ \t\n\r"\'\\/:;,=()[]{}<>#@%&|+*?!$~`é',
  ...'1.|a.|a-|a=|a:|a/|a |0x|\\"|a,|&a;|a@|\n |\n-|0:'.split('|'),
];
const LENGTH = 30;

it('none takes twice the time for each character more', () => {
  const patterns = files.flatMap((file) => patternsOf(file).map((pattern) => ({ file, pattern })));
  expect(patterns.length).toBeGreaterThan(200);
  const slow = patterns.filter(({ pattern }) =>
    PIECES.some((piece) =>
      ['', 'x', '"'].some((before) => {
        const text = `${before}${piece.repeat(LENGTH)}\u0001`;
        const isSlow = () => processorMs(() => pattern.test(text)) > 100;
        // Twice: the first time garbage may have been collected meanwhile.
        return isSlow() && isSlow();
      }),
    ),
  );
  expect(slow).toEqual([]);
});
