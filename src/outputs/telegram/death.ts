// How a container ended: one clause, no full stop, not escaped.
import { type Death, SIGNALS } from '../../model/container-fact.ts';
import { mayBeAsked } from '../../model/fact-rules.ts';
import { formatDuration } from '../../model/text.ts';

/** Signals that somebody sends; the others are what a program gets for a mistake of its own. */
const SENT = new Set([1, 2, 3, 10, 12, 15]);

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

/** "crashed, exit code 1, after running for 3 min" */
export function causeText(death: Death, deploy = false): string {
  const ran =
    death.startedAt === undefined || death.at < death.startedAt
      ? ''
      : `, after running for ${formatDuration(death.at - death.startedAt)}`;
  return `${because(death)}${ran}${deploy ? ', just deployed' : ''}`;
}

/** The same without how long it ran, for lists. */
export function because(death: Death): string {
  const exit = exitText(death.exitCode);
  if (death.cause === 'oom') return `out of memory: killed by the kernel, ${exit}`;
  if (death.cause === 'request')
    return `on request${death.signal === undefined ? '' : ` (${signalName(death.signal)})`}, ${death.exitCode < 0 ? exit : `exit code ${death.exitCode}`}`;
  if (death.cause === 'unstarted') return `did not start, ${exit}`;
  if (death.cause === 'unseen') return `ended unseen while Docker's events were not readable, ${exit}`;
  if (death.cause === 'reboot') return 'ended by the reboot of the server, and did not come back';
  if (death.cause === 'engine') return `ended together with Docker, ${exit}`;
  if (mayBeAsked(death)) return `ended, ${exit} (podman does not say whether it was asked to)`;
  if (death.exitCode === 0) return 'ended by itself, exit code 0';
  if (death.exitCode === 137) return `killed from outside Docker, ${exit}`;
  const signal = death.exitCode - 128;
  if (SENT.has(signal))
    return `ended by ${signalName(signal)} from outside Docker, exit code ${death.exitCode}`;
  return `crashed, ${exit}`;
}

/** Why a start failed: Docker's error, else its exit code. */
export function whyNotStarted({ error, exitCode }: Pick<Death, 'error' | 'exitCode'>): string {
  return error ?? exitText(exitCode);
}
