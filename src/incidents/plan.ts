import { defined } from '../model/defined.ts';
import type { Incident, IncidentChange, Notification, NotifyReason } from '../model/incident.ts';
import { claimOf } from '../model/fact-rules.ts';
import { serviceKey } from '../model/service-key.ts';
import { ruleInfo } from '../model/rules.ts';
import { keyOf } from './advance.ts';
import { decide, waitsForGroup, type Reason, type Situation, type Decision } from './decide.ts';
import { type Draft, gather, notifiedWith } from './gather.ts';
import { admit, isSeenTrue, release, releaseAbout, type Groups, type Look } from './group.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';

export type PlanInput = {
  /** Open and lately ended incidents, changes applied, by id. Pending ones have no id yet and are left out. */
  all: ReadonlyMap<number, Incident>;
  changes: readonly IncidentChange[];
  silenced(incident: Incident): boolean;
  /** Nobody has seen lately whether it is still so. */
  unseen(incident: Incident): boolean;
  /** What waits to be sent; changed in place. */
  groups: Groups;
  /** Monotonic, ms. */
  mono: number;
  isTrue: Look['isTrue'];
  policy: Policy;
  now: number;
};
export type Plan = {
  notifications: Notification[];
  /** Incidents that the plan changed, in their newest form. */
  changed: Incident[];
  /** Why something was sent or was not, for the log; without `nothing-new`. */
  reasons: { incident: Incident; reason: Reason }[];
};

/** A plan in the making. */
type Planning = PlanInput & {
  all: Map<number, Incident>;
  look: Look;
  changed: Set<number>;
} & Pick<Plan, 'notifications' | 'reasons'>;

/** What is to be sent now about all incidents, changed or only still open. Only `groups` is changed. `ends`: nothing waits any longer. */
export function plan(input: PlanInput, ends = false): Plan {
  const { policy, now, groups, mono, silenced, isTrue } = input;
  const all = new Map(input.all);
  const look: Look = { all, mono, silenced, muted: policy.muted, isTrue };
  const p: Planning = { ...input, all, look, notifications: [], changed: new Set(), reasons: [] };
  const inThisBatch = new Set(input.changes.map((change) => change.incident.id));
  const seen = new Set(input.changes.flatMap(({ kind, incident }) => (kind === 'unseen' ? [] : incident.id)));
  const mayName = (incident: Incident): boolean => isTellable(incident, p);
  // What started and ended in one batch is decided twice: what its start changed counts at its end.
  for (const changes of inRounds(input.changes)) {
    for (const change of changes) enter(change.incident, all);
    const { drafts, quiet } = gather(decideAll(p, changes, inThisBatch), all, policy, now, mayName);
    for (const decision of quiet) record(p, decision);
    for (const draft of drafts) {
      // What only time has ended was seen before: Docker may have gone since.
      const fresh = seen.has(draft.incident.id) && draft.incident.lastSeenAt >= now;
      const outcome = admit(groups, draft, fresh, look);
      if (outcome === 'waits') wait(p, draft);
      if (outcome === 'too-many') record(p, { incident: draft.incident, reason: 'cooldown' });
      if (outcome === 'ready') notifyAfterOthers(p, draft);
    }
    for (const { incident, kind } of changes) if (kind === 'calm') forgetFlapping(p, incident.id);
  }
  const released = release(groups, look, ends);
  for (const decision of released.dropped) record(p, decision);
  for (const draft of released.drafts) notifyAfterOthers(p, draft);
  const { notifications, reasons, changed } = p;
  return { notifications, reasons, changed: [...changed].map((id) => all.get(id)!) };
}

/** Whether a message about something else may say that it is so: seen, and neither silenced nor muted. */
export function isTellable(
  incident: Incident,
  { silenced, unseen, isTrue, policy }: Pick<PlanInput, 'silenced' | 'unseen' | 'isTrue' | 'policy'>,
): boolean {
  return !silenced(incident) && !policy.muted(incident) && !unseen(incident) && isSeenTrue(incident, isTrue);
}

/** An incident as the plan has changed it. */
function put({ all, changed }: Planning, incident: Incident): void {
  all.set(incident.id, incident);
  changed.add(incident.id);
}

/** What waited about the same container goes first. */
function notifyAfterOthers(p: Planning, draft: Draft): void {
  const { drafts, dropped, before } = releaseAbout(p.groups, draft, p.look);
  for (const decision of dropped) record(p, decision);
  for (const other of drafts) notify(p, other);
  notify(p, before.length > 0 ? { ...draft, before } : draft);
}

function wait(p: Planning, { incident, reason }: Draft): void {
  const waiting = { ...incident, notified: { ...incident.notified, waits: reason } };
  put(p, waiting);
  p.reasons.push({ incident: waiting, reason: 'waits' });
}

/** Puts an incident in as one change left it, with what the plan changed since. */
function enter(incident: Incident, all: Map<number, Incident>): void {
  if (incident.id === 0) return;
  const known = all.get(incident.id);
  if (known === incident) return;
  all.set(
    incident.id,
    known ? { ...incident, notified: known.notified, ...defined({ groupId: known.groupId }) } : incident,
  );
}

/** Splits changes so that nothing is twice in a round, events aside, which have no end; there is always one round. */
function inRounds(changes: readonly IncidentChange[]): IncidentChange[][] {
  const rounds: IncidentChange[][] = [[]];
  const times = new Map<string, number>();
  for (const change of changes) {
    const { incident } = change;
    if (incident.id === 0) continue;
    const key = incident.event ? `event ${incident.id}` : keyOf(incident);
    const round = times.get(key) ?? 0;
    times.set(key, round + 1);
    (rounds[round] ??= []).push(change);
  }
  return rounds;
}

function decideAll(
  { all, policy, now, silenced, unseen }: Planning,
  changes: IncidentChange[],
  inThisBatch: ReadonlySet<number>,
): Decision[] {
  const limits = lastMessages(all);
  const decisions: Decision[] = [];
  const look = (incident: Incident, kind?: Situation['kind'], quiet?: boolean) => {
    const situation: Situation = {
      incident,
      kind,
      quiet,
      silenced: silenced(incident),
      unseen: unseen(incident),
      muted: policy.muted(incident),
      cooling: kind === 'event' && isCooling(incident, all, policy, now),
      lastOfRule: limits.get(`rule ${incident.rule}`),
      lastOfSubject: limits.get(`subject ${incident.subject}`),
    };
    const reason = decide(situation, policy, now);
    if (reason !== 'nothing-new') decisions.push({ incident, reason });
  };

  for (const { incident, kind, quiet } of changes) {
    const known = all.get(incident.id);
    if (known) look(known, kind, quiet);
  }
  for (const incident of all.values()) {
    if (inThisBatch.has(incident.id)) continue;
    if (incident.state === 'firing' || waitsForGroup(incident)) look(incident);
    else if (incident.notified.endDue !== undefined) {
      if (isOpenAgain(incident, all)) decisions.push({ incident, reason: 'began-anew' });
      else look(incident, 'resolved');
    }
  }
  return decisions;
}

function isOpenAgain(ended: Incident, all: ReadonlyMap<number, Incident>): boolean {
  return [...all.values()].some((one) => one.state === 'firing' && keyOf(one) === keyOf(ended));
}

/** Whether an event like this one was sent within its cooldown; one that left the container down does not count. */
function isCooling(
  { id, rule, subject, alias }: Incident,
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
): boolean {
  if (!ruleInfo(rule)?.cooldown) return false;
  const cooldownMs = policy.cooldownMs(subject, alias);
  for (const other of all.values()) {
    const { lastAt } = other.notified;
    if (other.rule !== rule || other.id === id || lastAt === undefined || now - lastAt >= cooldownMs)
      continue;
    if (serviceKey(other.subject) === serviceKey(subject) && claimOf(other) !== 'down') return true;
  }
  return false;
}

/** When a message of each type, and about each subject, was last sent. */
function lastMessages(all: ReadonlyMap<number, Incident>): Map<string, number> {
  const last = new Map<string, number>();
  for (const { rule, subject, notified } of all.values()) {
    if (notified.lastAt === undefined) continue;
    for (const key of [`rule ${rule}`, `subject ${subject}`]) {
      last.set(key, Math.max(last.get(key) ?? 0, notified.lastAt));
    }
  }
  return last;
}

/** Why something is not sent, and what follows from that. */
function record(p: Planning, { incident: decided, reason }: Decision): void {
  const { waits, endDue, ...rest } = decided.notified;
  const notified: Incident['notified'] = { ...rest };
  if (waits !== undefined && reason === 'waits') notified.waits = waits;
  // Ended while it was silenced: its end is not sent later, either.
  if (endDue !== undefined && reason !== 'silenced' && reason !== 'began-anew') notified.endDue = endDue;
  const isSame = notified.waits === waits && notified.endDue === endDue;
  let incident = isSame ? decided : { ...decided, notified };
  if (reason === 'sent-elsewhere' || reason === 'muted')
    incident = { ...incident, notified: markElsewhere(incident, p.now) };
  p.reasons.push({ incident, reason });
  if (p.all.get(incident.id) !== incident) put(p, incident);
}

function notify(p: Planning, { reason, incident, others, list, often, before = [] }: Draft): void {
  const { now } = p;
  const previousSeverity = incident.notified.severity;
  const sent = { ...incident, notified: markSent(incident, reason, now) };
  const along = others.map((other) => ({
    ...other,
    notified: list
      ? { ...markSent(other, other.notified.waits ?? reason, now), withId: sent.id }
      : markAlong(other, reason, sent.id, now),
  }));
  const earlier = before.map((other) => ({ ...other, notified: markAlong(other, 'first', sent.id, now) }));
  for (const one of [sent, ...along, ...earlier]) {
    put(p, one);
    p.reasons.push({ incident: one, reason });
  }
  const decision: Notification = { reason, at: now, incident: sent, others: along };
  if (list) decision.list = list;
  if (often) decision.often = often;
  if (earlier.length > 0) decision.before = earlier;
  if (reason === 'worse' && previousSeverity !== undefined) decision.previousSeverity = previousSeverity;
  p.notifications.push(decision);
}

function markSent(
  { notified: before, severity }: Incident,
  reason: NotifyReason,
  now: number,
): Incident['notified'] {
  const { endDue: _, waits: _waits, ...notified } = before;
  const marked: Incident['notified'] = {
    ...notified,
    count: notified.count + 1,
    firstAt: notified.firstAt ?? now,
    lastAt: now,
  };
  if (reason === 'resolved' || reason === 'repeat-due') return marked;
  const higher = rank(severity) > rank(notified.severity ?? 'info');
  marked.since = now;
  marked.severity = higher || reason === 'stable' ? severity : (notified.severity ?? severity);
  if (reason === 'flapping') marked.flapping = true;
  return marked;
}

/** It counts as sent, as if it had a message of its own. */
function markElsewhere(incident: Incident, now: number): Incident['notified'] {
  const { endDue: _, waits: _waits, ...notified } = notifiedWith(incident, incident.id, now);
  return incident.flapping ? { ...notified, flapping: true } : notified;
}

function markAlong(
  other: Incident,
  reason: NotifyReason,
  leaderId: number,
  now: number,
): Incident['notified'] {
  if (reason === 'first' || reason === 'grouped') return notifiedWith(other, leaderId, now);
  return markSent(other, reason, now);
}

/** So that flapping again later is sent again, even where its end was not. */
function forgetFlapping(p: Planning, id: number): void {
  const incident = p.all.get(id);
  if (!incident?.notified.flapping) return;
  const { flapping: _, ...notified } = incident.notified;
  put(p, { ...incident, notified });
}
