import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPressure, parsePressure, scoreOf } from '../../src/collectors/pressure.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import { hostFiles } from '../../src/system/files.ts';
import type { Files } from '../../src/system/types.ts';

const line = (avg10: number) => ({ avg10, avg60: 0, avg300: 0, totalUs: 0 });
const signal = new AbortController().signal;

test.each([
  [0, 0, 0],
  [12.5, 4, 12.5],
  [12.5, 9, 18],
  [70, 60, 100],
  [100, 0, 100],
])('score of some %d and full %d is %d', (some, full, score) => {
  expect(scoreOf({ some: line(some), full: line(full) })).toBe(score);
});

test('without a full line the score is some', () => {
  expect(scoreOf({ some: line(7) })).toBe(7);
});

test('takes a line apart, and nothing else', () => {
  const some = 'some avg10=1.50 avg60=0.25 avg300=0.00 total=987';
  expect(parsePressure(`${some}\n`)).toEqual({
    some: { avg10: 1.5, avg60: 0.25, avg300: 0, totalUs: 987 },
  });
  expect(parsePressure('')).toBeUndefined();
  expect(parsePressure('some avg10=x avg60=0 avg300=0 total=1')).toBeUndefined();
});

function read(files: Record<string, string>, change: (files: Files) => Files = (f) => f) {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-psi-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const deps = { system: { files: change(hostFiles(dir)) } } as unknown as CollectorDeps;
  return createPressure(deps).read(signal);
}

test('an old kernel, a switched off one and one without it are told apart', async () => {
  const release = 'proc/sys/kernel/osrelease';
  expect(await read({ [release]: '4.19.0\n' })).toEqual({
    absent: 'kernel 4.19.0 has no pressure information (PSI), which came with 4.20',
  });
  expect(await read({ [release]: '6.1.0\n', 'proc/cmdline': 'root=x psi=0\n' })).toEqual({
    absent: expect.stringContaining('psi=1'),
  });
  expect(await read({ [release]: '6.1.0\n' })).toEqual({ absent: expect.stringContaining('built without') });
});

test('a kernel that has it and answers "not supported" has it switched off', async () => {
  const refusing = (files: Files): Files => ({
    ...files,
    text: () => {
      throw Object.assign(new Error('operation not supported'), { code: 'EOPNOTSUPP' });
    },
  });
  expect(await read({}, refusing)).toEqual({ absent: expect.stringContaining('switched off') });
});

test('a file that may not be read is a failure, not an absence', async () => {
  const refusing = (files: Files): Files => ({
    ...files,
    text: () => {
      throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
    },
  });
  await expect(read({}, refusing)).rejects.toThrow('permission denied');
});
