import type { Incident } from '../../model/incident.ts';
import type { LeftOff } from '../../model/left-off.ts';
import type { Severity } from '../../model/finding.ts';
import type { Snapshot } from '../../model/snapshot.ts';

/** What /metrics and `export` are made of. */
export type MetricsInput = {
  /** The last check; absent before the first one. */
  snapshot?: Snapshot;
  version: string;
  /** Alerts said so far by severity, from the store: they survive restarts. */
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

export type MetricSample = { value: number | undefined; labels?: Record<string, string> };

/** What `export SECTION` can be asked for; `self` comes with `all` only. */
export const SECTIONS = ['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'] as const;
export type Section = (typeof SECTIONS)[number];

/** One line of the table of all metrics. */
export type Metric = {
  name: string;
  type: 'gauge' | 'counter';
  /** One sentence, with the unit. */
  help: string;
  labels: readonly string[];
  section: Section | 'self';
  /** Known from the scripts that vpsmon replaces: the name stays, whatever Prometheus' conventions say. */
  inherited?: true;
  /** No sample where the source is absent or failed: never a zero that nobody measured. */
  samples(input: MetricsInput): MetricSample[];
};

/** The samples of one number; none where there is no number. */
export function one(value: number | undefined): MetricSample[] {
  return value === undefined ? [] : [{ value }];
}

export function yesNo(value: boolean): number {
  return value ? 1 : 0;
}
