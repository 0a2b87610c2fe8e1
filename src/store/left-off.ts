import { leftOffBy, type LeftOff } from '../model/left-off.ts';
import { allActionsToUndo } from './actions.ts';
import { readCopy } from './actions-copy.ts';
import { openToLook } from './look.ts';
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
  const look = openToLook(stateDir);
  if (!('db' in look)) return leftOffBy(readCopy(stateDir) ?? []);
  try {
    return leftOffIn(look.db);
  } catch {
    return leftOffBy(readCopy(stateDir) ?? []);
  } finally {
    look.close();
  }
}
