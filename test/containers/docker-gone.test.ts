import { describe, expect, test } from 'vitest';
import { createWorld, whileAway, worldWith, type World } from './world.ts';

function thirty(policy = 'always'): World {
  const world = createWorld();
  for (let i = 0; i < 30; i++) world.run(`c${i}`, { policy });
  world.advance(60_000);
  world.clear();
  return world;
}

/** As dockerd ends: it asks everything to stop, then its stream ends. */
function shutdown(world: World): void {
  for (let i = 0; i < 30; i++) {
    world.signal(`c${i}`, 15);
    world.advance(20);
    world.die(`c${i}`, 143);
  }
  world.down();
}

function comeBack(world: World, skip: string[] = []): void {
  world.deaf(true);
  for (const box of world.boxes.values())
    if (!skip.includes(box.name) && box.state.pid === 0) world.start(box.name);
  world.deaf(false);
  world.up();
}

describe('Docker stopped with its containers', () => {
  test('C: neither message names a container that is silenced; what happened to it is sent when the silence ends', () => {
    const world = thirty();
    world.silence('c7', 3_600_000);
    shutdown(world);
    world.advance(60_000);
    comeBack(world, ['c7', 'c8']);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
    expect(world.messages()[0]).toContain('30 of 30 services stopped with it');
    expect(world.messages()[1]).toContain('Running again: 28 of 30');
    expect(world.messages()[1]).toMatch(/Did not come back: 2\n<i>c8<\/i>/);
    expect(JSON.stringify(world.outbox)).not.toMatch(/\bc7\b/);
    world.unsilence('c7');
    world.check();
    expect(world.messages()[2]).toMatch(/Service Stopped[^]*Service: c7\n[^]*did not come back with Docker/i);
  });

  test('one that was being recreated as Docker went away was down since it was stopped', () => {
    const world = worldWith('db');
    world.stop('db');
    world.rename('db', '0123456789ab_db');
    world.create('db');
    world.destroy('0123456789ab_db');
    world.advance(10_000);
    world.down();
    world.advance(30_000);
    comeBack(world, ['db']);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
    world.start('db');
    world.advance(60_000);
    expect(world.messages()[2]).toContain('Down for: 1 min 40 s');
  });

  test('one message, and one when all are back', () => {
    const world = thirty();
    shutdown(world);
    world.advance(120_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone']);
    expect(world.told()[0]).toMatchObject({
      rule: 'docker-gone',
      severity: 'critical',
      cause: 'docker-gone',
    });
    expect(world.messages()[0]).toContain('30 of 30 services stopped with it');
    comeBack(world);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
    expect(world.messages()[1]).toContain('Running again: 30 of 30');
    world.advance(600_000);
    expect(world.messages()).toHaveLength(2);
    expect(world.state.conditions.size).toBe(0);
  });

  test('gone without a word: containers that kept running (live-restore) are said to have', () => {
    const world = thirty();
    world.down();
    world.advance(3_600_000);
    world.up();
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
    expect(world.messages()[0]).toContain('30 services ran when it went');
    expect(world.messages()[1]).toContain('Away for: 1 h');
    expect(world.messages()[1]).toContain('Kept running meanwhile: 30');
  });

  test('what does not come back is named, opens its incident quietly, and is restored later', () => {
    const world = thirty();
    shutdown(world);
    world.advance(60_000);
    comeBack(world, ['c3', 'c7']);
    world.advance(60_000);
    expect(world.messages()[1]).toContain('Did not come back: 2\n<i>c3, c7</i>');
    const quiet = world.findings.filter((finding) => finding.quiet && finding.verdict === 'breach');
    expect(quiet.map(({ subject }) => subject)).toEqual(['c3', 'c7']);
    world.clear();
    world.start('c3');
    world.advance(10_000);
    const ends = world.told().filter(({ verdict }) => verdict !== 'between');
    expect(ends).toMatchObject([{ rule: 'container-stopped', verdict: 'ok', subject: 'c3' }]);
  });

  test('a restart of Docker that takes less than 3 s is one message', () => {
    const world = thirty();
    shutdown(world);
    world.advance(2500);
    comeBack(world);
    world.advance(120_000);
    expect(world.titles()).toEqual(['🔄 30 Services restarted']);
    expect(world.messages()[0]).toContain('<b>c1</b> restarted with Docker, running again after');
  });

  test('what stays away after such a restart did not stop on request', () => {
    const world = worldWith('web');
    world.stop('web', 137);
    world.down();
    world.advance(2000);
    world.up();
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
    expect(world.messages()[0]).toContain(
      'Cause: ended together with Docker, exit code 137 (SIGKILL), after',
    );
    expect(world.messages()[0]).toContain('Next: It did not come back with Docker (restart policy: no)');
  });

  test('a stream that is cut is not worth a word', () => {
    const world = thirty();
    for (let i = 0; i < 20; i++) {
      world.down('the event stream ended');
      world.advance(300);
      world.up();
      world.advance(1000);
    }
    world.advance(60_000);
    expect(world.findings).toEqual([]);
  });

  test('stopped on request just before the stream was cut: the successor is waited for after it', () => {
    const world = thirty();
    world.stop('c1');
    world.advance(19_000);
    world.down('the event stream ended');
    world.advance(2000);
    world.up();
    world.start('c1');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔄 c1 restarted on request, running again after 21 s']);
  });

  test('Docker that never was is not missed; one that an earlier monitor knew is, after a minute', () => {
    const fresh = createWorld();
    fresh.look();
    const rows = thirty().rows();
    for (const [known, expected] of [
      [[], []],
      [rows, ['🔴 Docker Is Gone']],
    ] as const) {
      const world = createWorld();
      world.forget([...known]);
      world.down();
      world.advance(30_000);
      expect(world.titles()).toEqual([]);
      world.advance(60_000);
      expect(world.titles()).toEqual(expected);
    }
  });
});

describe('no message states what nobody can see while Docker is away', () => {
  /** Everything up, and an hour of calm before. */
  function two(): World {
    const world = createWorld();
    for (const name of ['web', 'db']) world.run(name, { policy: 'always', health: 'healthy' });
    world.advance(3_600_000);
    world.clear();
    return world;
  }

  test('a restart that waits for others is not sent as one that runs', () => {
    const world = two();
    world.die('web', 1, true);
    world.advance(400);
    world.start('web', 'policy');
    world.advance(2300);
    for (const name of ['web', 'db']) {
      world.signal(name, 15);
      world.die(name, 143);
    }
    whileAway(world, 300_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone']);
    world.advance(120_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone', '✅ Docker Is Back']);
  });

  test('nor one that has ended meanwhile, before the table is compared with what is', () => {
    const world = two();
    world.stop('web');
    world.advance(500);
    world.start('web');
    world.health('web', 'healthy');
    world.advance(100);
    whileAway(world, 2000, () => world.die('web', 1));
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped']);
  });

  test('nor that one that flaps is fine at the moment', () => {
    const world = worldWith('db');
    world.die('db', 1);
    world.start('db');
    world.advance(100);
    world.die('db', 1);
    world.advance(100);
    world.start('db');
    world.signal('db', 15);
    world.die('db', 143);
    whileAway(world, 300_000);
    expect(world.titles().join()).not.toContain('fine at the moment');
  });

  test('that it is stable again is sent when it can be seen', () => {
    const world = two();
    for (let i = 0; i < 3; i++) {
      world.die('web', 1, true);
      world.advance(5000);
      world.start('web', 'policy');
      world.advance(55_000);
    }
    world.clear();
    for (const name of ['web', 'db']) {
      world.signal(name, 15);
      world.die(name, 143);
    }
    whileAway(world, 1_200_000);
    expect(world.titles()).toEqual(['🔴 Docker Is Gone']);
  });

  test('a quick restart of Docker, and something else about the container at once: it is not called stopped', () => {
    const world = two();
    world.signal('web', 15);
    world.die('web', 143);
    whileAway(world, 400, () => world.start('web'));
    world.advance(100);
    world.health('web', 'healthy');
    world.advance(600);
    world.rename('web', 'shop');
    world.advance(120_000);
    expect(world.titles().join('\n')).not.toContain('Stopped');
  });

  test('Docker comes and goes: that it is stable names none that did not come back then', () => {
    const world = two();
    for (let i = 0; i < 4; i++) {
      world.signal('web', 15);
      world.die('web', 143);
      whileAway(world, 30_000, () => i < 3 && world.start('web'));
      world.advance(30_000);
    }
    world.start('web');
    world.advance(60_000);
    world.clear();
    world.advance(1_200_000);
    const stable = world.messages().filter((text) => text.includes('Docker Is Back'));
    expect(stable).toHaveLength(1);
    expect(stable[0]).toContain('Stable for: 10 min');
    expect(stable[0]).not.toContain('Did not come back');
  });

  test('paused while Docker came back, and ended when it went again: it is not called paused', () => {
    const world = two();
    const end = (name: string) => {
      world.signal(name, 15);
      world.die(name, 143);
    };
    end('web');
    end('db');
    whileAway(world, 10_000, () => world.start('db'));
    world.advance(3000);
    world.pause('db');
    world.advance(3000);
    end('db');
    whileAway(world, 5000);
    world.advance(60_000);
    expect(world.titles().join()).not.toContain('paused');
  });

  test('the failing health check of one that did not come back is over', () => {
    const world = two();
    world.health('web', 'unhealthy');
    world.advance(60_000);
    whileAway(world, 60_000, () => world.die('web', 1));
    world.advance(60_000);
    expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-stopped']);
  });
});

test('a restart loop that Docker gives up without a word: it is reported as stopped', () => {
  const world = worldWith('web', { policy: 'always' });
  for (let i = 0; i < 8; i++) {
    world.die('web', 1, true);
    world.advance(300);
    world.start('web', 'policy');
    world.advance(9000);
  }
  world.die('web', 1, true);
  world.advance(60_000);
  world.clear();
  world.byName('web').state.status = 'exited';
  world.list();
  world.advance(60_000);
  expect(world.titles()).toEqual(['🔴 Service Stopped']);
  expect(world.messages()[0]).toContain('Docker could not start it again, and has given up');
});

test('removed while it was down, and its name taken by another one: nothing says that nothing is left', () => {
  const world = worldWith('web');
  world.run('db');
  world.die('web', 1);
  world.die('db', 1);
  world.advance(60_000);
  world.clear();
  world.remove('web');
  world.advance(20_100);
  world.rename('db', 'web');
  world.advance(60_000);
  expect(world.messages().join()).not.toContain('nothing is left');
});

test('created in the place of one that ran, and never started: no exit code is made up for it', () => {
  const world = worldWith('web', { policy: 'always' });
  world.stop('web', 143);
  world.rename('web', '0123456789ab_web');
  world.create('web', { policy: 'always' });
  world.destroy('0123456789ab_web');
  world.failStart('web', 'port is already allocated', 128);
  world.advance(1000);
  world.down();
  world.advance(10_000);
  world.up();
  world.advance(60_000);
  const [stopped] = world.openIncidents().filter(({ rule }) => rule === 'container-stopped');
  expect(stopped?.text).toBe('web did not start: port is already allocated');
});

test('a name that is to be watched, and whose new container did not start, is not missing', () => {
  const world = worldWith('web', {}, { MONITORED_SERVICES: ['web', 'db'] });
  world.stop('web', 143);
  world.rename('web', '0123456789ab_web');
  world.create('web');
  world.destroy('0123456789ab_web');
  world.advance(1000);
  world.run('db');
  world.advance(21_000);
  world.failStart('web', 'port is already allocated', 128);
  world.advance(10 * 60_000);
  expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-stopped']);
});

test('S4: a stream that ends every second holds nothing back', () => {
  const world = worldWith('web');
  const blink = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      world.feed({ type: 'stream', up: false, why: 'the event stream ended' });
      world.advance(100);
      world.up();
      world.advance(900);
    }
  };
  world.stop('web');
  blink(30);
  expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
});

test('one that ended and removed itself while Docker was away does not count as running', () => {
  const world = createWorld();
  world.run('job', { autoRemove: true });
  world.run('web', { policy: 'always' });
  world.advance(60_000);
  world.clear();
  world.answering(false);
  world.down();
  world.deaf(true);
  world.advance(5000);
  world.die('job', 1);
  world.answering(true);
  world.deaf(false);
  world.up();
  world.advance(60_000);
  expect(world.messages()[1]).toContain('Running again: 1 of 2');
  expect(world.messages()[1]).toContain('job (removed)');
});
