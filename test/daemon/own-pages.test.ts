// The monitor's program text counts for its own cgroup. That the kernel then does count it so is seen in the whole machine (test/vps/leak.test.ts).
import { describe, expect, it } from 'vitest';
import { createOwnPages } from '../../src/daemon/own-pages.ts';
import type { System } from '../../src/system/types.ts';
import { emptySnapshot, hostValues, pressureValues } from '../helpers/snapshots.ts';

const GROUP = '/sys/fs/cgroup/vpsmon.slice/vps-monitor.service';
const MB = 1_048_576;

function pages(texts: Record<string, string> = {}, refused?: string) {
  let now = 0;
  const logged: string[] = [];
  const files: Record<string, string | undefined> = {
    '/proc/self/cgroup': '0::/vpsmon.slice/vps-monitor.service\n',
    '/proc/self/status': 'VmRSS:\t   58000 kB\nRssAnon:\t   10000 kB\nRssFile:\t   48000 kB\n',
    [`${GROUP}/memory.min`]: `${48 * MB}\n`,
    [`${GROUP}/memory.stat`]: `anon ${10 * MB}\nfile ${9 * MB}\nfile_mapped ${4 * MB}\n`,
    ...texts,
  };
  const asked: number[] = [];
  const system = {
    files: { textOr: (path: string) => files[path] },
    clock: { monotonic: () => now },
    log: { info: (text: string) => logged.push(text), warn: (text: string) => logged.push(text) },
  } as unknown as System;
  const look = createOwnPages(system, async (pid) => {
    asked.push(pid);
    return refused;
  });
  /** A check every 30 s. */
  const check = (snapshot = calm(), times = 1) => {
    for (let time = 0; time < times; time += 1) {
      look(snapshot);
      now += 30_000;
    }
  };
  return { check, asked, logged, files };
}

function calm(score = 0, availableMb = 600) {
  const value = hostValues({
    memory: { totalBytes: 1000 * MB, availableBytes: availableMb * MB, usedBytes: (1000 - availableMb) * MB },
  });
  return emptySnapshot(0, {
    host: { state: 'ok', tookMs: 1, value },
    pressure: { state: 'ok', tookMs: 1, value: pressureValues(score) },
  });
}

describe("the monitor's program text", () => {
  it('U4: is read anew where it counts for the group that installed it, until it is its own', () => {
    const { check, asked, files } = pages();
    check(calm(), 2);
    expect(asked).toEqual([process.pid, process.pid]);
    files[`${GROUP}/memory.stat`] = `file_mapped ${30 * MB}\n`;
    check(calm(), 3);
    files[`${GROUP}/memory.stat`] = `file_mapped ${4 * MB}\n`;
    check(calm(), 3);
    expect(asked).toHaveLength(2);
  });

  it('is left alone while memory is short or processes wait for it', () => {
    const { check, asked } = pages();
    check(calm(0, 95), 20);
    check(calm(11), 20);
    check(emptySnapshot(0), 20);
    expect(asked).toEqual([]);
    check();
    expect(asked).toHaveLength(1);
  });

  it('is given up where other programs share it all the time, or it is refused', async () => {
    const shared = pages();
    shared.check(calm(), 50);
    expect(shared.asked).toHaveLength(10);
    const refusing = pages({}, 'process_madvise: Operation not permitted');
    refusing.check();
    await expect.poll(() => refusing.logged).toHaveLength(1);
    expect(refusing.logged[0]).toMatch(/group that read it first: process_madvise/);
    refusing.check(calm(), 5);
    expect(refusing.asked).toHaveLength(1);
  });

  it.each([
    ['nothing is protected', { [`${GROUP}/memory.min`]: '0\n' }],
    ['there is no cgroup v2', { '/proc/self/cgroup': '4:memory:/system.slice/vps-monitor.service\n' }],
    ['the group counts no memory', { [`${GROUP}/memory.stat`]: '' }],
  ])('does not matter where %s', (_name, texts) => {
    const { check, asked } = pages(texts);
    check(calm(), 5);
    expect(asked).toEqual([]);
  });
});
