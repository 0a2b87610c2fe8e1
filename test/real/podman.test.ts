// S13: a real podman behind its Docker socket. It names events in its own words (4.3: `died`, `remove`).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDockerHost } from '../../src/system/docker/address.ts';
import { openDocker } from '../../src/system/docker/docker.ts';
import type { Docker, DockerEvent } from '../../src/system/types.ts';
import { until } from '../helpers/daemon.ts';
import { killLeftovers } from '../helpers/docker-engine.ts';
import { startOwn, type OwnProcess } from '../helpers/own-process.ts';
import { openWatcherSetup } from '../helpers/watcher-setup.ts';
import { startTelegram } from '../standins/telegram.js';

const dir = mkdtempSync(join(tmpdir(), 'vpsmon-podman-'));
const socket = join(dir, 'podman.sock');
// prettier-ignore
const OPTIONS = ['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--tmpdir', join(dir, 'tmp'),
  '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
let service: OwnProcess;
let docker: Docker;

function podman(...args: string[]): string {
  return execFileSync('podman', [...OPTIONS, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
/** podman's own are above what a test machine may allow. */
const ULIMITS = ['--ulimit', 'nofile=256:256', '--ulimit', 'nproc=512:512'];

function run(name: string, command: string, ...options: string[]): void {
  podman(
    'run',
    '-d',
    '--name',
    name,
    '--network',
    'none',
    ...ULIMITS,
    ...options,
    'bb:1',
    '/bin/sh',
    '-c',
    command,
  );
}

beforeAll(async () => {
  service = startOwn('podman', [...OPTIONS, 'system', 'service', '--time', '0', `unix://${socket}`]);
  await until(() => existsSync(socket), 'the socket of podman');
  mkdirSync(join(dir, 'image/bin'), { recursive: true });
  copyFileSync(
    execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(),
    join(dir, 'image/bin/busybox'),
  );
  for (const applet of ['sh', 'sleep']) symlinkSync('busybox', join(dir, 'image/bin', applet));
  execFileSync('tar', ['-C', join(dir, 'image'), '-cf', join(dir, 'image.tar'), '.']);
  podman('import', join(dir, 'image.tar'), 'bb:1');
  docker = openDocker(`unix://${socket}`);
});
afterAll(async () => {
  docker?.close();
  // What a busy podman does not take away at once is no matter of these tests.
  spawnSync('podman', [...OPTIONS, 'rm', '--all', '--force', '--time', '0']);
  await service?.end();
  // Each container that ended has a podman of its own tidy up after it, which writes into the folder that is removed here.
  killLeftovers(dir);
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n').toReversed()) {
    const mount = line.split(' ')[1] ?? '';
    if (mount.startsWith(`${dir}/`)) spawnSync('umount', ['-l', mount]);
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

test('S13: where Docker has no socket, that of podman is found', async () => {
  const found = openDocker(parseDockerHost('', ['/nonexistent/docker.sock', socket]).address);
  await expect.poll(() => found.version().catch(String)).toMatchObject({ podman: true });
  found.close();
});

test('its events are read as those of Docker', async () => {
  const events: DockerEvent[] = [];
  const stop = new AbortController();
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const following = docker.events({
    // podman answers before it has begun to read its file of events: what comes in between is had all the same.
    since: BigInt(Date.now()) * 1_000_000n,
    signal: stop.signal,
    onOpen: open,
    onEvent: (event) => events.push(event),
  });
  following.catch(() => {});
  await opened;
  run('job', 'exit 3');
  const seen = (action: string) => events.find((event) => event.action === action && event.name === 'job');
  await expect.poll(() => seen('die')).toBeDefined();
  expect(seen('die')?.attributes['exitCode']).toBe('3');
  podman('rm', 'job');
  await expect.poll(() => seen('destroy')).toBeDefined();
  run('sick', 'sleep 100', '--health-cmd', 'false', '--health-interval', 'disable', '--health-retries', '1');
  expect(() => podman('healthcheck', 'run', 'sick')).toThrow();
  await expect
    .poll(() => events.some(({ action, name }) => name === 'sick' && action.startsWith('health_status: ')))
    .toBe(true);
  stop.abort();
  await following;
  await expect.poll(() => docker.version().catch(String)).toMatchObject({ podman: true });
});

test('S13: a crash is told as soon as podman knows, and what was removed is not counted for ever', async () => {
  const telegram = await startTelegram();
  const monitor = openWatcherSetup(docker, telegram);
  try {
    await monitor.start();
    run('crasher', 'sleep 1; exit 7');
    const titles = () => telegram.sent.map((message) => message.plain);
    const crash = /Service Stopped[^]*crasher/;
    await expect.poll(titles).toContainEqual(expect.stringMatching(crash));
    const told = telegram.sent.find(({ plain }) => crash.test(plain));
    expect(told?.plain).toContain('exit code 7');
    const died = Number(
      podman(
        'events',
        '--stream=false',
        '--since',
        '10m',
        '--filter',
        'event=died',
        '--filter',
        'container=crasher',
        '--format',
        '{{.Time.UnixMilli}}',
      ).trim(),
    );
    expect(died).toBeGreaterThan(0);
    // 0.2 s when it was tried, with room for a busy machine; without its events it would be found half a minute later.
    expect((told?.at ?? Infinity) - died).toBeLessThan(20_000);
    run('asked', 'sleep 1000');
    await expect.poll(() => monitor.watcher.claimHolds('asked', 'up')).toBe(true);
    podman('stop', '--time', '0', 'asked');
    const unsure = expect.stringMatching(
      /Service Stopped[^]*asked[^]*podman does not say whether it was asked to/,
    );
    await expect.poll(titles).toContainEqual(unsure);
    // Its event has what the check before it had shown: there was none.
    run(
      'ailing',
      'sleep 1000',
      '--health-cmd',
      'false',
      '--health-interval',
      'disable',
      '--health-retries',
      '1',
    );
    await expect.poll(() => monitor.watcher.claimHolds('ailing', 'up')).toBe(true);
    expect(() => podman('healthcheck', 'run', 'ailing')).toThrow();
    await expect.poll(titles).toContainEqual(expect.stringMatching(/Service Unhealthy[^]*ailing/));
    podman('rm', 'crasher');
    await expect.poll(() => monitor.watcher.claimHolds('crasher', 'gone')).toBe(true);
  } finally {
    await monitor.remove();
    await telegram.close();
  }
});
