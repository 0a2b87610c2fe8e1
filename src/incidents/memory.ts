import type { Incident, IncidentChange } from '../model/incident.ts';
import { keyOf } from './advance.ts';
import { shift } from './move-times.ts';

/** What the pipeline keeps in memory: open incidents, and those that ended lately. */
export type Memory = {
  /** Pending and firing, by rule and subject. */
  open: Map<string, Incident>;
  /** The last one that ended, by rule and subject. */
  ended: Map<string, Incident>;
  /** Fired and lately ended, by id. */
  byId: Map<number, Incident>;
};

export function createMemory(): Memory {
  return { open: new Map(), ended: new Map(), byId: new Map() };
}

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
export function shiftAll(memory: Memory, byMs: number): void {
  for (const map of [memory.open, memory.ended]) {
    for (const [key, incident] of map) map.set(key, shift(incident, byMs));
  }
  for (const [id, incident] of memory.byId) {
    const key = keyOf(incident);
    const known = [memory.open.get(key), memory.ended.get(key)].find((one) => one?.id === id);
    memory.byId.set(id, known ?? shift(incident, byMs));
  }
}
