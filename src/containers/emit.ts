// Hands facts on, and keeps the conditions that they begin and end.
import type { Because, Condition, FactKind, FactOf, Holding, Seen } from '../model/container-fact.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { current, hold, release, seriesOf } from './table.ts';
import type { Turn } from './types.ts';

const MAY_BE_JOBS: readonly FactKind[] = ['stopped', 'started', 'redeployed', 'restarted', 'renamed'];

/** Hands on one fact about the service of this key. */
export function emit<K extends FactKind>(turn: Turn, key: string, fact: FactOf<K>): void {
  const job = MAY_BE_JOBS.includes(fact.kind) && isJob(turn, key, fact);
  turn.out.touched.add(key);
  turn.out.facts.push((job ? { ...fact, job } : fact) as FactOf<never>);
}

/** Nobody asked for it to be watched, and nothing starts it again. */
function isJob({ state }: Turn, key: string, about: { name: string; service?: string }): boolean {
  if (state.rules.of(about).named) return false;
  const policy = current(state, key)?.info.restartPolicy ?? 'no';
  return policy === 'no' || policy === 'on-failure';
}

/** Whom a fact is about. */
export function about({ name, service }: { name: string; service?: string }): {
  name: string;
  service?: string;
} {
  return service === undefined ? { name } : { name, service };
}

export function seen({ id, state, health, restartCount }: ContainerInfo): Seen {
  return { id, state, health, restartCount };
}

/** A fact with which a condition begins. */
export function begins<K extends FactKind>(
  turn: Turn,
  key: string,
  condition: Condition,
  fact: FactOf<K>,
  how?: Holding['how'],
): void {
  hold(turn, key, condition, { ...about(fact), since: fact.at, ...(how ? { how } : {}) });
  emit(turn, key, fact);
}

/**
 * Ends a condition for the fact that the caller emits, under the name that the container has now: Swarm gives each task another one.
 * Undefined where it does not hold.
 */
export function ends(
  turn: Turn,
  key: string,
  condition: Condition,
  now: { name: string; service?: string; at: number },
): Holding | undefined {
  const holding = release(turn, key, condition);
  if (holding) called(turn, key, holding.name, now);
  return holding;
}

/** What is open under a name goes on under another one. */
export function called(
  turn: Turn,
  key: string,
  was: string,
  now: { name: string; service?: string; at: number },
): void {
  if (was !== now.name) emit(turn, key, { kind: 'called', ...about(now), at: now.at, was });
}

/** A condition is over, and another fact is the news about it; nothing where it does not hold. */
export function isOver(turn: Turn, key: string, condition: Condition, because: Because, at: number): void {
  const holding = release(turn, key, condition);
  if (holding) emit(turn, key, { kind: 'over', ...about(holding), at, condition, because });
}

/** Nothing about it holds any more. True where something did. */
export function isGone(turn: Turn, key: string, because: Because | undefined, at: number): boolean {
  const all = [release(turn, key, 'stopped'), release(turn, key, 'unhealthy')];
  const series = seriesOf(turn.state, key, turn.now);
  const tally = turn.state.tallies.get(key);
  if (tally) delete tally.series;
  const subjects = new Map<string, { name: string; service?: string }>();
  for (const one of [...all, series]) if (one) subjects.set(one.name, about(one));
  for (const subject of subjects.values()) {
    if (because === undefined) emit(turn, key, { kind: 'removed', ...subject, at });
    else emit(turn, key, { kind: 'gone', ...subject, at, because });
  }
  return subjects.size > 0;
}
