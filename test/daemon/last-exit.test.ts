import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { judgeLastExit, takeLastExit } from '../../src/daemon/last-exit.ts';

// $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS, as the unit's ExecStopPost writes them.
it.each([
  ['watchdog dumped ABRT\n', /hung: no check was finished/],
  ['watchdog killed KILL\n', /hung: no check was finished/],
  ['oom-kill killed KILL\n', /killed for its memory/],
  ['signal killed KILL\n', /ended by the signal KILL\./],
  ['core-dump dumped SEGV\n', /ended by the signal SEGV, a crash/],
  ['exit-code exited 3\n', /ended with exit code 3/],
  ['timeout killed TERM\n', /did not start or stop in time/],
  ['protocol exited 0\n', /ended unexpectedly \(protocol exited 0\)/],
])('%j is told', (text, expected) => {
  expect(judgeLastExit(text)).toMatchObject({
    rule: 'watcher-replaced',
    verdict: 'event',
    text: expect.stringMatching(expected),
  });
});

it.each([undefined, '', 'success exited 0\n', 'success killed TERM\n'])('%j is nothing to tell', (text) => {
  expect(judgeLastExit(text)).toBeUndefined();
});

it('is told once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpsmon-exit-'));
  const path = join(folder, 'last-exit');
  writeFileSync(path, 'signal killed KILL\n');
  expect(takeLastExit(folder)).toBeDefined();
  expect(existsSync(path)).toBe(false);
  expect(takeLastExit(folder)).toBeUndefined();
  rmSync(folder, { recursive: true });
});
