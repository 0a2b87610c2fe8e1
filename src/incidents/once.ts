import type { Finding } from '../model/finding.ts';
import { wasSentOnce } from '../store/incidents.ts';
import type { Db } from '../store/db.ts';

const MOST_REMEMBERED = 10_000;

/** Which events were sent, for ever: in memory, and in the store for what came before. */
export function openOnce(db: Db) {
  const sent = new Set<string>();

  function has(id: string): boolean {
    if (sent.has(id)) return true;
    try {
      if (!wasSentOnce(db, id)) return false;
    } catch {
      return false; // Better twice than never.
    }
    if (sent.size >= MOST_REMEMBERED) sent.clear();
    sent.add(id);
    return true;
  }

  return {
    /** Leaves out events that were sent, and those that are twice in this batch. */
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
      for (const id of ids) sent.add(id);
    },
  };
}
