import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../version.ts';
import type { GlobalOptions, Io } from './context.ts';
import type { Action } from './in-context.ts';
import { terminalIo } from './io.ts';

const EXIT_CODES = `
Exit codes: 0 all fine; 1 warnings; 2 critical, or what was asked for failed;
3 vpsmon could not do its work (usage, configuration, an unexpected error).`;

export type CommandLine = {
  program: Command;
  /** Lines after `vpsmon ` that the help of a command shows as examples. */
  examples: ReadonlyMap<Command, readonly string[]>;
  /** What the action that ran decided; 0 before. */
  exitCode(): number;
};

/** Runs what `argv` asks for and returns the exit code. */
export async function runCommandLine(argv: string[]): Promise<number> {
  const { program, exitCode } = commandLine(terminalIo());
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 3;
  }
  return exitCode();
}

/** The whole command surface. Every action is imported when it runs, so that no command pays for another's libraries. */
export function commandLine(io: Io): CommandLine {
  let exitCode = 0;
  const shown = new Map<Command, readonly string[]>();

  const program = new Command('vpsmon');
  program
    .description(
      'Watches a small Linux server that runs its services in Docker, says on Telegram what is about to go wrong, and repairs what can be repaired safely.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help, for a command with examples')
    .helpCommand('help [command]', 'the same as --help of that command')
    .exitOverride()
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

  /** Options that every command takes. */
  function leaf(command: Command, extra: { dryRun?: boolean; json?: boolean } = {}): Command {
    command
      .addOption(new Option('--config <file>', 'use this monitor.conf'))
      .addOption(new Option('--state-dir <dir>', 'keep history, incidents and logs here'));
    if (extra.json !== false) command.addOption(new Option('--json', 'print data as JSON'));
    if (extra.dryRun) command.addOption(new Option('--dry-run', 'show what would be done, and do nothing'));
    const { parent } = command;
    const path = parent && parent !== program ? `${parent.name()} ${command.name()}` : command.name();
    return command.exitOverride().showHelpAfterError(`\`vpsmon ${path} --help\` shows what it takes.`);
  }
  function examples(command: Command, lines: string[]): Command {
    shown.set(command, lines);
    return command.addHelpText(
      'after',
      `\nExamples:\n${lines.map((line) => `  $ vpsmon ${line}`).join('\n')}`,
    );
  }
  async function withContext(command: Command, action: Action): Promise<void> {
    const { inContext } = await import('./in-context.ts');
    exitCode = await inContext(command.optsWithGlobals<GlobalOptions>(), io, action);
  }

  const monitor = leaf(
    program.command('monitor').description('watch until stopped; with --once, check this host once'),
  )
    .option('--once', 'one full check to the terminal')
    .action(async (options: { once?: boolean }, command: Command) => {
      if (options.once)
        return withContext(command, async (c) => (await import('./monitor-once.ts')).monitorOnce(c));
      return withContext(command, async (c) => (await import('./monitor.ts')).monitor(c));
    });
  examples(monitor, ['monitor --once', 'monitor --once --json', 'monitor --config /etc/vpsmon/monitor.conf']);

  const recover = leaf(
    program
      .command('recover')
      .description(
        'repair what can be repaired safely: all rules once, or one of them; or undo, accept, history, restart-waha',
      )
      .argument(
        '[what]',
        'run-all, waha, queue, swap, loops, restart-waha, restart-container, stop-container, undo, accept or history',
        'run-all',
      )
      .argument(
        '[words...]',
        'restart-waha: why; restart-container, stop-container: NAME and why; undo: one rule, or the number of one action; accept: which workflow or container',
      ),
    { dryRun: true },
  ).action(async (what: string, reason: string[], _options: unknown, command: Command) =>
    withContext(command, async (c) => (await import('./recover.ts')).recover(c, what, reason.join(' '))),
  );
  examples(recover, [
    'recover --dry-run',
    'recover swap',
    'recover restart-waha "messages do not come in"',
    'recover undo',
    'recover undo 12',
    'recover accept "Nightly import"',
    'recover history --json',
  ]);

  // The words of the old script, without `recover` before them.
  for (const word of ['run-all', 'check-waha', 'check-queue', 'check-swap', 'check-loops', 'restart-waha']) {
    const old = program.command(word, { hidden: true }).description(`the same as \`recover ${word}\``);
    if (word === 'restart-waha') old.argument('[reason...]', 'why');
    leaf(old, { dryRun: true }).action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      return withContext(command, async (c) =>
        (await import('./recover.ts')).recover(c, word, command.args.join(' ')),
      );
    });
  }

  const report = leaf(
    program
      .command('report')
      .description('the daily report: print it, or send it on Telegram; both save it in the state folder')
      .argument('[where]', 'console or telegram', 'console'),
    { dryRun: true },
  )
    // What the monitor asks for when somebody wrote /report or /chart: an answer to that chat, and only the picture.
    .addOption(new Option('--to <chat>').hideHelp())
    .addOption(new Option('--chart <duration>').hideHelp())
    .action(async (where: string, asked: { to?: string; chart?: string }, command: Command) =>
      withContext(command, async (c) => (await import('./report.ts')).report(c, where, undefined, asked)),
    );
  examples(report, ['report', 'report telegram', 'report --json']);

  const exporter = leaf(
    program
      .command('export')
      .description('metrics for Prometheus: write metrics/vpsmon.prom in the state folder, or print them')
      .argument('[section]', 'all, waha, n8n, leads, host, containers, postgres or redis', 'all'),
    { dryRun: true, json: false },
  )
    .option('--stdout', 'print instead of writing the file')
    .action(async (section: string, options: { stdout?: boolean }, command: Command) =>
      withContext(command, async (c) =>
        (await import('./export.ts')).exportMetrics(c, section, options.stdout === true),
      ),
    );
  examples(exporter, ['export', 'export --stdout', 'export containers --stdout']);

  const setup = leaf(
    program
      .command('setup')
      .description("set up in one go: the bot, your chat, this server's name, recovery"),
    { dryRun: true, json: false },
  )
    .option('--token-file <file>', 'read the token of the bot from this file; - is what is piped in')
    .option('--chat-id <id>', 'send to this chat; with --token-file, nothing is asked')
    .action(async (options: { tokenFile?: string; chatId?: string }, command: Command) => {
      exitCode = await (
        await import('./setup.ts')
      ).runSetup(command.optsWithGlobals<GlobalOptions>(), options, io);
    });
  examples(setup, ['setup', 'setup --token-file /root/token --chat-id -1001234567890']);

  const install = leaf(
    program.command('install').description('install, or upgrade, and start the systemd units (as root)'),
    { dryRun: true },
  ).action(async (_options: unknown, command: Command) =>
    withContext(command, async (c) => (await import('./install.ts')).install(c)),
  );
  examples(install, ['install --dry-run', 'install']);

  const uninstall = leaf(
    program.command('uninstall').description('stop and remove what install put on this machine (as root)'),
    { dryRun: true },
  )
    .option('--purge', 'remove settings, history and logs, too')
    .action(async (options: { purge?: boolean }, command: Command) =>
      withContext(command, async (c) =>
        (await import('./uninstall.ts')).uninstall(c, options.purge === true),
      ),
    );
  examples(uninstall, ['uninstall --dry-run', 'uninstall', 'uninstall --purge']);

  const status = leaf(
    program.command('status').description('how it goes: units, last results, next runs, open incidents'),
  ).action(async (_options: unknown, command: Command) =>
    withContext(command, async (c) => (await import('./status.ts')).status(c)),
  );
  examples(status, ['status', 'status --json']);

  const doctor = leaf(
    program.command('doctor').description('test the whole set-up, and say what to do about what is wrong'),
  ).action(async (_options: unknown, command: Command) => {
    const { doctor: examine } = await import('./doctor.ts');
    const options = command.optsWithGlobals<GlobalOptions>();
    const { makeContext } = await import('./make-context.ts');
    // What is wrong stands among its lines.
    const context = await makeContext(options, io, { quiet: true });
    exitCode =
      'problems' in context
        ? await examine({ io, options, problems: context.problems })
        : await examine(context);
  });
  examples(doctor, ['doctor', 'doctor --json']);

  const telegram = program.command('telegram').description('try the Telegram set-up').exitOverride();
  leaf(telegram.command('test').description('send a test message'), { dryRun: true }).action(
    async (_o: unknown, command: Command) =>
      withContext(command, async (c) => (await import('./telegram.ts')).telegramTest(c)),
  );
  leaf(telegram.command('chats').description('list the chats that wrote to the bot, with their ids')).action(
    async (_o: unknown, command: Command) =>
      withContext(command, async (c) => (await import('./telegram.ts')).telegramChats(c)),
  );
  examples(telegram, ['telegram chats', 'telegram test']);

  const silence = leaf(
    program
      .command('silence')
      .description('no messages about a container, a rule or everything for a while; or list, or end SUBJECT')
      .argument('<subject>', 'a container, a service, a rule, a mount or `all`; or `list`, or `end`')
      .argument('[duration]', 'how long, like 30m, 2h or 1d; after `end`: the subject'),
    { dryRun: true },
  )
    .option('--reason <text>', 'why')
    .action(
      async (subject: string, duration: string | undefined, options: { reason?: string }, command: Command) =>
        withContext(command, async (c) => {
          const silences = await import('./silence.ts');
          if (subject === 'list' && duration === undefined) return silences.silenceList(c);
          if (subject === 'end') return silences.silenceEnd(c, duration);
          return silences.silence(c, subject, duration, options.reason);
        }),
    );
  examples(silence, [
    'silence n8n 2h --reason "upgrade"',
    'silence disk 1d',
    'silence all 30m',
    'silence list',
    'silence end n8n',
  ]);

  const incidents = leaf(
    program
      .command('incidents')
      .description('what is open and what happened: since when, how long, how bad, what was done')
      .argument('[show]', '`show`, for everything about one incident')
      .argument('[id]', 'its number'),
  )
    .option('--since <duration>', 'how far back, like 24h or 7d', '24h')
    .action(
      async (
        show: string | undefined,
        id: string | undefined,
        options: { since: string },
        command: Command,
      ) =>
        withContext(command, async (c) => {
          const { incidentsList, incidentsShow } = await import('./incidents.ts');
          if (show === undefined) return incidentsList(c, options.since);
          if (show === 'show') return incidentsShow(c, id);
          c.io.err(
            `vpsmon: \`incidents ${show}\` is not known. Try \`vpsmon incidents\` or \`vpsmon incidents show ID\`.`,
          );
          return 3;
        }),
    );
  examples(incidents, ['incidents', 'incidents --since 7d', 'incidents show 12', 'incidents --json']);

  const forecast = leaf(program.command('forecast').description('what runs out when, and because of whom'))
    .option(
      '--replay <file>',
      'what would have been announced of a CSV file of `timestamp,value`: epoch seconds or ISO 8601, used bytes',
    )
    .option('--capacity <bytes>', 'with --replay: the amount at which it is full')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { replay?: string; capacity?: string }>();
      if (options.replay !== undefined || options.capacity !== undefined) {
        const { forecastReplay } = await import('./forecast-replay.ts');
        exitCode = forecastReplay(options, io);
        return;
      }
      const { forecast } = await import('./forecast.ts');
      const { inContext } = await import('./in-context.ts');
      exitCode = await inContext(options, io, forecast);
    });
  examples(forecast, ['forecast', 'forecast --replay used.csv --capacity 2147483648 --json']);

  const config = program.command('config').description('check and show the configuration').exitOverride();
  leaf(config.command('check').description('all problems at once, each with file, line and key')).action(
    async (_o: unknown, command: Command) => {
      exitCode = await (
        await import('./config.ts')
      ).configCheck(command.optsWithGlobals<GlobalOptions>(), io);
    },
  );
  leaf(
    config.command('show').description('the effective values, and where each came from; secrets masked'),
  ).action(async (_o: unknown, command: Command) => {
    exitCode = await (await import('./config.ts')).configShow(command.optsWithGlobals<GlobalOptions>(), io);
  });
  examples(config, ['config check', 'config show --json']);

  const completion = program
    .command('completion')
    .description('tab completion for your shell: prints the script that it reads')
    .argument('<shell>', 'bash, zsh or fish')
    .exitOverride()
    .showHelpAfterError('`vpsmon completion --help` shows what it takes.')
    .action(async (shell: string) => {
      const { completionScript, isShell } = await import('../outputs/terminal/completion.ts');
      if (isShell(shell)) return io.out(completionScript(shell, program));
      io.err('vpsmon: completion is there for bash, zsh and fish.');
      exitCode = 3;
    });
  examples(completion, ['completion bash', 'completion zsh', 'completion fish']);

  // What the completion scripts ask, and what the build makes of the command line. Neither is for people.
  leaf(
    program
      .command('__complete', { hidden: true })
      .argument('<what>', 'subjects, silenced, incidents, containers, actions or left-off'),
    {
      json: false,
    },
  ).action(async (what: string, _options: unknown, command: Command) => {
    const { complete } = await import('./complete.ts');
    exitCode = await complete(command.optsWithGlobals<GlobalOptions>(), what, (text) => io.out(text));
  });
  program
    .command('__pages', { hidden: true })
    .argument('<folder>')
    .argument('<date>')
    .action(async (folder: string, date: string) => {
      const { writePages } = await import('./pages.ts');
      writePages(folder, program, shown, date);
    });

  return { program, examples: shown, exitCode: () => exitCode };
}

function subcommandTerm(command: Command): string {
  const names = command.registeredArguments.map((given) => {
    const name = given.name() + (given.variadic ? '...' : '');
    return given.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...names].join(' ');
}
