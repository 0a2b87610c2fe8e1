import { setFlagsFromString } from 'node:v8';
import { suggest } from '../config/suggest.ts';
import { plain } from '../model/text.ts';
import { giveUp, printJson, writesToJournal } from './io.ts';
import { foundLines, historyToJson, renderHistory, resultToJson } from '../outputs/terminal/recovery.ts';
import { acceptLeftOff } from '../recovery/left-off.ts';
import { RECOVERY_RULES, runRules, finishInterrupted } from '../recovery/index.ts';
import type { RecoveryDeps, RuleResult } from '../recovery/types.ts';
import { restartWahaByHand } from '../recovery/waha.ts';
import { LEFT_OFF_KINDS, leftOffText } from '../model/left-off.ts';
import { allActionsToUndo, listActions } from '../store/actions.ts';
import { leftOffIn } from '../store/left-off.ts';
import { takeLock } from '../store/lock.ts';
import { lossOf, openStore, type Store } from '../store/open.ts';
import type { CommandContext } from './context.ts';
import { containerByHand } from '../recovery/by-hand.ts';
import { openRecovery } from './open-recovery.ts';
import { readStore } from './read-store.ts';

const RULES = ['waha', 'queue', 'swap', 'loops'];
/** What a person orders: lost, unlike a run of the timer, where another run is at work. */
const ORDERS = ['restart-waha', 'restart-container', 'stop-container', 'undo', 'accept'];
const HISTORY_MS = 30 * 86_400_000;

/**
 * Recovery by the timer or by hand. Exit 0: nothing to do or all done; 1: something was reported that a person should read, or
 * something could not be read (0 in the unit); 2: an action failed; 3: it could not run.
 */
export async function recover(context: CommandContext, what: string, reason: string): Promise<number> {
  const wanted = what.replace(/^check-/, ''); // The names of the old script.
  const known = ['run-all', ...RULES, ...ORDERS, 'history'];
  if (!known.includes(wanted)) {
    const near = suggest(what, known);
    const meant = near ? ` Did you mean \`recover ${near}\`?` : '';
    return giveUp(
      context.io,
      `\`recover ${plain(what, 40)}\` is not known.${meant} There are ${known.join(', ')}.`,
    );
  }
  if (reason !== '' && !takesWords(wanted, reason))
    return giveUp(
      context.io,
      `\`recover ${wanted}\` takes no further words, and got "${plain(reason, 60)}". Nothing was done.`,
    );
  if (wanted === 'history') return history(context);
  // It runs for seconds, on a server that may be short of memory: optimised machine code is not worth its 8 MB.
  for (const flag of ['--no-opt', '--no-sparkplug']) setFlagsFromString(flag);
  const { config, system, io } = context;
  const store = openStore(config.stateDir, system.clock.now());
  try {
    // Without the record of what was done there are no budgets and no undo: better to do nothing.
    if (store.trouble)
      return giveUp(
        io,
        `the state folder ${config.stateDir} cannot be used (${store.trouble}). Recovery does nothing without its records.`,
      );
    // What is stopped or paused by recovery was written there, and only a person can bring it back now.
    const loss = lossOf(store);
    if (loss !== undefined)
      io.err(`vpsmon: the database ${loss}; a new one is begun. ${whatIsLeft(store, config.stateDir)}`);
    const lock = takeLock(config.stateDir, 'recover');
    if ('heldBy' in lock) {
      const by = lock.heldBy ? ` (process ${lock.heldBy})` : '';
      // The timer comes again in five minutes; a person's order would be lost.
      const order = ORDERS.includes(wanted);
      const then = order ? ` Nothing was done: try \`vpsmon recover ${wanted}\` again in a minute.` : '';
      io.err(`vpsmon: another recovery run is at work${by}; this one leaves.${then}`);
      return order ? 3 : 0;
    }
    try {
      const code = await runLocked(context, store, wanted, reason);
      const worst = loss === undefined ? code : Math.max(1, code);
      // Of a unit, 1 has to mean that it failed: it is also what Node ends with where the program is missing or damaged.
      return worst === 1 && writesToJournal(context) ? 0 : worst;
    } finally {
      lock.release();
    }
  } finally {
    store.close();
    system.docker.close();
    system.kernelLog.close();
  }
}

/** After the database was lost: what recovery had stopped or paused is in the copy beside it. */
function whatIsLeft(store: Store, stateDir: string): string {
  if (store.copyTrouble !== undefined)
    return `What recovery had stopped or paused is not known any more (${plain(store.copyTrouble)}): look at \`docker ps -a\`, at the workflows in n8n and at ${stateDir}/recovery.log.`;
  const left = leftOffIn(store.db);
  const texts = LEFT_OFF_KINDS.flatMap((kind) => leftOffText(left, kind, Date.now()) ?? []);
  return texts.length > 0
    ? `What recovery had stopped or paused is known from its copy: ${texts.join('; ')}.`
    : 'Recovery had left nothing stopped or paused.';
}

async function runLocked(
  context: CommandContext,
  store: Store,
  what: string,
  reason: string,
): Promise<number> {
  const { config, io, options } = context;
  const monitor = openRecovery(context, store);
  const { deps } = monitor;
  const results = await act(deps, what, reason).finally(monitor.close);
  if (typeof results === 'string') return giveUp(io, results);
  if (options.json) {
    const enabled = config.settings.ENABLE_AUTO_RECOVERY;
    printJson(io, resultToJson({ dryRun: deps.dryRun, enabled, results, reported: monitor.reported }));
  } else {
    for (const result of results)
      if (!writesToJournal(context) || isWorthALine(result))
        io.out(foundLines(result.rule, result.found, io.wrapAt));
  }
  await monitor.deliver();
  return exitCodeOf(results, monitor.reported);
}

/** Does what was asked for; a sentence where nothing is called that. */
async function act(deps: RecoveryDeps, what: string, reason: string): Promise<RuleResult[] | string> {
  const { db } = deps.store;
  switch (what) {
    case 'restart-waha':
      await finishInterrupted(deps);
      return [await restartWahaByHand(deps, reason)];
    case 'restart-container':
    case 'stop-container': {
      await finishInterrupted(deps);
      const [name = '', ...why] = reason.split(' ');
      const order = what === 'stop-container' ? 'stop' : 'restart';
      return [await containerByHand(deps, order, name, why.join(' '))];
    }
    case 'accept': {
      const accepted = acceptLeftOff(deps, reason);
      if (accepted) return [accepted];
      const names = leftOffIn(db).map(({ name }) => plain(name, 60));
      const there = names.length > 0 ? `there is ${names.join(', ')}` : 'nothing is';
      return `recovery has left nothing off that is called ${plain(reason, 60)}: ${there}.`;
    }
    case 'undo': {
      if (!/^\d+$/.test(reason)) return runRules(deps, rulesCalled(reason || 'run-all'), 'undo');
      const action = allActionsToUndo(db).find(({ id }) => id === Number(reason));
      return action
        ? runRules(deps, rulesCalled(action.rule), 'undo', new Set([action.id]))
        : `there is nothing to undo with the number ${reason}: \`vpsmon recover history\` shows the numbers.`;
    }
    default:
      return runRules(deps, rulesCalled(what), 'run');
  }
}

function rulesCalled(name: string): typeof RECOVERY_RULES {
  return RECOVERY_RULES.filter(({ id }) => name === 'run-all' || id === name);
}

/** `undo web` would undo everything, which is not what was meant. */
function takesWords(wanted: string, reason: string): boolean {
  return wanted === 'undo' ? RULES.includes(reason) || /^\d{1,15}$/.test(reason) : ORDERS.includes(wanted);
}

/** Twelve runs an hour say nothing in the journal while nothing is to be done. */
function isWorthALine({ attempts, blind, failed }: RuleResult): boolean {
  return attempts.length > 0 || blind === true || failed === true;
}

function exitCodeOf(results: RuleResult[], lines: { severity: string }[]): number {
  if (results.some((r) => r.failed === true || r.attempts.some((a) => a.done === 'failed'))) return 2;
  return results.some(({ blind }) => blind) || lines.some((line) => line.severity !== 'info') ? 1 : 0;
}

function history(context: CommandContext): number {
  const { system, io, options } = context;
  const since = system.clock.now() - HISTORY_MS;
  const actions = readStore(context, 'the records of recovery', { nothing: [], hint: '' }, (db) =>
    listActions(db, since),
  );
  if (actions === undefined) return 2;
  if (options.json) printJson(io, historyToJson(actions));
  else io.out(renderHistory(actions, io));
  return 0;
}
