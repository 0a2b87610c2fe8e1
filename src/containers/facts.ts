// The facts that are handed on, and the conditions of containers that they begin and end.
import type {
  Because,
  Condition,
  ContainerFact,
  Death,
  FactKind,
  FactOf,
  Holding,
  Named,
  Observed,
} from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import { conditionBegunBy, howOf, stoppedOf } from '../model/fact-rules.ts';
import { SERIES_QUIET_MS } from '../model/rules.ts';
import { serviceKey } from '../model/service-key.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import {
  bearersOf,
  conditionOf,
  current,
  DAY_MS,
  hold,
  keyOf,
  release,
  restartsWithin,
  seriesOf,
  tallyOf,
} from './table.ts';
import type { Known, News, State, Tally, Turn } from './types.ts';

/** A container that ends without an error in less than this was a job. */
const JOB_MS = 600_000;
const COMES_AGAIN_MS = 20_000;

const MAY_BE_JOBS: readonly FactKind[] = ['stopped', 'started', 'redeployed', 'restarted'];

/** Hands on one fact about the service of this key; a condition that it states holds from now on. */
export function emit(turn: Turn, key: string, fact: ContainerFact): void {
  const condition = conditionBegunBy(fact);
  if (condition)
    hold(turn, key, condition, {
      ...about(fact),
      since: fact.at,
      ...defined({ how: howOf(fact), stopped: stoppedOf(fact) }),
    });
  const job = MAY_BE_JOBS.includes(fact.kind) && isJob(turn, key, fact);
  turn.out.touched.add(key);
  turn.out.facts.push(job ? { ...fact, job } : fact);
}

/** Hands on a fact about a container at `due` (monotonic), unless something else about it comes before. */
export function later(
  turn: Turn,
  known: Known,
  due: number,
  fact: ContainerFact,
  isOld?: (state: State) => boolean,
): void {
  const news: News = { kind: 'news', due, id: known.info.id, fact, ...(isOld ? { isOld } : {}) };
  turn.state.pending.set(keyOf(known), news);
}

/** Nobody asked for it to be watched, and nothing starts it again. */
function isJob({ state }: Turn, key: string, fact: ContainerFact): boolean {
  if (state.rules.of(fact).named) return false;
  const known = fact.kind === 'stopped' ? fact.death.policy : current(state, key)?.info.restartPolicy;
  const policy = known ?? 'no';
  return policy === 'no' || policy === 'on-failure';
}

/** Whom a fact is about. */
export function about({ name, service }: Named): Named {
  return service === undefined ? { name } : { name, service };
}

export function seen({ id, state, health, restartCount }: ContainerInfo): Observed {
  return { id, state, health, restartCount };
}

/**
 * Ends a condition for the fact that the caller emits, under the name that the container has now: Swarm gives each task another one.
 * Undefined where it does not hold.
 */
export function ends(
  turn: Turn,
  key: string,
  condition: Condition,
  now: Named & { at: number },
): Holding | undefined {
  const holding = release(turn, key, condition);
  if (holding) called(turn, key, holding.name, now);
  return holding;
}

/** What is open under a name goes on under another one. */
function called(turn: Turn, key: string, was: string, now: Named & { at: number }): void {
  if (was !== now.name) emit(turn, key, { kind: 'called', ...about(now), at: now.at, was });
}

/** A condition is over, and another fact is the news about it; nothing where it does not hold. */
export function reportOver(
  turn: Turn,
  key: string,
  condition: Condition,
  because: Because,
  at: number,
): void {
  const holding = release(turn, key, condition);
  if (holding) emit(turn, key, { kind: 'over', ...about(holding), at, condition, because });
}

/** Nothing about it holds any more. True where something did. */
export function reportGone(turn: Turn, key: string, because: Because | undefined, at: number): boolean {
  const all = [release(turn, key, 'stopped'), release(turn, key, 'unhealthy')];
  const series = seriesOf(turn.state, key, turn.now);
  const tally = turn.state.tallies.get(key);
  if (tally) delete tally.series;
  const subjects = new Map<string, Named>();
  for (const one of [...all, series]) if (one) subjects.set(one.name, about(one));
  for (const subject of subjects.values()) {
    if (because === undefined) emit(turn, key, { kind: 'removed', ...subject, at });
    else emit(turn, key, { kind: 'gone', ...subject, at, because });
  }
  return subjects.size > 0;
}

type StopOptions = Pick<FactOf<'stopped'>, 'next' | 'failed'> & { deploy?: boolean; gone?: boolean };

/** It stopped: a condition that lasts until it runs again, or an event where nothing is left that could run again. */
export function reportStopped(turn: Turn, death: Death, { next, failed, deploy, gone }: StopOptions): void {
  const key = serviceKey(death.name);
  const clean = death.exitCode === 0 && death.cause === 'crash';
  const { named } = turn.state.rules.of(death);
  const goesOn = next?.kind === 'keeps-trying';
  const job = clean && !named && !goesOn && (death.autoRemove || death.at - (death.startedAt ?? 0) < JOB_MS);
  if (!goesOn) delete tallyOf(turn.state, key).series;
  const fact = { ...stoppedFact(death), ...defined({ next, failed }), ...(deploy ? { deploy } : {}) };
  if (job || gone) {
    emit(turn, key, { ...fact, over: gone ? 'removed' : 'job' });
    return;
  }
  emit(turn, key, fact);
  // Nothing is left that could be watched, unless another one of its name comes soon.
  if (death.autoRemove && !named)
    turn.state.pending.set(key, {
      kind: 'removed',
      due: turn.now.mono + COMES_AGAIN_MS,
      at: death.at,
      quiet: true,
    });
}

/** `docker update` gave one that is down another restart policy: what is repeated about it has what follows now. */
export function reportPolicy(turn: Turn, { info, complete }: Known): void {
  // A list does not say it, nor does an event.
  if (!complete) return;
  const key = serviceKey(info.name);
  const holding = conditionOf(turn.state, key, 'stopped');
  const reported = holding?.stopped;
  // Another one of its name, or another time, is not what was reported.
  if (!holding || !reported || reported.death.id !== info.id || info.state !== 'exited') return;
  const { next } = reported;
  // Docker calls none of them `no`, or nothing.
  const policy = info.restartPolicy || 'no';
  if (next?.kind !== 'no-restart' || next.policy === policy) return;
  const now = { kind: 'no-restart', policy } as const;
  emit(turn, key, { ...reported, ...about(info), at: holding.since, next: now });
}

/** Docker went on trying to start it, and does not any more: what is repeated about it does not say that it does. */
export function reportNotTried(turn: Turn, { info }: Known): void {
  const key = serviceKey(info.name);
  const holding = conditionOf(turn.state, key, 'stopped');
  if (holding?.how !== 'policy') return;
  delete holding.how;
  if (!holding.stopped) return;
  delete tallyOf(turn.state, key).series;
  const next = { kind: 'not-tried-again' } as const;
  emit(turn, key, { ...holding.stopped, ...about(info), at: holding.since, next });
}

export function stoppedFact(death: Death): FactOf<'stopped'> {
  const { at, restartCount } = death;
  return { kind: 'stopped', ...about(death), at, death, restartCount };
}

export function pausedFact({ info }: Known, at: number): FactOf<'paused'> {
  return { kind: 'paused', ...about(info), at, restartCount: info.restartCount };
}

/** It runs again, where it was reported as stopped. */
export function reportRunning(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const { info } = known;
  const down = ends(turn, key, 'stopped', { ...about(info), at });
  if (!down) return;
  const from = down.how === 'paused' ? 'paused' : 'stopped';
  const forMs = Math.max(0, at - down.since);
  emit(turn, key, { kind: 'running', ...about(info), at, seen: seen(info), from, forMs });
}

/**
 * Restart loop, or malfunction: more restarts than allowed, and rising (another one within a day). True where it is part of such a
 * series, which is worth more than a message about this restart.
 */
export function evaluateRestarts(turn: Turn, known: Known, at: number): boolean {
  const { state, now } = turn;
  const { info } = known;
  const key = keyOf(known);
  const tally = tallyOf(state, key);
  const { rules } = state;
  const death = tally.lastDeath;
  const before = seriesOf(state, key, now);
  if (!death) return before !== undefined;
  const count = restartsWithin(state, key, at, rules.loopWindowMs);
  const limit = rules.of(info).malfunctionRestarts;
  const many = info.restartCount > limit && restartsWithin(state, key, at, DAY_MS) >= 2;
  const loops = count > rules.loopCount || before?.kind === 'restart-loop';
  if (!loops && !many && !before) return false;
  continueSeries(turn, known, loops ? 'restart-loop' : 'malfunction');
  const fact = { ...about(info), at, seen: seen(info), death };
  if (loops) {
    const loop = { count, windowMs: rules.loopWindowMs, limit: rules.loopCount };
    emit(turn, key, { kind: 'restart-loop', ...fact, ...loop });
  } else emit(turn, key, { kind: 'malfunction', ...fact, limit });
  return true;
}

/** A series begins, or goes on, under the name that the container has now. */
export function continueSeries(
  turn: Turn,
  { info }: Known,
  kind: NonNullable<Tally['series']>['kind'],
): void {
  const { state, now } = turn;
  const key = serviceKey(info.name);
  const before = seriesOf(state, key, now);
  if (before) called(turn, key, before.name, { ...about(info), at: now.wall });
  tallyOf(state, key).series = { kind, name: info.name, until: now.mono + SERIES_QUIET_MS };
}

/** It crashed, and its restart policy brought it back; without `upAt` it is down again. */
export function reportRestarting(
  turn: Turn,
  { info }: Known,
  death: Death,
  { upAt, deploy }: { upAt: number | undefined; deploy: boolean },
): void {
  const key = serviceKey(info.name);
  emit(turn, key, {
    kind: 'restarting',
    ...about(info),
    at: death.at,
    death,
    restartCount: info.restartCount,
    ...defined({ awayMs: upAt && Math.max(0, upAt - death.at) }),
    restarts24h: restartsWithin(turn.state, key, upAt ?? turn.now.wall, DAY_MS),
    ...(deploy ? { deploy } : {}),
  });
}

/** The key of its condition: names in settings may be Compose services, so they are apart from containers. */
export function missingKey(name: string): string {
  return `missing:${name}`;
}

/**
 * Reports every wanted name of which no container was ever started, and those of which one is there again. `reported`: another
 * message has it. `knownOnly`: only those that were reported before, where their container was created or removed since.
 */
export function reportMissing(
  turn: Turn,
  options: { reported: boolean; knownOnly?: true },
): Pick<FactOf<'missing'>, 'name' | 'created'>[] {
  const { state, now } = turn;
  const newly: Pick<FactOf<'missing'>, 'name' | 'created'>[] = [];
  for (const name of state.rules.wanted) {
    const key = missingKey(name);
    const named = bearersOf(state, name);
    // One that could not be started is reported as that.
    const exists = named.some(({ info, startError }) => info.state !== 'created' || startError);
    if (exists) reportOver(turn, key, 'missing', 'exists', now.wall);
    const before = conditionOf(state, key, 'missing');
    const missing = { name, ...(named.length > 0 ? { created: true as const } : {}) };
    if (before && !exists && (before.how === 'created') !== (missing.created === true))
      emit(turn, key, { kind: 'missing', ...missing, at: before.since });
    if (exists || before || options.knownOnly) continue;
    newly.push(missing);
    emit(turn, key, {
      kind: 'missing',
      ...missing,
      at: now.wall,
      ...(options.reported ? { reported: true } : {}),
    });
  }
  return newly;
}
