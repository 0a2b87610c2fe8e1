import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/schema.ts';
import { runConsole } from '../../src/daemon/console.ts';
import type { Monitor } from '../../src/daemon/types.ts';
import { createPipeline, type Pipeline } from '../../src/incidents/pipeline.ts';
import { listSilences } from '../../src/incidents/silences.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Incident } from '../../src/model/incident.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { buttonsFor } from '../../src/outputs/telegram/buttons.ts';
import { createDelivery } from '../../src/notify/delivery.ts';
import { createRefresh } from '../../src/notify/living.ts';
import { renderList, renderLiving } from '../../src/outputs/telegram/living.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { markAnswered } from '../../src/notify/asked.ts';
import { asOnlyReader } from '../../src/notify/poll.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { resultToJson } from '../../src/outputs/terminal/recovery.ts';
import { holdAfterUndo } from '../../src/recovery/attempt.ts';
import { runRules } from '../../src/recovery/index.ts';
import { swapRule } from '../../src/recovery/swap.ts';
import { finishAction, markUndone, recordAction } from '../../src/store/actions.ts';
import type { Db } from '../../src/store/db.ts';
import { incidentById, withAnnotations } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import { systemClock } from '../../src/system/clock.ts';
import { momentOf } from '../../src/system/moment.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { fakeDocker } from '../helpers/fake-docker.ts';
import { testDeps } from '../helpers/recovery-deps.ts';
import { snapshotOf } from '../helpers/snapshots.ts';
import { keptLog } from '../notify/support.ts';
import {
  startTelegram,
  type Keyboard,
  type SentMessage,
  type Telegram,
  type User,
} from '../standins/telegram.js';

const GROUP = { id: -1001234567890, type: 'supergroup' as const, title: 'Ops' };
const ADA: User = { id: 777, is_bot: false, first_name: 'Ada' };
const EVE: User = { id: 666, is_bot: false, first_name: 'Eve' };
const TOKEN_OF_CONTAINER = 'sk-live-4711471147114711';

let telegram: Telegram;
let stateDir: string;
let stage: Awaited<ReturnType<typeof start>>;

/** The parts of the daemon that the console works with, connected as in the daemon. */
async function start(
  settings: Partial<Settings> = {},
  {
    hangs = false,
    late,
    inspectMs = 0,
    faster = 10,
    undoes = false,
  }: {
    hangs?: boolean;
    late?: (db: Db) => string | void;
    inspectMs?: number;
    faster?: number;
    /** `recover undo` is done, by recovery itself. */
    undoes?: boolean;
  } = {},
) {
  const config = configWith(
    {
      ...telegram.settings,
      TELEGRAM_ALLOWED_USERS: ['777'],
      SERVER_NAME: 'shop',
      ESSENTIAL_CONTAINERS: ['db'],
      ...settings,
    },
    { stateDir },
  );
  const store = openStore(stateDir, Date.now());
  const { db } = store;
  const docker = fakeDocker();
  for (const name of ['web', 'db'])
    docker.add(name, {
      logs: Array.from({ length: 40 }, (_, i) => `line ${i} ${TOKEN_OF_CONTAINER}`),
      env: [`API_KEY=${TOKEN_OF_CONTAINER}`],
    });
  const clock = systemClock();
  if (inspectMs > 0) {
    const { inspect } = docker.docker;
    docker.docker.inspect = async (...args) => {
      await clock.sleep(inspectMs);
      return inspect(...args);
    };
  }
  // One message a second in a chat, so many times as fast.
  const pace = {
    ...clock,
    monotonic: () => clock.monotonic() * faster,
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms / faster, signal),
  };
  const log = keptLog();
  const { context } = commandContext(config, {}, { system: { clock, log, docker: docker.docker } });
  const outbox = openOutbox(db);
  const { http } = context.system;
  const delivery = createDelivery({ store, config, http, clock: pace, log, stateDir, server: 'shop' });
  const pipeline: Pipeline = createPipeline({
    store,
    config,
    clock,
    log,
    enqueue: (message) => outbox.enqueue(message),
    render: (decision) => renderNotification(decision, 'shop', clock.now()),
  });
  const refresh = createRefresh({
    db,
    config,
    now: () => clock.now(),
    render: (incident, others) => renderLiving(incident, others, 'shop', clock.now()),
    renderList: (heading, all) => renderList(heading, all, 'shop', Date.now()),
    onFailure: (error) => void log.warn(String(error)),
    incident(id) {
      const incident = pipeline.incident(id);
      return incident ? withAnnotations(db, incident) : incidentById(db, id);
    },
  });
  const monitor = {
    config,
    system: context.system,
    store,
    state: { closed: false, checks: 0, startedMonotonic: 0, failedInARow: {} },
    pipeline,
    delivery,
    outbox,
    watcher: {
      connected: () => true,
      containers: () =>
        ['web', 'db'].map((name): Partial<ContainerInfo> => {
          const { id } = docker.containers.get(name) ?? { id: name };
          return { id, name, image: 'busybox', state: 'running', health: 'none', restartsLast5Min: 0 };
        }),
    },
    refreshMessages: (ids?: ReadonlySet<number>) => {
      if (refresh(ids)) delivery.kick();
    },
  } as unknown as Monitor;
  const stop = new AbortController();
  const ran: string[][] = [];
  const running = [
    delivery.run(stop.signal),
    runConsole(monitor, context, stop.signal, {
      async runOwn(args) {
        ran.push([...args]);
        if (hangs) return new Promise(() => undefined);
        if (late) {
          return { exitCode: 124, stdout: '', stderr: late(db) ?? '' };
        }
        if (undoes) {
          const recovery = testDeps(store, { system: { docker: docker.docker } });
          const done = await runRules(recovery, [swapRule], 'undo', new Set([Number(args[2])]));
          const json = resultToJson({ dryRun: false, enabled: true, results: done, reported: [] });
          return { exitCode: 0, stdout: JSON.stringify(json), stderr: '' };
        }
        const results = [
          { rule: 'hand', found: 'x', attempts: [{ done: 'worked', text: 'web runs again' }] },
        ];
        return { exitCode: 0, stdout: JSON.stringify({ results }), stderr: '' };
      },
    }),
  ];
  return {
    monitor,
    log,
    ran,
    db,
    docker,
    /** A container is down: its incident, and the message about it. */
    async incident(subject = 'web', rule: Finding['rule'] = 'container-stopped') {
      pipeline.process([
        { rule, subject, severity: 'critical', verdict: 'breach', text: `${subject} stopped` },
      ]);
      delivery.kick();
      await until(() => telegram.sent.some((message) => message.plain.includes(`${subject} stopped`)));
      await until(() => monitor.delivery.state().waiting === 0);
      return telegram.sent.find((message) => message.plain.includes(`${subject} stopped`))!;
    },
    end(subject = 'web') {
      pipeline.process([
        { rule: 'container-stopped', subject, severity: 'critical', verdict: 'ok', text: `${subject} runs` },
      ]);
      monitor.refreshMessages();
      delivery.kick();
    },
    async close() {
      stop.abort();
      await Promise.all(running);
      monitor.state.closed = true;
      store.close();
    },
  };
}

async function until(test: () => boolean, what = String(test)): Promise<void> {
  const end = performance.now() + 400_000;
  while (!test()) {
    if (performance.now() > end)
      throw new Error(
        `${what} did not come; ${stage.log.lines.join('\n')}\n${JSON.stringify(telegram.calls.slice(-5))}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const write = (text: string, from: User = ADA, chat: Parameters<Telegram['write']>[0] = GROUP) =>
  telegram.write(chat, text, Date.now(), { from });
const said = (part: string) => telegram.sent.filter((message) => message.plain.includes(part));
const texts = (keyboard: Keyboard | undefined) => (keyboard ?? []).flat().map((button) => button.text);
type Shown = { chatId: string; id: number };
const shown = ({ chatId, id }: Shown) => telegram.message(chatId, id);
/** Taps, and waits for the answer. */
async function tap(message: Shown, button: string, from: User = ADA, chat?: number): Promise<string> {
  const query = telegram.tap(message, button, from, chat);
  await until(() => telegram.answers.some((one) => one.queryId === query), `an answer to ${button}`);
  return telegram.answers.find((one) => one.queryId === query)!.text;
}
const recoveryLog = () => readFileSync(join(stateDir, 'recovery.log'), 'utf8');

beforeEach(async () => {
  telegram = await startTelegram();
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-console-'));
});
afterEach(async () => {
  await stage.close();
  await telegram.close();
  rmSync(stateDir, { recursive: true, force: true });
});

describe('commands', () => {
  it('are set once, and answered in the chat and topic in which they were written', async () => {
    telegram.setChat({ ...GROUP, topics: [7] });
    stage = await start();
    await until(() => telegram.commands() !== undefined);
    expect(telegram.commands()?.map(({ command }) => command)).toContain('status');
    const { message_id: id } = telegram.write(GROUP, '/status', Date.now(), {
      from: ADA,
      message_thread_id: 7,
      is_topic_message: true,
    });
    await until(() => said('shop: all well').length > 0);
    expect(said('shop: all well')[0]).toMatchObject({ silent: true, threadId: 7 });
    expect(id).toBeGreaterThan(0);
    for (const [command, answer] of [
      ['/incidents', 'no incidents in 24 hours'],
      ['/containers', 'web'],
      ['/help@standin_bot', '/chart'],
      ['/silence', 'Nothing is silenced'],
    ] as const) {
      write(command);
      await until(() => said(answer).length > 0, command);
    }
    expect(telegram.calls.filter((call) => call.method === 'setMyCommands')).toHaveLength(1);
  });

  it('take the name of a server, and stay silent where another one is meant', async () => {
    stage = await start();
    for (const text of [
      '/status other',
      '/status@other_bot',
      '/unknown',
      'status',
      '/chart other',
      '/status shop',
    ])
      write(text);
    await until(() => said('shop: all well').length > 0);
    expect(telegram.sent).toHaveLength(1);
  });

  it('of a server with an odd name, and what is meant for another one', async () => {
    stage = await start({ SERVER_NAME: 'Büro 1 / "<a>" 🐳' });
    write('/status@standin_bot büro 1 / "<A>" 🐳');
    await until(() => said('Büro 1 / "<a>" 🐳: all well').length === 1);
    write('/silence other web 2h');
    write('/silence other end web');
    write('/silence Büro 1 / "<a>" 🐳 web 2h');
    await until(() => said('No messages about web').length === 1);
    expect(listSilences(stage.db, Date.now())).toMatchObject([{ subject: 'web' }]);
    // It is asked by its name, and no other bot can answer.
    write('/status@standin_bot nosuch');
    await until(() => said('This server is called Büro').length === 1);
    expect(telegram.sent).toHaveLength(3);
  });

  it('silence a container that is called like its server', async () => {
    stage = await start();
    write('/silence shop 2h');
    await until(() => said('No messages about shop').length === 1);
    write('/silence shop shop 3h');
    await until(() => said('No messages about shop').length === 2);
    expect(listSilences(stage.db, Date.now())).toMatchObject([{ subject: 'shop' }]);
  });

  it('silence by hand, and end it', async () => {
    stage = await start();
    write('/silence wbe 2h');
    await until(() => said('no container, service or rule is called wbe; did you mean web?').length > 0);
    write('/silence end wbe');
    await until(() => said('wbe come again').length > 0);
    write('/silence web 2h');
    await until(() => said('shop: No messages about web').length > 0);
    expect(listSilences(stage.db, Date.now())).toMatchObject([{ subject: 'web' }]);
    write('/silence shop end web');
    await until(() => said('about web come again').length > 0);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
    expect(recoveryLog()).toContain('Ada silenced web until');
  });

  it('say how a silence of a long name ends, and end it', async () => {
    stage = await start();
    const long = 'shop_'.repeat(30);
    write(`/silence ${long} 2h`);
    await until(() => said('No messages about shop_').length > 0);
    const end = /\/silence end \S+/.exec(said('No messages about shop_')[0]?.plain ?? '')?.[0] ?? '';
    write(end);
    await until(() => said('come again').length > 0);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
  });

  it('say which silence a container has by its service, and how that ends', async () => {
    stage = await start();
    const { containers } = stage.monitor.watcher;
    stage.monitor.watcher.containers = () =>
      containers().map((one) => ({ ...one, service: `${one.name}-of` }));
    write('/silence web-of 2h');
    write('/silence end web');
    await until(() => said('web has no silence of its own: web-of is silenced until').length > 0);
    expect(said('web has no silence')[0]?.plain).toMatch(/That ends with \/silence end web-of$/);
    write('/silence end web-of');
    await until(() => said('about web-of come again').length > 0);
  });

  it('list what the schedule silences, and call nothing audible that is silent all the same', async () => {
    stage = await start();
    stage.monitor.config.extra.silences = [
      { subject: 'all', days: [], from: 0, to: 0, reason: 'nightly backup' },
    ];
    write('/silence');
    await until(() => said('(vpsmon.yaml: nightly backup)').length > 0);
    write('/status');
    await until(() => said('Silenced: all').length > 0);
    write('/silence web 2h');
    write('/silence end web');
    await until(() => said('web stays silent: all is silenced until').length > 0);
    write('/silence end web');
    await until(() => said('web has no silence that could be ended here: all is silenced until').length > 0);
    expect(said('come again')).toEqual([]);
  });

  it('count no containers while Docker does not answer', async () => {
    stage = await start();
    write('/status');
    await until(() => said('Containers: 2 of 2 running').length === 1);
    stage.monitor.watcher.connected = () => false;
    write('/status');
    await until(() => said('Last check').length + said('No check is finished').length === 2);
    expect(said('Containers:')).toHaveLength(1);
  });

  it('draw and report in a process of their own, for the chat that asked', async () => {
    stage = await start();
    write('/chart 7d');
    write('/report');
    await until(() => stage.ran.length === 2);
    expect(stage.ran.map((args) => args.slice(0, -2))).toEqual([
      ['report', 'telegram', '--chart', '7d', '--to', telegram.chatId],
      ['report', 'telegram', '--to', telegram.chatId],
    ]);
  });

  it('that come in a flood are answered within the limits of a group, and alerts are not kept back', async () => {
    await telegram.close();
    telegram = await startTelegram({ limits: { perSecond: 1, perMinute: 20 } });
    stage = await start({}, { faster: 1 });
    for (let i = 0; i < 60; i++) write('/status');
    await until(() => said('all well').length > 2);
    const message = await stage.incident();
    expect(said('all well').length).toBeLessThan(16);
    expect(message.silent).toBe(false);
    expect(telegram.calls.filter(({ status }) => status === 429).length).toBeLessThan(5);
    await until(() => stage.log.lines.some((line) => line.includes('too many commands at once')));
  });

  it('are refused to everybody else: logged each time, told once', async () => {
    stage = await start();
    write('/status', EVE);
    write('/status', EVE);
    write('/status', EVE, { id: 666, type: 'private' });
    write('/status', ADA, { id: -5, type: 'group' });
    await until(() => said('Somebody was refused').length >= 2);
    // The messages themselves are in the log, too.
    const refusals = () =>
      stage.log.lines.filter(
        (line) => line.includes('was refused') && !line.includes('Somebody was refused'),
      );
    await until(() => refusals().length === 4);
    expect(said('Somebody was refused')).toHaveLength(2);
    expect(said('all well')).toEqual([]);
    const message = await stage.incident();
    await tap(message, 'Until it ends', { id: 667, is_bot: false, first_name: 'Mallory' });
    await until(() => said('Tried: the button Until it ends').length === 1);
  });

  it('are answered in the order in which they were asked', async () => {
    stage = await start();
    const asked = ['/help', '/status', '/incidents', '/containers'];
    for (const text of asked) write(text);
    await until(() => telegram.sent.length === 4);
    const first = ({ plain }: SentMessage) =>
      asked[['shop\n', 'shop: all', 'shop: no', 'shop: 2'].findIndex((part) => plain.startsWith(part))];
    expect(telegram.sent.map(first)).toEqual(asked);
  });

  it('that only read are for everybody where that is switched on', async () => {
    stage = await start({ TELEGRAM_OTHERS_MAY_READ: true });
    write('/silence all 1h', EVE);
    write('/status', EVE);
    await until(() => said('all well').length > 0);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
  });

  it('are not answered twice over a restart, nor when they are old', async () => {
    stage = await start();
    write('/status');
    await until(() => said('shop: all well').length > 0);
    await stage.close();
    telegram.write(GROUP, '/help', Date.now() - 3_600_000, { from: ADA });
    write('/containers');
    stage = await start();
    await until(() => said('2 containers').length > 0);
    expect(said('shop: all well')).toHaveLength(1);
    expect(said('/chart')).toEqual([]);
  });
});

describe('reading the messages of a bot', () => {
  it('is off where it is not wanted, and then there are no buttons', async () => {
    stage = await start({ TELEGRAM_COMMANDS: false });
    const message = await stage.incident();
    expect(message.keyboard).toBeUndefined();
    expect(telegram.calls.some((call) => call.method === 'getUpdates')).toBe(false);
  });

  it('gives way to a webhook: said once, messages go on without buttons', async () => {
    telegram.setWebhook(true);
    stage = await start();
    await until(() => said('Another program has set a webhook').length > 0);
    const message = await stage.incident();
    expect(message.keyboard).toBeUndefined();
    await stage.close();
    const asked = () => telegram.calls.filter(({ method, status }) => method === 'getUpdates' && status > 0);
    const before = asked().length;
    stage = await start();
    await until(() => asked().length > before);
    expect(said('Another program has set a webhook')).toHaveLength(1);
  });

  it('goes on while the disk takes nothing', async () => {
    stage = await start();
    await until(() => telegram.polling());
    stage.db.exec('PRAGMA query_only = ON');
    write('/status');
    await until(() => said('all well').length === 1);
    write('/containers');
    await until(() => said('Containers').length > 0);
    stage.db.exec('PRAGMA query_only = OFF');
  });

  it('and buttons that would have to be kept say so on a full disk, and do nothing; those that read go on', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident();
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
    const yes = shown(message)?.keyboard.flat()[0]?.callback_data ?? '';
    await tap(message, 'No');
    await until(() => texts(shown(message)?.keyboard).includes('Restart'));
    await tap(message, 'Stop');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, stop web'));
    stage.db.exec('PRAGMA query_only = ON');
    const refused = 'Nothing was done: vpsmon cannot write to its state folder';
    expect(await tap(message, 'Yes, stop web')).toContain(refused);
    expect(telegram.answers.at(-1)).toMatchObject({ alert: true });
    expect(await tap(message, yes)).toContain('out of date');
    write('/silence web 2h');
    await until(() => said(`shop: ${refused}`).length === 1);
    write('/forecast');
    await until(() => said('shop: Forecast').length === 1);
    stage.db.exec('PRAGMA query_only = OFF');
    expect(listSilences(stage.db, Date.now())).toEqual([]);
    expect(stage.ran.filter(([name]) => name === 'recover')).toEqual([]);
    await tap(message, 'No');
    await until(() => texts(shown(message)?.keyboard).includes('Logs'));
    stage.db.exec('PRAGMA query_only = ON');
    for (const button of ['Restart', 'Silence 1 h']) expect(await tap(message, button)).toContain(refused);
    await tap(message, 'Logs');
    await until(() => said('web: the last 30 log lines').length === 1);
    stage.db.exec('PRAGMA query_only = OFF');
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
    await tap(message, 'Yes, restart web');
    await until(() => said('web runs again').length > 0);
  });

  it('are answered when Telegram is back, and once', async () => {
    stage = await start();
    for (const fault of ['html502', '429'] as const) {
      telegram.fail({ kind: fault, retryAfter: 0 });
      write('/status');
      await until(() => telegram.pendingFaults() === 0, fault);
    }
    await until(() => said('shop: all well').length === 2);
  });

  describe('that a process of its own answers, when the monitor dies meanwhile', () => {
    const asked = () => stage.ran.filter(([name]) => name !== 'recover');
    const lost = () => said('is lost, for vpsmon was started anew meanwhile');

    it('are answered by the next one, once', async () => {
      stage = await start({}, { hangs: true });
      write('/forecast');
      write('/report');
      await until(() => stage.ran.length === 2);
      const [, before] = asked();
      await stage.close();
      stage = await start();
      await until(() => said('shop: Forecast').length === 1);
      await until(() => asked().length === 2);
      // With the same number: whichever of the two processes is later finds it answered.
      expect(asked()).toContainEqual(before);
      markAnswered(stage.db, Number(before?.at(-1)), Date.now());
      await stage.close();
      stage = await start();
      write('/status');
      await until(() => said('all well').length === 1);
      expect(asked()).toEqual([]);
      expect(said('shop: Forecast')).toHaveLength(1);
      expect(lost()).toEqual([]);
    });

    it('name the reason, and no warnings about settings before it', async () => {
      stage = await start(
        {},
        { late: () => 'warning: /etc/x.conf:9: y is not a setting\nNo picture: why\n' },
      );
      write('/chart');
      await until(() => said('that did not work').length === 1);
      expect(said('that did not work')[0]?.plain).toBe('shop: that did not work\nNo picture: why');
    });

    it('wait while the disk is full, and commands are answered all the same', async () => {
      stage = await start({}, { hangs: true });
      write('/chart 7d');
      await until(() => asked().length === 1);
      stage.db.exec(
        "CREATE TRIGGER full BEFORE UPDATE ON memory WHEN NEW.key = 'telegram.asked' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
      );
      await stage.close();
      stage = await start();
      write('/status');
      await until(() => said('all well').length === 1);
      expect(asked()).toEqual([]);
      stage.db.exec('DROP TRIGGER full');
      await stage.close();
      stage = await start();
      await until(() => asked().length === 1);
    });

    it('are given up when it dies again, and who asked is told', async () => {
      stage = await start({}, { hangs: true });
      write('/chart 7d');
      for (let starts = 0; starts < 2; starts++) {
        await until(() => asked().length === 1);
        await stage.close();
        stage = await start({}, { hangs: true });
      }
      await until(() => lost().length === 1);
      expect(lost()[0]?.plain).toMatch(/^shop: the answer to \/chart of .* is lost/);
      expect(lost()[0]).toMatchObject({ silent: true });
      await stage.close();
      stage = await start();
      write('/status');
      await until(() => said('all well').length === 1);
      expect(asked()).toEqual([]);
      expect(lost()).toHaveLength(1);
    });
  });

  it('is handed over to a command that pairs, and taken back', async () => {
    stage = await start();
    await until(() => telegram.polling());
    await asOnlyReader(stateDir, async () => {
      telegram.write({ id: 1, type: 'private', first_name: 'New' }, '/nothing');
      await until(() => stage.log.lines.some((line) => line.includes('was refused')));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = telegram.calls.length;
      write('/status');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(telegram.calls.slice(before).some((call) => call.method === 'getUpdates')).toBe(false);
    });
    await until(() => said('all well').length > 0);
    expect(said('Another program')).toEqual([]);
  });
});

describe('what comes in', () => {
  /** The sample with one of its values, or several, replaced by anything that JSON can hold. */
  const damaged = (sample: object) =>
    fc.array(fc.tuple(fc.nat(60), fc.jsonValue()), { minLength: 1, maxLength: 4 }).map((changes) => {
      const copy = structuredClone(sample) as Record<string, unknown>;
      for (const [place, value] of changes) {
        const holders: [Record<string, unknown>, string][] = [];
        const walk = (holder: Record<string, unknown>) => {
          for (const [key, inner] of Object.entries(holder)) {
            holders.push([holder, key]);
            if (typeof inner === 'object' && inner !== null) walk(inner as Record<string, unknown>);
          }
        };
        walk(copy);
        const [holder, key] = holders[place % holders.length] ?? [copy, 'message'];
        holder[key] = value;
      }
      return copy;
    });

  it('may be anything: nothing is done, nobody is answered twice, and the next command is', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident();
    const data = (text: string) =>
      shown(message)
        ?.keyboard.flat()
        .find((button) => button.text === text)?.callback_data ?? '';
    const tapOf = (text: string, from: User, chat: object) => ({
      callback_query: {
        id: '77',
        from,
        chat_instance: '1',
        data: data(text),
        message: { message_id: message.id, date: 1, chat, text: 'x' },
      },
    });
    const written = (text: string, from: User, chat: object) => ({
      message: { message_id: 5, date: Math.floor(Date.now() / 1000), chat, from, text },
    });
    const samples = [
      tapOf('Stop', EVE, GROUP),
      tapOf('Acknowledge', EVE, GROUP),
      tapOf('Restart', ADA, { id: -5, type: 'group', title: 'Elsewhere' }),
      written('/silence all 2h', EVE, GROUP),
      written('/silence web 2h', ADA, { id: -5, type: 'group' }),
      { ...written('/start', EVE, { id: 666, type: 'private' }) },
      { my_chat_member: { chat: GROUP, from: EVE, new_chat_member: { status: 'member' } } },
    ];
    const updates = fc.sample(fc.oneof(...samples.map(damaged), fc.dictionary(fc.string(), fc.jsonValue())), {
      numRuns: 400,
      seed: 20_261_129,
    });
    for (const update of [...samples, ...updates]) telegram.push(update);
    write('/status');
    await until(() => said('1 open incident').length > 0, 'the answer after all of it');
    expect(stage.ran).toEqual([]);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
    expect(shown(message)?.plain).not.toContain('Acknowledged');
    expect(stage.log.lines.filter((line) => line.includes('could not be handled'))).toEqual([]);
    // The owner is not flooded: a few strangers a day, all of them in the log.
    expect(said('Somebody was refused').length).toBeLessThanOrEqual(5);
  });
});

describe('updates of each kind that the Bot API names', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const written = (more: object, from: User | undefined = ADA) => ({
    message_id: 70,
    date: now(),
    chat: GROUP,
    ...(from ? { from } : {}),
    text: '/silence all 2h',
    ...more,
  });
  const CHANNEL = { id: -100777, type: 'channel', title: 'News' };
  const BOT: User = { id: 42, is_bot: true, first_name: 'Other' };

  it('that are nobody’s own words here silence nothing', async () => {
    stage = await start();
    const anonymous = { id: 1_087_968_824, is_bot: true, first_name: 'Group', username: 'GroupAnonymousBot' };
    const asChannel = { id: 136_817_688, is_bot: true, first_name: 'Channel', username: 'Channel_Bot' };
    for (const update of [
      { message: written({ sender_chat: GROUP }, anonymous) },
      { message: written({}, anonymous) },
      { message: written({ sender_chat: CHANNEL }, asChannel) },
      { message: written({ sender_chat: CHANNEL, is_automatic_forward: true }, ADA) },
      { message: written({ forward_origin: { type: 'user', sender_user: EVE, date: 1 } }) },
      { message: written({ forward_origin: { type: 'hidden_user', sender_user_name: 'x', date: 1 } }) },
      { message: written({ forward_from: EVE, forward_date: 1 }) },
      { message: written({ via_bot: BOT }) },
      { message: written({}, BOT) },
      { message: { ...written({}), from: undefined } },
      { message: written({ chat: { ...GROUP, id: -100_999 } }) },
      { message: { ...written({}), text: undefined, caption: '/silence all 2h', photo: [] } },
      { message: written({ text: ' /silence@other_bot all 2h' }) },
      { message: written({ text: '/silence@standin_bot_2 all 2h' }) },
      { edited_message: written({ edit_date: now() }) },
      { channel_post: { ...written({ chat: CHANNEL, sender_chat: CHANNEL }), from: undefined } },
      { edited_channel_post: written({ chat: CHANNEL }) },
      { business_message: written({ business_connection_id: 'b' }) },
      { guest_message: written({}) },
      { message: written({ text: undefined, migrate_to_chat_id: 'x' }) },
      { message: written({ text: undefined, new_chat_members: [BOT] }) },
    ])
      telegram.push(update);
    write('/status@Standin_Bot');
    await until(() => said('shop: all well').length > 0);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
    expect(stage.log.lines.filter((line) => line.includes('could not be handled'))).toEqual([]);
  });

  it('in topics are answered where they were written, also in the general one and in a private chat', async () => {
    telegram.setChat({ ...GROUP, topics: [7] });
    telegram.setChat({ id: 777, type: 'private', first_name: 'Ada', topics: [3] });
    stage = await start({ TELEGRAM_CHAT_ID: `${telegram.chatId},777` });
    const inTopic = { message_thread_id: 7, is_topic_message: true };
    for (const message of [
      written({ text: '/status', message_id: 71, ...inTopic }),
      written({ text: '/status', message_id: 72 }),
      // A reply in a group without topics has the number of its thread.
      written({ text: '/status', message_id: 73, message_thread_id: 4 }),
      written({
        text: '/status',
        message_id: 74,
        chat: { id: 777, type: 'private' },
        ...inTopic,
        message_thread_id: 3,
      }),
    ])
      telegram.push({ message });
    await until(() => said('shop: all well').length === 4);
    expect(
      said('shop: all well')
        .map(({ threadId }) => threadId ?? 0)
        .toSorted(),
    ).toEqual([0, 0, 3, 7]);
  });

  it('about a tap: in another topic, on a message out of reach, by a forgotten button, after the group moved', async () => {
    telegram.setChat({ ...GROUP, topics: [7] });
    stage = await start({ TELEGRAM_CHAT_ID: `${GROUP.id}/7` });
    const message = await stage.incident();
    const data = (text: string) =>
      shown(message)
        ?.keyboard.flat()
        .find((button) => button.text === text)?.callback_data;
    let id = 0;
    const answerTo = async (query: object) => {
      const before = telegram.calls.filter(({ method }) => method === 'answerCallbackQuery').length;
      telegram.push({ callback_query: { id: String(++id), from: ADA, chat_instance: '1', ...query } });
      const calls = () => telegram.calls.filter(({ method }) => method === 'answerCallbackQuery');
      await until(() => calls().length > before);
      return String(calls().at(-1)?.params.text ?? '');
    };
    const at = (more: object) => ({ message_id: message.id, date: now(), chat: GROUP, text: 'x', ...more });
    // Telegram names the topic of a message only where it has it at hand.
    expect(await answerTo({ data: data('Details'), message: at({ message_thread_id: 8 }) })).toBe('');
    expect(
      await answerTo({ data: data('Acknowledge'), message: at({ date: 0, text: undefined }) }),
    ).toContain('Acknowledged');
    expect(await answerTo({ data: data('Details'), inline_message_id: 'AAAA' })).toBe('');
    expect(await answerTo({ game_short_name: 'x', message: at({}) })).toBe('');
    // Who taps the message of before is one of the group, and gets an answer. It may have been sent anew there by then.
    telegram.migrate(GROUP.id, -100_555);
    telegram.push({ message: written({ text: undefined, migrate_to_chat_id: -100_555 }) });
    write('/status', ADA, { ...GROUP, id: -100_555 });
    await until(() => said('1 open incident').length > 0);
    const refusals = () => said('Somebody was refused').length;
    const before = refusals();
    expect(await answerTo({ data: data('Silence 1 h'), message: at({}) })).toMatch(/for an hour|out of date/);
    expect(await answerTo({ data: data('Silence 1 h'), message: at({ message_id: 9 }) })).toContain(
      'out of date',
    );
    expect(refusals()).toBe(before);
  });
});

describe('buttons', () => {
  it('show logs with secrets masked, and details', async () => {
    stage = await start();
    const message = await stage.incident();
    expect(texts(shown(message)?.keyboard)).toEqual([
      'Logs',
      'Details',
      'Acknowledge',
      'Silence 1 h',
      'Until it ends',
    ]);
    await tap(message, 'Logs');
    await until(() => said('line 39').length > 0);
    expect(said('line 39')[0]).toMatchObject({ replyTo: message.id });
    expect(said(TOKEN_OF_CONTAINER)).toEqual([]);
    await tap(message, 'Details');
    await until(() => said('container-stopped, about web').length > 0);
  });

  it('draw the memory of the host with its details, unless too little is left to draw', async () => {
    stage = await start();
    const message = await stage.incident('host', 'forecast');
    stage.monitor.state.snapshot = snapshotOf(Date.now(), {});
    await tap(message, 'Details');
    await until(() => stage.ran.length > 0);
    // The first one is dealt with: whether it draws is decided when its text was sent.
    stage.monitor.state.snapshot = snapshotOf(Date.now(), { usedBytes: 1900 * 1_048_576 });
    await tap(message, 'Details');
    await until(() => said('Rule: forecast').length === 2);
    await tap(message, 'Acknowledge');
    expect(stage.ran.map((args) => args.slice(0, -2))).toEqual([
      ['report', 'telegram', '--chart', '24h', '--to', telegram.chatId],
    ]);
  });

  it('acknowledge and silence, and the message says who', async () => {
    stage = await start();
    const message = await stage.incident();
    expect(await tap(message, 'Acknowledge')).toContain('Acknowledged');
    await until(() => shown(message)?.plain.includes('Acknowledged by Ada') === true);
    expect(texts(shown(message)?.keyboard)).not.toContain('Acknowledge');
    await tap(message, 'Silence 1 h');
    expect(listSilences(stage.db, Date.now())).toMatchObject([{ subject: 'web' }]);
    await until(() => shown(message)?.plain.includes('Ada silenced web until') === true);
    expect(recoveryLog()).toContain('Ada acknowledged incident 1');
  });

  it('silence by what is meant, and shorten no longer silence', async () => {
    stage = await start();
    const message = await stage.incident();
    write('/silence web 8h');
    await until(() => said('No messages about web').length > 0);
    const before = listSilences(stage.db, Date.now());
    expect(await tap(message, 'Silence 1 h')).toMatch(/^web is silent already, until /);
    expect(listSilences(stage.db, Date.now())).toEqual(before);
    const leftOff = await stage.incident('containers', 'left-off');
    expect(await tap(leftOff, 'Silence 1 h')).toBe('No messages about left-off for an hour.');
    expect(listSilences(stage.db, Date.now()).map(({ subject }) => subject)).toContain('left-off');
  });

  it('ask once more before a restart, do it once, and write what came of it', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident();
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
    const data = shown(message)?.keyboard.flat()[0]?.callback_data ?? '';
    expect(await tap(message, data, EVE)).toContain('TELEGRAM_ALLOWED_USERS');
    expect(stage.ran).toEqual([]);
    await tap(message, data);
    expect(await tap(message, data)).toContain('out of date');
    await until(() => said('web runs again').length > 0);
    expect(stage.ran).toEqual([
      ['recover', 'restart-container', 'web', 'asked for by Ada on Telegram', '--json'],
    ]);
    await until(
      () => shown(message)?.plain.includes('restart-container web by Ada: web runs again') === true,
    );
    expect(recoveryLog()).toContain('Ada: restart-container web: web runs again');
  });

  it('confirmed once more while it is being done, here or in another chat, it is not done again', async () => {
    telegram.setChat({ id: 42, type: 'private', first_name: 'Bob' });
    stage = await start(
      { TELEGRAM_ACTIONS: true, TELEGRAM_CHAT_ID: `${telegram.chatId},42` },
      { hangs: true },
    );
    await stage.incident();
    await until(() => said('web stopped').length === 2);
    const bob: User = { id: 42, is_bot: false, first_name: 'Bob' };
    for (const [i, message] of said('web stopped').entries()) {
      const who = message.chatId === '42' ? bob : ADA;
      await until(() => texts(shown(message)?.keyboard).includes('Restart'));
      await tap(message, 'Restart', who);
      await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
      expect(await tap(message, 'Yes, restart web', who)).toContain(i === 0 ? 'Restarting' : 'done already');
    }
    expect(stage.ran).toHaveLength(1);
  });

  it('what came of it is shown also where the incident ended first', async () => {
    let worked = () => {};
    stage = await start(
      { TELEGRAM_ACTIONS: true },
      {
        faster: 1,
        late(db) {
          const action = { rule: 'hand', target: 'web', what: 'restart-container', why: 'by Ada' } as const;
          const id = recordAction(db, { ...action, state: 'running', startedAt: Date.now() });
          worked = () => finishAction(db, id, { state: 'worked', result: 'web runs again', at: Date.now() });
        },
      },
    );
    const message = await stage.incident();
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
    await tap(message, 'Yes, restart web');
    await until(() => stage.ran.length === 1);
    stage.end();
    await until(() => shown(message)?.plain.startsWith('Resolved') === true);
    expect(shown(message)?.plain).toContain('restart-container web: begun');
    worked();
    await until(() => shown(message)?.plain.includes('restart-container web: web runs again') === true);
    expect(shown(message)?.keyboard).toEqual([]);
  });

  describe('to undo what recovery did', () => {
    /** Recovery has stopped web, and its incident is open. */
    async function stopped(options: Parameters<typeof start>[1]): Promise<SentMessage> {
      stage = await start({ TELEGRAM_ACTIONS: true }, options);
      const { id: containerId } = Object.assign(stage.docker.add('web'), { status: 'exited', startedAt: 1 });
      const id = recordAction(stage.db, {
        rule: 'swap',
        target: 'web',
        what: 'stop-container',
        why: 'the server swaps',
        state: 'running',
        startedAt: Date.now(),
        undo: { containerId, name: 'web', startedAt: 1 },
      });
      finishAction(stage.db, id, { state: 'worked', result: 'web is stopped', at: Date.now() });
      const message = await stage.incident();
      await until(() => texts(shown(message)?.keyboard).includes('Undo'));
      await tap(message, 'Undo');
      await until(() => texts(shown(message)?.keyboard).some((text) => text.startsWith('Yes')));
      return message;
    }
    const yes = (message: SentMessage) => tap(message, shown(message)!.keyboard.flat()[0]!.text);

    it('say that it holds for an hour', async () => {
      await yes(await stopped({ undoes: true }));
      await until(() => said('recovery does nothing of the kind again for 1 h').length === 1);
      expect(said('of the kind again')[0]?.plain).toContain('web runs again; it had been stopped');
      expect(stage.docker.calls).toEqual(['start web']);
    });

    it('say so, too, where nobody waited for the end', async () => {
      const late = (db: Db) => {
        const action = { rule: 'swap', target: 'web', what: 'start-container', why: 'by hand' } as const;
        const id = recordAction(db, { ...action, state: 'running', startedAt: Date.now(), undoes: [1] });
        finishAction(db, id, { state: 'worked', result: 'web runs again', at: Date.now() });
        markUndone(db, 1, 'web runs again', Date.now());
        const { store, system } = stage.monitor;
        const moment = () => momentOf(system.files, Date.now());
        holdAfterUndo({ ...testDeps(store), moment }, 'swap');
      };
      await yes(await stopped({ late }));
      await until(() => said('recovery does nothing of the kind again for').length === 1);
    });

    it('and where there is nothing to be done any more, what became of it', async () => {
      const message = await stopped({ undoes: true });
      Object.assign(stage.docker.add('web'), { startedAt: 2 });
      await yes(message);
      await until(() => said('web was started by somebody else').length === 1);
      expect(said('of the kind again')).toEqual([]);
    });
  });

  describe('confirmed just before the monitor dies', () => {
    /** "Yes" is tapped, and the monitor ends before its command has: `meanwhile` is what that command still did. */
    async function killed(meanwhile: (db: Db) => void): Promise<SentMessage> {
      stage = await start({ TELEGRAM_ACTIONS: true }, { hangs: true });
      const message = await stage.incident();
      await tap(message, 'Restart');
      await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
      await tap(message, 'Yes, restart web');
      await until(() => stage.ran.length === 1);
      await stage.close();
      const store = openStore(stateDir, Date.now());
      meanwhile(store.db);
      // A while later: the command cannot be about to begin any more.
      store.db.exec(
        `UPDATE memory SET value = json_set(value, '$[0].at', ${Date.now() - 60_000}) WHERE key = 'telegram.orders'`,
      );
      store.close();
      stage = await start({ TELEGRAM_ACTIONS: true });
      return message;
    }
    const restart = { rule: 'hand', target: 'web', what: 'restart-container', why: 'by Ada' } as const;

    it('is not done at the next start, and who asked is told', async () => {
      const message = await killed(() => undefined);
      await until(() => said('not done: asked for at').length === 1);
      expect(said('not done: asked for at')[0]).toMatchObject({ replyTo: message.id });
      await until(() => shown(message)?.plain.includes('restart-container web by Ada: not done') === true);
      await stage.close();
      stage = await start({ TELEGRAM_ACTIONS: true });
      write('/status');
      await until(() => said('1 open incident').length > 0);
      expect(said('not done')).toHaveLength(1);
      expect(stage.ran).toEqual([]);
    });

    it('was done all the same: its result is sent', async () => {
      await killed((db) => {
        const id = recordAction(db, { ...restart, state: 'running', startedAt: Date.now() });
        finishAction(db, id, { state: 'worked', result: 'web runs again', at: Date.now() });
      });
      await until(() => said('web runs again (asked for at').length === 1);
      expect(stage.ran).toEqual([]);
    });

    it('or takes longer than anybody waits: what was recorded is sent', async () => {
      stage = await start(
        { TELEGRAM_ACTIONS: true },
        {
          late(db) {
            const id = recordAction(db, { ...restart, state: 'running', startedAt: Date.now() });
            finishAction(db, id, { state: 'worked', result: 'web runs again', at: Date.now() });
          },
        },
      );
      const message = await stage.incident();
      await tap(message, 'Restart');
      await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
      await tap(message, 'Yes, restart web');
      await until(() => said('web runs again (asked for at').length === 1);
      expect(stage.ran).toHaveLength(1);
    });

    it('was begun, and its process died, too', async () => {
      await killed((db) => void recordAction(db, { ...restart, state: 'running', startedAt: Date.now() }));
      await until(() => said('begun, and nobody knows whether it worked').length === 1);
      expect(stage.ran).toEqual([]);
    });
  });

  it('to stop are not there for one that is down, and none that act for one that is gone', async () => {
    stage = await start();
    const death = {
      id: 'a',
      name: 'web',
      at: Date.now(),
      exitCode: 1,
      cause: 'crash',
      restartCount: 0,
    } as const;
    const stopped = {
      kind: 'stopped',
      subject: 'web',
      at: Date.now(),
      death: { ...death, autoRemove: false },
    };
    const buttonsOf = (fact: object, more: Partial<Incident> = {}) => {
      const incident = { id: 1, rule: 'container-stopped', subject: 'web', state: 'firing', fact, ...more };
      const labels = buttonsFor(incident as Incident, { acts: true }).flat();
      return labels.map(({ text }) => text).filter((text) => ['Logs', 'Restart', 'Stop'].includes(text));
    };
    const { kind: _, ...without } = stopped;
    expect(buttonsOf(stopped)).toEqual(['Logs', 'Restart']);
    expect(buttonsOf({ ...stopped, next: { kind: 'keeps-trying', by: 'Docker' } })).toContain('Stop');
    expect(buttonsOf(stopped, { okSince: Date.now() })).toContain('Stop');
    expect(buttonsOf({ ...without, kind: 'unhealthy' }, { rule: 'container-unhealthy' })).toContain('Stop');
    expect(buttonsOf({ ...stopped, next: { kind: 'removed-itself' } })).toEqual([]);
    expect(buttonsOf({ kind: 'missing' }, { rule: 'service-missing' })).toEqual([]);
    // A deploy that went well is not to be undone by a thumb.
    const deployed = { rule: 'container-started', event: true, severity: 'info', state: 'resolved' } as const;
    expect(buttonsOf({ kind: 'redeployed' }, deployed)).toEqual(['Logs']);
  });

  it('ask twice before an essential one is stopped; No does nothing', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident('db');
    await tap(message, 'Stop');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, stop db'));
    expect(await tap(message, 'Yes, stop db')).toContain('essential');
    await until(() => texts(shown(message)?.keyboard).includes('It is essential: really stop db'));
    expect(stage.ran).toEqual([]);
    await tap(message, 'No');
    await until(() => texts(shown(message)?.keyboard).includes('Stop'));
    expect(stage.ran).toEqual([]);
  });

  it('confirmed twice while Docker takes its time: one question more, and one restart', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true }, { inspectMs: 300 });
    const message = await stage.incident('db');
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart db'));
    const answers = await Promise.all([1, 2].map(() => tap(message, 'Yes, restart db')));
    expect(answers.toSorted()).toEqual(['It is essential. Really?', 'This button is out of date.']);
    const really = 'It is essential: really restart db';
    await until(() => texts(shown(message)?.keyboard).includes(really));
    expect(stage.ran).toEqual([]);
    const data = shown(message)?.keyboard.flat()[0]?.callback_data ?? '';
    await Promise.all([1, 2].map(() => tap(message, data)));
    await until(() => said('web runs again').length > 0);
    expect(stage.ran).toHaveLength(1);
  });

  it('that act are not there where actions are off, and a kept one does nothing', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident();
    const restart =
      shown(message)
        ?.keyboard.flat()
        .find(({ text }) => text === 'Restart')?.callback_data ?? '';
    await stage.close();
    stage = await start();
    expect(await tap(message, restart)).toContain('switched off');
    expect(stage.ran).toEqual([]);
  });

  it('in a channel that is configured by its name, also where a tap has only its number', async () => {
    const channel = { id: -100888, type: 'channel' as const, title: 'Ops channel', username: 'ops_channel' };
    telegram.setChat(channel);
    stage = await start({ TELEGRAM_CHAT_ID: '@Ops_channel' });
    const message = await stage.incident();
    const { id, type, title } = channel;
    const data = shown(message)
      ?.keyboard.flat()
      .find(({ text }) => text === 'Acknowledge')?.callback_data;
    const tapped = { message_id: message.id, date: 0, chat: { id, type, title } };
    telegram.push({ callback_query: { id: '901', from: ADA, chat_instance: '1', data, message: tapped } });
    await until(() => shown(message)?.plain.includes('Acknowledged by Ada') === true);
    expect(said('Somebody was refused')).toEqual([]);
  });

  it('of a message that Telegram has not at hand work, too', async () => {
    stage = await start();
    const message = await stage.incident();
    const query = telegram.tap(message, 'Acknowledge', ADA, undefined, { inaccessible: true });
    await until(() => telegram.answers.some((one) => one.queryId === query));
    await until(() => shown(message)?.plain.includes('Acknowledged by Ada') === true);
  });

  it('tapped while no monitor ran: what stops something is not done, and is to be tapped again', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    const message = await stage.incident();
    await tap(message, 'Restart');
    await until(() => texts(shown(message)?.keyboard).includes('Yes, restart web'));
    const asked = telegram.edits.length;
    telegram.tap(message, 'Yes, restart web', ADA, undefined, { old: true });
    await until(() => shown(message)?.plain.includes('tapped too long ago') === true);
    expect(stage.ran).toEqual([]);
    await until(() => texts(shown(message)?.keyboard).includes('Restart'));
    telegram.tap(message, 'Stop', ADA, undefined, { old: true });
    await until(() => telegram.calls.filter((one) => one.description?.includes('too old')).length === 2);
    await tap(message, 'Acknowledge');
    await until(() => shown(message)?.plain.includes('Acknowledged by Ada') === true);
    expect(
      telegram.edits.slice(asked).some(({ keyboard }) => texts(keyboard).includes('Yes, stop web')),
    ).toBe(false);
  });

  it('without a message, or with nonsense in it, are answered and do nothing', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true });
    for (const query of [
      { id: 'abc', from: ADA, chat_instance: '1', data: 'x' },
      { id: '5', from: ADA, chat_instance: '1', inline_message_id: 'AAA', game_short_name: 'x' },
      { id: '6', from: null, message: { message_id: 'x', chat: 7 }, data: {} },
    ])
      telegram.push({ callback_query: query });
    const answered = () => telegram.calls.filter(({ method }) => method === 'answerCallbackQuery');
    await until(() => answered().length === 3);
    expect(
      answered()
        .map(({ params }) => String(params.callback_query_id))
        .toSorted(),
    ).toEqual(['5', '6', 'abc']);
  });

  it('in a private chat its owner may, whoever is named for the group', async () => {
    telegram.setChat({ id: 42, type: 'private', first_name: 'Bob' });
    stage = await start({ TELEGRAM_CHAT_ID: `42,${telegram.chatId}` });
    const bob = { id: 42, is_bot: false, first_name: 'Bob' };
    write('/status', bob, { id: 42, type: 'private' });
    await until(() => said('all well').length === 1);
    write('/status', bob);
    await until(() => said('Somebody was refused').length > 0);
    expect(said('all well')).toHaveLength(1);
  });

  it('that are forged, forwarded, of another incident or out of date do nothing', async () => {
    stage = await start({ TELEGRAM_ACTIONS: true }, { faster: 1 });
    const message = await stage.incident();
    const other = await stage.incident('db');
    const stop =
      shown(message)
        ?.keyboard.flat()
        .find(({ text }) => text === 'Stop')?.callback_data ?? '';
    expect(await tap(other, stop)).toContain('out of date');
    expect(await tap({ ...message, id: 9999 }, stop)).toContain('out of date');
    expect(await tap(message, stop, ADA, -5)).toBe('');
    expect(await tap(message, stop.replace('.1.', '.2.'))).toBe('');
    expect(await tap(message, stop.replace('stop', 'yes'))).toBe('');
    expect(await tap(message, 'x')).toBe('');
    expect(await tap(message, 'abcd.1.stop..0123456789abcdef')).toContain('another server');
    stage.end();
    expect(await tap(message, stop)).toContain('has ended');
    await until(() => shown(message)?.keyboard.length === 0);
    expect(stage.ran).toEqual([]);
    expect(listSilences(stage.db, Date.now())).toEqual([]);
  });
});
