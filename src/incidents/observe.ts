import { type Finding, SEVERITIES, type Severity } from '../model/finding.ts';
import type { Incident } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import type { Policy } from './policy.ts';

/** Checks are not clockwork: a value seen at 0 s and at 29.99 s has held for 30 s. */
export const HOLD_SLACK_MS = 1000;

/** A pending incident of id 0. */
export function newIncident(finding: Finding, now: number): Incident {
  const openedAt = Math.min(finding.at ?? now, now);
  const incident: Incident = {
    id: 0,
    rule: finding.rule,
    subject: finding.subject,
    state: 'pending',
    severity: finding.severity,
    openedAt,
    lastSeenAt: now,
    spells: { count: 1, ms: 0, since: openedAt, from: openedAt },
    text: finding.text,
    details: [],
    notified: { count: 0 },
    flips: [],
    flapping: false,
    actions: [],
  };
  observe(incident, finding, now);
  return incident;
}

/** Takes over the values of a breach or event; the worst one is kept. */
export function observe(incident: Incident, finding: Finding, now: number): void {
  incident.lastSeenAt = now;
  delete incident.missingSince;
  delete incident.endText;
  incident.text = finding.text;
  incident.details = finding.details ?? [];
  if (finding.alias !== undefined) incident.alias = finding.alias;
  if (finding.cause !== undefined) incident.cause = finding.cause;
  delete incident.endFact;
  if (finding.fact) incident.fact = finding.fact;
  if (finding.unit !== undefined) incident.unit = finding.unit;
  if (finding.limit !== undefined) incident.limit = finding.limit;
  if (finding.value === undefined) return;
  incident.value = finding.value;
  const low = finding.verdict === 'breach' && finding.limit !== undefined && finding.value < finding.limit;
  const { worst } = incident;
  incident.worst =
    worst === undefined
      ? finding.value
      : low
        ? Math.min(worst, finding.value)
        : Math.max(worst, finding.value);
}

/** Falls at once; rises when the higher severity has held as long as a breach must. True when it rose. */
export function setSeverity(incident: Incident, finding: Finding, now: number): boolean {
  if (rank(finding.severity) <= rank(incident.severity)) {
    incident.severity = finding.severity;
    delete incident.worseSince;
    return false;
  }
  incident.worseSince ??= now;
  if (now - incident.worseSince + HOLD_SLACK_MS < (finding.holdMs ?? 0)) return false;
  incident.severity = finding.severity;
  delete incident.worseSince;
  return true;
}

/** info 0, warning 1, critical 2. */
export function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

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

/** Where it ends after a calm time: that begins now, for nobody has seen whether it was calm until now. */
export function notCalmYet(incident: Incident, now: number): Incident {
  const { state, flapping, event, flips, rule } = incident;
  if (state !== 'firing') return incident;
  if (flapping || event) return { ...incident, flips: [...flips.slice(0, -1), now] };
  return ruleInfo(rule)?.quietMs === undefined ? incident : { ...incident, lastSeenAt: now };
}

/** True when the last change is long ago. */
export function isCalm(incident: Incident, policy: Policy, now: number): boolean {
  return now - (incident.flips.at(-1) ?? 0) >= policy.calmMs;
}
