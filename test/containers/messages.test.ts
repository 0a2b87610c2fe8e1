// The messages as people see them, word for word: test/fixtures/services/*.html.
import { describe, expect, test } from 'vitest';
import { countServices, serviceLines } from '../../src/containers/table.ts';
import { onlyLines, type MonitorReport, type StartReport } from '../../src/model/monitor-report.ts';
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { createWorld, START, worldWith, type World } from './world.ts';

const LOGS = [
  'listening on 8080',
  'connecting to postgres://app:s3cr3t@db/app',
  'Error: <lost> & gone',
  '    at main.js:1',
];
const golden = (name: string) => `../fixtures/services/${name}.html`;

const started = (report: Omit<StartReport, 'kind' | 'late' | 'rebooted'>) =>
  reportMessage({ kind: 'start', late: false, rebooted: false, ...report }, 'vps1');

async function expectMessages(world: World, name: string): Promise<void> {
  await expect(`${world.messages().join('\n\n=====\n\n')}\n`).toMatchFileSnapshot(golden(name));
}

describe('the six messages', () => {
  test('started', async () => {
    const world = createWorld();
    world.run('stardust-my-firstcare-com');
    world.advance(10_000);
    await expectMessages(world, 'started');
  });

  test('stopped: a crash, told at once, and restored', async () => {
    const world = worldWith('stardust-ava4-listener', { logs: LOGS });
    world.die('stardust-ava4-listener', 1);
    expect(world.messages()).toHaveLength(1);
    world.advance(200_000);
    world.start('stardust-ava4-listener');
    world.advance(10_000);
    await expectMessages(world, 'stopped-restored');
  });

  test('stopped on request', async () => {
    const world = worldWith('stardust-ava4-listener');
    world.stop('stardust-ava4-listener');
    world.advance(25_000);
    await expectMessages(world, 'stopped-on-request');
  });

  test('restarting', async () => {
    const world = worldWith('stardust-qube-listener', { policy: 'unless-stopped', logs: LOGS });
    world.die('stardust-qube-listener', 139, true);
    world.advance(400);
    world.start('stardust-qube-listener', 'policy');
    world.advance(10_000);
    await expectMessages(world, 'restarting');
  });

  test('malfunction, then a restart loop, then stable', async () => {
    const world = worldWith('stardust-mqtt-panel', { policy: 'always', logs: LOGS });
    for (let i = 0; i < 6; i++) {
      world.die('stardust-mqtt-panel', 1, true);
      world.advance(300);
      world.start('stardust-mqtt-panel', 'policy');
      world.advance(9_700);
    }
    world.advance(11 * 60_000);
    await expectMessages(world, 'malfunction');
  });

  test('unhealthy and restored', async () => {
    const world = worldWith('stardust-redis', {
      health: 'healthy',
      logs: LOGS,
      healthOutput: 'curl: (7) Failed to connect to <localhost>\n',
    });
    world.health('stardust-redis', 'unhealthy');
    world.advance(90_000);
    world.health('stardust-redis', 'healthy');
    world.advance(10_000);
    await expectMessages(world, 'unhealthy');
  });
});

describe('one-liners and lists', () => {
  test('a deploy, with memory before and after', async () => {
    const world = createWorld({}, {}, { memoryOf: () => 180 * 1_048_576 });
    world.run('shop-web-1', { health: 'healthy' });
    world.advance(60_000);
    world.clear();
    world.remove('shop-web-1');
    world.create('shop-web-1', { health: 'starting', bytes: 260 * 1_048_576 });
    world.advance(1500);
    world.start('shop-web-1');
    world.advance(22_000);
    world.health('shop-web-1', 'healthy');
    world.advance(60_000);
    await expectMessages(world, 'redeployed');
  });

  test('docker restart', async () => {
    const world = worldWith('web');
    world.restart('web');
    world.advance(60_000);
    await expectMessages(world, 'restarted');
  });

  test('rename, pause and removal', async () => {
    const world = worldWith('web');
    world.rename('web', 'web-old');
    world.advance(5000);
    world.pause('web-old');
    world.advance(25_000);
    world.unpause('web-old');
    world.advance(5000);
    world.remove('web-old');
    world.advance(25_000);
    await expectMessages(world, 'rename-pause-remove');
  });

  test('many at once', async () => {
    const world = createWorld();
    for (let i = 1; i <= 12; i++) world.run(`worker-${i}`);
    world.advance(60_000);
    for (let i = 1; i <= 12; i++) world.die(`worker-${i}`, i === 1 ? 3 : 137);
    world.advance(10_000);
    for (let i = 1; i <= 12; i++) world.start(`worker-${i}`);
    world.advance(10_000);
    await expectMessages(world, 'many');
  });

  test('Docker gone and back', async () => {
    const world = createWorld();
    for (const name of ['api', 'db', 'web']) world.run(name, { policy: name === 'web' ? 'no' : 'always' });
    world.advance(60_000);
    world.clear();
    for (const name of ['api', 'db', 'web']) {
      world.signal(name, 15);
      world.die(name, 0);
    }
    world.down();
    world.advance(40_000);
    world.deaf(true);
    world.start('api');
    world.start('db');
    world.deaf(false);
    world.up();
    world.advance(30_000);
    await expectMessages(world, 'docker-gone');
  });
});

describe('the monitor itself', () => {
  test('first start, with what is not well', async () => {
    const world = createWorld({ MONITORED_SERVICES: ['api', 'db', 'mail', 'ghost'] });
    world.deaf(true);
    world.run('api');
    world.run('db', { health: 'unhealthy' });
    world.run('mail');
    world.die('mail', 3);
    world.deaf(false);
    const notes = world.look();
    const message = started({
      at: START,
      counts: countServices(world.state),
      lines: notes,
      first: true,
    });
    await expect(`${message.html}\n`).toMatchFileSnapshot(golden('start-first'));
    expect(message.severity).toBe('warning');
  });

  test('a later start tells what changed and nothing else', async () => {
    const world = createWorld();
    for (const name of ['api', 'db', 'web', 'cron', 'old', 'sick'])
      world.run(name, { health: name === 'sick' ? 'unhealthy' : 'none' });
    world.run('broken');
    world.die('broken', 1);
    world.advance(120_000);
    const rows = world.rows();
    world.deaf(true);
    world.stop('api', 143);
    world.advance(1000);
    world.die('db', 137);
    world.remove('web');
    world.run('web');
    world.remove('old');
    world.run('fresh');
    world.restart('cron');
    world.health('sick', 'healthy');
    world.advance(600_000);
    const history = [...world.unheard];
    world.deaf(false);
    const notes = world.look(rows, history);
    const counts = countServices(world.state);
    const message = started({
      at: world.now,
      counts,
      lines: notes,
      first: false,
      away: { ms: 600_000, atMost: false },
    });
    await expect(`${message.html}\n`).toMatchFileSnapshot(golden('start-later'));
  });

  test('paused before, and still: not news; paused meanwhile: told, and so is the end of it', () => {
    const world = createWorld();
    for (const name of ['before', 'meanwhile']) world.run(name);
    world.advance(60_000);
    world.pause('before');
    world.advance(60_000);
    const rows = world.rows();
    world.deaf(true);
    world.pause('meanwhile');
    world.advance(5000);
    const history = [...world.unheard];
    world.deaf(false);
    world.clear();
    expect(world.look(rows, history).map((note) => note.line)).toEqual([
      '🔴 <b>meanwhile</b> is paused (docker pause)',
    ]);
    expect(world.findings.filter((finding) => finding.verdict !== 'breach')).toEqual([]);
    world.advance(60_000);
    world.unpause('meanwhile');
    world.advance(5000);
    world.unpause('before');
    world.advance(5000);
    const ends = world.told().filter(({ verdict }) => verdict === 'ok');
    expect(ends.map((finding) => finding.text)).toEqual([
      'meanwhile runs again after 1 min 5 s',
      'before runs again after 2 min 10 s',
    ]);
  });

  test('its own container: started on request is no news, a crash is', () => {
    const world = createWorld();
    for (const name of ['web', 'vpsmon']) world.run(name, { policy: 'always' });
    world.advance(60_000);
    const rows = world.rows();
    world.deaf(true);
    const lines = () => world.look(rows, world.unheard, 'vpsmon').map((note) => note.line);
    world.restart('vpsmon');
    world.advance(60_000);
    expect(lines()).toEqual([]);
    world.remove('vpsmon');
    world.run('vpsmon', { policy: 'always' });
    world.advance(60_000);
    expect(lines()).toEqual([]);
    world.die('vpsmon', 134, true);
    world.start('vpsmon', 'policy');
    expect(world.look(world.rows(), world.unheard, 'vpsmon').map((note) => note.line)).toEqual([
      '🔄 <b>vpsmon</b> was restarted by its restart policy: crashed, exit code 134 (SIGABRT)',
    ]);
  });

  test('a container that is paused needs attention at the first start', () => {
    const world = createWorld();
    world.run('web');
    world.pause('web');
    expect(world.look()).toMatchObject([{ kind: 'stopped', name: 'web' }]);
  });

  test('nothing changed', async () => {
    const world = worldWith('api');
    const rows = world.rows();
    const notes = world.look(rows);
    expect(notes).toEqual([]);
    const counts = countServices(world.state);
    const message = started({
      at: START,
      counts,
      lines: notes,
      first: false,
      away: { ms: 30_000, atMost: false },
    });
    await expect(`${message.html}\n`).toMatchFileSnapshot(golden('start-nothing-changed'));
  });

  test('something that is silenced changed: neither nothing did, nor is all back after a reboot', () => {
    const counts = { monitored: 3, running: 2, stopped: 1, restarting: 0, unhealthy: 0 };
    const report: StartReport = {
      kind: 'start',
      at: START,
      counts,
      lines: [{ kind: 'stopped', how: 'found', name: 'api', exitCode: 1 }],
      first: false,
      late: false,
      rebooted: false,
      away: { ms: 60_000, atMost: false },
    };
    const shown = onlyLines(report, () => false);
    expect(shown.lines).toEqual([]);
    expect(reportMessage(shown, 'vps1').html).not.toContain('Nothing changed');
    expect(reportMessage({ ...shown, rebooted: true }, 'vps1').html.split('\n')[0]).toBe(
      '🔄 <b>Server Rebooted</b> (clean), away 1 min, 2 of 3 services run',
    );
  });

  test('a status report while Docker does not answer does not say how the services are', () => {
    const report: MonitorReport = {
      kind: 'status-report',
      at: START,
      services: [{ name: 'api', state: 'running', health: 'none', restartCount: 0 }],
      unseen: true,
    };
    const { html } = reportMessage(report, 'vps1');
    expect(html).toContain('Docker does not answer');
    expect(html).not.toMatch(/api|Running/);
  });

  test('without Docker, and the stop', async () => {
    const why = 'no Docker socket at /var/run/docker.sock: Docker is not installed or not running';
    const without = reportMessage({ kind: 'start-without-docker', at: START, why, rebooted: false }, 'vps1');
    const stop = reportMessage({ kind: 'stop', at: START, monitored: 7 }, 'vps1');
    await expect(`${without.html}\n\n=====\n\n${stop.html}\n`).toMatchFileSnapshot(
      golden('without-docker-and-stop'),
    );
  });
});

test('a name and labels full of HTML and control characters break nothing', () => {
  const world = createWorld();
  const name = '<b>x</b>&"\u001b[31m\u202e';
  world.run(name, { service: '<i>&', logs: ['\u0000<script>\u001b[2J'], image: '<img>' });
  world.advance(60_000);
  world.die(name, 1);
  world.advance(60_000);
  world.rename(name, `${name}<u>`);
  const text = world.messages().join('\n');
  for (const bad of ['<script>', '<i>', '<u>', '<img>', '\u001b', '\u202e', '<b>x'])
    expect(text).not.toContain(bad);
  expect(text).toContain('&lt;b&gt;x&lt;/b&gt;&amp;&quot;');
  expect(serviceLines(world.state)).toHaveLength(1);
});

test('no secret in log lines, in what Docker or a health check says, alone or in a list', () => {
  const world = createWorld();
  const env = ['API_TOKEN=t0pS3cret-value'];
  const healthOutput = `${'x'.repeat(190)} t0pS3cret-value [36mpassword[0m=hunter22`;
  const logs = ['[36mpassword[39m=hunter22', 'with t0pS3cret-value'];
  for (let i = 0; i < 6; i++) world.run(`c${i}`, { env, healthOutput, logs, health: 'healthy' });
  world.advance(60_000);
  for (let i = 0; i < 6; i++) world.health(`c${i}`, 'unhealthy');
  world.advance(60_000);
  for (let i = 0; i < 6; i++) {
    world.byName(`c${i}`).state.error = 'cannot run it with t0pS3cret-value';
    world.die(`c${i}`, 127);
  }
  world.advance(60_000);
  expect(world.titles()).toContain('🏥 5 Services Unhealthy');
  expect(world.messages().join('\n')).toContain('***');
  expect(world.messages().join('\n')).not.toMatch(/hunter22|t0pS/);
  // What is kept of them holds none, either.
  expect(JSON.stringify(world.findings)).not.toMatch(/hunter22|t0pS/);
});

test('every message fits Telegram however long the log lines and names are', () => {
  const world = createWorld();
  const long = 'n'.repeat(250);
  for (let i = 0; i < 60; i++)
    world.run(`${long}${i}`, { logs: Array.from({ length: 5 }, () => '<&>'.repeat(400)) });
  world.advance(60_000);
  for (let i = 0; i < 60; i++) world.die(`${long}${i}`, 1);
  world.advance(20_000);
  expect(world.messages().length).toBeGreaterThan(1);
  // The names that a list could not show in full follow, all of them: delivery cuts that into parts.
  for (const text of world.messages())
    expect(text.replace(/^\.\.\. and \d+ more: .*$/m, '').length).toBeLessThan(4096);
});
