import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recall, remember } from '../../src/store/memory.ts';
import { openToLook } from '../../src/store/look.ts';
import { openStore } from '../../src/store/open.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'vpsmon-store-'))));
afterEach(() => {
  chmodSync(dir, 0o700);
  rmSync(dir, { recursive: true, force: true });
});

describe('openStore', () => {
  it('makes folder and database for the owner alone, and finds everything again', () => {
    const state = join(dir, 'a', 'b');
    const store = openStore(state, 0);
    expect(store.trouble).toBeUndefined();
    remember(store.db, 'key', { a: [1, 'ü'] }, 1);
    store.close();
    expect(statSync(state).mode & 0o777).toBe(0o711);
    expect(statSync(join(state, 'vpsmon.db')).mode & 0o777).toBe(0o600);
    const again = openStore(state, 0);
    expect(recall(again.db, 'key', v.unknown())).toEqual({ a: [1, 'ü'] });
    again.close();
  });

  it('R2: says it in words where a folder stands for the database, or a file for the state folder', () => {
    mkdirSync(join(dir, 'vpsmon.db'));
    const words = `${join(dir, 'vpsmon.db')} is a folder`;
    const store = openStore(dir, 0);
    expect(store.trouble).toContain(words);
    store.close();
    expect(openToLook(dir)).toEqual({ refused: words });
    const file = join(dir, 'state');
    writeFileSync(file, '');
    expect(openToLook(file)).toEqual({ refused: `${file} is a file, not a folder` });
  });

  it('keeps the log beside the database from others, too: it holds the same messages', () => {
    const modes = () =>
      Object.fromEntries(readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o777]));
    const all = {
      'vpsmon.db': 0o600,
      'vpsmon.db-shm': 0o600,
      'vpsmon.db-wal': 0o600,
      'vpsmon.db-left-off.json': 0o600,
    };
    const store = openStore(dir, 0);
    remember(store.db, 'key', 'secret', 1);
    expect(modes()).toEqual(all);
    // As an earlier version, or a copy, may have left them.
    for (const name of Object.keys(all)) chmodSync(join(dir, name), 0o644);
    const second = openStore(dir, 0);
    expect(modes()).toEqual(all);
    second.close();
    store.close();
  });

  it('sets a corrupt file aside, byte for byte, and begins anew', () => {
    const path = join(dir, 'vpsmon.db');
    const garbage = Buffer.alloc(40_000, 'this is no database');
    writeFileSync(path, garbage);
    const store = openStore(dir, 1_700_000_000_000);
    expect(store.trouble).toBeUndefined();
    expect(store.setAside).toBeDefined();
    expect(readFileSync(store.setAside ?? '').equals(garbage)).toBe(true);
    remember(store.db, 'works', 1, 1);
    store.close();
  });

  it('sets a database aside whose pages are damaged in the middle', () => {
    const first = openStore(dir, 0);
    for (let i = 0; i < 3000; i += 1) remember(first.db, `key ${i}`, 'x'.repeat(50), 1);
    first.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    first.close();
    const path = join(dir, 'vpsmon.db');
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8192, bytes.length - 4096);
    writeFileSync(path, bytes);
    const store = openStore(dir, 0);
    expect(store.setAside).toBeDefined();
    expect(recall(store.db, 'key 1', v.unknown())).toBeUndefined();
    store.close();
  });

  it('goes on in memory where the folder cannot be made, and says why', () => {
    writeFileSync(join(dir, 'file'), '');
    const store = openStore(join(dir, 'file', 'state'), 0);
    expect(store.trouble).toMatch(/a part of its path is a file/);
    remember(store.db, 'still', 'works', 1);
    expect(recall(store.db, 'still', v.unknown())).toBe('works');
    store.close();
  });

  it('leaves nothing but its own files', () => {
    openStore(dir, 0).close();
    expect(readdirSync(dir).filter((name) => !name.startsWith('vpsmon.db'))).toEqual([]);
  });
});
