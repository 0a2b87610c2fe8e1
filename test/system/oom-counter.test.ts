import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostFiles } from '../../src/system/files.ts';
import { openOomCounter } from '../../src/system/oom-counter.ts';

describe('openOomCounter', () => {
  it('reads what changes, and says nothing where there is no such line or file', () => {
    const root = mkdtempSync(join(tmpdir(), 'vpsmon-vmstat-'));
    try {
      const counter = openOomCounter(hostFiles(root));
      expect(counter.read()).toBeUndefined();
      mkdirSync(join(root, 'proc'));
      const write = (text: string) => writeFileSync(join(root, 'proc/vmstat'), text);
      write('pswpin 1\noom_kill 3\nnr_free 7\n');
      expect(counter.read()).toBe('3');
      write('pswpin 1\noom_kill 14\n');
      expect(counter.read()).toBe('14');
      write('pswpin 1\n');
      // What an earlier, longer read left in the buffer does not count.
      expect(counter.read()).toBeUndefined();
      counter.close();
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
