// One HTTP exchange: a deadline for the whole of it, and a cap on the answer.
// node:http instead of undici or fetch: it costs 4 MB of memory when used, they cost 20 to 26.
import http from 'node:http';
import type https from 'node:https';
import { answerBudget, gatherBytes } from '../answer.ts';

export type Exchange = {
  /** `https.request` where the connection is encrypted; node:https takes 3 ms to load, and the sockets here need none. */
  send?: typeof http.request;
  options: http.RequestOptions;
  body?: string | Buffer | undefined;
  timeoutMs: number;
  maxBytes: number;
  /** What to do with a longer answer: an error, or keep what came. */
  onTooLong?: 'fail' | 'cut';
  signal?: AbortSignal | undefined;
  /** For error messages: `host:port` or a socket path, never a URL with its path. */
  peer: string;
};
export type RawAnswer = { status: number; headers: http.IncomingHttpHeaders; body: Buffer };

/** Interim answers (1xx) before the answer itself. */
const MOST_INTERIM = 10;

const NO_NAME: https.RequestOptions = { servername: '' };

/** Error with a stable `code`, as Node's own network errors have. */
export function failure(message: string, code?: string): Error {
  const error = new Error(message);
  return code === undefined ? error : Object.assign(error, { code });
}

const PLAIN: Record<string, string> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection without an answer',
  EPIPE: 'closed the connection',
  ENOTFOUND: 'is not known to the name server',
  EAI_AGAIN: 'could not be looked up: the name server does not answer',
  EHOSTUNREACH: 'cannot be reached (no route)',
  ENETUNREACH: 'cannot be reached (no network)',
  ETIMEDOUT: 'did not answer in time',
  ENOENT: 'does not exist',
  EACCES: 'may not be used (permission denied)',
};

/** Node's error in plain words, its `code` kept; never with a path or query. */
export function plainFailure(error: unknown, peer: string): Error {
  const code = (error as { code?: unknown } | undefined)?.code;
  // Hosts with several addresses fail with one error for each.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  if (typeof code !== 'string' && inner) return plainFailure(inner, peer);
  if (typeof code === 'string' && PLAIN[code]) return failure(`${peer} ${PLAIN[code]}`, code);
  if (typeof code === 'string' && code.startsWith('HPE_')) {
    return failure(`${peer} does not speak HTTP`, code);
  }
  const message = error instanceof Error ? error.message : 'unknown error';
  return failure(`${peer}: ${message}`, typeof code === 'string' ? code : undefined);
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

/** "100 Continue" and its like may come before an answer; an end of them need not. 101 would make something else of the connection. */
export function boundInterim(call: http.ClientRequest, peer: string, fail: (error: Error) => void): void {
  let left = MOST_INTERIM;
  call.on('information', () => {
    left -= 1;
    if (left < 0) fail(failure(`${peer} does not speak HTTP`, 'EPROTO'));
  });
  call.on('upgrade', (_answer, socket) => {
    socket.destroy();
    fail(failure(`${peer} does not speak HTTP`, 'EPROTO'));
  });
}

/** Sends one request and reads the whole answer. Rejects with a plain error; resolves for every status. */
export function exchange(request: Exchange): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { signal, peer, timeoutMs } = request;
    if (signal?.aborted) {
      reject(failure(`gave up waiting for ${peer}`, 'ABORT_ERR'));
      return;
    }
    // Without TLS no name is sent; Node would look whether the host is an address, by a pattern of 0.14 MB machine code.
    const call = request.send
      ? request.send(request.options)
      : http.request({ ...NO_NAME, ...request.options });
    const timer = setTimeout(() => {
      fail(failure(`no answer from ${peer} within ${seconds(timeoutMs)}`, 'ETIMEDOUT'));
    }, timeoutMs);

    function cleanUp(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
    function fail(error: Error): void {
      cleanUp();
      reject(error);
      call.destroy();
    }
    function onAbort(): void {
      fail(failure(`gave up waiting for ${peer}`, 'ABORT_ERR'));
    }
    signal?.addEventListener('abort', onAbort, { once: true });

    // Errors after the promise is settled must still have a listener.
    call.on('error', (error) => {
      if (call.reusedSocket && isReset(error)) Object.assign(error, { stale: true });
      const plain = plainFailure(error, peer);
      fail(isStale(error) ? Object.assign(plain, { stale: true }) : plain);
    });
    boundInterim(call, peer, fail);
    call.on('response', (answer) => {
      const done = (body: Buffer): void => {
        cleanUp();
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      };
      readBody(call, answer, request, done, fail);
    });
    call.end(request.body);
  });
}

function readBody(
  call: http.ClientRequest,
  answer: http.IncomingMessage,
  { maxBytes, onTooLong, peer }: Exchange,
  done: (body: Buffer) => void,
  fail: (error: Error) => void,
): void {
  const bytes = gatherBytes();
  const budget = answerBudget(maxBytes);
  answer.on('data', (chunk: Buffer) => {
    try {
      budget.bytes(chunk.length);
      bytes.add(chunk);
    } catch (error) {
      if (onTooLong !== 'cut') return fail(failure(`${peer}: ${(error as Error).message}`, 'ETOOLONG'));
      done(bytes.all());
      call.destroy();
    }
  });
  answer.on('end', () => done(bytes.all()));
  answer.on('error', (error) => fail(plainFailure(error, peer)));
}

function isReset(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** True where a kept-alive connection had been closed by the other side before anything was answered. */
export function isStale(error: unknown): boolean {
  return (error as { stale?: unknown } | undefined)?.stale === true;
}
