import { formatDuration, plain } from '../model/text.ts';
import type { Reading } from '../model/reading.ts';
import { SOURCE_IDS } from '../model/sources.ts';
import { VERSION } from '../version.ts';
import { folderNews, whyNotKept } from './self.ts';
import type { Monitor } from './types.ts';

export type Health = {
  status: 'healthy' | 'degraded' | 'unhealthy';
  timestamp: string;
  services_monitored: number;
  alerts_sent: number;
  reasons: string[];
  version: string;
  uptime_seconds: number;
  last_check: { at: string; age_seconds: number; took_ms: number } | null;
  checks: number;
  open_incidents: { warning: number; critical: number; info: number };
  alerts_waiting: number;
  docker_connected: boolean;
  /** Docker's event stream, a source of its own: where it fails, what happens to containers is seen late. */
  docker_events: { state: Reading<never>['state']; why: string | null };
};

/** Answers /health: the four fields that service monitors before it had, then more. 503 only when checks have stopped coming. */
export function judgeHealth(monitor: Monitor): { status: number; body: Health } {
  const { state, system, config, delivery, pipeline } = monitor;
  const monotonic = system.clock.monotonic();
  const intervalMs = config.settings.SERVICE_CHECK_INTERVAL * 1000;
  // Measured on a clock that never jumps: a corrected system time is no reason to call the monitor dead.
  const age = monotonic - (state.lastCheckMonotonic ?? state.startedMonotonic);
  const stale = age > 3 * intervalMs;
  const sending = delivery.state();
  const reasons = [
    ...(stale ? [`the last check ended ${formatDuration(age)} ago`] : []),
    ...reasonsOf(monitor, sending),
  ];
  const now = system.clock.now();
  return {
    status: stale ? 503 : 200,
    body: {
      status: stale ? 'unhealthy' : reasons.length > 0 ? 'degraded' : 'healthy',
      timestamp: new Date(now).toISOString(),
      services_monitored: monitor.watcher.counts().monitored,
      alerts_sent: sending.sentTotal,
      reasons,
      version: VERSION,
      uptime_seconds: Math.round((monotonic - state.startedMonotonic) / 1000),
      last_check: state.snapshot
        ? {
            at: new Date(state.snapshot.at).toISOString(),
            age_seconds: Math.round(age / 1000),
            took_ms: Math.round(state.lastTookMs ?? 0),
          }
        : null,
      checks: state.checks,
      open_incidents: pipeline.counts(),
      alerts_waiting: sending.waiting,
      docker_connected: monitor.watcher.connected(),
      docker_events: eventStream(monitor),
    },
  };
}

/** What is not as it should be while checks come. */
function reasonsOf(monitor: Monitor, sending: ReturnType<Monitor['delivery']['state']>): string[] {
  const { state, pipeline, system } = monitor;
  const { snapshot } = state;
  const unread = SOURCE_IDS.flatMap((source) => {
    const reading = snapshot?.readings[source];
    return reading?.state === 'failed' ? [`${source} cannot be read: ${reading.why}`] : [];
  });
  // At once, while the last check may still have seen Docker.
  const gone = pipeline.open().find(({ rule, state: s }) => rule === 'docker-gone' && s === 'firing');
  const isNews = gone && snapshot?.readings.docker.state !== 'failed';
  const events = monitor.watcher.eventFailure();
  const fault = whyNotKept(monitor);
  // One from a clock that was ahead waits, too.
  const late = Math.abs(system.clock.now() - (sending.oldestWaitingAt ?? system.clock.now())) > 60_000;
  return [
    ...unread,
    isNews && plain(gone.text, 300),
    events !== undefined && `Docker's events cannot be followed: ${plain(events, 300)}`,
    fault && `the state folder cannot be used: ${fault}`,
    folderNews(monitor),
    state.httpError,
    sending.refused && `Telegram refuses messages: ${sending.refused}`,
    sending.waiting > 0 && late && `${sending.waiting} alerts wait to be sent`,
  ].flatMap((reason) => reason || []);
}

function eventStream({ watcher, state }: Monitor): Health['docker_events'] {
  const why = watcher.eventFailure();
  if (why !== undefined) return { state: 'failed', why: plain(why, 300) };
  if (watcher.connected()) return { state: 'ok', why: null };
  const docker = state.snapshot?.readings.docker;
  if (docker?.state === 'absent') return { state: 'absent', why: plain(docker.why, 300) };
  return {
    state: 'failed',
    why: docker?.state === 'failed' ? plain(docker.why, 300) : 'Docker does not answer',
  };
}
