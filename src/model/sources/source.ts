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
  /** Its row of `monitor --once`. */
  row: {
    /** Also named by the rules that mark the row. */
    label: string;
    /** What was read in few words; or rows of their own. */
    show(values: V): string | SourceRow[];
    /** No row where the source is absent. */
    mayBeAbsent?: true;
  };
  /** Hands out what is kept as history. No value where nothing was measured: a gap is a gap, never a zero. Called in every check. */
  history(values: V, put: Put): void;
};

/** `failed`: a reason to look. `marks`: what marks it instead of its label. */
export type SourceRow = { label: string; text: string; failed?: boolean; marks?: string };

/**
 * Takes one value of a check. The series is named `kind`, or `kind:subject`; the two come apart, so that no name is put together
 * for each value of each check. The step is the precision: a value is stored as a whole number of steps, which makes it
 * two or three bytes instead of eight. Memory is counted in pages by the kernel, so nothing is lost there.
 */
export type Put = (kind: string, step: number, value: number | undefined, subject?: string) => void;

export const BYTES = 4096;
export const PERCENT = 0.1;
export const COUNT = 1;
export const SECONDS = 1;

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
