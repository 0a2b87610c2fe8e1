import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forecast } from '../../src/commands/forecast.ts';
import { createForecasts } from '../../src/forecast/watch.ts';
import { createHistory } from '../../src/store/history/history.ts';
import { remember } from '../../src/store/memory.ts';
import { openStore } from '../../src/store/open.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const HOUR = 3_600_000;
const START = new Date(2026, 0, 5, 6, 0, 0).getTime();
const HOURS = 52;
let stateDir: string;

const at = START + HOURS * HOUR;
const clock = { now: () => at, monotonic: () => at, sleep: () => Promise.resolve() };

beforeAll(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-forecast-'));
  const store = openStore(stateDir, START);
  const history = createHistory(store.db);
  const forecasts = createForecasts({
    limits: { warning: 48, critical: 6 },
    quarters: history.quarters,
    recall: () => ({}),
    save: (saved) => remember(store.db, 'forecasts', saved, at),
    processes: () => [],
  });
  for (let minute = 0; minute <= HOURS * 60; minute += 3) {
    const hour = minute / 60;
    const holding = (name: string, mb: number, limit: number | null = null) =>
      containerInfo(name, {
        memory: { workingSetBytes: mb * MB, anonBytes: mb * MB, swapBytes: 0 },
        limitBytes: limit === null ? null : limit * MB,
      });
    const leaked = 50 * Math.max(0, hour - 30);
    const containers = [holding('n8n', 400 + leaked), holding('redis', 60, 256)];
    if (hour > 47) containers.push(holding('young\u001b[31m', 30, 128));
    const snapshot = snapshotOf(START + minute * 60_000, {
      usedBytes: Math.min(1800, 760 + leaked) * MB,
      swapBytes: Math.max(0, 760 + leaked - 1800) * MB,
      containers,
    });
    history.add(snapshot);
    history.flush(snapshot.at, true);
    forecasts.add(snapshot);
  }
  store.close();
});
afterAll(() => rmSync(stateDir, { recursive: true }));

test('shows what grows, how fast, when it is full and how sure that is, within 80 columns', async () => {
  const { context, out, err } = commandContext(configWith({}, { stateDir }), {}, { system: { clock } });
  expect(await forecast(context)).toBe(0);
  expect(err()).toBe('');
  expect(out()).toMatch(
    /memory and swap +1\.8 GB of 4 GB +50 MB\/h +[A-Z][a-z]{2} \d\d:\d\d +sure, in 4\d h/,
  );
  expect(out()).toMatch(/n8n: 1\.5 GB \(no limit\), growing since Tuesday 1[12]:\d\d/);
  expect(out()).toMatch(/young +30 MB of 128 MB +- +- +[45] of 8 h seen/);
  expect(out()).toMatch(/redis +60 MB of 256 MB +- +- +no growth/);
  for (const line of out().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('as JSON, with the culprit', async () => {
  const recorded = commandContext(configWith({}, { stateDir }), { json: true }, { system: { clock } });
  expect(await forecast(recorded.context)).toBe(0);
  const data = JSON.parse(recorded.out()) as { forecasts: Record<string, unknown>[] };
  const host = data.forecasts.find(({ kind }) => kind === 'memory')!;
  expect(host).toMatchObject({
    subject: 'host',
    severity: 'warning',
    culprit: { kind: 'container', name: 'n8n' },
  });
  expect(Date.parse(String(host['full_at'])) - at).toBeGreaterThan(38 * HOUR);
});

test('without a running monitor it says what is missing', async () => {
  const later = { ...clock, now: () => at + 3 * HOUR };
  const { context, err } = commandContext(configWith({}, { stateDir }), {}, { system: { clock: later } });
  expect(await forecast(context)).toBe(2);
  expect(err()).toMatch(/has kept nothing for 30 minutes/);
  const none = commandContext(configWith({}, { stateDir: join(stateDir, 'none') }));
  expect(await forecast(none.context)).toBe(2);
  expect(none.err()).toMatch(/needs the monitor to run for 8 hours/);
});
