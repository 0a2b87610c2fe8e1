import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureFolder, makeFolders } from '../../src/system/folders.ts';
import { whyNotUsable } from '../../src/store/state-folder.ts';
import { BIN } from '../helpers/daemon.ts';

let base: string;
beforeEach(() => (base = mkdtempSync(join(tmpdir(), 'vpsmon-folders-'))));
afterEach(() => rmSync(base, { recursive: true, force: true }));

test('makes what is missing, with its mode, and says whether it was', () => {
  expect(makeFolders(join(base, 'a/b/c'))).toBe(true);
  expect(makeFolders(join(base, 'a/b/c/'))).toBe(false);
  ensureFolder(join(base, 'd/e'), 0o711);
  expect(statSync(join(base, 'd/e')).mode & 0o777).toBe(0o711);
  symlinkSync(join(base, 'a'), join(base, 'link'));
  expect(makeFolders(join(base, 'link/x'))).toBe(true);
});

test('a file on the way, a link that leads nowhere', () => {
  writeFileSync(join(base, 'file'), '');
  symlinkSync(join(base, 'nowhere'), join(base, 'dangling'));
  expect(() => makeFolders(join(base, 'file/x'))).toThrow('ENOTDIR');
  expect(() => makeFolders(join(base, 'file'))).toThrow('EEXIST');
  expect(() => makeFolders(join(base, 'dangling'))).toThrow('EEXIST');
});

// In a process of its own: with Node's `recursive` these never end.
test.each(['/proc/vpsmon', '/proc/self/fd/vpsmon/x', '/dev/fd/x/y'])(
  '%s is refused, not tried for ever',
  (path) => {
    const state = spawnSync(process.execPath, [BIN, 'recover', '--state-dir', path], {
      encoding: 'utf8',
      timeout: 300_000,
      env: { PATH: process.env.PATH, DOCKER_HOST: 'unix:///nonexistent.sock' },
    });
    expect(state.signal).toBeNull();
    expect(state.status).toBe(3);
    expect(state.stderr).toContain('cannot be used');
    expect(whyNotUsable(path)).toMatch(/cannot be made/);
  },
);
