import { startFaulty } from './http-faults.ts';
import type { Answer, Asked, FaultyServer } from './http-faults.ts';

export type WorkflowStandin = {
  id: string;
  name: string;
  tags: string[];
  /** The draft that the editor shows. */
  versionId: string;
  /** The published version; null: not active. */
  activeVersionId: string | null;
  isArchived: boolean;
  /** Whether its trigger fires. SQL can make this and `activeVersionId` disagree. */
  firing: boolean;
  /** n8n refuses to activate it, with this message. */
  broken?: string;
  /** What is in it. */
  notes: string;
  /** Of its only node. */
  nodeType: string;
  /** Switching it on or off changes this, and so does an execution that keeps static data. */
  updatedAt: number;
};
export type ExecutionStandin = { id: number; status: string; stoppedAt: string | null; workflowId: string };
export type Scope =
  'workflow:list' | 'workflow:read' | 'workflow:activate' | 'workflow:deactivate' | 'execution:list';

export type N8n = FaultyServer & {
  key: string;
  workflows: Map<string, WorkflowStandin>;
  executions: ExecutionStandin[];
  add(workflow: Partial<WorkflowStandin> & { id: string }): WorkflowStandin;
  healthy: boolean;
  /** `activate 3 v1`, `deactivate 3`, in order; refused ones are not here. */
  actions: string[];
  /** Somebody edits and saves it: the draft has a new version. */
  edit(id: string, notes: string): void;
  /** What somebody does in the database behind n8n's back: the trigger keeps firing. */
  deactivateBySql(id: string): void;
};

export type N8nOptions = {
  key?: string;
  /** Of the key; default all. */
  scopes?: Scope[];
  /** N8N_PUBLIC_API_DISABLED=true */
  disabled?: boolean;
  /** Before published versions: no `activeVersionId`, activate takes no version. */
  old?: boolean;
};

const ALL: Scope[] = [
  'workflow:list',
  'workflow:read',
  'workflow:activate',
  'workflow:deactivate',
  'execution:list',
];
const STATUSES = ['canceled', 'error', 'running', 'success', 'waiting'];
const WORKFLOW_QUERY = new Set([
  'active',
  'tags',
  'name',
  'projectId',
  'excludePinnedData',
  'limit',
  'cursor',
]);
const EXECUTION_QUERY = new Set(['includeData', 'status', 'workflowId', 'projectId', 'limit', 'cursor']);

/** n8n's health check and public API as far as vpsmon uses them, and as strict as the real ones. */
export async function startN8n(options: N8nOptions = {}): Promise<N8n> {
  const key = options.key ?? 'n8n_api_test_key_1234';
  const scopes = options.scopes ?? ALL;
  const workflows = new Map<string, WorkflowStandin>();
  const server = await startFaulty((asked) => answer(asked));
  const n8n: N8n = Object.assign(server, {
    key,
    workflows,
    executions: [] as ExecutionStandin[],
    healthy: true,
    actions: [] as string[],
    add(given: Partial<WorkflowStandin> & { id: string }) {
      const workflow: WorkflowStandin = {
        name: `Workflow ${given.id}`,
        tags: [],
        versionId: `${given.id}-v1`,
        activeVersionId: `${given.id}-v1`,
        isArchived: false,
        firing: given.activeVersionId !== null,
        notes: '',
        nodeType: 'n8n-nodes-base.webhook',
        updatedAt: Date.parse('2026-01-01T00:00:00Z'),
        ...given,
      };
      workflows.set(workflow.id, workflow);
      return workflow;
    },
    edit(id: string, notes: string) {
      const workflow = workflows.get(id);
      if (!workflow) return;
      workflow.notes = notes;
      workflow.versionId = `${id}-v${Number(workflow.versionId.split('-v').at(-1)) + 1}`;
      workflow.updatedAt += 1000;
    },
    deactivateBySql(id: string) {
      const workflow = workflows.get(id);
      if (workflow) workflow.activeVersionId = null;
    },
  });

  function answer(asked: Asked): Answer {
    const { method, path } = asked;
    if (path === '/healthz' || path === '/healthz/readiness') {
      return n8n.healthy
        ? { status: 200, body: { status: 'ok' } }
        : { status: 503, body: { status: 'error' } };
    }
    if (!path.startsWith('/api/v1/')) return { status: 404, html: `<pre>Cannot ${method} ${path}</pre>` };
    if (options.disabled) return { status: 404, html: `<pre>Cannot ${method} ${path}</pre>` };
    const given = asked.headers['x-n8n-api-key'];
    if (given === undefined) return { status: 401, body: { message: "'X-N8N-API-KEY' header required" } };
    if (given !== key) return { status: 401, body: { message: 'unauthorized' } };
    if (path === '/api/v1/workflows')
      return method === 'GET' ? need('workflow:list', () => list(asked)) : notAllowed(method);
    if (path === '/api/v1/executions')
      return method === 'GET' ? need('execution:list', () => executions(asked)) : notAllowed(method);
    const [, id = '', action] = /^\/api\/v1\/workflows\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const workflow = workflows.get(id);
    if (action === undefined && method === 'GET') {
      return need('workflow:read', () =>
        workflow ? { status: 200, body: shown(workflow, false) } : notFound(),
      );
    }
    if (action === 'activate' && method === 'POST') {
      return need('workflow:activate', () => (workflow ? activate(workflow, asked) : notFound()));
    }
    if (action === 'deactivate' && method === 'POST') {
      return need('workflow:deactivate', () => (workflow ? deactivate(workflow) : notFound()));
    }
    return action === undefined ? notFound() : notAllowed(method);
  }

  function need(scope: Scope, work: () => Answer): Answer {
    return scopes.includes(scope) ? work() : { status: 403, body: { message: 'Forbidden' } };
  }

  function list({ query }: Asked): Answer {
    const wrong = wrongQuery(query, WORKFLOW_QUERY);
    if (wrong) return wrong;
    const active = query.get('active');
    if (active !== null && active !== 'true' && active !== 'false')
      return badRequest('request/query/active must be boolean');
    const tags = (query.get('tags') ?? '').split(',').filter(Boolean);
    const all = [...workflows.values()].filter(
      (workflow) =>
        (active === null || (workflow.activeVersionId !== null) === (active === 'true')) &&
        tags.every((tag) => workflow.tags.includes(tag)),
    );
    return page(query, all, (workflow) => shown(workflow, query.get('excludePinnedData') === 'true'));
  }

  function executions({ query }: Asked): Answer {
    const wrong = wrongQuery(query, EXECUTION_QUERY);
    if (wrong) return wrong;
    const status = query.get('status');
    if (status !== null && !STATUSES.includes(status)) {
      return badRequest(
        `request/query/status must be equal to one of the allowed values: ${STATUSES.join(', ')}`,
      );
    }
    // Queued ones are in no list, and `error` has the crashed ones.
    const wanted =
      status === 'error' ? ['error', 'crashed'] : status === null ? [...STATUSES, 'crashed'] : [status];
    const all = n8n.executions.filter((one) => wanted.includes(one.status)).toSorted((a, b) => b.id - a.id);
    return page(query, all, (one) => ({
      ...one,
      finished: one.status === 'success',
      mode: 'trigger',
      waitTill: null,
    }));
  }

  function activate(workflow: WorkflowStandin, { body }: Asked): Answer {
    const parsed = parseBody(body);
    if (!parsed) return badRequest('request/body must be object');
    const unknown = Object.keys(parsed).find(
      (name) => options.old || !['versionId', 'name', 'description'].includes(name),
    );
    if (unknown !== undefined) return badRequest('request/body must NOT have additional properties');
    if (workflow.isArchived) return badRequest('Cannot activate an archived workflow.');
    if (workflow.broken !== undefined) return badRequest(workflow.broken);
    const version = typeof parsed.versionId === 'string' ? parsed.versionId : undefined;
    if (version !== undefined && !version.startsWith(`${workflow.id}-`))
      return { status: 404, body: { message: 'Version not found' } };
    // Without a version the latest draft is published, finished or not.
    workflow.activeVersionId = version ?? workflow.versionId;
    workflow.updatedAt += 1000;
    workflow.firing = true;
    n8n.actions.push(`activate ${workflow.id} ${workflow.activeVersionId}`);
    return { status: 200, body: shown(workflow, false) };
  }

  function deactivate(workflow: WorkflowStandin): Answer {
    // n8n returns early here: what was switched off by SQL goes on firing.
    if (workflow.activeVersionId !== null) workflow.firing = false;
    workflow.activeVersionId = null;
    workflow.updatedAt += 1000;
    n8n.actions.push(`deactivate ${workflow.id}`);
    return { status: 200, body: shown(workflow, false) };
  }

  function shown(workflow: WorkflowStandin, withoutPinnedData: boolean) {
    const { id, name, versionId, activeVersionId, isArchived, notes, nodeType, updatedAt } = workflow;
    return {
      id,
      name,
      active: activeVersionId !== null,
      ...(options.old ? {} : { versionId, activeVersionId, isArchived }),
      nodes: [{ id: 'n1', name: 'Webhook', type: nodeType, parameters: {}, notes }],
      connections: {},
      settings: {},
      staticData: null,
      ...(withoutPinnedData ? {} : { pinData: { Webhook: [{ json: { big: 'x'.repeat(1000) } }] } }),
      tags: workflow.tags.map((tag) => ({ id: `tag-${tag}`, name: tag })),
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: new Date(updatedAt).toISOString(),
    };
  }

  return n8n;
}

function wrongQuery(query: URLSearchParams, known: Set<string>): Answer | undefined {
  const unknown = [...query.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) return badRequest(`Unknown query parameter '${unknown}'`);
  const limit = Number(query.get('limit') ?? 100);
  if (!Number.isInteger(limit)) return badRequest('request/query/limit must be number');
  if (limit > 250) return badRequest('request/query/limit must be <= 250');
  return undefined;
}

/** A cursor carries its own limit, as n8n's does. */
function page<T>(query: URLSearchParams, all: T[], show: (item: T) => unknown): Answer {
  let [offset, limit] = [0, Number(query.get('limit') ?? 100)];
  const cursor = query.get('cursor');
  if (cursor !== null) {
    try {
      ({ offset, limit } = JSON.parse(Buffer.from(cursor, 'base64').toString()) as {
        offset: number;
        limit: number;
      });
    } catch {
      return badRequest('An invalid cursor was provided');
    }
  }
  const more = offset + limit < all.length;
  const next = Buffer.from(JSON.stringify({ limit, offset: offset + limit })).toString('base64');
  return {
    status: 200,
    body: { data: all.slice(offset, offset + limit).map(show), nextCursor: more ? next : null },
  };
}

function parseBody(body: string): Record<string, unknown> | undefined {
  if (body === '') return {};
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function badRequest(message: string): Answer {
  return { status: 400, body: { message } };
}
function notFound(): Answer {
  return { status: 404, body: { message: 'Not Found' } };
}
function notAllowed(method: string): Answer {
  return { status: 405, body: { message: `${method} method not allowed` } };
}
