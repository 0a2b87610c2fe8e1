// Reading the messages of a bot: who reads where several want to, what a crash does, and what old numbers mean.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Incoming } from '../../src/notify/updates.ts';
import { pollUpdates } from '../../src/notify/poll.ts';
import { createTelegram } from '../../src/notify/telegram.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { systemClock } from '../../src/system/clock.ts';
import type { Clock } from '../../src/system/types.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';
import { keptLog } from './support.ts';

const CHAT = { id: 777, type: 'private' as const, first_name: 'Ada' };
let telegram: Telegram;
const running: Reader[] = [];

type Reader = {
  texts: string[];
  conflicts: string[];
  freed: number;
  store: Store;
  log: ReturnType<typeof keptLog>;
  stateDir: string;
  stop(): Promise<void>;
  /** As if the process died: nothing of what is in memory is written. */
  kill(): void;
};

const STEP_MS = 5;
const ticking: NodeJS.Timeout[] = [];

/** A clock on which a minute passes in a second. While the machine stalls it stands still, or a moment would be a quarter of an hour. */
function quickClock(times = 60): Clock {
  const clock = systemClock();
  const start = Date.now();
  let passed = 0;
  ticking.push(setInterval(() => (passed += STEP_MS * times), STEP_MS));
  return {
    now: () => start + passed,
    monotonic: () => passed,
    async sleep(ms, signal) {
      const due = passed + ms;
      const isOver = () => passed >= due || signal?.aborted === true;
      while (!isOver()) await clock.sleep(STEP_MS, signal);
    },
  };
}

function startReader(
  clock: Clock,
  more: { stateDir?: string; handle?(incoming: Incoming): Promise<void> } = {},
): Reader {
  const stateDir = more.stateDir ?? mkdtempSync(join(tmpdir(), 'vpsmon-poll-'));
  const store = openStore(stateDir, Date.now());
  const stop = new AbortController();
  const log = keptLog();
  let dead = false;
  const self: Reader = {
    texts: [],
    conflicts: [],
    freed: 0,
    store,
    log,
    stateDir,
    async stop() {
      stop.abort();
      await over;
      store.close();
    },
    kill() {
      dead = true;
      stop.abort();
    },
  };
  const db = new Proxy(store.db, {
    get(target, key) {
      if (dead) throw new Error('the process is dead');
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
  const over = pollUpdates(
    {
      db,
      telegram: createTelegram({
        http: httpRequest,
        token: telegram.token,
        apiRoot: telegram.url,
        chatId: () => '777',
        signal: () => stop.signal,
      }),
      bot: '1',
      commands: [{ command: 'status', description: 'x' }],
      clock,
      log,
      stateDir,
      random: () => 0.5,
      seen: () => undefined,
      async handle(incoming) {
        if (incoming.kind === 'message') self.texts.push(incoming.text);
        await more.handle?.(incoming);
      },
      onConflict: (why) => void self.conflicts.push(why ?? ''),
      onFree: () => void (self.freed += 1),
    },
    stop.signal,
  ).catch((error: unknown) => {
    if (!dead) throw error;
  });
  running.push(self);
  return self;
}
const polls = () =>
  telegram.calls.filter(({ method, params }) => method === 'getUpdates' && params.timeout !== 0);
async function until(test: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 400_000;
  while (!test()) {
    if (performance.now() > end)
      throw new Error(`${what} did not come: ${JSON.stringify(telegram.calls.slice(-9))}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
let written = 0;
/** Somebody writes; resolves when one of these has it. */
async function write(...readers: Reader[]): Promise<string> {
  const text = `/m${++written}`;
  telegram.write(CHAT, text);
  await until(() => readers.some(({ texts }) => texts.includes(text)), text);
  return text;
}

beforeEach(async () => {
  telegram = await startTelegram({ chats: [CHAT], conflictDelayMs: 50, sameAgainMs: 50 });
});
afterEach(async () => {
  for (const reader of running.splice(0)) {
    await reader.stop();
    rmSync(reader.stateDir, { recursive: true, force: true });
  }
  for (const timer of ticking.splice(0)) clearInterval(timer);
  await telegram.close();
});

describe('two monitors on one bot', () => {
  it('whoever read first goes on; the other explains it once, and takes over when the first is gone', async () => {
    const clock = quickClock(30);
    const first = startReader(clock);
    await write(first);
    await clock.sleep(15_000);
    const second = startReader(clock);
    await until(() => second.conflicts.length > 0, 'the conflict');
    expect(second.conflicts[0]).toContain('takes over when that is gone');
    expect(first.conflicts).toEqual([]);
    for (let i = 0; i < 3; i++) {
      const text = await write(first);
      expect(second.texts).not.toContain(text);
      await clock.sleep(40_000);
    }
    // Looking whether somebody reads disturbs nobody.
    expect(polls().filter(({ status }) => status === 409).length).toBeLessThanOrEqual(4);

    running.splice(running.indexOf(first), 1);
    await first.stop();
    await write(second);
    await until(() => second.freed === 1, 'that it reads again');

    const again = startReader(clock, { stateDir: first.stateDir });
    await until(() => again.conflicts.length > 0, 'the conflict of the one that came back');
    await write(second);
    expect(again.texts).toEqual([]);
  });

  it('that begin in the same moment come to terms', async () => {
    const clock = quickClock(30);
    const both = [startReader(clock), startReader(clock)];
    await until(() => both.some(({ conflicts }) => conflicts.length > 0), 'a conflict');
    for (let i = 0; i < 3; i++) {
      const text = await write(...both);
      expect(both.filter(({ texts }) => texts.includes(text))).toHaveLength(1);
      await clock.sleep(20_000);
    }
    expect(both.filter(({ conflicts }) => conflicts.length > 0)).toHaveLength(1);
  });

  it('a webhook elsewhere: no commands are set, and it reads when the webhook is gone', async () => {
    telegram.setWebhook(true);
    const reader = startReader(quickClock());
    await until(() => reader.conflicts.length > 0, 'the conflict');
    expect(telegram.commands()).toBeUndefined();
    telegram.setWebhook(false);
    await write(reader);
    await write(reader);
    await until(() => telegram.commands() !== undefined, 'the commands');
    expect(telegram.calls.some(({ method }) => /webhook/i.test(method))).toBe(false);
  });
});

describe('a crash', () => {
  it('loses nothing that was not handled, and an update that ends the process twice is left out', async () => {
    const deaths: Reader[] = [];
    const dying = (stateDir?: string) => {
      const reader: Reader = startReader(systemClock(), {
        ...(stateDir === undefined ? {} : { stateDir }),
        handle: () => {
          reader.kill();
          return Promise.reject(new Error('killed'));
        },
      });
      deaths.push(reader);
      return reader;
    };
    telegram.write(CHAT, '/poison');
    let stateDir: string | undefined;
    for (let times = 1; times <= 2; times++) {
      const reader = dying(stateDir);
      stateDir = reader.stateDir;
      await until(() => reader.texts.length === 1, 'the death');
      running.splice(running.indexOf(reader), 1);
      await reader.stop();
    }
    const reader = startReader(systemClock(), { stateDir: stateDir! });
    await write(reader);
    expect(reader.texts).not.toContain('/poison');
    expect(reader.log.lines.some((line) => line.includes('ended twice'))).toBe(true);
  });

  it('between an update and its confirmation: it comes again', async () => {
    let reader: Reader = startReader(systemClock(), {
      handle: () => {
        reader.kill();
        return Promise.resolve();
      },
    });
    const { stateDir } = reader;
    await write(reader);
    running.splice(running.indexOf(reader), 1);
    await reader.stop();
    const [text] = reader.texts;
    reader = startReader(systemClock(), { stateDir });
    await until(() => reader.texts.includes(text!), 'the same update');
  });
});

describe('numbers of updates', () => {
  it('that begin anew after a quiet week are read all the same', async () => {
    const reader = startReader(systemClock());
    await write(reader);
    running.splice(running.indexOf(reader), 1);
    await reader.stop();
    const store = openStore(reader.stateDir, Date.now());
    store.db
      .prepare(
        "UPDATE memory SET at = ?, value = json_set(value, '$.next', 900000) WHERE key = 'telegram.offset'",
      )
      .run(Date.now() - 8 * 86_400_000);
    store.close();
    await write(startReader(systemClock(), { stateDir: reader.stateDir }));
  });

  it('are asked for with pauses, whatever comes in their place', async () => {
    telegram.always({
      kind: 'answer',
      method: 'getUpdates',
      status: 200,
      body: { ok: true, result: [{}, null, 7] },
    });
    startReader(systemClock());
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(polls().length).toBeLessThanOrEqual(2);
  });

  it('are asked for with pauses where Telegram asks for one of no length, or of none', async () => {
    for (const parameters of [{ retry_after: 0 }, {}]) {
      telegram.always({
        kind: 'answer',
        method: 'getUpdates',
        status: 429,
        body: { ok: false, error_code: 429, description: 'Too Many Requests', parameters },
      });
      const before = telegram.calls.length;
      const reader = startReader(systemClock());
      await new Promise((resolve) => setTimeout(resolve, 900));
      await reader.stop();
      running.pop();
      expect(telegram.calls.length - before).toBeLessThanOrEqual(2);
    }
  });

  it('are handled in their order, in whichever order they come', async () => {
    const message = (text: string) => ({
      message_id: 5,
      date: Math.floor(Date.now() / 1000),
      chat: CHAT,
      text,
    });
    telegram.fail({
      kind: 'answer',
      method: 'getUpdates',
      status: 200,
      body: {
        ok: true,
        result: [7003, 7001, 7900, 7001, 7002].map((id) => ({
          message: message(`/m${id}`),
          update_id: id,
          later: {},
        })),
      },
    });
    const reader = startReader(systemClock());
    await until(() => reader.texts.length === 4, 'all four');
    expect(reader.texts).toEqual(['/m7001', '/m7002', '/m7003', '/m7900']);
    await until(() => polls().some(({ params }) => params.offset === 7901), 'the confirmation of all');
  });

  it('the menu of commands is set also where Telegram fails at first', async () => {
    telegram.fail({ kind: 'html502', method: 'setMyCommands' });
    const reader = startReader(systemClock());
    await write(reader);
    await write(reader);
    await until(() => telegram.commands() !== undefined, 'the commands');
  });
});

it('a handler that hangs holds the others up for seconds only', async () => {
  const clock = quickClock();
  const reader = startReader(clock, {
    handle: (incoming) =>
      incoming.kind === 'message' && incoming.text === '/hangs'
        ? new Promise(() => undefined)
        : Promise.resolve(),
  });
  telegram.write(CHAT, '/hangs');
  await until(() => reader.texts.includes('/hangs'), 'the first');
  await write(reader);
});
