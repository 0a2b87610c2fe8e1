import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { renderPrometheus } from '../../src/outputs/prometheus/prometheus.ts';
import { writeAtomically } from '../../src/system/write-file.ts';
import { startDaemon, until, vpsmon, type Daemon } from '../helpers/daemon.ts';
import { freePort } from '../helpers/free-port.ts';
import { fullInput, openIncident, metricsOfFull } from '../helpers/full-snapshot.ts';
import { startOwn, type OwnProcess } from '../helpers/own-process.ts';

const CONFIG = fileURLToPath(new URL('../../config/prometheus/', import.meta.url));
const HOSTILE = 'a "quoted"\\back\nslash \u0000 \ud800 \u{1f980} é';

function promtool(args: string[], input = ''): { code: number; output: string } {
  needs('/usr/bin/promtool', 'prometheus');
  const { status, stdout, stderr } = spawnSync('/usr/bin/promtool', args, { input, encoding: 'utf8' });
  return { code: status ?? -1, output: stdout + stderr };
}

function needs(program: string, debianPackage: string): void {
  if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install ${debianPackage}`);
}

describe('promtool', () => {
  test('has no complaint about the new names, and one about a name from before', () => {
    const { output } = promtool(['check', 'metrics'], renderPrometheus(fullInput(Date.now())));
    const complaints = output.split('\n').filter((line) => line.trim() !== '');
    // lead_count stays as it was: dashboards know it so. Nothing else is complained about.
    expect(complaints).toEqual([
      'lead_count non-histogram and non-summary metrics should not have "_count" suffix',
    ]);
  });

  test('accepts hostile labels and help', () => {
    const input = fullInput(Date.now());
    input.openIncidents = [openIncident({ subject: HOSTILE })];
    const { sql } = input.snapshot.readings;
    if (sql.state === 'ok')
      sql.value.samples = [{ name: 'orders', help: HOSTILE, labels: { shop: HOSTILE }, value: 1 }];
    const { code, output } = promtool(['check', 'metrics'], renderPrometheus(input));
    expect(output).toBe('');
    expect(code).toBe(0);
  });

  test('accepts the scrape example and the rules; every rule fires and is silent where it should', () => {
    expect(promtool(['check', 'config', join(CONFIG, 'prometheus.yml')])).toMatchObject({ code: 0 });
    expect(promtool(['check', 'rules', join(CONFIG, 'vpsmon.rules.yml')])).toMatchObject({ code: 0 });
    const tested = promtool(['test', 'rules', join(CONFIG, 'vpsmon.rules.test.yml')]);
    expect(tested.output).toContain('SUCCESS');
    expect(tested.code).toBe(0);
  });

  test('and its test of the rules can fail', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vpsmon-rules-'));
    const rules = readFileSync(join(CONFIG, 'vpsmon.rules.yml'), 'utf8');
    writeFileSync(
      join(folder, 'vpsmon.rules.yml'),
      rules.replace('swap_in_kbps > 5000', 'swap_in_kbps > 500'),
    );
    const all = parse(readFileSync(join(CONFIG, 'vpsmon.rules.test.yml'), 'utf8')) as {
      tests: { name: string }[];
    };
    const tests = all.tests.filter(({ name }) => name.startsWith('SwapThrashingCritical'));
    expect(tests).toHaveLength(2);
    writeFileSync(join(folder, 'vpsmon.rules.test.yml'), JSON.stringify({ ...all, tests }));
    const { code, output } = promtool(['test', 'rules', join(folder, 'vpsmon.rules.test.yml')]);
    rmSync(folder, { recursive: true });
    expect(code).not.toBe(0);
    expect(output).toContain('SwapThrashingCritical');
  });
});

describe('a real Prometheus and a real node_exporter', () => {
  let folder: string;
  let monitor: Daemon;
  let hostile: Server;
  const started: OwnProcess[] = [];
  let prometheusPort: number;

  beforeAll(async () => {
    needs('/usr/bin/prometheus', 'prometheus');
    needs('/usr/bin/prometheus-node-exporter', 'prometheus-node-exporter');
    folder = mkdtempSync(join(tmpdir(), 'vpsmon-prometheus-'));
    chmodSync(folder, 0o755);
    monitor = await startDaemon(
      { DOCKER_HOST: 'unix:///nonexistent/docker.sock' },
      undefined,
      join(folder, 'state'),
    );
    // With a later check where a busy machine was too late for the first.
    const memory = async () => /^vpsmon_memory_total_bytes \d/m.test((await monitor.get('/metrics')).body);
    await until(memory, 'the memory of the host');
    const exported = await vpsmon(['export', '--config', monitor.conf, '--state-dir', monitor.stateDir]);
    expect(exported).toMatchObject({ code: 0, stderr: '' });
    expect(exported.stdout).toContain('from the running monitor');

    hostile = createServer((_, response) => {
      const input = fullInput(Date.now());
      input.openIncidents = [openIncident({ subject: HOSTILE })];
      response.end(renderPrometheus(input));
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));

    const nodePort = await freePort();
    // As Debian runs it: another user, who may enter the state folder but read nothing else of it.
    chmodSync(monitor.stateDir, 0o711);
    started.push(
      startOwn(
        '/usr/bin/prometheus-node-exporter',
        [
          '--collector.disable-defaults',
          '--collector.textfile',
          `--collector.textfile.directory=${join(monitor.stateDir, 'metrics')}`,
          `--web.listen-address=127.0.0.1:${nodePort}`,
        ],
        'prometheus',
      ),
    );
    prometheusPort = await freePort();
    const job = (name: string, port: number) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    });
    writeFileSync(
      join(folder, 'prometheus.yml'),
      JSON.stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s' },
        scrape_configs: [
          job('vpsmon', monitor.port),
          job('node', nodePort),
          job('hostile', (hostile.address() as AddressInfo).port),
        ],
      }),
    );
    mkdirSync(join(folder, 'data'));
    chmodSync(join(folder, 'data'), 0o777);
    started.push(
      startOwn(
        '/usr/bin/prometheus',
        [
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=127.0.0.1:${prometheusPort}`,
        ],
        'prometheus',
      ),
    );
    await until(
      async () => (await query('up')).filter(({ value }) => value === 1).length === 3,
      'three good scrapes',
    ).catch(async (error: unknown) => {
      const targets = await fetch(`http://127.0.0.1:${prometheusPort}/api/v1/targets`).then(
        (answer) => answer.text(),
        String,
      );
      throw new Error(`${String(error)}\n${targets}\n${started.map((own) => own.output()).join('\n')}`);
    });
  });
  afterAll(async () => {
    await Promise.all(started.map((process) => process.end()));
    hostile?.close();
    hostile?.closeAllConnections();
    await monitor?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  type Result = { metric: Record<string, string>; value: number };
  async function query(expression: string): Promise<Result[]> {
    const url = `http://127.0.0.1:${prometheusPort}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const answer = await fetch(url).catch(() => undefined);
    if (!answer?.ok) return [];
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** What there is of it, if need be after the next scrape: one that came too late ends all series. */
  function found(expression: string): Promise<Result[]> {
    return until(async () => {
      const results = await query(expression);
      return results.length > 0 && results;
    }, expression);
  }

  test('the values of /metrics are in it', async () => {
    const meminfo = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))!;
    expect(await found('vpsmon_memory_total_bytes{job="vpsmon"}')).toMatchObject([
      { value: Number(meminfo[1]) * 1024 },
    ]);
    const [age] = await found('time() - vpsmon_last_check_timestamp_seconds{job="vpsmon"}');
    expect(age!.value).toBeLessThan(120);
    await expect
      .poll(() => query('vpsmon_source_up{job="vpsmon",source="host"}'))
      .toMatchObject([{ value: 1 }]);
    // Docker is not there: no sample instead of a zero.
    expect(await query('vpsmon_containers{job="vpsmon"}')).toEqual([]);
    const checks = await found('vpsmon_checks_total{job="vpsmon"}');
    expect(checks[0]!.value).toBeGreaterThanOrEqual(1);
  });

  test('the textfile of `export` is served by node_exporter', async () => {
    const [direct] = await found('vpsmon_memory_total_bytes{job="vpsmon"}');
    expect(await found('vpsmon_memory_total_bytes{job="node"}')).toMatchObject([{ value: direct!.value }]);
    expect(await found('alerts_total{job="node"}')).toHaveLength(3);
    expect(await found('node_textfile_scrape_error{job="node"}')).toMatchObject([{ value: 0 }]);
  });

  test('names with quotes, newlines, backslashes and half characters arrive', async () => {
    const [incident] = await found('vpsmon_incident_open{job="hostile"}');
    expect(incident!.metric.subject).toBe('a "quoted"\\back\nslash \ufffd \ufffd \u{1f980} é');
  });

  test('all metrics of the table are there under their names', async () => {
    await expect
      .poll(async () => {
        const present = new Set((await query('{job="hostile"}')).map(({ metric }) => metric.__name__));
        return metricsOfFull()
          .map(({ name }) => name)
          .filter((name) => !present.has(name));
      })
      .toEqual([]);
  });

  test('alerts are counted on over a restart', async () => {
    const warnings = async () => {
      const { body } = await monitor.get('/metrics');
      return Number(/^alerts_total\{severity="warning"\} (\d+)$/m.exec(body)?.[1]);
    };
    const before = await until(warnings, 'a warning');
    await monitor.stop();
    await monitor.start();
    expect(await warnings()).toBeGreaterThanOrEqual(before);
    // What was counted by the process itself begins anew, as Prometheus expects of it.
    // A scrape may have found nobody in between: then Prometheus forgets the series until the next one.
    const [checks] = await found('vpsmon_checks_total{job="vpsmon"}');
    expect(checks!.value).toBeGreaterThanOrEqual(1);
  });
});

test('10,000 reads of the file while it is rewritten are never torn', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-torn-'));
  const path = join(folder, 'vpsmon.prom');
  const texts = [fullInput(Date.now()), { ...fullInput(0), openIncidents: [] }].map((input) =>
    renderPrometheus(input),
  );
  expect(texts[0]!.length).not.toBe(texts[1]!.length);
  const sums = texts.map((text) => createHash('sha256').update(text).digest('hex'));
  writeAtomically(path, texts[0]!, 0o644);
  const enough = join(folder, 'enough');
  const reader = `
    const { existsSync, readFileSync } = require('node:fs');
    const { createHash } = require('node:crypto');
    const seen = {};
    for (let i = 0; i < 10000 || !existsSync(${JSON.stringify(enough)}); i++) {
      const sum = createHash('sha256').update(readFileSync(${JSON.stringify(path)})).digest('hex');
      seen[sum] = (seen[sum] ?? 0) + 1;
    }
    console.log(JSON.stringify(seen));`;
  const child = promisify(execFile)(process.execPath, ['-e', reader]);
  const finished = new AbortController();
  void child.finally(() => finished.abort()).catch(() => {});
  let writes = 0;
  for (; !finished.signal.aborted; writes++) {
    writeAtomically(path, texts[writes % 2]!, 0o644);
    if (writes === 200) writeFileSync(enough, '');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seen = JSON.parse((await child).stdout) as Record<string, number>;
  rmSync(folder, { recursive: true });
  expect(Object.keys(seen).toSorted()).toEqual(sums.toSorted());
  expect(Object.values(seen).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(10_000);
});
