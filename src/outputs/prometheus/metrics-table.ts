import type { MetricSample, Metric, Section } from '../../model/sources/source.ts';
import { SOURCE_IDS, SOURCES, type Source, type Values } from '../../model/sources.ts';
import { SELF_METRICS, type MetricsInput } from './self.ts';

/** One line of the table of all metrics. */
type Row = {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  labels: readonly string[];
  section: Section | 'self';
  /** No sample where the source is absent or failed: never a zero that nobody measured. */
  samples(input: MetricsInput): MetricSample[];
};

/** Every metric, in the order in which it is written. The output and the documentation are made from it. */
export const METRICS: readonly Row[] = [
  ...SOURCE_IDS.flatMap((source) => rowsOf(source)),
  ...SELF_METRICS.map((metric) => row(metric, 'self', (input) => input)),
];

function rowsOf<S extends Source>(source: S): Row[] {
  const { metrics, section } = SOURCES[source];
  return (metrics as readonly Metric<Values[S]>[]).map((metric) =>
    row(metric, section, ({ snapshot }) => {
      const reading = snapshot?.readings[source];
      return reading?.state === 'ok' ? reading.value : undefined;
    }),
  );
}

function row<T>(
  { name, help, labels, read }: Metric<T>,
  section: Row['section'],
  valueOf: (input: MetricsInput) => T | undefined,
): Row {
  return {
    name,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    help,
    labels,
    section,
    samples(input) {
      const from = valueOf(input);
      if (from === undefined) return [];
      const result = read(from, input.daemon === undefined);
      return Array.isArray(result) ? result : [{ value: result }];
    },
  };
}

/** The table for the documentation, as Markdown. */
export function metricsMarkdown(): string {
  const rows = METRICS.map(({ name, type, labels, help, section }) => {
    const labelled = labels.length > 0 ? `{${labels.join(', ')}}` : '';
    return `| \`${name}${labelled}\`${name.startsWith('vpsmon_') ? ' ⁺' : ''} | ${type} | ${section === 'self' ? 'all' : section} | ${help} |`;
  });
  return [
    '| metric | type | export section | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    '⁺ new; the names without it are those of the scripts that vpsmon replaces.',
  ].join('\n');
}
