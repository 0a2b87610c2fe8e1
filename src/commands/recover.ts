import { openCollectors } from '../collectors/collect.ts';
import { createDiscovery } from '../config/discover.ts';
import { maskSecrets, plain } from '../model/text.ts';
import { createDelivery } from '../notify/delivery.ts';
import { createOutbox } from '../notify/outbox.ts';
import { recoveryHtml, recoveryLogLine, recoveryTerminal, renderHistory } from '../outputs/recovery.ts';
import { RECOVERY_RULES, runRules } from '../recovery/index.ts';
import type { RecoveryDeps, RuleResult } from '../recovery/types.ts';
import { restartWahaByHand } from '../recovery/waha.ts';
import { listActions } from '../store/actions.ts';
import { takeLock } from '../store/lock.ts';
import { recall, remember } from '../store/memory.ts';
import { openStore, type Store } from '../store/open.ts';
import { appendLine } from '../system/append-file.ts';
import { readContainers } from '../system/containers.ts';
import type { CommandContext } from './context.ts';

const RULES = ['waha', 'queue', 'swap', 'loops'];
const HISTORY_MS = 30 * 86_400_000;
/** How long a run waits for its own messages to go out when no monitor runs that would send them. */
const DELIVER_WITHIN_MS = 10_000;

/**
 * Recovery by the timer or by hand. Exit 0: nothing to do or all done; 1: something was said that a person should read; 2: an
 * action failed; 3: it could not run.
 */
export async function recover(context: CommandContext, what: string, reason: string): Promise<number> {
  const wanted = what.replace(/^check-/, ''); // The names of the old script.
  if (wanted === 'history') return history(context);
  if (!['run-all', 'restart-waha', 'undo', ...RULES].includes(wanted)) {
    context.io.err(
      `vpsmon: \`recover ${plain(what, 40)}\` is not known. There are run-all, ${RULES.join(', ')}, restart-waha, undo and history.`,
    );
    return 3;
  }
  const { config, system, io } = context;
  const store = openStore(config.stateDir, system.clock.now());
  try {
    // Without the record of what was done there are no budgets and no undo: better to do nothing.
    if (store.trouble) {
      io.err(
        `vpsmon: the state folder ${config.stateDir} cannot be used (${store.trouble}). Recovery does nothing without its records.`,
      );
      return 3;
    }
    const lock = takeLock(config.stateDir, 'recover');
    if ('heldBy' in lock) {
      io.err(
        `vpsmon: another recovery run is at work${lock.heldBy ? ` (process ${lock.heldBy})` : ''}; this one leaves.`,
      );
      return 0;
    }
    try {
      return await runLocked(context, store, wanted, reason);
    } finally {
      lock.release();
    }
  } finally {
    store.close();
  }
}

async function runLocked(
  context: CommandContext,
  store: Store,
  what: string,
  reason: string,
): Promise<number> {
  const { config, system, io, options } = context;
  const dryRun = options.dryRun === true;
  const said: { severity: string; rule: string; target: string; text: string; details: string[] }[] = [];
  const outbox = createOutbox(store.db);
  const hostname = system.files.textOr('/proc/sys/kernel/hostname')?.trim() || 'this server';
  const discovery = createDiscovery({
    docker: system.docker,
    config,
    clock: system.clock,
    files: system.files,
  });
  const collectors = openCollectors({
    system,
    config,
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
    containers: (signal) => readContainers(system.docker, signal),
    recall: (key) => recall(store.db, key),
    remember: (key, value) => {
      if (!dryRun) remember(store.db, key, value, system.clock.now());
    },
  });
  const deps: RecoveryDeps = {
    system,
    config,
    store,
    dryRun,
    look: (only) => collectors.collect({ only }),
    discovered: (signal) => discovery.current(signal ?? AbortSignal.timeout(5000)),
    firstIn(key, everyMs) {
      const now = system.clock.now();
      const before = recall<number>(store.db, `said:${key}`);
      if (before !== undefined && before <= now && now - before < everyMs) return false;
      remember(store.db, `said:${key}`, now, now);
      return true;
    },
    say(line) {
      const now = system.clock.now();
      const safe = {
        ...line,
        text: maskSecrets(line.text, context.secrets),
        details: (line.details ?? []).map((detail) => maskSecrets(detail, context.secrets)),
      };
      said.push({
        severity: safe.severity,
        rule: safe.rule,
        target: safe.target,
        text: safe.text,
        details: safe.details,
      });
      if (!options.json) io.out(recoveryTerminal(safe, io.color));
      if (dryRun) return;
      const failed = appendLine(`${config.stateDir}/recovery.log`, recoveryLogLine(safe, now));
      if (failed) io.err(`vpsmon: recovery.log cannot be written: ${failed}`);
      if (line.telegram) {
        outbox.enqueue({
          at: now,
          severity: safe.severity,
          kind: `recovery-${safe.rule}`,
          subject: safe.target,
          html: recoveryHtml(safe, hostname),
        });
      }
    },
  };
  let results: RuleResult[];
  try {
    if (what === 'restart-waha') results = [await restartWahaByHand(deps, reason)];
    else if (what === 'undo') results = await runRules(deps, RECOVERY_RULES, 'undo');
    else
      results = await runRules(
        deps,
        RECOVERY_RULES.filter((rule) => what === 'run-all' || rule.id === what),
        'run',
      );
  } finally {
    await collectors.close();
  }
  if (options.json)
    io.out(
      JSON.stringify(
        { version: 1, dry_run: dryRun, enabled: config.settings.ENABLE_AUTO_RECOVERY, results, said },
        null,
        2,
      ),
    );
  else for (const result of results) io.out(`${result.rule.padEnd(6)} ${plain(result.found, 300)}`);
  if (!dryRun && said.length > 0) {
    const delivery = createDelivery({
      store,
      config,
      http: system.http,
      clock: system.clock,
      log: system.log,
      stateDir: config.stateDir,
    });
    await delivery.drain(DELIVER_WITHIN_MS);
  }
  system.docker.close();
  system.kernelLog.close();
  return exitCodeOf(results, said);
}

function exitCodeOf(results: RuleResult[], said: { severity: string }[]): number {
  if (results.some((r) => r.failed === true || r.attempts.some((a) => a.done === 'failed'))) return 2;
  return said.some((line) => line.severity !== 'info') ? 1 : 0;
}

function history({ config, system, io, options }: CommandContext): number {
  const store = openStore(config.stateDir, system.clock.now());
  try {
    const actions = listActions(store.db, system.clock.now() - HISTORY_MS);
    io.out(
      options.json ? JSON.stringify({ version: 1, actions }, null, 2) : renderHistory(actions, io.color),
    );
    return 0;
  } finally {
    store.close();
  }
}
