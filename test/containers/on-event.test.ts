// Timelines: what happens to a container, and what is told about it when.
import { describe, expect, test } from 'vitest';
import { incidentsSince } from '../../src/store/incidents.ts';
import { createWorld, worldWith } from './world.ts';

const STOPPED = '🔴 Service Stopped';
const RESTORED = '✅ Service Restored';

describe('deaths', () => {
  test('a crash without a restart policy needs no answer from Docker for long', () => {
    const world = worldWith('web');
    world.answering(false);
    world.die('web', 1);
    world.advance(700);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.told()[0]).toMatchObject({
      rule: 'container-stopped',
      severity: 'critical',
      verdict: 'breach',
      subject: 'web',
    });
  });

  test('a crash with a policy is one message after 2 s; before, nothing', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(300);
    world.start('web', 'policy');
    world.advance(1600);
    expect(world.titles()).toEqual([]);
    world.advance(2000);
    expect(world.titles()).toEqual(['🔄 Service Restarting']);
    expect(world.messages()[0]).toContain('Restart Count: 1\n');
    expect(world.messages()[0]).toContain('Running again after 0.3 s');
  });

  test('still down after 2 s: Stopped, then Restored with the down time', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(2300);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain('Next: Docker keeps trying to start it');
    world.advance(60_000);
    world.start('web', 'policy');
    world.advance(2000);
    expect(world.titles()).toEqual([STOPPED, RESTORED]);
    expect(world.messages()[1]).toContain('Down for: 1 min 2 s');
  });

  test('on-failure gives up after its number of attempts, and is told at once then', () => {
    const world = worldWith('web', { policy: 'on-failure', maxRetries: 2 });
    for (let i = 0; i < 2; i++) {
      world.die('web', 7, true);
      world.advance(200);
      world.start('web', 'policy');
      world.advance(20_000);
    }
    world.clear();
    world.die('web', 7);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain('Docker gave up after 2 restarts');
  });

  test('oom: said as the reason, with a cause shared with the finding of the kernel log', () => {
    const world = worldWith('web');
    world.oom('web');
    world.die('web', 137);
    expect(world.told()[0]).toMatchObject({ cause: `oom:${world.byName('web').id}` });
    expect(world.messages()[0]).toContain(
      'Cause: out of memory: killed by the kernel, exit code 137 (SIGKILL)',
    );
  });

  test.each([
    ['in the time that a stop gives it', ['stop', 'oom', 'die'], /Cause: out of memory/],
    ['just before it is stopped', ['oom', 'stop', 'die'], /Cause: out of memory/],
    ['of itself in that time', ['stop', 'die'], /\(on request\)/],
    ['of itself in that time, and is removed', ['stop', 'die', 'destroy'], /\(on request\)/],
  ])('it dies %s: told once, with what it died of', (_, events, cause) => {
    for (const policy of ['no', 'always']) {
      const world = worldWith('web', { policy });
      for (const event of events) {
        if (event === 'stop') world.signal('web', 15);
        else if (event === 'oom') world.oom('web');
        else if (event === 'die') world.die('web', events.includes('oom') ? 137 : 1);
        else world.destroy('web');
        world.advance(500);
      }
      for (let second = 0; second < 60; second += 1) world.advance(1000);
      expect(world.messages()).toEqual([expect.stringMatching(cause)]);
    }
  });

  test('oom whose event comes after the die event', () => {
    const world = worldWith('web');
    world.answering(false);
    world.die('web', 137);
    world.advance(50);
    world.oom('web');
    world.advance(700);
    expect(world.messages()[0]).toContain('out of memory');
  });

  test.each([
    ['none', '(no log lines: the log driver "none" keeps none that Docker could show)'],
    ['syslog', '(no log lines: the log driver "syslog" keeps none that Docker could show)'],
    ['json-file', undefined],
    ['local', undefined],
  ])('S15: without log lines, the driver that keeps none is named: %s', (logDriver, expected) => {
    const world = worldWith('web');
    world.byName('web').logDriver = logDriver;
    world.die('web', 1);
    const [died] = world.messages();
    expect(died).toContain('Cause: crashed, exit code 1');
    if (expected === undefined) expect(died).not.toContain('log lines');
    else expect(died).toContain(expected.replaceAll('"', '&quot;'));
    world.start('web');
    world.health('web', 'unhealthy');
    world.advance(5000);
    const sick = world.messages().find((text) => text.includes('Service Unhealthy'));
    // It has said nothing.
    expect(sick).toContain('Health check says: exit code 1');
    if (expected !== undefined) expect(sick).toContain('no log lines');
  });

  test('137 that nobody asked for and no oom: killed from outside', () => {
    const world = worldWith('web');
    world.die('web', 137);
    expect(world.messages()[0]).toContain('Cause: killed from outside Docker, exit code 137 (SIGKILL)');
  });

  test('one that Docker killed, and that ends minutes later on a server that thrashes, was asked for', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(10_000);
    world.signal('web', 9);
    world.advance(150_000);
    world.die('web', 137);
    world.advance(25_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
  });

  test('a signal to reload is not a request to stop', () => {
    const world = worldWith('web');
    world.signal('web', 1);
    world.advance(60_000);
    world.die('web', 139);
    expect(world.messages()[0]).toContain('Cause: crashed, exit code 139 (SIGSEGV)');
  });

  test('a stop signal that the program outlived for long is no reason for a later crash', () => {
    const world = worldWith('web');
    world.signal('web', 15);
    world.advance(3_600_000);
    world.die('web', 1);
    expect(world.titles()).toEqual([STOPPED]);
  });

  test('an end without an error: a job is information, a service that ran for long is a warning', () => {
    const job = worldWith('job');
    job.die('job', 0);
    expect(job.told()[0]).toMatchObject({ severity: 'info', verdict: 'event' });
    const service = worldWith('web');
    service.advance(3_600_000);
    service.die('web', 0);
    expect(service.told()).toMatchObject([{ severity: 'warning', verdict: 'breach' }]);
  });

  test('docker run --rm that ends well within seconds is not worth a word', () => {
    const world = createWorld();
    world.run('hello', { autoRemove: true });
    world.advance(2000);
    world.die('hello', 0);
    world.advance(60_000);
    expect(world.findings).toEqual([]);
  });

  test('the same where Docker says that it is a job only after its start', () => {
    const world = createWorld();
    world.answering(false);
    const hello = world.run('hello', { autoRemove: true });
    world.advance(300);
    world.feed({ type: 'inspected', id: hello.id, inspect: structuredClone(hello), seq: 2, confirm: false });
    world.advance(5000);
    world.die('hello', 0);
    world.advance(60_000);
    expect(world.findings).toEqual([]);
  });

  test('jobs with names of chance leave nothing behind', () => {
    const world = createWorld();
    for (let i = 0; i < 100; i++) {
      world.run(`job-${i}`, { autoRemove: true });
      world.advance(15_000);
      world.die(`job-${i}`, i % 2);
      world.advance(45_000);
    }
    world.run('stays', { policy: 'always' });
    world.advance(3_600_000);
    world.list();
    expect([...world.state.tallies.keys()]).toEqual([]);
  });

  test('docker run --rm that crashes is told, and leaves no incident behind', () => {
    const world = worldWith('batch', { autoRemove: true });
    world.die('batch', 2);
    world.advance(60_000);
    expect(world.told()).toMatchObject([{ severity: 'critical', verdict: 'breach' }]);
    expect(world.findings.at(-1)).toMatchObject({ verdict: 'ok', quiet: true });
    expect(world.state.conditions.size).toBe(0);
  });

  test("log lines never show secrets of the container's own environment", () => {
    const world = worldWith('db', {
      env: ['POSTGRES_PASSWORD=correct-horse', 'LANG=de'],
      logs: ['using correct-horse for de'],
    });
    world.die('db', 1);
    expect(world.messages()[0]).toContain('using *** for de');
  });
});

test('a restart that Docker tried in vain: it has given up, and why', () => {
  const world = worldWith('web', { policy: 'always' });
  world.die('web', 137, true);
  world.byName('web').state = {
    ...world.byName('web').state,
    status: 'exited',
    error: 'exec: "sh": executable file not found in $PATH',
  };
  world.advance(5000);
  expect(world.titles()).toEqual([STOPPED]);
  expect(world.messages()[0]).toContain('Docker says: exec: &quot;sh&quot;: executable file not found');
  expect(world.messages()[0]).toContain('Next: Docker could not start it again, and has given up');
  world.start('web');
  world.advance(5000);
  expect(world.titles()).toEqual([STOPPED, RESTORED]);
});

test('unhealthy just after a restart is no deploy', () => {
  const world = worldWith('web', { health: 'healthy' });
  world.restart('web');
  world.health('web', 'unhealthy');
  world.advance(5000);
  expect(world.titles()).toEqual(['🏥 Service Unhealthy']);
  expect(world.messages()[0]).toContain('Note: just restarted');
});

test('told to reload, it fails: that is a crash, at once', () => {
  const world = worldWith('web');
  world.signal('web', 1);
  world.advance(300);
  world.die('web', 1);
  expect(world.titles()).toEqual([STOPPED]);
  expect(world.messages()[0]).toContain('Cause: crashed, exit code 1');
});

test('a signal that is to end it and does: on request', () => {
  const world = worldWith('web');
  world.signal('web', 1);
  world.advance(300);
  world.die('web', 129);
  world.advance(30_000);
  expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
});

describe('on request', () => {
  test('a stop is told after 20 s, as asked for', () => {
    const world = worldWith('web', { policy: 'always' });
    world.stop('web', 143);
    world.advance(19_900);
    expect(world.messages()).toEqual([]);
    world.advance(1500);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
    expect(world.told()[0]).toMatchObject({ severity: 'warning', verdict: 'breach' });
  });

  test('docker restart and docker stop, docker start are one line', () => {
    const world = worldWith('web');
    world.restart('web');
    world.advance(30_000);
    world.stop('web');
    world.advance(15_000);
    world.start('web');
    world.advance(30_000);
    expect(world.titles()).toEqual([
      '🔄 web restarted on request, running again after 0.2 s',
      '🔄 web restarted on request, running again after 15 s',
    ]);
  });

  test('a deploy by Compose: new container under a temporary name, old one stopped and removed, renamed, started', () => {
    const world = worldWith('shop-web-1', { service: 'web', health: 'healthy' });
    world.create('0123456789ab_shop-web-1', { service: 'web', health: 'starting' });
    world.advance(300);
    world.stop('shop-web-1');
    world.destroy('shop-web-1');
    world.rename('0123456789ab_shop-web-1', 'shop-web-1');
    world.start('shop-web-1');
    world.advance(4000);
    world.health('shop-web-1', 'healthy');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🚀 shop-web-1 redeployed, healthy in 4 s']);
    expect(world.told()[0]).toMatchObject({ alias: 'web', severity: 'info' });
  });

  test('a deploy without a healthcheck', () => {
    const world = worldWith('web');
    world.remove('web');
    world.advance(2000);
    world.run('web');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🚀 web redeployed, running again after 2 s']);
  });

  test('a deploy that never gets healthy says so after 2 min', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.remove('web');
    world.run('web', { health: 'starting' });
    world.advance(119_000);
    expect(world.messages()).toEqual([]);
    world.advance(5000);
    expect(world.titles()).toEqual(['🚀 web redeployed, running, but not healthy yet after 2 min']);
  });

  test('a deploy whose new container dies is an alarm', () => {
    const world = worldWith('web');
    world.remove('web');
    world.run('web');
    world.advance(800);
    world.die('web', 1);
    world.advance(60_000);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain(
      'Cause: crashed, exit code 1, after running for 0.8 s, just deployed',
    );
    expect(world.told()[0]?.severity).toBe('critical');
  });

  test('a deploy whose new container does not even start is an alarm, and Restored follows when it does', () => {
    const world = worldWith('web');
    world.remove('web');
    world.create('web').state.error = 'exec: "nosuch": executable file not found';
    world.advance(30_000);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toContain(
      '\nDocker says: exec: &quot;nosuch&quot;: executable file not found\n',
    );
    expect(world.messages()[0]).toContain(
      'Next: A new container was created in its place, but it did not start',
    );
    expect(world.told()[0]).toMatchObject({ severity: 'critical', verdict: 'breach' });
    world.start('web');
    world.advance(5000);
    expect(world.titles().slice(1)).toEqual([RESTORED]);
  });

  test('a restart on request whose start fails is one, too', () => {
    const world = worldWith('web');
    world.stop('web');
    world.byName('web').state.error = 'address already in use';
    world.advance(30_000);
    expect(world.titles()).toEqual([STOPPED]);
    expect(world.messages()[0]).toMatch(
      /\nCause: on request .*\nDocker says: address already in use\nNext: .* did not start$/,
    );
    expect(world.told()[0]).toMatchObject({ severity: 'critical' });
  });

  test('the same deploy while nobody watched', () => {
    const world = worldWith('web');
    const rows = world.rows();
    world.deaf(true);
    world.remove('web');
    world.create('web');
    world.deaf(false);
    expect(world.look(rows).map(({ line }) => line)).toEqual([
      '🔴 <b>web</b> was redeployed, but its new container did not start',
    ]);
    world.clear();
    world.start('web');
    world.advance(5000);
    expect(world.titles()).toEqual([RESTORED]);
  });

  test('a deploy whose new container is unhealthy is an alarm', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.remove('web');
    world.run('web', { health: 'starting' });
    world.advance(30_000);
    world.health('web', 'unhealthy');
    world.advance(300_000);
    expect(world.titles()).toEqual(['🏥 Service Unhealthy']);
    expect(world.messages()[0]).toContain('just deployed');
  });

  test('a successor that comes after the stop was told restores it', () => {
    const world = worldWith('web');
    world.remove('web');
    world.advance(30_000);
    expect(world.told()).toMatchObject([{ verdict: 'event', rule: 'container-stopped' }]);
    expect(world.messages()[0]).toContain('Next: The container was removed');
    world.run('web');
    world.advance(10_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)', '🚀 Service Started']);
  });

  test('removing a container that had crashed ends its incident', () => {
    const world = worldWith('web');
    world.die('web', 1);
    world.advance(60_000);
    world.clear();
    world.destroy('web');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🔴 web was removed on request: nothing is left to watch.']);
    expect(world.state.conditions.size).toBe(0);
  });

  test('removing one that had crashed and creating it anew restores it', () => {
    const world = worldWith('web');
    world.die('web', 1);
    world.advance(60_000);
    world.clear();
    world.destroy('web');
    world.advance(3000);
    world.run('web');
    world.advance(30_000);
    expect(world.titles()).toEqual([RESTORED]);
  });

  test('a stopped container that is removed later was told already', () => {
    const world = worldWith('web');
    world.stop('web');
    world.advance(60_000);
    world.clear();
    world.destroy('web');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 web was removed on request: nothing is left to watch.']);
    expect(world.openIncidents()).toEqual([]);
  });
});

describe('health, pause, rename', () => {
  test('a short pause (docker commit) is not told, a longer one is', () => {
    const world = worldWith('web');
    world.pause('web');
    world.advance(5000);
    world.unpause('web');
    world.advance(60_000);
    expect(world.findings).toEqual([]);
    world.pause('web');
    world.advance(60_000);
    world.unpause('web');
    world.advance(5000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (paused on request)', RESTORED]);
    expect(world.messages()[1]).toContain('Previous Status: 🔴 Paused');
  });

  test.each(['on request', 'by a crash'])(
    'a paused container that ends %s is stopped from then on',
    (how) => {
      const world = worldWith('web');
      world.pause('web');
      world.advance(30_000);
      world.clear();
      if (how === 'on request') {
        world.signal('web', 15);
        world.unpause('web');
        world.signal('web', 9);
      }
      world.die('web', 137);
      world.advance(30_000);
      const title = how === 'on request' ? `${STOPPED} (on request)` : STOPPED;
      expect(world.titles()).toEqual([title]);
      expect(world.messages()[0]).not.toContain('times within');
      if (how === 'by a crash') expect(world.messages()[0]).toContain('Previous Status: 🔴 Paused\n');
      world.start('web');
      world.advance(5000);
      expect(world.titles()).toEqual([title, RESTORED]);
      expect(world.messages()[1]).toContain('Previous Status: 🔴 Stopped\n');
    },
  );

  test('an unhealthy container that is restarted: its trouble ends without a word of its own', () => {
    const world = worldWith('web', { health: 'healthy' });
    world.health('web', 'unhealthy');
    world.advance(10_000);
    world.restart('web');
    world.advance(5000);
    world.health('web', 'healthy');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🏥 Service Unhealthy', '🔄 web restarted on request, healthy in 5 s']);
    expect(world.state.conditions.size).toBe(0);
  });

  test('a trouble follows the new name', () => {
    const world = worldWith('web');
    world.die('web', 1);
    world.advance(5000);
    world.rename('web', 'web2');
    world.advance(5000);
    world.start('web2');
    world.advance(5000);
    expect(world.titles()).toEqual([STOPPED, '🔄 web is now called web2', RESTORED]);
    expect(world.messages()[2]).toContain('Service: web2\n');
    expect(incidentsSince(world.store.db, 0).map(({ rule, subject }) => `${rule} ${subject}`)).toContain(
      'container-stopped web2',
    );
  });
});

describe('stopped or restarted on request just after a crash that its policy had repaired', () => {
  test.each(['stop', 'restart'] as const)('%s', (how) => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(100);
    world.start('web', 'policy');
    world.advance(500);
    world[how]('web');
    world.advance(60_000);
    if (how === 'stop') {
      // It does not run again any more when the message would go out.
      expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
      expect(world.messages()[0]).toContain(
        'Before that: web crashed, exit code 1, running again after 0.1 s',
      );
      return;
    }
    expect(world.titles()).toEqual([
      '🔄 Service Restarting',
      '🔄 web restarted on request, running again after 0.2 s',
    ]);
    expect(world.messages()[0]).toContain('Now: 🟢 Running again after 0.1 s');
  });
});

describe('removed in a restart loop', () => {
  function looping() {
    const world = worldWith('web', { policy: 'always' });
    for (let i = 0; i < 5; i++) {
      world.die('web', 1, true);
      world.advance(300);
      if (i < 4) world.start('web', 'policy');
      world.advance(5000);
    }
    expect(world.titles().at(-1)).toBe('⚠️ Service Malfunction Detected');
    world.clear();
    return world;
  }

  test('and nothing follows: that is told, and nothing stands any more', () => {
    const world = looping();
    world.destroy('web');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
    expect(world.messages()[0]).toContain('Next: The container was removed');
    world.advance(700_000);
    expect(world.titles()).toHaveLength(1);
    expect(world.state.conditions.size + world.state.pending.size).toBe(0);
  });

  test('and replaced by one that works: a deploy, no further restart', () => {
    const world = looping();
    world.destroy('web');
    world.advance(2000);
    world.run('web', { policy: 'always' });
    world.advance(30_000);
    expect(world.titles()).toEqual(['🚀 web redeployed, running again after 2 s']);
    world.advance(700_000);
    expect(world.titles().slice(1)).toEqual(['✅ Service Restored']);
  });

  test('right after its first crash, before anything was told', () => {
    const world = worldWith('web', { policy: 'always' });
    world.die('web', 1, true);
    world.advance(100);
    world.destroy('web');
    world.advance(30_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
    expect(world.state.conditions.size).toBe(0);
  });
});

describe('settings', () => {
  test('MONITORED_SERVICES: others are in the table, and not told', () => {
    const world = createWorld({ MONITORED_SERVICES: ['api'] });
    world.look();
    expect(world.told()).toEqual([]);
    expect(world.findings).toMatchObject([{ rule: 'service-missing', verdict: 'breach', quiet: true }]);
    world.clear();
    world.run('shop-api-1', { service: 'api' });
    world.run('other');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 Service Started']);
    expect(world.findings[0]).toMatchObject({ rule: 'service-missing', verdict: 'ok', quiet: true });
    world.clear();
    world.die('other', 1);
    world.die('shop-api-1', 1);
    world.advance(60_000);
    expect(world.told()).toMatchObject([{ subject: 'shop-api-1', alias: 'api' }]);
    expect(world.state.known.size).toBe(2);
  });

  test('a monitored service that was removed is missing', () => {
    const world = worldWith('api', {}, { MONITORED_SERVICES: ['api'] });
    world.remove('api');
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 Service Stopped (on request)']);
    const missing = world.findings.find(({ rule }) => rule === 'service-missing');
    expect(missing).toMatchObject({ verdict: 'breach', quiet: true });
  });

  test('muted changes are recorded, not told; restarts have their own limit per service', () => {
    const services = [{ name: 'web', mute: ['stopped', 'restored'], malfunctionRestarts: 1 }];
    const world = worldWith('web', { policy: 'on-failure', maxRetries: 9 }, {}, { services });
    world.die('web', 0);
    world.start('web');
    world.advance(30_000);
    expect(world.titles()).toEqual([]);
    expect(world.findings.filter(({ rule }) => rule === 'container-stopped')).toHaveLength(2);
    for (let i = 0; i < 2; i++) {
      world.die('web', 1, true);
      world.advance(100);
      world.start('web', 'policy');
      world.advance(30_000);
    }
    expect(world.titles()).toEqual(['🔄 Service Restarting', '⚠️ Service Malfunction Detected']);
  });
});

describe('of a trouble that is muted, the end is not told, either', () => {
  const mute = (...muted: string[]) => ({ services: [{ name: 'web', mute: muted }] });

  test('stopped', () => {
    const world = worldWith('web', {}, {}, mute('stopped'));
    world.die('web', 1);
    world.advance(30_000);
    world.start('web');
    world.advance(30_000);
    expect(world.titles()).toEqual([]);
    expect(world.openIncidents()).toEqual([]);
  });

  test('unhealthy', () => {
    const world = worldWith('web', { health: 'healthy' }, {}, mute('unhealthy'));
    world.health('web', 'unhealthy');
    world.advance(30_000);
    world.health('web', 'healthy');
    world.advance(30_000);
    expect(world.titles()).toEqual([]);
    expect(world.openIncidents()).toEqual([]);
  });

  test('a restart loop', () => {
    const world = worldWith('web', { policy: 'always' }, {}, mute('malfunction', 'restarting'));
    for (let i = 0; i < 9; i++) {
      world.die('web', 1, true);
      world.advance(100);
      world.start('web', 'policy');
      world.advance(5000);
    }
    world.advance(1_200_000);
    expect(world.titles()).toEqual([]);
    expect(world.openIncidents()).toEqual([]);
  });

  test('stopping again and again', () => {
    const world = worldWith('web', {}, {}, mute('stopped'));
    const around = (downMs: number) => {
      world.die('web', 1);
      world.advance(downMs);
      world.start('web');
      world.advance(5000);
    };
    around(5000);
    around(5000);
    around(90_000);
    world.advance(1_200_000);
    expect(world.titles()).toEqual([]);
    expect(world.openIncidents()).toEqual([]);
  });

  test('while the monitor was away', () => {
    const world = worldWith('web', { health: 'healthy' }, {}, mute('stopped', 'unhealthy'));
    world.health('web', 'unhealthy');
    world.advance(30_000);
    world.deaf(true);
    world.health('web', 'healthy');
    expect(world.look(world.rows())).toEqual([]);
    world.deaf(false);
    world.die('web', 1);
    world.advance(30_000);
    world.deaf(true);
    world.start('web');
    expect(world.look(world.rows())).toEqual([]);
  });
});

describe('again and again', () => {
  const flaps: Record<string, (world: ReturnType<typeof worldWith>) => void> = {
    'crashing, started by hand': (world) => {
      world.die('web', 1);
      world.advance(5000);
      world.start('web');
      world.advance(7000);
    },
    'crashing, restarted by its policy': (world) => {
      world.die('web', 1, true);
      world.advance(200);
      world.start('web', 'policy');
      world.advance(11_800);
    },
    'restarted by hand': (world) => {
      world.restart('web');
      world.advance(2000);
      world.health('web', 'healthy');
      world.advance(9800);
    },
    'its health': (world) => {
      world.health('web', 'unhealthy');
      world.advance(6000);
      world.health('web', 'healthy');
      world.advance(6000);
    },
    'docker run --rm, crashing': (world) => {
      if (!world.byName('web').hostConfig.autoRemove) world.byName('web').hostConfig.autoRemove = true;
      world.state.known.get(world.byName('web').id)!.autoRemove = true;
      world.die('web', 1);
      world.advance(2000);
      world.run('web', { autoRemove: true });
      world.advance(10_000);
    },
    'crashing and gone, then created anew': (world) => {
      world.die('web', 1);
      world.advance(1000);
      world.destroy('web');
      world.run('web');
      world.advance(11_000);
    },
  };
  for (const [name, once] of Object.entries(flaps)) {
    test(`50 times in 10 minutes, ${name}: at most 3 messages`, () => {
      const world = worldWith('web', {
        policy: name.includes('policy') ? 'always' : 'no',
        health: 'healthy',
      });
      for (let i = 0; i < 50; i++) once(world);
      expect(world.messages().length).toBeGreaterThan(1);
      expect(world.messages().length, world.titles().join('\n')).toBeLessThanOrEqual(3);
      world.clear();
      world.advance(1_200_000);
      expect(world.messages().length).toBeLessThanOrEqual(1);
      expect(world.state.conditions.size).toBe(0);
    });
  }

  test('one that flaps and then stays down is told as down', () => {
    const world = worldWith('web');
    for (let i = 0; i < 10; i++) {
      world.die('web', 1);
      world.advance(2000);
      world.start('web');
      world.advance(2000);
    }
    world.clear();
    world.die('web', 1);
    world.advance(90_000);
    expect(world.titles()).toEqual([STOPPED]);
    world.advance(3_600_000);
    world.start('web');
    world.advance(5000);
    expect(world.titles()).toEqual([STOPPED, RESTORED]);
  });

  test('a second crash soon after the first is told, with a note', () => {
    const world = worldWith('web');
    world.die('web', 1);
    world.advance(5000);
    world.start('web');
    world.advance(60_000);
    world.clear();
    world.die('web', 1);
    expect(world.messages()[0]).toContain('Note: 2 times within 10 min.');
  });
});

describe('many at once', () => {
  test('the first crash is told at once, the others in one list, their return in one', () => {
    const world = createWorld();
    for (let i = 0; i < 30; i++) world.run(`c${i}`);
    world.advance(60_000);
    world.clear();
    for (let i = 0; i < 30; i++) {
      world.die(`c${i}`, 1);
      world.advance(50);
    }
    expect(world.titles()).toEqual([STOPPED]);
    world.advance(10_000);
    expect(world.titles()).toEqual([STOPPED, '🔴 29 Services Stopped']);
    // Each is an incident of its own all the same.
    expect(world.findings.filter((finding) => finding.verdict === 'breach')).toHaveLength(30);
    world.clear();
    for (let i = 0; i < 30; i++) world.start(`c${i}`);
    world.advance(10_000);
    expect(world.titles()).toEqual(['✅ 30 Services Restored']);
  });

  test('two or three crashes in a row are told one by one, none later than a second', () => {
    const world = createWorld();
    for (const name of ['a', 'b', 'c']) world.run(name);
    world.advance(60_000);
    world.clear();
    const died = new Map<string, number>();
    for (const name of ['a', 'b', 'c']) {
      died.set(name, world.now);
      world.die(name, 1);
      world.advance(200);
    }
    world.advance(5000);
    expect(world.titles()).toEqual([STOPPED, STOPPED, STOPPED]);
    for (const finding of world.told())
      expect(finding.saidAt - died.get(finding.subject)!).toBeLessThan(1000);
  });

  test('fifty that crashed: all are named; removed, they are not called restored', () => {
    const world = createWorld();
    for (let i = 0; i < 50; i++) world.run(`service-${i}`);
    world.advance(600_000);
    world.clear();
    for (let i = 0; i < 50; i++) world.die(`service-${i}`, 137);
    world.advance(30_000);
    const all = world.messages().join('\n');
    for (let i = 0; i < 50; i++) expect(all).toMatch(new RegExp(`service-${i}\\b`));
    world.clear();
    for (let i = 0; i < 50; i++) world.destroy(`service-${i}`);
    world.advance(30_000);
    expect(world.titles()).toEqual(['🔴 50 Services removed: nothing is left to watch']);
  });

  test('compose up of ten services is one message, compose down, too', () => {
    const world = createWorld();
    for (let i = 0; i < 10; i++) world.run(`s${i}`);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🚀 10 Services Started']);
    world.clear();
    for (let i = 0; i < 10; i++) world.stop(`s${i}`);
    for (let i = 0; i < 10; i++) world.destroy(`s${i}`);
    world.advance(60_000);
    expect(world.titles()).toEqual(['🔴 10 Services Stopped (on request)']);
  });
});
