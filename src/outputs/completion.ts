import type { Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function isShell(name: string): name is Shell {
  return SHELLS.some((shell) => shell === name);
}

/** One command as a shell completes it: `words` are its names from the top, none for vpsmon itself. */
type Completed = { words: string[]; subcommands: string[]; options: string[]; arguments: string[] };

/**
 * Pure: the completion script for a shell, made from the command line itself, so that it knows every command, option and
 * fixed argument. Names in it are letters, digits and dashes only.
 */
export function completionScript(shell: Shell, program: Command): string {
  const commands = commandsOf(program, []);
  if (shell === 'fish') return fish(commands);
  // zsh reads bash's way of completing through bashcompinit, which comes with it.
  const before = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return `${before}${bash(commands)}`;
}

function commandsOf(command: Command, words: string[]): Completed[] {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  const own: Completed = {
    words,
    subcommands: subcommands.map((sub) => sub.name()),
    options: help
      .visibleOptions(command)
      .map((option) => option.long)
      .filter((name) => name !== undefined && name !== null),
    arguments: wordsOf(command),
  };
  return [
    own,
    ...subcommands
      .filter((sub) => sub.name() !== 'help')
      .flatMap((sub) => commandsOf(sub, [...words, sub.name()])),
  ];
}

/** What the first argument can be, where its description is a list of single words: `waha, queue or swap`. */
function wordsOf(command: Command): string[] {
  const listed = (command.registeredArguments[0]?.description ?? '').split(/, | or /);
  return listed.length > 1 && listed.every((word) => /^[a-z][a-z0-9-]*$/.test(word)) ? listed : [];
}

function bash(commands: Completed[]): string {
  const cases = commands.toReversed().map(({ words, subcommands, options, arguments: fixed }) => {
    const all = [...subcommands, ...fixed, ...options].join(' ');
    return `    ${words.length === 0 ? "''" : `'${words.join(' ')}'`}) candidates='${all}' ;;`;
  });
  const paths = commands.filter(({ words }) => words.length > 0).map(({ words }) => `'${words.join(' ')}'`);
  return `# Completion of vpsmon. bash: source <(vpsmon completion bash)
_vpsmon() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' candidates='' i word
  COMPREPLY=()
  case "$previous" in
    --config | --token-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${path:+$path }$word" in
      ${paths.join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -F _vpsmon vpsmon
`;
}

function fish(commands: Completed[]): string {
  const lines = commands.flatMap(({ words, subcommands, options, arguments: fixed }) => {
    const deeper = words.length > 0 ? subcommands : subcommands.filter((name) => name !== 'help');
    const where =
      words.length === 0
        ? '__fish_use_subcommand'
        : [
            ...words.map((word) => `__fish_seen_subcommand_from ${word}`),
            ...(deeper.length > 0 ? [`not __fish_seen_subcommand_from ${deeper.join(' ')}`] : []),
          ].join('; and ');
    const names = [...subcommands, ...fixed];
    return [
      ...(names.length > 0 ? [`complete -c vpsmon -f -n '${where}' -a '${names.join(' ')}'`] : []),
      ...options.map(
        (name) =>
          `complete -c vpsmon -n '${where}' -l ${name.slice(2)}${TAKES_FILE.includes(name) ? ' -r -F' : ''}`,
      ),
    ];
  });
  return `# Completion of vpsmon. fish: vpsmon completion fish | source\n${lines.join('\n')}\n`;
}

const TAKES_FILE = ['--config', '--token-file', '--state-dir'];
