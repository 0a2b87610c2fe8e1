// What recovery left switched off stays known, whatever happens in between, and is said wherever a person looks.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeOnce } from '../../src/commands/monitor-once.ts';
import { status } from '../../src/commands/status.ts';
import { uninstall } from '../../src/commands/uninstall.ts';
import { judgeLeftOff } from '../../src/doctor/left-off.ts';
import { leftOffBy } from '../../src/model/left-off.ts';
import { renderPrometheus } from '../../src/outputs/prometheus/prometheus.ts';
import { runRules } from '../../src/recovery/index.ts';
import { acceptLeftOff } from '../../src/recovery/left-off.ts';
import { queueRule } from '../../src/recovery/queue.ts';
import { judgeAll } from '../../src/checks/judge.ts';
import { listActions, pruneActions, recordAction } from '../../src/store/actions.ts';
import { leftOffIn, lookAtLeftOff } from '../../src/store/left-off.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { openMachine } from '../../src/system/machine.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { fakeDocker } from '../helpers/fake-docker.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';
import { startN8n, type N8n } from '../standins/n8n.ts';

let dir: string;
let store: Store;
let n8n: N8n;
let depth: number;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-left-off-'));
  store = openStore(dir, 0);
  n8n = await startN8n();
  for (const i of [1, 2, 3]) n8n.add({ id: `t${i}`, name: `Low ${i}`, tags: ['low-priority'] });
});
afterEach(async () => {
  await n8n.close();
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

function monitor(): TestDeps {
  const deps = testDeps(store, {
    system: { http: httpRequest },
    discovered: { n8n: { url: n8n.url, apiKey: n8n.key, how: 'a test' }, missing: {} },
  });
  deps.look = async () =>
    emptySnapshot(deps.clock.now(), { n8n: { state: 'ok', tookMs: 1, value: { queueDepth: depth } } });
  return deps;
}
async function run(deps: TestDeps, jobs: number): Promise<void> {
  depth = jobs;
  await runRules(deps, [queueRule], 'run');
  deps.clock.add(300_000);
}
const names = (): string[] => leftOffIn(store.db).map(({ name }) => name);
function finding(deps: TestDeps, rule = 'left-off') {
  const past = { failedInARow: {}, growth: [], forecasts: [], historyStart: 0, leftOff: leftOffIn(store.db) };
  const findings = judgeAll(emptySnapshot(deps.clock.now()), past, deps.config);
  return findings.find((one) => one.rule === rule && one.subject === 'workflows');
}

describe('A16: what recovery has switched off', () => {
  it('is an incident since when, with the webhooks whose events are lost, until it is on again', async () => {
    const deps = monitor();
    n8n.workflows.get('t3')!.nodeType = 'n8n-nodes-base.scheduleTrigger';
    expect(finding(deps)).toMatchObject({ verdict: 'ok', quiet: true });
    await run(deps, 2000);
    expect(finding(deps)).toMatchObject({
      severity: 'warning',
      verdict: 'breach',
      quiet: true,
      value: 3,
      text: expect.stringMatching(
        /^3 workflows are off that were on, since .*10:00.* \(for 5 min\): Low 1, Low 2, Low 3$/,
      ),
      details: [
        'Webhooks answer 404 meanwhile, and what is sent to them is lost: Low 1, Low 2',
        expect.stringMatching(/recover undo/),
      ],
    });
    await run(deps, 2000);
    await run(deps, 0);
    expect(deps.said.at(-1)?.details).toEqual([
      'Result: 3 workflows are active again',
      'Off for 10 min',
      'What was sent to their webhooks meanwhile is lost: Low 1, Low 2',
      expect.stringMatching(/^Why/),
    ]);
    expect(finding(deps)).toMatchObject({ verdict: 'ok', quiet: true });
    await run(deps, 2000);
    await run(deps, 0);
    expect(deps.said.at(-1)?.details).toContain('Off for 5 min (15 min in all within a day, 2 times)');
  });

  it('A3: edited, and left off for a person to see to it, stays an incident with the reason', async () => {
    await n8n.close();
    n8n = await startN8n({ old: true });
    n8n.add({ id: 't1', name: 'Low 1', tags: ['low-priority'] });
    const deps = monitor();
    await run(deps, 2000);
    n8n.edit('t1', 'new');
    await run(deps, 0);
    expect(finding(deps)).toMatchObject({
      verdict: 'breach',
      text: expect.stringMatching(/^1 workflow is off that was on/),
      details: expect.arrayContaining([
        expect.stringMatching(/^Low 1: still off, somebody changed it meanwhile/),
      ]),
    });
    acceptLeftOff(deps, 'low 1');
    expect(n8n.workflows.get('t1')!.activeVersionId).toBeNull();
    expect(finding(deps)).toMatchObject({
      verdict: 'ok',
      text: 'No workflow is off any more because of recovery',
    });
    // Nobody took it back: that is what history shows.
    const [paused] = listActions(store.db, 0).filter(({ what }) => what === 'deactivate-workflows');
    expect(paused).toMatchObject({ state: 'kept', result: expect.stringMatching(/meant to stay so$/) });
    expect(paused?.undoneAt).toBeUndefined();
    pruneActions(store.db, deps.clock.now() + 91 * 86_400_000);
    expect(listActions(store.db, 0)).toEqual([]);
  });

  it('is still known while n8n is away; renamed has its new name; deleted or switched on by somebody is no longer left off', async () => {
    const deps = monitor();
    await run(deps, 2000);
    n8n.workflows.get('t1')!.name = 'Renamed';
    n8n.workflows.get('t2')!.activeVersionId = 't2-v1';
    n8n.workflows.delete('t3');
    const { http } = deps.system;
    deps.system.http = () => Promise.reject(new Error('connect ECONNREFUSED'));
    await run(deps, 0);
    expect(names()).toEqual(['Low 1', 'Low 2', 'Low 3']);
    deps.system.http = http;
    await run(deps, 700);
    expect(names()).toEqual(['Renamed']);
    expect(deps.said.at(-1)).toMatchObject({
      text: 'No longer paused by recovery: 2 workflows',
      details: ['Low 2: somebody has activated it already', 'Low 3: it was deleted meanwhile'],
    });
    await run(deps, 0);
    expect(names()).toEqual([]);
    expect(n8n.workflows.get('t1')!.activeVersionId).toBe('t1-v1');
  });

  it('A11: after a kill -9 in the middle of pausing, n8n tells what is really off', async () => {
    const deps = monitor();
    const workflows = [1, 2, 3].map((i) => ({ id: `t${i}`, name: `Low ${i}`, state: 'asked' }));
    const { at: startedAt, boot, uptimeMs } = deps.moment();
    const what = { rule: 'queue', target: 'n8n', what: 'deactivate-workflows', why: 'a test' } as const;
    recordAction(store.db, { ...what, state: 'running', startedAt, boot, uptimeMs, undo: { workflows } });
    n8n.workflows.get('t2')!.activeVersionId = null;
    expect(leftOffIn(store.db).map(({ unsure }) => unsure)).toEqual([true, true, true]);
    await run(deps, 700);
    expect(deps.said[0]?.details?.[0]).toBe('Result: 1 workflow had been paused: Low 2');
    expect(names()).toEqual(['Low 2']);
  });

  it('R2: survives the database: a damaged one is begun anew with what waits to be undone, which comes back', async () => {
    await run(monitor(), 2000);
    store.close();
    writeFileSync(join(dir, 'vpsmon.db'), 'no database at all '.repeat(500));
    for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `vpsmon.db${suffix}`), { force: true });
    expect(lookAtLeftOff(dir).map(({ name }) => name)).toEqual(['Low 1', 'Low 2', 'Low 3']);
    store = openStore(dir, 0);
    expect(store).toMatchObject({ restored: 1, setAside: expect.stringMatching(/corrupt/) });
    expect(names()).toEqual(['Low 1', 'Low 2', 'Low 3']);
    await run(monitor(), 0);
    expect([...n8n.workflows.values()].map(({ activeVersionId }) => activeVersionId)).toEqual([
      't1-v1',
      't2-v1',
      't3-v1',
    ]);
    store.close();
    rmSync(join(dir, 'vpsmon.db'));
    store = openStore(dir, 0);
    expect(names()).toEqual([]);
  });

  it('R2: a copy that cannot be read is said, and holds nothing up', () => {
    store.close();
    rmSync(join(dir, 'vpsmon.db'));
    writeFileSync(join(dir, 'vpsmon.db-left-off.json'), '{"actions": [');
    expect(() => lookAtLeftOff(dir)).toThrow();
    expect(judgeLeftOff(() => lookAtLeftOff(dir), 0)).toMatchObject([{ state: 'failed' }]);
    const refuse = () => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    };
    expect(judgeLeftOff(refuse, 0)).toMatchObject([{ state: 'warning', advice: 'run it with sudo' }]);
    store = openStore(dir, 0);
    expect(store.copyTrouble).toMatch(/cannot be read/);
    expect(names()).toEqual([]);
  });

  it('is in status, doctor, monitor --once and the metrics', async () => {
    const deps = monitor();
    await run(deps, 2000);
    const text = expect.stringMatching(/^3 workflows are off that were on/);
    expect(judgeLeftOff(() => lookAtLeftOff(dir), deps.clock.now())).toMatchObject([
      { state: 'warning', text, advice: expect.stringMatching(/recover undo/) },
    ]);
    const config = configWith({ HTTP_LISTEN: '' }, { stateDir: dir });
    const shown = commandContext(config, { stateDir: dir });
    expect(await status(shown.context, openMachine(dir))).toBe(1);
    expect(shown.out().replaceAll(/\s+/g, ' ')).toContain('3 workflows are off that were on');
    const once = judgeOnce({ config }, emptySnapshot(deps.clock.now()), lookAtLeftOff(dir));
    expect(once).toContainEqual(expect.objectContaining({ rule: 'left-off', verdict: 'breach', text }));
    const counts = { info: 0, warning: 0, critical: 0 };
    const metrics = { version: '1', counts, openIncidents: [], leftOff: leftOffIn(store.db) };
    expect(renderPrometheus(metrics)).toContain('vpsmon_recovery_left_off{kind="workflow"} 3');
  });

  it('is brought back by uninstall, which removes nothing while that is not possible', async () => {
    const deps = monitor();
    await run(deps, 2000);
    store.close();
    const settings = {
      N8N_URL: n8n.url,
      N8N_API_KEY: n8n.key,
      HTTP_LISTEN: '',
      DOCKER_HOST: 'unix:///nonexistent',
    };
    const leave = async (key: string) => {
      const config = configWith({ ...settings, N8N_API_KEY: key }, { stateDir: dir });
      const run = async () => ({ exitCode: 0, stdout: '', stderr: '' });
      const recorded = commandContext(config, {}, { run, system: { root: true } });
      return { code: await uninstall(recorded.context, false, openMachine(dir, false)), err: recorded.err() };
    };
    const refused = await leave('a wrong key');
    expect(refused.code).toBe(3);
    expect(refused.err).toMatch(/3 workflows are off that were on.*nothing was removed.*recover accept/);
    expect((await leave(n8n.key)).code).toBe(0);
    expect(n8n.workflows.get('t1')!.activeVersionId).toBe('t1-v1');
    store = openStore(dir, 0);
  });
});

it('A16: containers and limits count as long as Docker shows them as recovery left them', async () => {
  const engine = fakeDocker();
  for (const name of ['web', 'batch']) engine.add(name);
  const id = (name: string) => name.padEnd(64, '0');
  const deps = testDeps(store, { system: { docker: engine.docker } });
  const { at: startedAt, boot, uptimeMs } = deps.moment();
  for (const name of ['web', 'batch']) {
    await engine.docker.stop(id(name), 1);
    const seen = await engine.docker.inspect(id(name));
    recordAction(store.db, {
      rule: 'loops',
      target: name,
      what: 'stop-loop',
      why: 'a test',
      state: 'worked',
      startedAt,
      boot,
      uptimeMs,
      undo: { containerId: id(name), name, startedAt: seen.state.startedAt },
    });
  }
  await runRules(deps, [], 'run');
  expect(leftOffIn(store.db)).toMatchObject([
    { kind: 'container', name: 'web' },
    { kind: 'container', name: 'batch' },
  ]);
  await engine.docker.start(id('web'));
  engine.containers.delete(id('batch'));
  await runRules(deps, [], 'run');
  expect(leftOffIn(store.db)).toEqual([]);
  expect(deps.said.map(({ text }) => text).toSorted()).toEqual([
    'Left alone: batch was removed meanwhile',
    'Left alone: web was started by somebody else',
  ]);
});

it('a record that cannot be understood leaves off what it names, and breaks nothing', () => {
  const action = { id: 1, rule: 'queue', target: 'n8n', why: '', state: 'worked', startedAt: 1 } as const;
  const odd = [{ workflows: null }, { workflows: [null, { state: 'paused' }, 3] }, {}];
  for (const undo of odd)
    expect(() => leftOffBy([{ ...action, what: 'deactivate-workflows', undo }])).not.toThrow();
});
