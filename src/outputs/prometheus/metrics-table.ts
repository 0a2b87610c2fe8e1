import { CONTAINER_METRICS } from './containers.ts';
import { HOST_METRICS } from './host.ts';
import { SELF_METRICS } from './self.ts';
import { SERVICE_METRICS } from './services.ts';
import type { Metric } from './types.ts';

/** Every metric, in the order in which it is written. The output and the documentation are made from it. */
export const METRICS: readonly Metric[] = [
  ...HOST_METRICS,
  ...CONTAINER_METRICS,
  ...SERVICE_METRICS,
  ...SELF_METRICS,
];

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
