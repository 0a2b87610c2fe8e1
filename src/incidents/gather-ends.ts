import type { Incident } from '../model/incident.ts';
import { wasNotified } from './decide.ts';
import { append, type Gathered, type Verdict } from './drafts.ts';
import type { Policy } from './policy.ts';

/** Ends of what was sent together are one message, where they come within 10 s. */
export function gatherEnds(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  { drafts, quiet }: Gathered,
): void {
  const ended = new Map<string, Incident[]>();
  for (const { incident, reason } of verdicts) {
    if (reason !== 'resolved') continue;
    if (incident.groupId === undefined) drafts.push({ reason, incident, others: [] });
    else if (isSymptom(incident, all)) quiet.push({ incident, reason: 'folded' });
    else append(ended, `${incident.groupId} ${incident.rule}`, incident);
  }
  for (const members of ended.values()) {
    const { groupId, rule } = members[0]!;
    const stillOn = [...all.values()].some(
      (other) =>
        other.groupId === groupId && other.rule === rule && other.state === 'firing' && wasNotified(other),
    );
    const waitedEnough = members.some(({ said }) => said.endDue !== undefined && now >= said.endDue);
    if (stillOn && !waitedEnough) {
      for (const incident of members) {
        const endDue = incident.said.endDue ?? now + policy.groupMs;
        quiet.push({ incident: { ...incident, said: { ...incident.said, endDue } }, reason: 'folded' });
      }
      continue;
    }
    const [incident, ...others] = members.toSorted(
      (a, b) => Number(b.id === groupId) - Number(a.id === groupId),
    );
    drafts.push({ reason: 'resolved', incident: incident!, others });
  }
}

/** Sent only with the incident that caused it, of which the end is or was sent. */
function isSymptom(incident: Incident, all: ReadonlyMap<number, Incident>): boolean {
  const leader = all.get(incident.groupId!);
  return leader !== undefined && leader.rule !== incident.rule && !leader.event && incident.said.count === 0;
}
