// One call to the engine: where it is, in which version it is spoken to, deadlines, and what went wrong in plain words.
import http from 'node:http';
import { isMissing, parseDockerHost, target, withHint, type DockerAddress } from './address.ts';
import { parseJson, refusal } from './answer.ts';
import { array, object, text } from './parse.ts';
import { exchange, failure, isStale, type RawAnswer } from '../http/exchange.ts';
import { orAborted } from '../deadline.ts';
import type { DockerError } from '../types.ts';

const MIB = 1_048_576;
const GONE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE']);

export type EngineVersion = {
  version: string;
  apiVersion: string;
  minApiVersion: string;
  /** podman, which speaks Docker's API. */
  podman: boolean;
};
const UNKNOWN: EngineVersion = {
  version: 'unknown',
  apiVersion: 'unknown',
  minApiVersion: 'unknown',
  podman: false,
};

export type Call = {
  method?: 'GET' | 'POST';
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  /** Default: that of the engine's client, 5 s as a rule. */
  timeoutMs?: number;
  /** Default 4 MiB. */
  maxBytes?: number;
  onTooLong?: 'cut';
  signal?: AbortSignal | undefined;
};
/** Where the engine is, and what is known of it. */
export type Engine = {
  dockerHost: string;
  /** For each call that does not name its own. */
  deadlineMs: number;
  agent: http.Agent;
  known?: { prefix: string; answer: EngineVersion } | undefined;
  /** Calls at the same time share one question. */
  asking?: Promise<string> | undefined;
};

/** Opens nothing yet: the first call connects. Throws for a DOCKER_HOST that cannot be understood. */
export function openEngine(dockerHost: string, deadlineMs: number): Engine {
  parseDockerHost(dockerHost);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 2 });
  return { dockerHost, deadlineMs, agent };
}

/** Looked up for every call: the socket may appear after the start, and in another place. */
export function whereIs({ dockerHost }: Engine): DockerAddress {
  return parseDockerHost(dockerHost);
}

export function versionOf({ known }: Engine): EngineVersion {
  return known?.answer ?? UNKNOWN;
}

/** Resolves for 2xx and 304; rejects with a DockerError, which has a status where the engine answered. */
export async function call(engine: Engine, options: Call): Promise<RawAnswer> {
  try {
    const prefix = await prefixFor(engine, options.signal);
    const answer = await send(engine, options, prefix);
    if (answer.status < 300 || answer.status === 304) return answer;
    if (answer.status === 400 && /client version|API version/i.test(answer.body.toString('utf8', 0, 500))) {
      engine.known = undefined;
    }
    throw refusal(answer);
  } catch (error) {
    if ((error as DockerError).status !== undefined) throw error;
    // Another engine may answer next time.
    if (GONE.has(String((error as { code?: unknown }).code))) engine.known = undefined;
    throw withHint(error as Error, whereIs(engine));
  }
}

/** What every path begins with; asks the engine for its version first. One caller's signal does not end that for the others. */
export async function prefixFor(engine: Engine, signal?: AbortSignal): Promise<string> {
  if (engine.known) return engine.known.prefix;
  engine.asking ??= negotiate(engine).finally(() => {
    engine.asking = undefined;
  });
  return signal ? orAborted(engine.asking, signal, gaveUp) : engine.asking;
}

/** For its version; after that it is asked what it can say at once. */
const VERSION_WITHIN_MS = 3000;

/** Asked once for an engine, not once for a check: to answer, the engine starts `runc --version` and two more. */
async function negotiate(engine: Engine): Promise<string> {
  const timeoutMs = Math.min(VERSION_WITHIN_MS, 0.6 * engine.deadlineMs);
  const answer = await send(engine, { path: '/version', timeoutMs }, '').catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ETIMEDOUT') throw error;
    return prefixByPing(engine, engine.deadlineMs - timeoutMs);
  });
  if (typeof answer === 'string') return answer;
  if (answer.status >= 500) throw refusal(answer);
  if (answer.status !== 200) {
    // A socket proxy may deny /version. Without a version in the path the engine speaks its own newest.
    engine.known = { prefix: '', answer: UNKNOWN };
    return '';
  }
  const raw = object(parseJson(answer.body, 'version'));
  // Whatever answers there, it is no engine, and no old one either.
  if (text(raw['Version']) === '' && text(raw['ApiVersion']) === '')
    throw new Error('Docker, asked for version, answered something else');
  const version: EngineVersion = {
    version: text(raw['Version']) || 'unknown',
    apiVersion: text(raw['ApiVersion']),
    minApiVersion: text(raw['MinAPIVersion']),
    podman: array(raw['Components']).some((part) => /^podman/i.test(text(object(part)['Name']))),
  };
  engine.known = { prefix: chooseVersion(version.apiVersion, version.minApiVersion), answer: version };
  return engine.known.prefix;
}

/**
 * On a machine that thrashes those programs take longer than anybody waits, while the engine itself answers at once: its headers have
 * what is needed. podman 4.3 took 9 s for its version, and 1 ms for this.
 */
async function prefixByPing(engine: Engine, timeoutMs: number): Promise<string> {
  const ping = await send(engine, { path: '/_ping', timeoutMs }, '').catch(() => undefined);
  const apiVersion = String(ping?.headers['api-version'] ?? '');
  const prefix = chooseVersion(apiVersion, '');
  if (!ping || prefix === '')
    throw failure(
      `no answer from Docker at ${whereIs(engine).address} within ${engine.deadlineMs / 1000} s`,
      'ETIMEDOUT',
    );
  const podman = ping.headers['libpod-api-version'] !== undefined;
  engine.known = { prefix, answer: { ...UNKNOWN, apiVersion, podman } };
  return prefix;
}

async function send(engine: Engine, options: Call, prefix: string): Promise<RawAnswer> {
  const at = whereIs(engine);
  const peer = `Docker at ${at.address}`;
  // On a host without Docker this is asked at each check: a connection that fails costs a millisecond, and leaves garbage.
  if (isMissing(at)) throw failure(`${peer} does not exist`, 'ENOENT');
  const query = options.query ? `?${new URLSearchParams(options.query).toString()}` : '';
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const request = {
    options: {
      ...target(at),
      agent: engine.agent,
      method: options.method ?? 'GET',
      path: `${prefix}${options.path}${query}`,
      headers: body === undefined ? {} : jsonHeaders(body),
    },
    body,
    timeoutMs: options.timeoutMs ?? engine.deadlineMs,
    maxBytes: options.maxBytes ?? 4 * MIB,
    onTooLong: options.onTooLong ?? 'fail',
    signal: options.signal,
    peer,
  } as const;
  try {
    return await exchange(request);
  } catch (error) {
    // The engine may have closed an idle connection in the moment of use; nothing was answered, so GET may ask again.
    if (isStale(error) && request.options.method === 'GET') return exchange(request);
    throw error;
  }
}

function gaveUp(): Error {
  return failure('gave up waiting for Docker', 'ABORT_ERR');
}

function jsonHeaders(body: string): Record<string, string> {
  return { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
}

// Which version of its API the engine is spoken to in.
type ApiVersion = [number, number];

/** The newest API whose answers were tried. An older engine is spoken to in its own version. */
const NEWEST: ApiVersion = [1, 56];

function parseApiVersion(version: string): ApiVersion | undefined {
  const match = /^(\d+)\.(\d+)$/.exec(version);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function isOlder(a: ApiVersion, b: ApiVersion): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

/** The path prefix for the newest version that both sides know; an engine that only knows newer ones gets its oldest. */
export function chooseVersion(newestOfEngine: string, oldestOfEngine: string): string {
  const newest = parseApiVersion(newestOfEngine);
  const oldest = parseApiVersion(oldestOfEngine);
  if (!newest) return '';
  const common = isOlder(newest, NEWEST) ? newest : NEWEST;
  const chosen = oldest && isOlder(common, oldest) ? oldest : common;
  return `/v${chosen[0]}.${chosen[1]}`;
}
