import type { Change } from '../model/change.ts';
import type { Incident, NotifyReason } from '../model/incident.ts';
import type { Reason } from './decide.ts';

/** An incident and what `decide` said about it. */
export type Verdict = { incident: Incident; reason: Reason };
/** One message to be: what it is about, and what it has besides. */
export type Draft = {
  reason: NotifyReason;
  incident: Incident;
  others: Incident[];
  /** The same change of all of them: each is a line of a list. */
  list?: Change;
  /** Jobs like it come often: further ones are not sent until it has been calm. */
  often?: true;
  /** What waited and is not true any more: it is added as what came before. */
  before?: Incident[];
};
export type Gathered = {
  drafts: Draft[];
  /** Not sent by themselves: their groups and times are set, to be saved. */
  quiet: Verdict[];
};

/** What is kept on an incident that was sent in another one's message. */
export function notifiedWith({ said, severity }: Incident, leaderId: number, now: number): Incident['said'] {
  const { waits: _, ...rest } = said;
  return { ...rest, withId: leaderId, firstAt: said.firstAt ?? now, lastAt: now, since: now, severity };
}

/** Adds to the list of a key. */
export function append<K>(map: Map<K, Incident[]>, key: K, incident: Incident): void {
  const list = map.get(key);
  if (list) list.push(incident);
  else map.set(key, [incident]);
}
