import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { report, type ReportTools } from '../../src/commands/report.ts';
import { gatherReport } from '../../src/commands/report-data.ts';
import type { Incident } from '../../src/model/incident.ts';
import type { Settings } from '../../src/config/schema.ts';
import type { Snapshot } from '../../src/model/sources.ts';
import { renderChart } from '../../src/outputs/report/chart.ts';
import { finishAction, recordAction } from '../../src/store/actions.ts';
import { createHistory } from '../../src/store/history/history.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { hostFiles } from '../../src/system/files.ts';
import { openStore } from '../../src/store/open.ts';
import { rasterize } from '../../src/system/rasterize.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { vpsmon } from '../helpers/daemon.ts';
import { keepAsked } from '../../src/notify/asked.ts';
import { openIncident } from '../helpers/full-snapshot.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';

const MB = 1_048_576;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = new Date(2026, 0, 31, 8, 0, 0).getTime();

let root: string;
let stateDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vpsmon-report-'));
  stateDir = join(root, 'state');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const draw: ReportTools['draw'] = async (chart) => rasterize(renderChart(chart), 256);
const tools: ReportTools = {
  draw,
  collect: () => Promise.reject(new Error('the saved check is fresh: nothing is to be read')),
};

function contextAt(now: number, settings: Partial<Settings> = {}, options = {}) {
  const clock = { now: () => now, monotonic: () => performance.now(), sleep: async () => {} };
  return commandContext(configWith(settings, { stateDir }), options, { system: { clock } });
}

type Story = (
  at: number,
) => { usedMb?: number; uptimeSec?: number; kills?: number; snapshot?: Snapshot } | undefined;

/** Checks every minute; where the story has nothing, the host is off. */
function record(from: number, to: number, story: Story): void {
  const store = openStore(stateDir, from);
  store.db.exec('PRAGMA synchronous = OFF');
  const history = createHistory(store.db);
  for (let at = from; at < to; at += MINUTE) {
    const told = story(at);
    if (!told) continue;
    if (told.snapshot) {
      history.add(told.snapshot);
      continue;
    }
    const snapshot = snapshotOf(at, {
      usedBytes: (told.usedMb ?? 600) * MB,
      uptimeSec: told.uptimeSec ?? (at - from) / 1000 + 1_000_000,
      containers: [containerInfo('n8n', { restartCount: told.kills ?? 0 })],
    });
    snapshot.readings.oom = { state: 'ok', tookMs: 1, value: { killsSinceBoot: told.kills ?? 0, kills: [] } };
    history.add(snapshot);
    if (at % (15 * MINUTE) === 0) history.flush(at);
  }
  history.flush(to, true);
  store.close();
}

test('what cannot be seen while the report is made is told as it was last', async () => {
  record(NOW - HOUR, NOW, (at) => {
    const snapshot = snapshotOf(at, {});
    snapshot.readings.docker = { state: 'failed', why: 'nothing listens', tookMs: 1 };
    return { snapshot };
  });
  const store = openStore(stateDir, NOW);
  const incident = (values: Partial<Incident>) =>
    openIncident({ openedAt: NOW - 2 * HOUR, firedAt: NOW - 2 * HOUR, ...values });
  const about = (name: string) => ({ kind: 'unhealthy', name, at: NOW - 2 * HOUR }) as Incident['fact'];
  saveIncidents(store.db, [
    incident({
      id: 1,
      rule: 'container-unhealthy',
      subject: 'web',
      fact: about('web')!,
      text: 'The health check of web fails',
    }),
    incident({
      id: 2,
      rule: 'container-unhealthy',
      subject: 'db',
      fact: about('db')!,
      text: 'The health check of db fails',
      endText: 'db is healthy again',
      okSince: NOW - HOUR,
      flapping: true,
    }),
    incident({ id: 3, rule: 'docker-gone', subject: 'docker', text: 'Docker is gone' }),
    incident({ id: 4, rule: 'disk', subject: '/', text: 'Disk / is 91 % full' }),
  ]);
  store.close();
  const { context, out } = contextAt(NOW);
  await report(context, 'console', tools);
  for (const line of [
    '• Open since 06:00, not seen now: The health check of web fails',
    '• Since 06:00, fine when it was seen last: db is healthy again',
    '• Open since 06:00: Docker is gone',
    '• Open since 06:00: Disk / is 91 % full',
  ])
    expect(out()).toContain(line);
});

describe('from real history', () => {
  let template: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'vpsmon-report-'));
    template = join(root, 'state');
    stateDir = template;
    record(NOW - 48 * HOUR, NOW, (at) => {
      const hours = (at - NOW) / HOUR;
      // The day before: 500 MB. The day: 600 MB, with a peak of 1,200 MB at 03:12. Off from 02:10 to 05:40 of the day before.
      if (hours >= -29.84 && hours < -26.34) return undefined;
      const peak = at === NOW - 288 * MINUTE;
      return { usedMb: hours < -24 ? 500 : peak ? 1200 : 600, kills: hours > -5 ? 2 : 0 };
    });
  });
  afterAll(() => rmSync(join(template, '..'), { recursive: true, force: true }));
  beforeEach(() => cpSync(template, stateDir, { recursive: true }));

  test('averages, peaks, the day before; printed, and saved as text and picture', async () => {
    const { context, out, err } = contextAt(NOW);
    expect(await report(context, 'console', tools)).toBe(0);
    const path = join(stateDir, 'reports/2026-01-31.txt');
    expect(readFileSync(path, 'utf8')).toBe(out());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.replace('.txt', '.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(err()).toBe(`Saved ${path}\n`);
    for (const line of [
      'Memory: 600 MB of 2 GB now, 1.4 GB available',
      '  Average 600 MB, peak 1.2 GB at 03:12',
      '  Day before: average 500 MB, peak 500 MB',
      'The day before has data for 20 h only',
      'OOM kills: 2',
      '  Restarts: n8n 2',
    ])
      expect(out().split('\n')).toContain(line);
    expect(out()).not.toContain('No data');
  });

  test('as JSON it has the same numbers, and --dry-run leaves nothing', async () => {
    const { context, out, err } = contextAt(NOW, {}, { json: true, dryRun: true });
    expect(await report(context, 'telegram', tools)).toBe(0);
    const json = JSON.parse(out()) as {
      checks: number;
      oom_kills: number;
      day: Record<string, { peak: number }>;
    };
    expect(json).toMatchObject({ checks: 1440, oom_kills: 2, day: { 'memory.used': { peak: 1200 * MB } } });
    expect(err()).toBe(
      `Would save ${join(stateDir, 'reports/2026-01-31.txt')} and its picture, and send both to Telegram.\n`,
    );
    expect(existsSync(join(stateDir, 'reports'))).toBe(false);
  });

  test('incidents of the day and what recovery did', async () => {
    const store = openStore(stateDir, NOW);
    const incident = (values: Partial<Incident>) => openIncident({ rule: `rule-${values.id}`, ...values });
    saveIncidents(store.db, [
      incident({ id: 1, openedAt: NOW - 50 * HOUR, firedAt: NOW - 50 * HOUR, text: 'Disk / is 91 % full' }),
      incident({
        id: 2,
        severity: 'critical',
        state: 'resolved',
        openedAt: NOW - 5 * HOUR - 30_000,
        firedAt: NOW - 5 * HOUR,
        resolvedAt: NOW - 4.8 * HOUR,
        text: 'Memory pressure is 92',
      }),
      incident({ id: 3, state: 'pending', openedAt: NOW - MINUTE, text: 'not said yet' }),
      incident({
        id: 4,
        state: 'resolved',
        openedAt: NOW - 30 * HOUR,
        firedAt: NOW - 30 * HOUR,
        resolvedAt: NOW - 29 * HOUR,
        text: 'the day before',
      }),
      incident({
        id: 5,
        openedAt: NOW - 2 * HOUR,
        firedAt: NOW - 2 * HOUR,
        okSince: NOW - HOUR,
        flapping: true,
        text: 'Redis cannot be read',
        endText: 'Redis can be read',
      }),
    ]);
    const id = recordAction(store.db, {
      rule: 'waha',
      target: 'default',
      what: 'restart-session',
      why: 'FAILED for 6 min',
      state: 'running',
      startedAt: NOW - 3 * HOUR,
    });
    finishAction(store.db, id, { state: 'worked', result: 'WORKING after 4 s', at: NOW - 3 * HOUR + 4000 });
    store.close();
    const { context, out } = contextAt(NOW);
    await report(context, 'console', tools);
    expect(out()).toContain('1 alert still open; 1 critical, 1 warning in 24 h');
    expect(out()).toContain('• Open since Thu 06:00: Disk / is 91 % full');
    expect(out()).toContain('• 03:00 Memory pressure is 92 (12 min)');
    expect(out()).toContain('• Since 06:00, fine since 07:00: Redis can be read');
    expect(out()).toContain('Recovery: 1 step\n  • 05:00 restart session default: worked');
    expect(out()).not.toMatch(/not said yet|the day before/);
  });

  test('no picture possible: the text is still there', async () => {
    const { context, out, err } = contextAt(NOW);
    const broken = { ...tools, draw: () => Promise.reject(new Error('no binary for this platform')) };
    expect(await report(context, 'console', broken)).toBe(0);
    expect(err()).toContain('no picture: no binary for this platform');
    expect(out()).toContain('Average 600 MB');
    expect(existsSync(join(stateDir, 'reports/2026-01-31.png'))).toBe(false);
  });

  test('reports of last year make room, other files stay', async () => {
    mkdirSync(join(stateDir, 'reports'));
    const file = (name: string) => join(stateDir, 'reports', name);
    for (const name of ['2025-10-01.txt', '2025-10-01.png', '2025-12-24.txt', 'notes.txt'])
      writeFileSync(file(name), 'x');
    utimesSync(file('notes.txt'), 0, 0);
    await report(contextAt(NOW).context, 'console', tools);
    expect(
      ['2025-10-01.txt', '2025-10-01.png', '2025-12-24.txt', 'notes.txt'].map((name) =>
        existsSync(file(name)),
      ),
    ).toEqual([false, false, true, true]);
  });
});

describe('days that are not whole', () => {
  test('the first one: since 14:20', async () => {
    record(NOW - 1060 * MINUTE, NOW, () => ({}));
    const { context, out } = contextAt(NOW);
    await report(context, 'console', tools);
    expect(out()).toContain('Since 14:20: there is no older data');
    expect(out()).not.toContain('Day before');
    expect(out()).not.toContain('No data');
  });

  // U9: kept uptimes are whole seconds, the last one is not: one start must not look like two.
  test.each([0, -0.4])('the host was off and was started again, %d s', async (fraction) => {
    record(NOW - 40 * HOUR, NOW, (at) => {
      const off = at >= NOW - 350 * MINUTE && at < NOW - 140 * MINUTE;
      if (off) return undefined;
      return at < NOW - 350 * MINUTE ? {} : { uptimeSec: (at - (NOW - 141 * MINUTE)) / 1000 + fraction };
    });
    const { context, out } = contextAt(NOW);
    await report(context, 'console', tools);
    expect(out()).toContain('No data 02:09-05:40 (3 h 31 min): the host or the monitor was off');
    expect(out()).toContain('Uptime: 2 h 20 min\n  The host was started at 05:39');
    expect(out()).not.toContain('05:39, ');
  });

  test('old restarts are not new where Docker did not answer at the beginning of the day', async () => {
    record(NOW - 26 * HOUR, NOW, (at) => {
      const snapshot = snapshotOf(at, { containers: [containerInfo('n8n', { restartCount: 12 })] });
      if (Math.abs(at - NOW + 24 * HOUR) < 3 * MINUTE)
        snapshot.readings.docker = { state: 'failed', why: 'no answer', tookMs: 1 };
      return { snapshot };
    });
    const { context, out } = contextAt(NOW);
    await report(context, 'console', tools);
    expect(out()).toContain('No restarts');
  });

  test('what a clock that was ahead has kept is no history', async () => {
    record(NOW + 1000 * HOUR, NOW + 1001 * HOUR, () => ({}));
    const { context, out } = contextAt(NOW);
    await report(context, 'console', { draw, collect: async () => snapshotOf(NOW) });
    expect(out()).toContain('A first look\nNo history yet: only what was read just now');
    expect(out()).not.toContain('Since');
  });

  test('nothing is running and nothing was kept: it reads by itself and says so', async () => {
    const { context, out, err } = contextAt(NOW);
    const collect = async () => snapshotOf(NOW, { usedBytes: 700 * MB });
    expect(await report(context, 'console', { draw, collect })).toBe(0);
    expect(out()).toContain('A first look\nNo history yet: only what was read just now');
    expect(out()).toContain('Memory: 700 MB of 2 GB now');
    expect(err()).toContain('No picture: there is not enough history yet.');
  });

  test('a corrupt database is set aside, said, and begun anew', async () => {
    mkdirSync(stateDir);
    writeFileSync(
      join(stateDir, 'vpsmon.db'),
      'this is no database, and long enough to be looked at'.repeat(50),
    );
    const { context, err } = contextAt(NOW);
    expect(await report(context, 'console', { draw, collect: async () => snapshotOf(NOW) })).toBe(0);
    expect(err()).toMatch(/the database was damaged and is set aside as .*vpsmon\.db\.corrupt-/i);
  });
});

describe('summer time, in Berlin', () => {
  beforeAll(() => void vi.stubEnv('TZ', 'Europe/Berlin'));
  afterAll(() => void vi.unstubAllEnvs());

  test.each([
    ['put forward', new Date(Date.UTC(2026, 2, 29, 6, 0)), '08:00', '2026-03-29', '03:30'],
    ['put back', new Date(Date.UTC(2026, 9, 25, 7, 0)), '08:00', '2026-10-25', '02:30'],
  ])(
    'the night in which clocks are %s has no gap, and times are those of the wall',
    (_, now, clock, day, peak) => {
      const at = now.getTime();
      // 01:30 UTC: 03:30 after the change in spring, the second 02:30 in autumn.
      const peakAt = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), 1, 30);
      record(at - 26 * HOUR, at, (moment) => ({ usedMb: moment === peakAt ? 1900 : 600 }));
      const store = openStore(stateDir, at);
      const history = createHistory(store.db);
      const { data, chart } = gatherReport({
        db: store.db,
        history,
        config: configWith({}, { stateDir }),
        snapshot: history.latest(at, HOUR)!,
        hostname: 'vps',
        files: hostFiles('/'),
        at,
      });
      store.close();
      expect(data.gaps).toEqual([]);
      expect(data.checks).toBe(1440);
      expect(new Date(at).toTimeString().slice(0, 5)).toBe(clock);
      expect(new Date(data.day['memory.used']!.peakAt).toTimeString().slice(0, 5)).toBe(peak);
      expect(chart.to - chart.from).toBe(24 * HOUR);
      expect(day).toBe(new Date(at).toLocaleDateString('sv-SE'));
    },
  );
});

describe('to Telegram', () => {
  let telegram: Telegram;
  beforeEach(async () => {
    telegram = await startTelegram();
    record(NOW - 3 * HOUR, NOW, () => ({}));
  });
  afterEach(() => telegram.close());

  /** The clock of the world: delivery waits between two messages. */
  function contextFor(settings: Partial<Settings> = {}) {
    const { context, out, err } = commandContext(
      configWith(
        {
          ...telegram.settings,
          ...settings,
        },
        { stateDir },
      ),
    );
    const real = context.system.clock;
    const start = real.monotonic();
    context.system.clock = { ...real, now: () => NOW + Math.round(real.monotonic() - start) };
    return { context, out, err };
  }

  test('the picture, then the text', async () => {
    const { context, out, err } = contextFor();
    expect(await report(context, 'telegram', tools)).toBe(0);
    expect(telegram.sent.map(({ method }) => method)).toEqual(['sendPhoto', 'sendMessage']);
    expect(telegram.sent[0]!.photo!.content.subarray(1, 4).toString()).toBe('PNG');
    expect(telegram.sent[1]!.plain).toContain('Memory  600 MB of 2 GB now');
    expect(err()).toContain('Sent to Telegram.');
    expect(out()).toBe('');
  });

  test('without a picture the text goes out', async () => {
    const { context } = contextFor();
    await report(context, 'telegram', { ...tools, draw: () => Promise.reject(new Error('no memory')) });
    expect(telegram.sent.map(({ method }) => method)).toEqual(['sendMessage']);
  });

  test('R3: one that cannot be made is told all the same, without its secrets', async () => {
    const broken = {
      ...tools,
      collect: () => Promise.reject(new Error('a mistake with password=hunter2hunter2')),
    };
    const { context, err } = contextFor();
    context.system.clock = { ...context.system.clock, now: () => NOW + 86_400_000 };
    expect(await report(context, 'telegram', broken)).toBe(3);
    expect(telegram.sent).toHaveLength(1);
    expect(telegram.sent[0]!.plain).toMatch(/There is no daily report of .+ today: it could not be made/);
    expect(telegram.sent[0]!.plain + err()).not.toContain('hunter2');
  });

  test('refused: said, kept, exit 2', async () => {
    telegram.setToken('999999999:another-token-that-is-long-enough-00');
    const { context, err } = contextFor();
    expect(await report(context, 'telegram', tools)).toBe(2);
    expect(err()).toContain('Telegram refuses the report');
    expect(existsSync(join(stateDir, 'reports/2026-01-31.txt'))).toBe(true);
  });

  test('asked for on Telegram, it is sent once, whichever of two processes is first', async () => {
    const asked = { name: 'report', args: [], target: telegram.chatId, at: NOW, tries: 0 };
    const store = openStore(stateDir, NOW);
    for (const id of [7, 8]) keepAsked(store.db, { ...asked, id }, NOW);
    store.close();
    for (const id of ['7', '7', '8'])
      expect(await report(contextFor().context, 'telegram', tools, { to: telegram.chatId, asked: id })).toBe(
        0,
      );
    expect(telegram.sent.filter(({ method }) => method === 'sendMessage')).toHaveLength(2);
  });

  test('while the disk is full it is sent all the same', async () => {
    const store = openStore(stateDir, NOW);
    store.db.exec(
      "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    );
    store.close();
    const { context, err } = contextFor();
    expect(await report(context, 'telegram', tools)).toBe(0);
    expect(telegram.sent.at(-1)?.plain).toContain('Memory  600 MB of 2 GB now');
    expect(err()).toContain('cannot be kept until it is sent: database or disk is full');
    telegram.always('500');
    expect(await report(contextFor().context, 'telegram', tools)).toBe(2);
  });

  test('not configured: saved only, exit 2', async () => {
    const { context, err } = contextFor({ TELEGRAM_BOT_TOKEN: '' });
    expect(await report(context, 'telegram', tools)).toBe(2);
    expect(err()).toContain('Telegram is not configured');
    expect(telegram.calls).toEqual([]);
  });
});

test('as it is built, it draws the picture with the fonts that it was built with', async () => {
  const now = Date.now();
  record(now - 3 * HOUR, now, () => ({}));
  const config = join(root, 'monitor.conf');
  writeFileSync(config, 'LOG_LEVEL="INFO"\n', { mode: 0o600 });
  const { code, stdout, stderr } = await vpsmon(['report', '--config', config, '--state-dir', stateDir]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^Saved .*\.txt\n$/) as string });
  expect(stdout).toContain('Average 600 MB');
  const png = readFileSync(stderr.trim().replace(/^Saved (.*)\.txt$/, '$1.png'));
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1024, 1280]);
  // Without letters it would have 10 to 20 KB.
  expect(png.length).toBeGreaterThan(40_000);
});

test('a place that is neither', async () => {
  const { context, err } = contextAt(NOW);
  expect(await report(context, 'telegramm', tools)).toBe(3);
  expect(err()).toBe(
    'vpsmon: a report goes to console or telegram, not to "telegramm": did you mean telegram?\n',
  );
});
