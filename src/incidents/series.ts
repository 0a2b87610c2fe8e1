// Events. A container that the kernel kills over and over. Its owner wants to hear of the first kill at once, then once that it goes
// on, and once when it is over; the kills in between are counted. All that is special about such a series is here.
import type { Finding } from '../model/finding.ts';
import type { Incident, IncidentChange } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import { formatCount, formatDuration } from '../model/text.ts';
import { type Decision, isMessage, wasNotified } from './decide.ts';
import { addFlip, beginsToFlap, newIncident, observe, recentFlips, setSeverity } from './observe.ts';
import type { Policy } from './policy.ts';

/** Kills on the host at large have different victims: none of them has to do with the next one. */
function isSeries({ rule, subject }: Pick<Incident, 'rule' | 'subject'>): boolean {
  return ruleInfo(rule)?.series !== undefined && subject !== 'host';
}

function goesOnBy(rule: string): boolean {
  return ruleInfo(rule)?.ofSeries === 'goes-on';
}

/** Whether what happened last goes on with this; what is found in the same look is one message anyway. */
function goesOn(ended: Incident, finding: Finding, policy: Policy, now: number): boolean {
  return isSeries(finding) && ended.id !== 0 && now - ended.lastSeenAt < policy.calmMs;
}

/** One more: `before` is opened again, or still open. */
function countAnother(before: Incident, finding: Finding, policy: Policy, now: number): IncidentChange {
  const incident: Incident = { ...before, state: 'firing' };
  delete incident.resolvedAt;
  delete incident.endedAs;
  observe(incident, finding, now);
  setSeverity(incident, { ...finding, holdMs: 0 }, now);
  if (!isSeries(incident)) {
    addFlip(incident, policy, now);
    return { incident, kind: 'still' };
  }
  // What it brings with it is folded into the message about it, however long that is ago.
  incident.groupId = incident.id;
  if (!incident.flapping) incident.changes = (incident.changes ?? 1) + 1;
  addFlip(incident, policy, now);
  const kind = beginsToFlap(incident, policy, 'start') ? 'flapping' : 'still';
  incident.text = `${finding.text} (${times(incident)}${within(incident, now)})`;
  return { incident, kind };
}

/** The sentence about its end. */
export function calmText(incident: Incident, policy: Policy): string | undefined {
  const series = isSeries(incident) ? ruleInfo(incident.rule)?.series : undefined;
  if (!series) return undefined;
  const last = incident.flips.at(-1) ?? incident.lastSeenAt;
  return (
    `${incident.subject} ${series.over} for ${formatDuration(policy.calmMs)}; ` +
    `before that ${series.before} ${times(incident)}${within(incident, last)}`
  );
}

function times({ changes = 1 }: Incident): string {
  return `${formatCount(changes)} times`;
}

function within({ openedAt }: Incident, until: number): string {
  return until - openedAt < 1000 ? '' : ` within ${formatDuration(until - openedAt)}`;
}

/** Takes out what another message about the same series has: one that it goes on, one that it is over. */
export function foldSeries(
  decisions: readonly Decision[],
  all: ReadonlyMap<number, Incident>,
): { rest: Decision[]; folded: Decision[] } {
  const rest: Decision[] = [];
  const folded: Decision[] = [];
  for (const decision of decisions) {
    if (
      isMessage(decision.reason) &&
      (isSentElsewhere(decision, all) || endsWithStronger(decision, decisions))
    )
      folded.push({ ...decision, reason: 'sent-elsewhere' });
    else rest.push(decision);
  }
  return { rest, folded };
}

function inhibits(one: Incident, other: Incident): boolean {
  return one.subject === other.subject && ruleInfo(one.rule)?.inhibits?.includes(other.rule) === true;
}

/** It ends together with one that inhibits it. */
function endsWithStronger({ incident, reason }: Decision, decisions: readonly Decision[]): boolean {
  const ends = (one: Decision): boolean => one.reason === 'resolved' && one.incident.state === 'resolved';
  if (reason !== 'resolved') return false;
  return decisions.some((other) => ends(other) && inhibits(other.incident, incident));
}

function isSentElsewhere({ incident, reason }: Decision, all: ReadonlyMap<number, Incident>): boolean {
  if (isSeries(incident) && incident.event) {
    const isOne = (rule: string): boolean =>
      goesOnBy(rule) || (reason !== 'flapping' && ruleInfo(rule)?.ofSeries === 'ended');
    const again = reason === 'flapping' || reason === 'stable' || reason === 'resolved';
    return again && wasNotifiedSince(incident, isOne, all);
  }
  if (reason !== 'first' || !goesOnBy(incident.rule)) return false;
  // Its numbers are those of before the stronger one began.
  for (const other of all.values()) if (other.state === 'firing' && inhibits(other, incident)) return true;
  const series = runningSeries(incident, all);
  return (
    series !== undefined &&
    (series.notified.flapping === true || wasNotifiedSince(series, goesOnBy, all, incident))
  );
}

/** Whether one of these rules has sent something about the subject of the series since it began. */
function wasNotifiedSince(
  series: Incident,
  isOne: (rule: string) => boolean,
  all: ReadonlyMap<number, Incident>,
  except?: Incident,
): boolean {
  for (const other of all.values()) {
    if (other.subject !== series.subject || other.event || other.id === except?.id) continue;
    if (!isOne(other.rule) || !wasNotified(other)) continue;
    if (other.state === 'firing' || (other.resolvedAt ?? 0) >= series.openedAt) return true;
  }
  return false;
}

function runningSeries({ subject }: Incident, all: ReadonlyMap<number, Incident>): Incident | undefined {
  for (const other of all.values())
    if (other.event && other.state === 'firing' && other.subject === subject && isSeries(other)) return other;
  return undefined;
}

/** What is repeated instead of this one, where several are about the same service that restarts again and again. */
export function repeatedInstead(
  incident: Incident,
  all: ReadonlyMap<number, Incident>,
): Incident | undefined {
  if (!goesOnBy(incident.rule)) return undefined;
  const series = runningSeries(incident, all);
  if (series && !series.flapping && wasNotified(series)) return series;
  for (const other of all.values()) {
    const stands = other.state === 'firing' && !other.flapping && wasNotified(other);
    if (stands && inhibits(other, incident)) return other;
  }
  return undefined;
}

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
