import type { Incident } from '../../model/incident.ts';
import type { LeftOff } from '../../model/left-off.ts';
import type { Severity } from '../../model/finding.ts';
import type { Snapshot } from '../../model/sources.ts';

/** What /metrics and `export` are made of. */
export type MetricsInput = {
  /** The last check; absent before the first one. */
  snapshot?: Snapshot;
  version: string;
  /** Alerts raised so far by severity, from the store: they survive restarts. */
  counts: Record<Severity, number>;
  openIncidents: readonly Incident[];
  /** What recovery has switched off and not brought back; absent where its records cannot be read. */
  leftOff?: readonly LeftOff[];
  /** Only where a running monitor answers. */
  daemon?: {
    checkIntervalSec: number;
    checks: number;
    uptimeSec: number;
    residentBytes: number;
    cpuSec: number;
    alertsWaiting: number;
    alertsSent: number;
    telegramRefused: boolean;
    dockerConnected: boolean;
  };
};
