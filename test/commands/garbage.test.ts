// H10: a server that is none of what was set, as every command meets it: a sentence and an exit code that means something.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { vpsmon } from '../helpers/daemon.ts';
import { startTcp } from '../helpers/tcp-server.ts';
import type { TcpServer } from '../helpers/tcp-server.ts';

let mad: TcpServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vpsmon-garbage-'));
  mad = await startTcp({ answer: '*-5\r\n$-7\r\n:abc\r\n,x\r\n' });
});
afterAll(async () => {
  await mad.close();
  rmSync(folder, { recursive: true, force: true });
});

// Each waits most of the time.
test.concurrent.each<[string[], number[], Record<string, string>?]>([
  [
    ['monitor', '--once'],
    [1, 2],
  ],
  [['doctor'], [2]],
  [['recover', '--dry-run'], [1]],
  // In a unit, 1 would also be what Node ends with where the program is gone: there it is a failure.
  [['recover', '--dry-run'], [0], { JOURNAL_STREAM: '8:1' }],
  [['report', 'console', '--dry-run'], [0]],
  [['export', '--stdout'], [0]],
])('%j', async (command, codes, more = {}) => {
  const stateDir = mkdtempSync(join(folder, 'state-'));
  const at = `127.0.0.1:${mad.port}`;
  const result = await vpsmon([...command, '--state-dir', stateDir], {
    env: {
      REDIS_URL: `redis://${at}`,
      POSTGRES_URL: `postgres://user:secret-enough@${at}/db`,
      N8N_URL: `http://${at}`,
      WAHA_URL: `http://${at}`,
      DOCKER_HOST: `tcp://${at}`,
      HTTP_LISTEN: '',
      ...more,
    },
  });
  const all = result.stdout + result.stderr;
  expect(codes, all).toContain(result.code);
  expect(all).not.toMatch(/should not happen|\bat .*\.js:|secret-enough/);
  if (command[0] === 'export') return;
  expect(all).toContain('does not speak HTTP');
  // A machine that is busy reaches the deadline first.
  if (command[0] !== 'recover')
    expect(all).toMatch(/Redis at [\d.:]+: it does not speak Redis|redis.*no answer within/i);
});
