import { setMaxListeners } from 'node:events';

/**
 * Runs `work` with a signal that aborts with `signal`, or after `ms`. Not AbortSignal.any with AbortSignal.timeout: Node 20
 * may collect those as garbage while they are waited for, and then they never fire.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  // Many questions at once are no leak.
  setMaxListeners(0, stop.signal);
  const abort = (): void => stop.abort();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(abort, ms);
  try {
    return await work(stop.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** The promise, unless `signal` aborts before: then it rejects with what `onAbort` makes. The promise itself goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal, onAbort: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(onAbort());
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
