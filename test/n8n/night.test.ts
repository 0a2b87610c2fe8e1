// A night in minutes, on a real n8n: floods, a dead worker, a revoked key, renamed and edited workflows, a restart, kill -9 of
// recovery, a damaged database. In the morning everything that was on is on.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { leftOffIn } from '../../src/store/left-off.ts';
import { BIN } from '../helpers/daemon.ts';
import { startRealN8n, type RealN8n } from '../helpers/real-n8n.ts';
import { recoverFolder, type RecoverFolder } from '../helpers/recover-run.ts';
import { spawn } from 'node:child_process';

let n8n: RealN8n;
let folder: RecoverFolder;
let key: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  n8n = await startRealN8n();
  await n8n.startMain();
  await n8n.startWorker();
  key = await n8n.makeKey();
  folder = recoverFolder({
    DOCKER_HOST: 'unix:///nonexistent.sock',
    N8N_URL: n8n.url,
    POSTGRES_URL: n8n.postgres.url('n8n'),
    REDIS_URL: `redis://:${encodeURIComponent(n8n.redis.password)}@127.0.0.1:${n8n.redis.port}`,
    N8N_QUEUE_WARNING: 20,
    N8N_QUEUE_CRITICAL: 30,
    N8N_QUEUE_CLEAR: 10,
  });
  const tag = await n8n.api('POST', '/tags', { name: 'Low-Priority' });
  for (const [name, low, hook] of [
    ['Nightly import', true, true],
    ['Newsletter', true, true],
    ['Clean up', true, false],
    ['Orders', false, true],
  ] as const) {
    const workflow = await n8n.api('POST', '/workflows', workflowOf(name, hook));
    const id = String(workflow['id']);
    ids[name] = id;
    if (low) await n8n.api('PUT', `/workflows/${id}/tags`, [{ id: tag['id'] }]);
    await n8n.api('POST', `/workflows/${id}/activate`, {});
  }
});
afterAll(async () => {
  folder?.remove();
  await n8n?.remove();
});

const pathOf = (name: string) => name.toLowerCase().replaceAll(' ', '-');

/** Each execution holds the worker for a second and a half. */
function workflowOf(name: string, hook: boolean) {
  const trigger = hook
    ? {
        id: 'a',
        name: 'Start',
        type: 'n8n-nodes-base.webhook',
        typeVersion: 2,
        position: [0, 0],
        webhookId: `hook-${pathOf(name)}`,
        parameters: { path: pathOf(name), httpMethod: 'POST', responseMode: 'onReceived' },
      }
    : {
        id: 'a',
        name: 'Start',
        type: 'n8n-nodes-base.scheduleTrigger',
        typeVersion: 1.2,
        position: [0, 0],
        parameters: { rule: { interval: [{ field: 'hours', hoursInterval: 12 }] } },
      };
  const wait = {
    id: 'b',
    name: 'Work',
    type: 'n8n-nodes-base.wait',
    typeVersion: 1.1,
    position: [200, 0],
    webhookId: `wait-${pathOf(name)}`,
    parameters: { resume: 'timeInterval', amount: 1.5, unit: 'seconds' },
  };
  return {
    name,
    nodes: [trigger, wait],
    connections: { Start: { main: [[{ node: 'Work', type: 'main', index: 0 }]] } },
    settings: { executionOrder: 'v1' },
  };
}

async function call(name: string): Promise<number> {
  const answer = await fetch(`${n8n.url}/webhook/${pathOf(name)}`, { method: 'POST', body: '{}' });
  await answer.text();
  return answer.status;
}
async function flood(name: string, times: number): Promise<void> {
  for (let i = 0; i < times; i += 10) await Promise.all(Array.from({ length: 10 }, () => call(name)));
}
async function depth(): Promise<number> {
  return Number(await n8n.redis.call('LLEN', 'bull:jobs:wait'));
}
/** Which workflows are on, at which published version. */
async function whatIsOn(): Promise<string[]> {
  const { data } = (await n8n.api('GET', '/workflows?limit=50')) as {
    data: { id: string; active: boolean; activeVersionId?: string | null }[];
  };
  return data
    .filter(({ active }) => active)
    .map(({ id, activeVersionId }) => `${id}@${activeVersionId ?? ''}`)
    .toSorted();
}
const recover = (...args: string[]) => folder.run(args.length > 0 ? args : ['queue'], { N8N_API_KEY: key });
const left = () =>
  folder.inStore(({ db }) =>
    leftOffIn(db)
      .map(({ name }) => name)
      .toSorted(),
  );
const LOW = ['Clean up', 'Newsletter', 'Nightly import'];

async function floodAndPause(): Promise<void> {
  await flood('Orders', 60);
  await expect.poll(depth, { timeout: 60_000 }).toBeGreaterThan(35);
  const { json } = await recover();
  expect(json.results[0]?.attempts, JSON.stringify(json)).toMatchObject([{ done: 'worked' }]);
}
async function drainAndReturn(): Promise<void> {
  await expect.poll(depth, { timeout: 180_000, interval: 1000 }).toBeLessThan(10);
  await expect.poll(async () => (await recover(), left()), { timeout: 120_000, interval: 5000 }).toEqual([]);
}

it('keeps nothing off that was on', async () => {
  const on = await whatIsOn();
  expect(on).toHaveLength(4);

  // The worker dies: jobs wait, and pausing workflows would be no cure.
  await n8n.stopWorker();
  await flood('Orders', 40);
  const idle = await recover();
  expect(idle.json.results[0]).toMatchObject({
    attempts: [],
    found: expect.stringMatching(/no worker takes them/),
  });
  const check = await run(['monitor', '--once', '--json']);
  const findings = (JSON.parse(check.stdout) as { findings: { rule: string; text: string }[] }).findings;
  expect(findings.find(({ rule }) => rule === 'n8n-workers')?.text).toMatch(
    /^No worker takes jobs of n8n: 40 wait/,
  );
  expect(findings.map(({ rule }) => rule)).not.toContain('n8n-queue');
  await n8n.startWorker();

  // A flood with a worker: the three are paused, and said to be off.
  await floodAndPause();
  expect(left()).toEqual(LOW);
  expect(await call('Newsletter')).toBe(404);
  expect(await call('Orders')).toBe(200);
  expect((await run(['status'])).stdout.replaceAll(/\s+/g, ' ')).toMatch(/3 workflows are off that were on/);

  // Somebody renames one and edits another meanwhile, and the key is revoked when they should come back.
  for (const [name, change] of [
    ['Nightly import', (w: ReturnType<typeof workflowOf>) => ({ ...w, name: 'Nightly import (new)' })],
    [
      'Newsletter',
      (w: ReturnType<typeof workflowOf>) => ({
        ...w,
        nodes: w.nodes.map((node) => ({ ...node, position: [node.position[0]! + 40, 40] })),
      }),
    ],
  ] as const)
    await n8n.api('PUT', `/workflows/${ids[name]}`, change(workflowOf(name, true)));
  await n8n.revokeKeys();
  await expect.poll(depth, { timeout: 180_000, interval: 1000 }).toBeLessThan(10);
  const refused = await recover();
  expect(refused.json.said.map(({ text }) => text).join()).toMatch(/Failed|cannot be brought back/);
  expect(left()).toHaveLength(3);
  // A source that is not read in time on a busy machine says nothing about its key.
  await expect
    .poll(async () => (await run(['monitor', '--once', '--json'])).stdout, { timeout: 90_000 })
    .toMatch(/refuses the API key \(401/);
  key = await n8n.makeKey();
  await drainAndReturn();
  expect(await call('Nightly import')).toBe(200);
  expect(await call('Newsletter')).toBe(200);
  const edited = await whatIsOn();
  expect(edited.map((one) => one.split('@')[0])).toEqual(on.map((one) => one.split('@')[0]));

  // n8n is restarted while they are off, and the database of vpsmon is damaged.
  await floodAndPause();
  await n8n.stopMain();
  expect((await recover()).code).not.toBe(3);
  for (const suffix of ['-wal', '-shm']) rmSync(join(folder.stateDir, `vpsmon.db${suffix}`), { force: true });
  writeFileSync(join(folder.stateDir, 'vpsmon.db'), 'no database at all '.repeat(500));
  await n8n.startMain();
  expect(left()).toHaveLength(3);
  await drainAndReturn();
  expect(await whatIsOn()).toEqual(edited);

  // Recovery is killed in the middle of pausing, and in the middle of bringing back.
  await flood('Orders', 60);
  await expect.poll(depth, { timeout: 60_000 }).toBeGreaterThan(35);
  await killedWhile(async () => (await whatIsOn()).length < 4);
  await drainAndReturn();
  await floodAndPause();
  await expect.poll(depth, { timeout: 180_000, interval: 1000 }).toBeLessThan(10);
  await killedWhile(async () => (await whatIsOn()).length > 1);
  await drainAndReturn();

  expect(await whatIsOn()).toEqual(edited);
  for (const name of ['Nightly import', 'Newsletter', 'Orders']) expect(await call(name), name).toBe(200);
  expect((await run(['doctor'])).stdout).toMatch(/recovery has left nothing stopped or paused/);
});

/** Runs a command with the settings of the last run of recovery. */
async function run(args: string[]): Promise<{ stdout: string }> {
  const child = spawn(
    process.execPath,
    [BIN, ...args, '--config', folder.conf, '--state-dir', folder.stateDir],
    {
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.dir },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return { stdout };
}

/** Starts recovery and kills it as soon as it has done the first of what it does; where it was quicker, it is done. */
async function killedWhile(begun: () => Promise<boolean>): Promise<void> {
  const running = recover();
  for (let i = 0; i < 400 && folder.child?.exitCode === null; i += 1) {
    if (await begun()) break;
    await sleep(20);
  }
  folder.child?.kill('SIGKILL');
  await running;
}
