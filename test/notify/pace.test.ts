import { describe, expect, it } from 'vitest';
import { backoffMs, createPace } from '../../src/notify/pace.ts';
import { leapClock } from './support.ts';

describe('backoffMs', () => {
  it('doubles from one second to five minutes, with jitter', () => {
    const middle = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50].map((tries) => backoffMs(tries, 0.5));
    expect(middle).toEqual([
      1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000,
    ]);
    for (let tries = 0; tries < 40; tries++) {
      for (const random of [0, 0.25, 0.999]) {
        expect(backoffMs(tries, random)).toBeGreaterThanOrEqual(1000);
        expect(backoffMs(tries, random)).toBeLessThanOrEqual(300_000);
      }
    }
    expect(backoffMs(6, 0)).not.toBe(backoffMs(6, 0.9));
  });
});

describe('pace', () => {
  it('lets 18 go in any minute, one a second', () => {
    const clock = leapClock();
    const pace = createPace(clock);
    const at: number[] = [];
    for (let i = 0; i < 60; i++) {
      clock.pass(pace.waitMs('-1'));
      at.push(clock.monotonic());
      pace.count('-1');
    }
    for (let i = 1; i < at.length; i++)
      expect((at[i] as number) - (at[i - 1] as number)).toBeGreaterThan(998);
    for (let i = 18; i < at.length; i++)
      expect((at[i] as number) - (at[i - 18] as number)).toBeGreaterThan(59_998);
  });

  it('counts for each chat by itself', () => {
    const clock = leapClock();
    const pace = createPace(clock);
    for (let i = 0; i < 18; i++) pace.count('-1');
    expect(pace.waitMs('-1')).toBeGreaterThan(59_000);
    expect(pace.waitMs('-2')).toBe(0);
    const next = createPace(clock);
    next.load(pace.save());
    expect(next.waitMs('-1')).toBeGreaterThan(59_000);
    expect(next.waitMs('-2')).toBe(0);
  });

  it('lets more go to a private chat, one a second, where a minute has no limit', () => {
    const clock = leapClock();
    const pace = createPace(clock);
    for (let i = 0; i < 40; i++) {
      clock.pass(pace.waitMs('7100000777'));
      pace.count('7100000777');
    }
    expect(pace.waitMs('7100000777', 'answer')).toBeLessThanOrEqual(1000);
    expect(pace.waitMs('7100000777', 'edit')).toBeGreaterThan(10_000);
  });

  it('is handed over to the next process, and a clock that jumped does no harm', () => {
    const clock = leapClock();
    const first = createPace(clock);
    for (let i = 0; i < 18; i++) first.count('-1');
    const second = createPace(clock);
    second.load(first.save());
    expect(second.waitMs('-1')).toBeGreaterThan(59_000);
    clock.jump(-3_600_000);
    const third = createPace(clock);
    third.load(first.save().map(([at, chat]) => [at + 3_600_000, chat]));
    expect(third.waitMs('-1')).toBeLessThanOrEqual(60_000);
    const fourth = createPace(clock);
    fourth.load(first.save().map(([at, chat]) => [at - 7_200_000, chat]));
    expect(fourth.waitMs('-1')).toBe(0);
  });

  it('does not count twice what it handed over itself, when the system clock was set in between', () => {
    const clock = leapClock();
    const pace = createPace(clock);
    for (let i = 0; i < 10; i++) pace.count('-1');
    const saved = pace.save();
    clock.pass(2000);
    clock.jump(-1500);
    pace.load(structuredClone(saved));
    expect(pace.waitMs('-1')).toBe(0);
    // What another process sent since is taken over all the same.
    pace.load([...saved, ...Array.from({ length: 18 }, () => [clock.now(), '-1'] as const)]);
    expect(pace.waitMs('-1')).toBeGreaterThan(55_000);
  });

  it('R1: what was sent ten years ahead is not believed, however often it is read', () => {
    const clock = leapClock();
    const pace = createPace(clock);
    const ahead = Array.from({ length: 18 }, () => [clock.now() + 3650 * 86_400_000, '-1'] as const);
    pace.load(ahead);
    expect(pace.waitMs('-1')).toBe(0);
    // A clock that was set back a little: full, but only until it is as late again.
    const little = Array.from({ length: 18 }, () => [clock.now() + 30_000, '-1'] as const);
    pace.load(little);
    expect(pace.waitMs('-1')).toBeGreaterThan(50_000);
    for (let passed = 0; passed < 100_000; passed += 10_000) {
      clock.pass(10_000);
      pace.load(little);
    }
    expect(pace.waitMs('-1')).toBe(0);
  });
});
