// What the bot answers must fit a phone: columns of fixed width are at most 34 letters wide.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { htmlToPlain } from '../../src/model/html.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { fixedHtml } from '../../src/model/text.ts';
import { containersHtml, incidentsHtml, statusHtml } from '../../src/outputs/telegram/console.ts';
import { detailsHtml } from '../../src/outputs/telegram/details.ts';
import { renderForecasts } from '../../src/outputs/terminal/forecast.ts';
import { width } from '../../src/outputs/terminal/style.ts';
import type { Forecast, ForecastKind } from '../../src/model/forecast.ts';
import { incidentOf } from '../helpers/incident.ts';
import { parseHtml } from '../standins/telegram.js';

const MB = 1_048_576;
const fixedLines = (html: string) =>
  [...html.matchAll(/<pre>([\s\S]*?)<\/pre>/g)].flatMap((match) => htmlToPlain(match[1] ?? '').split('\n'));

it('/containers: columns keep their spaces, and those that are not well come first, by name', () => {
  const container = (name: string, more: Partial<ContainerInfo> = {}) =>
    ({
      name,
      state: 'running',
      health: 'none',
      restartsLast5Min: 0,
      memory: { workingSetBytes: 120 * MB },
      ...more,
    }) as ContainerInfo;
  const html = containersHtml('shop', [
    container('web'),
    container('a-container-with-quite-a-long-name'),
    container('<db>', { state: 'exited' }),
    container('api', { health: 'unhealthy', restartsLast5Min: 3 }),
  ]);
  parseHtml(html);
  expect(html.split('\n').slice(0, 3)).toEqual([
    '<b>shop: 4 containers, 2 not well</b>',
    '🔴 &lt;db&gt;: exited',
    '🔴 api: unhealthy, 120 MB, 3 restarts',
  ]);
  expect(fixedLines(html)).toEqual([
    'a-container-with-quite-a-long-name',
    '                            120 MB',
    'web                         120 MB',
  ]);
});

it('/status and /incidents: what comes and goes, and is fine at the moment, is not called down', () => {
  const at = Date.UTC(2026, 0, 1, 12);
  const flapping = {
    id: 3,
    flapping: true,
    openedAt: at - 600_000,
    text: 'web stopped: crashed, exit code 1',
  };
  const fine = incidentOf({ ...flapping, okSince: at - 60_000, endText: 'web runs again after 5 s' });
  const isUnseen = () => false;
  const none = { snapshot: undefined, containers: [], waiting: 0, silenced: [], isUnseen };
  for (const html of [
    statusHtml({ hostname: 'shop', now: at, incidents: [fine], ...none }),
    incidentsHtml('shop', [fine], at, isUnseen),
  ]) {
    expect(htmlToPlain(html)).toMatch(/fine since .*: web runs again after 5 s \(for 10 min\)/);
    expect(html).not.toContain('web stopped');
  }
  const down = [incidentOf(flapping)];
  expect(incidentsHtml('shop', down, at, isUnseen)).toContain(
    'web stopped: crashed, exit code 1 (for 10 min)',
  );
  expect(incidentsHtml('shop', down, at, () => true)).toContain('exit code 1 (for 10 min; not seen now)');
});

it('[Details]: all that is known, with the curves of the minutes before', () => {
  const at = Date.UTC(2026, 0, 1, 12);
  const samples = Array.from({ length: 300 }, (_, i) => ({
    at: at - 600_000 + i * 2000,
    availableBytes: (900 - i * 2.9) * MB,
    swapUsedBytes: i * 3 * MB,
    containers: [{ name: 'a-container-with-quite-a-long-name', heldBytes: (100 + i) * MB, swapBytes: 0 }],
  }));
  const html = detailsHtml(
    incidentOf({ id: 7, text: 'little <memory>', actions: ['stopped batch'], details: ['n8n holds 2 GB'] }),
    { bootId: 'x', memoryTotalBytes: 3900 * MB, swapTotalBytes: 2000 * MB, samples },
    at,
  );
  const text = parseHtml(html);
  expect(text).toContain('Incident 7: little <memory>');
  expect(text).toContain('- stopped batch');
  const lines = fixedLines(html);
  expect(lines[0]).toMatch(/^available +900 MB -> \d+ MB$/);
  // The end of a name tells `worker-1` from `worker-2`.
  expect(lines.some((line) => line.startsWith('a-contai…ong-name '))).toBe(true);
  expect(lines.some((line) => /^[▁-█]{34}$/.test(line))).toBe(true);
  for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(34);
});

it('/forecast in narrow columns has no table', () => {
  const growth = {
    severity: 'warning' as const,
    perHour: 14 * MB,
    since: 0,
    fullAt: 31 * 3_600_000,
    agreeing: 3,
  };
  const one = {
    kind: 'memory' as const,
    subject: 'host',
    used: 3100 * MB,
    capacity: 5900 * MB,
    knownHours: 40,
  };
  const text = renderForecasts({ forecasts: [{ ...one, growth }, one], now: 0, color: false, columns: 34 });
  expect(text).toContain('  grows 14 MB/h');
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(34);
});

it('the table of the forecast is no wider than 80 cells, whatever names there are, and is left out where nothing is followed', () => {
  const growth = {
    severity: 'critical' as const,
    perHour: 1.2,
    since: 0,
    fullAt: 16 * 3_600_000,
    agreeing: 2,
  };
  const grows = (kind: ForecastKind, subject: string, used: number, capacity: number): Forecast => ({
    kind,
    subject,
    used,
    capacity,
    knownHours: 40,
    growth,
  });
  const all = [
    grows('connections', 'postgres', 91, 97),
    grows('inodes', '/srv/some/very/long/mount', 93.4, 100),
    grows('disk', '/var/lib/docker/volumes/a-very-long-name/_data', 35e9, 40e9),
    grows('container', 'とても長い名前のコンテナです'.repeat(3), 100 * MB, 1228 * MB),
  ];
  const lines = renderForecasts({ forecasts: all, now: 0, color: true, columns: 80 }).split('\n');
  for (const line of lines.slice(0, 8)) expect(width(line)).toBeLessThanOrEqual(80);
  expect(lines[4]).toContain('93.4 %');
  const none = renderForecasts({ forecasts: [], now: 0, color: false, columns: 80 });
  expect(none).toContain('Nothing runs out');
  expect(none).not.toContain('WHAT');
});

it('fixed width: spaces stay, everything else from outside is made safe', () => {
  expect(fixedHtml('  a   <b>\t\u001b[31mx\u202e  ')).toBe('  a   &lt;b&gt; x');
  expect(fixedHtml('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
});

it('every text that reaches a phone is rendered in src/outputs', () => {
  const folder = join(import.meta.dirname, '../../src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(200);
  const elsewhere = files
    // Takes messages apart: it has to know the tags.
    .filter((file) => !file.startsWith('outputs/') && file !== 'model/html.ts')
    .filter((file) => /<\/?(?:b|i|pre|code)>/.test(readFileSync(join(folder, file), 'utf8')));
  expect(elsewhere).toEqual([]);
});
