import type { Past } from '../rules/types.ts';
import type { Db } from '../store/db.ts';
import { leftOffIn } from '../store/left-off.ts';

/** Recovery runs in processes of its own: what they left off stands in the database. Nothing where that cannot be read. */
export function whatIsLeftOff(db: Db): Pick<Past, 'leftOff'> {
  try {
    return { leftOff: leftOffIn(db) };
  } catch {
    return {};
  }
}
