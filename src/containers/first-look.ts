// The monitor's own start: the first look at all containers, and what changed since the last look of the monitor before. All that is
// found here is in the start message: the facts are reported already.
import type { Death, OpenCondition } from '../model/container-fact.ts';
import { defined } from '../model/defined.ts';
import type { StartLine } from '../model/monitor-report.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { eventTime } from '../system/docker/events.ts';
import type { DockerEvent } from '../system/types.ts';
import { lastDeath, pastDeath, unstarted } from './cause.ts';
import {
  about,
  emit,
  continueSeries,
  reportGone,
  reportOver,
  reportPolicy,
  missingKey,
  pausedFact,
  reportMissing,
  seen,
  stoppedFact,
} from './facts.ts';
import { renamedMeanwhile } from './rename.ts';
import { serviceKey } from '../model/service-key.ts';
import { conditionOf, current, hold, isUp, isWatched, keyOf, put, tallyOf } from './table.ts';
import type { Known, SavedService, State, Turn } from './types.ts';

export type FirstLook = {
  known: Known[];
  rows: SavedService[];
  /** Events since the last look, as far as Docker still has them. */
  history: DockerEvent[];
  /** Open incidents about containers. */
  open: readonly OpenCondition[];
  /** Without an earlier look nothing can have changed. */
  first: boolean;
  /** The server was rebooted in an orderly way since; epoch ms. */
  bootedAt?: number;
};

/** Fills the table, takes over the open conditions, and finds what changed: each change is a line of the start message. */
export function firstLook(turn: Turn, look: FirstLook): StartLine[] {
  const { state } = turn;
  for (const known of look.known) put(state, known);
  state.engine.stale = false;
  const rows = new Map(look.rows.map((row) => [row.key, row]));
  for (const row of look.rows) if (row.restarts.length > 0) tallyOf(state, row.key).restarts = row.restarts;
  const lines = followNames(turn, rows, look);
  for (const open of look.open) takeOver(turn, open, rows);
  for (const key of state.byKey.keys()) {
    const known = current(state, key);
    if (!known) continue;
    turn.out.touched.add(key);
    if (!isWatched(state, known)) continue;
    const row = rows.get(key);
    const line = look.first ? attention(turn, known) : compare(turn, known, row?.id ? row : undefined, look);
    // Where its stop was sent already, its next start ends that.
    if (known.info.state === 'restarting' && !conditionOf(state, key, 'stopped')) waitForRestart(turn, known);
    if (!line) continue;
    if (wasDown(line)) emit(turn, key, { kind: 'was-down', ...about(known.info), at: turn.now.wall });
    lines.push({ ...line, ...about(known.info) } as StartLine);
  }
  for (const [key, row] of rows) if (row.id && !state.byKey.has(key)) lines.push(...gone(turn, row));
  for (const missing of reportMissing(turn, { reported: true })) lines.push({ kind: 'missing', ...missing });
  endUnknown(turn);
  return lines;
}

function takeOver(
  turn: Turn,
  { condition, ...holding }: OpenCondition,
  rows: Map<string, SavedService>,
): void {
  const key = condition === 'missing' ? missingKey(holding.name) : serviceKey(holding.name);
  if (condition === 'restart-loop' || condition === 'malfunction') {
    const known = current(turn.state, key);
    if (known) continueSeries(turn, known, condition);
    else emit(turn, key, { kind: 'gone', ...about(holding), at: turn.now.wall, because: 'removed' });
    return;
  }
  // Up to 0.3.0 only the row knew how it stopped; up to 0.2.0 one that came and went counted as down while it was up.
  const old = rows.get(key)?.standing?.[condition];
  const how = holding.how ?? old?.how;
  hold(turn, key, condition, how ? { ...holding, how } : holding);
  if (old?.up) reportOver(turn, key, condition, 'back', turn.now.wall);
}

/** Nothing stays open for ever by mistake: what no container is in any more ends without a message. */
function endUnknown(turn: Turn): void {
  const { state, now } = turn;
  for (const [key, conditions] of state.conditions) {
    const known = current(state, key);
    const { missing } = conditions;
    if (missing && !state.rules.wanted.includes(missing.name))
      reportOver(turn, key, 'missing', 'not-watched', now.wall);
    else if (!missing && !(known && isWatched(state, known)))
      reportGone(turn, key, known ? 'not-watched' : 'removed', now.wall);
  }
}

/** The same container under another name: what was remembered of it goes on under that. */
function followNames(turn: Turn, rows: Map<string, SavedService>, look: FirstLook): StartLine[] {
  const { state } = turn;
  const lines: StartLine[] = [];
  for (const row of look.rows) {
    const known = state.known.get(row.id);
    if (!known || state.byKey.has(row.key) || current(state, keyOf(known)) !== known) continue;
    rows.delete(row.key);
    rows.set(keyOf(known), row);
    for (const open of look.open)
      if (open.condition !== 'missing' && serviceKey(open.name) === row.key) open.name = known.info.name;
    renamedMeanwhile(turn, known, row);
    if (isWatched(state, known) || isWatchedRow(state, row))
      lines.push({ kind: 'renamed', ...about(known.info), was: row.name });
  }
  return lines;
}

type Line = StartLine extends infer L ? (L extends unknown ? Omit<L, 'name' | 'service'> : never) : never;

function wasDown({ kind }: Line): boolean {
  return kind === 'restarted' || kind === 'redeployed' || kind === 'new' || kind === 'up';
}

/** On the very first start: what is not well already. */
function attention(turn: Turn, known: Known): Line | undefined {
  const { info } = known;
  if (info.state === 'restarting') return foundRestarting(turn, known);
  if (known.startError) return foundUnstarted(turn, known);
  if (info.state === 'paused') return foundPaused(turn, known, []);
  if (info.state === 'running') return info.health === 'unhealthy' ? foundUnhealthy(turn, known) : undefined;
  return foundDown(turn, known, { mentionFailed: true });
}

function compare(turn: Turn, known: Known, row: SavedService | undefined, look: FirstLook): Line | undefined {
  const { state, now } = turn;
  const { info } = known;
  const key = keyOf(known);
  const wasUp = row !== undefined && (isUp(row.state) || row.state === 'restarting');
  if (info.state === 'restarting')
    return wasUp && row.state !== 'restarting' ? foundRestarting(turn, known) : undefined;
  const stopped = conditionOf(state, key, 'stopped');
  if (!isUp(info.state)) return compareDown(turn, known, row, look);
  // Up for Docker, but nothing in it runs.
  if (info.state === 'paused')
    return stopped?.how === 'paused' ? undefined : foundPaused(turn, known, look.history);
  if (stopped) {
    const { startedAt = now.wall } = info;
    const resumed = stopped.how === 'paused' && startedAt <= stopped.since;
    const upAt = resumed ? unpausedAt(known, look.history) : startedAt;
    reportOver(turn, key, 'stopped', 'back', upAt ?? now.wall);
    if (info.health !== 'unhealthy')
      return upAt === undefined
        ? { kind: 'up', resumed: true }
        : { kind: 'up', downMs: Math.max(0, upAt - stopped.since) };
  }
  const wasUnhealthy = conditionOf(state, key, 'unhealthy') !== undefined;
  if (info.health === 'unhealthy') return wasUnhealthy ? undefined : foundUnhealthy(turn, known);
  reportOver(turn, key, 'unhealthy', 'healthy', now.wall);
  // That this very program was started is what the message is about.
  if (info.self && startedAsAsked(known, row, look.history)) return undefined;
  if (!row) return { kind: 'new' };
  if (row.id !== info.id) return { kind: 'redeployed' };
  if (!wasUp) return { kind: 'up' };
  if (look.bootedAt === undefined && Math.abs((row.startedAt ?? 0) - (info.startedAt ?? 0)) > 1000) {
    const death = lastDeath(known, look.history);
    const byPolicy = Math.max(0, info.restartCount - row.restartCount);
    return { kind: 'restarted', byPolicy, ...(death ? { death } : {}) };
  }
  return wasUnhealthy ? { kind: 'healthy' } : undefined;
}

function compareDown(
  turn: Turn,
  known: Known,
  row: SavedService | undefined,
  look: FirstLook,
): Line | undefined {
  const { info } = known;
  const key = keyOf(known);
  const wasUp = row !== undefined && (isUp(row.state) || row.state === 'restarting');
  if (known.startError)
    return conditionOf(turn.state, key, 'stopped') ? undefined : foundUnstarted(turn, known);
  if (!wasUp && row?.id === info.id && row.state === info.state) {
    // The monitor before may have seen it down, and not have said so.
    reportOver(turn, key, 'unhealthy', 'died', info.finishedAt ?? turn.now.wall);
    return foundDown(turn, known);
  }
  if (info.state === 'created' && wasUp && row.id !== info.id) {
    // A deploy that failed: the old one is gone, the new one was created and no more.
    reportOver(turn, key, 'unhealthy', 'replaced', turn.now.wall);
    foundStopped(turn, known, { ...pastDeath(known, []), at: turn.now.wall });
    return { kind: 'stopped', how: 'successor-not-started', critical: true };
  }
  if (info.state === 'created' || info.startedAt === undefined) return undefined;
  const death = pastDeath(known, look.history);
  reportOver(turn, key, 'unhealthy', 'died', death.at);
  const { bootedAt } = look;
  const withReboot = bootedAt !== undefined && wasUp && row.id === info.id && info.startedAt < bootedAt;
  if (withReboot && death.cause === 'unseen') {
    // Then it does not matter how the container ended, but whether it should be back.
    const expected = isKept(info);
    foundStopped(turn, known, { ...death, cause: 'reboot' }, expected);
    const line = { kind: 'stopped', how: 'not-back', policy: expected ? info.restartPolicy : 'no' } as const;
    return expected ? { ...line, critical: true } : line;
  }
  const line = {
    kind: 'stopped',
    how: 'ended',
    death,
    redeployed: row !== undefined && row.id !== info.id,
  } as const;
  if (death.exitCode === 0 && death.cause !== 'request' && !turn.state.rules.of(info).named) return line;
  foundStopped(turn, known, death);
  return death.cause === 'request' || death.exitCode === 0 ? line : { ...line, critical: true };
}

/**
 * Down since before anybody watched, or before it was named in the settings: it becomes an incident only where it is asked for by
 * name. `mentionFailed`: one that failed is mentioned all the same.
 */
function foundDown(turn: Turn, known: Known, { mentionFailed = false } = {}): Line | undefined {
  const { info } = known;
  if (info.state !== 'exited' && info.state !== 'dead') return undefined;
  reportPolicy(turn, known);
  const { exitCode = 0 } = info;
  const isWanted = turn.state.rules.of(info).named && !conditionOf(turn.state, keyOf(known), 'stopped');
  if (isWanted) foundStopped(turn, known, pastDeath(known, []));
  return isWanted || (mentionFailed && exitCode !== 0)
    ? { kind: 'stopped', how: 'found', exitCode }
    : undefined;
}

/** When it was last unpaused; undefined: nobody knows. */
function unpausedAt({ info }: Known, history: DockerEvent[]): number | undefined {
  const last = history.findLast(({ id, action }) => id === info.id && action === 'unpause');
  return last && eventTime(last);
}

/** Docker starts it again after a reboot. */
function isKept({ restartPolicy }: ContainerInfo): boolean {
  return restartPolicy === 'always' || restartPolicy === 'unless-stopped' || restartPolicy === 'on-failure';
}

function foundStopped(turn: Turn, known: Known, death: Death, expected?: boolean): void {
  emit(turn, keyOf(known), { ...stoppedFact(death), ...defined({ expected }), reported: true });
}

/** It was created, and its start failed. */
function foundUnstarted(turn: Turn, known: Known): Line {
  const death = unstarted(turn, known);
  foundStopped(turn, known, death);
  return { kind: 'stopped', how: 'unstarted', death, critical: true };
}

function foundPaused(turn: Turn, known: Known, history: DockerEvent[]): Line {
  const paused = history.findLast(({ id, action }) => id === known.info.id && action === 'pause');
  const at = paused ? eventTime(paused) : turn.now.wall;
  emit(turn, keyOf(known), { ...pausedFact(known, at), reported: true });
  return { kind: 'stopped', how: 'paused' };
}

function foundUnhealthy(turn: Turn, known: Known): Line {
  const { info } = known;
  const fact = { kind: 'unhealthy', ...about(info), at: turn.now.wall, seen: seen(info) } as const;
  emit(turn, keyOf(known), { ...fact, reported: true });
  return { kind: 'unhealthy' };
}

function foundRestarting(turn: Turn, known: Known): Line {
  const { info } = known;
  const limit = turn.state.rules.of(info).malfunctionRestarts;
  const death = pastDeath(known, []);
  if (info.restartCount > limit) {
    const fact = { ...about(info), at: turn.now.wall, seen: seen(info), death, limit };
    continueSeries(turn, known, 'malfunction');
    emit(turn, keyOf(known), { kind: 'malfunction', ...fact, reported: true });
  }
  return { kind: 'restarting', restarts: info.restartCount, exitCode: info.exitCode ?? 0 };
}

function startedAsAsked(known: Known, row: SavedService | undefined, history: DockerEvent[]): boolean {
  const death = lastDeath(known, history);
  if (known.info.restartCount > (row?.restartCount ?? 0)) return false;
  return death === undefined || death.cause === 'request';
}

/** Its next start is a restart by policy, not a new service. */
function waitForRestart(turn: Turn, known: Known): void {
  const death = pastDeath(known, []);
  turn.state.pending.set(keyOf(known), {
    kind: 'crash',
    due: Infinity,
    death,
    first: death.at,
    willRestart: true,
    restarted: false,
    deploy: false,
  });
}

function isWatchedRow(state: State, row: SavedService): boolean {
  return state.rules.of(about(row)).watched;
}

function gone(turn: Turn, row: SavedService): StartLine[] {
  const had = reportGone(turn, row.key, 'removed', turn.now.wall);
  turn.out.touched.add(row.key);
  if (!isWatchedRow(turn.state, row) || (!isUp(row.state) && row.state !== 'restarting' && !had)) return [];
  return [{ kind: 'removed', ...about(row) }];
}
