import type { GenericSchema } from 'valibot';
// The ladder of a WhatsApp session against a strict stand-in of WAHA, on a clock that only sleeping moves.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWaha } from '../../src/collectors/waha.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import { runRules } from '../../src/recovery/index.ts';
import { restartWahaByHand, wahaRule } from '../../src/recovery/waha.ts';
import { listActions, recordAction } from '../../src/store/actions.ts';
import { saveIncidents } from '../../src/store/incidents.ts';
import { recall, remember } from '../../src/store/memory.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { fakeDocker, type FakeDocker } from '../helpers/fake-docker.ts';
import { incidentOf } from '../helpers/incident.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';
import { startWaha, type Waha, type WahaOptions } from '../standins/waha.ts';

const MINUTE = 60_000;
let dir: string;
let store: Store;
let waha: Waha;
let engine: FakeDocker;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-waha-'));
  store = openStore(dir, 0);
  engine = fakeDocker();
});
afterEach(async () => {
  // Whatever happens, nobody is ever logged out.
  expect(waha.loggedOut).toEqual([]);
  expect(waha.asked.filter(({ path }) => /logout|stop$/.test(path))).toEqual([]);
  await waha.close();
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

type Options = Parameters<typeof testDeps>[1] & { container?: string; key?: string };

async function monitor(options: WahaOptions, more: Options = {}): Promise<TestDeps> {
  waha = await startWaha({ restartMs: 1, ...options });
  if (more.container !== undefined) engine.add(more.container);
  engine.before = (call) => void (call.startsWith('restart') && waha.reboot());
  const { container } = more;
  const target = {
    url: waha.url,
    apiKey: more.key ?? waha.key,
    how: 'a test',
    ...(container ? { container } : {}),
  };
  const discovered = { waha: target, missing: {} };
  const deps = testDeps(store, { ...more, discovered, system: { http: httpRequest, docker: engine.docker } });
  // Through the real collector, so that `since` is what the store remembers.
  const collector = createWaha({
    system: deps.system,
    config: deps.config,
    discovered: async () => discovered,
    rediscover: () => {},
    recall: <T>(key: string, shape: GenericSchema<unknown, T>) => recall(store.db, key, shape),
    remember: (key: string, value: unknown) => remember(store.db, key, value, deps.clock.now()),
  } as unknown as CollectorDeps);
  deps.look = async () => {
    try {
      const value = await collector.read(AbortSignal.timeout(60_000));
      if ('absent' in value) throw new Error(value.absent);
      return emptySnapshot(deps.clock.now(), { waha: { state: 'ok', value, tookMs: 1 } });
    } catch (error) {
      const why = (error as Error).message;
      return emptySnapshot(deps.clock.now(), { waha: { state: 'failed', why, tookMs: 1 } });
    }
  };
  return deps;
}
/** A run every five minutes. */
async function runs(deps: TestDeps, times: number) {
  const results = [];
  for (let i = 0; i < times; i += 1) {
    if (i > 0) deps.clock.add(5 * MINUTE);
    results.push(...(await runRules(deps, [wahaRule], 'run')));
  }
  return results;
}
const done = () =>
  listActions(store.db, 0)
    .toReversed()
    .map(({ what, target, state }) => `${what} ${target} ${state}`);

describe('a session that is stuck', () => {
  it.each(['FAILED', 'STARTING'])(
    'in %s for five minutes is restarted by the API, and works again',
    async (status) => {
      const deps = await monitor({ sessions: [{ name: 'default', status }] }, { container: 'waha' });
      await runs(deps, 1);
      expect(done()).toEqual([]);
      deps.clock.add(5 * MINUTE);
      await runs(deps, 1);
      expect(done()).toEqual(['restart-session default worked']);
      expect(waha.actions).toEqual(['restart default']);
      expect(engine.calls).toEqual([]);
      expect(deps.said).toMatchObject([
        {
          severity: 'info',
          telegram: true,
          text: 'Done: restart the WhatsApp session default',
          details: [
            'Result: session default works again',
            `Why: session default has been ${status} for 5 min`,
          ],
        },
      ]);
      expect((await runs(deps, 4)).map(({ found }) => found)).toEqual(Array(4).fill('1 session, none stuck'));
      expect(done()).toHaveLength(1);
    },
  );

  it('goes on to the container, and then to a person; tries again after hours, not every five minutes', async () => {
    const deps = await monitor({}, { container: 'waha' });
    waha.reboot = () => {};
    waha.set({ name: 'default', status: 'FAILED', afterRestart: 'FAILED' });
    waha.set({ name: 'shop', status: 'WORKING' });
    await runs(deps, 8);
    expect(done()).toEqual(['restart-session default failed', 'restart-container waha failed']);
    expect(engine.calls).toEqual(['restart waha']);
    const person = deps.said.filter(({ severity }) => severity === 'critical');
    expect(person.length).toBeGreaterThan(1);
    expect(person.filter(({ telegram }) => telegram)).toHaveLength(1);
    expect(person[0]?.text).toMatch(
      /^A person is needed: session default has been FAILED for .*; restarting the session and the container did not help$/,
    );
    // Over a whole day: the session every six hours, the container once.
    await runs(deps, 12 * 24);
    const kinds = done().map((line) => line.split(' ')[0]);
    expect(kinds.filter((kind) => kind === 'restart-session').length).toBeLessThanOrEqual(5);
    expect(kinds.filter((kind) => kind === 'restart-container').length).toBeLessThanOrEqual(2);
  });

  it('that wanders between bad states is helped after an hour', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'STARTING' }] });
    // Since when it is in its state is never known for long: it is another one at every look.
    for (let minute = 0; minute < 65; minute += 5) {
      waha.set({ name: 'default', status: minute % 10 ? 'FAILED' : 'STARTING' });
      await runs(deps, 1);
      expect(done()).toEqual([]);
      deps.clock.add(5 * MINUTE);
    }
    waha.set({ name: 'default', status: 'FAILED' });
    await runs(deps, 1);
    expect(done()).toEqual(['restart-session default worked']);
    expect(deps.said[0]?.details).toContain(
      'Why: session default has not worked for 1 h 5 min; it is FAILED now',
    );
  });

  it('in a state that nobody knows is helped after an hour, not before', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'MEDITATING' }] });
    await runs(deps, 12);
    expect(done()).toEqual([]);
    deps.clock.add(5 * MINUTE);
    await runs(deps, 1);
    expect(done()).toEqual(['restart-session default worked']);
  });

  it('is left alone where it works again by itself, or somebody stopped it, between the look and the act', async () => {
    for (const status of ['WORKING', 'STOPPED', 'SCAN_QR_CODE']) {
      const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] });
      await runs(deps, 1);
      deps.clock.add(5 * MINUTE);
      let asked = 0;
      waha.before = ({ path }) => {
        if (path === '/api/sessions' && ++asked === 2) waha.set({ name: 'default', status });
      };
      const [result] = await runs(deps, 1);
      expect(result?.attempts).toMatchObject([{ done: 'obsolete' }]);
      expect(waha.actions).toEqual([]);
      if (status !== 'SCAN_QR_CODE') await waha.close();
    }
  });
});

describe('no reason to restart', () => {
  it('is a session that works, was stopped, or says nothing of its activity', async () => {
    const old = { activity: 1_000_000 };
    const deps = await monitor(
      {
        sessions: [
          { name: 'works', status: 'WORKING', timestamps: old },
          { name: 'stopped', status: 'STOPPED', timestamps: old },
          { name: 'null', status: 'WORKING', timestamps: { activity: null } },
          { name: 'empty', status: 'WORKING', timestamps: {} },
          { name: 'none', status: 'WORKING' },
        ],
      },
      { container: 'waha' },
    );
    await runs(deps, 30);
    expect({ done: done(), said: deps.said, calls: engine.calls }).toEqual({ done: [], said: [], calls: [] });
  });

  it('is silence, unless vpsmon.yaml says so; then one restart for each silence', async () => {
    const deps = await monitor({}, { yaml: { restartIdleWaha: true } });
    const activity = deps.clock.now() - 50 * MINUTE;
    waha.set({ name: 'default', status: 'WORKING', timestamps: { activity } });
    waha.set({ name: 'fresh', status: 'WORKING' });
    await runs(deps, 2);
    expect(done()).toEqual([]);
    await runs(deps, 20);
    expect(done()).toEqual(['restart-session default worked']);
    expect(deps.said[0]?.details?.[1]).toMatch(/^Why: session default has sent nothing for 1 h/);
    // It sent something, and fell silent again.
    waha.set({ name: 'default', status: 'WORKING', timestamps: { activity: deps.clock.now() } });
    await runs(deps, 20);
    expect(done()).toEqual(['restart-session default worked', 'restart-session default worked']);
    expect(engine.calls).toEqual([]);
  });

  it.each(['SCAN_QR_CODE', 'PASSKEY_REQUIRED', 'PASSKEY_CONFIRMATION_REQUIRED'])(
    'is %s: that needs a person, who is told once in six hours',
    async (status) => {
      const deps = await monitor({ sessions: [{ name: 'default', status }] }, { container: 'waha' });
      await runs(deps, 13);
      expect({ done: done(), actions: waha.actions, calls: engine.calls }).toEqual({
        done: [],
        actions: [],
        calls: [],
      });
      expect(deps.said.filter(({ telegram }) => telegram)).toHaveLength(1);
      expect(deps.said[0]?.text).toMatch(
        new RegExp(`^A person is needed: session default has been ${status}`),
      );
    },
  );

  it('and nothing is said twice about a code where the monitor has said it', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'SCAN_QR_CODE' }] });
    saveIncidents(store.db, [
      incidentOf({ rule: 'waha-session', subject: 'default', notified: { count: 1 } }),
    ]);
    await runs(deps, 3);
    expect(deps.said.map(({ telegram }) => telegram)).toEqual([false, false]);
  });
});

describe('WAHA that does not do what it is told', () => {
  it('refuses the key: nothing is tried, and it is said which key', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] }, { key: 'wrong-key' });
    const results = await runs(deps, 3);
    expect(results.at(-1)?.found).toMatch(/WAHA cannot be read: .*refuses the API key; set WAHA_API_KEY/);
    expect(done()).toEqual([]);
    expect(JSON.stringify(results)).not.toContain('wrong-key');
  });

  it.each(['hang', 'garbage', 'empty', 'error', 'cut'] as const)('%s: nothing is tried', async (fault) => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] }, { container: 'waha' });
    await runs(deps, 1);
    deps.clock.add(10 * MINUTE);
    waha.fault = fault;
    const [result] = await runs(deps, 1);
    expect(result?.found).toMatch(/^WAHA cannot be read: /);
    expect({ done: done(), calls: engine.calls }).toEqual({ done: [], calls: [] });
  });

  it('hangs, or answers nonsense, when it is told to restart: the container is next', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] }, { container: 'waha' });
    await runs(deps, 1);
    deps.clock.add(5 * MINUTE);
    const broken = deps.system.http;
    deps.system.http = (request) =>
      request.method === 'POST'
        ? Promise.reject(new Error(`no answer from ${new URL(request.url).host} within 60 s`))
        : broken(request);
    await runs(deps, 1);
    expect(done()).toEqual(['restart-session default failed']);
    expect(deps.said.at(-1)?.details?.[0]).toMatch(
      /no answer from .* within 60 s; session default is FAILED/,
    );
    await runs(deps, 2);
    expect(done()[1]).toBe('restart-container waha worked');
  });

  it('answers 422 for a session that its edition does not have', async () => {
    const deps = await monitor(
      { core: true, sessions: [{ name: 'second', status: 'FAILED' }] },
      { container: 'waha' },
    );
    await runs(deps, 2);
    expect(done()).toEqual(['restart-session second failed']);
    expect(deps.said.at(-1)?.details?.[0]).toMatch(/WAHA answered 422: .*WAHA Core support only 'default'/);
  });

  it('repeats the key in its answers: it stands in no message and no record', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] });
    await runs(deps, 1);
    deps.clock.add(5 * MINUTE);
    const http = deps.system.http;
    const body = `{"message":"not with ${waha.key}"}`;
    deps.system.http = (request) =>
      request.method === 'POST' ? Promise.resolve({ status: 422, headers: {}, body }) : http(request);
    await runs(deps, 1);
    deps.system.http = () => Promise.resolve({ status: 500, headers: {}, body });
    const results = await runs(deps, 1);
    expect(results[0]?.found).toMatch(/WAHA cannot be read: .* answered 500: not with \*\*\*/);
    expect(JSON.stringify([results, deps.said, listActions(store.db, 0)])).not.toContain(waha.key);
    expect(deps.said[0]?.details?.[0]).toMatch(/not with \*\*\*/);
  });

  it('does not know the session any more', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED' }] });
    await runs(deps, 1);
    deps.clock.add(5 * MINUTE);
    let lists = 0;
    waha.before = ({ path }) => void (path === '/api/sessions' && ++lists === 2 && waha.sessions.clear());
    await runs(deps, 1);
    expect(deps.said.at(-1)?.text).toBe('Left alone: session default does not exist any more');
  });
});

describe('the container', () => {
  /** A run died between the stop and the start of a restart. */
  function leftDown(deps: TestDeps): void {
    const { at, boot, uptimeMs } = deps.moment();
    recordAction(store.db, {
      rule: 'waha',
      target: 'waha',
      what: 'restart-container',
      why: 'x',
      state: 'running',
      startedAt: at,
      boot,
      uptimeMs,
      undo: { container: 'waha', sessions: ['default'] },
    });
    engine.containers.get('waha'.padEnd(64, '0'))!.status = 'exited';
  }

  it('of an old version starts no session by itself: those that ran are started, those that were stopped are not', async () => {
    const deps = await monitor({ core: true }, { container: 'waha' });
    waha.set({ name: 'default', status: 'FAILED', afterRestart: 'FAILED' });
    waha.set({ name: 'off', status: 'STOPPED' });
    await runs(deps, 2);
    waha.set({ name: 'default', status: 'FAILED', afterRestart: 'WORKING' });
    await runs(deps, 3);
    expect(done()).toEqual(['restart-session default failed', 'restart-container waha worked']);
    expect(waha.actions).toEqual(['restart default', 'start default']);
    expect(waha.sessions.get('off')?.status).toBe('STOPPED');
  });

  it('is not touched where it is not known which one it is', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'FAILED', afterRestart: 'FAILED' }] });
    await runs(deps, 6);
    expect(done()).toEqual(['restart-session default failed']);
    expect(deps.said.at(-1)?.text).toMatch(/did not help \(which container it runs in is not known\)$/);
  });

  it('is restarted by hand with a reason, also where recovery is switched off and its budget is spent', async () => {
    const deps = await monitor(
      { core: true, sessions: [{ name: 'default', status: 'WORKING' }] },
      { container: 'waha', settings: { ENABLE_AUTO_RECOVERY: false }, yaml: { actionsPerHour: 0 } },
    );
    expect((await restartWahaByHand(deps, 'sends\nnothing')).attempts).toMatchObject([
      { done: 'worked', text: 'WAHA runs again, sessions that work: 1' },
    ]);
    expect(waha.actions).toEqual(['start default']);
    expect(listActions(store.db, 0)).toMatchObject([{ why: 'sends nothing', what: 'restart-container' }]);
  });

  it('that a dead run left down is started when Docker can be asked again, however many runs later', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'WORKING' }] }, { container: 'waha' });
    leftDown(deps);
    const { inspect } = engine.docker;
    engine.docker.inspect = () => Promise.reject(new Error('no Docker socket'));
    await runs(deps, 2);
    expect(done()).toEqual(['restart-container waha running']);
    expect(deps.said.map(({ telegram }) => telegram)).toEqual([false, false]);
    engine.docker.inspect = inspect;
    await runs(deps, 1);
    expect(engine.calls).toEqual(['start waha']);
    expect(done()).toEqual(['restart-container waha worked']);
    expect(deps.said.at(-1)).toMatchObject({ telegram: true });
  });

  it('that a dead run left down is started once: one that goes down again, or is stopped by somebody, stays so', async () => {
    const deps = await monitor({ sessions: [{ name: 'default', status: 'WORKING' }] }, { container: 'waha' });
    leftDown(deps);
    const { start } = engine.docker;
    engine.docker.start = async (id) => {
      await start(id);
      engine.containers.get('waha'.padEnd(64, '0'))!.status = 'exited';
      deps.discovered = async () => ({ missing: { waha: 'container waha is exited' } });
    };
    await runs(deps, 3);
    expect(engine.calls).toEqual(['start waha']);
    expect(done()).toEqual(['restart-container waha failed']);
    expect(deps.said.at(-1)).toMatchObject({ telegram: true });
  });

  it('that does not run is started by hand', async () => {
    const deps = await monitor({}, { container: 'waha' });
    const up = await deps.discovered();
    deps.discovered = async () =>
      engine.calls.length > 0 ? up : { wahaDown: 'waha', missing: { waha: 'container waha is exited' } };
    expect((await restartWahaByHand(deps, '')).attempts).toMatchObject([{ done: 'worked' }]);
    expect(engine.calls).toEqual(['restart waha']);
  });

  it('is left alone where its session was deleted between the look and the act', async () => {
    const deps = await monitor(
      { sessions: [{ name: 'default', status: 'FAILED', afterRestart: 'FAILED' }] },
      { container: 'waha' },
    );
    await runs(deps, 2);
    deps.clock.add(5 * MINUTE);
    let lists = 0;
    waha.before = ({ path }) => void (path === '/api/sessions' && ++lists === 2 && waha.sessions.clear());
    await runs(deps, 1);
    expect(deps.said.at(-1)?.text).toBe('Left alone: session default does not exist any more');
    expect(engine.calls).toEqual([]);
  });

  it('cannot be restarted by hand where there is none, and that is a failure', async () => {
    const deps = await monitor({});
    expect(await restartWahaByHand(deps, '')).toMatchObject({ failed: true, attempts: [] });
  });
});

describe('recovery that is switched off', () => {
  it('says what it would do', async () => {
    const deps = await monitor(
      { sessions: [{ name: 'default', status: 'FAILED' }] },
      { settings: { ENABLE_AUTO_RECOVERY: false } },
    );
    await runs(deps, 5);
    expect(waha.actions).toEqual([]);
    expect(done()).toEqual(['restart-session default would-do']);
    expect(deps.said[0]).toMatchObject({
      text: 'Would restart the WhatsApp session default, but ENABLE_AUTO_RECOVERY is false',
      telegram: true,
    });
    expect(deps.said.filter(({ telegram }) => telegram)).toHaveLength(1);
  });
});
