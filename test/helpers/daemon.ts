// The real monitor as a process of its own, as systemd would start it.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = join(ROOT, 'bin/vpsmon.js');

export type Health = {
  status: string;
  reasons: string[];
  checks: number;
  alerts_sent: number;
  alerts_waiting: number;
  services_monitored: number;
  docker_connected: boolean;
  last_check: { took_ms: number; age_seconds: number } | null;
};

export type Daemon = {
  readonly pid: number;
  port: number;
  stateDir: string;
  conf: string;
  /** Everything it wrote to stderr, over all starts. */
  log(): string;
  get(path: string): Promise<{ status: number; body: string }>;
  health(): Promise<Health>;
  start(): Promise<void>;
  /** Sends the signal and waits for the end, and for all that it logged; its exit code: 3 where stopping took longer than the monitor allows itself. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** An orderly stop: exit code 0. A busy machine that needs longer than the monitor allows itself gets another try. */
  stopInTime(): Promise<void>;
  exitCode(): number | null;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
};

export type Outcome = { code: number | null; stdout: string; stderr: string };

/** Runs one vpsmon command to its end. */
export function vpsmon(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Outcome> {
  if (!existsSync(join(ROOT, 'dist/cli.js'))) throw new Error('dist is missing: npm run build');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...options.env },
      ...(options.cwd ? { cwd: options.cwd } : {}),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/**
 * A process that the one before has started (a picture, what a button asked for) may outlive it, and write on for as long as a busy machine takes: up to
 * two minutes.
 */
export function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
}

const TOO_SLOW = 3;

/** Starts `vpsmon monitor` on a state folder of its own and waits for its first check. */
export async function startDaemon(
  settings: Record<string, string | number>,
  yaml?: string,
  ownStateDir?: string,
  env: Record<string, string> = {},
): Promise<Daemon> {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-daemon-'));
  const port = await freePort();
  const conf = join(dir, 'monitor.conf');
  const all = {
    SERVICE_CHECK_INTERVAL: 10,
    REPORT_INTERVAL_HOURS: 0,
    HTTP_LISTEN: `127.0.0.1:${port}`,
    ...settings,
  };
  writeFileSync(
    conf,
    Object.entries(all)
      .map(([key, value]) => `${key}="${value}"\n`)
      .join(''),
    { mode: 0o600 },
  );
  if (yaml !== undefined) writeFileSync(join(dir, 'vpsmon.yaml'), yaml);
  const stateDir = ownStateDir ?? join(dir, 'state');
  let child: ChildProcess | undefined;
  let log = '';

  const daemon: Daemon = {
    get pid() {
      return child?.pid ?? 0;
    },
    port,
    stateDir,
    conf,
    log: () => log,
    get: (path) => get(port, path),
    health: async () => JSON.parse((await get(port, '/health')).body) as Health,
    async start() {
      child = spawn(process.execPath, [BIN, 'monitor', '--config', conf, '--state-dir', stateDir], {
        env: { PATH: process.env['PATH'] ?? '', HOME: dir, ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
      await until(async () => {
        if (child?.exitCode !== null) throw new Error(`the monitor ended with ${child?.exitCode}:\n${log}`);
        return (await daemon.health().catch(() => undefined))?.checks ?? 0;
      });
    },
    async stop(signal = 'SIGTERM') {
      const running = child;
      if (!running || running.exitCode !== null || running.signalCode !== null)
        return running?.exitCode ?? null;
      const ended = new Promise((resolve) => running.once('close', resolve));
      running.kill(signal);
      await ended;
      return running.exitCode;
    },
    async stopInTime() {
      for (let tries = 1; ; tries += 1) {
        const code = await daemon.stop();
        if (code === 0) return;
        if (code !== TOO_SLOW || tries === 5) throw new Error(`the monitor ended with ${code}:\n${log}`);
        await daemon.start();
      }
    },
    exitCode: () => child?.exitCode ?? null,
    async remove() {
      await daemon.stop('SIGKILL');
      removeFolder(dir);
    },
  };
  await daemon.start();
  return daemon;
}

function get(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, timeout: 30_000 }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    req.on('timeout', () => req.destroy(new Error('timeout')));
    req.on('error', reject);
    req.end();
  });
}

/** Below the time that a test has, so that what did not happen has a name; a green test never waits for it. */
const LONGEST_WAIT_MS = 400_000;

/**
 * Waits until `look` gives something true. Without a limit of its own: how fast a machine is says nothing about the program. What did not
 * happen is named by `what`, or by the condition as it stands in the test.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  what = String(look).replace(/\s+/g, ' ').slice(0, 300),
): Promise<Exclude<T, undefined | false | 0 | ''>> {
  const end = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    const value = await look();
    if (value) return value as Exclude<T, undefined | false | 0 | ''>;
    if (performance.now() > end) throw new Error(`did not happen within ${LONGEST_WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Page faults of children that were waited for: grows with every process that a program starts. */
export function childFaults(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[8]);
}
