import { serveHttp } from '../daemon/http.ts';
import { judgeHealth } from '../daemon/health.ts';
import { openHouse } from '../daemon/house.ts';
import { runLoop } from '../daemon/loop.ts';
import { metricsOf } from '../daemon/metrics.ts';
import { openWatchdog } from '../daemon/watchdog.ts';
import { errorText } from '../model/text.ts';
import { takeLock } from '../store/lock.ts';
import { openStore } from '../store/open.ts';
import { VERSION } from '../version.ts';
import type { CommandContext } from './context.ts';

/** After a second signal, or when the orderly way hangs, the process ends all the same. */
const STOP_WITHIN_MS = 4800;

/** Watches until SIGTERM or SIGINT. Exit 0 after an orderly stop, 3 when it could not start. */
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
  const house = openHouse(context, store);
  const stop = new AbortController();
  const onSignal = (name: string) => {
    if (stop.signal.aborted) process.exit(3);
    log.info(`${name}: stopping`);
    stop.abort();
    setTimeout(() => {
      log.error('Stopping took too long: leaving without waiting any more.');
      process.exit(3);
    }, STOP_WITHIN_MS).unref();
  };
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  process.on('SIGINT', () => onSignal('SIGINT'));
  // A mistake somewhere must not end the watch: it is logged, and the watchdog ends a process that is stuck.
  process.on('unhandledRejection', (error) => log.error(`Unexpected: ${errorText(error)}`));
  process.on('uncaughtException', (error) => log.error(`Unexpected: ${errorText(error)}`));

  let http: { address: string; close(): Promise<void> } | undefined;
  if (config.settings.HTTP_LISTEN !== '') {
    try {
      http = await serveHttp(config.settings.HTTP_LISTEN, {
        health: () => judgeHealth(house),
        metrics: () => metricsOf(house),
      });
      log.info(`vpsmon ${VERSION} serves http://${http.address}/health and /metrics`);
    } catch (error) {
      log.error(`${errorText(error)}. The monitor goes on without /health and /metrics.`);
    }
  }
  log.info(`Watching every ${config.settings.SERVICE_CHECK_INTERVAL} s; state in ${config.stateDir}`);
  if (!house.delivery.state().configured)
    log.warn('Telegram is not configured: alerts go to this log and to alert_history.log only.');
  watchdog.ready('watching');

  await runLoop(house, watchdog, stop.signal);
  await http?.close();
  await house.close();
  if (lock && 'release' in lock) lock.release();
  log.info('Stopped');
  // Sockets that a foreign library still holds must not keep the process.
  setTimeout(() => process.exit(0), 200).unref();
  return 0;
}
