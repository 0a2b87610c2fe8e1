import { join } from 'node:path';
import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import { Finite } from '../model/shapes.ts';
import { plain } from '../model/text.ts';
import { recall } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import { appendLine, readBytes } from '../system/state-files.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { createAlertLog } from './alert-log.ts';
import { createAttempts, SENDS } from './attempt.ts';
import { isConfigured } from './chat.ts';
import { createEdits } from './edits.ts';
import { createFailureLog } from './failure-log.ts';
import { createLiving } from './living.ts';
import { createOutbox } from './outbox.ts';
import { createPace } from './pace.ts';
import { createQueue } from './queue.ts';
import { createSender } from './sender.ts';
import { createSendingLock } from './sending-lock.ts';
import { allTargets, targetOf } from './targets.ts';

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

/** What delivery works with, and how it stands. */
export type Sending = ReturnType<typeof openSending>;

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const;
/** Versions before this one kept times without the chat. */
const Sends = v.array(v.union([v.tuple([Finite, v.string()]), Finite]));
/** The whole text is in alert_history.log. */
const LOG_LETTERS = 500;
const PHOTO_MAX_BYTES = 10 * 1024 * 1024;

/** Connects the parts of delivery for one store. */
export function openSending(deps: DeliveryDeps) {
  const { store, config, clock, log, stateDir } = deps;
  const { db } = store;
  const random = deps.random ?? Math.random;
  const state = {
    /** The loop of the monitor runs. */
    running: false,
    /** It has run as the monitor's, and may now be sending the last messages. */
    hasRun: false,
    prunedAt: Number.NEGATIVE_INFINITY,
    /** Aborted when time is up and the caller may close the store: an answer that comes then must touch nothing. */
    inTime: new AbortController(),
  };
  const signal = () => state.inTime.signal;
  const configured = isConfigured(config);
  const secrets = secretsOf(config);
  const outbox = createOutbox(db);
  const { table } = outbox;
  const queue = createQueue(table);
  const pace = createPace(clock);
  const failures = createFailureLog(log, clock);
  const targets = allTargets(config);

  const alertLog = createAlertLog({
    db,
    table,
    append: deps.append ?? ((line) => appendLine(join(stateDir, 'alert_history.log'), line)),
    // In the monitor's log each message is one line; the commands of a person print what they send.
    onLine(line, severity) {
      if (state.hasRun || !configured) log[LEVELS[severity]](plain(line, LOG_LETTERS));
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
    signal,
    readPhoto: deps.readPhoto ?? ((path) => readBytes(path, PHOTO_MAX_BYTES)),
    ...(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs }),
  });
  const living =
    config.settings.TELEGRAM_STYLE === 'living'
      ? createLiving(db, config, deps.server, () => clock.now())
      : undefined;
  const edits =
    living &&
    createEdits({ db, messages: living.messages, sender, pace, clock, log, random, targets, signal });
  const attempts = createAttempts({
    db,
    table,
    queue,
    pace,
    failures,
    clock,
    log,
    random,
    signal,
    send: (step, to) => sender.send(step, to),
    targetOf: (row) => targetOf(config, row),
    ...(living ? { living } : {}),
    saveAlso: (now) => alertLog.save(now),
    // What it refused before may be edited now.
    onAccepted: (target) => edits?.unblock(target),
  });
  const lock = createSendingLock({
    stateDir,
    // Where the folder cannot be written the store is in memory, and nobody else has these messages; or this is the daemon,
    // and the one-shot commands leave sending to it.
    mayDoWithout: () => state.running || store.trouble !== undefined,
    onTaken() {
      pace.load((recall(db, SENDS, Sends) ?? []).filter((one) => typeof one !== 'number'));
      alertLog.reload();
    },
    onFailure: (what) => failures.own(what),
  });
  return {
    config,
    db,
    clock,
    log,
    server: deps.server,
    state,
    configured,
    secrets,
    targets,
    outbox,
    queue,
    pace,
    failures,
    alertLog,
    living,
    edits,
    attempts,
    lock,
  };
}
