import { formatDuration, safeHtml } from '../model/text.ts';
import type { ContainerHealth } from '../model/snapshot.ts';
import { isStopping } from './cause.ts';
import { ends, opens } from './findings.ts';
import { say } from './emit.ts';
import { secretsFromEnv } from '../model/env-secrets.ts';
import { settlingHealth } from './successor.ts';
import { isFolded, isInTrouble, isWatched, keyOf } from './table.ts';
import type { Evidence, Known, Turn } from './types.ts';
import { bold, masked, restoredMessage, unhealthyMessage } from './wording.ts';

/** The health log and the container's own log are waited for this long at the most. */
const EVIDENCE_MS = 600;

export function healthChanged(turn: Turn, known: Known, health: ContainerHealth, at: number): void {
  const { state, now } = turn;
  // Not noted, either: where the container survives the signal, the next list shows that it is unhealthy.
  if (health === 'unhealthy' && isStopping(known, at)) return;
  known.info.health = health;
  const key = keyOf(known);
  if (!isWatched(state, known) || isFolded(state, key)) return;
  if (health === 'healthy') {
    state.checks.delete(key);
    settlingHealth(turn, known, at);
    tellHealthy(turn, known, at);
    return;
  }
  if (health !== 'unhealthy' || isInTrouble(state, key, 'unhealthy') || state.checks.has(key)) return;
  const story = state.stories.get(key);
  // The line about a deploy that turned out well must not follow.
  if (story?.kind === 'settling' || story?.kind === 'starting') state.stories.delete(key);
  state.checks.set(key, {
    due: now.mono + EVIDENCE_MS,
    id: known.info.id,
    at,
    ...(story?.kind === 'settling' ? { after: story.how } : {}),
  });
  turn.out.asks.push({ kind: 'evidence', id: known.info.id, killed: false });
}

/** Service Unhealthy, with what the healthcheck said last. */
export function tellUnhealthy(turn: Turn, key: string, evidence: Evidence): void {
  const { state } = turn;
  const check = state.checks.get(key);
  state.checks.delete(key);
  const known = check && state.known.get(check.id);
  if (!check || !known) return;
  const { info } = known;
  const secrets = [...state.rules.secrets, ...secretsFromEnv(evidence.inspect?.env)];
  const last = evidence.inspect?.state.health?.log.findLast((run) => run.exitCode !== 0);
  const output = last ? masked(last.output, secrets) || `exit code ${last.exitCode}` : undefined;
  const finding = opens(turn, key, 'unhealthy', info, {
    text: `The health check of ${info.name} fails`,
    at: check.at,
    html: unhealthyMessage(info, {
      at: check.at,
      ...(check.after ? { after: check.after } : {}),
      secrets,
      ...(output !== undefined ? { output } : {}),
      ...(evidence.logs ? { logs: evidence.logs } : {}),
    }),
    severity: 'warning',
  });
  const line = `${bold(info.name)}${output ? `: ${safeHtml(output, 100)}` : ''}`;
  say(turn, { key, change: 'unhealthy', finding, line, severity: 'warning', claim: 'unhealthy' });
}

/** Service Restored, after an Unhealthy that was told. */
export function tellHealthy(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const trouble = turn.state.standing.get(key)?.unhealthy;
  if (!trouble) return;
  const forMs = Math.max(0, at - trouble.since);
  const finding = ends(turn, key, 'unhealthy', {
    text: `${known.info.name} is healthy again after ${formatDuration(forMs)}`,
    at,
    html: restoredMessage(known.info, at, { status: '🏥 Unhealthy', forMs, how: 'Unhealthy for' }),
  });
  if (!finding) return;
  const line = `${bold(known.info.name)}: unhealthy for ${formatDuration(forMs)}`;
  say(turn, { key, change: 'restored', finding, line, severity: 'info', claim: 'healthy' });
}
