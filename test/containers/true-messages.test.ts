// No message states what is not so at the moment at which it is sent. Each story goes as far as the outbox.
import { describe, expect, test } from 'vitest';
import type { ContainerFact } from '../../src/model/container-fact.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import type { Finding } from '../../src/model/finding.ts';
import { formatTime } from '../../src/model/text.ts';
import { incidentsSince } from '../../src/store/incidents.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { renderLiving } from '../../src/outputs/telegram/living.ts';
import { createWorld, pass, START, whileAway, worldWith, type World } from './world.ts';

const STOPPED = '🔴 Service Stopped';
const RESTORED = '✅ Service Restored';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Down for `downMs`, up for `upMs`, over and over. */
function flap(world: World, times: number, downMs: number, upMs: number, name = 'web'): void {
  for (let i = 0; i < times; i++) {
    world.die(name, 1);
    pass(world, downMs);
    world.start(name);
    pass(world, upMs);
  }
}

describe('A: a silence ends while a container that flaps is up', () => {
  test('nothing is sent but what is true then', () => {
    const world = worldWith('web');
    world.silence('web', 240_000);
    flap(world, 3, 5000, 55_000);
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([]);
    expect(world.openIncidents()).toEqual([]);
  });

  test('down when it ends: that is sent, once', () => {
    const world = worldWith('web');
    world.silence('web', 240_000);
    flap(world, 3, 5000, 55_000);
    world.die('web', 1);
    pass(world, 5 * MINUTE);
    expect(world.titles()).toEqual([STOPPED]);
    world.start('web');
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([STOPPED, RESTORED]);
  });

  test('the same for its health', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.silence('web', 240_000);
    for (let i = 0; i < 3; i++) {
      world.health('web', 'unhealthy');
      pass(world, 5000);
      world.health('web', 'healthy');
      pass(world, 55_000);
    }
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([]);
  });
});

describe('B: down 5 s of every 290 s, for 3 hours', () => {
  function threeHours(more: (world: World, i: number) => void = () => undefined): World {
    const world = worldWith('web');
    for (let i = 0; i < 37; i++) {
      world.die('web', 1);
      pass(world, 5000);
      world.start('web');
      pass(world, 285_000);
      more(world, i);
    }
    return world;
  }

  test('no reminder says that it is stopped while it is up; the end says how often and how long', () => {
    const world = threeHours();
    const during = world.titles();
    expect(during.slice(0, 3)).toEqual([STOPPED, RESTORED, STOPPED]);
    expect(during.slice(3)).toEqual(['Still flapping after 1 h: web']);
    const reminder = world.messages()[3]!;
    expect(reminder).toMatch(/So far: down 1[34] times, 1 min( \d+ s)? in all/);
    expect(reminder).toMatch(/Right now, for \d+ min/);
    expect(reminder).toContain('web runs again');
    expect(reminder).not.toContain('stopped');
    world.clear();
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([RESTORED]);
    expect(world.messages()[0]).toContain('Before: down 37 times, 3 min 5 s in all');
    expect(world.messages()[0]).not.toContain('2 h');
    expect(world.openIncidents()).toEqual([]);
  });

  test('with a restart policy: nothing is called stable while it goes on, and one message ends all', () => {
    const world = worldWith('web', { policy: 'always' });
    for (let i = 0; i < 37; i++) {
      world.die('web', 1, true);
      pass(world, 5000);
      world.start('web', 'policy');
      pass(world, 285_000);
    }
    const during = world.messages().join('\n');
    expect(during).toContain('Malfunction Detected');
    expect(during).not.toContain('Stable for');
    world.clear();
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([RESTORED]);
    expect(world.openIncidents()).toEqual([]);
  });

  test.each(['restart', 'job'])('what goes down for a moment (%s) is not stable', (how) => {
    const world = worldWith('web');
    for (let i = 0; i < 3; i++) {
      world.die('web', 1);
      pass(world, MINUTE);
      world.start('web');
      pass(world, MINUTE);
    }
    pass(world, 7 * MINUTE);
    if (how === 'restart') world.restart('web');
    else {
      world.die('web', 0);
      pass(world, 2000);
      world.start('web');
    }
    world.clear();
    pass(world, 5 * MINUTE);
    expect(world.messages().join('\n')).not.toContain('Stable for');
    pass(world, 6 * MINUTE);
    expect(world.messages().join('\n')).toContain('Stable for: 10 min');
  });

  test('a loop that somebody restarts by hand is stable ten minutes after that', () => {
    const world = worldWith('web', { policy: 'always' });
    for (let i = 0; i < 8; i++) {
      world.die('web', 1, true);
      pass(world, 500);
      world.start('web', 'policy');
      pass(world, 9500);
    }
    pass(world, 5 * MINUTE);
    world.restart('web');
    world.clear();
    pass(world, 9 * MINUTE);
    expect(world.messages().join('\n')).not.toContain('Stable for');
    pass(world, 2 * MINUTE);
    expect(world.titles().at(-1)).toBe(RESTORED);
    expect(world.openIncidents()).toEqual([]);
  });

  test('a repeat about one that is up at the moment does not say what follows its stop', () => {
    const world = threeHours();
    const repeat = world.messages().find((text) => text.includes('Still flapping'))!;
    expect(repeat).not.toContain('Docker will not restart it');
  });

  test('a silence ends in the middle of a restart loop: the weaker message, of before, is not sent', () => {
    const world = worldWith('web', { policy: 'always' });
    world.silence('web', 120_000);
    for (let i = 0; i < 12; i++) {
      world.die('web', 1, true);
      pass(world, 2000);
      world.start('web', 'policy');
      pass(world, 10_000);
    }
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual(['⚠️ Service Malfunction Detected: Restart Loop', RESTORED]);
  });

  test('the count survives a restart of the monitor', () => {
    const world = threeHours((w, i) => {
      if (i !== 20) return;
      w.reopen();
      w.look(w.rows());
    });
    world.clear();
    pass(world, 20 * MINUTE);
    expect(world.titles()).toEqual([RESTORED]);
    expect(world.messages()[0]).toContain('down 37 times, 3 min 5 s');
  });
});

describe('reminders of several containers are one message', () => {
  test('without one that is silenced, and without one that comes and goes', () => {
    const world = createWorld();
    for (const name of ['a', 'b', 'web', 'db']) world.run(name);
    world.advance(MINUTE);
    for (const name of ['a', 'b', 'web']) world.die(name, 1);
    for (let i = 0; i < 17; i++) {
      world.die('db', 1);
      pass(world, 5000);
      world.start('db');
      pass(world, 195_000);
    }
    world.clear();
    world.silence('web', HOUR);
    pass(world, 10 * MINUTE);
    const still = world.messages().filter((text) => text.includes('2 containers are stopped'));
    expect(still).toHaveLength(1);
    expect(still[0]).toMatch(/- a: .*\n- b: /);
    expect(world.messages().join('\n')).not.toContain('web');
    expect(still[0]).not.toContain('db');
  });
});

describe('one that flapped is not called stable for 10 min where it went down since, whoever told of that', () => {
  const stable = (world: World) => world.outbox.find(({ html }) => html.includes('Stable for: 10 min'));

  test('the monitor was away', () => {
    const world = worldWith('web', { policy: 'always' });
    flap(world, 3, 5000, 20_000);
    const rows = world.rows();
    world.deaf(true);
    world.die('web', 1, true);
    world.skip(100);
    world.start('web', 'policy');
    const upAt = world.now;
    world.deaf(false);
    world.reopen();
    world.look(rows);
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(10 * MINUTE);
  });

  test('a loop that was redeployed, and stopped once more just before ten minutes were over', () => {
    const world = worldWith('web', { policy: 'always' });
    for (let i = 0; i < 5; i++) {
      world.die('web', 1, true);
      pass(world, 400);
      world.start('web', 'policy');
      pass(world, 60_000);
    }
    world.stop('web');
    pass(world, 300);
    world.start('web');
    pass(world, 9.5 * MINUTE);
    world.die('web', 1, true);
    pass(world, 3000);
    world.start('web', 'policy');
    const upAt = world.now;
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(10 * MINUTE);
  });

  test('restarted on request, and not healthy yet', () => {
    const world = worldWith('web', { policy: 'always', health: 'healthy' });
    for (let i = 0; i < 5; i++) {
      world.die('web', 1, true);
      pass(world, 400);
      world.start('web', 'policy');
      pass(world, 60_000);
    }
    pass(world, 8.5 * MINUTE);
    world.stop('web');
    pass(world, 5000);
    world.start('web');
    const upAt = world.now;
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(10 * MINUTE);
  });

  test('another one took its place, and later one of its name is there again', () => {
    const world = worldWith('web', { service: 'web' });
    flap(world, 3, 5000, 20_000);
    world.run('web-next', { service: 'web' });
    pass(world, 3000);
    world.stop('web');
    world.destroy('web');
    pass(world, 6 * MINUTE);
    world.run('web');
    pass(world, 30 * MINUTE);
    expect(stable(world)).toBeUndefined();
    expect(world.openIncidents()).toEqual([]);
  });

  test('restarted on request, and its health check failed at once', () => {
    const world = worldWith('web', { health: 'healthy' });
    flap(world, 3, 5000, 20_000);
    world.stop('web');
    pass(world, 5000);
    world.start('web');
    const upAt = world.now;
    world.health('web', 'unhealthy');
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(10 * MINUTE);
  });
});

test('sent as stopped before the monitor was restarted, and started by Docker after it: restored at once', () => {
  const world = worldWith('web', { policy: 'always' });
  world.die('web', 1, true);
  pass(world, 3000);
  const rows = world.rows();
  world.reopen();
  world.look(rows);
  pass(world, 9000);
  world.start('web', 'policy');
  pass(world, 20 * MINUTE);
  expect(world.titles()).toEqual([STOPPED, RESTORED]);
  expect(world.messages()[1]).toContain('Down for: 12 s');
  expect(world.openIncidents()).toEqual([]);
});

test('a stop just before the clock is set back 3 h is sent, and ends when it runs', () => {
  const world = worldWith('web');
  world.die('web', 1);
  world.setClock(-3 * HOUR);
  world.check();
  pass(world, MINUTE);
  world.start('web');
  pass(world, MINUTE);
  expect(world.titles()).toEqual([STOPPED, RESTORED]);
  expect(world.openIncidents()).toEqual([]);
});

test('the start message does not name what is silenced; it is sent when the silence ends', () => {
  const world = worldWith('web');
  world.silence('web', HOUR);
  const rows = world.rows();
  world.deaf(true);
  world.die('web', 1);
  world.deaf(false);
  world.reopen();
  expect(world.look(rows)).toEqual([]);
  pass(world, MINUTE);
  expect(world.titles()).toEqual([]);
  world.unsilence('web');
  world.check();
  expect(world.titles()).toEqual([STOPPED]);
});

describe('C: five die together, one of them silenced', () => {
  function five(): World {
    const world = createWorld();
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.run(name);
    world.advance(MINUTE);
    world.clear();
    return world;
  }

  test.each(['web', 'c', 'a'])('the list does not name it: %s', (silenced) => {
    const world = five();
    world.silence(silenced, HOUR);
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.die(name, 1);
    pass(world, MINUTE);
    const all = world.messages().join('\n');
    for (const name of ['a', 'b', 'c', 'd', 'web'])
      expect(new RegExp(`\\b${name}\\b`).test(all), name).toBe(name !== silenced);
    // A list is no incident of its own, and what is silenced does not count as sent.
    expect(world.openIncidents().map(({ subject }) => subject)).toHaveLength(5);
    const { notified } = world.openIncidents().find(({ subject }) => subject === silenced)!;
    expect(notified).toMatchObject({ count: 0 });
    world.clear();
    world.unsilence(silenced);
    world.check();
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain(`Service: ${silenced}\n`);
  });

  test('silenced after they died, before the list is sent', () => {
    const world = five();
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.die(name, 1);
    world.silence('web', HOUR);
    pass(world, MINUTE);
    expect(world.messages().join('\n')).not.toContain('web');
  });

  test('a rule that is silenced, and everything', () => {
    for (const subject of ['container-stopped', 'all']) {
      const world = five();
      world.silence(subject, HOUR);
      for (const name of ['a', 'b', 'c', 'd', 'web']) world.die(name, 1);
      pass(world, MINUTE);
      for (const name of ['a', 'b', 'c', 'd', 'web']) world.start(name);
      pass(world, MINUTE);
      expect(world.titles()).toEqual([]);
    }
  });

  test('their return, and a deploy, without the silenced one', () => {
    const world = five();
    world.silence('web', HOUR);
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.stop(name);
    pass(world, MINUTE);
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.start(name);
    pass(world, MINUTE);
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.restart(name);
    pass(world, MINUTE);
    expect(world.titles()).toEqual([
      '🔴 4 Services Stopped (on request)',
      '✅ 4 Services Restored',
      '🔄 4 Services restarted',
    ]);
    expect(world.messages().join('\n')).not.toContain('web');
  });

  test('one that has come back while the list waits is not named as stopped', () => {
    const world = five();
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.die(name, 1);
    world.advance(200);
    world.start('web');
    pass(world, MINUTE);
    const list = world
      .messages()
      .find((text) => text.includes('c</b>: crashed') || text.includes('Service: c\n'))!;
    expect(list).not.toContain('web');
    expect(world.titles()).toContain(RESTORED);
    const restored = world.messages().find((text) => text.includes('Restored'))!;
    expect(restored).toContain('What happened: web stopped: crashed, exit code 1');
  });

  test('what waits is sent after a restart of the monitor', () => {
    const world = five();
    for (const name of ['a', 'b', 'c', 'd', 'web']) world.die(name, 1);
    world.advance(100);
    expect(world.titles()).toEqual([STOPPED]);
    world.reopen();
    world.check();
    pass(world, MINUTE);
    const all = world.messages().join('\n');
    for (const name of ['a', 'b', 'c', 'd', 'web']) expect(all).toContain(name);
  });
});

describe('one that is down for a minute of every two, for an hour', () => {
  const LIVES: Record<string, [begin: (world: World) => void, end: (world: World) => void]> = {
    paused: [(world) => world.pause('web'), (world) => world.unpause('web')],
    unhealthy: [(world) => world.health('web', 'unhealthy'), (world) => world.health('web', 'healthy')],
    crashed: [(world) => world.die('web', 1), (world) => world.start('web')],
  };
  test.each(Object.entries(LIVES))(
    '%s: told twice, that it stays so when it does, and its end',
    (_, life) => {
      const [begin, end] = life;
      const world = worldWith('web', { health: 'healthy' });
      pass(world, 10 * MINUTE);
      world.clear();
      for (let i = 0; i < 30; i += 1) {
        begin(world);
        pass(world, MINUTE);
        end(world);
        pass(world, MINUTE);
      }
      expect(world.messages().length, world.titles().join('\n')).toBe(3);
      expect(world.messages()[2]).toContain('Note: 2 times within 10 min. Further changes are sent when');
      begin(world);
      pass(world, 3 * MINUTE);
      expect(world.messages()).toHaveLength(4);
      expect(world.messages()[3]).toMatch(/Note: (down|unhealthy) 31 times, .* now it stays \1\.$/m);
      end(world);
      pass(world, 11 * MINUTE);
      expect(world.titles().slice(4)).toEqual([RESTORED]);
      expect(world.openIncidents()).toEqual([]);
    },
  );
});

test('a container that is restarted by hand again and again: one remark, then silence until it is calm', () => {
  const world = worldWith('web');
  world.advance(600_000);
  for (let i = 0; i < 6; i++) {
    world.restart('web');
    world.advance(30_000);
  }
  expect(world.titles()).toHaveLength(3);
  const last = world.messages().at(-1)!;
  expect(last.match(/until it has been calm/g)).toHaveLength(1);
  expect(last).toMatch(/Server: vps1\n\nIt changes often/);
});

test('loops that end together: the list names the time at which they were stable', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const world = createWorld();
  for (const name of names) world.run(name, { policy: 'always' });
  world.advance(60_000);
  for (let i = 0; i < 8; i++) {
    for (const name of names) world.die(name, 1, true);
    world.advance(300);
    for (const name of names) world.start(name, 'policy');
    world.advance(9000);
  }
  const last = world.now - 9000;
  world.clear();
  world.advance(700_000);
  expect(world.titles()).toEqual(['✅ 5 Services Restored']);
  expect(world.messages()[0]).toContain('stable for 10 min');
  // A restart counts once the container has stayed up for 2 s.
  expect(world.messages()[0]).toContain(`Time: ${formatTime(last + 602_000)}`);
});

test('a silence that began while it was down ends as Docker comes back: its stop is not sent before it was looked at', () => {
  const world = createWorld();
  for (const name of ['api', 'web', 'queue']) world.run(name, { policy: 'always' });
  pass(world, MINUTE);
  world.silence('queue', 2 * MINUTE);
  for (const name of ['api', 'web', 'queue']) world.die(name, 137, true);
  pass(world, 5000);
  world.clear();
  world.answering(false);
  world.down();
  world.deaf(true);
  pass(world, 5 * MINUTE);
  for (const name of ['api', 'web', 'queue']) world.start(name);
  world.answering(true);
  world.deaf(false);
  world.up();
  pass(world, 5 * MINUTE);
  expect(
    world.messages().filter((text) => text.includes('queue') && text.includes('Current Status: 🔴')),
  ).toEqual([]);
  expect(world.openIncidents()).toEqual([]);
});

test('Docker goes twice, and a container is made anew in between: it is not named as one that did not come back', () => {
  const world = createWorld();
  for (const name of ['web', 'db']) world.run(name, { policy: 'always' });
  pass(world, MINUTE);
  const away = (ms: number, ran: readonly string[]) => {
    for (const name of ran) world.die(name, 143);
    world.answering(false);
    world.down();
    world.deaf(true);
    pass(world, ms);
    world.start('web');
    world.answering(true);
    world.deaf(false);
    world.up();
  };
  away(5 * MINUTE, ['web', 'db']);
  world.remove('web');
  world.run('web', { policy: 'always' });
  world.advance(700);
  away(30_000, ['web']);
  pass(world, MINUTE);
  const back = world.messages().find((text) => text.includes('Docker Is Back'))!;
  expect(back).toContain('Running again: 1 of 2');
  expect(back).toMatch(/Did not come back: 1\n.*db/);
  expect(back).not.toContain('web');
});

test('Docker flaps: its end names nobody, and neither does a repeat', () => {
  const world = createWorld();
  for (const name of ['web', 'db']) world.run(name, { policy: 'always' });
  pass(world, MINUTE);
  const away = (ms: number) => {
    world.answering(false);
    world.down();
    world.deaf(true);
    pass(world, ms);
    world.answering(true);
    world.deaf(false);
  };
  for (let i = 0; i < 4; i++) {
    away(10_000);
    world.up();
    pass(world, 30_000);
  }
  world.silence('web', 24 * HOUR);
  const rows = world.rows();
  world.reopen();
  world.look(rows);
  world.process(findingsOf({ kind: 'docker-answers', name: 'docker', at: world.wall() }, describeFact));
  world.clear();
  pass(world, 30 * MINUTE);
  away(2 * HOUR);
  const all = world.messages().join('\n');
  expect(all).toContain('Stable again, resolved: Docker answers');
  expect(all).toContain('Still CRITICAL after 1 h');
  expect(all).not.toContain('web');
});

test('S17: what did not come back with Docker is critical: a digest does not swallow its name', () => {
  const world = createWorld();
  for (const name of ['a', 'b']) world.run(name, { policy: 'always' });
  pass(world, MINUTE);
  for (const name of ['a', 'b']) world.die(name, 1);
  world.answering(false);
  world.down();
  world.deaf(true);
  pass(world, 30_000);
  world.start('a');
  world.answering(true);
  world.deaf(false);
  world.up();
  world.clear();
  pass(world, MINUTE);
  expect(world.outbox.map(({ severity }) => severity)).toEqual(['critical']);
  expect(world.messages()[0]).toMatch(/Docker Is Back[^]*Did not come back: 1\n.*b/);
});

describe('what nobody has seen since is not stated', () => {
  const memory = (mb: number, verdict: Finding['verdict'] = mb < 100 ? 'breach' : 'ok'): Finding => ({
    rule: 'memory-available',
    subject: 'host',
    severity: 'critical',
    verdict,
    value: mb,
    limit: 100,
    text: `Available memory is ${mb} MB`,
  });
  const judged = ['memory-available'];

  describe('between a limit and the value at which it ends, it is told as it is', () => {
    const between = (mb: number): Finding => ({ ...memory(mb, 'between'), severity: 'warning' });

    test('in a repeat', () => {
      const world = worldWith('web');
      world.process([memory(87)], judged);
      for (let i = 0; i < 130; i++) {
        world.advance(30_000);
        world.process([between(130)], judged);
      }
      expect(world.titles()).toEqual([
        'CRITICAL: Available memory is 87 MB',
        'Still WARNING after 1 h: Available memory is 130 MB',
      ]);
    });

    test('when a silence ends', () => {
      const world = worldWith('web');
      world.silence('memory-available', 5 * MINUTE);
      world.process([memory(87)], judged);
      for (let i = 0; i < 20; i++) {
        world.advance(30_000);
        world.process([between(130)], judged);
      }
      expect(world.titles()).toEqual(['WARNING: Available memory is 130 MB']);
    });

    test.each(['bad', 'fine'])('when it flaps no more, and was %s last', (last) => {
      const world = worldWith('web');
      for (let i = 0; i < 8; i++) {
        world.process([memory(i % 2 === 0 ? 87 : 300)], judged);
        world.advance(30_000);
      }
      if (last === 'bad') world.process([memory(87)], judged);
      world.clear();
      for (let i = 0; i < 30; i++) {
        world.advance(30_000);
        world.process([between(130)], judged);
      }
      expect(world.titles()).toHaveLength(1);
      expect(world.titles()[0]).toMatch(/table again|No longer flapping, WARNING/);
      expect(world.titles()[0]).toContain('Available memory is 130 MB');
    });
  });

  test('a monitor that was away for a day does not repeat what its first check finds ended', () => {
    const world = worldWith('web');
    world.process([memory(87)], judged);
    const rows = world.rows();
    world.skip(26 * HOUR);
    world.reopen();
    world.look(rows);
    world.check();
    world.process([memory(500)], judged);
    expect(world.titles()).toEqual([
      'CRITICAL: Available memory is 87 MB',
      'Resolved: Available memory is 500 MB',
    ]);
  });

  test('a source that cannot be read is not repeated with the value of before; it is when it can be read again', () => {
    const world = worldWith('web');
    world.process([memory(87)], judged);
    for (let i = 0; i < 240; i++) {
      world.advance(30_000);
      world.process([memory(87, 'unknown')], judged);
      world.check();
    }
    expect(world.titles()).toEqual(['CRITICAL: Available memory is 87 MB']);
    world.process([memory(60)], judged);
    expect(world.titles().at(-1)).toBe('Still CRITICAL after 2 h: Available memory is 60 MB');
  });

  const stable = (world: World) => world.outbox.find(({ html }) => html.includes('Stable for: 10 min'));

  test('one that flapped is not stable for a time in which Docker could not be asked', () => {
    const world = worldWith('web');
    flap(world, 3, 5000, 20_000);
    const rows = world.rows();
    world.deaf(true);
    world.skip(13 * MINUTE);
    world.die('web', 1);
    world.skip(30_000);
    world.start('web');
    const upAt = world.now;
    world.skip(MINUTE);
    world.reopen();
    world.forget(rows);
    world.down();
    // The first checks come before Docker answers, as after a boot.
    pass(world, MINUTE);
    world.deaf(false);
    world.look(rows);
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(10 * MINUTE);
  });

  test.each(['flaps', 'loops'])('one that %s has not been stable while Docker was away', (how) => {
    const world = worldWith('web', { policy: how === 'loops' ? 'always' : 'no' });
    if (how === 'flaps') flap(world, 3, 5000, 20_000);
    else
      for (let i = 0; i < 8; i++) {
        world.die('web', 1, true);
        pass(world, 400);
        world.start('web', 'policy');
        pass(world, 10_000);
      }
    world.answering(false);
    world.down();
    world.deaf(true);
    pass(world, 14 * MINUTE);
    world.die('web', 1);
    pass(world, 1000);
    world.start('web');
    const upAt = world.now;
    world.answering(true);
    world.deaf(false);
    world.up();
    pass(world, 30 * MINUTE);
    expect(stable(world)!.saidAt - upAt).toBeGreaterThanOrEqual(9.5 * MINUTE);
  });
});

describe('how long it was', () => {
  test.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms while it is down', (by) => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    world.setClock(by);
    pass(world, MINUTE);
    world.start('web');
    pass(world, MINUTE);
    expect(world.titles()).toEqual([STOPPED, RESTORED]);
    expect(world.messages()[1]).toContain('Down for: 2 min');
  });

  test.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms while it runs', (by) => {
    const world = worldWith('web');
    pass(world, 10 * MINUTE);
    world.setClock(by);
    pass(world, 10 * MINUTE);
    world.die('web', 1);
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 1, after running for 21 min');
    world.start('web');
    pass(world, 10 * MINUTE);
    world.clear();
    world.stop('web');
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain(
      'Cause: on request (SIGTERM), exit code 0, after running for 10 min',
    );
  });

  test.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms between a signal and the death', (by) => {
    const world = worldWith('web');
    pass(world, 10 * MINUTE);
    world.signal('web', 15);
    pass(world, 5000);
    world.setClock(by);
    pass(world, 1000);
    world.die('web', 143);
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain('Cause: on request');
    expect(world.messages()[0]).toContain('after running for 11 min');
  });

  test.each([3 * HOUR, -3 * HOUR])('the clock is set by %s ms between an OOM kill and the death', (by) => {
    const world = worldWith('web');
    pass(world, 10 * MINUTE);
    world.oom('web');
    world.setClock(by);
    pass(world, 1000);
    world.die('web', 137);
    pass(world, MINUTE);
    expect(world.messages()[0]).toMatch(/Cause: .*out of memory/);
  });

  test('the clock is set back after a signal that it outlived: a crash is a crash', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    pass(world, MINUTE);
    world.setClock(-3 * HOUR);
    pass(world, 20 * MINUTE);
    world.die('web', 1);
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain('Cause: crashed');
  });

  test('the clock is set back, and it is stopped', () => {
    const world = worldWith('web');
    pass(world, 10 * MINUTE);
    world.setClock(-3 * HOUR);
    world.stop('web');
    pass(world, MINUTE);
    expect(world.messages()[0]).toContain(
      'Cause: on request (SIGTERM), exit code 0, after running for 11 min',
    );
  });

  test.each([true, false])(
    'one that was unpaused while the monitor was away; Docker still has the event: %s',
    (has) => {
      const world = worldWith('web');
      world.pause('web');
      pass(world, MINUTE);
      const rows = world.rows();
      const readUntil = world.log.length;
      world.deaf(true);
      world.skip(4 * MINUTE);
      world.unpause('web');
      world.skip(HOUR);
      world.deaf(false);
      world.reopen();
      const [note] = world.look(rows, has ? world.log.slice(readUntil) : []);
      expect(note!.line).toBe(`✅ <b>web</b> ${has ? 'runs again, after 5 min' : 'is not paused any more'}`);
    },
  );

  test('a reminder of two has how long each of them is down', () => {
    const world = createWorld();
    for (const name of ['a', 'b']) world.run(name);
    world.advance(MINUTE);
    world.die('a', 1);
    pass(world, 3 * HOUR);
    world.die('b', 1);
    world.clear();
    pass(world, 70 * MINUTE);
    const text = world.messages().at(-1)!;
    expect(text).toContain('Still CRITICAL after 1 h to 4 h: 2 containers are stopped');
    expect(text).toMatch(/- a: .* \(for 4 h\)\n- b: .* \(for 1 h\)/);
  });

  test('what came and went has not lasted all the time', () => {
    const world = worldWith('web');
    const finding = (verdict: Finding['verdict']): Finding => ({
      rule: 'memory-available',
      subject: 'host',
      severity: 'critical',
      verdict,
      text: verdict === 'ok' ? 'Available memory is 500 MB' : 'Available memory is 87 MB',
    });
    for (let i = 0; i < 20; i++) {
      world.process([finding('breach')]);
      pass(world, MINUTE);
      world.process([finding('ok')]);
      pass(world, 2 * MINUTE);
    }
    pass(world, 10 * MINUTE);
    const text = world.messages().at(-1)!;
    expect(text).toContain('Stable again, resolved: Available memory is 500 MB');
    expect(text).toContain('It came and went: 18 times, 18 min in all, from ');
    expect(text).not.toContain('It lasted');
  });
});

test('a service that is scaled down was not redeployed; one that is rolled out was', () => {
  const world = createWorld();
  world.run('shop-web-1', { service: 'web' });
  world.advance(HOUR);
  for (const name of ['shop-web-2', 'shop-web-3']) world.run(name, { service: 'web' });
  pass(world, 5 * MINUTE);
  world.clear();
  world.stop('shop-web-3');
  world.destroy('shop-web-3');
  pass(world, MINUTE);
  expect(world.messages().join('\n')).not.toContain('in place of');
  world.clear();
  world.stop('shop-web-1');
  world.destroy('shop-web-1');
  pass(world, MINUTE);
  expect(world.messages().join('\n')).toContain('redeployed in place of shop-web-1');
});

test('a service that is deployed anew within seconds of its first start was redeployed', () => {
  const world = createWorld();
  world.run('shop-web-1', { service: 'web' });
  world.advance(2000);
  world.stop('shop-web-1');
  world.destroy('shop-web-1');
  world.run('shop-web-1', { service: 'web' });
  pass(world, MINUTE);
  expect(world.messages().join('\n')).toMatch(/shop-web-1.* redeployed, running again/);
  expect(world.messages().join('\n')).not.toContain('Service Stopped');
});

describe('a name in MONITORED_SERVICES', () => {
  test('whose container is created later, and removed again, is missing as it is then', () => {
    const world = createWorld({ MONITORED_SERVICES: ['web'] });
    world.look();
    pass(world, MINUTE);
    world.create('web');
    const texts = (): (string | undefined)[] =>
      world.openIncidents().map(({ rule, text }) => (rule === 'service-missing' ? text : undefined));
    for (let i = 0; i < 14; i++) {
      pass(world, 5 * MINUTE);
      world.list();
    }
    const [repeat = ''] = world.messages();
    expect(repeat).toContain('web is in MONITORED_SERVICES, but its container was created and never started');
    expect(repeat).toContain('Still WARNING after 1 h');
    world.destroy('web');
    world.list();
    expect(texts()).toEqual([expect.stringContaining('there is no container of this name')]);
    world.run('web');
    pass(world, MINUTE);
    expect(texts()).toEqual([]);
  });

  test('taken out while it is down: its end does not say that it runs', () => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    const after = createWorld({ MONITORED_SERVICES: ['db'] }, {}, { store: world.store });
    for (const [id, box] of world.boxes) after.boxes.set(id, box);
    after.skip(2 * MINUTE);
    after.look(world.rows());
    const [ended] = incidentsSince(world.store.db, 0).filter(({ rule }) => rule === 'container-stopped');
    expect(ended).toMatchObject({
      state: 'resolved',
      endedAs: 'gone',
      endText: 'web is not watched any more',
    });
  });

  test('put in while its container is down: the start message has it, once', () => {
    const world = worldWith('web');
    world.die('web', 0);
    pass(world, MINUTE);
    const rows = world.rows();
    const after = createWorld({ MONITORED_SERVICES: ['web'] });
    for (const [id, box] of world.boxes) after.boxes.set(id, box);
    after.skip(HOUR);
    expect(after.look(rows)).toMatchObject([{ kind: 'stopped', how: 'found', name: 'web' }]);
    const again = after.rows();
    after.reopen();
    expect(after.look(again)).toEqual([]);
    after.start('web');
    pass(after, MINUTE);
    expect(after.titles()).toEqual([RESTORED]);
  });
});

test('an end for which a version before 0.5.0 stored no reason has words', () => {
  const stored: unknown = { kind: 'gone', name: 'web', at: START, because: 'unknown' };
  expect(describeFact(stored as ContainerFact).text).toBe('web is not watched any more');
});

describe('docker update --restart while it is down', () => {
  const NEXT = /Docker will not restart it.*/;
  const repeated = (world: World) => {
    world.clear();
    pass(world, 70 * MINUTE);
    expect(world.titles()).toEqual([
      expect.stringMatching(/^Still CRITICAL after 1 h: web stopped: crashed/),
    ]);
    return NEXT.exec(world.messages()[0]!)?.[0];
  };

  test('the repeat has the restart policy of now, and what it does', () => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    expect(NEXT.exec(world.messages()[0]!)?.[0]).toBe('Docker will not restart it (restart policy: no)');
    world.update('web', 'always');
    expect(repeated(world)).toBe(
      'Docker will not restart it before Docker itself is restarted (restart policy: always, set since)',
    );
    world.start('web');
    pass(world, MINUTE);
    expect(world.messages().at(-1)).toContain('Down for: 1 h 11 min');
  });

  test.each([false, true])('after a restart of the monitor, also while it was away: %s', (away) => {
    const world = worldWith('web');
    world.stop('web');
    world.destroy('web');
    world.run('web');
    world.advance(800);
    world.die('web', 1);
    pass(world, MINUTE);
    expect(world.messages().at(-1)).toContain('just deployed');
    const rows = world.rows();
    world.deaf(true);
    if (away) world.update('web', 'always');
    world.deaf(false);
    world.look(rows);
    if (!away) world.update('web', 'always');
    expect(repeated(world)).toMatch(/restart policy: always, set since/);
    expect(world.messages()[0]).toContain('just deployed');
  });

  test('none at all is `no`: made by the API without a policy, it is told once', () => {
    const world = worldWith('web', { policy: '' });
    world.die('web', 1);
    pass(world, MINUTE);
    world.look(world.rows());
    expect(repeated(world)).toBe('Docker will not restart it (restart policy: no)');
  });

  test('to and fro: as it was', () => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    for (const policy of ['always', 'no']) world.update('web', policy);
    expect(repeated(world)).toBe('Docker will not restart it (restart policy: no)');
  });

  test('of one that was stopped on request nothing is said about restarts', () => {
    const world = worldWith('web');
    world.die('web', 1);
    pass(world, MINUTE);
    world.start('web');
    pass(world, 20 * MINUTE);
    world.stop('web');
    pass(world, MINUTE);
    world.update('web', 'always');
    world.clear();
    pass(world, 70 * MINUTE);
    expect(world.titles()).toEqual([
      expect.stringMatching(/^Still WARNING after 1 h: web stopped: on request/),
    ]);
    expect(world.messages()[0]).not.toMatch(NEXT);
  });
});

describe('its health is that of now', () => {
  /** Unhealthy, and unpaused when it is to be repeated. */
  function unpausedWhenDue(): World {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    pass(world, 60 * MINUTE - 5000);
    world.pause('web');
    pass(world, 10_000);
    world.clear();
    world.unpause('web');
    return world;
  }

  test('a loop that a silence held back is sent without the health of its last start', () => {
    const world = worldWith('web', { policy: 'always', health: 'healthy' });
    world.silence('web', 5 * MINUTE);
    for (let i = 0; i < 7; i++) {
      world.die('web', 1, true);
      pass(world, 1000);
      world.start('web', 'policy');
      pass(world, 5000);
    }
    world.health('web', 'healthy');
    pass(world, 5 * MINUTE);
    expect(world.titles()).toEqual(['⚠️ Service Malfunction Detected: Restart Loop']);
    expect(world.messages()[0]).not.toContain('Health');
    // Nor is it when the message is edited.
    const [loop] = world.openIncidents();
    const { html } = renderLiving(loop!, [], 'vps', loop!.openedAt + 5 * MINUTE);
    expect(html).toContain('Service Malfunction Detected');
    expect(html).not.toContain('Health');
  });

  test('a repeat waits after a pause until it can have been checked', () => {
    const world = unpausedWhenDue();
    pass(world, MINUTE);
    world.list();
    pass(world, MINUTE);
    expect(world.titles()).toEqual([]);
    world.list();
    pass(world, MINUTE);
    expect(world.titles()).toEqual([expect.stringMatching(/^Still WARNING after 1 h/)]);
  });

  test('healthy after a pause: nothing is repeated', () => {
    const world = unpausedWhenDue();
    pass(world, 30_000);
    world.health('web', 'healthy');
    pass(world, 10 * MINUTE);
    expect(world.titles()).toEqual([RESTORED]);
  });
});

describe('what nobody can see for a moment', () => {
  test('started again while Docker was away: not reported as stopped, neither alone nor in a burst', () => {
    const world = createWorld();
    const names = ['web', 'db', 'queue'];
    for (const name of names) world.run(name, { policy: 'always' });
    pass(world, MINUTE);
    world.clear();
    for (const name of names) world.die(name, 1, true);
    // The first ones are out, the others wait for more.
    world.advance(2300);
    const sent = world.outbox.length;
    whileAway(world, 300, () => {
      for (const name of names) world.start(name);
    });
    pass(world, MINUTE);
    expect(world.outbox.slice(sent).map(({ html }) => html.split('\n')[0])).not.toContainEqual(
      expect.stringContaining('Stopped'),
    );
    expect(world.openIncidents()).toEqual([]);
  });

  test('the same while an engine that is just back has not said what is', () => {
    const world = createWorld();
    const names = ['web', 'db', 'queue'];
    for (const name of names) world.run(name, { policy: 'always' });
    pass(world, MINUTE);
    world.clear();
    for (const name of names) world.die(name, 1, true);
    world.advance(2300);
    const sent = world.outbox.length;
    world.down();
    world.deaf(true);
    world.answering(false);
    world.advance(2400);
    for (const name of names) world.start(name);
    world.deaf(false);
    world.up();
    world.advance(3000);
    world.answering(true);
    world.list();
    pass(world, MINUTE);
    expect(world.outbox.slice(sent).filter(({ html }) => html.includes('Stopped</b>'))).toEqual([]);
  });

  test('down when Docker goes: what is sent then does not say that Docker goes on trying', () => {
    const world = createWorld();
    for (const name of ['web', 'db', 'queue']) world.run(name, { policy: 'always' });
    pass(world, MINUTE);
    world.clear();
    for (const name of ['web', 'db', 'queue']) world.die(name, 1, true);
    world.advance(2300);
    const sent = world.outbox.length;
    world.down();
    pass(world, MINUTE);
    const told = world.outbox.slice(sent).filter(({ html }) => html.includes('Service Stopped'));
    expect(told).toHaveLength(2);
    for (const { html } of told) expect(html).toContain('Docker does not try again by itself');
  });

  test('removed while nobody watched: no exit code is made up', () => {
    const world = worldWith('web');
    world.deaf(true);
    world.remove('web');
    world.deaf(false);
    world.list();
    pass(world, MINUTE);
    expect(world.messages().join('\n')).toContain('Cause: on request, exit code unknown');
  });

  test('the same where its death was looked at before Docker went', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(2100);
    whileAway(world, 300, () => {
      world.remove('web');
      world.run('web');
    });
    pass(world, MINUTE);
    expect(world.titles()).not.toContain(STOPPED);
  });

  test('paused, and removed while Docker was away: it is not reported as paused', () => {
    const world = worldWith('web');
    world.pause('web');
    world.advance(19_900);
    whileAway(world, 300, () => world.remove('web'));
    pass(world, MINUTE);
    expect(world.messages().join('\n')).not.toMatch(/Paused/);
  });

  test('Docker that went a second time, and is back, is not reported as gone', () => {
    const world = worldWith('web');
    const away = (ms: number, comesBack: boolean) => {
      world.stop('web', 143);
      world.down();
      world.deaf(true);
      world.advance(ms);
      if (comesBack) world.start('web');
      world.deaf(false);
      world.up();
    };
    away(5000, true);
    pass(world, 2 * MINUTE);
    away(5000, true);
    world.advance(100);
    away(5000, false);
    pass(world, 5 * MINUTE);
    expect(world.messages().filter((text) => /Docker is gone/i.test(text))).toHaveLength(2);
  });
});

test('an end after ten quiet minutes does not claim them where it goes down at that moment', () => {
  const world = worldWith('web', { policy: 'always' });
  for (let i = 0; i < 2; i++) {
    world.die('web', 1, true);
    world.advance(3000);
    world.start('web', 'policy');
    world.advance(MINUTE);
  }
  world.advance(9 * MINUTE - 100);
  world.die('web', 1, true);
  world.advance(1600);
  world.start('web', 'policy');
  world.advance(MINUTE);
  expect(world.messages().filter((text) => text.includes('Stable for'))).toEqual([]);
});

test('what crashed and was removed a moment later is not said to wait for a restart policy', () => {
  const world = createWorld();
  world.run('web', { policy: 'always' });
  world.run('db');
  pass(world, MINUTE);
  world.clear();
  world.answering(false);
  world.die('db', 1);
  world.destroy('db');
  world.answering(true);
  world.advance(5000);
  const [told] = world.messages();
  expect(told).toContain('The container was removed');
  expect(told).not.toContain('--rm');
});

test('a silence with a wildcard holds for the name before as well', () => {
  const world = worldWith('queue');
  world.silence('queue*', HOUR);
  world.rename('queue', 'db');
  pass(world, MINUTE);
  expect(world.messages()).toEqual([]);
});

test('a death is reported although an engine that was away gives no list', () => {
  const world = worldWith('web', { policy: 'always' });
  world.down();
  world.advance(1000);
  world.answering(false);
  world.up();
  world.die('web', 1, true);
  world.advance(20_000);
  expect(world.titles()).toEqual([STOPPED]);
});

test('a wanted name that was created only and then renamed leaves no incident under its new name', () => {
  const world = createWorld({ MONITORED_SERVICES: ['web', 'queue'] });
  world.run('queue');
  world.run('web');
  pass(world, MINUTE);
  world.remove('queue');
  pass(world, MINUTE);
  world.create('queue');
  pass(world, MINUTE);
  world.remove('web');
  world.rename('queue', 'web');
  world.start('web');
  pass(world, 5 * MINUTE);
  const missing = world.openIncidents().filter(({ rule }) => rule === 'service-missing');
  expect(missing.map(({ subject }) => subject)).toEqual(['queue']);
});

test('a stop that waits is not lost where the container takes the name of one that removed itself', () => {
  const world = createWorld();
  world.run('api', { policy: 'always' });
  world.run('queue', { autoRemove: true });
  pass(world, 20 * MINUTE);
  world.clear();
  world.stop('api');
  world.advance(100);
  world.die('queue', 137);
  world.advance(700);
  world.rename('api', 'queue');
  pass(world, 5 * MINUTE);
  expect(world.messages().join('\n')).not.toContain('is now called');
  expect(world.openIncidents().map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
    'container-stopped queue',
  ]);
});

test('down, renamed to the name of one that was stopped, and up again: it is not open until the next list', () => {
  const world = createWorld();
  world.run('queue', { policy: 'always' });
  world.run('web', { autoRemove: true });
  pass(world, 20 * MINUTE);
  world.die('queue', 1, true);
  world.advance(3000);
  world.stop('web');
  world.rename('queue', 'web');
  world.advance(9000);
  world.start('web', 'policy');
  pass(world, MINUTE);
  expect(world.openIncidents()).toEqual([]);
});

test('started anew while nobody watched, and not checked yet: it is unhealthy no more', () => {
  const world = worldWith('web', { health: 'healthy' });
  world.health('web', 'unhealthy');
  pass(world, MINUTE);
  world.pause('web');
  pass(world, MINUTE);
  const rows = world.rows();
  world.deaf(true);
  world.skip(5 * MINUTE);
  world.stop('web');
  world.start('web');
  world.deaf(false);
  world.reopen();
  world.look(rows);
  pass(world, MINUTE);
  world.list();
  pass(world, MINUTE);
  expect(world.openIncidents()).toEqual([]);
});

test('a job that was replaced while Docker was gone is not reported as down before its successor is looked at', () => {
  const world = createWorld();
  for (const name of ['api', 'cache']) world.run(name);
  world.advance(3000);
  world.clear();
  world.die('api', 143);
  world.die('cache', 0);
  world.advance(400);
  world.start('cache');
  world.down();
  world.deaf(true);
  world.answering(false);
  world.advance(30_000);
  world.remove('cache');
  world.run('cache');
  world.clear();
  world.answering(true);
  world.deaf(false);
  world.up();
  world.advance(500);
  expect(world.messages().join('\n')).not.toContain('cache');
});
