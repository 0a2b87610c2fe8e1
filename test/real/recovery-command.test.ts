// `vpsmon recover` from end to end: real Redis with Bull's keys, real Postgres with n8n's tables, a real engine, and strict
// stand-ins of n8n, WAHA and Telegram.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { recordAction } from '../../src/store/actions.ts';
import { endWork, startWork } from '../helpers/bull-worker.ts';
import { startDaemon, until, vpsmon } from '../helpers/daemon.ts';
import { startEngine, type Engine } from '../helpers/docker-engine.ts';
import { addExecutions, createN8nTables } from '../helpers/n8n-schema.ts';
import { startPostgres, type PostgresServer } from '../helpers/postgres-server.ts';
import { recoverFolder, type RecoverFolder } from '../helpers/recover-run.ts';
import { startRedis, type RedisServer } from '../helpers/redis-server.ts';
import { startN8n, type N8n } from '../standins/n8n.ts';
import { startTelegram, type Telegram } from '../standins/telegram.js';
import { startWaha, type Waha } from '../standins/waha.ts';

let engine: Engine;
let redis: RedisServer;
let postgres: PostgresServer;
let telegram: Telegram;
let n8n: N8n;
let waha: Waha;
let folder: RecoverFolder;
let settings: Record<string, string | number>;
beforeAll(async () => {
  [engine, redis, postgres, telegram] = await Promise.all([
    startEngine(),
    startRedis({ password: 'r3dis-pass' }),
    startPostgres(),
    startTelegram(),
  ]);
  await createN8nTables(postgres);
  await addExecutions(postgres, { new: 1500, success: 3 });
  await redis.call('SET', 'bull:jobs:id', '5000');
  await startWork(redis);
});
afterAll(async () => {
  await Promise.all([engine?.stop(), redis?.remove(), postgres?.remove(), telegram?.close()]);
});

beforeEach(async () => {
  telegram.clear();
  n8n = await startN8n();
  addWorkflows(12);
  n8n.add({ id: 'vip' });
  waha = await startWaha({ restartMs: 50 });
  settings = {
    DOCKER_HOST: engine.dockerHost,
    REDIS_URL: `redis://:r3dis-pass@127.0.0.1:${redis.port}`,
    POSTGRES_URL: postgres.url(),
    N8N_URL: n8n.url,
    N8N_API_KEY: n8n.key,
    WAHA_URL: waha.url,
    WAHA_API_KEY: waha.key,
    WAHA_WARNING_MINUTES: 10,
    // What this machine does with its swap meanwhile is no matter of these tests.
    SWAP_IN_CRITICAL_KBPS: 10_000_000,
    ...telegram.settings,
  };
  folder = recoverFolder(settings);
});
afterEach(async () => {
  expect(waha.loggedOut).toEqual([]);
  await Promise.all([n8n.close(), waha.close(), engine.clear()]);
  folder.remove();
});

function addWorkflows(upTo: number): void {
  for (let i = n8n.workflows.size; i < upTo; i += 1)
    n8n.add({ id: `t${i}`, name: `Low <${i}>`, tags: ['low-priority'] });
}
async function queue(jobs: number): Promise<void> {
  await redis.call('DEL', 'bull:jobs:wait', 'bull:jobs:delayed');
  for (let i = 0; i < Math.min(jobs, 300); i += 1)
    await redis.call('ZADD', 'bull:jobs:delayed', '1', `d${i}`);
  const rest = Array.from({ length: Math.max(0, jobs - 300) }, (_, i) => String(i));
  if (rest.length > 0) await redis.call('LPUSH', 'bull:jobs:wait', ...rest);
}
const activeCount = () => [...n8n.workflows.values()].filter((w) => w.activeVersionId !== null).length;
const log = () => readFileSync(join(folder.stateDir, 'recovery.log'), 'utf8').trim().split('\n');

describe('the queue', () => {
  it('above 1,000 jobs: the workflows are paused and told; below 400 they come back and that is told', async () => {
    n8n.workflows.delete('vip');
    addWorkflows(120);
    n8n.add({ id: 'vip' });
    await queue(1000);
    expect((await folder.run(['queue'])).json.results[0]).toMatchObject({
      found: '1,000 jobs in the n8n queue',
      attempts: [],
    });
    await queue(1001);
    const paused = await folder.run(['queue']);
    expect(paused.code).toBe(1);
    expect(activeCount()).toBe(1);
    expect(telegram.sent.map(({ plain }) => plain)).toEqual([
      expect.stringMatching(
        /^Recovery, WARNING on .+\n\nDone: pause 120 low-priority workflows \(Low <0>, .* and 112 more\)\nResult: 120 workflows are paused\nWebhooks that answer 404 meanwhile: Low <0>, .* and 112 more\nWhy: 1,001 jobs wait in the n8n queue, more than 1,000\nUndo: they come back by themselves below 400 jobs; .*\nTime: \d{4}-/,
      ),
    ]);
    await queue(399);
    const back = await folder.run(['run-all']);
    expect(back.json.results.map(({ rule }) => rule)).toEqual(['swap', 'loops', 'queue', 'waha']);
    expect(back.code).toBe(0);
    expect(activeCount()).toBe(121);
    expect(telegram.sent[1]?.plain).toMatch(/Done: bring back 120 workflows that were paused/);
    expect(log()).toEqual([
      expect.stringMatching(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[WARNING\] queue n8n: Done: pause 120 .* \| Result: .* \| Why: .* \| Undo: /,
      ),
      expect.stringMatching(/\[INFO\] queue n8n: Done: bring back 120 /),
    ]);
    // What the database says is the queue where there is no Redis.
    const byDatabase = await folder.run(['queue', '--dry-run'], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(byDatabase.json.results[0]?.found).toMatch(/^1,500 jobs|cannot be read/);
  });

  it('that no worker takes: nothing is paused, for that would not help; with a worker it is', async () => {
    await queue(2000);
    await endWork(redis);
    try {
      const run = await folder.run(['queue']);
      expect(run.json).toMatchObject({
        results: [{ found: expect.stringMatching(/^2,000 jobs .*; no worker takes them/), attempts: [] }],
        said: [],
      });
      expect({ code: run.code, n8n: n8n.actions }).toEqual({ code: 0, n8n: [] });
    } finally {
      await startWork(redis);
    }
    await folder.run(['queue']);
    expect(activeCount()).toBe(1);
  });
});

describe('a WhatsApp session', () => {
  it('is remembered between runs by the store, restarted, and told', async () => {
    waha.set({ name: 'default', status: 'FAILED' });
    await folder.run(['waha']);
    folder.backdateWaha(300_000);
    expect((await folder.run(['check-waha'])).json.results[0]?.attempts).toEqual([]);
    folder.backdateWaha(300_000);
    const run = await folder.run(['waha']);
    expect(run.code).toBe(0);
    expect(waha.actions).toEqual(['restart default']);
    expect(telegram.sent.map(({ plain }) => plain)).toEqual([
      expect.stringMatching(
        /^Recovery on .+\n\nDone: restart the WhatsApp session default\nResult: session default works again\nWhy: session default has been FAILED for 1\d min.*\nTime: /,
      ),
    ]);
  });

  it('is not restarted where recovery is off, or in a dry run; the first is told, the second leaves no trace', async () => {
    waha.set({ name: 'default', status: 'STARTING' });
    await folder.run(['waha']);
    folder.backdateWaha(660_000);
    const dry = await folder.run(['waha', '--dry-run']);
    expect(dry.json).toMatchObject({
      dry_run: true,
      said: [{ text: 'Would restart the WhatsApp session default (dry run)' }],
    });
    expect(existsSync(join(folder.stateDir, 'recovery.log'))).toBe(false);
    const off = await folder.run(['waha'], { ENABLE_AUTO_RECOVERY: 'false' });
    expect(off).toMatchObject({ code: 1, json: { enabled: false } });
    await folder.run(['waha'], { ENABLE_AUTO_RECOVERY: 'false' });
    expect(waha.actions).toEqual([]);
    expect(telegram.sent.map(({ plain }) => plain)).toEqual([
      expect.stringMatching(
        /Would restart the WhatsApp session default, but ENABLE_AUTO_RECOVERY is false\nWhy: /,
      ),
    ]);
    expect((await folder.run(['history'])).json.actions).toMatchObject([
      { state: 'would-do', action: 'restart-session' },
    ]);
  });

  it('with its container is restarted by hand, whatever it is and whatever is switched off', async () => {
    await engine.tag('devlikeapro/waha', 'latest');
    const env = [`WHATSAPP_API_PORT=${waha.port}`];
    const id = await engine.run({ name: 'waha', image: 'devlikeapro/waha:latest', network: 'host', env });
    const started = async () =>
      ((await engine.api('GET', `/containers/${id}/json`)) as { State: { StartedAt: string } }).State
        .StartedAt;
    const before = await started();
    const run = await folder.run(['restart-waha', 'sends', '<nothing>'], { ENABLE_AUTO_RECOVERY: 'false' });
    expect(run.json.results[0]).toMatchObject({
      found: 'asked for by hand: sends <nothing>',
      attempts: [{ done: 'worked' }],
    });
    expect(await started()).not.toBe(before);
    // One that is down, too.
    await engine.api('POST', `/containers/${id}/stop?t=0`);
    const again = await folder.run(['restart-waha']);
    expect(again.json.results[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect(await started()).not.toBe(before);
    expect((await engine.docker.inspect(id)).state.status).toBe('running');
    expect(telegram.sent[0]?.plain).toMatch(
      /Done: restart the WAHA container waha\n.*\nWhy: sends <nothing>/,
    );
  });
});

describe('everything that can be wrong', () => {
  it('of WAHA and n8n at once is said in one sentence each, without a secret, and nothing is done', async () => {
    await queue(2000);
    const run = await folder.run(['run-all'], {
      WAHA_API_KEY: 'wrong-waha-key',
      N8N_API_KEY: 'wrong-n8n-key',
    });
    const found = Object.fromEntries(run.json.results.map((result) => [result.rule, result.found]));
    expect(found['waha']).toMatch(/refuses the API key; set WAHA_API_KEY/);
    expect(run.json.said.map(({ text }) => text).join()).toMatch(
      /n8n refuses the API key \(401\): check N8N_API_KEY/,
    );
    expect(run.stdout + run.stderr + log().join()).not.toMatch(/wrong-|r3dis-pass|Corr3ct/);
    expect({ n8n: n8n.actions, waha: waha.actions }).toEqual({ n8n: [], waha: [] });
  });

  it('a Docker that is not there, a WAHA that hangs: the other rules do their work', async () => {
    await queue(2000);
    waha.fault = 'hang';
    const run = await folder.run(['run-all'], { DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
    const found = Object.fromEntries(run.json.results.map((result) => [result.rule, result.found]));
    expect(found['loops']).toMatch(/^the containers cannot be read: /);
    // Nothing was said, and a person should read it all the same.
    expect((await folder.run(['waha'])).code).toBe(1);
    expect(found['waha']).toMatch(/^WAHA cannot be read: .*within/);
    expect(activeCount()).toBe(1);
  });

  it('an undo of what is no rule is refused, for it would undo everything; of a rule it undoes that one', async () => {
    await queue(2000);
    await folder.run(['queue']);
    const run = await folder.run(['undo', 'n8n']);
    expect(run).toMatchObject({ code: 3, stdout: '' });
    expect(run.stderr).toMatch(/`recover undo` takes no further words, and got "n8n"\. Nothing was done/);
    await folder.run(['undo', 'waha']);
    expect(activeCount()).toBe(1);
    expect((await folder.run(['undo', 'queue'])).code).toBe(0);
    expect(activeCount()).toBe(13);
  });

  it('a state folder that cannot be used: nothing is done without records', async () => {
    await folder.run(['history']);
    const run = await vpsmon(['recover', '--config', '/dev/null', '--state-dir', join(folder.conf, 'state')]);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/Recovery does nothing without its records/);
  });

  it('an undo without Docker fails, says of which container, and forgets nothing', async () => {
    await folder.run(['history']);
    folder.inStore(({ db }) =>
      recordAction(db, {
        rule: 'swap',
        target: 'web',
        what: 'stop-container',
        why: 'x',
        state: 'worked',
        startedAt: Date.now(),
        undo: { containerId: 'f'.repeat(64), name: 'web' },
      }),
    );
    const away = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
    for (let i = 0; i < 2; i += 1) {
      const run = await folder.run(['undo'], away);
      expect(run.code).toBe(2);
      expect(run.json.said[0]?.text).toMatch(
        /^Did not start web again: web could not be looked at: no Docker socket at .*\. Try again/,
      );
    }
    const gone = await folder.run(['undo']);
    expect(gone).toMatchObject({
      code: 0,
      json: { said: [{ text: 'Left alone: web was removed meanwhile' }] },
    });
  });

  it('a word that is not known: the right ones are listed', async () => {
    const run = await vpsmon(['recover', 'wahah', '--config', '/dev/null', '--state-dir', folder.stateDir]);
    expect(run).toMatchObject({ code: 3 });
    expect(run.stderr).toMatch(
      /`recover wahah` is not known. Did you mean `recover waha`\? There are run-all, waha, queue, swap, loops, restart-waha, restart-container, stop-container, undo, accept, history\./,
    );
  });
});

describe('two at once', () => {
  it('one works, the other leaves', async () => {
    await queue(2000);
    // The first one goes on when the second has left; each of its calls waits for less than a call may take.
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => (leave = resolve));
    n8n.before = () => Promise.race([left, new Promise<void>((resolve) => setTimeout(resolve, 3000))]);
    const command = ['recover', 'queue', '--config', folder.conf, '--state-dir', folder.stateDir];
    const first = folder.run(['queue']);
    await until(() => existsSync(join(folder.stateDir, 'recover.lock.pid')), 'the lock');
    const second = await vpsmon(command);
    leave();
    expect(second).toMatchObject({ code: 0, stdout: '' });
    expect(second.stderr).toMatch(/another recovery run is at work \(process \d+\); this one leaves/);
    expect((await first).json.results[0]?.attempts).toMatchObject([{ done: 'worked' }]);
    expect(n8n.actions).toHaveLength(12);
  });
});

describe('messages', () => {
  it('reach the phone once, and soon, where a monitor runs at the same time', async () => {
    const daemon = await startDaemon(
      { ...settings, ENABLE_AUTO_RECOVERY: 'true', WAHA_WARNING_MINUTES: 60 },
      undefined,
      folder.stateDir,
    );
    try {
      for (let i = 0; i < 2; i += 1) {
        await queue(2000);
        await folder.run(['queue']);
        await queue(0);
        await folder.run(['queue']);
      }
      const about = (what: RegExp) => telegram.sent.filter(({ plain }) => what.test(plain)).length;
      await until(() => about(/Done: bring back 12/) >= 2, 'the last message');
      await daemon.stop();
      expect(about(/Done: pause 12/)).toBe(2);
      // A1: bringing back is no action that the budget counts, the fourth within the hour neither.
      expect(about(/Done: bring back 12/)).toBe(2);
      expect(about(/Would bring back/)).toBe(0);
    } finally {
      await daemon.remove();
    }
  });

  it('wait where Telegram is away, and the next run sends them', async () => {
    await queue(2000);
    telegram.always('500');
    await folder.run(['queue']);
    expect(telegram.sent).toEqual([]);
    telegram.always(undefined);
    await queue(0);
    await until(async () => {
      await folder.run(['queue']);
      return telegram.sent.length >= 2;
    }, 'both messages');
    expect(telegram.sent.map(({ plain }) => /Done: (\w+)/.exec(plain)?.[1])).toEqual(['pause', 'bring']);
  });
});

describe('in a terminal', () => {
  it('reads well: what was done, and the history', async () => {
    await queue(2000);
    await folder.run(['history']);
    const plainRun = (args: string[]) =>
      vpsmon(['recover', ...args, '--config', folder.conf, '--state-dir', folder.stateDir]);
    const run = await plainRun(['queue']);
    expect(run.stdout).toMatch(
      /^WARNING   queue   Done: pause 12 low-priority workflows .*\n {18}Result: 12 workflows are paused\n {18}Webhooks that answer 404 meanwhile: Low <0>, .* and 4 more\n {18}Why: /,
    );
    expect(run.stdout).toMatch(/\nqueue {2}2,000 jobs in the n8n queue\n$/);
    const history = await plainRun(['history']);
    expect(history.stdout).toMatch(/ ID {2}TIME +RULE +ACTION +TARGET +RESULT +TOOK/);
    expect(history.stdout).toMatch(
      /\n {2}1 {3}\d{4}.* queue {2}deactivate-workflows {2}n8n +worked .*12 workflows are paused/,
    );
    for (const alias of ['check-waha', 'check-queue', 'check-swap', 'check-loops']) {
      expect((await plainRun([alias, '--dry-run'])).code, alias).toBeLessThan(2);
      const bare = await vpsmon([
        alias,
        '--dry-run',
        '--config',
        folder.conf,
        '--state-dir',
        folder.stateDir,
      ]);
      expect(bare.code, alias).toBeLessThan(2);
      expect(bare.stdout).toMatch(new RegExp(`^${alias.replace('check-', '')} `, 'm'));
    }
    const restart = await vpsmon([
      'restart-waha',
      'no',
      'messages',
      '--config',
      folder.conf,
      '--state-dir',
      folder.stateDir,
    ]);
    expect(restart).toMatchObject({ code: 2, stdout: expect.stringMatching(/^waha {3}no WAHA container/) });
  });
});

describe('how light it is', () => {
  it('run-all with everything there stays below 90 MB', async () => {
    n8n.workflows.delete('vip');
    addWorkflows(120);
    n8n.add({ id: 'vip' });
    await queue(2000);
    await folder.run(['history']);
    // The flag of the installed unit.
    const args = ['--max-semi-space-size=1', join(import.meta.dirname, '../../bin/vpsmon.js')];
    const child = spawn(
      process.execPath,
      [...args, 'recover', 'run-all', '--config', folder.conf, '--state-dir', folder.stateDir],
      {
        stdio: 'ignore',
        env: { PATH: process.env['PATH'] ?? '', HOME: folder.dir },
      },
    );
    let peakKb = 0;
    const timer = setInterval(() => {
      const status = existsSync(`/proc/${child.pid}/status`)
        ? readFileSync(`/proc/${child.pid}/status`, 'utf8')
        : '';
      peakKb = Math.max(peakKb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    }, 20);
    const code = await new Promise((resolve) => child.once('close', resolve));
    clearInterval(timer);
    expect(code).toBe(1);
    expect(activeCount()).toBe(1);
    expect(peakKb / 1024).toBeGreaterThan(30);
    expect(peakKb / 1024).toBeLessThanOrEqual(90);
  });
});
