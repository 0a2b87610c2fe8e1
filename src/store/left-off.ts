import { leftOffBy, type LeftOff } from '../model/left-off.ts';
import { allActionsToUndo } from './actions.ts';
import { readCopy } from './actions-copy.ts';
import { lookOr } from './look.ts';
import type { Db } from './db.ts';

/** What recovery has left off, as its records say. */
export function leftOffIn(db: Db): LeftOff[] {
  return leftOffBy(allActionsToUndo(db));
}

/**
 * The same without opening the store: for commands that only look. The copy beside the database serves where the database is damaged
 * or has no table of actions. Throws where neither can be read.
 */
export function lookAtLeftOff(stateDir: string): LeftOff[] {
  return lookOr(stateDir, undefined, leftOffIn) ?? leftOffBy(readCopy(stateDir) ?? []);
}

/** For the monitor, in whose process recovery does not run. Nothing where the records cannot be read. */
export function whatIsLeftOff(db: Db): { leftOff?: readonly LeftOff[] } {
  try {
    return { leftOff: leftOffIn(db) };
  } catch {
    return {};
  }
}
