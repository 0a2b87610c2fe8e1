import { readBootId } from '../collectors/boot.ts';
import { openCollectors } from '../collectors/collect.ts';
import { parseUptime } from '../collectors/proc.ts';
import type { CommandContext } from '../commands/context.ts';
import { createDiscovery } from '../discovery/discover.ts';
import { conditionsOf } from '../incidents/conditions.ts';
import { createPipeline } from '../incidents/pipeline.ts';
import { createForecasts, Saved } from '../forecast/watch.ts';
import { findingsOf } from '../model/fact-rules.ts';
import { serverName } from '../config/server-name.ts';
import type { ContainerInfo, Snapshot, Source } from '../model/snapshot.ts';
import { errorText } from '../model/text.ts';
import { createDelivery } from '../notify/delivery.ts';
import { createRefresh } from '../notify/living.ts';
import { createOutbox } from '../notify/outbox.ts';
import { wordDecision } from '../outputs/telegram/incidents.ts';
import { renderList, renderLiving } from '../outputs/telegram/living.ts';
import { describeFact } from '../outputs/telegram/containers.ts';
import { createWatcher } from '../containers/watcher.ts';
import { createHistory } from '../store/history/history.ts';
import { incidentById, withNotes } from '../store/incidents.ts';
import { recall, remember } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import { createAlarm } from '../system/alarm.ts';
import { readContainers } from '../system/docker/containers.ts';
import { largestProcesses } from '../system/processes.ts';
import { runOomCheck, reportFindings, sendReport } from './cycle.ts';
import { whatIsLeftOff } from './left-off.ts';
import type { DaemonState, Monitor } from './types.ts';
import { createRecorder } from './recorder.ts';
import { cleanBoot, describeLastValues, LastAlive } from './reboot.ts';

/** History and the sign of life reach the disk about once a minute, however short the interval. */
const FLUSH_EVERY_MS = 55_000;
/** So long a folder that was made anew, or a database that was set aside, is worth a warning. */
const NEWS_FOR_MS = 600_000;
/** The growth of containers is only looked up when a memory rule asks, and not more often than this. */
const GROWTH_WINDOW_MS = 3 * 3_600_000;

/**
 * Opens everything that the daemon works with and connects it. Nothing runs yet. `news`: what happened to the state folder
 * just now. The store stays the caller's: he closes it after the monitor.
 */
export function openMonitor(
  context: CommandContext,
  store: Store,
  more: { news?: string | undefined; goesOn?: () => boolean; again?: boolean } = {},
): Monitor {
  const { news } = more;
  const { config, system } = context;
  const { clock, log } = system;
  const { db } = store;
  const state: DaemonState = {
    startedMonotonic: clock.monotonic(),
    checks: 0,
    failedInARow: {},
    closed: false,
    ...(news === undefined ? {} : { folderNews: { text: news, until: clock.monotonic() + NEWS_FOR_MS } }),
  };
  const history = createHistory(db);
  const recorder = createRecorder({ system, db, stateDir: config.stateDir });
  const outbox = createOutbox(db);
  const hostname = serverName(config, system.files);
  const delivery = createDelivery({
    store,
    config,
    http: system.http,
    clock,
    log,
    stateDir: config.stateDir,
    server: hostname,
  });
  const pipeline = createPipeline({
    store,
    config,
    clock,
    log,
    enqueue: (message) => outbox.enqueue(message),
    sendUnsaved: (message) => delivery.sendUnsaved(message),
    isTrue: (incident, claim) => watcher.claimHolds(incident.subject, claim),
    wakeAt: (mono) => alarm.set(state.closed ? Infinity : mono),
    describe: describeFact,
    word: (decision) => wordDecision(decision, hostname, clock.now(), recorder.lines(decision.incident)),
  });
  const alarm = createAlarm(clock, () => {
    if (state.closed) return;
    pipeline.process([], { judged: [] });
    delivery.kick();
    monitor.refreshMessages();
  });
  const refreshMessages =
    config.settings.TELEGRAM_STYLE === 'living'
      ? createRefresh({
          db,
          config,
          now: () => clock.now(),
          incident(id) {
            const incident = pipeline.incident(id);
            return incident ? withNotes(db, incident) : incidentById(db, id);
          },
          render: (incident, others) =>
            renderLiving(incident, others, hostname, clock.now(), recorder.known(incident)),
          renderList: (heading, all) => renderList(heading, all, hostname, clock.now()),
        })
      : () => false;
  const discovery = createDiscovery({
    docker: system.docker,
    config,
    clock,
    files: system.files,
    isFollowed: () => watcher.connected() && watcher.eventFailure() === undefined,
  });

  const lastAlive = recall(db, 'last-alive', LastAlive);
  const uptimeSec = parseUptime(system.files.textOr('/proc/uptime') ?? '');
  const bootedAt = cleanBoot(lastAlive, { bootId: readBootId(system.files), uptimeSec }, clock.now());

  const watcher = createWatcher({
    docker: system.docker,
    clock,
    log,
    config,
    db,
    files: system.files,
    onFacts: (facts) =>
      reportFindings(
        monitor,
        facts.flatMap((fact) => findingsOf(fact, describeFact, pipeline.mayName)),
      ),
    onMoved: ({ id, attributes }) => discovery.moved({ id, image: attributes['image'] ?? '' }),
    onOom(event) {
      collectors.onDockerOom(event);
      runOomCheck(monitor).catch((error: unknown) =>
        log.error(`Looking for OOM kills failed: ${errorText(error)}`),
      );
    },
    ...(bootedAt === undefined ? {} : { bootedAt }),
    onReport(report) {
      if (report.kind === 'stop' && more.goesOn?.() === true) return;
      // Settings were read anew: that is in the log, and nothing of it concerns the containers.
      const isNews =
        report.kind === 'start' ? report.lines.length > 0 : report.kind !== 'start-without-docker';
      if (more.again !== true || isNews) sendReport(monitor, report);
    },
    openConditions: () => conditionsOf(pipeline.open()),
    memoryOf: (name) => memoryOf(state.snapshot, name),
  });
  const collectors = openCollectors({
    system,
    config,
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
    containers: async (signal): Promise<ContainerInfo[]> =>
      watcher.connected() ? watcher.containers() : readContainers(system.docker, signal),
    // A read that hung may come back after the end, and the driver ends the process when a closed database is used.
    recall: (key, shape) => (state.closed ? undefined : recall(db, key, shape)),
    remember(key, value) {
      if (!state.closed) remember(db, key, value, clock.now());
    },
  });

  const forecasts = createForecasts({
    limits: {
      warning: config.settings.FORECAST_WARNING_HOURS,
      critical: config.settings.FORECAST_CRITICAL_HOURS,
    },
    quarters: history.quarters,
    recall: () => recall(db, 'forecasts', Saved) ?? {},
    save(saved) {
      try {
        remember(db, 'forecasts', saved, clock.now());
      } catch {
        // A full disk: saving the history reports it, and the next forecast saves again.
      }
    },
    processes: () => largestProcesses(system.files, 3),
  });

  let flushedAt = 0;
  const monitor: Monitor = {
    config,
    system,
    store,
    state,
    collectors,
    watcher,
    pipeline,
    delivery,
    outbox,
    history,
    forecasts,
    recorder,
    ...(lastAlive ? { lastAlive } : {}),
    refreshMessages(ids) {
      try {
        if (refreshMessages(ids)) delivery.kick();
      } catch (error) {
        log.warn(`Messages of incidents cannot be brought up to date: ${errorText(error)}`);
      }
    },
    past(snapshot) {
      countFailures(state, snapshot);
      return {
        failedInARow: state.failedInARow,
        historyStart: pipeline.firstStart(),
        get forecasts() {
          return forecasts.announced(snapshot.at);
        },
        get recent() {
          return recorder.grown();
        },
        get growth() {
          return history.growth(snapshot.at, GROWTH_WINDOW_MS);
        },
        ...whatIsLeftOff(db),
      };
    },
    remember(snapshot) {
      state.snapshot = snapshot;
      state.checks += 1;
      state.lastCheckMonotonic = clock.monotonic();
      state.lastTookMs = snapshot.tookMs;
      history.add(snapshot);
      recorder.follow(snapshot);
      if (clock.monotonic() - flushedAt >= FLUSH_EVERY_MS || state.checks === 1) {
        flushedAt = clock.monotonic();
        save(monitor, snapshot, false);
      }
    },
    async close() {
      if (state.snapshot) save(monitor, state.snapshot, true);
      await recorder.close();
      await collectors.close();
      system.docker.close();
      system.kernelLog.close();
      pipeline.close();
      alarm.stop();
      state.closed = true;
    },
  };
  return monitor;
}

/** A disk that is full must not stop the watching: what cannot be saved now is saved with the next minute. */
function save(monitor: Monitor, snapshot: Snapshot, stopped: boolean): void {
  const { host } = snapshot.readings;
  try {
    monitor.history.flush(snapshot.at, stopped);
    const alive: LastAlive = {
      at: snapshot.at,
      bootId: host.state === 'ok' ? host.value.bootId : '',
      stopped,
      lastValues: describeLastValues(snapshot),
    };
    remember(monitor.store.db, 'last-alive', alive, snapshot.at);
    delete monitor.state.saveError;
  } catch (error) {
    const why = errorText(error);
    if (monitor.state.saveError !== why) monitor.system.log.warn(`History cannot be saved: ${why}`);
    monitor.state.saveError = why;
  }
}

/** Once per snapshot; the same snapshot judged twice counts once. */
function countFailures(state: DaemonState, snapshot: Snapshot): void {
  if (state.snapshot?.at === snapshot.at) return;
  for (const [source, reading] of Object.entries(snapshot.readings) as [Source, { state: string }][]) {
    state.failedInARow[source] = reading.state === 'failed' ? (state.failedInARow[source] ?? 0) + 1 : 0;
  }
}

function memoryOf(snapshot: Snapshot | undefined, name: string): number | undefined {
  const docker = snapshot?.readings.docker;
  if (docker?.state !== 'ok') return undefined;
  return docker.value.containers.find((c) => c.name === name)?.memory?.workingSetBytes;
}
