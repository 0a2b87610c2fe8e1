import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { RunResult } from './types.ts';

const MOST_BYTES = 1_048_576;
/** What it prints is read on a phone. */
const PHONE_COLUMNS = '34';
const PHONE = `--setenv=COLUMNS=${PHONE_COLUMNS}`;

/**
 * Runs this program with other words, for something that a person asked for. Under systemd as a transient service of its own: what it
 * takes counts neither against the memory limit of the monitor nor has it the monitor's sandbox. Resolves for every exit code (a deadline
 * that passed: 124).
 */
export async function runOwnCommand(args: readonly string[], timeoutMs: number): Promise<RunResult> {
  const own = [process.execPath, process.argv[1] ?? '', ...args];
  if (
    process.env.INVOCATION_ID !== undefined &&
    process.getuid?.() === 0 &&
    existsSync('/run/systemd/private')
  ) {
    const unit = ['--quiet', '--pipe', '--wait', '--collect', '--property=MemoryMax=256M', PHONE, '--'];
    const result = await start('systemd-run', [...unit, ...own], timeoutMs);
    // Nothing was begun: the way without systemd is left.
    if (result && !/^Failed to/m.test(result.stderr)) return result;
  }
  const [file = '', ...rest] = own;
  return (
    (await start(file, rest, timeoutMs)) ?? { exitCode: 128, stdout: '', stderr: 'it cannot be started' }
  );
}

/** Undefined where the program is not there. */
function start(file: string, args: string[], timeoutMs: number): Promise<RunResult | undefined> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: MOST_BYTES,
      env: { ...process.env, NO_COLOR: '1', NOTIFY_SOCKET: '', WATCHDOG_USEC: '', COLUMNS: PHONE_COLUMNS },
    };
    execFile(file, args, options, (error, stdout, stderr) => {
      const failure = error as (Error & { code?: number | string; killed?: boolean }) | null;
      if (failure && typeof failure.code === 'string' && failure.code === 'ENOENT') return resolve(undefined);
      const code = typeof failure?.code === 'number' ? failure.code : failure?.killed ? 124 : 128;
      resolve({ exitCode: failure ? code : 0, stdout, stderr });
    });
  });
}
