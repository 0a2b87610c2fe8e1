// Services and incidents together: what reaches the outbox in the end.
import { afterEach, expect, test } from 'vitest';
import { createWorld, START, worldWith, type World } from './world.ts';
import { configOf } from './config.ts';
import { createPipeline } from '../../src/incidents/pipeline.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Message } from '../../src/model/message.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { incidentsSince } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';

let store: Store | undefined;
afterEach(() => store?.close());

/** Plays what the world said, and a check every 10 s as the daemon does it, until `untilMs` after the start. */
function told(world: World, untilMs: number, more: (Finding & { saidAt: number })[] = []): Message[] {
  store = openStore('/dev/null/nowhere', START); // In memory.
  let now = START;
  const messages: Message[] = [];
  const pipeline = createPipeline({
    store,
    config: configOf(),
    clock: { now: () => now, monotonic: () => now - START },
    log: { debug() {}, info() {}, warn() {} },
    enqueue: (message) => messages.push(message),
    render: (decision) => renderNotification(decision, 'test', now),
  });
  const all = [...more, ...world.findings].toSorted((a, b) => a.saidAt - b.saidAt);
  for (let at = START; at <= START + untilMs; at += 10_000) {
    while (all[0] && all[0].saidAt <= at) {
      const moment = all[0].saidAt;
      const batch: Finding[] = [];
      while (all[0]?.saidAt === moment) batch.push(all.shift()!);
      now = moment;
      pipeline.process(batch, { judged: [] });
    }
    now = at;
    pipeline.process([], { judged: [] });
  }
  return messages;
}
const titles = (messages: Message[]) =>
  messages.map(({ html }) => html.split('\n')[0]!.replace(/<\/?b>/g, ''));

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('a container that crashes and is started 50 times in 10 minutes: at most 3 messages, and one when it is stable', () => {
  const world = worldWith('web');
  for (let i = 0; i < 50; i++) {
    world.die('web', 1);
    world.advance(5000);
    world.start('web');
    world.advance(7000);
  }
  expect(titles(told(world, 11 * MINUTE))).toEqual([
    '🔴 Service Stopped',
    '✅ Service Restored',
    '🔴 Service Stopped',
  ]);
  world.advance(20 * MINUTE);
  expect(titles(told(world, 31 * MINUTE)).slice(3)).toEqual(['✅ Service Restored']);
});

test('one with a restart policy that crashes 50 times in 10 minutes: at most 3 messages', () => {
  const world = worldWith('web', { policy: 'always' });
  for (let i = 0; i < 50; i++) {
    world.die('web', 1, true);
    world.advance(200);
    world.start('web', 'policy');
    world.advance(11_800);
  }
  const messages = told(world, 11 * MINUTE);
  expect(titles(messages)).toEqual([
    '🔄 Service Restarting',
    '⚠️ Service Malfunction Detected',
    '⚠️ Service Malfunction Detected: Restart Loop',
  ]);
});

test('one that is restarted by hand 50 times, and one whose health goes up and down', () => {
  const world = createWorld();
  world.run('a');
  world.run('b', { health: 'healthy' });
  world.advance(MINUTE);
  world.clear();
  for (let i = 0; i < 50; i++) {
    world.restart('a');
    world.health('b', 'unhealthy');
    world.advance(6000);
    world.health('b', 'healthy');
    world.advance(5800);
  }
  const messages = told(world, 11 * MINUTE);
  for (const name of ['a', 'b'])
    expect(messages.filter(({ subject }) => subject === name).length).toBeLessThanOrEqual(3);
  expect(messages.length).toBeGreaterThanOrEqual(4);
});

test('thirty crashes at once are two messages, their return is one', () => {
  const world = createWorld();
  for (let i = 0; i < 30; i++) world.run(`c${i}`);
  world.advance(MINUTE);
  world.clear();
  for (let i = 0; i < 30; i++) world.die(`c${i}`, 137);
  world.advance(MINUTE);
  for (let i = 0; i < 30; i++) world.start(`c${i}`);
  world.advance(MINUTE);
  expect(titles(told(world, 5 * MINUTE))).toEqual([
    '🔴 Service Stopped',
    '🔴 29 Services Stopped',
    '✅ 30 Services Restored',
  ]);
});

test('Docker gone with thirty containers: one message, one when it is back, also where some stay away', () => {
  const world = createWorld();
  for (let i = 0; i < 30; i++) world.run(`c${i}`);
  world.advance(MINUTE);
  world.clear();
  for (let i = 0; i < 30; i++) world.stop(`c${i}`, 137);
  world.down();
  world.advance(MINUTE);
  world.deaf(true);
  for (let i = 0; i < 28; i++) world.start(`c${i}`);
  world.deaf(false);
  world.up();
  world.advance(MINUTE);
  expect(titles(told(world, 5 * MINUTE))).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
  world.start('c29');
  world.advance(MINUTE);
  expect(titles(told(world, 6 * MINUTE)).slice(2)).toEqual(['✅ Service Restored']);
});

test('the kernel killed it: the OOM kill and the stop are one message, the return another', () => {
  const world = worldWith('web');
  const id = world.byName('web').id;
  world.oom('web');
  const kill: Finding & { saidAt: number } = {
    rule: 'oom-kill',
    subject: 'web',
    severity: 'critical',
    verdict: 'event',
    text: 'The kernel killed node in web',
    cause: `oom:${id}`,
    saidAt: world.now,
  };
  world.advance(20);
  world.die('web', 137);
  world.advance(MINUTE);
  world.start('web');
  world.advance(MINUTE);
  const messages = told(world, 5 * MINUTE, [kill]);
  expect(titles(messages)).toEqual(['CRITICAL: The kernel killed node in web', '✅ Service Restored']);
});

/** What the kernel log has about a kill in `name` at this moment. */
function killIn(world: World, name: string): Finding & { saidAt: number } {
  return {
    rule: 'oom-kill',
    subject: name,
    severity: 'critical',
    verdict: 'event',
    text: `The kernel killed node in ${name}`,
    cause: `oom:${world.byName(name).id}`,
    once: `${world.now}`,
    at: world.now,
    saidAt: world.now,
  };
}

/** Killed, and started again by its restart policy after `downMs`; then `upMs` until the next kill. */
function killedOverAndOver(world: World, times: number, downMs: number, upMs: number) {
  const kills: (Finding & { saidAt: number })[] = [];
  for (let i = 0; i < times; i++) {
    world.oom('web');
    kills.push(killIn(world, 'web'));
    world.advance(20);
    world.die('web', 137, true);
    world.advance(downMs);
    world.start('web', 'policy');
    world.advance(upMs);
  }
  return kills;
}

test.each([
  ['every 12 s', 200, 11_780],
  ['as fast as Docker starts it', 2500, 300],
  ['by a server that needs 4 s to start it', 4000, 8000],
])('a container that is killed for want of memory over and over, %s: at most 3 messages', (_, down, up) => {
  const world = worldWith('web', { policy: 'always' });
  const kills = killedOverAndOver(world, 50, down, up);
  const lastAt = world.now - START;
  world.advance(20 * MINUTE);
  const messages = told(world, lastAt + 19 * MINUTE, kills);
  const during = messages.filter(({ at }) => at <= START + lastAt + 1);
  const first = titles(during);
  expect(first.length).toBeLessThanOrEqual(3);
  expect(first[0]).toBe('CRITICAL: The kernel killed node in web');
  expect(first.at(-1)).toMatch(/^⚠️ Service Malfunction Detected/);
  expect(during[0]!.severity).toBe('critical');
  expect(titles(messages).slice(first.length)).toEqual(['✅ Service Restored']);
  const [incident, ...more] = incidentsSince(store!.db, 0).filter(({ rule }) => rule === 'oom-kill');
  expect(more).toEqual([]);
  expect(incident).toMatchObject({ event: true, state: 'resolved', changes: 50 });
});

test('a process that is killed every 2 minutes in a container that lives on: said, said once more, and when it is over', () => {
  const world = worldWith('web', { policy: 'always' });
  const kills = [];
  for (let i = 0; i < 20; i++) {
    world.oom('web');
    kills.push(killIn(world, 'web'));
    world.advance(2 * MINUTE);
  }
  const messages = told(world, HOUR, kills);
  expect(titles(messages)).toEqual([
    'CRITICAL: The kernel killed node in web',
    'Resolved: web has not run out of memory for 10 min; before that its processes were killed 20 times within 38 min',
  ]);
});

test('Docker gives up after the first kills: that it is down now is told, although the kill was told just before', () => {
  const world = worldWith('web', { policy: 'on-failure', maxRetries: 1 });
  const kills = killedOverAndOver(world, 1, 200, 400);
  world.oom('web');
  kills.push(killIn(world, 'web'));
  world.die('web', 137);
  world.advance(MINUTE);
  const messages = told(world, 2 * MINUTE, kills);
  expect(titles(messages)).toEqual(['CRITICAL: The kernel killed node in web', '🔴 Service Stopped']);
  expect(messages[1]!.html).toMatch(/Next: Docker gave up after 1 restart$/);
  expect(messages[1]!.html).toContain('out of memory: killed by the kernel');
});

test('without a restart policy, started by hand and killed again: each time it is said that it is down', () => {
  const world = worldWith('web');
  const kills = [];
  for (let i = 0; i < 2; i++) {
    world.oom('web');
    kills.push(killIn(world, 'web'));
    world.die('web', 137);
    world.advance(MINUTE);
    if (i === 0) world.start('web');
    world.advance(MINUTE);
  }
  expect(titles(told(world, 30 * MINUTE, kills))).toEqual([
    'CRITICAL: The kernel killed node in web',
    '✅ Service Restored',
    '🔴 Service Stopped',
  ]);
});

test('a service that stays down is repeated after 1 h and 4 h, a stop on request, too', () => {
  const world = createWorld();
  world.run('web');
  world.run('batch');
  world.advance(MINUTE);
  world.clear();
  world.die('web', 1);
  world.stop('batch');
  world.advance(MINUTE);
  const messages = told(world, 5 * 60 * MINUTE);
  expect(messages.filter(({ subject }) => subject === 'web').length).toBeGreaterThanOrEqual(2);
  expect(messages.length).toBeLessThanOrEqual(6);
});
