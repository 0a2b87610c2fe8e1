// The Dockerfile, built and run by a real engine: as another user than root, on a read-only root filesystem, on its socket.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

const repo = fileURLToPath(new URL('../..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'vpsmon-image-'));
let engine: Engine;
let telegram: Telegram;
let port: number;

beforeAll(async () => {
  if (!existsSync(join(repo, 'dist/cli.js'))) throw new Error('dist is missing: npm run build');
  [engine, telegram, port] = await Promise.all([startEngine(), startTelegram(), freePort()]);
  importBase();
  buildImage();
});
afterEach(() => engine.clear());
afterAll(async () => {
  await engine?.stop();
  await telegram?.close();
  rmSync(work, { recursive: true, force: true });
});

/** The docker command against this test's engine. */
function docker(...args: string[]): string {
  const env = { ...process.env, DOCKER_HOST: engine.dockerHost, DOCKER_BUILDKIT: '0' };
  const result = spawnSync('docker', args, { encoding: 'utf8', env, maxBuffer: 64 * 1_048_576 });
  if (result.error) throw new Error('docker is missing: apt-get install docker.io');
  if (result.status !== 0) throw new Error(`docker ${args.join(' ')}: ${result.stderr}${result.stdout}`);
  return result.stdout.trim();
}

/** In place of node:20-bookworm-slim, which would have to be downloaded: this node, its libraries, and busybox for the rest. */
function importBase(): void {
  const root = join(work, 'base');
  for (const folder of ['bin', 'etc', 'tmp', 'usr/bin', 'usr/local/bin', 'var'])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of spawnSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).stdout.split('\n')) {
    if (applet && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  symlinkSync('/bin/env', join(root, 'usr/bin/env'));
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  // The C library is whole in a real base image: here it is what node and the native packages ask for.
  const native = readdirSync(join(repo, 'node_modules/@libsql')).map((name) => {
    return join(repo, 'node_modules/@libsql', name, 'index.node');
  });
  for (const program of [process.execPath, ...native]) {
    const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
    for (const [, library = ''] of stdout.matchAll(/(\/\S+) \(0x/g)) {
      mkdirSync(join(root, dirname(library)), { recursive: true });
      copyFileSync(realpathSync(library), join(root, library));
    }
  }
  const tar = join(work, 'base.tar');
  const packed = spawnSync('tar', ['-C', root, '-cf', tar, '.']);
  if (packed.status !== 0) throw new Error(`tar: ${packed.stderr.toString()}`);
  const path = 'ENV PATH=/usr/local/bin:/usr/bin:/bin';
  docker('import', '--change', path, tar, 'vpsmon-test:node');
}

/** With what `npm ci` made in this checkout, and without a network, so that nothing is fetched by the way. */
function buildImage(): void {
  const context = join(work, 'context');
  const taken = ['Dockerfile', 'package.json', 'LICENSE', 'monitor.conf.example', 'bin', 'dist'];
  const modules = ['libsql', '@libsql', '@neon-rs', 'detect-libc', '@resvg'].map(
    (name) => `node_modules/${name}`,
  );
  for (const name of [...taken, ...modules])
    cpSync(join(repo, name), join(context, name), { recursive: true });
  docker('build', '--network', 'none', '--build-arg', 'BASE=vpsmon-test:node', '-t', 'vpsmon', context);
}

/** As config/docker-compose.example.yml runs it, but for the network: this engine has none to give. */
function runMonitor(...more: string[]): string {
  const group = String(statSync(engine.socket).gid);
  const hardened = [
    '--read-only',
    '--tmpfs',
    '/tmp',
    '--cap-drop',
    'ALL',
    '--security-opt',
    'no-new-privileges',
  ];
  const mounts = ['-v', `${engine.socket}:/var/run/docker.sock:ro`, '-v', 'vpsmon-state:/var/lib/vpsmon'];
  const settings = [
    `TELEGRAM_API_ROOT=${telegram.url}`,
    `TELEGRAM_BOT_TOKEN=${telegram.token}`,
    `TELEGRAM_CHAT_ID=${telegram.chatId}`,
    `HTTP_LISTEN=127.0.0.1:${port}`,
    'SERVICE_CHECK_INTERVAL=10',
    'REPORT_INTERVAL_HOURS=0',
  ].flatMap((setting) => ['-e', setting]);
  const base = ['run', '-d', '--name', 'service-monitor', '--network', 'host', '--memory', '160m'];
  const health = ['--health-interval', '1s', '--group-add', group];
  return docker(...base, ...health, ...hardened, ...mounts, ...settings, ...more, 'vpsmon');
}

type Health = { status: string; reasons: string[]; services_monitored: number; docker_connected: boolean };
async function health(): Promise<Health | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
  return answer?.ok ? ((await answer.json()) as Health) : undefined;
}
/** What the monitor wrote, and what the last healthcheck said. */
function logs(): string {
  const env = { ...process.env, DOCKER_HOST: engine.dockerHost };
  const { stdout, stderr } = spawnSync('docker', ['logs', 'service-monitor'], { encoding: 'utf8', env });
  return `${stdout}${stderr}${docker('inspect', '-f', '{{json .State}}', 'service-monitor')}`;
}

describe('the image', () => {
  test('has what is needed and not npm ci’s leftovers', () => {
    const { Config: config, Size: size } = JSON.parse(docker('inspect', 'vpsmon').slice(1, -1)) as {
      Config: Record<string, unknown>;
      Size: number;
    };
    expect(config).toMatchObject({
      User: '10001:10001',
      Volumes: { '/var/lib/vpsmon': {} },
      ExposedPorts: { '8080/tcp': {} },
      Cmd: ['monitor'],
    });
    expect(config['Env']).toEqual(
      expect.arrayContaining(['HTTP_LISTEN=0.0.0.0:8080', 'VPSMON_STATE_DIR=/var/lib/vpsmon']),
    );
    const base = JSON.parse(docker('inspect', 'vpsmon-test:node').slice(1, -1)) as { Size: number };
    expect((size - base.Size) / 1_048_576).toBeLessThan(40);
  });

  test('a mistake in the environment is said, and ends it with 3', () => {
    const result = spawnSync(
      'docker',
      ['run', '--rm', '--network', 'none', '--read-only', '-e', 'SERVICE_CHECK_INTERVAL=1', 'vpsmon'],
      { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: engine.dockerHost } },
    );
    expect(result.status).toBe(3);
    expect(result.stderr).toContain(
      'error: environment: SERVICE_CHECK_INTERVAL: expected a whole number from 10 to 3600, found "1"',
    );
  });
});

test('watches containers and host, read-only and not as root, until it is stopped', async () => {
  runMonitor('-v', '/:/host:ro', '-e', 'HOST_ROOT=/host');
  try {
    await until(
      () => docker('inspect', '-f', '{{.State.Health.Status}}', 'service-monitor') === 'healthy',
      'healthy',
    );
  } catch (error) {
    throw new Error(`${String(error)}\n${logs()}`, { cause: error });
  }
  const sleeper = await engine.run({ name: 'shop-api' });
  const seen = await until(async () => {
    const now = await health();
    return now?.services_monitored === 2 && now.status === 'healthy' ? now : undefined;
  }, 'seeing the container');
  expect(seen).toMatchObject({ docker_connected: true });

  // Not root, and nothing of the image can be changed.
  expect(docker('exec', 'service-monitor', 'id', '-u')).toBe('10001');
  expect(() => docker('exec', 'service-monitor', 'touch', '/opt/vpsmon/x')).toThrow(/Read-only file system/);
  expect(docker('exec', 'service-monitor', 'vpsmon', '--version')).toMatch(/^\d+\.\d+\.\d+$/);

  // The host's values are the host's: its memory, its disk, and the containers' memory from its cgroup files.
  const metrics = await until(async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return /^container_memory_bytes\{[^}]*shop-api[^}]*\} \d+/m.test(text) && text;
  }, 'the memory of the container');
  expect(metrics).toMatch(/^memory_pressure_score /m);
  expect(metrics).toMatch(/^vpsmon_disk_[a-z_]+\{[^}]*mount="\/"[^}]*\} \d/m);

  // A crash: killed without Docker having been asked.
  process.kill(Number(docker('inspect', '-f', '{{.State.Pid}}', sleeper)), 'SIGKILL');
  const told = await until(
    () => telegram.sent.find((m) => m.plain.includes('Service Stopped')),
    'the message',
  );
  expect(told?.plain).toContain('shop-api');

  // Exit code 0: it ended by itself, and was not killed after the 10 s. With 3 it needed longer than it allows itself, on a busy machine.
  const stop = (): string => {
    docker('stop', '-t', '60', 'service-monitor');
    return docker('inspect', '-f', '{{.State.ExitCode}} {{.State.OOMKilled}}', 'service-monitor');
  };
  let ended = stop();
  for (let tries = 1; ended === '3 false' && tries < 5; tries += 1) {
    docker('start', 'service-monitor');
    await until(async () => (await health())?.status === 'healthy', 'its start');
    ended = stop();
  }
  expect(ended).toBe('0 false');
  expect(logs()).not.toMatch(/Unexpected/);

  // What it knew is in the volume, for the next container.
  docker('rm', 'service-monitor');
  expect(
    docker(
      'run',
      '--rm',
      '--network',
      'none',
      '--read-only',
      '-v',
      'vpsmon-state:/var/lib/vpsmon',
      '--entrypoint',
      'ls',
      'vpsmon',
      '/var/lib/vpsmon',
    ),
  ).toContain('vpsmon.db');
});

test('without the host’s files it still watches the containers', async () => {
  runMonitor();
  await engine.run({ name: 'lonely' });
  const now = await until(async () => {
    const seen = await health();
    return seen?.status === 'healthy' && seen.services_monitored === 2 ? seen : undefined;
  }, 'seeing the container');
  expect(now).toMatchObject({ docker_connected: true, reasons: [] });
});
