import type { HttpTarget } from '../model/targets.ts';
import type { Action } from '../model/action.ts';
import { errorText, formatDuration, plain } from '../model/text.ts';
import { keepUndo } from '../store/actions.ts';
import { inspectOrGone, isDown } from './containers.ts';
import type { Outcome, RecoveryDeps, Step } from './types.ts';
import { createWahaApi, type WahaApi } from '../system/apps/waha.ts';
import { needsPerson } from '../model/snapshot.ts';

/** How long a restarted session may take to work again before the step counts as failed. */
const WORKS_WITHIN_MS = 60_000;
/** During a restart WAHA may say FAILED for a moment; for longer it means it. */
const FAILED_FOR_MS = 15_000;
const CONTAINER_WITHIN_MS = 90_000;
const CONTAINER_GRACE_SEC = 30;
const POLL_MS = 1000;

/** What finishing an interrupted restart of the container needs. */
type ContainerRestart = {
  container: string;
  sessions: string[];
  /** A later run has started it: what is down then is not what the dead one left. */
  startedAgain?: true;
};

export function restartSessionStep(
  deps: RecoveryDeps,
  target: HttpTarget,
  session: string,
  options: { why: string; idle?: boolean },
): Step {
  const api = createWahaApi(deps.system.http, target);
  return {
    rule: 'waha',
    target: session,
    what: 'restart-session',
    words: `restart the WhatsApp session ${plain(session, 60)}`,
    why: options.why,
    async obsolete() {
      const status = await api.statusOf(session);
      return options.idle && status === 'WORKING' ? undefined : whyNotRestart(session, status);
    },
    run: () => api.restart(session),
    verify: (ran) => waitForWorking(deps, api, session, ran ? WORKS_WITHIN_MS : 0),
  };
}

/**
 * Restarts WAHA's container. Before it goes down it is written down which sessions ran: versions before 2026.6.1 do not start them
 * again. Without `session` it was asked for by hand, whatever the sessions say.
 */
export function restartContainerStep(
  deps: RecoveryDeps,
  target: HttpTarget | undefined,
  container: string,
  options: { why: string; session?: string },
): Step {
  const { session } = options;
  const api = target && createWahaApi(deps.system.http, target);
  const restart: ContainerRestart = { container, sessions: session === undefined ? [] : [session] };
  return {
    rule: 'waha',
    target: container,
    what: 'restart-container',
    words: `restart the WAHA container ${plain(container, 60)}`,
    why: options.why,
    ...(session === undefined ? { byHand: true } : {}),
    undo: { ...restart },
    async obsolete() {
      if (session === undefined || !api) return undefined;
      // Where WAHA does not answer, that is one more reason.
      const status = await api.statusOf(session).catch(() => 'UNKNOWN');
      return whyNotRestart(session, status);
    },
    async run(keep) {
      const running = (await api?.list().catch(() => [])) ?? []; // It hangs: that is why it is restarted.
      const names = running.filter(({ status }) => status !== 'STOPPED').map(({ name }) => name);
      restart.sessions = [...new Set([...restart.sessions, ...names])];
      keep({ ...restart });
      await deps.system.docker.restart(container, CONTAINER_GRACE_SEC);
      await bringUp(deps, restart);
    },
    verify: (ran) => containerWorks(deps, restart, session, ran ? WORKS_WITHIN_MS : 0),
  };
}

/** Why a session is not to be restarted after all. */
function whyNotRestart(session: string, status: string | undefined): string | undefined {
  const name = plain(session, 60);
  if (status === undefined) return `session ${name} does not exist any more`;
  if (status === 'WORKING') return `session ${name} works again by itself`;
  if (status === 'STOPPED') return `session ${name} was stopped by somebody`;
  return needsPerson(status) ? `session ${name} waits for a person with the phone` : undefined;
}

/** Waits for the program, then starts the sessions that it did not start by itself. */
async function bringUp(deps: RecoveryDeps, { sessions }: ContainerRestart): Promise<void> {
  const api = await waitForPing(deps);
  const listed = await api.list();
  for (const session of sessions) {
    const status = listed.find(({ name }) => name === session)?.status;
    // One that cannot be started must not keep the others from it; the look at the end shows it.
    if (status === undefined || status === 'STOPPED') await api.start(session).catch(() => undefined);
  }
}

/** The container may have another address after its restart, so that is looked up again. */
async function waitForPing(deps: RecoveryDeps): Promise<WahaApi> {
  const until = deps.system.clock.monotonic() + CONTAINER_WITHIN_MS;
  for (;;) {
    let why = 'its address is not known';
    deps.rediscover();
    const { waha } = await deps.discovered();
    if (waha) {
      const api = createWahaApi(deps.system.http, waha);
      const failed = await api.ping().then(() => undefined, errorText);
      if (failed === undefined) return api;
      why = failed;
    }
    if (deps.system.clock.monotonic() > until)
      throw new Error(`WAHA did not answer within ${formatDuration(CONTAINER_WITHIN_MS)}: ${why}`);
    await deps.system.clock.sleep(POLL_MS);
  }
}

async function waitForWorking(
  deps: RecoveryDeps,
  api: WahaApi,
  session: string,
  withinMs: number,
): Promise<Outcome> {
  const name = plain(session, 60);
  const { clock } = deps.system;
  const began = clock.monotonic();
  let lastGood = began;
  for (;;) {
    const status = await api.statusOf(session).catch((error: unknown) => errorText(error));
    if (status === 'WORKING') return { worked: true, text: `session ${name} works again` };
    if (status !== undefined && needsPerson(status))
      return { worked: false, text: `session ${name} waits for a person with the phone (${status})` };
    const now = clock.monotonic();
    if (status !== 'FAILED') lastGood = now;
    if (now - began >= withinMs || now - lastGood >= FAILED_FOR_MS) {
      const after = withinMs > 0 ? ` after ${formatDuration(now - began)}` : '';
      return { worked: false, text: `session ${name} is ${plain(status ?? 'gone', 120)}${after}` };
    }
    await clock.sleep(POLL_MS);
  }
}

/** By the session that it was done for; by hand, by all that ran before. */
async function containerWorks(
  deps: RecoveryDeps,
  { container, sessions }: ContainerRestart,
  session: string | undefined,
  withinMs: number,
): Promise<Outcome> {
  const name = plain(container, 60);
  const inspect = await inspectOrGone(deps, container);
  if (!inspect || inspect.state.status !== 'running')
    return { worked: false, text: `the container ${name} is ${inspect?.state.status ?? 'gone'}` };
  const { waha } = await deps.discovered();
  if (!waha) return { worked: false, text: `the container ${name} runs, and its address is not known` };
  const api = createWahaApi(deps.system.http, waha);
  if (session !== undefined) return waitForWorking(deps, api, session, withinMs);
  const seen = [];
  for (const one of sessions) seen.push(await waitForWorking(deps, api, one, withinMs));
  const details = seen.filter(({ worked }) => !worked).map(({ text }) => text);
  if (details.length === 0)
    return { worked: true, text: `WAHA runs again, sessions that work: ${sessions.length}` };
  return { worked: false, text: `WAHA runs again; ${details.join('; ')}` };
}

/** A restart was begun and the process died. One that was interrupted between stop and start must not leave WAHA down. */
export async function outcomeOfRestart(deps: RecoveryDeps, action: Action): Promise<Outcome> {
  if (action.what === 'restart-container') {
    const restart = action.undo as ContainerRestart;
    const inspect = await inspectOrGone(deps, restart.container);
    if (!inspect) return { worked: false, text: 'the container is gone' };
    if (isDown(inspect)) {
      if (restart.startedAgain)
        return { worked: false, text: `the container was started again and is ${inspect.state.status} now` };
      keepUndo(deps.store.db, action.id, { ...restart, startedAgain: true });
      await deps.system.docker.start(restart.container);
    }
    await bringUp(deps, restart);
    return containerWorks(deps, restart, undefined, WORKS_WITHIN_MS);
  }
  const { waha } = await deps.discovered();
  if (!waha) return { worked: undefined, text: 'WAHA is gone' };
  return waitForWorking(deps, createWahaApi(deps.system.http, waha), action.target, 0);
}
