import type { CommandContext, GlobalOptions } from './context.ts';
import { exportFromMonitor } from './export-monitor.ts';
import type { Action } from './in-context.ts';

/** `quick`: a way without the configuration, tried first; undefined where it cannot be done that way. */
export type UnitLine = {
  options: GlobalOptions;
  action: Action;
  quick?: () => Promise<number | undefined>;
};

/** What the units and the image run, word for word, and `export` without its section. */
const COMMANDS: Record<string, Action> = {
  monitor: async (c) => (await import('./monitor.ts')).monitor(c),
  'recover run-all': async (c) => (await import('./recover.ts')).recover(c, 'run-all', ''),
  export: exportAll,
  'export all': exportAll,
  'report telegram': async (c) => (await import('./report.ts')).report(c, 'telegram'),
};

async function exportAll(context: CommandContext): Promise<number> {
  return (await import('./export.ts')).exportMetrics(context, 'all', false);
}

/**
 * The command lines of the installed units and of the image, which need no option parser: it costs 10 ms at each start (export
 * starts 60 times an hour) and the monitor half a megabyte for good. Only their very form is known here (`--config FILE` and
 * `--state-dir DIR` last); for every other line this returns undefined, and the option parser answers.
 */
export function unitLine(argv: readonly string[]): UnitLine | undefined {
  const first = argv.findIndex((word) => word.startsWith('-'));
  const words = argv.slice(0, first < 0 ? undefined : first).join(' ');
  const action = Object.hasOwn(COMMANDS, words) ? COMMANDS[words] : undefined;
  if (!action) return undefined;
  const options: GlobalOptions = {};
  for (let i = first < 0 ? argv.length : first; i < argv.length; i += 2) {
    const value = argv[i + 1];
    if (!value || value.startsWith('-')) return undefined;
    if (argv[i] === '--config') options.config = value;
    else if (argv[i] === '--state-dir') options.stateDir = value;
    else return undefined;
  }
  return action === exportAll
    ? { options, action, quick: () => exportFromMonitor(options) }
    : { options, action };
}
