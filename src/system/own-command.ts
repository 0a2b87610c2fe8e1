import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunResult } from './types.ts';

const MOST_BYTES = 1_048_576;
/** Systemd answers late on a server that is short of memory. */
const SYSTEMCTL_MS = 60_000;
/** What it prints is read on a phone. */
const PHONE_COLUMNS = '34';
/** Where it is set, the environment comes on standard input: that of a transient service can be read by every user of the machine. */
const ON_STDIN = 'VPSMON_ENV_ON_STDIN';
/** What systemd sets for the one unit that it is about. */
const OF_THE_UNIT =
  /^(?:INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET|WATCHDOG_\w+|SYSTEMD_\w+|LISTEN_\w+|MEMORY_PRESSURE_\w+|MALLOC_\w+|(?:RUNTIME|STATE|CACHE|LOGS)_DIRECTORY|MAINPID|COLUMNS)$/;

/**
 * Runs this program with other words, for something that a person asked for. Under systemd as a transient service of its own: what it
 * takes counts neither against the memory limit of the monitor nor has it the monitor's sandbox; the settings in the unit's environment
 * hold for it all the same. Resolves for every exit code (a deadline that passed: 124).
 */
export async function runOwnCommand(
  args: readonly string[],
  timeoutMs: number,
  { program = process.argv[1] ?? '', underSystemd = isService() } = {},
): Promise<RunResult> {
  const own = [process.execPath, program, ...args];
  if (underSystemd) {
    const set = [`--setenv=COLUMNS=${PHONE_COLUMNS}`, `--setenv=${ON_STDIN}=1`];
    const unit = ['--quiet', '--pipe', '--wait', '--collect', '--property=MemoryMax=256M', ...set, '--'];
    const result = await start('systemd-run', [...unit, ...own], timeoutMs, environment());
    // Nothing was begun: the way without systemd is left.
    if (result && !/^Failed to/m.test(result.stderr)) return result;
  }
  const [file = '', ...rest] = own;
  return (
    (await start(file, rest, timeoutMs)) ?? { exitCode: 128, stdout: '', stderr: 'it cannot be started' }
  );
}

/**
 * Starts the service of a timer now, without waiting for its end, where that timer runs: who stopped it wants no runs. `running`: systemd has
 * nothing to start, for it is at work already.
 */
export async function startAheadOfTimer(unit: string): Promise<'started' | 'running' | 'refused'> {
  if (!isService()) return 'refused';
  const systemctl = (...args: string[]) => start('systemctl', args, SYSTEMCTL_MS);
  const states = (await systemctl('is-active', `${unit}.timer`, `${unit}.service`))?.stdout.split('\n');
  if (states?.[0] !== 'active') return 'refused';
  if (/^(?:de)?activating$/.test(states[1] ?? '')) return 'running';
  const started = await systemctl('start', '--no-block', `${unit}.service`);
  return started?.exitCode === 0 ? 'started' : 'refused';
}

/**
 * Runs `systemd/page-out` for this process, as a transient service, for it needs more than the monitor's sandbox grants. Resolves to why it
 * was refused, undefined when it was done.
 */
export async function pageOut(pid: number): Promise<string | undefined> {
  if (!isService()) return 'the monitor is no service of systemd';
  const unit = ['--quiet', '--wait', '--pipe', '--collect', '--property=MemoryMax=32M', '--'];
  const script = join(dirname(process.argv[1] ?? ''), '../systemd/page-out');
  const result = await start('systemd-run', [...unit, '/usr/bin/perl', script, String(pid)], SYSTEMCTL_MS);
  if (result?.exitCode === 0) return undefined;
  return result?.stderr.trim().split('\n')[0] || 'systemd-run failed';
}

/** Started by systemd, as root: what is asked of systemd is not refused. */
function isService(): boolean {
  return (
    process.env.INVOCATION_ID !== undefined && process.getuid?.() === 0 && existsSync('/run/systemd/private')
  );
}

/** Undefined where the program is not there. */
function start(file: string, args: string[], timeoutMs: number, stdin = ''): Promise<RunResult | undefined> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: MOST_BYTES,
      env: { ...process.env, NO_COLOR: '1', NOTIFY_SOCKET: '', WATCHDOG_USEC: '', COLUMNS: PHONE_COLUMNS },
    };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      const failure = error as (Error & { code?: number | string; killed?: boolean }) | null;
      if (failure && typeof failure.code === 'string' && failure.code === 'ENOENT') return resolve(undefined);
      const code = typeof failure?.code === 'number' ? failure.code : failure?.killed ? 124 : 128;
      resolve({ exitCode: failure ? code : 0, stdout, stderr });
    });
    // Who ends without reading it needs none of it.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
  });
}

/** JSON of the environment of this process, without what belongs to its unit alone. */
function environment(): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_THE_UNIT.test(name))),
  );
}

/** In the process that `runOwnCommand` started as a transient service: takes over the environment of the one that started it. */
export function takeEnvironment(env: NodeJS.ProcessEnv = process.env): void {
  if (env[ON_STDIN] === undefined) return;
  delete env[ON_STDIN];
  Object.assign(env, JSON.parse(readFileSync(0, 'utf8')));
}
