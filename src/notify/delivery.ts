import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import type { Delivery as Outcome, Message } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import { takeLock, type Lock } from '../store/lock.ts';
import { recall, remember } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import type { Step, StoredRow } from '../store/outbox.ts';
import { appendLine } from '../system/append-file.ts';
import { readBytes } from '../system/read-bytes.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { alertLine, createAlertLog } from './alert-log.ts';
import { isConfigured } from './chat.ts';
import { createOutbox, foldBacklog } from './outbox.ts';
import { backoffMs, createPace } from './pace.ts';
import { createQueue } from './queue.ts';
import { createSender } from './sender.ts';
import { deliveryState, type DeliveryState } from './state.ts';
import { planSteps, standIn } from './steps.ts';
import { createTroubleLog } from './trouble-log.ts';

export type DeliveryDeps = {
  store: Store;
  config: Config;
  http: Http;
  clock: Clock;
  log: Log;
  stateDir: string;
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
  /** Sends what comes until the signal aborts; ends after the call in flight. */
  run(signal: AbortSignal): Promise<void>;
  /** Sends what can be sent within the time. For programs that end, and for the end of the daemon: the store may be closed after it. */
  drain(timeoutMs: number): Promise<void>;
  /**
   * A message that the state folder did not take: kept in memory, sent from there after what waits on disk, and put into the
   * outbox as soon as that is possible again.
   */
  tellUnsaved(message: Message): void;
  state(): DeliveryState;
};

/** `again`: something was done, look again. A number: wait so many ms. `idle`: until the next kick. */
type Turn = 'again' | 'idle' | number;

const SENDS = 'delivery.sends';
const REFUSED_PAUSE_MS = 3_600_000;
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
  const random = deps.random ?? Math.random;
  const configured = isConfigured(config);
  const outbox = createOutbox(db);
  const queue = createQueue(outbox.table);
  const pace = createPace(clock);
  const trouble = createTroubleLog(log, clock);
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
  const secrets = secretsOf(config);
  const alertLog = createAlertLog({
    db,
    table: outbox.table,
    append: deps.append ?? ((line) => appendLine(join(stateDir, 'alert_history.log'), line)),
    onLine: (line) => (configured ? undefined : log.info(line)),
    onTrouble: (why) => log.warn(`alert_history.log: ${why}`),
    secrets,
  });

  let lock: Lock | undefined;
  let running = false;
  /** The pause after a failed attempt, on a clock that never jumps. */
  let block: { id: number; attempts: number; tries: number; until: number } | undefined;
  /** A refusal from before this start is tried at once: somebody may have mended it. */
  let fresh = false;
  let prunedAt = Number.NEGATIVE_INFINITY;
  /** Aborted when time is up and the caller may close the store: an answer that comes then must touch nothing. */
  let inTime = new AbortController();
  let kicked = false;
  let wake: (() => void) | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** One turn at a time in this process; the lock file sees to the others. */
  function exclusive(): Promise<Turn> {
    const next = last.then(turn, turn);
    last = next.catch(() => undefined);
    return next;
  }

  async function turn(): Promise<Turn> {
    queue.saveLate();
    const behind = alertLog.behind();
    const head = queue.head();
    if (!behind) {
      if (!head) return rest('idle');
      const ms = waitMs(head);
      if (ms > 0) return rest(ms);
    }
    if (!hold()) return LOCK_RETRY_MS;
    alertLog.write();
    if (!configured) return skipAll();
    // Another process may have sent it between the look and the lock.
    const now = queue.head();
    const ms = now ? waitMs(now) : 0;
    if (!now || ms > 0) {
      saveQuietly(() => alertLog.save(clock.now()));
      return rest(now ? ms : 'idle');
    }
    saveQuietly(() => foldBacklog(outbox));
    const { signal } = inTime;
    await attempt(queue.head() ?? now);
    return signal.aborted ? 'idle' : 'again';
  }

  /** Telegram is not configured: what was accepted is in the log and in alert_history.log, and does not pile up. */
  function skipAll(): Turn {
    saveQuietly(() =>
      outbox.table.within(() => {
        outbox.table.skipPending();
        alertLog.save(clock.now());
      }),
    );
    queue.forgetUnsaved();
    return rest('idle');
  }

  async function attempt(row: StoredRow): Promise<void> {
    const steps = row.steps ?? planSteps(row, clock.now());
    const step = steps[row.stepsDone];
    fresh = false;
    // Nothing left to send: its last part was accepted before a crash.
    if (!step) return finish(row, steps, row.stepsDone);
    const { signal } = inTime;
    const outcome = await sender.send(step);
    if (signal.aborted) return;
    if (outcome.state === 'sent' || outcome.state === 'retry') pace.count();
    if (outcome.state === 'sent') {
      trouble.over();
      return finish(row, steps, row.stepsDone + 1);
    }
    if (outcome.state === 'invalid') return replace(row, steps, step, outcome.why);
    postpone(row, outcome);
  }

  /** Records that the first `done` steps were accepted. */
  function finish(row: StoredRow, steps: Step[], done: number): void {
    block = undefined;
    const now = clock.now();
    queue.accepted(row, steps, done, now, () => {
      remember(db, SENDS, pace.save(), now);
      alertLog.save(now);
    });
    if (clock.monotonic() - prunedAt > PRUNE_EVERY_MS) prune();
  }

  /** Telegram will never take this: a picture is left out, a text is replaced by a sentence, and a sentence given up. */
  function replace(row: StoredRow, steps: Step[], step: Step, why: string): void {
    log.error(`Telegram does not take a message (${row.kind}, ${row.subject}): ${why}`);
    if ('photo' in step) return finish(row, steps, row.stepsDone + 1);
    if (step.standIn) return queue.dropped(row, why);
    const replaced = steps.with(row.stepsDone, { html: standIn(row, why), standIn: true });
    queue.accepted(row, replaced, row.stepsDone, clock.now(), () => undefined);
  }

  function postpone(row: StoredRow, outcome: Extract<Outcome, { state: 'retry' | 'refused' }>): void {
    const tries = block?.id === row.id ? block.tries : row.attempts;
    const refused = outcome.state === 'refused';
    const asked = refused ? REFUSED_PAUSE_MS : outcome.afterMs;
    const ms = asked === undefined ? backoffMs(tries, random()) : Math.max(1000, asked);
    const saved = saveQuietly(() =>
      outbox.table.within(() => {
        if (row.id > 0)
          outbox.table.markTried(row.id, refused ? 'refused' : 'waiting', clock.now() + ms, ms, outcome.why);
        remember(db, SENDS, pace.save(), clock.now());
        alertLog.save(clock.now());
      }),
    );
    block = {
      id: row.id,
      attempts: saved && row.id > 0 ? row.attempts + 1 : row.attempts,
      tries: tries + 1,
      until: clock.monotonic() + ms,
    };
    trouble.happened(outcome, ms);
  }

  function waitMs(row: StoredRow): number {
    const own = block?.id === row.id && block.attempts === row.attempts;
    if (own) return Math.max(pace.waitMs(), (block as { until: number }).until - clock.monotonic());
    if (fresh && row.state === 'refused') return pace.waitMs();
    // Written by another process, or before a restart: a clock that jumped cannot make the pause longer than it was.
    return Math.max(pace.waitMs(), Math.min(row.waitMs, row.nextTryAt - clock.now()));
  }

  function hold(): boolean {
    if (lock) return true;
    try {
      const taken = takeLock(stateDir, 'delivery');
      if (!('release' in taken)) return false;
      lock = taken;
    } catch (error) {
      // No lock can be made where the state folder cannot be written. Then the store is in memory and nobody else has these
      // messages, or this is the daemon, and the one-shot commands leave sending to it.
      if (!running && store.trouble === undefined) {
        trouble.failed(`The delivery lock cannot be taken: ${errorText(error)}`);
        return false;
      }
      lock = { release: () => undefined };
    }
    pace.load(recall<number[]>(db, SENDS) ?? []);
    alertLog.reload();
    return true;
  }

  function letGo(): void {
    const held = lock;
    lock = undefined;
    saveQuietly(() => held?.release());
  }

  function rest(next: Turn): Turn {
    if (next === 'idle' || (typeof next === 'number' && next > KEEP_LOCK_MS)) letGo();
    return next;
  }

  /** What cannot be saved must not stop what can be sent. */
  function saveQuietly(work: () => unknown): boolean {
    try {
      work();
      return true;
    } catch (error) {
      trouble.failed(`The outbox cannot be saved: ${errorText(error)}`);
      return false;
    }
  }

  function prune(): void {
    prunedAt = clock.monotonic();
    saveQuietly(() => outbox.table.prune(clock.now()));
  }

  async function pause(next: 'idle' | number): Promise<void> {
    const woken = new AbortController();
    wake = () => woken.abort();
    if (kicked) woken.abort();
    else if (next === 'idle') await new Promise<void>((resolve) => (wake = resolve));
    else await clock.sleep(next, woken.signal);
    kicked = false;
    wake = undefined;
  }

  return {
    kick() {
      kicked = true;
      wake?.();
    },

    async run(signal) {
      running = true;
      if (inTime.signal.aborted) inTime = new AbortController();
      fresh = true;
      prune();
      signal.addEventListener('abort', () => wake?.(), { once: true });
      while (!signal.aborted) {
        const next = await exclusive().catch((error: unknown): Turn => {
          trouble.failed(`Sending failed: ${errorText(error)}`);
          letGo();
          return AFTER_ERROR_MS;
        });
        if (next !== 'again' && !signal.aborted) await pause(next);
      }
      running = false;
      letGo();
    },

    async drain(timeoutMs) {
      const end = clock.monotonic() + timeoutMs;
      if (inTime.signal.aborted) inTime = new AbortController();
      for (let left = timeoutMs; left > 0; left = end - clock.monotonic()) {
        const timer = new AbortController();
        const late = clock.sleep(left, timer.signal).then(() => 'late' as const);
        const next = await Promise.race([exclusive(), late]);
        timer.abort();
        if (next === 'late') {
          inTime.abort();
          break;
        }
        if (next === 'again') continue;
        if (next === 'idle' || next >= end - clock.monotonic()) break;
        await clock.sleep(next);
      }
      if (!running) letGo();
    },

    tellUnsaved(message) {
      log.warn(alertLine(message, secrets));
      queue.addUnsaved(message);
      kicked = true;
      wake?.();
    },

    state: () => deliveryState(db, config, outbox.table, queue.unsaved()),
  };
}
