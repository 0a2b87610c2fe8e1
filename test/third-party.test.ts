import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

type Package = {
  license?: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const manifest = JSON.parse(read('package.json')) as Package;
const licenceOf = (name: string) =>
  (JSON.parse(read(`node_modules/${name}/package.json`)) as Package).license ?? '';

describe('R10: the licences of others', () => {
  it('travel with what the build makes, each with its text', () => {
    const sections = read('dist/THIRD-PARTY.txt')
      .split(/^#{78}$/m)
      .slice(1);
    const names = sections.map((section) => section.trim().split(' ')[0]!);
    // commander, execa and the others are bundled; what they bring along is, too.
    const program = read('docs/dependencies.md').split('\n## ')[1]!;
    for (const [, name] of program.matchAll(/^\| `([^`]+)`/gm)) expect(names).toContain(name);
    for (const name of [
      'pg-protocol',
      'denque',
      'cross-spawn',
      'detect-libc',
      'dejavu-fonts-ttf',
      'uqr',
      'echarts',
      'zrender',
    ])
      expect(names).toContain(name);
    for (const section of sections) expect(section.length, section.slice(0, 80)).toBeGreaterThan(400);
    expect(sections.join()).toContain('public domain');
    expect(sections.join()).toMatch(/Mozilla Public License/);
    // Test tools are not shipped.
    for (const name of ['vitest', 'fast-check', 'rolldown']) expect(names).not.toContain(name);
  });

  it('are copied wherever dist is: npm package and image', () => {
    expect((JSON.parse(read('package.json')) as { files: string[] }).files).toContain('dist');
    expect(read('Dockerfile')).toContain('/src/dist dist');
    expect(existsSync(new URL('../LICENSE', import.meta.url))).toBe(true);
  });
});

describe('docs/dependencies.md', () => {
  const page = read('docs/dependencies.md');
  const direct = page.replace(/^What these bring along[^]*?(?=^## )/m, '');
  const rows = new Map(
    [...direct.matchAll(/^\| `([^`]+)` +\| ([^|]+?) +\| ([^|\n]+?) +\|/gm)].map(([, name, licence]) => [
      name!,
      licence!,
    ]),
  );

  it('lists every dependency with its licence, and nothing else', () => {
    const all = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
    expect([...rows.keys()].toSorted()).toEqual(all.toSorted());
    for (const name of all)
      if (name !== 'dejavu-fonts-ttf') expect([name, rows.get(name)]).toEqual([name, licenceOf(name)]);
  });

  it('R10: names whatever travels with the program', () => {
    const shipped = read('dist/THIRD-PARTY.txt').matchAll(/^([@a-z]\S*) \d\S* {4}(.+)$/gm);
    const missing = [...shipped].filter(([, name, licence]) => {
      const shown = licence === 'MIT' || rows.has(name!) ? `\`${name}\`` : `\`${name}\` (${licence})`;
      return !page.includes(shown);
    });
    expect(missing.map(([line]) => line)).toEqual([]);
  });

  it('U14: leaves to npm only what cannot be bundled; the rest is a tool of the build', () => {
    expect(Object.keys(manifest.dependencies)).toEqual(['@resvg/resvg-js', 'libsql']);
  });

  it('is true: no dependency of the program runs a script when it is installed', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    const bad = Object.entries(lock.packages).filter(
      ([name, entry]) => name !== '' && !entry.dev && entry.hasInstallScript,
    );
    expect(bad.map(([name]) => name)).toEqual([]);
  });
});
