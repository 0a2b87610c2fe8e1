import type { Change } from '../model/change.ts';
import type { Incident, SayReason } from '../model/incident.ts';
import type { Reason } from './decide.ts';

/** An incident and what `decide` said about it. */
export type Verdict = { incident: Incident; reason: Reason };
/** One message to be: what it is about, and what it tells besides. */
export type Draft = {
  reason: SayReason;
  incident: Incident;
  others: Incident[];
  /** The same happened to all of them: each is a line of a list. */
  list?: Change;
  /** Jobs like it come often: further ones are not sent until it has been calm. */
  often?: true;
  /** What waited and is not true any more: it is told along as what came before. */
  before?: Incident[];
};
export type Gathered = {
  drafts: Draft[];
  /** Not told by themselves: their groups and times noted, to be saved. */
  quiet: Verdict[];
};

/** What is noted on an incident that another one's message told. */
export function toldWith({ said, severity }: Incident, leaderId: number, now: number): Incident['said'] {
  const { waits: _, ...rest } = said;
  return { ...rest, withId: leaderId, firstAt: said.firstAt ?? now, lastAt: now, since: now, severity };
}

/** Adds to the list of a key. */
export function append<K>(map: Map<K, Incident[]>, key: K, incident: Incident): void {
  const list = map.get(key);
  if (list) list.push(incident);
  else map.set(key, [incident]);
}
