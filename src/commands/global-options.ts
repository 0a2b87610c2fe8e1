const WITH_VALUE = ['--config', '--state-dir'];
const WITHOUT_VALUE = ['--json', '--dry-run'];

/**
 * Puts options that stand before the command behind it: `--config F status` becomes `status --config F`. Every command takes
 * them there, and of the same option given twice the one after the command counts. Other lines stay as they are.
 */
export function optionsAfterCommand(argv: readonly string[]): string[] {
  let at = 0;
  for (;;) {
    const word = argv[at] ?? '';
    if (WITH_VALUE.includes(word)) at += 2;
    else if (WITHOUT_VALUE.includes(word) || WITH_VALUE.some((name) => word.startsWith(`${name}=`))) at += 1;
    else break;
  }
  const rest = argv.slice(at);
  if (at === 0 || rest.length === 0) return [...argv];
  const firstOption = rest.findIndex((word) => word.startsWith('-'));
  const words = firstOption < 0 ? rest.length : firstOption;
  // `vpsmon --json --help` asks for help, which takes no options.
  if (words === 0) return rest;
  return [...rest.slice(0, words), ...argv.slice(0, at), ...rest.slice(words)];
}
