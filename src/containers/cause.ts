// Why a container died, from Docker's events alone. Order, tried on engine 20.10:
//
//   docker stop     kill(15) [kill(9)] die stop
//   docker restart  kill(15) [kill(9)] die stop start restart
//   docker rm -f    kill(9) die destroy
//   a crash         die [start, by the restart policy, without a `restart`]
//   out of memory   oom die(137)
import { type Cause, type Death, SIGNALS } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import { eventTime } from '../system/docker/events.ts';
import type { DockerEvent } from '../system/types.ts';
import { masked } from '../model/text.ts';
import type { Known, Turn } from './types.ts';

/**
 * What a stop may begin with beside the container's own StopSignal: SIGINT, SIGQUIT, SIGKILL, SIGTERM, and SIGRTMIN+3 of systemd. All
 * other signals reload a configuration, rotate a log, hold a program or do nothing: a death some time after one was not asked for.
 */
const STOP_SIGNALS = new Set([2, 3, 9, 15, 37]);
/** SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV: a mistake of the program itself, whatever it was sent before. */
const FAULTS = new Set([132, 134, 135, 136, 139]);
/** How long `docker stop` waits where nothing is set, and a little more. */
const STOP_TAKES_MS = 10_000;
const STOP_TAKES_MORE_MS = 5000;
/** A stop may be given longer; compose files with 10 minutes exist. Docker's own `stop` event shows it then. */
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
  const [, from, distance = 0] = /^SIGRT(MIN(?=\+|$)|MAX(?=-|$))(?:[+-](\d{1,2}))?$/.exec(name) ?? [];
  if (from) return from === 'MIN' ? 34 + Number(distance) : 64 - Number(distance);
  return Number(Object.entries(SIGNALS).find(([, known]) => known === name)?.[0] ?? 15);
}

/** A `kill` event: a stop that is under way goes on, whatever else the container is sent meanwhile. */
export function recordSignal(known: Known, at: number, event: Pick<DockerEvent, 'attributes'>): void {
  // podman does not say which.
  const hidden = known.shadowed?.includes('signal') || event.attributes['signal'] === undefined;
  const kill: NonNullable<Known['kill']> = hidden
    ? { at }
    : { at, signal: parseSignal(event.attributes['signal']) };
  const goesOn = known.kill && isStopSignal(known) && at - known.kill.at < stopTakesMs(known);
  if (!goesOn || isStopSignal({ ...known, kill })) known.kill = kill;
}

/** True where somebody asked Docker for this death. */
function wasRequested(known: Known, at: number, exitCode: number): boolean {
  if (!known.kill) return false;
  const age = at - known.kill.at;
  const { signal } = known.kill;
  // No program survives it, but on a server that thrashes its memory comes back from swap before it ends: minutes were seen.
  if (signal === 9 && exitCode === 137) return age < STOP_MAY_TAKE_MS;
  // Docker sends a `kill` event for what outlives its stop: one that was killed after another signal was killed by somebody else.
  if (isStopSignal(known))
    return (
      age < stopTakesMs(known) &&
      !FAULTS.has(exitCode) &&
      (exitCode !== 137 || signal === 9 || signal === undefined)
    );
  if (signal === undefined) return false;
  // Sent a signal to reload, it failed: only an end without an error, or by this very signal, is what was asked for.
  return age < SIGNAL_TAKES_MS && (exitCode === 0 || exitCode === 128 + signal);
}

/** True where Docker was sent a signal that a stop may begin with: its `stop` event, after the death, decides. */
export function mayBeStopped(known: Known, at: number): boolean {
  return known.kill !== undefined && isStopSignal(known) && at - known.kill.at < STOP_MAY_TAKE_MS;
}

function isStopSignal({ kill, stopSignal }: Known): boolean {
  if (!kill || kill.signal === undefined) return kill !== undefined;
  return kill.signal === stopSignal || STOP_SIGNALS.has(kill.signal);
}

function stopTakesMs({ stopTimeoutMs }: Known): number {
  return (stopTimeoutMs ?? STOP_TAKES_MS) + STOP_TAKES_MORE_MS;
}

/** A stop is under way: what fails in the container now fails because of it. */
export function isStopping(known: Known, at: number): boolean {
  if (!known.kill || !isStopSignal(known)) return false;
  return at - known.kill.at < Math.max(STOPPING_MS, stopTakesMs(known));
}

function wasOom(known: Known, at: number): boolean {
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

/** When it was started last, as the clock counts now (epoch ms); Docker knows it by the clock of then. */
export function startedAt({ info, clockSetBy = 0 }: Known): number | undefined {
  return info.startedAt === undefined ? undefined : info.startedAt + clockSetBy;
}

/** A death of this container. */
export function deathOf(known: Known, at: number, exitCode: number, cause: Cause): Death {
  const { id, name, service, project, createdAt, restartCount } = known.info;
  const more = defined({ service, project, was: known.was, createdAt, startedAt: startedAt(known) });
  const { autoRemove, info } = known;
  return { id, name, ...more, at, exitCode, cause, restartCount, autoRemove, policy: info.restartPolicy };
}

/** What a label hides of the exit code of a death is -1 until an inspect shows it, `hiddenCode` where one did. */
export function deathByEvent(
  known: Known,
  at: number,
  event: Pick<DockerEvent, 'attributes' | 'unseen' | 'podman'>,
  hiddenCode = -1,
): Death {
  const isHidden = known.shadowed?.includes('exitCode') && !event.unseen;
  const exitCode = isHidden ? hiddenCode : Number(event.attributes['exitCode'] ?? 0) || 0;
  const unasked = wasOom(known, at) ? 'oom' : event.unseen ? 'unseen' : 'crash';
  const requested = wasRequested(known, at, exitCode);
  return {
    ...deathOf(known, at, exitCode, requested ? 'request' : unasked),
    ...defined({ signal: requested ? known.kill?.signal : undefined, podman: event.podman }),
  };
}

/** Its last death, from the container itself where there is no event of it. */
export function pastDeath(known: Known, history: DockerEvent[]): Death {
  const { finishedAt, startedAt, exitCode = 0, oomKilled } = known.info;
  const death = deathOf(known, finishedAt ?? startedAt ?? 0, exitCode, oomKilled ? 'oom' : 'unseen');
  return lastDeath(known, history) ?? death;
}

/** The last death among Docker's past events, with its cause. */
export function lastDeath(known: Known, history: DockerEvent[]): Death | undefined {
  const { kill: _kill, oomAt: _oomAt, ...before } = known;
  const seen: Known = { ...before, info: { ...known.info } };
  delete seen.info.startedAt;
  let death: Death | undefined;
  for (const event of history) {
    if (event.id !== known.info.id) continue;
    const at = eventTime(event);
    if (event.action === 'kill') recordSignal(seen, at, event);
    if (event.action === 'stop' && death) death.cause = 'request';
    if (event.action === 'oom') seen.oomAt = at;
    if (event.action === 'start') {
      delete seen.kill;
      seen.info.startedAt = at;
    }
    if (event.action === 'die') death = deathByEvent(seen, at, event, known.info.exitCode);
  }
  return death;
}

/** Its end, which was none: it never ran. */
export function unstarted(turn: Turn, known: Known): Death {
  const { text, exitCode = known.info.exitCode ?? 0 } = known.startError ?? {};
  const { startedAt: _, ...death } = deathOf(known, turn.now.wall, exitCode, 'unstarted');
  return text ? { ...death, error: masked(text, turn.state.rules.secrets) } : death;
}
