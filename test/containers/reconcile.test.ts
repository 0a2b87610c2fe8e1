// The net under the event stream: what a list shows and no event told.
import { describe, expect, test } from 'vitest';
import { upForAtMost } from '../../src/containers/reconcile.ts';
import { createWorld, worldWith, type World } from './world.ts';

function unseen(world: World, what: () => void): void {
  world.deaf(true);
  what();
  world.deaf(false);
  world.list();
  world.advance(30_000);
}

describe('missed events', () => {
  test('a death', () => {
    const world = worldWith('web');
    unseen(world, () => world.die('web', 5));
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
    expect(world.messages()[0]).toContain(
      "Cause: ended unseen while Docker's events were not readable, exit code 5",
    );
  });

  test('a restart', () => {
    const world = worldWith('web', { policy: 'always' });
    unseen(world, () => {
      world.die('web', 5, true);
      world.advance(20_000);
      world.start('web', 'policy');
      world.advance(2000);
    });
    expect(world.titles()).toEqual(['🔄 Service Restarting']);
  });

  test('the whole life of a container that crashed', () => {
    const world = createWorld();
    unseen(world, () => {
      world.run('job');
      world.die('job', 5);
    });
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
  });

  test('the start and the death of one that was seen created', () => {
    const world = createWorld();
    world.create('job');
    unseen(world, () => {
      world.start('job');
      world.die('job', 5);
    });
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
  });

  test('a start, a new container, a removal, a rename, a pause', () => {
    const world = createWorld();
    for (const name of ['down', 'gone', 'old', 'busy']) world.run(name);
    world.die('down', 1);
    world.advance(60_000);
    world.clear();
    unseen(world, () => {
      world.start('down');
      world.run('new');
      world.remove('gone');
      world.rename('old', 'renamed');
      world.pause('busy');
    });
    expect(world.titles().toSorted()).toEqual(
      [
        '✅ Service Restored',
        '🚀 Service Started',
        '🔄 old is now called renamed',
        '🔴 Service Stopped (on request)',
        '🔴 Service Stopped (paused on request)',
      ].toSorted(),
    );
  });

  test('health', () => {
    const world = worldWith('web', { health: 'healthy' });
    unseen(world, () => world.health('web', 'unhealthy'));
    expect(world.titles()).toEqual(['🏥 Service Unhealthy']);
  });
});

test('an event that is only late is told once, as what it is', () => {
  const world = worldWith('web');
  world.deaf(true);
  world.die('web', 5);
  world.deaf(false);
  world.list();
  world.advance(400);
  world.feed({ type: 'event', event: world.unheard[0]! });
  world.advance(60_000);
  expect(world.titles()).toEqual(['🔴 Service Stopped']);
  expect(world.messages()[0]).toContain('Cause: crashed, exit code 5');
});

test('a crash right after the start, whose events come later than the answer to a question', () => {
  const world = createWorld();
  const { id } = world.create('job');
  world.deaf(true);
  world.start('job');
  world.die('job', 5);
  world.deaf(false);
  const { seq } = world.state.known.get(id)!;
  world.feed({ type: 'inspected', id, inspect: structuredClone(world.byName('job')), seq, confirm: false });
  world.advance(400);
  for (const event of world.unheard) world.feed({ type: 'event', event });
  world.advance(60_000);
  expect(world.titles()).toEqual(['🔴 Service Stopped']);
  expect(world.messages()[0]).toContain('Cause: crashed, exit code 5');
});

test('a stop that is written after the destroy is no container that was removed', () => {
  const world = worldWith('web', { autoRemove: true });
  const { id } = world.byName('web');
  world.signal('web', 9);
  world.die('web', 137);
  world.advance(30_000);
  world.clear();
  const timeNano = BigInt(world.now) * 1_000_000n;
  world.feed({ type: 'event', event: { timeNano, action: 'stop', id, name: 'web', attributes: {} } });
  expect([...world.state.known.keys()]).toEqual([]);
  world.list();
  world.advance(60_000);
  expect(world.told()).toEqual([]);
});

test('paused while it was still settling: told after the next list, once', () => {
  const world = createWorld();
  world.run('web');
  world.advance(500);
  world.pause('web');
  world.advance(60_000);
  for (let i = 0; i < 3; i++) {
    world.list();
    world.advance(300_000);
  }
  expect(world.titles()).toEqual(['🔴 Service Stopped (paused on request)']);
});

test('a list in the steady state asks for nothing, however many containers there are', () => {
  const world = createWorld();
  for (let i = 0; i < 500; i++) world.run(`c${i}`, { health: i % 2 ? 'healthy' : 'none', policy: 'always' });
  world.advance(3_600_000);
  world.clear();
  world.list();
  world.advance(10_000);
  expect(world.asked).toEqual([]);
  expect(world.findings).toEqual([]);
});

test('how old "Up ..." can be at most', () => {
  const cases: [string, number | undefined][] = [
    ['Up Less than a second', 1000],
    ['Up 1 second', 2000],
    ['Up 6 seconds (healthy)', 7000],
    ['Up About a minute', 120_000],
    ['Up 3 hours (Paused)', 4 * 3_600_000],
    ['Up About an hour (health: starting)', 2 * 3_600_000],
    ['Up 2 weeks', 3 * 604_800_000],
    ['Exited (0) 3 days ago', undefined],
    ['', undefined],
  ];
  for (const [status, ms] of cases) expect(upForAtMost(status), status).toBe(ms);
});

describe('events that a busy engine dropped, and a replay brings late', () => {
  test('the start after a crash: asked for before it is called stopped', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(300);
    world.losing(true);
    world.start('web', 'policy');
    world.losing(false);
    world.advance(10_000);
    expect(world.titles()).toEqual(['🔄 Service Restarting']);
    expect(world.messages()[0]).toContain('Running again after 0.3 s');
  });

  test('the start of a successor', () => {
    const world = worldWith('web');
    world.stop('web');
    world.advance(500);
    world.losing(true);
    world.start('web');
    world.losing(false);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔄 web restarted on request, running again after 0.5 s']);
  });

  test('a death, found within half a minute with its reason', () => {
    const world = worldWith('web');
    world.losing(true);
    world.die('web', 4);
    world.losing(false);
    world.advance(20_000);
    world.replay();
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 4');
  });

  test('a death before a start that was seen', () => {
    const world = worldWith('web', { policy: 'always' });
    world.losing(true);
    world.die('web', 4, true);
    world.losing(false);
    world.advance(5000);
    world.start('web', 'policy');
    world.advance(20_000);
    world.replay();
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔄 Service Restarting']);
    expect(world.state.known.get(world.byName('web').id)?.info.state).toBe('running');
  });
});
