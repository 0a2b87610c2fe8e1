import { readFileSync } from 'node:fs';

/**
 * Exit codes, the same for every command: 0 all fine; 1 warnings; 2 critical, or what was asked for failed;
 * 3 vpsmon itself could not do its work (usage, configuration, an unexpected error).
 */
const FAILED = 3;

async function main(argv: string[]): Promise<number> {
  if (process.env['VPSMON_ENV_ON_STDIN']) (await import('./system/own-command.ts')).takeEnvironment();
  // Asked for by scripts and package managers: answered before anything is loaded.
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    const { VERSION } = await import('./version.ts');
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  if (argv.length === 0 || (argv.length === 1 && (argv[0] === '--help' || argv[0] === '-h'))) {
    const help = builtHelp();
    if (help !== undefined) {
      process.stdout.write(help);
      return 0;
    }
  }
  const { unitLine } = await import('./commands/unit-line.ts');
  const line = unitLine(argv);
  const done = await line?.quick?.();
  if (done !== undefined) return done;
  const { guardLookups } = await import('./system/lookup.ts');
  guardLookups();
  if (line) {
    const { inContext } = await import('./commands/in-context.ts');
    const { terminalIo } = await import('./commands/io.ts');
    return inContext(line.options, terminalIo(), line.action);
  }
  const { runCommandLine } = await import('./commands/command-line.ts');
  return runCommandLine(argv);
}

/** The build asks the command line once for its help and keeps it: printing it then needs no option parser. */
function builtHelp(): string | undefined {
  try {
    return process.env.VPSMON_MAKE_HELP
      ? undefined
      : readFileSync(new URL('help.txt', import.meta.url), 'utf8');
  } catch {
    return undefined;
  }
}

// `pkill -HUP vpsmon` means the monitor, which reads its settings anew (monitor.ts); what ends by itself reads them with its next run.
// A terminal that is closed takes with it what was tried in it, but not a recovery that is half done.
process.on('SIGHUP', () => {
  if (process.stdin.isTTY && !process.argv.includes('recover') && process.listenerCount('SIGHUP') === 1)
    process.exit(129);
});

// Node's own exit code for these is 1, which is "warnings" here.
process.on('uncaughtException', (error) => void crash(error));
process.on('unhandledRejection', (error) => void crash(error));

// Who reads along may leave before the end (`vpsmon report | head`).
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

async function crash(error: unknown): Promise<void> {
  process.exitCode = FAILED;
  await report(error);
  process.exit(FAILED);
}

async function report(error: unknown): Promise<void> {
  const { errorText, maskSecrets } = await import('./model/text.ts');
  process.stderr.write(`vpsmon: ${maskSecrets(errorText(error, 1000))}\n`);
  if (process.env.VPSMON_DEBUG) process.stderr.write(`${maskSecrets((error as Error)?.stack ?? '')}\n`);
  else
    process.stderr.write(
      'This should not happen. VPSMON_DEBUG=1 shows where; `vpsmon doctor` checks the set-up.\n',
    );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  await report(error);
  process.exitCode = FAILED;
  // What was opened before must not keep a process alive that does nothing any more.
  setTimeout(() => process.exit(), 1000).unref();
}
