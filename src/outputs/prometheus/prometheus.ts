import { metricNameProblem } from '../../model/metric-names.ts';
import type { MetricSample, Section } from '../../model/sources/source.ts';
import type { SqlSample } from '../../model/snapshot.ts';
import { METRICS } from './metrics-table.ts';
import type { MetricsInput } from './self.ts';

/**
 * Everything as Prometheus' text format 0.0.4. A source that is absent or failed has no sample; a metric without a
 * sample is left out.
 */
export function renderPrometheus(all: MetricsInput): string {
  const input = withoutRefused(all);
  return METRICS.map((metric) => block(metric, metric.samples(input))).join('') + sqlBlocks(input);
}

/** The part of a whole text that belongs to `section`. */
export function filterSection(text: string, section: Section): string {
  const sections = new Map(METRICS.map((metric) => [metric.name, metric.section]));
  const blocks = text.split(/^(?=# HELP )/m);
  // A name that the table does not have is an SQL metric.
  return blocks.filter((part) => (sections.get(nameOf(part)) ?? 'leads') === section).join('');
}

function nameOf(part: string): string {
  return part.slice('# HELP '.length).split(' ', 1)[0] ?? '';
}

/**
 * SQL metrics that would take one of our names, or none at all, count as broken. The configuration refuses them already; one
 * line more in a scrape that Prometheus then drops as a whole would blind everything else.
 */
function withoutRefused(input: MetricsInput): MetricsInput {
  const { snapshot } = input;
  const sql = snapshot?.readings.sql;
  if (!snapshot || sql?.state !== 'ok') return input;
  const refused = sql.value.samples.filter(({ name }) => metricNameProblem(name));
  if (refused.length === 0) return input;
  const value = {
    samples: sql.value.samples.filter((sample) => !refused.includes(sample)),
    broken: [...sql.value.broken, ...refused.map(({ name }) => ({ name, why: metricNameProblem(name)! }))],
  };
  return { ...input, snapshot: { ...snapshot, readings: { ...snapshot.readings, sql: { ...sql, value } } } };
}

/** SQL metrics under their own names, one block a name whatever the order of the samples. */
function sqlBlocks({ snapshot }: MetricsInput): string {
  const sql = snapshot?.readings.sql;
  if (sql?.state !== 'ok') return '';
  const byName = new Map<string, SqlSample[]>();
  for (const sample of sql.value.samples) {
    if (sample.name === 'lead_count') continue;
    const list = byName.get(sample.name);
    if (list) list.push(sample);
    else byName.set(sample.name, [sample]);
  }
  return [...byName]
    .map(([name, samples]) =>
      block({ name, help: samples[0]!.help || `SQL metric ${name}.`, type: 'gauge' }, samples),
    )
    .join('');
}

function block(
  metric: { name: string; help: string; type: 'gauge' | 'counter' },
  samples: readonly MetricSample[],
): string {
  const lines: string[] = [];
  // Prometheus refuses a whole scrape for one sample that comes twice.
  const seen = new Set<string>();
  for (const { value, labels } of samples) {
    if (value === undefined || Number.isNaN(value)) continue;
    const series = metric.name + labelText(labels);
    if (seen.has(series)) continue;
    seen.add(series);
    lines.push(`${series} ${numberText(Number(value))}\n`);
  }
  if (lines.length === 0) return '';
  const help = clean(metric.help.replace(/\r\n?/g, '\n'));
  return `# HELP ${metric.name} ${help}\n# TYPE ${metric.name} ${metric.type}\n${lines.join('')}`;
}

function labelText(labels: Record<string, string> | undefined): string {
  if (!labels) return '';
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(labels)) {
    if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith('__'))
      pairs.push(`${name}="${escapeLabel(value)}"`);
  }
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}

// A NUL ends the text for Prometheus' lexer; the other control characters, and what breaks a line, hides or turns the text around, help
// nobody. The joiners that some languages and symbols need stay.
const CONTROL =
  // oxlint-disable-next-line no-control-regex -- replacing them is the point
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function clean(text: string): string {
  return text.toWellFormed().replace(CONTROL, '\ufffd').replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

function escapeLabel(value: string): string {
  // Long values are somebody's mistake, and each of them is kept by Prometheus for ever.
  return clean(value.length > 200 ? value.slice(0, 200) : value).replace(/"/g, '\\"');
}
