import type { N8nFailures } from '../model/snapshot.ts';

/** A finished execution of the last hour. */
export type Finished = { workflow: string; failed: boolean; at: number };

/** More workflows than this are not told of. */
const MOST_STREAKS = 20;

/** How many failed, and how many in a row of each workflow: since its last success. Pure; order does not matter. */
export function failuresOf(finished: readonly Finished[], windowMin: number): N8nFailures {
  const lastSuccess = new Map<string, number>();
  for (const { workflow, failed, at } of finished)
    if (!failed) lastSuccess.set(workflow, Math.max(at, lastSuccess.get(workflow) ?? 0));
  const streaks = new Map<string, { workflow: string; count: number; since: number }>();
  for (const { workflow, failed, at } of finished) {
    if (!failed || at <= (lastSuccess.get(workflow) ?? 0)) continue;
    const streak = streaks.get(workflow) ?? { workflow, count: 0, since: at };
    streaks.set(workflow, { workflow, count: streak.count + 1, since: Math.min(streak.since, at) });
  }
  return {
    windowMin,
    finished: finished.length,
    failed: finished.filter(({ failed }) => failed).length,
    streaks: [...streaks.values()].toSorted((a, b) => b.count - a.count).slice(0, MOST_STREAKS),
  };
}
