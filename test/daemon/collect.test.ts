import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BIN } from '../helpers/daemon.ts';

test('the monitor collects its garbage every other minute, and the unit lets it', async () => {
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
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(120_000);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
