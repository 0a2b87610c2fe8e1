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
const MOST_RUNS = 60;

/**
 * Fails where four times the size takes more than ten times the processor time: it would be 4 times for linear work and 16 times
 * for quadratic. A comparison of the least that each size took, so that it holds on any machine: a collection of garbage or another
 * process only ever adds, and what is quadratic stays so however often it runs.
 */
export function expectLinear(run: (size: number) => void, size: number, what = 'the work'): void {
  let [small, large] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const ratio = () => large / Math.max(small, 1);
  for (let n = 0; n < RUNS || (n < MOST_RUNS && !(ratio() < 10)); n++) {
    small = Math.min(
      small,
      processorMs(() => run(size)),
    );
    large = Math.min(
      large,
      processorMs(() => run(4 * size)),
    );
  }
  expect(ratio(), `${what}: ${small} ms for ${size}, ${large} ms for ${4 * size}`).toBeLessThan(10);
}
