import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeState } from '../helpers/completion-state.ts';
import { BIN, vpsmon } from '../helpers/daemon.ts';

let stateDir: string;
beforeAll(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-completion-'));
  writeState(stateDir);
});
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

const SHELLS = ['bash', 'zsh', 'fish'];

/** What bash offers for the last word, with the script that the command prints. */
async function offered(script: string, words: string[], state = '/nonexistent'): Promise<string[]> {
  const run = `${script}
vpsmon() { ${process.execPath} ${BIN} "$@"; }
COMP_WORDS=(vpsmon "$@"); COMP_CWORD=$(( $# )); _vpsmon; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', run, 'bash', ...words], {
    env: { ...process.env, VPSMON_STATE_DIR: state },
  });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('vpsmon completion', () => {
  it('bash: offers commands, subcommands, fixed arguments and options', async () => {
    const { code, stdout: script } = await vpsmon(['completion', 'bash']);
    expect(code).toBe(0);
    expect(await offered(script, ['st'])).toEqual(['status']);
    expect(await offered(script, ['--st'])).toEqual(['--state-dir']);
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

  it('bash: offers containers, rules, silences and incidents of this server, where they belong', async () => {
    const { stdout: script } = await vpsmon(['completion', 'bash']);
    const live = (...words: string[]) => offered(script, words, stateDir);
    expect(await live('silence', 'sho')).toEqual(['shop-web-1']);
    expect(await live('silence', 'we')).toEqual(['web']);
    expect(await live('silence', 'swap-')).toEqual(['swap-used', 'swap-in']);
    expect(await live('silence', 'a')).toEqual(['all']);
    expect(await live('silence', 'end', '')).toEqual(expect.arrayContaining(['web']));
    expect(await live('incidents', 'show', '')).toEqual(expect.arrayContaining(['1']));
    expect(await live('silence', 'web', '')).not.toContain('shop-web-1');
    expect(await live('silence', 'web', '')).toContain('2h');
    expect(await live('silence', 'web', '2h', '--re')).toEqual(['--reason']);
    expect(await live('silence', '--dry-run', 'shop')).toEqual(['shop-web-1']);
    expect(await live('silence', '--reason', 'silence', 'shop')).toEqual(['shop-web-1']);
    expect(await live('recover', 'restart-container', '')).toContain('shop-web-1');
    expect(await live('recover', 'stop-container', 'w')).toEqual([]);
    expect(await live('recover', 'undo', '')).toEqual(expect.arrayContaining(['swap', 'loops']));
    expect(await live('recover', 'accept', 'x')).toEqual([]);
  });

  it('bash: offers behind help what may stand in its place', async () => {
    const { stdout: script } = await vpsmon(['completion', 'bash']);
    expect(await offered(script, ['he'])).toEqual(['help']);
    expect(await offered(script, ['help', ''])).toEqual(
      expect.arrayContaining(['status', 'telegram', 'completion']),
    );
    expect(await offered(script, ['help', 'st'])).toEqual(['status']);
    expect(await offered(script, ['help', 'telegram', 'c'])).toEqual(['chats']);
    expect(await offered(script, ['telegram', 'help', 'c'])).toEqual(['chats']);
    expect(await offered(script, ['--config', '/x', 'help', 'st'])).toEqual(['status']);
  });

  it('bash: asks the state folder that stands in the line, and offers files and folders where an option takes one', async () => {
    const { stdout: script } = await vpsmon(['completion', 'bash']);
    expect(await offered(script, ['--state-dir', stateDir, 'silence', 'sho'])).toEqual(['shop-web-1']);
    expect(await offered(script, ['silence', '--state-dir', '=', stateDir, 'sho'])).toEqual(['shop-web-1']);
    expect(await offered(script, ['forecast', '--replay', '/etc/host'])).toContain('/etc/hostname');
    expect(await offered(script, ['status', '--config', '=', '/etc/host'])).toContain('/etc/hostname');
    expect(await offered(script, ['status', '--state-dir', '/us'])).toEqual(['/usr']);
    expect(await offered(script, ['silence', 'web', '--reason', 's'])).toEqual([]);
  });

  it('bash: runs nothing that a container is called', async () => {
    const { stdout: script } = await vpsmon(['completion', 'bash']);
    await offered(script, ['silence', ''], stateDir);
    await offered(script, ['incidents', 'show', ''], stateDir);
    expect(existsSync(join(stateDir, 'owned'))).toBe(false);
    const { stdout } = await vpsmon(['__complete', 'subjects', '--state-dir', stateDir]);
    expect(stdout).toContain('shop-web-1');
    expect(stdout).not.toMatch(/[$`;()]/);
  });

  it.each(['subjects', 'silenced', 'incidents', 'nonsense'])(
    'lists %s without a word of an error where settings or state cannot be read',
    async (what) => {
      const bad = join(stateDir, 'bad.conf');
      writeFileSync(bad, 'SERVICE_CHECK_INTERVAL=never\n');
      const corrupt = mkdtempSync(join(tmpdir(), 'vpsmon-complete-'));
      writeFileSync(join(corrupt, 'vpsmon.db'), 'this is no database');
      for (const more of [
        ['--config', bad],
        ['--state-dir', '/nonexistent'],
        ['--state-dir', corrupt],
      ]) {
        const { code, stderr } = await vpsmon(['__complete', what, ...more]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      }
      rmSync(corrupt, { recursive: true, force: true });
    },
  );

  it('names the shells that there are for another one', async () => {
    const { code, stderr } = await vpsmon(['completion', 'tcsh']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/bash.*zsh.*fish/);
  });
});
