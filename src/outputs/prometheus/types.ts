import type { Incident } from '../../model/incident.ts';
import type { LeftOff } from '../../model/left-off.ts';
import type { Severity } from '../../model/finding.ts';
import type { Snapshot, Source, Values } from '../../model/snapshot.ts';

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

/** A boolean is written as 1 or 0, and no sample where there is no value. */
export type MetricSample = { value: number | boolean | undefined; labels?: Record<string, string> };

/** What `export SECTION` can be asked for; `self` comes with `all` only. */
export const SECTIONS = ['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'] as const;
export type Section = (typeof SECTIONS)[number];

/** One line of the table of all metrics. */
export type Metric = {
  /** Begins with `vpsmon_`, unless the scripts that vpsmon replaces had it: such a name stays as it was. */
  name: string;
  type: 'gauge' | 'counter';
  /** One sentence, with the unit. */
  help: string;
  labels: readonly string[];
  section: Section | 'self';
  /** No sample where the source is absent or failed: never a zero that nobody measured. */
  samples(input: MetricsInput): MetricSample[];
};

/** Samples, or the one value of a metric without labels. */
type Result = MetricSample[] | MetricSample['value'];

export function metric(
  section: Metric['section'],
  name: string,
  help: string,
  read: (input: MetricsInput) => Result,
  labels: readonly string[] = [],
): Metric {
  return {
    name,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    help,
    labels,
    section,
    samples(input) {
      const result = read(input);
      return Array.isArray(result) ? result : [{ value: result }];
    },
  };
}

/** Makes metrics of what one source reads: without samples while it is absent or failed. */
export function metricsOf<S extends Source>(source: S, section: Section) {
  return (
    name: string,
    help: string,
    read: (values: Values[S], input: MetricsInput) => Result,
    labels: readonly string[] = [],
  ): Metric =>
    metric(
      section,
      name,
      help,
      (input) => {
        const reading = input.snapshot?.readings[source];
        return reading?.state === 'ok' ? read(reading.value as Values[S], input) : [];
      },
      labels,
    );
}
