import { serverName } from '../config/server-name.ts';
import { openCollectors } from '../checks/collect.ts';
import { recentSamples } from '../daemon/recorder.ts';
import { createDiscovery } from '../discovery/discover.ts';
import type { ReportedLine } from '../model/action.ts';
import type { FlightSample } from '../model/recording.ts';
import { EpochMs } from '../model/shapes.ts';
import { errorText, maskSecrets } from '../model/text.ts';
import { openDelivery } from '../notify/delivery.ts';
import { openOutbox } from '../store/outbox.ts';
import { recoveryHtml, recoveryLogLine } from '../outputs/telegram/recovery.ts';
import { recoveryTerminal } from '../outputs/terminal/recovery.ts';
import { registeredWebhooks } from '../recovery/n8n-webhooks.ts';
import { rememberRun, withoutRuns } from '../recovery/ran.ts';
import type { RecoveryDeps } from '../recovery/types.ts';
import type { Db } from '../store/db.ts';
import { recall, remember } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import { appendLine } from '../system/state-files.ts';
import { openDocker } from '../system/docker/docker.ts';
import { readContainers } from '../system/docker/containers.ts';
import { bootedAt, momentOf } from '../system/moment.ts';
import type { CommandContext } from './context.ts';

/** The monitor writes its samples down once a minute, and on a machine that is short of memory later than it should. */
const WRITTEN_WITHIN_MS = 120_000;
/** It is on a server that hardly answers that recovery is needed most: a list that takes milliseconds otherwise may take half a minute there. */
const DOCKER_WITHIN_MS = 60_000;
/** How long a run waits for its own messages to go out when no monitor runs that would send them. */
const DELIVER_WITHIN_MS = 10_000;
/** And for those that an earlier run could not send, where it has none of its own. */
const DELIVER_EARLIER_WITHIN_MS = 3000;
/** Which kills were notified is between the monitor and itself: this run notifies of none. */
const MONITORS_OWN = 'oom-seen';

export type RecoverySetup = {
  deps: RecoveryDeps;
  /** Every line of this run, secrets masked. */
  reported: ReportedLine[];
  close(): Promise<void>;
  /** Sends them, and what an earlier run could not send, unless a monitor is just sending: then that one does it. */
  deliver(): Promise<void>;
};

/** Everything that a run of recovery works with. */
export function openRecovery(context: CommandContext, store: Store): RecoverySetup {
  const { config, io, options } = context;
  const docker = openDocker(config.settings.DOCKER_HOST, { deadlineMs: DOCKER_WITHIN_MS });
  const system = { ...context.system, docker };
  const { clock, files } = system;
  const { db } = store;
  const dryRun = options.dryRun === true;
  const reported: ReportedLine[] = [];
  const record = recordLines(context, store);
  const discovery = createDiscovery({ docker: system.docker, config, clock, files });
  const collectors = openCollectors({
    system,
    config,
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
    containers: (signal) => readContainers(system.docker, signal),
    recall: (key, shape) => recall(db, key, shape),
    remember(key, value) {
      if (!dryRun && key !== MONITORS_OWN) remember(db, key, value, clock.now());
    },
  });
  // Of a server that was started meanwhile, what was before is of other processes.
  const recent = () => recentSamples(config.stateDir, clock.now(), bootedAt(files, clock.now()));
  const beganAt = () => clock.now() - process.uptime() * 1000;
  let before: FlightSample[] | undefined;
  const deps: RecoveryDeps = {
    system,
    config,
    store,
    dryRun,
    look: (only) =>
      collectors.collect({ only, ...(only.includes('docker') ? { deadlineMs: DOCKER_WITHIN_MS } : {}) }),
    recent,
    before: () => (before ??= withoutRuns(db, samplesBefore(recent(), beganAt()))),
    discovered: () => discovery.current(AbortSignal.timeout(5000)),
    rediscover: () => discovery.invalidate(),
    registeredWebhooks: async (ids) =>
      registeredWebhooks((await discovery.current(AbortSignal.timeout(5000))).n8n, ids),
    moment: () => momentOf(files, clock.now()),
    firstIn: (key, everyMs) => isFirstIn(db, `said:${key}`, everyMs, clock.now()),
    report(line) {
      const safe = withoutSecrets(line, context.secrets);
      reported.push(safe);
      if (!options.json) io.out(recoveryTerminal(safe, io));
      if (!dryRun) record(safe);
    },
  };
  return {
    deps,
    reported,
    async close() {
      await collectors.close();
      docker.close();
      if (dryRun) return;
      try {
        rememberRun(db, beganAt(), clock.now());
      } catch (error) {
        io.err(`vpsmon: that recovery ran cannot be kept: ${errorText(error)}`);
      }
    },
    async deliver() {
      if (!dryRun) await deliver(context, store, reported.length > 0);
    },
  };
}

async function deliver({ config, system }: CommandContext, store: Store, isNew: boolean): Promise<void> {
  if (!isNew && openOutbox(store.db).backlog().waiting === 0) return;
  await openDelivery(store, config, system).drain(isNew ? DELIVER_WITHIN_MS : DELIVER_EARLIER_WITHIN_MS);
}

function isFirstIn(db: Db, key: string, everyMs: number, now: number): boolean {
  const before = recall(db, key, EpochMs);
  if (before !== undefined && before <= now && now - before < everyMs) return false;
  remember(db, key, now, now);
  return true;
}

function withoutSecrets(line: ReportedLine, secrets: readonly string[]): ReportedLine {
  const mask = (text: string) => maskSecrets(text, secrets);
  return {
    ...line,
    text: mask(line.text),
    ...(line.details ? { details: line.details.map(mask) } : {}),
    ...(line.logs ? { logs: line.logs.map(mask) } : {}),
  };
}

/** To recovery.log, and into the outbox. A disk that is full must not stop what repairs the server. */
function recordLines({ config, system, io }: CommandContext, store: Store): (line: ReportedLine) => void {
  const outbox = openOutbox(store.db);
  const hostname = serverName(config, system.files);
  return (line) => {
    const now = system.clock.now();
    const failed = appendLine(`${config.stateDir}/recovery.log`, recoveryLogLine(line, now));
    if (failed) io.err(`vpsmon: recovery.log cannot be written: ${failed}`);
    if (!line.telegram) return;
    const { severity, rule, target } = line;
    const html = recoveryHtml(line, hostname, now);
    try {
      outbox.enqueue({ at: now, severity, kind: `recovery-${rule}`, subject: target, html });
    } catch (error) {
      io.err(`vpsmon: the message cannot be kept for Telegram: ${errorText(error)}`);
    }
  };
}

function samplesBefore(recent: readonly FlightSample[], beganAt: number): FlightSample[] {
  const before = recent.filter(({ at }) => at <= beganAt);
  return beganAt - (before.at(-1)?.at ?? -Infinity) <= WRITTEN_WITHIN_MS ? before : [];
}
