import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { expect, test } from 'vitest';
import { renderExample, renderReference, replaceBetween } from '../../src/outputs/reference.ts';

const repo = fileURLToPath(new URL('../..', import.meta.url));

test('monitor.conf.example is what `npm run docs` makes', () => {
  expect(readFileSync(join(repo, 'monitor.conf.example'), 'utf8')).toBe(renderExample());
});

test('the tables of keys and metrics in MONITORING.md are what `npm run docs` makes', async () => {
  const path = join(repo, 'MONITORING.md');
  const document = readFileSync(path, 'utf8');
  const wanted = renderReference(document);
  expect(document).toBe(await format(wanted, { ...(await resolveConfig(path)), filepath: path }));
});

test('marks that are missing are said, not passed over', () => {
  expect(() => replaceBetween('no marks here', 'keys', 'x')).toThrow('<!-- keys:begin -->');
});
