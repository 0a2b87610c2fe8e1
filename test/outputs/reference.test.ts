import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { commandLine } from '../../src/commands/command-line.ts';
import { commandsMarkdown, commandsOf } from '../../src/outputs/docs/command-pages.ts';
import {
  generatedParts,
  renderExample,
  renderReference,
  replaceBetween,
} from '../../src/outputs/docs/reference.ts';

const repo = fileURLToPath(new URL('../..', import.meta.url));

test('monitor.conf.example is what `npm run docs` makes', () => {
  expect(readFileSync(join(repo, 'monitor.conf.example'), 'utf8')).toBe(renderExample());
});

test('the pages of commands, settings and metrics are what `npm run docs` makes', () => {
  const nowhere = { out: () => undefined, err: () => undefined, color: false, columns: 80 };
  const { program, examples } = commandLine(nowhere);
  const parts = generatedParts(commandsMarkdown(commandsOf(program, examples)));
  for (const [name, texts] of Object.entries(parts)) {
    const document = readFileSync(join(repo, name), 'utf8');
    expect(document, name).toBe(renderReference(document, texts));
  }
});

test('marks that are missing are said, not passed over', () => {
  expect(() => replaceBetween('no marks here', 'keys', 'x')).toThrow('<!-- keys:begin -->');
});
