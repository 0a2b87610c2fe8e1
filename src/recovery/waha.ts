import type { HttpTarget } from '../config/discover.ts';
import type { WahaSession } from '../model/snapshot.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import { listActions } from '../store/actions.ts';
import type { Action } from '../model/action.ts';
import { attempt } from './attempt.ts';
import { inspectOrGone } from './containers.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** WAHA waits at least 3 s between stop and start and holds a lock meanwhile. */
const RESTART_TIMEOUT_MS = 60_000;
/** How long a restarted session may take to work again before the step counts as failed. */
const WORKS_WITHIN_MS = 45_000;
const CONTAINER_WITHIN_MS = 90_000;
/** A step that was tried within this time and did not help is followed by the next one. */
const LADDER_MS = 60 * 60_000;
/** These need a person with the phone: a restart would only show another code. */
const NEEDS_PERSON = new Set(['SCAN_QR_CODE', 'PASSKEY_REQUIRED', 'PASSKEY_CONFIRMATION_REQUIRED']);

/** WhatsApp sessions that do not work: the session by API, then the container, then a person. A session is never logged out. */
export const wahaRule: RecoveryRule = { id: 'waha', run: runWaha, undo: undoWaha, settle: settleWaha };

async function runWaha(deps: RecoveryDeps): Promise<RuleResult> {
  const { readings } = await deps.look(['waha', 'docker']);
  const { waha } = readings;
  if (waha.state === 'absent') return { rule: 'waha', found: `no WAHA here: ${waha.why}`, attempts: [] };
  const target = (await deps.discovered()).waha;
  if (waha.state === 'failed' || !target) {
    return {
      rule: 'waha',
      found: `WAHA cannot be read: ${waha.state === 'failed' ? waha.why : 'its address is not known'}`,
      attempts: [],
    };
  }
  const attempts: Attempt[] = [];
  const stuck = waha.value.sessions.flatMap((session) => {
    const why = judgeSession(session, deps);
    return why ? [{ session, why }] : [];
  });
  for (const { session, why } of stuck) attempts.push(await helpSession(deps, target, session, why));
  const found =
    stuck.length === 0
      ? `${waha.value.sessions.length} sessions, none stuck`
      : stuck.map((s) => s.why).join('; ');
  return { rule: 'waha', found, attempts };
}

/** A sentence when something should be done about this session. */
function judgeSession(session: WahaSession, deps: RecoveryDeps): string | undefined {
  const { WAHA_WARNING_MINUTES, WAHA_CRITICAL_MINUTES } = deps.config.settings;
  const now = deps.system.clock.now();
  const heldMs = Math.max(0, now - session.since);
  const name = plain(session.name, 60);
  if (session.status === 'STOPPED') return undefined; // Somebody stopped it: that is their choice.
  if (session.status === 'WORKING') {
    const { restartIdleWaha, wahaIdleMinutes } = deps.config.extra.recovery;
    // Only outgoing messages count as activity, so an old value does not mean stuck: switched on by hand only.
    if (
      !restartIdleWaha ||
      session.lastActivity === undefined ||
      now - session.lastActivity < wahaIdleMinutes * 60_000
    )
      return undefined;
    return `session ${name} has sent nothing for ${formatDuration(now - session.lastActivity)}`;
  }
  const soon =
    session.status === 'FAILED' || session.status === 'STARTING' || NEEDS_PERSON.has(session.status);
  const limitMs = (soon ? WAHA_WARNING_MINUTES : WAHA_CRITICAL_MINUTES) * 60_000;
  return heldMs >= limitMs
    ? `session ${name} has been ${plain(session.status, 40)} for ${formatDuration(heldMs)}`
    : undefined;
}

async function helpSession(
  deps: RecoveryDeps,
  target: HttpTarget,
  session: WahaSession,
  why: string,
): Promise<Attempt> {
  const tried = listActions(deps.store.db, deps.system.clock.now() - LADDER_MS).filter(
    (a) => a.rule === 'waha' && a.state !== 'would-do',
  );
  const triedSession = tried.some((a) => a.what === 'restart-session' && a.target === session.name);
  const triedContainer = tried.some(
    (a) => a.what === 'restart-container' && a.undo?.session === session.name,
  );
  if (NEEDS_PERSON.has(session.status))
    return needPerson(deps, session, `${why}: open WAHA's dashboard and scan the code with the phone`);
  if (!triedSession) return attempt(deps, restartSessionStep(deps, target, session, why));
  if (!triedContainer && target.container !== undefined) {
    return attempt(
      deps,
      restartContainerStep(
        deps,
        target,
        target.container,
        session.name,
        `${why}, and restarting the session did not help`,
      ),
    );
  }
  return needPerson(
    deps,
    session,
    `${why}; restarting the session${triedContainer ? ' and the container' : ''} did not help`,
  );
}

function needPerson(deps: RecoveryDeps, session: WahaSession, text: string): Attempt {
  deps.say({
    severity: 'critical',
    rule: 'waha',
    target: session.name,
    text: `A person is needed: ${text}`,
    telegram: !deps.dryRun && deps.firstIn(`waha:${session.name}:person`, 6 * 3_600_000),
  });
  return { done: 'obsolete', text };
}

function restartSessionStep(deps: RecoveryDeps, target: HttpTarget, session: WahaSession, why: string): Step {
  const name = plain(session.name, 60);
  return {
    rule: 'waha',
    target: session.name,
    what: 'restart-session',
    words: `restart the WhatsApp session ${name}`,
    why,
    async obsolete() {
      const status = await sessionStatus(deps, target, session.name);
      if (status === undefined) return `session ${name} does not exist any more`;
      if (status === 'WORKING' && session.status !== 'WORKING')
        return `session ${name} works again by itself`;
      if (status === 'STOPPED') return `session ${name} was stopped by somebody`;
      if (NEEDS_PERSON.has(status)) return `session ${name} waits for a person with the phone`;
      return undefined;
    },
    run: () =>
      call(
        deps,
        target,
        'POST',
        `/api/sessions/${encodeURIComponent(session.name)}/restart`,
        RESTART_TIMEOUT_MS,
      ).then(() => undefined),
    verify: () => waitForWorking(deps, target, session.name, WORKS_WITHIN_MS),
  };
}

/** Before the container goes down it is written down which sessions worked: old WAHA versions do not start them again. */
function restartContainerStep(
  deps: RecoveryDeps,
  target: HttpTarget,
  container: string,
  session: string,
  why: string,
): Step {
  return {
    rule: 'waha',
    target: container,
    what: 'restart-container',
    words: `restart the WAHA container ${plain(container, 60)}`,
    why,
    undo: { session, container },
    async obsolete() {
      const status = await sessionStatus(deps, target, session).catch(() => 'UNKNOWN');
      return status === 'WORKING' ? `session ${plain(session, 60)} works again by itself` : undefined;
    },
    async run() {
      const working = await workingSessions(deps, target);
      await deps.system.docker.restart(container, 30);
      await waitForPing(deps, target);
      for (const name of new Set([session, ...working])) await startIfStopped(deps, target, name);
    },
    verify: () => waitForWorking(deps, target, session, WORKS_WITHIN_MS),
  };
}

async function workingSessions(deps: RecoveryDeps, target: HttpTarget): Promise<string[]> {
  try {
    return (await listSessions(deps, target)).filter((s) => s.status !== 'STOPPED').map((s) => s.name);
  } catch {
    return []; // It hangs: that is why it is restarted.
  }
}

async function startIfStopped(deps: RecoveryDeps, target: HttpTarget, name: string): Promise<void> {
  const status = await sessionStatus(deps, target, name);
  if (status === 'STOPPED' || status === undefined) {
    await call(deps, target, 'POST', `/api/sessions/${encodeURIComponent(name)}/start`, RESTART_TIMEOUT_MS);
  }
}

async function waitForPing(deps: RecoveryDeps, target: HttpTarget): Promise<void> {
  const until = deps.system.clock.monotonic() + CONTAINER_WITHIN_MS;
  for (;;) {
    try {
      await call(deps, target, 'GET', '/ping', 3000);
      return;
    } catch (error) {
      if (deps.system.clock.monotonic() > until)
        throw new Error(
          `WAHA did not answer within ${formatDuration(CONTAINER_WITHIN_MS)}: ${errorText(error)}`,
          { cause: error },
        );
    }
    await deps.system.clock.sleep(1000);
  }
}

async function waitForWorking(
  deps: RecoveryDeps,
  target: HttpTarget,
  name: string,
  withinMs: number,
): Promise<{ worked: boolean; text: string }> {
  const until = deps.system.clock.monotonic() + withinMs;
  let status: string | undefined;
  for (;;) {
    status = await sessionStatus(deps, target, name).catch((error: unknown) => errorText(error));
    if (status === 'WORKING') return { worked: true, text: `Session ${plain(name, 60)} works again` };
    if (status !== undefined && NEEDS_PERSON.has(status))
      return {
        worked: false,
        text: `Session ${plain(name, 60)} waits for a person with the phone (${status})`,
      };
    if (deps.system.clock.monotonic() > until) break;
    await deps.system.clock.sleep(1000);
  }
  return {
    worked: false,
    text: `Session ${plain(name, 60)} is ${plain(status ?? 'gone', 80)} after ${formatDuration(withinMs)}`,
  };
}

async function sessionStatus(
  deps: RecoveryDeps,
  target: HttpTarget,
  name: string,
): Promise<string | undefined> {
  return (await listSessions(deps, target)).find((session) => session.name === name)?.status;
}

async function listSessions(
  deps: RecoveryDeps,
  target: HttpTarget,
): Promise<{ name: string; status: string }[]> {
  const body: unknown = JSON.parse(await call(deps, target, 'GET', '/api/sessions?all=true', 5000));
  if (!Array.isArray(body)) throw new Error('WAHA answered something that is no list of sessions');
  return body.flatMap((item: unknown) => {
    const { name, status } = (item ?? {}) as { name?: unknown; status?: unknown };
    return typeof name === 'string' && typeof status === 'string' ? [{ name, status }] : [];
  });
}

async function call(
  deps: RecoveryDeps,
  target: HttpTarget,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number,
): Promise<string> {
  const answer = await deps.system.http({
    url: target.url.replace(/\/+$/, '') + path,
    method,
    headers: { 'X-Api-Key': target.apiKey, Accept: 'application/json' },
    timeoutMs,
  });
  if (answer.status === 401 || answer.status === 403)
    throw new Error(`WAHA refuses the API key (${answer.status}): check WAHA_API_KEY`);
  if (answer.status >= 300) throw new Error(`WAHA answered ${answer.status}: ${plain(answer.body, 120)}`);
  return answer.body;
}

/** By hand: restarts WAHA's container whatever its sessions say. */
export async function restartWahaByHand(deps: RecoveryDeps, reason: string): Promise<RuleResult> {
  const target = (await deps.discovered()).waha;
  if (!target?.container) return { rule: 'waha', found: 'no WAHA container is known', attempts: [] };
  const first = (await listSessions(deps, target).catch(() => []))[0]?.name ?? 'default';
  const step = restartContainerStep(deps, target, target.container, first, reason || 'asked for by hand');
  return {
    rule: 'waha',
    found: 'asked for by hand',
    attempts: [await attempt(deps, { ...step, obsolete: async () => undefined })],
  };
}

async function undoWaha(): Promise<RuleResult> {
  return { rule: 'waha', found: 'restarts need no undoing', attempts: [] };
}

async function settleWaha(
  deps: RecoveryDeps,
  action: Action,
): Promise<{ worked: boolean | undefined; text: string }> {
  const target = (await deps.discovered()).waha;
  const session = String(action.undo?.session ?? action.target);
  if (!target) return { worked: undefined, text: 'the run was interrupted, and WAHA is gone' };
  if (action.what === 'restart-container' && target.container) {
    const inspect = await inspectOrGone(deps, target.container);
    // A restart that was interrupted between stop and start must not leave WAHA down.
    if (inspect && inspect.state.status === 'exited') await deps.system.docker.start(target.container);
    await waitForPing(deps, target);
    await startIfStopped(deps, target, session);
  }
  const status = await sessionStatus(deps, target, session);
  return {
    worked: status === 'WORKING',
    text: `the run was interrupted; session ${plain(session, 60)} is ${status ?? 'gone'}`,
  };
}
