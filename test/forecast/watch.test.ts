import { describe, expect, it, onTestFinished } from 'vitest';
import { createForecasts, type Forecasts, type Saved } from '../../src/forecast/watch.ts';
import { forecastSentence } from '../../src/model/forecast-text.ts';
import { renderForecasts } from '../../src/outputs/terminal/forecast.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import type { Snapshot } from '../../src/model/sources.ts';
import { createHistory } from '../../src/store/history/history.ts';
import { openStore } from '../../src/store/open.ts';
import { judgeAll } from '../../src/checks/judge.ts';
import { configWith } from '../helpers/command.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const MB = 1_048_576;
const HOUR = 3_600_000;
const START = new Date(2026, 0, 5, 6, 0, 0).getTime();

type Values = { quarters?: Parameters<typeof createForecasts>[0]['quarters']; saved?: Saved };

function watch({ quarters, saved }: Values = {}): Forecasts {
  return createForecasts({
    limits: { warning: 48, critical: 6 },
    quarters: quarters ?? (() => {}),
    recall: () => saved ?? {},
    save: (all) => {
      if (saved) for (const key of Object.keys(saved)) delete saved[key];
      Object.assign(saved ?? {}, all);
    },
    processes: () => [{ name: 'java', bytes: 700 * MB }],
  });
}

/** A container that holds so many MB. */
const holding = (name: string, mb: number, values: Partial<ContainerInfo> = {}) =>
  containerInfo(name, {
    memory: { workingSetBytes: mb * MB, anonBytes: mb * MB, swapBytes: 0 },
    startedAt: START - 30 * 24 * HOUR,
    ...values,
  });

/** A host of 4,048 MB of memory and swap on which containers and 300 MB of others run; memory first, then swap. */
function hostWith(at: number, containers: ContainerInfo[], others = 300): Snapshot {
  const used = containers.reduce((sum, { memory }) => sum + memory!.anonBytes / MB, 0) + others;
  const resident = Math.min(used, 1800);
  return snapshotOf(at, { usedBytes: resident * MB, swapBytes: (used - resident) * MB, containers });
}

const findings = (forecasts: Forecasts, snapshot: Snapshot) =>
  judgeAll(
    snapshot,
    {
      failedInARow: {},
      growth: [],
      historyStart: 0,
      leftOff: [],
      forecasts: forecasts.announced(snapshot.at),
    },
    configWith({}),
  ).filter(({ rule }) => rule === 'forecast');

/** Follows for so many hours, a check every two minutes. Returns the last findings. */
function follow(
  forecasts: Forecasts,
  from: number,
  to: number,
  containers: (hour: number) => ContainerInfo[],
  others = (_hour: number) => 300,
) {
  let last = findings(forecasts, hostWith(START + from * HOUR, containers(from), others(from)));
  for (let minute = from * 60; minute <= to * 60; minute += 2) {
    const hour = minute / 60;
    const snapshot = hostWith(START + hour * HOUR, containers(hour), others(hour));
    forecasts.add(snapshot);
    last = findings(forecasts, snapshot);
  }
  return last;
}

describe('forecast of what can run out', () => {
  it('announces the host with the container that grows, when it is full and what to do', () => {
    const leak = (hour: number) => [
      holding('n8n', 400 + 60 * Math.max(0, hour - 30)),
      holding('redis', 200),
      holding('waha', 500),
    ];
    const [finding, ...others] = follow(watch(), 0, 50, leak);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      subject: 'host',
      verdict: 'breach',
      severity: 'warning',
      unit: 'seconds',
    });
    // 4,048 - 1,400 MB at 60 MB/h, 20 h of which are gone.
    expect(finding!.value! / 3600).toBeGreaterThan(22);
    expect(finding!.value! / 3600).toBeLessThan(26);
    expect(finding!.text).toMatch(
      /^n8n grows 6\d MB\/h: the host runs out of memory in about 2\d h \(\w+day \d\d:\d\d\)$/,
    );
    expect(finding!.details!.join('\n')).toMatch(
      /n8n: 1\.6 GB \(no limit\), growing since Tuesday 1[12]:\d\d/,
    );
    expect(finding!.details!.at(-1)).toMatch(/^Advice: restart n8n at a quiet hour/);
  });

  it('speaks of no swap where there is none', () => {
    const forecasts = watch();
    let last: ReturnType<typeof findings> = [];
    for (let minute = 0; minute <= 20 * 60; minute += 5) {
      const snapshot = hostWith(START + minute * 60_000, [], 400 + minute);
      const { host } = snapshot.readings;
      if (host.state === 'ok') host.value.swap = { totalBytes: 0, usedBytes: 0, zram: false };
      forecasts.add(snapshot);
      last = findings(forecasts, snapshot);
    }
    const [finding] = last;
    expect(finding!.subject).toBe('host');
    expect(JSON.stringify(finding)).not.toMatch(/swap/);
    expect(finding!.details![0]).toMatch(/^Memory: 1\.\d GB of 2 GB in use, growing 60 MB\/h/);
    const forecast = forecasts.all(START + 20 * HOUR).find(({ kind }) => kind === 'memory')!;
    const table = renderForecasts({
      forecasts: [forecast],
      now: START + 20 * HOUR,
      color: false,
      columns: 100,
    });
    expect(table).toMatch(/^ +memory +1\.\d GB of/m);
    expect(table).not.toMatch(/swap/);
    const { culprit: _, ...unexplained } = forecast;
    expect(forecastSentence(unexplained, forecast.growth!, START)).toMatch(/^Memory fills by 60 MB\/h: /);
  });

  it('follows a container that is renamed, and names none that is gone', () => {
    const leak = (name: string) => (hour: number) => [
      holding(name, 400 + 60 * Math.max(0, hour - 30), { id: '1'.repeat(64) }),
      holding('redis', 200),
    ];
    const forecasts = watch();
    follow(forecasts, 0, 36, leak('n8n'));
    const [finding] = follow(forecasts, 36.1, 50, leak('n8n-new'));
    expect(finding!.text).toMatch(/^n8n-new grows 6\d MB\/h: the host runs/);
    expect(finding!.details!.join('\n')).toMatch(/n8n-new: 1\.6 GB .*, growing since Tuesday 1[12]:/);
    expect(finding!.details!.join('\n')).not.toMatch(/Also growing/);
  });

  it('goes on with what is announced of a container that is renamed', () => {
    const leak = (name: string) => (hour: number) => [
      holding(name, 100 + 8 * hour, { id: '1'.repeat(64), limitBytes: 512 * MB }),
    ];
    const forecasts = watch();
    expect(follow(forecasts, 0, 30, leak('api')).map(({ subject }) => subject)).toEqual(['api']);
    expect(follow(forecasts, 30.1, 30.2, leak('api-2')).map(({ subject }) => subject)).toEqual(['api-2']);
    expect(follow(forecasts, 30.3, 40, leak('api-2')).map(({ subject }) => subject)).toEqual(['api-2']);
  });

  it('counts the swap that a container may use beyond its limit, as far as the host has it', () => {
    const leak = (values: Partial<ContainerInfo>) => (hour: number) => [
      holding('api', 100 + 8 * hour, { limitBytes: 512 * MB, ...values }),
    ];
    const [finding] = follow(watch(), 0, 72, leak({ swapLimitBytes: 512 * MB }));
    // 1,024 - 676 MB at 8 MB/h.
    expect(finding!.text).toMatch(
      /^api grows 8 MB\/h: it reaches its limit of 512 MB \(and 512 MB of swap\) in about 4[34] h/,
    );
    const [unlimited] = follow(watch(), 0, 40, leak({ swapLimitBytes: null }));
    expect(unlimited).toBeUndefined();
    const [none] = follow(watch(), 0, 30, leak({ swapLimitBytes: 0 }));
    expect(none!.text).toMatch(/reaches its limit of 512 MB in about 2[12] h/);
  });

  it('has no forecast for a Redis that evicts what it likes when it is full', () => {
    const announcedWith = (policy: string) => {
      const forecasts = watch();
      for (let hour = 0; hour <= 30; hour += 1 / 30)
        forecasts.add(withRedis(hostWith(START + hour * HOUR, []), policy));
      return forecasts.announced(START + 30 * HOUR).map(({ kind }) => kind);
    };
    expect(announcedWith('allkeys-lru')).toEqual([]);
    expect(announcedWith('noeviction')).toEqual(['redis']);
    expect(announcedWith('volatile-ttl')).toEqual(['redis']);
  });

  it('announces a container against its own limit, and ends it when its memory is given back', () => {
    const forecasts = watch();
    const leak = (hour: number) => [holding('api', 100 + 8 * hour, { limitBytes: 512 * MB })];
    const [finding] = follow(forecasts, 0, 30, leak);
    expect(finding).toMatchObject({ subject: 'api', verdict: 'breach' });
    expect(finding!.text).toMatch(/^api grows 8 MB\/h: it reaches its limit of 512 MB in about 2[12] h/);
    const after = follow(forecasts, 30, 32, () => [holding('api', 100, { limitBytes: 512 * MB })]);
    expect(after).toMatchObject([{ subject: 'api', verdict: 'ok' }]);
  });

  it('goes on after a restart with what the history has, and with what was announced', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-forecast-'));
    const store = openStore(folder, START);
    try {
      const history = createHistory(store.db);
      const leak = (hour: number) => [
        holding('n8n', 400 + 60 * Math.max(0, hour - 30)),
        holding('waha', 500),
      ];
      const saved: Saved = {};
      const before = watch({ saved });
      for (let minute = 0; minute <= 50 * 60; minute += 5) {
        const snapshot = hostWith(START + minute * 60_000, leak(minute / 60));
        before.add(snapshot);
        history.add(snapshot);
        if (minute % 15 === 0) history.flush(snapshot.at, true);
      }
      const first = before.announced(START + 50 * HOUR);
      expect(first).toHaveLength(1);

      const at = START + 50.05 * HOUR;
      const after = watch({ saved, quarters: history.quarters });
      const snapshot = hostWith(at, leak(50.05));
      after.add(snapshot);
      const [again] = after.announced(at);
      expect(again!.growth!.severity).toBe('warning');
      expect(again!.growth!.perHour / first[0]!.growth!.perHour).toBeCloseTo(1, 1);
      expect(again!.culprit).toMatchObject({ kind: 'container', name: 'n8n' });

      // Docker answers later than the first check after a reboot: whose growth it is is known all the same.
      const early = watch({ quarters: history.quarters });
      const without = hostWith(START + 50.05 * HOUR, leak(50.05));
      without.readings.docker = { state: 'failed', why: 'no answer yet', tookMs: 1 };
      early.add(without);
      const [culprit] = follow(early, 50.06, 53.6, leak);
      expect(culprit!.text).toMatch(/^n8n grows/);

      // What was announced is lost: it is found again from the history alone.
      const forgetful = watch({ quarters: history.quarters });
      const found = follow(forgetful, 50.05, 53.6, leak);
      expect(found).toMatchObject([{ subject: 'host', verdict: 'breach' }]);
    } finally {
      store.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('judges 500 containers in turns: no check takes them all', () => {
    const forecasts = watch();
    const names = Array.from({ length: 500 }, (_, i) => `c${i}`);
    const containers = (hour: number) =>
      names.map((name) => holding(name, 0.3 + 0.002 * hour, { limitBytes: MB }));
    let most = 0;
    for (let minute = 0; minute <= 26 * 60; minute += 10) {
      const snapshot = hostWith(START + minute * 60_000, containers(minute / 60), 300);
      const before = forecasts.announced(snapshot.at).length;
      forecasts.add(snapshot);
      most = Math.max(most, forecasts.announced(snapshot.at).length - before);
    }
    expect(most).toBeLessThanOrEqual(20);
  });
});

/** What a restarted monitor is handed: the history of so many hours, and what was announced. */
function followed(
  hours: number,
  containers: (hour: number) => ContainerInfo[],
  change: (snapshot: Snapshot) => unknown = () => {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-forecast-'));
  const store = openStore(folder, START);
  onTestFinished(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  const history = createHistory(store.db);
  const saved: Saved = {};
  const forecasts = watch({ saved });
  for (let minute = 0; minute <= hours * 60; minute += 5) {
    const snapshot = hostWith(START + minute * 60_000, containers(minute / 60));
    change(snapshot);
    forecasts.add(snapshot);
    history.add(snapshot);
    if (minute % 15 === 0) history.flush(snapshot.at, true);
  }
  return { forecasts, saved, quarters: history.quarters };
}

function withRedis(snapshot: Snapshot, policy = 'noeviction'): Snapshot {
  const hour = (snapshot.at - START) / HOUR;
  snapshot.readings.redis = {
    state: 'ok',
    tookMs: 1,
    value: {
      address: 'redis:6379',
      version: '7.2.4',
      policy,
      usedMemoryBytes: (40 + 5 * hour) * MB,
      maxMemoryBytes: 256 * MB,
      keys: 1,
      clients: 1,
      evictedTotal: 0,
      rejectedTotal: 0,
    },
  };
  return snapshot;
}

describe('what is announced while a source does not answer', () => {
  const leak = (hour: number) => [holding('api', 100 + 8 * hour, { limitBytes: 512 * MB })];
  const withoutDocker = (hour: number): Snapshot => {
    const snapshot = hostWith(START + hour * HOUR, leak(hour));
    snapshot.readings.docker = { state: 'failed', why: 'no answer yet', tookMs: 1 };
    return snapshot;
  };

  it('waits after a restart for Docker, and goes on as if it had been there', () => {
    const { saved, quarters } = followed(30, leak);
    expect(Object.keys(saved)).toContain('container:api');
    const forecasts = watch({ saved, quarters });
    for (let minute = 1; minute <= 20; minute++) {
      const early = withoutDocker(30 + minute / 60);
      forecasts.add(early);
      expect(findings(forecasts, early)).toMatchObject([{ subject: 'api', verdict: 'unknown' }]);
    }
    const [finding] = follow(forecasts, 30.4, 31.6, leak);
    expect(finding).toMatchObject({ subject: 'api', verdict: 'breach' });
    expect(finding!.text).toMatch(/^api grows 8 MB\/h: it reaches its limit of 512 MB in about (19|20) h/);
  });

  it('names the culprit of the host in the first message: it waits for Docker after a start, ten minutes at most', () => {
    const fills = (hour: number) => [holding('n8n', 400 + 60 * hour), holding('waha', 500)];
    const { quarters } = followed(25, fills);
    const early = (minute: number, state: 'failed' | 'absent' = 'failed'): Snapshot => {
      const snapshot = hostWith(START + 25 * HOUR + minute * 60_000, fills(25 + minute / 60));
      snapshot.readings.docker = { state, why: 'no answer yet', tookMs: 1 };
      return snapshot;
    };
    const looks = (forecasts: Forecasts, snapshot: Snapshot) => {
      forecasts.add(snapshot);
      return findings(forecasts, snapshot).map(({ verdict, text }) => [verdict, text.split(' ')[0]]);
    };
    const forecasts = watch({ quarters });
    for (let minute = 1; minute <= 9; minute++)
      expect(looks(forecasts, early(minute))).toEqual([['unknown', 'Memory']]);
    expect(looks(forecasts, hostWith(START + 25.16 * HOUR, fills(25.16)))).toEqual([['breach', 'n8n']]);
    // Where it stays away, or there is none, the owner is told what is known.
    const alone = watch({ quarters });
    for (let minute = 1; minute <= 11; minute++) looks(alone, early(minute));
    expect(looks(alone, early(12))).toEqual([['breach', 'Memory']]);
    expect(looks(watch({ quarters }), early(1, 'absent'))).toEqual([['breach', 'Memory']]);
  });

  it('takes no value of a container before Docker has shown it', () => {
    const small = (hour: number) => [holding('n8n', 400 + 60 * hour), holding('waha', 500)];
    const { quarters } = followed(20, small);
    const forecasts = watch({ quarters });
    const early = hostWith(START + 20.1 * HOUR, small(20.1));
    early.readings.docker = { state: 'failed', why: 'no answer yet', tookMs: 1 };
    forecasts.add(early);
    const [finding] = follow(forecasts, 20.11, 24, small);
    // A fall to nothing would be a restart, with which its growth began.
    expect(finding!.details!.join('\n')).toMatch(/n8n: 1\.8 GB \(no limit\), growing since Monday 0[67]:/);
  });

  it.each(['absent', 'failed'] as const)('goes on with Redis that was %s at the start', (state) => {
    const { saved, quarters } = followed(30, () => [], withRedis);
    expect(Object.keys(saved)).toEqual(['redis:redis']);
    const forecasts = watch({ saved, quarters });
    const early = hostWith(START + 30.02 * HOUR, []);
    early.readings.redis = { state, why: 'not started yet', tookMs: 1 };
    forecasts.add(early);
    expect(findings(forecasts, early)).toMatchObject([{ subject: 'redis-memory', verdict: 'unknown' }]);
    const late = withRedis(hostWith(START + 30.05 * HOUR, []));
    forecasts.add(late);
    expect(findings(forecasts, late)[0]!.text).toMatch(
      /^Redis grows 5 MB\/h: it reaches maxmemory \(256 MB\)/,
    );
    expect(Object.keys(saved)).toEqual(['redis:redis']);
  });

  it('forgets Redis that does not come back', () => {
    const { saved, quarters } = followed(30, () => [], withRedis);
    const forecasts = watch({ saved, quarters });
    for (let minute = 1; minute <= 12; minute++)
      forecasts.add(hostWith(START + (30 + minute / 60) * HOUR, []));
    expect(forecasts.announced(START + 30.2 * HOUR)).toEqual([]);
    expect(saved).toEqual({});
  });

  it('reads the history when the host can be read at last', () => {
    const { saved, quarters } = followed(30, leak);
    const forecasts = watch({ saved, quarters });
    const blind = hostWith(START + 30.02 * HOUR, leak(30.02));
    blind.readings.host = { state: 'failed', why: 'no file', tookMs: 1 };
    forecasts.add(blind);
    const after = hostWith(START + 30.05 * HOUR, leak(30.05));
    forecasts.add(after);
    const host = forecasts.all(after.at).find(({ kind }) => kind === 'memory');
    expect(host!.knownHours).toBeGreaterThan(29);
  });

  it('keeps a container announced while Docker does not answer for long', () => {
    const forecasts = watch();
    follow(forecasts, 0, 30, leak);
    for (let minute = 1; minute <= 40; minute++) {
      const blind = withoutDocker(30 + minute / 60);
      forecasts.add(blind);
      expect(findings(forecasts, blind)).toMatchObject([{ subject: 'api', verdict: 'breach' }]);
    }
    const [finding] = follow(forecasts, 31, 33, leak);
    expect(finding!.text).toMatch(/^api grows 8 MB\/h: it reaches its limit of 512 MB in about 1[89] h/);
    // One that is gone is not announced any more.
    follow(forecasts, 33, 33.5, () => []);
    expect(forecasts.announced(START + 33.5 * HOUR)).toEqual([]);
  });
});

it('ends what is announced of a container whose limit is taken away', () => {
  const saved: Saved = {};
  const forecasts = watch({ saved });
  follow(forecasts, 0, 30, (hour) => [holding('api', 100 + 8 * hour, { limitBytes: 512 * MB })]);
  expect(Object.keys(saved)).toEqual(['container:api']);
  const after = follow(forecasts, 30, 30.8, (hour) => [holding('api', 100 + 8 * hour)]);
  expect(after).toMatchObject([{ subject: 'api', verdict: 'ok' }]);
  expect(saved).toEqual({});
});

it('is critical no more when the limit was raised, and again when that is near', () => {
  const forecasts = watch();
  const leak = (limit: number) => (hour: number) => [
    holding('api', 100 + 8 * hour, { limitBytes: limit * MB }),
  ];
  const severity = (found: ReturnType<typeof follow>) => found.map((one) => [one.verdict, one.severity]);
  expect(severity(follow(forecasts, 0, 47, leak(512)))).toEqual([['breach', 'critical']]);
  const raised = follow(forecasts, 47, 49, leak(768));
  expect(severity(raised)).toEqual([['breach', 'warning']]);
  expect(raised[0]!.text).toMatch(/reaches its limit of 768 MB in about 3[45] h/);
  expect(severity(follow(forecasts, 49, 79, leak(768)))).toEqual([['breach', 'critical']]);
});

it('is critical no more when the limit was raised while the monitor was down', () => {
  const leak = (limit: number) => (hour: number) => [
    holding('api', 100 + 8 * hour, { limitBytes: limit * MB }),
  ];
  const { forecasts: before, saved, quarters } = followed(47, leak(512));
  expect(before.announced(START + 47 * HOUR)).toMatchObject([{ growth: { severity: 'critical' } }]);
  const [raised] = follow(watch({ saved, quarters }), 47.1, 49, leak(768));
  expect(raised).toMatchObject({ verdict: 'breach', severity: 'warning' });
  expect(raised!.text).toMatch(/reaches its limit of 768 MB in about 3[45] h/);
});

describe('what the history has of a disk', () => {
  const GB = 1024 * MB;
  /** A disk of which so much is used, and so much may be. */
  const withDisk = (used: number, size: number) => (snapshot: Snapshot) => {
    const { host } = snapshot.readings;
    if (host.state !== 'ok') return;
    const [root] = host.value.disks;
    const bytes = { totalBytes: size, usedBytes: used, availableBytes: size - used };
    host.value.disks = [
      root!,
      { ...root!, mount: '/srv', ...bytes, usedPercent: Math.ceil((used / size) * 100) },
    ];
  };
  const usedAt = (snapshot: Snapshot) => 10 * GB + ((snapshot.at - START) / HOUR) * GB;
  const goesOn = (forecasts: Forecasts, from: number, size: number) => {
    let last: ReturnType<typeof findings> = [];
    for (let minute = from * 60; minute <= from * 60 + 100; minute += 2) {
      const snapshot = hostWith(START + minute * 60_000, []);
      withDisk(usedAt(snapshot), size)(snapshot);
      forecasts.add(snapshot);
      last = findings(forecasts, snapshot);
    }
    return last;
  };
  const at30 = (size: (hour: number) => number) =>
    followed(
      30,
      () => [],
      (snapshot) => withDisk(usedAt(snapshot), size((snapshot.at - START) / HOUR))(snapshot),
    );

  it('counts after a restart although it grew meanwhile', () => {
    const { quarters } = at30((hour) => (hour < 15 ? 40 * GB : 60 * GB));
    const [disk] = goesOn(watch({ quarters }), 30.1, 60 * GB);
    expect(disk!.text).toMatch(/^Disk \/srv fills by 1(\.\d)? GB\/h: full in about (1[789]|20) h/);
  });

  it('counts although it is mounted after the first check', () => {
    const { quarters } = at30(() => 60 * GB);
    const forecasts = watch({ quarters });
    forecasts.add(hostWith(START + 30.05 * HOUR, []));
    const [disk] = goesOn(forecasts, 30.1, 60 * GB);
    expect(disk!.text).toMatch(/^Disk \/srv fills by 1(\.\d)? GB\/h: full in about (1[789]|20) h/);
  });

  it('is read by what is free, as earlier versions kept it', () => {
    const { quarters } = at30(() => 60 * GB);
    const old: typeof quarters = (wanted, since, visit) =>
      quarters((name) => !name.startsWith('disk.used') && wanted(name), since, visit);
    const [disk] = goesOn(watch({ quarters: old }), 30.1, 60 * GB);
    expect(disk!.text).toMatch(/^Disk \/srv fills by 1(\.\d)? GB\/h: full in about (1[789]|20) h/);
  });
});
