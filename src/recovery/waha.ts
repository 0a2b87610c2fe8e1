import type { HttpTarget } from '../model/targets.ts';
import { ageMs } from '../model/action.ts';
import { plain, formatDuration } from '../model/text.ts';
import { recentActions } from '../store/actions.ts';
import { openIncidents } from '../store/incidents.ts';
import { attempt } from './attempt.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult } from './types.ts';
import { needsPerson, type WahaSession } from '../model/snapshot.ts';
import { restartContainerStep, restartSessionStep, outcomeOfRestart } from './waha-steps.ts';
import type { Config } from '../config/schema.ts';

const HOUR_MS = 3_600_000;
/** What did not help is tried again after this long; in between a person is asked for. The container has other sessions, too. */
const SESSION_AGAIN_MS = 6 * HOUR_MS;
const CONTAINER_AGAIN_MS = 24 * HOUR_MS;
/** A session that was restarted gets this long before its container is. */
const NEXT_STEP_MS = 3 * 60_000;

/** WhatsApp sessions that do not work: the session by API, then the container, then a person. A session is never logged out. */
export const wahaRule: RecoveryRule = {
  id: 'waha',
  run: runWaha,
  undo: async () => ({ rule: 'waha', found: 'restarts need no undoing', attempts: [] }),
  outcomeOf: outcomeOfRestart,
};

async function runWaha(deps: RecoveryDeps): Promise<RuleResult> {
  const { waha } = (await deps.look(['waha'])).readings;
  if (waha.state === 'absent') return { rule: 'waha', found: `no WAHA here: ${waha.why}`, attempts: [] };
  if (waha.state === 'failed')
    return { rule: 'waha', found: `WAHA cannot be read: ${waha.why}`, attempts: [], blind: true };
  const target = (await deps.discovered()).waha;
  if (!target) return { rule: 'waha', found: 'the address of WAHA is not known any more', attempts: [] };
  const { sessions } = waha.value;
  const now = deps.system.clock.now();
  const stuck = sessions
    .map((session) => judgeSession(session, deps.config, now))
    .filter((one) => one !== undefined);
  const attempts: Attempt[] = [];
  for (const one of stuck) {
    const tried = await helpSession(deps, target, one);
    if (tried) attempts.push(tried);
  }
  const count = sessions.length === 1 ? '1 session' : `${sessions.length} sessions`;
  return {
    rule: 'waha',
    found: stuck.length === 0 ? `${count}, none stuck` : stuck.map(({ why }) => why).join('; '),
    attempts,
  };
}

/** The next step of the ladder: the session, then the container, then a person. */
async function helpSession(
  deps: RecoveryDeps,
  target: HttpTarget,
  stuck: Stuck,
): Promise<Attempt | undefined> {
  const { session, why, idle } = stuck;
  const now = deps.moment();
  const tried = recentActions(deps.store.db, CONTAINER_AGAIN_MS, now).filter(({ rule }) => rule === 'waha');
  const restarts = tried.filter((a) => a.what === 'restart-session' && a.target === session.name);
  if (idle) {
    // Its activity only moves when something is sent: one restart is enough for each silence.
    const done = restarts.some((a) => a.startedAt > (session.lastActivity ?? 0));
    return done ? undefined : attempt(deps, restartSessionStep(deps, target, session.name, { why, idle }));
  }
  if (needsPerson(session.status)) {
    const what = 'open the dashboard of WAHA and follow it with the phone (WhatsApp, Linked devices)';
    return reportPersonNeeded(deps, session.name, `${why}: ${what}`, restarts.length > 0);
  }
  if (!restarts.some((a) => ageMs(a, now) < SESSION_AGAIN_MS))
    return attempt(deps, restartSessionStep(deps, target, session.name, { why }));
  if (restarts.some((a) => ageMs(a, now) < NEXT_STEP_MS)) return undefined;
  const { container } = target;
  const containers = tried.filter((a) => a.what === 'restart-container' && a.target === container);
  if (container !== undefined && containers.length === 0) {
    return attempt(
      deps,
      restartContainerStep(deps, target, container, {
        why: `${why}, and restarting the session did not help`,
        session: session.name,
      }),
    );
  }
  const all = containers.length > 0 ? 'the session and the container' : 'the session';
  const unknown = container === undefined ? ' (which container it runs in is not known)' : '';
  return reportPersonNeeded(deps, session.name, `${why}; restarting ${all} did not help${unknown}`, true);
}

/** `acted`: recovery has tried something. Otherwise the monitor's own alert about this session is enough. */
function reportPersonNeeded(deps: RecoveryDeps, session: string, text: string, acted: boolean): Attempt {
  const notified = openIncidents(deps.store.db).some(
    (incident) =>
      incident.rule === 'waha-session' && incident.subject === session && incident.notified.count > 0,
  );
  deps.report({
    severity: 'critical',
    rule: 'waha',
    target: session,
    text: `A person is needed: ${text}`,
    telegram:
      !deps.dryRun && (acted || !notified) && deps.firstIn(`waha:${session}:person`, SESSION_AGAIN_MS),
  });
  return { done: 'person', text };
}

/** By hand: restarts WAHA's container whatever its sessions say. */
export async function restartWahaByHand(deps: RecoveryDeps, reason: string): Promise<RuleResult> {
  const { waha: target, wahaDown, missing } = await deps.discovered();
  const container = target?.container ?? wahaDown;
  if (container === undefined) {
    const why = target ? `${target.how}: which container that is, is not known` : missing.waha;
    return { rule: 'waha', found: `no WAHA container can be restarted: ${why}`, attempts: [], failed: true };
  }
  const why = plain(reason, 200) || 'asked for by hand';
  const step = restartContainerStep(deps, target, container, { why });
  return { rule: 'waha', found: `asked for by hand: ${why}`, attempts: [await attempt(deps, step)] };
}

/** Two runs of the timer are not exactly five minutes apart. */
const TOLERANCE_MS = 10_000;
/** A session that has only just begun to start (the code was scanned) gets this long, however long it has not worked. */
const YOUNG_MS = 2 * 60_000;

type Stuck = {
  session: WahaSession;
  why: string;
  /** It works, and nothing was sent for long. */ idle?: true;
};

/** Why something should be done about this session; undefined: nothing. */
function judgeSession(session: WahaSession, config: Config, now: number): Stuck | undefined {
  const { WAHA_WARNING_MINUTES, WAHA_CRITICAL_MINUTES } = config.settings;
  const { status, since, notWorkingSince } = session;
  if (status === 'STOPPED') return undefined; // Somebody stopped it: that is their choice.
  if (status === 'WORKING') return judgeIdle(session, config, now);
  const name = plain(session.name, 60);
  const heldMs = Math.max(0, now - since);
  const awayMs = Math.max(heldMs, now - (notWorkingSince ?? since));
  const soon = status === 'FAILED' || status === 'STARTING' || needsPerson(status);
  if (soon && heldMs >= WAHA_WARNING_MINUTES * 60_000 - TOLERANCE_MS)
    return { session, why: `session ${name} has been ${plain(status, 40)} for ${formatDuration(heldMs)}` };
  const starts = status === 'STARTING' && heldMs < YOUNG_MS;
  if (awayMs >= WAHA_CRITICAL_MINUTES * 60_000 - TOLERANCE_MS && !starts)
    return {
      session,
      why: `session ${name} has not worked for ${formatDuration(awayMs)}; it is ${plain(status, 40)} now`,
    };
  return undefined;
}

/** Only outgoing messages count as activity, so an old value does not mean stuck: switched on by hand only. */
function judgeIdle(session: WahaSession, config: Config, now: number): Stuck | undefined {
  const { restartIdleWaha, wahaIdleMinutes } = config.extra.recovery;
  if (!restartIdleWaha || session.lastActivity === undefined) return undefined;
  const idleMs = now - session.lastActivity;
  if (idleMs < wahaIdleMinutes * 60_000) return undefined;
  return {
    session,
    why: `session ${plain(session.name, 60)} has sent nothing for ${formatDuration(idleMs)}`,
    idle: true,
  };
}
