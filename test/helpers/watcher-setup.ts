// The way of a container event from Docker to Telegram: the real watcher, incidents, outbox and delivery. Docker and Telegram are
// handed in; time can be skipped.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configOf } from '../containers/config.ts';
import { until } from './daemon.ts';
import { skippingClock } from './skipping-clock.ts';
import type { Extra, Settings } from '../../src/config/schema.ts';
import { conditionsOf } from '../../src/incidents/memory.ts';
import { createPipeline } from '../../src/incidents/pipeline.ts';
import { findingsOf } from '../../src/model/fact-rules.ts';
import type { Finding } from '../../src/model/finding.ts';
import { createDelivery } from '../../src/notify/delivery.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { renderNotification } from '../../src/outputs/telegram/incidents.ts';
import { describeFact } from '../../src/outputs/telegram/containers.ts';
import { reportMessage } from '../../src/outputs/telegram/monitor.ts';
import { createWatcher, type Watcher } from '../../src/containers/watcher.ts';
import { createAlarm } from '../../src/system/clock.ts';
import { openStore } from '../../src/store/open.ts';
import { hostFiles } from '../../src/system/files.ts';
import { httpRequest } from '../../src/system/http/http.ts';
import type { Docker, DockerEvent, Log } from '../../src/system/types.ts';
import type { Telegram } from '../standins/telegram.js';

export type WatcherSetup = {
  stateDir: string;
  readonly watcher: Watcher;
  findings: Finding[];
  ooms: DockerEvent[];
  logged: string[];
  /** Waits until the engine has sent this event about this container, so many times since the start. */
  saw(action: string, name: string, times?: number): Promise<void>;
  /** The longest time (ms) for which this container was down, as it was heard of. */
  longestDown(name: string): number;
  /** Something that Docker was asked is not answered yet: skipping now would let the answer come too late. */
  asks(): boolean;
  /** Moves on what waits: successors, quiet times, the pace of delivery. */
  skip(ms: number): void;
  /** The same without the pace of delivery, which would take what is sent then for late. */
  skipWatcher(ms: number): void;
  /** The watcher's time stands still until what is returned is called. */
  freeze(): () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops and removes its folder. */
  remove(): Promise<void>;
};

export function openWatcherSetup(
  docker: Docker,
  telegram: Telegram,
  settings: Partial<Settings> = {},
  extra: Partial<Extra> = {},
): WatcherSetup {
  const stateDir = mkdtempSync(join(tmpdir(), 'vpsmon-services-'));
  const config = configOf(
    {
      ...telegram.settings,
      REPORT_INTERVAL_HOURS: 0,
      ...settings,
    },
    extra,
    stateDir,
  );
  const logged: string[] = [];
  const log: Log = {
    debug: (text) => logged.push(`debug ${text}`),
    info: (text) => logged.push(`info ${text}`),
    warn: (text) => logged.push(`warn ${text}`),
    error: (text) => logged.push(`error ${text}`),
  };
  const clock = skippingClock(false);
  const paceClock = skippingClock(true);
  const incidentClock = skippingClock(true);
  let stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let close = async (): Promise<void> => {};
  let watcher: Watcher | undefined;
  const events: (DockerEvent & { heardAt: number })[] = [];
  let asked = 0;
  const observed = observe(docker, events, (change) => void (asked += change));
  const monitor: WatcherSetup = {
    stateDir,
    get watcher() {
      if (!watcher) throw new Error('not started');
      return watcher;
    },
    findings: [],
    ooms: [],
    logged,
    async saw(action, name, times = 1) {
      const count = () => events.filter((event) => event.action === action && event.name === name).length;
      await until(() => count() >= times, `${action} of ${name}`);
    },
    longestDown(name) {
      const own = events.filter((event) => event.name === name && /^(?:die|start)$/.test(event.action));
      const downs = own.map(({ action, heardAt }, i) =>
        action === 'start' && own[i - 1]?.action === 'die' ? heardAt - own[i - 1]!.heardAt : 0,
      );
      return Math.max(0, ...downs);
    },
    asks: () => asked > 0,
    skip(ms) {
      clock.skip(ms);
      incidentClock.skip(ms);
      paceClock.skip(ms);
    },
    skipWatcher(ms) {
      clock.skip(ms);
      incidentClock.skip(ms);
    },
    freeze: () => clock.freeze(),
    async start() {
      stop = new AbortController();
      const store = openStore(stateDir, Date.now());
      const outbox = openOutbox(store.db);
      const delivery = createDelivery({
        store,
        config,
        http: httpRequest,
        clock: paceClock,
        log,
        stateDir,
        server: 'vps',
      });
      const pipeline = createPipeline({
        store,
        config,
        clock: incidentClock,
        log,
        enqueue: (message) => outbox.enqueue(message),
        isTrue: ({ subject }, claim) => watcher?.claimHolds(subject, claim),
        wakeAt: (mono) => alarm.set(mono),
        describe: describeFact,
        render: (decision) => renderNotification(decision, 'test', Date.now()),
      });
      const alarm = createAlarm(incidentClock, () => {
        pipeline.process([], { judged: [] });
        delivery.kick();
      });
      watcher = createWatcher({
        docker: observed,
        clock,
        log,
        config,
        db: store.db,
        files: hostFiles('/'),
        onFacts(facts) {
          const findings = facts.flatMap((fact) => findingsOf(fact, describeFact));
          monitor.findings.push(...findings);
          pipeline.process(findings, { judged: [] });
          delivery.kick();
        },
        onOom: (event) => monitor.ooms.push(event),
        openConditions: () => conditionsOf(pipeline.open()),
        onReport(report) {
          outbox.enqueue(reportMessage(report, 'test'));
          delivery.kick();
        },
      });
      running = Promise.all([delivery.run(stop.signal), watcher.run(stop.signal)]);
      close = async () => {
        await running;
        pipeline.sendWaiting();
        alarm.stop();
        await delivery.drain(2000);
        store.close();
      };
      await watcher.ready;
    },
    async stop() {
      stop.abort();
      await close();
      close = async () => {};
    },
    async remove() {
      await monitor.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  return monitor;
}

/** The same Docker; `events` gets what its stream sends, once, `asking` 1 for each call that begins and -1 for each that ends. */
function observe(
  docker: Docker,
  events: (DockerEvent & { heardAt: number })[],
  asking: (change: number) => void,
): Docker {
  return new Proxy(docker, {
    get(target, key) {
      if (key === 'events')
        return (options: Parameters<Docker['events']>[0]) =>
          target.events({
            ...options,
            onEvent(event) {
              // The watcher reads the last half minute again and again.
              const isKnown = events.some(
                ({ timeNano, action, id }) =>
                  timeNano === event.timeNano && action === event.action && id === event.id,
              );
              if (!isKnown) events.push({ ...event, heardAt: performance.now() });
              options.onEvent(event);
            },
          });
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function' || key === 'close') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        asking(1);
        try {
          return await value.apply(target, args);
        } finally {
          asking(-1);
        }
      };
    },
  });
}
