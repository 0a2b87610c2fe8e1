import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configCheck, configShow } from '../../src/commands/config.ts';
import type { GlobalOptions } from '../../src/commands/context.ts';
import { KEY_NAMES } from '../../src/config/schema.ts';
import { loadConfig } from '../../src/config/load.ts';

const TOKEN = '1234567890:ABCdefGHIjklMNOpqrsTUVwxyz';
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-command-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function run(
  command: typeof configCheck,
  options: GlobalOptions = {},
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => void (out += `${text}\n`),
    err: (text: string) => void (err += `${text}\n`),
    color: false,
    columns: 80,
  };
  const code = await command(options, io, { env, cwd: dir, uid: 0, etcDir: join(dir, 'etc') });
  return { code, out, err };
}

function conf(text: string, mode = 0o600): string {
  const path = join(dir, 'monitor.conf');
  writeFileSync(path, text, { mode });
  return path;
}

describe('config check', () => {
  test('nothing there: fine, 0', async () => {
    expect(await run(configCheck)).toEqual({
      code: 0,
      out: 'The configuration is fine: no configuration file.\n',
      err: '',
    });
  });

  test('a good file: fine, 0', async () => {
    const path = conf('LOG_LEVEL=INFO');
    expect(await run(configCheck)).toMatchObject({ code: 0, out: `The configuration is fine: ${path}.\n` });
  });

  test('warnings: 1', async () => {
    const path = conf('LOG_LEVL=INFO');
    const { code, out } = await run(configCheck);
    expect(code).toBe(1);
    expect(out).toBe(
      `warning: ${path}:1: LOG_LEVL is not a setting and is ignored; did you mean LOG_LEVEL?\n\n1 warning: ${path}.\n`,
    );
  });

  test('errors: 2, all at once, errors first', async () => {
    const path = conf('LOG_LEVL=INFO\nDISK_WARNING_PCT=800\nALERT_COOLDOWN_MINUTES=0');
    const { code, out } = await run(configCheck);
    expect(code).toBe(2);
    expect(out.split('\n').map((line) => line.split(': ')[0])).toEqual([
      'error',
      'error',
      'warning',
      '',
      '2 errors and 1 warning; vpsmon does not start with it.',
      '',
    ]);
    expect(out).toContain(`error: ${path}:2: DISK_WARNING_PCT: expected a number from 1 to 100, found "800"`);
  });

  test('--json', async () => {
    const path = conf('LOG_LEVL=INFO\nDISK_WARNING_PCT=800');
    const { code, out } = await run(configCheck, { json: true });
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      files: [],
      errors: [
        {
          file: path,
          line: 2,
          key: 'DISK_WARNING_PCT',
          text: 'expected a number from 1 to 100, found "800". The highest allowed value is 100',
        },
      ],
      warnings: [
        {
          file: path,
          line: 1,
          key: 'LOG_LEVL',
          text: 'is not a setting and is ignored; did you mean LOG_LEVEL?',
        },
      ],
    });
  });
});

describe('config show', () => {
  const SECRETS = [TOKEN, 'pg-hunter2', 'redis-hunter2', 'uuid-of-heartbeat'];
  const CONF = `TELEGRAM_BOT_TOKEN=${TOKEN}
TELEGRAM_CHAT_ID=-1001
POSTGRES_URL=postgres://u:pg-hunter2@db/x
HEARTBEAT_URL=https://hc-ping.com/uuid-of-heartbeat
SWAP_THRESHOLD_MB=512
`;

  test('every key, its value and where it came from, without secrets', async () => {
    const path = conf(CONF);
    const { code, out, err } = await run(configShow, {}, { REDIS_PASSWORD: 'redis-hunter2' });
    expect([code, err]).toEqual([0, '']);
    for (const key of KEY_NAMES) expect(out).toMatch(new RegExp(`^${key}=.*  # \\S`, 'm'));
    expect(out).toMatch(new RegExp(`^TELEGRAM_BOT_TOKEN=\\*\\*\\* +# ${path}:1$`, 'm'));
    expect(out).toMatch(/^REDIS_PASSWORD=\*\*\* +# environment$/m);
    expect(out).toMatch(/^SWAP_WARNING_MB=256 +# default, in proportion to SWAP_THRESHOLD_MB$/m);
    expect(out).toMatch(/^POSTGRES_URL=postgres:\/\/u:\*\*\*@db\/x /m);
    for (const secret of SECRETS) expect(out).not.toContain(secret);
  });

  test('--json has the same, and no secret either', async () => {
    const path = conf(CONF);
    writeFileSync(join(dir, 'vpsmon.yaml'), 'services: [{ name: n8n, cooldown_minutes: 9 }]');
    const { code, out } = await run(
      configShow,
      { json: true, stateDir: '/x' },
      { REDIS_PASSWORD: 'redis-hunter2' },
    );
    const shown = JSON.parse(out) as Record<string, unknown>;
    expect(code).toBe(0);
    expect(Object.keys(shown).join(' ')).toBe(
      'files state_dir settings services sql_metrics n8n recovery silences',
    );
    expect(shown).toMatchObject({
      files: [path, join(dir, 'vpsmon.yaml')],
      state_dir: '/x',
      settings: {
        TELEGRAM_BOT_TOKEN: { value: '***', from: 'file', file: path, line: 1, follows: null },
        SWAP_WARNING_MB: {
          value: 256,
          from: 'default',
          file: null,
          line: null,
          follows: 'SWAP_THRESHOLD_MB',
        },
        REDIS_PASSWORD: { value: '***', from: 'environment' },
        REDIS_HOST: { value: '', from: 'default' },
      },
      services: [{ name: 'n8n', cooldown_minutes: 9 }],
    });
    for (const secret of SECRETS) expect(out).not.toContain(secret);
  });

  test('what it prints can be read again and means the same', async () => {
    conf('MONITORED_SERVICES="a, b"\nPOSTGRES_USER="a \\"b\\" # c"\nSERVICE_CHECK_INTERVAL=45\n');
    writeFileSync(
      join(dir, 'vpsmon.yaml'),
      `services: [{ name: 'a: "b"', mute: [started] }]
silences: [{ subject: all, days: [mon, fri], from: 02:00, to: 24:00, reason: 'it''s time' }]
recovery: { restart_idle_waha: true }
sql_metrics: [{ name: x, query: "SELECT '#' AS a, 1" }]
`,
    );
    const around = { env: {}, cwd: dir, uid: 0, etcDir: join(dir, 'etc') };
    const before = await loadConfig(around);
    const [flat = '', yaml = ''] = (await run(configShow)).out.split('# vpsmon.yaml\n');
    expect(parse(yaml)).toHaveProperty('services');
    const again = join(dir, 'again');
    mkdirSync(again);
    writeFileSync(join(again, 'monitor.conf'), flat);
    writeFileSync(join(again, 'vpsmon.yaml'), yaml);
    const after = await loadConfig({ ...around, cwd: again });
    if ('problems' in before || 'problems' in after) throw new Error('expected two configurations');
    expect(after.config.warnings).toEqual([]);
    expect(after.config.settings).toEqual(before.config.settings);
    expect(after.config.extra).toEqual(before.config.extra);
  });

  test('no usable configuration: the problems on stderr, and 3', async () => {
    conf('LOG_LEVEL=loud');
    const { code, out, err } = await run(configShow);
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('LOG_LEVEL: expected');
  });
});
