// Pausing and bringing back workflows against a strict stand-in of n8n's public API; the length of the queue is scripted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runRules } from '../../src/recovery/index.ts';
import { queueRule } from '../../src/recovery/queue.ts';
import { actionsToUndo, listActions } from '../../src/store/actions.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import type { HttpAnswer } from '../../src/system/types.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import { testDeps, type TestDeps } from '../helpers/recovery-deps.ts';
import { emptySnapshot } from '../helpers/snapshots.ts';
import { startN8n, type N8n, type N8nOptions } from '../standins/n8n.ts';

let dir: string;
let store: Store;
let n8n: N8n;
let depth: number | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-queue-'));
  store = openStore(dir, 0);
});
afterEach(async () => {
  await n8n.close();
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

type More = Parameters<typeof testDeps>[1] & { key?: string; tagged?: number };

async function monitor(options: N8nOptions = {}, { key, tagged = 3, ...more }: More = {}): Promise<TestDeps> {
  n8n = await startN8n(options);
  for (let i = 1; i <= tagged; i += 1)
    n8n.add({ id: `t${i}`, name: `Low ${i}`, tags: ['low-priority', 'batch'] });
  n8n.add({ id: 'vip', tags: ['important'] });
  n8n.add({ id: 'off', tags: ['low-priority'], activeVersionId: null });
  const deps = testDeps(store, {
    system: { http: httpRequest },
    discovered: { n8n: { url: n8n.url, apiKey: key ?? n8n.key, how: 'a test' }, missing: {} },
    ...more,
  });
  deps.look = async () =>
    emptySnapshot(deps.clock.now(), {
      n8n: { state: 'ok', tookMs: 1, value: depth === undefined ? {} : { queueDepth: depth } },
    });
  return deps;
}
async function run(deps: TestDeps, jobs?: number) {
  depth = jobs;
  const [result] = await runRules(deps, [queueRule], 'run');
  deps.clock.add(300_000);
  return result!;
}
const active = () =>
  [...n8n.workflows.values()]
    .filter((w) => w.activeVersionId !== null)
    .map(({ id, activeVersionId }) => `${id}@${activeVersionId}`);
const tagged = (n: number) => Array.from({ length: n }, (_, i) => `t${i + 1}@t${i + 1}-v1`);

describe('a long queue', () => {
  it('pauses the tagged workflows on all pages and brings exactly those back, at the version they had', async () => {
    const deps = await monitor({}, { tagged: 230 });
    // Unfinished work in the editor, which nobody has published.
    n8n.edit('t7', 'half done');
    n8n.workflows.get('t7')!.activeVersionId = 't7-v1';
    // Not tagged, switched off by a person: it stays off.
    n8n.add({ id: 'mine', tags: ['low-priority'], activeVersionId: null });
    expect((await run(deps, 1000)).attempts).toEqual([]);
    expect(await run(deps, 1001)).toMatchObject({
      found: '1,001 jobs in the n8n queue',
      attempts: [{ done: 'worked', text: '230 workflows are paused' }],
    });
    expect(active()).toEqual(['vip@vip-v1']);
    expect(
      n8n.asked.filter(({ path }) => path === '/api/v1/workflows').map(({ query }) => query.get('limit')),
    ).toEqual(['100', '100', '100']);
    expect(await run(deps, 5000)).toMatchObject({
      attempts: [],
      found: expect.stringMatching(/230 workflows paused by recovery/),
    });
    expect((await run(deps, 400)).attempts).toEqual([]);
    expect(await run(deps, 399)).toMatchObject({
      attempts: [{ done: 'worked', text: '230 workflows are active again' }],
    });
    expect(active()).toEqual([...tagged(230), 'vip@vip-v1']);
    expect(actionsToUndo(store.db, 'queue')).toEqual([]);
    expect((await run(deps, 10)).attempts).toEqual([]);
    expect(deps.said).toMatchObject([
      {
        severity: 'warning',
        telegram: true,
        text: 'Done: pause 230 low-priority workflows (Low 1, Low 2, Low 3, Low 4, Low 5, Low 6, Low 7, Low 8 and 222 more)',
        details: [
          'Result: 230 workflows are paused',
          'Webhooks that answer 404 meanwhile: Low 1, Low 2, Low 3, Low 4, Low 5, Low 6, Low 7, Low 8 and 222 more',
          'Why: 1,001 jobs wait in the n8n queue, more than 1,000',
          'Undo: they come back by themselves below 400 jobs; `vpsmon recover undo` does so now',
        ],
      },
      { severity: 'info', telegram: true },
    ]);
  });

  it('pauses those that vpsmon.yaml lists by id or name, with or without the tag', async () => {
    const deps = await monitor();
    deps.config.extra.n8n.lowPriorityWorkflows = ['vip', 'Low 2'];
    deps.config.extra.n8n.tag = '';
    await run(deps, 2000);
    expect(active()).toEqual(['t1@t1-v1', 't3@t3-v1']);
    await run(deps, 0);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
  });

  it('pauses nothing that has not the tag, whatever n8n or a proxy answers', async () => {
    const deps = await monitor();
    n8n.add({ id: 'other', tags: ['low'] });
    const http = deps.system.http;
    deps.system.http = (request) => http({ ...request, url: request.url.replace(/&tags=[^&]*/, '') });
    await run(deps, 2000);
    expect(active()).toEqual(['vip@vip-v1', 'other@other-v1']);
  });

  it('leaves alone what somebody has activated again meanwhile, for as long as this lasts; pauses what is new', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    n8n.workflows.get('t2')!.activeVersionId = 't2-v1';
    n8n.add({ id: 'new', tags: ['low-priority'] });
    await run(deps, 2000);
    expect(active()).toEqual(['t2@t2-v1', 'vip@vip-v1']);
    expect(await run(deps, 2000)).toMatchObject({ attempts: [] });
    await run(deps, 100);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1', 'new@new-v1']);
    expect(deps.said.flatMap(({ details = [] }) => details)).toContain(
      'Low 2: somebody has activated it already',
    );
  });

  it('is not there any more when it is looked at again, or cannot be read', async () => {
    const deps = await monitor();
    for (const second of [900, undefined]) {
      let looks = 0;
      const look = deps.look;
      deps.look = async (only) => {
        if (++looks === 2) depth = second;
        return look(only);
      };
      expect((await run(deps, 2000)).attempts).toMatchObject([{ done: 'obsolete' }]);
      deps.look = look;
    }
    expect(n8n.actions).toEqual([]);
    expect(listActions(store.db, 0)).toEqual([]);
  });

  it('only says what it would do where recovery is switched off', async () => {
    const deps = await monitor({}, { settings: { ENABLE_AUTO_RECOVERY: false } });
    await run(deps, 2000);
    await run(deps, 2000);
    expect(n8n.actions).toEqual([]);
    expect(deps.said.map(({ text, telegram }) => [text, telegram])).toEqual([
      ['Would pause 3 low-priority workflows (Low 1, Low 2, Low 3), but ENABLE_AUTO_RECOVERY is false', true],
      [
        'Would pause 3 low-priority workflows (Low 1, Low 2, Low 3), but ENABLE_AUTO_RECOVERY is false',
        false,
      ],
    ]);
  });

  it('A1: is paused at most so often within an hour; what is paused comes back whatever was done', async () => {
    const deps = await monitor();
    for (let i = 0; i < 3; i += 1) {
      await run(deps, 2000);
      expect(active()).toEqual(['vip@vip-v1']);
      await run(deps, 0);
      expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
    }
    expect((await run(deps, 2000)).attempts).toMatchObject([{ done: 'budget' }]);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
  });
});

describe('A22: a tag', () => {
  it.each([
    ['Low-Priority', 'low-priority'],
    ['low-priority', 'Low-Priority'],
    ['batch, nightly', 'Nightly'],
    ['batch, nightly', 'batch'],
    ['slow, but sure', 'slow, but sure'],
  ])('%j in vpsmon.yaml means %j in n8n', async (tag, inN8n) => {
    const deps = await monitor({}, { tagged: 0 });
    n8n.add({ id: 'mine', tags: [inN8n] });
    deps.config.extra.n8n.tag = tag;
    await run(deps, 2000);
    expect(active()).toEqual(['vip@vip-v1']);
  });

  it('that n8n does not show is on no workflow: nothing is paused on a guess', async () => {
    const deps = await monitor();
    const { http } = deps.system;
    deps.system.http = async (request) => {
      const answer = await http(request);
      return { ...answer, body: answer.body.replaceAll('"tags":', '"labels":') };
    };
    await run(deps, 2000);
    expect(n8n.actions).toEqual([]);
  });
});

describe('A20: a webhook that n8n has not registered, though it calls the workflow active', () => {
  const registered = (after: (id: string) => number) => {
    let asked = 0;
    return async (ids: readonly string[]) => {
      asked += 1;
      return new Map(ids.map((id) => [id, asked === 1 ? 1 : after(id)]));
    };
  };

  it('is registered by switching the workflow off and on once more', async () => {
    let healed = false;
    const deps = await monitor(
      {},
      { registeredWebhooks: registered((id) => (id === 't2' && !healed ? 0 : 1)) },
    );
    await run(deps, 2000);
    n8n.actions.length = 0;
    const { http } = deps.system;
    deps.system.http = (request) => {
      if (request.url.endsWith('/t2/deactivate')) healed = true;
      return http(request);
    };
    await run(deps, 0);
    expect(n8n.actions.slice(-2)).toEqual(['deactivate t2', 'activate t2 t2-v1']);
    expect(active()).toContain('t2@t2-v1');
    expect(deps.said.at(-1)?.details?.join()).not.toMatch(/has not registered/);
  });

  it('counts each of its webhooks: one of two is not all', async () => {
    let asked = 0;
    const registeredWebhooks = async (ids: readonly string[]) => {
      asked += 1;
      return new Map(ids.map((id) => [id, asked === 1 || id !== 't2' ? 2 : 1]));
    };
    const deps = await monitor({}, { registeredWebhooks });
    await run(deps, 2000);
    await run(deps, 0);
    expect(deps.said.at(-1)?.details?.join()).toContain('Low 2: active again, but n8n has not registered');
  });

  const failures: [string, () => Promise<HttpAnswer>][] = [
    ['n8n goes down', () => Promise.reject(new Error('nobody answers'))],
    ['n8n refuses', () => Promise.resolve({ status: 400, headers: {}, body: '{"message":"no"}' })],
  ];
  it.each(failures)(
    '%s between off and on: it is off because of recovery, and a later run brings it back',
    async (_, fails) => {
      const deps = await monitor({}, { registeredWebhooks: registered((id) => (id === 't2' ? 0 : 1)) });
      await run(deps, 2000);
      const { http } = deps.system;
      let off = false;
      deps.system.http = (request) => {
        if (off && request.url.endsWith('/t2/activate')) return fails();
        if (request.url.endsWith('/t2/deactivate')) off = true;
        return http(request);
      };
      const result = await run(deps, 0);
      expect(result.attempts).toMatchObject([{ done: 'failed' }]);
      expect(active()).not.toContain('t2@t2-v1');
      expect(actionsToUndo(store.db, 'queue')).toHaveLength(1);
      deps.system.http = http;
      await run(deps, 0);
      expect(active()).toContain('t2@t2-v1');
      expect(actionsToUndo(store.db, 'queue')).toEqual([]);
    },
  );

  it('is told when that does not help', async () => {
    const deps = await monitor({}, { registeredWebhooks: registered((id) => (id === 't2' ? 0 : 1)) });
    await run(deps, 2000);
    await run(deps, 0);
    expect(deps.said.at(-1)?.details).toContain(
      'Low 2: active again, but n8n has not registered its webhook, which answers 404: switch it off and on in n8n, or restart n8n',
    );
    expect(active()).toContain('t2@t2-v1');
  });
});

it('A18: while no worker takes jobs, nothing is paused: that would drain nothing', async () => {
  const deps = await monitor();
  const queue = { depth: 2000, waiting: 2000, running: 0, workers: 0 };
  deps.look = async () =>
    emptySnapshot(deps.clock.now(), {
      n8n: { state: 'ok', tookMs: 1, value: { queueDepth: 2000, queue } },
    });
  const [result] = await runRules(deps, [queueRule], 'run');
  expect(result).toMatchObject({ attempts: [], found: expect.stringMatching(/no worker takes them/) });
  expect(n8n.actions).toEqual([]);
});

describe('a workflow that somebody', () => {
  const cases: [string, () => void, RegExp, string[]][] = [
    ['deleted', () => n8n.workflows.delete('t1'), /it was deleted meanwhile/, []],
    ['archived', () => (n8n.workflows.get('t1')!.isArchived = true), /it was archived meanwhile/, []],
    [
      'edited and published',
      () => (n8n.edit('t1', 'new'), (n8n.workflows.get('t1')!.activeVersionId = 't1-v2')),
      /has activated it already/,
      ['t1@t1-v2'],
    ],
  ];
  it.each(cases)(
    '%s while it was paused is left alone, and that is said',
    async (_what, change, said, first) => {
      const deps = await monitor();
      await run(deps, 2000);
      change();
      expect((await run(deps, 0)).attempts).toMatchObject([
        { done: 'worked', text: expect.stringMatching(/2 workflows are active again, 1 left alone/) },
      ]);
      expect(deps.said.at(-1)?.details?.join('\n')).toMatch(
        new RegExp(`Low 1: left alone, .*${said.source}`),
      );
      expect(active()).toEqual([...first, 't2@t2-v1', 't3@t3-v1', 'vip@vip-v1']);
      expect((await run(deps, 0)).attempts).toEqual([]);
    },
  );

  it('A3: renamed, moved or saved as a draft comes back at the version that was published', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    n8n.edit('t1', 'a draft');
    n8n.workflows.get('t2')!.name = 'Renamed';
    expect((await run(deps, 0)).attempts).toMatchObject([{ done: 'worked' }]);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
  });

  it.each([
    ['answers 500 for it', { status: 500, headers: {}, body: 'There was a problem activating the workflow' }],
    ['says yes and does not', { status: 200, headers: {}, body: '' }],
  ])('A15: that n8n fails for is not in the way of the others: it %s', async (_, answer) => {
    const deps = await monitor({}, { tagged: 8 });
    await run(deps, 2000);
    const { http } = deps.system;
    deps.system.http = async (request) => {
      const id = /workflows\/(t[1-4])\/activate/.exec(request.url)?.[1];
      if (id === undefined) return http(request);
      return { ...answer, body: answer.body || JSON.stringify({ id, name: id, activeVersionId: null }) };
    };
    for (let i = 0; i < 3; i++) await run(deps, 0);
    expect(active()).toEqual([...tagged(8).slice(4), 'vip@vip-v1']);
    deps.system.http = http;
    await run(deps, 0);
    expect(active()).toEqual([...tagged(8), 'vip@vip-v1']);
  });

  it('A3: moved to a project that the key may not see stays on the list, and is not in the way of the others', async () => {
    const deps = await monitor({}, { tagged: 6 });
    await run(deps, 2000);
    const { http } = deps.system;
    const forbidden = { status: 403, headers: {}, body: '{"message":"Forbidden"}' };
    deps.system.http = (request) =>
      /workflows\/t[1234]\b/.test(request.url) ? Promise.resolve(forbidden) : http(request);
    await run(deps, 0);
    expect(active()).toEqual(['t5@t5-v1', 't6@t6-v1', 'vip@vip-v1']);
    expect(actionsToUndo(store.db, 'queue')).toHaveLength(1);
    deps.system.http = http;
    // A2: at the next run, not after a pause that grows.
    await run(deps, 0);
    expect(active()).toEqual([...tagged(6), 'vip@vip-v1']);
  });

  it('has only run, which n8n notes as a change, comes back', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    for (const workflow of n8n.workflows.values()) workflow.updatedAt += 99_000;
    await run(deps, 0);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
  });

  it('edited is known in an n8n without versions, too; the others come back', async () => {
    const deps = await monitor({ old: true });
    await run(deps, 2000);
    n8n.edit('t1', 'new');
    n8n.workflows.get('t2')!.updatedAt += 99_000;
    n8n.workflows.get('t3')!.name = 'A3: renamed';
    await run(deps, 0);
    expect(active()).toEqual(['t2@t2-v1', 't3@t3-v1', 'vip@vip-v1']);
    // It stays on the list until somebody has seen to it.
    expect(actionsToUndo(store.db, 'queue')).toHaveLength(1);
    n8n.workflows.get('t1')!.activeVersionId = 't1-v2';
    deps.clock.add(3_600_000);
    await run(deps, 0);
    expect(actionsToUndo(store.db, 'queue')).toEqual([]);
  });

  it('left unfinished, in an n8n that publishes the draft whatever it is asked for: that is said', async () => {
    const deps = await monitor();
    n8n.edit('t1', 'half done');
    n8n.workflows.get('t1')!.activeVersionId = 't1-v1';
    await run(deps, 2000);
    const http = deps.system.http;
    deps.system.http = (request) => http(request.method === 'POST' ? { ...request, body: '{}' } : request);
    await run(deps, 0);
    expect(active()).toContain('t1@t1-v2');
    expect(deps.said.at(-1)?.details?.join('\n')).toMatch(
      /Low 1: active again, but not at the version that it had: look at it in n8n/,
    );
    expect(deps.said.at(-1)?.details?.join('\n')).not.toMatch(/Low 2: /);
  });

  it('A15: that n8n will not activate now is tried again at later runs, told once a day, and holds nobody up', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    n8n.workflows.get('t1')!.broken = 'Telegram answered 502';
    await run(deps, 0);
    expect(active()).toEqual(['t2@t2-v1', 't3@t3-v1', 'vip@vip-v1']);
    expect(deps.said.at(-1)?.details?.join('\n')).toMatch(
      /Low 1: still off, n8n will not activate it \(n8n answered 400: Telegram answered 502\); it is tried again later/,
    );
    for (let i = 0; i < 12; i += 1) await run(deps, 0);
    const tries = listActions(store.db, 0).filter(({ what }) => what === 'activate-workflows');
    expect(tries.length).toBeGreaterThan(2);
    expect(tries.length).toBeLessThan(7);
    expect(deps.said.filter(({ telegram, text }) => telegram && text.startsWith('Failed'))).toHaveLength(1);
    delete n8n.workflows.get('t1')!.broken;
    for (let i = 0; i < 12; i += 1) await run(deps, 0);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
    expect(actionsToUndo(store.db, 'queue')).toEqual([]);
  });
});

describe('n8n that does not help', () => {
  const helpless: [string, N8nOptions, More, RegExp][] = [
    ['without a key', {}, { key: '' }, /N8N_API_KEY is not set; make one in n8n/],
    ['with a wrong key', {}, { key: 'wrong-key-123' }, /refuses the API key \(401\): check N8N_API_KEY/],
    ['with a key that may not list', { scopes: ['workflow:read'] }, {}, /refuses the API key \(403\)/],
    ['whose API is switched off', { disabled: true }, {}, /public API is not there \(404\)/],
    ['in which nothing is tagged', {}, { tagged: 0 }, /no active workflow has the tag low-priority/],
  ];
  it.each(helpless)('%s: a person is told, once in six hours', async (_what, options, more, why) => {
    const deps = await monitor(options, more);
    for (let i = 0; i < 10; i += 1) await run(deps, 2000);
    expect(deps.said.filter(({ telegram }) => telegram)).toHaveLength(1);
    expect(deps.said[0]?.text).toMatch(why);
    expect(JSON.stringify(deps.said)).not.toContain('wrong-key-123');
    expect(listActions(store.db, 0)).toEqual([]);
  });

  it.each(['garbage', 'empty', 'error', 'cut'] as const)(
    'that answers %s: nothing is done',
    async (fault) => {
      const deps = await monitor();
      n8n.fault = fault;
      expect((await run(deps, 2000)).attempts).toMatchObject([{ done: 'person' }]);
      expect(listActions(store.db, 0)).toEqual([]);
    },
  );

  it('hangs in the middle of pausing: it stops there, and everything comes back later', async () => {
    const deps = await monitor({}, { tagged: 20 });
    const http = deps.system.http;
    let posts = 0;
    deps.system.http = (request) => {
      if (request.method !== 'POST' || ++posts < 5) return http(request);
      // n8n does it all the same, and its answer is lost.
      return http(request).then(() => Promise.reject(new Error('no answer from n8n within 15 s')));
    };
    const result = await run(deps, 2000);
    expect(posts).toBe(5);
    expect(result.attempts).toMatchObject([
      { done: 'worked', text: expect.stringMatching(/^4 workflows are paused; 16 .*although: no answer/) },
    ]);
    deps.system.http = http;
    // The rest is paused by the next run.
    await run(deps, 2000);
    expect(active()).toEqual(['vip@vip-v1']);
    await run(deps, 0);
    expect(active()).toEqual([...tagged(20), 'vip@vip-v1']);
  });

  it('repeats the key in its answer: it stands in no message and no record', async () => {
    const deps = await monitor();
    const http = deps.system.http;
    deps.system.http = (request) =>
      request.method === 'POST'
        ? Promise.resolve({ status: 400, headers: {}, body: `{"message":"bad ${n8n.key}"}` })
        : http(request);
    expect((await run(deps, 2000)).attempts).toMatchObject([{ done: 'failed' }]);
    const told = JSON.stringify([deps.said, listActions(store.db, 0)]);
    expect(told).toContain('n8n answered 400: bad ***');
    expect(told).not.toContain(n8n.key);
  });

  it('forbids the key a single workflow: the others are paused', async () => {
    const deps = await monitor();
    const http = deps.system.http;
    deps.system.http = (request) =>
      /t1\/deactivate/.test(request.url)
        ? Promise.resolve({ status: 403, headers: {}, body: '{"message":"Forbidden"}' })
        : http(request);
    expect((await run(deps, 2000)).attempts).toMatchObject([
      { done: 'worked', text: '2 workflows are paused; 1 workflow could not be (Low 1)' },
    ]);
  });

  it('refuses single workflows: the others are paused, and it is said which were not', async () => {
    const deps = await monitor({}, { tagged: 5 });
    const http = deps.system.http;
    deps.system.http = (request) =>
      /t[24]\/deactivate/.test(request.url)
        ? Promise.resolve({ status: 409, headers: {}, body: '{"message":"locked"}' })
        : http(request);
    expect((await run(deps, 2000)).attempts).toMatchObject([
      { done: 'worked', text: '3 workflows are paused; 2 workflows could not be (Low 2, Low 4)' },
    ]);
    await run(deps, 0);
    expect(active()).toEqual([...tagged(5), 'vip@vip-v1']);
    expect(n8n.actions.filter((line) => line.startsWith('activate'))).toHaveLength(3);
  });

  it.each([
    ['a proxy says 404 for it', 404, /public API is not there \(404\)/],
    ['it has too much to do', 429, /n8n answered 429/],
  ])(
    'cannot be asked when the workflows should come back, for %s: none is forgotten',
    async (_why, status, said) => {
      const deps = await monitor();
      await run(deps, 2000);
      const http = deps.system.http;
      deps.system.http = (request) =>
        status === 404 || request.method === 'POST'
          ? Promise.resolve({ status, headers: {}, body: '404 page not found\n' })
          : http(request);
      expect((await run(deps, 0)).attempts).toMatchObject([{ done: 'failed' }]);
      expect(deps.said.at(-1)?.details?.join('\n')).toMatch(said);
      deps.system.http = http;
      await run(deps, 0);
      expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
    },
  );

  it('A5: is away while what could be paused is paused already: that is no failure', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    await n8n.down();
    const result = await run(deps, 2000);
    expect(result.attempts).toEqual([]);
    expect(result.found).toMatch(/3 workflows paused by recovery already; whether there are more/);
    await n8n.up();
  });

  it('is away when the workflows should come back: the next runs go on, and the message is not repeated', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    await n8n.down();
    for (let i = 0; i < 6; i += 1) await run(deps, 0);
    expect(deps.said.filter(({ telegram, text }) => telegram && text.startsWith('Failed'))).toHaveLength(1);
    await n8n.up();
    deps.clock.add(3_600_000);
    await run(deps, 0);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
  });
});

describe('undo', () => {
  it('A4: holds for an hour, however long the queue is', async () => {
    const deps = await monitor();
    await run(deps, 2000);
    await runRules(deps, [queueRule], 'undo');
    for (let i = 0; i < 11; i += 1) await run(deps, 2000);
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
    await run(deps, 2000);
    await run(deps, 2000);
    expect(active()).toEqual(['vip@vip-v1']);
  });

  it('brings everything back at once, whatever the queue', async () => {
    const deps = await monitor({}, { yaml: { actionsPerTargetPerHour: 1 } });
    await run(deps, 2000);
    const [result] = await runRules(deps, [queueRule], 'undo');
    expect(result).toMatchObject({
      found: '3 workflows paused by recovery; recovery does nothing of the kind again for 1 h',
      attempts: [{ done: 'worked' }],
    });
    expect(active()).toEqual([...tagged(3), 'vip@vip-v1']);
    expect((await runRules(deps, [queueRule], 'undo'))[0]).toMatchObject({ attempts: [] });
  });
});
