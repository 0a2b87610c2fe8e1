import type { Incident, SayReason } from '../model/incident.ts';
import { keyOf } from './advance.ts';
import { isSaid, repeatDueAt, wasTold, waitsForGroup, type Reason } from './decide.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';

/** An incident and what `decide` said about it. */
export type Verdict = { incident: Incident; reason: Reason };
/** One message to be: what it is about, and what it tells besides. */
export type Draft = { reason: SayReason; incident: Incident; others: Incident[] };
export type Gathered = {
  drafts: Draft[];
  /** Not told by themselves: their groups and times noted, to be saved. */
  quiet: Verdict[];
};

/**
 * Makes messages of decisions: what has the same cause and starts within 10 s is one, its end is one, and repeats of one
 * rule that are due together are one. Pure; `all` is everything remembered, open and lately ended, in its newest form.
 */
export function gather(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
): Gathered {
  const gathered: Gathered = { drafts: [], quiet: [] };
  gatherStarts(verdicts, all, policy, now, gathered);
  gatherRepeats(verdicts, all, policy, now, gathered);
  gatherEnds(verdicts, all, policy, now, gathered);
  for (const { incident, reason } of verdicts) {
    if (reason === 'worse' || reason === 'flapping' || reason === 'stable') {
      gathered.drafts.push({ reason, incident, others: [] });
    } else if (!isSaid(reason)) gathered.quiet.push({ incident, reason });
  }
  return gathered;
}

function gatherStarts(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  { drafts, quiet }: Gathered,
): void {
  const byCause = new Map<string, Incident[]>();
  const storms = verdicts.filter(({ incident, reason }) => reason === 'flapping' && incident.event);
  for (const { incident, reason } of verdicts) {
    if (reason !== 'first') continue;
    const { cause } = incident;
    if (cause === undefined) {
      drafts.push({ reason, incident, others: [] });
      continue;
    }
    const storm = incident.event && storms.find((one) => keyOf(one.incident) === keyOf(incident));
    if (storm) {
      quiet.push({
        incident: { ...incident, said: toldWith(incident, storm.incident.id, now) },
        reason: 'folded',
      });
      continue;
    }
    const leader = leaderFor(incident, all, policy, now);
    if (!leader) {
      append(byCause, cause, incident);
      continue;
    }
    const folded = { ...incident, groupId: leader.id };
    // A symptom of another rule is told by its cause; one of the same rule is told with its like when the 10 s are over.
    if (leader.rule !== incident.rule) folded.said = toldWith(folded, leader.id, now);
    quiet.push({ incident: folded, reason: 'folded' });
  }
  for (const members of byCause.values()) {
    const [first, ...others] = members.toSorted((a, b) => rank(b.severity) - rank(a.severity));
    if (members.every(waitsForGroup)) {
      // They belong to what was told before, and end with it.
      drafts.push({ reason: 'grouped', incident: first!, others });
      continue;
    }
    const groupId = first!.id;
    const along = others.map((other) => ({ ...other, groupId }));
    drafts.push({ reason: 'first', incident: { ...first!, groupId }, others: along });
  }
}

/** The told incident in whose message this one is folded. A more severe one is never folded. */
function leaderFor(
  incident: Incident,
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
): Incident | undefined {
  let leader: Incident | undefined;
  for (const other of all.values()) {
    if (other.cause !== incident.cause || other.groupId !== other.id || other.id === incident.id) continue;
    const { firstAt, severity } = other.said;
    const sameRule = other.rule === incident.rule;
    const higher = rank(incident.severity) - rank(severity ?? 'info');
    // What happened once is not told again: another rule's message must not swallow it unless it matters less.
    if (firstAt === undefined || higher > 0 || (higher === 0 && incident.event && !sameRule)) continue;
    const symptom = other.state === 'firing' && !sameRule;
    if (now - firstAt >= policy.groupMs && !symptom) continue;
    if (!leader || firstAt > leader.said.firstAt!) leader = other;
  }
  return leader;
}

function gatherRepeats(
  verdicts: readonly Verdict[],
  all: ReadonlyMap<number, Incident>,
  policy: Policy,
  now: number,
  { drafts }: Gathered,
): void {
  const silenced = new Set(verdicts.filter((v) => v.reason === 'silenced').map((v) => v.incident.id));
  const byRule = new Map<string, Incident[]>();
  for (const { incident, reason } of verdicts) {
    if (reason === 'repeat-due') append(byRule, incident.rule, incident);
  }
  for (const [rule, due] of byRule) {
    const soon = [...all.values()].filter(
      (other) =>
        other.rule === rule &&
        !due.some((incident) => incident.id === other.id) &&
        !silenced.has(other.id) &&
        mayRepeat(other) &&
        (repeatDueAt(other, policy) ?? Infinity) <= now + policy.rateLimitMs,
    );
    const [incident, ...others] = [...due, ...soon].toSorted((a, b) => rank(b.severity) - rank(a.severity));
    drafts.push({ reason: 'repeat-due', incident: incident!, others });
  }
}

function mayRepeat(incident: Incident): boolean {
  return (
    incident.state === 'firing' &&
    !incident.flapping &&
    incident.okSince === undefined &&
    incident.missingSince === undefined &&
    wasTold(incident)
  );
}

function gatherEnds(
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
        other.groupId === groupId && other.rule === rule && other.state === 'firing' && wasTold(other),
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

/** Told only by the incident that caused it, of which the end is or was told. */
function isSymptom(incident: Incident, all: ReadonlyMap<number, Incident>): boolean {
  const leader = all.get(incident.groupId!);
  return leader !== undefined && leader.rule !== incident.rule && !leader.event && incident.said.count === 0;
}

/** What is noted on an incident that another one's message told. */
export function toldWith({ said, severity }: Incident, leaderId: number, now: number): Incident['said'] {
  return { ...said, withId: leaderId, firstAt: said.firstAt ?? now, lastAt: now, since: now, severity };
}

function append<K>(map: Map<K, Incident[]>, key: K, incident: Incident): void {
  const list = map.get(key);
  if (list) list.push(incident);
  else map.set(key, [incident]);
}
