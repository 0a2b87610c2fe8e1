import type { N8nFailures } from '../model/snapshot.ts';

/** A finished execution. */
export type Finished = { workflow: string; failed: boolean; at: number };

/** More workflows than this are not named. */
const MOST_STREAKS = 50;

/**
 * How many of the last minutes failed, and how many in a row of each workflow, since its last success however long ago. Those that have
 * failed and then succeeded have 0 in a row. Pure; order does not matter.
 */
export function failuresOf(finished: readonly Finished[], windowMin: number, now: number): N8nFailures {
  const lastSuccess = new Map<string, number>();
  for (const { workflow, failed, at } of finished)
    if (!failed) lastSuccess.set(workflow, Math.max(at, lastSuccess.get(workflow) ?? 0));
  const streaks = new Map<string, { workflow: string; count: number; since: number }>();
  for (const { workflow, failed, at } of finished) {
    if (!failed) continue;
    const { count, since } = streaks.get(workflow) ?? { count: 0, since: now };
    const over = at <= (lastSuccess.get(workflow) ?? 0);
    streaks.set(workflow, {
      workflow,
      count: over ? count : count + 1,
      since: over ? since : Math.min(since, at),
    });
  }
  const lately = finished.filter(({ at }) => at > now - windowMin * 60_000);
  return {
    windowMin,
    finished: lately.length,
    failed: lately.filter(({ failed }) => failed).length,
    streaks: [...streaks.values()]
      .map((streak) => (streak.count === 0 ? { ...streak, since: 0 } : streak))
      .toSorted((a, b) => b.count - a.count)
      .slice(0, MOST_STREAKS),
  };
}
