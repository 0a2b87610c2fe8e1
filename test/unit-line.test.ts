import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unitLine } from '../src/commands/unit-line.ts';
import { vpsmon } from './helpers/daemon.ts';

const units = new URL('../systemd/', import.meta.url);
const lines = readdirSync(units)
  .map((name) =>
    /^ExecStart=.* @LIB@\/bin\/vpsmon\.js (.*)$/m.exec(readFileSync(new URL(name, units), 'utf8')),
  )
  .flatMap((found) => (found ? [found[1]!.split(' ')] : []));

describe('lines that need no option parser', () => {
  it('are those of all four units, and of the image', () => {
    expect(lines).toHaveLength(4);
    for (const line of lines)
      expect(unitLine(line)?.options).toEqual({ config: '@CONFIG@', stateDir: '@STATE@' });
    expect(unitLine(['monitor'])?.options).toEqual({});
  });

  it.each([
    ['monitor', '--config'],
    ['monitor', '--config', ''],
    ['monitor', '--config', '--state-dir'],
    ['monitor', '--config=a.conf'],
    ['monitor', '--once'],
    ['monitor', '--once', '--config', 'a.conf'],
    ['monitor', '--config', 'a.conf', 'more'],
    ['--config', 'a.conf', 'monitor'],
    ['export', 'all', '--stdout'],
    ['export', 'everything'],
    ['recover', 'run-all', '--dry-run'],
    ['constructor'],
    [],
  ])('are no others: %s %s %s %s', (...argv) => {
    expect(unitLine(argv)).toBeUndefined();
  });

  it('run as with the parser, and say what is wrong with the configuration', async () => {
    for (const line of lines) {
      const argv = line.map((word) =>
        word.replace('@CONFIG@', '/nonexistent.conf').replace('@STATE@', '/nonexistent'),
      );
      // `--config=FILE` is a form that only the parser knows.
      const parsed = argv.join('\n').replace('--config\n', '--config=').split('\n');
      const direct = await vpsmon(argv);
      expect(direct).toMatchObject({ code: 3, stdout: '' });
      expect(direct.stderr).toContain('/nonexistent.conf');
      expect(await vpsmon(parsed)).toEqual(direct);
    }
  });
});
