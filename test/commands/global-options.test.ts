import { describe, expect, it } from 'vitest';
import { vpsmon } from '../helpers/daemon.ts';

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
    // Data was asked for, or that nothing is done: another command is not run in their place.
    ['--json setup', '`setup` does not take --json'],
    ['--dry-run status', '`status` does not take --dry-run'],
    ['config --dry-run check', '`config check` does not take --dry-run'],
  ])('%s', async (line, expected) => {
    const { code, stderr } = await run(line);
    expect(stderr).toContain(expected);
    expect(code).toBe(3);
  });

  it.each([
    ['--config /nonexistent completion bash', 'complete -F _vpsmon'],
    ['--state-dir /nonexistent --json --help', 'Usage: vpsmon'],
    ['--config /nonexistent help status', 'Usage: vpsmon status'],
    ['--json --version', '.'],
    ['--config /dev/null --json config show', '"settings"'],
  ])('%s', async (line, expected) => {
    const { code, stdout } = await run(line);
    expect(stdout).toContain(expected);
    expect(code).toBe(0);
  });
});
