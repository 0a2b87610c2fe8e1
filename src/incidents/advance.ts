import { EVERY_SUBJECT, type Finding } from '../model/finding.ts';
import type { Incident, IncidentChange, Spells } from '../model/incident.ts';
import { ruleInfo } from '../model/rules.ts';
import {
  HOLD_SLACK_MS,
  addFlip,
  beginsToFlap,
  isCalm,
  newIncident,
  notCalmYet,
  observe,
  rank,
  recentFlips,
  setSeverity,
} from './observe.ts';
import { addEvent, calmText } from './series.ts';
import type { Policy } from './policy.ts';

/** What is open (pending or firing) and what ended last, by `keyOf`. */
export type Book = { open: ReadonlyMap<string, Incident>; ended: ReadonlyMap<string, Incident> };

/** One incident per rule and subject. Events are apart: a rule may have both. */
export function keyOf(of: { rule: string; subject: string; event?: boolean }): string {
  return `${of.event ? 'event' : 'state'} ${of.rule} ${of.subject}`;
}

/**
 * What findings do to the open incidents. Pure: the changes hold new incidents, in the order in which they came about;
 * new ones have the id 0. `judged` names the rules that looked at all of their subjects, so that an open incident without
 * a finding is one whose subject is gone; for all other rules no finding means that nothing changed. `hidden`: nobody can see at the
 * moment how it is.
 */
export function advance(
  book: Book,
  findings: readonly Finding[],
  judged: readonly string[],
  policy: Policy,
  now: number,
  hidden: (incident: Incident) => boolean = () => false,
): IncidentChange[] {
  const round: Round = {
    book,
    policy,
    now,
    changes: [],
    current: new Map(),
    seen: new Set(),
    last: new Map(),
  };
  const frozen = new Set<string>();
  for (const finding of findings) {
    if (finding.verdict === 'unknown' && finding.subject === EVERY_SUBJECT) frozen.add(finding.rule);
    else take(round, finding);
  }
  for (const [key, incident] of book.open) {
    if (round.seen.has(key)) continue;
    if (frozen.has(incident.rule) || hidden(incident)) keep(round, key, freeze(incident, now));
    else if (!incident.event && judged.includes(incident.rule)) keep(round, key, miss(incident, policy, now));
    else keep(round, key, passTime(incident, policy, now));
  }
  return round.changes;
}

/** `current`: what this round has made of an incident; `seen`: those with a finding; `last`: those that it ended. All by `keyOf`. */
type Round = {
  book: Book;
  policy: Policy;
  now: number;
  changes: IncidentChange[];
  current: Map<string, Incident | undefined>;
  seen: Set<string>;
  last: Map<string, Incident>;
};

/** One finding, which may give the subject of an incident another name. */
function take(round: Round, finding: Finding): void {
  const { book, policy, now, current, seen, last } = round;
  const { rule, was, verdict } = finding;
  const key = keyOf({ ...finding, event: verdict === 'event' });
  seen.add(key);
  const find = (of: string) => (current.has(of) ? current.get(of) : book.open.get(of));
  const open = find(key);
  const wasKey = was === undefined || verdict === 'event' ? undefined : keyOf({ rule, subject: was });
  const before = wasKey === undefined ? undefined : find(wasKey);
  if (wasKey !== undefined && before) {
    seen.add(wasKey);
    const incident = end({ ...before, flapping: false }, now, 'gone');
    if (open) keep(round, wasKey, { incident, kind: 'resolved', quiet: true });
  }
  const moved = open || !before ? undefined : renamed(before, finding);
  const change =
    advanceOne(open ?? moved, last.get(key) ?? book.ended.get(key), finding, policy, now) ??
    (moved && { incident: moved, kind: 'still' as const });
  if (change && moved && wasKey !== undefined) change.was = wasKey;
  if (change && finding.quiet) change.quiet = true;
  if (change?.incident.state === 'resolved') last.set(key, change.incident);
  keep(round, key, change);
}

function keep({ changes, current }: Round, key: string, change: IncidentChange | undefined): void {
  if (!change) return;
  changes.push(change);
  const { kind, incident, was } = change;
  if (was !== undefined) current.set(was, undefined);
  current.set(key, kind === 'dropped' || incident.state === 'resolved' ? undefined : incident);
}

/** What one finding does to the incident of its rule and subject; undefined: nothing at all. */
export function advanceOne(
  open: Incident | undefined,
  ended: Incident | undefined,
  finding: Finding,
  policy: Policy,
  now: number,
): IncidentChange | undefined {
  switch (finding.verdict) {
    case 'event':
      return addEvent(open, ended, finding, policy, now);
    case 'breach':
      return open ? breachAgain(open, finding, policy, now) : breachFirst(ended, finding, policy, now);
    case 'ok':
      return open && recover(open, finding, policy, now);
    case 'between':
      return open && stayBetween(open, finding, policy, now);
    case 'unknown':
      return open && freeze(open, now);
  }
}

function breachFirst(
  ended: Incident | undefined,
  finding: Finding,
  policy: Policy,
  now: number,
): IncidentChange {
  const incident = newIncident(finding, now);
  incident.flips = recentFlips(ended, policy, now);
  if ((finding.holdMs ?? 0) > 0) return { incident, kind: 'opened' };
  return fire(incident, policy, now, ended);
}

/** The same incident under the new name of its subject. */
function renamed(before: Incident, { subject, alias }: Finding): Incident {
  const incident: Incident = { ...before, subject };
  if (alias !== undefined) incident.alias = alias;
  if (before.fact) incident.fact = { ...before.fact, name: subject };
  if (before.endFact) incident.endFact = { ...before.endFact, name: subject };
  return incident;
}

function breachAgain(open: Incident, finding: Finding, policy: Policy, now: number): IncidentChange {
  const incident = { ...open };
  const unseenMs = now - open.lastSeenAt;
  observe(incident, finding, now);
  const raised = setSeverity(incident, finding, now);
  if (incident.state === 'firing')
    incident.spells = spellBegins(spellsOf(open), Math.min(finding.at ?? now, now));
  if (incident.state === 'pending') {
    const holdMs = finding.holdMs ?? 0;
    if (unseenMs > holdMs + policy.gapMs) {
      incident.openedAt = now;
      incident.spells = { count: 1, ms: 0, since: now, from: now };
    }
    return now - incident.openedAt + HOLD_SLACK_MS >= holdMs
      ? fire(incident, policy, now)
      : { incident, kind: 'still' };
  }
  if (incident.okSince !== undefined) {
    delete incident.okSince;
    if (incident.flapping) addFlip(incident, policy, now);
  }
  if (raised) return { incident, kind: 'worse' };
  if (incident.flapping && isCalm(incident, policy, now)) {
    incident.flapping = false;
    return { incident, kind: 'calm' };
  }
  return { incident, kind: 'still' };
}

function fire(incident: Incident, policy: Policy, now: number, ended?: Incident): IncidentChange {
  incident.state = 'firing';
  incident.firedAt = now;
  addFlip(incident, policy, now);
  if (!beginsToFlap(incident, policy, 'start')) return { incident, kind: 'fired' };
  if (ended && incident.flips.length > 1) {
    const before = spellsOf(ended);
    incident.spells = { ...spellsOf(incident), count: before.count + 1, ms: before.ms, from: before.from };
  }
  return { incident, kind: 'flapping' };
}

/** How often it began so far; of an incident that an older version saved, once. */
function spellsOf({ spells, openedAt, resolvedAt, okSince }: Incident): Spells {
  if (spells) return spells;
  const fine = okSince ?? resolvedAt;
  const since = fine === undefined ? { since: openedAt } : {};
  return { count: 1, ms: fine === undefined ? 0 : Math.max(0, fine - openedAt), from: openedAt, ...since };
}

function spellBegins(spells: Spells, at: number): Spells {
  return spells.since === undefined ? { ...spells, count: spells.count + 1, since: at } : spells;
}

function spellEnds({ since, ...spells }: Spells, at: number): Spells {
  return since === undefined ? spells : { ...spells, ms: spells.ms + Math.max(0, at - since) };
}

function recover(open: Incident, finding: Finding, policy: Policy, now: number): IncidentChange {
  const incident = { ...open };
  delete incident.missingSince;
  delete incident.worseSince;
  if (incident.state === 'pending') return { incident, kind: 'dropped' };
  incident.lastSeenAt = now;
  incident.endText = finding.text;
  if (finding.value !== undefined) incident.value = finding.value;
  delete incident.endFact;
  if (finding.fact) incident.endFact = finding.fact;
  incident.spells = spellEnds(spellsOf(open), finding.at ?? now);
  if (finding.end !== undefined) return endNow(incident, finding, policy, now);
  if (incident.okSince === undefined) {
    incident.okSince = now;
    if (incident.flapping) addFlip(incident, policy, now);
  }
  return passTime(incident, policy, now) ?? { incident, kind: 'still' };
}

/** There is nothing left to wait for: it is gone, has another name, or another message is worth more. */
function endNow(incident: Incident, finding: Finding, policy: Policy, now: number): IncidentChange {
  incident.flapping = false;
  if (finding.end === 'undone') incident.flips = incident.flips.slice(0, -1);
  else addFlip(incident, policy, now);
  return ended(incident, incident.okSince ?? now, finding.end === 'gone' ? 'gone' : 'cleared');
}

/** What time alone does: a quiet time or flapping ends. */
function passTime(open: Incident, policy: Policy, now: number): IncidentChange | undefined {
  if (open.state === 'pending') return undefined;
  if (open.event) return isCalm(open, policy, now) ? endEvents(open, policy, now) : undefined;
  if (open.flapping) {
    if (!isCalm(open, policy, now)) return undefined;
    const incident = { ...open, flapping: false };
    if (open.okSince !== undefined) return ended(incident, open.okSince);
    return { incident, kind: 'calm' };
  }
  const quietMs = policy.quietOf(open.rule);
  const since = open.okSince ?? (quietMs > 0 ? open.lastSeenAt : undefined);
  if (since === undefined || now - since < quietMs) return undefined;
  const incident = { ...open };
  addFlip(incident, policy, now);
  if (beginsToFlap(incident, policy, 'end')) return { incident, kind: 'flapping' };
  return ended(incident, open.okSince ?? now);
}

function endEvents(open: Incident, policy: Policy, now: number): IncidentChange {
  const incident = { ...open, flapping: false };
  const text = calmText(incident, policy);
  if (text !== undefined) incident.endText = text;
  return ended(incident, open.flips.at(-1) ?? now);
}

function stayBetween(open: Incident, finding: Finding, policy: Policy, now: number): IncidentChange {
  const incident = { ...open, lastSeenAt: now };
  delete incident.missingSince;
  delete incident.worseSince;
  if (incident.state === 'pending') return { incident, kind: 'dropped' };
  if (ruleInfo(open.rule)?.judged === undefined) seeBetween(incident, finding, now);
  if (incident.flapping) return passTime(incident, policy, now) ?? { incident, kind: 'still' };
  delete incident.okSince;
  if (incident.spells && incident.spells.since === undefined)
    incident.spells = { ...incident.spells, since: now };
  return { incident, kind: 'still' };
}

/** Neither bad nor fine: what is sent from here on has the value of now, not the one of when it was bad or fine last. */
function seeBetween(incident: Incident, finding: Finding, now: number): void {
  if (finding.value !== undefined) incident.value = finding.value;
  incident.text = finding.text;
  incident.details = finding.details ?? [];
  if (incident.okSince !== undefined) incident.endText = finding.text;
  if (rank(finding.severity) < rank(incident.severity)) setSeverity(incident, finding, now);
}

/** Nobody can see it: nothing ends, and the times that it must be fine for begin anew. */
function freeze(open: Incident, now: number): IncidentChange | undefined {
  const frozen = notCalmYet(open, now);
  if (frozen !== open) return { incident: frozen, kind: 'unseen' };
  if (open.okSince === undefined && open.missingSince === undefined) return undefined;
  const incident = { ...open };
  delete incident.okSince;
  delete incident.missingSince;
  return { incident, kind: 'unseen' };
}

/** The rule looked and did not find the subject: unmounted, deleted, switched off. */
function miss(open: Incident, policy: Policy, now: number): IncidentChange {
  const incident = { ...open };
  if (incident.state === 'pending') return { incident, kind: 'dropped' };
  incident.missingSince ??= now;
  if (now - incident.missingSince < policy.goneMs) return { incident, kind: 'still' };
  incident.flapping = false;
  return ended(incident, incident.missingSince, 'gone');
}

function ended(incident: Incident, at: number, how: 'cleared' | 'gone' = 'cleared'): IncidentChange {
  return { incident: end(incident, at, how), kind: 'resolved' };
}

/** Ends `incident`, the caller's own copy. */
function end(incident: Incident, at: number, how: 'cleared' | 'gone' = 'cleared'): Incident {
  incident.state = 'resolved';
  incident.resolvedAt = Math.max(at, incident.openedAt);
  incident.endedAs = how;
  delete incident.okSince;
  delete incident.missingSince;
  if (incident.spells) incident.spells = spellEnds(incident.spells, at);
  return incident;
}
