/** What `export SECTION` can be asked for; metrics about the monitor itself come with `all` only. */
export const SECTIONS = ['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'] as const;
export type Section = (typeof SECTIONS)[number];

/** A boolean is written as 1 or 0, and no sample where there is no value. */
export type MetricSample = { value: number | boolean | undefined; labels?: Record<string, string> };

/** One metric that is read from a `T`: the values of a source, or what is known of the monitor. */
export type Metric<T> = {
  /** Begins with `vpsmon_`, unless the scripts that vpsmon replaces had it: such a name stays as it was. */
  name: string;
  /** One sentence, with the unit. */
  help: string;
  /** Samples, or the one value of a metric without labels. `once`: read by a command, without a monitor that runs. */
  read(from: T, once: boolean): MetricSample[] | MetricSample['value'];
  labels: readonly string[];
};

export function metric<T>(
  name: string,
  help: string,
  read: Metric<T>['read'],
  labels: readonly string[] = [],
): Metric<T> {
  return { name, help, read, labels };
}
