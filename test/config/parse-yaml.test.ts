import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { defaultExtra, type Config } from '../../src/config/schema.ts';
import { loadConfig } from '../../src/config/load.ts';

const dir = mkdtempSync(join(tmpdir(), 'vpsmon-yaml-'));
afterAll(() => rmSync(dir, { recursive: true }));

async function load(yaml: string): Promise<Config> {
  writeFileSync(join(dir, 'vpsmon.yaml'), yaml, { mode: 0o600 });
  const loaded = await loadConfig({ env: {}, cwd: dir, uid: 0, etcDir: join(dir, 'etc') });
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

test('everything that can stand there', async () => {
  const config = await load(`
settings:
  MEMORY_WARNING_MB: 120
  ENABLE_AUTO_RECOVERY: yes
  ESSENTIAL_CONTAINERS: [postgres, n8n]
  MONITORED_SERVICES: a, b
  TELEGRAM_CHAT_ID: -1001234567890123
  TELEGRAM_BOT_TOKEN: 1234567890:ABCdefGHIjklMNOpqrsTUVwxyz
  POSTGRES_PASSWORD: 0123
services:
  - name: n8n
    essential: true
    cooldown_minutes: 30
    malfunction_restarts: "5"
    mute: [started, redeployed]
    memory_warning_mb: 400
    memory_critical_mb: 500
  - name: 123
    essential: off
    mute: unhealthy
sql_metrics:
  - name: orders_open
    help: Open orders.
    query: |
      -- what nobody has looked at
      SELECT count(*) AS value, city
      FROM orders GROUP BY city;
    database: shop
  - name: lead_count
    query: SELECT 1
n8n:
  low_priority_tag: later
  low_priority_workflows: [Newsletter, 42]
  queues: jobs
  finished_within_hours: 48
recovery:
  actions_per_target_per_hour: 2
  actions_per_hour: 5
  restart_idle_waha: true
  waha_idle_minutes: 120
  calm_minutes: 20
silences:
  - { subject: all, days: [sun, Monday], from: 02:00, to: 03:30, reason: backup }
  - { subject: disk, days: weekends, from: "22:00", to: 24:00 }
  - { subject: n8n, from: 23:30, to: 00:15 }
`);
  expect(config.warnings).toEqual([]);
  expect(config.settings).toMatchObject({
    MEMORY_WARNING_MB: 120,
    ENABLE_AUTO_RECOVERY: true,
    ESSENTIAL_CONTAINERS: ['postgres', 'n8n'],
    MONITORED_SERVICES: ['a', 'b'],
    TELEGRAM_CHAT_ID: '-1001234567890123',
    POSTGRES_PASSWORD: '0123',
  });
  expect(config.extra).toEqual({
    services: [
      {
        name: 'n8n',
        essential: true,
        cooldownMinutes: 30,
        malfunctionRestarts: 5,
        mute: ['started', 'redeployed'],
        memoryWarningMb: 400,
        memoryCriticalMb: 500,
      },
      { name: '123', essential: false, mute: ['unhealthy'] },
    ],
    sqlMetrics: [
      {
        name: 'orders_open',
        help: 'Open orders.',
        query: '-- what nobody has looked at\nSELECT count(*) AS value, city\nFROM orders GROUP BY city',
        database: 'shop',
      },
      { name: 'lead_count', help: 'lead_count by SQL.', query: 'SELECT 1' },
    ],
    n8n: {
      tag: 'later',
      lowPriorityWorkflows: ['Newsletter', '42'],
      queues: ['jobs'],
      finishedWithinHours: 48,
    },
    recovery: {
      actionsPerTargetPerHour: 2,
      actionsPerHour: 5,
      restartIdleWaha: true,
      wahaIdleMinutes: 120,
      calmMinutes: 20,
    },
    silences: [
      { subject: 'all', days: [0, 1], from: 120, to: 210, reason: 'backup' },
      { subject: 'disk', days: [0, 6], from: 1320, to: 1440, reason: '' },
      { subject: 'n8n', days: [0, 1, 2, 3, 4, 5, 6], from: 1410, to: 15, reason: '' },
    ],
  });
});

test.each(['', '\n', '# nothing\n', '---\n', 'services:\nn8n:\nsilences: []\n', '{}', '~'])(
  'an empty file is the defaults: %j',
  async (yaml) => {
    const config = await load(yaml);
    expect(config.extra).toEqual(defaultExtra());
    expect(config.warnings).toEqual([]);
  },
);

test('own SQL metrics stand beside the built-in one', async () => {
  const { extra } = await load('sql_metrics: [{ name: orders, query: TABLE orders_count }]');
  expect(extra.sqlMetrics.map((m) => m.name)).toEqual(['orders']);
});

test('anchors and aliases', async () => {
  const { extra } = await load(
    'services:\n  - { name: a, mute: &quiet [started, restored] }\n  - { name: b, mute: *quiet }\n',
  );
  expect(extra.services.map((s) => s.mute)).toEqual([
    ['started', 'restored'],
    ['started', 'restored'],
  ]);
});

test('keys that JavaScript objects have anyway are unknown keys', async () => {
  const { warnings } = await load('__proto__: { a: 1 }\nconstructor: 1\nrecovery: { toString: 1 }\n');
  expect(warnings.map((w) => w.key)).toEqual(['__proto__', 'constructor', 'recovery.toString']);
  expect(({} as { a?: number }).a).toBeUndefined();
});
