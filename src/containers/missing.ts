// A name in MONITORED_SERVICES that no container bears.
import { namesContainer } from '../config/schema.ts';
import { begins, isOver } from './emit.ts';
import { conditionOf } from './table.ts';
import type { State, Turn } from './types.ts';

/** The key of its condition: names in settings may be Compose services, so they are apart from containers. */
export function missingKey(name: string): string {
  return `missing:${name}`;
}

/** Reports every wanted name that no container bears, and those that one bears again. `reported`: another message has it. */
export function reportMissing(turn: Turn, options: { reported: boolean }): string[] {
  const { state, now } = turn;
  const newly: string[] = [];
  for (const name of state.rules.wanted) {
    const key = missingKey(name);
    const exists = isThere(state, name);
    if (exists) isOver(turn, key, 'missing', 'exists', now.wall);
    if (exists || conditionOf(state, key, 'missing')) continue;
    newly.push(name);
    const fact = { kind: 'missing', name, at: now.wall } as const;
    begins(turn, key, 'missing', options.reported ? { ...fact, reported: true } : fact);
  }
  return newly;
}

function isThere(state: State, name: string): boolean {
  for (const known of state.known.values()) if (namesContainer(name, known.info)) return true;
  return false;
}
