import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { largestServices } from '../../src/collectors/top-cgroups.ts';
import { hostFiles } from '../../src/system/files.ts';

const MB = 1_048_576;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vpsmon-services-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

it('U6: names the services that hold most, with their swap, and neither slices nor containers', () => {
  const base = 'sys/fs/cgroup';
  write(`${base}/cgroup.controllers`, 'memory');
  const group = (path: string, mb: number, swapMb = 0) => {
    write(`${base}/${path}/memory.current`, `${mb * MB}\n`);
    write(`${base}/${path}/memory.stat`, `anon ${mb * MB}\ninactive_file ${MB}\n`);
    write(`${base}/${path}/memory.swap.current`, `${swapMb * MB}\n`);
  };
  group('system.slice', 800);
  group('system.slice/mysql.service', 300, 200);
  group('system.slice/dev-hugepages.mount', 1);
  group(`system.slice/docker-${'a'.repeat(64)}.scope`, 400);
  group('user.slice', 100);
  group('user.slice/user-1000.slice', 100);
  group('user.slice/user-1000.slice/session-3.scope', 98);
  expect(largestServices(hostFiles(root), 3)).toEqual([
    { name: 'mysql.service', bytes: 499 * MB },
    { name: 'session-3.scope', bytes: 97 * MB },
  ]);
  expect(largestServices(hostFiles(join(root, 'nothing')), 3)).toEqual([]);
});

it('U6: the same with cgroup version 1', () => {
  const base = 'sys/fs/cgroup/memory';
  write(`${base}/memory.usage_in_bytes`, '1');
  write(`${base}/system.slice/memory.usage_in_bytes`, `${300 * MB}`);
  write(`${base}/system.slice/memory.stat`, `total_rss 1\ntotal_inactive_file 0\n`);
  write(`${base}/system.slice/nginx.service/memory.usage_in_bytes`, `${299 * MB}`);
  write(`${base}/system.slice/nginx.service/memory.stat`, `total_rss 1\ntotal_inactive_file 0\n`);
  expect(largestServices(hostFiles(root), 3)).toEqual([{ name: 'nginx.service', bytes: 299 * MB }]);
});
