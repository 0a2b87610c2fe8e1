import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createOom } from '../../src/collectors/oom.ts';
import { createKillParser } from '../../src/collectors/kmsg.ts';
import type { CollectorDeps } from '../../src/collectors/types.ts';
import type { ContainerInfo } from '../../src/model/snapshot.ts';
import { hostFiles } from '../../src/system/files.ts';
import { openOomCounter } from '../../src/system/oom-counter.ts';
import type { KernelRecord } from '../../src/system/types.ts';
import { dockerEvent, standingClock } from '../helpers/recorded-host.ts';

const WEB = 'a'.repeat(64);
const T0 = 1_767_000_000_000;
const quiet = new AbortController().signal;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vpsmon-oom-'));
  mkdirSync(join(dir, 'proc/sys/kernel/random'), { recursive: true });
  writeFileSync(join(dir, 'proc/sys/kernel/random/boot_id'), 'boot\n');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A small world of which every part can be changed between two readings. */
function world() {
  const clock = standingClock(T0);
  const memory = new Map<string, unknown>();
  const state = {
    counter: 0,
    uptime: 1000,
    records: [] as KernelRecord[],
    logCode: undefined as string | undefined,
    table: async (): Promise<Partial<ContainerInfo>[]> => [{ id: WEB, name: 'web', limitBytes: 5e6 }],
    tableCalls: 0,
    writes: 0,
  };
  /** The kernel log is the one thing that is not a file here, so that it can refuse. */
  function open() {
    let next = 0;
    const deps = {
      system: {
        clock,
        files: hostFiles(dir),
        kernelLog: {
          read() {
            if (state.logCode) throw Object.assign(new Error('no'), { code: state.logCode });
            const fresh = state.records.slice(next);
            next = state.records.length;
            return fresh;
          },
          close() {},
        },
      },
      containers: () => {
        state.tableCalls += 1;
        return state.table();
      },
      recall: (key: string) => structuredClone(memory.get(key)),
      remember: (key: string, value: unknown) => {
        state.writes += 1;
        memory.set(key, structuredClone(value));
      },
    } as unknown as CollectorDeps;
    const collector = createOom(deps);
    return {
      onDockerOom: collector.onDockerOom,
      async read() {
        writeFileSync(join(dir, 'proc/vmstat'), `pswpin 0\noom_kill ${state.counter}\n`);
        writeFileSync(join(dir, 'proc/uptime'), `${state.uptime} 1.0\n`);
        const value = await collector.read(quiet);
        if ('absent' in value) throw new Error('absent');
        return value;
      },
    };
  }
  function pass(seconds: number): void {
    clock.move(seconds * 1000);
    state.uptime += seconds;
  }
  function kill(pid = 42, usec = (state.uptime - 1) * 1e6): void {
    state.counter += 1;
    const seq = 10 * (state.records.length + 1);
    const where = `oom_memcg=/docker/${WEB},task_memcg=/docker/${WEB},task=node,pid=${pid},uid=0`;
    const text = `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,${where}`;
    state.records.push({ seq, usec, text });
    const killed = `Killed process ${pid} (node) total-vm:9kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0`;
    state.records.push({ seq: seq + 1, usec, text: `Memory cgroup out of memory: ${killed}` });
  }
  return { state, open, pass, kill, clock, memory };
}

test('names the container and its limit, asking Docker only when there is something to name', async () => {
  const { state, open, pass, kill } = world();
  const oom = open();
  await oom.read();
  expect(state.tableCalls).toBe(0);
  pass(30);
  kill();
  const { kills } = await oom.read();
  expect(kills).toEqual([
    {
      id: 'boot:11',
      at: T0 + 29_000,
      process: 'node',
      pid: 42,
      rssBytes: 4096,
      cgroup: `/docker/${WEB}`,
      scope: 'container',
      containerId: WEB,
      containerName: 'web',
      limitBytes: 5e6,
    },
  ]);
  pass(30);
  await oom.read();
  expect(state.tableCalls).toBe(1);
});

test('fails where the uptime cannot be read: old kills would look like new ones', async () => {
  const { state, open, kill } = world();
  kill();
  state.uptime = 0;
  await expect(open().read()).rejects.toThrow('/proc/uptime cannot be read');
});

test('two collectors of one machine, and one after the other, give a kill the same id', async () => {
  const { open, pass, kill } = world();
  const daemon = open();
  await daemon.read();
  pass(10);
  kill();
  const other = open();
  const ids = [(await daemon.read()).kills, (await other.read()).kills, (await open().read()).kills];
  expect(ids.map((kills) => kills.map(({ id }) => id))).toEqual([['boot:11'], ['boot:11'], ['boot:11']]);
});

test('a Docker that fails or hangs does not keep a kill from being told, and is asked again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { state, open, pass, kill } = world();
  const oom = open();
  await oom.read();
  kill();
  state.table = () => new Promise(() => {});
  const hanging = oom.read();
  await vi.advanceTimersByTimeAsync(3_000);
  expect((await hanging).kills).toMatchObject([{ pid: 42, containerId: WEB }]);
  state.table = async () => Promise.reject(new Error('gone'));
  pass(30);
  expect((await oom.read()).kills[0]?.containerName).toBeUndefined();
  state.table = async () => [{ id: WEB, name: 'web', limitBytes: null }];
  pass(30);
  expect((await oom.read()).kills).toMatchObject([{ containerName: 'web' }]);
});

test.each([
  ['EPERM', /root or the capability CAP_SYSLOG/],
  ['ENOENT', /no kernel log here/],
  ['EIO', /cannot be read: no/],
])('says why the kernel log is not read: %s', async (code, why) => {
  const { state, open } = world();
  state.logCode = code;
  expect((await open().read()).logUnreadable).toMatch(why);
});

test('without the log, the word of Docker is a kill at the next reading', async () => {
  const { state, open, pass } = world();
  state.logCode = 'EPERM';
  const oom = open();
  await oom.read();
  pass(3);
  state.counter += 1;
  oom.onDockerOom(dockerEvent({ id: WEB, timeNano: BigInt(T0 + 3000) * 1_000_000n }));
  const { kills } = await oom.read();
  expect(kills).toMatchObject([{ at: T0 + 3000, containerName: 'web', limitBytes: 5e6, process: 'unknown' }]);
  // The log may be read after a restart: the same kill, with what the kernel knows.
  state.logCode = undefined;
  state.records.push({
    seq: 5,
    usec: 1_002_500_000,
    text: 'Memory cgroup out of memory: Killed process 9 (x) total-vm:9kB, anon-rss:4kB',
  });
  const later = (await open().read()).kills;
  expect(later).toMatchObject([{ id: kills[0]?.id, pid: 9, process: 'x', containerName: 'web' }]);
});

test('the time of a kill is right when the clock was set in between', async () => {
  const { open, pass, kill, clock } = world();
  const oom = open();
  await oom.read();
  clock.jump(-86_400_000);
  pass(30);
  kill();
  expect((await oom.read()).kills[0]?.at).toBe(T0 - 86_400_000 + 29_000);
});

test('the kernel log runs behind the clock after weeks; a new record is not older than the last look', async () => {
  const { open, pass, kill } = world();
  const oom = open();
  pass(1000);
  await oom.read();
  pass(30);
  kill(42, 1_500_000_000);
  expect((await oom.read()).kills[0]?.at).toBe(T0 + 1_000_000);
});

test('nothing is written while nothing happens', async () => {
  const { state, open, pass, kill } = world();
  const oom = open();
  for (let i = 0; i < 20; i += 1) {
    await oom.read();
    pass(30);
  }
  expect(state.writes).toBe(1);
  kill();
  await oom.read();
  expect(state.writes).toBe(2);
});

test('state that another version left is not trusted', async () => {
  const { state, open, memory } = world();
  memory.set('oom-seen', { bootId: 'boot', kills: 'many' });
  state.counter = 7;
  expect((await open().read()).kills).toEqual([]);
});

/** What the parser makes of these lines, written a second after one another. */
function kills(...lines: string[]) {
  const parse = createKillParser();
  return lines.flatMap((text, seq) => parse({ seq, usec: 1e9 + seq * 1e5, text }) ?? []);
}
const INVOKED = 'node invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0';
const attribution = (constraint: string, whose: string, victim: string) =>
  `oom-kill:constraint=CONSTRAINT_${constraint},nodemask=(null),cpuset=x,mems_allowed=0,${whose},task_memcg=${victim},task=node,pid=9,uid=0`;
const killed = (kind: string) =>
  `${kind}: Killed process 9 (node) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0`;

test('N9: the limit is that of the slice, not of the container in it', () => {
  const victim = `/shop.slice/docker-${WEB}.scope`;
  const limit = 'memory: usage 1048576kB, limit 1048576kB, failcnt 7';
  const of = (limited: string) =>
    kills(
      INVOKED,
      limit,
      attribution('MEMCG', `oom_memcg=${limited}`, victim),
      killed('Memory cgroup out of memory'),
    )[0];
  expect(of('/shop.slice')).toMatchObject({
    scope: 'cgroup',
    containerId: WEB,
    limitedCgroup: '/shop.slice',
    limitBytes: 1_073_741_824,
  });
  expect(of(victim)).toMatchObject({ scope: 'container', containerId: WEB });
  expect(of(victim)).not.toHaveProperty('limitedCgroup');
});

test.each([
  ['of Linux 6', 'sysrq: Manual OOM execution', INVOKED.replace('order=0', 'order=-1')],
  ['of Linux 4', 'SysRq : Manual OOM execution', INVOKED],
  ['whose first line is lost', '', INVOKED.replace('order=0', 'order=-1')],
])('N15: asked for by hand, in the words %s', (_name, manual, invoked) => {
  const rest = [attribution('NONE', 'global_oom', '/system.slice/x.service'), killed('Out of memory')];
  expect(kills(manual, invoked, ...rest)[0]).toMatchObject({ scope: 'host', trigger: 'sysrq' });
  // The next kill is the kernel's own again.
  expect(kills(manual, invoked, ...rest, INVOKED, ...rest)[1]).not.toHaveProperty('trigger');
});

test('N15: a cpuset or a NUMA policy that is full is not the whole server', () => {
  const of = (constraint: string) =>
    kills(INVOKED, attribution(constraint, 'global_oom', '/a'), killed('Out of memory'))[0];
  expect(of('CPUSET')).toMatchObject({ trigger: 'cpuset' });
  expect(of('MEMORY_POLICY')).toMatchObject({ trigger: 'policy' });
});

test('H3: a guest counts its own kills and does not read the log of another machine', async () => {
  const { state, open } = world();
  mkdirSync(join(dir, 'run/systemd'), { recursive: true });
  writeFileSync(join(dir, 'run/systemd/container'), 'lxc\n');
  mkdirSync(join(dir, 'sys/fs/cgroup'), { recursive: true });
  const own = (count: number) =>
    writeFileSync(
      join(dir, 'sys/fs/cgroup/memory.events'),
      `low 0\noom 0\noom_kill ${count}\noom_group_kill 0\n`,
    );
  own(0);
  state.counter = 41;
  const oom = open();
  await oom.read();
  state.counter = 44;
  state.records = [{ seq: 1, usec: 1, text: killed('Out of memory') }];
  expect(await oom.read()).toMatchObject({
    killsSinceBoot: 0,
    kills: [],
    logUnreadable: expect.stringContaining("guest (LXC) is the physical machine's"),
  });
  expect(openOomCounter(hostFiles(dir)).read()).toBe('0');
  own(1);
  expect(openOomCounter(hostFiles(dir)).read()).toBe('1');
});
