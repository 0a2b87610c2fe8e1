import { join } from 'node:path';
import * as v from 'valibot';
import type { Config } from '../config/schema.ts';
import { secretsOf } from '../config/secrets.ts';
import type { Incident } from '../model/incident.ts';
import { jumpWatch } from '../model/jump.ts';
import { Finite } from '../model/shapes.ts';
import { plain } from '../model/text.ts';
import type { Lock } from '../store/lock.ts';
import { recall, remember } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import { appendLine, readBytes } from '../system/state-files.ts';
import type { Clock, Http, Log } from '../system/types.ts';
import { createAlertLog } from './alert-log.ts';
import { isConfigured } from './chat.ts';
import { createFailureLog } from './failure-log.ts';
import { openOutbox, type Outbox } from '../store/outbox.ts';
import { createPace } from './pace.ts';
import type { Queue } from './queue.ts';
import { createSender } from './sender.ts';
import { allTargets } from './targets.ts';

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
  /** The incident in its newest form, where it can be told of at the moment; the monitor knows. */
  tellable?: (id: number) => Incident | undefined;
};

/** What delivery works with, and how it stands. */
export type Sending = ReturnType<typeof openSending>;

/** When the last messages went out, for the limits: handed over to the next process that sends. */
const SENDS = 'delivery.sends';
/** Versions before this one kept times without the chat. */
const Sends = v.array(v.union([v.tuple([Finite, v.string()]), Finite]));
const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const;
/** The whole text is in alert_history.log. */
const LOG_LETTERS = 500;
const PHOTO_MAX_BYTES = 10 * 1024 * 1024;

/** Opens what delivery works with, for one store. */
export function openSending(deps: DeliveryDeps) {
  const { store, config, clock, log, stateDir } = deps;
  const { db } = store;
  const state = {
    /** The loop of the monitor runs. */
    running: false,
    /** It has run as the monitor's, and may now be sending the last messages. */
    hasRun: false,
    prunedAt: Number.NEGATIVE_INFINITY,
    /** The newest row, and the time (monotonic, ms), when the clock was last looked at. */
    looked: { lastId: 0, mono: clock.monotonic() },
    /** Aborted when time is up and the caller may close the store: an answer that comes then must touch nothing. */
    inTime: new AbortController(),
    lock: undefined as Lock | undefined,
    /** A refusal from before this start is tried at once: somebody may have mended it. */
    triesRefused: false,
    /** The pauses after failed attempts, by message, on a clock that never jumps. */
    pauses: new Map<number, { attempts: number; tries: number; until: number }>(),
    /** The pauses after failed edits, by chat. */
    editPauses: new Map<string, { tries: number; until: number; refused: boolean }>(),
    editedAt: new Map<string, number>(),
  };
  const configured = isConfigured(config);
  const secrets = secretsOf(config);
  const outbox = openOutbox(db);
  const targets = allTargets(config);

  const sender = createSender({
    db,
    config,
    http: deps.http,
    clock,
    log,
    signal: () => state.inTime.signal,
    readPhoto: deps.readPhoto ?? ((path) => readBytes(path, PHOTO_MAX_BYTES)),
    ...(deps.timeoutMs === undefined ? {} : { timeoutMs: deps.timeoutMs }),
  });
  return {
    store,
    db,
    config,
    clock,
    log,
    stateDir,
    server: deps.server,
    tellable: deps.tellable,
    random: deps.random ?? Math.random,
    state,
    configured,
    secrets,
    targets,
    outbox,
    queue: { outbox, unmarked: new Map(), unsaved: [], nextUnsaved: -1 } as Queue,
    pace: createPace(clock),
    jump: jumpWatch(clock),
    failures: createFailureLog(log, clock, targets.length > 1),
    alertLog: openAlertLog(deps, outbox, secrets, () => state.hasRun || !configured),
    sender,
    /** The messages of incidents are edited. */
    living: config.settings.TELEGRAM_STYLE === 'living',
  };
}

/** In the monitor's log each message is one line, where `isLogged`; the commands of a person print what they send. */
function openAlertLog(
  { store: { db }, log, stateDir, append }: DeliveryDeps,
  outbox: Outbox,
  secrets: readonly string[],
  isLogged: () => boolean,
) {
  return createAlertLog({
    db,
    outbox,
    secrets,
    append: append ?? ((line) => appendLine(join(stateDir, 'alert_history.log'), line)),
    onLine(line, severity) {
      if (isLogged()) log[LEVELS[severity]](plain(line, LOG_LETTERS));
    },
    onFailure: (why) => log.warn(`alert_history.log: ${why}`),
  });
}

export function loadSends({ db, pace }: Sending): void {
  pace.load((recall(db, SENDS, Sends) ?? []).filter((one) => typeof one !== 'number'));
}

export function saveSends({ db, pace }: Sending, now: number): void {
  remember(db, SENDS, pace.save(), now);
}
