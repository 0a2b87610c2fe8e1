import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { MONITOR_SOCKET } from '../config/state-dir.ts';
import { serveHttp, serveSocket, type Served } from '../daemon/http.ts';
import { judgeHealth } from '../daemon/health.ts';
import { openMonitor } from '../daemon/open-monitor.ts';
import { runLoop } from '../daemon/loop.ts';
import { metricsOf } from '../daemon/metrics.ts';
import { changesBetween, keptFromEnvironment } from '../daemon/reload.ts';
import type { Monitor } from '../daemon/types.ts';
import { isRebooting } from '../daemon/reboot.ts';
import { openWatchdog, serverStalls, type Watchdog } from '../daemon/watchdog.ts';
import type { Problem } from '../config/schema.ts';
import type { Message } from '../model/message.ts';
import { errorText, plain } from '../model/text.ts';
import { renderProblems } from '../outputs/terminal/problems.ts';
import { takeLock, type Lock } from '../store/lock.ts';
import { carryStore, lossOf, openStore, reopenStore, takeCarried, type Store } from '../store/open.ts';
import { openOutbox } from '../store/outbox.ts';
import { reportDropped } from '../store/rows.ts';
import { whyNotUsable } from '../store/state-folder.ts';
import { downgradeText, laterWriter, recordWriter } from '../store/written-by.ts';
import { VERSION } from '../version.ts';
import type { Log } from '../system/types.ts';
import type { CommandContext } from './context.ts';
import { makeContext } from './make-context.ts';

/** After a second signal, or when the orderly way hangs, the process ends all the same. */
const STOP_WITHIN_MS = 4800;
const FAILED = 3;

/**
 * Garbage is collected early: with 500 containers on a busy machine that is a third less. Not as a flag of the unit: V8 begins with a cache
 * of numbers as text of 256 KB, and two of them that meet in one place make it take one that fits to the nursery, but not under this flag.
 */
function favourSize(): void {
  for (const number of [1.5, 2.5, 3.5]) number.toString();
  setFlagsFromString('--optimize-for-size');
}

/**
 * Watches until SIGTERM or SIGINT; SIGHUP reads the settings anew. Exit 0 after an orderly stop, 3 when it could not start.
 */
export async function monitor(context: CommandContext): Promise<number> {
  favourSize();
  const { config, system, io } = context;
  const { log, clock } = system;
  // The unit's RuntimeDirectory: it outlives the process, and the next one finds there what the removed state folder had.
  const runtimeDir = context.env['RUNTIME_DIRECTORY'];
  const carried = runtimeDir !== undefined && takeCarried(runtimeDir, config.stateDir);
  let store = openStore(config.stateDir, clock.now());
  let lock = lockFor(store, config.stateDir);
  if (lock && 'heldBy' in lock) {
    io.err(
      `${anotherMonitor(config.stateDir, lock.heldBy)} Stop it first, or give this one a folder of its own with --state-dir.`,
    );
    store.close();
    return FAILED;
  }
  let news = carried ? madeAnew(config.stateDir, 'was removed') : undefined;
  news ??= newsOf(store, config.stateDir) ?? newsOfVersion(store, config.stateDir, clock.now());

  const watchdog = openWatchdog(
    context.env,
    config.settings.SERVICE_CHECK_INTERVAL * 1000,
    undefined,
    undefined,
    () => serverStalls(context.system.files),
  );
  const turns = openTurns(context, watchdog);
  logNews(context, store, news);
  // A mistake somewhere must not end the watch: it is logged, and the watchdog ends a process that is stuck.
  process.on('unhandledRejection', (error) => log.error(`Unexpected: ${errorText(error)}`));
  process.on('uncaughtException', (error) => log.error(`Unexpected: ${errorText(error)}`));

  for (let again = false; ; again = true) {
    const folder = lookAfterFolder(turns, store, lock);
    const unsaved = await watch(turns, store, folder, { news, again });
    if (turns.stop.signal.aborted) break;
    const { lost = '', forsaken } = folder;
    if (forsaken) {
      if (runtimeDir !== undefined) carryStore(store, runtimeDir);
      io.err(`vpsmon: the state folder ${config.stateDir} ${lost}: systemd makes it with the next start.`);
      return FAILED;
    }
    if (lost !== '') {
      const held = lock && 'holds' in lock && lock.holds() ? lock : undefined;
      const anew = openAnew(turns.context, store, held, lost);
      if ('exitCode' in anew) return anew.exitCode;
      ({ store, lock, news } = anew);
    } else {
      // As after a restart: everything that must not be lost is in there.
      store.close();
      store = openStore(config.stateDir, clock.now());
      news = newsOf(store, config.stateDir);
    }
    logNews(context, store, news);
    keep(unsaved, store, log);
    nextTurn(turns);
    watchdog.checkEvery(turns.context.config.settings.SERVICE_CHECK_INTERVAL * 1000);
  }
  store.close();
  if (lock && 'release' in lock) lock.release();
  log.info('Stopped');
  // Sockets that a foreign library still holds must not keep the process.
  setTimeout(() => process.exit(0), 200).unref();
  return 0;
}

/** One turn is a watch with one set of settings: SIGHUP ends it for another one, SIGTERM and SIGINT end it for good. */
type Turns = {
  watchdog: Watchdog;
  /** Aborted for good. */
  stop: AbortController;
  /** Ends the watch with the settings of now: for good, or for one with others. */
  turn: AbortController;
  rebooting: boolean;
  /** The settings that are watched with. */
  context: CommandContext;
  /** What was read meanwhile, for the next turn. */
  next?: CommandContext;
  watched?: Monitor;
};

/** Turns that signals end. */
function openTurns(context: CommandContext, watchdog: Watchdog): Turns {
  const stop = new AbortController();
  const turns: Turns = { watchdog, stop, turn: new AbortController(), rebooting: false, context };
  let reloads = Promise.resolve();
  // Under systemd this may be the whole machine going down.
  process.on('SIGTERM', () => onSignal(turns, 'SIGTERM', context.env['INVOCATION_ID'] !== undefined));
  process.on('SIGINT', () => onSignal(turns, 'SIGINT'));
  process.on('SIGHUP', () => {
    // A terminal that is closed sends this, too, and what was tried in it must not go on without it.
    if (process.stdin.isTTY) onSignal(turns, 'SIGHUP');
    else reloads = reloads.then(() => reload(turns));
  });
  return turns;
}

function onSignal(turns: Turns, name: string, byManager = false): void {
  const { stop, watchdog, watched, context } = turns;
  const { log } = context.system;
  if (stop.signal.aborted) process.exit(3);
  log.info(`${name}: stopping`);
  watchdog.stopping();
  stop.abort();
  watched?.stopping();
  if (!byManager) turns.turn.abort();
  else
    void isRebooting(context.run).then((is) => {
      turns.rebooting = is;
      turns.turn.abort();
    });
  setTimeout(() => {
    // No fault of the program: what was decided is kept, and sent by the next start.
    log.warn('Stopping takes long: leaving without waiting any more.');
    process.exit(0);
  }, STOP_WITHIN_MS).unref();
}

async function reload(turns: Turns): Promise<void> {
  if (turns.stop.signal.aborted) return;
  const read = await readAnew(turns.next ?? turns.context);
  if (turns.watched) markMistakes(turns.watched, 'mistakes' in read ? read.mistakes : undefined);
  if (!('config' in read)) return;
  turns.next = read;
  turns.turn.abort();
}

/** The next turn begins, with the settings that were read meanwhile. */
function nextTurn(turns: Turns): void {
  turns.turn = new AbortController();
  turns.context = turns.next ?? turns.context;
  delete turns.next;
}

type Folder = {
  look(monitor: Monitor): void;
  /** Set where the turn was ended because the state folder is gone, or another program's. */
  lost?: string;
  /** It can only be made anew by systemd. */
  forsaken: boolean;
};

/** Looks with every check whether the state folder is still the one that the store is in. */
function lookAfterFolder(turns: Turns, store: Store, lock: ReturnType<typeof lockFor>): Folder {
  const { config, env, system } = turns.context;
  const { stateDir } = config;
  const folder: Folder = { look, forsaken: false };
  return folder;

  function look({ state }: Monitor): void {
    const lost = store.stale() ?? (lock && 'holds' in lock && !lock.holds() ? 'lost its lock' : undefined);
    if (lost === undefined) return void delete state.folderError;
    const why = whyNotUsable(stateDir);
    // In the unit's sandbox nothing but the state folder can be written: only a new start makes it anew. What is wrong is reported first.
    folder.forsaken =
      why !== undefined && state.folderError !== undefined && env['INVOCATION_ID'] !== undefined;
    if (why === undefined || folder.forsaken) {
      folder.lost = lost;
      return turns.turn.abort();
    }
    // Goes on with the file that has no name any more, and tries again with the next check.
    if (state.folderError !== why) system.log.error(`The state folder ${stateDir} ${lost}: ${why}`);
    state.folderError = why;
  }
}

/** The lock of the folder; undefined where the store lives in memory and nothing can be locked. */
function lockFor(store: Store, stateDir: string): ReturnType<typeof takeLock> | undefined {
  return store.trouble === undefined ? takeLock(stateDir, 'daemon') : undefined;
}

function anotherMonitor(stateDir: string, pid: number | undefined): string {
  return `vpsmon: another monitor${pid ? ` (process ${pid})` : ''} uses the state folder ${stateDir}.`;
}

/** What is worth a warning about a store that was just opened. */
function newsOf(store: Store, stateDir: string): string | undefined {
  const loss = lossOf(store);
  if (loss !== undefined) return `The database in ${stateDir} ${loss}; a new one has begun`;
  if (store.repaired !== undefined)
    return `Tables of the database in ${stateDir} were missing or damaged and were made anew: ${store.repaired.join(', ')}`;
  return undefined;
}

/** An older version over the state folder of a later one says so, once. */
function newsOfVersion({ db }: Store, stateDir: string, now: number): string | undefined {
  try {
    const later = laterWriter(db, VERSION);
    recordWriter(db, VERSION, now);
    return later === undefined ? undefined : downgradeText(stateDir, later, VERSION);
  } catch {
    return undefined; // A disk that is full is reported by what has to be saved.
  }
}

function logNews({ config, system }: CommandContext, store: Store, news: string | undefined): void {
  const { log } = system;
  reportDropped(
    store.db,
    once((what) => log.warn(what)),
  );
  if (news !== undefined) log.error(`${news}.`);
  if (store.trouble)
    log.error(
      `The state folder ${config.stateDir} cannot be used (${store.trouble}). History and alerts are kept in memory only.`,
    );
}

/** A row that cannot be read is met at every look at it. */
function once(log: (what: string) => void): (what: string) => void {
  const logged = new Set<string>();
  return (what) => {
    if (logged.has(what) || logged.size > 1000) return;
    logged.add(what);
    log(what);
  };
}

/** Messages that the store before did not take. */
function keep(messages: readonly Message[], store: Store, log: Log): void {
  if (messages.length === 0) return;
  try {
    const outbox = openOutbox(store.db);
    outbox.within(() => messages.forEach((message) => outbox.enqueue(message)));
  } catch (error) {
    log.error(`${messages.length} alerts are in this log only: ${errorText(error)}`);
  }
}

function madeAnew(stateDir: string, lost: string): string {
  return `The state folder ${stateDir} ${lost} while the monitor ran, and was made anew`;
}

type Anew = { store: Store; lock: ReturnType<typeof lockFor>; news: string | undefined };

/** The state folder was removed or replaced while the monitor ran: it is made anew, unless another monitor works in it by now. */
function openAnew(
  context: CommandContext,
  old: Store,
  held: Lock | undefined,
  lost: string,
): Anew | { exitCode: number } {
  const { config, system, io } = context;
  const { stateDir } = config;
  // The lock before anything is written: whoever has it owns what is there.
  const lock = held ?? takeLock(stateDir, 'daemon');
  if ('heldBy' in lock) {
    io.err(`${anotherMonitor(stateDir, lock.heldBy)} It ${lost} while this one ran, which ends now.`);
    return { exitCode: FAILED };
  }
  const store = reopenStore(stateDir, system.clock.now(), old);
  old.close();
  const news = [
    ...(old.trouble === undefined ? [madeAnew(stateDir, lost)] : []),
    ...[newsOf(store, stateDir)].filter((text) => text !== undefined),
  ].join('. ');
  return { store, lock, news: news === '' ? undefined : news };
}

/**
 * Watches with one set of settings until the turn ends, and closes everything that it opened but the store. Returns the messages that the
 * store did not take. `again`: it is not the first turn of this process.
 */
async function watch(
  turns: Turns,
  store: Store,
  folder: Folder,
  more: { news: string | undefined; again: boolean },
): Promise<readonly Message[]> {
  const { context, watchdog } = turns;
  const { signal } = turns.turn;
  const { config, system } = context;
  const { log } = system;
  // The end of a turn is reported by the next start, if at all, where this is a reload or a reboot.
  const goesOn = () => turns.rebooting || !turns.stop.signal.aborted;
  const monitor = openMonitor(context, store, { ...more, goesOn });
  turns.watched = monitor;
  const pages = { health: () => judgeHealth(monitor), metrics: () => metricsOf(monitor) };
  const served: Served[] = [];
  if (config.settings.HTTP_LISTEN !== '') {
    try {
      const http = await serveHttp(config.settings.HTTP_LISTEN, pages, config.settings.HTTP_HOSTS);
      served.push(http);
      log.info(`vpsmon ${VERSION} serves http://${http.address}/health and /metrics`);
    } catch (error) {
      monitor.state.httpError = errorText(error);
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
  if (!monitor.delivery.state().configured)
    log.warn('Telegram is not configured: alerts go to this log and to alert_history.log only.');
  watchdog.ready('watching');

  const console = talk(monitor, context, signal);
  await runLoop(monitor, watchdog, signal, () => folder.look(monitor));
  await Promise.race([console, system.clock.sleep(1000)]);
  for (const server of served) await server.close();
  await monitor.close();
  return monitor.delivery.unsaved();
}

/** Commands and buttons on Telegram; loaded where they are wanted. Never rejects. */
async function talk(monitor: Monitor, context: CommandContext, signal: AbortSignal): Promise<void> {
  const { TELEGRAM_COMMANDS, TELEGRAM_BOT_TOKEN } = context.config.settings;
  if (!TELEGRAM_COMMANDS || TELEGRAM_BOT_TOKEN === '') return;
  const { runConsole } = await import('../daemon/console.ts');
  await runConsole(monitor, context, signal);
}

/** Reported with the next check, and until a reload reads settings without mistakes. */
function markMistakes({ state }: Monitor, mistakes: readonly Problem[] | undefined): void {
  delete state.badSettings;
  if (!mistakes) return;
  // Without the text: what is wrong with a secret is for the log only.
  const [first, ...more] = mistakes.filter(({ level }) => level === 'error');
  const { file = '', line, key = '' } = first ?? {};
  const place = `${plain(file)}${line === undefined ? '' : `:${line}`} ${plain(key)}`.trim();
  state.badSettings = more.length === 0 ? place : `${place} and ${more.length} more`;
}

type Reread = CommandContext | { mistakes: readonly Problem[] } | { same: true };

/** The settings as they are in the files now, where there is something to change over to; the log has the reason where not. */
async function readAnew(current: CommandContext): Promise<Reread> {
  const { log } = current.system;
  const read = await makeContext(current.options, current.io);
  if ('problems' in read) {
    log.error('The settings have mistakes, so the ones from before stay in force:');
    current.io.err(renderProblems(read.problems, false));
    return { mistakes: read.problems };
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
  return { same: true };
}
