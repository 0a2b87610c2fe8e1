import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { vpsmon } from '../helpers/daemon.ts';

const SHELLS = ['bash', 'zsh', 'fish'];

/** What bash offers for the last word, with the script that the command prints. */
async function offered(script: string, words: string[]): Promise<string[]> {
  const run = `${script}
COMP_WORDS=(vpsmon "$@"); COMP_CWORD=$(( $# )); _vpsmon; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', run, 'bash', ...words]);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('vpsmon completion', () => {
  it('bash: offers commands, subcommands, fixed arguments and options', async () => {
    const { code, stdout: script } = await vpsmon(['completion', 'bash']);
    expect(code).toBe(0);
    expect(await offered(script, ['st'])).toEqual(['status']);
    expect(await offered(script, ['telegram', ''])).toEqual(expect.arrayContaining(['test', 'chats']));
    expect(await offered(script, ['--config', '/x', 'telegram', 'te'])).toEqual(['test']);
    expect(await offered(script, ['recover', 'sw'])).toEqual(['swap']);
    expect(await offered(script, ['monitor', '--on'])).toEqual(['--once']);
    expect(await offered(script, ['completion', ''])).toEqual(expect.arrayContaining(SHELLS));
    expect(await offered(script, ['status', '--config', '/etc/host'])).toContain('/etc/hostname');
  });

  it.each(SHELLS)('%s: names every command of --help', async (shell) => {
    const { stdout: help } = await vpsmon(['--help']);
    const names = [...(help.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map((m) => m[1]!);
    expect(names.length).toBeGreaterThan(10);
    const { stdout } = await vpsmon(['completion', shell]);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(stdout))).toEqual([]);
  });

  it('bash: is a script that bash can read', async () => {
    const { stdout } = await vpsmon(['completion', 'bash']);
    execFileSync('bash', ['-n'], { input: stdout });
  });

  it('names the shells that there are for another one', async () => {
    const { code, stderr } = await vpsmon(['completion', 'tcsh']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/bash.*zsh.*fish/);
  });
});
