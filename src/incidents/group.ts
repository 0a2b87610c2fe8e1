// What is sent alone and what is sent together. One crash is sent at once; when thirty containers die in the same second, the
// first one is sent at once and the others in one list. Starts, restarts and recoveries are in no hurry: they wait a moment for
// others of their kind. Silences were looked at before, and are looked at again when the wait is over. So is whether the message
// is true: what is not waits until it is, or until something newer is sent about the container.
import { CHANGES, type Change, type Claim } from '../model/change.ts';
import { changeOf, claimOf, endedByTime, factOf } from '../model/fact-rules.ts';
import { defined } from '../model/defined.ts';
import { ruleInfo } from '../model/rules.ts';
import { serviceKey } from '../model/service-key.ts';
import type { Incident, NotifyReason } from '../model/incident.ts';
import type { Draft } from './gather.ts';

const BURST_MS = 1500;
const HOLD_URGENT_MS = 500;
const MAX_URGENT_MS = 8000;
const HOLD_CALM_MS = 800;
const MAX_CALM_MS = 5000;
/** More than this in one go become a list. */
const ALONE = 3;
/** What is not true at the moment is looked at again after this, and given up after the next; an event that nobody can see, after the last. */
const LOOK_AGAIN_MS = 2000;
const GIVE_UP_MS = 60_000;
const GIVE_UP_UNSEEN_MS = 3_600_000;
/** What began and cannot be seen at the moment is sent all the same after this: while Docker is away, and when it is back. */
const BACK_WITHIN_MS = 5000;
const SEEN_WITHIN_MS = 15_000;

/** So many of a sort within this time are sent, the last with a note; then none until it has been calm for as long. */
const MOST = 3;
const WINDOW_MS = 600_000;
/** Of jobs that failed, more: each may be a service that somebody started without a restart policy, and a death is not to wait. */
const MOST_FAILED = 10;
/** Exit codes from here on stand for signals. */
const SIGNALS = 128;
/** Jobs that come together count once. */
const JOBS_TOGETHER_MS = 8000;

/** Jobs that failed, of which so many were sent lately that further ones are sent together. */
const FAILED_JOBS = 'failed jobs';
type Kind = Change | typeof FAILED_JOBS;

/** `earlier`: it was seen by the process before this one. `unseenAt`: when nobody could see whether it is still so. */
type Held = {
  id: number;
  reason: NotifyReason;
  since: number;
  often?: true;
  earlier?: true;
  unseenAt?: number;
};
type Group = { held: Held[]; due: number; firstAt: number; lastAt: number };
/** What waits, by kind of change, and when limited sorts were sent. Times are monotonic, in ms. Changed in place. */
export type Groups = { waiting: Map<Kind, Group>; sent: Map<string, number[]> };

/** What somebody has put right is no news any more. */
const ENDED_BY_TRUTH: ReadonlySet<Claim> = new Set(['down', 'paused', 'unhealthy', 'there', 'gone']);

export type Look = {
  all: ReadonlyMap<number, Incident>;
  /** Monotonic, ms. */
  mono: number;
  silenced(incident: Incident): boolean;
  muted(incident: Incident): boolean;
  /** Whether the claim is true of the container; undefined where nobody can see it at the moment. */
  isTrue(incident: Incident, claim: Claim): boolean | undefined;
};

export type Readiness = 'ready' | 'waits' | 'not-now' | 'too-many';

/** Whether a draft goes out now, or waits. `fresh`: what it states was seen just now. */
export function admit(groups: Groups, draft: Draft, fresh: boolean, look: Look): Readiness {
  const { reason, others } = draft;
  const change = changeOf(draft.incident);
  if (change === undefined && claimOf(draft.incident) === undefined) return 'ready';
  if (draft.incident.event && reason === 'first') {
    const often = comesOften(groups, eventsKey(draft.incident), look.mono);
    if (often === 'too-many') return 'too-many';
    if (often === 'last')
      draft.incident = { ...draft.incident, notified: { ...draft.incident.notified, often: true } };
  }
  const { incident } = draft;
  const holds = isTrueNow(incident, look);
  const hasNoEnd = incident.event === true || incident.state === 'resolved';
  if (holds === false || (holds === undefined && !fresh)) {
    if (!hasNoEnd) return 'not-now';
    // It has gone down since: what was stable for long is not any more when it is up again.
    const calmed = holds === false && reason === 'stable';
    hold(groups, calmed ? { ...draft, reason: 'resolved' } : draft, look.mono, LOOK_AGAIN_MS);
    return 'waits';
  }
  if (incident.notified.waits !== undefined) letGo(groups, incident.id);
  const groupable = reason === 'first' || reason === 'flapping' || reason === 'resolved';
  if (change === undefined || !groupable || others.length > 0) return 'ready';
  const jobs = jobsKey(incident, reason);
  const most = jobs === FAILED_JOBS ? MOST_FAILED : MOST;
  const often = jobs === undefined ? 'no' : comesOften(groups, jobs, look.mono, JOBS_TOGETHER_MS, most);
  if (often === 'too-many' && jobs !== FAILED_JOBS) return 'too-many';
  if (often === 'too-many') {
    hold(groups, draft, look.mono, WINDOW_MS, FAILED_JOBS);
    return 'waits';
  }
  if (often === 'last') draft.often = true;
  const group = groupOf(groups, change);
  const { urgent } = CHANGES[change];
  const alone = urgent && group.held.length === 0 && look.mono - group.lastAt >= BURST_MS;
  group.lastAt = look.mono;
  if (alone) return 'ready';
  hold(groups, draft, look.mono, urgent ? HOLD_URGENT_MS : HOLD_CALM_MS);
  return 'waits';
}

/** Counts one more of a sort. Each further one prolongs the wait; what comes within `togetherMs` counts once. */
function comesOften(
  { sent }: Groups,
  key: string,
  mono: number,
  togetherMs = 0,
  most = MOST,
): 'no' | 'last' | 'too-many' {
  for (const [other, times] of sent) if (mono - times.at(-1)! >= WINDOW_MS) sent.delete(other);
  const times = (sent.get(key) ?? []).filter((at) => mono - at < WINDOW_MS);
  if (times.length === 0 || mono - times.at(-1)! >= togetherMs) times.push(mono);
  sent.set(key, times.slice(-most - 1));
  return times.length > most ? 'too-many' : times.length === most ? 'last' : 'no';
}

/**
 * Jobs have a new name each time, so that no limit per name holds them: they count together. One that failed was not asked to be watched,
 * and ended with an error of its own soon after its start: what was killed did not fail.
 */
function jobsKey(incident: Incident, reason: NotifyReason): string | undefined {
  const { event, severity, fact } = incident;
  if (severity !== 'critical') return event && factOf(incident)?.job ? 'jobs' : undefined;
  if (reason !== 'first' || fact?.kind !== 'stopped' || !fact.job) return undefined;
  const { startedAt = fact.at, cause, exitCode } = fact.death;
  const failed = cause === 'crash' && exitCode < SIGNALS;
  return failed && fact.at - startedAt < WINDOW_MS ? FAILED_JOBS : undefined;
}

/** News and what is worse are counted apart: three deploys must not hide a crash. */
function eventsKey({ subject, severity }: Pick<Incident, 'subject' | 'severity'>): string {
  return `${severity === 'info' ? 'news' : 'worse'} ${serviceKey(subject)}`;
}

/** What was counted of a subject goes on under its new name. */
export function renameEvents({ sent }: Groups, from: string, to: string): void {
  for (const severity of ['info', 'warning'] as const) {
    const key = eventsKey({ subject: from, severity });
    const times = sent.get(key);
    if (!times) continue;
    sent.delete(key);
    sent.set(eventsKey({ subject: to, severity }), times);
  }
}

/** What waited before this process was started goes out with the next look. */
export function holdAgain(groups: Groups, all: Iterable<Incident>, mono: number): void {
  for (const incident of all) {
    const { id, notified } = incident;
    if (notified.waits === undefined) continue;
    const group = groupOf(groups, changeOf(incident) ?? 'restored');
    group.held.push({ id, reason: notified.waits, since: mono, earlier: true });
  }
}

/** Its end takes the place of its start, which waited. */
function letGo(groups: Groups, id: number): void {
  for (const group of groups.waiting.values()) group.held = group.held.filter((one) => one.id !== id);
}

function hold(
  groups: Groups,
  { incident, reason, often }: Draft,
  mono: number,
  waitMs: number,
  kind: Kind = changeOf(incident) ?? 'restored',
): void {
  const group = groupOf(groups, kind);
  if (group.held.length === 0) group.firstAt = mono;
  group.held = group.held.filter(({ id }) => id !== incident.id);
  group.held.push({ id: incident.id, reason, since: mono, ...(often ? { often } : {}) });
  if (group.held.length === 1) group.due = mono + waitMs;
  else if (kind !== FAILED_JOBS && !CHANGES[kind].urgent)
    group.due = Math.min(mono + waitMs, group.firstAt + MAX_CALM_MS);
}

function groupOf({ waiting }: Groups, kind: Kind): Group {
  let group = waiting.get(kind);
  if (!group) waiting.set(kind, (group = { held: [], due: 0, firstAt: 0, lastAt: -Infinity }));
  return group;
}

/** Monotonic time at which something that waits is due; Infinity where nothing waits. */
export function groupsDue(groups: Groups): number {
  let due = Infinity;
  for (const group of groups.waiting.values()) if (group.held.length > 0) due = Math.min(due, group.due);
  return due;
}

/** Drafts of what has waited long enough, and incidents that wait no longer, with the reason. */
export type Released = {
  drafts: Draft[];
  dropped: { incident: Incident; reason: 'silenced' | 'muted' | 'folded' }[];
  /** Not true any more, and part of the message that follows. */
  before: Incident[];
};

/** `everything`: the process ends, and nothing waits any longer. */
export function release(groups: Groups, look: Look, everything = false): Released {
  const released: Released = { drafts: [], dropped: [], before: [] };
  const { mono } = look;
  for (const [kind, group] of groups.waiting) {
    if (group.held.length === 0 || (mono < group.due && !everything)) continue;
    const change = kind === FAILED_JOBS ? 'stopped' : kind;
    const growing = mono - group.lastAt < BURST_MS && mono - group.firstAt < MAX_URGENT_MS;
    if (CHANGES[change].urgent && kind === change && group.held.length >= ALONE && growing && !everything) {
      group.due = Math.min(group.lastAt + BURST_MS, group.firstAt + MAX_URGENT_MS);
      continue;
    }
    group.due = mono + LOOK_AGAIN_MS;
    const ready: Draft[] = [];
    group.held = group.held.filter((one) => lookAgain(one, look, { ...released, drafts: ready }));
    released.drafts.push(...together(change, ready, kind === FAILED_JOBS));
  }
  return released;
}

function together(change: Change, ready: Draft[], isList = CHANGES[change].oneLine === true): Draft[] {
  // One that is fine again meanwhile, and flaps, is no line of this list.
  const alike = ready.filter(({ incident }) => changeOf(incident) === change);
  const joined = isList ? alike.length > 1 : alike.length > ALONE;
  const [first, ...others] = alike;
  if (!joined || !first) return ready;
  const list: Draft = { ...first, others: others.map(({ incident }) => incident), list: change };
  return [list, ...ready.filter((one) => !alike.includes(one))];
}

/** Makes a draft of what waited, or drops it, as it is by now. True: it waits on. */
function lookAgain(held: Held, look: Look, { drafts, dropped }: Released): boolean {
  const { id, reason, since, often, earlier } = held;
  const incident = look.all.get(id);
  if (!incident || incident.notified.waits === undefined) return false;
  const send = (): false => (drafts.push({ incident, reason, others: [], ...defined({ often }) }), false);
  const drop = (why: 'silenced' | 'muted' | 'folded'): false => (
    dropped.push({ incident, reason: why }),
    false
  );
  if (look.silenced(incident)) return drop('silenced');
  // It may have got a name whose changes are muted.
  if (look.muted(incident)) return drop('muted');
  const holds = isTrueNow(incident, look);
  const goesOn = incident.event !== true && incident.state !== 'resolved';
  // Docker may be back in a moment, and say then what has ended.
  const maxMs = look.isTrue(incident, 'no-docker') === true ? BACK_WITHIN_MS : SEEN_WITHIN_MS;
  if (goesOn && !earlier && holds === undefined && look.mono - (held.unseenAt ??= look.mono) < maxMs)
    return true;
  // It came and went while it waited, and not for the first time: that is what is sent.
  const isSeen = holds ?? incident.okSince === undefined;
  if (goesOn && reason === 'flapping' && incident.flapping && isSeen) return send();
  // Decided anew with the next change, or when a check finds it still so.
  if (goesOn && (holds === false || (holds === undefined && earlier) || incident.okSince !== undefined))
    return drop('folded');
  if (holds === true || goesOn) return send();
  const claim = claimOf(incident);
  const isOver = (claim !== undefined && ENDED_BY_TRUTH.has(claim)) || endedByTime(incident);
  const waited = look.mono - since;
  const givenUp =
    holds === undefined
      ? incident.event === true && waited >= GIVE_UP_UNSEEN_MS
      : isOver || waited >= GIVE_UP_MS;
  return givenUp ? drop('folded') : true;
}

/** What waits about a container is sent before the next thing about it, where it is true; a stop replaces what is not. */
export function releaseAbout(groups: Groups, draft: Draft, look: Look): Released {
  const released: Released = { drafts: [], dropped: [], before: [] };
  const about = new Map([draft.incident, ...draft.others].map((incident) => [incident.subject, incident]));
  for (const group of groups.waiting.values()) {
    group.held = group.held.filter((one) => {
      const incident = look.all.get(one.id);
      const newer = incident && about.get(incident.subject);
      if (!newer || newer.id === one.id) return true;
      if (!lookAgain(one, look, released)) return false;
      const whileOn = ruleInfo(newer.rule)?.whileOn;
      if (whileOn === undefined || draft.reason === 'resolved') return true;
      if (incident.severity === 'info' && whileOn === 'down')
        released.dropped.push({ incident, reason: 'folded' });
      else released.before.push(incident);
      return false;
    });
  }
  return released;
}

/** Whether what a message about it states can be seen to be so at the moment. */
export function isSeenTrue(incident: Incident, isTrue: Look['isTrue']): boolean {
  return isTrueNow(incident, { isTrue }) === true;
}

function isTrueNow(incident: Incident, { isTrue }: Pick<Look, 'isTrue'>): boolean | undefined {
  const claim = claimOf(incident);
  return claim === undefined || isTrue(incident, claim);
}
