import type { Incident, IncidentChange, NotifyReason } from '../model/incident.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';

/** Why something is said, or is not. */
export type Reason =
  | NotifyReason
  | 'nothing-new'
  | 'silenced'
  /** Somebody said that it is known, and it is no worse than it was then. */
  | 'acknowledged'
  | 'still-flapping'
  /** The finding said that another message has it. */
  | 'sent-elsewhere'
  /** vpsmon.yaml wants no messages like this about this service. */
  | 'muted'
  | 'rate-limited'
  | 'cooldown'
  /** Waits for others of its kind, or for the moment at which it is true. */
  | 'waits'
  /** Same cause as something that was told within 10 s, or that is its symptom. */
  | 'folded';

/** An incident and what `decide` said about it. */
export type Verdict = { incident: Incident; reason: Reason };

export type Situation = {
  incident: Incident;
  /** What just happened to it; undefined: nothing, it is only still open. */
  kind?: IncidentChange['kind'] | undefined;
  silenced: boolean;
  quiet?: boolean | undefined;
  muted?: boolean | undefined;
  /** An event like it, which is limited to one per cooldown, was sent. */
  cooling?: boolean | undefined;
  /** Epoch ms of the last message of its type, and about its service, whichever incident they were about. */
  lastOfRule?: number | undefined;
  lastOfSubject?: number | undefined;
};

const SAID: readonly Reason[] = [
  'first',
  'worse',
  'repeat-due',
  'resolved',
  'flapping',
  'stays',
  'stable',
  'grouped',
];

/** True for the reasons that are messages. */
export function isMessage(reason: Reason): reason is NotifyReason {
  return SAID.includes(reason);
}

/**
 * Whether something is said about one incident, and why or why not. Pure. Only repeats are limited: a start, a worsening and
 * an end are always said, unless the subject is silenced or flaps. (What shares a cause is gathered afterwards, in gather.ts.)
 */
export function decide(situation: Situation, policy: Policy, now: number): Reason {
  const reason = wish(situation, policy, now);
  if (reason === 'nothing-new' || reason === 'still-flapping') return reason;
  if (situation.silenced) return 'silenced';
  if (situation.quiet && reason !== 'repeat-due') return 'sent-elsewhere';
  if (situation.muted) return 'muted';
  if (situation.cooling) return 'cooldown';
  if (reason !== 'repeat-due') return reason;
  const { incident, lastOfRule, lastOfSubject } = situation;
  if (incident.ack && rank(incident.severity) <= rank(incident.ack.severity)) return 'acknowledged';
  if (lastOfRule !== undefined && now - lastOfRule < policy.rateLimitMs) return 'rate-limited';
  const cooldownMs = policy.cooldownMs(incident.subject, incident.alias);
  if (lastOfSubject !== undefined && now - lastOfSubject < cooldownMs) return 'cooldown';
  return reason;
}

/** What would be said if nobody minded. */
function wish({ incident, kind }: Situation, policy: Policy, now: number): Reason {
  const { said } = incident;
  // Ended before its start was sent: one message tells both.
  if (said.waits !== undefined) return kind === 'resolved' ? 'resolved' : 'nothing-new';
  if (kind === 'event' || waitsForGroup(incident)) return 'first';
  if (incident.flapping) return wishWhileFlapping(incident, kind, policy, now);
  if (kind === 'resolved') {
    // A container's changes that are no longer frequent are no news.
    if (!wasNotified(incident) || (incident.event && incident.fact)) return 'nothing-new';
    return said.flapping && incident.endedAs !== 'gone' ? 'stable' : 'resolved';
  }
  if (kind === 'calm' && wasNotified(incident) && policy.flapOf(incident.rule).staysMs === undefined)
    return 'stable';
  // Fine at the moment, or not there: perhaps about to end, nothing to be alarmed about now.
  if (incident.state !== 'firing' || incident.okSince !== undefined || incident.missingSince !== undefined) {
    return 'nothing-new';
  }
  if (!wasNotified(incident)) return 'first';
  if (stays(incident, policy, now)) return 'stays';
  if (rank(incident.severity) > rank(said.severity ?? 'info')) return 'worse';
  if (kind === 'worse' && now - (said.lastAt ?? 0) >= policy.worseAgainMs) return 'worse';
  const due = repeatDueAt(incident, policy);
  return due !== undefined && now >= due ? 'repeat-due' : 'nothing-new';
}

/** One message that it flaps; then only a severity that was never told, that it stays, and the repeats. */
function wishWhileFlapping(incident: Incident, kind: Situation['kind'], policy: Policy, now: number): Reason {
  const { said, severity, okSince, event } = incident;
  // Fine at the moment: what a silence held back would not be true any more.
  if (!said.flapping)
    return event || okSince === undefined || kind === 'flapping' ? 'flapping' : 'nothing-new';
  if (event) return 'still-flapping';
  if (okSince === undefined && rank(severity) > rank(said.severity ?? 'info')) return 'worse';
  if (stays(incident, policy, now)) return 'stays';
  const due = policy.flapOf(incident.rule).staysMs === undefined ? undefined : repeatDueAt(incident, policy);
  return due !== undefined && now >= due ? 'repeat-due' : 'still-flapping';
}

/** It came and went, and since it began last nothing was sent about it, although it has held for long now. */
function stays(incident: Incident, policy: Policy, now: number): boolean {
  const due = staysDueAt(incident, policy);
  return due !== undefined && now >= due;
}

/** When it is to be sent that it stays (epoch ms); undefined: it is fine, or was sent already. */
export function staysDueAt({ rule, spells, said, okSince }: Incident, policy: Policy): number | undefined {
  const { staysMs } = policy.flapOf(rule);
  const { since } = spells ?? {};
  if (staysMs === undefined || since === undefined || okSince !== undefined) return undefined;
  return said.lastAt !== undefined && said.lastAt < since ? since + staysMs : undefined;
}

/** Its start was said, by itself or in another incident's message. */
export function wasNotified({ said }: Incident): boolean {
  return said.count > 0 || said.withId !== undefined;
}

/** Has the cause of something just told, and waits to be told together with others of its rule. */
export function waitsForGroup(incident: Incident): boolean {
  const { groupId, id, event, state } = incident;
  return groupId !== undefined && groupId !== id && !wasNotified(incident) && (event || state === 'firing');
}

/**
 * When the next repeat is due: 1 h, 4 h, 24 h, 48 h, ... after the first message; a repeat that was told a little early, together
 * with others of its rule, counts. Undefined: never.
 */
export function repeatDueAt({ said, severity }: Incident, policy: Policy): number | undefined {
  if (said.since === undefined || said.lastAt === undefined || severity === 'info') return undefined;
  const sentAfter = said.lastAt - said.since + policy.rateLimitMs;
  const next = policy.repeatMs.find((after) => after > sentAfter);
  if (next !== undefined) return said.since + next;
  return said.since + (Math.floor(sentAfter / policy.dailyMs) + 1) * policy.dailyMs;
}
