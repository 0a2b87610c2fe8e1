import type { HttpTarget } from '../model/targets.ts';
import { maskSecrets, plain } from '../model/text.ts';
import type { RecoveryDeps } from './types.ts';

/** WAHA waits at least 3 s between stop and start and holds a lock meanwhile. */
const CHANGE_TIMEOUT_MS = 60_000;
const LOOK_TIMEOUT_MS = 5000;

export type Listed = { name: string; status: string };

/**
 * The few calls of WAHA's API that recovery makes. There is none for `logout`, which would ask for the phone again. Errors are plain
 * sentences without the key.
 */
export type WahaApi = {
  /** Stopped ones, too. Entries without a name or a status are left out. */
  list(): Promise<Listed[]>;
  /** Undefined: there is no such session. */
  statusOf(session: string): Promise<string | undefined>;
  restart(session: string): Promise<void>;
  start(session: string): Promise<void>;
  /** Answers without a key, as soon as the program runs. */
  ping(): Promise<void>;
};

export function createWahaApi(deps: RecoveryDeps, target: HttpTarget): WahaApi {
  async function call(method: 'GET' | 'POST', path: string, timeoutMs: number): Promise<string> {
    const answer = await deps.system.http({
      url: target.url.replace(/\/+$/, '') + path,
      method,
      headers: { Accept: 'application/json', ...(target.apiKey ? { 'X-Api-Key': target.apiKey } : {}) },
      timeoutMs,
    });
    if (answer.status === 401 || answer.status === 403)
      throw new Error(`WAHA refuses the API key (${answer.status}): check WAHA_API_KEY`);
    if (answer.status < 300) return answer.body;
    // Some repeat what they were asked with.
    const said = plain(maskSecrets(answer.body, [target.apiKey]), 160);
    throw new Error(`WAHA answered ${answer.status}: ${said}`);
  }

  async function list(): Promise<Listed[]> {
    let body: unknown;
    try {
      body = JSON.parse(await call('GET', '/api/sessions?all=true', LOOK_TIMEOUT_MS));
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new Error('WAHA answered something that is no JSON', { cause: error });
      throw error;
    }
    if (!Array.isArray(body)) throw new Error('WAHA answered something that is no list of sessions');
    return body.flatMap((item: unknown) => {
      const { name, status } = (item ?? {}) as { name?: unknown; status?: unknown };
      return typeof name === 'string' && typeof status === 'string' ? [{ name, status }] : [];
    });
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

/** These need a person with the phone: a restart would only show another code. */
export function needsPerson(status: string): boolean {
  return status === 'SCAN_QR_CODE' || status.startsWith('PASSKEY');
}
