import { join } from 'node:path';
import { MONITOR_SOCKET } from '../config/state-dir.ts';
import { serveHttp, serveSocket, type Served } from '../daemon/http.ts';
import { judgeHealth } from '../daemon/health.ts';
import { openHouse } from '../daemon/house.ts';
import { runLoop } from '../daemon/loop.ts';
import { metricsOf } from '../daemon/metrics.ts';
import { changesBetween, keptFromEnvironment } from '../daemon/reload.ts';
import { openWatchdog, type Watchdog } from '../daemon/watchdog.ts';
import { errorText } from '../model/text.ts';
import { renderProblems } from '../outputs/problems.ts';
import { takeLock } from '../store/lock.ts';
import { openStore, type Store } from '../store/open.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';
import { makeContext } from './make-context.ts';

/** After a second signal, or when the orderly way hangs, the process ends all the same. */
const STOP_WITHIN_MS = 4800;

/**
 * Watches until SIGTERM or SIGINT; SIGHUP reads the settings anew. Exit 0 after an orderly stop, 3 when it could not start.
 */
export async function monitor(context: CommandContext): Promise<number> {
  const { config, system, io } = context;
  const { log, clock } = system;
  const store = openStore(config.stateDir, clock.now());
  if (store.setAside)
    log.error(
      `The database in ${config.stateDir} was corrupt. It was set aside as ${store.setAside}; a new one has begun.`,
    );
  if (store.trouble)
    log.error(
      `The state folder ${config.stateDir} cannot be used (${store.trouble}). History and alerts are kept in memory only.`,
    );

  const lock = store.trouble ? undefined : takeLock(config.stateDir, 'daemon');
  if (lock && 'heldBy' in lock) {
    io.err(
      `vpsmon: another monitor${lock.heldBy ? ` (process ${lock.heldBy})` : ''} uses the state folder ${config.stateDir}. ` +
        'Stop it first, or give this one a folder of its own with --state-dir.',
    );
    store.close();
    return 3;
  }

  const watchdog = openWatchdog(context.env, config.settings.SERVICE_CHECK_INTERVAL * 1000);
  const stop = new AbortController();
  /** Ends the watch with the settings of now: for good, or for one with others. */
  let turn = new AbortController();
  const onSignal = (name: string) => {
    if (stop.signal.aborted) process.exit(3);
    log.info(`${name}: stopping`);
    watchdog.stopping();
    stop.abort();
    turn.abort();
    setTimeout(() => {
      log.error('Stopping took too long: leaving without waiting any more.');
      process.exit(3);
    }, STOP_WITHIN_MS).unref();
  };
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  process.on('SIGINT', () => onSignal('SIGINT'));
  let current = context;
  let next: CommandContext | undefined;
  let reloads = Promise.resolve();
  process.on('SIGHUP', () => {
    // A terminal that is closed sends this, too, and what was tried in it must not go on without it.
    if (process.stdin.isTTY) return onSignal('SIGHUP');
    reloads = reloads.then(async () => {
      if (stop.signal.aborted) return;
      const read = await readAnew(next ?? current);
      if (!read) return;
      next = read;
      turn.abort();
    });
  });
  // A mistake somewhere must not end the watch: it is logged, and the watchdog ends a process that is stuck.
  process.on('unhandledRejection', (error) => log.error(`Unexpected: ${errorText(error)}`));
  process.on('uncaughtException', (error) => log.error(`Unexpected: ${errorText(error)}`));

  await watch(current, store, watchdog, turn.signal);
  while (next && !stop.signal.aborted) {
    current = next;
    next = undefined;
    turn = new AbortController();
    watchdog.checkEvery(current.config.settings.SERVICE_CHECK_INTERVAL * 1000);
    // Opened anew, as after a restart: everything that must not be lost is in there.
    await watch(current, openStore(config.stateDir, clock.now()), watchdog, turn.signal);
  }
  if (lock && 'release' in lock) lock.release();
  log.info('Stopped');
  // Sockets that a foreign library still holds must not keep the process.
  setTimeout(() => process.exit(0), 200).unref();
  return 0;
}

/** Watches with one set of settings until the signal, and closes everything that it opened. */
async function watch(
  context: CommandContext,
  store: Store,
  watchdog: Watchdog,
  signal: AbortSignal,
): Promise<void> {
  const { config, system } = context;
  const { log } = system;
  const house = openHouse(context, store);
  const pages = { health: () => judgeHealth(house), metrics: () => metricsOf(house) };
  const served: Served[] = [];
  if (config.settings.HTTP_LISTEN !== '') {
    try {
      const http = await serveHttp(config.settings.HTTP_LISTEN, pages, config.settings.HTTP_HOSTS);
      served.push(http);
      log.info(`vpsmon ${VERSION} serves http://${http.address}/health and /metrics`);
    } catch (error) {
      house.state.httpTrouble = errorText(error);
      log.error(`${errorText(error)}. The monitor goes on without /health and /metrics.`);
    }
  }
  if (!store.trouble) {
    try {
      served.push(await serveSocket(join(config.stateDir, MONITOR_SOCKET), pages));
    } catch (error) {
      log.warn(`${errorText(error)}. The other commands read by themselves.`);
    }
  }
  log.info(`Watching every ${config.settings.SERVICE_CHECK_INTERVAL} s; state in ${config.stateDir}`);
  if (!house.delivery.state().configured)
    log.warn('Telegram is not configured: alerts go to this log and to alert_history.log only.');
  watchdog.ready('watching');

  await runLoop(house, watchdog, signal);
  for (const server of served) await server.close();
  await house.close();
}

/** The settings as they are in the files now; undefined, with the reason in the log, where there is nothing to change over to. */
async function readAnew(current: CommandContext): Promise<CommandContext | undefined> {
  const { log } = current.system;
  const read = await makeContext(current.options, current.io);
  if ('problems' in read) {
    log.error('The settings have mistakes, so the ones from before stay in force:');
    current.io.err(renderProblems(read.problems, false));
    return undefined;
  }
  const fixed = keptFromEnvironment(read.config);
  if (fixed.length > 0)
    log.warn(
      `Set in the environment of this process, which only a restart changes, whatever the file says: ${fixed.join(', ')}`,
    );
  const changed = changesBetween(current.config, read.config);
  if (changed.length > 0) {
    log.info(`Settings read anew; changed: ${changed.join(', ')}`);
    return read;
  }
  log.info('Settings read anew; nothing has changed.');
  read.system.docker.close();
  read.system.kernelLog.close();
  return undefined;
}
