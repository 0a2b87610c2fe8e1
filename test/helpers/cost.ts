import { expect } from 'vitest';

/** Processor time of this process that `work` takes, in ms: what else the machine does counts little. */
export function processorMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Fails where four times the size takes more than ten times the processor time: it would be 4 times for linear work and 16 times
 * for quadratic. A comparison, so that it holds on any machine; the least of three runs each, for a collection of garbage or
 * another process may fall into one of them.
 */
export function expectLinear(run: (size: number) => void, size: number, what = 'the work'): void {
  const cost = (of: number) => Math.min(...[1, 2, 3].map(() => processorMs(() => run(of))));
  const small = cost(size);
  const large = cost(4 * size);
  expect(
    large / Math.max(small, 1),
    `${what}: ${small} ms for ${size}, ${large} ms for ${4 * size}`,
  ).toBeLessThan(10);
}
