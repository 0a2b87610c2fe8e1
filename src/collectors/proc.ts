// Small files of /proc, parsed. Pure but for readMemory; samples above each function.
import { OWN_CGROUP, ownLimit, type Guest } from '../system/guest.ts';
import type { Files } from '../system/types.ts';

/**
 * Numbers of /proc/meminfo and /proc/vmstat by name: `MemAvailable:   24355684 kB`, `pswpin 123`. Only the names asked for.
 */
export function parseNumbers<K extends string>(
  text: string,
  names: readonly K[],
): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {};
  for (const name of names) {
    const value = numberOf(text, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** Of the first line that begins with `name`, a colon or none, and blanks. Searched for as text: a pattern takes five times as long. */
function numberOf(text: string, name: string): number | undefined {
  for (let at = text.startsWith(name) ? 0 : text.indexOf(`\n${name}`) + 1; ;) {
    const rest = text.slice(at + name.length, at + name.length + 40);
    const value = /^:?[ \t]+(\d+)/.exec(rest)?.[1];
    if (value !== undefined && text.startsWith(name, at)) return Number(value);
    const next = text.indexOf(`\n${name}`, at);
    if (next < 0) return undefined;
    at = next + 1;
  }
}

const KB = 1024;

/**
 * Bytes. Kernels before 3.14 have no MemAvailable: free and cached memory is the nearest there is. `reclaimable`: what the kernel
 * does not count as available although it is given back, as the cache of ZFS.
 */
export function parseMeminfo(text: string, reclaimable = 0) {
  const kb = parseNumbers(text, [
    'MemTotal',
    'MemFree',
    'MemAvailable',
    'Buffers',
    'Cached',
    'SwapTotal',
    'SwapFree',
  ]);
  if (kb.MemTotal === undefined) throw new Error('/proc/meminfo has no MemTotal');
  const estimate = (kb.MemFree ?? 0) + (kb.Buffers ?? 0) + (kb.Cached ?? 0);
  const available = Math.min((kb.MemAvailable ?? estimate) + reclaimable / KB, kb.MemTotal);
  const swapTotal = kb.SwapTotal ?? 0;
  return {
    memory: {
      totalBytes: kb.MemTotal * KB,
      availableBytes: Math.round(available * KB),
      usedBytes: Math.round((kb.MemTotal - available) * KB),
    },
    swap: {
      totalBytes: swapTotal * KB,
      usedBytes: Math.max(0, swapTotal - (kb.SwapFree ?? swapTotal)) * KB,
    },
  };
}

/**
 * /proc/spl/kstat/zfs/arcstats; bytes of the ZFS cache that are given back when programs want memory: all beyond its minimum.
 * The kernel takes them for used (https://github.com/openzfs/zfs/issues/10255).
 *
 *   name   type data
 *   c_min  4    134217728
 *   size   4    2469606195
 */
export function parseArc(text: string): number {
  const value = (name: string) =>
    Number(new RegExp(`^${name}\\s+\\d+\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const spare = value('size') - value('c_min');
  return spare > 0 ? spare : 0;
}

/**
 * /proc/swaps; true where all swap lives in compressed RAM.
 *
 *   Filename      Type        Size     Used   Priority
 *   /dev/zram0    partition   1013756  0      100
 */
export function isZram(text: string): boolean {
  const devices = text
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s/)[0] ?? '')
    .filter(Boolean);
  return devices.length > 0 && devices.every((device) => /^\/dev\/(block\/)?zram\d+$/.test(device));
}

/** `0.21 0.19 0.10 4/123 28975` */
export function parseLoad(text: string): [number, number, number] {
  const [one = 0, five = 0, fifteen = 0] = text.split(' ', 3).map((part) => Math.max(0, Number(part) || 0));
  return [one, five, fifteen];
}

/**
 * /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice, in ticks. Waiting for the disk is idle;
 * guest time is part of user time already.
 *
 *   cpu  18674 0 8193 335636 817 0 190 104 0 0
 *   cpu0 8600 0 3288 169709 103 0 22 46 0 0
 *   btime 1795430144
 */
export function parseStat(text: string): { busy: number; total: number; cpus: number; bootTime: number } {
  const line = /^cpu +(.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error('/proc/stat has no cpu line');
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return {
    busy,
    total: busy + idle + iowait,
    cpus: text.match(/^cpu\d/gm)?.length ?? 1,
    bootTime: Number(/^btime (\d+)/m.exec(text)?.[1] ?? 0),
  };
}

/** `14023.58 27114.01`: seconds since boot, then the idle time of all CPUs. */
export function parseUptime(text: string): number {
  return Number(text.split(' ')[0]) || 0;
}

const ARC_STATS = '/proc/spl/kstat/zfs/arcstats';
/** By version of cgroups: what is held, limit and use of swap (in version 1 of both together), file pages that were not used lately. */
const OWN_MEMORY = {
  1: [
    'memory/memory.usage_in_bytes',
    'memory/memory.memsw.limit_in_bytes',
    'memory/memory.memsw.usage_in_bytes',
  ],
  2: ['memory.current', 'memory.swap.max', 'memory.swap.current'],
} as const;

/** What a guest's own cgroup allows it and what it holds of that, where that is less than `all`, which is the larger machine's. */
function ownMemory(files: Files, all: ReturnType<typeof parseMeminfo>): ReturnType<typeof parseMeminfo> {
  const version = files.exists(`${OWN_CGROUP}/memory.current`) ? 2 : 1;
  const [held, swapMax, swapHeld] = OWN_MEMORY[version].map((name) => {
    const text = files.textOr(`${OWN_CGROUP}/${name}`)?.trim();
    return text === 'max' ? Infinity : Number(text ?? Number.NaN);
  }) as [number, number, number];
  const limit = ownLimit(files) ?? Infinity;
  if (limit >= all.memory.totalBytes || Number.isNaN(held)) return all;
  const stat = files.textOr(`${OWN_CGROUP}/${version === 2 ? '' : 'memory/'}memory.stat`) ?? '';
  const unused = parseNumbers(stat, ['inactive_file', 'total_inactive_file']);
  const usedBytes = Math.min(
    limit,
    Math.max(0, held - (unused.total_inactive_file ?? unused.inactive_file ?? 0)),
  );
  const [without, withoutHeld] = version === 2 ? [0, 0] : [limit, held];
  return {
    memory: { totalBytes: limit, usedBytes, availableBytes: limit - usedBytes },
    swap: {
      // Without a limit (`max`, or a number next to 2^63), what the larger machine has.
      totalBytes: Math.min(all.swap.totalBytes, Math.max(0, swapMax - without) || 0),
      usedBytes: Math.max(0, swapHeld - withoutHeld) || 0,
    },
  };
}

/** Memory and swap in bytes, of the guest where this is one. Throws where meminfo cannot be read. */
export function readMemory(files: Files, guest: Guest | undefined): ReturnType<typeof parseMeminfo> {
  const all = parseMeminfo(
    files.text('/proc/meminfo'),
    guest || !files.exists(ARC_STATS) ? 0 : parseArc(files.textOr(ARC_STATS) ?? ''),
  );
  if (!guest || guest.ownMeminfo) return all;
  // Without lxcfs, meminfo is the larger machine's as well.
  return ownMemory(files, all);
}

/** Different after every boot. Kernels always have one; the boot time stands in where it is hidden. */
export function readBootId(files: Files): string {
  const id = files.textOr('/proc/sys/kernel/random/boot_id')?.trim();
  if (id) return id;
  const stat = files.textOr('/proc/stat');
  return stat === undefined ? '' : `btime-${parseStat(stat).bootTime}`;
}
