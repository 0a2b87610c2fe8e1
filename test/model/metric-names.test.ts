import { describe, expect, test } from 'vitest';
import { metricNameProblem, NAMES_WITHOUT_PREFIX } from '../../src/model/metric-names.ts';
import { METRICS } from '../../src/outputs/prometheus/metrics-table.ts';

describe('names of SQL metrics', () => {
  test.each(['orders', 'orders_total', 'lead_count', 'redis_jobs', '_x', 'upstream', 'a'.repeat(128)])(
    '%s can be used',
    (name) => {
      expect(metricNameProblem(name)).toBeUndefined();
    },
  );

  test.each([
    ['vpsmon_orders', "Names that begin with vpsmon_ are vpsmon's own."],
    ['redis_total_keys', 'This is the name of one of the metrics of vpsmon.'],
    ['up', 'This name belongs to Prometheus.'],
    ['__name__', 'This name belongs to Prometheus.'],
    ['scrape_duration_seconds', 'This name belongs to Prometheus.'],
    ['ALERTS', 'This name belongs to Prometheus.'],
    ...['1st', 'a b', 'a:b', '', 'a'.repeat(129), 'a\n'].map((name) => [
      name,
      'A metric name has letters, digits and underscores only, at most 128, and no digit at the start.',
    ]),
  ])('%j cannot', (name, problem) => {
    expect(metricNameProblem(name!)).toBe(problem);
  });

  test('every metric of ours that lacks the prefix is in the list', () => {
    const names = METRICS.map(({ name }) => name).filter((name) => !name.startsWith('vpsmon_'));
    expect(names.toSorted()).toEqual([...NAMES_WITHOUT_PREFIX]);
  });
});
