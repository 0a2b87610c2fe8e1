// The engine's event stream: one connection of its own that stays open.
import http from 'node:http';
import { target, withHint, type DockerAddress } from './address.ts';
import { refusal } from './answer.ts';
import { createLineSplitter, formatSince, parseEvent } from './events.ts';
import { gatherBytes } from '../answer.ts';
import { boundInterim, failure, plainFailure } from '../http/exchange.ts';
import type { Docker } from '../types.ts';

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
  // Of networks.
  'connect',
  'disconnect',
];

type EventOptions = Parameters<Docker['events']>[0];

/** podman knows other words for events, by which it would filter: what is not wanted is left out here. */
function eventQuery(options: EventOptions & { podman: boolean }): string {
  const filters = options.podman
    ? { type: ['container'] }
    : { type: ['container', 'network'], event: ACTIONS };
  const query = new URLSearchParams({ filters: JSON.stringify(filters) });
  if (options.since !== undefined) query.set('since', formatSince(options.since));
  if (options.until !== undefined) query.set('until', formatSince(options.until));
  return query.toString();
}

/**
 * Resolves when the engine ends the stream or the signal aborts, rejects when it breaks. Only the start of the answer has a
 * deadline.
 */
export function followEvents(
  at: DockerAddress,
  prefix: string,
  options: EventOptions & { opensWithinMs: number; podman: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const peer = `Docker at ${at.address}`;
    const call = http.request({
      ...target(at),
      path: `${prefix}/events?${eventQuery(options)}`,
      agent: false,
    });
    const timer = setTimeout(() => {
      fail(failure(`no answer from ${peer} within ${options.opensWithinMs / 1000} s`, 'ETIMEDOUT'));
    }, options.opensWithinMs);
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
    boundInterim(call, peer, fail);
    call.on('response', (answer) => {
      if (answer.statusCode !== 200) {
        collect(answer, (body) => fail(refusal({ status: answer.statusCode ?? 0, headers: {}, body })));
        return;
      }
      clearTimeout(timer);
      options.onOpen?.();
      answer.on(
        'data',
        createLineSplitter((line) => {
          const event = parseEvent(line, options.podman);
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
  const bytes = gatherBytes();
  answer.on('data', (chunk: Buffer) => {
    if (bytes.length + chunk.length <= 64 * 1024) bytes.add(chunk);
  });
  answer.on('close', () => done(bytes.all()));
}
