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
/** Signals that somebody sends; the others are what a program gets for a mistake of its own. */
const SENT = new Set([1, 2, 10, 12, 15]);
/** How long `docker stop` waits where nothing is set, and a little more. */
const STOP_TAKES_MS = 10_000;
const STOP_TAKES_MORE_MS = 5000;
/** A stop may be given longer; compose files with 10 minutes exist. Docker's own `stop` says so then. */
const STOP_MAY_TAKE_MS = 15 * 60_000;
const SIGNAL_TAKES_MS = 10_000;
const STOPPING_MS = 30_000;
/** A kill by the kernel this long before a death is its reason. */
const OOM_KILLS_WITHIN_MS = 10_000;

/** The signal as Docker writes it in a kill event: a number, in old engines a name. */
export function parseSignal(text: string | undefined): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  const name = `SIG${(text ?? '').toUpperCase().replace(/^SIG/, '')}`;
  const realTime = /^SIGRTMIN(?:\+(\d{1,2}))?$/.exec(name);
  if (realTime) return 34 + Number(realTime[1] ?? 0);
  return Number(Object.entries(SIGNALS).find(([, known]) => known === name)?.[0] ?? 15);
}

/** True where somebody asked Docker for this death. */
export function wasRequested(known: Known, at: number, exitCode: number): boolean {
  if (!known.kill) return false;
  const age = at - known.kill.at;
  const { signal } = known.kill;
  // Docker kills what outlives its stop, and says so: one that was killed after another signal was killed by somebody else.
  if (isStopSignal(known))
    return age < stopTakesMs(known) && (exitCode !== 137 || signal === 9 || signal === undefined);
  if (signal === undefined) return false;
  // Told to reload, it failed: only an end without an error, or by this very signal, is what was asked for.
  return age < SIGNAL_TAKES_MS && (exitCode === 0 || exitCode === 128 + signal);
}

/** True where Docker was sent a signal that a stop may begin with: its `stop`, after the death, tells. */
export function mayBeStopped(known: Known, at: number): boolean {
  return known.kill !== undefined && isStopSignal(known) && at - known.kill.at < STOP_MAY_TAKE_MS;
}

function isStopSignal({ kill, stopSignal }: Known): boolean {
  if (!kill || kill.signal === undefined) return kill !== undefined;
  return kill.signal === stopSignal || !HARMLESS.has(kill.signal);
}

function stopTakesMs({ stopTimeoutMs }: Known): number {
  return (stopTimeoutMs ?? STOP_TAKES_MS) + STOP_TAKES_MORE_MS;
}

/** A stop is under way: what fails in the container now fails because of it. */
export function isStopping(known: Known, at: number): boolean {
  if (!known.kill || !isStopSignal(known)) return false;
  return at - known.kill.at < Math.max(STOPPING_MS, stopTakesMs(known));
}

export function wasOom(known: Known, at: number): boolean {
  return known.oomAt !== undefined && Math.abs(at - known.oomAt) < OOM_KILLS_WITHIN_MS;
}

/** Whether Docker itself will start it again. Undefined before the policy is known. */
export function restartsByPolicy(known: Known, exitCode: number): boolean | undefined {
  if (known.swarm) return true;
  if (!known.complete) return undefined;
  const { restartPolicy, restartCount } = known.info;
  if (restartPolicy === 'always' || restartPolicy === 'unless-stopped') return true;
  if (restartPolicy !== 'on-failure' || exitCode === 0) return false;
  if (exitCode < 0) return undefined;
  return known.maxRetries === 0 || restartCount < known.maxRetries;
}

function signalName(number: number): string {
  return SIGNALS[number] ?? `signal ${number}`;
}

/** "exit code 137 (SIGKILL)" */
export function exitText(exitCode: number): string {
  if (exitCode < 0) return 'exit code unknown';
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
    return `on request${death.signal === undefined ? '' : ` (${signalName(death.signal)})`}, ${death.exitCode < 0 ? exitText(-1) : `exit code ${death.exitCode}`}`;
  if (death.cause === 'unstarted') return `did not start, ${exit}`;
  if (death.cause === 'unseen') return `ended unseen while Docker's events were not readable, ${exit}`;
  if (death.cause === 'reboot') return 'ended by the reboot of the server, and did not come back';
  if (death.cause === 'engine') return `ended together with Docker, ${exit}`;
  if (death.exitCode === 0) return 'ended by itself, exit code 0';
  if (death.exitCode === 137) return `killed from outside Docker, ${exit}`;
  const signal = death.exitCode - 128;
  if (SENT.has(signal))
    return `ended by ${signalName(signal)} from outside Docker, exit code ${death.exitCode}`;
  return `crashed, ${exit}`;
}
