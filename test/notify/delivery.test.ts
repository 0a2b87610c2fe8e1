import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../standins/telegram.js';
import { formatTime } from '../../src/model/text.ts';
import { bench, type Bench } from './support.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let b: Bench;
beforeEach(async () => {
  b = await bench();
});
afterEach(() => b.close());

/** Says m1..mN. */
function sayMany(count: number, more = {}): void {
  for (let i = 1; i <= count; i++) b.say(`m${i}`, more);
}
const expected = (count: number) => Array.from({ length: count }, (_, i) => `m${i + 1}`);

describe('delivery', () => {
  it('sends what was accepted, in order, once, and marks it', async () => {
    sayMany(5);
    b.start();
    await b.telegram.waitFor(5);
    await b.stop();
    expect(b.plains()).toEqual(expected(5));
    expect(b.outbox.waiting()).toEqual([]);
    expect(b.delivery.state()).toMatchObject({ configured: true, waiting: 0, sentTotal: 5 });
  });

  it('looks the chat up before the first message, and never again', async () => {
    sayMany(2);
    b.start();
    await b.telegram.waitFor(2);
    await b.stop();
    b.restart();
    b.say('m3');
    b.start();
    await b.telegram.waitFor(3);
    expect(b.telegram.calls.map((call) => call.method)).toEqual([
      'getChat',
      'sendMessage',
      'sendMessage',
      'sendMessage',
    ]);
    expect(b.delivery.state().chat).toMatchObject({ title: 'Ops', type: 'supergroup' });
  });

  it('makes no sound for what needs nobody at once, and one for alarms and the daily report', async () => {
    b.say('a deploy', { severity: 'info', kind: 'container-redeployed' });
    b.say('an alarm', { severity: 'warning', kind: 'memory' });
    b.say('the report', { severity: 'info', kind: 'daily-report' });
    b.start();
    await b.telegram.waitFor(3);
    expect(b.telegram.sent.map(({ plain, silent }) => [plain, silent])).toEqual([
      ['a deploy', true],
      ['an alarm', false],
      ['the report', false],
    ]);
  });

  it('is woken by a kick', async () => {
    b.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(b.telegram.calls).toEqual([]);
    b.say('now');
    b.delivery.kick();
    await b.telegram.waitFor(1);
    expect(b.plains()).toEqual(['now']);
  });

  const faults: [string, Fault[]][] = [
    ['429 with retry_after', [{ kind: '429', retryAfter: 7 }]],
    ['429 with the header only', [{ kind: '429-header', retryAfter: 7 }]],
    ['500', ['500', '500']],
    ['an HTML error page', ['html502']],
    ['a login page with status 200', ['html200']],
    ['an empty answer', ['empty']],
    ['a garbled answer', ['garbage']],
    ['a reset connection', ['reset', 'reset']],
    ['a reset in the middle of the answer', ['reset-half-way']],
    ['a hanging connection', ['hang']],
    [
      'all of them',
      ['hang', 'reset', '500', 'html502', { kind: '429', retryAfter: 3 }, 'empty', 'reset-half-way'],
    ],
  ];
  it.each(faults)('delivers everything once and in order after %s', async (_, list) => {
    sayMany(1);
    b.start();
    await b.telegram.waitFor(1);
    b.telegram.fail(...list);
    for (let i = 2; i <= 6; i++) b.say(`m${i}`);
    b.delivery.kick();
    await b.telegram.waitFor(6);
    await b.stop();
    const untouched = b.plains().map((text) => text.split('\n\n').at(-1));
    expect(untouched).toEqual(expected(6));
    expect(b.telegram.pendingFaults()).toBe(0);
    expect(b.delivery.state()).toMatchObject({ waiting: 0, sentTotal: 6 });
  });

  it('repeats only the message whose acknowledgement was lost', async () => {
    b.telegram.fail('accept-then-drop');
    sayMany(4);
    b.start();
    await b.telegram.waitFor(5);
    await b.stop();
    expect(b.plains()).toEqual(['m1', ...expected(4)]);
  });

  it('waits exactly as long as a 429 asks for', async () => {
    b.telegram.fail({ kind: '429', retryAfter: 33 });
    sayMany(1);
    const began = b.clock.monotonic();
    b.start();
    await b.telegram.waitFor(1);
    expect(b.clock.monotonic() - began).toBeGreaterThanOrEqual(33_000);
    // Without the time that the machine took for it.
    expect(sum(b.clock.slept)).toBeLessThan(34_500);
  });

  it('keeps a pause that Telegram asked for over a restart', async () => {
    b.telegram.always({ kind: '429', retryAfter: 600 });
    sayMany(1);
    const began = b.clock.now();
    await b.delivery.drain(5000);
    expect(b.outbox.waiting()[0]).toMatchObject({ attempts: 1, waitMs: 600_000 });
    b.telegram.always(undefined);
    b.restart();
    b.clock.slept.length = 0;
    b.start();
    await b.telegram.waitFor(1);
    expect(b.clock.now() - began).toBeGreaterThanOrEqual(600_000);
    // Without the time that the machine took for it.
    expect(sum(b.clock.slept)).toBeLessThan(603_000);
  });

  it('keeps no pause for another chat, which did not ask for it', async () => {
    b.telegram.fail({ kind: '429', retryAfter: 3000 });
    sayMany(2);
    b.start();
    await b.telegram.waitUntil(() => b.telegram.calls.some((call) => call.status === 429));
    await b.stop();
    b.telegram.setChat({ id: -5, type: 'group', title: 'New' });
    b.restart({ TELEGRAM_CHAT_ID: '-5' });
    const began = b.clock.monotonic();
    b.start();
    await b.telegram.waitFor(2);
    expect(b.telegram.sent.map(({ chatId }) => chatId)).toEqual(['-5', '-5']);
    expect(b.clock.monotonic() - began).toBeLessThan(400_000);
  });

  it('tries at growing distances, never more than about 5 minutes apart', async () => {
    b.telegram.always('500');
    sayMany(1);
    b.start();
    await b.telegram.waitUntil(() => b.telegram.calls.length >= 16);
    await b.stop();
    const pauses = b.clock.slept.slice(0, 14);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(750);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(300_000);
    expect(pauses[0]).toBeLessThan(2000);
    expect(pauses[12]).toBeGreaterThan(200_000);
    const warned = b.log.lines.filter((line) => line.startsWith('WARNING'));
    expect(warned.filter((line) => line.includes('could not be sent'))).toHaveLength(1);
    // U10: the log of the monitor has each message, as one line.
    expect(warned.filter((line) => line.includes('memory-available [host]'))).toHaveLength(1);
  });

  it('U10: logs the last message, too, which is sent after the end', async () => {
    b.start();
    b.say('first');
    b.delivery.kick();
    await b.telegram.waitFor(1);
    await b.stop();
    b.say('last');
    await b.delivery.drain(5000);
    expect(b.telegram.sent).toHaveLength(2);
    expect(b.log.lines.filter((line) => line.includes('last'))).toHaveLength(1);
  });

  it('delivers everything with its original time after an hour of nothing', async () => {
    b.telegram.always('reset');
    const times: number[] = [];
    b.start();
    for (let i = 1; i <= 10; i++) {
      const at = b.clock.now();
      times.push(at);
      b.say(`m${i}`, { at, severity: 'critical' });
      b.delivery.kick();
      b.clock.pass(6 * 60_000);
      await b.telegram.waitUntil(() => true);
    }
    await b.telegram.waitUntil(() => b.telegram.calls.length > 3);
    expect(b.delivery.state().failing).toContain('closed the connection');
    b.telegram.always(undefined);
    await b.telegram.waitFor(10);
    await b.stop();
    const told = b.telegram.sent.map((message) => message.plain);
    expect(told.map((text) => text.split('\n\n').at(-1))).toEqual(expected(10));
    for (const [i, text] of told.entries())
      expect(text).toContain(`Late: this happened at ${formatTime(times[i] as number)}`);
    expect(b.log.lines.some((line) => line.includes('Telegram takes messages again'))).toBe(true);
  });

  it('does not call a message late that is two minutes old', async () => {
    b.say('fresh', { at: b.clock.now() - 110_000 });
    b.say('late', { at: b.clock.now() - 3 * DAY });
    b.start();
    await b.telegram.waitFor(2);
    expect(b.plains()[0]).toBe('fresh');
    expect(b.plains()[1]).toMatch(/^Late: this happened at .*, 3 d ago\.\n\nlate$/);
  });

  describe.each([
    ['three hours ahead', 3 * HOUR],
    ['three hours back', -3 * HOUR],
  ])('the clock is set %s while Telegram is away', (_, ms) => {
    it('and a message is as late as it is', async () => {
      b.telegram.always('reset');
      b.start();
      b.say('before', { severity: 'critical' });
      b.delivery.kick();
      await b.telegram.waitUntil(() => b.telegram.calls.length > 0);
      b.clock.pass(10 * 60_000);
      b.say('just before', { severity: 'critical' });
      b.clock.jump(ms);
      b.say('after', { severity: 'critical' });
      b.delivery.kick();
      const calls = b.telegram.calls.length;
      await b.telegram.waitUntil(() => b.telegram.calls.length > calls);
      b.telegram.always(undefined);
      await b.telegram.waitFor(3);
      const [before, ...others] = b.plains();
      expect(before).toMatch(/^Late: this happened at .*, 1\d min( \d+ s)? ago\.\n\nbefore$/);
      for (const other of others) expect(other).not.toMatch(/\bh\b/);
      expect(others.map((text) => text.split('\n\n').at(-1))).toEqual(['just before', 'after']);
    });

    it('and a digest has the times at which things happened', async () => {
      b.telegram.always('reset');
      b.start();
      const first = b.clock.now();
      for (let i = 0; i < 22; i++) b.say(`before ${i}`);
      b.delivery.kick();
      await b.telegram.waitUntil(() => b.telegram.calls.length > 2);
      b.clock.jump(ms);
      for (let i = 0; i < 22; i++) b.say(`after ${i}`);
      b.delivery.kick();
      const calls = b.telegram.calls.length;
      await b.telegram.waitUntil(() => b.telegram.calls.length > calls);
      b.telegram.always(undefined);
      await b.telegram.waitUntil(() => b.plains().some((text) => text.includes('one by one')));
      const digest = b.plains().find((text) => text.includes('one by one'))!;
      expect(digest).toContain('before 21');
      expect(digest).toContain(`\n${formatTime(first + ms).slice(0, 15)}`);
    });
  });

  it('stays below one message a second and 18 a minute', async () => {
    sayMany(20, { severity: 'critical' });
    b.start();
    const sentAt: number[] = [];
    for (let i = 1; i <= 20; i++) {
      await b.telegram.waitFor(i);
      sentAt.push(b.clock.monotonic());
    }
    for (let i = 1; i < 18; i++) expect(gap(sentAt, i, 1)).toBeGreaterThanOrEqual(950);
    for (let i = 18; i < 20; i++) expect(gap(sentAt, i, 18)).toBeGreaterThanOrEqual(59_000);
  });

  it('keeps to the limits over a restart', async () => {
    sayMany(18, { severity: 'critical' });
    b.start();
    await b.telegram.waitFor(18);
    await b.stop();
    const began = b.clock.monotonic();
    b.restart();
    b.say('m19');
    b.start();
    await b.telegram.waitFor(19);
    expect(b.clock.monotonic() - began).toBeGreaterThan(40_000);
  });

  it.each([
    ['an hour back', -HOUR],
    ['a year ahead', 365 * DAY],
    ['ten years back', -3650 * DAY],
  ])('is not held up or flooded by a clock that jumps %s', async (_, ms) => {
    b.telegram.fail('500', { kind: '429', retryAfter: 5 });
    sayMany(3);
    b.start();
    await b.telegram.waitUntil(() => b.telegram.calls.length >= 2);
    b.clock.jump(ms);
    b.delivery.kick();
    const began = b.clock.monotonic();
    await b.telegram.waitFor(3);
    expect(b.clock.monotonic() - began).toBeLessThan(20_000);
    await b.stop();
    // The pause of a process before this one, written before the jump.
    b.telegram.fail('500');
    b.say('m4', { at: b.clock.now() });
    await b.delivery.drain(100);
    b.clock.jump(-ms);
    b.restart();
    const again = b.clock.monotonic();
    b.start();
    await b.telegram.waitFor(4);
    expect(b.clock.monotonic() - again).toBeLessThan(400_000);
  });

  it.each(['in the same process', 'in the next one'])(
    'R1: a minute with a clock that was ten years ahead does not stop what is sent after it, %s',
    async (how) => {
      b.clock.jump(3650 * DAY);
      b.start();
      for (let i = 0; i < 18; i += 1) b.say(`ahead ${i}`, { severity: 'critical' });
      b.delivery.kick();
      await b.telegram.waitFor(18);
      await b.stop();
      b.clock.jump(-3650 * DAY);
      if (how === 'in the next one') b.restart();
      b.start();
      const began = b.clock.monotonic();
      for (let i = 0; i < 40; i += 1) {
        b.say(`right ${i}`, { severity: 'critical' });
        b.delivery.kick();
        await b.telegram.waitFor(19 + i);
      }
      // 18 a minute and no less: the window may have been full once for what was sent before.
      expect(b.clock.monotonic() - began).toBeLessThan(200_000);
    },
  );

  it('keeps what is refused, says why, tries hourly, and loses nothing', async () => {
    b.telegram.setChat({ id: Number(b.telegram.chatId), type: 'supergroup', title: 'Ops', state: 'kicked' });
    sayMany(3);
    b.start();
    await b.telegram.waitUntil(() => b.telegram.calls.filter((call) => call.status === 403).length >= 3);
    expect(b.delivery.state()).toMatchObject({
      refused: '403 Forbidden: bot was kicked from the supergroup chat',
      waiting: 3,
    });
    expect(b.clock.slept.filter((ms) => ms > 3_500_000).length).toBeGreaterThanOrEqual(2);
    expect(b.log.lines.filter((line) => line.startsWith('ERROR Telegram refuses'))).toHaveLength(1);
    b.telegram.setChat({ id: Number(b.telegram.chatId), state: 'ok' });
    await b.telegram.waitFor(3);
    await b.stop();
    expect(b.plains().map((text) => text.split('\n\n').at(-1))).toEqual(expected(3));
    expect(b.delivery.state().refused).toBeUndefined();
  });

  it.each([
    ['a wrong token', { TELEGRAM_BOT_TOKEN: '123:wrong' }, '401 Unauthorized'],
    [
      'something that is no token',
      { TELEGRAM_BOT_TOKEN: 'hunter2/../x?y' },
      '401 TELEGRAM_BOT_TOKEN is no bot token',
    ],
    ['an unknown chat', { TELEGRAM_CHAT_ID: '42' }, '400 Bad Request: chat not found'],
  ])('calls %s refused, and tries at once after a restart', async (_, settings, why) => {
    b.restart(settings);
    sayMany(2);
    await b.delivery.drain(3000);
    expect(b.delivery.state().refused).toContain(why);
    await b.delivery.drain(3000);
    expect(b.outbox.waiting()[0]?.attempts).toBe(1);
    b.restart({});
    b.start();
    await b.telegram.waitFor(2);
    expect(b.plains()).toEqual(expected(2));
  });

  it('never writes the token anywhere', async () => {
    b.restart({ TELEGRAM_API_ROOT: 'http://127.0.0.1:9' });
    sayMany(1);
    await b.delivery.drain(2000);
    b.restart();
    b.telegram.fail(
      {
        kind: 'answer',
        status: 401,
        body: { ok: false, error_code: 401, description: `bad ${b.telegram.token}` },
      },
      {
        kind: 'answer',
        status: 500,
        body: { ok: false, error_code: 500, description: `bad ${b.telegram.token}` },
      },
    );
    b.say(`my token is ${b.telegram.token}`);
    b.start();
    await b.telegram.waitFor(2);
    const said = [
      ...b.log.lines,
      ...b.history(),
      JSON.stringify(b.outbox.after(0).map((row) => row.lastError)),
    ];
    expect(said.length).toBeGreaterThan(3);
    expect(said.join('\n')).not.toContain(b.telegram.token);
    expect(said.join('\n')).not.toContain(b.telegram.token.split(':')[1]);
  });

  it('follows a group to its new id, and remembers it', async () => {
    sayMany(1);
    b.start();
    await b.telegram.waitFor(1);
    b.telegram.migrate(b.telegram.chatId, '-1009999999999');
    b.say('m2');
    b.delivery.kick();
    await b.telegram.waitFor(2);
    await b.stop();
    b.restart();
    b.say('m3');
    b.start();
    await b.telegram.waitFor(3);
    expect(b.telegram.sent.map((message) => message.chatId)).toEqual([
      b.telegram.chatId,
      '-1009999999999',
      '-1009999999999',
    ]);
    expect(b.telegram.calls.filter((call) => call.status === 400)).toHaveLength(1);
    expect(b.log.lines.some((line) => line.includes('TELEGRAM_CHAT_ID=-1009999999999'))).toBe(true);
    expect(b.delivery.state().movedFrom).toBe(b.telegram.chatId);
  });

  it('sends text that is not understood once more as plain text', async () => {
    const body = {
      ok: false,
      error_code: 400,
      description: "Bad Request: can't parse entities: Unsupported start tag",
    };
    b.telegram.fail({ kind: 'answer', status: 400, body });
    b.say('<b>a</b> &lt; b');
    b.start();
    await b.telegram.waitFor(1);
    expect(b.telegram.sent[0]).toMatchObject({ plain: 'a < b', parseMode: undefined });
  });

  it('says a sentence in place of a text that is never taken, and goes on', async () => {
    const body = { ok: false, error_code: 400, description: 'Bad Request: some new rule' };
    const no: Fault = { kind: 'answer', status: 400, body };
    b.telegram.fail(no, no);
    b.say('odd', { subject: 'web' });
    b.say('next');
    b.start();
    await b.telegram.waitFor(2);
    expect(b.plains()[0]).toContain('could not be shown here: 400 Bad Request: some new rule');
    expect(b.plains()[1]).toBe('next');
    // Not even the sentence is taken: it is not the text.
    b.telegram.fail(no, no, no, no);
    b.say('kept');
    b.say('after');
    b.delivery.kick();
    await b.telegram.waitFor(4);
    await b.stop();
    expect(b.plains()[2]).toMatch(/^Late: .*, 1 h ago\.\n\nkept$/);
    expect(b.plains()[3]).toMatch(/after$/);
    expect(b.outbox.after(0).map((row) => row.state)).toEqual(['sent', 'sent', 'sent', 'sent']);
  });

  it('shows an empty message as one that has no text', async () => {
    b.say('');
    b.start();
    await b.telegram.waitFor(1);
    expect(b.plains()[0]).toContain('it has no text');
  });

  it('sends long messages in parts, and does not repeat the first ones after a failure', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i} <code>a &amp; b</code> with some words`);
    b.say(lines.join('\n'));
    b.say('after');
    b.start();
    await b.telegram.waitFor(1);
    await b.stop();
    b.restart();
    b.telegram.fail('500', 'reset');
    b.start();
    const parts = 3;
    await b.telegram.waitFor(parts + 1);
    const text = b.plains().slice(0, parts).join('\n');
    expect(text.split('\n')).toHaveLength(300);
    expect(new Set(text.split('\n')).size).toBe(300);
    expect(b.plains()[parts]).toBe('after');
  });

  it('does not cut a long message anew when the rest of it is late', async () => {
    b.say(Array.from({ length: 300 }, (_, i) => `line ${i} of this message`).join('\n'));
    b.telegram.fail({ kind: 'slow', ms: 0 }, 'reset');
    b.start();
    await b.telegram.waitFor(1);
    await b.stop();
    b.restart();
    b.clock.pass(DAY);
    b.start();
    await b.telegram.waitFor(2);
    const text = b.plains().join('\n');
    expect(text).not.toContain('Late');
    expect(text.split('\n')).toEqual(Array.from({ length: 300 }, (_, i) => `line ${i} of this message`));
  });

  it('bounds a message of a megabyte', async () => {
    b.say('x'.repeat(1_000_000));
    b.start();
    await b.telegram.waitUntil(() => b.plains().at(-1)?.includes('more characters') === true);
    expect(b.plains().length).toBeLessThan(12);
    expect(b.plains().at(-1)).toContain('960000 more characters are in alert_history.log');
  });
});

function gap(times: number[], i: number, back: number): number {
  return (times[i] as number) - (times[i - back] as number);
}

function sum(times: readonly number[]): number {
  return times.reduce((all, one) => all + one, 0);
}
