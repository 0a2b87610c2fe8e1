import {
  defaultExtra,
  type Extra,
  type Problem,
  type ServiceSettings,
  type SilenceWindow,
  type SqlMetric,
} from './schema.ts';
import type { Item, YamlContent } from './parse-yaml.ts';

/** Puts the checked sections of vpsmon.yaml over the defaults; what contradicts itself becomes a problem. */
export function toExtra(content: YamlContent, file: string): { extra: Extra; problems: Problem[] } {
  const { services, sql_metrics: metrics, silences } = content.lists;
  const extra = defaultExtra();
  const { lowPriorityTag, ...n8n } = content.maps.n8n;
  Object.assign(extra.n8n, n8n, lowPriorityTag === undefined ? {} : { tag: lowPriorityTag });
  Object.assign(extra.recovery, content.maps.recovery);
  // Items without their required fields were errors already: no configuration is made of them.
  extra.services = services.map(({ values }) => values as ServiceSettings);
  extra.sqlMetrics = metrics.map(
    ({ values }) => ({ help: `${String(values['name'])} by SQL.`, ...values }) as SqlMetric,
  );
  extra.silences = silences.map(({ values }) => {
    return { days: [0, 1, 2, 3, 4, 5, 6], reason: '', ...values } as SilenceWindow;
  });

  const problems = [
    ...namedTwice(services, 'is the name of a service above as well; put the two together'),
    ...namedTwice(metrics, 'is the name of a metric above as well'),
    ...services.flatMap(memoryMixedUp),
    ...silences.flatMap(emptyWindow),
  ];
  return { extra, problems: problems.map((problem) => ({ level: 'error', file, ...problem })) };
}

type Found = Pick<Problem, 'key' | 'text'> & { line: number };

function namedTwice(items: Item[], text: string): Found[] {
  const seen = new Set<string>();
  return items.flatMap((item) => {
    const name = item.values['name'];
    if (typeof name !== 'string') return [];
    const again = seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    return again ? [{ line: item.line, key: `${item.path}.name`, text }] : [];
  });
}

function memoryMixedUp({ values, path, line }: Item): Found[] {
  const { memoryWarningMb: warning, memoryCriticalMb: critical } = values as Partial<ServiceSettings>;
  if (warning === undefined || critical === undefined || warning <= critical) return [];
  const text = `expected at least memory_warning_mb (${warning}), found ${critical}. The two may be swapped`;
  return [{ line, key: `${path}.memory_critical_mb`, text }];
}

function emptyWindow({ values, path, line }: Item): Found[] {
  const { from, to } = values as Partial<SilenceWindow>;
  if (from === undefined || from !== to) return [];
  const text = 'expected another time than `from`; the whole day is from 00:00 to 24:00';
  return [{ line, key: `${path}.to`, text }];
}
