import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { appendLine } from '../../src/system/state-files.ts';
import { hostFiles } from '../../src/system/files.ts';
import { pageSize, parseAuxv } from '../../src/system/page-size.ts';
import { writeAtomically } from '../../src/system/write-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-files-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('files of the host', () => {
  test('reads below its root, small and long, and what has no size', async () => {
    mkdirSync(join(dir, 'proc'));
    writeFileSync(join(dir, 'proc/short'), 'ä\n');
    writeFileSync(join(dir, 'proc/long'), 'x'.repeat(300_000));
    const files = hostFiles(dir);
    expect(files.text('/proc/short')).toBe('ä\n');
    expect(files.text('/proc/long')).toHaveLength(300_000);
    expect(files.list('/proc').toSorted()).toEqual(['long', 'short']);
    expect(files.exists('/proc/short')).toBe(true);
    expect(files.exists('/proc/none')).toBe(false);
    expect(hostFiles('/').text('/proc/self/stat')).toMatch(/^\d+ \(/);
    expect((await files.statfs('/proc')).blocks).toBeGreaterThan(0);
  });
  test('a file that is too long, missing or a folder is an error with a code', () => {
    writeFileSync(join(dir, 'long'), 'x'.repeat(100_000));
    const files = hostFiles(dir);
    expect(() => files.text('/long', 50_000)).toThrow(expect.objectContaining({ code: 'ETOOLONG' }));
    expect(() => files.text('/none')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => files.text('/')).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect(files.textOr('/none')).toBeUndefined();
  });
  test('what is read all the time stays open where it is the kernel’s own file, and is read anew each time', async () => {
    const files = hostFiles('/');
    const before = files.text('/proc/uptime');
    const opened = () => readdirSync('/proc/self/fd').length;
    const count = opened();
    await expect.poll(() => files.text('/proc/uptime')).not.toBe(before);
    expect(opened()).toBe(count);
    for (const path of ['/proc/vmstat', '/proc/stat', '/proc/meminfo']) {
      const names = (text: string) => text.match(/^\w+/gm);
      expect(names(files.text(path))).toEqual(names(readFileSync(path, 'utf8')));
    }
    mkdirSync(join(dir, 'proc'));
    const elsewhere = hostFiles(dir);
    for (const text of ['1 1', '2 2']) {
      rmSync(join(dir, 'proc/uptime'), { force: true });
      writeFileSync(join(dir, 'proc/uptime'), text);
      expect(elsewhere.text('/proc/uptime')).toBe(text);
    }
  });
  test('a second text does not change the first', () => {
    writeFileSync(join(dir, 'a'), 'first');
    writeFileSync(join(dir, 'b'), 'SECOND');
    const files = hostFiles(dir);
    const first = files.text('/a');
    files.text('/b');
    expect(first).toBe('first');
  });
});

describe('page size', () => {
  test('is in the auxiliary vector, in either byte order', () => {
    const vector = Buffer.alloc(48);
    vector.writeBigUInt64LE(3n, 0);
    vector.writeBigUInt64LE(6n, 16);
    vector.writeBigUInt64LE(16_384n, 24);
    expect(parseAuxv(vector, 'LE')).toBe(16_384);
    expect(parseAuxv(Buffer.from(vector).swap64(), 'BE')).toBe(16_384);
    expect(parseAuxv(Buffer.alloc(7), 'LE')).toBeUndefined();
    expect(parseAuxv(Buffer.alloc(64), 'LE')).toBeUndefined();
  });
  test('of this machine is what the kernel says elsewhere', () => {
    const kb = /KernelPageSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'utf8'))?.[1];
    expect(pageSize()).toBe(Number(kb) * 1024);
  });
});

describe('a log that is appended to', () => {
  test('has one line each, is only for its owner, and begins anew when it is long', () => {
    const path = join(dir, 'a.log');
    expect(appendLine(path, 'one\ntwo', 12)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(appendLine(path, 'three', 12)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('one two\nthree\n');
    chmodSync(path, 0o644);
    expect(appendLine(path, 'four', 12)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe('four\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('one two\nthree\n');
  });
  test('says what is wrong instead of throwing', () => {
    expect(appendLine(join(dir, 'no/such/folder'), 'x')).toMatch(/cannot be written: ENOENT/);
    expect(appendLine(dir, 'x')).toMatch(/cannot be written: EISDIR/);
  });
});

describe('a file that is written whole', () => {
  test('has its content and its mode, whatever stood there', () => {
    const path = join(dir, 'a.prom');
    const before = process.umask(0o077);
    try {
      writeAtomically(path, 'old', 0o600);
      writeAtomically(path, Buffer.from('new ä'), 0o644);
    } finally {
      process.umask(before);
    }
    expect(readFileSync(path, 'utf8')).toBe('new ä');
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(hostFiles(dir).list('/')).toEqual(['a.prom']);
  });
  test('leaves the old one and nothing else behind when it fails', () => {
    mkdirSync(join(dir, 'target'));
    writeFileSync(join(dir, 'target/keeps'), '');
    expect(() => writeAtomically(join(dir, 'target'), 'x', 0o644)).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(() => writeAtomically(join(dir, 'none/x'), 'x', 0o644)).toThrow('ENOENT');
    expect(hostFiles(dir).list('/')).toEqual(['target']);
  });
});
