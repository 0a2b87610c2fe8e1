// Random lives; `VPSMON_LIVES=10000 npx vitest run --project fast test/containers/lives.test.ts` for more of them.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { live } from './lives.ts';

const LIVES = Number(process.env['VPSMON_LIVES'] ?? 200);
const FIRST = Number(process.env['VPSMON_LIFE'] ?? 1);
const BATCH = 50;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

// A closed database is given back when its statements are collected, and V8 does not see how large it is: 10,000 lives took 7 GB.
afterEach(async () => {
  collect();
  await setImmediate();
});

for (let from = FIRST; from < FIRST + LIVES; from += BATCH)
  test(`no message states what is not so: lives ${from} to ${from + BATCH - 1}`, { timeout: 600_000 }, () => {
    for (let seed = from; seed < Math.min(from + BATCH, FIRST + LIVES); seed++) {
      const { wrong, diary } = live(seed);
      expect(wrong.join('\n'), `life ${seed}:\n${diary.join('\n')}`).toBe('');
    }
  });
