// Why a container died, from Docker's events alone. Order, tried on engine 20.10:
//
//   docker stop     kill(15) [kill(9)] die stop
//   docker restart  kill(15) [kill(9)] die stop start restart
//   docker rm -f    kill(9) die destroy
//   a crash         die [start, by the restart policy, without a `restart`]
//   out of memory   oom die(137)
import { formatDuration } from '../model/text.ts';
import type { Death, Known } from './types.ts';

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  28: 'SIGWINCH',
};
/** Signals that are sent to reload a configuration or rotate a log; a death long after one was not asked for. */
const HARMLESS = new Set([1, 10, 12, 17, 18, 20, 28]);
/** A stop may take as long as its grace time; compose files with 10 minutes exist. */
const STOP_TAKES_MS = 15 * 60_000;
const SIGNAL_TAKES_MS = 10_000;
const STOPPING_MS = 30_000;
/** A kill by the kernel this long before a death is its reason. */
const OOM_KILLS_WITHIN_MS = 10_000;

/** The signal as Docker writes it in a kill event: a number, in old engines a name. */
export function parseSignal(text: string | undefined): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  const name = `SIG${(text ?? '').toUpperCase().replace(/^SIG/, '')}`;
  return Number(Object.entries(SIGNALS).find(([, known]) => known === name)?.[0] ?? 15);
}

/** True where somebody asked Docker for this death. */
export function wasRequested(known: Known, at: number, exitCode: number): boolean {
  if (!known.kill) return false;
  const age = at - known.kill.at;
  const { signal } = known.kill;
  if (!HARMLESS.has(signal)) return age < STOP_TAKES_MS;
  // Told to reload, it failed: only an end without an error, or by this very signal, is what was asked for.
  return age < SIGNAL_TAKES_MS && (exitCode === 0 || exitCode === 128 + signal);
}

/** A stop is under way: what fails in the container now fails because of it. */
export function isStopping(known: Known, at: number): boolean {
  if (!known.kill || HARMLESS.has(known.kill.signal)) return false;
  return at - known.kill.at < STOPPING_MS;
}

export function wasOom(known: Known, at: number): boolean {
  return known.oomAt !== undefined && Math.abs(at - known.oomAt) < OOM_KILLS_WITHIN_MS;
}

/** Whether Docker itself will start it again. Undefined before the policy is known. */
export function restartsByPolicy(known: Known, exitCode: number): boolean | undefined {
  if (!known.complete) return undefined;
  const { restartPolicy, restartCount } = known.info;
  if (restartPolicy === 'always' || restartPolicy === 'unless-stopped') return true;
  if (restartPolicy !== 'on-failure' || exitCode === 0) return false;
  return known.maxRetries === 0 || restartCount < known.maxRetries;
}

function signalName(number: number): string {
  return SIGNALS[number] ?? `signal ${number}`;
}

/** "exit code 137 (SIGKILL)" */
export function exitText(exitCode: number): string {
  if (exitCode > 128 && exitCode < 128 + 65) return `exit code ${exitCode} (${signalName(exitCode - 128)})`;
  const known: Record<number, string> = { 126: 'not executable', 127: 'command not found' };
  return known[exitCode] ? `exit code ${exitCode} (${known[exitCode]})` : `exit code ${exitCode}`;
}

/** "crashed, exit code 1, after running for 3 min": one clause, no full stop. Not escaped. */
export function causeText(death: Death, options: { deploy?: boolean } = {}): string {
  const ran =
    death.startedAt === undefined || death.at < death.startedAt
      ? ''
      : `, after running for ${formatDuration(death.at - death.startedAt)}`;
  const deploy = options.deploy ? ', just deployed' : '';
  return `${because(death)}${ran}${deploy}`;
}

/** The same without how long it ran, for lists. */
export function because(death: Death): string {
  const exit = exitText(death.exitCode);
  if (death.cause === 'oom') return `out of memory: killed by the kernel, ${exit}`;
  if (death.cause === 'request')
    return `on request${death.signal === undefined ? '' : ` (${signalName(death.signal)})`}, exit code ${death.exitCode}`;
  if (death.cause === 'unseen') return `ended unseen while Docker's events were not readable, ${exit}`;
  if (death.cause === 'engine') return `ended together with Docker, ${exit}`;
  if (death.exitCode === 0) return 'ended by itself, exit code 0';
  if (death.exitCode === 137) return `killed from outside Docker, ${exit}`;
  return `crashed, ${exit}`;
}
