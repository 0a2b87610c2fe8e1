import { renderPrometheus } from '../outputs/prometheus/prometheus.ts';
import { alertCounts } from '../store/outbox.ts';
import { whatIsLeftOff } from '../store/left-off.ts';
import { VERSION } from '../version.ts';
import type { Monitor } from './types.ts';

/** What /metrics answers: the last check, and how the monitor itself is. */
export function metricsOf(monitor: Monitor): string {
  const { state, system, pipeline, delivery } = monitor;
  const sending = delivery.state();
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  return renderPrometheus({
    ...(state.snapshot ? { snapshot: state.snapshot } : {}),
    version: VERSION,
    // From the outbox's table: it goes on over restarts.
    counts: alertCounts(monitor.store.db).accepted,
    openIncidents: pipeline.open().filter((incident) => incident.state === 'firing'),
    ...whatIsLeftOff(monitor.store.db),
    daemon: {
      checkIntervalSec: monitor.config.settings.SERVICE_CHECK_INTERVAL,
      checks: state.checks,
      uptimeSec: (system.clock.monotonic() - state.startedMonotonic) / 1000,
      residentBytes: memory.rss,
      cpuSec: (cpu.user + cpu.system) / 1e6,
      alertsWaiting: sending.waiting,
      alertsSent: sending.sentTotal,
      telegramRefused: sending.refused !== undefined,
      dockerConnected: monitor.watcher.connected(),
    },
  });
}
