import type { HttpTarget } from '../../model/targets.ts';
import { maskSecrets } from '../../model/text.ts';
import type { Http, HttpAnswer } from '../types.ts';

/** An application that is asked over HTTP: its name for people, the header that its key goes into, the setting that holds the key. */
export type App = { name: string; keyHeader: string; setting: string };

export const N8N: App = { name: 'n8n', keyHeader: 'X-N8N-API-KEY', setting: 'N8N_API_KEY' };
export const WAHA: App = { name: 'WAHA', keyHeader: 'X-Api-Key', setting: 'WAHA_API_KEY' };

export type AppRequest = {
  method?: 'GET' | 'POST';
  /** Below the target's address, with its query. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Some pages are open to all: then the key is nobody's business. Default: true. */
  withKey?: boolean;
  timeoutMs: number;
  maxBytes?: number;
  signal?: AbortSignal;
};

/** host:port, for people. */
export function addressOf(url: string): string {
  const { host, protocol, port } = new URL(url);
  return port ? host : `${host}:${protocol === 'https:' ? 443 : 80}`;
}

/**
 * One request to an application: the only place where its key is put into a request. Rejects with what `http` rejects with; the answer's
 * body has no key in it, for some repeat what they were asked with.
 */
export async function requestApp(
  http: Http,
  app: App,
  target: Pick<HttpTarget, 'url' | 'apiKey'>,
  request: AppRequest,
): Promise<HttpAnswer> {
  const { method, path, body, withKey = true, timeoutMs, maxBytes, signal } = request;
  const base = new URL(target.url);
  base.search = '';
  base.hash = '';
  const answer = await http({
    url: `${base.href.replace(/\/+$/, '')}${path}`,
    ...(method === undefined ? {} : { method }),
    headers: {
      Accept: 'application/json',
      ...(withKey && target.apiKey !== '' ? { [app.keyHeader]: target.apiKey } : {}),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status < 300) return answer;
  return { ...answer, body: maskSecrets(answer.body, [target.apiKey]) };
}
