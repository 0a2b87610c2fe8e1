import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Files } from '../../src/system/types.ts';
import { openWatchdog, serverStalls } from '../../src/daemon/watchdog.ts';
import { packageRoot } from '../../src/system/machine.ts';
import { openNotify } from '../../src/system/notify-socket.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-notify-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const env = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '120000000' };

describe('watchdog', () => {
  it('does nothing where no service manager listens', () => {
    const watchdog = openWatchdog({});
    watchdog.ready('watching');
    watchdog.beat();
    watchdog.stopping();
  });

  it('tells that it is ready, that it works, and that it stops; a status is one line', () => {
    const said: string[] = [];
    const watchdog = openWatchdog(env, 30_000, (message) => said.push(message));
    watchdog.ready('watching');
    watchdog.beat('3 checks\nREADY=1');
    watchdog.stopping();
    expect(said).toEqual([
      'READY=1\nSTATUS=watching',
      'WATCHDOG=1\nSTATUS=3 checks READY=1',
      'STOPPING=1\nSTATUS=stopping',
    ]);
  });

  it('U4: while the server stalls, a late check is no hang for ten minutes; without a stall it is', () => {
    vi.useFakeTimers();
    let stalls = false;
    const said: string[] = [];
    const watchdog = openWatchdog(
      env,
      30_000,
      (message) => said.push(message),
      () => Date.now(),
      () => stalls,
    );
    watchdog.beat();
    vi.advanceTimersByTime(3_600_000);
    // Nothing but the check itself: systemd has replaced it long ago.
    expect(said).toEqual(['WATCHDOG=1']);
    stalls = true;
    watchdog.beat();
    said.length = 0;
    vi.advanceTimersByTime(9 * 60_000);
    expect(said.length).toBeGreaterThan(10);
    expect(said.every((message) => message.startsWith('WATCHDOG=1\nSTATUS=The server stalls'))).toBe(true);
    vi.advanceTimersByTime(3_600_000);
    expect(said.length).toBeLessThan(32);
    // A loop that hangs runs no timer, and sends nothing, however much the server stalls.
    watchdog.stopping();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a stall is seen in time whatever the distance of the checks is', () => {
    vi.useFakeTimers();
    const patience = 180_000;
    for (const every of [30_000, 60_000, 80_000, 90_000, 120_000])
      for (const phase of [1000, 10_000, 29_000]) {
        const sent: number[] = [];
        const watchdog = openWatchdog(
          { ...env, WATCHDOG_USEC: `${patience}000` },
          every,
          () => sent.push(Date.now()),
          () => Date.now(),
          () => true,
        );
        vi.advanceTimersByTime(phase);
        watchdog.beat();
        vi.advanceTimersByTime(300_000);
        watchdog.stopping();
        const longest = Math.max(...sent.map((at, i) => at - (sent[i - 1] ?? at)));
        expect([every, phase, longest < patience && sent.length > 3]).toEqual([every, phase, true]);
      }
  });

  const stallsWith = (texts: Record<string, string>) => {
    const textOr = (path: string) => texts[path];
    return serverStalls({ textOr, exists: (path: string) => path in texts } as unknown as Files);
  };
  const pressure = (some: number, full: number, minute = 0) =>
    `some avg10=${some} avg60=${minute} avg300=0.00 total=1\nfull avg10=${full} avg60=0.00 avg300=0.00 total=1\n`;

  it('U4: the server stalls when PSI says so', () => {
    const proc = '/proc/pressure/memory';
    expect(stallsWith({ [proc]: pressure(12.5, 3.1) })).toBe(false);
    expect(stallsWith({ [proc]: pressure(51.5, 3.1) })).toBe(true);
    expect(stallsWith({ [proc]: pressure(40.25, 25.5) })).toBe(true);
    expect(stallsWith({})).toBe(false);
    // What comes and goes, or is the disk that swap is on, or a processor that others have.
    expect(stallsWith({ [proc]: pressure(12.5, 3.1, 60) })).toBe(true);
    expect(stallsWith({ [proc]: pressure(12.5, 3.1), '/proc/pressure/io': pressure(30, 28) })).toBe(true);
    expect(stallsWith({ '/proc/pressure/cpu': 'some avg10=70.00 avg60=10.00 avg300=0.00 total=1\n' })).toBe(
      true,
    );
  });

  it('H2: a guest does not stall because the physical machine does', () => {
    const guest = { '/run/systemd/container': 'lxc\n', '/proc/pressure/memory': pressure(90, 60) };
    expect(stallsWith(guest)).toBe(false);
    expect(stallsWith({ ...guest, '/sys/fs/cgroup/memory.pressure': pressure(1, 0) })).toBe(false);
    expect(stallsWith({ ...guest, '/sys/fs/cgroup/memory.pressure': pressure(90, 60) })).toBe(true);
  });

  it('feeds it between checks that are far apart, but not after they stopped coming', () => {
    vi.useFakeTimers();
    const said: string[] = [];
    const beats = () => said.filter((message) => message.startsWith('WATCHDOG=1')).length;
    const watchdog = openWatchdog(
      env,
      600_000,
      (message) => said.push(message),
      () => Date.now(),
    );
    vi.advanceTimersByTime(600_000);
    expect(beats()).toBeGreaterThanOrEqual(14);
    watchdog.beat();
    const fed = beats();
    vi.advanceTimersByTime(1_800_000);
    expect(beats()).toBeGreaterThan(fed + 40);
    const last = beats();
    vi.advanceTimersByTime(3_600_000);
    expect(beats()).toBeLessThanOrEqual(last + 1);
  });

  it('leaves a watchdog alone that is meant for another process of the unit', () => {
    vi.useFakeTimers();
    const sent: string[] = [];
    openWatchdog({ ...env, WATCHDOG_PID: '1' }, 3_600_000, (message) => sent.push(message));
    vi.advanceTimersByTime(3_600_000);
    expect(sent).toEqual([]);
    openWatchdog(env, 3_600_000, (message) => sent.push(message));
    vi.advanceTimersByTime(120_000);
    expect(sent).toContain('WATCHDOG=1');
  });
});

describe('notification socket', () => {
  it('is the descriptor that the launcher opened: one write, one message, no process', () => {
    const path = join(folder, 'out');
    const fd = openSync(path, 'w');
    const notify = openNotify({ ...env, VPSMON_NOTIFY_FD: String(fd) });
    notify?.('WATCHDOG=1');
    closeSync(fd);
    expect(readFileSync(path, 'utf8')).toBe('WATCHDOG=1');
    // A socket that is gone is no reason to stop watching.
    notify?.('WATCHDOG=1');
  });

  it('notify-exec connects it and becomes node: same process, the argument list as given', async () => {
    const socket = join(folder, 'notify');
    const listener = spawn(
      'perl',
      [
        '-MSocket',
        '-e',
        `socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die $!; $| = 1; print "bound\\n";
         recv(S, my $m, 4096, 0); print $m; recv(S, $m, 4096, 0); print "|$m";`,
        socket,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let heard = '';
    const end = new Promise((resolve) => listener.once('close', resolve));
    await new Promise<void>((resolve) =>
      listener.stdout.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        resolve();
      }),
    );
    const program = `const fd = Number(process.env.VPSMON_NOTIFY_FD); const { writeSync } = require('node:fs');
      writeSync(fd, 'READY=1\\nMAINPID=' + process.pid); writeSync(fd, process.argv[1]);`;
    const child = spawn(
      'perl',
      [join(packageRoot(), 'systemd/notify-exec'), process.execPath, '-e', program, 'an argument'],
      { env: { ...process.env, NOTIFY_SOCKET: socket }, stdio: 'inherit' },
    );
    await end;
    expect(heard).toBe(`bound\nREADY=1\nMAINPID=${child.pid}|an argument`);
  });

  it('notify-exec starts the program all the same where nobody listens', async () => {
    const child = spawn(
      'perl',
      [join(packageRoot(), 'systemd/notify-exec'), process.execPath, '-e', 'process.exit(7)'],
      { env: { ...process.env, NOTIFY_SOCKET: join(folder, 'gone') }, stdio: 'inherit' },
    );
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(7);
  });
});
