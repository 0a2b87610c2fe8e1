// The table in oxlint.config.mjs says which folder of src may import which; here it is held against what the linter refuses.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
// @ts-expect-error -- the configuration of a tool, without types
import { OUTSIDE, OWN, WALLS } from '../oxlint.config.mjs';

type Row = [folder: string, allowed: string[] | 'all', message: string];
const rows = new Map((WALLS as Row[]).map((row) => [row[0], row]));
const folders = readdirSync('src', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** What stands in the table for an import in a file of `folder`: undefined where it is allowed. */
function refused(folder: string, target: string): boolean {
  const [, allowed] = rows.get(folder)!;
  if ((OUTSIDE as string[]).includes(target))
    return !(OWN as Record<string, string[]>)[folder]?.includes(target);
  if (!rows.has(target)) return false; // A package that touches nothing.
  return folder !== target && allowed !== 'all' && !allowed.includes(target);
}

let dir: string;
let complaints: Set<string>;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-walls-'));
  writeFileSync(join(dir, 'oxlint.config.mjs'), readFileSync('oxlint.config.mjs'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(dir, 'node_modules'));
  for (const folder of folders) {
    mkdirSync(join(dir, 'src', folder, 'deep'), { recursive: true });
    for (const target of folders) {
      writeFileSync(join(dir, 'src', folder, `to-${target}.ts`), `import '../${target}/any.ts';\n`);
      writeFileSync(
        join(dir, 'src', folder, 'deep', `to-${target}.ts`),
        `import '../../${target}/deep/any.ts';\n`,
      );
    }
    for (const name of OUTSIDE as string[])
      writeFileSync(join(dir, 'src', folder, `to-${name.replaceAll('/', ':')}.ts`), `import '${name}';\n`);
  }
  const oxlint = join(process.cwd(), 'node_modules/.bin/oxlint');
  const args = ['-c', 'oxlint.config.mjs', '--format', 'json', 'src'];
  const { stdout } = spawnSync(oxlint, args, { cwd: dir, encoding: 'utf8', maxBuffer: 64 * 1_048_576 });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  complaints = new Set(
    diagnostics.filter(({ code }) => code.includes('no-restricted-imports')).map(({ filename }) => filename),
  );
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('every folder of src has a row, and every row a folder', () => {
  expect([...rows.keys()].toSorted()).toEqual(folders.toSorted());
});

test.each(folders)('from %s, the linter refuses what its row does not have', (folder) => {
  const wrong = [...folders, ...(OUTSIDE as string[])].filter((target) => {
    const files = folders.includes(target)
      ? [`to-${target}.ts`, `deep/to-${target}.ts`]
      : [`to-${target.replaceAll('/', ':')}.ts`];
    return files.some((file) => complaints.has(join('src', folder, file)) !== refused(folder, target));
  });
  expect(wrong).toEqual([]);
});

test('what is loaded lazily keeps to the table as well, which the linter does not look at', () => {
  const crossing = readdirSync('src', { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const file = join('src', name);
    const folder = name.split('/')[0]!;
    if (!name.endsWith('.ts') || !rows.has(folder)) return [];
    const targets = [...readFileSync(file, 'utf8').matchAll(/\bimport\(\s*'([^']+)'/g)].map(([, to]) => to!);
    return targets
      .filter((to) =>
        refused(folder, to.startsWith('.') ? normalize(join(dirname(file), to)).split('/')[1]! : to),
      )
      .map((to) => `${file}: ${to}`);
  });
  expect(crossing).toEqual([]);
});
