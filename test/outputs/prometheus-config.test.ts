import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { NAMES_WITHOUT_PREFIX } from '../../src/model/metric-names.ts';
import { METRICS } from '../../src/outputs/prometheus/metrics-table.ts';

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../config/prometheus/${name}`, import.meta.url)), 'utf8');

const OURS = new Set(METRICS.map(({ name }) => name));
const LABELS = new Map(METRICS.map(({ name, labels }) => [name, labels]));
/** Words of PromQL that are no metrics. */
const WORDS = new Set([
  'and',
  'or',
  'unless',
  'on',
  'by',
  'without',
  'ignoring',
  'group_left',
  'time',
  'absent',
]);
const FUNCTIONS = new Set(['increase', 'rate', 'delta', 'sum', 'max', 'max_over_time', 'label_values']);

/** The metrics that a query names, and the labels that it asks of each. */
function metricsOf(query: string): { name: string; labels: string[] }[] {
  const found: { name: string; labels: string[] }[] = [];
  const bare = query.replace(/\b(?:on|by|without|ignoring)\s*\([^)]*\)/g, '');
  for (const match of bare.matchAll(
    /\b([a-zA-Z_][a-zA-Z0-9_]*)\b(?:\{([^}]*)\})?(?=([^"]*"[^"]*")*[^"]*$)/g,
  )) {
    const [, name, selector] = match;
    if (WORDS.has(name!) || FUNCTIONS.has(name!) || name === 'instance') continue;
    if (/^\d/.test(name!) || insideSelector(bare, match.index) || insideRange(bare, match.index)) continue;
    const labels = [...(selector ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map((label) => label[1]!);
    found.push({ name: name!, labels });
  }
  return found;
}

function insideSelector(query: string, index: number): boolean {
  const before = query.slice(0, index);
  return before.lastIndexOf('{') > before.lastIndexOf('}');
}

function insideRange(query: string, index: number): boolean {
  const before = query.slice(0, index);
  return before.lastIndexOf('[') > before.lastIndexOf(']');
}

function expectKnown(query: string): void {
  const metrics = metricsOf(query);
  expect(metrics, query).not.toEqual([]);
  for (const { name, labels } of metrics) {
    expect(OURS.has(name), `${name} in ${query}`).toBe(true);
    const known = [...LABELS.get(name)!, 'instance', 'job'];
    for (const label of labels) expect(known, `${name}{${label}} in ${query}`).toContain(label);
  }
}

test('the finder of metrics finds what is there, and is not satisfied by anything', () => {
  expect(metricsOf('sum without (state) (vpsmon_a{x="y_z"}) / b_c > 0.8 and delta(d[15m]) > 0')).toEqual([
    { name: 'vpsmon_a', labels: ['x'] },
    { name: 'b_c', labels: [] },
    { name: 'd', labels: [] },
  ]);
  expect(() => expectKnown('vpsmon_no_such_metric > 1')).toThrow();
  expect(() => expectKnown('vpsmon_source_up{container="x"}')).toThrow();
});

type Panel = {
  title: string;
  type: string;
  targets?: { expr: string; legendFormat: string }[];
  gridPos: Grid;
};
type Grid = { x: number; y: number; w: number; h: number };

describe('the dashboard', () => {
  const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
    panels: Panel[];
    annotations: { list: { expr: string }[] };
    templating: { list: { query: string | { query: string } }[] };
  };
  const queried = dashboard.panels.filter(({ type }) => type !== 'row');

  test.each(queried.map((panel) => [panel.title, panel] as const))(
    '%s asks for metrics that exist',
    (_, panel) => {
      expect(panel.targets?.length).toBeGreaterThan(0);
      for (const { expr, legendFormat } of panel.targets!) {
        expectKnown(expr);
        const known = metricsOf(expr).flatMap(({ name }) => LABELS.get(name)!);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(known).toContain(label);
      }
    },
  );

  test('annotations and variables, too', () => {
    for (const { expr } of dashboard.annotations.list) expectKnown(expr);
    const queries = dashboard.templating.list.flatMap(({ query }) =>
      typeof query === 'string' ? [] : [query.query],
    );
    expect(queries).toHaveLength(1);
    for (const query of queries) expectKnown(query.replace(', instance', ''));
  });

  test('no panel lies over another one', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x} ${y}`), title).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
    }
  });

  test('every metric known from before is on it', () => {
    const asked = queried.flatMap(({ targets }) => targets!.flatMap(({ expr }) => metricsOf(expr)));
    const shown = new Set(asked.map(({ name }) => name));
    expect(
      NAMES_WITHOUT_PREFIX.filter((name) => !shown.has(name) && name !== 'postgres_active_connections'),
    ).toEqual([]);
  });
});

type Rule = { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } };
type RuleTest = { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] };

describe('the alert rules', () => {
  const { groups } = parse(read('vpsmon.rules.yml')) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s asks for metrics that exist', (_, rule) => {
    expectKnown(rule.expr);
    expect(['warning', 'critical']).toContain(rule.labels.severity);
    for (const [, label] of rule.annotations.summary.matchAll(/\$labels\.(\w+)/g))
      expect(['instance', ...metricsOf(rule.expr).flatMap(({ name }) => LABELS.get(name)!)]).toContain(label);
  });

  test('each has at least one firing and one silent case', () => {
    const { tests } = parse(read('vpsmon.rules.test.yml')) as { tests: RuleTest[] };
    const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    for (const { alert } of rules) {
      const mine = cases.filter(({ alertname }) => alertname === alert);
      expect(
        mine.some(({ exp_alerts }) => exp_alerts.length > 0),
        `${alert} fires`,
      ).toBe(true);
      expect(
        mine.some(({ exp_alerts }) => exp_alerts.length === 0),
        `${alert} is silent`,
      ).toBe(true);
    }
  });
});

test('the scrape example reads /metrics, and no file of samples', () => {
  const text = read('prometheus.yml');
  const config = parse(text) as {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  expect(config.scrape_configs).toEqual([
    { job_name: 'vpsmon', static_configs: [{ targets: ['127.0.0.1:8080'] }] },
  ]);
  expect(text).toContain('--collector.textfile.directory=/var/lib/vpsmon/metrics');
});
