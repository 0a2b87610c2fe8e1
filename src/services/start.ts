// The monitor's own start: the first look at all containers, and what changed since the last look of the monitor before.
import type { DockerEvent } from '../system/types.ts';
import type { Finding } from '../model/finding.ts';
import { formatDuration, safeHtml } from '../model/text.ts';
import { because, causeText, exitText, parseSignal, wasOom, wasRequested } from './cause.ts';
import { endsQuietly, opens } from './findings.ts';
import { tellMissing } from './missing.ts';
import { QUIET_MS } from './restarts.ts';
import { current, eventTime, isUp, isWatched, keyOf, put, tallyOf } from './table.ts';
import { TROUBLES } from './types.ts';
import type { Change, Death, Known, Row, Turn } from './types.ts';
import { bold, malfunctionMessage, stoppedMessage, unhealthyMessage } from './wording.ts';

export type FirstLook = {
  known: Known[];
  rows: Row[];
  /** Events since the last look, as far as Docker still has them. */
  history: DockerEvent[];
  /** Without an earlier look nothing can have changed. */
  first: boolean;
};
/** One line of the start message, HTML. */
export type Note = {
  kind:
    | 'stopped'
    | 'up'
    | 'restarted'
    | 'redeployed'
    | 'unhealthy'
    | 'healthy'
    | 'removed'
    | 'new'
    | 'missing'
    | 'restarting';
  name: string;
  line: string;
};

const MUTED_BY: Partial<Record<Note['kind'], Change>> = {
  stopped: 'stopped',
  up: 'restored',
  restarted: 'restarting',
  restarting: 'restarting',
  redeployed: 'redeployed',
  unhealthy: 'unhealthy',
  healthy: 'restored',
  new: 'started',
};

/** Fills the table, takes over what stood, opens and ends troubles without a word: the start message tells it all. */
export function firstLook(turn: Turn, look: FirstLook): Note[] {
  const { state } = turn;
  for (const known of look.known) put(state, known);
  const rows = new Map(look.rows.map((row) => [row.key, row]));
  for (const row of look.rows) takeOver(turn, row);
  const notes: Note[] = [];
  for (const key of state.byKey.keys()) {
    const known = current(state, key);
    if (!known) continue;
    turn.out.touched.add(key);
    if (!isWatched(state, known)) continue;
    const row = rows.get(key);
    const note = look.first
      ? attention(turn, known)
      : compare(turn, known, row?.id ? row : undefined, look.history);
    if (known.info.state === 'restarting') waitForRestart(turn, known);
    const mutedBy = note && MUTED_BY[note.kind];
    if (note && !(mutedBy && state.rules.of(known.info).muted.includes(mutedBy))) notes.push(note);
  }
  for (const row of look.rows) if (row.id && !state.byKey.has(row.key)) notes.push(...gone(turn, row));
  for (const name of tellMissing(turn, { quiet: true }))
    notes.push({
      kind: 'missing',
      name,
      line: `🔴 ${bold(name)} is monitored, but there is no such container`,
    });
  return notes;
}

function takeOver(turn: Turn, row: Row): void {
  const { state, now } = turn;
  if (row.restarts.length > 0) tallyOf(state, row.key).restarts = row.restarts;
  if (Object.keys(row.standing).length > 0) state.standing.set(row.key, row.standing);
  if (row.standing.loop || row.standing.malfunction) tallyOf(state, row.key).quietAt = now.mono + QUIET_MS;
}

/** On the very first start: what is not well already. */
function attention(turn: Turn, known: Known): Note | undefined {
  const { info } = known;
  if (info.state === 'restarting') return restarting(turn, known);
  if (info.state === 'running') return info.health === 'unhealthy' ? unhealthy(turn, known) : undefined;
  if (info.state === 'exited' || info.state === 'dead') {
    const failed = info.exitCode !== undefined && info.exitCode !== 0;
    const { named } = turn.state.rules.of(info);
    if (!failed && !named) return undefined;
    // One that failed long before anybody watched is mentioned; it becomes an incident only where it was asked for by name.
    if (named) open(turn, known, deathOf(known, []));
    return {
      kind: 'stopped',
      name: info.name,
      line: `🔴 ${bold(info.name)} is stopped, ${safeHtml(exitText(info.exitCode ?? 0))}`,
    };
  }
  return undefined;
}

function compare(turn: Turn, known: Known, row: Row | undefined, history: DockerEvent[]): Note | undefined {
  const { info } = known;
  const key = keyOf(known);
  const name = bold(info.name);
  const up = isUp(info.state);
  const wasUp = row !== undefined && (isUp(row.state) || row.state === 'restarting');
  const stands = turn.state.standing.get(key);
  if (info.state === 'restarting')
    return wasUp && row.state !== 'restarting' ? restarting(turn, known) : undefined;
  if (!up) {
    if (!wasUp && row?.id === info.id && row.state === info.state) return undefined;
    if (info.state === 'created' || info.startedAt === undefined) return undefined;
    return stopped(turn, known, deathOf(known, history), row !== undefined && row.id !== info.id);
  }
  if (stands?.stopped) {
    const forMs = (info.startedAt ?? turn.now.wall) - stands.stopped.since;
    endsQuietly(turn, key, 'stopped', 'runs again', info.startedAt ?? turn.now.wall);
    if (info.health !== 'unhealthy')
      return {
        kind: 'up',
        name: info.name,
        line: `✅ ${name} runs again, after ${formatDuration(Math.max(0, forMs))}`,
      };
  }
  if (info.health === 'unhealthy') return stands?.unhealthy ? undefined : unhealthy(turn, known);
  const wasUnhealthy = stands?.unhealthy !== undefined;
  endsQuietly(turn, key, 'unhealthy', 'healthy again', turn.now.wall);
  if (!row) return { kind: 'new', name: info.name, line: `🚀 ${name} is new and running` };
  if (row.id !== info.id)
    return { kind: 'redeployed', name: info.name, line: `🚀 ${name} was redeployed and runs` };
  if (!wasUp) return { kind: 'up', name: info.name, line: `🚀 ${name} was started` };
  if (Math.abs((row.startedAt ?? 0) - (info.startedAt ?? 0)) > 1000) return restarted(known, row, history);
  return wasUnhealthy ? { kind: 'healthy', name: info.name, line: `✅ ${name} is healthy again` } : undefined;
}

function restarted(known: Known, row: Row, history: DockerEvent[]): Note {
  const { info } = known;
  const rose = info.restartCount - row.restartCount;
  const death = lastDeath(known, history);
  const why = death ? `: ${safeHtml(because(death))}` : '';
  const times = rose > 0 ? `${rose === 1 ? '' : ` ${rose} times`} by its restart policy` : '';
  return { kind: 'restarted', name: info.name, line: `🔄 ${bold(info.name)} was restarted${times}${why}` };
}

function stopped(turn: Turn, known: Known, death: Death, redeployed: boolean): Note {
  const { info } = known;
  endsQuietly(turn, keyOf(known), 'unhealthy', `${info.name} stopped`, death.at);
  const job = death.exitCode === 0 && death.cause !== 'request' && !turn.state.rules.of(info).named;
  if (!job) open(turn, known, death);
  const what = `${redeployed ? 'was redeployed and then ' : ''}stopped: ${death.cause === 'unseen' ? exitText(death.exitCode) : because(death)}`;
  return { kind: 'stopped', name: info.name, line: `🔴 ${bold(info.name)} ${safeHtml(what)}` };
}

function open(turn: Turn, known: Known, death: Death): void {
  const { info } = known;
  const quiet: Finding = opens(turn, keyOf(known), 'stopped', info, {
    text: `${info.name} stopped: ${causeText(death)}`,
    at: death.at,
    html: stoppedMessage({
      name: info.name,
      restartCount: info.restartCount,
      death,
      next: '',
      deploy: false,
      secrets: [],
    }),
    severity: death.cause === 'request' || death.exitCode === 0 ? 'warning' : 'critical',
  });
  turn.out.findings.push({ ...quiet, quiet: true });
}

function unhealthy(turn: Turn, known: Known): Note {
  const { info } = known;
  const finding = opens(turn, keyOf(known), 'unhealthy', info, {
    text: `The health check of ${info.name} fails`,
    at: turn.now.wall,
    html: unhealthyMessage(info, { at: turn.now.wall, deploy: false, secrets: [] }),
  });
  turn.out.findings.push({ ...finding, quiet: true });
  return { kind: 'unhealthy', name: info.name, line: `🏥 ${bold(info.name)} is unhealthy` };
}

function restarting(turn: Turn, known: Known): Note {
  const { info } = known;
  const key = keyOf(known);
  if (
    !turn.state.standing.get(key)?.malfunction &&
    info.restartCount > turn.state.rules.of(info).malfunctionRestarts
  ) {
    const death = deathOf(known, []);
    const finding = opens(turn, key, 'malfunction', info, {
      text: `${info.name} has restarted ${info.restartCount} times: ${exitText(death.exitCode)}`,
      at: turn.now.wall,
      html: malfunctionMessage({ info, at: turn.now.wall, death, secrets: [] }),
      value: info.restartCount,
    });
    tallyOf(turn.state, key).quietAt = turn.now.mono + QUIET_MS;
    turn.out.findings.push({ ...finding, quiet: true });
  }
  const line = `🟡 ${bold(info.name)} is restarting (${info.restartCount} restarts, ${safeHtml(exitText(info.exitCode ?? 0))})`;
  return { kind: 'restarting', name: info.name, line };
}

/** Its next start is a restart by policy, not a new service. */
function waitForRestart(turn: Turn, known: Known): void {
  const death = deathOf(known, []);
  const key = keyOf(known);
  turn.state.stories.set(key, {
    kind: 'crash',
    due: Infinity,
    death,
    first: death.at,
    willRestart: true,
    restarted: false,
    deploy: false,
  });
}

function gone(turn: Turn, row: Row): Note[] {
  const had = TROUBLES.some((kind) => row.standing[kind]);
  for (const kind of TROUBLES) endsQuietly(turn, row.key, kind, 'the container was removed', turn.now.wall);
  turn.out.touched.add(row.key);
  const { watched } = turn.state.rules.of({
    name: row.name,
    ...(row.service ? { service: row.service } : {}),
  });
  if (!watched || (!isUp(row.state) && row.state !== 'restarting' && !had)) return [];
  return [{ kind: 'removed', name: row.name, line: `🔴 ${bold(row.name)} was removed` }];
}

function deathOf(known: Known, history: DockerEvent[]): Death {
  const { info } = known;
  return (
    lastDeath(known, history) ?? {
      id: info.id,
      name: info.name,
      at: info.finishedAt ?? info.startedAt ?? 0,
      exitCode: info.exitCode ?? 0,
      cause: info.oomKilled ? 'oom' : 'unseen',
      restartCount: info.restartCount,
      autoRemove: known.autoRemove,
    }
  );
}

/** The last death that Docker's events still tell of, with its reason. */
function lastDeath(known: Known, history: DockerEvent[]): Death | undefined {
  const { info } = known;
  const seen: Known = { ...known };
  delete seen.kill;
  delete seen.oomAt;
  let death: Death | undefined;
  let startedAt: number | undefined;
  for (const event of history) {
    if (event.id !== info.id) continue;
    const at = eventTime(event);
    if (event.action === 'kill') seen.kill = { at, signal: parseSignal(event.attributes['signal']) };
    if (event.action === 'oom') seen.oomAt = at;
    if (event.action === 'start') {
      delete seen.kill;
      startedAt = at;
    }
    if (event.action !== 'die') continue;
    const cause = wasRequested(seen, at) ? 'request' : wasOom(seen, at) ? 'oom' : 'crash';
    death = {
      id: info.id,
      name: info.name,
      at,
      exitCode: Number(event.attributes['exitCode'] ?? 0) || 0,
      cause,
      ...(cause === 'request' && seen.kill ? { signal: seen.kill.signal } : {}),
      ...(startedAt !== undefined ? { startedAt } : {}),
      restartCount: info.restartCount,
      autoRemove: known.autoRemove,
    };
  }
  return death;
}
