import type { N8nTarget } from '../model/targets.ts';
import { absent } from '../model/reading.ts';
import type { N8nValues } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { holdPostgres, holdRedis, mayHaveMoved } from './connections.ts';
import { addressOf, ask } from './http-target.ts';
import { n8nProgram, readExecutionsByApi, readWorkflowsByApi } from './n8n-api.ts';
import { readExecutions, readWorkflows, workflowColumns } from './n8n-database.ts';
import { readQueueDepth } from './n8n-queue.ts';
import type { Postgres } from '../system/types.ts';
import type { Collector, CollectorDeps } from './types.ts';

/** n8n may be upgraded while we look, and then has other columns. */
const COLUMNS_FOR_MS = 600_000;
/** Two checks of 30 s. */
const HEALTHY_FOR_MS = 55_000;
/** The API gives whole workflows and pages of executions: too much for every check. */
const API_EXECUTIONS_FOR_MS = 60_000;
const API_WORKFLOWS_FOR_MS = 600_000;

type Database = NonNullable<N8nTarget['database']>;
type Executions = NonNullable<N8nValues['executions']>;
type Workflows = NonNullable<N8nValues['workflows']>;
/** Where the counts come from; undefined where there is neither a database nor a key. */
type Counts = {
  executions(target: N8nTarget, signal: AbortSignal): Promise<Executions | undefined>;
  workflows(target: N8nTarget, signal: AbortSignal): Promise<Workflows | undefined>;
};

/** Executions and workflows from n8n's database, the queue from Redis, health by HTTP. What fails of it leaves the rest. */
export function createN8n(deps: CollectorDeps): Collector<'n8n'> {
  const database = openDatabase(deps);
  const api = openApi(deps);
  const queue = openQueue(deps);
  const health = openHealth(deps);
  const { monotonic } = deps.system.clock;
  let unhealthySince: number | undefined;

  /** The database tells all; where there is none to read, the API tells most. */
  async function count<T>(
    read: (source: Counts) => Promise<T | undefined>,
    target: N8nTarget,
    whyNoDatabase: string | undefined,
  ): Promise<T | undefined> {
    const value = (await read(database)) ?? (await read(api));
    if (value === undefined && whyNoDatabase !== undefined && !target.database)
      throw new Error(whyNoDatabase);
    return value;
  }

  return {
    source: 'n8n',
    async read(signal) {
      const { n8n: target, missing } = await deps.discovered(signal);
      if (!target) return absent(missing.n8n ?? 'no n8n was found');
      const [executions, workflows, queueDepth, healthy] = await Promise.all([
        part(
          'executions',
          count((source) => source.executions(target, signal), target, missing.n8nDatabase),
        ),
        part(
          'workflows',
          count((source) => source.workflows(target, signal), target, undefined),
        ),
        part('queue', queue.depth(target, missing.n8nQueue)),
        part('health', health(target, signal)),
      ]);
      if (healthy.value) unhealthySince = undefined;
      else unhealthySince ??= monotonic();
      const parts = [executions, workflows, queueDepth, healthy];
      const problems = parts.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
      if (parts.every(({ value }) => value === undefined)) throw new Error(problems.join('; '));
      return {
        ...(executions.value ? { executions: executions.value } : {}),
        ...(workflows.value ? { workflows: workflows.value } : {}),
        ...(queueDepth.value === undefined ? {} : { queueDepth: queueDepth.value }),
        // An n8n that does not answer is not healthy; why is among the problems.
        healthy: healthy.value ?? false,
        ...(healthy.value
          ? {}
          : { unhealthyForSec: Math.round((monotonic() - (unhealthySince ?? monotonic())) / 1000) }),
        ...(problems.length > 0 ? { problems } : {}),
      };
    },
    async close() {
      await Promise.all([database.release(), queue.release()]);
    },
  };
}

type Part<T> = { value?: T; problem?: string };

async function part<T>(name: string, reading: Promise<T>): Promise<Part<T>> {
  try {
    return { value: await reading };
  } catch (error) {
    return { problem: `${name}: ${errorText(error)}` };
  }
}

function openDatabase(deps: CollectorDeps): Counts & { release(): Promise<void> } {
  const connection = holdPostgres(deps.system);
  const { monotonic } = deps.system.clock;
  let columns: { of: Postgres; at: number; names: Set<string> } | undefined;

  async function columnsOf(pg: Postgres, db: Database): Promise<Set<string>> {
    if (columns?.of !== pg || monotonic() - columns.at > COLUMNS_FOR_MS) {
      columns = { of: pg, at: monotonic(), names: await workflowColumns(pg, db) };
    }
    return columns.names;
  }

  async function guarded<T>(target: N8nTarget, read: (pg: Postgres, db: Database) => Promise<T>) {
    const db = target.database;
    if (!db) return undefined;
    try {
      const pg = connection.to(db);
      if (db.assumed && (await columnsOf(pg, db)).size === 0) return undefined;
      return await read(pg, db);
    } catch (error) {
      columns = undefined;
      if (mayHaveMoved(error)) deps.rediscover();
      throw error;
    }
  }

  return {
    executions: (target) =>
      guarded(target, (pg, db) => readExecutions(pg, db, deps.config.extra.n8n.finishedWithinHours)),
    workflows: (target) => guarded(target, async (pg, db) => readWorkflows(pg, db, await columnsOf(pg, db))),
    release: () => connection.release(),
  };
}

function openApi(deps: CollectorDeps): Counts {
  const { now } = deps.system.clock;
  const window = () => now() - deps.config.extra.n8n.finishedWithinHours * 3_600_000;
  return {
    executions: kept(deps, API_EXECUTIONS_FOR_MS, (target, signal) =>
      readExecutionsByApi(deps, target, window(), signal),
    ),
    workflows: kept(deps, API_WORKFLOWS_FOR_MS, (target, signal) => readWorkflowsByApi(deps, target, signal)),
  };
}

/** The last answer of the same n8n, while it is fresh. Without a key there is nothing to ask for. */
function kept<T>(
  deps: CollectorDeps,
  forMs: number,
  read: (target: N8nTarget, signal: AbortSignal) => Promise<T>,
): (target: N8nTarget, signal: AbortSignal) => Promise<T | undefined> {
  let last: { url: string; at: number; value: T } | undefined;
  return async (target, signal) => {
    if (!target.apiKey) return undefined;
    const now = deps.system.clock.monotonic();
    if (last?.url !== target.url || now - last.at > forMs) {
      last = { url: target.url, at: now, value: await read(target, signal) };
    }
    return last.value;
  };
}

function openQueue(deps: CollectorDeps) {
  const connection = holdRedis(deps.system);
  async function depth({ queue }: N8nTarget, whyNot: string | undefined): Promise<number | undefined> {
    if (!queue && whyNot !== undefined) throw new Error(whyNot);
    if (!queue) return undefined;
    try {
      return await readQueueDepth(connection.to(queue), queue, deps.config.extra.n8n.queues);
    } catch (error) {
      deps.rediscover();
      throw error;
    }
  }
  return { depth, release: () => connection.release() };
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
    const { status } = await ask(deps, n8nProgram(target), '/healthz', { signal });
    if (status !== 200) throw new Error(`n8n at ${addressOf(target.url)} answered ${status} to /healthz`);
    good = { url: target.url, at: monotonic() };
    return true;
  };
}
