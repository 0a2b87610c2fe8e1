import type { Command } from 'commander';

/** One command as manual, man page and completion need it. `words`: its names from the top, none for vpsmon itself. */
export type CommandPage = {
  words: string[];
  /** As it is typed: `recover [what] [reason...]`. */
  usage: string;
  description: string;
  subcommands: string[];
  arguments: { name: string; description: string; words: string[] }[];
  /** Options of this command alone; `flags` as help shows them. */
  options: { flags: string; long: string; description: string }[];
  /** What its options take as a value, by their names: `file`, `dir`, `duration`. */
  valued: ReadonlyMap<string, string>;
  /** Which of the options that many commands share it takes. */
  shared: string[];
  examples: readonly string[];
};

/** Options that most commands take: described once. */
export const SHARED_OPTIONS: Record<string, { flags: string; help: string }> = {
  '--config': { flags: '--config FILE', help: 'uses this `monitor.conf`' },
  '--state-dir': {
    flags: '--state-dir DIR',
    help: 'uses this folder for history, incidents and logs',
  },
  '--json': { flags: '--json', help: 'prints data as JSON' },
  '--dry-run': { flags: '--dry-run', help: 'shows what would be done, and does not do it' },
  '--help': { flags: '-h, --help', help: 'prints help, for a command with examples' },
};

/** Every visible command, vpsmon itself first, each before its subcommands. */
export function commandsOf(
  command: Command,
  examples: ReadonlyMap<Command, readonly string[]> = new Map(),
  words: string[] = [],
): CommandPage[] {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  const options = help
    .visibleOptions(command)
    .map(({ flags, long, description }) => ({ flags, long: long ?? '', description }));
  const own: CommandPage = {
    words,
    usage: [...words.slice(0, -1), help.subcommandTerm(command)].join(' '),
    description: command.description(),
    subcommands: subcommands.map((sub) => sub.name()),
    arguments: command.registeredArguments.map((given) => ({
      name: given.name(),
      description: given.description,
      words: wordsOf(given.description),
    })),
    options: options.filter(({ long }) => !(long in SHARED_OPTIONS)),
    valued: new Map(
      help.visibleOptions(command).flatMap(({ flags, long }) => {
        const [, kind] = /<(\w+)>$/.exec(flags) ?? [];
        return long && kind ? [[long, kind] as const] : [];
      }),
    ),
    shared: options.map(({ long }) => long).filter((long) => long in SHARED_OPTIONS),
    examples: examples.get(command) ?? [],
  };
  return [
    own,
    ...subcommands
      .filter((sub) => sub.name() !== 'help')
      .flatMap((sub) => commandsOf(sub, examples, [...words, sub.name()])),
  ];
}

/** What an argument can be, where its description is a list of single words: `waha, queue or swap`. */
function wordsOf(description: string): string[] {
  const listed = description.split(/, | or /);
  return listed.length > 1 && listed.every((word) => /^[a-z][a-z0-9-]*$/.test(word)) ? listed : [];
}

/** All commands as Markdown: what they do, what they take, examples. */
export function commandsMarkdown(pages: CommandPage[]): string {
  const shared = Object.values(SHARED_OPTIONS).map(({ flags, help }) => `- \`${flags}\`: ${help}`);
  const intro = [
    'Options that several commands take, before the command or after it:',
    '',
    ...shared,
    '- `-V`, `--version`: the version; without a command',
  ];
  const parts = pages.filter(({ words, subcommands }) => words.length > 0 && subcommands.length === 0);
  return [...intro, ...parts.flatMap((page) => ['', ...commandMarkdown(page)])].join('\n');
}

function commandMarkdown(page: CommandPage): string[] {
  const given = page.arguments.map(
    ({ name, description, words }) =>
      `- \`${name}\`: ${words.length > 0 ? words.map((word) => `\`${word}\``).join(', ') : description}`,
  );
  const options = page.options.map(({ flags, description }) => `- \`${flags}\`: ${description}`);
  const also = page.shared.filter((long) => long === '--json' || long === '--dry-run');
  return [
    `## \`vpsmon ${page.usage}\``,
    '',
    `${sentence(page.description)}${also.length > 0 ? ` (${also.map((long) => `\`${long}\``).join(', ')})` : ''}`,
    ...(given.length + options.length > 0 ? ['', ...given, ...options] : []),
    ...(page.examples.length > 0 ? ['', '```', ...page.examples.map((line) => `vpsmon ${line}`), '```'] : []),
  ];
}

function sentence(text: string): string {
  const trimmed = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return trimmed.endsWith('.') ? trimmed : `${trimmed}.`;
}
