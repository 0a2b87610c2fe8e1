import { describe, expect, test } from 'vitest';
import { METRICS, metricsMarkdown } from '../../src/outputs/prometheus/metrics-table.ts';
import { SECTIONS } from '../../src/model/sources/source.ts';
import { filterSection, renderPrometheus } from '../../src/outputs/prometheus/prometheus.ts';
import { fullInput, metricsOfFull } from '../helpers/full-snapshot.ts';
import { containerInfo, emptySnapshot } from '../helpers/snapshots.ts';

const AT = Date.UTC(2026, 0, 31, 8, 0, 0);
const EMPTY = { version: '1.2.3', counts: { info: 0, warning: 0, critical: 0 }, openIncidents: [] };

/** The samples as `name{labels}` -> value. */
function samplesOf(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

function names(text: string): Set<string> {
  return new Set(Object.keys(samplesOf(text)).map((series) => series.split('{', 1)[0]!));
}

describe('the names', () => {
  test('known from before are there with exactly their labels', () => {
    expect(samplesOf(renderPrometheus(fullInput(AT)))).toMatchObject({
      'waha_session_status{status="connected"}': 1,
      'waha_session_status{status="disconnected"}': 1,
      'n8n_workflow_executions{status="active"}': 3,
      'n8n_workflow_executions{status="waiting"}': 1,
      'n8n_workflow_executions{status="completed"}': 250,
      'n8n_workflow_executions{status="failed"}': 5,
      lead_count: 4711,
      memory_pressure_score: 12.5,
      'container_memory_bytes{container="n8n"}': 125_829_120,
      'container_cpu_percent{container="n8n"}': 1.5,
      postgres_cache_hit_ratio: 99.1,
      postgres_active_connections: 2,
      postgres_database_size_bytes: 67_108_864,
      redis_memory_bytes: 3_145_728,
      redis_total_keys: 321,
      redis_connected_clients: 4,
      swap_used_bytes: 104_857_600,
      swap_total_bytes: 2_147_483_648,
      swap_in_kbps: 120,
      swap_out_kbps: 30,
      'alerts_total{severity="critical"}': 1,
      'alerts_total{severity="warning"}': 5,
      'alerts_total{severity="info"}': 12,
    });
  });

  test('of what others do in PostgreSQL nothing is 0 where it is not seen', () => {
    const input = fullInput(AT);
    const { postgres } = input.snapshot!.readings;
    if (postgres.state !== 'ok') throw new Error('no PostgreSQL');
    delete postgres.value.longestTransactionSec;
    const text = renderPrometheus(input);
    expect(text).not.toContain('postgres_active_connections');
    expect(text).not.toMatch(/vpsmon_postgres_connections\{state="(?:active|idle_in_transaction)"/);
    expect(text).toMatch(/vpsmon_postgres_connections\{state="other"/);
  });

  test('of the table are all written, and nothing is written that is not in it', () => {
    const written = names(renderPrometheus(fullInput(AT)));
    const table = metricsOfFull().map(({ name }) => name);
    expect([...written].filter((name) => name !== 'orders_open').toSorted()).toEqual(table.toSorted());
    expect(new Set(table).size).toBe(table.length);
  });

  test('have HELP and TYPE, once and before their samples, and the labels of the table', () => {
    const text = renderPrometheus(fullInput(AT));
    let current = '';
    const seen = new Set<string>();
    for (const line of text.trimEnd().split('\n')) {
      const help = /^# HELP (\S+) \S/.exec(line);
      if (help) {
        expect(seen.has(help[1]!)).toBe(false);
        seen.add((current = help[1]!));
        continue;
      }
      if (line.startsWith('#')) {
        expect(line).toMatch(new RegExp(`^# TYPE ${current} (gauge|counter)$`));
        continue;
      }
      const [, name, labels] = /^([a-z0-9_]+)(?:\{(.*)\})? \S+$/.exec(line)!;
      expect(name).toBe(current);
      const metric = METRICS.find((entry) => entry.name === name);
      if (!metric) continue;
      const given = [...(labels ?? '').matchAll(/(?:^|,)(\w+)="/g)].map((match) => match[1]);
      expect(given).toEqual(metric.labels);
    }
    expect(seen.size).toBe(metricsOfFull().length + 1);
  });

  test('are all in the table for people', () => {
    const markdown = metricsMarkdown();
    for (const { name, help } of METRICS) {
      expect(markdown).toContain(`\`${name}`);
      expect(markdown).toContain(help);
    }
  });
});

describe('what is not there', () => {
  test('has no sample, and a source that failed says so', () => {
    const snapshot = emptySnapshot(AT, {
      postgres: { state: 'failed', why: 'connection refused', tookMs: 7 },
      pressure: { state: 'failed', why: 'unreadable', tookMs: 0.25 },
    });
    const text = renderPrometheus({ ...EMPTY, snapshot });
    expect(samplesOf(text)).toEqual({
      'alerts_total{severity="critical"}': 0,
      'alerts_total{severity="warning"}': 0,
      'alerts_total{severity="info"}': 0,
      'vpsmon_incidents_open{severity="critical"}': 0,
      'vpsmon_incidents_open{severity="warning"}': 0,
      'vpsmon_incidents_open{severity="info"}': 0,
      'vpsmon_source_up{source="pressure"}': 0,
      'vpsmon_source_up{source="postgres"}': 0,
      'vpsmon_source_read_seconds{source="pressure"}': 0.00025,
      'vpsmon_source_read_seconds{source="postgres"}': 0.007,
      vpsmon_last_check_timestamp_seconds: AT / 1000,
      vpsmon_last_check_duration_seconds: 0.012,
      'vpsmon_build_info{version="1.2.3"}': 1,
    });
    expect(text).not.toContain('connection refused');
  });

  test('before the first check there are the counters only', () => {
    expect([...names(renderPrometheus(EMPTY))]).toEqual([
      'alerts_total',
      'vpsmon_incidents_open',
      'vpsmon_build_info',
    ]);
  });

  test('a container that does not run has no memory, and one without a limit no limit', () => {
    const samples = samplesOf(
      renderPrometheus({
        ...EMPTY,
        snapshot: emptySnapshot(AT, {
          docker: {
            state: 'ok',
            tookMs: 1,
            value: {
              version: '28',
              apiVersion: '1.48',
              containers: [withoutMemory()],
            },
          },
        }),
      }),
    );
    expect(samples).toMatchObject({
      'vpsmon_container_running{container="redis"}': 0,
      'vpsmon_containers{state="running"}': 0,
      'vpsmon_containers{state="exited"}': 1,
    });
    expect(Object.keys(samples).join()).not.toMatch(/container_memory|limit|start_time|healthy/);
  });

  function withoutMemory() {
    const { memory: _memory, cpuPercent: _cpu, ...rest } = containerInfo('redis', { state: 'exited' });
    return rest;
  }

  test('the cache ratio of the whole life is given only where nobody measures intervals', () => {
    const input = fullInput(AT);
    const { postgres } = input.snapshot.readings;
    if (postgres.state === 'ok') delete postgres.value.cacheHitPercent;
    expect(samplesOf(renderPrometheus(input))).not.toHaveProperty('postgres_cache_hit_ratio');
    const { daemon: _daemon, ...once } = input;
    expect(samplesOf(renderPrometheus(once))).toHaveProperty('postgres_cache_hit_ratio', 97.5);
  });
});

describe('hostile text', () => {
  test('quotes, newlines, backslashes, control characters and half characters stay inside their label', () => {
    const name = 'a"b\\c\nd\u0000e\r\u001b[31m \ud800 \u{1f980} é';
    const text = renderPrometheus({
      ...EMPTY,
      openIncidents: fullInput(AT).openIncidents.map((incident) => ({ ...incident, subject: name })),
    });
    const line = text.split('\n').find((candidate) => candidate.startsWith('vpsmon_incident_open{'));
    expect(line).toBe(
      'vpsmon_incident_open{rule="memory-available",subject="a\\"b\\\\c\\nd\ufffde\ufffd\ufffd[31m \ufffd \u{1f980} é",severity="warning"} 1',
    );
    expect(text.isWellFormed()).toBe(true);
  });

  test('S3: nothing in a label breaks a line, hides or turns the text around; joiners that a language needs stay', () => {
    const incidents = fullInput(AT).openIncidents;
    const subject = 'a\u2028b\u2029c\u0085d\u202ee\u200bf\ufeffg\u200d';
    const text = renderPrometheus({ ...EMPTY, openIncidents: incidents.map((one) => ({ ...one, subject })) });
    expect(text).toContain('subject="a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\u200d"');
  });

  test('the same series comes once, or Prometheus would refuse everything', () => {
    const input = fullInput(AT);
    const { docker } = input.snapshot.readings;
    if (docker.state === 'ok') docker.value.containers.push(containerInfo('n8n'));
    const text = renderPrometheus(input);
    expect(text.match(/^container_memory_bytes\{container="n8n"\}/gm)).toHaveLength(1);
  });

  test('numbers that are none', () => {
    const input = fullInput(AT);
    const { sql } = input.snapshot.readings;
    if (sql.state !== 'ok') throw new Error('the fixture has SQL metrics');
    const values = [Infinity, -Infinity, Number.NaN, 1e21, -0.5];
    sql.value.samples = values.map((value, i) => ({ name: 'odd', help: '', labels: { i: `${i}` }, value }));
    expect(filterSection(renderPrometheus(input), 'leads')).toContain(
      '# HELP odd SQL metric odd.\n# TYPE odd gauge\nodd{i="0"} +Inf\nodd{i="1"} -Inf\nodd{i="3"} 1e+21\nodd{i="4"} -0.5\n',
    );
  });
});

describe('SQL metrics', () => {
  test('under their own names, in one block each, and their help cannot break out', () => {
    const input = fullInput(AT);
    const { sql } = input.snapshot.readings;
    if (sql.state !== 'ok') throw new Error('the fixture has SQL metrics');
    sql.value.samples = [
      { name: 'orders', help: 'Orders\nby \\ shop', labels: { shop: 'a' }, value: 1 },
      { name: 'lead_count', help: 'x', labels: {}, value: 2 },
      { name: 'orders', help: 'Orders', labels: { shop: 'b', 'bad-label': 'x', __name__: 'up' }, value: 3 },
    ];
    expect(filterSection(renderPrometheus(input), 'leads')).toBe(
      '# HELP lead_count Number of leads: rows of the tables with "lead" in their name, or what vpsmon.yaml asks for.\n' +
        '# TYPE lead_count gauge\nlead_count 2\n' +
        '# HELP vpsmon_sql_metric_up 1 while the query of an SQL metric gives usable numbers, else 0.\n' +
        '# TYPE vpsmon_sql_metric_up gauge\nvpsmon_sql_metric_up{metric="orders_broken"} 0\n' +
        'vpsmon_sql_metric_up{metric="orders"} 1\nvpsmon_sql_metric_up{metric="lead_count"} 1\n' +
        '# HELP orders Orders\\nby \\\\ shop\n# TYPE orders gauge\norders{shop="a"} 1\norders{shop="b"} 3\n',
    );
  });

  test('that would be one of ours are left out, and said to be broken', () => {
    const input = fullInput(AT);
    const { sql } = input.snapshot.readings;
    if (sql.state !== 'ok') throw new Error('the fixture has SQL metrics');
    sql.value.samples = [{ name: 'redis_total_keys', help: '', labels: { evil: '1' }, value: 666 }];
    const text = renderPrometheus(input);
    expect(text).not.toContain('666');
    expect(text).toContain('vpsmon_sql_metric_up{metric="redis_total_keys"} 0\n');
  });
});

describe('sections', () => {
  test.each(SECTIONS)('%s has its metrics, and no other ones', (section) => {
    const part = names(filterSection(renderPrometheus(fullInput(AT)), section));
    const own = metricsOfFull()
      .filter((metric) => metric.section === section)
      .map(({ name }) => name);
    expect([...part].filter((name) => name !== 'orders_open').toSorted()).toEqual(own.toSorted());
    expect(part.has('orders_open')).toBe(section === 'leads');
  });

  test('of an empty answer are empty', () => {
    expect(filterSection('', 'host')).toBe('');
  });
});
