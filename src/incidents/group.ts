// What is sent alone and what is sent together. One crash is sent at once; when thirty containers die in the same second, the
// first one is sent at once and the others in one list. Starts, restarts and recoveries are in no hurry: they wait a moment for
// others of their kind. Silences were looked at before, and are looked at again when the wait is over. So is whether the message
// is true: what is not waits until it is, or until something newer is sent about the container.
import { CHANGES, type Change, type Claim } from '../model/change.ts';
import { changeOf, claimOf, endedByTime, factOf } from '../model/fact-rules.ts';
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

const JOBS_WINDOW_MS = 600_000;
const JOBS_TOGETHER_MS = 8000;
const JOBS_TIMES = 3;

/** So many events about a container within this time; the last one announces that, and none follows until it is calm. */
const EVENTS_MOST = 3;
const EVENTS_WINDOW_MS = 600_000;

/** Jobs that failed, of which so many were sent lately that further ones are sent together. */
const FAILED_JOBS = 'failed jobs';

type Held = { id: number; reason: NotifyReason; since: number; often?: true };
type Group = { held: Held[]; due: number; firstAt: number; lastAt: number };
/** What waits, by kind of change. Times are monotonic, in ms. Changed in place. */
export type Groups = Map<Change | typeof FAILED_JOBS, Group> & {
  jobs?: number[];
  failedJobs?: number[];
  /** When events were sent, by subject; news and what is worse are counted apart: three deploys must not hide a crash. */
  events?: Map<string, number[]>;
};

export type Look = {
  all: ReadonlyMap<number, Incident>;
  /** Monotonic, ms. */
  mono: number;
  silenced(incident: Incident): boolean;
  /** Whether the claim is true of the container; undefined where nobody can see it at the moment. */
  isTrue(incident: Incident, claim: Claim): boolean | undefined;
};

export type Outcome = 'ready' | 'waits' | 'not-now' | 'too-many';

/** Whether a draft goes out now, or waits. `fresh`: what it states was seen just now. */
export function admit(groups: Groups, draft: Draft, fresh: boolean, look: Look): Outcome {
  const { reason, others } = draft;
  const change = changeOf(draft.incident);
  if (change === undefined && claimOf(draft.incident) === undefined) return 'ready';
  if (draft.incident.event && reason === 'first') {
    const often = eventsComeOften(groups, draft.incident, look.mono);
    if (often === 'too-many') return 'too-many';
    if (often === 'last')
      draft.incident = { ...draft.incident, notified: { ...draft.incident.notified, often: true } };
  }
  const { incident } = draft;
  const holds = isTrueNow(incident, reason, look);
  const hasNoEnd = incident.event === true || incident.state === 'resolved';
  if (holds === false || (holds === undefined && !fresh)) {
    if (!hasNoEnd) return 'not-now';
    hold(groups, draft, look.mono, LOOK_AGAIN_MS);
    return 'waits';
  }
  if (incident.notified.waits !== undefined) letGo(groups, incident.id);
  const groupable = reason === 'first' || reason === 'flapping' || reason === 'resolved';
  if (change === undefined || !groupable || others.length > 0) return 'ready';
  if (incident.event && incident.severity !== 'critical' && factOf(incident)?.job) {
    const often = jobsComeOften((groups.jobs ??= []), look.mono);
    if (often === 'too-many') return 'too-many';
    if (often === 'last') draft.often = true;
  }
  if (reason === 'first' && isFailedJob(incident)) {
    const often = jobsComeOften((groups.failedJobs ??= []), look.mono);
    if (often === 'too-many') {
      hold(groups, draft, look.mono, JOBS_WINDOW_MS, FAILED_JOBS);
      return 'waits';
    }
    if (often === 'last') draft.often = true;
  }
  const group = groupOf(groups, change);
  const { urgent } = CHANGES[change];
  const alone = urgent && group.held.length === 0 && look.mono - group.lastAt >= BURST_MS;
  group.lastAt = look.mono;
  if (alone) return 'ready';
  hold(groups, draft, look.mono, urgent ? HOLD_URGENT_MS : HOLD_CALM_MS);
  return 'waits';
}

/**
 * Jobs have a new name each time, so that no limit per name holds them. Those that come together count once; three such times
 * within ten minutes are sent, the last with a note, and then none until it is calm, but for lists of those that failed. `times` is
 * changed in place.
 */
function jobsComeOften(times: number[], mono: number): 'no' | 'last' | 'too-many' {
  const recent = times.filter((at) => mono - at < JOBS_WINDOW_MS);
  const last = recent.at(-1);
  if (last === undefined || mono - last >= JOBS_TOGETHER_MS) recent.push(mono);
  times.splice(0, times.length, ...recent.slice(-JOBS_TIMES - 1));
  if (times.length > JOBS_TIMES) return 'too-many';
  return times.length === JOBS_TIMES ? 'last' : 'no';
}

/** A container that nobody asked to be watched ended with an error soon after its start. */
function isFailedJob({ severity, fact }: Incident): boolean {
  if (severity !== 'critical' || fact?.kind !== 'stopped' || !fact.job) return false;
  return fact.at - (fact.death.startedAt ?? fact.at) < JOBS_WINDOW_MS;
}

function eventsComeOften(
  groups: Groups,
  { subject, severity }: Incident,
  mono: number,
): 'no' | 'last' | 'too-many' {
  const events = (groups.events ??= new Map<string, number[]>());
  for (const [key, times] of events)
    if (times.every((at) => mono - at >= EVENTS_WINDOW_MS)) events.delete(key);
  const key = eventsKey(subject, severity === 'info');
  const times = (events.get(key) ?? []).filter((at) => mono - at < EVENTS_WINDOW_MS);
  // Each further one prolongs the wait.
  events.set(key, [...times, mono].slice(-EVENTS_MOST));
  if (times.length >= EVENTS_MOST) return 'too-many';
  return times.length === EVENTS_MOST - 1 ? 'last' : 'no';
}

function eventsKey(subject: string, isNews: boolean): string {
  return `${isNews ? 'news' : 'worse'} ${serviceKey(subject)}`;
}

/** What was counted of a subject goes on under its new name. */
export function renameEvents({ events }: Groups, from: string, to: string): void {
  for (const isNews of [true, false]) {
    const times = events?.get(eventsKey(from, isNews));
    if (!times) continue;
    events?.delete(eventsKey(from, isNews));
    events?.set(eventsKey(to, isNews), times);
  }
}

/** What waited before this process was started goes out with the next look. */
export function holdAgain(groups: Groups, all: Iterable<Incident>, mono: number): void {
  for (const incident of all) {
    const { id, notified } = incident;
    if (notified.waits === undefined) continue;
    const group = groupOf(groups, changeOf(incident) ?? 'restored');
    group.held.push({ id, reason: notified.waits, since: mono });
  }
}

/** Its end takes the place of its start, which waited. */
function letGo(groups: Groups, id: number): void {
  for (const group of groups.values()) group.held = group.held.filter((one) => one.id !== id);
}

function hold(
  groups: Groups,
  { incident, reason, often }: Draft,
  mono: number,
  waitMs: number,
  change: Change | typeof FAILED_JOBS = changeOf(incident) ?? 'restored',
): void {
  const group = groupOf(groups, change);
  if (group.held.length === 0) group.firstAt = mono;
  group.held = group.held.filter(({ id }) => id !== incident.id);
  group.held.push({ id: incident.id, reason, since: mono, ...(often ? { often } : {}) });
  if (group.held.length === 1) group.due = mono + waitMs;
  else if (change !== FAILED_JOBS && !CHANGES[change].urgent)
    group.due = Math.min(mono + waitMs, group.firstAt + MAX_CALM_MS);
}

function groupOf(groups: Groups, change: Change | typeof FAILED_JOBS): Group {
  let group = groups.get(change);
  if (!group) groups.set(change, (group = { held: [], due: 0, firstAt: 0, lastAt: -Infinity }));
  return group;
}

/** Monotonic time at which something that waits is due; Infinity where nothing waits. */
export function groupsDue(groups: Groups): number {
  let due = Infinity;
  for (const group of groups.values()) if (group.held.length > 0) due = Math.min(due, group.due);
  return due;
}

/** Drafts of what has waited long enough, and incidents that wait no longer, with the reason. */
export type Released = {
  drafts: Draft[];
  dropped: { incident: Incident; reason: 'silenced' | 'folded' }[];
  /** Not true any more, and part of the message that follows. */
  before: Incident[];
};

/** `everything`: the process ends, and nothing waits any longer. */
export function release(groups: Groups, look: Look, everything = false): Released {
  const released: Released = { drafts: [], dropped: [], before: [] };
  const { mono } = look;
  for (const [kind, group] of groups) {
    if (group.held.length === 0 || (mono < group.due && !everything)) continue;
    const change = kind === FAILED_JOBS ? 'stopped' : kind;
    const growing = mono - group.lastAt < BURST_MS && mono - group.firstAt < MAX_URGENT_MS;
    if (CHANGES[change].urgent && kind === change && group.held.length >= ALONE && growing && !everything) {
      group.due = Math.min(group.lastAt + BURST_MS, group.firstAt + MAX_URGENT_MS);
      continue;
    }
    const { held } = group;
    group.held = [];
    group.due = mono + LOOK_AGAIN_MS;
    const ready = held.flatMap((one) => {
      const outcome = lookAgain(one, look);
      if (outcome === 'wait') group.held.push(one);
      else if (outcome && 'dropped' in outcome) released.dropped.push(outcome.dropped);
      else if (outcome)
        return [
          { incident: outcome.incident, reason: one.reason, ...(one.often ? { often: one.often } : {}) },
        ];
      return [];
    });
    released.drafts.push(...together(change, ready, kind === FAILED_JOBS));
  }
  return released;
}

function together(
  change: Change,
  ready: Pick<Draft, 'incident' | 'reason' | 'often'>[],
  isList = CHANGES[change].oneLine === true,
): Draft[] {
  // One that is fine again meanwhile, and flaps, is no line of this list.
  const alike = ready.filter(({ incident }) => changeOf(incident) === change);
  const joined = isList ? alike.length > 1 : alike.length > ALONE;
  const [first, ...others] = alike;
  if (!joined || !first) return ready.map((one) => ({ ...one, others: [] }));
  const list: Draft = { ...first, others: others.map(({ incident }) => incident), list: change };
  const rest = ready.filter((one) => !alike.includes(one));
  return [list, ...rest.map((one) => ({ ...one, others: [] }))];
}

type Again = 'wait' | { incident: Incident } | { dropped: Released['dropped'][number] } | undefined;

function lookAgain({ id, reason, since }: Held, look: Look): Again {
  const incident = look.all.get(id);
  if (!incident || incident.notified.waits === undefined) return undefined;
  if (look.silenced(incident)) return { dropped: { incident, reason: 'silenced' } };
  const holds = isTrueNow(incident, reason, look);
  const goesOn = incident.event !== true && incident.state !== 'resolved';
  // It came and went while it waited, and not for the first time: that is what is sent.
  const isSeen = holds ?? incident.okSince === undefined;
  if (goesOn && reason === 'flapping' && incident.flapping && isSeen) return { incident };
  // Decided anew with the next change, or when a check finds it still so.
  if (goesOn && (holds === false || incident.okSince !== undefined))
    return { dropped: { incident, reason: 'folded' } };
  if (holds === true || goesOn) return { incident };
  const claim = claimOf(incident);
  const isOver = claim === 'down' || claim === 'unhealthy' || claim === 'gone' || endedByTime(incident);
  const waited = look.mono - since;
  const givenUp =
    holds === undefined
      ? incident.event === true && waited >= GIVE_UP_UNSEEN_MS
      : isOver || waited >= GIVE_UP_MS;
  return givenUp ? { dropped: { incident, reason: 'folded' } } : 'wait';
}

/** What waits about a container is sent before the next thing about it, where it is true; a stop replaces what is not. */
export function releaseAbout(groups: Groups, draft: Draft, look: Look): Released {
  const released: Released = { drafts: [], dropped: [], before: [] };
  const about = new Map([draft.incident, ...draft.others].map((incident) => [incident.subject, incident]));
  for (const group of groups.values()) {
    group.held = group.held.filter((one) => {
      const incident = look.all.get(one.id);
      const newer = incident && about.get(incident.subject);
      if (!newer || newer.id === one.id) return true;
      const outcome = lookAgain(one, look);
      if (outcome === undefined) return false;
      if (outcome !== 'wait' && 'incident' in outcome) {
        released.drafts.push({ incident: outcome.incident, reason: one.reason, others: [] });
        return false;
      }
      if (outcome !== 'wait') {
        released.dropped.push(outcome.dropped);
        return false;
      }
      if (ruleInfo(newer.rule)?.whileOn !== 'down' || draft.reason === 'resolved') return true;
      if (incident.severity === 'info') released.dropped.push({ incident, reason: 'folded' });
      else released.before.push(incident);
      return false;
    });
  }
  return released;
}

/** Whether what a message about it states can be seen to be so at the moment. */
export function isSeenTrue(incident: Incident, look: Look): boolean {
  const claim = claimOf(incident);
  return claim === undefined || look.isTrue(incident, claim) === true;
}

function isTrueNow(incident: Incident, reason: NotifyReason, look: Look): boolean | undefined {
  const claim = claimOf(incident);
  // A repeat about one that flaps has its present state.
  if (claim === undefined || (reason === 'repeat-due' && incident.flapping)) return true;
  return look.isTrue(incident, claim);
}
