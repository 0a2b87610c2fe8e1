import { configWith } from '../helpers/command.ts';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Settings } from '../../src/config/schema.ts';
import type { Message } from '../../src/model/message.ts';
import { createDelivery, type Delivery, type DeliveryDeps } from '../../src/notify/delivery.ts';
import { openOutbox, type Outbox } from '../../src/store/outbox.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import type { Clock, Http, Log } from '../../src/system/types.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

export type LeapClock = Clock & {
  /** Lets time pass, on both clocks. */
  pass(ms: number): void;
  /** Somebody corrects the system time; the monotonic clock does not notice. */
  jump(ms: number): void;
  /** All pauses that were slept. */
  slept: number[];
};

/**
 * A clock on which waiting takes no time: what sleeps leaps to its end, unless something real is going on, which takes its
 * real time.
 */
export function leapClock(isBusy: () => boolean = () => false): LeapClock {
  let passed = 0;
  let jumped = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => Math.round(Date.now() + passed + jumped),
    monotonic: () => performance.now() + passed,
    async sleep(ms, signal) {
      await nextTurn();
      const until = performance.now() + passed + ms;
      const over = () => signal?.aborted === true || performance.now() + passed >= until;
      while (isBusy() && !over()) await pause(1);
      if (signal?.aborted) return;
      slept.push(ms);
      passed += ms;
    },
    pass: (ms) => void (passed += ms),
    jump: (ms) => void (jumped += ms),
  };
}

export type LogLines = Log & { lines: string[] };
export function keptLog(): LogLines {
  const lines: string[] = [];
  const at = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  return { lines, debug: at('DEBUG'), info: at('INFO'), warn: at('WARNING'), error: at('ERROR') };
}

/** Real time: what was accepted is not to be sent again because the machine was busy. Only what hangs is given up soon. */
const PATIENCE_MS = 400_000;
const HANGS_MS = 400;

export type Bench = {
  telegram: Telegram;
  stateDir: string;
  store: Store;
  outbox: Outbox;
  delivery: Delivery;
  clock: LeapClock;
  log: LogLines;
  /** Accepts messages: `m1`, `m2`, ... with the time of the clock. */
  say(text: string, more?: Partial<Message>): number;
  /** Starts sending in the background. */
  start(): void;
  /** Ends it and waits for the call in flight. */
  stop(): Promise<void>;
  /** As after a restart of the program: everything in memory is gone. */
  restart(settings?: Partial<Settings>, more?: Partial<DeliveryDeps>): void;
  plains(): string[];
  history(): string[];
  close(): Promise<void>;
};

/** Outbox, delivery and a Telegram to deliver to, in a state folder of its own. */
export async function bench(
  settings: Partial<Settings> = {},
  more: Partial<DeliveryDeps> = {},
  telegramOptions: Parameters<typeof startTelegram>[0] = {},
): Promise<Bench> {
  const telegram = await startTelegram(telegramOptions);
  const stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-notify-'));
  let inFlight = 0;
  const clock = leapClock(() => inFlight > 0);
  let ownTimeout = more.timeoutMs;
  const http: Http = async (request) => {
    const hangs = /hang/.test(telegram.nextFault(request.url.split('/').at(-1) ?? '') ?? '');
    inFlight += 1;
    try {
      return await httpRequest(
        hangs && ownTimeout === undefined ? { ...request, timeoutMs: HANGS_MS } : request,
      );
    } finally {
      inFlight -= 1;
    }
  };
  const log = keptLog();
  let abort = new AbortController();
  let running: Promise<void> | undefined;

  function open(settings: Partial<Settings>, more: Partial<DeliveryDeps>) {
    ownTimeout = more.timeoutMs;
    const store = openStore(stateDir, Date.now());
    const config = configWith(
      {
        ...telegram.settings,
        ...settings,
      },
      { stateDir },
    );
    const delivery = createDelivery({
      store,
      config,
      http,
      clock,
      log,
      stateDir,
      server: 'vps',
      timeoutMs: PATIENCE_MS,
      ...more,
    });
    return { store, outbox: openOutbox(store.db), delivery };
  }
  let parts = open(settings, more);

  const self: Bench = {
    telegram,
    stateDir,
    clock,
    log,
    get store() {
      return parts.store;
    },
    get outbox() {
      return parts.outbox;
    },
    get delivery() {
      return parts.delivery;
    },
    say: (text, message = {}) =>
      parts.outbox.enqueue({
        at: clock.now(),
        severity: 'warning',
        kind: 'memory-available',
        subject: 'host',
        html: text,
        ...message,
      }),
    start() {
      abort = new AbortController();
      running = parts.delivery.run(abort.signal);
    },
    async stop() {
      abort.abort();
      await running;
      running = undefined;
    },
    restart(again = settings, moreAgain = more) {
      parts.store.close();
      parts = open(again, moreAgain);
    },
    plains: () => telegram.sent.map((message) => message.plain),
    history: () => {
      try {
        return readFileSync(join(stateDir, 'alert_history.log'), 'utf8').trim().split('\n');
      } catch {
        return [];
      }
    },
    async close() {
      await self.stop();
      parts.store.close();
      await telegram.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  return self;
}
