// The Docker Engine API over its socket, with node:http. No `docker` process is ever started.
import http from 'node:http';
import { exchange, failure, isStale, plainFailure } from './exchange.ts';
import type { RawAnswer } from './exchange.ts';
import { parseDockerHost, withHint } from './docker-address.ts';
import type { DockerAddress } from './docker-address.ts';
import { createLineSplitter, formatSince, parseEvent } from './docker-events.ts';
import { parseLogs } from './docker-logs.ts';
import { count, object, parseInspect, parseList, parseStats, text } from './docker-parse.ts';
import { plain } from '../model/text.ts';
import type { Docker, DockerError } from './types.ts';

const DEADLINE_MS = 5_000;
const MIB = 1_048_576;
/** The newest API whose answers were tried. An older engine is spoken to in its own version. */
const NEWEST: ApiVersion = [1, 56];
/** What is asked for: healthchecks cause three exec events each, which would only be thrown away here. */
const ACTIONS = [
  'create',
  'start',
  'die',
  'kill',
  'oom',
  'stop',
  'restart',
  'destroy',
  'pause',
  'unpause',
  'rename',
  'update',
  'health_status',
];

const GONE = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE']);

type ApiVersion = [number, number];
type VersionAnswer = { version: string; apiVersion: string; minApiVersion: string };
type Call = {
  method?: 'GET' | 'POST';
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  timeoutMs?: number;
  maxBytes?: number;
  onTooLong?: 'cut';
  accept?: number[];
  signal?: AbortSignal | undefined;
};

/** Opens nothing yet: the first call connects. Throws for a DOCKER_HOST that cannot be understood. */
export function openDocker(dockerHost: string): Docker {
  parseDockerHost(dockerHost);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 2 });
  let known: { prefix: string; answer: VersionAnswer } | undefined;
  let asking: Promise<string> | undefined;

  /** Looked up for every call: the socket may appear after the start, and in another place. */
  function where(): DockerAddress {
    return parseDockerHost(dockerHost);
  }

  async function send(call: Call, prefix: string): Promise<RawAnswer> {
    const at = where();
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
      timeoutMs: call.timeoutMs ?? DEADLINE_MS,
      maxBytes: call.maxBytes ?? 4 * MIB,
      onTooLong: call.onTooLong ?? 'fail',
      signal: call.signal,
      peer: `Docker at ${at.address}`,
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
  async function negotiate(signal?: AbortSignal): Promise<string> {
    const answer = await send({ path: '/version', signal }, '');
    if (answer.status !== 200) {
      // A socket proxy may deny /version. Without a version in the path the engine speaks its own newest.
      known = { prefix: '', answer: { version: 'unknown', apiVersion: 'unknown', minApiVersion: 'unknown' } };
      return '';
    }
    const raw = object(parseJson(answer.body, 'version'));
    const version: VersionAnswer = {
      version: text(raw['Version']) || 'unknown',
      apiVersion: text(raw['ApiVersion']),
      minApiVersion: text(raw['MinAPIVersion']),
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
    return signal ? orAborted(asking, signal) : asking;
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

  async function json(options: Call): Promise<unknown> {
    return parseJson((await call(options)).body, options.path);
  }

  async function command(
    path: string,
    query: Record<string, string>,
    timeoutMs: number,
    signal?: AbortSignal,
  ) {
    await call({ method: 'POST', path, query, timeoutMs, signal });
  }

  return {
    get address() {
      return where().address;
    },
    async version(signal) {
      await call({ path: '/_ping', signal });
      return known?.answer ?? { version: 'unknown', apiVersion: 'unknown', minApiVersion: 'unknown' };
    },
    async info(signal) {
      const raw = object(await json({ path: '/info', signal }));
      return {
        cgroupDriver: text(raw['CgroupDriver']),
        cgroupVersion: text(raw['CgroupVersion']) || '1',
        memTotal: count(raw['MemTotal']),
        rootDir: text(raw['DockerRootDir']),
        liveRestore: raw['LiveRestoreEnabled'] === true,
      };
    },
    async list(signal) {
      return parseList(
        await json({ path: '/containers/json', query: { all: '1' }, maxBytes: 32 * MIB, signal }),
      );
    },
    async inspect(id, signal) {
      return parseInspect(await json({ path: `${container(id)}/json`, signal }));
    },
    async logs(id, lines, signal) {
      const query = { stdout: '1', stderr: '1', tail: String(lines) };
      const answer = await call({
        path: `${container(id)}/logs`,
        query,
        maxBytes: 2 * MIB,
        onTooLong: 'cut',
        signal,
      });
      return parseLogs(answer.body, lines);
    },
    async stats(id, signal) {
      const query = { stream: 'false', 'one-shot': 'true' };
      return parseStats(await json({ path: `${container(id)}/stats`, query, signal }));
    },
    async events(options) {
      let prefix: string;
      try {
        prefix = await prefixFor(options.signal);
      } catch (error) {
        if (options.signal.aborted) return;
        throw withHint(error as Error, where());
      }
      try {
        await follow(where(), `${prefix}/events?${eventQuery(options)}`, options);
      } finally {
        // The stream ends when the engine does; the next one may be of another version.
        known = undefined;
      }
    },
    start: (id, signal) => command(`${container(id)}/start`, {}, 30_000, signal),
    stop: (id, graceSec, signal) =>
      command(`${container(id)}/stop`, { t: String(graceSec) }, (graceSec + 20) * 1000, signal),
    restart: (id, graceSec, signal) =>
      command(`${container(id)}/restart`, { t: String(graceSec) }, (graceSec + 30) * 1000, signal),
    async updateMemory(id, memory, memorySwap, signal) {
      const body = { Memory: memory, MemorySwap: memorySwap };
      await call({ method: 'POST', path: `${container(id)}/update`, body, timeoutMs: 30_000, signal });
    },
    close() {
      agent.destroy();
    },
  };
}

function target(at: DockerAddress): http.RequestOptions {
  if (at.socketPath !== undefined) return { socketPath: at.socketPath, host: 'docker' };
  return { host: at.host, port: at.port };
}

function jsonHeaders(body: string): Record<string, string> {
  return { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
}

function container(id: string): string {
  return `/containers/${encodeURIComponent(id)}`;
}

function parseJson(body: Buffer, what: string): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new Error(`Docker answered ${what} with something that is not JSON`);
  }
}

/** Status and Docker's own sentence. */
function refusal(answer: RawAnswer): DockerError {
  let message = '';
  try {
    message = text(object(JSON.parse(answer.body.toString('utf8')))['message']);
  } catch {
    message = answer.body.toString('utf8', 0, 400);
  }
  const said = plain(message, 300) || 'no reason given';
  return Object.assign(new Error(`Docker said ${answer.status}: ${said}`), { status: answer.status });
}

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

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(failure('gave up waiting for Docker', 'ABORT_ERR'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

type EventOptions = Parameters<Docker['events']>[0];

function eventQuery(options: EventOptions): string {
  const query = new URLSearchParams({
    filters: JSON.stringify({ type: ['container'], event: ACTIONS }),
  });
  if (options.since !== undefined) query.set('since', formatSince(options.since));
  if (options.until !== undefined) query.set('until', formatSince(options.until));
  return query.toString();
}

/** One connection of its own that stays open; only the answer's start has a deadline. */
function follow(at: DockerAddress, path: string, options: EventOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const peer = `Docker at ${at.address}`;
    const call = http.request({ ...target(at), path, agent: false });
    const timer = setTimeout(() => {
      fail(failure(`no answer from ${peer} within ${DEADLINE_MS / 1000} s`, 'ETIMEDOUT'));
    }, DEADLINE_MS);
    function finish(): void {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
    }
    function fail(error: Error): void {
      finish();
      reject(withHint(error, at));
      call.destroy();
    }
    function onAbort(): void {
      finish();
      resolve();
      call.destroy();
    }
    if (options.signal.aborted) {
      onAbort();
      return;
    }
    options.signal.addEventListener('abort', onAbort, { once: true });
    call.on('error', (error) => fail(plainFailure(error, peer)));
    call.on('socket', (socket) => socket.setKeepAlive(true, 30_000));
    call.on('response', (answer) => {
      clearTimeout(timer);
      if (answer.statusCode !== 200) {
        collect(answer, (body) => fail(refusal({ status: answer.statusCode ?? 0, headers: {}, body })));
        return;
      }
      options.onOpen?.();
      answer.on(
        'data',
        createLineSplitter((line) => {
          const event = parseEvent(line);
          if (event && !options.signal.aborted) options.onEvent(event);
        }),
      );
      answer.on('error', (error) => fail(plainFailure(error, peer)));
      answer.on('end', () => {
        finish();
        resolve();
      });
    });
    call.end();
  });
}

function collect(answer: http.IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  answer.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= 64 * 1024) chunks.push(chunk);
  });
  answer.on('close', () => done(Buffer.concat(chunks)));
}
