import type { Command } from 'commander';
import { commandsOf, type CommandPage } from './command-pages.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function isShell(name: string): name is Shell {
  return SHELLS.some((shell) => shell === name);
}

/**
 * Pure: the completion script for a shell, made from the command line itself, so that it knows every command, option and
 * fixed argument. Names in it are letters, digits and dashes only.
 */
export function completionScript(shell: Shell, program: Command): string {
  const commands = commandsOf(program).map(completed);
  if (shell === 'fish') return fish(commands);
  // zsh reads bash's way of completing through bashcompinit, which comes with it.
  const before = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return `${before}${bash(commands)}`;
}

/** What completes after `words`. */
type Completed = { words: string[]; subcommands: string[]; options: string[]; arguments: string[] };

function completed(page: CommandPage): Completed {
  return {
    words: page.words,
    subcommands: page.subcommands,
    options: [...page.options.map(({ long }) => long), ...page.shared],
    arguments: page.arguments[0]?.words ?? [],
  };
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
