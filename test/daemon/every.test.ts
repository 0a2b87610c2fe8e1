import { expect, test } from 'vitest';
import { everyFewHours } from '../../src/daemon/every.ts';
import { openStore } from '../../src/store/open.ts';
import type { Clock } from '../../src/system/types.ts';

const HOUR = 3_600_000;
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** Runs on a clock that only sleeping moves, until `until`; returns when reports were sent, in hours. */
async function run(hours: number, from: number, until: number, db = openStore('/dev/null/nowhere', 0).db) {
  let now = from * HOUR;
  const stop = new AbortController();
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    async sleep(ms) {
      now += ms;
      if (now >= until * HOUR) stop.abort();
    },
  };
  const sent: number[] = [];
  await everyFewHours(hours, { db, clock, log, signal: stop.signal, send: (at) => sent.push(at / HOUR) });
  return { sent, db };
}

test('every six hours, counted on over a restart of the monitor', async () => {
  const { sent, db } = await run(6, 100, 115);
  expect(sent).toEqual([106, 112]);
  expect((await run(6, 115, 130, db)).sent).toEqual([118, 124]);
});

test('after a long absence the first one comes an interval later', async () => {
  const { db } = await run(6, 100, 107);
  expect((await run(6, 300, 310, db)).sent).toEqual([306]);
});

test('0 switches it off', async () => {
  expect((await run(0, 0, 100)).sent).toEqual([]);
});
