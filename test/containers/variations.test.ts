// Variations of the stories in true-messages.test.ts: what flaps, what is silenced, and when a silence or a cooldown ends.
import { expect, test } from 'vitest';
import { createWorld, pass, worldWith, type World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STOPPED = '🔴 Service Stopped';
const RESTORED = '✅ Service Restored';

/** Another monitor takes over. */
function restartMonitor(world: World): void {
  const rows = world.rows();
  world.reopen();
  world.look(rows);
}

/** Messages about a stop, or a list of stops. */
function stopsOf(world: World): string[] {
  return world.messages().filter((text) => text.split('\n')[0]!.includes('Stopped'));
}

test.each(['web', 'all', 'container-stopped'])(
  'A: a silence of %s ends in the middle of flapping: what is sent then is true then',
  (subject) => {
    const world = worldWith('web');
    for (let i = 0; i < 8; i++) {
      if (i === 1) world.silence(subject, 200_000);
      world.die('web', 1);
      pass(world, 5000);
      world.start('web');
      pass(world, 55_000);
    }
    pass(world, 20 * MINUTE);
    // The first stop before the silence; nothing during it; what flapped ends once.
    expect(world.titles()[0]).toBe(STOPPED);
    expect(world.titles().at(-1)).toBe(RESTORED);
    expect(world.titles().length).toBeLessThanOrEqual(4);
    expect(world.openIncidents()).toEqual([]);
  },
);

test('A: the monitor is restarted while the silence holds, and the container is up when it ends', () => {
  const world = worldWith('web');
  world.silence('web', 240_000);
  for (let i = 0; i < 3; i++) {
    world.die('web', 1);
    pass(world, 5000);
    world.start('web');
    if (i === 1) restartMonitor(world);
    pass(world, 55_000);
  }
  pass(world, 20 * MINUTE);
  expect(world.titles()).toEqual([]);
  expect(world.openIncidents()).toEqual([]);
});

test('B: a health check that fails 5 s of every 290 s for 3 hours', () => {
  const world = worldWith('web', { health: 'healthy' });
  for (let i = 0; i < 37; i++) {
    world.health('web', 'unhealthy');
    pass(world, 5000);
    world.health('web', 'healthy');
    pass(world, 285_000);
  }
  const during = world.messages();
  for (const text of during.slice(3)) {
    expect(text).toContain('web is healthy again');
    expect(text).not.toContain('fails');
  }
  world.clear();
  pass(world, 20 * MINUTE);
  expect(world.titles()).toEqual([RESTORED]);
  expect(world.messages()[0]).toContain('unhealthy 37 times, 3 min 5 s in all');
  expect(world.openIncidents()).toEqual([]);
});

test('B: it stays down at last: that is sent once, and reminders come while it is down', () => {
  const world = worldWith('web');
  for (let i = 0; i < 12; i++) {
    world.die('web', 1);
    pass(world, 5000);
    world.start('web');
    pass(world, 285_000);
  }
  world.clear();
  world.die('web', 1);
  pass(world, 5 * MINUTE);
  expect(world.titles()).toEqual([STOPPED]);
  expect(world.messages()[0]).toContain('now it stays down');
  pass(world, 2 * HOUR);
  for (const text of world.messages().slice(1)) expect(text).toContain('web stopped');
  world.clear();
  world.start('web');
  pass(world, 30 * MINUTE);
  expect(world.titles().at(-1)).toBe(RESTORED);
  expect(world.openIncidents()).toEqual([]);
});

test('the cooldown of a restart ends while it is up: nothing is sent until it restarts again', () => {
  const world = worldWith('web', { policy: 'always' });
  const restart = () => {
    world.die('web', 1, true);
    world.advance(500);
    world.start('web', 'policy');
  };
  restart();
  pass(world, MINUTE);
  restart();
  pass(world, MINUTE);
  expect(world.titles()).toEqual(['🔄 Service Restarting']);
  pass(world, 3 * HOUR);
  expect(world.titles()).toEqual(['🔄 Service Restarting']);
});

test.each(['before', 'after'])(
  'C: five stop together, two of them are up again when the list is sent, one is silenced (%s)',
  (when) => {
    const world = createWorld();
    const names = ['a', 'b', 'c', 'd', 'e', 'web'];
    for (const name of names) world.run(name);
    world.advance(MINUTE);
    world.clear();
    if (when === 'before') world.silence('web', HOUR);
    for (const name of names) world.die(name, 1);
    world.advance(300);
    if (when === 'after') world.silence('web', HOUR);
    for (const name of ['b', 'c']) world.start(name);
    pass(world, MINUTE);
    const stops = stopsOf(world);
    expect(stops.join('\n')).toMatch(/\bd\b/);
    expect(stops.join('\n')).not.toMatch(/<b>[bc]<\/b>|Service: [bc]\n/);
    expect(world.messages().join('\n')).not.toContain('web');
    expect(world.openIncidents().map(({ subject }) => subject)).toEqual(['a', 'd', 'e', 'web']);
  },
);

test.each(['all', 'container-stopped', 'd'])(
  'C: a silence of %s ends before the list of those that stopped together is sent',
  (subject) => {
    const world = createWorld();
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) world.run(name);
    world.advance(MINUTE);
    world.clear();
    world.silence(subject, 10_000);
    for (const name of names) world.die(name, 1);
    world.advance(5000);
    for (const name of ['b', 'd']) world.start(name);
    pass(world, 10 * MINUTE);
    const all = stopsOf(world);
    // Those that are still down when it ends are named, each once; what was back by then is not.
    for (const name of ['a', 'c', 'e'])
      expect(all.join('\n').match(new RegExp(`<b>${name}</b>|Service: ${name}\\n`, 'g')), name).toHaveLength(
        1,
      );
    expect(all.join('\n')).not.toMatch(/<b>d<\/b>|Service: d\n/);
  },
);

test('C: the monitor is restarted between the deaths and the list, and one is silenced meanwhile', () => {
  const world = createWorld();
  const names = ['a', 'b', 'c', 'd', 'web'];
  for (const name of names) world.run(name);
  world.advance(MINUTE);
  world.clear();
  for (const name of names) world.die(name, 1);
  world.advance(700);
  world.silence('web', HOUR);
  world.start('b');
  restartMonitor(world);
  pass(world, 5 * MINUTE);
  const all = world.messages().join('\n');
  expect(all).not.toContain('web');
  for (const name of ['a', 'c', 'd']) expect(all).toContain(name);
  for (const text of stopsOf(world)) expect(text).not.toMatch(/<b>b<\/b>|Service: b\n/);
});

test('overlapping silences: it is sent when the last of them ends', () => {
  const world = worldWith('web');
  world.silence('web', 2 * MINUTE);
  world.silence('container-stopped', 6 * MINUTE);
  world.silence('all', 4 * MINUTE);
  world.die('web', 1);
  pass(world, 5 * MINUTE);
  expect(world.titles()).toEqual([]);
  pass(world, 2 * MINUTE);
  expect(world.titles()).toEqual([STOPPED]);
});
