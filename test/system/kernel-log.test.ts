import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openKernelLog, parseKernelRecord } from '../../src/system/kernel-log.ts';

test('takes a record apart', () => {
  expect(parseKernelRecord('3,453,139493029,-;Memory cgroup out of memory: a;b')).toEqual({
    seq: 453,
    usec: 139493029,
    text: 'Memory cgroup out of memory: a;b',
  });
  expect(parseKernelRecord('6,1,2,c,caller=T1;x')?.text).toBe('x');
});

test.each([
  ['a continuation', ' SUBSYSTEM=pci'],
  ['a record of a program (facility 1)', '12,5,6,-;Out of memory: Killed process 1 (init)'],
  ['a record of the system log (facility 5)', '46,5,6,-;x'],
  ['nothing', ''],
  ['nonsense', 'Out of memory: Killed process 1 (init)'],
])('leaves out %s', (_, line) => {
  expect(parseKernelRecord(line)).toBeUndefined();
});

test('bytes that the kernel wrote as \\xNN come back, broken ones do no harm', () => {
  expect(parseKernelRecord('3,1,1,-;a\\x0ab \\xc3\\xa4 \\x5cx41 \\xff \\xzz ä')?.text).toBe(
    'a\nb ä \\x41 \ufffd \\xzz ä',
  );
});

function file(text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'vpsmon-kmsg-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'kmsg');
  writeFileSync(path, text);
  return path;
}

test('gives every record once, also one that is written in two pieces', () => {
  const path = file('6,1,10,-;one\n6,2,20,-;tw');
  const log = openKernelLog(path);
  expect(log.read().map(({ text }) => text)).toEqual(['one']);
  expect(log.read()).toEqual([]);
  appendFileSync(path, 'o\n6,3,30,-;three\n');
  expect(log.read().map(({ seq }) => seq)).toEqual([2, 3]);
  log.close();
});

test('after close, it begins again', () => {
  const log = openKernelLog(file('6,1,10,-;one\n'));
  log.read();
  log.close();
  expect(log.read()).toHaveLength(1);
  log.close();
  log.close();
});

test('a log that is not there is an error each time, with its code', () => {
  const log = openKernelLog('/nonexistent/kmsg');
  expect(() => log.read()).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => log.read()).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  log.close();
});
