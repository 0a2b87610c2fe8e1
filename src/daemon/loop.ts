import { errorText } from '../model/text.ts';
import { openOomCounter } from '../system/oom-counter.ts';
import { lookForKills, runCycle, reportFindings, sendReport } from './cycle.ts';
import { everyFewHours } from './every.ts';
import type { Monitor } from './types.ts';
import { takeLastExit } from './last-exit.ts';
import { createOwnPages } from './own-pages.ts';
import { SAMPLE_EVERY_MS } from './recorder.ts';
import { judgeReboot } from './reboot.ts';
import { createRecoveryStart } from './start-recovery.ts';
import type { Watchdog } from './watchdog.ts';

/** The kernel's kill counter is looked at this often: a wake-up and one small file, 0.3 ms. Docker reports its own kills at once. */
const OOM_TICK_MS = 1500;
const OOM_AGAIN_MS = 2500;
/** A monitor that watches nothing does not live: who started it starts it anew. */
const MOST_FAILED = 10;
/** One collection takes 10 ms. Once a minute instead of every other is 0.3 MB less. */
const COLLECT_EVERY_MS = 60_000;
/** What is left of the 5 s that a stop may take, after the last check was given up. */
const DRAIN_MS = 2500;

/**
 * Runs checks every SERVICE_CHECK_INTERVAL seconds until the signal aborts, never two at once: a check that takes longer than the
 * interval delays the next one. A check that throws is logged and the next one comes in time; after ten in a row it rejects.
 */
export async function runLoop(
  monitor: Monitor,
  watchdog: Watchdog,
  signal: AbortSignal,
  /** Looks after the state folder before each check; may abort the signal. */
  beforeCheck: () => void = () => undefined,
): Promise<void> {
  const { clock } = monitor.system;
  const background = startBackground(monitor, signal);
  // The first look at the containers comes from the event stream's own list, so that they are not asked for twice.
  await Promise.race([monitor.watcher.ready, clock.sleep(3000, signal)]);
  const stopTicking = tickOom(monitor, signal);
  const startRecovery = createRecoveryStart(monitor);
  const keepOwnPages = createOwnPages(monitor.system);
  const sampling = setInterval(() => {
    monitor.recorder.tick();
    startRecovery(monitor.recorder.last());
  }, SAMPLE_EVERY_MS);
  await runChecks(monitor, signal, async () => {
    // What a check reads is a sample, too: the next one of its own is due after it.
    sampling.refresh();
    beforeCheck();
    const snapshot = signal.aborted ? undefined : await runCycle(monitor, signal);
    if (!snapshot) return false;
    startRecovery(monitor.recorder.last());
    keepOwnPages(snapshot);
    watchdog.beat(`${monitor.state.checks} checks, last took ${Math.round(snapshot.tookMs)} ms`);
    return true;
  });
  stopTicking();
  clearInterval(sampling);
  await Promise.race([background, clock.sleep(1500)]);
  await sendWhatWaits(monitor);
}

/** Delivery, Docker's events and the periodic report; ends when the signal aborts, and never rejects. */
async function startBackground(monitor: Monitor, signal: AbortSignal): Promise<void> {
  const { clock, log } = monitor.system;
  const reports = everyFewHours(monitor.config.settings.REPORT_INTERVAL_HOURS, {
    db: monitor.store.db,
    clock,
    log,
    signal,
    send(at) {
      const { watcher } = monitor;
      const unseen = watcher.connected() ? {} : { unseen: true as const };
      sendReport(monitor, { kind: 'status-report', at, services: watcher.services(), ...unseen });
    },
  });
  const tasks = [monitor.delivery.run(signal), monitor.watcher.run(signal), reports];
  await Promise.all(
    tasks.map((task) =>
      task.catch((error: unknown) => log.error(`A background task ended: ${errorText(error)}`)),
    ),
  );
}

/** Calls `check` once an interval until the signal aborts, or answers false: it was cut short. */
async function runChecks(
  monitor: Monitor,
  signal: AbortSignal,
  check: () => Promise<boolean>,
): Promise<void> {
  const { clock, log } = monitor.system;
  const intervalMs = monitor.config.settings.SERVICE_CHECK_INTERVAL * 1000;
  let next = clock.monotonic();
  // For the first time after the first check: a start leaves 1 MB behind.
  let collectAt = next;
  let first = true;
  let failed = 0;
  while (!signal.aborted) {
    try {
      if (!(await check())) return;
      if (first) reportStart(monitor);
      first = false;
      failed = 0;
      heartbeat(monitor);
    } catch (error) {
      log.error(`The check failed: ${errorText(error)}`);
      failed += 1;
      if (failed >= MOST_FAILED)
        throw new Error(`no check was finished in ${failed} tries`, { cause: error });
    }
    if (clock.monotonic() >= collectAt) {
      // Node lets 2 MB of garbage pile up before it collects by itself. The unit's --expose-gc makes this possible.
      globalThis.gc?.();
      collectAt = clock.monotonic() + COLLECT_EVERY_MS;
    }
    next += intervalMs;
    const wait = next - clock.monotonic();
    if (wait < 0) next = clock.monotonic(); // Late: no burst of checks to catch up.
    await clock.sleep(Math.max(0, wait), signal);
  }
}

/** A last try, before the end, for what was decided and not sent yet. */
async function sendWhatWaits({ pipeline, delivery, system }: Monitor): Promise<void> {
  try {
    pipeline.sendWaiting();
    await delivery.drain(DRAIN_MS);
  } catch (error) {
    system.log.error(`What waits to be sent cannot be read: ${errorText(error)}`);
  }
}

function reportStart(monitor: Monitor): void {
  const { snapshot } = monitor.state;
  const host = snapshot?.readings.host;
  if (!snapshot || host?.state !== 'ok') return;
  const findings = [
    takeLastExit(monitor.config.stateDir),
    judgeReboot(monitor.lastAlive, host.value, snapshot.at),
  ];
  reportFindings(
    monitor,
    findings.filter((finding) => finding !== undefined),
  );
}

/** The kernel says that it killed something by a counter; reading it often is what makes the alert come within 2 s. */
function tickOom(monitor: Monitor, signal: AbortSignal): () => void {
  const { files } = monitor.system;
  const counter = openOomCounter(files);
  let known = counter.read();
  let again: NodeJS.Timeout | undefined;
  const look = () => void lookForKills(monitor);
  const timer = setInterval(() => {
    const count = counter.read();
    if (count === known || signal.aborted) return;
    known = count;
    look();
    // A kill that only the counter shows is known for sure a little later.
    again ??= setTimeout(() => {
      again = undefined;
      look();
    }, OOM_AGAIN_MS);
  }, OOM_TICK_MS);
  return () => {
    clearInterval(timer);
    clearTimeout(again);
    counter.close();
  };
}

/** Shows somebody outside that this server lives; that it fails once is no news for the owner, that it stays away is. */
function heartbeat(monitor: Monitor): void {
  const url = monitor.config.settings.HEARTBEAT_URL;
  if (url === '') return;
  monitor.system
    .http({ url, timeoutMs: 5000, maxBytes: 65_536 })
    .then((answer) => {
      if (answer.status >= 400) monitor.system.log.warn(`HEARTBEAT_URL answered ${answer.status}`);
    })
    .catch((error: unknown) => monitor.system.log.warn(`HEARTBEAT_URL did not answer: ${errorText(error)}`));
}
