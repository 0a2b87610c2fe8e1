import type { Incident } from '../../src/model/incident.ts';
import { SOURCE_IDS, SOURCES, type Snapshot } from '../../src/model/sources.ts';
import { METRICS } from '../../src/outputs/prometheus/metrics-table.ts';
import type { MetricsInput } from '../../src/outputs/prometheus/self.ts';
import { containerInfo, emptySnapshot, hostValues, pressureValues } from './snapshots.ts';

const MB = 1_048_576;

/** A snapshot in which every source is there and every optional value has a number. */
export function fullSnapshot(at: number): Snapshot {
  const ok = { state: 'ok', tookMs: 2.5 } as const;
  return emptySnapshot(at, {
    host: { ...ok, value: hostValues({ swapInKBps: 120, swapOutKBps: 30 }) },
    pressure: { ...ok, value: pressureValues(12.5) },
    oom: { ...ok, value: { killsSinceBoot: 2, kills: [] } },
    docker: {
      ...ok,
      value: {
        version: '28.0.0',
        apiVersion: '1.48',
        containers: [
          containerInfo('n8n', { limitBytes: 512 * MB, health: 'healthy', restartCount: 3 }),
          containerInfo('redis', { state: 'exited', exitCode: 1 }),
        ],
      },
    },
    postgres: {
      ...ok,
      value: {
        address: '127.0.0.1:5432',
        version: '15.6',
        cacheHitPercent: 99.1,
        cacheHitLifetimePercent: 97.5,
        connections: { active: 2, idle: 5, idleInTransaction: 1, other: 1, total: 9, max: 100 },
        databaseSizeBytes: 64 * MB,
        longestTransactionSec: 4,
        standby: { receiving: true, waitingBytes: 0, behindSec: 0 },
        slot: { name: 'standby2', active: true, keptBytes: MB, lost: false },
        oldest: { database: 'shop', transactions: 120_000_000 },
      },
    },
    redis: {
      ...ok,
      value: {
        address: '127.0.0.1:6379',
        version: '7.0',
        usedMemoryBytes: 3 * MB,
        maxMemoryBytes: 100 * MB,
        keys: 321,
        clients: 4,
        evictedTotal: 0,
        rejectedTotal: 0,
        master: { address: '10.0.0.2:6379', up: true },
      },
    },
    n8n: {
      ...ok,
      value: {
        executions: { active: 3, waiting: 1, completed: 250, failed: 5, queued: 8, canceled: 2 },
        queueDepth: 8,
        workflows: { total: 20, active: 12 },
        healthy: true,
      },
    },
    waha: {
      ...ok,
      value: {
        address: '127.0.0.1:3000',
        sessions: [
          { name: 'default', status: 'WORKING', since: at - 3_600_000 },
          { name: 'second', status: 'SCAN_QR_CODE', since: at - 60_000 },
        ],
      },
    },
    sql: {
      ...ok,
      value: {
        samples: [
          { name: 'lead_count', help: 'Leads', labels: {}, value: 4711 },
          { name: 'orders_open', help: 'Open orders', labels: { shop: 'a' }, value: 7 },
        ],
        broken: [{ name: 'orders_broken', why: 'relation "x" does not exist' }],
      },
    },
  });
}

export function openIncident(values: Partial<Incident> = {}): Incident {
  return {
    id: 1,
    rule: 'memory-available',
    subject: 'host',
    state: 'firing',
    severity: 'warning',
    openedAt: 0,
    lastSeenAt: 0,
    text: 'Available memory is 87 MB, below 100 MB',
    details: [],
    notified: { count: 1 },
    flips: [],
    flapping: false,
    actions: [],
    ...values,
  };
}

/** Everything that there can be, as the running monitor hands it in. */
export function fullInput(at: number): MetricsInput & Required<Pick<MetricsInput, 'snapshot' | 'daemon'>> {
  return {
    snapshot: fullSnapshot(at),
    version: '1.2.3',
    counts: { info: 12, warning: 5, critical: 1 },
    leftOff: [{ kind: 'workflow', name: 'Nightly import', since: 1_768_392_000_000 }],
    openIncidents: [openIncident()],
    daemon: {
      checkIntervalSec: 30,
      checks: 100,
      uptimeSec: 3000,
      residentBytes: 50 * MB,
      cpuSec: 1.5,
      alertsWaiting: 0,
      alertsSent: 18,
      telegramRefused: false,
      dockerConnected: true,
    },
  };
}

/** The metrics of which `fullInput` has samples: all, but for those of a source that is not in it. */
export function metricsOfFull(): typeof METRICS {
  const { readings } = fullSnapshot(0);
  const absent = SOURCE_IDS.filter((source) => readings[source].state === 'absent');
  const names = new Set(absent.flatMap((source) => SOURCES[source].metrics.map(({ name }) => name)));
  return METRICS.filter(({ name }) => !names.has(name));
}
