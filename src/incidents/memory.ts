import type { ContainerFact, OpenCondition } from '../model/container-fact.ts';
import { findingsOf, conditionOfRule, howOf, stoppedOf } from '../model/fact-rules.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import { EpochMs } from '../model/shapes.ts';
import { errorText } from '../model/text.ts';
import type { Db } from '../store/db.ts';
import { endedIncidents, openIncidents } from '../store/incidents.ts';
import { recall, remember as rememberValue } from '../store/memory.ts';
import { keyOf } from './advance.ts';
import { isCalm, notCalmYet } from './observe.ts';
import type { Policy } from './policy.ts';
import { defined } from '../model/defined.ts';

/** What the pipeline keeps in memory: open incidents, and those that ended lately. */
export type Memory = {
  /** Pending and firing, by rule and subject. */
  open: Map<string, Incident>;
  /** The last one that ended, by rule and subject. */
  ended: Map<string, Incident>;
  /** Fired and lately ended, by id. */
  byId: Map<number, Incident>;
};

/** Puts an incident in its place, in its newest form. */
export function remember(memory: Memory, incident: Incident): void {
  const key = keyOf(incident);
  if (incident.id !== 0) memory.byId.set(incident.id, incident);
  if (incident.state !== 'resolved') {
    memory.open.set(key, incident);
    return;
  }
  const open = memory.open.get(key);
  if (open && (open.id === incident.id || open.id === 0)) memory.open.delete(key);
  const before = memory.ended.get(key);
  if (!before || before.id <= incident.id) memory.ended.set(key, incident);
}

/** Applies what `advance` found. */
export function apply(memory: Memory, { incident, kind, was }: IncidentChange): void {
  if (was !== undefined) memory.open.delete(was);
  if (kind === 'dropped') memory.open.delete(keyOf(incident));
  else remember(memory, incident);
}

/** Forgets what ended more than `keepMs` ago. */
export function forgetOld(memory: Memory, keepMs: number, now: number): void {
  for (const [id, incident] of memory.byId) {
    if (incident.state !== 'resolved') continue;
    if (now - (incident.resolvedAt ?? 0) < keepMs && now - (incident.flips.at(-1) ?? 0) < keepMs) continue;
    memory.byId.delete(id);
    const key = keyOf(incident);
    if (memory.ended.get(key)?.id === id) memory.ended.delete(key);
  }
}

/** After the clock was set. */
export function moveAllTimes(memory: Memory, byMs: number): void {
  for (const map of [memory.open, memory.ended]) {
    for (const [key, incident] of map) map.set(key, moveTimes(incident, byMs));
  }
  for (const [id, incident] of memory.byId) {
    const key = keyOf(incident);
    const known = [memory.open.get(key), memory.ended.get(key)].find((one) => one?.id === id);
    memory.byId.set(id, known ?? moveTimes(incident, byMs));
  }
}

type Log = { warn(text: string): void };

type Describe = (fact: ContainerFact, ended: boolean) => { text: string; details?: string[] };

/** What was open when the program ended goes on; what ended shortly before counts for flapping, groups and limits. */
export function load(db: Db, policy: Policy, log: Log, now: number, describe?: Describe): Memory {
  const memory: Memory = { open: new Map(), ended: new Map(), byId: new Map() };
  try {
    for (const saved of [...endedIncidents(db, now - policy.keepMs), ...openIncidents(db)]) {
      const incident = withoutStrangeFacts(saved, describe);
      // Saved with a clock that was ahead of today's.
      const ahead = incident.lastSeenAt - now;
      const moved = ahead > 0 ? moveTimes(incident, -ahead) : incident;
      // Nobody saw whether it was quiet while no monitor ran.
      const isOver = ruleInfo(moved.rule)?.quietMs !== undefined || isCalm(moved, policy, now);
      remember(memory, isOver ? notCalmYet(moved, now) : moved);
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

/**
 * Moves all times of an incident by `byMs`, after the clock was set: what began ten minutes ago still began ten minutes
 * ago, so that a corrected clock causes neither a repeat nor an early end.
 */
export function moveTimes(incident: Incident, byMs: number): Incident {
  const moved: Incident = {
    ...incident,
    openedAt: incident.openedAt + byMs,
    lastSeenAt: incident.lastSeenAt + byMs,
    flips: incident.flips.map((at) => at + byMs),
    notified: { ...incident.notified },
  };
  const { spells } = incident;
  if (spells) {
    const since = spells.since === undefined ? {} : { since: spells.since + byMs };
    moved.spells = { ...spells, from: spells.from + byMs, ...since };
  }
  for (const key of ['firedAt', 'resolvedAt', 'okSince', 'worseSince', 'missingSince'] as const) {
    const at = incident[key];
    if (at !== undefined) moved[key] = at + byMs;
  }
  if (incident.ack) moved.ack = { ...incident.ack, at: incident.ack.at + byMs };
  if (incident.fact) moved.fact = moveFact(incident.fact, byMs);
  if (incident.endFact) moved.endFact = moveFact(incident.endFact, byMs);
  for (const key of ['firstAt', 'lastAt', 'since', 'endDue'] as const) {
    const at = incident.notified[key];
    if (at !== undefined) moved.notified[key] = at + byMs;
  }
  return moved;
}

/** The same for what its message states. */
function moveFact(fact: ContainerFact, byMs: number): ContainerFact {
  const moved = { ...fact, at: fact.at + byMs };
  if (!('death' in moved)) return moved;
  const death = { ...moved.death, at: moved.death.at + byMs };
  for (const key of ['startedAt', 'createdAt'] as const) {
    const at = death[key];
    if (at !== undefined) death[key] = at + byMs;
  }
  return { ...moved, death };
}

/** The conditions of open incidents about containers, for a monitor that starts; those that come and go and are fine at the moment are left out. */
export function conditionsOf(open: readonly Incident[]): OpenCondition[] {
  return open.flatMap((incident): OpenCondition[] => {
    const { rule, subject: name, alias: service, state, event, okSince, spells, openedAt, fact } = incident;
    const condition = conditionOfRule(rule);
    if (!condition || event || state !== 'firing' || okSince !== undefined) return [];
    const since = spells?.since ?? openedAt;
    return [{ condition, name, since, ...defined({ service, how: howOf(fact), stopped: stoppedOf(fact) }) }];
  });
}
