/** The promise, unless `signal` aborts before: then it rejects with what `onAbort` makes. The promise itself goes on. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal, onAbort: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(onAbort());
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
