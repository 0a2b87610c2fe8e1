import type { N8nTarget } from '../config/discover.ts';
import { plain } from '../model/text.ts';
import type { Http } from '../system/types.ts';

/** Fields used of a workflow in n8n's public API. `activeVersionId` came with n8n 2. */
export type Workflow = {
  id: string;
  name: string;
  active: boolean;
  versionId?: string;
  activeVersionId?: string;
  updatedAt?: string;
  archived: boolean;
};

/** 100 pages of 100 workflows; nobody has more, and a cursor that never ends must end. */
const MOST_PAGES = 100;
const TIMEOUT_MS = 15_000;

export type N8nApi = {
  /** All active workflows, or those with the tag. Follows the pages. */
  listActive(tag?: string): Promise<Workflow[]>;
  /** Undefined when it does not exist any more. */
  get(id: string): Promise<Workflow | undefined>;
  deactivate(id: string): Promise<Workflow>;
  /** At `versionId` where n8n knows versions: without it, n8n 2 would publish unfinished edits. */
  activate(id: string, versionId?: string): Promise<Workflow>;
};

/** n8n's public API, https://docs.n8n.io/api/. Errors are plain sentences without the key. */
export function createN8nApi(http: Http, target: N8nTarget): N8nApi {
  const base = `${target.url.replace(/\/+$/, '')}/api/v1`;

  async function call(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: unknown }> {
    const answer = await http({
      url: base + path,
      method,
      headers: {
        'X-N8N-API-KEY': target.apiKey,
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
      // Items carry their nodes: a page of 100 workflows can be large.
      maxBytes: 32 * 1_048_576,
    });
    if (answer.status === 401 || answer.status === 403)
      throw new Error(`n8n refuses the API key (${answer.status}): check N8N_API_KEY and its scopes`);
    if (answer.status === 404 && method === 'GET') return { status: 404, json: undefined };
    if (answer.status >= 300) throw new Error(`n8n answered ${answer.status}: ${messageOf(answer.body)}`);
    try {
      return { status: answer.status, json: JSON.parse(answer.body) };
    } catch {
      throw new Error(`n8n answered ${answer.status} with something that is no JSON`);
    }
  }

  return {
    async listActive(tag) {
      const found: Workflow[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query = new URLSearchParams({ active: 'true', limit: '100', excludePinnedData: 'true' });
        if (tag !== undefined) query.set('tags', tag);
        if (cursor !== undefined) query.set('cursor', cursor);
        const { status, json } = await call('GET', `/workflows?${query.toString()}`);
        if (status === 404) throw new Error("n8n's public API is not there (404): it may be switched off");
        const { data, nextCursor } = (json ?? {}) as { data?: unknown; nextCursor?: unknown };
        if (!Array.isArray(data)) throw new Error('n8n answered something that is no list of workflows');
        found.push(...data.map(toWorkflow).filter((workflow) => workflow !== undefined));
        if (typeof nextCursor !== 'string' || nextCursor === '') break;
        cursor = nextCursor;
      }
      return found;
    },
    async get(id) {
      const { status, json } = await call('GET', `/workflows/${encodeURIComponent(id)}`);
      return status === 404 ? undefined : toWorkflow(json);
    },
    deactivate: async (id) =>
      expectWorkflow(await call('POST', `/workflows/${encodeURIComponent(id)}/deactivate`), id),
    activate: async (id, versionId) =>
      expectWorkflow(
        await call(
          'POST',
          `/workflows/${encodeURIComponent(id)}/activate`,
          versionId === undefined ? {} : { versionId },
        ),
        id,
      ),
  };
}

function expectWorkflow(answer: { json: unknown }, id: string): Workflow {
  const workflow = toWorkflow(answer.json);
  if (!workflow || workflow.id !== id) throw new Error('n8n answered something that is not the workflow');
  return workflow;
}

function toWorkflow(value: unknown): Workflow | undefined {
  const w = (value ?? {}) as Record<string, unknown>;
  const id = typeof w.id === 'string' || typeof w.id === 'number' ? String(w.id) : undefined;
  if (id === undefined || typeof w.active !== 'boolean') return undefined;
  return {
    id,
    name: typeof w.name === 'string' ? w.name : id,
    active: w.active,
    archived: w.isArchived === true,
    ...(typeof w.versionId === 'string' ? { versionId: w.versionId } : {}),
    ...(typeof w.activeVersionId === 'string' ? { activeVersionId: w.activeVersionId } : {}),
    ...(typeof w.updatedAt === 'string' ? { updatedAt: w.updatedAt } : {}),
  };
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') return plain(message, 200);
  } catch {
    // Not JSON: its beginning has to do.
  }
  return plain(body, 120);
}
