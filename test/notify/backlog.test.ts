import { configWith } from '../helpers/command.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alertCounts } from '../../src/store/outbox.ts';
import { formatTime } from '../../src/model/text.ts';
import { createDelivery } from '../../src/notify/delivery.ts';
import { openStore } from '../../src/store/open.ts';
import { systemClock } from '../../src/system/clock.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import type { Clock } from '../../src/system/types.ts';
import { bench, keptLog, type Bench } from './support.ts';

let b: Bench;
beforeEach(async () => {
  b = await bench();
});
afterEach(() => b.close());

describe('a backlog', () => {
  it('of more than 20 becomes one digest with times, and the critical ones, in order', async () => {
    const times: number[] = [];
    for (let i = 1; i <= 30; i++) {
      const critical = i === 5 || i === 28;
      const at = b.clock.now();
      times.push(at);
      b.say(critical ? `<b>CRITICAL: fire ${i}</b>` : `<b>WARNING: smoke ${i} &lt;b&gt;</b>\nmore`, {
        at,
        severity: critical ? 'critical' : 'warning',
        subject: `web-${i}`,
      });
      b.clock.pass(1000);
    }
    expect(b.delivery.state()).toMatchObject({ waiting: 30, oldestWaitingAt: times[0] });
    b.start();
    await b.telegram.waitFor(3);
    await b.stop();
    const [digest, first, second] = b.plains();
    expect(first).toBe('CRITICAL: fire 5');
    expect(second).toBe('CRITICAL: fire 28');
    const lines = (digest as string).split('\n').slice(4);
    expect(digest).toContain('28 messages that could not be sent one by one');
    expect(lines).toHaveLength(28);
    expect(lines[0]).toBe(`${formatTime(times[0] as number).slice(11)} WARNING WARNING: smoke 1 <b> (web-1)`);
    expect(b.delivery.state()).toMatchObject({ waiting: 0, sentTotal: 3 });
    expect(alertCounts(b.store.db).accepted).toEqual({ info: 0, warning: 28, critical: 2 });
    expect(b.history()).toHaveLength(30);
  });

  it('of 20 is sent one by one', async () => {
    for (let i = 1; i <= 20; i++) b.say(`m${i}`);
    b.start();
    await b.telegram.waitFor(20);
    expect(b.plains()).toEqual(Array.from({ length: 20 }, (_, i) => `m${i + 1}`));
  });

  it('that grows while a digest waits goes into the same digest', async () => {
    b.telegram.fail('500');
    b.say('tried first');
    await b.delivery.drain(500);
    for (let i = 1; i <= 25; i++) b.say(`a${i}`);
    b.telegram.fail({ kind: '429', retryAfter: 3600 });
    await b.delivery.drain(4000);
    for (let i = 1; i <= 25; i++) b.say(`b${i}`, { severity: i === 25 ? 'critical' : 'info' });
    b.start();
    await b.telegram.waitFor(3);
    await b.stop();
    expect(b.plains()[0]).toMatch(/tried first$/);
    expect(b.plains()[1]).toContain('49 messages');
    for (const text of ['a1', 'a25', 'b1', 'b24'])
      expect(b.plains()[1]).toMatch(new RegExp(` ${text}$`, 'm'));
    expect(b.plains()[2]).toMatch(/b25$/);
    expect(b.plains()).toHaveLength(3);
  });

  it('of thousands is told in few messages that count what is alike', async () => {
    b.outbox.within(() => {
      for (let i = 0; i < 3000; i++)
        b.say('Disk is full', { subject: `disk-${i % 40}`, at: b.clock.now() + i });
    });
    b.start();
    await expect.poll(() => b.outbox.waiting()).toEqual([]);
    await b.stop();
    const text = b.plains().join('\n');
    expect(b.plains().length).toBeLessThan(4);
    expect(text).toContain('3,000 messages');
    expect(text).toContain('(disk-39) (75 times)');
    expect(b.history()).toHaveLength(3000);
  });

  it('names the oldest day when it spans days', async () => {
    for (let i = 0; i < 22; i++) b.say(`m${i}`, { at: new Date(2025, 6, 16 + (i % 2), 10, 30).getTime() });
    b.start();
    await b.telegram.waitFor(1);
    expect(b.plains()[0]).toContain('2025-07-16 10:30:00 to 2025-07-17 10:30:00');
    expect(b.plains()[0]).toContain('\n10:30:00 WARNING m0');
    expect(b.plains()[0]).toContain('\n2025-07-17 10:30:00 WARNING m1');
  });

  it('keeps the daily report out of a digest', async () => {
    for (let i = 0; i < 30; i++) b.say(`m${i}`, { severity: 'info' });
    b.say('the report', { kind: 'daily-report', severity: 'info' });
    b.start();
    await b.telegram.waitFor(2);
    expect(b.plains()[1]).toBe('the report');
  });
});

describe('without Telegram', () => {
  it('messages are logged and do not pile up', async () => {
    b.restart({ TELEGRAM_BOT_TOKEN: '', TELEGRAM_CHAT_ID: '' });
    for (let i = 0; i < 50; i++) b.say(`m${i}\nsecond line`);
    await b.delivery.drain(1000);
    expect(b.outbox.waiting()).toEqual([]);
    expect(b.delivery.state()).toMatchObject({ configured: false, waiting: 0, sentTotal: 0 });
    expect(b.history()).toHaveLength(50);
    expect(b.history()[0]).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING memory-available \[host\] m0 \| second line$/,
    );
    expect(b.log.lines.filter((line) => line.startsWith('WARNING')).length).toBe(50);
    b.restart();
    b.say('after it was configured');
    b.start();
    await b.telegram.waitFor(1);
    expect(b.plains()).toEqual(['after it was configured']);
  });
});

describe('a disk that takes nothing', () => {
  it('does not make a message be sent twice, and the marks follow when there is room', async () => {
    for (let i = 1; i <= 4; i++) b.say(`m${i}`);
    b.say(Array.from({ length: 300 }, (_, i) => `line ${i} of a long message`).join('\n'));
    b.store.db.exec('PRAGMA query_only = ON');
    b.start();
    await b.telegram.waitFor(6);
    for (let i = 0; i < 5; i++) {
      b.delivery.kick();
      b.clock.pass(60_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(b.plains()).toHaveLength(6);
    expect(b.outbox.waiting()).toHaveLength(5);
    b.store.db.exec('PRAGMA query_only = OFF');
    b.delivery.kick();
    b.say('after');
    await b.telegram.waitFor(7);
    await b.stop();
    expect(b.plains().at(-1)).toBe('after');
    expect(b.outbox.waiting()).toEqual([]);
    expect(b.delivery.state().sentTotal).toBe(6);
    expect(b.log.lines.filter((line) => line.startsWith('ERROR')).length).toBeLessThan(4);
  });

  it('still backs off', async () => {
    b.say('m1');
    b.store.db.exec('PRAGMA query_only = ON');
    b.telegram.always('500');
    b.start();
    await b.telegram.waitUntil(() => b.telegram.calls.length >= 12);
    expect(b.clock.slept.at(-1)).toBeGreaterThan(60_000);
    b.telegram.always(undefined);
    await b.telegram.waitFor(1);
    b.store.db.exec('PRAGMA query_only = OFF');
  });

  it('lets a message be told that it did not take', async () => {
    b.store.db.exec('PRAGMA query_only = ON');
    b.start();
    b.delivery.sendUnsaved({
      at: b.clock.now(),
      severity: 'critical',
      kind: 'watcher-state',
      subject: 'host',
      html: 'The disk is full',
    });
    expect(b.delivery.state().waiting).toBe(1);
    await b.telegram.waitFor(1);
    await b.stop();
    expect(b.plains()).toEqual(['The disk is full']);
    expect(b.delivery.state().waiting).toBe(0);
    b.store.db.exec('PRAGMA query_only = OFF');
  });

  it('takes over what it was told as soon as there is room', async () => {
    b.store.db.exec('PRAGMA query_only = ON');
    b.telegram.always('500');
    for (const text of ['m1', 'm2'])
      b.delivery.sendUnsaved({
        at: b.clock.now(),
        severity: 'critical',
        kind: 'disk',
        subject: '/',
        html: text,
      });
    await b.delivery.drain(1500);
    expect(b.outbox.waiting()).toEqual([]);
    b.store.db.exec('PRAGMA query_only = OFF');
    await b.delivery.drain(1500);
    expect(b.outbox.waiting().map((row) => row.html)).toEqual(['m1', 'm2']);
    expect(b.delivery.state().waiting).toBe(2);
    b.telegram.always(undefined);
    b.start();
    await b.telegram.waitFor(2);
    expect(b.plains()).toEqual(['m1', 'm2']);
  });
});

describe('a picture', () => {
  const message = (photoPath: string) => ({ photoPath, kind: 'daily-report' });
  const chart = (photoPath: string) => ({ photoPath, kind: 'chart', severity: 'info' as const });

  it('is sent before its text', async () => {
    const path = join(b.stateDir, 'chart.png');
    writeFileSync(path, png());
    b.say('<b>Report</b>', message(path));
    b.start();
    await b.telegram.waitFor(2);
    expect(b.telegram.sent.map((m) => m.method)).toEqual(['sendPhoto', 'sendMessage']);
    expect(b.telegram.sent[0]?.photo?.content.equals(png())).toBe(true);
    expect(b.plains()[1]).toBe('Report');
  });

  it.each([
    ['missing', undefined],
    ['no PNG', Buffer.from('GIF89a')],
    ['cut off', png().subarray(0, 40)],
    ['too large', Buffer.concat([png(), Buffer.alloc(11 * 1024 * 1024)])],
  ])('that is %s is left out, and the text still comes', async (_, content) => {
    const path = join(b.stateDir, 'chart.png');
    if (content) writeFileSync(path, content);
    b.say('Report', message(path));
    b.start();
    await b.telegram.waitFor(1);
    expect(b.telegram.sent.map((m) => m.method)).toEqual(['sendMessage']);
  });

  it('that somebody asked for has its few words as caption; where it is refused they come as a text', async () => {
    const path = join(b.stateDir, 'chart.png');
    writeFileSync(path, png());
    b.say('<b>shop</b>: the last 24h', chart(path));
    b.say('<b>shop</b>: the last 7d', chart(join(b.stateDir, 'missing.png')));
    b.start();
    await b.telegram.waitFor(2);
    expect(b.telegram.sent.map(({ method, plain, silent }) => [method, plain, silent])).toEqual([
      ['sendPhoto', 'shop: the last 24h', true],
      ['sendMessage', 'shop: the last 7d', true],
    ]);
  });

  it('is not repeated when its text fails', async () => {
    const path = join(b.stateDir, 'chart.png');
    writeFileSync(path, png());
    b.say('Report', message(path));
    b.start();
    await b.telegram.waitFor(1);
    await b.stop();
    b.restart();
    b.telegram.fail('500', 'reset');
    b.start();
    await b.telegram.waitFor(2);
    expect(b.telegram.sent.map((m) => m.method)).toEqual(['sendPhoto', 'sendMessage']);
  });
});

describe('two senders on one state folder', () => {
  it('never send the same message', async () => {
    const config = configWith(
      {
        TELEGRAM_BOT_TOKEN: b.telegram.token,
        TELEGRAM_CHAT_ID: b.telegram.chatId,
        TELEGRAM_API_ROOT: b.telegram.url,
      },
      { stateDir: b.stateDir },
    );
    const others = [1, 2].map(() => {
      const store = openStore(b.stateDir, Date.now());
      const delivery = createDelivery({
        store,
        config,
        http: httpRequest,
        clock: fastClock(),
        log: keptLog(),
        stateDir: b.stateDir,
        server: 'vps',
      });
      return { store, delivery };
    });
    const abort = new AbortController();
    const running = others.map((other) => other.delivery.run(abort.signal));
    for (let i = 1; i <= 60; i++) {
      b.say(`m${i}`, { severity: 'critical' });
      for (const other of others) other.delivery.kick();
      await new Promise((resolve) => setTimeout(resolve, i % 7));
    }
    await b.telegram.waitFor(60);
    abort.abort();
    for (const other of others) other.delivery.kick();
    await Promise.all(running);
    for (const other of others) other.store.close();
    const told = b.plains().map((text) => text.split('\n\n').at(-1));
    expect(told).toEqual(Array.from({ length: 60 }, (_, i) => `m${i + 1}`));
  });
});

describe('drain', () => {
  it('gives up in time when nothing answers, and the store may be closed', async () => {
    b.telegram.always('hang');
    b.restart({}, { timeoutMs: 60_000, clock: systemClock() });
    b.say('m1');
    // The call alone would wait for a minute: the test would run out of time.
    await b.delivery.drain(300);
    b.telegram.always(undefined);
    b.restart();
    b.start();
    await b.telegram.waitFor(1);
  });

  it('returns at once when there is nothing to send, or when it must wait longer than it may', async () => {
    b.restart({}, { clock: systemClock() });
    // An hour each: the test would run out of time.
    await b.delivery.drain(3_600_000);
    b.telegram.fail({ kind: '429', retryAfter: 7200 });
    b.say('m1');
    await b.delivery.drain(3_600_000);
    expect(b.outbox.waiting()).toHaveLength(1);
  });
});

describe('latency', () => {
  it('from accepting a message to the request nothing is waited for', async () => {
    b.start();
    b.say('first: the chat is looked up');
    b.delivery.kick();
    await b.telegram.waitFor(1);
    await expect.poll(() => b.delivery.state().sentTotal).toBe(1);
    b.clock.pass(60_000);
    b.say('second');
    b.delivery.kick();
    await b.telegram.waitFor(2);
    expect(b.clock.slept).toEqual([]);
  });
});

/** Time at a hundred times its speed, the same for all who ask. */
function fastClock(): Clock {
  const began = Date.now();
  const real = systemClock();
  return {
    now: () => Math.round(began + (performance.timeOrigin + performance.now() - began) * 100),
    monotonic: () => performance.now() * 100,
    sleep: (ms, signal) => real.sleep(ms / 100, signal),
  };
}

/** A real picture of one pixel. */
function png(): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from([0, 128]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function crc(data: Buffer): number {
  let value = 0xffffffff;
  for (const byte of data) {
    value ^= byte;
    for (let k = 0; k < 8; k++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}
