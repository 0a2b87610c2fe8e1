import { expect, test } from 'vitest';
import { createDedup, follow } from '../../src/containers/event-stream.ts';
import type { Clock, Docker, DockerEvent } from '../../src/system/types.ts';

const S = 1_000_000_000n;
const event = (seconds: number, action = 'start', id = 'a'.repeat(64)): DockerEvent => ({
  timeNano: BigInt(Math.round(seconds * 1000)) * 1_000_000n,
  action,
  id,
  name: 'web',
  attributes: {},
});

/** A stream that plays one part after the other; `undefined` ends for ever. */
async function play(parts: (DockerEvent[] | Error)[], since = 100n * S) {
  const asked: bigint[] = [];
  const slept: number[] = [];
  const got: DockerEvent[] = [];
  const seen: string[] = [];
  const stop = new AbortController();
  let mono = 0;
  const clock: Clock = {
    now: () => 100_000 + mono,
    monotonic: () => mono,
    async sleep(ms) {
      slept.push(ms);
      mono += ms;
    },
  };
  const docker: Pick<Docker, 'events'> = {
    async events(options) {
      asked.push(options.since ?? -1n);
      const part = parts.shift();
      if (part === undefined) {
        stop.abort();
        return;
      }
      if (part instanceof Error) throw part;
      options.onOpen?.();
      for (const one of part) options.onEvent(one);
    },
  };
  await follow({
    docker,
    clock,
    signal: stop.signal,
    since,
    isNew: createDedup(),
    onEvent: (one) => got.push(one),
    onUp: () => seen.push('up'),
    onDown: (why, refused) => seen.push(`${why}${refused ? ' (refused)' : ''}`),
  });
  return { asked, slept, got, seen };
}

test('reads on from a little before the last event, and leaves out what it had', async () => {
  const [a, b, c] = [event(110), event(111, 'die'), event(112, 'destroy')];
  const { asked, got } = await play([[a, b], [a, b, c], []]);
  expect(got).toEqual([a, b, c]);
  expect(asked).toEqual([100n * S, 109n * S, 110n * S, 110n * S]);
});

test('events whose time stamps are not in order are not lost between two streams', async () => {
  const [late, early] = [event(111.0005), event(111.0001, 'die')];
  const { got } = await play([[late], [early, late]]);
  expect(got).toEqual([late, early]);
});

test('after the clock was set back it goes on from there', async () => {
  const { asked } = await play([[event(500), event(200)], []]);
  expect(asked.slice(1)).toEqual([198n * S, 198n * S]);
});

test('waits longer and longer while Docker is away, at most 10 s', async () => {
  const refused = Object.assign(new Error('nothing listens'), { code: 'ECONNREFUSED' });
  const { slept, seen } = await play(Array.from({ length: 10 }, () => refused));
  expect(slept).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  expect(seen[0]).toBe('nothing listens (refused)');
});

test('S4: streams that a proxy ends at once are opened again, without haste', async () => {
  const { slept, seen } = await play(Array.from({ length: 8 }, (_, i) => [event(110 + i)]));
  expect(slept).toEqual([100, 200, 400, 500, 500, 500, 500, 500]);
  expect(seen.filter((one) => one === 'up')).toHaveLength(8);
});

test('remembers enough and not more', () => {
  const isNew = createDedup();
  for (let i = 0; i < 5000; i++) expect(isNew(event(i))).toBe(true);
  expect(isNew(event(4999))).toBe(false);
  expect(isNew(event(4900))).toBe(false);
  expect(isNew(event(1))).toBe(true);
});
