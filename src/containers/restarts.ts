// What is told about a service that died, came back, or does so again and again.
import { formatDuration, safeHtml } from '../model/text.ts';
import { because, causeText, exitText } from './cause.ts';
import { ends, endsQuietly, happened, opens } from './findings.ts';
import { say } from './emit.ts';
import { keyOf, restartsWithin, serviceKey, tallyOf } from './table.ts';
import type { Death, Known, Turn } from './types.ts';
import {
  bold,
  calmMessage,
  malfunctionMessage,
  masked,
  pausedMessage,
  restartingMessage,
  restoredMessage,
  stoppedMessage,
} from './wording.ts';

/** A loop or a malfunction is over when nothing has happened for this long. */
export const QUIET_MS = 600_000;
const DAY_MS = 86_400_000;
/** A container that ends without an error in less than this was a job. */
const JOB_MS = 600_000;
const COMES_AGAIN_MS = 20_000;

type StopOptions = {
  next: string;
  deploy: boolean;
  /** Docker goes on trying to start it. */
  policy?: boolean;
  /** Nothing of its name is left. */
  gone?: boolean;
  /** Docker has given up: what was said about the kill that ended it promised a restart. */
  gaveUp?: boolean;
  /** A deploy or a restart that was asked for, and did not start. */
  failed?: boolean;
};

function secretsFor(turn: Turn, death: Death): string[] {
  return [...turn.state.rules.secrets, ...(death.secrets ?? [])];
}

/** "late did not start: exec: "/nonexistent": no such file or directory" */
export function unstartedText(turn: Turn, death: Death): string {
  const why =
    death.error === undefined ? exitText(death.exitCode) : masked(death.error, secretsFor(turn, death));
  return `${death.name} did not start: ${why}`;
}

/** Service Stopped: a trouble that stands until it runs again, or an event where nothing is left that could run again. */
export function tellStopped(turn: Turn, death: Death, options: StopOptions): void {
  const key = serviceKey(death.name);
  const asked = death.cause === 'request';
  const clean = death.exitCode === 0 && death.cause === 'crash';
  const named = turn.state.rules.of(death).named;
  const job = clean && !named && (death.autoRemove || death.at - (death.startedAt ?? 0) < JOB_MS);
  const severity = job ? 'info' : (asked && !options.failed) || clean ? 'warning' : 'critical';
  const html = stoppedMessage({
    name: death.name,
    restartCount: death.restartCount,
    death,
    next: options.next,
    deploy: options.deploy,
    failed: options.failed === true,
    secrets: secretsFor(turn, death),
  });
  const said = {
    text:
      death.cause === 'unstarted'
        ? unstartedText(turn, death)
        : `${death.name} stopped: ${causeText(death, options)}`,
    at: death.at,
    html,
    severity,
    ...(options.next ? { details: [options.next] } : {}),
    ...(options.gaveUp ? {} : causeOf(death)),
    ...(options.policy ? { how: 'policy' as const } : {}),
  } as const;
  if (options.policy !== true) calm(turn, key, `${death.name} stopped`, death.at);
  const passing = job || options.gone === true;
  const finding = passing
    ? happened('container-stopped', death, said)
    : opens(turn, key, 'stopped', death, said);
  // Nothing is left that could be watched, unless another one of its name comes soon.
  if (!passing && death.autoRemove && !named)
    turn.state.stories.set(key, {
      kind: 'removed',
      due: turn.now.mono + COMES_AGAIN_MS,
      at: death.at,
      quiet: true,
    });
  const line = `${bold(death.name)}: ${safeHtml(because(death))}`;
  const change = asked && !options.failed ? 'asked-stop' : 'stopped';
  say(turn, { key, change, finding, line, severity, claim: 'down' });
}

function causeOf(death: Death): { cause?: string } {
  return death.cause === 'oom' ? { cause: `oom:${death.id}` } : {};
}

export function tellPaused(turn: Turn, known: Known, at: number): void {
  const finding = opens(turn, keyOf(known), 'stopped', known.info, {
    text: `${known.info.name} is paused (docker pause)`,
    at,
    html: pausedMessage(known.info, at),
    severity: 'warning',
    how: 'paused',
  });
  say(turn, {
    key: keyOf(known),
    claim: 'down',
    change: 'asked-stop',
    finding,
    line: `${bold(known.info.name)}: paused`,
    severity: 'warning',
  });
}

/** Service Restored, after a Stopped that was told. */
export function tellRestored(turn: Turn, known: Known, at: number): void {
  const key = keyOf(known);
  const trouble = turn.state.standing.get(key)?.stopped;
  if (!trouble) return;
  const forMs = Math.max(0, at - trouble.since);
  const status = trouble.how === 'paused' ? '🔴 Paused' : '🔴 Stopped';
  const finding = ends(turn, key, 'stopped', {
    text: `${known.info.name} runs again after ${formatDuration(forMs)}`,
    at,
    html: restoredMessage(known.info, at, { status, forMs, how: 'Down for' }),
  });
  if (!finding) return;
  const line = `${bold(known.info.name)}: down for ${formatDuration(forMs)}`;
  say(turn, { key, change: 'restored', finding, line, severity: 'info', claim: 'up' });
}

/**
 * Restart loop, or malfunction: more restarts than allowed, and rising (another one within a day). True where one of them
 * stands, which says more than a message about this restart would.
 */
export function evaluateRestarts(turn: Turn, known: Known, at: number): boolean {
  const { state, now } = turn;
  const { info } = known;
  const key = keyOf(known);
  const tally = tallyOf(state, key);
  tally.quietAt = now.mono + QUIET_MS;
  const { rules } = state;
  const count = restartsWithin(state, key, at, rules.loopWindowMs);
  const limit = rules.of(info).malfunctionRestarts;
  const standing = state.standing.get(key);
  const death = tally.lastDeath;
  if (!death || standing?.loop) return standing?.loop !== undefined;
  const secrets = secretsFor(turn, death);
  if (count > rules.loopCount) {
    const minutes = rules.loopWindowMs / 60_000;
    const finding = opens(turn, key, 'loop', info, {
      text: `${info.name} restarted ${count} times within ${minutes} min: ${because(death)}`,
      at,
      html: malfunctionMessage({ info, at, death, secrets, loop: { count, minutes } }),
      severity: 'critical',
      value: count,
      limit: rules.loopCount,
    });
    sayMalfunction(turn, known, finding, `restart loop, ${count} restarts`);
    return true;
  }
  if (standing?.malfunction) return true;
  if (info.restartCount <= limit || restartsWithin(state, key, at, DAY_MS) < 2) return false;
  const finding = opens(turn, key, 'malfunction', info, {
    text: `${info.name} has restarted ${info.restartCount} times: ${because(death)}`,
    at,
    html: malfunctionMessage({ info, at, death, secrets }),
    severity: 'warning',
    value: info.restartCount,
    limit,
  });
  sayMalfunction(turn, known, finding, `${info.restartCount} restarts`);
  return true;
}

function sayMalfunction(turn: Turn, known: Known, finding: ReturnType<typeof opens>, what: string): void {
  const line = `${bold(known.info.name)}: ${what}`;
  const claim = known.info.state === 'running' ? 'up' : 'down';
  say(turn, { key: keyOf(known), change: 'malfunction', finding, line, severity: finding.severity, claim });
}

/** Service Restarting: it crashed and its restart policy brought it back. Not repeated within the cooldown. */
export function tellRestarting(
  turn: Turn,
  known: Known,
  death: Death,
  options: { upAt: number | undefined; deploy: boolean },
): void {
  const { state, now } = turn;
  const { info } = known;
  const key = keyOf(known);
  const tally = tallyOf(state, key);
  const restarts24h = restartsWithin(state, key, options.upAt ?? now.wall, DAY_MS);
  const awayMs = options.upAt === undefined ? undefined : Math.max(0, options.upAt - death.at);
  const then =
    awayMs === undefined
      ? 'down again, Docker goes on trying'
      : `running again after ${formatDuration(awayMs)}`;
  const again = `${info.name} ${because(death)}, ${then}`;
  const finding = happened('container-restarting', info, {
    text: again,
    at: death.at,
    html: restartingMessage(info, death, {
      now:
        awayMs === undefined
          ? '🟡 Down again, Docker goes on trying'
          : `🟢 Running again after ${formatDuration(awayMs)}`,
      restarts24h,
      deploy: options.deploy,
      secrets: secretsFor(turn, death),
    }),
    severity: 'warning',
    ...causeOf(death),
  });
  turn.out.touched.add(key);
  const last = tally.restartToldAt;
  if (last !== undefined && now.mono - last < state.rules.of(info).cooldownMs) {
    turn.out.findings.push({ ...finding, quiet: true });
    return;
  }
  // One that is down again is followed by another message, when it is up.
  if (awayMs !== undefined) tally.restartToldAt = now.mono;
  const line = `${bold(info.name)}: ${safeHtml(because(death))}, ${then}`;
  const claim = awayMs === undefined ? 'down' : 'up';
  say(turn, { key, change: 'restarting', finding, line, severity: 'warning', claim });
}

/** Ends loop and malfunction without a word: a stop that is told says more. */
function calm(turn: Turn, key: string, text: string, at: number): void {
  endsQuietly(turn, key, 'loop', text, at);
  endsQuietly(turn, key, 'malfunction', text, at);
}

/** Nothing has happened for 10 minutes: loop and malfunction are over. */
export function tellCalm(turn: Turn, key: string, known: Known | undefined): void {
  const { state, now } = turn;
  const tally = tallyOf(state, key);
  delete tally.quietAt;
  const standing = state.standing.get(key);
  const kind = standing?.loop ? 'loop' : standing?.malfunction ? 'malfunction' : undefined;
  if (!kind) return;
  if (!known || known.info.state !== 'running') {
    calm(turn, key, 'it is not running any more', now.wall);
    return;
  }
  const { info } = known;
  const finding = ends(turn, key, kind, {
    text: `${info.name} has not restarted for ${formatDuration(QUIET_MS)}`,
    at: now.wall,
    html: calmMessage(info, now.wall, { quietMs: QUIET_MS }),
  });
  endsQuietly(turn, key, 'malfunction', 'stable again', now.wall);
  if (!finding) return;
  const line = `${bold(info.name)}: stable for ${formatDuration(QUIET_MS)}`;
  say(turn, { key, change: 'restored', finding, line, severity: 'info', claim: 'up' });
}
