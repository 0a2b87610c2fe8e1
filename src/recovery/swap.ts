import { isEssential } from '../discovery/essential.ts';
import { heldBytes, totalBytes } from '../model/container-memory.ts';
import type { ContainerInfo, Readings } from '../model/snapshot.ts';
import { errorText, formatBytes, formatCount, formatMoment, plain } from '../model/text.ts';
import { actionsToUndo } from '../store/actions.ts';
import { grownOf, type Grown } from '../store/history/growth.ts';
import { attempt } from './attempt.ts';
import {
  inspectOrGone,
  isDown,
  outcomeOfContainer,
  startAgainStep,
  stopping,
  type StoppedContainer,
} from './containers.ts';
import { forgetCalm, startWhenCalm } from './swap-calm.ts';
import {
  lookAtSwap,
  lookFirst,
  lookWhenSteady,
  SECOND_LOOK_MS,
  whyStop,
  type SwapLook,
} from './swap-look.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** As long as `docker stop` waits by itself: what is stopped goes on growing meanwhile. */
const GRACE_SEC = 10;
/** On a machine that thrashes, an engine may need half a minute for a list that takes it milliseconds otherwise. */
const DOCKER_WITHIN_MS = 60_000;
/** A Docker that does not stop containers will not stop the next one either, and each try takes half a minute. */
const MOST_FAILURES = 2;

/** Of the server's memory: what has grown by less is not what filled it, and size decides. */
const GROWN_SHARE = 0.05;

/**
 * Memory and swap run out: stops non-essential containers, those first that have grown most, then the largest, one at a time, until memory
 * is not short any more; starts them again when it has been calm for ten minutes.
 */
export const swapRule: RecoveryRule = {
  id: 'swap',
  run: runSwap,
  undo: undoSwap,
  outcomeOf: (deps, action) => {
    const { containerId } = (action.undo ?? {}) as Partial<StoppedContainer>;
    return outcomeOfContainer(deps, containerId ?? action.target, action.target, wantedOf(action.what));
  },
};

const wantedOf = (what: string) => (what === 'start-container' ? 'started' : 'stopped');

async function runSwap(deps: RecoveryDeps): Promise<RuleResult> {
  const seen = await lookFirst(deps);
  if (!seen) return { rule: 'swap', found: 'the swap-in rate cannot be read', attempts: [], blind: true };
  const { rate, shortage } = seen;
  const found = shortage
    ? shortage.found + (shortage.harmless ? `, and no harm done: ${shortage.harmless}` : '')
    : `swap-in ${formatCount(rate)} KB/s, not above ${formatCount(deps.config.settings.SWAP_IN_CRITICAL_KBPS)}`;
  if (whyStop(seen) === undefined) return { rule: 'swap', found, attempts: await startWhenCalm(deps, seen) };
  if (!deps.dryRun) forgetCalm(deps);
  return { rule: 'swap', found, attempts: await stopUntilCalm(deps, seen, found) };
}

async function stopUntilCalm(deps: RecoveryDeps, first: SwapLook, found: string): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const tried = new Set<string>();
  let failures = 0;
  let why = whyStop(first);
  while (why !== undefined && failures < MOST_FAILURES) {
    const { docker } = (await deps.look(['docker'], DOCKER_WITHIN_MS)).readings;
    const victim = await firstStoppable(deps, docker, first.totalBytes * GROWN_SHARE, tried);
    if (typeof victim === 'string') {
      attempts.push(askForPerson(deps, found, victim));
      break;
    }
    tried.add(victim.container.id);
    const result = await attempt(deps, stopStep(deps, victim, why + sparedText(deps, victim.spared)));
    attempts.push(result);
    if (result.done === 'worked') why = whyStop(await lookWhenSteady(deps));
    // This one cannot be stopped, or was stopped too often: the next largest may help as well.
    else if (result.done === 'failed') failures += 1;
    else if (result.done !== 'budget' || result.inAll) break;
  }
  return attempts;
}

function askForPerson(deps: RecoveryDeps, found: string, why: string): Attempt {
  const text = `The server thrashes (${found}), and ${why}. A person is needed`;
  deps.report({
    severity: 'critical',
    rule: 'swap',
    target: 'host',
    text,
    telegram: !deps.dryRun && deps.firstIn('swap:nothing-left', 3_600_000),
  });
  return { done: 'person', text };
}

type Candidate = { container: ContainerInfo; grown?: Grown };
/** `spared`: it has grown more, and may not be stopped. */
type Victim = Candidate & { spared: Candidate | undefined };

/** The one that may be stopped and has grown most, else the largest; or why there is none. */
async function firstStoppable(
  deps: RecoveryDeps,
  docker: Readings['docker'],
  least: number,
  tried: ReadonlySet<string>,
): Promise<Victim | string> {
  if (docker.state !== 'ok') return unreadable(docker.why);
  const running = docker.value.containers.filter(
    (c) => c.state === 'running' && !c.self && !tried.has(c.id) && sizeOf(c) > 0,
  );
  let spared: Candidate | undefined;
  for (const candidate of inOrder(deps, running, least)) {
    try {
      const { container, grown } = candidate;
      const inspect = await inspectOrGone(deps, container.id);
      // One that was started with --rm is removed when it stops, and its data with it: nothing could start it again.
      if (inspect && !inspect.hostConfig.autoRemove && !isEssential(container, deps.config, inspect))
        return { ...candidate, spared };
      if (inspect && grown) spared ??= candidate;
    } catch (error) {
      return unreadable(errorText(error));
    }
  }
  return `there is no container left that may be stopped${sparedText(deps, spared)}`;
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

/** Those that have grown by so much first, then by size. Small ones cannot have grown, and their history is not read. */
function inOrder(deps: RecoveryDeps, containers: readonly ContainerInfo[], least: number): Candidate[] {
  const names = new Set(containers.filter((c) => sizeOf(c) >= least).map(({ name }) => name));
  let known = new Map<string, Grown>();
  try {
    known = grownOf(deps.store.db, names, deps.system.clock.now());
  } catch {
    // A history that cannot be read must not stop what is left to do: size decides.
  }
  const grownBytes = ({ grown }: Candidate) => grown?.bytes ?? 0;
  return containers
    .map((container): Candidate => {
      const grown = known.get(container.name);
      return grown && grown.bytes >= least ? { container, grown } : { container };
    })
    .toSorted((a, b) => grownBytes(b) - grownBytes(a) || sizeOf(b.container) - sizeOf(a.container));
}

const unreadable = (why: string) => `the containers cannot be read: ${why}`;

function sizeOf({ memory }: ContainerInfo): number {
  return memory ? Math.max(totalBytes(memory), heldBytes(memory)) : 0;
}

function stopStep(deps: RecoveryDeps, { container: victim, grown }: Victim, why: string): Step {
  const name = plain(victim.name, 60);
  const undo: StoppedContainer = { containerId: victim.id, name: victim.name };
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
      const inspect = await inspectOrGone(deps, victim.id);
      return !inspect || isDown(inspect) ? `${name} does not run any more` : undefined;
    },
    ...stopping(deps, undo, `, which frees about ${size}`, GRACE_SEC),
  };
}

async function undoSwap(deps: RecoveryDeps, only?: ReadonlySet<number>): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  const stopped = actionsToUndo(deps.store.db, 'swap', only);
  for (const action of stopped) {
    attempts.push(
      await attempt(deps, startAgainStep(deps, action, { why: 'asked for by hand', byHand: true })),
    );
  }
  return { rule: 'swap', found: `${stopped.length} stopped by recovery`, attempts };
}
