// A real Docker engine for a test: its own dockerd with its own folders and socket, one small image, stopped by its pid.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDocker } from '../../src/system/docker/docker.ts';
import type { Docker } from '../../src/system/types.ts';

/** busybox with every applet as a command: sh, sleep, cat, tail, nc, httpd, dd, ... */
export const IMAGE = 'vpsmon-test:busybox';

export type RunOptions = {
  name?: string;
  image?: string;
  /** Default: sleeps for an hour. */
  command?: string[];
  env?: string[];
  labels?: Record<string, string>;
  /** Bytes; 0 = unlimited. Swap is never given. */
  memory?: number;
  restartPolicy?: 'no' | 'always' | 'on-failure' | 'unless-stopped';
  maximumRetryCount?: number;
  /** `none` (default) or `host`: the engine has no bridge. */
  network?: 'none' | 'host';
  healthcheck?: { test: string; intervalMs?: number; retries?: number };
  autoRemove?: boolean;
  tty?: boolean;
  /** host:container[:ro] */
  binds?: string[];
  /** Only create it. */
  start?: boolean;
};

export type Engine = {
  socket: string;
  /** For DOCKER_HOST. */
  dockerHost: string;
  /** Changes when the engine was halted and started again. */
  readonly pid: number;
  docker: Docker;
  /** Any call of the API; throws for an answer >= 400. Returns the parsed JSON, or undefined. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Creates and starts a container; returns its full id. */
  run(options?: RunOptions): Promise<string>;
  /** Another name for the test image. */
  tag(repository: string, tag: string): Promise<void>;
  kill(id: string, signal?: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** Removes every container. */
  clear(): Promise<void>;
  /** Stops dockerd (SIGTERM) or kills it (SIGKILL); `start` brings it back with the same data. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Removes everything; call it in afterAll. */
  stop(): Promise<void>;
};

function need(program: string, debianPackage: string): void {
  const found = (process.env['PATH'] ?? '').split(':').some((dir) => existsSync(join(dir, program)));
  if (!found) throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
}

/** Starts dockerd; needs root, docker.io and busybox-static. Takes 2 to 5 s. */
export async function startEngine(extraArgs: string[] = []): Promise<Engine> {
  need('dockerd', 'docker.io');
  need('busybox', 'busybox-static');
  need('tar', 'tar');
  if (process.getuid?.() !== 0) throw new Error('tests with a real Docker engine need root');
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-docker-'));
  const socket = join(dir, 's.sock');
  const paths = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')];
  const args = ['--bridge=none', '--iptables=false', ...paths, '-H', `unix://${socket}`];
  let child: ChildProcess | undefined;

  /** dockerd ends where its containerd needs more than 15 s, which a busy machine may make it need. */
  async function start(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await startOnce();
      } catch (error) {
        if (tries === 3) throw error;
        await halt('SIGKILL');
        killLeftovers(dir);
      }
    }
  }

  async function startOnce(): Promise<void> {
    const log = openSync(join(dir, 'log'), 'a');
    child = spawn('dockerd', [...args, '--pidfile', join(dir, 'pid'), ...extraArgs], {
      stdio: ['ignore', log, log],
    });
    const ended = new Promise<never>((_, reject) => {
      child?.once('error', reject);
      child?.once('exit', (code) => reject(new Error(`dockerd ended (${code}): ${tail(join(dir, 'log'))}`)));
    });
    ended.catch(() => {});
    await Promise.race([ended, answers(socket)]);
  }

  async function halt(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await gone;
    // A killed engine leaves its containerd behind, which keeps the next engine from starting its own.
    if (signal === 'SIGKILL') await endContainerd(join(dir, 'exec/containerd/containerd.pid'));
  }

  await start();
  const docker = openDocker(`unix://${socket}`);
  const api = (method: string, path: string, body?: unknown) => request(socket, method, path, body);
  await importImage(dir, socket);

  const engine: Engine = {
    socket,
    dockerHost: `unix://${socket}`,
    get pid() {
      return child?.pid ?? 0;
    },
    docker,
    api,
    async run(options = {}) {
      const query = options.name ? `?name=${encodeURIComponent(options.name)}` : '';
      const created = await api('POST', `/containers/create${query}`, createBody(options));
      const { Id: id } = created as { Id: string };
      if (options.start !== false) await api('POST', `/containers/${id}/start`);
      return id;
    },
    async tag(repository, tag) {
      await api('POST', `/images/${IMAGE}/tag?repo=${encodeURIComponent(repository)}&tag=${tag}`);
    },
    async kill(id, signal = 'KILL') {
      await api('POST', `/containers/${id}/kill?signal=${signal}`);
    },
    async remove(id) {
      await api('DELETE', `/containers/${id}?force=1&v=1`);
    },
    async clear() {
      const all = (await api('GET', '/containers/json?all=1')) as { Id: string }[];
      await Promise.all(all.map(({ Id }) => engine.remove(Id).catch(() => {})));
    },
    halt,
    start,
    async stop() {
      if (child) await engine.clear().catch(() => {});
      docker.close();
      // One that does not end by itself must not hold up the run.
      const running = child;
      const timer = setTimeout(() => running?.kill('SIGKILL'), 60_000);
      await halt();
      clearTimeout(timer);
      killLeftovers(dir);
      // Mounts of containers that a killed engine left behind.
      for (const mount of mountsBelow(dir)) spawnSync('umount', ['-l', mount]);
      rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
  return engine;
}

function createBody(options: RunOptions): unknown {
  const { healthcheck } = options;
  return {
    Image: options.image ?? IMAGE,
    Cmd: options.command ?? ['sleep', '3600'],
    Env: options.env ?? [],
    Labels: options.labels ?? {},
    Tty: options.tty ?? false,
    // Nothing here waits for SIGTERM as process 1 of its namespace.
    StopSignal: 'SIGKILL',
    ...(healthcheck
      ? {
          Healthcheck: {
            Test: ['CMD-SHELL', healthcheck.test],
            Interval: (healthcheck.intervalMs ?? 1000) * 1_000_000,
            // A busy machine is no sick container.
            Timeout: 60_000_000_000,
            Retries: healthcheck.retries ?? 1,
          },
        }
      : {}),
    HostConfig: {
      NetworkMode: options.network ?? 'none',
      Memory: options.memory ?? 0,
      MemorySwap: options.memory ?? 0,
      AutoRemove: options.autoRemove ?? false,
      Binds: options.binds ?? [],
      RestartPolicy: {
        Name: options.restartPolicy ?? 'no',
        MaximumRetryCount: options.maximumRetryCount ?? 0,
      },
    },
  };
}

function request(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
  raw?: Buffer,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const type = raw ? 'application/x-tar' : 'application/json';
    const call = http.request({ socketPath: socket, method, path, headers: { 'Content-Type': type } });
    call.on('error', reject);
    call.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('error', reject);
      answer.on('end', () => {
        if ((answer.statusCode ?? 500) >= 400) {
          reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          return;
        }
        resolve(text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text || undefined);
      });
    });
    call.end(raw ?? (body === undefined ? undefined : JSON.stringify(body)));
  });
}

async function answers(socket: string): Promise<void> {
  const end = Date.now() + 400_000;
  for (;;) {
    const ok = await request(socket, 'GET', '/_ping').then(
      () => true,
      () => false,
    );
    if (ok) return;
    if (Date.now() > end) throw new Error('dockerd did not answer within 400 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** An image of one file: the static busybox and its applets as links. */
async function importImage(dir: string, socket: string): Promise<void> {
  const root = join(dir, 'image');
  for (const sub of ['bin', 'tmp', 'etc']) mkdirSync(join(root, sub), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  const applets = spawnSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).stdout.split('\n');
  for (const applet of applets) {
    if (applet && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  const tar = spawnSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 64 * 1_048_576 });
  if (tar.status !== 0) throw new Error(`tar: ${tar.stderr.toString()}`);
  await request(
    socket,
    'POST',
    '/images/create?fromSrc=-&repo=vpsmon-test&tag=busybox',
    undefined,
    tar.stdout,
  );
}

async function endContainerd(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  rmSync(pidFile, { force: true });
  if (!pid) return;
  try {
    process.kill(pid, 'SIGKILL');
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } catch {
    // Gone.
  }
}

/** What an engine has left running (containerd, shims, podman's cleanups), found by its own folder in the command line; never by a broad name. */
export function killLeftovers(dir: string): void {
  const own = spawnSync('pgrep', ['-f', `${dir}/`], { encoding: 'utf8' }).stdout;
  for (const pid of own.split('\n').map(Number).filter(Boolean)) {
    if (pid === process.pid) continue;
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${dir}/`)) process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}

function mountsBelow(dir: string): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${dir}/`))
    .toReversed();
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').split('\n').slice(-6).join(' | ');
}
