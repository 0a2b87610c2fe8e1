import { join } from 'node:path';
import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import type { Message } from '../model/message.ts';
import { errorText, plain } from '../model/text.ts';
import { recall } from '../store/memory.ts';
import { Finite } from '../model/shapes.ts';
import type { Store } from '../store/open.ts';
import type { StoredRow } from '../store/outbox.ts';
import { appendLine } from '../system/append-file.ts';
import { readBytes } from '../system/read-bytes.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { alertLine, createAlertLog } from './alert-log.ts';
import { createAttempts, SENDS } from './attempt.ts';
import { isConfigured } from './chat.ts';
import { createEdits } from './edits.ts';
import { createLiving } from './living.ts';
import { createOutbox, foldBacklog } from './outbox.ts';
import { createPace } from './pace.ts';
import { createQueue } from './queue.ts';
import { createSender } from './sender.ts';
import { createSendingLock } from './sending-lock.ts';
import { deliveryState, type DeliveryState } from './state.ts';
import { allTargets, targetOf, targetsFor } from './targets.ts';
import { createFailureLog } from './failure-log.ts';
import { createWakeUp } from './wake-up.ts';

export type DeliveryDeps = {
  store: Store;
  config: Config;
  http: Http;
  clock: Clock;
  log: Log;
  stateDir: string;
  /** What messages call this server. */
  server: string;
  /** For one call of the Bot API. */
  timeoutMs?: number;
  random?(): number;
  /** Writes a line of alert_history.log; returns what went wrong. */
  append?(line: string): string | undefined;
  readPhoto?(path: string): Buffer;
};

export type Delivery = {
  /** There may be something to send: looks at once. Costs one small query. */
  kick(): void;
  /** The console sent or edited something: it counts for Telegram's limits, too. */
  count(): void;
  /** Sends what comes until the signal aborts; ends after the call in flight. */
  run(signal: AbortSignal): Promise<void>;
  /** Sends what can be sent within the time. For programs that end, and for the end of the daemon: the store may be closed after it. */
  drain(timeoutMs: number): Promise<void>;
  /**
   * A message that the state folder did not take: kept in memory, sent from there after what waits on disk, and put into the
   * outbox as soon as that is possible again.
   */
  sendUnsaved(message: Message): void;
  /** What the state folder did not take and was not sent yet: for whoever opens another store. */
  unsaved(): readonly Message[];
  state(): DeliveryState;
};

/** `again`: something was done, look again. A number: wait so many ms. `idle`: until the next kick. */
type Turn = 'again' | 'idle' | number;

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const;
/** The whole text is in alert_history.log. */
const LOG_LETTERS = 500;
const LOCK_RETRY_MS = 250;
const AFTER_ERROR_MS = 5000;
const PRUNE_EVERY_MS = 86_400_000;
const PHOTO_MAX_BYTES = 10 * 1024 * 1024;
/** For longer pauses than this another process may send. */
const KEEP_LOCK_MS = 2000;

/**
 * Sends the outbox to Telegram, one message at a time, in order; only the process that holds the delivery lock does. What was
 * accepted is marked after it was accepted: a crash in between repeats that one part, nothing else.
 */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { store, config, clock, log, stateDir } = deps;
  const { db } = store;
  const configured = isConfigured(config);
  const secrets = secretsOf(config);
  const outbox = createOutbox(db);
  const { table } = outbox;
  const queue = createQueue(table);
  const pace = createPace(clock);
  const wakeUp = createWakeUp(clock);
  const failures = createFailureLog(log, clock);
  let running = false;
  /** It has run as the monitor's, and may now be sending the last messages. */
  let hasRun = false;
  let prunedAt = Number.NEGATIVE_INFINITY;
  /** Aborted when time is up and the caller may close the store: an answer that comes then must touch nothing. */
  let inTime = new AbortController();
  let last: Promise<unknown> = Promise.resolve();

  const alertLog = createAlertLog({
    db,
    table,
    append: deps.append ?? ((line) => appendLine(join(stateDir, 'alert_history.log'), line)),
    // In the monitor's log each message is one line; the commands of a person print what they send.
    onLine(line, severity) {
      if (!hasRun && configured) return;
      log[LEVELS[severity]](plain(line, LOG_LETTERS));
    },
    onFailure: (why) => log.warn(`alert_history.log: ${why}`),
    secrets,
  });
  const sender = createSender({
    db,
    config,
    http: deps.http,
    clock,
    log,
    signal: () => inTime.signal,
    readPhoto: deps.readPhoto ?? ((path) => readBytes(path, PHOTO_MAX_BYTES)),
    ...(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs }),
  });
  const living =
    config.settings.TELEGRAM_STYLE === 'living'
      ? createLiving(db, config, deps.server, () => clock.now())
      : undefined;
  const targets = allTargets(config);
  const severalChats = targets.length > 1;
  const attempts = createAttempts({
    db,
    table,
    queue,
    pace,
    failures,
    clock,
    log,
    send: (step, to) => sender.send(step, to),
    targetOf: (row) => targetOf(config, row),
    ...(living ? { living } : {}),
    random: deps.random ?? Math.random,
    signal: () => inTime.signal,
    saveAlso: (now) => alertLog.save(now),
    // What it refused before may be edited now.
    onAccepted: (target) => edits?.unblock(target),
  });
  const edits =
    living &&
    createEdits({
      db,
      messages: living.messages,
      sender,
      pace,
      clock,
      log,
      random: deps.random ?? Math.random,
      targets,
      signal: () => inTime.signal,
    });
  const lock = createSendingLock({
    stateDir,
    // Where the folder cannot be written the store is in memory, and nobody else has these messages; or this is the daemon,
    // and the one-shot commands leave sending to it.
    mayDoWithout: () => running || store.trouble !== undefined,
    onTaken() {
      pace.load(recall(db, SENDS, v.array(Finite)) ?? []);
      alertLog.reload();
    },
    onFailure: (what) => failures.own(what),
  });

  /** One turn at a time in this process; the lock file sees to the others. */
  function exclusive(): Promise<Turn> {
    const next = last.then(turn, turn);
    last = next.catch(() => undefined);
    return next;
  }

  async function turn(): Promise<Turn> {
    queue.saveLate();
    if (severalChats) saveQuietly(routeAll);
    const todo = next();
    if (!alertLog.behind()) {
      if (!todo) return rest('idle');
      if (todo.ms > 0) return rest(todo.ms);
    }
    if (!lock.hold()) return LOCK_RETRY_MS;
    alertLog.write();
    if (!configured) return skipAll();
    // Another process may have sent it between the look and the lock.
    let due = next();
    if (!due || due.ms > 0) {
      saveQuietly(() => alertLog.save(clock.now()));
      return rest(due ? due.ms : 'idle');
    }
    saveQuietly(() => foldBacklog(outbox, deps.server));
    due = next() ?? due;
    const { signal } = inTime;
    if ('row' in due) await attempts.attempt(due.row);
    else await edits?.edit(due.message);
    if (signal.aborted) return 'idle';
    if (clock.monotonic() - prunedAt > PRUNE_EVERY_MS) prune();
    return 'again';
  }

  /** What can be done first: the next message of a chat, or, where none waits for it, an edit. */
  function next() {
    const heads = queue.heads();
    let first: { row: StoredRow; ms: number } | undefined;
    for (const row of heads) {
      const ms = attempts.waitMs(row);
      if (!first || ms < first.ms) first = { row, ms };
    }
    if ((first && first.ms <= 0) || !edits || !running || !configured) return first;
    const edit = edits.next(new Set(heads.map((row) => targetOf(config, row))));
    return edit && (!first || edit.ms < first.ms) ? edit : first;
  }

  function routeAll(): void {
    const rows = table.pendingOf('');
    if (rows.length === 0) return;
    table.within(() => {
      for (const row of rows) table.route(row, targetsFor(config, row.severity));
    });
  }

  /** Telegram is not configured: what was accepted is in the log and in alert_history.log, and does not pile up. */
  function skipAll(): Turn {
    saveQuietly(() =>
      table.within(() => {
        table.skipPending();
        alertLog.save(clock.now());
      }),
    );
    queue.forgetUnsaved();
    return rest('idle');
  }

  function rest(next: 'idle' | number): Turn {
    if (next === 'idle' || next > KEEP_LOCK_MS) lock.letGo();
    return next;
  }

  /** What cannot be saved must not stop what can be sent. */
  function saveQuietly(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      failures.own(`The outbox cannot be saved: ${errorText(error)}`);
    }
  }

  function prune(): void {
    prunedAt = clock.monotonic();
    saveQuietly(() => {
      table.prune(clock.now());
      living?.messages.prune(clock.now());
    });
  }

  function beInTime(): void {
    if (inTime.signal.aborted) inTime = new AbortController();
  }

  return {
    kick: () => wakeUp.kick(),
    count: () => pace.count(),

    async run(signal) {
      running = true;
      hasRun = true;
      beInTime();
      attempts.startAfresh();
      saveQuietly(() => table.routeAnew(targets));
      prune();
      signal.addEventListener('abort', () => wakeUp.kick(), { once: true });
      while (!signal.aborted) {
        const next = await exclusive().catch((error: unknown): Turn => {
          failures.own(`Sending failed: ${errorText(error)}`);
          lock.letGo();
          return AFTER_ERROR_MS;
        });
        if (next !== 'again') await wakeUp.pause(next);
      }
      running = false;
      lock.letGo();
    },

    async drain(timeoutMs) {
      const end = clock.monotonic() + timeoutMs;
      beInTime();
      for (let left = timeoutMs; left > 0; left = end - clock.monotonic()) {
        const timer = new AbortController();
        const late = clock.sleep(left, timer.signal).then(() => 'late' as const);
        const next = await Promise.race([exclusive(), late]);
        timer.abort();
        if (next === 'again') continue;
        if (next === 'late') inTime.abort();
        if (next === 'late' || next === 'idle' || next >= end - clock.monotonic()) break;
        await clock.sleep(next);
      }
      if (!running) lock.letGo();
    },

    sendUnsaved(message) {
      log.warn(alertLine(message, secrets));
      queue.addUnsaved(message);
      wakeUp.kick();
    },

    unsaved: () => queue.unsaved().filter(({ stepsDone }) => stepsDone === 0),

    state: () => deliveryState(db, config, table, queue.unsaved()),
  };
}
