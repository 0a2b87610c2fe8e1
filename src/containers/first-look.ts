// The monitor's own start: the first look at all containers, and what changed since the last look of the monitor before.
import type { DockerEvent } from '../system/types.ts';
import { formatDuration, safeHtml } from '../model/text.ts';
import { exitText } from './cause.ts';
import { endsQuietly, RULE_OF } from './findings.ts';
import { missingKey, tellMissing } from './missing.ts';
import { deathOf, lastDeath } from './past-deaths.ts';
import { renamedMeanwhile } from './rename.ts';
import { QUIET_MS } from './restarts.ts';
import {
  openStopped,
  noteRestarted,
  noteNotBack,
  noteNotStarted,
  notePaused,
  noteRestarting,
  noteStopped,
  noteUnhealthy,
  noteUnstarted,
  type Note,
} from './notes.ts';
import { current, isUp, isWatched, keyOf, put, serviceKey, tallyOf } from './table.ts';
import { TROUBLES } from './types.ts';
import type { Change } from '../model/change.ts';
import type { Known, Row, Standing, State, Trouble, Turn } from './types.ts';
import { bold } from './wording.ts';

export type FirstLook = {
  known: Known[];
  rows: Row[];
  /** Events since the last look, as far as Docker still has them. */
  history: DockerEvent[];
  /** Without an earlier look nothing can have changed. */
  first: boolean;
  /** The server was rebooted in an orderly way since; epoch ms. */
  bootedAt?: number;
};
const MUTED_BY: Partial<Record<Note['kind'], Change[]>> = {
  stopped: ['stopped'],
  up: ['restored', 'stopped'],
  restarted: ['restarting'],
  restarting: ['restarting'],
  redeployed: ['redeployed'],
  unhealthy: ['unhealthy'],
  healthy: ['restored', 'unhealthy'],
  new: ['started'],
  renamed: ['started'],
};

const RULE_OF_NOTE: Partial<Record<Note['kind'], string>> = {
  stopped: 'container-stopped',
  up: 'container-stopped',
  unhealthy: 'container-unhealthy',
  healthy: 'container-unhealthy',
  restarting: 'container-malfunction',
  restarted: 'container-restarting',
  redeployed: 'container-redeployed',
  new: 'container-started',
  renamed: 'container-renamed',
  missing: 'service-missing',
};

/** An incident that the monitor before left open. */
export type OpenTrouble = { rule: string; subject: string };

/** Nothing stays open for ever by mistake: what nobody knows of any more ends without a message. */
export function endUnknown(turn: Turn, open: readonly OpenTrouble[]): void {
  const { standing } = turn.state;
  for (const { rule, subject } of open) {
    const kind = TROUBLES.find((one) => RULE_OF[one] === rule);
    if (!kind || standing.get(serviceKey(subject))?.[kind]) continue;
    if (kind === 'missing' && standing.get(missingKey(subject))?.missing) continue;
    const text = `${subject} is not in this trouble any more`;
    const ends = { severity: 'info', verdict: 'ok', text, quiet: true, end: 'now' } as const;
    turn.out.findings.push({ rule: RULE_OF[kind], subject, ...ends });
  }
}

export type IsSilenced = (what: { rule: string; subject: string; alias?: string; was?: string }) => boolean;

/** What is silenced is not in the start message, and does not count as sent: the incidents send it when the silence ends. */
export function withoutSilenced(turn: Turn, notes: readonly Note[], isSilenced: IsSilenced): Note[] {
  for (const finding of turn.out.findings) if (finding.quiet && isSilenced(finding)) delete finding.quiet;
  return notes.filter(({ kind, name, was, service }) => {
    const alias = service === undefined ? {} : { alias: service };
    const before = was === undefined ? {} : { was };
    return !isSilenced({ rule: RULE_OF_NOTE[kind] ?? '', subject: name, ...alias, ...before });
  });
}

/** Fills the table, takes over what stood, opens and ends troubles without a word: the start message tells it all. */
export function firstLook(turn: Turn, look: FirstLook): Note[] {
  const { state } = turn;
  for (const known of look.known) put(state, known);
  const rows = new Map(look.rows.map((row) => [row.key, row]));
  for (const row of look.rows) takeOver(turn, row);
  const notes = followNames(turn, rows, look.rows);
  for (const key of state.byKey.keys()) {
    const known = current(state, key);
    if (!known) continue;
    turn.out.touched.add(key);
    if (!isWatched(state, known)) continue;
    const row = rows.get(key);
    const note = look.first ? attention(turn, known) : compare(turn, known, row?.id ? row : undefined, look);
    if (known.info.state === 'restarting') waitForRestart(turn, known);
    const { muted } = state.rules.of(known.info);
    if (!note || MUTED_BY[note.kind]?.some((change) => muted.includes(change))) continue;
    const { service } = known.info;
    notes.push(service === undefined ? note : { ...note, service });
  }
  for (const [key, row] of rows) if (row.id && !state.byKey.has(key)) notes.push(...gone(turn, row));
  for (const name of tellMissing(turn, { quiet: true }))
    notes.push({
      kind: 'missing',
      name,
      line: `🔴 ${bold(name)} is monitored, but there is no such container`,
    });
  return notes;
}

/** The same container under another name: what was remembered of it goes on under that. */
function followNames(turn: Turn, rows: Map<string, Row>, remembered: readonly Row[]): Note[] {
  const { state } = turn;
  const notes: Note[] = [];
  for (const row of remembered) {
    const known = state.known.get(row.id);
    if (!known || state.byKey.has(row.key) || current(state, keyOf(known)) !== known) continue;
    rows.delete(row.key);
    rows.set(keyOf(known), row);
    const line = `🔄 ${renamedMeanwhile(turn, known, row)}`;
    if (isWatched(state, known) || isWatchedRow(state, row))
      notes.push({ kind: 'renamed', name: known.info.name, was: row.name, line });
  }
  return notes;
}

function takeOver(turn: Turn, row: Row): void {
  const { state, now } = turn;
  if (row.restarts.length > 0) tallyOf(state, row.key).restarts = row.restarts;
  // Up to 0.2.0 one that came and went stayed in trouble while it was up: its incident ends with the start.
  const { stopped, unhealthy, ...others } = row.standing as Record<string, Trouble & { up?: true }>;
  const standing: Standing = {
    ...others,
    ...(stopped && !stopped.up ? { stopped } : {}),
    ...(unhealthy && !unhealthy.up ? { unhealthy } : {}),
  };
  if (Object.keys(standing).length > 0) state.standing.set(row.key, standing);
  if (row.standing.loop || row.standing.malfunction) tallyOf(state, row.key).quietAt = now.mono + QUIET_MS;
}

/** On the very first start: what is not well already. */
function attention(turn: Turn, known: Known): Note | undefined {
  const { info } = known;
  if (info.state === 'restarting') return noteRestarting(turn, known);
  if (known.startError) return noteUnstarted(turn, known);
  if (info.state === 'paused') return notePaused(turn, known, []);
  if (info.state === 'running') return info.health === 'unhealthy' ? noteUnhealthy(turn, known) : undefined;
  if (info.state === 'exited' || info.state === 'dead') {
    const failed = info.exitCode !== undefined && info.exitCode !== 0;
    const { named } = turn.state.rules.of(info);
    if (!failed && !named) return undefined;
    // One that failed long before anybody watched is mentioned; it becomes an incident only where it was asked for by name.
    if (named) openStopped(turn, known, deathOf(known, []));
    return {
      kind: 'stopped',
      name: info.name,
      line: `🔴 ${bold(info.name)} is stopped, ${safeHtml(exitText(info.exitCode ?? 0))}`,
    };
  }
  return undefined;
}

function compare(turn: Turn, known: Known, row: Row | undefined, look: FirstLook): Note | undefined {
  const { history, bootedAt } = look;
  const { info } = known;
  const key = keyOf(known);
  const name = bold(info.name);
  const up = isUp(info.state);
  const wasUp = row !== undefined && (isUp(row.state) || row.state === 'restarting');
  const stands = turn.state.standing.get(key);
  if (info.state === 'restarting')
    return wasUp && row.state !== 'restarting' ? noteRestarting(turn, known) : undefined;
  if (!up) {
    if (!known.startError && !wasUp && row?.id === info.id && row.state === info.state) return undefined;
    if (known.startError) return stands?.stopped ? undefined : noteUnstarted(turn, known);
    if (info.state === 'created' && wasUp && row.id !== info.id) return noteNotStarted(turn, known);
    if (info.state === 'created' || info.startedAt === undefined) return undefined;
    const death = deathOf(known, history);
    const withReboot = bootedAt !== undefined && wasUp && row.id === info.id && info.startedAt < bootedAt;
    if (withReboot && death.cause === 'unseen') return noteNotBack(turn, known, death);
    return noteStopped(turn, known, death, row !== undefined && row.id !== info.id);
  }
  // Up for Docker, but nothing in it runs: told already, or news.
  if (info.state === 'paused')
    return stands?.stopped?.how === 'paused' ? undefined : notePaused(turn, known, history);
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
  if (info.health === 'unhealthy') return stands?.unhealthy ? undefined : noteUnhealthy(turn, known);
  const wasUnhealthy = stands?.unhealthy !== undefined;
  endsQuietly(turn, key, 'unhealthy', 'healthy again', turn.now.wall);
  // That this very program was started is what the message is about.
  if (info.self && startedAsAsked(known, row, history)) return undefined;
  if (!row) return { kind: 'new', name: info.name, line: `🚀 ${name} is new and running` };
  if (row.id !== info.id)
    return { kind: 'redeployed', name: info.name, line: `🚀 ${name} was redeployed and runs` };
  if (!wasUp) return { kind: 'up', name: info.name, line: `🚀 ${name} was started` };
  if (bootedAt === undefined && Math.abs((row.startedAt ?? 0) - (info.startedAt ?? 0)) > 1000)
    return noteRestarted(known, row, history);
  return wasUnhealthy ? { kind: 'healthy', name: info.name, line: `✅ ${name} is healthy again` } : undefined;
}

function startedAsAsked(known: Known, row: Row | undefined, history: DockerEvent[]): boolean {
  const death = lastDeath(known, history);
  if (known.info.restartCount > (row?.restartCount ?? 0)) return false;
  return death === undefined || death.cause === 'request';
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

function isWatchedRow(state: State, { name, service }: Row): boolean {
  return state.rules.of({ name, ...(service ? { service } : {}) }).watched;
}

function gone(turn: Turn, row: Row): Note[] {
  const had = TROUBLES.some((kind) => row.standing[kind]);
  for (const kind of TROUBLES) endsQuietly(turn, row.key, kind, 'the container was removed', turn.now.wall);
  turn.out.touched.add(row.key);
  if (!isWatchedRow(turn.state, row) || (!isUp(row.state) && row.state !== 'restarting' && !had)) return [];
  return [{ kind: 'removed', name: row.name, line: `🔴 ${bold(row.name)} was removed` }];
}
