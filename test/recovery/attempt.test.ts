import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attempt } from '../../src/recovery/attempt.ts';
import { finishInterrupted } from '../../src/recovery/index.ts';
import type { Step } from '../../src/recovery/types.ts';
import { actionsToUndo, listActions, recordAction } from '../../src/store/actions.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { fakeDocker } from '../helpers/fake-docker.ts';
import { testDeps } from '../helpers/recovery-deps.ts';

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-attempt-'));
  store = openStore(dir, 0);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function step(parts: Partial<Step> = {}): Step & { ran: number } {
  const made = {
    ran: 0,
    rule: 'swap' as const,
    target: 'web',
    what: 'stop-container',
    words: 'stop web',
    why: 'it thrashes',
    undo: { containerId: 'c' },
    undoHint: 'start it',
    obsolete: async () => undefined,
    async run() {
      made.ran += 1;
    },
    verify: async () => ({ worked: true, text: 'web is stopped' }),
    ...parts,
  };
  return made;
}
const states = () => listActions(store.db, 0).map((action) => action.state);

describe('attempt', () => {
  it('records, acts, verifies and says', async () => {
    const deps = testDeps(store);
    const one = step({
      async run() {
        one.ran += 1;
        expect(states()).toEqual(['running']); // Written down before it is done.
      },
    });
    expect(await attempt(deps, one)).toMatchObject({ done: 'worked', text: 'web is stopped' });
    expect(one.ran).toBe(1);
    expect(listActions(store.db, 0)).toMatchObject([
      { state: 'worked', target: 'web', undo: { containerId: 'c' }, result: 'web is stopped' },
    ]);
    expect(deps.said).toMatchObject([
      {
        severity: 'info',
        telegram: true,
        text: 'Done: stop web',
        details: ['Result: web is stopped', 'Why: it thrashes', 'Undo: start it'],
      },
    ]);
  });

  it('is not over before it is told: where that fails, the next run finds it and tells', async () => {
    const deps = testDeps(store, { system: { docker: fakeDocker().docker } });
    const { report } = deps;
    deps.report = () => {
      throw new Error('killed');
    };
    await expect(attempt(deps, step())).rejects.toThrow('killed');
    expect(states()).toEqual(['running']);
    await expect(finishInterrupted(deps)).rejects.toThrow('killed');
    expect(states()).toEqual(['running']);
    deps.report = report;
    await finishInterrupted(deps);
    expect(states()).toEqual(['worked']);
    expect(deps.said).toMatchObject([
      { telegram: true, text: 'An earlier run was interrupted while it was stopping web' },
    ]);
  });

  it('does nothing where a second look says that it is no longer needed, or where that look fails', async () => {
    const deps = testDeps(store);
    for (const obsolete of [
      async () => 'it is calm again',
      async () => {
        throw new Error('connection refused');
      },
    ]) {
      const one = step({ obsolete });
      expect((await attempt(deps, one)).done).toBe('obsolete');
      expect(one.ran).toBe(0);
    }
    expect(states()).toEqual([]);
  });

  it('by hand says what is still to be done: a warning where it is not right, a failure where nothing can be seen', async () => {
    const deps = testDeps(store);
    const blind = async () => {
      throw new Error('connection refused');
    };
    const close = async () => 'web uses too much';
    expect((await attempt(deps, step({ byHand: true, obsolete: close }))).done).toBe('obsolete');
    expect((await attempt(deps, step({ byHand: true, obsolete: blind }))).done).toBe('failed');
    expect(deps.said.map(({ severity, text }) => `${severity} ${text}`)).toEqual([
      'warning Left alone: web uses too much',
      'warning Did not stop web: web could not be looked at: connection refused. Try again when that is mended',
    ]);
    expect(states()).toEqual([]);
  });

  it('reports an action that throws, and one whose effect is missing', async () => {
    const deps = testDeps(store);
    const run = async () => {
      throw new Error('no such container');
    };
    const not = async () => ({ worked: false, text: 'web is still running' });
    const { undo: _none, ...plain } = step({ run, verify: not });
    expect(await attempt(deps, plain)).toMatchObject({
      done: 'failed',
      text: 'no such container; web is still running',
    });
    expect(await attempt(deps, step({ verify: not }))).toMatchObject({ done: 'failed' });
    expect(states()).toEqual(['failed', 'failed']);
    expect(deps.said.every((line) => line.severity === 'warning')).toBe(true);
    // Told once an hour, not with every try.
    expect(deps.said.map((line) => line.telegram)).toEqual([true, false]);
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
  });

  it('does not write off what may have been done, or be done a moment later', async () => {
    const deps = testDeps(store, { yaml: { actionsPerTargetPerHour: 9 } });
    const run = async () => {
      throw new Error('no answer within 40 s');
    };
    expect((await attempt(deps, step({ run }))).done).toBe('worked');
    await attempt(deps, step({ run, verify: async () => ({ worked: false, text: 'web is still running' }) }));
    await attempt(
      deps,
      step({
        verify: async () => {
          throw new Error('connection refused');
        },
      }),
    );
    expect(states()).toEqual(['unclear', 'unclear', 'worked']);
    expect(actionsToUndo(store.db, 'swap')).toHaveLength(3);
  });

  it('closes what it takes back when that worked or is not needed any more, and only then', async () => {
    const deps = testDeps(store, { yaml: { actionsPerTargetPerHour: 9 } });
    await attempt(deps, step());
    const back = (parts: Partial<Step>) => {
      const { undo: _none, ...rest } = step({ what: 'start-container', undoes: [1], ...parts });
      return attempt(deps, rest);
    };
    await back({ obsolete: async () => 'memory is not calm' });
    await back({ verify: async () => ({ worked: false, text: 'web is exited' }) });
    expect(actionsToUndo(store.db, 'swap')).toHaveLength(1);
    await back({ obsolete: async () => ({ over: 'web was removed meanwhile' }) });
    expect(listActions(store.db, 0).at(-1)).toMatchObject({
      state: 'undone',
      result: 'web is stopped; web was removed meanwhile',
      undoneAt: deps.clock.now(),
    });
    await attempt(deps, step());
    await back({ undoes: [3] });
    expect(actionsToUndo(store.db, 'swap')).toEqual([]);
  });

  it('stops after 3 actions on a target within an hour, and after 10 in all', async () => {
    const deps = testDeps(store);
    for (let i = 0; i < 3; i += 1) await attempt(deps, step());
    const fourth = step();
    expect(await attempt(deps, fourth)).toMatchObject({
      done: 'budget',
      text: '3 actions on web within an hour are enough (the next one is possible in 1 h)',
    });
    expect(fourth.ran).toBe(0);
    for (let i = 0; i < 7; i += 1)
      expect((await attempt(deps, step({ target: `other-${i}` }))).done).toBe('worked');
    expect(await attempt(deps, step({ target: 'eleventh' }))).toMatchObject({
      done: 'budget',
      text: '10 actions within an hour are enough (the next one is possible in 1 h)',
    });
    deps.clock.add(3_601_000);
    expect((await attempt(deps, step())).done).toBe('worked');
  });

  it('keeps the budget whatever is done to the clock, and over a reboot', async () => {
    const deps = testDeps(store);
    for (let i = 0; i < 3; i += 1) await attempt(deps, step());
    for (const jump of [10 * 86_400_000, -20 * 86_400_000, 3 * 86_400_000]) {
      deps.clock.jump(jump);
      expect((await attempt(deps, step())).done).toBe('budget');
    }
    // A reboot two minutes ago; the clock of the machine stands before the actions.
    deps.moment = () => ({ at: deps.clock.now(), boot: 'other', uptimeMs: 120_000 });
    expect((await attempt(deps, step())).done).toBe('budget');
    deps.moment = () => ({ at: deps.clock.now(), boot: 'other', uptimeMs: 3_600_000 });
    expect((await attempt(deps, step())).done).toBe('worked');
  });

  it('does what a person asks for, without budget and where recovery is switched off', async () => {
    const deps = testDeps(store, {
      settings: { ENABLE_AUTO_RECOVERY: false },
      yaml: { actionsPerTargetPerHour: 0, actionsPerHour: 0 },
    });
    expect((await attempt(deps, step())).done).toBe('budget');
    expect((await attempt(deps, step({ byHand: true }))).done).toBe('worked');
  });

  it('A1: gives back without any budget, and what was given back does not count as taken away', async () => {
    const deps = testDeps(store, { yaml: { actionsPerHour: 2 } });
    for (let i = 0; i < 4; i += 1) expect((await attempt(deps, step({ undoes: [99] }))).done).toBe('worked');
    expect((await attempt(deps, step())).done).toBe('worked');
  });

  it('A2: a try that changed nothing is no action; a restart that did not help is one', async () => {
    const deps = testDeps(store);
    const not = async () => ({ worked: false, text: 'web is still running' });
    for (let i = 0; i < 5; i += 1) expect((await attempt(deps, step({ verify: not }))).done).toBe('failed');
    for (let i = 0; i < 3; i += 1) await attempt(deps, step({ rule: 'waha', verify: not }));
    expect((await attempt(deps, step({ rule: 'waha' }))).done).toBe('budget');
  });

  it('counts an action that a killed run left behind', async () => {
    const deps = testDeps(store);
    for (let i = 0; i < 3; i += 1)
      recordAction(store.db, {
        rule: 'swap',
        target: 'web',
        what: 'x',
        why: 'y',
        state: 'running',
        startedAt: deps.clock.now() - 1000,
      });
    expect((await attempt(deps, step())).done).toBe('budget');
  });

  it('only says what it would do where recovery is switched off, and says it on Telegram once in six hours', async () => {
    const deps = testDeps(store, { settings: { ENABLE_AUTO_RECOVERY: false } });
    const one = step();
    for (let i = 0; i < 12; i += 1) {
      expect(await attempt(deps, one)).toMatchObject({ done: 'shadow', text: 'Would stop web' });
      deps.clock.add(300_000);
    }
    expect(one.ran).toBe(0);
    expect(deps.said.filter((line) => line.telegram)).toHaveLength(1);
    expect(states()).toEqual(['would-do']);
  });

  it('takes the same path in a dry run, and leaves no trace', async () => {
    const deps = testDeps(store, { dryRun: true });
    const looked: string[] = [];
    const one = step({
      async obsolete() {
        looked.push('looked');
        return undefined;
      },
    });
    expect((await attempt(deps, one)).done).toBe('shadow');
    expect({ ran: one.ran, looked }).toEqual({ ran: 0, looked: ['looked'] });
    expect(states()).toEqual([]);
    expect(deps.said.filter((line) => line.telegram)).toEqual([]);
  });
});
