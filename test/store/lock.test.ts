import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/store/lock.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'vpsmon-lock-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('takeLock', () => {
  it('is held by one, named, and free again after release', () => {
    const first = takeLock(dir, 'daemon');
    expect('release' in first).toBe(true);
    expect(takeLock(dir, 'daemon')).toEqual({ heldBy: process.pid });
    if ('release' in first) first.release();
    const second = takeLock(dir, 'daemon');
    expect('release' in second).toBe(true);
    if ('release' in second) second.release();
  });

  it('can be locked by its owner alone, and is still held after a second try in the same process', () => {
    const first = takeLock(dir, 'daemon');
    expect(takeLock(dir, 'daemon')).toEqual({ heldBy: process.pid });
    expect(readdirSync(dir).map((name) => statSync(join(dir, name)).mode & 0o777)).toEqual([
      0o600, 0o600, 0o600,
    ]);
    // A file closed in the holder's own process takes its locks with it: only another process can tell.
    const other = `const db = new (require(${JSON.stringify(createRequire(import.meta.url).resolve('libsql'))}))(
        ${JSON.stringify(join(dir, 'daemon.lock'))}, { timeout: 0 });
      try { db.exec('BEGIN EXCLUSIVE'); console.log('free'); } catch (error) { console.log(error.code); }`;
    expect(spawnSync(process.execPath, ['-e', other], { encoding: 'utf8' }).stdout.trim()).toBe(
      'SQLITE_BUSY',
    );
    if ('release' in first) first.release();
  });

  it('locks of other names are others', () => {
    const a = takeLock(dir, 'a');
    const b = takeLock(dir, 'b');
    expect('release' in a && 'release' in b).toBe(true);
    for (const lock of [a, b]) if ('release' in lock) lock.release();
  });

  it('is given back by the kernel when its holder is killed', async () => {
    // The same steps as takeLock, in a process of its own that can be killed.
    const libsql = pathToFileURL(createRequire(import.meta.url).resolve('libsql')).href;
    const holder = join(dir, 'holder.mjs');
    writeFileSync(
      holder,
      `import Database from ${JSON.stringify(libsql)};
       const db = new Database(${JSON.stringify(join(dir, 'daemon.lock'))});
       db.exec('PRAGMA journal_mode = DELETE'); db.exec('BEGIN EXCLUSIVE');
       process.stdout.write('held'); setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [holder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect('heldBy' in takeLock(dir, 'daemon')).toBe(true);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    const lock = takeLock(dir, 'daemon');
    expect('release' in lock).toBe(true);
    if ('release' in lock) lock.release();
  });
});
