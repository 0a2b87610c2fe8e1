// What is reported of a service that died, came back, or does so again and again.
import type { Death, FactOf, Next } from '../model/container-fact.ts';
import { RULES } from '../model/rules.ts';
import { about, begins, called, emit, ends, seen } from './emit.ts';
import { serviceKey } from '../model/service-key.ts';
import { keyOf, restartsWithin, seriesOf, tallyOf } from './table.ts';
import type { Known, Tally, Turn } from './types.ts';

const DAY_MS = 86_400_000;
/** A container that ends without an error in less than this was a job. */
const JOB_MS = 600_000;
const COMES_AGAIN_MS = 20_000;

type StopOptions = Pick<FactOf<'stopped'>, 'next' | 'failed'> & { deploy?: boolean; gone?: boolean };

/** It stopped: a condition that lasts until it runs again, or an event where nothing is left that could run again. */
export function reportStopped(turn: Turn, death: Death, { next, failed, deploy, gone }: StopOptions): void {
  const key = serviceKey(death.name);
  const clean = death.exitCode === 0 && death.cause === 'crash';
  const { named } = turn.state.rules.of(death);
  const job = clean && !named && (death.autoRemove || death.at - (death.startedAt ?? 0) < JOB_MS);
  const policy = next?.kind === 'keeps-trying';
  if (!policy) delete tallyOf(turn.state, key).series;
  const fact: FactOf<'stopped'> = {
    kind: 'stopped',
    ...about(death),
    at: death.at,
    death,
    restartCount: death.restartCount,
    ...(next ? { next } : {}),
    ...(deploy ? { deploy } : {}),
    ...(failed ? { failed } : {}),
  };
  if (job || gone) {
    emit(turn, key, { ...fact, over: gone ? 'removed' : 'job' });
    return;
  }
  begins(turn, key, 'stopped', fact, policy ? 'policy' : undefined);
  // Nothing is left that could be watched, unless another one of its name comes soon.
  if (death.autoRemove && !named)
    turn.state.pending.set(key, {
      kind: 'removed',
      due: turn.now.mono + COMES_AGAIN_MS,
      at: death.at,
      quiet: true,
    });
}

export function reportPaused(turn: Turn, { info }: Known, at: number, reported = false): void {
  const fact: FactOf<'paused'> = { kind: 'paused', ...about(info), at, restartCount: info.restartCount };
  begins(turn, serviceKey(info.name), 'stopped', reported ? { ...fact, reported } : fact, 'paused');
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
  goesOn(turn, known, loops ? 'restart-loop' : 'malfunction');
  const fact = { ...about(info), at, seen: seen(info), death };
  if (loops) {
    const loop = { count, windowMs: rules.loopWindowMs, limit: rules.loopCount };
    emit(turn, key, { kind: 'restart-loop', ...fact, ...loop });
  } else emit(turn, key, { kind: 'malfunction', ...fact, limit });
  return true;
}

/** A series begins, or goes on, under the name that the container has now. */
export function goesOn(turn: Turn, { info }: Known, kind: NonNullable<Tally['series']>['kind']): void {
  const { state, now } = turn;
  const key = serviceKey(info.name);
  const before = seriesOf(state, key, now);
  if (before) called(turn, key, before.name, { ...about(info), at: now.wall });
  tallyOf(state, key).series = { kind, name: info.name, until: now.mono + RULES['restart-loop'].quietMs };
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
    ...(upAt === undefined ? {} : { awayMs: Math.max(0, upAt - death.at) }),
    restarts24h: restartsWithin(turn.state, key, upAt ?? turn.now.wall, DAY_MS),
    ...(deploy ? { deploy } : {}),
  });
}

export function notBack({ info }: Known): Next {
  return { kind: 'not-back', policy: info.restartPolicy };
}
