import { parsePressure, pressureFile, scoreOf } from '../collectors/pressure.ts';
import { guestOf } from '../system/guest.ts';
import { openNotify, type Notify } from '../system/notify-socket.ts';
import type { Files } from '../system/types.ts';

/** What the service manager gets to know. Every call does nothing where there is none. */
export type Watchdog = {
  /** The monitor works: systemd counts the unit as started. */
  ready(status?: string): void;
  /** A check was completed. Only this keeps the watchdog quiet: a monitor that hangs is replaced. */
  beat(status?: string): void;
  stopping(): void;
  /** Checks are this many milliseconds apart from now on. */
  checkEvery(ms: number): void;
};

/** While the server stalls, a check may take this long: all that it asks answers late, and what it needs may have to be read from the disk first. */
const STALL_PATIENCE_MS = 600_000;
/** A check that takes longer than this many intervals counts as hung. */
const INTERVALS_PATIENCE = 3;
const TIMERS_IN_INTERVAL = 6;

/**
 * Connects the daemon with systemd's watchdog. Where checks are so far apart that they cannot feed it, a timer of its own
 * does, for as long as checks keep coming: never longer than three intervals after the last one. `stalls`: whether the server
 * hardly gets anything done: then a late check is no sign of a program that hangs, as long as this timer runs.
 */
export function openWatchdog(
  env: NodeJS.ProcessEnv,
  checkIntervalMs = 30_000,
  notify: Notify | undefined = openNotify(env),
  monotonic: () => number = () => performance.now(),
  stalls: () => boolean = () => false,
): Watchdog {
  const send: Notify = notify ?? (() => undefined);
  const intervalMs = notify ? watchdogMs(env) : undefined;
  let lastBeat = monotonic();
  let timer: NodeJS.Timeout | undefined;

  function checkEvery(ms: number): void {
    clearInterval(timer);
    if (intervalMs === undefined) return;
    const farApart = ms * 2 > intervalMs;
    // Early enough for this timer, whose ticks come at any moment between two checks.
    const lateAfterMs = Math.min(ms * 2, intervalMs / 2);
    timer = setInterval(() => {
      const late = monotonic() - lastBeat;
      if (farApart && late <= INTERVALS_PATIENCE * ms) send('WATCHDOG=1');
      // Not asked while checks come in time: it costs nothing then.
      else if (late > lateAfterMs && late <= STALL_PATIENCE_MS && stalls())
        send('WATCHDOG=1\nSTATUS=The server stalls; the check is not finished yet');
      // A timer is late on such a server, too: more than one of these has to be missed.
    }, intervalMs / TIMERS_IN_INTERVAL);
    timer.unref();
  }
  checkEvery(checkIntervalMs);
  return {
    checkEvery,
    ready: (status) => send(join('READY=1', status)),
    beat(status) {
      lastBeat = monotonic();
      send(join('WATCHDOG=1', status));
    },
    stopping() {
      clearInterval(timer);
      send('STOPPING=1\nSTATUS=stopping');
    },
  };
}

/** WATCHDOG_USEC, unless it is meant for another process of the unit. */
function watchdogMs(env: NodeJS.ProcessEnv): number | undefined {
  const usec = Number(env.WATCHDOG_USEC);
  if (!Number.isFinite(usec) || usec <= 0) return undefined;
  if (env.WATCHDOG_PID && Number(env.WATCHDOG_PID) !== process.pid) return undefined;
  return usec / 1000;
}

/** systemd reads one assignment a line: a line break in the status would be another one. */
function join(what: string, status: string | undefined): string {
  return status ? `${what}\nSTATUS=${status.replace(/[\r\n]+/g, ' ')}` : what;
}

/** Of 100: half of the time some, or a quarter of it all tasks wait. */
const STALLED = 50;

/**
 * Whether the server, or the guest that this is, hardly gets anything done for want of memory, disk or CPU, in the last ten seconds or the last
 * minute. Files that no disk has to answer for. False without PSI.
 */
export function serverStalls(files: Files): boolean {
  const guest = guestOf(files);
  return ['memory', 'io', 'cpu'].some((kind) => {
    const pressure = parsePressure(files.textOr(pressureFile(kind, guest)) ?? '');
    return pressure && Math.max(scoreOf(pressure), scoreOf(pressure, 'avg60')) >= STALLED;
  });
}
