import { describe, expect, it } from 'vitest';
import { optionsAfterCommand } from '../../src/commands/global-options.ts';
import { unitLine } from '../../src/commands/unit-line.ts';

const moved = (line: string) => optionsAfterCommand(line.split(' ').filter((word) => word !== '')).join(' ');

describe('global options before the command', () => {
  it.each([
    ['--config F status', 'status --config F'],
    ['--config=F --json status', 'status --config=F --json'],
    ['--state-dir D telegram test', 'telegram test --state-dir D'],
    ['--config F silence n8n 2h --reason x', 'silence n8n 2h --config F --reason x'],
    ['--config A status --config B', 'status --config A --config B'],
    ['--dry-run recover -- swap', 'recover --dry-run -- swap'],
    ['--json --help', '--help'],
    // What is no line with a command stays, for the option parser to refuse.
    ['--config F', '--config F'],
    ['--config', '--config'],
    ['status --config F', 'status --config F'],
    ['--nope status', '--nope status'],
    ['', ''],
  ])('%s becomes %s', (given, expected) => {
    expect(moved(given)).toBe(expected);
  });

  it('keeps the lines of the units in the form that needs no option parser', () => {
    expect(unitLine(optionsAfterCommand(['--config', 'F', 'recover', 'run-all']))?.options).toEqual({
      config: 'F',
    });
  });
});
