import type { Change } from '../model/change.ts';
import type { Incident, NotifyReason } from '../model/incident.ts';
import { keyOf } from './advance.ts';
import { type Decision, isMessage, repeatDueAt, waitsForGroup, wasNotified } from './decide.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';
import { foldSeries, repeatedInstead } from './series.ts';

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
  quiet: Decision[];
};

/** What is kept on an incident that was sent in another one's message. */
export function notifiedWith(
  { notified, severity }: Incident,
  leaderId: number,
  now: number,
): Incident['notified'] {
  const { waits: _, ...rest } = notified;
  return { ...rest, withId: leaderId, firstAt: notified.firstAt ?? now, lastAt: now, since: now, severity };
}

/** Adds to the list of a key. */
function append<K>(map: Map<K, Incident[]>, key: K, incident: Incident): void {
  const list = map.get(key);
  if (list) list.push(incident);
  else map.set(key, [incident]);
}

/** What decisions are gathered with; `mayName`: not silenced, and still so. */
type With = {
  all: ReadonlyMap<number, Incident>;
  policy: Policy;
  now: number;
  mayName(incident: Incident): boolean;
};

/**
 * Makes messages of decisions: what has the same cause and starts within 10 s is one, its end is one, and repeats of one
 * rule that are due together are one. Pure; `all` is everything remembered, open and lately ended, in its newest form.
 */
export function gather(
  decisions: readonly Decision[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  mayName: (incident: Incident) => boolean = () => true,
): Gathered {
  const { rest, folded } = foldSeries(decisions, all);
  const gathered: Gathered = { drafts: [], quiet: folded };
  const context: With = { all, policy, now, mayName };
  gatherStarts(rest, context, gathered);
  gatherRepeats(rest, context, gathered);
  gatherEnds(rest, context, gathered);
  for (const { incident, reason } of rest) {
    if (reason === 'worse' || reason === 'flapping' || reason === 'stays' || reason === 'stable') {
      gathered.drafts.push({ reason, incident, others: [] });
    } else if (!isMessage(reason)) gathered.quiet.push({ incident, reason });
  }
  return gathered;
}

function gatherStarts(decisions: readonly Decision[], context: With, { drafts, quiet }: Gathered): void {
  const { now } = context;
  const byCause = new Map<string, Incident[]>();
  const storms = decisions.filter(({ incident, reason }) => reason === 'flapping' && incident.event);
  for (const { incident, reason } of decisions) {
    if (reason !== 'first') continue;
    const { cause } = incident;
    if (cause === undefined) {
      drafts.push({ reason, incident, others: [] });
      continue;
    }
    const storm = incident.event && storms.find((one) => keyOf(one.incident) === keyOf(incident));
    if (storm) {
      quiet.push({
        incident: { ...incident, notified: notifiedWith(incident, storm.incident.id, now) },
        reason: 'folded',
      });
      continue;
    }
    const leader = leaderFor(incident, context);
    if (!leader) {
      append(byCause, cause, incident);
      continue;
    }
    const folded = { ...incident, groupId: leader.id };
    // A symptom of another rule is part of its cause's message; one of the same rule is sent with its like when the 10 s are over.
    if (leader.rule !== incident.rule) folded.notified = notifiedWith(folded, leader.id, now);
    quiet.push({ incident: folded, reason: 'folded' });
  }
  for (const members of byCause.values()) {
    const [first, ...others] = members.toSorted((a, b) => rank(b.severity) - rank(a.severity));
    if (members.every(waitsForGroup)) {
      // They belong to what was sent before, and end with it.
      drafts.push({ reason: 'grouped', incident: first!, others });
      continue;
    }
    const groupId = first!.id;
    const along = others.map((other) => ({ ...other, groupId }));
    drafts.push({ reason: 'first', incident: { ...first!, groupId }, others: along });
  }
}

/** The notified incident in whose message this one is folded. A more severe one is never folded. */
function leaderFor(incident: Incident, { all, policy, now }: With): Incident | undefined {
  let leader: Incident | undefined;
  for (const other of all.values()) {
    if (other.cause !== incident.cause || other.groupId !== other.id || other.id === incident.id) continue;
    const { firstAt, severity } = other.notified;
    const sameRule = other.rule === incident.rule;
    const higher = rank(incident.severity) - rank(severity ?? 'info');
    // An event is sent only once: another rule's message must not swallow it unless it matters less.
    if (firstAt === undefined || higher > 0 || (higher === 0 && incident.event && !sameRule)) continue;
    // A series that goes on brings further events with it; that a container is down for good is not in the message about the first one.
    const symptom = other.state === 'firing' && !sameRule && (!other.event || incident.event);
    if (now - firstAt >= policy.groupMs && !symptom) continue;
    if (!leader || firstAt > leader.notified.firstAt!) leader = other;
  }
  return leader;
}

/** Repeats of one rule that are due together, or nearly, are one message. */
function gatherRepeats(
  decisions: readonly Decision[],
  { all, policy, now, mayName }: With,
  { drafts, quiet }: Gathered,
): void {
  const byRule = new Map<string, Incident[]>();
  for (const { incident, reason } of decisions) {
    if (reason !== 'repeat-due' || coverOf(incident, all)) continue;
    // One that flaps has a message of its own, with its present state.
    if (incident.flapping) drafts.push({ reason, incident, others: [] });
    else if (mayName(incident)) append(byRule, incident.rule, incident);
  }
  for (const [rule, due] of byRule) {
    const soon = [...all.values()].filter(
      (other) =>
        other.rule === rule &&
        !due.some((incident) => incident.id === other.id) &&
        mayRepeat(other) &&
        mayName(other) &&
        !coverOf(other, all) &&
        (repeatDueAt(other, policy) ?? Infinity) <= now + policy.rateLimitMs,
    );
    const [incident, ...others] = [...due, ...soon].toSorted((a, b) => rank(b.severity) - rank(a.severity));
    drafts.push({ reason: 'repeat-due', incident: incident!, others });
    for (const symptom of all.values()) {
      // It counts as repeated, so that it does not catch up when its cause ends.
      if (symptom.state !== 'firing' || symptom.rule === rule) continue;
      const cover = coverOf(symptom, all);
      if (!cover || ![incident!, ...others].some((one) => one.id === cover.id)) continue;
      const notified = { ...symptom.notified, lastAt: now };
      quiet.push({ incident: { ...symptom, notified }, reason: 'folded' });
    }
  }
}

/** What it is a symptom of, where that is still on and repeated itself. */
function coverOf(incident: Incident, all: ReadonlyMap<number, Incident>): Incident | undefined {
  const { groupId, rule } = incident;
  const leader = groupId === undefined ? undefined : all.get(groupId);
  return leader?.state === 'firing' && leader.rule !== rule ? leader : repeatedInstead(incident, all);
}

function mayRepeat(incident: Incident): boolean {
  return (
    incident.state === 'firing' &&
    !incident.flapping &&
    incident.okSince === undefined &&
    incident.missingSince === undefined &&
    wasNotified(incident)
  );
}

/** Ends of what was sent together are one message, where they come within 10 s. */
function gatherEnds(
  decisions: readonly Decision[],
  { all, policy, now }: With,
  { drafts, quiet }: Gathered,
): void {
  const ended = new Map<string, Incident[]>();
  for (const { incident, reason } of decisions) {
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
    const waitedEnough = members.some(
      ({ notified }) => notified.endDue !== undefined && now >= notified.endDue,
    );
    if (stillOn && !waitedEnough) {
      for (const incident of members) {
        const endDue = incident.notified.endDue ?? now + policy.groupMs;
        quiet.push({
          incident: { ...incident, notified: { ...incident.notified, endDue } },
          reason: 'folded',
        });
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
  return (
    leader !== undefined && leader.rule !== incident.rule && !leader.event && incident.notified.count === 0
  );
}
