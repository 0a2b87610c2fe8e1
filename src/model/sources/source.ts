import type { RuleInfo } from '../rule-info.ts';

/** All that is known of a source beside how it is read (src/collectors) and judged (src/rules). `V`: what a reading of it gives. */
export type SourceInfo<V, R extends Record<string, RuleInfo> = Record<string, RuleInfo>> = {
  /** What a message calls it. */
  name: string;
  /** The section of `export` in which its metrics are. */
  section: Section;
  /** The rules that judge it in every check. */
  rules: R;
  metrics: readonly Metric<V>[];
};

/** `source<EntropyValues>()({ ... })`: the type of its values is given, those of its rules are seen. */
export function source<V>() {
  return <const R extends Record<string, RuleInfo>>(info: SourceInfo<V, R>): SourceInfo<V, R> => info;
}

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
