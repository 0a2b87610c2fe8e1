import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silence, silenceEnd, silenceList } from '../../src/commands/silence.ts';
import { defaultExtra, type SilenceWindow } from '../../src/config/schema.ts';
import { RULES } from '../../src/model/rules.ts';
import { silenceEndedHtml } from '../../src/outputs/telegram/console.ts';
import { activeSilences, saveIncidents } from '../../src/store/incidents.ts';
import { openStore } from '../../src/store/open.ts';
import type { Docker } from '../../src/system/types.ts';
import { incidentOf } from '../helpers/incident.ts';
import { commandContext, configWith, type Recorded } from '../helpers/command.ts';

/** A Wednesday at noon. */
const NOW = new Date(2026, 0, 14, 12, 0, 0).getTime();
const HOUR = 3_600_000;
let stateDir: string;

beforeEach(() => {
  stateDir = join(mkdtempSync(join(tmpdir(), 'vpsmon-silence-')), 'state');
});
afterEach(() => rmSync(join(stateDir, '..'), { recursive: true }));

/** Containers as Docker lists them; undefined: Docker cannot be reached. */
function contextAt(
  options: { json?: boolean; dryRun?: boolean } = {},
  more: { containers?: string[]; windows?: SilenceWindow[]; stateDir?: string } = {},
): Recorded {
  const clock = { now: () => NOW, monotonic: () => 0, sleep: async () => undefined };
  const config = configWith(
    {},
    { stateDir: more.stateDir ?? stateDir, extra: { ...defaultExtra(), silences: more.windows ?? [] } },
  );
  const docker = {
    list: async () => {
      if (!more.containers) throw new Error('no Docker here');
      return more.containers.map((name) => ({
        name,
        labels: { 'com.docker.compose.service': `${name}-service` },
      }));
    },
    close: () => undefined,
  } as unknown as Docker;
  return commandContext(config, options, { system: { clock, docker } });
}

function kept(): { subject: string; until: number; reason: string; since: number }[] {
  const store = openStore(stateDir, NOW);
  try {
    return activeSilences(store.db, NOW);
  } finally {
    store.close();
  }
}

describe('silence', () => {
  test('knows exactly the rules of the catalogue', async () => {
    for (const rule of Object.keys(RULES)) {
      const { context, err } = contextAt({ dryRun: true }, { containers: [] });
      expect(await silence(context, rule, '1h')).toBe(0);
      expect(err(), rule).toBe('');
    }
    for (const none of ['container-crashed', 'container-stopped2', 'restart']) {
      const { context, err } = contextAt({ dryRun: true }, { containers: [] });
      await silence(context, none, '1h');
      expect(err(), none).toContain(`no container, service or rule is called ${none}`);
    }
  });

  test('keeps subject, end and reason, and says until when', async () => {
    const { context, out, err } = contextAt({}, { containers: ['n8n'] });
    expect(await silence(context, 'N8N', '2h', 'upgrade')).toBe(0);
    expect(out()).toBe(
      'No messages about N8N until 2026-01-14 14:00:00 (2 h). Incidents are still recorded.\nTo end it earlier: vpsmon silence end N8N\n',
    );
    expect(err()).toBe('');
    expect(kept()).toEqual([{ subject: 'n8n', until: NOW + 2 * HOUR, reason: 'upgrade', since: NOW }]);
  });

  test('a second silence of the same subject replaces the first, a shorter one too', async () => {
    for (const duration of ['2h', '30m']) {
      await silence(contextAt({}, { containers: ['n8n'] }).context, 'n8n', duration);
    }
    expect(kept().map((one) => one.until)).toEqual([NOW + HOUR / 2]);
  });

  test.each(['all', 'everything', '*', 'ALL'])('%j is everything', async (subject) => {
    const { context, err } = contextAt();
    expect(await silence(context, subject, '1d')).toBe(0);
    expect(err()).toBe('');
    expect(kept().map((one) => one.subject)).toEqual(['all']);
  });

  test.each(['disk', 'container-stopped', 'host', '/var/lib', 'n8n-service'])(
    '%j is known',
    async (subject) => {
      const { context, err } = contextAt({}, { containers: ['n8n'] });
      expect(await silence(context, subject, '1h')).toBe(0);
      expect(err()).toBe('');
    },
  );

  test("U16: the README's `silence n8n` works as it stands where there is no n8n", async () => {
    const { context, err, out } = contextAt({}, { containers: ['web'] });
    expect(await silence(context, 'n8n', '2h')).toBe(0);
    expect(err()).toBe('');
    expect(out()).toContain('No messages about n8n until');
  });

  test('a name that nobody knows is silenced all the same, with a hint', async () => {
    const { context, err } = contextAt({}, { containers: ['postgres', 'redis'] });
    const dry = contextAt({ dryRun: true }, { containers: ['postgres', 'redis'] });
    expect(await silence(dry.context, 'postgers', '1h')).toBe(0);
    expect(dry.err()).toBe(
      'vpsmon: no container, service or rule is called postgers; did you mean postgres?\n',
    );
    expect(await silence(context, 'postgers', '1h')).toBe(0);
    expect(err()).toBe(
      'vpsmon: no container, service or rule is called postgers; did you mean postgres? It is silenced all the same.\n',
    );
    expect(kept().map((one) => one.subject)).toEqual(['postgers']);
  });

  test('Docker away is no reason not to silence', async () => {
    const { context, err } = contextAt();
    expect(await silence(context, 'some-container', '1h')).toBe(0);
    expect(err()).toContain('no container, service or rule is called some-container. It is silenced');
  });

  test.each([
    [undefined, 'none was given'],
    ['2x', 'not `2x`'],
    ['0m', 'not `0m`'],
    ['soon', 'not `soon`'],
  ])('the duration %j is refused with what is expected', async (duration, why) => {
    const { context, out, err } = contextAt();
    expect(await silence(context, 'n8n', duration)).toBe(3);
    expect(out()).toBe('');
    expect(err()).toBe(
      `vpsmon: \`silence\` expects a duration like 30m, 2h, 1d or 1h30m after the subject; ${why}.\n`,
    );
    expect(existsSync(stateDir)).toBe(false);
  });

  test('an empty subject is refused', async () => {
    const { context, err } = contextAt();
    expect(await silence(context, ' ', '1h')).toBe(3);
    expect(err()).toContain('expects a container, a service, a rule or `all`');
  });

  test('--dry-run changes nothing', async () => {
    const { context, out } = contextAt({ dryRun: true });
    expect(await silence(context, 'all', '1h')).toBe(0);
    expect(out()).toBe(
      'Would send no messages about anything until 2026-01-14 13:00:00 (1 h). Incidents are still recorded.\n',
    );
    expect(existsSync(stateDir)).toBe(false);
  });

  test('as JSON', async () => {
    const { context, out } = contextAt({ json: true });
    expect(await silence(context, 'all', '1h', 'x\u001b[31m\ny')).toBe(0);
    expect(JSON.parse(out())).toEqual({
      version: 1,
      dry_run: false,
      silence: { subject: 'all', until: new Date(NOW + HOUR).toISOString(), reason: 'x y' },
    });
  });

  test('a state folder that cannot be made is said; exit 2', async () => {
    const file = join(stateDir, '..', 'file');
    writeFileSync(file, '');
    const { context, out, err } = contextAt({}, { stateDir: join(file, 'state') });
    expect(await silence(context, 'typo', '1h')).toBe(2);
    expect(out()).toBe('');
    expect(err()).toContain(`this cannot be saved in ${join(file, 'state')}`);
    expect(err()).not.toContain('It is silenced');
  });
});

describe('silence list', () => {
  test('nothing silenced, no store: says so and makes none', async () => {
    const { context, out, err } = contextAt();
    expect(await silenceList(context)).toBe(0);
    expect(out()).toBe('Nothing is silenced.\n');
    expect(err()).toBe('');
    expect(existsSync(stateDir)).toBe(false);
  });

  const windows: SilenceWindow[] = [
    { subject: 'disk', days: [3], from: 11 * 60, to: 13 * 60, reason: 'backup' },
    { subject: 'all', days: [], from: 22 * 60, to: 6 * 60, reason: '' },
  ];

  test('by hand and by schedule, aligned, the next to end first', async () => {
    await silence(contextAt().context, 'all', '1d');
    await silence(contextAt({}, { containers: ['n8n'] }).context, 'n8n', '90m', 'upgrade');
    const { context, out } = contextAt({}, { windows });
    expect(await silenceList(context)).toBe(0);
    expect(out()).toBe(
      [
        '  SILENCED  UNTIL                      LEFT  FROM         REASON',
        '  n8n       2026-01-14 13:30:00  1 h 30 min  by hand      upgrade',
        '  all       2026-01-15 12:00:00         1 d  by hand',
        '  disk      2026-01-14 13:00:00         1 h  vpsmon.yaml  backup',
        '',
        'On a schedule (vpsmon.yaml)',
        '  disk: Wed 11:00-13:00, backup',
        '  all: daily 22:00-06:00',
        '',
      ].join('\n'),
    );
  });

  test('as JSON', async () => {
    await silence(contextAt().context, 'all', '1d', 'trip');
    const { context, out } = contextAt({ json: true }, { windows });
    await silenceList(context);
    expect(JSON.parse(out())).toEqual({
      version: 1,
      silences: [
        {
          subject: 'all',
          since: new Date(NOW).toISOString(),
          until: new Date(NOW + 24 * HOUR).toISOString(),
          reason: 'trip',
          scheduled: false,
        },
        {
          subject: 'disk',
          since: new Date(NOW - HOUR).toISOString(),
          until: new Date(NOW + HOUR).toISOString(),
          reason: 'backup',
          scheduled: true,
        },
      ],
      schedule: windows,
    });
  });
});

describe('silence end', () => {
  test('ends it, whatever the case', async () => {
    await silence(contextAt({}, { containers: ['n8n'] }).context, 'n8n', '1h');
    const { context, out } = contextAt();
    expect(await silenceEnd(context, 'N8n')).toBe(0);
    expect(out()).toBe(
      'N8n is notified again. What still lasts and was held back is sent with the next check.\n',
    );
    expect(kept()).toEqual([]);
  });

  test('`everything` ends `all`', async () => {
    await silence(contextAt().context, 'all', '1h');
    expect(await silenceEnd(contextAt().context, 'everything')).toBe(0);
    expect(kept()).toEqual([]);
  });

  test('what another one covers stays silent, and it is said until when', async () => {
    await silence(contextAt().context, 'n8n', '1h');
    await silence(contextAt().context, 'all', '2h');
    const tried = contextAt({ dryRun: true });
    expect(await silenceEnd(tried.context, 'n8n')).toBe(0);
    expect(tried.out()).toBe('n8n would stay silent: all is silenced until 2026-01-14 14:00:00.\n');
    const done = contextAt();
    expect(await silenceEnd(done.context, 'n8n')).toBe(0);
    expect(done.out()).toBe('n8n stays silent: all is silenced until 2026-01-14 14:00:00.\n');
    expect(await silenceEnd(contextAt().context, 'all')).toBe(0);
    await silence(contextAt().context, 'all', '1h');
    const windows = [{ subject: 'n8*', days: [], from: 0, to: 23 * 60, reason: '' }];
    const all = contextAt({}, { windows });
    expect(await silenceEnd(all.context, 'all')).toBe(0);
    expect(all.out()).toMatch(/^Everything is notified again\./);
    const never = contextAt({}, { windows });
    expect(await silenceEnd(never.context, 'n8n')).toBe(2);
    expect(never.err()).toMatch(
      /^vpsmon: n8n has no silence of its own, and is silent: n8\* is silenced until .* \(vpsmon\.yaml\)\. That ends by its schedule\.$/m,
    );
  });

  test('a Docker that hangs holds up neither the end nor its JSON', async () => {
    for (const subject of ['n8n', 'all']) await silence(contextAt().context, subject, '1h');
    const asked = contextAt({ json: true });
    asked.context.system.docker.list = () => new Promise(() => undefined);
    expect(await silenceEnd(asked.context, 'n8n')).toBe(0);
    expect(JSON.parse(asked.out())).toEqual({ version: 1, dry_run: false, ended: 'n8n' });
    await silence(contextAt().context, 'n8n', '1h');
    const { context, out } = contextAt();
    let answer = (): void => undefined;
    context.system.docker.list = () => new Promise((resolve) => (answer = () => resolve([])));
    const ended = silenceEnd(context, 'n8n');
    // Who gives up waiting has ended it all the same.
    expect(kept().map(({ subject }) => subject)).toEqual(['all']);
    answer();
    expect(await ended).toBe(0);
    expect(out()).toMatch(/^n8n stays silent: all is silenced until/);
  });

  test('--dry-run ends nothing', async () => {
    await silence(contextAt().context, 'all', '1h');
    const { context, out } = contextAt({ dryRun: true });
    expect(await silenceEnd(context, 'all')).toBe(0);
    expect(out()).toBe('Everything would be notified again.\n');
    expect(kept()).toHaveLength(1);
  });

  test('what is not silenced: what is', async () => {
    await silence(contextAt().context, 'all', '1h');
    const { context, err } = contextAt();
    expect(await silenceEnd(context, 'n8n')).toBe(2);
    expect(err()).toBe(
      'vpsmon: n8n has no silence of its own, and is silent: all is silenced until 2026-01-14 13:00:00. To end that: vpsmon silence end all.\n',
    );
    await silenceEnd(contextAt().context, 'all');
    await silence(contextAt().context, 'redis', '1h');
    const other = contextAt();
    expect(await silenceEnd(other.context, 'n8n')).toBe(2);
    expect(other.err()).toBe('vpsmon: n8n is not silenced. Silenced are: redis.\n');
  });

  test('the command that ends it is whole, however long the name is', async () => {
    const long = `${'shop_'.repeat(14)}*`;
    await silence(contextAt().context, long, '1h');
    const { context, err } = contextAt();
    expect(await silenceEnd(context, `${long.slice(0, -1)}web`)).toBe(2);
    expect(err()).toMatch(/To end that: vpsmon silence end '(?:shop_){14}\*'\.$/m);
    const still = { text: 'silenced', end: `/silence end ${long}` };
    expect(silenceEndedHtml('web', false, still)).toMatch(/That ends with \/silence end (?:shop_){14}\*$/);
  });

  test.each([
    ['running', { containers: ['shop-web-1'] }],
    ['known by its incidents', {}],
  ])('a container whose service is silenced, %s: which one, and how to end that', async (_how, more) => {
    await silence(contextAt().context, 'shop-web-1-service', '1h');
    const store = openStore(stateDir, NOW);
    const about = { subject: 'shop-web-1', alias: 'shop-web-1-service' };
    if (!('containers' in more))
      saveIncidents(store.db, [incidentOf({ rule: 'container-stopped', ...about })]);
    store.close();
    const { context, err } = contextAt({}, more);
    expect(await silenceEnd(context, 'shop-web-1')).toBe(2);
    expect(err()).toBe(
      'vpsmon: shop-web-1 has no silence of its own, and is silent: shop-web-1-service is silenced until 2026-01-14 13:00:00. To end that: vpsmon silence end shop-web-1-service.\n',
    );
    await silence(contextAt({}, more).context, 'shop-web-1', '30m');
    const own = contextAt({}, more);
    expect(await silenceEnd(own.context, 'shop-web-1')).toBe(0);
    expect(own.out()).toBe(
      'shop-web-1 stays silent: shop-web-1-service is silenced until 2026-01-14 13:00:00.\n',
    );
  });

  test('nothing silenced, and no store', async () => {
    const { context, err } = contextAt();
    expect(await silenceEnd(context, 'n8n')).toBe(2);
    expect(err()).toBe('vpsmon: n8n is not silenced. Nothing is silenced.\n');
    expect(existsSync(stateDir)).toBe(false);
  });

  test('a window of vpsmon.yaml cannot be ended by hand', async () => {
    const windows = [{ subject: 'disk', days: [], from: 0, to: 1440, reason: '' }];
    const { context, err } = contextAt({}, { windows });
    expect(await silenceEnd(context, 'disk')).toBe(2);
    expect(err()).toContain('The one in vpsmon.yaml ends by its schedule');
  });

  test('without a subject', async () => {
    const { context, err } = contextAt();
    expect(await silenceEnd(context, undefined)).toBe(3);
    expect(err()).toContain('expects the subject');
  });

  test('a database of another make is said, not set aside', async () => {
    const dir = join(stateDir, '..');
    writeFileSync(join(dir, 'vpsmon.db'), 'x'.repeat(5000));
    const { context, err } = contextAt({}, { stateDir: dir });
    expect(await silenceEnd(context, 'all')).toBe(2);
    expect(err()).toContain('cannot be opened');
    expect(readdirSync(dir)).toEqual(['vpsmon.db']);
  });
});
