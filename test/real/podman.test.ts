// S13: a real podman behind its Docker socket. It names events in its own words (4.3: `died`, `remove`).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parseDockerHost } from '../../src/system/docker/address.ts';
import { openDocker } from '../../src/system/docker/docker.ts';
import type { Docker, DockerEvent } from '../../src/system/types.ts';
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
  await vi.waitUntil(() => existsSync(socket), { timeout: 55_000 });
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
  podman('rm', '--all', '--force', '--time', '0');
  await service.end();
  rmSync(dir, { recursive: true, force: true });
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
  expect(await docker.version()).toMatchObject({ podman: true });
});

test('S13: a crash is told as soon as podman knows, and what was removed is not counted for ever', async () => {
  const telegram = await startTelegram();
  const monitor = openWatcherSetup(docker, telegram);
  try {
    await monitor.start();
    run('crasher', 'sleep 1; exit 7');
    const titles = () => telegram.sent.map((message) => message.plain);
    await expect.poll(titles).toContainEqual(expect.stringMatching(/Service Stopped[^]*crasher/));
    expect(titles().join('\n')).toContain('7');
    const told = telegram.sent.find(({ plain }) => plain.includes('crasher'));
    const died = Number(
      podman(
        'events',
        '--stream=false',
        '--since',
        '1m',
        '--filter',
        'event=died',
        '--filter',
        'container=crasher',
        '--format',
        '{{.Time.UnixMilli}}',
      ).trim(),
    );
    expect(died).toBeGreaterThan(0);
    // 0.2 s when it was tried, with room for a busy machine.
    expect((told?.at ?? Infinity) - died).toBeLessThan(3000);
    podman('rm', 'crasher');
    await expect.poll(() => monitor.watcher.claimHolds('crasher', 'gone')).toBe(true);
  } finally {
    await monitor.remove();
    await telegram.close();
  }
});
