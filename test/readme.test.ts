import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

describe('README', () => {
  const [setUp, test] =
    /```bash\n([\s\S]*?)```/
      .exec(read('README.md'))?.[1]
      ?.split('\n')
      .map((line) => line.split(/\s{2,}#/)[0]?.trim()) ?? [];

  it('begins with the two commands', () => {
    expect(setUp).toBe('npm ci && npx vpsmon monitor --once');
    expect(test).toBe('npm ci && npm run check');
  });
  it('names the test command that CI runs', () => {
    expect(read('.ci/run').trimEnd().split('\n').at(-1)).toBe(test);
  });
  it('links to files that exist', () => {
    for (const name of ['README.md', 'ARCHITECTURE.md', 'MONITORING.md']) {
      for (const [, target] of read(name).matchAll(/\]\(((?!https?:|#)[^)#]+)/g))
        expect(existsSync(root + target), `${name} -> ${target}`).toBe(true);
    }
  });
  it('has a reason for every run-time library', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    for (const name of Object.keys(dependencies)) expect(read('README.md')).toContain(`| ${name} `);
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
