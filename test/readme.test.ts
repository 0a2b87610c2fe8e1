import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

describe('README', () => {
  /** The commands of each block of code, without their comments. */
  const blocks = [...read('README.md').matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block]) =>
    block!
      .split('\n')
      .map((line) => line.split(/\s{2,}#/)[0]!.trim())
      .filter(Boolean),
  );

  it('has at most 120 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(120);
  });
  it('begins with two commands for a user, then two for a clone', () => {
    expect(blocks[0]).toEqual(['apt install ./vpsmon_*.deb', 'vpsmon setup']);
    expect(blocks[1]).toEqual(['npm ci && npx vpsmon monitor --once', 'npm ci && npm test']);
  });
  it('shows a message and the chart before the commands, in pictures of at most 60 KB', () => {
    const pictures = [...read('README.md').matchAll(/<img src="([^"]+)"/g)].map(([, path]) => path!);
    expect(pictures).toHaveLength(2);
    for (const path of pictures) expect(statSync(root + path).size, path).toBeLessThan(60_000);
    expect(read('README.md').lastIndexOf('<img')).toBeLessThan(read('README.md').indexOf('```bash'));
  });
  it('names the test command that CI runs first; the rest of `npm run check` follows', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const [first, second] = read('.ci/run').trimEnd().split('\n').slice(-2);
    expect(first).toBe(blocks[1]?.[1]);
    expect(scripts['check']).toBe(`npm test && ${second}`);
  });
  it('links to files that exist', () => {
    for (const name of ['README.md', 'ARCHITECTURE.md', 'MONITORING.md']) {
      for (const [, target] of read(name).matchAll(/\]\(((?!https?:|#)[^)#]+)/g))
        expect(existsSync(root + target), `${name} -> ${target}`).toBe(true);
    }
  });
  it('has a reason for every run-time library', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    for (const name of Object.keys(dependencies)) expect(read('docs/light.md')).toContain(`| ${name} `);
  });
});

describe('run-time dependencies', () => {
  it('have no install scripts', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    const offenders = Object.entries(packages).filter(
      ([path, entry]) => path !== '' && entry.dev !== true && entry.hasInstallScript === true,
    );
    expect(offenders.map(([path]) => path)).toEqual([]);
  });
});
