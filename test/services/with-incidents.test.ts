// Services and incidents together: what reaches the outbox in the end.
import { afterEach, expect, test } from 'vitest';
import { createWorld, START, worldWith, type World } from './world.ts';
import { configOf } from './config.ts';
import { createPipeline } from '../../src/incidents/pipeline.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Message } from '../../src/model/message.ts';
import { wordDecision } from '../../src/notify/wording.ts';
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
    word: (decision) => wordDecision(decision, 'test', now),
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
