import type { Metric, Section } from '../metric.ts';
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
