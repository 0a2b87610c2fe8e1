import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { doctor } from '../../src/commands/doctor.ts';
import type { CommandContext } from '../../src/commands/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config, Settings } from '../../src/config/schema.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { remember } from '../../src/store/memory.ts';
import { openStore } from '../../src/store/open.ts';
import { openDocker } from '../../src/system/docker/docker.ts';
import { openKernelLog } from '../../src/system/kernel-log.ts';
import { openMachine } from '../../src/system/machine.ts';
import type { System } from '../../src/system/types.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { freePort } from '../helpers/free-port.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

let telegram: Telegram;
let base: string;
let host: string;
let stateDir: string;
const servers: Server[] = [];

beforeAll(async () => {
  telegram = await startTelegram();
});
afterAll(() => telegram.close());
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'vpsmon-doctor-'));
  host = join(base, 'host');
  stateDir = join(base, 'state');
  openStore(stateDir, Date.now()).close();
  mkdirSync(join(stateDir, 'metrics'));
  writeFileSync(join(stateDir, 'metrics/vpsmon.prom'), '');
  writeHost();
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  telegram.setToken(telegram.token);
  telegram.setChat({ id: Number(telegram.chatId), state: 'ok' });
  telegram.always(undefined);
  telegram.setWebhook(false);
  rmSync(base, { recursive: true, force: true });
});

/** A small server that is well: 1 GB, swap, PSI, cgroup v2, a kernel log, no systemd. */
function writeHost(): void {
  hostFile(
    'proc/meminfo',
    'MemTotal: 1000000 kB\nMemAvailable: 600000 kB\nSwapTotal: 1048572 kB\nSwapFree: 1048572 kB\n',
  );
  hostFile('proc/swaps', 'Filename Type Size Used Priority\n/swapfile file 1048572 0 -2\n');
  hostFile('proc/pressure/memory', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n');
  hostFile('proc/uptime', '1000.00 900.00\n');
  hostFile('sys/fs/cgroup/cgroup.controllers', 'cpuset cpu io memory pids\n');
  hostFile('dev/kmsg', '');
}
function hostFile(path: string, text: string): void {
  mkdirSync(dirname(join(host, path)), { recursive: true });
  writeFileSync(join(host, path), text);
}

type Broken = {
  settings?: Partial<Settings>;
  config?: Partial<Config>;
  system?: Partial<System>;
  run?: CommandContext['run'];
};
/**
 * Runs doctor on the healthy set-up with one thing changed; `line` finds what is said about a name. Again where this machine was so busy that
 * doctor tells of it, as it should: that is no matter of these tests.
 */
async function examine(broken: Broken = {}) {
  for (let tries = 1; ; tries++) {
    const result = await examineOnce(broken);
    if (tries === 15 || !/the machine is busy|within\s+[\d.]+ s\b/.test(result.out)) return result;
  }
}

async function examineOnce(broken: Broken) {
  const settings: Partial<Settings> = {
    ...telegram.settings,
    HOST_ROOT: host,
    HTTP_LISTEN: '',
    DOCKER_HOST: `unix://${await dockerThatIsWell()}`,
    ...broken.settings,
  };
  // A slow engine has tests of its own; these must not depend on how busy this machine is.
  const docker = openDocker(settings.DOCKER_HOST!, { deadlineMs: 120_000 });
  const recorded = commandContext(
    configWith(settings, { stateDir, ...broken.config }),
    {},
    { ...(broken.run ? { run: broken.run } : {}), system: { docker, ...broken.system } },
  );
  const code = await doctor(recorded.context, openMachine(host));
  docker.close();
  const out = recorded.out();
  const lines = out.split('\n');
  return {
    code,
    out,
    line(name: string): string {
      const at = lines.findIndex(
        (line) => /WARN|FAIL/.test(line.slice(0, 7)) && line.slice(8).startsWith(name),
      );
      return at < 0 ? '' : `${lines[at]?.trim()} ${lines[at + 1]?.trim()}`;
    },
  };
}

async function listen(answer: RequestListener, path?: string): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) =>
    path ? server.listen(path, resolve) : server.listen(0, '127.0.0.1', resolve),
  );
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
/** Answers what Docker answers to /version and to the list of containers. */
async function dockerThatIsWell(): Promise<string> {
  const path = join(base, `docker-${servers.length}.sock`);
  await listen((request, response) => {
    const version = { Version: '28.0.0', ApiVersion: '1.48', MinAPIVersion: '1.24' };
    response.end(JSON.stringify(request.url === '/version' ? version : []));
  }, path);
  return path;
}

/** A systemctl that shows these units. */
function units(change: Partial<Record<string, Record<string, string>>>): CommandContext['run'] {
  const all: Record<string, Record<string, string>> = {};
  for (const name of ['vps-monitor', 'vps-auto-recovery', 'vps-daily-report', 'vps-metrics-exporter'])
    for (const kind of name === 'vps-monitor' ? ['service'] : ['service', 'timer'])
      all[`${name}.${kind}`] = {
        LoadState: 'loaded',
        ActiveState: kind === 'timer' || name === 'vps-monitor' ? 'active' : 'inactive',
        UnitFileState: kind === 'timer' || name === 'vps-monitor' ? 'enabled' : 'static',
        Result: 'success',
      };
  for (const [name, properties] of Object.entries(change)) all[name] = { ...all[name], ...properties };
  hostFile('run/systemd/system/.keep', '');
  const text = Object.entries(all)
    .map(([name, properties]) =>
      [`Id=${name}`, ...Object.entries(properties).map(([k, v]) => `${k}=${v}`)].join('\n'),
    )
    .join('\n\n');
  return async () => ({ exitCode: 0, stdout: text, stderr: '' });
}

describe('doctor', () => {
  it('is content with a set-up that is well', async () => {
    const { out, code } = await examine({ run: units({}) });
    expect(out).toContain('All is well.');
    expect(out).toMatch(/ok {3}telegram +@standin_bot writes to "Ops" \(supergroup\)/);
    expect(out).toMatch(/ok {3}docker +Docker 28\.0\.0, API 1\.48/);
    expect(code).toBe(0);
    expect(telegram.sent).toEqual([]);
  });

  it('prints its lines as JSON', async () => {
    const recorded = commandContext(configWith({ HOST_ROOT: host, HTTP_LISTEN: '' }, { stateDir }), {
      json: true,
    });
    await doctor(recorded.context, openMachine(host));
    const { version, lines } = JSON.parse(recorded.out());
    expect(version).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({
        name: 'telegram',
        state: 'warning',
        advice: expect.stringContaining('vpsmon setup'),
      }),
    );
  });
});

describe('doctor and Telegram', () => {
  it('no token', async () => {
    const { line, code } = await examine({ settings: { TELEGRAM_BOT_TOKEN: '' }, run: units({}) });
    expect(line('telegram')).toBe(
      'WARN  telegram                    there is no bot token: alerts go to the log only -> run `vpsmon setup`: it says how to get one, and does the rest',
    );
    expect(code).toBe(1);
  });
  it('a token that is none', async () => {
    const { line, code } = await examine({ settings: { TELEGRAM_BOT_TOKEN: 'your_bot_token' } });
    expect(line('telegram')).toMatch(/^FAIL .*no bot token.*@BotFather/);
    expect(code).toBe(2);
  });
  it('a wrong token, which is not shown', async () => {
    const { line, out } = await examine({
      settings: { TELEGRAM_BOT_TOKEN: '987654321:BBwrongwrongwrongwrongwrongwrong' },
    });
    expect(line('telegram')).toMatch(
      /^FAIL .*refuses: 40[14] .*-> the token is wrong or was revoked.*@BotFather/,
    );
    expect(out).not.toContain('BBwrong');
  });
  it('no chat', async () => {
    const { line } = await examine({ settings: { TELEGRAM_CHAT_ID: '' } });
    expect(line('telegram')).toMatch(
      /^WARN .*there is no chat to write to -> run `vpsmon setup`.*vpsmon telegram chats/,
    );
  });
  it('several chats: each of them, with what goes there; and a webhook of another program', async () => {
    telegram.setChat({ id: -1001234567890, type: 'supergroup', title: 'Ops', topics: [7] });
    telegram.setWebhook(true);
    const { out } = await examine({
      settings: { TELEGRAM_CHAT_ID: '-1001234567890/7', TELEGRAM_CHAT_CRITICAL: '-5' },
    });
    // Long lines are wrapped.
    const text = out.replace(/\s+/g, ' ');
    expect(text).toMatch(/@standin_bot writes to "Ops" \(supergroup\), topic 7: warning, info/);
    expect(text).toMatch(
      /FAIL telegram refuses -5: 400 Bad Request: chat not found -> the bot does not know/,
    );
    expect(text).toMatch(/WARN telegram another program has set a webhook .* TELEGRAM_COMMANDS=false/);
  });

  it('a bot that is not in the chat', async () => {
    const { line } = await examine({ settings: { TELEGRAM_CHAT_ID: '-1009999' } });
    expect(line('telegram')).toMatch(
      /^FAIL .*400 Bad Request: chat not found -> the bot does not know this chat.*vpsmon telegram chats/,
    );
  });
  it('Telegram not reachable', async () => {
    const { line } = await examine({
      settings: { TELEGRAM_API_ROOT: `http://127.0.0.1:${await freePort()}` },
    });
    expect(line('telegram')).toMatch(
      /^FAIL .*cannot be reached: .*refused the connection -> look whether this server gets out/,
    );
  });
  it('a portal in between that answers with a page', async () => {
    telegram.always({ kind: 'html200', method: 'getMe' });
    const { line } = await examine();
    expect(line('telegram')).toMatch(/^FAIL .*not from the Bot API -> .*proxy or firewall/);
  });
  it('messages that wait, and that are refused', async () => {
    const store = openStore(stateDir, Date.now());
    const outbox = openOutbox(store.db);
    const message = {
      at: Date.now() - 7_200_000,
      severity: 'warning',
      kind: 'disk',
      subject: '/',
      html: 'full',
    } as const;
    const id = outbox.enqueue(message);
    outbox.enqueue(message);
    const waiting = await examine();
    expect(waiting.line('messages')).toMatch(
      /^WARN .*2 messages wait, the oldest for 2 h.*-> .*vpsmon telegram test/,
    );
    outbox.markTried(id, 'refused', 0, 0, '403 Forbidden: bot was blocked by the user');
    const refused = await examine();
    expect(refused.line('messages')).toMatch(
      /^FAIL .*Telegram refuses: 403 .*2 messages wait -> unblock the bot in Telegram/,
    );
    store.close();
  });
});

describe('doctor and Docker', () => {
  it('no socket', async () => {
    const { line } = await examine({ settings: { DOCKER_HOST: `unix://${base}/none.sock` } });
    expect(line('docker')).toMatch(
      /^FAIL .*no Docker socket at .*none\.sock.* -> systemctl status docker; set DOCKER_HOST/,
    );
  });
  it('a socket that nobody listens on', async () => {
    const path = join(base, 'stale.sock');
    const server = createNetServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    // Closing would remove it: a killed daemon leaves it behind.
    const { linkSync } = await import('node:fs');
    linkSync(path, join(base, 'left.sock'));
    await new Promise((resolve) => server.close(resolve));
    const { line } = await examine({ settings: { DOCKER_HOST: `unix://${join(base, 'left.sock')}` } });
    expect(line('docker')).toMatch(/^FAIL .*nothing listens at .*left\.sock.* -> systemctl status docker/);
  });
  it('S13: podman is called by its name', async () => {
    const path = join(base, 'podman.sock');
    const version = { Version: '4.3.1', ApiVersion: '1.41', Components: [{ Name: 'Podman Engine' }] };
    await listen(
      (request, response) => void response.end(JSON.stringify(request.url === '/version' ? version : [])),
      path,
    );
    const { out } = await examine({ settings: { DOCKER_HOST: `unix://${path}` } });
    expect(out).toMatch(/ok {3}docker +podman 4\.3\.1 with Docker's API 1\.41/);
  });
  it('an engine of 2017', async () => {
    const path = join(base, 'old.sock');
    await listen((_request, response) => void response.end('{"Version":"17.03","ApiVersion":"1.27"}'), path);
    const { line } = await examine({ settings: { DOCKER_HOST: `unix://${path}` } });
    expect(line('docker')).toMatch(/^WARN .*older than what vpsmon was tried with -> update Docker/);
  });
});

describe('doctor and the host', () => {
  it('PSI off', async () => {
    rmSync(join(host, 'proc/pressure'), { recursive: true });
    expect((await examine()).line('pressure')).toMatch(
      /^WARN .*PSI is switched off, or this kernel was built without it.*-> add psi=1 to the kernel command line/,
    );
  });
  it('no swap on a small server', async () => {
    hostFile('proc/meminfo', 'MemTotal: 1000000 kB\nMemAvailable: 600000 kB\nSwapTotal: 0 kB\n');
    expect((await examine()).line('swap')).toMatch(
      /^WARN .*no swap on a server of 977 MB.*-> fallocate -l 1G \/swapfile/,
    );
  });
  it('no kernel log', async () => {
    const { line } = await examine({ system: { kernelLog: openKernelLog(join(base, 'none')) } });
    expect(line('kernel log')).toMatch(/^WARN .*without their victim -> .*CAP_SYSLOG/);
  });
  it('cgroups without memory', async () => {
    hostFile('sys/fs/cgroup/cgroup.controllers', 'cpu io pids\n');
    expect((await examine()).line('cgroups')).toMatch(
      /^WARN .*without the memory controller.*-> add cgroup_enable=memory/,
    );
  });
  it('a clock that is wrong', async () => {
    const port = await listen((_request, response) => {
      response.setHeader('Date', new Date(Date.now() - 7_200_000).toUTCString());
      response.end('{"ok":false,"error_code":404,"description":"Not Found"}');
    });
    const settings = { TELEGRAM_API_ROOT: `http://127.0.0.1:${port}` };
    // The answer of a busy machine may come after the five seconds that it is waited for.
    await expect
      .poll(async () => (await examine({ settings })).line('clock'))
      .toMatch(/^FAIL .*is 2 h ahead of 127\.0\.0\.1 -> timedatectl set-ntp true/);
  });
  it('a clock that was set back', async () => {
    const store = openStore(stateDir, Date.now());
    remember(store.db, 'last-alive', { at: Date.now() + 86_400_000 }, Date.now());
    store.close();
    const { line } = await examine({
      settings: { TELEGRAM_API_ROOT: `http://127.0.0.1:${await freePort()}` },
    });
    expect(line('clock')).toMatch(/^WARN .*it was set back -> timedatectl/);
  });
});

describe('doctor and the state folder', () => {
  it('not there yet', async () => {
    const { line } = await examine({ config: { stateDir: join(base, 'none') } });
    expect(line('state')).toMatch(/^WARN .*does not exist yet -> it is made by `sudo vpsmon install`/);
  });
  it('not writable', async () => {
    // Nobody can make files in /proc, not even root.
    mkdirSync(join(host, 'proc'), { recursive: true });
    const { line } = await examine({ config: { stateDir: '/proc' } });
    expect(line('state')).toMatch(/^FAIL .*\/proc .*kept in memory only, and lost at a restart -> /);
  });
  it('a database that is none', async () => {
    // What is still in the write-ahead log would be read instead.
    for (const suffix of ['-wal', '-shm']) rmSync(join(stateDir, `vpsmon.db${suffix}`), { force: true });
    writeFileSync(join(stateDir, 'vpsmon.db'), 'no database, but long enough to look like one'.repeat(100));
    const { line } = await examine();
    expect(line('database')).toMatch(
      /^FAIL .*cannot be opened.*-> systemctl restart vps-monitor: it is set aside/,
    );
  });
});

describe('doctor and the configuration', () => {
  it('readable by everybody, with a token in it', async () => {
    const path = join(base, 'monitor.conf');
    writeFileSync(path, `TELEGRAM_BOT_TOKEN=${telegram.token}\nTELEGRAM_CHAT_ID=1\n`, { mode: 0o644 });
    const loaded = await loadConfig({ config: path, env: {}, cwd: base, uid: 0, etcDir: base });
    if ('problems' in loaded) throw new Error('not loaded');
    const { line, out } = await examine({
      config: { files: loaded.config.files, warnings: loaded.config.warnings },
    });
    expect(line('config')).toMatch(
      /^WARN .*every user of this machine can read this file.*-> chmod 600 .*monitor\.conf/,
    );
    expect(out).not.toContain(telegram.token);
  });
  it('wrong values: all of them, and still what can be said about the host', async () => {
    const path = join(base, 'monitor.conf');
    writeFileSync(path, 'SWAP_THRESHOLD_MB=lots\nDISK_WARNING_PCT=900\n', { mode: 0o600 });
    const loaded = await loadConfig({ config: path, env: {}, cwd: base, uid: 0, etcDir: base });
    if (!('problems' in loaded)) throw new Error('loaded');
    const recorded = commandContext(configWith({}));
    const code = await doctor(
      { io: recorded.context.io, options: {}, problems: loaded.problems },
      openMachine(host),
    );
    expect(code).toBe(2);
    expect(recorded.out()).toMatch(/FAIL {2}config .*:1: SWAP_THRESHOLD_MB/);
    expect(recorded.out()).toMatch(/FAIL {2}config .*:2: DISK_WARNING_PCT/);
    expect(recorded.out()).toContain('vpsmon config check');
    expect(recorded.out()).toMatch(/ok {3}node /);
  });
  it('metrics open to the world', async () => {
    const port = await freePort();
    const { line } = await examine({ settings: { HTTP_LISTEN: `0.0.0.0:${port}` } });
    expect(line('config')).toMatch(/^WARN .*everybody who reaches this server.*-> set it to 127\.0\.0\.1/);
  });
});

describe('doctor and the units', () => {
  it('not installed; no systemd', async () => {
    expect((await examine()).line('units')).toMatch(/^WARN .*does not run systemd -> run `vpsmon monitor`/);
    const none = { LoadState: 'not-found', ActiveState: 'inactive', UnitFileState: '' };
    const all = Object.fromEntries(
      [
        'vps-monitor.service',
        'vps-auto-recovery.service',
        'vps-auto-recovery.timer',
        'vps-daily-report.service',
        'vps-daily-report.timer',
        'vps-metrics-exporter.service',
        'vps-metrics-exporter.timer',
      ].map((name) => [name, none]),
    );
    expect((await examine({ run: units(all) })).line('units')).toMatch(
      /^WARN .*not installed as a service -> sudo vpsmon install/,
    );
  });
  it.each([
    [
      'stopped timer',
      'vps-daily-report.timer',
      { ActiveState: 'inactive' },
      /^FAIL .*is stopped.*-> systemctl enable --now vps-daily-report\.timer/,
    ],
    [
      'disabled timer',
      'vps-auto-recovery.timer',
      { UnitFileState: 'disabled' },
      /^WARN .*not started after a reboot -> systemctl enable vps-auto-recovery\.timer/,
    ],
    [
      'masked timer',
      'vps-metrics-exporter.timer',
      { LoadState: 'masked' },
      /^FAIL .*is masked.*-> systemctl unmask/,
    ],
    [
      'unit file that is broken',
      'vps-monitor.service',
      { LoadState: 'bad-setting' },
      /^FAIL .*cannot be loaded \(bad-setting\) -> systemd-analyze verify/,
    ],
    [
      'stopped monitor',
      'vps-monitor.service',
      { ActiveState: 'inactive' },
      /^FAIL .*does not run.*-> systemctl enable --now vps-monitor\.service/,
    ],
    [
      'monitor that ends again and again',
      'vps-monitor.service',
      {
        ActiveState: 'activating',
        SubState: 'auto-restart',
        Result: 'exit-code',
        ExecMainStatus: '3',
        NRestarts: '12',
      },
      /^FAIL .*12 restarts so far, last end: exit code 3: configuration or usage -> journalctl -u vps-monitor/,
    ],
    [
      'monitor with a changed unit file',
      'vps-monitor.service',
      { NeedDaemonReload: 'yes' },
      /^WARN .*unit file was changed.*-> systemctl daemon-reload/,
    ],
  ])('a %s', async (_what, name, change, expected) => {
    expect((await examine({ run: units({ [name]: change }) })).line(name)).toMatch(expected);
  });
  it('a job whose last run failed', async () => {
    const run = units({ 'vps-auto-recovery.service': { ActiveState: 'failed', Result: 'timeout' } });
    expect((await examine({ run })).line('vps-auto-recovery.timer')).toMatch(
      /^FAIL .*the last run failed \(it took too long\) -> journalctl -u vps-auto-recovery\.service/,
    );
  });
  it('a monitor that runs and does not answer; another program in its place', async () => {
    const listenOn = `127.0.0.1:${await freePort()}`;
    const silent = await examine({ settings: { HTTP_LISTEN: listenOn }, run: units({}) });
    expect(silent.line('monitor')).toMatch(
      /^FAIL .*is started, but does not answer.*-> journalctl -u vps-monitor/,
    );
    const port = await listen((_request, response) => void response.end('<html>hello</html>'));
    const other = await examine({ settings: { HTTP_LISTEN: `127.0.0.1:${port}` }, run: units({}) });
    expect(other.line('monitor')).toMatch(
      /^WARN .*another program answers.*-> set HTTP_LISTEN to a free address/,
    );
  });
});
