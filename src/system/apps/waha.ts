import * as v from 'valibot';
import type { HttpTarget } from '../../model/targets.ts';
import { plain } from '../../model/text.ts';
import { parseBoundedJson } from '../answer.ts';
import type { Http } from '../types.ts';
import { requestApp, WAHA } from './request.ts';

/** WAHA waits at least 3 s between stop and start and holds a lock meanwhile. */
const CHANGE_TIMEOUT_MS = 60_000;
const LOOK_TIMEOUT_MS = 5000;

/**
 * What is used of GET /api/sessions?all=true (without `all`, stopped sessions are left out):
 *   [{"name":"default","status":"WORKING","timestamps":{"activity":1700000000000}}]
 * `timestamps` and `activity` may be missing or null; statuses that are not known today will come.
 */
const Session = v.object({
  name: v.string(),
  status: v.string(),
  timestamps: v.fallback(v.optional(v.nullable(v.object({ activity: v.optional(v.unknown()) }))), undefined),
});
export type Listed = v.InferOutput<typeof Session>[];
/** One session without a name or a status must not hide the others. Where there is none at all, this is not WAHA's list. */
export const Sessions = v.pipe(
  v.array(v.fallback(v.nullable(Session), null)),
  v.transform((all) => ({ all, readable: all.filter((session) => session !== null) })),
  v.check(({ all, readable }) => all.length === 0 || readable.length > 0),
  v.transform(({ readable }) => readable),
);

/**
 * The few calls of WAHA's API that recovery makes. There is none for `logout`, which would ask for the phone again. Errors are plain
 * sentences without the key.
 */
export type WahaApi = {
  /** Stopped ones, too. Entries without a name or a status are left out. */
  list(): Promise<Listed>;
  /** Undefined: there is no such session. */
  statusOf(session: string): Promise<string | undefined>;
  restart(session: string): Promise<void>;
  start(session: string): Promise<void>;
  /** Answers without a key, as soon as the program runs. */
  ping(): Promise<void>;
};

export function createWahaApi(http: Http, target: HttpTarget): WahaApi {
  async function call(method: 'GET' | 'POST', path: string, timeoutMs: number): Promise<string> {
    const answer = await requestApp(http, WAHA, target, { method, path, timeoutMs });
    if (answer.status === 401 || answer.status === 403)
      throw new Error(`WAHA refuses the API key (${answer.status}): check WAHA_API_KEY`);
    if (answer.status < 300) return answer.body;
    throw new Error(`WAHA answered ${answer.status}: ${plain(answer.body, 160)}`);
  }

  async function list(): Promise<Listed> {
    const body = await call('GET', '/api/sessions?all=true', LOOK_TIMEOUT_MS);
    let parsed: unknown;
    try {
      parsed = parseBoundedJson(body);
    } catch (error) {
      throw new Error('WAHA answered something that is no JSON', { cause: error });
    }
    const sessions = v.safeParse(Sessions, parsed);
    if (!sessions.success) throw new Error('WAHA answered something that is no list of sessions');
    return sessions.output;
  }

  async function change(session: string, verb: 'restart' | 'start'): Promise<void> {
    await call('POST', `/api/sessions/${encodeURIComponent(session)}/${verb}`, CHANGE_TIMEOUT_MS);
  }

  return {
    list,
    statusOf: async (session) => (await list()).find(({ name }) => name === session)?.status,
    restart: (session) => change(session, 'restart'),
    start: (session) => change(session, 'start'),
    ping: async () => void (await call('GET', '/ping', LOOK_TIMEOUT_MS)),
  };
}
