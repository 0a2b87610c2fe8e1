// What counts as a restart loop, and what is done about it over hours: a scripted engine, a clock that only sleeping moves.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { runRules } from '../../src/recovery/index.ts';
import { loopsRule } from '../../src/recovery/loops.ts';
import { actionsToUndo } from '../../src/store/actions.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { fakeDocker, type FakeContainer, type FakeDocker } from '../helpers/fake-docker.ts';
import { incidentOf } from '../helpers/incident.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

const MB = 1_048_576;
const MINUTE = 60_000;
let dir: string;
let store: Store;
let engine: FakeDocker;
let usedBytes: number;
let infos: Record<string, Partial<ContainerInfo>>;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-loops-'));
  store = openStore(dir, 0);
  engine = fakeDocker();
  [usedBytes, infos] = [600 * MB, {}];
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function monitor(options: Parameters<typeof testDeps>[1] = {}): TestDeps {
  const deps = testDeps(store, { system: { docker: engine.docker }, ...options });
  deps.look = async () => {
    const containers = [...engine.containers.values()].map(({ id, name, status, restartCount, memory }) =>
      containerInfo(name, {
        id,
        state: status as ContainerInfo['state'],
        restartCount,
        limitBytes: memory || null,
        memory: { workingSetBytes: 10 * MB, anonBytes: 10 * MB },
        ...infos[name],
      }),
    );
    return snapshotOf(deps.clock.now(), { usedBytes, containers });
  };
  return deps;
}
async function run(deps: TestDeps, what: 'run' | 'undo' = 'run') {
  const [result] = await runRules(deps, [loopsRule], what);
  return result!;
}
/** Something happens in the engine, now. */
function event(deps: TestDeps, { id, name }: FakeContainer, ...actions: string[]): void {
  const timeNano = BigInt(Math.round(deps.clock.now())) * 1_000_000n;
  for (const action of actions) engine.events.push({ timeNano, action, id, name, attributes: {} });
}

describe('a restart loop', () => {
  it('is more than five restarts since the last run, five minutes ago', async () => {
    const deps = monitor();
    const web = engine.add('web', { restartCount: 100 });
    expect(await run(deps)).toMatchObject({ found: 'no restart loop' });
    deps.clock.add(5 * MINUTE);
    web.restartCount += 5;
    expect(await run(deps)).toMatchObject({ found: 'no restart loop' });
    deps.clock.add(5 * MINUTE);
    web.restartCount += 6;
    expect(await run(deps)).toMatchObject({ found: 'restart loop: web', attempts: [{ done: 'worked' }] });
  });

  it('is that many on average where the last run was longer ago, and whatever the clock says', async () => {
    const deps = monitor();
    const web = engine.add('web', { restartCount: 100 });
    await run(deps);
    deps.clock.add(30 * MINUTE);
    deps.clock.jump(-30 * MINUTE);
    web.restartCount += 30;
    expect(await run(deps)).toMatchObject({ found: 'no restart loop' });
    deps.clock.add(30 * MINUTE);
    web.restartCount += 36;
    expect(await run(deps)).toMatchObject({ found: 'restart loop: web' });
  });

  it('is seen at the first run of all by the events of the engine, or where the container is young', async () => {
    const deps = monitor();
    const old = engine.add('old', { restartCount: 50 });
    // Started by hand after its loop.
    const mended = engine.add('mended', { restartCount: 0 });
    for (let i = 0; i < 6; i += 1) event(deps, mended, 'die', 'start');
    for (let i = 0; i < 6; i += 1) event(deps, old, 'die', 'start');
    engine.add('young', { restartCount: 6 });
    infos['young'] = { createdAt: deps.clock.now() - 2 * MINUTE };
    engine.add('grown', { restartCount: 6 });
    infos['grown'] = { createdAt: deps.clock.now() - 20 * MINUTE };
    deps.clock.add(1);
    expect((await run(deps)).found).toBe('restart loop: old, young');
  });

  it('is not what a person does, nor what was longer ago, nor what has ended', async () => {
    const deps = monitor();
    const web = engine.add('web', { restartCount: 9 });
    for (let i = 0; i < 9; i += 1) event(deps, web, 'kill', 'die', 'stop', 'start', 'restart');
    const past = engine.add('past', { restartCount: 9 });
    for (let i = 0; i < 9; i += 1) event(deps, past, 'die', 'start');
    const down = engine.add('down', { status: 'exited', restartCount: 9 });
    deps.clock.add(6 * MINUTE);
    for (let i = 0; i < 9; i += 1) event(deps, down, 'die', 'start');
    for (let i = 0; i < 9; i += 1) event(deps, web, 'kill', 'die', 'stop', 'start', 'restart');
    deps.clock.add(1);
    expect(await run(deps)).toMatchObject({ found: 'no restart loop', attempts: [] });
  });
});

describe('a loop for its own reasons', () => {
  it('is told with the exit code of the run that died, not with the 0 of the one that runs now', async () => {
    const deps = monitor();
    const web = engine.add('web', { restartCount: 50 });
    for (let i = 0; i < 6; i += 1) event(deps, web, 'die', 'start');
    deps.clock.add(1);
    await run(deps);
    expect(deps.said[0]?.details?.[1]).toBe('Why: 6 restarts within 5 minutes');
  });

  it('takes that exit code from the events of the engine', async () => {
    const deps = monitor();
    const web = engine.add('web', { restartCount: 50 });
    for (let i = 0; i < 6; i += 1) event(deps, web, 'die', 'start');
    for (const one of engine.events) if (one.action === 'die') one.attributes = { exitCode: '137' };
    deps.clock.add(1);
    await run(deps);
    expect(deps.said[0]?.details?.[1]).toBe('Why: 6 restarts within 5 minutes, last exit code 137');
  });

  it('is paused for 5 minutes, then started; loops again, and is stopped for good after ten restarts', async () => {
    const deps = monitor();
    const web = engine.add('web', {
      exitCode: 3,
      logs: ['no database', 'DB_PASSWORD is hunter22-secret'],
      env: ['DB_PASSWORD=hunter22-secret'],
    });
    await run(deps);
    deps.clock.add(5 * MINUTE);
    web.restartCount = 7;
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
    expect(deps.said).toMatchObject([
      {
        severity: 'warning',
        telegram: true,
        text: 'Done: stop web for 5 min (pause 1)',
        logs: ['no database', 'DB_PASSWORD is ***'],
      },
    ]);
    expect(deps.said[0]?.details?.[1]).toBe('Why: 7 restarts within 5 minutes, last exit code 3');
    // Not before the pause is over, however the clock is set.
    deps.clock.add(4 * MINUTE);
    deps.clock.jump(86_400_000);
    await run(deps);
    expect(engine.calls).toHaveLength(1);
    deps.clock.jump(-2 * 86_400_000);
    deps.clock.add(1.1 * MINUTE);
    web.restartCount = 0;
    await run(deps);
    expect(engine.calls).toEqual(['stop web', 'start web']);
    deps.clock.add(5 * MINUTE);
    web.restartCount = 6;
    await run(deps);
    expect(deps.said.at(-1)).toMatchObject({
      severity: 'critical',
      text: 'Done: stop web, which restarted 13 times and cannot be helped',
    });
    // For good: no pause ends it.
    deps.clock.add(3 * 86_400_000);
    await run(deps);
    expect(web.status).toBe('exited');
    expect((await run(deps, 'undo')).attempts).toMatchObject([{ done: 'worked' }]);
    expect(web.status).toBe('running');
  });

  it('pauses longer each time, where the restarts are few', async () => {
    const deps = monitor({ settings: { RESTART_LOOP_COUNT: 1 } });
    const web = engine.add('web');
    await run(deps);
    for (const pause of ['5 min', '10 min', '20 min', '40 min']) {
      web.restartCount = 2;
      deps.clock.add(MINUTE);
      await run(deps);
      expect(deps.said.at(-1)?.text).toMatch(new RegExp(`^Done: stop web for ${pause} `));
      web.restartCount = 0;
      deps.clock.add(65 * MINUTE);
      await run(deps);
      expect(web.status).toBe('running');
    }
  });

  it('of a container that was deployed anew begins at the beginning', async () => {
    const deps = monitor();
    const web = engine.add('web');
    await run(deps);
    deps.clock.add(MINUTE);
    web.restartCount = 8;
    await run(deps);
    engine.containers.delete(web.id);
    const again = engine.add('web', { id: 'w2'.padEnd(64, '0') });
    deps.clock.add(10 * MINUTE);
    await run(deps);
    expect(deps.said.at(-1)?.text).toBe(
      'Left alone: web was removed meanwhile, and another container has its name now',
    );
    again.restartCount = 6;
    deps.clock.add(MINUTE);
    await run(deps);
    expect(deps.said.at(-1)?.text).toBe('Done: stop web for 5 min (pause 1)');
  });

  it('of an essential container, or of vpsmon itself, is only spoken about, once an hour', async () => {
    const deps = monitor();
    engine.add('db-1', { restartCount: 6 });
    engine.add('monitor', { restartCount: 6 });
    const createdAt = deps.clock.now();
    infos = { 'db-1': { image: 'postgres:16', createdAt }, monitor: { self: true, createdAt } };
    await run(deps);
    await run(deps);
    expect(engine.calls).toEqual([]);
    expect(deps.said.map(({ severity, telegram }) => [severity, telegram])).toEqual([
      ['critical', true],
      ['critical', true],
      ['critical', false],
      ['critical', false],
    ]);
    expect(deps.said[0]?.text).toBe(
      'db-1 keeps restarting. It is essential, so it is not stopped: a person is needed',
    );
  });
});

describe('a loop for lack of memory', () => {
  function hungry(deps: TestDeps, values: Partial<FakeContainer> = {}): FakeContainer {
    const web = engine.add('web', { memory: 100 * MB, memorySwap: 200 * MB, restartCount: 6, ...values });
    infos['web'] = { createdAt: deps.clock.now() };
    return web;
  }

  it.each([
    ['the flag of its last death', (_deps: TestDeps, web: FakeContainer) => void (web.oomKilled = true)],
    ['an event', (deps: TestDeps, web: FakeContainer) => event(deps, web, 'oom')],
    [
      "the monitor's record",
      (deps: TestDeps, web: FakeContainer) =>
        saveIncidents(store.db, [
          incidentOf({
            rule: 'oom-kill',
            cause: `oom:${web.id}`,
            state: 'resolved',
            resolvedAt: deps.clock.now(),
          }),
        ]),
    ],
  ])('known by %s gets half as much again', async (_how, kill) => {
    const deps = monitor();
    const web = hungry(deps);
    kill(deps, web);
    deps.clock.add(1);
    await run(deps);
    expect(engine.calls).toEqual([`update web ${150 * MB} ${250 * MB}`]);
    expect(deps.said).toMatchObject([
      { severity: 'info', text: 'Done: raise the memory limit of web from 100 MB to 150 MB' },
    ]);
  });

  it('is raised twice at most, then paused; undo takes both raises back, one after the other', async () => {
    const deps = monitor();
    const web = hungry(deps, { oomKilled: true });
    await run(deps);
    // The restarts before the raise do not count again.
    await run(deps);
    expect(web.memory).toBe(150 * MB);
    web.restartCount += 6;
    await run(deps);
    expect(web.memory).toBe(225 * MB);
    web.restartCount += 6;
    await run(deps);
    expect(engine.calls.at(-1)).toBe('stop web');
    expect(deps.said.at(-1)?.details?.[1]).toMatch(/its limit was raised 2 times, and that did not help/);
    engine.calls.length = 0;
    await run(deps, 'undo');
    expect(engine.calls).toEqual([
      'start web',
      `update web ${150 * MB} ${250 * MB}`,
      `update web ${100 * MB} ${200 * MB}`,
    ]);
    expect(actionsToUndo(store.db, 'loops')).toEqual([]);
  });

  it('whose second raise cannot be taken back yet keeps the first one, too, for a later undo', async () => {
    const deps = monitor();
    const web = hungry(deps, { oomKilled: true });
    await run(deps);
    web.restartCount += 6;
    await run(deps);
    expect(web.memory).toBe(225 * MB);
    infos['web'] = { memory: { workingSetBytes: 140 * MB, anonBytes: 140 * MB } };
    expect((await run(deps, 'undo')).attempts).toMatchObject([{ done: 'obsolete' }]);
    web.status = 'exited';
    await run(deps, 'undo');
    expect(web.memory).toBe(100 * MB);
    expect(actionsToUndo(store.db, 'loops')).toEqual([]);
  });

  it.each([
    ['no limit', { memory: 0 }, 600, /it has no limit of its own: the whole server was out of memory/],
    [
      'no room',
      {},
      1750,
      /raising its limit of 100 MB by half would take up to 140 MB, and the server has 250 MB/,
    ],
  ])('with %s is paused', async (_what, values, used, why) => {
    const deps = monitor();
    usedBytes = used * MB;
    hungry(deps, { oomKilled: true, ...values });
    await run(deps);
    expect(engine.calls).toEqual(['stop web']);
    expect(deps.said[0]?.details?.[1]).toMatch(why);
  });

  it('is raised where the server keeps a tenth of its memory after all', async () => {
    const deps = monitor();
    usedBytes = 1650 * MB;
    hungry(deps, { oomKilled: true });
    await run(deps);
    expect(engine.calls[0]).toMatch(/^update/);
  });

  it.each([
    [0, 300 * MB],
    [100 * MB, 150 * MB],
    [-1, -1],
  ])('keeps its swap as it was (memory and swap: %i)', async (memorySwap, expected) => {
    const deps = monitor();
    hungry(deps, { oomKilled: true, memorySwap });
    await run(deps);
    expect(engine.calls).toEqual([`update web ${150 * MB} ${expected}`]);
  });

  it('gets a number where the engine cannot take "unlimited swap" with a raise', async () => {
    const deps = monitor();
    hungry(deps, { oomKilled: true, memorySwap: -1 });
    engine.before = (call) => {
      if (call.endsWith(' -1')) throw Object.assign(new Error('invalid argument'), { status: 500 });
    };
    await run(deps);
    expect(engine.calls.at(-1)).toBe(`update web ${150 * MB} ${(150 + 2048) * MB}`);
  });

  it('is raised although the engine refuses while the container is between two lives', async () => {
    const deps = monitor();
    hungry(deps, { oomKilled: true, memorySwap: -1 });
    let refused = 0;
    engine.before = () => {
      if (++refused <= 2)
        throw Object.assign(new Error('cannot update a stopped container'), { status: 500 });
    };
    await run(deps);
    expect(engine.calls.at(-1)).toBe(`update web ${150 * MB} -1`);
    expect(deps.said[0]?.text).toMatch(/^Done: raise/);
  });

  it('is lowered again under the name that the container has now', async () => {
    const deps = monitor();
    const web = hungry(deps, { oomKilled: true });
    await run(deps);
    web.name = 'shop';
    infos['shop'] = { memory: { workingSetBytes: 10 * MB, anonBytes: 10 * MB } };
    expect((await run(deps, 'undo')).attempts).toMatchObject([{ done: 'worked' }]);
    expect(deps.said.at(-1)).toMatchObject({
      target: 'shop',
      text: 'Done: set the memory limit of shop (renamed, it was web) back to 100 MB',
    });
  });

  it('is not lowered again by undo where it is used, or where somebody has set another limit', async () => {
    const deps = monitor();
    const web = hungry(deps, { oomKilled: true });
    await run(deps);
    infos['web'] = { memory: { workingSetBytes: 90 * MB, anonBytes: 90 * MB } };
    expect((await run(deps, 'undo')).attempts).toMatchObject([{ done: 'obsolete' }]);
    expect(deps.said.at(-1)?.text).toMatch(/web uses 90 MB: too close to the old limit of 100 MB/);
    expect(actionsToUndo(store.db, 'loops')).toHaveLength(1);
    web.memory = 400 * MB;
    await run(deps, 'undo');
    expect(actionsToUndo(store.db, 'loops')).toEqual([]);
    expect(web.memory).toBe(400 * MB);
  });
});

describe('recovery that is switched off', () => {
  it('says what it would do about each kind', async () => {
    const deps = monitor({ settings: { ENABLE_AUTO_RECOVERY: false } });
    const createdAt = deps.clock.now();
    engine.add('web', { restartCount: 6 });
    engine.add('fat', { restartCount: 6, oomKilled: true, memory: 100 * MB });
    infos = { web: { createdAt }, fat: { createdAt } };
    await run(deps);
    expect(deps.said.map(({ text }) => text)).toEqual([
      'Would stop web for 5 min (pause 1), but ENABLE_AUTO_RECOVERY is false',
      'Would raise the memory limit of fat from 100 MB to 150 MB, but ENABLE_AUTO_RECOVERY is false',
    ]);
    expect(engine.calls).toEqual([]);
  });
});

describe('a server without Docker', () => {
  it.each([
    ['absent', /^there is no Docker here \(no socket\), and no container to look after: .*N8N_URL.*WAHA_URL/],
    ['failed', /^the containers cannot be read: no socket$/],
  ] as const)('is not one whose Docker cannot be read: %s', async (state, found) => {
    const deps = monitor();
    const { look } = deps;
    deps.look = async (only) => {
      const snapshot = await look(only);
      const docker = { state, why: 'no socket', tookMs: 1 };
      return { ...snapshot, readings: { ...snapshot.readings, docker } };
    };
    expect(await run(deps)).toMatchObject({ found: expect.stringMatching(found), blind: state === 'failed' });
  });
});
