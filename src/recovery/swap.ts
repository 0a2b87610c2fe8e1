import { isEssential } from '../discovery/essential.ts';
import type { Action } from '../model/action.ts';
import { heldBytes, totalBytes } from '../model/container-memory.ts';
import type { FlightSample } from '../model/recording.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import { steadyPerMinute, type TrendPoint } from '../model/trend.ts';
import { errorText, formatBytes, formatCount, formatMoment, plain } from '../model/text.ts';
import { actionsToUndo } from '../store/actions.ts';
import { grownOf, type Grown } from '../store/history/growth.ts';
import { attempt, needPerson } from './attempt.ts';
import {
  inspectOrGone,
  isDown,
  outcomeOfContainer,
  startAgainStep,
  namesNow,
  stopping,
  withoutContainers,
  type StoppedContainer,
} from './containers.ts';
import {
  forgetCalm,
  startWhenCalm,
  lookAtSwap,
  lookFirst,
  lookWhenSteady,
  SECOND_LOOK_MS,
  whyStop,
  type SwapLook,
} from './swap-look.ts';
import { leastPerMinute } from './shortage.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** As long as `docker stop` waits by itself: what is stopped goes on growing meanwhile. */
const GRACE_SEC = 10;
/** A Docker that does not stop containers will not stop the next one either, and each try takes half a minute. */
const MOST_FAILURES = 2;
/** One that does not answer at all may do so again a minute later: nothing else can end this. */
const MOST_SILENT = 5;

/** Of the server's memory: what has grown by less is not what filled it, and size decides. */
const GROWN_SHARE = 0.05;
/** Of what memory shrinks by. */
const TAKES_SHARE = 0.15;
/** Of its rate: what grows more slowly now has ended rather than stalled. */
const STALLED_SHARE = 0.1;

/**
 * Memory and swap run out: stops non-essential containers, those first that have grown most, then the largest, one at a time, until memory
 * is not short any more; starts them again when it has been calm for ten minutes.
 */
export const swapRule: RecoveryRule = {
  id: 'swap',
  run: runSwap,
  undo: undoSwap,
  outcomeOf: outcomeOfContainer,
};

async function runSwap(deps: RecoveryDeps): Promise<RuleResult> {
  const seen = await lookFirst(deps);
  if (!seen) return { rule: 'swap', found: 'the swap-in rate cannot be read', attempts: [], blind: true };
  const { rate, shortage } = seen;
  const found = shortage
    ? shortage.found + (shortage.harmless ? `, and no harm done: ${shortage.harmless}` : '')
    : `swap-in ${formatCount(rate)} KB/s, not above ${formatCount(deps.config.settings.SWAP_IN_CRITICAL_KBPS)}`;
  if (whyStop(seen) === undefined) return { rule: 'swap', found, attempts: await startWhenCalm(deps, seen) };
  if (!deps.dryRun) forgetCalm(deps);
  return { rule: 'swap', found, attempts: await stopUntilCalm(deps, { ...seen, found }) };
}

/** A look, and what it found in words. */
type Found = SwapLook & { found: string };

async function stopUntilCalm(deps: RecoveryDeps, first: Found): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const tried = new Set<string>();
  let [failures, silent] = [0, 0];
  let seen: SwapLook | undefined = first;
  for (let why = whyStop(seen); seen && why !== undefined && failures < MOST_FAILURES; why = whyStop(seen)) {
    const victim = await firstStoppable(deps, seen, tried);
    if ('unreadable' in victim) {
      if (silent === 0)
        attempts.push(
          askForPerson(deps, first, victim.unreadable, '; recovery goes on trying for some minutes'),
        );
      silent += 1;
      if (silent === MOST_SILENT) break;
      seen = await lookAtSwap(deps, SECOND_LOOK_MS, true);
      continue;
    }
    if ('nobody' in victim) {
      attempts.push(askForPerson(deps, first, victim.nobody));
      break;
    }
    tried.add(victim.container.id);
    const result = await attempt(deps, stopStep(deps, victim, why + sparedText(deps, victim.spared)));
    attempts.push(result);
    if (result.done === 'worked') seen = await lookWhenSteady(deps);
    // This one cannot be stopped, or was stopped too often: the next largest may help as well.
    else if (result.done === 'failed') failures += 1;
    else if (result.done !== 'budget' || result.inAll) break;
  }
  return attempts;
}

function askForPerson(deps: RecoveryDeps, { found, shortage }: Found, why: string, then = ''): Attempt {
  const what = shortage?.growersOnly ? 'Memory runs out' : 'The server thrashes';
  const text = `${what} (${found}), and ${why}. A person is needed${then}`;
  return needPerson(deps, 'swap:nothing-left', 3_600_000, {
    severity: 'critical',
    rule: 'swap',
    target: 'host',
    text,
  });
}

/** `perMinute`: bytes by which it grows right now, steadily; 0 where it does not. */
type Candidate = { container: ContainerInfo; grown?: Grown; perMinute: number };
/** `spared`: it has grown more, and may not be stopped. */
type Victim = Candidate & { spared: Candidate | undefined };

/** The one that may be stopped and grows or has grown most, else the largest; or why there is none. */
async function firstStoppable(
  deps: RecoveryDeps,
  seen: SwapLook,
  tried: ReadonlySet<string>,
): Promise<Victim | { nobody: string } | { unreadable: string }> {
  const { docker } = (await deps.look(['docker'])).readings;
  if (docker.state === 'absent') return { nobody: withoutContainers(docker) };
  if (docker.state === 'failed') return { unreadable: withoutContainers(docker) };
  const running = docker.value.containers.filter(
    (c) => c.state === 'running' && !c.self && !tried.has(c.id) && sizeOf(c) > 0,
  );
  const growersOnly = seen.shortage?.growersOnly === true;
  let spared: Candidate | undefined;
  for (const candidate of inOrder(deps, running, seen)) {
    try {
      const { container, grown, perMinute } = candidate;
      // What runs out goes on running out when somebody else is stopped.
      if (growersOnly && perMinute === 0) break;
      const inspect = await inspectOrGone(deps, container.id);
      // One that was started with --rm is removed when it stops, and its data with it: nothing could start it again.
      if (inspect && !inspect.hostConfig.autoRemove && !isEssential(container, deps.config, inspect))
        return { ...candidate, spared };
      if (inspect && grown) spared ??= candidate;
    } catch (error) {
      return { unreadable: withoutContainers({ state: 'failed', why: errorText(error), tookMs: 0 }) };
    }
  }
  const nobody = growersOnly
    ? 'no container that may be stopped grows'
    : 'there is no container left that may be stopped';
  return { nobody: nobody + sparedText(deps, spared) };
}

/** Whoever reads that another one was stopped has to know that this is not the end of it. */
function sparedText(deps: RecoveryDeps, spared: Candidate | undefined): string {
  return spared?.grown
    ? `; ${plain(spared.container.name, 60)} has grown more (${grownText(deps, spared.grown)}), and may not be stopped`
    : '';
}

function grownText(deps: RecoveryDeps, { bytes, since }: Grown, of = ''): string {
  return `${formatBytes(bytes)}${of} since ${formatMoment(since, deps.system.clock.now())}`;
}

/**
 * While memory shrinks, those first that take it right now; then those that have grown most, then by size. Small ones cannot have grown, and
 * their history is not read.
 */
function inOrder(deps: RecoveryDeps, containers: readonly ContainerInfo[], seen: SwapLook): Candidate[] {
  const least = seen.totalBytes * GROWN_SHARE;
  const names = new Set(containers.filter((c) => sizeOf(c) >= least).map(({ name }) => name));
  let known = new Map<string, Grown>();
  try {
    known = grownOf(deps.store.db, names, deps.system.clock.now());
  } catch {
    // A history that cannot be read must not stop what is left to do: size decides.
  }
  const recent = deps.recent();
  const grownBytes = ({ grown }: Candidate) => grown?.bytes ?? 0;
  return containers
    .map((container): Candidate => {
      const before = known.get(container.name);
      const now = growing(deps, container, recent, seen);
      const grown = now && now.bytes > (before?.bytes ?? 0) ? now : before;
      const isGrown = grown && (now !== undefined || grown.bytes >= least);
      return { container, perMinute: now?.perMinute ?? 0, ...(isGrown ? { grown } : {}) };
    })
    .toSorted(
      (a, b) =>
        b.perMinute - a.perMinute ||
        grownBytes(b) - grownBytes(a) ||
        sizeOf(b.container) - sizeOf(a.container),
    );
}

/** How a container grows in these minutes, swap counted; undefined where it takes little of what memory shrinks by. */
function growing(
  deps: RecoveryDeps,
  { name, memory }: ContainerInfo,
  recent: readonly FlightSample[],
  { shrinksBy, totalBytes: serverBytes }: SwapLook,
): (Grown & { perMinute: number }) | undefined {
  if (!memory || shrinksBy < leastPerMinute(serverBytes)) return undefined;
  const now = { at: deps.system.clock.now(), value: heldBytes(memory) };
  const heldIn = (samples: readonly FlightSample[]) =>
    samples.flatMap(({ at, containers }) =>
      containers.filter((one) => one.name === name).map((one) => ({ at, value: one.heldBytes })),
    );
  const earlier = heldIn(recent);
  const perMinute = steadyPerMinute([...earlier, now], now.at) || goingOn(heldIn(deps.before()), now) || 0;
  if (perMinute < shrinksBy * TAKES_SHARE) return undefined;
  const least = earlier.reduce((low, one) => (one.value <= low.value ? one : low), now);
  return { perMinute, bytes: now.value - least.value, since: least.at };
}

/**
 * By how much it grew a minute until this run began, as long as it goes on. On a server that thrashes a leak stalls with everything else, and
 * the monitor comes to write its samples down late: then the last minutes do not look steady, or are not known.
 */
function goingOn(before: readonly TrendPoint[], now: TrendPoint): number | undefined {
  const last = before.at(-1);
  const perMinute = last && steadyPerMinute(before, last.at);
  if (!last || !perMinute) return undefined;
  const expected = (perMinute * (now.at - last.at)) / 60_000;
  return now.value - last.value >= expected * STALLED_SHARE ? perMinute : undefined;
}

function sizeOf({ memory }: ContainerInfo): number {
  return memory ? Math.max(totalBytes(memory), heldBytes(memory)) : 0;
}

function stopStep(deps: RecoveryDeps, { container: victim, grown }: Victim, why: string): Step {
  const name = plain(victim.name, 60);
  const needsBytes = Math.max(0, sizeOf(victim) - (grown?.bytes ?? 0));
  const undo: StoppedContainer = { containerId: victim.id, name: victim.name, needsBytes };
  const size = formatBytes(sizeOf(victim));
  const { calmMinutes } = deps.config.extra.recovery;
  const minutes = calmMinutes === 1 ? 'a minute' : `${calmMinutes} minutes`;
  return {
    rule: 'swap',
    target: victim.name,
    what: 'stop-container',
    words: grown
      ? `stop ${name}, the container that has grown most and is not essential (${size}, ${grownText(deps, grown, ' of it')})`
      : `stop ${name}, the largest container that is not essential (${size})`,
    why,
    undoHint: `it is started again when memory has been calm for ${minutes}; \`vpsmon recover undo\` does so now`,
    severity: 'warning',
    undo,
    async obsolete() {
      const now = await lookAtSwap(deps, SECOND_LOOK_MS, true);
      if (!now) return 'the swap-in rate cannot be read any more';
      if (!now.shortage) return `swap-in is down to ${formatCount(now.rate)} KB/s by itself`;
      if (whyStop(now) === undefined) return `no harm is done any more: ${now.shortage.harmless}`;
      // It ran a moment ago: an engine that does not answer this may answer the stop, and has a minute for each.
      const inspect = await inspectOrGone(deps, victim.id).catch(() => null);
      return inspect !== null && (!inspect || isDown(inspect)) ? `${name} does not run any more` : undefined;
    },
    ...stopping(deps, undo, `, which frees about ${size}`, GRACE_SEC),
  };
}

async function undoSwap(deps: RecoveryDeps, only?: ReadonlySet<number>): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  const stopped = actionsToUndo(deps.store.db, 'swap', only);
  for (const action of stopped) {
    attempts.push(
      await attempt(
        deps,
        await startAgainStep(deps, action, {
          why: 'asked for by hand',
          byHand: true,
          notYet: () => notEnoughFor(deps, action),
        }),
      ),
    );
  }
  return { rule: 'swap', found: `${stopped.length} stopped by recovery`, attempts };
}

/** Why a container that was stopped for want of memory cannot be started yet; what it held before it grew must be there. */
async function notEnoughFor(deps: RecoveryDeps, stopped: Action): Promise<string | undefined> {
  const { needsBytes } = stopped.undo as StoppedContainer;
  const { host } = (await deps.look(['host'])).readings;
  if (needsBytes === undefined || host.state !== 'ok') return undefined;
  const { memory, swap } = host.value;
  const swapLeft = swap.totalBytes - swap.usedBytes;
  const least = needsBytes + deps.config.settings.MEMORY_CRITICAL_MB * 1_048_576;
  if (memory.availableBytes + swapLeft >= least) return undefined;
  const { target, name } = await namesNow(deps, stopped);
  const free = `${formatBytes(memory.availableBytes)} of memory and ${formatBytes(swapLeft)} of swap are free`;
  return `${name} is not started: it held ${formatBytes(needsBytes)} before it grew, and only ${free}. Stop something else first; \`docker start ${plain(target, 60)}\` starts it all the same`;
}
