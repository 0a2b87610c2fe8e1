import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runOwnCommand } from '../../src/system/own-command.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/vpsmon.js', import.meta.url));
const SECRET = '123456789:AAsecretsecretsecretsecretsecret';
let dir: string;
/** Starts what follows `--` as systemd does: with nothing of the caller's environment but what it was told to set. */
const SYSTEMD_RUN = `#!/bin/sh
printf '%s\\n' "$@" >"$LIST"
set_ones=""
while [ "$1" != "--" ]; do
  case "$1" in --setenv=*) set_ones="$set_ones \${1#--setenv=}" ;; esac
  shift
done
shift
exec /usr/bin/env -i $set_ones "$@"
`;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-own-'));
  writeFileSync(join(dir, 'systemd-run'), SYSTEMD_RUN);
  chmodSync(join(dir, 'systemd-run'), 0o755);
  for (const [name, value] of Object.entries({
    PATH: `${dir}:${process.env.PATH}`,
    LIST: join(dir, 'arguments'),
    SERVER_NAME: 'shop "1" $HOME',
    TELEGRAM_BOT_TOKEN: SECRET,
    INVOCATION_ID: 'a'.repeat(32),
    NOTIFY_SOCKET: '/run/systemd/notify',
  }))
    vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

describe('the program, started for somebody on the phone', () => {
  it.each([true, false])(
    'has the settings of the environment of its unit; systemd: %s',
    async (underSystemd) => {
      const result = await runOwnCommand(['config', 'show', '--state-dir', dir], 60_000, {
        program: PROGRAM,
        underSystemd,
      });
      expect(result).toMatchObject({ exitCode: 0 });
      expect(result.stdout).toMatch(/SERVER_NAME=.*shop .*1.*HOME/);
      if (!underSystemd) return;
      // Arguments and environment of a unit can be read by every user.
      const list = readFileSync(join(dir, 'arguments'), 'utf8');
      expect(list).not.toContain(SECRET);
      expect(list).not.toContain('SERVER_NAME');
    },
  );
});
