// One call to the engine: where it is, in which version it is spoken to, deadlines, and what went wrong in plain words.
import http from 'node:http';
import { isMissing, parseDockerHost, target, withHint, type DockerAddress } from './address.ts';
import { parseJson, refusal } from './answer.ts';
import { array, object, text } from './parse.ts';
import { exchange, failure, isStale, type RawAnswer } from '../http/exchange.ts';
import { orAborted } from '../aborted.ts';
import type { DockerError } from '../types.ts';

/** For each call, where nobody asks for another one. */
export const DEADLINE_MS = 5_000;
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
export type DockerCalls = {
  where(): DockerAddress;
  /** Resolves for 2xx and 304; rejects with a DockerError, which has a status where the engine answered. */
  call(call: Call): Promise<RawAnswer>;
  /** What every path begins with; asks the engine for its version first. */
  prefix(signal?: AbortSignal): Promise<string>;
  version(): EngineVersion;
  /** Asks for the version again before the next call. */
  forgetVersion(): void;
  close(): void;
};

/**
 * Opens nothing yet: the first call connects. Throws for a DOCKER_HOST that cannot be understood. `deadlineMs`: for each call
 * that does not name its own.
 */
export function openDockerCalls(dockerHost: string, deadlineMs = DEADLINE_MS): DockerCalls {
  parseDockerHost(dockerHost);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 2 });
  let known: { prefix: string; answer: EngineVersion } | undefined;
  let asking: Promise<string> | undefined;

  /** Looked up for every call: the socket may appear after the start, and in another place. */
  function where(): DockerAddress {
    return parseDockerHost(dockerHost);
  }

  async function send(call: Call, prefix: string): Promise<RawAnswer> {
    const at = where();
    const peer = `Docker at ${at.address}`;
    // On a host without Docker this is asked at each check: a connection that fails costs a millisecond, and leaves garbage.
    if (isMissing(at)) throw failure(`${peer} does not exist`, 'ENOENT');
    const query = call.query ? `?${new URLSearchParams(call.query).toString()}` : '';
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const request = {
      options: {
        ...target(at),
        agent,
        method: call.method ?? 'GET',
        path: `${prefix}${call.path}${query}`,
        headers: body === undefined ? {} : jsonHeaders(body),
      },
      body,
      timeoutMs: call.timeoutMs ?? deadlineMs,
      maxBytes: call.maxBytes ?? 4 * MIB,
      onTooLong: call.onTooLong ?? 'fail',
      signal: call.signal,
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

  /** Asked once for an engine, not once for a check: to answer, the engine starts `runc --version` and two more. */
  async function negotiate(): Promise<string> {
    const answer = await send({ path: '/version' }, '');
    if (answer.status >= 500) throw refusal(answer);
    if (answer.status !== 200) {
      // A socket proxy may deny /version. Without a version in the path the engine speaks its own newest.
      known = { prefix: '', answer: UNKNOWN };
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
    known = { prefix: chooseVersion(version.apiVersion, version.minApiVersion), answer: version };
    return known.prefix;
  }

  async function prefixFor(signal?: AbortSignal): Promise<string> {
    if (known) return known.prefix;
    // Calls at the same time share one question, without one caller's signal ending it for the others.
    asking ??= negotiate().finally(() => {
      asking = undefined;
    });
    return signal ? orAborted(asking, signal, gaveUp) : asking;
  }

  async function call(options: Call): Promise<RawAnswer> {
    try {
      const prefix = await prefixFor(options.signal);
      const answer = await send(options, prefix);
      if (answer.status < 300 || answer.status === 304) return answer;
      if (answer.status === 400 && /client version|API version/i.test(answer.body.toString('utf8', 0, 500))) {
        known = undefined;
      }
      throw refusal(answer);
    } catch (error) {
      if ((error as DockerError).status !== undefined) throw error;
      // Another engine may answer next time.
      if (GONE.has(String((error as { code?: unknown }).code))) known = undefined;
      throw withHint(error as Error, where());
    }
  }

  return {
    where,
    call,
    prefix: prefixFor,
    version: () => known?.answer ?? UNKNOWN,
    forgetVersion() {
      known = undefined;
    },
    close: () => agent.destroy(),
  };
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
