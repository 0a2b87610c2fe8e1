import type { Command } from 'commander';
import { commandsOf, SHARED_OPTIONS, type CommandPage } from '../docs/command-pages.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function isShell(name: string): name is Shell {
  return SHELLS.some((shell) => shell === name);
}

/**
 * Pure: the completion script for a shell, made from the command line itself, so that it knows every command, option and
 * fixed argument. Names in it are letters, digits and dashes only. All three go through the line in the same way: they find the
 * command, skip options with their values, and count the words behind it.
 */
export function completionScript(shell: Shell, program: Command): string {
  const pages = commandsOf(program);
  const valued = new Map(pages.flatMap(({ valued: options }) => [...options]));
  const named = (kinds: string[]) =>
    [...valued].filter(([, kind]) => kinds.includes(kind)).map(([name]) => name);
  const places = ['--config', '--state-dir'];
  const script: Script = {
    commands: withHelp(withLive(pages.map(completed))),
    files: named(['file']),
    folders: named(['dir']),
    places,
    values: [...valued.keys()].filter((name) => !places.includes(name)),
  };
  return { bash, zsh, fish }[shell](script);
}

/** What completes after `words`: `first` and what `vpsmon __complete LIST` prints right behind them, `second` one word later. */
type Completed = { words: string[]; options: string[]; first: string[]; list?: string; second?: string[] };
/** Names of options: those that take a file or a folder, say where settings and state are, or take another value. */
type Script = {
  commands: Completed[];
  files: string[];
  folders: string[];
  places: string[];
  values: string[];
};

/** Words that only the state folder knows, and after which words of the line they come. */
const LIVE: { after: string; first?: string[]; list: string; second?: string[] }[] = [
  { after: 'silence', first: ['list', 'end'], list: 'subjects', second: ['30m', '1h', '2h', '8h', '1d'] },
  { after: 'silence end', list: 'silenced' },
  { after: 'incidents', first: ['show'], list: '' },
  { after: 'incidents show', list: 'incidents' },
  { after: 'recover restart-container', list: 'containers' },
  { after: 'recover stop-container', list: 'containers' },
  { after: 'recover undo', first: ['waha', 'queue', 'swap', 'loops'], list: 'actions' },
  { after: 'recover accept', list: 'left-off' },
];

/** Adds what is live to the commands; the words after which it comes are like commands of their own, with the options of theirs. */
function withLive(commands: Completed[]): Completed[] {
  const result = [...commands];
  for (const { after, first = [], list, second } of LIVE) {
    const words = after.split(' ');
    const at = result.findIndex((one) => one.words.join(' ') === after);
    const parent = result[at] ?? result.find((one) => one.words.join(' ') === words[0]);
    const live = { words, options: parent?.options ?? [], first, list, ...(second ? { second } : {}) };
    if (at < 0) result.push(live);
    else result[at] = live;
  }
  return result;
}

/** `help` takes what may stand in its place. */
function withHelp(commands: Completed[]): Completed[] {
  const parents = commands.filter(({ first }) => first.includes('help'));
  const after = parents.flatMap(({ words, first }): Completed[] => {
    const named = first.filter((name) => name !== 'help');
    const places =
      words.length > 0
        ? [
            [...words, 'help'],
            ['help', ...words],
          ]
        : [['help']];
    return places.map((place) => ({ words: place, options: ['--help'], first: named }));
  });
  return [...commands, ...after];
}

function completed({ words, subcommands, options, shared, arguments: given }: CommandPage): Completed {
  return {
    words,
    // In front of the command all of them may stand.
    options: [
      ...options.map(({ long }) => long),
      ...(words.length > 0 ? shared : Object.keys(SHARED_OPTIONS)),
    ],
    first: [...subcommands, ...(given[0]?.words ?? [])],
  };
}

/** The branches of a `case` over the words of a command. */
function cases(commands: Completed[]): string {
  return commands
    .map(({ words, options, first, list = '', second = [] }) => {
      const variables = {
        options: options.join(' '),
        first: first.join(' '),
        list,
        second: second.join(' '),
      };
      const set = Object.entries(variables).filter(([, value]) => value !== '');
      return `    '${words.join(' ')}') ${set.map(([name, value]) => `${name}='${value}'`).join(' ')} ;;`;
    })
    .join('\n');
}

/** The pattern of a `case` that matches the words of every command, while none that is no command came before. */
function paths(commands: Completed[]): string {
  const named = commands.filter(({ words }) => words.length > 0);
  return named.map(({ words }) => `'0 ${words.join(' ')}'`).join(' | ');
}

function bash({ commands, files, folders, places, values }: Script): string {
  return `# Completion of vpsmon. bash: source <(vpsmon completion bash)
_vpsmon() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' options='' first='' second='' list='' candidates='' count=0 i word
  local -a place=()
  COMPREPLY=()
  # bash takes --config=FILE for three words.
  if [[ $current == = ]]; then current=''; else [[ $previous != = ]] || previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  case "$previous" in
    ${files.join(' | ')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${folders.join(' | ')}) COMPREPLY=($(compgen -d -- "$current")); return ;;
    ${values.filter((name) => !files.includes(name)).join(' | ')}) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in
      ${[...places, ...values].join(' | ')})
        [[ \${COMP_WORDS[i+1]} != = ]] || ((i++))
        case "$word" in ${places.join(' | ')}) place+=("$word" "\${COMP_WORDS[i+1]/#~/$HOME}") ;; esac
        ((i++))
        continue
        ;;
      -*) continue ;;
    esac
    case "$count\${path:+ $path} $word" in
      ${paths(commands)}) path="\${path:+$path }$word" ;;
      *) ((count++)) ;;
    esac
  done
  case "$path" in
${cases(commands)}
  esac
  case $count in
    0)
      candidates=$first
      if [[ -n $list && $current != -* ]]; then
        candidates+=" $(vpsmon __complete "$list" "\${place[@]}" 2>/dev/null | cut -f 1)"
      fi
      ;;
    1) candidates=$second ;;
  esac
  COMPREPLY=($(compgen -W "$candidates $options" -- "$current"))
}
complete -F _vpsmon vpsmon
`;
}

/** Works sourced after compinit, and as the file \`_vpsmon\` of a folder in fpath. `path` is zsh's own: another name. */
function zsh({ commands, files, folders, places, values }: Script): string {
  return `#compdef vpsmon
# Completion of vpsmon. zsh: source <(vpsmon completion zsh)
_vpsmon() {
  local so_far='' options='' first='' second='' list='' count=0 i word line
  local -a place names shown
  case "$words[CURRENT]" in
    ${files.map((name) => `${name}=*`).join(' | ')}) compset -P '*='; _files; return ;;
    ${folders.map((name) => `${name}=*`).join(' | ')}) compset -P '*='; _files -/; return ;;
  esac
  case "$words[CURRENT-1]" in
    ${files.join(' | ')}) _files; return ;;
    ${folders.join(' | ')}) _files -/; return ;;
    ${values.filter((name) => !files.includes(name)).join(' | ')}) return ;;
  esac
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    case "$word" in
      ${places.join(' | ')}) place+=("$word" "\${words[i+1]/#\\~/$HOME}"); ((i++)); continue ;;
      ${values.join(' | ')}) ((i++)); continue ;;
      ${places.map((name) => `${name}=*`).join(' | ')}) place+=("$word"); continue ;;
      -*) continue ;;
    esac
    case "$count\${so_far:+ $so_far} $word" in
      ${paths(commands)}) so_far="\${so_far:+$so_far }$word" ;;
      *) count=$((count + 1)) ;;
    esac
  done
  case "$so_far" in
${cases(commands)}
  esac
  if ((count == 0)); then
    if [[ -n $list ]]; then
      for line in "\${(@f)$(vpsmon __complete "$list" $place 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        names+=("\${line%%$'\\t'*}")
        shown+=("\${line/$'\\t'/ - }")
      done
      (($#names)) && compadd -l -d shown -a names
    fi
    compadd -- \${=first}
  fi
  ((count == 1)) && compadd -- \${=second}
  compadd -- \${=options}
}
if [[ \${funcstack[1]-} == _vpsmon ]]; then _vpsmon "$@"; else compdef _vpsmon vpsmon; fi
`;
}

function fish({ commands, files, folders, places, values }: Script): string {
  const branches = commands.map(({ words, options, first, list = '', second = [] }) =>
    [
      `    case '${words.join(' ')}'`,
      ...(first.length > 0 ? [`      set first ${first.join(' ')}`] : []),
      ...(second.length > 0 ? [`      set second ${second.join(' ')}`] : []),
      ...(list === '' ? [] : [`      set list ${list}`]),
      `      set options ${options.join(' ')}`,
    ].join('\n'),
  );
  const named = commands.filter(({ words }) => words.length > 0).map(({ words }) => `'0 ${words.join(' ')}'`);
  return `# Completion of vpsmon. fish: vpsmon completion fish | source
function __vpsmon_candidates
  set -l line (commandline -opc)
  set -l so_far
  set -l count 0
  set -l skip no
  set -l place
  set -l first
  set -l second
  set -l list
  set -l options
  for word in $line[2..-1]
    switch $skip
      case value
        set skip no
        continue
      case place
        set -a place (string replace -r '^~' -- $HOME $word)
        set skip no
        continue
    end
    switch $word
      case ${places.join(' ')}
        set -a place $word
        set skip place
        continue
      case ${values.join(' ')}
        set skip value
        continue
      case ${places.map((name) => `'${name}=*'`).join(' ')}
        set -a place $word
        continue
      case '-*'
        continue
    end
    switch (string join ' ' $count $so_far $word)
      case ${named.join(' ')}
        set -a so_far $word
      case '*'
        set count (math $count + 1)
    end
  end
  switch (string join ' ' '' $so_far | string trim)
${branches.join('\n')}
  end
  test $skip = no; or return
  if test $count = 0
    printf '%s\\n' $first
    test -n "$list"; and vpsmon __complete $list $place 2>/dev/null
  end
  test $count = 1; and printf '%s\\n' $second
  printf '%s\\n' $options
end
complete -c vpsmon -f -a '(__vpsmon_candidates)'
${[...files, ...folders].map((name) => `complete -c vpsmon -l ${name.slice(2)} -r -F`).join('\n')}
`;
}
