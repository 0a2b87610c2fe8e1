import type { Finding } from '../model/finding.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';
import { addFlip, beginsToFlap, recentFlips } from './flapping.ts';
import { newIncident } from './observe.ts';
import type { Policy } from './policy.ts';
import { countAnother, goesOn } from './series.ts';

/** Something that happened and has no end. A storm of them becomes one incident that lasts until it is calm. */
export function addEvent(
  open: Incident | undefined,
  ended: Incident | undefined,
  finding: Finding,
  policy: Policy,
  now: number,
): IncidentChange {
  if (open) return countAnother(open, finding, policy, now);
  if (ended && goesOn(ended, finding, policy, now)) return countAnother(ended, finding, policy, now);
  const incident = newIncident(finding, now);
  incident.event = true;
  if (finding.was !== undefined) incident.was = finding.was;
  incident.firedAt = now;
  incident.flips = finding.fact ? [] : recentFlips(ended, policy, now);
  incident.changes = (incident.flips.length > 0 ? (ended?.changes ?? 0) : 0) + 1;
  // What is one message counts once.
  const burst = incident.cause !== undefined && incident.cause === ended?.cause;
  if (finding.quiet) incident.changes -= 1;
  // How often a container's changes are sent is limited by itself.
  else if (finding.fact) incident.flips = [now];
  else if (!burst || now - (incident.flips.at(-1) ?? 0) >= policy.groupMs) addFlip(incident, policy, now);
  if (beginsToFlap(incident, policy, 'start')) {
    incident.state = 'firing';
    return { incident, kind: 'flapping' };
  }
  incident.state = 'resolved';
  incident.resolvedAt = incident.openedAt;
  return { incident, kind: 'event' };
}
