import type { N8nTarget } from '../model/targets.ts';
import type { N8nFailures, N8nQueue, N8nValues } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { withoutTarget } from './absent.ts';
import { holdPostgres, holdRedis, mayHaveMoved } from './connections.ts';
import { addressOf } from '../system/apps/request.ts';
import { ask } from './http-target.ts';
import { checkKey, keyExpiry, n8nProgram, readExecutionsByApi, readWorkflowsByApi } from './n8n-api.ts';
import type { KeyState } from './n8n-api.ts';
import { readExecutions, readFailures, readQueued, readWorkflows, workflowColumns } from './n8n-database.ts';
import { readQueue } from './n8n-queue.ts';
import type { Postgres } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';

/** n8n may be upgraded while we look, and then has other columns. */
const COLUMNS_FOR_MS = 600_000;
/** Two checks of 30 s. */
const HEALTHY_FOR_MS = 55_000;
/** The API gives whole workflows and pages of executions: too much for every check. */
const API_EXECUTIONS_FOR_MS = 60_000;
const API_WORKFLOWS_FOR_MS = 600_000;
/** The share of failures is of so many minutes. */
const FAILURES_WITHIN_MIN = 60;
/** Every second check. */
const FAILURES_FOR_MS = 50_000;
/** A key is revoked now and then. A refused one is tried again sooner. */
const KEY_FOR_MS = 600_000;
const REFUSED_KEY_FOR_MS = 60_000;

type Database = NonNullable<N8nTarget['database']>;
type Executions = NonNullable<N8nValues['executions']>;
type Counted = Pick<N8nValues, 'executions' | 'failures' | 'countedUpTo'>;
type AboutQueue = Pick<N8nValues, 'queuedBy' | 'withoutJob' | 'withoutJobBy'>;
type Workflows = NonNullable<N8nValues['workflows']>;
/** Where the counts come from; undefined where there is neither a database nor a key. */
type Counts = {
  executions(target: N8nTarget, signal: AbortSignal): Promise<Counted | undefined>;
  workflows(target: N8nTarget, signal: AbortSignal): Promise<Workflows | undefined>;
};

/** Executions and workflows from n8n's database, the queue from Redis, health by HTTP. What fails of it leaves the rest. */
export function createN8n(deps: CollectorDeps): Collector<'n8n'> {
  const database = openDatabase(deps);
  const openApi = createApi(deps);
  const queue = openQueue(deps);
  const health = openHealth(deps);
  const checkedKey = openKey(deps);
  const { monotonic } = deps.system.clock;
  let unhealthySince: number | undefined;

  /** The database has all; where there is none to read, the API has most. */
  async function count<T>(
    read: (source: Counts) => Promise<T | undefined>,
    api: Counts,
    target: N8nTarget,
    whyNoDatabase: string | undefined,
  ): Promise<T | undefined> {
    const value = (await read(database)) ?? (await read(api));
    if (value === undefined && whyNoDatabase !== undefined && !target.database)
      throw new Error(whyNoDatabase);
    return value;
  }

  return {
    async read(signal) {
      const found = await deps.discovered(signal);
      const { n8n: target, missing } = found;
      if (!target) return withoutTarget(found, 'n8n');
      const key = part('key', checkedKey(target, signal));
      const api = openApi(key);
      const [counted, workflows, queued, healthy, keyState] = await Promise.all([
        part(
          'executions',
          count((source) => source.executions(target, signal), api, target, missing.n8nDatabase),
        ),
        part(
          'workflows',
          count((source) => source.workflows(target, signal), api, target, undefined),
        ),
        part('queue', queue.read(target, missing.n8nQueue)),
        part('health', health(target, signal)),
        key,
      ]);
      if (healthy.value) unhealthySince = undefined;
      else unhealthySince ??= monotonic();
      const more = await part(
        'executions',
        database.aboutQueue(target, queued.value, counted.value?.executions),
      );
      const unhealthyForMs = unhealthySince === undefined ? 0 : monotonic() - unhealthySince;
      return together(target, { counted, workflows, queued, healthy, keyState, more }, unhealthyForMs);
    },
    async close() {
      await Promise.all([database.release(), queue.release()]);
    },
  };
}

type Part<T> = {
  value?: T;
  problem?: string;
  /** n8n answered, and does not accept the key. */ refused?: boolean;
};

type Parts = {
  counted: Part<Counted | undefined>;
  workflows: Part<Workflows | undefined>;
  queued: Part<N8nQueue | undefined>;
  healthy: Part<true>;
  keyState: Part<KeyState>;
  more: Part<AboutQueue | undefined>;
};

function together(target: N8nTarget, parts: Parts, unhealthyForMs: number): N8nValues {
  const { counted, workflows, queued, healthy, more } = parts;
  const problems = new Set(Object.values(parts).flatMap(({ problem }) => problem ?? []));
  const expires = keyExpiry(target.apiKey);
  return {
    ...counted.value,
    ...(workflows.value ? { workflows: workflows.value } : {}),
    ...(queued.value ? { queueDepth: queued.value.depth, queue: queued.value } : {}),
    ...more.value,
    ...(expires === undefined ? {} : { keyExpiresAt: expires }),
    // An n8n that does not answer is not healthy; why is among the problems.
    healthy: healthy.value ?? false,
    ...(healthy.value ? {} : { unhealthyForSec: Math.round(unhealthyForMs / 1000) }),
    ...(problems.size > 0 ? { problems: [...problems] } : {}),
  };
}

async function part<T>(name: string, reading: Promise<T>): Promise<Part<T>> {
  try {
    return { value: await reading };
  } catch (error) {
    const refused = (error as { refused?: boolean }).refused === true;
    return { problem: `${name}: ${errorText(error)}`, ...(refused ? { refused } : {}) };
  }
}

function openDatabase(deps: CollectorDeps): Counts & {
  /** Who has filled the queue, and what is queued without a job; read only where there is a reason to. */
  aboutQueue(
    target: N8nTarget,
    queue: N8nQueue | undefined,
    executions: Executions | undefined,
  ): Promise<AboutQueue | undefined>;
  release(): Promise<void>;
} {
  const connection = holdPostgres(deps.system);
  const columns = keepFresh<Set<string>>(deps, COLUMNS_FOR_MS);
  const failures = keepFresh<N8nFailures>(deps, FAILURES_FOR_MS);
  const columnsOf = (pg: Postgres, db: Database) => columns.of(pg, () => workflowColumns(pg, db));
  const failuresOf = (pg: Postgres, db: Database, names: Set<string>) =>
    failures.of(pg, () => readFailures(pg, db, names, FAILURES_WITHIN_MIN));

  async function guarded<T>(target: N8nTarget, read: (pg: Postgres, db: Database) => Promise<T>) {
    const db = target.database;
    if (!db) return undefined;
    try {
      const pg = connection.to(db);
      if (db.assumed && !(await columnsOf(pg, db)).has('active')) return undefined;
      return await read(pg, db);
    } catch (error) {
      columns.forget();
      if (mayHaveMoved(error)) deps.rediscover();
      throw error;
    }
  }

  return {
    executions: (target) =>
      guarded(target, async (pg, db) => {
        const [executions, failures] = await Promise.all([
          readExecutions(pg, db, deps.config.extra.n8n.finishedWithinHours),
          columnsOf(pg, db).then((names) => failuresOf(pg, db, names)),
        ]);
        return { executions, failures };
      }),
    aboutQueue: async (target, queue, executions) => {
      if (!queue || executions?.queued === undefined) return undefined;
      const { queued } = executions;
      const long = queue.depth > deps.config.settings.N8N_QUEUE_WARNING || queue.running === 0;
      const inRedis = queue.depth + (queue.running ?? 0);
      if (!long && queued <= inRedis) return undefined;
      return guarded(target, (pg, db) => readAboutQueue(pg, db, { long, moreThanInRedis: queued - inRedis }));
    },
    workflows: (target) => guarded(target, async (pg, db) => readWorkflows(pg, db, await columnsOf(pg, db))),
    release: () => connection.release(),
  };
}

async function readAboutQueue(
  pg: Postgres,
  db: Database,
  { long, moreThanInRedis }: { long: boolean; moreThanInRedis: number },
): Promise<AboutQueue> {
  const all = long ? await readQueued(pg, db, 'all') : undefined;
  const old = moreThanInRedis > 0 ? await readQueued(pg, db, 'for long') : undefined;
  const withoutJob = Math.min(old?.total ?? 0, moreThanInRedis);
  return {
    ...(all && all.by.length > 0 ? { queuedBy: all.by } : {}),
    ...(old && withoutJob > 0 ? { withoutJob, withoutJobBy: old.by } : {}),
  };
}

function createApi(deps: CollectorDeps) {
  const { now } = deps.system.clock;
  const window = () => now() - deps.config.extra.n8n.finishedWithinHours * 3_600_000;
  const executions = kept(deps, API_EXECUTIONS_FOR_MS, (target, signal) =>
    readExecutionsByApi(
      deps,
      target,
      { finishedSince: window(), failuresWithinMin: FAILURES_WITHIN_MIN, now: now() },
      signal,
    ),
  );
  const workflows = kept(deps, API_WORKFLOWS_FOR_MS, (target, signal) =>
    readWorkflowsByApi(deps, target, signal),
  );
  // A key that is refused, or an n8n that does not answer, is one problem, not one for each thing that is asked for.
  return (key: Promise<Part<KeyState>>): Counts => {
    const mayAsk = async () => {
      const { value, refused } = await key;
      return value !== 'silent' && refused !== true;
    };
    return {
      executions: async (target, signal) => ((await mayAsk()) ? executions(target, signal) : undefined),
      workflows: async (target, signal) => ((await mayAsk()) ? workflows(target, signal) : undefined),
    };
  };
}

/** The last answer of the same n8n. Without a key there is nothing to ask for. */
function kept<T>(
  deps: CollectorDeps,
  forMs: number,
  read: (target: N8nTarget, signal: AbortSignal) => Promise<T>,
): (target: N8nTarget, signal: AbortSignal) => Promise<T | undefined> {
  const answers = keepFresh<T>(deps, forMs);
  return async (target, signal) =>
    target.apiKey ? answers.of(target.url, () => read(target, signal)) : undefined;
}

/** The last answer from the same connection or address, while it is fresh. */
function keepFresh<T>(deps: CollectorDeps, forMs: number) {
  const { monotonic } = deps.system.clock;
  let last: { from: string | Postgres; at: number; value: T } | undefined;
  return {
    async of(from: string | Postgres, read: () => Promise<T>): Promise<T> {
      if (last?.from !== from || monotonic() - last.at > forMs)
        last = { from, at: monotonic(), value: await read() };
      return last.value;
    },
    forget(): void {
      last = undefined;
    },
  };
}

function openQueue(deps: CollectorDeps) {
  const connection = holdRedis(deps.system);
  async function read({ queue }: N8nTarget, whyNot: string | undefined): Promise<N8nQueue | undefined> {
    if (!queue && whyNot !== undefined) throw new Error(whyNot);
    if (!queue) return undefined;
    try {
      const { sleep } = deps.system.clock;
      return await readQueue(connection.to(queue), queue, deps.config.extra.n8n.queues, sleep);
    } catch (error) {
      deps.rediscover();
      throw error;
    }
  }
  return { read, release: () => connection.release() };
}

/** Without it recovery can pause nothing, and nobody would notice while the database has the rest. */
function openKey(deps: CollectorDeps) {
  const { monotonic } = deps.system.clock;
  let last: { of: string; at: number; error?: unknown } | undefined;
  return async (target: N8nTarget, signal: AbortSignal): Promise<KeyState> => {
    if (target.apiKey === '') return 'unclear';
    const of = `${target.url} ${target.apiKey}`;
    const forMs = last?.error === undefined ? KEY_FOR_MS : REFUSED_KEY_FOR_MS;
    if (last?.of !== of || monotonic() - last.at >= forMs) {
      try {
        const state = await checkKey(deps, target, signal);
        // n8n does not answer: its health shows that.
        if (state !== 'accepted') return state;
        last = { of, at: monotonic() };
      } catch (error) {
        last = { of, at: monotonic(), error };
      }
    }
    if (last.error !== undefined) throw last.error;
    return 'accepted';
  };
}

/**
 * /healthz says that n8n runs. It does not look at the database; this collector does. A call costs more than all the
 * rest, so a good answer holds for a minute.
 */
function openHealth(deps: CollectorDeps) {
  const { monotonic } = deps.system.clock;
  let good: { url: string; at: number } | undefined;
  return async (target: N8nTarget, signal: AbortSignal): Promise<true> => {
    if (good?.url === target.url && monotonic() - good.at < HEALTHY_FOR_MS) return true;
    good = undefined;
    const { status, body } = await ask(deps, n8nProgram(target), '/healthz', { signal, withKey: false });
    if (status !== 200) throw new Error(`n8n at ${addressOf(target.url)} answered ${status} to /healthz`);
    // A proxy's maintenance page, or whatever else has its address now, answers 200 as well.
    if (!/"status"\s*:\s*"ok"/.test(body))
      throw new Error(`what answers at ${addressOf(target.url)} is not n8n, which says "ok" to /healthz`);
    good = { url: target.url, at: monotonic() };
    return true;
  };
}
