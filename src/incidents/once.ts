import type { Finding } from '../model/finding.ts';
import { wasToldOnce } from '../store/incidents.ts';
import type { Db } from '../store/db.ts';

const MOST_REMEMBERED = 10_000;

/** Which events were told, for ever: in memory, and in the store for what came before. */
export function openTold(db: Db) {
  const told = new Set<string>();

  function has(id: string): boolean {
    if (told.has(id)) return true;
    try {
      if (!wasToldOnce(db, id)) return false;
    } catch {
      return false; // Better twice than never.
    }
    if (told.size >= MOST_REMEMBERED) told.clear();
    told.add(id);
    return true;
  }

  return {
    /** Leaves out events that were told, and those that are twice in this batch. */
    without(findings: readonly Finding[]): Finding[] {
      const here = new Set<string>();
      return findings.filter(({ once }) => {
        if (once === undefined) return true;
        if (here.has(once) || has(once)) return false;
        here.add(once);
        return true;
      });
    },
    add(ids: readonly string[]): void {
      for (const id of ids) told.add(id);
    },
  };
}
