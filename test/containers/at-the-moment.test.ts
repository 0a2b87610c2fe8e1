// What was so when it was seen, and is not any more when its message goes out: each story is one that a message once got wrong.
import { describe, expect, test } from 'vitest';
import { formatTime } from '../../src/model/text.ts';
import { away, back, createWorld, pass, worldWith, type World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function text(world: World): string {
  return world.messages().join('\n\n');
}

test('what waited when the monitor was killed is not sent by the next one before it has seen the containers', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const world = createWorld();
  for (const name of names) world.run(name);
  world.advance(MINUTE);
  world.clear();
  const rows = world.rows();
  for (const name of names) world.die(name, 1);
  world.advance(100);
  expect(world.titles()).toEqual(['🔴 Service Stopped']);
  world.deaf(true);
  world.skip(5 * MINUTE);
  for (const name of names) world.start(name);
  world.reopen();
  world.forget(rows);
  world.down();
  world.clear();
  pass(world, 30_000);
  expect(text(world)).not.toContain('Stopped');
  world.deaf(false);
  const notes = world.look(rows).map(({ line }) => line);
  expect(notes).toHaveLength(5);
  expect(notes.join('\n')).not.toContain('stopped');
  pass(world, 20 * MINUTE);
  expect(text(world)).not.toContain('Stopped');
  expect(world.openIncidents().filter(({ rule }) => rule === 'container-stopped')).toEqual([]);
});

test('that Docker is gone is not repeated while it is looked at what came back with it', () => {
  const world = worldWith('web', { policy: 'always' });
  away(world);
  pass(world, 60 * MINUTE - 1000);
  world.die('web', 143);
  expect(world.titles()).toEqual(['🔴 Docker Is Gone']);
  back(world);
  world.advance(10_000);
  world.check();
  expect(world.titles()).toEqual(['🔴 Docker Is Gone']);
  pass(world, MINUTE);
  expect(world.titles()[1]).toBe('✅ Docker Is Back');
});

test('that Docker is gone is repeated while it is, also by a monitor that was started since', () => {
  const world = worldWith('web', { policy: 'always' });
  away(world);
  pass(world, 10 * MINUTE);
  const rows = world.rows();
  world.reopen();
  world.forget(rows);
  world.down();
  pass(world, HOUR);
  expect(world.titles()).toEqual([
    '🔴 Docker Is Gone',
    expect.stringMatching(/^Still CRITICAL after 1 h: Docker is gone/),
  ]);
});

test('one that flapped and then ended as a job does: no reminder says that it runs', () => {
  const world = worldWith('web');
  for (let i = 0; i < 20; i++) {
    world.die('web', 1);
    pass(world, 5000);
    world.start('web');
    pass(world, 3 * MINUTE);
  }
  // Its end is not sent, and keeps no reminder back.
  world.silence('web', 10_000);
  world.die('web', 0);
  expect(text(world)).not.toContain('Still flapping');
  pass(world, 9 * MINUTE);
  expect(text(world)).not.toContain('Still flapping');
});

describe('Docker goes on trying to start it, and then does not any more', () => {
  test.each(['stopped on request', 'given up'])('%s', (how) => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    pass(world, 10_000);
    expect(text(world)).toContain('Next: Docker keeps trying to start it');
    world.clear();
    world.byName('web').state.status = 'exited';
    if (how === 'given up') world.list();
    else world.said('web', 'stop');
    pass(world, 70 * MINUTE);
    expect(world.titles()).toEqual([
      expect.stringMatching(/^Still CRITICAL after 1 h: web stopped: crashed/),
    ]);
    expect(text(world)).toContain('Docker does not try again by itself');
    world.start('web');
    pass(world, MINUTE);
    expect(text(world)).toContain('Down for: 1 h 10 min');
  });
});

test('deployed and healthy, but unhealthy before that is sent: that is what came before', () => {
  const world = worldWith('web', { health: 'healthy' });
  world.remove('web');
  world.advance(500);
  world.create('web', { health: 'healthy' });
  world.start('web');
  world.advance(5000);
  world.health('web', 'healthy');
  world.advance(300);
  world.health('web', 'unhealthy');
  pass(world, 5 * MINUTE);
  expect(world.titles()).toEqual(['🏥 Service Unhealthy']);
  expect(text(world)).toContain('Before that: web redeployed, healthy in 5 s');
});

describe.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms', (by) => {
  test('between a crash and the restart by its policy', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(500);
    world.setClock(by);
    world.advance(500);
    world.start('web', 'policy');
    pass(world, MINUTE);
    expect(text(world)).toContain('Now: 🟢 Running again after 1 s');
    expect(text(world)).toContain('after running for 1 min');
  });

  test('before a crash is sent', () => {
    const world = worldWith('web', { policy: 'always' });
    pass(world, 10 * MINUTE);
    world.die('web', 1, true);
    world.advance(500);
    world.setClock(by);
    pass(world, 59_500);
    world.start('web', 'policy');
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain('after running for 11 min');
    expect(world.messages()[1]).toMatch(/Down for: 1 min$/m);
  });

  test.each(['healthy', 'none'] as const)('while a deploy is waited for, health %s', (health) => {
    const world = worldWith('web', { health });
    world.remove('web');
    world.advance(500);
    world.create('web', { health });
    world.start('web');
    world.advance(1000);
    world.setClock(by);
    world.advance(1000);
    if (health === 'healthy') world.health('web', 'healthy');
    pass(world, MINUTE);
    expect(text(world)).toContain(
      health === 'healthy' ? 'redeployed, healthy in 2 s' : 'redeployed, running again after 0.5 s',
    );
  });

  test('and the monitor is killed: how long it lasts is counted as before', () => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    world.setClock(by);
    world.check();
    const rows = world.rows();
    world.reopen();
    world.look(rows);
    world.clear();
    pass(world, 58 * MINUTE);
    expect(world.titles()).toEqual([]);
    pass(world, 2 * MINUTE);
    expect(world.titles()).toEqual([expect.stringMatching(/^Still CRITICAL after 1 h: web stopped/)]);
  });

  test('while Docker is away', () => {
    const world = worldWith('web', { policy: 'always' });
    away(world);
    pass(world, 4 * MINUTE);
    world.setClock(by);
    pass(world, MINUTE);
    back(world);
    pass(world, MINUTE);
    expect(text(world)).toContain('Away for: 5 min');
  });
});

describe('a container is renamed again', () => {
  test('before that is sent: once, with its name of then', () => {
    const world = worldWith('web');
    world.rename('web', 'web-2');
    world.advance(1000);
    world.rename('web-2', 'web-3');
    pass(world, 60_000);
    expect(world.titles()).toEqual(['🔄 web is now called web-3']);
  });

  test('and has its first name again: nothing is sent', () => {
    const world = worldWith('web');
    world.rename('web', 'web-2');
    world.advance(1000);
    world.rename('web-2', 'web');
    pass(world, 60_000);
    expect(world.titles()).toEqual([]);
  });

  test.each(['renamed', 'removed'])('%s while the message waits for others of its kind', (how) => {
    const world = worldWith('web');
    world.rename('web', 'web-2');
    world.advance(2600);
    expect(world.titles()).toEqual([]);
    if (how === 'renamed') world.rename('web-2', 'web');
    else world.remove('web-2');
    pass(world, 60_000);
    expect(world.titles()).not.toContain('🔄 web is now called web-2');
    expect(world.titles()).toHaveLength(1);
  });
});

describe('the health check of a container that is unhealthy', () => {
  test('is taken away: nothing is repeated, nor called healthy', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    pass(world, 60_000);
    world.clear();
    delete world.byName('web').state.health;
    for (let i = 0; i < 3; i++) {
      world.list();
      pass(world, 60_000);
    }
    expect(world.openIncidents()).toEqual([]);
    pass(world, 2 * 3_600_000);
    expect(world.titles()).toEqual([]);
  });

  test('is not there in a list: it is looked at, and stays unhealthy', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    pass(world, 60_000);
    const items = [...world.boxes.values()].map(({ id, name, image, labels, created }) => {
      return {
        id,
        name,
        image,
        labels,
        created,
        state: 'running',
        status: 'Up 2 minutes',
        networks: {},
        ports: [],
      };
    });
    for (let i = 0; i < 3; i++) {
      world.feed({ type: 'listed', items });
      pass(world, 60_000);
    }
    expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-unhealthy']);
  });

  test.each(['at once', 'while Docker is away'])('is not there any more after a deploy %s', (when) => {
    const world = worldWith('web', { health: 'healthy', service: 'web' });
    world.health('web', 'unhealthy');
    pass(world, 60_000);
    world.clear();
    const isAway = when !== 'at once';
    if (isAway) world.down();
    world.deaf(isAway);
    world.remove('web');
    world.run('web', { service: 'web' });
    pass(world, 60_000);
    world.deaf(false);
    world.up();
    world.list();
    pass(world, 2 * 3_600_000);
    expect(world.messages().join('\n')).not.toMatch(/healthy/i);
    expect(world.openIncidents()).toEqual([]);
  });
});

describe.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms before something is told', (ms) => {
  test('what a silence held back has its time as the clock counts now', () => {
    const world = worldWith('web');
    world.silence('container-stopped', 2 * HOUR);
    world.die('web', 1);
    pass(world, 10 * MINUTE);
    const diedAt = world.wall() - 10 * MINUTE + ms;
    world.setClock(ms);
    pass(world, MINUTE);
    world.unsilence('container-stopped');
    pass(world, MINUTE);
    expect(text(world)).toContain(`Time: ${formatTime(diedAt)}`);
    expect(text(world)).toContain('after running for 1 min');
  });

  test('so has the end of what came and went', () => {
    const world = worldWith('web');
    for (let i = 0; i < 4; i++) {
      world.die('web', 1);
      pass(world, 5000);
      world.start('web');
      pass(world, 30_000);
    }
    world.clear();
    const upAt = world.wall() - 30_000 + ms;
    world.setClock(ms);
    pass(world, 20 * MINUTE);
    expect(text(world)).toContain('Stable for: 10 min');
    expect(text(world)).toContain(`Time: ${formatTime(upAt)}`);
  });
});

test('/status knows of what is reported that nobody can see it while Docker is gone; that Docker is gone is seen', () => {
  const world = worldWith('web');
  world.die('web', 1);
  pass(world, MINUTE);
  const unseen = () => world.openIncidents().filter(({ id }) => world.isUnseen(id));
  expect(unseen()).toEqual([]);
  away(world);
  pass(world, MINUTE);
  expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-stopped', 'docker-gone']);
  expect(unseen().map(({ rule }) => rule)).toEqual(['container-stopped']);
  back(world);
  pass(world, MINUTE);
  expect(unseen()).toEqual([]);
});

describe('what a text states beside its claim', () => {
  /** A second death, right after that of another one: it waits for more of them. */
  function endsAfterAnother(policy: string): World {
    const world = worldWith('web');
    world.run('job', { policy });
    world.advance(5000);
    world.clear();
    world.die('web', 1);
    world.advance(100);
    world.die('job', 0);
    world.advance(100);
    return world;
  }

  test('the restart policy of one that ended is the one of now, where somebody changed it while that waited', () => {
    const world = endsAfterAnother('no');
    world.update('job', 'unless-stopped');
    pass(world, MINUTE);
    expect(world.titles()).toEqual(['🔴 Service Stopped', '🔴 Service Stopped']);
    expect(world.messages()[1]).toContain('(restart policy: unless-stopped, set since)');
  });

  test('what Docker goes on trying to start is no job that is over', () => {
    const world = createWorld();
    world.run('web', { policy: 'always' });
    world.advance(5000);
    world.clear();
    world.die('web', 0, true);
    pass(world, 5000);
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
    expect(text(world)).toContain('Docker keeps trying to start it');
    expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-stopped']);
    world.start('web', 'policy');
    pass(world, MINUTE);
    expect(world.titles()[1]).toBe('✅ Service Restored');
  });

  test.each(['pause', 'unpause'] as const)(
    'Docker does not try to start what ran again while Docker was away, and of which only a %s is heard',
    (action) => {
      const world = createWorld();
      world.run('web', { policy: 'always' });
      world.advance(700);
      world.die('web', 1, true);
      away(world);
      world.advance(300);
      world.start('web', 'policy');
      if (action === 'unpause') world.pause('web');
      back(world);
      world.advance(700);
      world[action]('web');
      pass(world, 20_000);
      expect(text(world)).not.toContain('keeps trying');
      if (action === 'unpause') expect(world.titles()).toEqual(['🔄 Service Restarting']);
    },
  );

  test('a deploy that was not healthy yet is healthy when that is sent', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.stop('web');
    world.destroy('web');
    world.create('web', { health: 'starting' });
    world.start('web');
    world.advance(2 * MINUTE + 100);
    expect(world.titles()).toEqual([]);
    world.health('web', 'healthy');
    pass(world, 10_000);
    expect(world.titles()).toEqual(['🚀 web redeployed, healthy']);
  });

  test('a deploy that was not healthy yet is not said to be so of the next one, which has no health check', () => {
    const world = worldWith('web', { health: 'healthy' });
    const deploy = (health?: 'starting') => {
      world.stop('web');
      world.destroy('web');
      world.create('web', health ? { health } : {});
      world.start('web');
    };
    deploy('starting');
    world.advance(2 * MINUTE + 100);
    expect(world.titles()).toEqual([]);
    deploy();
    pass(world, MINUTE);
    expect(world.titles()[0]).toBe('🚀 web redeployed, running');
    expect(text(world)).not.toContain('not healthy yet');
  });

  test('the health of one that restarts often is the one of now', () => {
    const world = worldWith('web', { policy: 'always', health: 'healthy' });
    world.run('db', { policy: 'always' });
    for (let i = 0; i < 4; i++) {
      world.advance(MINUTE);
      world.clear();
      for (const name of ['db', 'web']) world.die(name, 1, true);
      world.advance(100);
      for (const name of ['db', 'web']) world.start(name, 'policy');
    }
    world.advance(2100);
    expect(world.messages()).toEqual([expect.stringContaining('Service: db')]);
    world.health('web', 'healthy');
    world.advance(MINUTE);
    expect(world.messages()[1]).toContain('Health: Healthy');
  });
});

test('one that ended while Docker was away, and of which the monitor could not say so any more, is not unhealthy', () => {
  const world = createWorld();
  world.run('web', { health: 'healthy' });
  world.advance(MINUTE);
  world.health('web', 'unhealthy');
  expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-unhealthy']);
  away(world);
  world.die('web', 1);
  back(world);
  // Docker had listed it as down, and its last moments were still being looked at.
  const rows = world.rows().map((row) => ({ ...row, state: 'exited' as const }));
  world.reopen();
  world.skip(MINUTE);
  world.look(rows);
  world.advance(MINUTE);
  expect(world.openIncidents().map(({ rule }) => rule)).not.toContain('container-unhealthy');
});
