import type { ContainerFact } from '../model/container-fact.ts';
import { findingsOf } from '../model/fact-rules.ts';
import type { Incident } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import { errorText } from '../model/text.ts';
import { endedIncidents, openIncidents } from '../store/incidents.ts';
import { recall, remember as rememberValue } from '../store/memory.ts';
import type { Db } from '../store/db.ts';
import { EpochMs } from '../model/shapes.ts';
import { createMemory, remember, type Memory } from './memory.ts';
import { shift } from './move-times.ts';

type Log = { warn(text: string): void };
type Describe = (fact: ContainerFact, ended: boolean) => { text: string; details?: string[] };

/** What was open when the program ended goes on; what ended shortly before counts for flapping, groups and limits. */
export function load(db: Db, keepMs: number, log: Log, now: number, describe?: Describe): Memory {
  const memory = createMemory();
  try {
    for (const saved of [...endedIncidents(db, now - keepMs), ...openIncidents(db)]) {
      const incident = withoutStrangeFacts(saved, describe);
      // Saved with a clock that was ahead of today's.
      const ahead = incident.lastSeenAt - now;
      const moved = ahead > 0 ? shift(incident, -ahead) : incident;
      // Nobody saw whether it was quiet while no monitor ran.
      const waits = moved.state === 'firing' && ruleInfo(moved.rule)?.quietMs !== undefined;
      remember(memory, waits ? { ...moved, lastSeenAt: now } : moved);
    }
  } catch (error) {
    log.warn(`Open incidents cannot be read: ${errorText(error)}`);
  }
  return memory;
}

/** A fact of a later version, or a damaged one, is left out: the texts that were saved with it remain. */
function withoutStrangeFacts(incident: Incident, describe: Describe = () => ({ text: '' })): Incident {
  const isStrange = (fact: ContainerFact | undefined): boolean => {
    if (fact === undefined) return false;
    try {
      findingsOf(fact, (one) => describe(one, false));
      return false;
    } catch {
      return true;
    }
  };
  const { fact, endFact, ...rest } = incident;
  if (isStrange(fact) || isStrange(endFact)) return rest;
  return incident;
}

const FIRST_START = 'history-start';

/** Epoch ms of the very first start with this database: now, where it is this one. */
export function firstStart(db: Db, log: Log, now: number): number {
  try {
    const known = recall(db, FIRST_START, EpochMs);
    // One in the future was written while the clock was ahead: what happens until then would count as history.
    if (known !== undefined && known <= now) return known;
    rememberValue(db, FIRST_START, now, now);
  } catch (error) {
    log.warn(`The first start cannot be remembered: ${errorText(error)}`);
  }
  return now;
}

/** The clock was set by `byMs`: the first start moves with it. One that was too late is corrected on the disk, too. */
export function moveFirstStart(db: Db, first: number, byMs: number): number {
  const moved = first + byMs;
  try {
    const known = recall(db, FIRST_START, EpochMs);
    if (known !== undefined && moved >= 0 && known > moved) rememberValue(db, FIRST_START, moved, moved);
  } catch {
    // The next start reads one in the future, and corrects it.
  }
  return moved;
}
