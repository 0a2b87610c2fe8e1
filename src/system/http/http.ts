import https from 'node:https';
import { percentDecoded } from '../../model/text.ts';
import { exchange, failure } from './exchange.ts';
import type { HttpAnswer, HttpRequest } from '../types.ts';
import { isIP } from 'node:net';

/**
 * No connection is kept open: one that the other side closes in the moment of use leaves open whether a message arrived,
 * and then it may be sent twice. TLS sessions are resumed, which saves most of the handshake.
 */
const tls = new https.Agent({ keepAlive: false, maxCachedSessions: 4 });

/** Resolves for every status. Errors are plain, keep Node's `code`, and never hold the URL's path, query or credentials. */
export async function httpRequest(request: HttpRequest): Promise<HttpAnswer> {
  const url = parseUrl(request.url);
  if (request.socketPath === undefined && wantsProxy(url, process.env)) {
    const { requestThroughProxy } = await import('./proxy-request.ts');
    return requestThroughProxy(request, url);
  }
  const secure = url.protocol === 'https:';
  const { body } = request;
  const answer = await exchange({
    ...(secure ? { send: https.request } : {}),
    options: {
      ...(request.socketPath === undefined
        ? { host: url.hostname.replace(/^\[|\]$/g, ''), ...(url.port ? { port: Number(url.port) } : {}) }
        : { socketPath: request.socketPath }),
      ...(url.username ? { auth: `${percentDecoded(url.username)}:${percentDecoded(url.password)}` } : {}),
      ...(secure ? { agent: tls } : { agent: false }),
      method: request.method ?? 'GET',
      path: `${url.pathname}${url.search}`,
      headers: {
        Host: url.host,
        'User-Agent': 'vpsmon',
        ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
        ...request.headers,
      },
    },
    body,
    timeoutMs: request.timeoutMs,
    maxBytes: request.maxBytes ?? 1_048_576,
    signal: request.signal,
    peer: request.socketPath ?? url.host,
  });
  return { status: answer.status, headers: flatten(answer.headers), body: answer.body.toString('utf8') };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw failure('not a valid URL', 'ERR_INVALID_URL');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw failure(`only http and https are spoken, not ${url.protocol}`, 'ERR_INVALID_PROTOCOL');
  }
  return url;
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

/** Loopback, private, shared (RFC 6598) and link-local addresses: what stands on this server or beside it is never asked for through a proxy. */
const NEAR =
  /^(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|0\.0\.0\.0$|::1$|::ffff:|f[cd]|fe[89ab])/i;

/** True where the environment names a proxy for this URL and the host is a public one. NO_PROXY is looked at later. */
export function wantsProxy(url: URL, env: NodeJS.ProcessEnv): boolean {
  const proxy =
    url.protocol === 'https:'
      ? (env['https_proxy'] ?? env['HTTPS_PROXY'])
      : (env['http_proxy'] ?? env['HTTP_PROXY']);
  if (!proxy) return false;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host)) return !NEAR.test(host);
  return host.includes('.') && host !== 'localhost' && !host.endsWith('.localhost');
}
