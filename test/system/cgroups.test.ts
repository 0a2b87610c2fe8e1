import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { candidatePaths, findLayout, parseProcCgroup } from '../../src/system/cgroup-layout.ts';
import { openCgroups, parseCpu, parseStat } from '../../src/system/cgroups.ts';
import type { Cgroups } from '../../src/system/cgroups.ts';
import { hostFiles } from '../../src/system/files.ts';

const ID = 'c0ffee'.padEnd(64, '0');
const OTHER = 'd'.repeat(64);
const CG = 'sys/fs/cgroup';
let root: string;
let opened: Cgroups[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vpsmon-cgroup-'));
});
afterEach(() => {
  for (const cgroups of opened) cgroups.close();
  opened = [];
  rmSync(root, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
function v2(group: string, usage: number): void {
  write(`${CG}/cgroup.controllers`, 'memory');
  write(`${CG}${group}/cgroup.procs`, '');
  write(`${CG}${group}/memory.current`, `${usage}\n`);
  write(`${CG}${group}/memory.stat`, 'anon 5\nfile 9\ninactive_file 3\n');
  write(`${CG}${group}/cpu.stat`, 'usage_usec 7\nuser_usec 4\n');
}
function open(maxOpen?: number): Cgroups {
  const cgroups = openCgroups(root, maxOpen);
  opened.push(cgroups);
  return cgroups;
}
function openFiles(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root);
    } catch {
      return false;
    }
  }).length;
}
const read = (usage: number) => ({
  memory: { usageBytes: usage, inactiveFileBytes: 3, anonBytes: 5 },
  cpuTotalNs: 7000,
});

describe('where a container is', () => {
  test('the line of the unified hierarchy, and those of memory and cpuacct', () => {
    const text = '4:memory:/docker/x\n3:cpu,cpuacct:/docker/y:z\n1:name=systemd:/a\n0::/b\nnonsense\n';
    expect(parseProcCgroup(text)).toEqual({ memory: '/docker/x', cpu: '/docker/y:z', unified: '/b' });
  });
  test('what the process says first, when it is about this container', () => {
    const known = [`/system.slice/docker-${ID}.scope`, `/docker/${ID}`];
    expect(candidatePaths(ID, undefined)).toEqual(known);
    expect(candidatePaths(ID, '/user.slice')).toEqual(known);
    expect(candidatePaths(ID, `/docker/${OTHER}`)).toEqual(known);
    expect(candidatePaths(ID, `/my.slice/docker-${ID}.scope/init.scope`)[0]).toBe(
      `/my.slice/docker-${ID}.scope`,
    );
    expect(candidatePaths(ID, `/../../docker/${ID}`)[0]).toBe(`/docker/${ID}`);
  });
  test('layouts', () => {
    expect(findLayout(hostFiles(root))).toBeUndefined();
    write(`${CG}/memory/memory.usage_in_bytes`, '1');
    expect(findLayout(hostFiles(root))).toMatchObject({ version: 1, cpu: `/${CG}/cpu,cpuacct` });
    mkdirSync(join(root, CG, 'cpuacct'));
    expect(findLayout(hostFiles(root))).toMatchObject({ version: 1, cpu: `/${CG}/cpuacct` });
    write(`${CG}/cgroup.controllers`, '');
    expect(findLayout(hostFiles(root))?.version).toBe(2);
  });
});

describe('reading', () => {
  test.each([`/system.slice/docker-${ID}.scope`, `/docker/${ID}`])(
    'finds %s without its process',
    (group) => {
      v2(group, 10);
      expect(open().read(ID, 999_999_999)).toEqual(read(10));
    },
  );

  test('a cgroup parent and a rootless engine are found through the process', () => {
    const group = `/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`;
    v2(group, 10);
    expect(open().read(ID, 77)).toBeUndefined();
    write('proc/77/cgroup', `0::${group}\n`);
    expect(open().read(ID, 77)).toEqual(read(10));
  });

  test('v1, memory and CPU in hierarchies of their own', () => {
    write(`${CG}/memory/memory.usage_in_bytes`, '1');
    write(`${CG}/memory/docker/${ID}/memory.usage_in_bytes`, '10\n');
    write(`${CG}/memory/docker/${ID}/memory.stat`, 'inactive_file 1\ntotal_rss 5\ntotal_inactive_file 3\n');
    write(`${CG}/cpu,cpuacct/docker/${ID}/cpuacct.usage`, '7000\n');
    expect(open().read(ID, 999_999_999)).toEqual(read(10));
  });

  test('U3: what a container has in swap, in either version; absent where the kernel does not account for it', () => {
    v2(`/docker/${ID}`, 10);
    v2(`/docker/${OTHER}`, 10);
    write(`${CG}/docker/${ID}/memory.swap.current`, '490733568\n');
    const cgroups = open();
    expect(cgroups.read(ID, 1)?.memory).toEqual({ ...read(10).memory, swapBytes: 490_733_568 });
    expect(cgroups.read(OTHER, 2)?.memory).toEqual(read(10).memory);
    write(`${CG}/docker/${ID}/memory.swap.current`, '0\n');
    expect(cgroups.read(ID, 1)?.memory?.swapBytes).toBe(0);
    cgroups.keepOnly(new Set());
    expect(openFiles()).toBe(0);
  });

  test('U3: version 1 counts memory and swap together', () => {
    const group = `${CG}/memory/docker/${ID}`;
    write(`${CG}/memory/memory.usage_in_bytes`, '1');
    write(`${group}/memory.usage_in_bytes`, '502267904\n');
    write(`${group}/memory.memsw.usage_in_bytes`, '993001472\n');
    write(`${group}/memory.stat`, 'total_rss 5\ntotal_inactive_file 3\n');
    write(`${CG}/cpu,cpuacct/docker/${ID}/cpuacct.usage`, '7000\n');
    expect(open().read(ID, 999_999_999)?.memory?.swapBytes).toBe(490_733_568);
    // Memory that was taken between the two reads.
    write(`${group}/memory.memsw.usage_in_bytes`, '502267903\n');
    expect(open().read(ID, 999_999_999)?.memory?.swapBytes).toBe(0);
  });

  test('files stay open and are read anew; those of a container that went are closed', () => {
    v2(`/docker/${ID}`, 10);
    v2(`/docker/${OTHER}`, 20);
    const cgroups = open();
    cgroups.read(ID, 1);
    cgroups.read(OTHER, 2);
    expect(openFiles()).toBe(6);
    write(`${CG}/docker/${ID}/memory.current`, '11\n');
    expect(cgroups.read(ID, 1)?.memory?.usageBytes).toBe(11);
    expect(openFiles()).toBe(6);
    cgroups.keepOnly(new Set([OTHER]));
    expect(openFiles()).toBe(3);
    cgroups.close();
    expect(openFiles()).toBe(0);
  });

  test('a container that was started again has another process and is opened anew', () => {
    v2(`/docker/${ID}`, 10);
    const cgroups = open();
    cgroups.read(ID, 1);
    rmSync(join(root, CG, 'docker', ID), { recursive: true });
    v2(`/docker/${ID}`, 33);
    expect(cgroups.read(ID, 2)?.memory?.usageBytes).toBe(33);
    expect(openFiles()).toBe(3);
  });

  test('beyond what may stay open, files are read and closed', () => {
    v2(`/docker/${ID}`, 10);
    v2(`/docker/${OTHER}`, 20);
    const cgroups = open(4);
    for (let i = 0; i < 3; i += 1) {
      expect(cgroups.read(ID, 1)).toEqual(read(10));
      expect(cgroups.read(OTHER, 2)).toEqual(read(20));
    }
    expect(openFiles()).toBe(4);
    cgroups.keepOnly(new Set());
    expect(openFiles()).toBe(0);
  });

  test('with the memory controller off there is still the CPU', () => {
    v2(`/docker/${ID}`, 10);
    rmSync(join(root, CG, 'docker', ID, 'memory.current'));
    rmSync(join(root, CG, 'docker', ID, 'memory.stat'));
    expect(open().read(ID, 1)).toEqual({ cpuTotalNs: 7000 });
  });
});

describe('parsers', () => {
  // What was read before a shorter text is still behind it.
  const stale = '\nanon 77\ninactive_file 77\nusage_usec 77\n';
  const stat = (text: string, version: 1 | 2 = 2) =>
    parseStat(Buffer.from(`\n${text}${stale}`), text.length + 1, version);
  const cpu = (text: string, version: 1 | 2 = 2) =>
    parseCpu(Buffer.from(`\n${text}${stale}`), text.length + 1, version);

  test('keys are whole words at the start of a line', () => {
    expect(stat('inactive_file 1\nxanon 9\nanon 2\nanon_thp 8')).toEqual({
      inactiveFileBytes: 1,
      anonBytes: 2,
    });
    expect(stat('rss 1\ninactive_file 1\ntotal_rss_huge 4\ntotal_rss 2\ntotal_inactive_file 3', 1)).toEqual({
      inactiveFileBytes: 3,
      anonBytes: 2,
    });
  });
  test('numbers beyond 32 bits', () => {
    expect(stat('anon 17179869184\ninactive_file 0\n')).toEqual({
      inactiveFileBytes: 0,
      anonBytes: 17_179_869_184,
    });
  });
  test('what is not there or not a number is nothing, whatever was read before', () => {
    expect(stat('anon 2')).toBeUndefined();
    expect(stat('anon x\ninactive_file 1\n')).toBeUndefined();
    expect(stat('anon -5\ninactive_file 1\n')).toBeUndefined();
    expect(stat('anon 2\ninactive_file 1\n', 1)).toBeUndefined();
    expect(stat('')).toBeUndefined();
    expect(cpu('usage_usec x')).toBeUndefined();
    expect(cpu('')).toBeUndefined();
    expect(cpu('', 1)).toBeUndefined();
  });
  test('CPU in nanoseconds of either version', () => {
    expect(cpu('123456\n', 1)).toBe(123456);
    expect(cpu('usage_usec 12\nuser_usec 1\n')).toBe(12_000);
  });
  test('a group without a number for its usage has no memory', () => {
    v2(`/docker/${ID}`, 10);
    write(`${CG}/docker/${ID}/memory.current`, 'max\n');
    expect(open().read(ID, 1)).toEqual({ cpuTotalNs: 7000 });
  });
});
