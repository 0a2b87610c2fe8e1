import type { Incident } from '../model/incident.ts';
import type { Policy } from './policy.ts';

/** More are never needed to see that it flaps, nor to see the last one. */
const MOST_FLIPS = 20;

/** Starts and ends of the incident before this one that still count. */
export function recentFlips(ended: Incident | undefined, policy: Policy, now: number): number[] {
  return (ended?.flips ?? []).filter((at) => now - at < policy.flapWindowMs);
}

/** Notes a start, an end or an event on `incident`, which is the caller's own copy. */
export function addFlip(incident: Incident, policy: Policy, now: number): void {
  const flips = incident.flips.filter((at) => now - at < policy.flapWindowMs);
  incident.flips = [...flips, now].slice(-MOST_FLIPS);
  if (incident.flapping) incident.changes = (incident.changes ?? 0) + 1;
}

/** Marks `incident`, the caller's own copy, as flapping when it has changed too often; `how` is the last change. */
export function beginsToFlap(incident: Incident, policy: Policy, how: 'start' | 'end'): boolean {
  const { changes, atStart } = policy.flapOf(incident.rule);
  if (incident.flapping || incident.flips.length <= changes || (atStart && how === 'end')) return false;
  incident.flapping = true;
  incident.changes = Math.max(incident.flips.length, incident.changes ?? 0);
  return true;
}

/** True when the last change is long ago. */
export function isCalm(incident: Incident, policy: Policy, now: number): boolean {
  return now - (incident.flips.at(-1) ?? 0) >= policy.calmMs;
}
