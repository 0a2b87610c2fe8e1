// When memory is so short that a container has to be stopped: a pure function of memory, swap and pressure at one moment.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryNow, shortageOf, shrinkPerMinute, type MemoryNow } from '../../src/recovery/shortage.ts';
import { testConfig } from '../helpers/recovery-deps.ts';

const MB = 1_048_576;
const { settings } = testConfig();
/** A 1 GiB server with 1 GiB of swap, all of it used, as it was seen just before it stood still. */
const FULL: MemoryNow = {
  totalBytes: 972 * MB,
  availableBytes: 105 * MB,
  swapTotalBytes: 1024 * MB,
  swapUsedBytes: 1023 * MB,
  swapInKBps: 428,
  swapOutKBps: 900,
  score: 72,
};
const judge = (now: Partial<MemoryNow> = {}, again = false) => {
  const shortage = shortageOf({ ...FULL, ...now }, settings, again);
  return shortage && (shortage.harmless ?? 'harm');
};

describe('a swap that is nearly full', () => {
  it('U1: is harm while processes wait for memory, although more than the low limit is available', () => {
    expect(shortageOf(FULL, settings)).toEqual({
      found: '105 MB of memory and 1 MB of swap are left, and memory pressure is 72 of 100',
      why: '105 MB of memory and 1 MB of swap are left, and memory pressure is 72 of 100',
    });
    expect(judge({ availableBytes: 97 * MB, swapUsedBytes: 930 * MB, score: 20 })).toBe('harm');
  });

  it('is left alone while nobody waits: what is in it may be needed by nobody', () => {
    expect(judge({ score: 0, swapOutKBps: 0 })).toBe('memory pressure is 0 of 100');
    expect(judge({ score: 19, swapOutKBps: 4000 })).toBe('memory pressure is 19 of 100');
  });

  it('takes more pressure where memory is available: a container may wait for more than its own limit', () => {
    expect(judge({ availableBytes: 130 * MB, score: 59 })).toBe('memory pressure is 59 of 100');
    expect(judge({ availableBytes: 130 * MB, score: 60 })).toBe('harm');
    const large = { totalBytes: 16_000 * MB, swapTotalBytes: 4096 * MB, swapUsedBytes: 4000 * MB, score: 20 };
    expect(judge({ ...large, availableBytes: 1500 * MB })).toBe('harm');
    expect(judge({ ...large, availableBytes: 1600 * MB })).toBe('memory pressure is 20 of 100');
  });

  it('is over only at the next easier level, for the kernel frees in bursts', () => {
    for (const now of [
      { availableBytes: 99 * MB, score: 2 },
      { score: 10 },
      { availableBytes: 900 * MB, score: 30 },
    ])
      expect([judge(now), judge(now, true)]).toEqual([expect.stringContaining('pressure'), 'harm']);
    for (const now of [{ score: 9 }, { availableBytes: 900 * MB, score: 29 }])
      expect(judge(now, true)).not.toBe('harm');
  });

  it('is harm at the low limit of available memory, but where nobody waits at all and it does not shrink', () => {
    expect(judge({ availableBytes: 49 * MB, score: 1 })).toBe('harm');
    expect(judge({ availableBytes: 49 * MB, score: undefined, swapInKBps: 0, swapOutKBps: 0 })).toBe('harm');
    expect(judge({ availableBytes: 49 * MB, score: 0, shrinksBy: MB })).toBe('harm');
    expect(judge({ availableBytes: 49 * MB, score: 0 })).toBe('memory pressure is 0 of 100');
    expect(judge({ availableBytes: 49 * MB, score: 0, shrinksBy: MB / 2 })).toBe(
      'memory pressure is 0 of 100',
    );
    expect(judge({ availableBytes: 50 * MB, score: 1 })).not.toBe('harm');
  });

  it('where the kernel does not tell who waits, is harm while pages go to and fro', () => {
    expect(judge({ score: undefined })).toBe('harm');
    expect(judge({ score: undefined, swapOutKBps: 100 })).toBe('528 KB/s go to and from swap');
  });

  it('is nearly full with less than a tenth left', () => {
    expect(judge({ swapUsedBytes: 921 * MB })).toBeUndefined();
    expect(judge({ swapUsedBytes: 922 * MB })).toBe('harm');
  });
});

describe('memory and swap that run out', () => {
  const shrinks = (perMinute: number, now: Partial<MemoryNow> = {}, again = false) =>
    judge(
      { score: 0, availableBytes: 70 * MB, swapUsedBytes: 944 * MB, shrinksBy: perMinute * MB, ...now },
      again,
    );

  it('U1: is harm when they are used up within five minutes, but for what a server stands still without', () => {
    // 80 MB of swap and 20 MB of memory, of which recovery takes 64 MB.
    expect(shrinks(8)).toBe('harm');
    expect(shrinks(7)).toBe('memory pressure is 0 of 100');
    expect(shrinks(25, { swapUsedBytes: 824 * MB })).toBe(
      'they shrink by 25 MB a minute, and last for 9 minutes',
    );
    expect(shrinks(32, { swapUsedBytes: 824 * MB })).toBe('harm');
    expect(shrinks(20, { score: undefined, swapInKBps: 0, swapOutKBps: 0 })).toBe('harm');
  });

  it('is over, a moment later, when they do not shrink any more, or last for ten', () => {
    expect([shrinks(10, {}, true), shrinks(0, {}, true)]).toEqual(['harm', 'memory pressure is 0 of 100']);
    expect([8, 7].map((rate) => shrinks(rate, { availableBytes: 110 * MB }, true))).toEqual([
      'harm',
      'memory pressure is 0 of 100',
    ]);
  });

  it('is none with memory or swap to spare, without swap, and where nothing shrinks or that is not known', () => {
    expect(shrinks(200, { availableBytes: 200 * MB })).not.toBe('harm');
    expect(shrinks(200, { swapUsedBytes: 800 * MB })).toBe(
      'they shrink by 200 MB a minute, and last for 1 minutes',
    );
    expect(shrinks(200, { swapTotalBytes: 0, swapUsedBytes: 0 })).toBeUndefined();
    expect(shrinks(4, { swapUsedBytes: 1024 * MB, availableBytes: 51 * MB })).not.toBe('harm');
    expect(shrinks(-200)).not.toBe('harm');
    expect(judge({ score: 0, availableBytes: 70 * MB })).not.toBe('harm');
  });

  it('is read from the minutes of the flight recorder, those without a value left out; not where swap is plenty', () => {
    const at = 1_700_000_000_000;
    const recent = Array.from({ length: 120 }, (_, i) => ({
      at: at - (120 - i) * 5000,
      ...(i % 5 === 0 ? {} : { availableBytes: (100 - i / 4) * MB, swapUsedBytes: (800 + i) * MB }),
      containers: [],
    }));
    expect(shrinkPerMinute(recent)).toBeCloseTo(14.4 * MB, -6);
    expect(shrinkPerMinute([])).toBeUndefined();
    const memory = { totalBytes: 972 * MB, availableBytes: 70 * MB };
    const swap = { totalBytes: 1024 * MB, usedBytes: 920 * MB };
    expect(memoryNow({ memory, swap }, 0, () => 14 * MB).shrinksBy).toBe(14 * MB);
    const plenty = { memory, swap: { totalBytes: 4096 * MB, usedBytes: 920 * MB } };
    expect(memoryNow(plenty, 0, () => expect.fail('it need not be read')).shrinksBy).toBeUndefined();
  });
});

describe('what is read back from swap', () => {
  const some = { swapUsedBytes: 500 * MB, swapInKBps: 8000 };
  it('H4: is harm while processes wait for memory, or where that is not known, with little memory available', () => {
    expect(judge({ ...some, score: 60 })).toBe('harm');
    expect(judge({ ...some, score: 59 })).toBe('memory pressure is 59 of 100');
    expect(judge({ ...some, score: undefined, availableBytes: 100 * MB })).toBe('harm');
    expect(judge({ ...some, score: undefined, availableBytes: 101 * MB })).toBe(
      '101 MB of memory are available',
    );
    expect(judge({ ...some, swapInKBps: 5000 })).toBeUndefined();
  });

  it('one that does harm is named, beside a full swap that does none', () => {
    const found = shortageOf(
      { ...FULL, score: undefined, swapInKBps: 8000, availableBytes: 90 * MB },
      { ...settings, SWAP_IN_WARNING_KBPS: 20_000 },
    );
    expect(found).toEqual({
      found: 'swap-in 8,000 KB/s, above 5,000',
      why: 'the server reads 8,000 KB/s back from swap, more than 5,000',
    });
  });
});

describe('for every state of memory', () => {
  const mb = fc.integer({ min: 0, max: 64_000 });
  const states = fc
    .record({
      available: mb,
      total: fc.oneof(fc.constant(0), mb),
      used: fc.double({ min: 0, max: 1, noNaN: true }),
      swapInKBps: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
      swapOutKBps: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
      score: fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined }),
      shrinksBy: fc.option(fc.integer({ min: -2000 * MB, max: 2000 * MB }), { nil: undefined }),
    })
    .map(({ available, total, used, ...rest }): MemoryNow => ({
      ...rest,
      totalBytes: 64_000 * MB,
      availableBytes: available * MB,
      swapTotalBytes: total * MB,
      swapUsedBytes: Math.round(total * MB * used),
    }));
  const isHarm = (now: MemoryNow) => {
    const shortage = shortageOf(now, settings);
    return shortage !== undefined && shortage.harmless === undefined;
  };

  it('nothing is stopped without swap, without pressure or shrinking where that is known, or with both memory and swap to spare', () => {
    fc.assert(
      fc.property(states, (now) => {
        if (now.swapTotalBytes === 0) return !isHarm(now);
        const low = now.availableBytes < settings.MEMORY_CRITICAL_MB * MB;
        const shrinks = (now.shrinksBy ?? 0) > 0;
        if (now.score !== undefined && now.score < settings.MEMORY_PRESSURE_WARNING / 3 && !low && !shrinks)
          return !isHarm(now);
        const swapLeft = now.swapTotalBytes - now.swapUsedBytes > now.swapTotalBytes / (shrinks ? 5 : 10);
        return !(swapLeft && (now.swapInKBps ?? 0) <= settings.SWAP_IN_CRITICAL_KBPS && isHarm(now));
      }),
      { seed: 12, numRuns: 5000 },
    );
  });

  it('what is harm stays so when it gets worse', () => {
    const worse = fc.record({
      available: fc.integer({ min: 0, max: 500 }),
      used: fc.integer({ min: 0, max: 500 }),
      rate: fc.integer({ min: 0, max: 9000 }),
      score: fc.integer({ min: 0, max: 60 }),
    });
    fc.assert(
      fc.property(states, worse, (now, by) => {
        if (!isHarm(now)) return true;
        return isHarm({
          totalBytes: now.totalBytes,
          availableBytes: Math.max(0, now.availableBytes - by.available * MB),
          swapTotalBytes: now.swapTotalBytes,
          swapUsedBytes: Math.min(now.swapTotalBytes, now.swapUsedBytes + by.used * MB),
          swapInKBps: (now.swapInKBps ?? 0) + by.rate,
          swapOutKBps: (now.swapOutKBps ?? 0) + by.rate,
          score: now.score === undefined ? undefined : Math.min(100, now.score + by.score),
          shrinksBy: now.shrinksBy === undefined ? undefined : now.shrinksBy + by.used * MB,
        });
      }),
      { seed: 12, numRuns: 5000 },
    );
  });
});
