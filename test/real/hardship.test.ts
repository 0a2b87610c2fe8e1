// What the monitor survives: a state folder that is read-only or corrupt, SIGKILL, no privileges.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let dir: string;
let telegram: Telegram;
let daemon: Daemon | undefined;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-hardship-'));
  telegram = await startTelegram();
});
afterEach(async () => {
  await daemon?.remove();
  daemon = undefined;
  await telegram.close();
  spawnSync('umount', ['-l', join(dir, 'small')]);
  rmSync(dir, { recursive: true, force: true });
});

const settings = () => ({
  ...telegram.settings,
});

/** A file system of this many KB of our own. */
function mountSmall(options: string): string {
  if (process.getuid?.() !== 0) throw new Error('this test mounts a small file system and needs root');
  const path = join(dir, 'small');
  mkdirSync(path, { recursive: true });
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`mount: ${done.stderr}`);
  return path;
}

describe('the state folder', () => {
  it('read-only: alerts go out all the same', async () => {
    const path = mountSmall('size=2m,ro');
    daemon = await startDaemon(settings(), undefined, path);
    await until(() => telegram.sent.length > 0, 'the first message');
    const health = await daemon.health();
    expect(health.status).toBe('degraded');
    expect(health.reasons.join()).toMatch(/read-?only/i);
    await daemon.stopInTime();
  });

  it('corrupt: the database is set aside, said, and begun anew', async () => {
    daemon = await startDaemon(settings());
    await daemon.stop();
    writeFileSync(join(daemon.stateDir, 'vpsmon.db'), Buffer.alloc(50_000, 'x'));
    await daemon.start();
    await until(() => /was damaged and is set aside as .*vpsmon\.db\.corrupt-/.test(daemon?.log() ?? ''));
    // For ten minutes, so that somebody sees it.
    expect((await daemon.health()).status).toBe('degraded');
    expect(readdirSync(daemon.stateDir).some((name) => name.startsWith('vpsmon.db.corrupt-'))).toBe(true);
  });

  it('killed twenty times at random moments: it starts every time', async () => {
    daemon = await startDaemon(settings());
    for (let i = 0; i < 20; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      await daemon.stop('SIGKILL');
      await daemon.start();
    }
    await until(async () => (await daemon?.health())?.status === 'healthy', 'health');
    expect(daemon.log()).not.toMatch(/corrupt|Unexpected/);
  });
});

describe('without privileges', () => {
  it('a check by hand works as any user', async () => {
    const run = spawnSync(
      'setpriv',
      [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        'bin/vpsmon.js',
        'monitor',
        '--once',
        '--json',
      ],
      {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: dir },
      },
    );
    expect(run.stderr).toBe('');
    expect([0, 1, 2]).toContain(run.status);
    const page = JSON.parse(run.stdout) as {
      version: number;
      sources: Record<string, { state: string; why?: string; value?: { logUnreadable?: string } }>;
    };
    expect(page.version).toBe(1);
    expect(page.sources['host']?.state).toBe('ok');
    for (const source of ['postgres', 'redis', 'n8n', 'waha'])
      expect(page.sources[source]).toMatchObject({ state: 'absent', why: expect.stringMatching(/\w/) });
  });
});

/** Whatever else the machine is busy with, only the disk is critical. */
const ELSE_QUIET = `DOCKER_HOST=unix:///nonexistent/d.sock
MEMORY_PRESSURE_THRESHOLD=100
MEMORY_CRITICAL_MB=1
SWAP_THRESHOLD_MB=10000000
SWAP_IN_CRITICAL_KBPS=10000000
`;

describe('the exit codes of a check by hand', () => {
  it('are 1 for warnings, 2 for something critical, 3 for settings that cannot be used', async () => {
    const conf = join(dir, 'c.conf');
    const check = async (text: string) => {
      writeFileSync(conf, `${ELSE_QUIET}${text}`, { mode: 0o600 });
      return vpsmon(['monitor', '--once', '--config', conf, '--state-dir', join(dir, 'state')]);
    };
    expect(await check('DISK_WARNING_PCT=1\nDISK_CRITICAL_PCT=100\n')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('WARN'),
    });
    expect(await check('DISK_WARNING_PCT=1\nDISK_CRITICAL_PCT=2\n')).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('CRITICAL'),
    });
    expect(await check('SWAP_WARNING_MB=lots\n')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/c\.conf:6.*SWAP_WARNING_MB/),
    });
    expect(existsSync(join(dir, 'state'))).toBe(false);
  });
});
