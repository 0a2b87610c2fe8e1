import type { Command } from 'commander';
import { commandsOf, type CommandPage } from '../docs/command-pages.ts';

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
  const commands = withLive(commandsOf(program).map(completed));
  const scripts = { bash, zsh, fish };
  return scripts[shell](commands);
}

/** What completes after `words`. `live`: what `vpsmon __complete` lists for it. */
type Completed = {
  words: string[];
  subcommands: string[];
  options: string[];
  arguments: string[];
  live?: string;
};

/** Words that only the state folder knows, and after which words of the line they come. */
const LIVE: { after: string[]; words: string[]; list: string }[] = [
  { after: ['silence'], words: ['list', 'end'], list: 'subjects' },
  { after: ['silence', 'end'], words: [], list: 'silenced' },
  { after: ['incidents', 'show'], words: [], list: 'incidents' },
];

/** Adds what is live to the commands, and the words after which it comes as commands of their own. */
function withLive(commands: Completed[]): Completed[] {
  const result = [...commands];
  for (const { after, words, list } of LIVE) {
    const at = result.findIndex((one) => one.words.join(' ') === after.join(' '));
    const found = result[at] ?? { words: after, subcommands: [], options: [], arguments: [] };
    const live = { ...found, arguments: [...found.arguments, ...words], live: list };
    if (at < 0) result.push(live);
    else result[at] = live;
  }
  return result.map((one) => (one.words.join(' ') === 'incidents' ? { ...one, arguments: ['show'] } : one));
}

function completed(page: CommandPage): Completed {
  return {
    words: page.words,
    subcommands: page.subcommands,
    options: [...page.options.map(({ long }) => long), ...page.shared],
    arguments: page.arguments[0]?.words ?? [],
  };
}

/** The branches of a `case` over the words of a command: what follows them, and what `vpsmon __complete` lists for them. */
function cases(commands: Completed[]): string {
  return commands
    .toReversed()
    .map(({ words, subcommands, options, arguments: fixed, live }) => {
      const all = [...subcommands, ...fixed, ...options].join(' ');
      const list = live === undefined ? '' : ` list='${live}'`;
      return `    '${words.join(' ')}') candidates='${all}'${list} ;;`;
    })
    .join('\n');
}

/** The pattern of a `case` that matches the words of every command. */
function paths(commands: Completed[]): string {
  const named = commands.filter(({ words }) => words.length > 0);
  return named.map(({ words }) => `'${words.join(' ')}'`).join(' | ');
}

function bash(commands: Completed[]): string {
  return `# Completion of vpsmon. bash: source <(vpsmon completion bash)
_vpsmon() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' candidates='' list='' depth=0 i word
  COMPREPLY=()
  case "$previous" in
    --config | --token-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${path:+$path }$word" in
      ${paths(commands)}) path="\${path:+$path }$word" depth=$i ;;
    esac
  done
  case "$path" in
${cases(commands)}
  esac
  # Only the word right behind the command is one of the list.
  if [[ -n $list && $depth -eq $((COMP_CWORD - 1)) && $current != -* ]]; then
    candidates+=" $(vpsmon __complete "$list" 2>/dev/null | cut -f 1)"
  fi
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -F _vpsmon vpsmon
`;
}

/** Works sourced after compinit, and as the file `_vpsmon` of a folder in fpath. `path` is zsh's own: another name. */
function zsh(commands: Completed[]): string {
  return `#compdef vpsmon
# Completion of vpsmon. zsh: source <(vpsmon completion zsh)
_vpsmon() {
  local so_far='' candidates='' list='' depth=1 i word line
  local -a names shown
  case "$words[CURRENT-1]" in
    --config | --token-file) _files; return ;;
    --state-dir) _files -/; return ;;
  esac
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    case "\${so_far:+$so_far }$word" in
      ${paths(commands)}) so_far="\${so_far:+$so_far }$word" depth=$i ;;
    esac
  done
  case "$so_far" in
${cases(commands)}
  esac
  # Only the word right behind the command is one of the list.
  if [[ -n $list && $depth -eq $((CURRENT - 1)) ]]; then
    for line in "\${(@f)$(vpsmon __complete "$list" 2>/dev/null)}"; do
      [[ -n $line ]] || continue
      names+=("\${line%%$'\\t'*}")
      shown+=("\${line/$'\\t'/ - }")
    done
    (($#names)) && compadd -l -d shown -a names
  fi
  compadd -- \${=candidates}
}
if [[ \${funcstack[1]-} == _vpsmon ]]; then _vpsmon "$@"; else compdef _vpsmon vpsmon; fi
`;
}

function fish(commands: Completed[]): string {
  const lines = commands.flatMap(({ words, subcommands, options, arguments: fixed, live }) => {
    const below = [...subcommands, ...commands.filter((one) => isBelow(one.words, words)).map(last)];
    const deeper = [...new Set(below)].filter((name) => words.length > 0 || name !== 'help');
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
      ...(live === undefined
        ? []
        : [`complete -c vpsmon -f -n '${where}' -a '(vpsmon __complete ${live} 2>/dev/null)'`]),
      ...options.map(
        (name) =>
          `complete -c vpsmon -n '${where}' -l ${name.slice(2)}${TAKES_FILE.includes(name) ? ' -r -F' : ''}`,
      ),
    ];
  });
  return `# Completion of vpsmon. fish: vpsmon completion fish | source\n${lines.join('\n')}\n`;
}

function isBelow(words: string[], parent: string[]): boolean {
  return words.length === parent.length + 1 && parent.every((word, i) => words[i] === word);
}

function last({ words }: Completed): string {
  return words.at(-1) ?? '';
}

const TAKES_FILE = ['--config', '--token-file', '--state-dir'];
