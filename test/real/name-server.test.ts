// R7: a machine whose name server takes every question and answers none, as each command meets it. In a mount namespace of its own, for
// the name server of a machine stands in /etc/resolv.conf.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BIN } from '../helpers/daemon.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-dns-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A name server of its own for each command, so that they can wait for theirs at the same time. */
async function start(address: string, ...args: string[]) {
  let questions = 0;
  const silent = createSocket('udp4', () => questions++);
  await new Promise<void>((resolve) => silent.bind(53, address, resolve));
  const resolver = join(folder, `resolv-${address}.conf`);
  writeFileSync(resolver, `nameserver ${address}\n`);
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  const command = [process.execPath, BIN, ...args, '--state-dir', join(folder, `state-${address}`)];
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, resolver, ...command], {
    env: {
      PATH: process.env.PATH,
      TELEGRAM_BOT_TOKEN: '123456:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      TELEGRAM_CHAT_ID: '-1',
      TELEGRAM_API_ROOT: 'http://telegram.hangs.example',
      POSTGRES_URL: 'postgres://u:pw@postgres.hangs.example/d',
      REDIS_URL: 'redis://redis.hangs.example',
      N8N_URL: 'http://n8n.hangs.example',
      WAHA_URL: 'http://waha.hangs.example',
      HEARTBEAT_URL: 'http://heartbeat.hangs.example',
      DOCKER_HOST: 'unix:///nonexistent.sock',
      HTTP_LISTEN: '',
    },
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  void ended.then(() => silent.close());
  return { child, printed: () => printed, questions: () => questions, ended };
}

// Each source has 5 s, Telegram 8 s in doctor; what is above is room for a busy machine, and below the 80 s of before.
test.concurrent.each([
  ['127.77.0.53', ['monitor', '--once']],
  ['127.77.0.54', ['doctor']],
  ['127.77.0.55', ['recover']],
  ['127.77.0.56', ['report', 'telegram']],
  ['127.77.0.57', ['telegram', 'test']],
  ['127.77.0.58', ['export', '--stdout']],
])('R7: with the silent name server %s, %j ends within its deadlines', async (address, args) => {
  const began = performance.now();
  const run = await start(address, ...args);
  const [code] = await run.ended;
  expect(performance.now() - began, run.printed()).toBeLessThan(70_000);
  expect([0, 1, 2, 3], run.printed()).toContain(code);
  expect(run.printed()).not.toMatch(/should not happen/);
  if (args[0] !== 'export') expect(run.questions()).toBeGreaterThan(0);
});

test('R7: the monitor stops within 5 seconds while everybody waits for a name', async () => {
  for (const address of ['127.77.0.59', '127.77.0.60', '127.77.0.61', '127.77.0.62']) {
    const run = await start(address, 'monitor');
    try {
      await expect.poll(run.printed).toContain('Watching every');
      const before = run.questions();
      await expect.poll(run.questions).toBeGreaterThan(before);
      run.child.kill('SIGTERM');
      const ended = await run.ended;
      // After 5 seconds it gives up by itself: a machine that is too busy for its last steps gets another try.
      if (ended[0] === 3 && address !== '127.77.0.62') continue;
      expect(ended, run.printed()).toEqual([0, null]);
      return;
    } finally {
      run.child.kill('SIGKILL');
    }
  }
});
