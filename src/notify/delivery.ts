import type { Config } from '../config/schema.ts';
import { serverName } from '../config/server-name.ts';
import type { Message } from '../model/message.ts';
import { errorText } from '../model/text.ts';
import { alertLine, TIME_LETTERS } from './alert-log.ts';
import { followBot, followSettings, isAnotherWay } from './chat.ts';
import { addUnsaved, headsOf } from './queue.ts';
import { openSending, type DeliveryDeps, type Sending } from './sending.ts';
import { deliveryState, refusalOf, type DeliveryState } from './state.ts';
import type { Store } from '../store/open.ts';
import type { StoredRow } from '../store/outbox.ts';
import { waitMs } from './attempt.ts';
import { letGoOfLock, prune, saveQuietly, takeTurn, type Pause } from './turn.ts';
import { placeOf, targetOf, targetsFor } from './targets.ts';
import type { Clock, System } from '../system/types.ts';

export type { DeliveryDeps } from './sending.ts';

export type Delivery = {
  /** There may be something to send: looks at once. Costs one small query. */
  kick(): void;
  /** Milliseconds until the console may send something to this chat within Telegram's limits; what waits in the outbox for it goes first. */
  waitMs(chat: string): number;
  /** The console sends or edits something there, and has done so (with what this gave before): it counts for them, too. */
  count(chat: string, begun?: number): number;
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
  /** Why Telegram refuses, while it does: the one part of `state` that every check asks for. */
  refused(): string | undefined;
};

const AFTER_ERROR_MS = 5000;
/** By so much answers give way to a message that is due at the same time. */
const ALERTS_FIRST_MS = 100;

/** The delivery of this server, as its settings ask for. */
export function openDelivery(
  store: Store,
  config: Config,
  system: System,
  more: Pick<DeliveryDeps, 'tellable'> = {},
): Delivery {
  const { http, clock, log, files } = system;
  const { stateDir } = config;
  const server = serverName(config, files);
  return createDelivery({ store, config, http, clock, log, stateDir, server, ...more });
}

/**
 * Sends the outbox to Telegram, one message at a time, in order; only the process that holds the delivery lock does. What was
 * accepted is marked after it was accepted: a crash in between repeats that one part, nothing else.
 */
export function createDelivery(deps: DeliveryDeps): Delivery {
  const { store, config, clock, log } = deps;
  const sending = openSending(deps);
  const { queue, outbox, pace } = sending;
  const wakeUp = createWakeUp(clock);
  let last: Promise<unknown> = Promise.resolve();

  /** One turn at a time in this process; the lock file sees to the others. */
  function turn(): Promise<Pause> {
    const taken = last.then(
      () => takeTurn(sending),
      () => takeTurn(sending),
    );
    last = taken.catch(() => undefined);
    return taken;
  }

  return {
    kick: () => wakeUp.kick(),
    waitMs(chat) {
      const ms = pace.waitMs(chat, 'answer');
      const isFor = (row: StoredRow) => placeOf(targetOf(config, row)).chat === chat;
      const due = headsOf(queue).some((row) => isFor(row) && waitMs(sending, row) <= ms);
      return due ? ms + ALERTS_FIRST_MS : ms;
    },
    count: (chat, begun) => pace.count(chat, begun),
    run: (signal) => run(sending, turn, wakeUp, signal),
    drain: (timeoutMs) => drain(sending, turn, timeoutMs),
    sendUnsaved(message) {
      log.warn(alertLine(message, sending.secrets).slice(TIME_LETTERS));
      addUnsaved(queue, message);
      wakeUp.kick();
    },
    unsaved: () => queue.unsaved.filter(({ stepsDone }) => stepsDone === 0),
    state: () => deliveryState(store.db, config, outbox, queue.unsaved),
    refused: () => refusalOf(outbox.heads(), config),
  };
}

async function run(
  sending: Sending,
  turn: () => Promise<Pause>,
  wakeUp: WakeUp,
  signal: AbortSignal,
): Promise<void> {
  const { state, db, targets, outbox } = sending;
  state.running = state.hasRun = true;
  beInTime(sending);
  state.triesRefused = true;
  saveQuietly(sending, () => {
    const now = sending.clock.now();
    followBot(db, sending.config, now);
    // The pause that the chat of before asked for is not that of this one.
    if (isAnotherWay(db, sending.config, now)) outbox.tryNow();
    followSettings(db, targets);
    outbox.within(() => outbox.routeAnew(targets, (severity) => targetsFor(sending.config, severity)));
  });
  prune(sending);
  signal.addEventListener('abort', () => wakeUp.kick(), { once: true });
  while (!signal.aborted) {
    const next = await turn().catch((error: unknown): Pause => {
      sending.failures.own(`Sending failed: ${errorText(error)}`);
      letGoOfLock(sending);
      return AFTER_ERROR_MS;
    });
    if (next !== 'again') await wakeUp.pause(next);
  }
  state.running = false;
  letGoOfLock(sending);
}

async function drain(sending: Sending, turn: () => Promise<Pause>, timeoutMs: number): Promise<void> {
  const { state, clock } = sending;
  const end = clock.monotonic() + timeoutMs;
  beInTime(sending);
  for (let left = timeoutMs; left > 0; left = end - clock.monotonic()) {
    const timer = new AbortController();
    const late = clock.sleep(left, timer.signal).then(() => 'late' as const);
    const next = await Promise.race([turn(), late]);
    timer.abort();
    if (next === 'again') continue;
    if (next === 'late') state.inTime.abort();
    if (next === 'late' || next === 'idle' || next >= end - clock.monotonic()) break;
    await clock.sleep(next);
  }
  if (!state.running) letGoOfLock(sending);
}

function beInTime({ state }: Sending): void {
  if (state.inTime.signal.aborted) state.inTime = new AbortController();
}

type WakeUp = ReturnType<typeof createWakeUp>;

/** A pause that a kick ends; one that comes while nobody pauses ends the next pause at once. */
function createWakeUp(clock: Clock) {
  let kicked = false;
  let wake: (() => void) | undefined;
  const untilKicked = () => new Promise<void>((resolve) => (wake = resolve));
  function sleep(ms: number): Promise<void> {
    const woken = new AbortController();
    wake = () => woken.abort();
    return clock.sleep(ms, woken.signal);
  }
  return {
    kick(): void {
      kicked = true;
      wake?.();
    },
    /** `idle` has no timer: nothing wakes up for nothing. */
    async pause(length: 'idle' | number): Promise<void> {
      if (!kicked) await (length === 'idle' ? untilKicked() : sleep(length));
      wake = undefined;
      kicked = false;
    },
  };
}
