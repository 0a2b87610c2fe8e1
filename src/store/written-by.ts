import * as v from 'valibot';
import { isLaterVersion } from '../model/version.ts';
import type { Db } from './db.ts';
import { recall, remember } from './memory.ts';

const KEY = 'written-by';

/** The version of vpsmon that worked with this state folder last, where it is later than `version`. */
export function laterWriter(db: Db, version: string): string | undefined {
  const last = recall(db, KEY, v.string());
  return last !== undefined && isLaterVersion(last, version) ? last : undefined;
}

/** Keeps that `version` works with the folder now, so that an older one, put over it, can say so. */
export function recordWriter(db: Db, version: string, now: number): void {
  if (recall(db, KEY, v.string()) !== version) remember(db, KEY, version, now);
}

/** What an older version says over the state folder of a later one. */
export function downgradeText(stateDir: string, later: string, version: string): string {
  return `The state folder ${stateDir} was used by vpsmon ${later}; this is the older ${version}. What only ${later} knows in it is left alone, and settings that it added count as unknown`;
}
