// SIGKILL of the real command right before and right after everything that it does to a real engine, to WAHA, and to n8n: the
// next run neither repeats blindly nor forgets, and the budget counts what the dead one had begun.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unfinishedActions } from '../../src/store/actions.ts';
import { startWork } from '../helpers/bull-worker.ts';
import { until } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { startDockerGate, type DockerGate, type GateCall } from '../helpers/docker-gate.ts';
import { recoverFolder, type Recovered, type RecoverFolder } from '../helpers/recover-run.ts';
import { startRedis, type RedisServer } from '../helpers/redis-server.ts';
import { NOTHING } from '../standins/http-faults.ts';
import { startN8n, type N8n } from '../standins/n8n.ts';
import { startWaha, type Waha } from '../standins/waha.ts';

const MB = 1_048_576;
type Inspect = { RestartCount: number; State: { Status: string }; HostConfig: { Memory: number } };
type When = 'before' | 'after';

let engine: Engine;
let gate: DockerGate;
let folder: RecoverFolder;
beforeAll(async () => {
  engine = await startEngine();
  gate = await startDockerGate(engine.socket, `${engine.socket}.gate`);
});
afterAll(async () => {
  await gate?.close();
  await engine?.stop();
});
beforeEach(() => {
  gate.changes.length = 0;
  // Two restarts are a loop: the engine needs 0.3 s for them.
  folder = recoverFolder({ DOCKER_HOST: gate.dockerHost, RESTART_LOOP_COUNT: 1, WAHA_WARNING_MINUTES: 1 });
});
afterEach(async () => {
  delete gate.before;
  delete gate.after;
  await engine.clear();
  folder.remove();
});

const inspect = async (id: string) => (await engine.api('GET', `/containers/${id}/json`)) as Inspect;
const isDown = async (id: string) => (await inspect(id)).State.Status === 'exited';
const history = async () =>
  (await folder.run(['history'])).json.actions.toReversed().map(({ action, state }) => `${action} ${state}`);

/** Kills the run that is on its way. The next one may have begun when this sees that it is dead: only the one killed counts. */
async function killRun(): Promise<void> {
  const { child } = folder;
  child?.kill('SIGKILL');
  await until(() => child?.signalCode !== null, 'the kill');
}

/** Kills the run at the first call that matches, and answers nothing. After: what the engine refused was not done. */
function killAt(matches: (call: GateCall) => boolean, when: When): void {
  gate[when] = async (call: GateCall & { status?: number }) => {
    if (!matches(call) || (call.status ?? 0) >= 400 || !folder.child) return;
    delete gate[when];
    await killRun();
    // Nothing is passed on.
    if (when === 'before') throw new Error('killed');
  };
}
const change = (verb: string) => (call: GateCall) => call.method === 'POST' && call.path.endsWith(`/${verb}`);
async function killedRun(args: string[], matches: (call: GateCall) => boolean, when: When): Promise<void> {
  killAt(matches, when);
  expect((await folder.run(args)).signal).toBe('SIGKILL');
}

async function crasher(): Promise<string> {
  const id = await engine.run({ name: 'crasher', restartPolicy: 'always', command: ['false'] });
  await until(async () => (await inspect(id)).RestartCount >= 2, 'two restarts');
  return id;
}
const told = (run: Recovered) => run.json.said.map(({ text, details }) => `${text}; ${details[0]}`);
/** Nothing is left half done in the records. */
const settled = () => expect(folder.inStore(({ db }) => unfinishedActions(db))).toEqual([]);

describe('killed while it pauses a loop', () => {
  it('before the engine was asked: the next run says so, and does it itself', async () => {
    const id = await crasher();
    await killedRun(['loops'], change('stop'), 'before');
    expect(await isDown(id)).toBe(false);
    const next = await folder.run(['loops']);
    expect(told(next)).toEqual([
      expect.stringMatching(/interrupted while it was stopping crasher; Result: crasher is not stopped yet/),
      expect.stringMatching(/^Done: stop crasher for 10 min \(pause 2\)/),
    ]);
    settled();
    await folder.run(['undo']);
    expect(await isDown(id)).toBe(false);
  });

  it.each([
    ['after the engine did it', change('stop'), 'after'],
    [
      'while it looked whether it worked',
      (call: GateCall) => gate.changes.length > 0 && call.method === 'GET',
      'before',
    ],
  ] as const)('%s: it counts as done, is not done again, and comes back', async (_what, matches, when) => {
    const id = await crasher();
    await killedRun(['loops'], matches, when);
    await until(() => isDown(id), 'the stop');
    const next = await folder.run(['loops']);
    expect(told(next)).toEqual([
      'An earlier run was interrupted while it was stopping crasher; Result: crasher is stopped',
    ]);
    expect(gate.changes.filter((line) => line.endsWith('/stop'))).toHaveLength(1);
    settled();
    await folder.run(['undo']);
    expect(await isDown(id)).toBe(false);
    expect(await history()).toEqual(['pause-loop undone', 'start-container worked']);
  });

  it.each(['before', 'after'] as const)(
    'and in the middle of undo, %s the engine did it: undo finishes it',
    async (when) => {
      const id = await crasher();
      await folder.run(['loops']);
      await killedRun(['undo'], change('start'), when);
      await folder.run(['undo']);
      expect(await isDown(id)).toBe(false);
      expect(gate.changes.filter((line) => line.endsWith('/start'))).toHaveLength(1);
      settled();
      expect((await folder.run(['undo'])).json.said).toEqual([]);
    },
  );

  it('again and again: after three times it stops trying', async () => {
    const id = await crasher();
    for (let i = 0; i < 3; i += 1) await killedRun(['loops'], change('stop'), 'before');
    const fourth = await folder.run(['loops']);
    expect(fourth.json.said.at(-1)?.text).toMatch(
      /^Would stop crasher.*, but 3 actions on crasher within an hour are enough .* A person is needed$/,
    );
    expect(await isDown(id)).toBe(false);
    expect(gate.changes.filter((line) => line.endsWith('/stop'))).toEqual([]);
    settled();
  });
});

describe('killed while it raises a limit', () => {
  it.each([
    ['before', 16 * MB, 'failed'],
    ['after', 24 * MB, 'worked'],
  ] as const)(
    '%s the engine did it: what the record says is what the engine says, and undo works',
    async (when, limit, state) => {
      const command = ['tail', '/dev/zero'];
      const id = await engine.run({ name: 'hungry', restartPolicy: 'always', memory: 16 * MB, command });
      await until(async () => (await inspect(id)).RestartCount >= 2, 'two restarts');
      await killedRun(['loops'], change('update'), when);
      await until(async () => (await inspect(id)).HostConfig.Memory === limit, 'the limit');
      // Stopped, so that the next run has nothing to do but to look.
      await engine.api('POST', `/containers/${id}/stop?t=0`);
      await folder.run(['loops']);
      expect(await history()).toEqual([`raise-limit ${state}`]);
      await folder.run(['undo']);
      expect((await inspect(id)).HostConfig.Memory).toBe(16 * MB);
      settled();
    },
  );
});

describe('killed while it restarts WAHA', () => {
  let waha: Waha;
  let id: string;
  beforeEach(async () => {
    waha = await startWaha({ core: true, restartMs: 50, sessions: [{ name: 'default', status: 'FAILED' }] });
    await engine.tag('devlikeapro/waha', 'latest');
    id = await engine.run({
      name: 'waha',
      image: 'devlikeapro/waha:latest',
      network: 'host',
      env: [`WAHA_API_KEY=${waha.key}`, `WHATSAPP_API_PORT=${waha.port}`],
    });
    await folder.run(['waha']);
    folder.backdateWaha(61_000);
  });
  afterEach(() => waha.close());

  it.each(['before', 'after'] as const)(
    'a session, %s WAHA did it: it is looked at, not restarted once more',
    async (when) => {
      waha[when] = async ({ method }) => {
        if (method !== 'POST') return;
        delete waha[when];
        await killRun();
        if (when === 'before') throw NOTHING;
      };
      expect((await folder.run(['waha'])).signal).toBe('SIGKILL');
      if (when === 'after')
        await until(() => waha.sessions.get('default')?.status === 'WORKING', 'the session');
      const next = await folder.run(['waha']);
      const status = when === 'after' ? 'works again' : 'is FAILED';
      expect(told(next)[0]).toBe(
        `An earlier run was interrupted while it was restarting the WhatsApp session default; Result: session default ${status}`,
      );
      expect(waha.actions.filter((line) => line === 'restart default')).toHaveLength(
        when === 'after' ? 1 : 0,
      );
      settled();
    },
  );

  it.each([
    ['before the engine was asked', 'restart', 'before'],
    ['after it was restarted', 'restart', 'after'],
  ] as const)(
    'its container, %s: it runs, and so do the sessions of a WAHA that starts none',
    async (_what, verb, when) => {
      waha.set({ name: 'default', status: 'WORKING' });
      killAt(change(verb), when);
      gate[when === 'before' ? 'after' : 'before'] = ({ path }) =>
        void (path.endsWith('/restart') && waha.reboot());
      expect((await folder.run(['restart-waha', 'test'])).signal).toBe('SIGKILL');
      if (when === 'before') {
        // The worst that an engine can leave behind.
        await engine.api('POST', `/containers/${id}/stop?t=0`);
      }
      waha.reboot();
      const next = await folder.run(['waha']);
      expect(told(next)[0]).toMatch(
        /interrupted while it was restarting the container waha; Result: WAHA runs again/,
      );
      expect(await isDown(id)).toBe(false);
      expect(waha.sessions.get('default')?.status).toBe('WORKING');
      expect(gate.changes.filter((line) => line.endsWith('/restart')).length).toBeLessThanOrEqual(1);
      expect(waha.loggedOut).toEqual([]);
      settled();
    },
  );
});

describe('killed while it pauses workflows', () => {
  const COUNT = 12;
  let redis: RedisServer;
  let n8n: N8n;
  beforeAll(async () => {
    redis = await startRedis();
    await startWork(redis);
  });
  afterAll(() => redis?.remove());
  beforeEach(async () => {
    n8n = await startN8n();
    for (let i = 0; i < COUNT; i += 1) n8n.add({ id: `t${i}`, tags: ['low-priority'] });
    n8n.edit('t3', 'a draft that nobody has published');
    await redis.call('SET', 'bull:jobs:id', '5000');
    folder.remove();
    folder = recoverFolder(
      { REDIS_HOST: '127.0.0.1', REDIS_PORT: redis.port, N8N_URL: n8n.url, N8N_API_KEY: n8n.key },
      'recovery:\n  actions_per_target_per_hour: 100\n  actions_per_hour: 100\n',
    );
  });
  afterEach(() => n8n.close());

  const queue = async (jobs: number) => {
    await redis.call('DEL', 'bull:jobs:wait');
    if (jobs > 0)
      await redis.call('LPUSH', 'bull:jobs:wait', ...Array.from({ length: jobs }, (_, i) => String(i)));
  };
  const versions = () =>
    Object.fromEntries([...n8n.workflows.values()].map((w) => [w.id, w.activeVersionId]));
  const off = () => Object.values(versions()).filter((version) => version === null).length;
  /** Kills the run at the nth change that it asks n8n for. */
  function killAtChange(nth: number, when: When): void {
    let changes = 0;
    n8n[when] = async ({ method }) => {
      if (method !== 'POST' || ++changes !== nth) return;
      delete n8n[when];
      await killRun();
      if (when === 'before') throw NOTHING;
    };
  }

  it.each([
    [1, 'before'],
    [1, 'after'],
    [5, 'before'],
    [5, 'after'],
    [COUNT, 'after'],
  ] as const)(
    'at the %i. one, %s n8n did it: every one comes back, at the version it had',
    async (nth, when) => {
      const before = versions();
      await queue(1500);
      killAtChange(nth, when);
      expect((await folder.run(['queue'])).signal).toBe('SIGKILL');
      expect(off()).toBe(when === 'after' ? nth : nth - 1);
      if (nth === 5) {
        // The queue is still long: the rest is paused, too.
        await folder.run(['queue']);
        expect(off()).toBe(COUNT);
      }
      await queue(10);
      await folder.run(['check-queue']);
      expect(versions()).toEqual(before);
      settled();
      expect((await folder.run(['queue'])).json.results[0]?.attempts).toEqual([]);
    },
  );

  it.each([
    [1, 'before'],
    [6, 'after'],
    [COUNT, 'after'],
  ] as const)('and while it brings them back, at the %i. one, %s n8n did it', async (nth, when) => {
    const before = versions();
    await queue(1500);
    await folder.run(['queue']);
    await queue(10);
    killAtChange(nth, when);
    expect((await folder.run(['queue'])).signal).toBe('SIGKILL');
    await folder.run(['queue']);
    expect(versions()).toEqual(before);
    // None was activated twice.
    const activated = n8n.actions.filter((line) => line.startsWith('activate'));
    expect(new Set(activated).size).toBe(activated.length);
    settled();
  });

  it('at ten random moments: in the end everything is as it was', async () => {
    const before = versions();
    // However early the kills come, there is something to bring back.
    await queue(1500);
    await folder.run(['queue']);
    expect(off()).toBe(COUNT);
    for (let i = 0; i < 10; i += 1) {
      await queue(i % 2 ? 1500 : 10);
      const run = folder.run(['queue']);
      const timer = setTimeout(() => folder.child?.kill('SIGKILL'), 150 + Math.random() * 450);
      await run;
      clearTimeout(timer);
    }
    await queue(10);
    await folder.run(['queue']);
    await folder.run(['undo']);
    expect(versions()).toEqual(before);
    settled();
  });
});
