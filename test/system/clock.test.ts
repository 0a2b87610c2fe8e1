import { expect, test } from 'vitest';
import { systemClock } from '../../src/system/clock.ts';

test('sleeps, wakes at an abort, and never rejects', async () => {
  const clock = systemClock();
  const start = clock.monotonic();
  await clock.sleep(30);
  expect(clock.monotonic() - start).toBeGreaterThanOrEqual(25);
  const stop = new AbortController();
  const long = clock.sleep(60_000, stop.signal);
  stop.abort();
  await long;
  // Neither waits for its minute: the test would run out of time.
  await clock.sleep(60_000, stop.signal);
});

test('leaves no listener at the signal after a sleep', async () => {
  const { signal } = new AbortController();
  const { addEventListener, removeEventListener } = signal;
  const calls: string[] = [];
  signal.addEventListener = ((...args: Parameters<typeof addEventListener>) => {
    calls.push('added');
    addEventListener.apply(signal, args);
  }) as typeof addEventListener;
  signal.removeEventListener = ((...args: Parameters<typeof removeEventListener>) => {
    calls.push('removed');
    removeEventListener.apply(signal, args);
  }) as typeof removeEventListener;
  await systemClock().sleep(1, signal);
  expect(calls).toEqual(['added', 'removed']);
});
