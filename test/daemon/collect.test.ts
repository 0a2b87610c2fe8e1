import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BIN } from '../helpers/daemon.ts';

test('the monitor collects its garbage after the first check and once a minute, and the unit lets it', async () => {
  const unit = readFileSync(new URL('../../systemd/vps-monitor.service', import.meta.url), 'utf8');
  expect(unit).toMatch(/^ExecStart=.* --expose-gc /m);
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-collect-'));
  const clock = new URL('../bench/clock.js', import.meta.url).pathname;
  const counted = "globalThis.gc = () => process.stderr.write('collected at ' + performance.now() + '\\n')";
  const child = spawn(
    process.execPath,
    ['--import', clock, '--import', `data:text/javascript,${counted}`, BIN, 'monitor', '--state-dir', folder],
    {
      env: {
        PATH: process.env['PATH'],
        FASTER: '100',
        HTTP_LISTEN: '',
        DOCKER_HOST: `unix://${folder}/none`,
      },
    },
  );
  const ended = once(child, 'close');
  try {
    const times = await new Promise<number[]>((resolve, reject) => {
      let log = '';
      child.stderr.on('data', (chunk: Buffer) => {
        log += chunk.toString();
        const seen = [...log.matchAll(/^collected at (\S+)$/gm)].map(([, at]) => Number(at));
        if (seen.length >= 2) resolve(seen);
      });
      child.once('exit', () => reject(new Error(log)));
    });
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(60_000);
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the monitor holds no cache of 256 KB of numbers as text', async () => {
  const unit = readFileSync(new URL('../../systemd/vps-monitor.service', import.meta.url), 'utf8');
  const flags = /^ExecStart=\S*@NODE@ (.*?) @LIB@/m.exec(unit)![1]!.split(' ');
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-collect-'));
  // V8 begins with it, and takes one that fits to the nursery where it may.
  const shown = `import v8 from 'node:v8'; const { gc } = globalThis; globalThis.gc = () => {
    gc();
    const large = v8.getHeapSpaceStatistics().find((space) => space.space_name === 'large_object_space');
    process.stderr.write('large ' + large.space_used_size + '\\n', () => process.exit(0));
  }`;
  const child = spawn(
    process.execPath,
    [
      ...flags,
      '--import',
      new URL('../bench/clock.js', import.meta.url).pathname,
      '--import',
      `data:text/javascript,${encodeURIComponent(shown)}`,
      BIN,
      'monitor',
      '--state-dir',
      folder,
    ],
    {
      env: {
        PATH: process.env['PATH'],
        FASTER: '100',
        HTTP_LISTEN: '',
        DOCKER_HOST: `unix://${folder}/none`,
      },
    },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await once(child, 'close');
  rmSync(folder, { recursive: true, force: true });
  expect(log).toMatch(/^large \d+$/m);
  expect(Number(/^large (\d+)$/m.exec(log)![1])).toBeLessThan(200_000);
});

test('the database is opened without a diagnostic report of Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-collect-'));
  const forbid = 'process.report.getReport = () => process.exit(99)';
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${forbid}`, BIN, 'monitor', '--once', '--state-dir', folder],
    {
      env: { PATH: process.env['PATH'], HTTP_LISTEN: '', DOCKER_HOST: `unix://${folder}/none` },
      encoding: 'utf8',
    },
  );
  rmSync(folder, { recursive: true, force: true });
  expect(status, stdout + stderr).not.toBe(99);
  expect(stdout).toMatch(/Docker/);
});
