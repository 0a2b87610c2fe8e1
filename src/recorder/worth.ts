import { isAsked } from '../model/fact-rules.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';

/** The whole server is short of memory: recorded when critical. */
const SHORT_OF_MEMORY = new Set(['memory-available', 'memory-pressure', 'swap-used', 'swap-in']);

/**
 * Whether the minutes before are kept with this incident: a kill for want of memory, a critical lack of memory, a container
 * that ended without being asked to, and a server that went down.
 */
export function isRecorded({ rule, severity, fact }: Pick<Incident, 'rule' | 'severity' | 'fact'>): boolean {
  if (rule === 'oom-kill' || rule === 'unclean-reboot' || rule === 'container-restarting') return true;
  // One that ends by itself is a warning, like one that was stopped on request.
  if (rule === 'container-stopped' && fact?.kind === 'stopped') return fact.over !== 'job' && !isAsked(fact);
  return severity === 'critical' && (SHORT_OF_MEMORY.has(rule) || rule === 'container-stopped');
}

/** Whether it is about one moment, when it began, and not of a state that may have got worse since. */
export function isMoment({ rule }: Pick<Incident, 'rule'>): boolean {
  return !SHORT_OF_MEMORY.has(rule);
}

/** The incidents of these changes that have just reached the point at which they are recorded. */
export function toRecord(changes: readonly IncidentChange[]): Incident[] {
  return changes
    .filter(
      ({ kind, incident }) => incident.id > 0 && /^(fired|worse|event)$/.test(kind) && isRecorded(incident),
    )
    .map(({ incident }) => incident);
}
