import { createServer, type Server } from 'node:http';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exportMetrics } from '../../src/commands/export.ts';
import { filterSection, renderPrometheus } from '../../src/outputs/prometheus/prometheus.ts';
import { createHistory } from '../../src/store/history/history.ts';
import { openStore } from '../../src/store/open.ts';
import { openOutbox } from '../../src/store/outbox.ts';
import { vpsmon } from '../helpers/daemon.ts';
import { commandContext, configWith } from '../helpers/command.ts';
import { fullInput, fullSnapshot } from '../helpers/full-snapshot.ts';

let stateDir: string;
let server: Server | undefined;
beforeEach(() => {
  stateDir = join(mkdtempSync(join(tmpdir(), 'vpsmon-export-')), 'state');
});
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = undefined;
  rmSync(join(stateDir, '..'), { recursive: true, force: true });
});

const promFile = () => join(stateDir, 'metrics/vpsmon.prom');

/** A monitor that answers with this on its socket. */
async function serve(body: string, status = 200, where: string | number = join(stateDir, 'monitor.sock')) {
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  server = createServer((request, response) => {
    response.statusCode = request.url === '/metrics' ? status : 404;
    response.end(body);
  });
  const listen = typeof where === 'number' ? { host: '127.0.0.1', port: where } : { path: where };
  await new Promise<void>((resolve) => server!.listen(listen, resolve));
  return server;
}

function contextWith(HTTP_LISTEN: string, options = {}) {
  return commandContext(configWith({ HTTP_LISTEN }, { stateDir }), options);
}

const never = () => Promise.reject(new Error('it must not read by itself'));

describe('with a running monitor', () => {
  test('its fresh reading is written, readable for node_exporter and whole', async () => {
    const text = renderPrometheus(fullInput(Date.now() - 12_000));
    await serve(text);
    const { context, out, err } = contextWith('127.0.0.1:1');
    expect(await exportMetrics(context, 'all', false, never)).toBe(0);
    expect(readFileSync(promFile(), 'utf8')).toBe(text);
    expect(statSync(promFile()).mode & 0o777).toBe(0o644);
    expect(statSync(join(stateDir, 'metrics')).mode & 0o777).toBe(0o755);
    expect(statSync(stateDir).mode & 0o777).toBe(0o711);
    expect(readdirSync(join(stateDir, 'metrics'))).toEqual(['vpsmon.prom']);
    expect(out()).toMatch(/^Wrote .*vpsmon\.prom: \d+ samples from the running monitor, \d+ s old\n$/);
    expect(err()).toBe('');
    // No database was needed for it.
    expect(existsSync(join(stateDir, 'vpsmon.db'))).toBe(false);
  });

  test.each(['waha', 'n8n', 'leads', 'host', 'containers', 'postgres', 'redis'] as const)(
    'section %s alone, printed',
    async (section) => {
      const input = fullInput(Date.now());
      await serve(renderPrometheus(input));
      const { context, out } = contextWith('127.0.0.1:1');
      expect(await exportMetrics(context, section, true, never)).toBe(0);
      expect(out()).toBe(filterSection(renderPrometheus(input), section));
      expect(existsSync(promFile())).toBe(false);
    },
  );

  test('that has not looked for minutes is not believed, nor is what is no monitor', async () => {
    for (const body of [renderPrometheus(fullInput(Date.now() - 600_000)), 'hello', '']) {
      await serve(body);
      const { context, out } = contextWith('127.0.0.1:1');
      expect(await exportMetrics(context, 'host', true, async () => fullSnapshot(Date.now()))).toBe(0);
      expect(out()).toContain('memory_pressure_score 12.5');
      server!.close();
    }
  });
});

test('a unit with a configuration that cannot be used goes on exporting what the running monitor measures', async () => {
  const text = renderPrometheus(fullInput(Date.now()));
  await serve(text);
  const config = join(stateDir, 'monitor.conf');
  writeFileSync(config, 'SERVICE_CHECK_INTERVAL=often\n', { mode: 0o600 });
  const line = ['export', 'all', '--config', config, '--state-dir', stateDir];
  const done = await vpsmon(line);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(done.stdout).toMatch(/^Wrote .*vpsmon\.prom: \d+ samples from the running monitor, \d+ s old\n$/);
  expect(readFileSync(promFile(), 'utf8')).toBe(text);
  // A file that is not there is a mistyped name, and without a monitor the settings are needed.
  rmSync(config);
  expect(await vpsmon(line)).toMatchObject({ code: 3, stdout: '' });
  writeFileSync(config, 'SERVICE_CHECK_INTERVAL=often\n', { mode: 0o600 });
  server!.close();
  server!.closeAllConnections();
  expect(await vpsmon(line)).toMatchObject({ code: 3, stdout: '' });
});

test("R4: who listens on the monitor's port is not believed, however fresh his numbers are", async () => {
  const forged = renderPrometheus(fullInput(Date.now())).replace(
    /^memory_pressure_score .*$/m,
    'memory_pressure_score 66.6',
  );
  const stranger = await serve(forged, 200, 0);
  const { port } = stranger.address() as AddressInfo;
  const { context, out } = contextWith(`127.0.0.1:${port}`);
  expect(await exportMetrics(context, 'all', false, async () => fullSnapshot(Date.now()))).toBe(0);
  expect(out()).toContain('read just now');
  expect(readFileSync(promFile(), 'utf8')).toContain('memory_pressure_score 12.5\n');
});

test('U10: says nothing in the journal, where it runs once a minute', async () => {
  await serve(renderPrometheus(fullInput(Date.now())));
  const { context, out, err } = contextWith('');
  context.env = { ...context.env, JOURNAL_STREAM: '8:1' };
  delete context.io.wrapAt;
  expect(await exportMetrics(context, 'all', false, never)).toBe(0);
  expect(out() + err()).toBe('');
  expect(existsSync(promFile())).toBe(true);
});

describe('without one', () => {
  test('it reads by itself, and the counters go on from the store', async () => {
    const store = openStore(stateDir, Date.now());
    const outbox = openOutbox(store.db);
    for (let i = 0; i < 3; i++)
      outbox.enqueue({
        at: Date.now(),
        severity: 'critical',
        kind: 'memory-pressure',
        subject: 'host',
        html: 'x',
      });
    store.close();
    const { context, out } = contextWith('127.0.0.1:1');
    let read = 0;
    const collect = async () => {
      read++;
      return fullSnapshot(Date.now());
    };
    expect(await exportMetrics(context, 'all', false, collect)).toBe(0);
    expect(read).toBe(1);
    expect(out()).toContain('read just now');
    const text = readFileSync(promFile(), 'utf8');
    expect(text).toContain('alerts_total{severity="critical"} 3\n');
    expect(text).toContain('vpsmon_source_up{source="host"} 1\n');
    expect(text).not.toContain('vpsmon_checks_total');
  });

  test('whose HTTP is switched off, the check that it saved a minute ago is used', async () => {
    const store = openStore(stateDir, Date.now());
    const history = createHistory(store.db);
    history.add(fullSnapshot(Date.now() - 40_000));
    history.flush(Date.now(), true);
    store.close();
    const { context, out } = contextWith('');
    expect(await exportMetrics(context, 'all', false, never)).toBe(0);
    expect(out()).toMatch(/from the last check of the monitor, 4\d s old/);
  });

  test('the lost state folder begins the counters anew', async () => {
    const { context, out } = contextWith('');
    expect(await exportMetrics(context, 'all', true, async () => fullSnapshot(Date.now()))).toBe(0);
    expect(out()).toContain('alerts_total{severity="warning"} 0\n');
  });
});

describe('wrong usage and a folder that cannot be written', () => {
  test('an unknown section is an error with what was probably meant', async () => {
    const { context, err } = contextWith('');
    expect(await exportMetrics(context, 'postgress', false, never)).toBe(3);
    expect(err()).toBe('vpsmon: there is no section "postgress": did you mean postgres?\n');
    const other = contextWith('');
    expect(await exportMetrics(other.context, 'everything', false, never)).toBe(3);
    expect(other.err()).toContain('all, waha, n8n, leads, host, containers, postgres, redis');
  });

  test('--dry-run says what it would write, and writes nothing', async () => {
    await serve(renderPrometheus(fullInput(Date.now())));
    const { context, out } = contextWith('127.0.0.1:1', { dryRun: true });
    expect(await exportMetrics(context, 'redis', false, never)).toBe(0);
    expect(out()).toContain(`Would write ${promFile()}: 7 samples from the running monitor`);
    expect(readdirSync(stateDir)).toEqual(['monitor.sock']);
  });

  test('a place that is taken by a file is an error, and nothing is left behind', async () => {
    const { context, err } = contextWith('127.0.0.1:1');
    context.config.stateDir = '/dev/null/state';
    const collect = async () => fullSnapshot(Date.now());
    expect(await exportMetrics(context, 'all', false, collect)).toBe(3);
    expect(err()).toMatch(/cannot be written: .*ENOTDIR/);
  });

  test('an old file stays when the new one cannot be finished', async () => {
    await serve(renderPrometheus(fullInput(Date.now())));
    const first = contextWith('');
    await exportMetrics(first.context, 'all', false, never);
    const before = readFileSync(promFile(), 'utf8');
    rmSync(promFile());
    // A folder under that name cannot be replaced by a file, not even by root.
    mkdirSync(promFile());
    writeFileSync(join(promFile(), 'in-the-way'), before);
    const second = contextWith('');
    expect(await exportMetrics(second.context, 'all', false, never)).toBe(3);
    expect(readdirSync(join(stateDir, 'metrics'))).toEqual(['vpsmon.prom']);
  });
});
