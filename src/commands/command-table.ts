// Every command with what it takes, on one page; help, man page, manual and completion are made of it. Each action is imported when it
// runs, so that no command pays for another's libraries.
import type { Command } from 'commander';
import type { CommandContext, GlobalOptions, Io } from './context.ts';

/** The options of all commands, as the option parser names them. */
export type TypedOptions = GlobalOptions & {
  once?: boolean;
  to?: string;
  chart?: string;
  stdout?: boolean;
  tokenFile?: string;
  chatId?: string;
  purge?: boolean;
  reason?: string;
  since?: string;
  replay?: string;
  capacity?: string;
};

/** What was typed. `words`: the arguments, without those that were left out. */
export type Given = {
  options: TypedOptions;
  words: readonly string[];
  /** With the settings; 3, and what is wrong with them, where they have mistakes. */
  inContext(action: (context: CommandContext) => Promise<number>): Promise<number>;
  io: Io;
  program: Command;
  examples: ReadonlyMap<Command, readonly string[]>;
};

export type CommandEntry = {
  name: string;
  description: string;
  /** `[optional]`, `<required>` or `[several...]`, what it is, and its default. */
  arguments?: [flags: string, description: string, usual?: string][];
  /** Without a description: not for people. */
  options?: [flags: string, description?: string, usual?: string][];
  /** Takes --json; all do that do not say `false`. */
  json?: boolean | 'with --once';
  /** Takes --dry-run: whatever changes something. */
  dryRun?: boolean;
  /** Takes none of the options that commands share. */
  plain?: boolean;
  hidden?: boolean;
  examples?: string[];
  subcommands?: CommandEntry[];
  /** Returns the exit code. */
  run?(given: Given): Promise<number>;
};

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'monitor',
    description: 'watch until stopped; with --once, check this host once',
    options: [['--once', 'one full check to the terminal']],
    json: 'with --once',
    examples: ['monitor --once', 'monitor --once --json', 'monitor --config /etc/vpsmon/monitor.conf'],
    run: ({ inContext, options }) =>
      inContext(async (c) =>
        options.once === true
          ? (await import('./monitor-once.ts')).monitorOnce(c)
          : (await import('./monitor.ts')).monitor(c),
      ),
  },
  {
    name: 'recover',
    description:
      'repair what can be repaired safely: all rules once, or one of them; or undo, accept, history, restart-waha',
    arguments: [
      [
        '[what]',
        'run-all, waha, queue, swap, loops, restart-waha, restart-container, stop-container, undo, accept or history',
        'run-all',
      ],
      [
        '[words...]',
        'restart-waha: why; restart-container, stop-container: NAME and why; undo: one rule, or the number of one action; accept: which workflow or container',
      ],
    ],
    dryRun: true,
    examples: [
      'recover --dry-run',
      'recover swap',
      'recover restart-waha "messages do not come in"',
      'recover undo',
      'recover undo 12',
      'recover accept "Nightly import"',
      'recover history --json',
    ],
    run: ({ inContext, words: [what = 'run-all', ...more] }) =>
      inContext(async (c) => (await import('./recover.ts')).recover(c, what, more.join(' '))),
  },
  {
    name: 'report',
    description: 'the daily report: print it, or send it on Telegram; both save it in the state folder',
    arguments: [['[where]', 'console or telegram', 'console']],
    // What the monitor asks for when somebody wrote /report or /chart: an answer to that chat, once, and only the picture.
    options: [['--to <chat>'], ['--chart <duration>'], ['--asked <id>']],
    dryRun: true,
    examples: ['report', 'report telegram', 'report --json'],
    run: ({ inContext, words: [where = 'console'], options }) =>
      inContext(async (c) => (await import('./report.ts')).report(c, where, undefined, options)),
  },
  {
    name: 'export',
    description: 'metrics for Prometheus: write metrics/vpsmon.prom in the state folder, or print them',
    arguments: [['[section]', 'all, waha, n8n, leads, host, containers, postgres or redis', 'all']],
    options: [['--stdout', 'print instead of writing the file']],
    json: false,
    dryRun: true,
    examples: ['export', 'export --stdout', 'export containers --stdout'],
    run: ({ inContext, words: [section = 'all'], options }) =>
      inContext(async (c) =>
        (await import('./export.ts')).exportMetrics(c, section, options.stdout === true),
      ),
  },
  {
    name: 'setup',
    description: "set up in one go: the bot, your chat, this server's name, recovery",
    options: [
      ['--token-file <file>', 'read the token of the bot from this file; - is what is piped in'],
      ['--chat-id <id>', 'send to this chat; with --token-file, nothing is asked'],
    ],
    json: false,
    dryRun: true,
    examples: ['setup', 'setup --token-file /root/token --chat-id -1001234567890'],
    run: async ({ options, io }) => (await import('./setup.ts')).runSetup(options, options, io),
  },
  {
    name: 'install',
    description: 'install, or upgrade, and start the systemd units (as root)',
    dryRun: true,
    examples: ['install --dry-run', 'install'],
    run: ({ inContext }) => inContext(async (c) => (await import('./install.ts')).install(c)),
  },
  {
    name: 'uninstall',
    description: 'stop and remove what install put on this machine (as root)',
    options: [['--purge', 'remove settings, history and logs, too']],
    dryRun: true,
    examples: ['uninstall --dry-run', 'uninstall', 'uninstall --purge'],
    run: ({ inContext, options }) =>
      inContext(async (c) => (await import('./uninstall.ts')).uninstall(c, options.purge === true)),
  },
  {
    name: 'status',
    description: 'how it goes: units, last results, next runs, open incidents',
    examples: ['status', 'status --json'],
    run: ({ inContext }) => inContext(async (c) => (await import('./status.ts')).status(c)),
  },
  {
    name: 'doctor',
    description: 'test the whole set-up, and say what to do about what is wrong',
    examples: ['doctor', 'doctor --json'],
    run: async ({ options, io }) => (await import('./doctor.ts')).runDoctor(options, io),
  },
  {
    name: 'telegram',
    description: 'try the Telegram set-up',
    examples: ['telegram chats', 'telegram test'],
    subcommands: [
      {
        name: 'test',
        description: 'send a test message',
        dryRun: true,
        run: ({ inContext }) => inContext(async (c) => (await import('./telegram.ts')).telegramTest(c)),
      },
      {
        name: 'chats',
        description: 'list the chats that wrote to the bot, with their ids',
        run: ({ inContext }) => inContext(async (c) => (await import('./telegram.ts')).telegramChats(c)),
      },
    ],
  },
  {
    name: 'silence',
    description: 'no messages about a container, a rule or everything for a while; or list, or end SUBJECT',
    arguments: [
      ['<subject>', 'a container, a service, a rule, a mount or `all`; or `list`, or `end`'],
      ['[duration]', 'how long, like 30m, 2h or 1d; after `end`: the subject'],
    ],
    options: [['--reason <text>', 'why']],
    dryRun: true,
    examples: [
      'silence n8n 2h --reason "upgrade"',
      'silence disk 1d',
      'silence all 30m',
      'silence list',
      'silence end n8n',
    ],
    run: ({ inContext, words: [subject = '', duration], options }) =>
      inContext(async (c) => {
        const silences = await import('./silence.ts');
        if (subject === 'list' && duration === undefined) return silences.silenceList(c);
        if (subject === 'end') return silences.silenceEnd(c, duration);
        return silences.silence(c, subject, duration, options.reason);
      }),
  },
  {
    name: 'incidents',
    description: 'what is open and what happened: since when, how long, how bad, what was done',
    arguments: [
      ['[show]', '`show`, for everything about one incident'],
      ['[id]', 'its number'],
    ],
    options: [['--since <duration>', 'how far back, like 24h or 7d', '24h']],
    examples: ['incidents', 'incidents --since 7d', 'incidents show 12', 'incidents --json'],
    run: ({ inContext, words: [show, id], options }) =>
      inContext(async (c) => (await import('./incidents.ts')).incidents(c, show, id, options.since ?? '24h')),
  },
  {
    name: 'forecast',
    description: 'what runs out when, and because of whom',
    options: [
      [
        '--replay <file>',
        'what would have been announced of a CSV file of `timestamp,value`: epoch seconds or ISO 8601, used bytes',
      ],
      ['--capacity <bytes>', 'with --replay: the amount at which it is full'],
    ],
    examples: ['forecast', 'forecast --replay used.csv --capacity 2147483648 --json'],
    run: async ({ inContext, options, io }) =>
      options.replay === undefined && options.capacity === undefined
        ? inContext((await import('./forecast.ts')).forecast)
        : (await import('./forecast-replay.ts')).forecastReplay(options, io),
  },
  {
    name: 'config',
    description: 'check and show the configuration',
    examples: ['config check', 'config show --json'],
    subcommands: [
      {
        name: 'check',
        description: 'all problems at once, each with file, line and key',
        run: async ({ options, io }) => (await import('./config.ts')).configCheck(options, io),
      },
      {
        name: 'show',
        description: 'the effective values, and where each came from; secrets masked',
        run: async ({ options, io }) => (await import('./config.ts')).configShow(options, io),
      },
    ],
  },
  {
    name: 'completion',
    description: 'tab completion for your shell: prints the script that it reads',
    arguments: [['<shell>', 'bash, zsh or fish']],
    plain: true,
    examples: ['completion bash', 'completion zsh', 'completion fish'],
    async run({ words: [shell = ''], io, program }) {
      const { completionScript, isShell } = await import('../outputs/terminal/completion.ts');
      if (!isShell(shell)) {
        io.err('vpsmon: completion is there for bash, zsh and fish.');
        return 3;
      }
      io.out(completionScript(shell, program));
      return 0;
    },
  },
  {
    // What the completion scripts ask.
    name: '__complete',
    description: '',
    arguments: [['<what>', 'subjects, silenced, incidents, containers, actions or left-off']],
    json: false,
    hidden: true,
    run: async ({ options, words: [what = ''], io }) =>
      (await import('./complete.ts')).complete(options, what, (line) => io.out(line)),
  },
  {
    // What the build makes of the command line.
    name: '__pages',
    description: '',
    arguments: [
      ['<folder>', ''],
      ['<date>', ''],
    ],
    plain: true,
    hidden: true,
    async run({ words: [folder = '', date = ''], program, examples }) {
      (await import('./pages.ts')).writePages(folder, program, examples, date);
      return 0;
    },
  },
];

/** The names of the old script, without `recover` before them. */
export const OLD_COMMANDS: readonly CommandEntry[] = [
  'run-all',
  'check-waha',
  'check-queue',
  'check-swap',
  'check-loops',
  'restart-waha',
].map((name) => ({
  name,
  description: `the same as \`recover ${name}\``,
  ...(name === 'restart-waha' ? { arguments: [['[reason...]', 'why']] } : {}),
  dryRun: true,
  run: ({ inContext, words }: Given) =>
    inContext(async (c) => (await import('./recover.ts')).recover(c, name, words.join(' '))),
}));
