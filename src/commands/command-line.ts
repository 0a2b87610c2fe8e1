import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { VERSION } from '../version.ts';
import { COMMANDS, OLD_COMMANDS, type CommandEntry, type Given, type TypedOptions } from './command-table.ts';
import type { Io } from './context.ts';
import { terminalIo } from './io.ts';

const EXIT_CODES = `
Exit codes: 0 all fine; 1 warnings; 2 critical, or what was asked for failed;
3 vpsmon could not do its work (usage, configuration, an unexpected error).`;

export type CommandLine = {
  io: Io;
  program: Command;
  /** Lines after `vpsmon ` that the help of a command shows as examples. */
  examples: Map<Command, readonly string[]>;
  /** What the action that ran decided; 0 before. */
  exitCode: number;
};

/** Runs what `argv` asks for and returns the exit code. */
export async function runCommandLine(argv: string[]): Promise<number> {
  const line = commandLine(terminalIo());
  const { program } = line;
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  const asked = /^(?:-h|--help)$/.test(argv[0] ?? '') && /^[a-z]/.test(argv[1] ?? '');
  try {
    // `--help status` is meant as `help status`.
    await program.parseAsync(asked ? ['help', ...argv.slice(1)] : argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 3;
  }
  return line.exitCode;
}

/** The whole command surface, made of the table of commands. */
export function commandLine(io: Io): CommandLine {
  const program = new Command('vpsmon')
    .description(
      'Watches a small Linux server that runs its services in Docker, says on Telegram what is about to go wrong, and repairs what can be repaired safely.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help, for a command with examples')
    .helpCommand(false)
    .exitOverride()
    // Options in front of the command are these here, those behind it are the command's own.
    .enablePositionalOptions()
    // Short enough for two columns on a terminal of 80; that a command takes options goes without saying.
    .configureHelp({ subcommandTerm })
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // As all other messages begin.
      outputError: (text, write) => write(text.replace(/^error:/, 'vpsmon:')),
    })
    .showHelpAfterError('Run `vpsmon --help` for the list of commands.')
    .addHelpText('after', EXIT_CODES);
  for (const option of SHARED) program.addOption(option());
  const line: CommandLine = { io, program, examples: new Map(), exitCode: 0 };
  for (const entry of COMMANDS) add(line, program, entry);
  for (const entry of OLD_COMMANDS) add(line, program, { ...entry, hidden: true });
  addHelp(program);
  return line;
}

function addHelp(parent: Command): void {
  const command = parent
    .command('help')
    .description('the same as --help of that command')
    .argument('[command...]', 'which')
    // `help` put in front of a whole line.
    .allowUnknownOption()
    .exitOverride()
    .action(() => commandAt(parent, command.args).outputHelp());
  for (const option of SHARED) command.addOption(option().hideHelp());
}

function add(line: CommandLine, parent: Command, entry: CommandEntry): void {
  const command = parent
    .command(entry.name, { hidden: entry.hidden === true })
    .description(entry.description)
    .exitOverride();
  for (const [flags, description, usual] of entry.arguments ?? [])
    command.argument(flags, description, usual);
  for (const option of optionsOf(entry)) command.addOption(option);
  for (const sub of entry.subcommands ?? []) add(line, command, sub);
  if (entry.subcommands) {
    command
      .enablePositionalOptions()
      .showHelpAfterError(`Run \`vpsmon ${entry.name} --help\` for the list of commands.`);
    addHelp(command);
  }
  if (entry.examples) {
    line.examples.set(command, entry.examples);
    const lines = entry.examples.map((example) => `  $ vpsmon ${example}`);
    command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  }
  const { run } = entry;
  if (!run) return;
  const path = parent === line.program ? entry.name : `${parent.name()} ${entry.name}`;
  command.showHelpAfterError(`\`vpsmon ${path} --help\` shows what it takes.`).action(async () => {
    const { io, program, examples } = line;
    const options = typedOptions(command);
    const refused = (['json', 'dryRun'] as const).find((name) => options[name] && !takes(entry, name));
    if (refused)
      command.error(`error: \`${path}\` does not take --${refused === 'json' ? 'json' : 'dry-run'}`);
    if (options.json && entry.json === 'with --once' && options.once !== true)
      command.error(`error: \`${path}\` takes --json ${entry.json} only`);
    const inContext: Given['inContext'] = async (action) =>
      (await import('./in-context.ts')).inContext(options, io, action);
    line.exitCode = await run({ options, words: command.args, inContext, io, program, examples });
  });
}

/** Every command takes them, in front of it and behind it, so that none is refused for where it stands; help shows those that do something. */
const SHARED = [
  () => new Option('--config <file>', 'use this monitor.conf').argParser(filled),
  () => new Option('--state-dir <dir>', 'keep history, incidents and logs here').argParser(filled),
  () => new Option('--json', 'print data as JSON'),
  () => new Option('--dry-run', 'show what would be done, and do nothing'),
];

/** An unset variable of a shell would name the folder that one happens to be in. */
function filled(value: string): string {
  if (value === '') throw new InvalidArgumentError('It is empty.');
  return value;
}

function optionsOf(entry: CommandEntry): Option[] {
  const shown = [!entry.plain, !entry.plain, takes(entry, 'json'), takes(entry, 'dryRun')];
  return [
    ...SHARED.map((option, i) => option().hideHelp(!entry.run || !shown[i])),
    ...(entry.options ?? []).map(([flags, description, usual]) => {
      const option = new Option(flags, description);
      if (usual !== undefined) option.default(usual);
      return description === undefined ? option.hideHelp() : option;
    }),
  ];
}

/** Of an option that is given twice, the one behind the command counts. */
function typedOptions(command: Command): TypedOptions {
  return { ...(command.parent ? typedOptions(command.parent) : {}), ...command.opts<TypedOptions>() };
}

function takes(
  { plain = false, json = true, dryRun = false }: CommandEntry,
  name: 'json' | 'dryRun',
): boolean {
  return !plain && (name === 'json' ? json !== false : dryRun);
}

/** The command that `words` lead to from `from`; what a command without subcommands takes may stand behind it. */
function commandAt(from: Command, words: readonly string[]): Command {
  const [word, ...rest] = words;
  if (word === undefined || from.commands.length === 0) return from;
  const next = from.commands.find((command) => command.name() === word);
  return next ? commandAt(next, rest) : from.error(`error: unknown command '${word}'`);
}

function subcommandTerm(command: Command): string {
  const names = command.registeredArguments.map((given) => {
    const name = given.name() + (given.variadic ? '...' : '');
    return given.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...names].join(' ');
}
