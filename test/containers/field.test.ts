// What people met in the field: each case by the name of its row.
import { describe, expect, it } from 'vitest';
import { serviceLines } from '../../src/containers/table.ts';
import { createWorld, worldWith } from './world.ts';

const STOPPED = '🔴 Service Stopped';
const ASKED = '🔴 Service Stopped (on request)';

describe('a stop and a signal', () => {
  it('S2: one that survived SIGTERM and is killed from the host later was not stopped on request', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(120_000);
    world.die('web', 137);
    world.advance(700);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.told()[0]).toMatchObject({ severity: 'critical' });
    expect(world.messages()[0]).toContain('Cause: killed from outside Docker, exit code 137 (SIGKILL)');
  });

  it('S2: killed from the host seconds after a SIGTERM that it survives', () => {
    const world = worldWith('web', { policy: 'always' });
    world.signal('web', 15);
    world.advance(5000);
    world.die('web', 137, true);
    world.advance(300);
    world.start('web', 'policy');
    world.advance(5000);
    expect(world.titles()).toEqual(['🔄 Service Restarting']);
  });

  it('S2: a crash long after a SIGTERM is a crash', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(60_000);
    world.die('web', 1);
    world.advance(700);
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 1');
  });

  it.each([13, 19, 23, 6, 14, 29, 35])(
    'S2: a crash within 15 s of signal %i, which stops nothing, is a crash',
    (signal) => {
      const world = worldWith('web');
      world.signal('web', signal);
      world.advance(6000);
      world.die('web', 1);
      world.advance(700);
      expect(world.messages()[0]).toContain('Cause: crashed, exit code 1');
    },
  );

  it('S2: a death by the signal that was sent through Docker was asked for', () => {
    const world = worldWith('web');
    world.signal('web', 13);
    world.advance(100);
    world.die('web', 141);
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it('S2: a stop that takes minutes is on request, for Docker says so', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(300_000);
    world.die('web', 0);
    world.advance(30);
    world.said('web', 'stop');
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it('S2: a signal that a log rotation sends while it stops does not make a crash of the stop', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(2000);
    world.signal('web', 1);
    world.advance(1000);
    world.die('web', 143);
    world.said('web', 'stop');
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it.each([132, 134, 135, 136, 139])(
    'S2: a fault of the program (%i) after a SIGTERM is a crash, unless Docker says that it stopped it',
    (code) => {
      for (const [stops, title] of [
        [false, STOPPED],
        [true, ASKED],
      ] as const) {
        const world = worldWith('web');
        world.signal('web', 15);
        world.advance(3000);
        world.die('web', code);
        if (stops) world.said('web', 'stop');
        world.advance(30_000);
        expect(world.titles()).toEqual([title]);
      }
    },
  );

  it("S2: the container's own time for a stop counts", () => {
    const world = createWorld();
    world.create('db', { stopTimeoutMs: 120_000 });
    world.start('db');
    world.advance(60_000);
    world.clear();
    world.signal('db', 15);
    world.advance(100_000);
    world.die('db', 0);
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it('S6: with a StopSignal of its own, a health check that fails while it drains is no trouble', () => {
    const world = createWorld();
    world.create('httpd', { stopSignal: 'SIGWINCH' });
    world.start('httpd');
    world.health('httpd', 'healthy');
    world.advance(60_000);
    world.clear();
    world.signal('httpd', 28);
    world.advance(3000);
    world.health('httpd', 'unhealthy');
    world.advance(5000);
    world.die('httpd', 0);
    world.said('httpd', 'stop');
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it.each([
    ['SIGUSR1', 10],
    ['RTMIN+5', 39],
    ['SIGRTMAX-2', 62],
    ['12', 12],
  ])('S6: its StopSignal %s is known as signal %i', (stopSignal, signal) => {
    const world = createWorld();
    world.create('app', { stopSignal, stopTimeoutMs: 60_000 });
    world.start('app');
    world.health('app', 'healthy');
    world.advance(60_000);
    world.clear();
    world.signal('app', signal);
    world.advance(5000);
    world.health('app', 'unhealthy');
    world.advance(20_000);
    world.die('app', 0);
    world.said('app', 'stop');
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
  });

  it('S6: the same signal is none of a stop where the container has another one', () => {
    const world = worldWith('httpd', { health: 'healthy' });
    world.signal('httpd', 28);
    world.advance(3000);
    world.health('httpd', 'unhealthy');
    world.advance(2000);
    expect(world.titles()).toEqual(['🏥 Service Unhealthy']);
  });

  it('S7: says why Docker does not restart what was sent a signal through it', () => {
    const world = worldWith('web', { policy: 'always' });
    world.signal('web', 1);
    world.advance(12_000);
    world.die('web', 1);
    world.advance(5000);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain(
      'Next: Docker does not restart it because it was sent a signal through Docker',
    );
  });

  it.each([
    [143, 'SIGTERM'],
    [130, 'SIGINT'],
    [129, 'SIGHUP'],
    [131, 'SIGQUIT'],
  ])('S14: exit code %i is %s from outside Docker', (code, name) => {
    const world = worldWith('web');
    world.die('web', code);
    world.advance(700);
    expect(world.messages()[0]).toContain(`Cause: ended by ${name} from outside Docker, exit code ${code}`);
  });
});

describe('labels', () => {
  it('S12: a label exitCode does not take the place of the exit code', () => {
    const world = worldWith('web', { labels: { exitCode: '0' } });
    world.die('web', 3);
    world.advance(700);
    expect(world.told()[0]).toMatchObject({ severity: 'critical' });
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 3');
  });

  it('S12: a label signal does not hide a stop, and is not shown as its signal', () => {
    const world = worldWith('web', { labels: { signal: '10' } });
    world.stop('web', 1);
    world.advance(30_000);
    expect(world.titles()).toEqual([ASKED]);
    expect(world.messages()[0]).not.toContain('SIGUSR1');
  });

  it('S12: a label unseen says nothing about how the monitor learned of it', () => {
    const world = worldWith('web', { labels: { unseen: '1' } });
    world.die('web', 3);
    world.advance(700);
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 3');
  });

  it('S12: the label of a Swarm service on a container that is no task: nobody starts it again', () => {
    const world = worldWith('web', { labels: { 'com.docker.swarm.service.name': 'web' } });
    world.die('web', 1);
    world.advance(30_000);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain('Next: Docker will not restart it (restart policy: no)');
  });

  it('S8: what docker compose run starts is not the service', () => {
    const world = createWorld({ MONITORED_SERVICES: ['web'] });
    world.run('shop-web-1', { service: 'web' });
    world.advance(60_000);
    world.clear();
    world.run('shop-web-run-1a2b', { service: 'web', labels: { 'com.docker.compose.oneoff': 'True' } });
    world.advance(20_000);
    world.die('shop-web-run-1a2b', 1);
    world.advance(60_000);
    expect(world.titles()).toEqual([]);
    world.remove('shop-web-1');
    world.advance(60_000);
    expect(world.state.conditions.get('missing:web')?.missing).toBeDefined();
  });

  it('S10: vpsmon.ignore=true quiets the container that bears it, and no other', () => {
    const world = createWorld();
    world.run('job', { labels: { 'vpsmon.ignore': 'true' } });
    world.run('web', { labels: { 'vpsmon.ignore': 'false' } });
    world.advance(60_000);
    world.clear();
    world.die('job', 1);
    world.die('web', 1);
    world.advance(60_000);
    expect(world.told().map(({ subject }) => subject)).toEqual(['web']);
  });
});

describe('S13: podman does not say whether a stop was asked for', () => {
  const end = (exitCode: number, kill = false) => {
    const world = worldWith('web');
    const { id, state } = world.byName('web');
    const event = (action: string, attributes = {}) =>
      world.feed({
        type: 'event',
        event: {
          timeNano: BigInt(world.wall()) * 1_000_000n,
          action,
          id,
          name: 'web',
          attributes,
          ...(action === 'die' ? { podman: true as const } : {}),
        },
      });
    if (kill) event('kill');
    Object.assign(state, { status: 'exited', pid: 0, exitCode, finishedAt: world.wall() });
    event('die', { exitCode: String(exitCode) });
    world.advance(30_000);
    return world;
  };

  it.each([
    [0, 'info'],
    [143, 'warning'],
    [137, 'critical'],
  ])('exit code %i: %s, and the message says so', (code, severity) => {
    const world = end(code);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.told()[0]).toMatchObject({ severity });
    expect(world.messages()[0]).toContain('podman does not say whether it was asked to');
  });

  it('a crash is a crash, and what podman kill ends was asked for', () => {
    expect(end(3).messages()[0]).toContain('Cause: crashed, exit code 3');
    expect(end(137, true).titles()).toEqual([ASKED]);
  });
});

it('the event of a health check by podman 4.3 has what the check before showed: what is, is asked', () => {
  const world = worldWith('web');
  const { id, state } = world.byName('web');
  const tell = (told: string) => {
    const timeNano = BigInt(world.wall()) * 1_000_000n;
    const event = { timeNano, action: `health_status: ${told}`, id, name: 'web', attributes: {} };
    world.feed({ type: 'event', event: { ...event, podman: true } });
  };
  const check = (told: string, status: string) => {
    tell(told);
    Object.assign(state, { health: { status, log: [] } });
    world.advance(10_000);
  };
  check('starting', 'unhealthy');
  expect(world.titles()).toEqual([expect.stringContaining('Unhealthy')]);
  world.clear();
  check('unhealthy', 'healthy');
  expect(world.titles()).toEqual([expect.stringContaining('Restored')]);
  world.clear();
  check('healthy', 'healthy');
  expect(world.titles()).toEqual([]);
  // As often as twice a second it is looked at all the same.
  for (let i = 0; i < 10; i++) {
    Object.assign(state, { health: { status: 'unhealthy', log: [] } });
    tell('healthy');
    world.advance(500);
  }
  expect(world.titles()).toEqual([expect.stringContaining('Unhealthy')]);
});

it('with podman, what is unhealthy while it may be stopping is told where it goes on', () => {
  const world = worldWith('web');
  const { id, state } = world.byName('web');
  const tell = (action: string) => {
    const timeNano = BigInt(world.wall()) * 1_000_000n;
    const event = { timeNano, action, id, name: 'web', attributes: {}, podman: true as const };
    world.feed({ type: 'event', event });
  };
  tell('kill');
  world.advance(20_000);
  Object.assign(state, { health: { status: 'unhealthy', log: [] } });
  tell('health_status: healthy');
  world.advance(20_000);
  expect(world.titles()).toEqual([]);
  tell('health_status: unhealthy');
  world.advance(10_000);
  expect(world.titles()).toEqual([expect.stringContaining('Unhealthy')]);
});

it('S10: IGNORED_SERVICES takes wildcards, for names and services', () => {
  const world = createWorld({ IGNORED_SERVICES: ['job-*', '*cron*'] });
  for (const name of ['job-1', 'job-2', 'a.cron.b', 'jobs']) world.run(name);
  world.run('shop-x-1', { service: 'Job-x' });
  world.advance(60_000);
  world.clear();
  for (const name of ['job-1', 'job-2', 'a.cron.b', 'jobs', 'shop-x-1']) world.die(name, 1);
  world.advance(60_000);
  expect(world.told().map(({ subject }) => subject)).toEqual(['jobs']);
});

describe('Swarm', () => {
  const labels = { 'com.docker.swarm.service.name': 'web' };
  const task = (n: number) => `web.1.${String(n).padStart(25, 'a')}`;

  it('S9: its loop is a loop, and the service is known by its name', () => {
    const world = createWorld({ MONITORED_SERVICES: ['web'] });
    world.run(task(0), { labels });
    world.advance(60_000);
    expect(world.state.conditions.get('missing:web')).toBeUndefined();
    world.clear();
    for (let n = 0; n < 12; n++) {
      world.die(task(n), 1);
      world.create(task(n + 1), { labels });
      world.advance(5000);
      world.start(task(n + 1));
      world.advance(15_000);
      if (n > 4) world.remove(task(n - 4));
    }
    expect(world.titles()).toEqual([
      '🔄 Service Restarting',
      '⚠️ Service Malfunction Detected: Restart Loop',
    ]);
  });

  it.each(['web', 'shop_web'])('S9: a service of a stack is known as %s, too', (setting) => {
    const name = `shop_web.1.${'a'.repeat(25)}`;
    const stack = { 'com.docker.swarm.service.name': 'shop_web', 'com.docker.stack.namespace': 'shop' };
    const crash = (settings: object) => {
      const world = createWorld(settings);
      world.run(name, { labels: stack });
      world.advance(60_000);
      expect(world.state.conditions.get(`missing:${setting}`)).toBeUndefined();
      world.clear();
      world.die(name, 1);
      world.advance(60_000);
      return world.told().length;
    };
    expect(crash({ MONITORED_SERVICES: [setting] })).toBeGreaterThan(0);
    expect(crash({ MONITORED_SERVICES: ['shop'] })).toBe(0);
    expect(crash({ IGNORED_SERVICES: [setting] })).toBe(0);
  });

  it('S9: an update that starts the next task first is one line', () => {
    const world = createWorld();
    world.run(task(0), { labels });
    world.advance(3_600_000);
    world.clear();
    world.run(task(1), { labels });
    world.advance(8000);
    world.stop(task(0));
    world.advance(2000);
    world.destroy(task(0));
    world.advance(60_000);
    expect(world.titles()).toEqual([`🚀 ${task(1)} redeployed in place of ${task(0)}, running`]);
  });

  it('S9: an update is one line', () => {
    const world = createWorld({ MONITORED_SERVICES: ['web'] });
    world.run(task(0), { labels });
    world.advance(60_000);
    world.clear();
    world.create(task(1), { labels });
    world.stop(task(0));
    world.advance(2000);
    world.start(task(1));
    world.advance(60_000);
    expect(world.messages()).toHaveLength(1);
    expect(world.messages()[0]).toContain('redeployed');
  });
});

it('S1: three deploys do not use up what may be said about crashes, and each crash is recorded', () => {
  const world = worldWith('web', { policy: 'always' });
  for (let n = 0; n < 4; n++) {
    world.stop('web');
    world.advance(2000);
    world.remove('web');
    world.run('web', { policy: 'always' });
    world.advance(60_000);
  }
  world.clear();
  for (let n = 0; n < 3; n++) {
    world.die('web', 1, true);
    world.advance(300);
    world.start('web', 'policy');
    world.advance(20_000);
  }
  expect(world.titles()[0]).toBe('🔄 Service Restarting');
  expect(world.findings.filter(({ rule }) => rule === 'container-restarting')).toHaveLength(3);
});

describe('S5: a container that stays as it was created, for its start failed', () => {
  const ERROR = 'exec: "/nonexistent": stat /nonexistent: no such file or directory: unknown';

  it('docker run of a command that is not there', () => {
    const world = createWorld({ MONITORED_SERVICES: ['late'] });
    world.advance(60_000);
    world.clear();
    world.create('late', { policy: 'always' });
    world.failStart('late', ERROR);
    world.advance(5000);
    expect(world.titles()).toEqual(['🔴 Service Did Not Start']);
    expect(world.messages()[0]).toContain('Service: late\n');
    expect(world.messages()[0]).toMatch(/Docker says: .*no such file or directory/);
    expect(world.openIncidents().map(({ rule, subject }) => `${rule} ${subject}`)).toEqual([
      'container-stopped late',
    ]);
    expect(world.openIncidents()[0]!.text).toMatch(/^late did not start: .*no such file or directory/);
    expect(world.rows().map(({ key }) => key)).toContain('late');
    for (let i = 0; i < 5; i++) {
      world.list();
      world.advance(300_000);
    }
    expect(world.titles()).toHaveLength(1);
    world.start('late');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Service Did Not Start', '✅ Service Restored']);
  });

  it('Compose creates all first and starts them later: nothing is sent but that they started', () => {
    const world = createWorld();
    for (const name of ['db', 'app']) world.create(name, { policy: 'always', service: name });
    world.advance(1000);
    world.start('db');
    world.advance(90_000);
    world.start('app');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 Service Started', '🚀 Service Started']);
  });

  it('it fails long after it was created, and its error holds a password', () => {
    const world = createWorld();
    world.create('late', { env: ['PASSWORD=hunter2000'] });
    world.advance(600_000);
    world.failStart('late', 'error mounting "password=hunter2000": permission denied', 126);
    world.list();
    world.advance(5000);
    expect(world.titles()).toEqual(['🔴 Service Did Not Start']);
    expect(world.messages()[0]).not.toContain('hunter2000');
  });

  it.each(['when it is created', 'at the first look'])(
    'a monitored name whose container was created and never started is missing: %s',
    (when) => {
      const world = createWorld({ MONITORED_SERVICES: ['late'] });
      if (when === 'at the first look') {
        world.deaf(true);
        world.create('late');
        world.deaf(false);
        expect(world.look().map(({ line }) => line)).toEqual([
          '🔴 <b>late</b> is monitored, but its container was never started',
        ]);
      } else {
        expect(world.look()).toHaveLength(1);
        world.create('late');
      }
      for (let i = 0; i < 3; i++) {
        world.list();
        world.advance(300_000);
      }
      expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['service-missing']);
      expect(serviceLines(world.state)).toHaveLength(1);
      world.start('late');
      world.advance(60_000);
      expect(world.openIncidents()).toEqual([]);
    },
  );

  it('one that could not be started is not missing as well', () => {
    const world = createWorld({ MONITORED_SERVICES: ['late'] });
    world.look();
    world.create('late');
    world.failStart('late', ERROR);
    world.advance(5000);
    expect(world.openIncidents().map(({ rule }) => rule)).toEqual(['container-stopped']);
  });

  it('while nobody watched: in the start message, once', () => {
    const world = createWorld();
    world.create('late');
    world.failStart('late', ERROR);
    expect(world.look().map(({ line }) => line)).toEqual([
      expect.stringMatching(/^🔴 <b>late<\/b> did not start: .*no such file or directory/),
    ]);
    const rows = world.rows();
    expect(world.look(rows)).toEqual([]);
    expect(world.openIncidents()).toHaveLength(1);
  });
});

describe('S10: jobs with random names', () => {
  it('one every 8 s for an hour: a few messages, the last ones say why no more follow', () => {
    const world = createWorld();
    world.run('web', { policy: 'always' });
    world.advance(60_000);
    world.clear();
    for (let i = 0; i < 450; i++) {
      world.run(`job-${(i * 7919).toString(16)}`);
      world.advance(3000);
      world.die(`job-${(i * 7919).toString(16)}`, 0);
      world.advance(5000);
    }
    expect(world.titles().length).toBeLessThanOrEqual(6);
    expect(world.messages().join('\n')).toContain('come and go often');
    // What is no job is sent all the same, and so is a job that fails.
    world.clear();
    world.run('job-last');
    world.advance(3000);
    world.die('job-last', 3);
    world.advance(3000);
    world.run('shop', { policy: 'unless-stopped' });
    world.advance(5000);
    expect(world.titles()).toEqual(['🔴 Service Stopped', '🚀 Service Started']);
    world.clear();
    world.advance(900_000);
    world.run('job-after-a-calm-time');
    world.advance(5000);
    expect(world.titles()).toEqual(['🚀 Service Started']);
  });

  it.each([{}, { autoRemove: true }])(
    'that fail, every 30 s for an hour: each is named, in few messages %j',
    (options) => {
      const world = createWorld();
      const names = Array.from({ length: 120 }, (_, i) => `job-${(i * 7919).toString(16)}`);
      for (const name of names) {
        world.run(name, options);
        world.advance(5000);
        world.die(name, 1);
        world.advance(25_000);
      }
      world.advance(900_000);
      const stops = world.outbox
        .filter(({ html }) => html.split('\n')[0]!.includes('Stopped'))
        .map(({ html }) => html);
      expect(stops.length).toBeLessThanOrEqual(18);
      expect(stops[9]).toContain('further ones are sent in one list');
      for (const name of names)
        expect(
          stops.filter((html) => new RegExp(`\\b${name}\\b`).test(html)),
          name,
        ).toHaveLength(1);
    },
  );

  it('runners that are removed on request are limited, a service that is removed is not', () => {
    const world = createWorld();
    for (let i = 0; i < 20; i++) {
      world.run(`runner-${i}x`);
      world.advance(30_000);
      world.remove(`runner-${i}x`);
      world.advance(30_000);
    }
    expect(world.titles().length).toBeLessThanOrEqual(4);
    world.clear();
    world.run('shop', { policy: 'always' });
    world.advance(30_000);
    world.remove('shop');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🚀 Service Started', ASKED]);
  });

  it('what is killed is sent at once, however many there were, and so are the first ten that fail', () => {
    const world = createWorld();
    world.advance(60_000);
    const killed = Array.from({ length: 24 }, (_, i) => ({ name: `svc-${i}x`, code: i < 10 ? i + 1 : 137 }));
    for (const { name, code } of killed) {
      world.run(name);
      world.advance(10_000);
      world.clear();
      world.die(name, code);
      world.advance(1000);
      expect(world.titles(), name).toEqual(['🔴 Service Stopped']);
    }
  });

  it('one that ran for long and fails is sent at once, however many jobs failed', () => {
    const world = createWorld();
    world.run('shop');
    world.advance(900_000);
    for (let i = 0; i < 8; i++) {
      world.run(`job-${i}x`);
      world.advance(5000);
      world.die(`job-${i}x`, 1);
      world.advance(25_000);
    }
    world.clear();
    world.die('shop', 1);
    world.advance(700);
    expect(world.titles()).toEqual([STOPPED]);
  });

  it('thirty that a person starts together are one list', () => {
    const world = createWorld();
    for (let i = 0; i < 30; i++) world.run(`c${i}`);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 30 Services Started']);
  });
});

describe('S11: a deploy that starts the new one beside the old one', () => {
  it('docker-rollout: one line', () => {
    const world = createWorld();
    world.run('shop-web-1', { service: 'web', policy: 'always', health: 'healthy' });
    world.advance(3_600_000);
    world.clear();
    world.run('shop-web-2', { service: 'web', policy: 'always' });
    world.advance(15_000);
    world.health('shop-web-2', 'healthy');
    world.advance(1000);
    world.stop('shop-web-1');
    world.destroy('shop-web-1');
    world.advance(300_000);
    expect(world.titles()).toEqual(['🚀 shop-web-2 redeployed in place of shop-web-1, healthy']);
    expect(world.openIncidents()).toEqual([]);
  });

  it('silenced by the name of either: nothing names it', () => {
    const world = createWorld();
    world.run('shop-web-1', { service: 'web', policy: 'always', health: 'healthy' });
    world.advance(3_600_000);
    world.clear();
    world.silence('shop-web-1', 3_600_000);
    world.run('shop-web-2', { service: 'web', policy: 'always' });
    world.advance(15_000);
    world.health('shop-web-2', 'healthy');
    world.advance(1000);
    world.stop('shop-web-1');
    world.destroy('shop-web-1');
    world.advance(300_000);
    expect(world.messages().join()).not.toContain('shop-web-1');
    expect(world.openIncidents()).toEqual([]);
  });

  it('three replicas: each new one takes the place of one', () => {
    const world = createWorld();
    for (const n of [1, 2, 3]) world.run(`shop-web-${n}`, { service: 'web', policy: 'always' });
    world.advance(3_600_000);
    world.clear();
    for (const n of [4, 5, 6]) world.run(`shop-web-${n}`, { service: 'web', policy: 'always' });
    world.advance(15_000);
    for (const n of [1, 2, 3]) {
      world.stop(`shop-web-${n}`);
      world.destroy(`shop-web-${n}`);
    }
    world.advance(300_000);
    const all = world.messages().join('\n');
    for (const n of [1, 2, 3])
      expect(all).toContain(`shop-web-${n + 3}</b> redeployed in place of shop-web-${n}`);
    expect(all.match(/redeployed in place/g)).toHaveLength(3);
    expect(all).not.toContain('Service Started');
  });

  it('the old one is stopped first, and the new one has another name: one line', () => {
    const world = createWorld();
    world.run('shop-web-aaa', { service: 'web', policy: 'always' });
    world.advance(3_600_000);
    world.clear();
    world.stop('shop-web-aaa');
    world.advance(3000);
    world.run('shop-web-bbb', { service: 'web', policy: 'always' });
    world.advance(1000);
    world.destroy('shop-web-aaa');
    world.advance(300_000);
    expect(world.titles()).toEqual([
      '🚀 shop-web-bbb redeployed in place of shop-web-aaa, running again after 3 s',
    ]);
  });

  it('Portainer stops the old one, renames it, and starts another one under its name: one line', () => {
    const world = worldWith('web', { policy: 'always' });
    world.stop('web');
    world.advance(300);
    world.rename('web', 'web-old');
    world.run('web', { policy: 'always' });
    world.advance(500);
    world.destroy('web-old');
    world.advance(300_000);
    expect(world.titles()).toEqual(['🚀 web redeployed in place of web-old, running again after 0.3 s']);
  });

  it('Watchtower that replaces itself: one line', () => {
    const world = createWorld();
    world.run('watchtower', { policy: 'always' });
    world.advance(3_600_000);
    world.clear();
    world.rename('watchtower', 'wCqzVQkWtGHrBmNXyDfS');
    world.run('watchtower', { policy: 'always' });
    world.advance(4000);
    world.stop('wCqzVQkWtGHrBmNXyDfS');
    world.destroy('wCqzVQkWtGHrBmNXyDfS');
    world.advance(300_000);
    expect(world.titles()).toEqual(['🚀 watchtower redeployed in place of wCqzVQkWtGHrBmNXyDfS, running']);
  });

  it('scaled up: it started; scaled down later: it was stopped on request', () => {
    const world = createWorld();
    world.run('shop-web-1', { service: 'web', policy: 'always' });
    world.advance(3_600_000);
    world.clear();
    world.run('shop-web-2', { service: 'web', policy: 'always' });
    world.advance(3_600_000);
    expect(world.titles()).toEqual(['🚀 Service Started']);
    world.stop('shop-web-2');
    world.destroy('shop-web-2');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 Service Started', ASKED]);
  });
});
