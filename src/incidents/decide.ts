import { NOTIFY_REASONS, type Incident, type IncidentChange, type NotifyReason } from '../model/incident.ts';
import { isGoneJob } from '../model/fact-rules.ts';
import { rank } from './observe.ts';
import type { Policy } from './policy.ts';

/** Why something is sent, or is not. */
export type Reason =
  | NotifyReason
  | 'nothing-new'
  | 'silenced'
  /** The last check did not see whether it is still so, or none was made since the start. */
  | 'unseen'
  /** Somebody acknowledged it, and it is no worse than it was then. */
  | 'acknowledged'
  | 'still-flapping'
  /** Another message has it, as the finding states. */
  | 'sent-elsewhere'
  /** vpsmon.yaml wants no messages like this about this service. */
  | 'muted'
  | 'rate-limited'
  | 'cooldown'
  /** It ended and began anew before its end was sent. */
  | 'began-anew'
  /** Waits for others of its kind, or for the moment at which it is true. */
  | 'waits'
  /** Same cause as something that was sent within 10 s, or its symptom. */
  | 'folded';

/** An incident and what was decided about it. */
export type Decision = { incident: Incident; reason: Reason };

export type Situation = {
  incident: Incident;
  /** What just happened to it; undefined: nothing, it is only still open. */
  kind?: IncidentChange['kind'] | undefined;
  silenced: boolean;
  unseen?: boolean | undefined;
  quiet?: boolean | undefined;
  muted?: boolean | undefined;
  /** An event like it, which is limited to one per cooldown, was sent. */
  cooling?: boolean | undefined;
  /** Epoch ms of the last message of its type, and about its service, whichever incident they were about. */
  lastOfRule?: number | undefined;
  lastOfSubject?: number | undefined;
};

/** True for the reasons that are messages. */
export function isMessage(reason: Reason): reason is NotifyReason {
  return (NOTIFY_REASONS as readonly Reason[]).includes(reason);
}

/**
 * Whether something is sent about one incident, and why or why not. Pure. Only repeats are limited: a start, a worsening and
 * an end are always sent, unless the subject is silenced or flaps. (What shares a cause is gathered afterwards, in gather.ts.)
 */
export function decide(situation: Situation, policy: Policy, now: number): Reason {
  const reason = wanted(situation, policy, now);
  if (reason === 'nothing-new' || reason === 'still-flapping') return reason;
  if (situation.silenced) return 'silenced';
  if (situation.unseen) return 'unseen';
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

/** What would be sent if nothing were silenced, muted or limited. */
function wanted({ incident, kind }: Situation, policy: Policy, now: number): Reason {
  const { notified } = incident;
  // Ended before its start was sent: one message has both. A job that is gone by itself is to be named all the same.
  if (notified.waits !== undefined)
    return kind === 'resolved' && !isGoneJob(incident) ? 'resolved' : 'nothing-new';
  if (kind === 'event' || (waitsForGroup(incident) && !isFine(incident))) return 'first';
  if (incident.flapping) return wantedWhileFlapping(incident, kind, policy, now);
  if (kind === 'resolved') {
    // A container's changes that are no longer frequent are no news.
    if (!wasNotified(incident) || (incident.event && incident.fact)) return 'nothing-new';
    return notified.flapping && incident.endedAs !== 'gone' ? 'stable' : 'resolved';
  }
  if (kind === 'calm' && wasNotified(incident) && policy.flapOf(incident.rule).staysMs === undefined)
    return 'stable';
  // Fine at the moment, or not there: perhaps about to end, nothing to be alarmed about now.
  if (incident.state !== 'firing' || isFine(incident)) return 'nothing-new';
  if (!wasNotified(incident)) return 'first';
  if (stays(incident, policy, now)) return 'stays';
  if (rank(incident.severity) > rank(notified.severity ?? 'info')) return 'worse';
  if (kind === 'worse' && now - (notified.lastAt ?? 0) >= policy.worseAgainMs) return 'worse';
  const due = repeatDueAt(incident, policy);
  return due !== undefined && now >= due ? 'repeat-due' : 'nothing-new';
}

function isFine({ okSince, missingSince }: Incident): boolean {
  return okSince !== undefined || missingSince !== undefined;
}

/** One message that it flaps; then only a severity that was never sent, that it stays, and the repeats. */
function wantedWhileFlapping(
  incident: Incident,
  kind: Situation['kind'],
  policy: Policy,
  now: number,
): Reason {
  const { notified, severity, okSince, event } = incident;
  // Fine at the moment: what a silence held back would not be true any more.
  if (!notified.flapping)
    return event || okSince === undefined || kind === 'flapping' ? 'flapping' : 'nothing-new';
  if (event) return 'still-flapping';
  if (okSince === undefined && rank(severity) > rank(notified.severity ?? 'info')) return 'worse';
  if (stays(incident, policy, now)) return 'stays';
  const due = policy.flapOf(incident.rule).staysMs === undefined ? undefined : repeatDueAt(incident, policy);
  return due !== undefined && now >= due ? 'repeat-due' : 'still-flapping';
}

/** It came and went, and since it began last nothing was sent about it, although it has held for long now. */
function stays(incident: Incident, policy: Policy, now: number): boolean {
  const due = staysDueAt(incident, policy);
  return due !== undefined && now >= due;
}

/** What comes and goes for long is told once more at the latest when it stays for so long. */
const STAYS_MOST_MS = 10 * 60_000;

/** When it is to be sent that it stays, longer than it usually does (epoch ms); undefined: it is fine, or was sent already. */
export function staysDueAt(
  { rule, spells, notified, okSince }: Incident,
  policy: Policy,
): number | undefined {
  const { staysMs } = policy.flapOf(rule);
  const { since, count = 1, ms = 0 } = spells ?? {};
  if (staysMs === undefined || since === undefined || okSince !== undefined) return undefined;
  if (notified.lastAt === undefined || notified.lastAt >= since) return undefined;
  // What is down for a minute of every two comes back as it did before.
  const usually = count > 1 ? ms / (count - 1) : 0;
  return since + Math.max(staysMs, Math.min(2 * usually, STAYS_MOST_MS));
}

/** Its start was sent, by itself or in another incident's message. */
export function wasNotified({ notified }: Incident): boolean {
  return notified.count > 0 || notified.withId !== undefined;
}

/** Has the cause of something that was just sent, and waits to be sent together with others of its rule. */
export function waitsForGroup(incident: Incident): boolean {
  const { groupId, id, event, state } = incident;
  return groupId !== undefined && groupId !== id && !wasNotified(incident) && (event || state === 'firing');
}

/**
 * When the next repeat is due: 1 h, 4 h, 24 h, 48 h, ... after the first message; a repeat that was sent a little early, together
 * with others of its rule, counts. Undefined: never.
 */
export function repeatDueAt({ notified, severity }: Incident, policy: Policy): number | undefined {
  if (notified.since === undefined || notified.lastAt === undefined || severity === 'info') return undefined;
  const sentAfter = notified.lastAt - notified.since + policy.rateLimitMs;
  const next = policy.repeatMs.find((after) => after > sentAfter);
  if (next !== undefined) return notified.since + next;
  return notified.since + (Math.floor(sentAfter / policy.dailyMs) + 1) * policy.dailyMs;
}
