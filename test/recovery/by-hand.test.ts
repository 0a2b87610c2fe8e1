import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerByHand } from '../../src/recovery/by-hand.ts';
import { finishInterrupted } from '../../src/recovery/index.ts';
import { allActionsToUndo, listActions, recordAction } from '../../src/store/actions.ts';
import { leftOffIn } from '../../src/store/left-off.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { fakeDocker, type FakeDocker } from '../helpers/fake-docker.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { containerInfo, snapshotOf } from '../helpers/snapshots.ts';

let dir: string;
let store: Store;
let engine: FakeDocker;
let deps: TestDeps;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-by-hand-'));
  store = openStore(dir, 0);
  engine = fakeDocker();
  for (const name of ['web', 'vpsmon']) engine.add(name);
  deps = testDeps(store, {
    settings: { ENABLE_AUTO_RECOVERY: false },
    system: { docker: engine.docker },
    look: async () =>
      snapshotOf(Date.now(), {
        containers: [...engine.containers.values()].map(({ id, name }) =>
          containerInfo(name, { id, self: name === 'vpsmon' }),
        ),
      }),
  });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a container that a person wants stopped or restarted', () => {
  it('is, with recovery switched off, and it is recorded with who asked', async () => {
    const result = await containerByHand(deps, 'restart', 'web', 'asked for by Ada on Telegram');
    expect(result.attempts).toMatchObject([{ done: 'worked', text: 'web runs again' }]);
    expect(engine.calls).toEqual(['restart web']);
    expect(listActions(store.db, 0)).toMatchObject([
      { rule: 'hand', target: 'web', what: 'restart-container', why: 'asked for by Ada on Telegram' },
    ]);
    expect(deps.said).toMatchObject([{ text: 'Done: restart web', telegram: false }]);
    await containerByHand(deps, 'stop', 'web', '');
    expect(engine.calls).toEqual(['restart web', 'stop web']);
  });

  it('is meant to be down: recovery has not left it off, and has nothing to undo', async () => {
    const { attempts } = await containerByHand(deps, 'stop', 'web', '');
    expect(attempts).toMatchObject([{ done: 'worked' }]);
    expect(leftOffIn(store.db)).toEqual([]);
    expect(allActionsToUndo(store.db)).toEqual([]);
  });

  it.each([
    ['stop', 'exited', 'worked', 'web is stopped'],
    ['stop', 'running', 'unclear', 'web is not stopped yet'],
    ['restart', 'exited', 'unclear', 'web is exited now'],
  ])('a %s whose process died is looked at: it is %s', async (what, status, state, result) => {
    engine.containers.get('web'.padEnd(64, '0'))!.status = status;
    const order = { rule: 'hand', target: 'web', what: `${what}-container`, why: 'by Ada' } as const;
    recordAction(store.db, { ...order, state: 'running', startedAt: deps.clock.now() });
    await finishInterrupted(deps);
    expect(listActions(store.db, 0)).toMatchObject([{ state, result: `interrupted; ${result}` }]);
    expect(engine.calls).toEqual([]);
  });

  it('is not, more often than the budget allows', async () => {
    for (let i = 0; i < 3; i++) await containerByHand(deps, 'restart', 'web', 'x');
    const result = await containerByHand(deps, 'restart', 'web', 'x');
    expect(result.attempts).toMatchObject([{ done: 'budget' }]);
    expect(engine.calls).toHaveLength(3);
  });

  describe('a restart without an answer', () => {
    const web = () => engine.containers.get('web'.padEnd(64, '0'))!;
    async function restarted(status?: number, after?: () => void) {
      const { inspect } = engine.docker;
      let asked = Infinity;
      engine.docker.restart = async () => {
        asked = deps.clock.monotonic();
        throw Object.assign(
          new Error('Docker closed the connection'),
          status === undefined ? {} : { status },
        );
      };
      engine.docker.inspect = async (id) => {
        if (deps.clock.monotonic() - asked > 5000) after?.();
        return inspect(id);
      };
      const { attempts } = await containerByHand(deps, 'restart', 'web', 'x');
      return { attempts, tookMs: deps.clock.monotonic() - asked };
    }

    it('is waited for, and has worked where the container was started anew', async () => {
      const { attempts } = await restarted(undefined, () => (web().startedAt = 99));
      expect(attempts).toMatchObject([
        { done: 'worked', text: 'web runs again (although: Docker closed the connection)' },
      ]);
    });

    it('has not where it still runs as before', async () => {
      const { attempts, tookMs } = await restarted(500);
      expect(attempts).toMatchObject([
        { done: 'failed', text: expect.stringContaining('was not restarted') },
      ]);
      expect(tookMs).toBeGreaterThanOrEqual(30_000);
    });

    it('is not waited for where Docker refuses it', async () => {
      const { attempts, tookMs } = await restarted(403, () => (web().startedAt = 99));
      expect(attempts).toMatchObject([{ done: 'failed' }]);
      expect(tookMs).toBe(0);
    });
  });

  it.each([
    ['vpsmon', 'vpsmon itself runs in vpsmon'],
    ['nothing', 'there is no container nothing'],
    ['', 'the name of a container is needed'],
  ])('is not touched where it is %j', async (name, why) => {
    const result = await containerByHand(deps, 'stop', name, 'x');
    expect(result).toMatchObject({
      failed: true,
      attempts: [],
      found: expect.stringContaining(why) as string,
    });
    expect(engine.calls).toEqual([]);
    expect(listActions(store.db, 0)).toEqual([]);
  });

  it('cannot be where there is no Docker', async () => {
    const { look } = deps;
    deps.look = async (only) => {
      const snapshot = await look(only);
      const docker = { state: 'absent', why: 'no Docker socket' } as const;
      return { ...snapshot, readings: { ...snapshot.readings, docker } };
    };
    const { found } = await containerByHand(deps, 'stop', 'web', '');
    expect(found).toBe('nothing was done: there is no Docker here (no Docker socket)');
  });
});
