import type { ContainerHealth } from '../model/snapshot.ts';
import { defined } from '../model/defined.ts';
import { masked } from '../model/text.ts';
import { isStopping } from './cause.ts';
import { about, emit, ends, seen } from './facts.ts';
import { successorHealth } from './successor.ts';
import { conditionOf, isFolded, isWatched, keyOf, newsOf, secretsWith, unreadableDriver } from './table.ts';
import type { Evidence, Known, Turn } from './types.ts';

/** The health log and the container's own log are waited for this long at the most. */
const EVIDENCE_MS = 600;

export function healthChanged(turn: Turn, known: Known, health: ContainerHealth, at: number): void {
  const { state, now } = turn;
  // Not kept, either: where the container survives the signal, the next list shows that it is unhealthy.
  if (health === 'unhealthy' && isStopping(known, at)) return;
  known.info.health = health;
  delete known.unpausedAt;
  const key = keyOf(known);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  if (health === 'healthy') {
    state.checks.delete(key);
    successorHealth(turn, known, at);
    reportHealthy(turn, known, at);
    return;
  }
  if (health !== 'unhealthy' || conditionOf(state, key, 'unhealthy') || state.checks.has(key)) return;
  const pending = state.pending.get(key);
  // The line about a deploy that turned out well must not follow.
  const started = newsOf(state, key, 'started');
  if (started) emit(turn, key, { kind: 'was-down', ...about(known.info), at });
  if (pending?.kind === 'successor' || started) state.pending.delete(key);
  state.checks.set(key, {
    due: now.mono + EVIDENCE_MS,
    id: known.info.id,
    at,
    ...(pending?.kind === 'successor' ? { after: pending.how } : {}),
  });
  turn.out.asks.push({ kind: 'evidence', id: known.info.id, killed: false });
}

/** Its health check fails: with the last output of it, and the container's own log. */
export function reportUnhealthy(turn: Turn, key: string, evidence: Evidence): void {
  const { state } = turn;
  const check = state.checks.get(key);
  state.checks.delete(key);
  const known = check && state.known.get(check.id);
  if (!check || !known) return;
  const { info } = known;
  const secrets = secretsWith(state, evidence.inspect);
  const last = evidence.inspect?.state.health?.log.findLast((run) => run.exitCode !== 0);
  const output = last && masked(last.output, secrets);
  const logs = evidence.logs?.map((line) => masked(line, secrets));
  const logDriver = unreadableDriver(evidence.inspect);
  emit(turn, key, {
    kind: 'unhealthy',
    ...about(info),
    at: check.at,
    seen: seen(info),
    ...defined({ after: check.after, output, exitCode: last?.exitCode, logs, logDriver }),
  });
}

/** It is healthy again, where it was reported as unhealthy. */
export function reportHealthy(turn: Turn, known: Known, at: number): void {
  const { info } = known;
  const key = keyOf(known);
  const sick = ends(turn, key, 'unhealthy', { ...about(info), at });
  if (!sick) return;
  const forMs = Math.max(0, at - sick.since);
  emit(turn, key, { kind: 'healthy', ...about(info), at, seen: seen(info), forMs });
}
