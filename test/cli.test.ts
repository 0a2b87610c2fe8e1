import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { vpsmon } from './helpers/daemon.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const COMMANDS = [
  'monitor',
  'recover',
  'report',
  'export',
  'setup',
  'install',
  'uninstall',
  'status',
  'doctor',
  'telegram',
  'silence',
  'incidents',
  'forecast',
  'config',
  'completion',
];

describe('the command line', () => {
  it('says its version', async () => {
    expect(await vpsmon(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('lists every command in its help, with the exit codes', async () => {
    const { code, stdout } = await vpsmon(['--help']);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toContain('Exit codes: 0 all fine; 1 warnings; 2 critical');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it.each(COMMANDS)('%s --help has examples', async (command) => {
    const { code, stdout } = await vpsmon([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ vpsmon /);
  });

  it('suggests the right command and option for a mistyped one, on stderr, with exit code 3', async () => {
    const command = await vpsmon(['moniter']);
    expect(command).toMatchObject({ code: 3, stdout: '' });
    expect(command.stderr).toContain('Did you mean monitor?');
    const option = await vpsmon(['monitor', '--onec']);
    expect(option.code).toBe(3);
    expect(option.stderr).toContain('Did you mean --once?');
    expect(option.stderr).toContain('`vpsmon monitor --help`');
    expect((await vpsmon(['config', 'show', '--nope'])).stderr).toContain('`vpsmon config show --help`');
    const rule = await vpsmon(['recover', 'histroy']);
    expect(rule).toMatchObject({ code: 3, stdout: '' });
    expect(rule.stderr).toContain('Did you mean `recover history`?');
  });

  it('takes the global options before and after the command', async () => {
    for (const args of [
      ['config', 'show', '--json'],
      ['config', 'show', '--config', '/nonexistent.conf'],
    ]) {
      const { stderr } = await vpsmon(args);
      expect(stderr).not.toContain('unknown option');
    }
    expect((await vpsmon(['config', 'show', '--config', '/nonexistent.conf'])).code).not.toBe(0);
    const before = await vpsmon(['--config', '/nonexistent.conf', 'config', 'show']);
    expect(before.code).toBe(3);
    expect(before.stderr).toContain('/nonexistent.conf');
    expect(before.stderr).not.toContain('unknown option');
  });
});
