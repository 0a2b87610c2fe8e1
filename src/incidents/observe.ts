import { SEVERITIES, type Finding, type Severity } from '../model/finding.ts';
import type { Incident } from '../model/incident.ts';

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
    said: { count: 0 },
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
