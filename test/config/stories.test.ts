import {
  cpSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { renderProblems } from '../../src/outputs/terminal/problems.ts';

// Each folder of test/fixtures/config is a configuration with mistakes; expected.txt is what the user sees.
const stories = fileURLToPath(new URL('../fixtures/config', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vpsmon-stories-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Every fixture's secret has this in it. */
const SECRET = /hunter2|ABCdefGHIjkl|secretsecret|AAEabcdef/;

for (const story of readdirSync(stories)) {
  test(story, async () => {
    const source = join(stories, story);
    const dir = join(folder, story);
    cpSync(source, dir, { recursive: true });
    for (const file of readdirSync(dir)) chmodSync(join(dir, file), 0o600);
    const loaded = await loadConfig({ env: environment(dir), cwd: dir, uid: 0, etcDir: '/nonexistent' });
    const problems = 'problems' in loaded ? loaded.problems : loaded.config.warnings;
    const seen = renderProblems(problems).replaceAll(dir, 'DIR') + '\n';

    expect(seen).not.toMatch(SECRET);
    if (process.env['WRITE_EXPECTED']) writeFileSync(join(source, 'expected.txt'), seen);
    expect(seen).toBe(readFileSync(join(source, 'expected.txt'), 'utf8'));
    expect('problems' in loaded).toBe(/^error: /m.test(seen));
  });
}

function environment(dir: string): Record<string, string> {
  const path = join(dir, 'environment');
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
