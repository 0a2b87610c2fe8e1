import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, type LoadOptions } from '../../src/config/load.ts';
import { secretsOf } from '../../src/config/secrets.ts';
import {
  defaultExtra,
  defaultSettings,
  KEY_NAMES,
  type Config,
  type Problem,
} from '../../src/config/schema.ts';

const repo = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = '1234567890:ABCdefGHIjklMNOpqrsTUVwxyz';
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-config-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function file(path: string, text: string, mode = 0o600): string {
  const full = join(dir, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  chmodSync(full, mode);
  return full;
}

async function load(options: Partial<LoadOptions> = {}): Promise<Config> {
  const loaded = await loadAny(options);
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

async function problemsOf(options: Partial<LoadOptions> = {}): Promise<Problem[]> {
  const loaded = await loadAny(options);
  if (!('problems' in loaded)) throw new Error('expected problems');
  return loaded.problems;
}

function loadAny(options: Partial<LoadOptions>): ReturnType<typeof loadConfig> {
  return loadConfig({ env: {}, cwd: join(dir, 'cwd'), uid: 0, etcDir: join(dir, 'etc'), ...options });
}

test('nothing configured: the defaults, without a word', async () => {
  const config = await load();
  expect(config.settings).toEqual(defaultSettings());
  expect(config.extra).toEqual(defaultExtra());
  expect(config.files).toEqual([]);
  expect(config.warnings).toEqual([]);
  expect(new Set(KEY_NAMES.map((key) => config.origins[key].from))).toEqual(new Set(['default']));
});

describe('order', () => {
  test('environment over monitor.conf over vpsmon.yaml over defaults', async () => {
    const conf = file('cwd/monitor.conf', 'LOG_LEVEL=WARNING\nDISK_WARNING_PCT=70\n');
    const yaml = file('cwd/vpsmon.yaml', 'settings:\n  DISK_WARNING_PCT: 60\n  MALFUNCTION_RESTARTS: 7\n');
    const config = await load({ env: { LOG_LEVEL: 'ERROR' } });
    expect(config.settings).toMatchObject({
      LOG_LEVEL: 'ERROR',
      DISK_WARNING_PCT: 70,
      MALFUNCTION_RESTARTS: 7,
      DISK_CRITICAL_PCT: 90,
    });
    expect(config.origins.LOG_LEVEL).toEqual({ from: 'environment', file: 'environment' });
    expect(config.origins.DISK_WARNING_PCT).toEqual({ from: 'file', file: conf, line: 2 });
    expect(config.origins.MALFUNCTION_RESTARTS).toEqual({ from: 'file', file: yaml, line: 3 });
    expect(config.files).toEqual([conf, yaml]);
  });

  test('--config, VPSMON_CONFIG, ./monitor.conf, /etc/vpsmon/monitor.conf', async () => {
    const named = file('a/named.conf', 'MALFUNCTION_RESTARTS=11');
    const variable = file('b/variable.conf', 'MALFUNCTION_RESTARTS=12');
    const env = { VPSMON_CONFIG: variable };
    const etc = file('etc/monitor.conf', 'MALFUNCTION_RESTARTS=14');
    mkdirSync(join(dir, 'cwd'));
    expect((await load()).settings.MALFUNCTION_RESTARTS).toBe(14);
    expect((await load()).files).toEqual([etc]);
    file('cwd/monitor.conf', 'MALFUNCTION_RESTARTS=13');
    expect((await load()).settings.MALFUNCTION_RESTARTS).toBe(13);
    expect((await load({ env })).settings.MALFUNCTION_RESTARTS).toBe(12);
    expect((await load({ env, config: named })).settings.MALFUNCTION_RESTARTS).toBe(11);
    expect((await load({ env, config: '../a/named.conf' })).files).toEqual([named]);
  });

  test('vpsmon.yaml lies beside the monitor.conf that is used', async () => {
    const named = file('a/monitor.conf', '');
    file('a/vpsmon.yaml', 'recovery: { actions_per_hour: 5 }');
    file('cwd/vpsmon.yaml', 'recovery: { actions_per_hour: 6 }');
    file('etc/vpsmon.yml', 'recovery: { actions_per_hour: 7 }');
    expect((await load({ config: named })).extra.recovery.actionsPerHour).toBe(5);
    expect((await load()).extra.recovery.actionsPerHour).toBe(6);
    expect((await load({ cwd: dir })).extra.recovery.actionsPerHour).toBe(7);
  });

  test('of the same key twice, the last one counts', async () => {
    file('cwd/monitor.conf', 'LOG_LEVEL=DEBUG\nLOG_LEVEL=ERROR');
    const config = await load();
    expect(config.settings.LOG_LEVEL).toBe('ERROR');
    expect(config.warnings).toHaveLength(1);
  });
});

describe('files that cannot be used', () => {
  test.each([
    ['missing', 'does not exist; --config names it'],
    ['folder', 'is a folder, not a file; --config names it'],
    ['pipe', 'is not a regular file; --config names it'],
    ['huge', 'is too large: more than 131072 bytes; --config names it'],
    ['other.yaml', 'names a monitor.conf, a file of KEY=value lines'],
  ])('--config %s', async (name, text) => {
    mkdirSync(join(dir, 'folder'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    file('huge', '#'.repeat(300_000));
    const problems = await problemsOf({ config: join(dir, name) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ level: 'error', file: join(dir, name) });
    expect(problems[0]?.text).toContain(text);
  });

  test('VPSMON_CONFIG that does not exist', async () => {
    const problems = await problemsOf({ env: { VPSMON_CONFIG: 'nowhere' } });
    expect(problems[0]?.text).toBe('does not exist; VPSMON_CONFIG names it');
  });

  test('/dev/null is an empty file', async () => {
    expect((await load({ config: '/dev/null' })).settings).toEqual(defaultSettings());
  });

  test('a folder called monitor.conf is an error, not skipped', async () => {
    mkdirSync(join(dir, 'cwd/monitor.conf'), { recursive: true });
    expect((await problemsOf())[0]?.text).toBe('is a folder, not a file');
  });
});

describe('environment', () => {
  test.each([
    ['SERVICE_CHECK_INTERVAL', '"60"', 60],
    ['SERVICE_CHECK_INTERVAL', '60          # Check every minute', 60],
    ['LOG_LEVEL', "'debug'", 'DEBUG'],
    ['LOG_LEVEL', 'WARN', 'WARNING'],
    ['TELEGRAM_CHAT_ID', '"-1001" # our group', '-1001'],
    ['ESSENTIAL_CONTAINERS', '"a, b,,c"', ['a', 'b', 'c']],
    ['ENABLE_AUTO_RECOVERY', 'True', true],
    ['POSTGRES_PASSWORD', 'a # b', 'a # b'],
    ['POSTGRES_PASSWORD', '"quo"ted"', '"quo"ted"'],
    ['POSTGRES_PASSWORD', '', ''],
    ['HTTP_LISTEN', '', ''],
    ['ESSENTIAL_CONTAINERS', '', ['postgres', 'redis', 'n8n', 'waha', 'traefik']],
    ['REDIS_PORT', 'tcp://10.0.0.1:6379', 6379],
  ])('%s=%s', async (key, text, value) => {
    const { settings } = await load({ env: { [key]: text } });
    expect(settings[key as keyof typeof settings]).toEqual(value);
  });

  test('an empty variable counts as not set', async () => {
    file('cwd/monitor.conf', `TELEGRAM_BOT_TOKEN=${TOKEN}\nTELEGRAM_CHAT_ID=1\n`);
    const config = await load({ env: { TELEGRAM_BOT_TOKEN: '', TELEGRAM_CHAT_ID: '""' } });
    expect(config.settings.TELEGRAM_BOT_TOKEN).toBe(TOKEN);
    expect(config.settings.TELEGRAM_CHAT_ID).toBe('1');
  });

  test("other variables are nobody's business", async () => {
    const env = { PATH: '/bin', TELEGRAM_TOKEN: 'x', VPSMON_IMAGE: 'vpsmon:1', VPSMON_DEBUG: '1' };
    expect((await load({ env })).warnings).toEqual([]);
  });
});

describe('token in a file', () => {
  test('beside monitor.conf, trailing line end cut', async () => {
    file('cwd/monitor.conf', 'TELEGRAM_BOT_TOKEN_FILE=secrets/token\nTELEGRAM_CHAT_ID=1');
    const path = file('cwd/secrets/token', `${TOKEN}\r\n`);
    const config = await load();
    expect(config.settings.TELEGRAM_BOT_TOKEN).toBe(TOKEN);
    expect(config.origins.TELEGRAM_BOT_TOKEN).toEqual({ from: 'file', file: path });
    expect(config.warnings).toEqual([]);
  });

  test("among systemd's credentials first", async () => {
    file('cwd/monitor.conf', 'TELEGRAM_BOT_TOKEN_FILE=token\nTELEGRAM_CHAT_ID=1');
    file('cwd/token', '1:notthisonenotthisone');
    file('creds/token', TOKEN);
    const env = { CREDENTIALS_DIRECTORY: join(dir, 'creds') };
    expect((await load({ env })).settings.TELEGRAM_BOT_TOKEN).toBe(TOKEN);
  });

  test('$CREDENTIALS_DIRECTORY may be written out', async () => {
    file('cwd/monitor.conf', "TELEGRAM_BOT_TOKEN_FILE='$CREDENTIALS_DIRECTORY/token'\nTELEGRAM_CHAT_ID=1");
    file('creds/token', TOKEN);
    const env = { CREDENTIALS_DIRECTORY: join(dir, 'creds') };
    expect((await load({ env })).settings.TELEGRAM_BOT_TOKEN).toBe(TOKEN);
  });

  test('in the environment it wins over a token in monitor.conf', async () => {
    file('cwd/monitor.conf', 'TELEGRAM_BOT_TOKEN=1:notthisonenotthisone\nTELEGRAM_CHAT_ID=1');
    file('cwd/token', TOKEN);
    const config = await load({ env: { TELEGRAM_BOT_TOKEN_FILE: 'token' } });
    expect(config.settings.TELEGRAM_BOT_TOKEN).toBe(TOKEN);
  });

  test('that every user can read is a warning', async () => {
    const token = file('token', TOKEN, 0o644);
    const { warnings } = await load({ env: { TELEGRAM_BOT_TOKEN_FILE: token, TELEGRAM_CHAT_ID: '1' } });
    expect(warnings.map((w) => w.text)).toEqual([
      `${token} can be read by every user of this machine: chmod 600 ${token}`,
    ]);
  });
});

describe('a file with secrets that every user can read', () => {
  test.each([
    ['monitor.conf', 'POSTGRES_URL=postgres://u:hunter2@db/x\n', 0o644, true],
    ['monitor.conf', 'N8N_API_KEY=hunter2\n', 0o604, true],
    ['monitor.conf', 'N8N_API_KEY=hunter2\n', 0o640, false],
    ['monitor.conf', 'N8N_API_KEY=\nN8N_URL=http://n8n:5678\n', 0o644, false],
    ['vpsmon.yaml', 'settings:\n  REDIS_PASSWORD: hunter2\n', 0o644, true],
  ])('%s %j %o', async (name, text, mode, warned) => {
    const path = file(`cwd/${name}`, text, mode);
    const { warnings } = await load();
    expect(warnings.map((w) => w.file)).toEqual(warned ? [path] : []);
    expect(JSON.stringify(warnings)).not.toContain('hunter2');
  });
});

describe('levels', () => {
  test.each([
    // The keys of an old settings file alone must work, whatever the defaults of their neighbours are.
    [{ MEMORY_PRESSURE_THRESHOLD: '50' }, { MEMORY_PRESSURE_WARNING: 37.5, MEMORY_PRESSURE_CLEAR: 31.3 }],
    [{ MEMORY_PRESSURE_THRESHOLD: '95' }, { MEMORY_PRESSURE_WARNING: 60, MEMORY_PRESSURE_CLEAR: 50 }],
    [{ SWAP_THRESHOLD_MB: '512' }, { SWAP_WARNING_MB: 256 }],
    [{ MEMORY_WARNING_MB: '200' }, { MEMORY_CLEAR_MB: 260, MEMORY_CRITICAL_MB: 100 }],
    [{ MEMORY_CRITICAL_MB: '150' }, { MEMORY_WARNING_MB: 300, MEMORY_CLEAR_MB: 390 }],
    [{ MEMORY_WARNING_MB: '120', MEMORY_CRITICAL_MB: '110' }, { MEMORY_CLEAR_MB: 130 }],
    [{ DISK_WARNING_PCT: '95' }, { DISK_CRITICAL_PCT: 100 }],
    [{ POSTGRES_CACHE_THRESHOLD: '70' }, { POSTGRES_CACHE_CRITICAL: 62.2 }],
    [{ N8N_QUEUE_CRITICAL: '100' }, { N8N_QUEUE_WARNING: 50, N8N_QUEUE_CLEAR: 40 }],
    [{ WAHA_WARNING_MINUTES: '90' }, { WAHA_CRITICAL_MINUTES: 1080 }],
  ])('%j', async (env, expected) => {
    const config = await load({ env });
    expect(config.settings).toMatchObject(expected);
    expect(config.warnings).toEqual([]);
  });

  test('a default that gave way says to whom', async () => {
    const { origins } = await load({ env: { SWAP_THRESHOLD_MB: '512' } });
    expect(origins.SWAP_WARNING_MB).toEqual({ from: 'default', follows: 'SWAP_THRESHOLD_MB' });
  });
});

describe('state folder', () => {
  test.each<[Partial<LoadOptions>, string]>([
    [{ stateDir: 'x', env: { VPSMON_STATE_DIR: '/y' } }, 'cwd/x'],
    [{ env: { VPSMON_STATE_DIR: '/y', STATE_DIRECTORY: '/z' } }, '/y'],
    [{ env: { STATE_DIRECTORY: '/z:/zz' } }, '/z'],
    [{ uid: 0 }, '/var/lib/vpsmon'],
    [{ uid: 1000, env: { XDG_STATE_HOME: '/home/a/state', HOME: '/home/a' } }, '/home/a/state/vpsmon'],
    [{ uid: 1000, env: { XDG_STATE_HOME: 'relative', HOME: '/home/a' } }, '/home/a/.local/state/vpsmon'],
    [{ uid: 1000, env: { HOME: '/home/a' } }, '/home/a/.local/state/vpsmon'],
  ])('%j', async (options, expected) => {
    expect((await load(options)).stateDir).toBe(expected.startsWith('/') ? expected : join(dir, expected));
  });
});

test('secretsOf: every value that nobody else may see, longest first', async () => {
  const config = await load({
    env: {
      TELEGRAM_BOT_TOKEN: TOKEN,
      TELEGRAM_CHAT_ID: '-1001',
      POSTGRES_URL: 'postgres://user:p%40ss%20word@db/x',
      REDIS_PASSWORD: 'redis-pass',
      WAHA_API_KEY: 'abc',
      HEARTBEAT_URL: 'https://hc-ping.com/0f5c-uuid',
    },
  });
  expect(secretsOf(config)).toEqual([TOKEN, 'p%40ss%20word', 'redis-pass', '0f5c-uuid', 'p@ss word']);
});

describe('what is shipped', () => {
  test('monitor.conf.example has every key, one sentence each, and is exactly the defaults', async () => {
    const text = readFileSync(join(repo, 'monitor.conf.example'), 'utf8');
    const lines = text.split('\n');
    const seen = lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split('=')[0]);
    expect(seen).toEqual(KEY_NAMES);
    for (const [i, line] of lines.entries()) {
      if (/^[A-Z]/.test(line)) expect(lines[i - 1]).toMatch(/^# [A-Z].*\.$/);
    }
    const config = await load({ config: join(repo, 'monitor.conf.example') });
    expect(config.settings).toEqual({ ...defaultSettings(), ENABLE_AUTO_RECOVERY: true });
    expect(config.warnings).toEqual([]);
  });

  test('monitor.conf.example is the same for Docker (--env-file) and for systemd (EnvironmentFile=)', async () => {
    const lines = readFileSync(join(repo, 'monitor.conf.example'), 'utf8').split('\n');
    const settings = lines.filter((line) => line !== '' && !line.startsWith('#'));
    const docker = Object.fromEntries(settings.map((line) => line.split(/=(.*)/s, 2)));
    const systemd = Object.fromEntries(settings.map((line) => line.replaceAll('"', '').split(/=(.*)/s, 2)));
    const wanted = { ...defaultSettings(), ENABLE_AUTO_RECOVERY: true };
    expect((await load({ env: docker })).settings).toEqual(wanted);
    expect((await load({ env: systemd })).settings).toEqual(wanted);
  });

  test.each(['whatsapp-n8n', 'stardust'])('the profile %s works as it is', async (name) => {
    const folder = join(repo, 'config/profiles', name);
    const config = await load({ config: join(folder, 'monitor.conf') });
    expect(config.warnings).toEqual([]);
    expect(config.files).toEqual([join(folder, 'monitor.conf'), join(folder, 'vpsmon.yaml')]);
  });

  test('the Stardust profile has the seven services, and speaks of no others', async () => {
    const { settings, extra } = await load({ config: join(repo, 'config/profiles/stardust/monitor.conf') });
    expect(settings.MONITORED_SERVICES).toEqual([
      'stardust-my-firstcare-com',
      'stardust-ava4-listener',
      'stardust-kati-listener',
      'stardust-qube-listener',
      'stardust-mqtt-panel',
      'stardust-mqtt-websocket',
      'stardust-redis',
    ]);
    for (const { name } of extra.services) expect(settings.MONITORED_SERVICES).toContain(name);
  });
});

test('every key known from before works under its name', async () => {
  file(
    'cwd/monitor.conf',
    `TELEGRAM_BOT_TOKEN="${TOKEN}"
TELEGRAM_CHAT_ID="-1234567890"
MEMORY_PRESSURE_THRESHOLD=81
POSTGRES_CACHE_THRESHOLD=91
SWAP_THRESHOLD_MB=2049
ALERT_RATE_LIMIT_SEC=601
MEMORY_WARNING_MB=101
MEMORY_CRITICAL_MB=51
DISK_WARNING_PCT=81
DISK_CRITICAL_PCT=91
ENABLE_AUTO_RECOVERY=true
ESSENTIAL_CONTAINERS="postgres,redis,n8n,waha,traefik,more"
SERVICE_CHECK_INTERVAL=31          # Check every 31 seconds
ALERT_COOLDOWN_MINUTES=6           # Wait 6 minutes between alerts
LOG_LEVEL=DEBUG
POSTGRES_USER=u
POSTGRES_PASSWORD='p#1 "x" $y'
POSTGRES_DB=d
POSTGRES_HOST=h
POSTGRES_PORT=5433
REDIS_PASSWORD=r
REDIS_HOST=rh
REDIS_PORT=6380
REPORT_INTERVAL_HOURS=7
`,
  );
  const config = await load();
  expect(config.warnings).toEqual([]);
  expect(config.settings).toEqual({
    ...defaultSettings(),
    TELEGRAM_BOT_TOKEN: TOKEN,
    TELEGRAM_CHAT_ID: '-1234567890',
    MEMORY_PRESSURE_THRESHOLD: 81,
    POSTGRES_CACHE_THRESHOLD: 91,
    SWAP_THRESHOLD_MB: 2049,
    ALERT_RATE_LIMIT_SEC: 601,
    MEMORY_WARNING_MB: 101,
    MEMORY_CRITICAL_MB: 51,
    DISK_WARNING_PCT: 81,
    DISK_CRITICAL_PCT: 91,
    ENABLE_AUTO_RECOVERY: true,
    ESSENTIAL_CONTAINERS: ['postgres', 'redis', 'n8n', 'waha', 'traefik', 'more'],
    SERVICE_CHECK_INTERVAL: 31,
    ALERT_COOLDOWN_MINUTES: 6,
    LOG_LEVEL: 'DEBUG',
    POSTGRES_USER: 'u',
    POSTGRES_PASSWORD: 'p#1 "x" $y',
    POSTGRES_DB: 'd',
    POSTGRES_HOST: 'h',
    POSTGRES_PORT: 5433,
    REDIS_PASSWORD: 'r',
    REDIS_HOST: 'rh',
    REDIS_PORT: 6380,
    REPORT_INTERVAL_HOURS: 7,
  });
});
