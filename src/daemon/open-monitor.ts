import { readBootId, parseUptime } from '../collectors/proc.ts';
import { openCollectors } from '../checks/collect.ts';
import type { CommandContext } from '../commands/context.ts';
import { createDiscovery } from '../discovery/discover.ts';
import { conditionsOf } from '../incidents/memory.ts';
import { createPipeline } from '../incidents/pipeline.ts';
import { createForecasts, Saved } from '../forecast/watch.ts';
import { defined } from '../model/defined.ts';
import { findingsOf } from '../model/fact-rules.ts';
import { serverName } from '../config/server-name.ts';
import type { ContainerInfo } from '../model/snapshot.ts';
import type { Snapshot, Source } from '../model/sources.ts';
import { errorText } from '../model/text.ts';
import { openDelivery } from '../notify/delivery.ts';
import { createRefresh } from '../notify/living.ts';
import { openOutbox } from '../store/outbox.ts';
import { renderNotification } from '../outputs/telegram/incidents.ts';
import { renderList, renderLiving } from '../outputs/telegram/living.ts';
import { describeFact } from '../outputs/telegram/containers.ts';
import { createWatcher } from '../containers/watcher.ts';
import type { Past } from '../rules/types.ts';
import { createHistory } from '../store/history/history.ts';
import { incidentById, withAnnotations } from '../store/incidents.ts';
import { whatIsLeftOff } from '../store/left-off.ts';
import { recall, remember } from '../store/memory.ts';
import type { Store } from '../store/open.ts';
import { createAlarm, type Alarm } from '../system/clock.ts';
import { readContainers } from '../system/docker/containers.ts';
import { bootedAt } from '../system/moment.ts';
import { largestProcesses } from '../system/processes.ts';
import { lookForKills, reportFindings, sendReport } from './cycle.ts';
import type { DaemonState, Monitor } from './types.ts';
import { createRecorder } from './recorder.ts';
import { cleanBoot, describeLastValues, LastAlive } from './reboot.ts';

/** History and the sign of life reach the disk about once a minute, however short the interval. */
const FLUSH_EVERY_MS = 55_000;
/** So long a folder that was made anew, or a database that was set aside, is worth a warning. */
const NEWS_FOR_MS = 600_000;
/** The growth of containers is only looked up when a memory rule asks, and not more often than this. */
const GROWTH_WINDOW_MS = 3 * 3_600_000;

type Discovery = ReturnType<typeof createDiscovery>;

type Options = { news?: string | undefined; goesOn?: () => boolean; again?: boolean };

/**
 * Opens everything that the daemon works with and connects it: the parts reach each other through the monitor. Nothing runs yet. `news`:
 * what happened to the state folder just now; `again`: settings were read anew. The store stays the caller's: he closes it after the
 * monitor.
 */
export function openMonitor(context: CommandContext, store: Store, more: Options = {}): Monitor {
  const { config, system } = context;
  const { clock, docker, files } = system;
  const { db } = store;
  const lastAlive = recall(db, 'last-alive', LastAlive);
  const hostname = serverName(config, files);
  const monitor = {
    config,
    system,
    store,
    state: newState(clock.monotonic(), more.news),
    history: createHistory(db),
    recorder: createRecorder({ system, db, stateDir: config.stateDir }),
    outbox: openOutbox(db),
    delivery: openDelivery(store, config, system, { tellable: (id) => monitor.pipeline.tellable(id) }),
    ...defined({ lastAlive }),
    past: (snapshot) => pastOf(monitor, snapshot),
    remember: (snapshot) => rememberCheck(monitor, snapshot),
  } as Monitor;
  const alarm = createAlarm(clock, () => {
    if (monitor.state.closed) return;
    monitor.pipeline.process([], { judged: [] });
    monitor.delivery.kick();
    monitor.refreshMessages();
  });
  monitor.pipeline = openPipeline(monitor, hostname, alarm);
  monitor.refreshMessages = openLivingMessages(monitor, hostname);
  const discovery = createDiscovery({
    docker,
    config,
    clock,
    files,
    isFollowed: () => monitor.watcher.connected() && monitor.watcher.eventFailure() === undefined,
  });
  monitor.watcher = openWatcher(monitor, discovery, more);
  monitor.collectors = openMonitorCollectors(monitor, discovery);
  monitor.forecasts = openForecasts(monitor);
  monitor.stopping = () => stopping(monitor);
  monitor.close = () => close(monitor, alarm);
  return monitor;
}

function newState(now: number, news: string | undefined): DaemonState {
  return {
    startedMonotonic: now,
    checks: 0,
    failedInARow: {},
    closed: false,
    ...(news === undefined ? {} : { folderNews: { text: news, until: now + NEWS_FOR_MS } }),
  };
}

function openPipeline(monitor: Monitor, hostname: string, alarm: Alarm): Monitor['pipeline'] {
  const { store, config, system, state, outbox, delivery, recorder } = monitor;
  const { clock, log } = system;
  return createPipeline({
    store,
    config,
    clock,
    log,
    bootedAt: () => bootedAt(system.files, clock.now()),
    enqueue: (message) => outbox.enqueue(message),
    sendUnsaved: (message) => delivery.sendUnsaved(message),
    isTrue: (incident, claim) => monitor.watcher.claimHolds(incident.subject, claim),
    asNow: (fact) => monitor.watcher.asNow(fact),
    wakeAt: (mono) => alarm.set(state.closed ? Infinity : mono),
    describe: describeFact,
    render: (decision) =>
      renderNotification(decision, hostname, clock.now(), recorder.lines(decision.incident)),
  });
}

/** Brings the messages that are edited up to date; nothing where there are none. */
function openLivingMessages(monitor: Monitor, hostname: string): Monitor['refreshMessages'] {
  const { store, config, system, pipeline, delivery, recorder } = monitor;
  const { db } = store;
  const { clock, log } = system;
  if (config.settings.TELEGRAM_STYLE !== 'living') return () => undefined;
  const refresh = createRefresh({
    db,
    config,
    now: () => clock.now(),
    incident(id) {
      const incident = pipeline.incident(id);
      return incident ? withAnnotations(db, incident) : incidentById(db, id);
    },
    render: (incident, others) =>
      renderLiving(incident, others, hostname, clock.now(), recorder.known(incident)),
    renderList: (heading, all) => renderList(heading, all, hostname, clock.now()),
    onFailure: (error) => log.warn(`A message could not be rendered: ${errorText(error)}`),
  });
  return (ids) => {
    try {
      if (refresh(ids)) delivery.kick();
    } catch (error) {
      log.warn(`Messages of incidents cannot be brought up to date: ${errorText(error)}`);
    }
  };
}

function openWatcher(monitor: Monitor, discovery: Discovery, more: Options): Monitor['watcher'] {
  const { config, store, system, state, pipeline, lastAlive } = monitor;
  const { docker, clock, log, files } = system;
  const uptimeSec = parseUptime(files.textOr('/proc/uptime') ?? '');
  const bootedAt = cleanBoot(lastAlive, { bootId: readBootId(files), uptimeSec }, clock.now());
  return createWatcher({
    docker,
    clock,
    log,
    config,
    db: store.db,
    files,
    onFacts: (facts) =>
      reportFindings(
        monitor,
        facts.flatMap((fact) => findingsOf(fact, describeFact, pipeline.mayName)),
      ),
    onMoved: ({ id, attributes }) => discovery.moved({ id, image: attributes['image'] ?? '' }),
    onOom(event) {
      monitor.collectors.onDockerOom(event);
      void lookForKills(monitor);
    },
    ...defined({ bootedAt }),
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
}

function openMonitorCollectors(monitor: Monitor, discovery: Discovery): Monitor['collectors'] {
  const { config, store, system, state, watcher } = monitor;
  const { db } = store;
  return openCollectors({
    system,
    config,
    discovered: (signal) => discovery.current(signal),
    rediscover: () => discovery.invalidate(),
    containers: async (signal): Promise<ContainerInfo[]> =>
      watcher.connected() ? watcher.containers() : readContainers(system.docker, signal),
    // A read that hung may come back after the end, and the driver ends the process when a closed database is used.
    recall: (key, shape) => (state.closed ? undefined : recall(db, key, shape)),
    remember(key, value) {
      if (!state.closed) remember(db, key, value, system.clock.now());
    },
  });
}

function openForecasts({ config, store, system, history }: Monitor): Monitor['forecasts'] {
  const { db } = store;
  return createForecasts({
    limits: {
      warning: config.settings.FORECAST_WARNING_HOURS,
      critical: config.settings.FORECAST_CRITICAL_HOURS,
    },
    quarters: history.quarters,
    recall: () => recall(db, 'forecasts', Saved) ?? {},
    save(saved) {
      try {
        remember(db, 'forecasts', saved, system.clock.now());
      } catch {
        // A full disk: saving the history reports it, and the next forecast saves again.
      }
    },
    processes: () => largestProcesses(system.files, 3),
  });
}

/** What the rules know beside a snapshot; what costs something is looked up when a rule asks for it. */
function pastOf(monitor: Monitor, snapshot: Snapshot): Past {
  const { state, pipeline, forecasts, recorder, history, store } = monitor;
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
    ...whatIsLeftOff(store.db),
  };
}

function rememberCheck(monitor: Monitor, snapshot: Snapshot): void {
  const { state, system, history, recorder } = monitor;
  const now = system.clock.monotonic();
  state.snapshot = snapshot;
  state.checks += 1;
  state.lastCheckMonotonic = now;
  state.lastTookMs = snapshot.tookMs;
  history.add(snapshot);
  recorder.follow(snapshot);
  if (state.savedMonotonic !== undefined && now - state.savedMonotonic < FLUSH_EVERY_MS) return;
  state.savedMonotonic = now;
  save(monitor, snapshot, false);
}

function stopping(monitor: Monitor): void {
  const { state } = monitor;
  if (state.closed) return;
  state.stopping = true;
  if (state.snapshot) save(monitor, state.snapshot, true);
}

async function close(monitor: Monitor, alarm: Alarm): Promise<void> {
  const { state, system, recorder, collectors, pipeline } = monitor;
  if (state.snapshot) save(monitor, state.snapshot, true);
  await recorder.close();
  await collectors.close();
  system.docker.close();
  system.kernelLog.close();
  pipeline.close();
  alarm.stop();
  state.closed = true;
}

/** A disk that is full must not stop the watching: what cannot be saved now is saved with the next minute. */
function save(monitor: Monitor, snapshot: Snapshot, stopped: boolean): void {
  const { host } = snapshot.readings;
  try {
    monitor.history.flush(snapshot.at, stopped);
    const alive: LastAlive = {
      at: snapshot.at,
      bootId: host.state === 'ok' ? host.value.bootId : '',
      stopped: stopped || monitor.state.stopping === true,
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
