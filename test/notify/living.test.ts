import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alertCounts } from '../../src/store/outbox.ts';
import { addSilence } from '../../src/incidents/silences.ts';
import { createPipeline, type Pipeline } from '../../src/incidents/pipeline.ts';
import type { Settings } from '../../src/config/schema.ts';
import type { Finding } from '../../src/model/finding.ts';
import { followMove } from '../../src/notify/chat.ts';
import { createRefresh } from '../../src/notify/living.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import { renderList, renderLiving } from '../../src/outputs/telegram/living.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { finishAction, recordAction } from '../../src/store/actions.ts';
import { incidentById, annotateIncident, withAnnotations } from '../../src/store/incidents.ts';
import { htmlToPlain } from '../../src/model/html.ts';
import {
  beginEdit,
  messagesBehind,
  messagesOf,
  openMessages,
  setWanted,
} from '../../src/store/incident-messages.ts';
import { configWith } from '../helpers/command.ts';
import { incidentOf } from '../helpers/incident.ts';
import { startTelegram, type Fault } from '../standins/telegram.js';
import { bench, type Bench } from './support.ts';

let b: Bench;
let pipeline: Pipeline;
/** A mistake in the wording. */
let unwordable = false;
let refresh: (ids?: ReadonlySet<number>) => boolean;

/** As the daemon connects them. */
function connect(settings: Partial<Settings> = {}): void {
  const { db } = b.store;
  pipeline = createPipeline({
    store: b.store,
    config: configWith(settings, { stateDir: b.stateDir }),
    clock: b.clock,
    log: b.log,
    enqueue: (message) => b.outbox.enqueue(message),
    render: (decision) => renderNotification(decision, 'vps', b.clock.now()),
  });
  refresh = createRefresh({
    db,
    config: configWith(settings, { stateDir: b.stateDir }),
    now: () => b.clock.now(),
    incident(id) {
      const incident = pipeline.incident(id);
      return incident ? withAnnotations(db, incident) : incidentById(db, id);
    },
    render(incident, others) {
      if (unwordable) throw new Error('no words');
      return renderLiving(incident, others, 'vps', b.clock.now());
    },
    onFailure: (error) => void b.log.warn(String(error)),
    renderList: (heading, all) => renderList(heading, all, 'vps', Date.now()),
  });
}
async function open(settings: Partial<Settings> = {}): Promise<void> {
  b = await bench(settings, { tellable: (id) => pipeline.tellable(id) });
  connect(settings);
}
beforeEach(() => open());
afterEach(() => b.close());

const memory = (mb: number, severity: 'warning' | 'critical' | undefined): Finding => ({
  rule: 'memory-available',
  subject: 'host',
  severity: severity ?? 'warning',
  verdict: severity ? 'breach' : 'ok',
  text: severity ? `Available memory is ${mb} MB` : `Available memory is ${mb} MB again`,
  value: mb * 1_048_576,
  limit: 100 * 1_048_576,
  unit: 'bytes',
});
function check(...findings: Finding[]): void {
  pipeline.process(findings);
  refresh();
  b.delivery.kick();
}
/** Until nothing is to be sent and every message shows what it should. */
async function settled(): Promise<void> {
  const { db } = b.store;
  await b.telegram.waitUntil(() => true);
  const end = performance.now() + 400_000;
  while (b.outbox.waiting().length > 0 || messagesBehind(db).length > 0) {
    if (performance.now() > end) throw new Error(`it does not settle: ${b.log.lines.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const own = () => b.telegram.sent[0] ?? { id: 0, chatId: '' };
const shown = () => b.telegram.message(b.telegram.chatId, own().id)?.plain ?? '';

describe('the message of an incident', () => {
  it('begins with a push, is edited while it lasts, and its end is a silent reply', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    expect(b.telegram.sent).toMatchObject([{ silent: false }]);

    b.clock.pass(61_000);
    check(memory(72, 'warning'));
    await settled();
    expect(b.telegram.sent).toHaveLength(1);
    expect(shown()).toContain('Available memory is 72 MB');
    expect(shown()).toContain('Now: 72 MB');

    annotateIncident(b.store.db, 1, b.clock.now(), 'stopped cache');
    check(memory(80, 'warning'));
    await settled();
    expect(shown()).toContain('Done: stopped cache');

    b.clock.pass(61_000);
    check(memory(300, undefined));
    await settled();
    expect(shown()).toMatch(/^Resolved after \d+ min/);
    expect(shown()).toMatch(/Available memory is 300 MB again\nWorst: 72 MB/);
    expect(b.telegram.sent).toMatchObject([{}, { replyTo: own().id, silent: true }]);
    expect(b.telegram.sent[1]?.plain).toContain('Resolved');
    expect(openMessages(b.store.db)).toEqual([]);
  });

  it('R3: shows its end plainly where its text cannot be made', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    unwordable = true;
    try {
      b.clock.pass(61_000);
      check(memory(300, undefined));
      await settled();
      expect(shown()).toBe('WARNING, over: Available memory is 90 MB');
      expect(openMessages(b.store.db)).toEqual([]);
    } finally {
      unwordable = false;
    }
  });

  it('shows the result of what ended it, also where that is known only after the end', async () => {
    b.start();
    check(memory(40, 'critical'));
    await settled();
    const startedAt = b.clock.now();
    const stop = {
      rule: 'swap',
      target: 'leaky',
      what: 'stop-container',
      why: '',
      state: 'running',
    } as const;
    const id = recordAction(b.store.db, { ...stop, startedAt });
    b.clock.pass(61_000);
    check(memory(300, undefined));
    await settled();
    expect(shown()).toMatch(/^Resolved[\s\S]*stop-container leaky: begun/);
    finishAction(b.store.db, id, { state: 'worked', result: 'leaky is stopped', at: b.clock.now() });
    b.clock.pass(10_000);
    refresh();
    b.delivery.kick();
    await settled();
    expect(shown()).toMatch(/^Resolved[\s\S]*stop-container leaky: leaky is stopped/);
    expect(openMessages(b.store.db)).toEqual([]);
  });

  it('gets worse: pushed again as a reply, and the end of a critical one is heard', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    check(memory(40, 'critical'));
    await settled();
    expect(b.telegram.sent[1]).toMatchObject({ replyTo: own().id, silent: false });
    expect(shown()).toContain('CRITICAL');
    check(memory(300, undefined));
    await settled();
    expect(b.telegram.sent[2]).toMatchObject({ replyTo: own().id, silent: false });
  });

  it('mere numbers are brought up to date once a minute, what happened at once', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    check(memory(89, 'warning'));
    await settled();
    const edits = b.telegram.edits.length;
    for (let mb = 88; mb > 80; mb--) check(memory(mb, 'warning'));
    expect(b.telegram.edits.length).toBe(edits);
    pipeline.acknowledge(1, 'Ada', false);
    check(memory(79, 'warning'));
    await settled();
    expect(shown()).toContain('Acknowledged by Ada');
    expect(shown()).toContain('79 MB');
  });

  it('of one that comes back at once, and is sent as flapping, is edited and has buttons, too', async () => {
    const web = (verdict: 'breach' | 'ok'): Finding => ({
      rule: 'container-stopped',
      subject: 'web',
      severity: 'critical',
      verdict,
      text: verdict === 'ok' ? 'web runs again' : 'web stopped',
    });
    b.start();
    for (const verdict of ['breach', 'ok', 'breach'] as const) {
      check(web(verdict));
      await settled();
      b.clock.pass(5000);
    }
    const flaps = b.telegram.sent[2];
    expect(flaps?.plain).toMatch(/^Flapping/);
    expect(flaps?.keyboard?.flat().map(({ text }) => text)).toContain('Acknowledge');
    pipeline.acknowledge(3, 'Ada', false);
    check(web('breach'));
    await settled();
    expect(b.telegram.edits.filter(({ messageId }) => messageId === flaps?.id).length).toBeGreaterThan(0);
    // The edit does not take away why no more is sent.
    expect(b.telegram.message(b.telegram.chatId, flaps?.id ?? 0)?.plain).toContain(
      'Further changes are sent when it has been stable',
    );
    b.clock.pass(1_200_000);
    check(web('ok'));
    b.clock.pass(1_200_000);
    check(web('ok'));
    await settled();
    expect(b.telegram.message(b.telegram.chatId, flaps?.id ?? 0)?.plain).toMatch(/^Resolved/);
    expect(b.telegram.sent.at(-1)).toMatchObject({ replyTo: flaps?.id });
  });

  it('is not repeated once it was acknowledged, until it gets worse', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    pipeline.acknowledge(1, 'Ada', false);
    b.clock.pass(2 * 3_600_000);
    check(memory(90, 'warning'));
    await settled();
    expect(b.telegram.sent).toHaveLength(1);
    check(memory(40, 'critical'));
    await settled();
    expect(b.telegram.sent).toHaveLength(2);
    b.clock.pass(2 * 3_600_000);
    check(memory(40, 'critical'));
    await settled();
    expect(b.telegram.sent).toHaveLength(3);
  });

  it('says nothing more until it ends where somebody wanted that; then it does', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    pipeline.acknowledge(1, 'Ada', true);
    check(memory(40, 'critical'));
    await settled();
    expect(b.telegram.sent).toHaveLength(1);
    expect(shown()).toContain('no messages until it ends');
    check(memory(300, undefined));
    await settled();
    expect(b.telegram.sent).toHaveLength(2);
    expect(shown()).toMatch(/^Resolved/);
  });

  it('separate: the messages of before, without replies and edits', async () => {
    await b.close();
    await open({ TELEGRAM_STYLE: 'separate' });
    b.start();
    for (const step of [memory(90, 'warning'), memory(40, 'critical'), memory(300, undefined)]) {
      check(step);
      await settled();
    }
    expect(b.telegram.sent).toHaveLength(3);
    expect(b.telegram.sent.every((message) => message.replyTo === undefined)).toBe(true);
    expect(b.telegram.calls.filter((call) => call.method === 'editMessageText')).toEqual([]);
  });

  const edit = (kind: string, more: object = {}) => ({ kind, method: 'editMessageText', ...more }) as Fault;
  it.each([
    ['lost before it arrived', [edit('reset')]],
    ['accepted, its acknowledgement lost', [edit('accept-then-drop')]],
    ['twice 429', [edit('429', { retryAfter: 30 }), edit('429', { retryAfter: 3 })]],
    ['a page in place of an answer', [edit('html502')]],
  ])('the last state arrives although edits are %s', async (_name, faults) => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    b.telegram.fail(...faults);
    b.clock.pass(61_000);
    check(memory(70, 'warning'));
    check(memory(300, undefined));
    await settled();
    expect(shown()).toMatch(/^Resolved/);
    expect(b.telegram.sent).toHaveLength(2);
    expect(b.telegram.pendingFaults()).toBe(0);
  });

  it('blocked in between: what was edited meanwhile is shown as soon as a message is taken again', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    b.telegram.setChat({ id: Number(b.telegram.chatId), state: 'blocked' });
    b.clock.pass(61_000);
    check(memory(70, 'warning'));
    await b.telegram.waitUntil(() =>
      b.telegram.calls.some(({ method, status }) => method === 'editMessageText' && status === 403),
    );
    b.telegram.setChat({ id: Number(b.telegram.chatId), state: 'ok' });
    // An hour has not passed, and no leap of the clock may help.
    const before = b.clock.now();
    check(memory(40, 'critical'));
    await b.telegram.waitUntil(() => shown().includes('40 MB'));
    expect(b.clock.now() - before).toBeLessThan(600_000);
  });

  it('returns to a state of before although the edit in between was accepted without an answer', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    check(memory(90, 'warning'));
    await settled();
    const before = messagesOf(b.store.db, 1)[0]?.wanted ?? '';
    const want = (state: string) => {
      setWanted(b.store.db, { incidentId: 1, target: b.telegram.chatId }, state, false);
      b.delivery.kick();
    };
    // While the answer does not come the state changes back.
    b.telegram.fail(edit('accept-then-hang'));
    want(JSON.stringify({ html: 'in between' }));
    await b.telegram.waitUntil(() => shown() === 'in between');
    want(before);
    await settled();
    expect(shown()).toContain('Available memory is 90 MB');
  });

  it('returns to a state of before although an edit to it ends when another one has begun', async () => {
    // The answer to the edit is waited for, however long a busy machine needs for the tap.
    b.restart({}, { timeoutMs: 100_000 });
    connect();
    b.start();
    check(memory(90, 'warning'));
    await settled();
    let answerIt = (): void => {};
    b.telegram.fail(
      edit('accept-then-slow', { until: new Promise<void>((resolve) => (answerIt = resolve)) }),
    );
    b.clock.pass(61_000);
    check(memory(70, 'warning'));
    await b.telegram.waitUntil(() => b.telegram.edits.length === 1);
    // A tap shows a question at once, while the answer to the edit is on its way.
    const { messageId, target } = messagesOf(b.store.db, 1)[0]!;
    beginEdit(b.store.db, { incidentId: 1, target });
    await fetch(`${b.telegram.url}/bot${b.telegram.token}/editMessageText`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ chat_id: target, message_id: messageId, text: 'Sure?' }),
    });
    expect(shown()).toBe('Sure?');
    answerIt();
    await settled();
    expect(shown()).toContain('70 MB');
  });

  it('is edited, too, where only a sentence could be sent in its place', async () => {
    const never = {
      kind: 'answer',
      method: 'sendMessage',
      body: { ok: false, error_code: 400, description: 'Bad Request: text is not to be had' },
    } as const;
    b.telegram.fail(never, never);
    b.start();
    check(memory(90, 'warning'));
    await settled();
    expect(b.telegram.sent[0]?.plain).toContain('could not be shown here');
    check(memory(40, 'critical'));
    await settled();
    expect(shown()).toContain('Available memory is 40 MB');
    expect(b.telegram.sent.at(-1)?.replyTo).toBe(own().id);
  });

  it('sends it anew without a sound where somebody deleted it', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    b.telegram.deleteMessage(b.telegram.chatId, own().id);
    b.clock.pass(61_000);
    check(memory(70, 'warning'));
    await settled();
    const [, second] = b.telegram.sent;
    expect(second).toMatchObject({ silent: true });
    expect(second?.plain).toContain('70 MB');
    check(memory(300, undefined));
    await settled();
    expect(b.telegram.message(b.telegram.chatId, second?.id ?? 0)?.plain).toMatch(/^Resolved/);
    expect(b.telegram.sent[2]).toMatchObject({ replyTo: second?.id });
  });

  it('follows a group to its new id, where the old message is not any more', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    b.telegram.migrate(b.telegram.chatId, '-1009');
    b.clock.pass(61_000);
    check(memory(70, 'warning'));
    await settled();
    expect(b.telegram.sent[1]).toMatchObject({ chatId: '-1009' });
    check(memory(300, undefined));
    await settled();
    expect(b.telegram.sent[2]).toMatchObject({ chatId: '-1009', replyTo: b.telegram.sent[1]?.id });
  });

  it.each([['is refused'], ['is told in an update']])(
    'edits no other message of the new group, where the numbers begin anew, when the move %s',
    async (how) => {
      b.start();
      check(memory(90, 'warning'));
      await settled();
      b.telegram.migrate(b.telegram.chatId, '-1009');
      const config = configWith(b.telegram.settings, { stateDir: b.stateDir });
      const update = { message: { chat: { id: Number(b.telegram.chatId) }, migrate_to_chat_id: -1009 } };
      if (how === 'is told in an update') followMove(b.store.db, config, update, b.clock.now());
      b.say('another message');
      b.delivery.kick();
      await settled();
      const [another] = b.telegram.sent.filter(({ chatId }) => chatId === '-1009');
      expect(another?.id).toBe(own().id);
      b.clock.pass(61_000);
      check(memory(70, 'warning'));
      await settled();
      expect(b.telegram.message('-1009', 1)?.plain).toBe('another message');
      expect(b.telegram.message('-1009', 2)?.plain).toContain('70 MB');
      // The settings are brought up to date, as the log asked for: its message is edited on.
      await b.stop();
      b.restart({ TELEGRAM_CHAT_ID: '-1009' });
      connect();
      b.start();
      check(memory(300, undefined));
      await settled();
      expect(b.telegram.message('-1009', 2)?.plain).toMatch(/^Resolved/);
      expect(b.telegram.sent.at(-1)).toMatchObject({ chatId: '-1009', replyTo: 2 });
    },
  );

  it.each([
    ['another bot', '222222:other-bot', 'another message'],
    ['a new token of the same bot', undefined, undefined],
  ])(
    'goes on with %s in the settings, and edits no message that it did not send',
    async (_, token, first) => {
      const chat = { id: 4711, type: 'private', title: 'Ada' } as const;
      await b.close();
      b = await bench({}, { tellable: (id) => pipeline.tellable(id) }, { chats: [chat] });
      connect();
      b.start();
      check(memory(90, 'warning'));
      await settled();
      await b.stop();
      const renewed = `${b.telegram.token.split(':')[0]}:renewed`;
      const earlier = b.telegram.sent.map((one) => ({ ...one, plain: first ?? one.plain }));
      const other = await startTelegram({ token: token ?? renewed, chats: [chat], earlier });
      b.restart({ ...other.settings });
      connect();
      b.start();
      b.clock.pass(61_000);
      check(memory(70, 'warning'));
      await settled();
      const shown = other.message('4711', token === undefined ? 1 : 2);
      if (first !== undefined) expect(other.message('4711', 1)?.plain).toBe(first);
      expect(shown?.plain).toContain('70 MB');
      check(memory(300, undefined));
      await settled();
      expect(shown?.plain).toMatch(/^Resolved/);
      expect(other.sent.at(-1)).toMatchObject({ replyTo: shown?.id });
      await b.stop();
      await other.close();
    },
  );

  it('only the newest state is sent after a time without Telegram, and the messages come first', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    await b.stop();
    for (let mb = 80; mb > 60; mb--) {
      b.clock.pass(61_000);
      check(memory(mb, 'warning'));
    }
    check(memory(30, 'critical'));
    check(memory(300, undefined));
    b.start();
    await settled();
    expect(b.telegram.edits).toHaveLength(1);
    const calls = b.telegram.calls.filter(({ method }) => /^(send|edit)/.test(method)).map((c) => c.method);
    expect(calls.at(-1)).toBe('editMessageText');
    expect(shown()).toMatch(/^Resolved/);
  });

  it('is up to date again after a restart in between', async () => {
    b.start();
    check(memory(90, 'warning'));
    await settled();
    await b.stop();
    pipeline.process([memory(300, undefined)]); // and the process dies before it looks at messages
    b.restart();
    connect();
    b.start();
    check();
    await settled();
    expect(shown()).toMatch(/^Resolved/);
    expect(b.telegram.sent).toHaveLength(2);
  });
});

describe('a list of incidents', () => {
  const seen = { id: 'a1', state: 'running', health: 'none', restartCount: 0 } as const;
  const stopped = (name: string, verdict: 'breach' | 'ok' = 'breach'): Finding[] => {
    const about = { name, at: b.clock.now() };
    const death = {
      ...about,
      id: 'a1',
      exitCode: 1,
      cause: 'crash',
      restartCount: 0,
      autoRemove: false,
    } as const;
    const fact =
      verdict === 'ok'
        ? ({ kind: 'running', ...about, seen, from: 'stopped', forMs: 5000 } as const)
        : ({ kind: 'stopped', ...about, death, restartCount: 0 } as const);
    return findingsOf(fact, describeFact);
  };
  /** Until what waits for others of its kind is sent, and everything is shown. */
  async function checkAll(...findings: Finding[]): Promise<void> {
    check(...findings);
    b.clock.pass(10_000);
    check();
    await settled();
  }
  const names = ['a', 'b', 'c', 'd', 'e'];
  const listed = () => b.telegram.sent.find(({ plain }) => plain.includes('Services Stopped'))!;
  const list = () => b.telegram.message(b.telegram.chatId, listed().id);

  it('is edited as its members end, and each end is still a message', async () => {
    b.start();
    await checkAll(...names.flatMap((name) => stopped(name)));
    // The first one is sent alone, at once.
    expect(listed().plain).toMatch(/^🔴 4 Services Stopped/);
    expect(
      listed()
        .keyboard?.flat()
        .map(({ text }) => text),
    ).toEqual(['Acknowledge all', 'Until they end']);
    await checkAll(...stopped('c', 'ok'));
    expect(list()?.plain).toMatch(/^1 of 4 are over/);
    expect(list()?.plain).toMatch(/✅ c runs again after 5 s\nd: crashed/);
    const end = b.telegram.sent.at(-1);
    expect(end?.plain).toMatch(/Service Restored[^]*Service: c\n/);
    expect(end?.replyTo).toBe(listed().id);
    await checkAll(...['b', 'd', 'e'].flatMap((name) => stopped(name, 'ok')));
    expect(list()?.plain).toMatch(/^Resolved after/);
    expect(list()?.plain.match(/✅/g)).toHaveLength(4);
    expect(list()?.keyboard).toEqual([]);
    // The first one is down still, and its message says so.
    expect(b.telegram.message(b.telegram.chatId, own().id)?.plain).not.toContain('Resolved');
    await checkAll(...stopped('a', 'ok'));
    expect(b.telegram.message(b.telegram.chatId, own().id)?.plain).toMatch(/^Resolved/);
    expect(openMessages(b.store.db)).toEqual([]);
  });
});

describe('a digest', () => {
  const disk = (name: string, verdict: 'breach' | 'ok' = 'breach'): Finding => ({
    rule: 'disk',
    subject: name,
    severity: 'warning',
    verdict,
    text: `Disk ${name} is ${verdict === 'ok' ? 'fine again' : '81 % full'}`,
    ...(verdict === 'ok' ? {} : { value: 81, unit: 'percent' }),
  });
  const list = () => b.telegram.sent.find(({ plain }) => /still open/.test(plain))!;
  const listNow = () => b.telegram.message(b.telegram.chatId, list().id);

  it('is followed by one message of what is open still, which is edited, and answered when it ends', async () => {
    for (const name of ['/', '/a', '/b', '/c']) {
      check(disk(name));
      b.clock.pass(60_000);
    }
    for (let i = 0; i < 25; i++) b.say(`something ${i}`, { subject: 'x' });
    check(disk('/c', 'ok'));
    b.start();
    await settled();
    const [digest] = b.telegram.sent;
    expect(digest?.plain).toMatch(/messages that could not be sent one by one\nServer: vps\n/);
    expect(digest?.keyboard).toBeUndefined();
    expect(list().plain).toMatch(/^3 of them are still open\n\nServer: vps\nDisk \/ is 81 % full\n/);
    expect(list().plain).toContain('Disk /b is 81 % full');
    expect(list().plain).not.toContain('/c');
    expect(
      list()
        .keyboard?.flat()
        .map(({ text }) => text),
    ).toEqual(['Acknowledge all', 'Until they end']);
    check(disk('/a', 'ok'));
    await settled();
    expect(listNow()?.plain).toMatch(/^1 of 3 are over\n\n3 of them were still open\n/);
    expect(b.telegram.sent.at(-1)).toMatchObject({ replyTo: list().id });
    check(disk('/', 'ok'), disk('/b', 'ok'));
    b.clock.pass(10_000);
    check();
    await settled();
    expect(listNow()?.plain).toMatch(
      /^Resolved after [^\n]*\n[^\n]* to [^\n]*\n\n3 of them were still open\n/,
    );
    expect(listNow()?.keyboard).toEqual([]);
  });

  it('names in its list what is so when that is sent', async () => {
    for (const name of ['/', '/a', '/b', '/c']) check(disk(name));
    for (let i = 0; i < 25; i++) b.say(`something ${i}`, { subject: 'x' });
    b.telegram.fail({ kind: 'slow', ms: 0 }, ...Array.from({ length: 3 }, (): Fault => 'reset'));
    b.start();
    await b.telegram.waitFor(1);
    // The list after it waits for Telegram.
    addSilence(b.store.db, { subject: '/a', until: b.clock.now() + 86_400_000, reason: '' }, b.clock.now());
    pipeline.acknowledge(3, 'Ada', true);
    check(disk('/c', 'ok'));
    await settled();
    expect(list().plain).toMatch(/^1 of them is still open\n\nServer: vps\nDisk \/ is 81 % full\n/);
    expect(list().plain).not.toMatch(/\/[abc]/);
  });

  it('is followed by no list where nothing of it is open by then', async () => {
    for (const name of ['/', '/a']) check(disk(name));
    for (let i = 0; i < 25; i++) b.say(`something ${i}`, { subject: 'x' });
    b.telegram.fail({ kind: 'slow', ms: 0 }, ...Array.from({ length: 3 }, (): Fault => 'reset'));
    b.start();
    await b.telegram.waitFor(1);
    check(disk('/', 'ok'), disk('/a', 'ok'));
    await settled();
    expect(list()).toBeUndefined();
  });

  it('keeps to that through a death between its parts', async () => {
    for (const name of ['/', '/a']) check(disk(name));
    b.clock.pass(60_000);
    check(disk('/'), disk('/a'));
    for (let i = 0; i < 25; i++) b.say(`something ${i}`, { subject: 'x' });
    b.telegram.fail({ kind: 'slow', ms: 0 }, { kind: 'reset' });
    b.start();
    await b.telegram.waitFor(1);
    await b.stop();
    b.restart();
    connect();
    b.start();
    await settled();
    expect(b.telegram.sent.filter(({ plain }) => plain.includes('one by one'))).toHaveLength(1);
    expect(b.telegram.sent.filter(({ plain }) => plain.includes('still open'))).toHaveLength(1);
  });
});

it('a message stays within what Telegram takes, whatever was done about its incident', () => {
  const incident = incidentOf({
    text: 'x'.repeat(290),
    fact: {
      kind: 'docker-gone',
      name: 'docker',
      at: 0,
      why: '<'.repeat(3000),
      names: Array.from({ length: 40 }, () => ({ name: '<'.repeat(99) })),
      ran: 40,
      stopped: 0,
    },
    actions: Array.from({ length: 30 }, (_, i) => `${i} ${'🐳'.repeat(200)}`),
    details: Array.from({ length: 40 }, () => 'y'.repeat(300)),
    ack: { by: 'Ada', at: 0, severity: 'critical' },
  });
  const { html } = renderLiving(incident, [incident], 'vps', 1000, ['z'.repeat(300)]);
  expect(htmlToPlain(html).length).toBeLessThanOrEqual(4096);
  expect(html).toContain('Acknowledged by Ada');
});

describe('several chats', () => {
  const OPS = '-1001234567890';
  const BOSS = '-100777';
  async function two(settings: Partial<Settings>) {
    await b.close();
    await open(settings);
    b.telegram.setChat({ id: Number(OPS), type: 'supergroup', title: 'Ops', topics: [7] });
    b.telegram.setChat({ id: Number(BOSS), type: 'supergroup', title: 'Boss', username: 'boss_channel' });
    b.start();
  }

  it('go to each of them, and every one has a message of its own that is edited', async () => {
    await two({ TELEGRAM_CHAT_ID: `${OPS},@boss_channel` });
    check(memory(90, 'warning'));
    await settled();
    b.clock.pass(61_000);
    check(memory(300, undefined));
    await settled();
    const chats = b.telegram.sent.map((message) => message.chatId);
    expect(chats.toSorted()).toEqual([OPS, OPS, BOSS, BOSS]);
    expect(b.telegram.edits.map((one) => one.chatId).toSorted()).toEqual([OPS, BOSS]);
    expect(alertCounts(b.store.db)).toMatchObject({ accepted: { warning: 1, info: 1 }, sent: 2 });
    expect(b.history()).toHaveLength(2);
  });

  it('take what is critical elsewhere, and the rest into a topic', async () => {
    await two({ TELEGRAM_CHAT_ID: `${OPS}/7`, TELEGRAM_CHAT_CRITICAL: BOSS });
    check(memory(90, 'warning'));
    await settled();
    check(memory(30, 'critical'));
    await settled();
    expect(b.telegram.sent).toMatchObject([{ chatId: OPS, threadId: 7 }, { chatId: BOSS }]);
    // It has a message of its own there, with buttons, that is edited as well; and its end goes to both.
    const [first, worse] = b.telegram.sent;
    expect(worse?.keyboard).toBeDefined();
    check(memory(300, undefined));
    await settled();
    expect(b.telegram.sent.slice(2)).toMatchObject([
      { chatId: BOSS, replyTo: worse?.id, silent: false },
      { chatId: OPS, threadId: 7, replyTo: first?.id },
    ]);
    for (const one of [first, worse])
      expect(b.telegram.message(one?.chatId ?? '', one?.id ?? 0)?.plain).toMatch(/^Resolved/);
  });

  it('have the end of what is critical where it began, and single lines in theirs', async () => {
    await two({ TELEGRAM_CHAT_ID: OPS, TELEGRAM_CHAT_CRITICAL: BOSS, TELEGRAM_CHAT_INFO: `${OPS}/7` });
    check(memory(30, 'critical'));
    check(memory(300, undefined));
    b.say('a deploy', { severity: 'info' });
    b.delivery.kick();
    await settled();
    const [first] = b.telegram.sent.filter(({ chatId }) => chatId === BOSS);
    expect(b.telegram.sent.filter(({ chatId }) => chatId === BOSS)[1]).toMatchObject({ replyTo: first?.id });
    const others = b.telegram.sent.filter(({ chatId }) => chatId === OPS);
    expect(others.map(({ threadId, plain }) => [threadId, plain.split(':')[0]])).toEqual([
      [7, 'Resolved'],
      [7, 'a deploy'],
    ]);
  });

  it('do not wait for one that refuses', async () => {
    await two({ TELEGRAM_CHAT_ID: `${BOSS},${OPS}` });
    b.telegram.setChat({ id: Number(BOSS), state: 'kicked' });
    check(memory(90, 'warning'));
    await b.telegram.waitFor(1);
    check(memory(30, 'critical'));
    await b.telegram.waitFor(2);
    expect(b.telegram.sent).toMatchObject([{ chatId: OPS }, { chatId: OPS }]);
    expect(b.delivery.state().refused).toContain('kicked');
  });

  it('a topic that was deleted keeps nothing back', async () => {
    await two({ TELEGRAM_CHAT_ID: `${OPS}/8` });
    check(memory(30, 'critical'));
    await settled();
    expect(b.telegram.sent).toMatchObject([{ chatId: OPS }]);
  });

  it('what waits for a chat that is not configured any more goes to the ones that are', async () => {
    await two({ TELEGRAM_CHAT_ID: `${BOSS},${OPS}` });
    b.telegram.setChat({ id: Number(BOSS), state: 'kicked' });
    b.telegram.setChat({ id: Number(OPS), state: 'kicked' });
    check(memory(90, 'warning'));
    await b.telegram.waitUntil(() => b.telegram.calls.filter((c) => c.status === 403).length >= 2);
    await b.stop();
    b.telegram.setChat({ id: -5, type: 'group', title: 'New' });
    b.restart({ TELEGRAM_CHAT_ID: '-5' });
    b.start();
    await b.telegram.waitFor(1);
    await settled();
    expect(b.telegram.sent).toMatchObject([{ chatId: '-5' }]);
  });

  describe('of which one refuses and is taken out of the settings', () => {
    const plainsIn = (chatId: string) =>
      b.telegram.sent.filter((one) => one.chatId === chatId).map(({ plain }) => plain.split('\n').at(-1));
    async function refusing(chat: string, count: number) {
      await two({ TELEGRAM_CHAT_ID: `${BOSS},${OPS}` });
      b.telegram.setChat({ id: Number(chat), state: 'kicked' });
      b.say('m1');
      b.delivery.kick();
      await b.telegram.waitFor(1);
      await b.telegram.waitUntil(() => b.telegram.calls.some((call) => call.status === 403));
      for (let i = 2; i <= count; i += 1) {
        b.say(`m${i}`);
        b.delivery.kick();
        await b.telegram.waitFor(i);
      }
    }
    async function then(settings: Partial<Settings>) {
      await b.stop();
      b.telegram.setChat({ id: -5, type: 'group', title: 'New' });
      b.restart(settings);
      b.start();
      await settled();
    }

    it.each([
      ['the first', BOSS, OPS],
      ['the second', OPS, BOSS],
    ])('%s: the other one, which has all of it, gets nothing twice', async (_, gone, stays) => {
      await refusing(gone, 3);
      await then({ TELEGRAM_CHAT_ID: stays });
      expect(plainsIn(stays)).toEqual(['m1', 'm2', 'm3']);
    });

    it('also where so much waited for it that it had become a digest', async () => {
      await refusing(BOSS, 25);
      await then({ TELEGRAM_CHAT_ID: OPS });
      expect(plainsIn(OPS)).toHaveLength(25);
    });

    it.each([
      ['the first', BOSS, OPS],
      ['the second', OPS, BOSS],
    ])('%s: a new one in its place gets what waited, and nobody else does', async (_, gone, stays) => {
      await refusing(gone, 3);
      await then({ TELEGRAM_CHAT_ID: `${stays},-5` });
      expect(plainsIn(stays)).toEqual(['m1', 'm2', 'm3']);
      expect(plainsIn('-5')).toEqual(['m1', 'm2', 'm3']);
    });
  });

  it('have what somebody asked for only where it was asked, also after a restart and with other chats', async () => {
    await two({ TELEGRAM_CHAT_ID: `${BOSS},${OPS}` });
    await b.stop();
    const asked = { severity: 'info', subject: 'x' } as const;
    b.say('in a topic', { ...asked, kind: 'answer', target: `${OPS}/7` });
    b.say('the report', { ...asked, kind: 'daily-report', target: `${OPS}/7` });
    b.say('by the boss', { ...asked, kind: 'answer', target: BOSS });
    b.restart({ TELEGRAM_CHAT_ID: `${OPS},-5` });
    b.telegram.setChat({ id: -5, type: 'group', title: 'New' });
    b.start();
    await settled();
    expect(b.telegram.sent.map(({ chatId, threadId, plain }) => [chatId, threadId, plain])).toEqual([
      [OPS, 7, 'in a topic'],
      [OPS, 7, 'the report'],
    ]);
  });

  it('says which one refuses, and that it takes messages again only when that one does', async () => {
    await two({ TELEGRAM_CHAT_ID: `${BOSS},${OPS}` });
    b.telegram.setChat({ id: Number(BOSS), state: 'kicked' });
    b.say('m1');
    b.delivery.kick();
    await b.telegram.waitUntil(() => b.telegram.calls.filter((call) => call.status === 403).length >= 2);
    b.say('m2');
    b.delivery.kick();
    await b.telegram.waitFor(2);
    expect(b.delivery.state().refused).toBe(
      `403 Forbidden: bot was kicked from the supergroup chat (chat ${BOSS})`,
    );
    const about = () => b.log.lines.filter((line) => /Telegram (refuses|takes) messages/.test(line));
    expect(about()).toEqual([expect.stringContaining(`Telegram refuses messages for ${BOSS}: 403`)]);
    b.telegram.setChat({ id: Number(BOSS), state: 'ok' });
    await settled();
    expect(about().slice(1)).toEqual([expect.stringContaining(`Telegram takes messages for ${BOSS} again`)]);
  });
});

it('a container that comes and goes: edited while it is up, it says since when it runs', () => {
  const incident = incidentOf({
    rule: 'container-stopped',
    subject: 'web',
    text: 'web stopped: crashed, exit code 1',
    endText: 'web runs again after 5 s',
    flapping: true,
    okSince: Date.UTC(2026, 0, 1, 12),
  });
  const { html } = renderLiving(incident, [], 'vps', Date.UTC(2026, 0, 1, 12, 5));
  expect(html.split('\n')[0]).toMatch(/^<b>Fine since 2026-01-01 \d\d:00:00: web runs again after 5 s<\/b>$/);
  const { okSince: _, ...down } = incident;
  expect(renderLiving(down, [], 'vps', Date.UTC(2026, 0, 1, 12, 5)).html).not.toContain('Fine since');
});

describe('thirty incidents at once', () => {
  it('keep the limits of a group, the alarms go before the edits, and the last state of each arrives', async () => {
    await b.close();
    const limits = { perSecond: 1, perMinute: 20 };
    b = await bench({}, {}, { limits, now: () => b.clock.now() });
    connect();
    b.start();
    const subjects = Array.from({ length: 30 }, (_, i) => `disk-${i}`);
    const full = (subject: string, percent: number): Finding => ({
      rule: 'disk',
      subject,
      severity: 'critical',
      verdict: percent > 90 ? 'breach' : 'ok',
      text: `${subject} is ${percent} % full`,
      value: percent,
      unit: 'percent',
    });
    for (let percent = 95; percent < 99; percent++) {
      check(...subjects.map((subject) => full(subject, percent)));
      b.clock.pass(61_000);
    }
    check(full('disk-7', 50));
    await settled();
    check(); // As every check of the monitor does: some were sent after they had changed.
    await settled();
    expect(b.telegram.calls.filter(({ status }) => status === 429)).toEqual([]);
    // Each is in a message, and what is not over shows its last value.
    for (const subject of subjects) {
      const texts = b.telegram.sent.map(({ id }) => b.telegram.message(b.telegram.chatId, id)?.plain ?? '');
      expect(
        texts.some((text) => new RegExp(`\\b${subject}\\b`).test(text)),
        subject,
      ).toBe(true);
    }
    const own = b.telegram.sent.filter(({ plain }) => plain.includes('disk-7 is')).at(0)!;
    expect(b.telegram.message(b.telegram.chatId, own.id)?.plain).toMatch(/Resolved|✅ disk-7|50 %/);
    const firstEdit = b.telegram.edits[0]?.at ?? 0;
    const alarms = b.telegram.sent.filter(({ plain }) => !plain.includes('Resolved'));
    expect(alarms.every(({ at }) => at <= firstEdit)).toBe(true);
  });
});

it('a stop that became a restart loop is not called resolved', () => {
  const at = Date.UTC(2026, 0, 1, 12);
  const fact = { kind: 'paused', name: 'web', id: 'f'.repeat(64), at, restartCount: 7 } as const;
  const ended = incidentOf({
    rule: 'container-stopped',
    subject: 'web',
    state: 'resolved',
    openedAt: at,
    resolvedAt: at + 40_000,
    endedAs: 'cleared',
    endText: 'web restarted 8 times within 5 min: crashed, exit code 3',
    fact,
  });
  const html = (incident: typeof ended) => htmlToPlain(renderLiving(incident, [], 'vps', at + 60_000).html);
  expect(html(ended)).toMatch(/^Ended after 40 s\n.*\nweb restarted 8 times within 5 min/);
  const endFact = { ...fact, kind: 'running', from: 'paused', forMs: 40_000, seen: { state: 'running' } };
  expect(html({ ...ended, endFact: endFact as never })).toMatch(/^Resolved after 40 s/);
  const over = (because: string) =>
    html({ ...ended, endFact: { ...fact, kind: 'over', condition: 'unhealthy', because } as never });
  expect([over('died'), over('healthy')].map((text) => text.split(' ')[0])).toEqual(['Ended', 'Resolved']);
  const goneAs = html({ ...ended, endFact: { ...fact, kind: 'gone', because: 'replaced' } as never });
  expect(goneAs).toMatch(/^Ended/);
  // A loop that gave up before it had been quiet for long enough.
  const loop = { ...ended, rule: 'restart-loop', lastSeenAt: at + 30_000 };
  expect(html(loop)).toMatch(/^Ended after/);
  expect(html({ ...loop, lastSeenAt: at, resolvedAt: at + 600_000 })).toMatch(/^Resolved after/);
});
