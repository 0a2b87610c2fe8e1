import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../src/commands/command-line.ts';
import { COMMANDS } from '../../src/commands/command-table.ts';
import { BIN, vpsmon } from '../helpers/daemon.ts';

let printed = '';
const silent = {
  out: (text: string) => void (printed += text),
  err: () => undefined,
  color: false,
  columns: 80,
};
const run = (line: string) => vpsmon(line.split(' '));

describe('global options before the command', () => {
  it.each([
    ['--config /nonexistent/a.conf status', '/nonexistent/a.conf does not exist'],
    ['--config=/nonexistent/a.conf --json status', '/nonexistent/a.conf does not exist'],
    ['--config /nonexistent/a.conf telegram test', '/nonexistent/a.conf does not exist'],
    ['telegram --config /nonexistent/a.conf test', '/nonexistent/a.conf does not exist'],
    ['--config /nonexistent/a.conf silence n8n 2h --reason x', '/nonexistent/a.conf does not exist'],
    ['--config /nonexistent/a.conf recover run-all', '/nonexistent/a.conf does not exist'],
    ['--config /nonexistent/a.conf --dry-run recover -- swap', '/nonexistent/a.conf does not exist'],
    // Of two the one behind the command counts.
    [
      '--config /nonexistent/a.conf status --config /nonexistent/b.conf',
      '/nonexistent/b.conf does not exist',
    ],
    ['--config', "option '--config <file>' argument missing"],
    ['--config /nonexistent/a.conf', 'Usage: vpsmon'],
    ['--nope status', "unknown option '--nope'"],
    // An unset variable of a shell is not the folder that one is in.
    ['--config= status', "argument '' is invalid"],
    ['status --state-dir=', "argument '' is invalid"],
    ['help nonsense', "unknown command 'nonsense'"],
    ['help telegram nonsense', "unknown command 'nonsense'"],
    ['config chek', '(Did you mean check?)\nRun `vpsmon config --help`'],
    // Data was asked for, or that nothing is done: another command is not run in their place.
    ['--json setup', '`setup` does not take --json'],
    ['--dry-run status', '`status` does not take --dry-run'],
    ['completion bash --json', '`completion` does not take --json'],
    ['setup --json', '`setup` does not take --json'],
    ['monitor --json', '`monitor` takes --json with --once only'],
    ['status --dry-run', '`status` does not take --dry-run'],
    ['config --dry-run check', '`config check` does not take --dry-run'],
  ])('%s', async (line, expected) => {
    const { code, stderr } = await run(line);
    expect(stderr).toContain(expected);
    expect(code).toBe(3);
  });

  it.each([
    ['--config /nonexistent completion bash', 'complete -F _vpsmon'],
    ['--state-dir /nonexistent --json --help', 'Usage: vpsmon'],
    ['completion bash --config /nonexistent --state-dir /nonexistent', 'complete -F _vpsmon'],
    ['--config /nonexistent help status', 'Usage: vpsmon status'],
    ['help --config /nonexistent status', 'Usage: vpsmon status'],
    ['help status --json --dry-run --state-dir /nonexistent', 'Usage: vpsmon status'],
    ['help telegram test', 'Usage: vpsmon telegram test'],
    ['telegram help test', 'Usage: vpsmon telegram test'],
    ['help recover undo', 'Usage: vpsmon recover'],
    ['help silence web 2h --reason upgrade', 'Usage: vpsmon silence'],
    ['help help', 'Usage: vpsmon help'],
    ['help', 'Usage: vpsmon'],
    ['--help status', 'Usage: vpsmon status'],
    ['-h telegram test', 'Usage: vpsmon telegram test'],
    ['--json --version', '.'],
    ['--help', '  --config <file> '],
    ['--config /dev/null --json config show', '"settings"'],
  ])('%s', async (line, expected) => {
    const { code, stdout } = await run(line);
    expect(stdout).toContain(expected);
    expect(code).toBe(0);
  });
});

it('every command takes --config and --state-dir in front of it and behind it, and has a help that names it', async () => {
  const names = COMMANDS.flatMap(({ name, hidden, subcommands }) =>
    hidden === true ? [] : [name, ...(subcommands ?? []).map((sub) => `${name} ${sub.name}`)],
  );
  expect(names.length).toBeGreaterThan(15);
  const failed: string[] = [];
  for (const name of names)
    for (const line of [
      `help ${name}`,
      `${name} --help`,
      `--config /nonexistent --state-dir /nonexistent ${name} --help`,
      `${name} --config /nonexistent --state-dir=/nonexistent --help`,
    ]) {
      const { program } = commandLine(silent);
      printed = '';
      const error: unknown = await program.parseAsync(line.split(' '), { from: 'user' }).catch((e) => e);
      const code = error instanceof CommanderError ? error.exitCode : 0;
      if (code !== 0 || !printed.startsWith(`Usage: vpsmon ${name} `)) failed.push(`${line}: ${printed}`);
    }
  expect(failed).toEqual([]);
});

it('U10: under systemd mistakes of the settings stand in the journal with their priority, elsewhere without', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-journal-'));
  const conf = join(folder, 'monitor.conf');
  writeFileSync(conf, 'NO_SETTING=1\nSERVICE_CHECK_INTERVAL=never\n', { mode: 0o600 });
  const file = join(folder, 'journal');
  const lines = (journal: boolean) => {
    const fd = openSync(file, 'w');
    const { dev, ino } = fstatSync(fd);
    const env = { ...process.env, JOURNAL_STREAM: journal ? `${dev}:${ino}` : '8:1' };
    const args = [BIN, 'recover', '--config', conf, '--state-dir', folder];
    spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', fd], env });
    closeSync(fd);
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(conf));
  };
  const [error, warning] = lines(true);
  expect(error).toMatch(/^<3>error: .*SERVICE_CHECK_INTERVAL/);
  expect(warning).toMatch(/^<4>warning: .*NO_SETTING/);
  expect(lines(false)).toEqual([error!.slice(3), warning!.slice(3)]);
  rmSync(folder, { recursive: true, force: true });
});
