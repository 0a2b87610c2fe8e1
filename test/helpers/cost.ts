import { expect } from 'vitest';

/** Processor time of this process that `work` takes, in ms: what else the machine does counts little. */
export function processorMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Least of so many runs of each size at first, and more of them where that is not enough. */
const RUNS = 3;
const MOST_RUNS = 30;
/** Four times the size takes 4 times as long for linear work, 16 times for quadratic. */
const MOST_RATIO = 10;

type Costs = { size: number; small: number; large: number; ratio: number };

/** A comparison of the least that each size took: another process only ever adds. */
function compare(run: (size: number) => void, size: number): Costs {
  let [small, large, ratio] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN];
  for (let n = 0; n < RUNS || (n < MOST_RUNS && !(ratio < MOST_RATIO)); n++) {
    small = Math.min(
      small,
      processorMs(() => run(size)),
    );
    large = Math.min(
      large,
      processorMs(() => run(4 * size)),
    );
    ratio = large / Math.max(small, 1);
  }
  return { size, small, large, ratio };
}

/**
 * Fails where four times the size takes more than ten times the processor time, and sixteen times the size again. Once is not enough: where
 * the smaller size just fits into the young generation of the heap, and the larger one is copied by each collection, linear work has been
 * seen to take 16 times as long on a busy machine. What is quadratic is so at each size.
 */
export function expectLinear(run: (size: number) => void, size: number, what = 'the work'): void {
  const first = compare(run, size);
  const { ratio, ...costs } = first.ratio < MOST_RATIO ? first : compare(run, 4 * size);
  expect(
    ratio,
    `${what}: ${costs.small} ms for ${costs.size}, ${costs.large} ms for ${4 * costs.size}`,
  ).toBeLessThan(MOST_RATIO);
}
