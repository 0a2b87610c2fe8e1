import type { HostValues, Snapshot, ContainerInfo } from '../model/snapshot.ts';
import { formatBytes, formatCount, formatDuration } from '../model/text.ts';
import { actionsToUndo } from '../store/actions.ts';
import { forget, recall, remember } from '../store/memory.ts';
import { attempt } from './attempt.ts';
import {
  GRACE_SEC,
  inspectOrGone,
  isDown,
  isEssential,
  startAgain,
  type StoppedContainer,
} from './containers.ts';
import type { Attempt, RecoveryDeps, RecoveryRule, RuleResult, Step } from './types.ts';

/** Between two looks at the swap-in rate: long enough to be no blip, short enough for a machine that hardly answers. */
const LOOK_MS = 3000;
/** After a stop, the kernel needs a while to fetch back what the others had swapped out. */
const SETTLE_MS = 10_000;
const CALM_KEY = 'recovery-calm-since';

/**
 * Thrashing: stops non-essential containers, the largest first, one at a time, until the swap-in rate is down; starts them
 * again when memory has been calm for ten minutes.
 */
export const swapRule: RecoveryRule = { id: 'swap', run: runSwap, undo: undoSwap, settle: settleStop };

async function runSwap(deps: RecoveryDeps): Promise<RuleResult> {
  const { SWAP_IN_CRITICAL_KBPS } = deps.config.settings;
  const attempts: Attempt[] = [];
  let seen = await lookTwice(deps);
  if (!seen) return { rule: 'swap', found: 'the swap-in rate cannot be read', attempts };
  if (seen.rate <= SWAP_IN_CRITICAL_KBPS) {
    attempts.push(...(await bringBackWhenCalm(deps, seen.snapshot)));
    return {
      rule: 'swap',
      found: `swap-in ${formatCount(seen.rate)} KB/s, not above ${formatCount(SWAP_IN_CRITICAL_KBPS)}`,
      attempts,
    };
  }
  forget(deps.store.db, CALM_KEY);
  const found = `swap-in ${formatCount(seen.rate)} KB/s, above ${formatCount(SWAP_IN_CRITICAL_KBPS)}`;
  while (seen && seen.rate > SWAP_IN_CRITICAL_KBPS) {
    const victim = largestStoppable(deps, seen.snapshot);
    if (!victim) {
      deps.say({
        severity: 'critical',
        rule: 'swap',
        target: 'host',
        text: `The server thrashes (${found}), and there is no container left that may be stopped`,
        telegram: !deps.dryRun && deps.firstIn('swap:nothing-left', 3_600_000),
      });
      break;
    }
    const result = await attempt(deps, stopStep(deps, victim, seen.rate));
    attempts.push(result);
    if (result.done !== 'worked') break;
    await deps.system.clock.sleep(SETTLE_MS);
    seen = await lookTwice(deps);
  }
  return { rule: 'swap', found, attempts };
}

/** The rate over one window between two looks. */
async function lookTwice(deps: RecoveryDeps): Promise<{ rate: number; snapshot: Snapshot } | undefined> {
  await deps.look(['host']);
  await deps.system.clock.sleep(LOOK_MS);
  const snapshot = await deps.look(['host', 'pressure', 'docker']);
  const { host } = snapshot.readings;
  if (host.state !== 'ok' || host.value.swapInKBps === undefined) return undefined;
  return { rate: host.value.swapInKBps, snapshot };
}

function largestStoppable(deps: RecoveryDeps, snapshot: Snapshot): ContainerInfo | undefined {
  const { docker } = snapshot.readings;
  if (docker.state !== 'ok') return undefined;
  const size = (c: ContainerInfo) => Math.max(c.memory?.workingSetBytes ?? 0, c.memory?.anonBytes ?? 0);
  return docker.value.containers
    .filter((c) => c.state === 'running' && !isEssential(c, deps.config) && size(c) > 0)
    .sort((a, b) => size(b) - size(a))[0];
}

function stopStep(deps: RecoveryDeps, victim: ContainerInfo, rate: number): Step {
  const { docker, clock } = deps.system;
  const bytes = victim.memory?.workingSetBytes ?? 0;
  const undo: StoppedContainer = { containerId: victim.id, name: victim.name, stoppedAt: clock.now() };
  return {
    rule: 'swap',
    target: victim.name,
    what: 'stop-container',
    words: `stop ${victim.name}, the largest container that is not essential (${formatBytes(bytes)})`,
    why: `the server reads ${formatCount(rate)} KB/s back from swap`,
    undoHint: `it is started again when memory has been calm for ${deps.config.extra.recovery.calmMinutes} minutes; \`vpsmon recover undo\` does so now`,
    undo,
    async obsolete() {
      const now = await lookTwice(deps);
      if (now && now.rate <= deps.config.settings.SWAP_IN_CRITICAL_KBPS)
        return `swap-in is down to ${formatCount(now.rate)} KB/s by itself`;
      const inspect = await inspectOrGone(deps, victim.id);
      return !inspect || isDown(inspect) ? `${victim.name} does not run any more` : undefined;
    },
    run: () => docker.stop(victim.id, GRACE_SEC),
    async verify() {
      const inspect = await inspectOrGone(deps, victim.id);
      const worked = !inspect || isDown(inspect);
      return {
        worked,
        text: worked
          ? `${victim.name} is stopped, which frees about ${formatBytes(bytes)}`
          : `${victim.name} is still ${inspect.state.status}`,
      };
    },
  };
}

/** Below every clear level: pressure, swap-in rate, available memory. What cannot be read is not calm. */
function isCalm(deps: RecoveryDeps, snapshot: Snapshot): boolean {
  const { host, pressure } = snapshot.readings;
  const s = deps.config.settings;
  if (host.state !== 'ok') return false;
  const calmHost = (h: HostValues) =>
    (h.swapInKBps ?? Infinity) < s.SWAP_IN_CLEAR_KBPS &&
    h.memory.availableBytes > s.MEMORY_CLEAR_MB * 1_048_576;
  return (
    calmHost(host.value) &&
    (pressure.state === 'absent' ||
      (pressure.state === 'ok' && pressure.value.score < s.MEMORY_PRESSURE_CLEAR))
  );
}

async function bringBackWhenCalm(deps: RecoveryDeps, snapshot: Snapshot): Promise<Attempt[]> {
  const { db } = deps.store;
  const now = deps.system.clock.now();
  const waiting = actionsToUndo(db, 'swap');
  if (waiting.length === 0 || !isCalm(deps, snapshot)) {
    if (!deps.dryRun) forget(db, CALM_KEY);
    return [];
  }
  const since = recall<number>(db, CALM_KEY);
  // A clock that was set back must not make it wait for ever.
  if (since === undefined || since > now) {
    if (!deps.dryRun) remember(db, CALM_KEY, now, now);
    return [];
  }
  const calmMs = deps.config.extra.recovery.calmMinutes * 60_000;
  if (now - since < calmMs) return [];
  const attempts: Attempt[] = [];
  // The last one stopped was the smallest: it comes back first, and memory is looked at after each.
  for (const action of waiting.reverse()) {
    attempts.push(await startAgain(deps, action, `memory has been calm for ${formatDuration(now - since)}`));
    if (attempts.at(-1)?.done !== 'worked') continue;
    const after = await lookTwice(deps);
    if (!after || !isCalm(deps, after.snapshot)) {
      forget(db, CALM_KEY);
      break;
    }
  }
  return attempts;
}

async function undoSwap(deps: RecoveryDeps): Promise<RuleResult> {
  const attempts: Attempt[] = [];
  for (const action of actionsToUndo(deps.store.db, 'swap'))
    attempts.push(await startAgain(deps, action, 'asked for by hand'));
  return { rule: 'swap', found: `${attempts.length} stopped containers`, attempts };
}

/** A stop was begun and the process died: whatever did it, a container that is down counts as stopped by recovery. */
export async function settleStop(
  deps: RecoveryDeps,
  action: { undo?: Record<string, unknown> },
): Promise<{ worked: boolean | undefined; text: string }> {
  const undo = action.undo as StoppedContainer | undefined;
  if (!undo) return { worked: undefined, text: 'the run was interrupted, and what it did is not known' };
  const inspect = await inspectOrGone(deps, undo.containerId);
  if (!inspect) return { worked: false, text: `the run was interrupted, and ${undo.name} is gone` };
  if (isDown(inspect)) return { worked: true, text: `the run was interrupted; ${undo.name} is stopped` };
  return { worked: false, text: `the run was interrupted before ${undo.name} was stopped` };
}
