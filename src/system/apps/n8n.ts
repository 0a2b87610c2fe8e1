import { createHash } from 'node:crypto';
import type { N8nTarget } from '../../model/targets.ts';
import { errorText, plain } from '../../model/text.ts';
import { parseBoundedJson } from '../answer.ts';
import type { Http, HttpAnswer } from '../types.ts';
import { N8N, requestApp } from './request.ts';

/** What is used of a workflow in n8n's public API. `activeVersionId` came with n8n 2. */
export type Workflow = {
  id: string;
  name: string;
  active: boolean;
  archived: boolean;
  /** A call from outside starts it; while it is off, the caller gets 404. */
  webhooks: boolean;
  /** The published version. */
  activeVersionId?: string;
  /**
   * Changes when somebody edits what the workflow does, and not when it runs, is renamed, moved, or switched on or off: a hash of its
   * nodes. `updatedAt` would not do: an execution that keeps static data changes it.
   */
  content: string;
  /** The same as it may stand in older records: what earlier versions of this program compared. */
  contents: string[];
};

/** `refused`: n8n answered and will not do it. Otherwise it did not answer, and may have done it all the same. */
export type N8nError = Error & {
  refused?: boolean;
  /** It will refuse everything else, too. */ hopeless?: boolean;
  /** The key may not do this with this workflow, or with none. */ forbidden?: boolean;
};

/** 100 pages of 100 workflows; nobody has more, and a cursor that never ends must end. */
const MOST_PAGES = 100;
/** Workflows come with all their nodes: where a page of 100 is too large, they are asked for by ten. */
const PAGE_SIZES = [100, 10];
const MOST_BYTES = { page: 8 * 1_048_576, one: 24 * 1_048_576 };
const TIMEOUT_MS = 15_000;

export type N8nApi = {
  /** All active workflows. Follows the pages. */
  listActive(): Promise<Workflow[]>;
  /** The active ones with this tag, whatever its case; `a, b` is a tag of that name, or either of the two. */
  listTagged(tag: string): Promise<Workflow[]>;
  /** Undefined when it does not exist any more. */
  get(id: string): Promise<Workflow | undefined>;
  deactivate(id: string): Promise<Workflow>;
  /** At `versionId` where n8n knows versions: without it, n8n 2 would publish unfinished edits. */
  activate(id: string, versionId?: string): Promise<Workflow>;
};

type Call = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>;

/** n8n's public API, https://docs.n8n.io/api/. Errors are plain sentences without the key. */
export function createN8nApi(http: Http, target: N8nTarget): N8nApi {
  const call: Call = (...request) => callApi(http, target, ...request);
  const pathOf = (id: string) => `/workflows/${encodeURIComponent(id)}`;
  return {
    listActive: () => inPages(call, () => true),
    // n8n compares tags letter by letter and takes a comma for two of them: so all are asked for, and looked at here.
    listTagged: (tag) => inPages(call, (item) => hasTag(item, tag)),
    async get(id) {
      const path = `${pathOf(id)}?excludePinnedData=true`;
      let answer = await call('GET', path);
      if (answer === undefined) {
        // A proxy says 404 for everything while n8n is down: only an n8n that lists its workflows is believed.
        if ((await call('GET', '/workflows?limit=1&excludePinnedData=true')) === undefined) throw notThere();
        answer = await call('GET', path);
      }
      return answer === undefined ? undefined : expectWorkflow(answer, id);
    },
    deactivate: async (id) => expectWorkflow(await call('POST', `${pathOf(id)}/deactivate`), id),
    activate: async (id, versionId) =>
      expectWorkflow(
        await call('POST', `${pathOf(id)}/activate`, versionId === undefined ? {} : { versionId }),
        id,
      ),
  };
}

/** What n8n answers as JSON; undefined for a GET of what is not there. */
async function callApi(
  http: Http,
  target: N8nTarget,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  let answer: HttpAnswer;
  try {
    answer = await requestApp(http, N8N, target, {
      method,
      path: `/api/v1${path}`,
      ...(body === undefined ? {} : { body }),
      timeoutMs: TIMEOUT_MS,
      maxBytes: path.startsWith('/workflows?') ? MOST_BYTES.page : MOST_BYTES.one,
    });
  } catch (error) {
    // Nobody answers: nobody will answer the next hundred calls either.
    const hopeless = (error as { code?: string }).code !== 'ETOOLONG';
    throw Object.assign(error as Error, { hopeless });
  }
  if (answer.status === 401 || answer.status === 403) {
    // The key's owner may be forbidden a single workflow: somebody has moved it to another project.
    const forbidden = answer.status === 403 && path.startsWith('/workflows/');
    const error = refusal(
      `n8n refuses the API key (${answer.status}): check N8N_API_KEY and its scopes`,
      !forbidden,
    );
    throw Object.assign(error, { forbidden });
  }
  if (answer.status === 404 && method === 'GET') return undefined;
  if (answer.status >= 300) {
    const answered = `n8n answered ${answer.status}: ${messageOf(answer.body)}`;
    // 408, 429: not now. Nothing is wrong with the workflow.
    if (answer.status >= 500 || answer.status === 408 || answer.status === 429) throw new Error(answered);
    throw refusal(answered, false);
  }
  try {
    return parseBoundedJson(answer.body);
  } catch (error) {
    // So many values in so few bytes are asked for in smaller pages, as what is too long is.
    if (errorText(error).includes('too large'))
      throw Object.assign(new Error(`n8n: ${errorText(error)}`), { code: 'ETOOLONG' });
    throw new Error(`n8n answered ${answer.status} with something that is no JSON`, { cause: error });
  }
}

async function inPages(call: Call, keep: (item: unknown) => boolean): Promise<Workflow[]> {
  for (const limit of PAGE_SIZES) {
    try {
      return await list(call, keep, limit);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ETOOLONG') throw error;
    }
  }
  throw new Error('ten workflows of n8n are larger than anything that can be read here');
}

async function list(call: Call, keep: (item: unknown) => boolean, limit: number): Promise<Workflow[]> {
  const found = new Map<string, Workflow>();
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = new URLSearchParams({ active: 'true', limit: String(limit), excludePinnedData: 'true' });
    if (cursor !== undefined) query.set('cursor', cursor);
    const answer = await call('GET', `/workflows?${query.toString()}`);
    if (answer === undefined) throw notThere();
    const { data, nextCursor } = (answer ?? {}) as { data?: unknown; nextCursor?: unknown };
    if (!Array.isArray(data)) throw new Error('n8n answered something that is no list of workflows');
    for (const workflow of data.filter(keep).map(toWorkflow)) if (workflow) found.set(workflow.id, workflow);
    if (typeof nextCursor !== 'string' || nextCursor === '' || data.length === 0) break;
    cursor = nextCursor;
  }
  return [...found.values()];
}

function refusal(text: string, hopeless: boolean): N8nError {
  return Object.assign(new Error(text), { refused: true, hopeless });
}

function notThere(): N8nError {
  return refusal("n8n's public API is not there (404): n8n may be down, or its API switched off", true);
}

function expectWorkflow(answer: unknown, id: string): Workflow {
  const workflow = toWorkflow(answer);
  if (workflow?.id !== id) throw new Error('n8n answered something that is not the workflow');
  return workflow;
}

export function toWorkflow(value: unknown): Workflow | undefined {
  const w = (value ?? {}) as Record<string, unknown>;
  const id = typeof w['id'] === 'string' || typeof w['id'] === 'number' ? String(w['id']) : '';
  if (id === '') return undefined;
  const { activeVersionId, active, versionId, name } = w;
  // Where there are published versions, `active` is only kept for old clients.
  const isActive = activeVersionId === undefined ? active === true : activeVersionId !== null;
  const content = hashOf([withoutPlaces(w['nodes']), w['connections'], w['settings']]);
  return {
    id,
    name: typeof name === 'string' ? name : id,
    active: isActive,
    archived: w['isArchived'] === true,
    webhooks: Array.isArray(w['nodes']) && w['nodes'].some(isWebhook),
    content,
    contents: [
      content,
      typeof versionId === 'string' ? versionId : hashOf([name, w['nodes'], w['connections'], w['settings']]),
    ],
    ...(typeof activeVersionId === 'string' ? { activeVersionId } : {}),
  };
}

/** One that does not show its tags has none: nothing is paused on a guess. */
export function hasTag(item: unknown, tag: string): boolean {
  const { tags } = (item ?? {}) as { tags?: unknown };
  if (!Array.isArray(tags)) return false;
  const wanted = [tag, ...tag.split(',')].map((one) => one.trim().toLowerCase()).filter(Boolean);
  return tags.some((one: unknown) => {
    const { name } = (one ?? {}) as { name?: unknown };
    return typeof name === 'string' && wanted.includes(name.trim().toLowerCase());
  });
}

/** n8n's own webhook node, or a trigger that has registered one with its service (Telegram, a form, a chat). */
function isWebhook(node: unknown): boolean {
  const { type, webhookId, disabled } = (node ?? {}) as Record<string, unknown>;
  if (disabled === true || typeof type !== 'string') return false;
  return type.endsWith('.webhook') || (/trigger$/i.test(type) && typeof webhookId === 'string');
}

/** Where the nodes stand in the editor is no change of what they do. */
function withoutPlaces(nodes: unknown): unknown {
  if (!Array.isArray(nodes)) return nodes;
  return nodes.map((node: unknown) =>
    node !== null && typeof node === 'object' ? { ...node, position: undefined } : node,
  );
}

function hashOf(parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
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
